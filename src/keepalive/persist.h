// SPDX-License-Identifier: MIT
//
// What a look decided, made durable in the ledger: displaced logins, the record, marks, receipts.
#ifndef KEEPALIVE_PERSIST_H
#define KEEPALIVE_PERSIST_H

#include "keepalive/run.h"

// All accounts of the grant, in order. What could not be kept first is not overwritten.
int grant_persist(struct run *run, struct grant *g, const struct observation *o);
// The ledger has it, every copy that could be written is: nothing hangs on these receipts any more. Added to the list.
void grant_add_closed(const struct grant *g, const struct observation *o, struct fingerprint **tokens, size_t *n);

#endif
