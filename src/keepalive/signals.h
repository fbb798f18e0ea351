// SPDX-License-Identifier: MIT
//
// Signals that would end or stop us are held back as long as any grant is between its claim and its settling, and until it
// has been told what became of it. They are read from a descriptor in the loop: what is still waiting for its locks is given
// up then, what is under way is finished, and once that is reported we die of the signal.
#ifndef KEEPALIVE_SIGNALS_H
#define KEEPALIVE_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

struct signals {
	bool held;
	sigset_t before;
	int fd;   // to be polled
	int came; // one that asks us to end; 0
};
#define SIGNALS_NONE ((struct signals){ .fd = -1 })

void signals_hold(struct signals *signals);
// Are we to end? Then nothing new is begun.
bool signals_came(struct signals *signals);
// Those that come from now on are not heard, but held back still.
void signals_unread(struct signals *signals);
// … until here; and die of the one that came, if one did.
void signals_let_go(struct signals *signals);

#endif
