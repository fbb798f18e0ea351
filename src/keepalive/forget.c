// SPDX-License-Identifier: MIT
//
// See forget.h.
#include "keepalive/forget.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

// Any copy that holds a login, or may.
static const struct store *shown_in(const struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (a->members[i].copy->kind != COPY_BLANK)
			return a->members[i].store;
	return NULL;
}

// Other accounts have a share in what became of that token.
static bool is_shared(const struct observation *o, const struct account *a, const struct receipt *r)
{
	for (size_t i = 0; i < r->n_accounts; i++)
		for (size_t k = 0; k < o->records.n; k++)
			if (!string_equal(r->accounts[i], a->record.key) &&
			    string_equal(r->accounts[i], o->records.list[k].key))
				return true;
	return false;
}

static const char *unfinished(const struct observation *o, const struct account *a)
{
	for (size_t i = 0; i < a->n_receipts; i++) {
		const struct receipt *r = a->receipts[i];
		if (r->trouble)
			return "the receipt of its token cannot be read, and may hold an answer";
		if (is_shared(o, a, r))
			return "another account shares a refresh that is not finished: run "
			       "`oauth-keepalive refresh` first";
		if (r->state == RECEIPT_ANSWERED && shown_in(a))
			return "an answer is still to be delivered: run `oauth-keepalive refresh` "
			       "first";
	}
	return a->n_elsewhere ? "another state directory has its refresh under way" : NULL;
}

static char *why_not(const struct observation *o, const struct account *a,
		     const struct config *config, const struct policy *policy)
{
	const struct store *store = shown_in(a);
	const char *no = unfinished(o, a);

	if (no || policy->force || config_excludes(config, a->record.provider, a->record.profile))
		return xstrdup(no);
	if (a->main_trouble)
		return xasprintf("%s: it may be there (--force forgets it all the same)",
				 a->main_trouble);
	return store ? xasprintf("%s still holds it: name it in `exclude`, or use --force",
				 store->path)
		     : NULL;
}

// The marks first: what was sent stays known as spent, however far this comes.
int forget_drop(struct ledger *ledger, const struct account *a)
{
	int r = 0, n;

	for (size_t i = 0; r >= 0 && i < a->n_receipts; i++)
		r = a->receipts[i]->state == RECEIPT_CLAIMED
			    ? receipt_remove(ledger, a->receipts[i]->token)
			    : receipt_settle(ledger, a->receipts[i]->token);
	if (r >= 0 &&
	    a->record.custody.ownership != OWNERSHIP_OURS) // nor is it ours by being found again
		r = receipt_settle(ledger, a->record.live.fingerprint);
	n = r < 0 ? r : displaced_remove(ledger, a->record.key);
	r = n < 0 ? n : account_record_remove(ledger, a->record.key);
	return r < 0 ? r : n;
}

void forget_conclude(struct result *result, enum outcome outcome, const char *code, char *message)
{
	result->decision = outcome == OUTCOME_HELD ? DECISION_HOLD : DECISION_SKIP;
	free(result->reason);
	result->reason = xstrdup(message);
	result_conclude(result, outcome, code, 0, code ? message : NULL);
	if (!code)
		free(message);
}

static void forget_locked(struct ledger *ledger, const struct observation *o,
			  const struct account *a, const struct config *config,
			  const struct policy *policy, struct result *result)
{
	char *no = why_not(o, a, config, policy);
	int n;

	if (account_others_at_work(a, a->verdict.record.live.fingerprint)) {
		free(no);
		return forget_conclude(result, OUTCOME_BUSY, "in_flight",
				       xstrdup("another run is refreshing it"));
	}
	if (no)
		return forget_conclude(result, OUTCOME_HELD, "forget_refused", no);
	n = forget_drop(ledger, a);
	if (n < 0)
		return forget_conclude(result, OUTCOME_FAILED, "ledger_not_writable",
				       xasprintf("the ledger cannot be written: %s", strerror(-n)));
	result->forgotten = true;
	forget_conclude(result, OUTCOME_SKIPPED, NULL,
			xasprintf("forgotten: its record and tokens, and %d displaced login%s", n,
				  n == 1 ? "" : "s"));
}

void forget_under_lock(const struct config *config, const struct policy *policy,
		       struct ledger *ledger, struct result *result, forget_work *work)
{
	_cleanup_close_ int lock = -1;
	_cleanup_free_ char *message = NULL;
	char *keys[] = {result->key};
	struct holdings holdings = {.keys = keys, .n_keys = 1};
	struct observation o;
	const struct account *a;
	int r = account_lock(ledger, result->key, &lock, &message);

	if (r == -EBUSY)
		return forget_conclude(result, OUTCOME_BUSY, "account_busy",
				       xstrdup("another run works on this account"));
	if (r >= 0)
		r = observe(config, policy, ledger, &holdings, &o);
	if (r < 0)
		return forget_conclude(result, OUTCOME_FAILED, "ledger_not_writable",
				       xasprintf("its lock cannot be taken, or the stores not be "
						 "looked at: %s",
						 strerror(-r)));
	a = observation_account(&o, result->key);
	if (a)
		work(ledger, &o, a, config, policy, result);
	observation_free(&o);
}

int cycle_forget(const struct config *config, const struct policy *policy, struct ledger *ledger,
		 const struct selection *selection, struct cycle *ret)
{
	int r = cycle_preview(config, policy, ledger, selection, ret);

	if (r < 0 || policy->barred)
		return r;
	for (size_t i = 0; i < ret->results.n; i++) {
		struct result *result = &ret->results.list[i];
		const struct account *a = observation_account(&ret->now, result->key);
		if (a && observation_bars(&ret->now, a))
			continue;
		if (a && a->recorded) {
			forget_under_lock(config, policy, ledger, result, forget_locked);
			if (result->forgotten)
				problems_drop(&ret->now.problems, "vanished", a->record.profile);
		} else {
			forget_conclude(result, OUTCOME_SKIPPED, NULL,
					xstrdup("the ledger has no record of it"));
		}
	}
	return 0;
}
