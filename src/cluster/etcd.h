// SPDX-License-Identifier: MIT
//
// etcd's v3 JSON gateway, one request at a time, through a courier of its own: no socket here, and no library.
//
// A read is tried at one endpoint after the other. A write that was sent and not answered may have been applied (of those that
// failed with a member killed under them, 39 of 64 were): it is tried elsewhere only if it provably was not sent, and else
// ends with -EINPROGRESS. Whoever wrote reads it back then, before anything else.
//
// Only etcd refuses for all of etcd: a refusal that is not in its own words, or an answer that it would not give, is that
// endpoint's alone (a proxy's 400, 403 or 404; a web server's page), and the next one is asked.
//
// Hostile or odd replies: what is missing is zero (proto3 leaves zeroes out), numbers are text (a lease id does not fit a
// double), what has the wrong shape makes the whole reply unreadable, and nothing in it is bigger than the courier takes.
#ifndef CLUSTER_ETCD_H
#define CLUSTER_ETCD_H

#include "courier/client.h"

struct etcd {
	const struct config *config;
	struct courier courier;
	struct secret token;  // of the user, for this run; unset: none yet
	const struct secret *password; // … as long as it is asked for one
	size_t at;            // the endpoint that answered last
	uint32_t last_id;
	int64_t patience_ms;  // for endpoints that do not answer, in all
	int64_t page;	      // entries that are asked for at once
	bool too_long;	      // … were more than an answer holds
	int64_t date_ms;      // what its last answer said of the time, and what our clock did then; 0
	int64_t our_date_ms;
	char *trouble;        // why the last request failed, for people; NULL
};
#define ETCD_NONE ((struct etcd){ .courier = COURIER_NONE })
void etcd_stop(struct etcd *etcd);

struct etcd_entry {
	char *key;
	struct secret value;
	int64_t revision; // of its last change (mod_revision)
	int64_t lease;    // 0: none
};
struct etcd_entries {
	struct etcd_entry *list; // by key
	size_t n;
};
void etcd_entries_free(struct etcd_entries *entries);
const struct etcd_entry *etcd_find(const struct etcd_entries *entries, const char *key); // NULL

// -ENETUNREACH: nobody answered (a read, or a write that was not sent); -EINPROGRESS: a write that may have been applied;
// -EACCES: refused, for a person; -ENOENT: the lease is no more; -EBADMSG: it speaks of what was not asked. Each with `trouble`.
// All that stands under the prefix, however much it is.
int etcd_read_all(struct etcd *etcd, const char *prefix, struct etcd_entries *ret);

enum etcd_target { ETCD_CREATED, ETCD_CHANGED }; // create_revision, mod_revision
struct etcd_guard {
	const char *key;
	enum etcd_target target;
	int64_t revision; // 0: it is not there
};
struct etcd_put {
	const char *key;
	const struct secret *value; // NULL: it is removed
	int64_t lease;
};
struct etcd_txn {
	struct etcd_guard *guards; // all hold …
	size_t n_guards;
	struct etcd_put *puts; // … then all of these are done, else none
	size_t n_puts;
	const char **reads; // … and after it these keys are read, either way
	size_t n_reads;
};
void etcd_guard_add(struct etcd_txn *txn, const char *key, enum etcd_target target, int64_t revision);
void etcd_put_add(struct etcd_txn *txn, const char *key, const struct secret *value, int64_t lease);
void etcd_read_add(struct etcd_txn *txn, const char *key);
void etcd_txn_free(struct etcd_txn *txn); // what it points to is the caller's
struct etcd_reply {
	bool done;        // the guards held
	int64_t revision; // of the store
	struct etcd_entries found;
};
void etcd_reply_free(struct etcd_reply *reply);
int etcd_commit(struct etcd *etcd, const struct etcd_txn *txn, struct etcd_reply *ret);

int etcd_lease_grant(struct etcd *etcd, int64_t ttl_s, int64_t *ret);
int etcd_lease_revoke(struct etcd *etcd, int64_t lease); // and what hangs on it goes

// To learn of changes. The revision of the last one of all that stands under the prefix (0: nothing does), and the store's.
int etcd_last_change(struct etcd *etcd, const char *prefix, int64_t *ret_changed, int64_t *ret_now);
// Wait for one after the revision `after`, at the endpoint that answered last, for `most_ms` (a minute at most). 1: there is
// one, or so it seems: look; 0: none so far; -ECANCELED: `wake_fd` can be read; else as above, and the next endpoint is it.
int etcd_wait(struct etcd *etcd, const char *prefix, int64_t after, int64_t most_ms, int wake_fd);

// What one endpoint says by itself, which needs its member's quorum: who it is, and how many members there are (0: it does
// not say).
struct etcd_member {
	char id[24];
	size_t n_all;
};
int etcd_ask_member(struct etcd *etcd, size_t endpoint, struct etcd_member *ret);

// The readers, for tests: one reply's text.
int etcd_parse_range(const char *text, size_t len, struct etcd_entries *ret, bool *ret_more);
int etcd_parse_txn(const char *text, size_t len, struct etcd_reply *ret);
int etcd_parse_number(const char *text, size_t len, const char *name, int64_t *ret);
int etcd_parse_changed(const char *text, size_t len, int64_t *ret_changed, int64_t *ret_now);
int etcd_parse_member(const char *text, size_t len, struct etcd_member *ret);
// Of a watch, so far as it came: 1: it has something to say; 0: it stands; -EACCES: it was refused; -EBADMSG.
int etcd_parse_watch(const char *text, size_t len);

#endif
