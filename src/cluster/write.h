// SPDX-License-Identifier: MIT
//
// A write that went wrong may have been done. It is not over before that is known: by a nonce of this very write, in what stands
// under one of its keys.
#ifndef CLUSTER_WRITE_H
#define CLUSTER_WRITE_H

#include "cluster/view.h"

// 0: done, whatever its own reply was or would have been. -ESTALE: not done, because the guards did not hold. -EINPROGRESS:
// nobody can tell, after all the patience there was. Else it was not done, and etcd is out of reach.
int write_surely(struct cluster *cluster, const struct etcd_txn *txn, const char *key, const char *nonce, struct etcd_reply *ret);

#endif
