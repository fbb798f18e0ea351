// SPDX-License-Identifier: MIT
//
// What the courier makes sure of before it lets a request go, and what it stays for when the keeper
// has gone.
#ifndef COURIER_GUARD_H
#define COURIER_GUARD_H

#include "courier/request.h"

bool guard_keeper_gone(void);
// Every one still is the file it was when we were given it / at least one is.
bool guard_all_locks_ours(const struct request *request);
bool guard_any_lock_ours(const struct request *request);
// The receipt still has a name, that is: nobody has settled it.
bool guard_receipt_open(int receipt);
// Append "sending" to the receipt, durably: one more send. 0 or -errno; then nothing is added.
int guard_count_send(int receipt, int64_t now_ms);

#endif
