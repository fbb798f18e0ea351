// SPDX-License-Identifier: MIT
//
// A grant is what one refresh token stands for: the accounts that share it, usually one. It goes its own way through the
// stages of a cycle (cycle.h), and all that is held for it (locks, receipt) hangs on it, to be let go in one place.
#ifndef KEEPALIVE_GRANT_H
#define KEEPALIVE_GRANT_H

#include "cluster/claims.h"
#include "keepalive/result.h"

enum grant_stage {
	GRANT_WAITING,     // for its turn, or for its locks
	GRANT_DISCOVERING, // the token endpoint is being looked up; only our own locks are held
	GRANT_CLAIMED,     // its locks are held; within claim.c only
	GRANT_EXCHANGING,  // the courier has the request
	GRANT_WRITING,     // ledger and stores
	GRANT_DONE,
};

// Accounts of a grant that share another token than the one it sends.
struct part {
	struct fingerprint token;
	char **keys;
	size_t n_keys;
};

struct grant {
	uint32_t id;
	enum grant_stage stage;
	char **keys;
	size_t n_keys;
	struct fingerprint only; // this token is sent, no other; empty: any
	struct part *parts;      // of others, which grants_part makes grants of their own
	size_t n_parts;
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
	const struct provider *provider; // the configuration's, of who is discovered or sent
	char *endpoint;    // discovered token endpoint
	int discovery_fd;
	struct fingerprint token; // in its receipt
	int receipt_fd;
	enum cluster_stage cluster; // how far it has come there
	char (*ids)[33];            // … its accounts' there, once they are locked
	size_t n_ids;
	bool unpublished; // … and what was published is to be looked at
	bool exchanged;
	bool guards; // an answer that is not yet saved, or may come: its lock files are left, not unlinked, if we give up
	bool yields; // it waits for another program, which may have got the answer that we did not
	bool judged; // a look has seen what became of the request, and decided
	bool saved; // the ledger has it all
	char refusal[64]; // provably nothing was sent: the code; "" otherwise
	bool refusal_noted; // the ledger backs off
	char *said; // what the courier said of an exchange without an answer
	unsigned rounds; // of writing
	bool in_round;   // of this one
	bool over;       // … and with it nothing is left to do for it
	bool hopeless; // a store cannot be written, and waiting does not help
};

// All of a run, the most urgent first.
struct grants {
	struct grant *list;
	size_t n;
	struct results *results;
	int64_t oldest_lock_ms; // of OpenClaw's refresh locks, when it was let go
};

#define for_each_grant(g, grants)                                                                  \
	for (size_t g##_at = 0; g##_at < (grants)->n && ((g) = &(grants)->list[g##_at]); g##_at++)

// for (a = each account of the grant that the look shows)
#define for_each_account(a, g, o)                                                                  \
	for (size_t a##_at = 0; a##_at < (g)->n_keys; a##_at++)                                    \
		if (((a) = observation_account(o, (g)->keys[a##_at])))

// What is to be done for the accounts that have a result, and of which it says so: one grant for each token.
void grants_collect(struct grants *grants, const struct observation *o,
		    bool (*has_work)(const struct result *, const struct account *));
void grants_free(struct grants *grants);
// Accounts that share the live token (or the receipt, or a renamed record) with one of the grant's. False if there were
// more than we knew.
bool grant_complete(struct grant *g, const struct observation *o);
// Accounts that move away from one of the grant's keys, because somebody else has logged in there meanwhile. Our locks hold
// for them, too: they have the same profile, and nobody else knows the new key yet.
void grant_follow(struct grant *g, const struct observation *o);
// The account whose token is to be sent; any of the grant's will do, they share it. NULL: none, or it was refused.
struct account *grant_sender(const struct grant *g, const struct observation *o);
// Another person has logged in: until the ledger has made room for the new login, the old one's account is in its grant,
// and each may have a token to be sent. Once that is done, those that share another one than `sender` leave the grant …
void grant_keep_to(struct grant *g, const struct observation *o, const struct account *sender);
// … and have their turn in this run, too. (No pointer to a grant is good after that.)
void grants_part(struct grants *grants);
// Has this look no more to write for it?
bool grant_is_written(const struct grant *g, const struct observation *o);
// Conclude for every account of the grant, and let go of everything.
void grant_conclude(struct grants *grants, struct grant *g, enum outcome outcome, const char *code, char *message);
// … because of an error.
void grant_give_up(struct grants *grants, struct grant *g, const char *code, int error, const char *what);
void grant_release(struct grants *grants, struct grant *g);

#endif
