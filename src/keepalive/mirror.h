// SPDX-License-Identifier: MIT
//
// The live generation into the stores: the proof beforehand that one can be written, and the writing, store by store, each
// copy by compare-and-swap under its store's own lock.
//
//	mirror_prove(m, store)         before a token is spent
//	mirror_write(m, job, &batch)   tried, never waited for; the lock stays held, in the batch, …
//	mirror_settle(&batch)          … until the second mtime of all
//
// OpenClaw must not get a store's lock before that second mtime (store.h, store_settle_mtime): a process that has the old
// text cached under the first one would write it back. So the locks of some stores are held together, with one wait for
// all. Each is only tried, so nobody waits for anybody here; and they are few, and soon over: OpenClaw waits 43 s for such
// a lock, and takes it away after 30 s.
#ifndef KEEPALIVE_MIRROR_H
#define KEEPALIVE_MIRROR_H

#include "account/account.h"

struct mirror {
	const struct ledger *ledger;
	const struct policy *policy;
	struct process_id self;
	int64_t patience_ms; // what is left of it for stores that somebody else has locked: one budget for the whole run
	struct staged *staged; // proofs, one a target
	size_t n_staged;
};

// What is to be written into one store: the live generations of these accounts.
struct job {
	const struct store *store;
	struct change {
		const struct account *account;
		void *whose;  // the caller's
		bool written; // out
	} *changes;
	size_t n;
};

#define STORES_AT_ONCE 16 // whose locks are held together

struct batch {
	struct written {
		const struct store *store;
		struct lock_set locks;
	} list[STORES_AT_ONCE];
	size_t n;
	int64_t first_ms, last_ms; // when the first was locked, the last written
};

int mirror_prove(struct mirror *m, const struct store *store);
int mirror_write(struct mirror *m, const struct job *job, struct batch *batch);
void mirror_settle(struct batch *batch);
// Finish what a run did that was killed while it replaced a store: it may have taken a login out (file/swap.h). True if
// there was any, and the look is out of date.
bool mirror_finish_interrupted(struct mirror *m, const struct observation *o);
void mirror_free(struct mirror *m);

#endif
