// SPDX-License-Identifier: MIT
//
// What the ledger lets go of by itself, because it is old: displaced logins, marks, and the record of a login that a person
// logged out of half a year ago.
#ifndef KEEPALIVE_SWEEP_H
#define KEEPALIVE_SWEEP_H

#include "account/account.h"

void sweep(const struct config *config, const struct policy *policy, struct ledger *ledger, const struct observation *o);
// What killed runs left of other programs' locks: this one may have nothing to do there, and those programs wait for them.
void sweep_locks(const struct observation *o);

#endif
