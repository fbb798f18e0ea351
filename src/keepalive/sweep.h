// SPDX-License-Identifier: MIT
//
// What the ledger lets go of by itself, because it is old: displaced logins, marks, and 30 days after the end the record of
// a login that no store holds any more: that a person logged out of, that is dead, or that lives on elsewhere. That its tokens
// were sent is known without it (spent.c). A living login is never among them: that one waits for `forget`.
#ifndef KEEPALIVE_SWEEP_H
#define KEEPALIVE_SWEEP_H

#include "account/account.h"

// The records alone, which costs a run that finds nothing to do no system call.
void sweep_records(const struct config *config, const struct policy *policy, struct ledger *ledger,
		   const struct observation *o);
void sweep(const struct config *config, const struct policy *policy, struct ledger *ledger, const struct observation *o);
// What killed runs left beside stores that this one may not write to. (A write sweeps for itself.)
void sweep_drafts(const struct observation *o);
// What killed runs left of other programs' locks: this one may have nothing to do there, and those programs wait for them.
void sweep_locks(const struct observation *o);

#endif
