// SPDX-License-Identifier: MIT
//
// Inside of a cycle: what claim.c, exchange.c, commit.c and cycle.c share.
#ifndef KEEPALIVE_RUN_H
#define KEEPALIVE_RUN_H

#include "courier/client.h"
#include "keepalive/cycle.h"

enum grant_stage {
	GRANT_WAITING,     // for its locks
	GRANT_DISCOVERING, // the token endpoint is being looked up; only our own locks are held
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
	int *account_locks; // descriptors; NULL: not held
	size_t n_account_locks;
	struct lock_set locks;
	int64_t wait_until_ms, try_at_ms, hold_until_ms; // CLOCK_BOOTTIME
	char *endpoint;    // discovered token endpoint
	int discovery_fd;
	struct fingerprint token; // in its receipt
	int receipt_fd;
	bool exchanged;
	bool guards; // an answer that is not yet saved, or may come: its lock files are left, not unlinked, if we give up
	bool judged; // a look has seen what became of the request, and decided
	bool saved; // the ledger has it all
	char failure[32]; // what the courier said of an exchange without an answer
	char *failure_text;
};

struct staged {
	char *target;
	struct atomic_stage stage;
};

struct run {
	const struct config *config;
	struct policy policy;
	struct ledger *ledger;
	const struct selection *selection;
	struct cycle *cycle;
	int64_t wait_ms;
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
void result_conclude(struct result *result, enum outcome outcome, const char *code, int status, char *message);
void result_explain(struct result *result, const struct account *a); // the account's code, reason, retry time
// Conclude for every account of the grant, and let go of everything.
void grant_conclude(struct run *run, struct grant *g, enum outcome outcome, const char *code, char *message);
void grant_release(struct grant *g);
// Accounts that share the live token (or the receipt, or a renamed record) with one of the grant's.
bool grant_complete(struct grant *g, const struct observation *o);
// Accounts that move away from one of the grant's keys, because somebody else has logged in there meanwhile. Our locks hold
// for them, too: they have the same profile, and nobody else knows the new key yet.
void grant_follow(struct grant *g, const struct observation *o);

// busy.c: of the results that are busy for good, those that are failures; once, after the last look.
void judge_busy(struct cycle *cycle, const struct config *config, const struct policy *policy,
		const struct ledger *ledger);

// claim.c: one attempt; leaves the grant waiting, discovering, exchanging, writing or done
void grant_claim(struct run *run, struct grant *g);

// exchange.c
void exchange_begin(struct run *run, struct grant *g, struct observation *o);
int discovery_begin(struct run *run, struct grant *g, const struct provider *provider);
void exchange_events(struct run *run);
void exchange_timeouts(struct run *run);

// commit.c
int account_persist(struct run *run, struct account *a);
int grant_persist(struct run *run, const struct grant *g, struct observation *o); // all its accounts, in order
int store_prove(struct run *run, const struct store *store);
// Finish what a run did that was killed while it replaced a store: it may have taken a login out (store/swap.h). True if
// there was any, and the look is out of date.
bool finish_stores(struct run *run, const struct observation *o);
void staged_abort(struct run *run);
void write_round(struct run *run);

#endif
