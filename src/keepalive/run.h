// SPDX-License-Identifier: MIT
//
// Inside of a cycle: what grant.c, claim.c, exchange.c, commit.c and cycle.c share.
#ifndef KEEPALIVE_RUN_H
#define KEEPALIVE_RUN_H

#include "courier/client.h"
#include "keepalive/cycle.h"

enum grant_stage {
	GRANT_WAITING,     // for its turn, or for its locks
	GRANT_DISCOVERING, // the token endpoint is being looked up; only our own locks are held
	GRANT_CLAIMED,     // its locks are held; within claim.c only
	GRANT_EXCHANGING,  // the courier has the request
	GRANT_WRITING,     // ledger and stores
	GRANT_DONE,
};

// What one refresh token stands for: the accounts that share it, usually one.
struct grant {
	uint32_t id;
	enum grant_stage stage;
	char **keys;
	size_t n_keys;
	int64_t urgency; // whose turn is first: an answer to be saved, then what expires first
	int *account_locks; // descriptors; NULL: not held
	size_t n_account_locks;
	struct lock_set locks;
	// CLOCK_BOOTTIME. Until when a lock is waited for (0: not tried yet), when to try again, since when the refresh locks
	// are held (0: they are not), until when at most.
	int64_t wait_until_ms, try_at_ms, locked_ms, hold_until_ms;
	int64_t pause_ms;  // before the next try
	bool by_courier;   // the lock files name it, not us
	char *busy_path;   // the lock file that was in the way: nothing is looked at again while it is held
	const struct provider *provider; // discovering: the configuration's
	char *endpoint;    // discovered token endpoint
	int discovery_fd;
	struct fingerprint token; // in its receipt
	int receipt_fd;
	bool exchanged;
	bool guards; // an answer that is not yet saved, or may come: its lock files are left, not unlinked, if we give up
	bool judged; // a look has seen what became of the request, and decided
	bool saved; // the ledger has it all
	char refusal[64]; // provably nothing was sent: the code; "" otherwise
	bool refusal_noted; // the ledger backs off
	char *said; // what the courier said of an exchange without an answer
	unsigned rounds; // of writing
	bool in_round;   // of this one
	bool hopeless; // a store cannot be written, and waiting does not help
};

struct staged {
	char *target;
	struct atomic_stage stage;
};

struct run {
	const struct config *config;
	struct policy policy;
	struct ledger *ledger;
	struct cycle *cycle;
	int64_t wait_ms;
	int64_t patience_ms; // what is left of it for stores that somebody else has locked: one budget for the whole run
	int64_t round_ms;    // what the last round of writing took
	int64_t claimed_ms;  // when it was claimed last
	int signal_fd;
	struct courier courier;
	struct process_id self;
	struct grant *grants;
	size_t n_grants;
	struct staged *staged; // proofs that a store can be written, one a target
	size_t n_staged;
	struct receipt *rescued; // answers that no receipt could take
	size_t n_rescued;
};

// cycle.c
int run_look(struct run *run, struct observation *ret);
struct result *run_result(struct run *run, const char *key); // NULL if not selected
// A signal asks us to end: nothing new is begun.
bool run_interrupted(struct run *run);
void result_conclude(struct result *result, enum outcome outcome, const char *code, int status, char *message);
// What the account displaces, or in a preview would; the same is noted once.
void result_note_displaced(struct result *result, const struct account *a);
void result_explain(struct result *result, const struct account *a); // the account's code, reason, retry time

// grant.c

// for (a = each account of the grant that the look shows)
#define for_each_account(a, g, o)                                                                  \
	for (size_t a##_at = 0; a##_at < (g)->n_keys; a##_at++)                                    \
		if (((a) = observation_account(o, (g)->keys[a##_at])))

// What is to be done, one grant for each token, the most urgent first.
void grants_collect(struct run *run, const struct observation *o);
void grants_free(struct run *run);
// Accounts that share the live token (or the receipt, or a renamed record) with one of the grant's. False if there were
// more than we knew.
bool grant_complete(struct grant *g, const struct observation *o);
// Accounts that move away from one of the grant's keys, because somebody else has logged in there meanwhile. Our locks hold
// for them, too: they have the same profile, and nobody else knows the new key yet.
void grant_follow(struct grant *g, const struct observation *o);
// The account whose token is to be sent; any of the grant's will do, they share it. NULL: none, or it was refused.
struct account *grant_sender(const struct grant *g, const struct observation *o);
// Conclude for every account of the grant, and let go of everything.
void grant_conclude(struct run *run, struct grant *g, enum outcome outcome, const char *code, char *message);
void grant_release(struct run *run, struct grant *g);

// busy.c: of the results that are busy for good, those that are failures; once, after the last look.
void judge_busy(struct cycle *cycle, const struct config *config, const struct policy *policy,
		const struct ledger *ledger);

// claim.c: one attempt for all whose turn it is, at most `room`; leaves each waiting, discovering, exchanging, writing or
// done. Two looks, whatever their number.
void claim_round(struct run *run, size_t room);

// exchange.c
void exchange_begin(struct run *run, struct grant *g, const struct observation *o);
int discovery_begin(struct run *run, struct grant *g, const struct provider *provider);
void exchange_events(struct run *run);
void exchange_timeouts(struct run *run);

// forget.c: the record of a login that ended long ago
void forget_one_ended(const struct config *config, const struct policy *policy, struct ledger *ledger,
		      const struct observation *o);

// commit.c
int grant_persist(struct run *run, struct grant *g, const struct observation *o); // all its accounts, in order
int store_prove(struct run *run, const struct store *store);
// Finish what a run did that was killed while it replaced a store: it may have taken a login out (file/swap.h). True if
// there was any, and the look is out of date.
bool finish_stores(struct run *run, const struct observation *o);
void staged_abort(struct run *run);
void write_round(struct run *run);

#endif
