// SPDX-License-Identifier: MIT
//
// What is concluded about an account: all that `decide` returns. What it was concluded from is struct account, in account.h.
#ifndef ACCOUNT_VERDICT_H
#define ACCOUNT_VERDICT_H

#include "ledger/ledger.h"

enum decision {
	DECISION_NONE,
	DECISION_REFRESH, // send the refresh token
	DECISION_ADOPT,   // a copy holds a newer generation: it becomes the live one
	DECISION_MIRROR,  // copies hold superseded tokens
	DECISION_RECOVER, // an earlier run received an answer and was killed: finish
	DECISION_HOLD,    // a person should look, nothing is spent meanwhile
	DECISION_LOGIN,   // only a person can go on
	DECISION_SKIP,    // not ours
};

enum outcome {
	OUTCOME_UNCHANGED,
	OUTCOME_REFRESHED,
	OUTCOME_ADOPTED,
	OUTCOME_MIRRORED,
	OUTCOME_RECOVERED,
	OUTCOME_FAILED, // may pass; tried again
	OUTCOME_BUSY,   // another process has it
	OUTCOME_HELD,
	OUTCOME_NEEDS_LOGIN,
	OUTCOME_SKIPPED,
	OUTCOME_PLANNED, // preview
};

// State of a copy in its account (interface.md).
enum copy_state {
	COPY_CURRENT,
	COPY_SUPERSEDED,
	COPY_NEWER,
	COPY_DIVERGED,
	COPY_UNPROVEN,
	COPY_FOREIGN,
	COPY_WITHHELD,
	COPY_PENDING,
	COPY_STATE_FENCED,
	COPY_ENDED,
	COPY_STATE_UNREADABLE,
	COPY_RETIRED,
	COPY_STATE_STATIC,
};

const char *decision_name(enum decision decision);
const char *outcome_name(enum outcome outcome);
const char *copy_state_name(enum copy_state state);

// A credential that is about to be overwritten or to stop being live, to be kept in displaced/ first.
struct displaced {
	struct credential credential;
	char *store; // where it stood, NULL: it was live
	const char *key; // of the account that it is of, NULL: this one's
	const char *why;
};

// The times of the live token, as they are reckoned with (expiry.c).
struct schedule {
	int64_t expires_ms, lifetime_s, margin_s; // 0: unknown
	bool doubted; // what is stored is further off than a token lives: it counts as now, and is shown as unknown
	bool timer_too_slow, margin_too_long, margin_short, margin_raised; // to be told
	const struct format *earlier; // a program that shares the login and refreshes it before us; NULL
};

static inline bool expiry_is_unknown(const struct schedule *schedule) // where it has been reckoned at all
{
	return schedule->margin_s && !schedule->expires_ms;
}

// For people and programs; 0 where it is not known.
static inline int64_t shown_expiry_ms(const struct schedule *schedule)
{
	return schedule->doubted ? 0 : schedule->expires_ms;
}

// About one copy.
struct copy_verdict {
	enum copy_state state;
	bool fixed;       // that is as it was seen; the word of a person frees it
	bool write;       // bring it to the live generation
	bool adopted;     // its generation becomes the live one
	bool follows;     // a person says that it gives way to the live one
	bool expiry_left; // its expiry is wrong, and not fought over (copy_expiry.c)
};

// About an account.
struct verdict {
	struct account_record record; // as it should become
	bool record_changed;          // the ledger has it otherwise
	struct copy_verdict *copies;  // of the account's members, in their order

	enum decision decision;
	enum outcome outcome; // where nothing is to be done about it in this run
	char *reason;
	char code[64];    // of an error, where the outcome is not a good one; ""
	bool send;        // exchange the live refresh token
	bool resend;      // … which was sent before, with unknown outcome
	int status;       // … the HTTP status of what was answered then; 0: nothing
	int64_t retry_ms; // … when it is sent once more; 0: not by itself
	bool obeyed;      // what a person decided about it is done
	bool follows;     // it goes on with the generation of a sibling
	struct custody custody; // whose it is to refresh, by its own record or another name's
	bool unserved;    // skipped though nobody asked for that: we lack what it takes
	bool publish;     // the cluster is to have it as it stands here
	int64_t publish_over; // … instead of this revision of its record, and no other; 0: there is none
	bool in_doubt;    // … though the live token may have been spent: etcd was restored from an older state
	int64_t attempt;  // … of sending it, of all hosts'; 0: there is no cluster
	bool receipts_judged; // what they say has been taken

	struct displaced *displaced; // to be kept, before anything else is done
	size_t n_displaced;
	struct fingerprint *take_back; // these tokens are live again: no mark says otherwise
	size_t n_take_back;
	struct fingerprint *settle; // these tokens are superseded: mark them for everybody
	size_t n_settle;
	struct fingerprint *drop; // receipts to remove: their token was not spent
	size_t n_drop;
	struct fingerprint *close; // receipts to settle once every copy is written
	size_t n_close;

	struct schedule schedule;
	bool clock_wrong;       // nothing is decided by time
	int64_t clock_ahead_ms; // of the server's, when that answered last; said, and bars nothing
};

void verdict_free(struct verdict *verdict);

// A provider that failed, and said so, is no reason to call a person, as long as there is a last try.
static inline bool verdict_may_pass(const struct verdict *verdict)
{
	return verdict->status >= 500 && verdict->status <= 599;
}

#endif
