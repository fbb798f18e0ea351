// SPDX-License-Identifier: MIT
//
// Exchange: the receipt, the request to the courier, and what it reports (steps 4 to 6).
#ifndef KEEPALIVE_EXCHANGE_H
#define KEEPALIVE_EXCHANGE_H

#include "keepalive/run.h"

// All that the token needs is locked, looked at and durable: send it. Leaves the grant exchanging, or done.
void exchange_begin(struct run *run, struct grant *g, const struct observation *o);
// Look up the provider's token endpoint first. Leaves the grant discovering; then it waits again, with an endpoint, or
// a refusal.
int exchange_discover(struct run *run, struct grant *g, const struct provider *provider);
// What the courier has reported; a courier that has not.
void exchange_events(struct run *run);
void exchange_timeouts(struct run *run);

#endif
