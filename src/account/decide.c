// SPDX-License-Identifier: MIT
//
// What to do about one account: pure, in the order that the model (tests/model) has checked.
//
//	1. a copy that is newer than the live generation goes before an old answer: a person may have logged in
//	2. receipts: somebody else's are left alone, answers are recovered, claims that never were sent dropped
//	3. logged out: nothing is sent, written or resurrected
//	4. unknown tokens: later than the newest adopted one -> adopt; provably older -> superseded; else diverged
//	5. dead, unknown outcome, due, back-off (sending.c)
//
// What is concluded is made durable (claim.c) before anything else happens.
#include "account/judge.h"

#include "base/clock.h"

#define ENDED_KEEP_S	(7 * DAY_S)
#define COURIER_STUCK_S 120 // longer than any courier holds (HOLD_LIMIT_S)

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

// The way back that costs no login, where there is one.
static const char *unless_it_was_no_logout(const struct judgement *j)
{
	const struct account *a = j->account;
	const struct account_record *r = &j->verdict->record;

	if (r->own_login || r->dead_code[0] || j->live_settled || !account_holds_live(j))
		return "";
	if (!a->main)
		return "; if it was lost there and is no logout, put it back, then "
		       "`oauth-keepalive sync --adopt main`";
	return fingerprint_equal(a->main->copy->credential.fingerprint, r->live.fingerprint)
		       ? ", which holds the same login again; if that was no logout: "
			 "`oauth-keepalive sync --adopt main`"
		       : "";
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
	if (!recovering && skip_released(j))
		return;
	if (!recovering && !j->policy->clock_unsupported &&
	    j->policy->now_ms - r->ended_ms > ENDED_KEEP_S * SECOND_MS &&
	    !secret_empty(&r->live.refresh)) {
		if (account_holds_live(j))
			displace_live_of(j, r, "logged out of its main store long ago");
		record_supersede_live(r);
		generation_free(&r->live);
		v->record_changed = true;
	}
	judge_copies(j);
	// Nothing is resurrected. Only a rotation under way is still delivered to whoever held the spent token.
	for (size_t i = 0; i < a->n_members; i++)
		if (!recovering || r->dead_code[0] || &a->members[i] == a->main)
			v->copies[i].write = false;
	if (a->n_members)
		object(j, recovering ? DECISION_RECOVER : DECISION_LOGIN, OUTCOME_NEEDS_LOGIN,
		       "logged_out",
		       xasprintf("logged out of its main store%s", unless_it_was_no_logout(j)));
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
		       xstrdup("OpenClaw is refreshing it"));
	else if (member_is_fence(a->main))
		object(j, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "fenced",
		       xstrdup("OpenClaw fenced it before this program ever saw its tokens"));
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
	else if (a->vanished && skip_released(j))
		return true;
	else if (a->vanished)
		code = "vanished", reason = "it is gone from every store, but nobody logged out";
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

static char *carry_out(struct judgement *j)
{
	switch (j->policy->choice.kind) {
	case CHOICE_OWN:
		return own_again(j);
	case CHOICE_IMPORT:
		return take_import(j);
	case CHOICE_RELEASE: // once it is known what is live: decide_release
		return NULL;
	default:
		return choose(j);
	}
}

// False: refused, which is the decision. What somebody has under way goes first.
static bool obey(struct judgement *j)
{
	if (!is_chosen(j) || others_at_work(j) || refresh_in_flight(j))
		return true;
	char *no = carry_out(j);
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
	judge_copies(j);
	write_nothing(j);
	object(j, decision, outcome, code, xstrdup(reason));
}

static void wait_for_others(struct judgement *j)
{
	if (courier_is_stuck(j))
		leave_alone(j, DECISION_HOLD, OUTCOME_HELD, "unknown_outcome",
			    "the courier of an earlier run is still refreshing it, and hangs");
	else
		leave_alone(j, DECISION_NONE, OUTCOME_BUSY, "in_flight",
			    "another run is refreshing it");
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
	join_cluster(j);
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
		judge_copies(j);
		if (r->ended_ms || r->dead_code[0])
			write_nothing(j);
		return object_to_main(j);
	}
	if (refresh_in_flight(j))
		return leave_alone(j, DECISION_NONE, OUTCOME_BUSY, "in_flight",
				   "OpenClaw is refreshing it");
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
	judge_copies(j);
	if (is_beside_cluster(j))
		return object_beside_cluster(j);
	if (cannot_send(j))
		return;
	expiries_sight(j);
	if (!decide_release(j) && !decide_unowned(j))
		decide_sending(j);
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
	verdict.custody = custody_of(&j);
	judge_cluster(&j);
	displace_lapsed(&j);
	return verdict;
}
