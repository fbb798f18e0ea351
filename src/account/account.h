// SPDX-License-Identifier: MIT
//
// Accounts as one look at the world shows them, and what is decided about each.
//
// An account is a (state directory, provider, profile id, identity) with all its copies. `observe` builds them from
// the stores and the ledger without a lock and without a write; `decide` is pure. preview is observe + decide +
// report, and refresh runs the very same code before it claims, and again under its locks: a preview cannot lie.
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include "base/index.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "store/store.h"

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

// ACCOUNT arguments: shell patterns over profile id and provider/profile-id; an e-mail address, alone or after
// provider/profile-id@; the name of a provider or of an agent that has a copy; the beginning of the ledger's id. None
// selects all.
struct selection {
	char *const *patterns;
	size_t n;
};
struct account;
bool selection_matches(const struct selection *selection, const struct account *account);

// What a person decided about a login; it stands for the whole run (choose.c).
enum choice_kind {
	CHOICE_NONE,
	CHOICE_ADOPT,   // sync --adopt: the one that stands in a store
	CHOICE_RESTORE, // restore ID: one that was displaced
	CHOICE_FOLLOW,  // sync --follow: the one that stands in a store gives way to the live one
};
struct choice {
	enum choice_kind kind;
	const struct selection *accounts; // NULL: all
	const char *store;                // CHOICE_ADOPT, CHOICE_FOLLOW (store_is_named); NULL: every copy
	const struct keepsake *kept;      // CHOICE_RESTORE
	const char *why;                  // for those that are displaced by it
};

// What governs a run, besides the configuration.
struct policy {
	int64_t now_ms; // wall clock
	int64_t at_ms;  // judge as of then; now_ms unless --at
	bool force;     // refresh although not due, ignore back-off, send a token of unknown outcome once more
	bool offline;   // never send
	bool clock_unsupported; // observed: nothing is thrown away because it is old
	const char *barred; // nothing may be spent or written at all, and why; NULL
	const struct problem *bar; // … and what a person should know of it
	struct choice choice;
};

// Is it this account's login that the person decided about?
bool account_is_chosen(const struct account *account, const struct policy *policy);

// One copy in its account.
struct member {
	const struct store *store; // of the same observation
	const struct copy *copy;
	enum copy_state state;
	bool settled; // its token has a settled receipt
	bool sent;    // of the copy that a person chose: its token has a receipt, or had one
	bool kept;    // … and its token is known to have been displaced without one
	bool fixed;   // its state is none of decide's business (foreign, unproven, static …)
	bool adopted; // decided: its generation becomes the live one
	bool follows; // decided: a person says that it gives way to the live one
	bool write;   // decided: bring it to the live generation
	bool expiry_left; // decided: its expiry is wrong, and not fought over (copy_expiry.c)
};

// A credential that is about to be overwritten or to stop being live, to be kept in displaced/ first.
struct displaced {
	struct credential credential;
	char *store; // where it stood, NULL: it was live
	const char *why;
};

// The times of the live token, as they are reckoned with (expiry.c).
struct schedule {
	int64_t expires_ms, lifetime_s, margin_s; // 0: unknown
	bool timer_too_slow, margin_too_long, margin_short; // to be told
};

static inline bool expiry_is_unknown(const struct schedule *schedule) // where it has been reckoned at all
{
	return schedule->margin_s && !schedule->expires_ms;
}

// What is decided about an account.
struct verdict {
	enum decision decision;
	enum outcome outcome; // where nothing is to be done about it in this run
	char *reason;
	const char *code; // an error code where the outcome is not a good one; else NULL
	bool send;        // exchange the live refresh token
	bool resend;      // … which was sent before, with unknown outcome
	bool pinned;      // a person chose what is live
	bool obeyed;      // … or another thing, and it is done

	// to be made durable
	bool record_changed;
	struct displaced *displaced;
	size_t n_displaced;
	struct fingerprint *take_back; // these tokens are live again: no mark says otherwise
	size_t n_take_back;
	struct fingerprint *settle; // these tokens are superseded: mark them for everybody
	size_t n_settle;
	struct fingerprint *drop; // receipts to remove: their token was not spent
	size_t n_drop;
	struct fingerprint *close; // receipts to settle once every copy is written
	size_t n_close;

	// what receipts said
	bool receipts_judged;    // … has been taken
	bool stranger_answer;    // an answer came for somebody else; its receipt keeps it
	bool live_proven;        // an answer to the live token has left it live, and good
	bool unreadable_receipt; // that of the live token cannot be read

	struct schedule schedule;
	bool clock_wrong;       // nothing is decided by time
	int64_t clock_ahead_ms; // of the server's, when that answered last; said, and bars nothing
};

struct account {
	// observed
	const struct provider *provider; // NULL: unknown provider
	struct member *members;          // main first
	size_t n_members;
	struct member *main;             // NULL: there is none (gone, or its store cannot be read)
	const char *main_trouble;        // the store that is main cannot be looked at: why
	bool main_busy;                  // … which passes: another process has it locked
	const struct receipt **receipts; // open ones that concern this account
	size_t n_receipts;
	const struct receipt **elsewhere; // … and those that another state directory's run has to finish
	size_t n_elsewhere;
	bool claimed;                    // we hold its lock: whoever holds a receipt is an orphan courier
	char *skip;                      // not ours to refresh: why
	bool unserved;                   // skipped though nobody asked for that: we lack what it takes
	bool identity_conflict;          // an equal token under another identity
	bool shared_token;               // an equal token under another provider
	bool live_settled;               // the token that is live has a settled receipt: it was spent
	struct credential behind_fence; // fenced in main under a name that never had it: the token, of another name
	bool restores;                    // it is the account of what a person brings back from displaced/
	bool restored_sent;               // … whose token has a receipt, or had one
	bool sibling_chosen;              // a person chose the sibling's generation
	// Another name of this login, or its copy under another state directory, went past our live token: follow it.
	const struct generation *sibling;

	// what the ledger says, and what the decision makes of it
	struct account_record record;
	bool recorded; // the ledger has it already
	char renamed_from[33]; // the record moves from this key

	struct verdict verdict;
};

// No token is spent unless this copy could be written: main's, and what another program would be left without.
static inline bool member_is_vital(const struct account *a, const struct member *m)
{
	return !m->fixed && (m == a->main || m->store->role == ROLE_EXTERNAL);
}

void account_free(struct account *account);
// Work for this run: anything to send, to write or to record.
bool account_has_work(const struct account *account);
bool account_has_writes(const struct account *account);
// Do they share a live token or an open receipt, or make room for one another in the ledger? Then they are one grant.
bool accounts_connected(const struct account *a, const struct account *b);
// OpenClaw's refresh locks of this account: up to 2026.5.2 by its provider as a store spells it, since then normalised.
void account_add_refresh_locks(const struct account *account, const char *state_dir, struct lock_set *set);
// As a person names a store: by its path, its real path, or its agent.
bool store_is_named(const struct store *store, const char *name);
// It is there, and what it holds is not known.
bool store_is_unread(const struct store *store);
// To be kept in displaced/. `store` NULL: it was live. `why` must live as long as the account.
void account_displace(struct account *account, const struct credential *credential, const char *store,
		      const char *why);
void account_displace_live(struct account *account, const char *why);
// Whose is that login? Where it is the very one that the ledger has, what its tokens say is said of the account, too, and
// only what the store itself says can contradict it: a provider may call one person by another `sub` from one day on.
enum identity_match account_match(const struct account *account, const struct credential *c);
// Does the account hold this token as live or superseded? The compare in every compare-and-swap.
bool account_knows(const struct account *account, struct fingerprint token);
bool account_holds(const struct account *account, struct fingerprint token); // … or does one of its copies?
bool account_knows_fence(const struct account *account, const struct fence *fence);
// The receipt of a token that another state directory's run has to finish; NULL: there is none.
const struct receipt *account_elsewhere(const struct account *account, struct fingerprint token);
// May its maker still be at work?
bool fence_is_young(const struct account *account, const struct fence *fence, const struct policy *policy);

// Pure. Decides about one account, changing its `record` and members in memory.
void decide(struct account *account, const struct config *config, const struct policy *policy);
// Margin, lifetime and expiry as reckoned with (architecture: "When to refresh"). Pure; part of decide.
void reckon_expiry(struct account *account, const struct config *config, const struct policy *policy);
// Which was issued later: >0 a, <0 b, 0 undecidable. By JWT iat if both have it, else by true expiry.
int issue_compare(struct issue_time a, struct issue_time b);
// Do the ledger's newest entries, above all what servers said, bear the clock out?
bool clock_is_supported(const struct account_records *records, int64_t now_ms);
// Note a failure that may pass: count it and back off.
void record_failure(struct account_record *record, const char *code, int status, int64_t retry_after_s,
		    int64_t now_ms);

// An account that goes on with the live generation of another name of its login.
struct follower {
	char key[33];
	bool chosen; // a person chose it
	struct generation ahead;
};

// One look at everything.
struct observation {
	struct stores stores;
	struct account_records records;
	struct receipts receipts;
	struct account **accounts;
	size_t n_accounts;
	struct index by_key; // of the accounts
	struct index ties;   // … by what connects them: live token, receipts, key, the key that it moves from
	struct follower *followers;
	size_t n_followers;
	struct problems problems;
	char *barred; // nothing may be spent or written, and why
	bool clock_supported; // by what the ledger knew at this look (clocks.c)
};

// What a run already holds, so that its own locks and answers are not taken for somebody else's.
struct holdings {
	char *const *keys; // accounts whose lock we hold
	size_t n_keys;
	const struct fingerprint *tokens; // receipts that are ours
	size_t n_tokens;
	const struct receipt *rescued; // answers that no receipt could take
	size_t n_rescued;
};

// Find, read, group, decide. `ledger` may not exist yet. 0, or -ENOENT (a named state directory is missing).
int observe(const struct config *config, const struct policy *policy, const struct ledger *ledger,
	    const struct holdings *holdings, struct observation *ret);
void observation_free(struct observation *observation);
void observation_free_accounts(struct observation *observation);
struct account *observation_add(struct observation *observation); // a new account; it stays where it is
void observation_index(struct observation *observation); // their keys, for observation_account
struct account *observation_account(const struct observation *observation, const char *key);
// Once all are decided, what connects them can be looked up.
void observation_tie(struct observation *observation);
// Those that are one grant with `a`, but for itself. Some may come twice. Free the list.
struct account **observation_connected(const struct observation *observation, const struct account *a, size_t *ret_n);

// Group the copies of the stores into accounts (group.c): identity decides. Pure but for the settled marks.
void group_accounts(struct observation *observation, const struct config *config, const struct ledger *ledger);

#endif
