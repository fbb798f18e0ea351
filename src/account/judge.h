// SPDX-License-Identifier: MIT
//
// The steps of `decide`, a file each: what they are given, and what is said of them. Nobody else's business but observe.c's.
#ifndef ACCOUNT_JUDGE_H
#define ACCOUNT_JUDGE_H

#include "account/account.h"

#define RUNTIME_MARGIN_S (5 * MINUTE_S) // OpenClaw refreshes by itself from here on
#define BACK_OFF_MAX_S	 (6 * HOUR_S)
#define REJECTIONS_MAX	 3		// so often a token may be refused before a person should look

// What the receipts said.
struct recovered {
	const struct receipt *unknown; // that of the live token, if its outcome is unknown
	bool stranger;   // an answer came for somebody else; its receipt keeps it
	bool proven;     // an answer to the live token has left it live, and good
	bool unreadable; // that of the live token cannot be read
};

// One account on the table. What was seen is read, what is concluded is written into the verdict, and nothing else changes.
struct judgement {
	const struct account *account;
	const struct sibling *sibling; // NULL
	const struct config *config;
	const struct policy *policy;
	struct verdict *verdict;
	struct recovered recovered;
	bool live_settled; // of the token that is live by now
};

static inline struct copy_verdict *on_copy(const struct judgement *j, const struct member *m)
{
	return &j->verdict->copies[m - j->account->members];
}

static inline bool member_is_login(const struct judgement *j, const struct member *m)
{
	return m && !on_copy(j, m)->fixed && m->copy->kind == COPY_OAUTH;
}

static inline bool member_is_fence(const struct member *m)
{
	return m && !m->fixed && m->copy->kind == COPY_FENCED;
}

// A person chose what is live.
static inline bool chose_live(const struct verdict *v, const struct policy *policy)
{
	const struct choice *choice = &policy->choice;

	return v->obeyed && (choice->kind == CHOICE_ADOPT || choice->kind == CHOICE_RESTORE ||
			     (choice->kind == CHOICE_IMPORT && policy->force));
}

static inline bool live_is_chosen(const struct judgement *j)
{
	return chose_live(j->verdict, j->policy);
}

static inline int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

// Its tokens stay the generation's: not to be freed.
static inline struct credential credential_lent(const struct generation *g)
{
	return (struct credential){
		.access = g->access,
		.refresh = g->refresh,
		.id_token = g->id_token,
		.fingerprint = g->fingerprint,
		.expires_ms = g->expires_ms,
		.issued_ms = g->issued_ms,
	};
}

static inline bool others_at_work(const struct judgement *j)
{
	return account_others_at_work(j->account, j->verdict->record.live.fingerprint);
}

static inline bool refresh_in_flight(const struct judgement *j) // of OpenClaw's
{
	return account_has_young_fence(j->account, &j->verdict->record, j->policy);
}

// ---- verdict.c

void conclude(struct judgement *j, enum decision decision, enum outcome outcome, char *reason);
// Not a good end: a code for programs, a reason for people.
void object(struct judgement *j, enum decision decision, enum outcome outcome, const char *code, char *reason);
// To be kept in displaced/. `store` NULL: it was live. `why` must live as long as the verdict.
void displace(struct judgement *j, const struct credential *credential, const char *store, const char *why);
void displace_live_of(struct judgement *j, const struct account_record *record, const char *why);

// ---- expiry.c

void judge_times(struct judgement *j); // of the token that is live by now
// When it was issued, for issue_compare; an expiry too far ahead to be true counts as unknown.
struct issue_time issue_of_copy(const struct judgement *j, const struct credential *c);
struct issue_time issue_of_live(const struct judgement *j);
// What was live before is forgotten by lists and marks in the end. By its age alone, what is not later than that is not
// adopted (`_later`); what is provably not, not even where any login will do (`_not_later`).
bool is_later_than_previous(const struct judgement *j, const struct credential *c);
bool is_not_later_than_previous(const struct judgement *j, const struct credential *c);
// False: it is further ahead than any token of this login lives.
bool expiry_is_plausible(const struct judgement *j, int64_t expires_ms);
// "expires in 3h, margin 2h". Free it.
char *expiry_describe(const struct judgement *j);

// ---- programs.c

// We go before a program that shares the login, where its row of the table says so; else it is said.
void judge_programs(struct judgement *j);

// A file that shares this login, and holds one that nobody can tell the owner of: its program may have made it of our token.
const struct member *shared_stranger(const struct judgement *j);

// ---- copy_expiry.c

// The live generation's, where its token's own word is the better one.
void correct_live_expiry(struct judgement *j);
// Is the expiry beside the live tokens theirs?
bool expiry_is_live(const struct judgement *j, const struct copy *copy);
// Of the copies that are to be written for their expiry alone, leave those whose runtime has put its own back.
void expiries_sight(struct judgement *j);

// ---- clocks.c

// What contradicts our clock: clock_wrong bars what is decided by time, clock_ahead_ms is only said. A record that was
// stamped by a clock since put right is put right, too.
void judge_clock(struct judgement *j);

// ---- copies.c

// The state of each, and whether it is to be written.
void judge_copies(struct judgement *j);
// Once it is certain what is written: what is kept for not a day more, or was, is kept once more.
void displace_lapsed(struct judgement *j);
bool writes_any(const struct judgement *j);
void write_nothing(struct judgement *j);

// ---- sending.c

// What stands in the way of sending, now that it is known what is live. True if that is the decision.
bool cannot_send(struct judgement *j);
// The live generation stands: mirror it, send it, or wait.
void decide_sending(struct judgement *j);

// ---- fences.c

// Until a fence is 10 minutes old by our own first sighting, which this records, its maker may still be at work.
void fences_sight(struct judgement *j);
// The live token stands fenced off: its outcome is unknown, and without us the login is lost.
bool fences_name_live(const struct judgement *j);
// It stands for a token that has been replaced: a superseded copy.
bool fence_is_repaired(const struct judgement *j, const struct member *m);

// ---- cluster.c

// The cluster's record goes before what stands here, or after it, or beside it.
void join_cluster(struct judgement *j);
bool is_beside_cluster(const struct judgement *j); // … which a person has to settle
bool main_may_follow(const struct judgement *j); // … and main give way to the cluster's, or is about to
void object_beside_cluster(struct judgement *j);
// At the end: what the cluster has to learn; and whether it lets us send what we would.
void judge_cluster(struct judgement *j);

// ---- adopt.c

// A login with a token that nobody knows; and one that may be adopted, as nobody said that it shall follow.
bool member_is_unknown(const struct judgement *j, const struct member *m);
bool member_is_fresh(const struct judgement *j, const struct member *m);
// Somebody else refreshed, or logged in: it becomes the live one, and the live token may have been spent for it.
bool member_leads(const struct judgement *j, const struct member *m);
// … also if what is live were of that time.
bool member_leads_past(const struct judgement *j, const struct member *m, struct issue_time than);
// The live token is live no more, and a fence that names it is no more than a superseded copy.
void record_supersede_live(struct account_record *r);
// Failures and back-off are over.
void record_forgive(struct account_record *r);

// This credential becomes the live generation; what was live is displaced and superseded.
void adopt_credential(struct judgement *j, const struct credential *c);
// The login that stands there is kept, and superseded: to be written over.
void displace_member(struct judgement *j, const struct member *m, const char *why);
// Another name of this login went past our live token.
void adopt_sibling(struct judgement *j);
void adopt_newer_than_live(struct judgement *j);
void adopt_behind_fence(struct judgement *j);
void adopt_after_end(struct judgement *j);
void adopt_newer_access(struct judgement *j);
// Tokens that nobody knows: adopted, superseded or diverged.
void adopt_unknown(struct judgement *j);

// ---- custody.c

// Whose it is, by what is concluded so far. NULL: ours.
const struct custody *elsewhere(const struct judgement *j);
struct custody custody_of(const struct judgement *j);
void set_custody(struct judgement *j, const struct custody *to);
// It came from no other host: from now on it is this one's to refresh.
void own_what_is_new(struct judgement *j);

// ---- hosts.c

// What a person decided: NULL, or why not; nothing is changed then. Free it.
char *own_again(struct judgement *j);
char *take_import(struct judgement *j);
// The last step, where it is to be given away, or is another host's already. True if that is the decision.
bool decide_release(struct judgement *j);
bool decide_unowned(struct judgement *j);
// Released, and gone from here since: as it shall be. True if that is the decision.
bool skip_released(struct judgement *j);
// Before anything is decided.
void look_up_hosts(struct observation *observation, const struct config *config, const struct policy *policy,
		   const struct ledger *ledger);

// ---- choose.c

// What a person decided cannot be done: nothing is.
void refuse(struct judgement *j, char *reason);
// Nothing can be made live here, and why; NULL.
const char *wrong_account(const struct judgement *j);

// Is it this account's login that the person decided about?
bool is_chosen(const struct judgement *j);
// It becomes or stays the live one, whatever else stands there: NULL. Or the reason why it cannot; nothing is changed then.
// Free it.
char *choose(struct judgement *j);
// This token may be live again, whatever the record and marks said of it; it was never sent.
void bring_back(struct judgement *j, const struct credential *credential);
// Once receipts have said what they know: what the other copies hold, or those that shall follow, and that still nobody
// knows gives way.
void displace_others(struct judgement *j);

// ---- hand_over.c

// Which copies change hands, before anything is decided: they are members of both accounts then.
void hand_over(struct observation *observation, const struct policy *policy);

// ---- recover.c

// Take what the receipts say; the rest of it to j->recovered.
void recover_receipts(struct judgement *j);
// Do both sides have a user id, and another one?
bool names_another_user(const struct account_record *record, const struct answer *answer);
// What is known of a request whose outcome is not. Free it.
char *describe_unknown(const struct provider *provider, const struct generation *live, const struct receipt *unknown);
// The provider said yes, and with something: a token may be in it that nobody can read. Whatever it is, the one that was
// sent is spent, and a second send would end the login.
bool receipt_holds_success(const struct receipt *receipt);

// ---- siblings.c

// Every account, and who follows another one once more.
void decide_all(struct observation *observation, const struct config *config, const struct policy *policy);

// ---- problems.c

// Of the accounts, decided, to observation->problems.
void say_problems(struct observation *observation, const struct policy *policy);

#endif
