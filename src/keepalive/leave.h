// SPDX-License-Identifier: MIT
//
// Leaving a cluster: the logins that this host shares are taken out of its stores and its ledger, so that it has nothing left
// that it, or OpenClaw here, could spend when nobody tells it any more what the others do. They live on at the others.
//
// Killed in between, it is done again: a copy that is logged out is nobody's to write, and a login whose record is gone was
// taken out of its stores before.
#ifndef KEEPALIVE_LEAVE_H
#define KEEPALIVE_LEAVE_H

#include "keepalive/cycle.h"

// Of the accounts selected, all that the cluster shares. One of which an answer is on its way, or which the others do not have
// as it is here, is refused.
int cycle_leave(const struct config *config, const struct policy *policy, struct ledger *ledger,
		const struct selection *selection, struct cycle *ret);

#endif
