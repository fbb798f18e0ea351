// SPDX-License-Identifier: MIT
//
// Getting an answer to where it outlives us: the receipt; if that fails for a second, the keeper's
// hands; and when the keeper has gone, the receipt again and again for as long as the locks may be
// held.
#ifndef COURIER_SAVE_H
#define COURIER_SAVE_H

#include "courier/errand.h"

// One attempt, if one is due, for an errand that is SAVING.
void save_attempt(struct errand *errand, bool keeper_gone);
// The keeper has gone: it may have died with an answer in hand that it was to save.
void save_resume(struct errand *errand);

#endif
