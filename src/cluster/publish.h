// SPDX-License-Identifier: MIT
//
// The record of an account, which says what its live generation is: put there by comparing nothing but its revision. To ask
// for the lock as well would throw away the only token that is good.
#ifndef CLUSTER_PUBLISH_H
#define CLUSTER_PUBLISH_H

#include "cluster/view.h"

// What it is and was, instead of the revision `over` (0: none), which is what was judged: another login of this very run's may
// have come in between. The intent of a token whose outcome is known with it goes with it. `doubt`: etcd was restored from an
// older state, and the live token may have been spent by somebody who has not been heard of. 0, -ESTALE, or it is out of reach.
int cluster_publish(struct cluster *cluster, const char *id, const struct account_record *record, int64_t over, bool doubt);

#endif
