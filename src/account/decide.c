// SPDX-License-Identifier: MIT
//
// What to do about one account: pure, in the order that the model (tests/model) has checked.
//
//	1. a copy that is newer than the live generation goes before an old answer: a person may have logged in
//	2. receipts: somebody else's are left alone, answers are recovered, claims that never were sent dropped
//	3. logged out: nothing is sent, written or resurrected
//	4. unknown tokens: later than the newest adopted one -> adopt; provably older -> superseded; else diverged
//	5. dead, unknown outcome, due, back-off
//
// Everything that changes here changes in memory; claim.c makes it durable before anything else happens.
#include <stdio.h>

#include "account/judge.h"

#include "base/clock.h"

#define ENDED_KEEP_S	(7 * DAY_S)
#define COURIER_STUCK_S 120 // longer than any courier holds (HOLD_LIMIT_S)

static void conclude(struct account *a, enum decision decision, enum outcome outcome, char *reason)
{
	a->verdict.decision = decision;
	a->verdict.outcome = outcome;
	free(a->verdict.reason);
	a->verdict.reason = reason;
}

// Not a good end: a code for programs, a reason for people.
static void object(struct account *a, enum decision decision, enum outcome outcome,
		   const char *code, char *reason)
{
	conclude(a, decision, outcome, reason);
	a->verdict.code = code;
}

// ---- the copies

static void judge_members(struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++) {
		struct member *m = &a->members[i];
		const struct credential *c = &m->copy->credential;
		m->write = false;
		if (m->fixed)
			continue;
		if (m->copy->kind == COPY_BLANK)
			m->state = COPY_ENDED;
		else if (m->copy->kind == COPY_FENCED)
			m->state = COPY_STATE_FENCED;
		else if (fingerprint_equal(c->fingerprint, a->record.live.fingerprint))
			m->state = !secret_equal(&c->access, &a->record.live.access) ||
						   !expiry_is_live(a, m->copy, policy)
					   ? COPY_SUPERSEDED
				   : m->adopted ? COPY_NEWER
						: COPY_CURRENT;
		else if (m->settled || account_knows(a, c->fingerprint))
			m->state = COPY_SUPERSEDED;
		else
			m->state = COPY_DIVERGED;
		m->write = (m->state == COPY_SUPERSEDED || fence_is_repaired(a, m, policy)) &&
			   account_match(a, c) != IDENTITY_DIFFERENT;
	}
}

static void write_nothing(struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++)
		a->members[i].write = false;
}

// ---- the last step: is there anything to send?

int64_t last_resort_s(const struct config *config)
{
	return RUNTIME_MARGIN_S + config->timer_period_s + config->deadline_s;
}

// Nothing sends the token again: neither time, nor --force, nor a fence. While the access token lives a person has time.
static void decide_unread_answer(struct account *a, const struct receipt *unknown, bool last)
{
	object(a, last ? DECISION_LOGIN : DECISION_HOLD, last ? OUTCOME_NEEDS_LOGIN : OUTCOME_HELD,
	       last ? "answer_unreadable" : "unknown_outcome",
	       xasprintf("the provider granted the last refresh (HTTP %d), but no tokens can be "
			 "read in its answer, which the ledger keeps (receipts/%.12s…): it is not "
			 "sent again, log in anew",
			 unknown->answer.status, unknown->token.hex));
}

static void decide_unknown_outcome(struct account *a, const struct receipt *unknown,
				   const struct config *config, const struct policy *policy)
{
	int64_t left_s = (a->verdict.schedule.expires_ms - policy->now_ms) /
			 SECOND_MS; // --at hastens nothing that is a last resort
	bool window = a->provider->reuse_window_s &&
		      policy->now_ms - unknown->sent_ms < a->provider->reuse_window_s * SECOND_MS;

	if (unknown->sends >= 2) {
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "sent_twice",
		       xstrdup("the refresh token was sent twice and no usable answer came"));
		return;
	}
	bool now = a->verdict.schedule.expires_ms && left_s < last_resort_s(config);
	if (receipt_holds_success(unknown)) {
		decide_unread_answer(a, unknown, now || fences_name_live(a));
		return;
	}
	if (!policy->offline && (policy->force || (!a->verdict.clock_wrong && (window || now)))) {
		a->verdict.send = a->verdict.resend = true;
		conclude(a, DECISION_REFRESH, OUTCOME_PLANNED,
			 xstrdup("the answer to the last refresh was lost; sending once more as "
				 "the last resort"));
		return;
	}
	_cleanup_free_ char *last = duration_format(last_resort_s(config));
	object(a, DECISION_HOLD, OUTCOME_HELD, "unknown_outcome",
	       xasprintf("the answer to the last refresh was lost; sent once more when less than "
			 "%s is left",
			 last));
}

// OpenClaw's own refresh of the live token failed, so its outcome is unknown; but as it has thrown the token away, the
// login is lost unless ours still works: the last resort, at once.
static void decide_fenced(struct account *a, const struct receipt *unknown,
			  const struct config *config, const struct policy *policy)
{
	if (unknown && (unknown->sends >= 2 || receipt_holds_success(unknown))) {
		decide_unknown_outcome(a, unknown, config, policy);
	} else if (!config->fence_recover) {
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "fenced",
		       xstrdup("OpenClaw fenced it off after a failed refresh (`fence` is "
			       "\"report\")"));
	} else if (policy->offline) {
		object(a, DECISION_HOLD, OUTCOME_HELD, "fenced",
		       xstrdup("OpenClaw fenced it off after a failed refresh; `refresh` would "
			       "send the ledger's token"));
	} else if (a->record.rejections >= REJECTIONS_MAX && !policy->force) {
		object(a, DECISION_HOLD, OUTCOME_HELD, a->record.error_code,
		       xasprintf("OpenClaw fenced it off, and the ledger's token was refused %d "
				 "times (%s): log in again, or try with --force",
				 a->record.rejections, a->record.error_code));
	} else if (a->record.not_before_ms > policy->now_ms && !policy->force) {
		object(a, DECISION_NONE, OUTCOME_FAILED, a->record.error_code,
		       xstrdup("OpenClaw fenced it off; the last attempt to recover it failed and "
			       "will be repeated"));
	} else {
		a->verdict.send = true;
		a->verdict.resend = unknown != NULL;
		conclude(a, DECISION_REFRESH, OUTCOME_PLANNED,
			 xstrdup("OpenClaw fenced it off after a failed refresh; sending the "
				 "ledger's token as the last resort"));
	}
	if (!a->verdict.send || unknown) // nobody else gets a token that may be spent
		write_nothing(a);
}

static bool any_diverged(const struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (a->members[i].state == COPY_DIVERGED)
			return true;
	return false;
}

// A login without an expiry is due to every runtime. Not where another copy may hold its successor, which cannot be told
// without one; and an answer may bring one: if it does not, there is none to be had.
static bool is_due(const struct account *a, const struct policy *policy)
{
	if (!a->verdict.schedule.expires_ms)
		return !a->record.live.answered && !any_diverged(a);
	return a->verdict.schedule.expires_ms - policy->at_ms <=
	       a->verdict.schedule.margin_s * SECOND_MS;
}

static void decide_due(struct account *a, const struct policy *policy)
{
	char *time = expiry_describe(a, policy);
	bool due = is_due(a, policy) && !a->verdict.clock_wrong;

	if (!due && !policy->force) {
		enum outcome idle = a->verdict.clock_wrong ? OUTCOME_FAILED : OUTCOME_UNCHANGED;
		conclude(a, a->verdict.decision,
			 a->verdict.decision == DECISION_NONE ? idle : OUTCOME_PLANNED, time);
		a->verdict.code = a->verdict.clock_wrong ? "clock" : NULL;
	} else if (policy->offline) {
		conclude(a, a->verdict.decision,
			 a->verdict.decision == DECISION_NONE ? OUTCOME_UNCHANGED : OUTCOME_PLANNED,
			 time);
	} else if (!policy->force && a->record.rejections >= REJECTIONS_MAX) {
		object(a, DECISION_HOLD, OUTCOME_HELD, a->record.error_code,
		       xasprintf("%s; refused %d times (%s): log in again, or try with --force",
				 time, a->record.rejections, a->record.error_code));
		free(time);
	} else if (!policy->force && a->record.not_before_ms > policy->now_ms) {
		_cleanup_free_ char *until = time_format(a->record.not_before_ms);
		object(a, a->verdict.decision, OUTCOME_FAILED, a->record.error_code,
		       xasprintf("%s; last attempt failed (%s), next one after %s", time,
				 a->record.error_code, until));
		free(time);
	} else {
		a->verdict.send = true;
		conclude(a, DECISION_REFRESH, OUTCOME_PLANNED, time);
	}
}

// What stands in the way of sending, now that it is known what is live. True if that is the decision.
static bool cannot_send(struct account *a)
{
	if (a->main->state == COPY_DIVERGED) {
		object(a, DECISION_HOLD, OUTCOME_HELD, "diverged",
		       xstrdup("its main store holds a login that is neither newer nor older than "
			       "the live one"));
		// Who holds a spent token gets the live one all the same, if that is good.
		if (a->record.dead_code[0] || a->live_settled || fences_name_live(a))
			write_nothing(a);
		return true;
	}
	if (member_is_fence(a->main) && !account_knows_fence(a, &a->main->copy->fence))
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "fenced",
		       xstrdup("OpenClaw fenced off a login that the ledger never had"));
	else if (a->record.dead_code[0])
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, a->record.dead_code,
		       xasprintf("the refresh token is dead (%s)", a->record.dead_code));
	else if (a->live_settled)
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "spent",
		       xstrdup("its refresh token was spent before"));
	else
		return false;
	write_nothing(a);
	return true;
}

// The live generation stands: mirror it, send it, or wait.
static void decide_live(struct account *a, const struct receipt *unknown,
			const struct config *config, const struct policy *policy)
{
	const char *obstacle =
		provider_obstacle(a->provider, member_is_login(a->main) || member_is_fence(a->main)
						       ? &a->main->copy->credential
						       : NULL);

	if (unknown && !fingerprint_equal(unknown->token, a->record.live.fingerprint))
		unknown = NULL;
	// One step at a time: what is still to be delivered goes first, the fence is the next run's.
	if (fences_name_live(a) && !obstacle && a->verdict.decision != DECISION_RECOVER)
		return decide_fenced(a, unknown, config, policy);
	if (unknown)
		return decide_unknown_outcome(a, unknown, config, policy);
	if (a->verdict.decision == DECISION_NONE && account_has_writes(a))
		a->verdict.decision = DECISION_MIRROR;
	if (obstacle && a->verdict.decision == DECISION_NONE) {
		a->unserved = true;
		conclude(a, DECISION_SKIP, OUTCOME_SKIPPED, xstrdup(obstacle));
	} else if (a->verdict.decision == DECISION_RECOVER ||
		   obstacle) // one step at a time: the next run looks whether it is due
		conclude(a, a->verdict.decision, OUTCOME_PLANNED, expiry_describe(a, policy));
	else
		decide_due(a, policy);
}

// ---- the first steps, and those that end it early

static void begin_record(struct account *a, const struct config *config,
			 const struct policy *policy)
{
	struct account_record *r = &a->record;
	const struct credential *c =
		member_is_fence(a->main) ? &a->behind_fence : &a->main->copy->credential;

	generation_of_credential(&r->live, c, policy->now_ms);
	identity_complete(&r->identity, &a->main->copy->credential.identity);
	identity_complete(&r->identity, &c->identity);
	r->number = 1;
	r->first_seen_ms = policy->now_ms;
	reckon_expiry(a, config, policy); // the lifetime says which expiry is plausible
	r->anchor = issue_of_copy(a, c, policy);
	a->verdict.record_changed = true;
}

// Once every copy has the tokens that call the person by another name, it is the account's.
static void take_new_name(struct account *a)
{
	const struct credential *c = a->main ? &a->main->copy->credential : NULL;

	if (!c || !member_is_login(a->main) || !c->identity.user_id ||
	    string_equal(c->identity.user_id, a->record.identity.user_id) ||
	    account_match(a, c) == IDENTITY_DIFFERENT)
		return;
	for (size_t i = 0; i < a->n_members; i++)
		if (!a->members[i].fixed &&
		    !fingerprint_equal(a->members[i].copy->credential.fingerprint,
				       a->record.live.fingerprint))
			return;
	free(a->record.identity.user_id);
	a->record.identity.user_id = xstrdup(c->identity.user_id);
}

static void note_main_and_identity(struct account *a)
{
	struct account_record *r = &a->record;
	struct identity before = {0};

	if (a->main && !string_equal(r->main_store, a->main->store->path)) {
		free(r->main_store);
		r->main_store = xstrdup(a->main->store->path);
		a->verdict.record_changed = true;
	}
	identity_copy(&before, &r->identity);
	take_new_name(a);
	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		if (member_is_login(m) && account_knows(a, m->copy->credential.fingerprint) &&
		    identity_compare(&r->identity, &m->copy->credential.identity) !=
			    IDENTITY_DIFFERENT)
			identity_complete(&r->identity, &m->copy->credential.identity);
	}
	a->verdict.record_changed |= !identity_equal(&before, &r->identity);
	identity_free(&before);
}

static bool remains_ended(const struct account *a)
{
	return account_logged_out(a) || (a->record.ended_ms && !member_is_fresh(a, a->main));
}

static bool account_holds_live(const struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (fingerprint_equal(a->members[i].copy->credential.fingerprint,
				      a->record.live.fingerprint))
			return true;
	return false;
}

static void end_account(struct account *a, const struct policy *policy)
{
	struct account_record *r = &a->record;
	bool recovering = a->verdict.decision == DECISION_RECOVER;

	if (!r->ended_ms) {
		r->ended_ms = policy->now_ms;
		a->verdict.record_changed = true;
	}
	if (!recovering && !policy->clock_unsupported &&
	    policy->now_ms - r->ended_ms > ENDED_KEEP_S * SECOND_MS &&
	    !secret_empty(&r->live.refresh)) {
		if (account_holds_live(a))
			account_displace_live(a, "logged out of its main store long ago");
		record_supersede_live(r);
		generation_free(&r->live);
		a->verdict.record_changed = true;
	}
	judge_members(a, policy);
	// Nothing is resurrected. Only a rotation under way is still delivered to whoever held the spent token.
	for (size_t i = 0; i < a->n_members; i++)
		if (!recovering || r->dead_code[0] || &a->members[i] == a->main)
			a->members[i].write = false;
	if (a->n_members)
		object(a, recovering ? DECISION_RECOVER : DECISION_LOGIN, OUTCOME_NEEDS_LOGIN,
		       "logged_out", xstrdup("logged out of its main store"));
	else
		conclude(a, DECISION_SKIP, OUTCOME_SKIPPED,
			 xstrdup("logged out; no store holds it any more"));
}

// (One that has not sent yet is only waited for: busy.c.)
static bool courier_is_stuck(const struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_receipts; i++)
		if (a->receipts[i]->held && a->receipts[i]->state == RECEIPT_SENDING &&
		    policy->now_ms - a->receipts[i]->sent_ms > COURIER_STUCK_S * SECOND_MS)
			return true;
	return false;
}

// Of a login that the ledger never had, nothing but what stands in main can be live, or what a fence there stands for.
static bool hands_off_unknown(struct account *a, const struct policy *policy)
{
	if (member_is_fence(a->main) && !fingerprint_empty(a->behind_fence.fingerprint))
		return false;
	fences_sight(a, policy);
	if (fences_any_young(a, policy))
		object(a, DECISION_NONE, OUTCOME_BUSY, "in_flight",
		       xstrdup("OpenClaw has its refresh in flight"));
	else if (member_is_fence(a->main))
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "fenced",
		       xstrdup("OpenClaw fenced it off before we ever saw its tokens"));
	else if (!member_is_login(a->main))
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "logged_out",
		       xstrdup("its main store is logged out"));
	else
		return false;
	return true;
}

static void object_to_main(struct account *a)
{
	if (a->main_busy)
		object(a, DECISION_NONE, OUTCOME_BUSY, "store_busy", xstrdup(a->main_trouble));
	else
		object(a, DECISION_HOLD, OUTCOME_HELD, "main_store", xstrdup(a->main_trouble));
}

// What keeps hands off before anything is looked at. True if that is the decision.
static bool hands_off(struct account *a, const struct policy *policy)
{
	const char *code = NULL, *reason = NULL;

	if (a->record.unreadable)
		code = "ledger_unreadable", reason = "its record in the ledger cannot be read";
	else if (a->skip)
		conclude(a, DECISION_SKIP, OUTCOME_SKIPPED, xstrdup(a->skip));
	else if (policy->barred)
		code = "barred", reason = policy->barred;
	else if (a->shared_token)
		code = "shared_token", reason = "the same token stands under two providers";
	else if (a->identity_conflict)
		code = "identity_conflict", reason = "the same token stands under two identities";
	else if (a->record.number) // its tokens are known
		return false;
	else if (a->main_trouble)
		object_to_main(a);
	else
		return hands_off_unknown(a, policy);
	if (code)
		object(a, DECISION_HOLD, OUTCOME_HELD, code, xstrdup(reason));
	return true;
}

// ---- what a person decided

static void refuse(struct account *a, char *reason)
{
	write_nothing(a);
	a->verdict.record_changed = false;
	object(a, DECISION_HOLD, OUTCOME_HELD, "adopt_refused", reason);
}

// False: refused, which is the decision. What somebody has under way goes first.
static bool obey(struct account *a, const struct policy *policy)
{
	if (!account_is_chosen(a, policy) || account_others_at_work(a) ||
	    fences_any_young(a, policy))
		return true;
	char *no = choose(a, policy);
	if (no)
		refuse(a, no);
	return !no;
}

// Before receipts: a person may have logged in.
static void adopt_first(struct account *a, const struct policy *policy)
{
	adopt_sibling(a, policy);
	adopt_behind_fence(a, policy);
	adopt_newer_than_live(a, policy);
	adopt_after_end(a, policy);
}

// ---- all of them

static void leave_alone(struct account *a, const struct policy *policy, enum decision decision,
			enum outcome outcome, const char *code, const char *reason)
{
	judge_members(a, policy);
	write_nothing(a);
	object(a, decision, outcome, code, xstrdup(reason));
}

static void wait_for_others(struct account *a, const struct policy *policy)
{
	if (courier_is_stuck(a, policy))
		leave_alone(a, policy, DECISION_HOLD, OUTCOME_HELD, "unknown_outcome",
			    "a courier of an earlier run hangs with its refresh in flight");
	else
		leave_alone(a, policy, DECISION_NONE, OUTCOME_BUSY, "in_flight",
			    "another run has its refresh in flight");
}

void decide(struct account *a, const struct config *config, const struct policy *policy)
{
	const struct receipt *unknown;

	a->verdict.decision = DECISION_NONE;
	a->verdict.code = NULL;
	if (hands_off(a, policy)) {
		if (a->verdict.outcome == OUTCOME_SKIPPED && account_is_chosen(a, policy))
			refuse(a, xstrdup(a->verdict.reason));
		return;
	}
	judge_clock(a, policy);
	if (!a->record.number) // no token of it was ever seen
		begin_record(a, config, policy);
	reckon_expiry(a, config, policy);
	if (!obey(a, policy))
		return;
	if (!a->verdict.pinned)
		adopt_first(a, policy);
	if (account_others_at_work(a))
		return wait_for_others(a, policy);
	fences_sight(a, policy);
	unknown = recover_receipts(a, policy);
	if (a->verdict.stranger_answer && a->n_members)
		return object(a, DECISION_HOLD, OUTCOME_HELD, "identity_mismatch",
			      xstrdup("the provider answered for another identity; the answer is "
				      "kept in its receipt"));
	if (a->verdict.unreadable_receipt)
		return leave_alone(a, policy, DECISION_HOLD, OUTCOME_HELD, "ledger_unreadable",
				   "the receipt of its refresh token cannot be read, and may hold "
				   "an answer");
	if (a->main_trouble) {
		judge_members(a, policy);
		if (a->record.ended_ms || a->record.dead_code[0])
			write_nothing(a);
		return object_to_main(a);
	}
	if (fences_any_young(a, policy))
		return leave_alone(a, policy, DECISION_NONE, OUTCOME_BUSY, "in_flight",
				   "OpenClaw has its refresh in flight");
	if (remains_ended(a))
		return end_account(a, policy);
	displace_others(a, policy);
	if (!a->verdict.pinned) {
		adopt_newer_access(a, policy);
		adopt_unknown(a, policy);
	}
	if (a->record.ended_ms) // what stood in main was no new login
		return end_account(a, policy);
	note_main_and_identity(a);
	reckon_expiry(a, config, policy);
	correct_live_expiry(a, policy);
	judge_members(a, policy);
	if (cannot_send(a))
		return;
	expiries_sight(a, policy);
	decide_live(a, unknown, config, policy);
}
