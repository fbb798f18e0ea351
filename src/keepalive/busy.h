// SPDX-License-Identifier: MIT
//
// Busy is nobody's fault, and passes: somebody else refreshes, and this run need not. But who holds a lock for ever
// keeps a login from being refreshed until it has expired, and nobody would hear of it, since the units count "busy" as
// a success. So here, where an outcome is busy for good, one rule for all that can be waited for: held for longer than
// any refresh takes, or too little time left to try again, it is a failure that says who, since when, and what to do.
#ifndef KEEPALIVE_BUSY_H
#define KEEPALIVE_BUSY_H

#include "keepalive/result.h"

// Of the results that are busy for good, those that are failures; once, after the last look.
void judge_busy(struct results *results, struct observation *last, const struct config *config,
		const struct policy *policy, const struct ledger *ledger);

#endif
