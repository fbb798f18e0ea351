// SPDX-License-Identifier: MIT
//
// What a run does with the cluster (cluster/cluster.h), where there is one; else these do nothing, and say that it went well.
#ifndef KEEPALIVE_HOSTS_H
#define KEEPALIVE_HOSTS_H

#include "keepalive/run.h"

// Read it, before the first look; `may_begin`: the run may write. And say what is wrong with it.
void hosts_begin(struct run *run, struct cluster *cluster, bool may_begin);
// … for a command that writes nothing, and whose reader waits: NULL if there is none.
const struct cluster *hosts_ask(const struct config *config, const struct ledger *ledger, struct cluster *ret);
void hosts_say(const struct cluster *cluster, struct observation *o);
void hosts_say_unasked(const struct config *config, struct observation *o); // in a command that makes no network call
// Once our own locks are held: another run of this host may have been faster.
void hosts_look_again(struct run *run);
// These return false when they have put the grant off, or concluded it.
bool hosts_lock(struct run *run, struct grant *g, const struct observation *o);
bool hosts_may_send(struct run *run, struct grant *g, const struct observation *o);
// The intent, or why not; then, when what was made ready is taken back, the grant is put off or concluded.
int hosts_intend(struct run *run, struct grant *g, const struct account *sender);
void hosts_put_off(struct run *run, struct grant *g, int error);
// Before a receipt goes that stands for no send: the intent by it goes first, as without it nobody could say any more that
// nothing left. False if it has not gone.
bool hosts_withdraw(struct run *run, const struct receipt *receipt);
// What the cluster has to learn of the grant. False if it has not; if a look is due for that, `g->unpublished`.
bool hosts_publish(struct run *run, struct grant *g, const struct observation *o);
// The end of a run; `last`: its last look.
void hosts_leave(struct run *run, const struct observation *last);

#endif
