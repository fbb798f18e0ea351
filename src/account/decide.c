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
// What is concluded is made durable (claim.c) before anything else happens.
#include <stdio.h>

#include "account/judge.h"

#include "base/clock.h"

#define ENDED_KEEP_S	(7 * DAY_S)
#define COURIER_STUCK_S 120 // longer than any courier holds (HOLD_LIMIT_S)

// ---- the copies

// A copy that shall have no refresh token, or has none.
static enum copy_state state_of_access(const struct judgement *j, const struct member *m)
{
	const struct copy *copy = m->copy;

	if (copy->kind == COPY_OAUTH || !member_is_withheld(m))
		return COPY_PENDING;
	return secret_equal(&copy->credential.access, &j->verdict->record.live.access) &&
			       expiry_is_live(j, copy)
		       ? COPY_WITHHELD
		       : COPY_SUPERSEDED;
}

static enum copy_state state_of(const struct judgement *j, const struct member *m)
{
	const struct account_record *r = &j->verdict->record;
	const struct credential *c = &m->copy->credential;

	if (m->taken_from)
		return COPY_SUPERSEDED;
	if (m->copy->kind == COPY_BLANK)
		return COPY_ENDED;
	if (m->copy->kind == COPY_FENCED)
		return COPY_STATE_FENCED;
	bool live = fingerprint_equal(c->fingerprint, r->live.fingerprint);
	if (m->copy->kind == COPY_ACCESS ||
	    (live && member_is_withheld(m) && !on_copy(j, m)->adopted))
		return state_of_access(j, m);
	if (live) {
		if (!secret_equal(&c->access, &r->live.access) || !expiry_is_live(j, m->copy))
			return COPY_SUPERSEDED;
		return on_copy(j, m)->adopted ? COPY_NEWER : COPY_CURRENT;
	}
	return m->settled || record_knows(r, c->fingerprint) ? COPY_SUPERSEDED : COPY_DIVERGED;
}

static void judge_members(struct judgement *j)
{
	const struct account *a = j->account;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		struct copy_verdict *v = on_copy(j, m);
		if (v->fixed)
			continue;
		v->state = state_of(j, m);
		v->write =
			(v->state == COPY_SUPERSEDED || v->state == COPY_PENDING ||
			 fence_is_repaired(j, m)) &&
			!m->given_away &&
			(m->taken_from || record_match(&j->verdict->record, &m->copy->credential) !=
						  IDENTITY_DIFFERENT);
	}
}

static bool writes_any(const struct judgement *j)
{
	for (size_t i = 0; i < j->account->n_members; i++)
		if (j->verdict->copies[i].write)
			return true;
	return false;
}

static void write_nothing(struct judgement *j)
{
	for (size_t i = 0; i < j->account->n_members; i++)
		j->verdict->copies[i].write = false;
}

// ---- the last step: is there anything to send?

int64_t last_resort_s(const struct config *config)
{
	return RUNTIME_MARGIN_S + config->timer_period_s + config->deadline_s;
}

// Nothing sends the token again: neither time, nor --force, nor a fence. While the access token lives a person has time.
static void decide_unread_answer(struct judgement *j, const struct receipt *unknown, bool last)
{
	object(j, last ? DECISION_LOGIN : DECISION_HOLD, last ? OUTCOME_NEEDS_LOGIN : OUTCOME_HELD,
	       last ? "answer_unreadable" : "unknown_outcome",
	       xasprintf("the provider granted the last refresh (HTTP %d), but no tokens can be "
			 "read in its answer, which the ledger keeps (receipts/%.12s…): it is not "
			 "sent again, log in anew",
			 unknown->answer.status, unknown->token.hex));
}

// The last try: within the provider's window, when the login is lost otherwise, or when a person says so. (--at hastens
// nothing, and --force is for tokens that are certainly not spent.)
static bool is_last_try(const struct judgement *j, const struct receipt *unknown, bool last)
{
	int64_t age_ms = j->policy->now_ms - unknown->sent_ms;
	bool window = age_ms >= 0 && age_ms < j->account->provider->reuse_window_s * SECOND_MS;

	return !j->policy->offline &&
	       (j->policy->last_try || (!j->verdict->clock_wrong && (window || last)));
}

// Nothing is lost yet where the provider itself answered, if only that it has failed: a person need not come at once.
static void wait_for_last_try(struct judgement *j, const char *what)
{
	struct verdict *v = j->verdict;
	enum outcome outcome = verdict_may_pass(v) ? OUTCOME_FAILED : OUTCOME_HELD;
	_cleanup_free_ char *at = NULL;

	if (v->schedule.expires_ms)
		v->retry_ms = v->schedule.expires_ms - last_resort_s(j->config) * SECOND_MS;
	at = v->retry_ms ? time_format(v->retry_ms) : NULL;
	object(j, DECISION_HOLD, outcome, "unknown_outcome",
	       xasprintf("%s; sent once more %s%s, or now with --last-try%s", what,
			 at ? "at " : "only if you say so", at ? at : "",
			 j->policy->force ? " (not with --force: it may be the last try)" : ""));
}

static void decide_unknown_outcome(struct judgement *j, const struct receipt *unknown)
{
	struct verdict *v = j->verdict;
	int64_t left_s = (v->schedule.expires_ms - j->policy->now_ms) / SECOND_MS;
	bool last = v->schedule.expires_ms && left_s < last_resort_s(j->config);
	_cleanup_free_ char *what = describe_unknown(j->account, unknown);

	if (unknown->state == RECEIPT_ANSWERED)
		v->status = unknown->answer.status;
	if (unknown->sends >= 2) {
		object(j, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "sent_twice",
		       xasprintf("the refresh token was sent twice, and no usable answer came: %s",
				 what));
	} else if (receipt_holds_success(unknown)) {
		decide_unread_answer(j, unknown, last || fences_name_live(j));
	} else if (is_last_try(j, unknown, last)) {
		v->send = v->resend = true;
		conclude(j, DECISION_REFRESH, OUTCOME_PLANNED,
			 xasprintf("%s; to be sent once more, the last try", what));
	} else {
		wait_for_last_try(j, what);
	}
}

// OpenClaw's own refresh of the live token failed, so its outcome is unknown; but as it has thrown the token away, the
// login is lost unless ours still works: the last resort, at once.
static void decide_fenced(struct judgement *j, const struct receipt *unknown)
{
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;

	if (unknown && (unknown->sends >= 2 || receipt_holds_success(unknown))) {
		decide_unknown_outcome(j, unknown);
	} else if (!j->config->fence_recover) {
		object(j, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "fenced",
		       xstrdup("OpenClaw fenced it off after a failed refresh (`fence` is "
			       "\"report\")"));
	} else if (j->policy->offline) {
		object(j, DECISION_HOLD, OUTCOME_HELD, "fenced",
		       xstrdup("OpenClaw fenced it off after a failed refresh; `refresh` would "
			       "send the ledger's token"));
	} else if (r->rejections >= REJECTIONS_MAX && !j->policy->force) {
		object(j, DECISION_HOLD, OUTCOME_HELD, r->error_code,
		       xasprintf("OpenClaw fenced it off, and the ledger's token was refused %d "
				 "times (%s): log in again, or try with --force",
				 r->rejections, r->error_code));
	} else if (r->not_before_ms > j->policy->now_ms && !j->policy->force) {
		object(j, DECISION_NONE, OUTCOME_FAILED, r->error_code,
		       xstrdup("OpenClaw fenced it off; the last attempt to recover it failed and "
			       "will be repeated"));
	} else {
		v->send = true;
		v->resend = unknown != NULL;
		conclude(j, DECISION_REFRESH, OUTCOME_PLANNED,
			 xstrdup("OpenClaw fenced it off after a failed refresh; sending the "
				 "ledger's token as the last resort"));
	}
	if (!v->send || unknown) // nobody else gets a token that may be spent
		write_nothing(j);
}

static bool any_diverged(const struct judgement *j)
{
	for (size_t i = 0; i < j->account->n_members; i++)
		if (j->verdict->copies[i].state == COPY_DIVERGED)
			return true;
	return false;
}

// A login without an expiry is due to every runtime. Not where another copy may hold its successor, which cannot be told
// without one; and an answer may bring one: if it does not, there is none to be had.
static bool is_due(const struct judgement *j)
{
	const struct verdict *v = j->verdict;
	const struct account_record *r = &j->verdict->record;

	if (!v->schedule.expires_ms)
		return !r->live.answered && !any_diverged(j);
	return v->schedule.expires_ms - j->policy->at_ms <= v->schedule.margin_s * SECOND_MS;
}

// A person has to change something at the provider's; the same token is tried again meanwhile, ever less often.
static void wait_barred(struct judgement *j, const char *time)
{
	const struct account_record *r = &j->verdict->record;
	_cleanup_free_ char *until = time_format(r->not_before_ms);

	object(j, DECISION_HOLD, OUTCOME_HELD, r->error_code,
	       xasprintf("%s; the provider bars this account (%s, HTTP %d%s%s): that is for a "
			 "person to settle there; tried again after %s",
			 time, r->error_code, r->error_status, r->said[0] ? ": " : "", r->said,
			 until));
}

static void wait_backed_off(struct judgement *j, const char *time)
{
	const struct account_record *r = &j->verdict->record;
	_cleanup_free_ char *until = time_format(r->not_before_ms);
	_cleanup_free_ char *since = failing_since(r, j->policy->now_ms);

	object(j, j->verdict->decision, OUTCOME_FAILED, r->error_code,
	       xasprintf("%s; last attempt failed (%s%s%s)%s, next one after %s", time,
			 r->error_code, r->said[0] ? ": " : "", r->said, since, until));
}

static void decide_not_due(struct judgement *j, char *time)
{
	struct verdict *v = j->verdict;
	bool idle = v->decision == DECISION_NONE;

	if (idle && v->clock_wrong)
		object(j, v->decision, OUTCOME_FAILED, "clock", time);
	else
		conclude(j, v->decision, idle ? OUTCOME_UNCHANGED : OUTCOME_PLANNED, time);
}

static void decide_due(struct judgement *j)
{
	const struct policy *policy = j->policy;
	const struct account_record *r = &j->verdict->record;
	_cleanup_free_ char *time = expiry_describe(j);
	bool due = is_due(j) && !j->verdict->clock_wrong;
	bool idle = j->verdict->decision == DECISION_NONE;

	if (!due && !policy->force) {
		decide_not_due(j, TAKE_PTR(time));
	} else if (policy->offline) {
		conclude(j, j->verdict->decision, idle ? OUTCOME_UNCHANGED : OUTCOME_PLANNED,
			 TAKE_PTR(time));
	} else if (!policy->force && r->rejections >= REJECTIONS_MAX) {
		object(j, DECISION_HOLD, OUTCOME_HELD, r->error_code,
		       xasprintf("%s; refused %d times (%s%s%s): log in again, or try with --force",
				 time, r->rejections, r->error_code, r->said[0] ? ": " : "",
				 r->said));
	} else if (!policy->force && r->not_before_ms > policy->now_ms) {
		(r->barred ? wait_barred : wait_backed_off)(j, time);
	} else {
		j->verdict->send = true;
		conclude(j, DECISION_REFRESH, OUTCOME_PLANNED, TAKE_PTR(time));
	}
}

// What stands in the way of sending, now that it is known what is live. True if that is the decision.
static bool cannot_send(struct judgement *j)
{
	const struct account *a = j->account;
	struct account_record *r = &j->verdict->record;

	if (on_copy(j, a->main)->state == COPY_DIVERGED) {
		object(j, DECISION_HOLD, OUTCOME_HELD, "diverged",
		       xstrdup("its main store holds a login that is neither newer nor older than "
			       "the live one"));
		// Who holds a spent token gets the live one all the same, if that is good.
		if (r->dead_code[0] || j->live_settled || fences_name_live(j))
			write_nothing(j);
		return true;
	}
	if (member_is_fence(a->main) && !record_knows_fence(r, a->main->copy->fence.digest))
		object(j, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "fenced",
		       xstrdup("OpenClaw fenced off a login that the ledger never had"));
	else if (r->dead_code[0])
		object(j, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, r->dead_code,
		       xasprintf("the refresh token is dead (%s%s%s)", r->dead_code,
				 r->said[0] ? ": " : "", r->said));
	else if (j->live_settled)
		object(j, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "spent",
		       xstrdup("its refresh token was spent before"));
	else
		return false;
	write_nothing(j);
	return true;
}

// The live generation stands: mirror it, send it, or wait.
static void decide_live(struct judgement *j)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;
	const struct receipt *unknown = j->recovered.unknown;
	const char *obstacle = provider_obstacle(
		a->provider, member_is_login(j, a->main) || member_is_fence(a->main)
				     ? &a->main->copy->credential
				     : NULL);

	if (unknown && !fingerprint_equal(unknown->token, r->live.fingerprint))
		unknown = NULL;
	// One step at a time: what is still to be delivered goes first, the fence is the next run's.
	if (fences_name_live(j) && !obstacle && v->decision != DECISION_RECOVER)
		return decide_fenced(j, unknown);
	if (unknown)
		return decide_unknown_outcome(j, unknown);
	if (v->decision == DECISION_NONE && writes_any(j))
		v->decision = DECISION_MIRROR;
	if (obstacle && v->decision == DECISION_NONE) {
		v->unserved = true;
		conclude(j, DECISION_SKIP, OUTCOME_SKIPPED, xstrdup(obstacle));
	} else if (v->decision == DECISION_RECOVER ||
		   obstacle) // one step at a time: the next run looks whether it is due
		conclude(j, v->decision, OUTCOME_PLANNED, expiry_describe(j));
	else
		decide_due(j);
}

// ---- the first steps, and those that end it early

static void begin_record(struct judgement *j)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;
	const struct credential *c =
		member_is_fence(a->main) ? &a->behind_fence : &a->main->copy->credential;

	generation_of_credential(&r->live, c, j->policy->now_ms);
	identity_complete(&r->identity, &a->main->copy->credential.identity);
	identity_complete(&r->identity, &c->identity);
	r->number = 1;
	r->first_seen_ms = j->policy->now_ms;
	judge_times(j); // the lifetime says which expiry is plausible
	r->anchor = issue_of_copy(j, c);
	v->record_changed = true;
}

// Once every copy has the tokens that call the person by another name, it is the account's.
static void take_new_name(struct judgement *j)
{
	const struct account *a = j->account;
	struct account_record *r = &j->verdict->record;
	const struct credential *c = a->main ? &a->main->copy->credential : NULL;

	if (!c || !member_is_login(j, a->main) || !c->identity.user_id ||
	    string_equal(c->identity.user_id, r->identity.user_id) ||
	    record_match(r, c) == IDENTITY_DIFFERENT)
		return;
	for (size_t i = 0; i < a->n_members; i++)
		if (!j->verdict->copies[i].fixed &&
		    !fingerprint_equal(a->members[i].copy->credential.fingerprint,
				       r->live.fingerprint))
			return;
	free(r->identity.user_id);
	r->identity.user_id = xstrdup(c->identity.user_id);
}

static void note_main_and_identity(struct judgement *j)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;
	struct identity before = {0};

	if (a->main && !string_equal(r->main_store, a->main->store->path)) {
		free(r->main_store);
		r->main_store = xstrdup(a->main->store->path);
		v->record_changed = true;
	}
	identity_copy(&before, &r->identity);
	take_new_name(j);
	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		if (member_is_login(j, m) && record_knows(r, m->copy->credential.fingerprint) &&
		    identity_compare(&r->identity, &m->copy->credential.identity) !=
			    IDENTITY_DIFFERENT)
			identity_complete(&r->identity, &m->copy->credential.identity);
	}
	v->record_changed |= !identity_equal(&before, &r->identity);
	identity_free(&before);
}

static bool remains_ended(const struct judgement *j)
{
	const struct account *a = j->account;
	const struct account_record *r = &j->verdict->record;

	return account_logged_out(a) || (r->ended_ms && !member_is_fresh(j, a->main));
}

static bool account_holds_live(const struct judgement *j)
{
	const struct account *a = j->account;
	const struct account_record *r = &j->verdict->record;

	for (size_t i = 0; i < a->n_members; i++)
		if (fingerprint_equal(a->members[i].copy->credential.fingerprint,
				      r->live.fingerprint))
			return true;
	return false;
}

static void end_account(struct judgement *j)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;
	bool recovering = v->decision == DECISION_RECOVER;

	if (!r->ended_ms) {
		r->ended_ms = j->policy->now_ms;
		v->record_changed = true;
	}
	if (!recovering && !j->policy->clock_unsupported &&
	    j->policy->now_ms - r->ended_ms > ENDED_KEEP_S * SECOND_MS &&
	    !secret_empty(&r->live.refresh)) {
		if (account_holds_live(j))
			displace_live_of(j, r, "logged out of its main store long ago");
		record_supersede_live(r);
		generation_free(&r->live);
		v->record_changed = true;
	}
	judge_members(j);
	// Nothing is resurrected. Only a rotation under way is still delivered to whoever held the spent token.
	for (size_t i = 0; i < a->n_members; i++)
		if (!recovering || r->dead_code[0] || &a->members[i] == a->main)
			v->copies[i].write = false;
	bool alive = !a->main && !r->own_login && account_holds_live(j) && !r->dead_code[0] &&
		     !j->live_settled;
	if (a->n_members)
		object(j, recovering ? DECISION_RECOVER : DECISION_LOGIN, OUTCOME_NEEDS_LOGIN,
		       "logged_out",
		       xasprintf(
			       "logged out of its main store%s",
			       alive ? "; if it was lost there and is no logout, put it back, then "
				       "`oauth-keepalive sync --adopt main`"
				     : ""));
	else
		conclude(j, DECISION_SKIP, OUTCOME_SKIPPED,
			 xstrdup("logged out; no store holds it any more"));
}

// (One that has not sent yet is only waited for: busy.c.)
static bool courier_is_stuck(const struct judgement *j)
{
	const struct account *a = j->account;

	for (size_t i = 0; i < a->n_receipts; i++)
		if (a->receipts[i]->held && a->receipts[i]->state == RECEIPT_SENDING &&
		    j->policy->now_ms - a->receipts[i]->sent_ms > COURIER_STUCK_S * SECOND_MS)
			return true;
	return false;
}

// Of a login that the ledger never had, nothing but what stands in main can be live, or what a fence there stands for.
static bool hands_off_unknown(struct judgement *j)
{
	const struct account *a = j->account;

	if (member_is_fence(a->main) && !fingerprint_empty(a->behind_fence.fingerprint))
		return false;
	fences_sight(j);
	if (refresh_in_flight(j))
		object(j, DECISION_NONE, OUTCOME_BUSY, "in_flight",
		       xstrdup("OpenClaw has its refresh in flight"));
	else if (member_is_fence(a->main))
		object(j, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "fenced",
		       xstrdup("OpenClaw fenced it off before we ever saw its tokens"));
	else if (!member_is_login(j, a->main))
		object(j, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "logged_out",
		       xstrdup("its main store is logged out"));
	else
		return false;
	return true;
}

static void object_to_main(struct judgement *j)
{
	const struct account *a = j->account;

	const char *was = j->verdict->record.main_store;
	_cleanup_free_ char *where = was ? string_printable(was, 300) : NULL;
	char *reason = xasprintf("%s%s%s%s", a->main_trouble, where ? " (" : "", where ? where : "",
				 where ? ")" : "");

	if (a->main_busy)
		object(j, DECISION_NONE, OUTCOME_BUSY, "store_busy", reason);
	else
		object(j, DECISION_HOLD, OUTCOME_HELD, "main_store", reason);
}

// What keeps hands off before anything is looked at. True if that is the decision.
static bool hands_off(struct judgement *j)
{
	const struct account *a = j->account;
	struct account_record *r = &j->verdict->record;
	const char *code = NULL, *reason = NULL;

	if (r->unreadable)
		code = "ledger_unreadable", reason = "its record in the ledger cannot be read";
	else if (a->skip)
		conclude(j, DECISION_SKIP, OUTCOME_SKIPPED, xstrdup(a->skip));
	else if (j->policy->barred)
		code = "barred", reason = j->policy->barred;
	else if (a->vanished)
		code = "vanished", reason = "it is gone from every store, and no logout was seen";
	else if (a->shared_token)
		code = "shared_token", reason = "the same token stands under two providers";
	else if (a->identity_conflict || a->name_conflict)
		code = "identity_conflict", reason = "the same token stands under two identities";
	else if (r->number) // its tokens are known
		return false;
	else if (a->main_trouble)
		object_to_main(j);
	else
		return hands_off_unknown(j);
	if (code)
		object(j, DECISION_HOLD, OUTCOME_HELD, code, xstrdup(reason));
	return true;
}

// ---- what a person decided

static void refuse(struct judgement *j, char *reason)
{
	struct verdict *v = j->verdict;

	write_nothing(j);
	v->record_changed = false;
	object(j, DECISION_HOLD, OUTCOME_HELD, "adopt_refused", reason);
}

// False: refused, which is the decision. What somebody has under way goes first.
static bool obey(struct judgement *j)
{
	if (!is_chosen(j) || others_at_work(j) || refresh_in_flight(j))
		return true;
	char *no = choose(j);
	if (no)
		refuse(j, no);
	return !no;
}

// Before receipts: a person may have logged in.
static void adopt_first(struct judgement *j)
{
	adopt_sibling(j);
	adopt_behind_fence(j);
	adopt_newer_than_live(j);
	adopt_after_end(j);
}

// ---- all of them

static void leave_alone(struct judgement *j, enum decision decision, enum outcome outcome,
			const char *code, const char *reason)
{
	judge_members(j);
	write_nothing(j);
	object(j, decision, outcome, code, xstrdup(reason));
}

static void wait_for_others(struct judgement *j)
{
	if (courier_is_stuck(j))
		leave_alone(j, DECISION_HOLD, OUTCOME_HELD, "unknown_outcome",
			    "a courier of an earlier run hangs with its refresh in flight");
	else
		leave_alone(j, DECISION_NONE, OUTCOME_BUSY, "in_flight",
			    "another run has its refresh in flight");
}

static void judge(struct judgement *j)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;

	if (hands_off(j)) {
		if (v->outcome == OUTCOME_SKIPPED && is_chosen(j))
			refuse(j, xstrdup(v->reason));
		return;
	}
	judge_clock(j);
	if (!r->number) // no token of it was ever seen
		begin_record(j);
	judge_times(j);
	if (!obey(j))
		return;
	if (!live_is_chosen(j))
		adopt_first(j);
	if (others_at_work(j))
		return wait_for_others(j);
	fences_sight(j);
	recover_receipts(j);
	if (j->recovered.stranger && a->n_members)
		return object(j, DECISION_HOLD, OUTCOME_HELD, "identity_mismatch",
			      xstrdup("the provider answered for another identity; the answer is "
				      "kept in its receipt"));
	if (j->recovered.unreadable)
		return leave_alone(j, DECISION_HOLD, OUTCOME_HELD, "ledger_unreadable",
				   "the receipt of its refresh token cannot be read, and may hold "
				   "an answer");
	if (a->main_trouble) {
		judge_members(j);
		if (r->ended_ms || r->dead_code[0])
			write_nothing(j);
		return object_to_main(j);
	}
	if (refresh_in_flight(j))
		return leave_alone(j, DECISION_NONE, OUTCOME_BUSY, "in_flight",
				   "OpenClaw has its refresh in flight");
	if (remains_ended(j))
		return end_account(j);
	displace_others(j);
	if (!live_is_chosen(j)) {
		adopt_newer_access(j);
		adopt_unknown(j);
	}
	if (r->ended_ms) // what stood in main was no new login
		return end_account(j);
	note_main_and_identity(j);
	judge_times(j);
	correct_live_expiry(j);
	judge_members(j);
	if (cannot_send(j))
		return;
	expiries_sight(j);
	decide_live(j);
}

// As it was seen: until something is concluded, it stays so.
static void begin(struct judgement *j)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;

	account_record_copy(&v->record, &a->record);
	v->record_changed = a->completed || a->renamed_from[0];
	v->unserved = a->unserved;
	v->copies = xcalloc(a->n_members + 1, sizeof(*v->copies));
	for (size_t i = 0; i < a->n_members; i++)
		v->copies[i] = (struct copy_verdict){
			.state = a->members[i].state,
			.fixed = a->members[i].fixed,
		};
	if (a->ousted)
		displace_live_of(j, a->ousted, "another person logged in to main");
	j->live_settled = a->live_settled;
}

struct verdict decide(const struct account *account, const struct sibling *sibling,
		      const struct config *config, const struct policy *policy)
{
	struct verdict verdict = {0};
	struct judgement j = {
		.account = account,
		.sibling = sibling,
		.config = config,
		.policy = policy,
		.verdict = &verdict,
	};

	begin(&j);
	judge(&j);
	return verdict;
}
