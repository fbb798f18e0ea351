// SPDX-License-Identifier: MIT
//
// What one run of the cycle has in its hands: its grants, the courier, what it knows of the world and the time.
#ifndef KEEPALIVE_RUN_H
#define KEEPALIVE_RUN_H

#include "courier/client.h"
#include "keepalive/grant.h"
#include "keepalive/mirror.h"
#include "keepalive/signals.h"
#include "store/seen.h"

#define HOLD_LIMIT_S 100 // OpenClaw waits 142 s for a refresh lock; up to 2026.5.2 reclaims it after 180 s

struct run {
	const struct config *config;
	struct policy policy;
	struct ledger *ledger;
	struct results *results;
	struct grants grants;
	struct mirror mirror;
	struct courier courier;
	struct process_id self;
	struct receipt *rescued; // answers that no receipt could take
	size_t n_rescued;
	struct seen seen; // what its looks have read
	size_t window; // grants that may be between their claim and their settling
	int64_t wait_ms;
	int64_t round_ms;   // what the last round of writing took
	unsigned rounds;    // of writing, so far
	char **swept;       // directories of refresh locks, of what killed runs left there
	size_t n_swept;
	int64_t claimed_ms; // when it was claimed last
	unsigned looks, claims; // so far
	struct signals *signals;
	struct cluster *cluster; // NULL: there is none
};

// A look that takes the run's own locks and receipts for what they are. What `observe` says.
int run_look(struct run *run, struct observation *ret);

#endif
