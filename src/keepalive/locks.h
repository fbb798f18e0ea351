// SPDX-License-Identifier: MIT
//
// The locks of a grant: ours, one for each of its accounts, and OpenClaw's refresh locks, of every name it goes by; all or
// none. OpenClaw's are only ever tried, never waited for while anything of OpenClaw's is held: who finds one held gives
// back what he has and tries again, without a look as long as that lock's file stands.
#ifndef KEEPALIVE_LOCKS_H
#define KEEPALIVE_LOCKS_H

#include "keepalive/run.h"

// These return false when they have put the grant off, or concluded it.
bool locks_begin(struct run *run, struct grant *g); // our own
// OpenClaw's; `answered`: a receipt whose couriers may be dead and have left them, or NULL.
bool locks_take(struct run *run, struct grant *g, const struct observation *o, const struct receipt *answered);
// Let go of everything, and wait; once the time for that is over, it is busy.
void locks_try_later(struct run *run, struct grant *g, const char *code, char *message);

#endif
