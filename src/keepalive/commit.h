// SPDX-License-Identifier: MIT
//
// Commit, mirror, settle (steps 7 to 9).
//
// A round looks, makes durable what the look decided (the answer in the receipt becomes the ledger's live generation),
// writes every copy that is behind, store by store, and is repeated until a look finds nothing left: that is the
// read-back. Only then the receipts are settled and the locks released.
#ifndef KEEPALIVE_COMMIT_H
#define KEEPALIVE_COMMIT_H

#include "keepalive/run.h"

// For all grants that are to be written, and whose time has come.
void commit_round(struct run *run);

#endif
