// SPDX-License-Identifier: MIT
//
// Accounts as one look at the world shows them (struct account), and what is concluded about each (struct verdict, in
// verdict.h).
//
// An account is a (state directory, provider, profile id, identity) with all its copies. A look goes
//
//	observe.c    stores, ledger and receipts are read; no lock, no write
//	group.c      whose are the copies, which is main, what else is known of their tokens: struct account
//	decide.c     pure: struct account by const in, struct verdict out, step by step; the steps, a file each: judge.h
//	hosts.c      … what the cluster has of it, and lets it do
//	siblings.c   accounts that are one login: who follows, who must wait for whom
//	problems.c   what a person should know of it
//
// preview is a look and a report, and refresh takes the very same look before it claims, and again under its locks: a
// preview cannot lie.
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include "account/verdict.h"
#include "base/index.h"
#include "cluster/view.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "store/store.h"

// ACCOUNT arguments: shell patterns over profile id and provider/profile-id; an e-mail address, alone or after
// provider/profile-id@; the name of a provider or of an agent that has a copy; a state directory's path; the beginning of
// the ledger's id. None selects all.
struct selection {
	char *const *patterns;
	size_t n;
};
struct account;
// `record`: the account's as it is, or as it should become; that says what its e-mail address is.
bool selection_matches(const struct selection *selection, const struct account *account,
		       const struct account_record *record);

// What a person decided about a login; it stands for the whole run (choose.c).
enum choice_kind {
	CHOICE_NONE,
	CHOICE_ADOPT,   // sync --adopt: the one that stands in a store
	CHOICE_RESTORE, // restore ID: one that was displaced
	CHOICE_FOLLOW,  // sync --follow: the one that stands in a store gives way to the live one
	CHOICE_RELEASE, // export --release: it is another host's from now on (hosts.c)
	CHOICE_OWN,     // own: it is this host's
	CHOICE_IMPORT,  // import: the one that another host sent
};
const char *choice_refused(enum choice_kind kind); // the code
struct choice {
	enum choice_kind kind;
	const struct selection *accounts; // NULL: all
	const char *store;                // CHOICE_ADOPT, CHOICE_FOLLOW (store_is_named); NULL: every copy
	const struct keepsake *kept;      // CHOICE_RESTORE
	const struct keepsakes *all;      // … and all that are kept
	const struct handover *import;    // CHOICE_IMPORT
	char nonce[33];                   // CHOICE_RELEASE: of the one document that may be printed
	const char *why;                  // for those that are displaced by it
	bool done;                        // this run has written already: an entry of main's that was put right is no mistake
};

// What governs a run, besides the configuration.
struct policy {
	int64_t now_ms; // wall clock
	int64_t at_ms;  // judge as of then; now_ms unless --at
	bool force;     // refresh although not due, ignore back-off
	bool last_try;  // send a token of unknown outcome once more, now
	bool offline;   // never send
	bool clock_unsupported;  // observed: nothing is thrown away because it is old
	bool clock_contradicted; // … and by what a server said it was later once
	const char *barred; // nothing may be spent or written at all, and why; NULL
	const struct problem *bar; // … and what a person should know of it
	struct choice choice;
	const struct cluster *cluster; // as it was read in this run; NULL: there is none
	bool asks; // a command that writes nothing asks the cluster, too: what it says must not be yesterday's
};

// One copy in its account.
struct member {
	const struct store *store; // of the same observation
	const struct copy *copy;
	enum copy_state state; // as far as it can be told without judging the token
	bool fixed;   // … which is all there is to say (foreign, unproven, static …)
	bool settled; // its token has a settled receipt
	int64_t kept_until_ms; // … was displaced, never sent, and is kept so long, or was; 0: nothing is known of that
	bool sent;    // of the copy that a person chose: its token has a receipt, or had one
	bool kept;    // … and its token is known to have been displaced without one
	// It is another identity's, and changes hands if a person's decision can be carried out (hand_over.c): from whom.
	const struct account *taken_from;
	const char *client_id; // … and of which client the login is that comes there; NULL: unknown
	bool given_away;       // … this is how it stands with him, who leaves it alone
};

// An account as a look shows it: its copies, what the ledger says of it, and what is known of its tokens.
struct account {
	const struct state_dir *dir;     // whose it is
	const struct provider *provider; // NULL: unknown provider
	struct member *members;          // main first
	size_t n_members;
	struct member *main;             // NULL: there is none (gone, or its store cannot be read)
	const char *main_trouble;        // the store that is main cannot be looked at: why
	bool main_busy;                  // … which passes: another process has it locked

	struct account_record record; // the ledger's; its identity as the copies of its tokens complete it
	bool recorded;                // the ledger has it already
	bool completed;               // … with less of the identity
	char renamed_from[33];        // … under this key
	const struct account_record *ousted; // the ledger's under this key: another person's, who has an account elsewhere

	const struct receipt **receipts; // open ones that concern this account
	size_t n_receipts;
	const struct receipt **elsewhere; // … and those that another state directory's run has to finish
	size_t n_elsewhere;
	bool claimed;                   // we hold its lock: whoever holds a receipt is an orphan courier
	bool live_settled;              // its live token, or the one that is about to be, has a settled receipt: it was spent
	struct credential behind_fence; // fenced in main under a name that never had it: the token, of another name
	bool put_away;                  // … in a directory that may be a copy nobody uses
	bool vanished;                  // a living login of the ledger's that no store shows any more, and no logout was seen
	bool left;                      // no store shows it any more, and nothing is lost: it is dead, or lives on elsewhere
	char *skip;                     // not ours to refresh: why
	bool unserved;                  // … though nobody asked for that: we lack what it takes
	bool identity_conflict;         // its token under another identity, in one of its copies
	bool name_conflict;             // … under another name
	bool shared_token;              // an equal token under another provider
	bool restores;                  // it is the account of what a person brings back from displaced/
	bool restored_sent;             // … whose token has a receipt, or had one
	bool handed;                    // a person exports, owns or imports it
	bool import_sent;               // … and what is imported has a receipt here, or had one
	bool import_kept;               // … or was displaced here, by another login
	bool twin; // another login here has its place in the cluster, too: another state directory's, of the same profile id
	const struct account_record **unowned; // the ledger's that are other hosts' to refresh (the observation's list)
	size_t n_unowned;

	struct verdict verdict; // what is concluded from all that: decide's, as the siblings leave it
};

// Why this host cannot give it to another one; NULL: it is its own.
const char *custody_objection(const struct custody *custody);
// It was released in this very run, by the look's ledger.
bool account_is_released(const struct account *account, const struct policy *policy);

// What was concluded about one of its copies.
static inline struct copy_verdict *verdict_of(const struct account *a, const struct member *m)
{
	return &a->verdict.copies[m - a->members];
}

// No token is spent unless this copy could be written: main's, and what another program would be left without.
static inline bool member_is_vital(const struct account *a, const struct member *m)
{
	return !verdict_of(a, m)->fixed &&
	       (m == a->main || (m->store->role == ROLE_EXTERNAL && m->copy->kind != COPY_BLANK));
}

// Another name of its login, or its copy under another state directory, went past its live token: it is to follow.
struct sibling {
	struct generation ahead;
	struct custody custody; // whose that is
	bool chosen; // by a person
};

// Pure: nothing changes but what it returns. `sibling`: NULL if there is none.
struct verdict decide(const struct account *account, const struct sibling *sibling, const struct config *config,
		      const struct policy *policy);

void account_free(struct account *account);
struct member *account_add_member(struct account *account); // an empty one, which stays until the next is added
// Work for this run: anything to send, to write or to record.
bool account_has_work(const struct account *account);
bool account_has_writes(const struct account *account);
// Do they share a live token or an open receipt, or make room for one another in the ledger? Then they are one grant.
bool accounts_connected(const struct account *a, const struct account *b);
// The state directories whose runtimes use its copies: its own, and those that reach one of them by a link. Free the list.
const struct state_dir **account_dirs(const struct account *account, size_t *ret_n);
// OpenClaw's refresh locks of this account, in all of them: up to 2026.5.2 by its provider as a store spells it, since then
// normalised.
void account_add_refresh_locks(const struct account *account, struct lock_set *set);
// As a person names a store: by its path, its real path, or its agent.
bool store_is_named(const struct store *store, const char *name);
// It is there, and what it holds is not known.
bool store_is_unread(const struct store *store);
// The receipt of a token that another state directory's run has to finish; NULL: there is none.
const struct receipt *account_elsewhere(const struct account *account, struct fingerprint token);
// An exchange of another run, or an orphan's of an earlier one, is under way; `live`: the live token.
bool account_others_at_work(const struct account *account, struct fingerprint live);
bool account_logged_out(const struct account *account);
// Does the ledger know the token for this account's, or does one of its copies hold it?
bool account_holds(const struct account *account, struct fingerprint token);
// What stands as its access token is a refresh token, its own or any other's that is known: it goes nowhere.
struct observation;
bool account_access_is_refresh(const struct account *account, const struct observation *among);
// Is this access token the live one, or one that was, or main's?
bool account_knows_access(const struct account *account, struct fingerprint access);
// Another program's copy that gets no refresh token; and one whose program can refresh it, beside us.
bool member_is_withheld(const struct member *m);
bool member_is_shared(const struct member *m);
// Whose is that login? Where it is the very one that the ledger has, what its tokens say is said of the account, too, and
// only what the store itself says can contradict it: a provider may call one person by another `sub` from one day on.
enum identity_match record_match(const struct account_record *record, const struct credential *c);
// The account's own token, in an entry that says that it is somebody else's.
bool member_contradicts(const struct account *account, const struct account_record *record,
			const struct member *member);
// May the fence's maker still be at work? One that we have not seen for 10 minutes may.
bool fence_is_young(const struct account_record *record, const struct fence *fence, const struct policy *policy);
bool account_has_young_fence(const struct account *account, const struct account_record *record,
			     const struct policy *policy);
// A copy of another account's comes to this one, if what a person decided can be carried out.
bool account_takes_copies(const struct account *account);
// Is it an account that a person decided about? (CHOICE_FOLLOW of every copy: it may have none that could.)
bool account_is_chosen(const struct account *account, const struct account_record *record,
		       const struct policy *policy);
// With less than this left, there may be no other chance: OpenClaw's own margin, a timer's period, a request.
int64_t last_resort_s(const struct config *config);

// Margin, lifetime and expiry of the live token as reckoned with (architecture: "When to refresh"). Pure; part of decide.
struct schedule reckon_schedule(const struct account_record *record, const struct provider *provider, bool clock_wrong,
				const struct config *config, const struct policy *policy);
// Which was issued later: >0 a, <0 b, 0 undecidable. By JWT iat if both have it, else by true expiry.
int issue_compare(struct issue_time a, struct issue_time b);
// Is the clock before what servers said once (or, where none did, what we stamped)? Do those bear it out?
bool clock_is_contradicted(const struct account_records *records, int64_t now_ms);
bool clock_is_supported(const struct account_records *records, int64_t now_ms);
// ", as since …" of a failure that is not the first in a row, else "".
char *failing_since(const struct account_record *record, int64_t now_ms);
// Note a failure that may pass: count it and back off.
void record_failure(struct account_record *record, const char *code, int status, int64_t retry_after_s,
		    int64_t now_ms);

// One look at everything.
struct observation {
	struct stores stores;
	struct account_records records;
	struct receipts receipts;
	struct account **accounts;
	size_t n_accounts;
	unsigned n_verdicts; // spoken: one an account, and another for each that follows a sibling
	struct index by_key; // of the accounts
	const struct account_record **unowned; // of the records: other hosts' to refresh
	size_t n_unowned;
	struct index ties;   // … by what connects them: live token, receipts, key, the key that it moves from
	struct problems problems;
	char *barred; // nothing may be spent or written, and why; in one state directory alone: that one's `barred`
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
	struct seen *seen; // what our looks so far have read (store/seen.h), or NULL
};

// Find, read, group, decide. `ledger` may not exist yet. 0, or -ENOENT (a named state directory is missing).
int observe(const struct config *config, const struct policy *policy, const struct ledger *ledger,
	    const struct holdings *holdings, struct observation *ret);
void observation_free(struct observation *observation);
// Why nothing may be spent or written for the account, or in the store; NULL.
const char *observation_bars(const struct observation *observation, const struct account *account);
const char *observation_bars_store(const struct observation *observation, const struct store *store);
struct account *observation_add(struct observation *observation); // a new account; it stays where it is
void observation_index(struct observation *observation); // their keys, for observation_account
bool record_is_of_here(const struct observation *observation, const struct account_record *record);
struct account *observation_account(const struct observation *observation, const char *key);
// Once all are decided, what connects them can be looked up.
void observation_tie(struct observation *observation);
// Those that are one grant with `a`, but for itself. Some may come twice. Free the list.
struct account **observation_connected(const struct observation *observation, const struct account *a, size_t *ret_n);

// What is noticed outside of the stores (noticed.c), to its problems: once, for the last look.
void say_noticed(struct observation *observation, const struct config *config);

// Group the copies of the stores into accounts (group.c): identity decides. Pure but for the settled marks.
void group_accounts(struct observation *observation, const struct config *config, const struct ledger *ledger);

#endif
