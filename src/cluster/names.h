// SPDX-License-Identifier: MIT
//
// The names below the prefix: hashes made with 32 random bytes, which the first host of all puts there, sealed. Every host has
// the same or none: without them no intent is found, and a token that was sent could be sent again. So they are made only
// where nothing is that could have been named by others, and who cannot read them has not reached the cluster.
#ifndef CLUSTER_NAMES_H
#define CLUSTER_NAMES_H

#include "cluster/view.h"

// `may_begin`: make them, if it is the beginning. False: `trouble` says why not.
bool names_find(struct cluster *cluster, const struct etcd_entries *entries, bool may_begin);

#endif
