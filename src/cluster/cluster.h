// SPDX-License-Identifier: MIT
//
// One login on several hosts: what etcd knows of it, and the few things that are written there. tests/model/cluster.py is the
// model of it, by the same names; docs/cluster.md says for people what it comes to.
//
// etcd is the place where the hosts agree on two things: which generation is the live one (a record for each account, changed
// only by comparing its revision), and that a token is sent once (an intent for each token, which is there before it is sent
// and stays until its outcome is known; the receipt of the whole cluster). Everything else of a host's transaction stays as it
// is, and each host's ledger and receipts remain the proof of what it did itself.
//
// A host that is killed between its intent and its commit has the answer in a receipt, and commits it in its next run; as long
// as the hold stands, nobody else sends that token. A commit asks nothing but whether the record is what it was: to ask for
// the lock would throw away the only token that is good.
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include "cluster/etcd.h"
#include "cluster/record.h"
#include "cluster/seal.h"

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
#define CLUSTER_SKEW_MS	     (60 * 1000) // of a host's clock, that is worth a word

struct cluster_account {
	char id[33];
	int64_t revision; // 0: there is no record
	bool unreadable;  // … or none that can be read
	bool old_key;     // sealed with a key that is being replaced
	struct cluster_record record;
};
struct cluster_claim {
	char name[33]; // of the token
	int64_t revision;
	bool unreadable;
	bool held;
	struct cluster_intent intent;
};
struct cluster_lock {
	char id[33];
	char *host;
	int64_t revision;
	bool ours; // this ledger's, of this run or of one that was killed
};

struct cluster {
	const struct config *config;
	const char *uuid; // our ledger's
	char *name;       // this host's
	struct seal seal;
	struct secret names;
	struct etcd etcd;
	bool reached;  // it was read, and all of it makes sense
	char *trouble; // … or why not
	bool wrong_key; // … which a person has to settle
	struct cluster_account *accounts;
	size_t n_accounts;
	struct cluster_claim *claims;
	size_t n_claims;
	struct cluster_lock *locks;
	size_t n_locks;
	struct cluster_host *hosts;
	size_t n_hosts;
	int64_t lock_lease;
	struct cluster_lock *held; // our own, by that lease: read or not, until it runs out
	size_t n_held;
	size_t n_old_keys; // values sealed with a key that is being replaced
};

// Read all of it. Whatever goes wrong is in `reached` and `trouble`. `may_begin`: the first host of all makes the beginning.
void cluster_open(const struct config *config, const char *uuid, bool may_begin, struct cluster *ret);
void cluster_read_again(struct cluster *cluster);
void cluster_close(struct cluster *cluster);

// The id of an account there.
void cluster_account_id(const struct cluster *cluster, const struct account_record *record, char ret[33]);
const struct cluster_account *cluster_account(const struct cluster *cluster, const char *id); // NULL: there is no record
const struct cluster_claim *cluster_claim(const struct cluster *cluster, struct fingerprint token); // NULL: no intent
const struct cluster_lock *cluster_lock_of_others(const struct cluster *cluster, const char *id); // NULL: none
bool cluster_is_ours(const struct cluster *cluster, const struct cluster_intent *intent);
// Did nothing of it leave? Only its own receipt can say so: one that is not there, or another, may be a backup's.
bool cluster_never_left(const struct cluster *cluster, const struct cluster_intent *intent, const struct receipt *receipt);
// How far our clock is ahead of etcd's; 0 where nobody knows, or it is not worth a word.
int64_t cluster_clock_ahead_ms(const struct cluster *cluster);

// The steps of a grant; `ids` are its accounts. Each reads what it needs anew, and brings the above up to date.
// 0, also for what this run has locked already; -EBUSY: another host is at it, `ret_host` says which (free it); else it is out of reach.
int cluster_lock(struct cluster *cluster, char (*ids)[33], size_t n, struct fingerprint token, char **ret_host);
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
// What it is and was, instead of the revision `over` (0: none), which is what was judged: another login of this very run's may
// have come in between. `doubt`: etcd was restored from an older state, and the live token may have
// been spent by somebody who has not been heard of. 0, -ESTALE, or it is out of reach.
int cluster_publish(struct cluster *cluster, const char *id, const struct account_record *record, int64_t over, bool doubt);
// Our intent, of which nothing left, or which was proved unspent: as it was before. 0: it is ours no more.
int cluster_clear(struct cluster *cluster, const struct cluster_claim *claim);
// At the end of a run: the locks go, and the others learn what we have. (Whether that goes well is nobody's worry.)
void cluster_leave(struct cluster *cluster, const struct cluster_seen *seen, size_t n);

#endif
