// SPDX-License-Identifier: MIT
//
// Marks: what is left of a settled receipt. `settled/<two digits>/<sha256 of the refresh token>` is an empty file: that
// the name exists says that the token is superseded or dead. One comes with every refresh and stays for 180 days, so it
// must cost nothing: it is made by one call, exclusive and atomic, takes no block, and no look ever lists one.
//
// One that is not empty says `unsent`: live no more, but there never was a receipt, so a person may bring it back. It is
// rare, and may take its block. Whatever else is read there, also after a kill in mid-write, counts as spent.
//
// Until version 2 of the ledger a mark was `receipts/<sha256>.settled`; those count, and are moved by marks_sweep.
#ifndef LEDGER_MARK_H
#define LEDGER_MARK_H

#include "ledger/ledger.h"

enum mark { MARK_NONE, MARK_UNSENT, MARK_SPENT };
// Or -errno.
int mark_look(const struct ledger *ledger, struct fingerprint token);
// Durable. A mark never gets milder: what is spent stays so.
int mark_publish(struct ledger *ledger, struct fingerprint token, enum mark mark);
// In two steps, so that many marks share their waits: made; and durable, all of them or an error.
int mark_make(struct ledger *ledger, struct fingerprint token, enum mark mark);
int marks_sync(const struct ledger *ledger, const struct fingerprint *tokens, size_t n);
// A person brought the token back. Never one that is spent: -EPERM. Durable.
int mark_take_back(struct ledger *ledger, struct fingerprint token);
// Drop those that are older than 180 days. What one call looks at is bounded; what is left is another's.
void marks_sweep(struct ledger *ledger, int64_t now_ms);

#endif
