// SPDX-License-Identifier: MIT
//
// What stands in etcd, below the prefix; every value sealed by its key (cluster/seal.h):
//
//	names                   32 bytes that the names below are made with, so that none can be guessed
//	accounts/<id>           struct cluster_record; id: of provider, profile id and, for an agent's own login, who it is
//	intents/<token>         struct cluster_intent: this token may have been sent. No lease: it stays until it is settled
//	holds/<token>           as long as it is there, nobody else may send it: a lease that outlives what may come between
//	                        the intent and the commit
//	locks/<id>              "<ledger's uuid> <host>": who is at it; a lease, and only to save work
//	hosts/<ledger's uuid>   struct cluster_host: what each host had when it was last heard of
#ifndef CLUSTER_RECORD_H
#define CLUSTER_RECORD_H

#include "json/json.h"
#include "ledger/ledger.h"

#define CLUSTER_SUPERSEDED_MAX 64

struct cluster_record {
	char line[33]; // of the record, from its first host on
	char nonce[33]; // of this very version
	int64_t number; // counts its versions
	struct generation live;
	struct identity identity;
	struct fingerprint *superseded; // before it, newest last
	size_t n_superseded;
	int64_t lifetime_s, refreshed_ms;
	char dead_code[64];
	char *host; // who committed it
};
void cluster_record_free(struct cluster_record *record);
struct secret cluster_record_text(const struct cluster_record *record);
int cluster_record_read(const struct secret *text, struct cluster_record *ret); // -EBADMSG, -EPROTONOSUPPORT

struct cluster_intent {
	struct fingerprint token;
	char *owner; // the ledger's uuid; "": nobody's any more, it is in doubt
	char *host;
	char nonce[33];
	int64_t sends; // this one included; two at most
	int64_t own;   // what the owner's receipt counted before it
	char receipt[33]; // … and its nonce: another receipt proves nothing
	int64_t at_ms; // by the owner's clock
};
void cluster_intent_free(struct cluster_intent *intent);
struct secret cluster_intent_text(const struct cluster_intent *intent);
int cluster_intent_read(const struct secret *text, struct cluster_intent *ret);

struct cluster_seen { // of one account
	char id[33];
	int64_t number; // of the record that it had
};
struct cluster_host {
	char *uuid, *name;
	int64_t at_ms; // by etcd's clock, when it was heard of
	struct cluster_seen *seen;
	size_t n_seen;
};
void cluster_host_free(struct cluster_host *host);
struct secret cluster_host_text(const struct cluster_host *host);
int cluster_host_read(const struct secret *text, struct cluster_host *ret);

#endif
