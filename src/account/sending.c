// SPDX-License-Identifier: MIT
//
// The last step of `decide`: it is known what is live, and which copies are behind. Is the live token to be sent?
#include <stdio.h>

#include "account/judge.h"

#include "base/clock.h"

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
	int64_t expires_ms = shown_expiry_ms(&v->schedule);
	_cleanup_free_ char *at = NULL;

	if (expires_ms)
		v->retry_ms = expires_ms - last_resort_s(j->config) * SECOND_MS;
	at = v->retry_ms ? time_format(v->retry_ms) : NULL;
	object(j, DECISION_HOLD, outcome, "unknown_outcome",
	       xasprintf("%s; it will be sent once more %s%s, or now with --last-try%s", what,
			 at ? "at " : "only if you say so", at ? at : "",
			 j->policy->force ? " (not with --force: it may be the last try)" : ""));
}

static void decide_unknown_outcome(struct judgement *j, const struct receipt *unknown)
{
	struct verdict *v = j->verdict;
	// An expiry that is not believed makes it due, and is no reason for what cannot be undone.
	int64_t expires_ms = shown_expiry_ms(&v->schedule);
	int64_t left_s = (expires_ms - j->policy->now_ms) / SECOND_MS;
	bool last = expires_ms && left_s < last_resort_s(j->config);
	_cleanup_free_ char *what =
		describe_unknown(j->account->provider, &j->verdict->record.live, unknown);

	if (unknown->state == RECEIPT_ANSWERED)
		v->status = unknown->answer.status;
	if (unknown->sends >= 2) {
		object(j, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "sent_twice",
		       xasprintf("the refresh token was sent twice, but no usable answer came: %s",
				 what));
	} else if (receipt_holds_success(unknown)) {
		decide_unread_answer(j, unknown, last || fences_name_live(j));
	} else if (is_last_try(j, unknown, last)) {
		v->send = v->resend = true;
		conclude(j, DECISION_REFRESH, OUTCOME_PLANNED,
			 xasprintf("%s; it is sent once more, as the last try", what));
	} else {
		wait_for_last_try(j, what);
	}
}

// A person has to change something at the provider's; the same token is tried again meanwhile, ever less often.
static void wait_barred(struct judgement *j, const char *what)
{
	const struct account_record *r = &j->verdict->record;
	_cleanup_free_ char *until = time_format(r->not_before_ms);

	object(j, DECISION_HOLD, OUTCOME_HELD, r->error_code,
	       xasprintf("%s; the provider bars this account (%s, HTTP %d%s%s): settle it with the "
			 "provider; tried again after %s",
			 what, r->error_code, r->error_status, r->said[0] ? ": " : "", r->said,
			 until));
}

static void wait_backed_off(struct judgement *j, const char *what)
{
	const struct account_record *r = &j->verdict->record;
	_cleanup_free_ char *until = time_format(r->not_before_ms);
	_cleanup_free_ char *since = failing_since(r, j->policy->now_ms);

	object(j, j->verdict->decision, OUTCOME_FAILED, r->error_code,
	       xasprintf("%s; last attempt failed (%s%s%s)%s, next one after %s", what,
			 r->error_code, r->said[0] ? ": " : "", r->said, since, until));
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
		v->decision = DECISION_NONE;
		(r->barred ? wait_barred : wait_backed_off)(j, "OpenClaw fenced it off");
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

static void decide_not_due(struct judgement *j, char *time)
{
	struct verdict *v = j->verdict;
	bool idle = v->decision == DECISION_NONE;

	if (idle && v->clock_wrong) {
		object(j, v->decision, OUTCOME_FAILED, "clock",
		       xasprintf("the system clock is wrong, and nothing is decided by time (by it "
				 "the token %s)",
				 time));
		free(time);
	} else
		conclude(j, v->decision, idle ? OUTCOME_UNCHANGED : OUTCOME_PLANNED, time);
}

static void decide_due(struct judgement *j)
{
	const struct policy *policy = j->policy;
	const struct account_record *r = &j->verdict->record;
	const struct member *stranger = shared_stranger(j);
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
	} else if (!policy->force && stranger) {
		// Also in the last resort: the login that its program may have made of ours is not lost, and would be.
		object(j, DECISION_HOLD, OUTCOME_HELD, "copy_unproven",
		       xasprintf(
			       "%s; %s shares it, and may have spent its token: what stands in %s "
			       "is nobody's that can be told",
			       time, stranger->copy->external->format->name,
			       stranger->store->path));
	} else if (!policy->force && r->not_before_ms > policy->now_ms) {
		(r->barred ? wait_barred : wait_backed_off)(j, time);
	} else {
		j->verdict->send = true;
		conclude(j, DECISION_REFRESH, OUTCOME_PLANNED, TAKE_PTR(time));
	}
}

// What stands in the way of sending, now that it is known what is live. True if that is the decision.
bool cannot_send(struct judgement *j)
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
		       xstrdup("OpenClaw fenced a login that the ledger has never held"));
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
void decide_sending(struct judgement *j)
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
