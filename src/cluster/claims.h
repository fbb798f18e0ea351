// SPDX-License-Identifier: MIT
//
// That a token is sent once: the lock of its accounts, and its intent and hold. The lock only saves work; it runs out, and may
// be lost at any time. The intent is what counts: it is written only while lock, record and intent are what was read, before
// anything is sent, and goes with the outcome (publish.h), or when its own host knows that nothing left.
//
// Each step reads what it needs anew, and brings the view up to date.
#ifndef CLUSTER_CLAIMS_H
#define CLUSTER_CLAIMS_H

#include "cluster/view.h"

// How far a grant has come in it.
enum cluster_stage {
	CLUSTER_IDLE,
	CLUSTER_LOCKED,     // the lock is ours, record and intent were read after it
	CLUSTER_CLAIMED,    // the receipt is there
	CLUSTER_INTENDED,   // intent and hold are there
	CLUSTER_EXCHANGING, // the courier has the request
	CLUSTER_ANSWERED,   // the answer is in the receipt, and not in the cluster
};

#define CLUSTER_HOLD_LEAST_S (15 * 60) // longer than anything is under way
// Of a grant: etcd takes 128 operations in a transaction, and a lock is a write and two reads for each, and two reads more.
#define CLUSTER_ACCOUNTS_MAX ((128 - 2) / 3)

// `ids` are the grant's accounts. 0, also for what this run has locked already; -EBUSY: another host is at it, `ret_host` says
// which (free it); else it is out of reach.
int cluster_lock(struct cluster *cluster, char (*ids)[33], size_t n, struct fingerprint token, char **ret_host);
void cluster_unlock(struct cluster *cluster); // all that this run has locked

struct cluster_sending {
	char (*ids)[33];
	size_t n;
	struct fingerprint token;
	int64_t sends, own;  // as in the intent
	const char *receipt; // … its nonce
	int64_t hold_s;
};
// 0: it is there, and may be sent until `ret_until_boot_ms`. -ESTALE: something there has changed. -EINPROGRESS: nobody knows,
// so nothing is sent. Else it is out of reach.
int cluster_intend(struct cluster *cluster, const struct cluster_sending *sending, int64_t *ret_until_boot_ms);
// Our intent, of which nothing left, or which was proved unspent: as it was before. 0: it is ours no more.
int cluster_clear(struct cluster *cluster, const struct cluster_claim *claim);

#endif
