// SPDX-License-Identifier: MIT
//
// Claim: all the locks of a grant, or none; look again; make durable what was decided; prove that main can be written;
// then the exchange begins (steps 1 to 4).
//
// Our own account locks come first, so that of twenty runs started at once one starts a courier and the others wait
// without one. All whose turn it is are claimed together: the account locks of all, one look; the refresh locks of all, one
// look.
#ifndef KEEPALIVE_CLAIM_H
#define KEEPALIVE_CLAIM_H

#include "keepalive/run.h"

// One attempt for all whose turn it is, at most `room`; leaves each waiting, discovering, exchanging, writing or done. Two
// looks, whatever their number. Those for which a slow disk leaves no time are left waiting.
void claim_round(struct run *run, size_t room);

#endif
