// SPDX-License-Identifier: MIT
//
// Forgetting an account because a person asks for it: its record, its tokens, what was displaced of it. Marks stay: they
// hold no secret, and guard.
#ifndef KEEPALIVE_FORGET_H
#define KEEPALIVE_FORGET_H

#include "keepalive/cycle.h"

// Drop what the ledger holds of the accounts selected, but for marks. One that a store shows is refused, without --force.
int cycle_forget(const struct config *config, const struct policy *policy, struct ledger *ledger,
		 const struct selection *selection, struct cycle *ret);

#endif
