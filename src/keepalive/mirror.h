// SPDX-License-Identifier: MIT
//
// The live generation into the stores: the proof beforehand that one can be written, and the writing, store by store, each
// copy by compare-and-swap under its store's own lock.
//
//	mirror_prove(m, store)      before a token is spent
//	mirror_write(m, jobs, n)    main first, then the others, some at a time
//	mirror_settle(m)            when mirror_settle_at has come, the last of them are let go
//
// Main is new, durably, before any other is locked. The others go in batches: the locks of a batch are tried, each store's new
// text is made under its lock, all of them become durable together (file/sync.h), and take their places; their directories
// become so together with the texts of the next batch, before their locks are let go. OpenClaw must not get
// a store's lock before its second mtime, 20 ms later (store.h, store_settle_mtime): a process that has the old text cached
// under the first one would write it back. So these locks are held on while the next batch is made, or whatever else there is
// to do. Nobody waits for a lock here, so nobody waits for us in a circle; and it is soon over: OpenClaw waits 43 s for such a
// lock, and takes it away after 30 s.
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
	struct batch *batches; // two: one that is made, one that is to be let go
	size_t turn;
};

// What is to be written into one store: the live generations of these accounts.
struct job {
	const struct store *store;
	struct change {
		const struct account *account;
		const struct member *member; // the copy there
		int64_t until_ms; // CLOCK_BOOTTIME; not begun any more after that
		void *whose;	  // the caller's
		bool written;	  // out
	} *changes;
	size_t n;
	bool logs_out; // nothing is written in the place of the tokens, as OpenClaw leaves a login that was logged out
	int error; // out: 0 or -errno
};

int mirror_prove(struct mirror *m, const struct store *store);
// The jobs are in the order of the stores. One without changes finishes what a run did that was killed while it replaced the
// store: it may have taken a login out (file/swap.h).
void mirror_write(struct mirror *m, struct job *jobs, size_t n);
// CLOCK_BOOTTIME; INT64_MAX: nothing is held. Sooner, mirror_settle waits.
int64_t mirror_settle_at(const struct mirror *m);
void mirror_settle(struct mirror *m);
void mirror_free(struct mirror *m);

#endif
