// SPDX-License-Identifier: MIT
//
// The steps of `decide`, a file each, and what is said of them; nobody else's business but observe.c's. Pure like it:
// everything that changes here changes in memory.
#ifndef ACCOUNT_JUDGE_H
#define ACCOUNT_JUDGE_H

#include "account/account.h"

#define RUNTIME_MARGIN_S (5 * MINUTE_S) // OpenClaw refreshes by itself from here on
#define BACK_OFF_MAX_S	 (6 * HOUR_S)
#define REJECTIONS_MAX	 3		// so often a token may be refused before a person should look

static inline bool member_is_login(const struct member *m)
{
	return m && !m->fixed && m->copy->kind == COPY_OAUTH;
}

static inline bool member_is_fence(const struct member *m)
{
	return m && !m->fixed && m->copy->kind == COPY_FENCED;
}

// ---- expiry.c

// When it was issued, for issue_compare; an expiry too far ahead to be true counts as unknown.
struct issue_time issue_of_copy(const struct account *a, const struct credential *c, const struct policy *policy);
struct issue_time issue_of_live(const struct account *a, const struct policy *policy);
// What was live before is forgotten by lists and marks in the end. By its age alone, what is not later than that is not
// adopted (`_later`); what is provably not, not even where any login will do (`_not_later`).
bool is_later_than_previous(const struct account *a, const struct credential *c, const struct policy *policy);
bool is_not_later_than_previous(const struct account *a, const struct credential *c, const struct policy *policy);
// False: it is further ahead than any token of this login lives.
bool expiry_is_plausible(const struct account *a, int64_t expires_ms, const struct policy *policy);
// "expires in 3h, margin 2h". Free it.
char *expiry_describe(const struct account *a, const struct policy *policy);

// ---- copy_expiry.c

// The live generation's, where its token's own word is the better one.
void correct_live_expiry(struct account *a, const struct policy *policy);
// Is the expiry beside the live tokens theirs?
bool expiry_is_live(const struct account *a, const struct copy *copy, const struct policy *policy);
// Of the copies that are to be written for their expiry alone, leave those whose runtime has put its own back.
void expiries_sight(struct account *a, const struct policy *policy);

// ---- decide.c

// With less than this left, there may be no other chance: OpenClaw's own margin, a timer's period, a request.
int64_t last_resort_s(const struct config *config);

// ---- clocks.c

// What contradicts our clock: clock_wrong bars what is decided by time, clock_ahead_ms is only said. A record that was
// stamped by a clock since put right is put right, too.
void judge_clock(struct account *a, const struct policy *policy);

// ---- fences.c

// Is there one whose maker may still be at work? Until it is 10 minutes old by our own first sighting, which
// fences_sight records.
bool fences_any_young(const struct account *a, const struct policy *policy);
void fences_sight(struct account *a, const struct policy *policy);
// The live token stands fenced off: its outcome is unknown, and without us the login is lost.
bool fences_name_live(const struct account *a);
// It stands for a token that has been replaced: a superseded copy.
bool fence_is_repaired(const struct account *a, const struct member *m, const struct policy *policy);

// ---- adopt.c

// A login with a token that nobody knows; and one that may be adopted, as nobody said that it shall follow.
bool member_is_unknown(const struct account *a, const struct member *m);
bool member_is_fresh(const struct account *a, const struct member *m);
bool account_logged_out(const struct account *a);
// An exchange of another run, or an orphan's of an earlier one, is under way.
bool account_others_at_work(const struct account *a);
// The live token is live no more, and a fence that names it is no more than a superseded copy.
void record_supersede_live(struct account_record *r);
// Failures and back-off are over.
void record_forgive(struct account_record *r);

// This credential becomes the live generation; what was live is displaced and superseded.
void adopt_credential(struct account *a, const struct credential *c, const struct policy *policy);
// The login that stands there is kept, and superseded: to be written over.
void displace_member(struct account *a, const struct member *m, const char *why);
// Another name of this login went past our live token.
void adopt_sibling(struct account *a, const struct policy *policy);
void adopt_newer_than_live(struct account *a, const struct policy *policy);
void adopt_behind_fence(struct account *a, const struct policy *policy);
void adopt_after_end(struct account *a, const struct policy *policy);
void adopt_newer_access(struct account *a, const struct policy *policy);
// Tokens that nobody knows: adopted, superseded or diverged.
void adopt_unknown(struct account *a, const struct policy *policy);

// ---- choose.c

// It becomes or stays the live one, and is pinned: NULL. Or the reason why it cannot; nothing is changed then. Free it.
char *choose(struct account *a, const struct policy *policy);
// Once receipts have said what they know: what the other copies hold, or those that shall follow, and that still nobody
// knows gives way.
void displace_others(struct account *a, const struct policy *policy);

// ---- recover.c

// Take what the receipts say. Returns the one of unknown outcome that concerns the live token, if any.
const struct receipt *recover_receipts(struct account *a, const struct policy *policy);
// The provider said yes, and with something: a token may be in it that nobody can read. Whatever it is, the one that was
// sent is spent, and a second send would end the login.
bool receipt_holds_success(const struct receipt *receipt);

// ---- problems.c

// Of the accounts, decided, to observation->problems.
void say_problems(struct observation *observation, const struct policy *policy);

#endif
