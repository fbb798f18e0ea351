// SPDX-License-Identifier: MIT
//
// What one host knows of the cluster: what stood below the prefix when it was read last, brought up to date by every
// transaction since, and what can be asked of it. Nothing here asks etcd.
//
// What cannot be opened or read stands in the view as `unreadable`, and is never taken for missing; keys of nobody's are passed
// over; a lock that hangs on no lease is none.
#ifndef CLUSTER_VIEW_H
#define CLUSTER_VIEW_H

#include "cluster/etcd.h"
#include "cluster/record.h"
#include "cluster/seal.h"

#define CLUSTER_SKEW_MS (60 * 1000) // of a host's clock, that is worth a word

struct cluster_account {
	char id[33];
	int64_t revision; // 0: there is no record
	int unreadable;   // … or none that can be read: why, as seal_open says it; 0
	bool old_key;     // sealed with a key that is being replaced
	struct cluster_record record;
};
struct cluster_claim {
	char name[33]; // of the token
	int64_t revision;
	int unreadable;
	bool old_key;
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
	const char *remedy; // … by this, if it is known
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
	bool names_of_old_key; // they are sealed with a key that is being replaced
};

// The id of an account there.
void cluster_account_id(const struct cluster *cluster, const struct account_record *record, char ret[33]);
const struct cluster_account *cluster_account(const struct cluster *cluster, const char *id); // NULL: there is no record
const struct cluster_claim *cluster_claim(const struct cluster *cluster, struct fingerprint token); // NULL: no intent
const struct cluster_lock *cluster_lock_of_others(const struct cluster *cluster, const char *id); // NULL: none
bool cluster_is_ours(const struct cluster *cluster, const struct cluster_intent *intent);
// Did nothing of it leave? Only its own receipt can say so: one that is not there, or another, may be a backup's.
bool cluster_never_left(const struct cluster *cluster, const struct cluster_intent *intent, const struct receipt *receipt);
// What makes a value readable; NULL: it is damaged, and nothing does.
const char *cluster_remedy(int unreadable);
// Another key has taken the place of the one that is first here, and is used instead: its file. NULL: ours is the one.
const char *cluster_newer_key(const struct cluster *cluster);
// How many values are sealed with a key that is being replaced, as far as they stay.
size_t cluster_count_old_keys(const struct cluster *cluster);
// How far our clock is ahead of etcd's; 0 where nobody knows, or it is not worth a word.
int64_t cluster_clock_ahead_ms(const struct cluster *cluster);

// ---- for this folder alone

char *view_key(const struct cluster *cluster, const char *kind, const char *name); // below the prefix
const char *view_hash(const struct cluster *cluster, const char *key, const char *kind); // its name; NULL: it is no such key
void view_token_name(const struct cluster *cluster, struct fingerprint token, char ret[33]);
// 0, 1 if by a key that is being replaced, or what seal_open says.
int view_open(struct cluster *cluster, const struct etcd_entry *entry, struct secret *ret);

void view_take_all(struct cluster *cluster, const struct etcd_entries *entries);
// Of some keys, read again: those that are not among the entries are no more.
void view_take_again(struct cluster *cluster, const struct etcd_entries *found, char (*ids)[33], size_t n, const char *token);
void view_forget(struct cluster *cluster); // what was read
void view_give_up(struct cluster *cluster, char *trouble); // no more `reached`
void view_lose(struct cluster *cluster); // … for the reason that etcd.h has
struct cluster_account *view_account(const struct cluster *cluster, const char *id); // also one that is there no more
struct cluster_claim *view_claim(const struct cluster *cluster, const char *name);

// A lock's text is "<ledger's uuid> <host>".
struct secret view_lock_text(const struct cluster *cluster);
const char *view_lock_host(const struct secret *text);
bool view_lock_is_ours(const struct cluster *cluster, const struct secret *text);
struct cluster_lock *view_held(struct cluster *cluster, const char *id); // made, if there is none
void view_forget_locks(struct cluster *cluster);

#endif
