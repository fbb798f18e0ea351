// SPDX-License-Identifier: MIT
//
// Marks: what is left of a settled receipt. `settled/<two digits>/<sha256 of the refresh token>` is an empty file: that
// the name exists says that the token is superseded or dead. One comes with every refresh and stays for 180 days, so it
// must cost nothing: it is made by one call, exclusive and atomic, takes no block, and no look ever lists one.
//
// Until version 2 of the ledger a mark was `receipts/<sha256>.settled`; those count, and are moved by marks_sweep.
#ifndef LEDGER_MARK_H
#define LEDGER_MARK_H

#include "ledger/ledger.h"

// 0 if there is none, 1 if there is one, -errno.
int mark_look(const struct ledger *ledger, struct fingerprint token);
// Durable.
int mark_publish(struct ledger *ledger, struct fingerprint token);
// Drop those that are older than 180 days. What one call looks at is bounded; what is left is another's.
void marks_sweep(struct ledger *ledger, int64_t now_ms);

#endif
