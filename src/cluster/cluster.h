// SPDX-License-Identifier: MIT
//
// One login on several hosts. tests/model/cluster.py is the model of it, by the same names; docs/cluster.md says for people
// what it comes to. This header is the folder's manual, and has the beginning and the end of a run.
//
// etcd is the place where the hosts agree on two things: which generation is the live one (a record for each account, changed
// only by comparing its revision), and that a token is sent once (an intent for each token, which is there before it is sent
// and stays until its outcome is known; the receipt of the whole cluster). Everything else of a host's transaction stays as it
// is, and each host's ledger and receipts remain the proof of what it did itself.
//
// A host that is killed between its intent and its commit has the answer in a receipt, and commits it in its next run; as long
// as the hold stands, nobody else sends that token. A commit asks nothing but whether the record is what it was.
//
// Where it stands, from the top; what stands below calls nobody above:
//	cluster          keys, reading all of it, what is left for the others at the end
//	claims, publish  the steps of a grant: lock and intent; the record
//	names, write     how the keys are named; a write whose outcome is found out
//	view             what one host knows of it, and the questions that the rest of the program asks
//	record, seal     what stands there, and how it is sealed
//	etcd             its gateway, by a courier
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include "cluster/view.h"

// Read all of it. Whatever goes wrong is in `reached` and `trouble`. `may_begin`: the first host of all makes the beginning.
void cluster_open(const struct config *config, const char *uuid, bool may_begin, struct cluster *ret);
void cluster_read_again(struct cluster *cluster);
void cluster_close(struct cluster *cluster);

// At the end of a run: the locks go, and the others learn what we have. (Whether that goes well is nobody's worry.)
void cluster_leave(struct cluster *cluster, const struct cluster_seen *seen, size_t n);

// This host has left: the others hear of it no more. 0, or it is out of reach.
int cluster_resign(struct cluster *cluster);

#endif
