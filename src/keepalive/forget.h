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

// Parts of it, for leave.c. Drop all that the ledger has of an account whose lock is held: the number of displaced logins, or
// -errno; and what is said of an account then. `message` is taken.
int forget_drop(struct ledger *ledger, const struct account *account);
void forget_conclude(struct result *result, enum outcome outcome, const char *code, char *message);
// `work` on an account under its lock, by a look that was made under it; or it is concluded why not.
typedef void forget_work(struct ledger *ledger, const struct observation *o, const struct account *account,
			 const struct config *config, const struct policy *policy, struct result *result);
void forget_under_lock(const struct config *config, const struct policy *policy, struct ledger *ledger,
		       struct result *result, forget_work *work);

#endif
