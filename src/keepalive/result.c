// SPDX-License-Identifier: MIT
//
// See result.h.
#include "keepalive/result.h"

#include <stdio.h>

void result_conclude(struct result *result, enum outcome outcome, const char *code, int status,
		     char *message)
{
	result->outcome = outcome;
	snprintf(result->error_code, sizeof(result->error_code), "%s", code ? code : "");
	result->error_status = status;
	free(result->error_message);
	result->error_message = message;
}

void result_explain(struct result *result, const struct account *a)
{
	bool provider_said = string_equal(a->verdict.code, a->verdict.record.error_code) ||
			     string_equal(a->verdict.code, a->verdict.record.dead_code);

	result_conclude(result, result->outcome, a->verdict.code,
			provider_said ? a->verdict.record.error_status : a->verdict.status,
			xstrdup(a->verdict.reason));
	result->retry_at_ms = a->verdict.retry_ms ? a->verdict.retry_ms
			      : result->outcome == OUTCOME_FAILED || a->verdict.record.barred
				      ? a->verdict.record.not_before_ms
				      : 0;
}

static void set_reason(struct result *result, const struct account *a)
{
	free(result->reason);
	result->reason = xstrdup(a->verdict.reason);
}

void result_decide(struct result *result, const struct account *a)
{
	if (!result)
		return;
	result->decision = a->verdict.decision;
	set_reason(result, a);
	result_conclude(result, a->verdict.outcome, NULL, 0, NULL);
	if (a->verdict.code[0])
		result_explain(result, a);
}

// ---- what a look adds to it, once something may have been sent

static bool is_good(enum outcome outcome)
{
	return outcome != OUTCOME_FAILED && outcome != OUTCOME_HELD &&
	       outcome != OUTCOME_NEEDS_LOGIN;
}

static enum outcome outcome_of(const struct result *result, const struct account *a,
			       const struct fingerprint *sent)
{
	bool exchanged = sent;
	bool undecided = result->outcome == OUTCOME_PLANNED || result->outcome == OUTCOME_UNCHANGED;

	if (a->verdict.outcome == OUTCOME_NEEDS_LOGIN)
		return a->verdict.outcome;
	if (a->verdict.decision == DECISION_RECOVER)
		return exchanged ? OUTCOME_REFRESHED : OUTCOME_RECOVERED;
	// Somebody else's answer came before ours, and is live.
	if (exchanged && result->outcome != OUTCOME_REFRESHED &&
	    !fingerprint_equal(*sent, a->verdict.record.live.fingerprint))
		return OUTCOME_ADOPTED;
	if (exchanged && a->verdict.send) // with --force, or at the last resort: not in this run
		return result->outcome == OUTCOME_REFRESHED		     ? OUTCOME_REFRESHED
		       : a->verdict.resend && !verdict_may_pass(&a->verdict) ? OUTCOME_HELD
									     : OUTCOME_FAILED;
	if (!is_good(a->verdict.outcome))
		return a->verdict.outcome;
	if (!undecided)
		return result->outcome;
	if (a->verdict.outcome == OUTCOME_SKIPPED)
		return a->verdict.outcome;
	if (a->verdict.decision == DECISION_ADOPT || result->decision == DECISION_ADOPT)
		return OUTCOME_ADOPTED;
	if (exchanged)
		return OUTCOME_FAILED; // an answer that says: later
	if (result->decision == DECISION_RECOVER)
		return OUTCOME_RECOVERED;
	return result->decision == DECISION_MIRROR ? OUTCOME_MIRRORED : OUTCOME_UNCHANGED;
}

// Why it was sent is not why it failed.
static char *describe_attempt(const struct account *a)
{
	const struct account_record *r = &a->verdict.record;

	if (a->verdict.resend || !r->error_code[0])
		return xstrdup(a->verdict.reason);
	return xasprintf("%s; the attempt failed (%s%s%s)", a->verdict.reason, r->error_code,
			 r->said[0] ? ": " : "", r->said);
}

void result_judge(struct result *result, const struct account *a, const struct fingerprint *sent,
		  const char *said)
{
	if (!result)
		return;
	result->outcome = outcome_of(result, a, sent);
	if (is_good(result->outcome))
		return result_conclude(result, result->outcome, NULL, 0, NULL);
	set_reason(result, a);
	if (a->verdict.decision != DECISION_NONE)
		result->decision = a->verdict.decision;
	if (a->verdict.code[0])
		result_explain(result, a);
	else // --force would send again at once; what the record says stands
		result_conclude(result, result->outcome,
				a->verdict.record.error_code[0] ? a->verdict.record.error_code
								: "unknown_outcome",
				a->verdict.status ? a->verdict.status
						  : a->verdict.record.error_status,
				describe_attempt(a));
	if (said && result->outcome == OUTCOME_HELD) {
		free(result->error_message);
		result->error_message = xasprintf("%s (%s)", a->verdict.reason, said);
	}
}

// ---- what was written, displaced, left

static bool is_noted(const struct result *result, const char *token, const char *store)
{
	for (size_t i = 0; i < result->n_displaced; i++)
		if (string_starts(token, result->displaced[i].id) &&
		    string_equal(result->displaced[i].store, store))
			return true;
	return false;
}

void result_note_displaced(struct result *result, const struct account *a,
			   const struct ledger *ledger)
{
	for (size_t i = 0; result && i < a->verdict.n_displaced; i++) {
		const struct displaced *d = &a->verdict.displaced[i];
		struct displacement note = {.chosen = a->verdict.obeyed, .handed = d->key != NULL};
		memcpy(note.id, displaced_id(&d->credential).hex, FINGERPRINT_SHOWN);
		if (is_noted(result, note.id, d->store) ||
		    !receipt_never_was(ledger, displaced_id(&d->credential)))
			continue;
		note.store = xstrdup(d->store);
		*array_add(&result->displaced, &result->n_displaced) = note;
	}
}

// Nothing was sent in this run, nothing adopted: what is written over was behind when it began, and not displaced by it.
static bool was_put_back(const struct result *result, const struct account *a,
			 const struct member *m)
{
	const struct account_record *r = &a->verdict.record;

	return result->decision == DECISION_MIRROR && m->copy->kind == COPY_OAUTH &&
	       !is_noted(result, m->copy->credential.fingerprint.hex, m->store->path) &&
	       fingerprint_equal(result->before, r->live.fingerprint) &&
	       record_superseded(r, m->copy->credential.fingerprint);
}

void result_note_written(struct result *result, const struct account *a, const struct store *store)
{
	if (!result)
		return;
	*array_add(&result->written, &result->n_written) = xstrdup(store->path);
	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		if (m->store != store)
			continue;
		result->unfenced |= m->copy->kind == COPY_FENCED;
		if (was_put_back(result, a, m)) {
			struct put_back *p = array_add(&result->put_back, &result->n_put_back);
			p->token = m->copy->credential.fingerprint;
			memcpy(p->id, p->token.hex, FINGERPRINT_SHOWN);
			p->store = xstrdup(store->path);
		}
	}
}

void result_note_rival(struct result *result, pid_t pid)
{
	_cleanup_free_ char *name = process_name(pid);

	if (!result)
		return;
	free(result->rival);
	result->rival = name ? xasprintf("process %d (%s)", (int)pid, name)
			     : xasprintf("process %d", (int)pid);
}

void result_note_write_error(struct result *result, const struct store *store, int error)
{
	if (!result)
		return;
	free(result->write_error);
	result->write_error = xasprintf("%s: %s", store->path, store_error(error));
}

void result_note_pending(struct result *result, const char *code)
{
	if (!result)
		return;
	result->copies_pending = true;
	if (!result->error_code[0])
		snprintf(result->error_code, sizeof(result->error_code), "%s", code);
}

// ---- all of them

struct result *results_find(const struct results *results, const char *key)
{
	for_each_found (found, &results->by_key, hash_string(key))
		if (string_equal(results->list[found->at].key, key))
			return &results->list[found->at];
	return NULL;
}

// Of an account that the ledger does not know yet, the token that is sent first.
static struct fingerprint live_before(const struct account *a)
{
	return a->recorded || !a->verdict.send ? a->record.live.fingerprint
					       : a->verdict.record.live.fingerprint;
}

void results_begin(struct results *results, const struct observation *o,
		   const struct policy *policy, const struct selection *selection)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		struct result *result;
		if ((!selection_matches(selection, a, &a->verdict.record) &&
		     !account_takes_copies(a)) ||
		    (policy->choice.kind == CHOICE_RESTORE && !a->restores) ||
		    (policy->choice.kind == CHOICE_IMPORT && !a->handed))
			continue;
		index_add(&results->by_key, hash_string(a->record.key), results->n);
		result = array_add(&results->list, &results->n);
		memcpy(result->key, a->record.key, sizeof(result->key));
		result_decide(result, a);
		result->before = live_before(a);
		result->ownership = a->record.custody.ownership;
	}
}

static void result_free(struct result *result)
{
	for (size_t k = 0; k < result->n_written; k++)
		free(result->written[k]);
	free(result->written);
	for (size_t k = 0; k < result->n_displaced; k++)
		free(result->displaced[k].store);
	free(result->displaced);
	for (size_t k = 0; k < result->n_put_back; k++)
		free(result->put_back[k].store);
	free(result->put_back);
	free(result->rival);
	free(result->reason);
	free(result->error_message);
	free(result->write_error);
}

void results_free(struct results *results)
{
	for (size_t i = 0; i < results->n; i++)
		result_free(&results->list[i]);
	free(results->list);
	index_free(&results->by_key);
	*results = (struct results){0};
}

// ---- the last look

bool result_has_work(const struct result *result, const struct account *a)
{
	(void)result;
	return account_has_work(a) || a->verdict.outcome == OUTCOME_BUSY;
}

bool result_is_outdated(const struct result *result, const struct account *last)
{
	return account_has_writes(last) && is_good(result->outcome) &&
	       result->outcome != OUTCOME_BUSY && result->outcome != OUTCOME_PLANNED &&
	       !result->copies_pending;
}

void results_begin_anew(struct results *results, const struct observation *last)
{
	for (size_t i = 0; i < results->n; i++) {
		struct result *result = &results->list[i];
		const struct account *a = observation_account(last, result->key);
		if (a && result_is_outdated(result, a))
			result->first = result->outcome;
	}
}

// Whatever was written since, or was not because a signal came, a token that was refreshed is the news; but for what a person
// should know.
static void recall_first(struct result *result)
{
	bool refreshed = result->first == OUTCOME_REFRESHED || result->first == OUTCOME_RECOVERED;

	if (refreshed &&
	    (is_good(result->outcome) || string_equal(result->error_code, "interrupted")))
		result_conclude(result, result->first, NULL, 0, NULL);
}

// What is another's, or waits for it, is left as it is.
static void finish_seen(struct result *result, const struct account *a)
{
	if (result->outcome == OUTCOME_PLANNED ||
	    (result->outcome == OUTCOME_SKIPPED && a->verdict.send))
		result_conclude(result, OUTCOME_FAILED, "stores", 0,
				xstrdup("the stores could not be read in between; the next run "
					"finishes it"));
	if (!account_has_writes(a))
		return;
	result_note_pending(result, "copies_pending");
	if (!result->error_message)
		result->error_message = xstrdup(result->write_error);
}

// Nothing was written after all: somebody else did, or what was to be written is left.
static void finish_mirrored(struct result *result)
{
	if (result->outcome == OUTCOME_MIRRORED && !result->n_written)
		result->outcome = result->copies_pending ? OUTCOME_FAILED : OUTCOME_UNCHANGED;
}

void results_finish(struct results *results, const struct observation *last)
{
	for (size_t i = 0; i < results->n; i++) {
		struct result *result = &results->list[i];
		const struct account *a = last ? observation_account(last, result->key) : NULL;
		recall_first(result);
		if (a && result->outcome != OUTCOME_BUSY)
			finish_seen(result, a);
		if (!last && result->outcome == OUTCOME_PLANNED)
			result_conclude(result, OUTCOME_FAILED, "stores", 0, NULL);
		finish_mirrored(result);
	}
}
