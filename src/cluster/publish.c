// SPDX-License-Identifier: MIT
//
// See publish.h.
#include "cluster/publish.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "cluster/write.h"

static void list_superseded(const struct cluster_record *old, const struct account_record *record,
			    struct cluster_record *ret)
{
	size_t from = record->n_superseded > CLUSTER_SUPERSEDED_MAX
			      ? record->n_superseded - CLUSTER_SUPERSEDED_MAX
			      : 0;

	for (size_t i = from; i < record->n_superseded; i++)
		fingerprint_list_add(&ret->superseded, &ret->n_superseded, record->superseded[i]);
	struct fingerprint before = old->live.fingerprint;
	if (!fingerprint_empty(before) && !fingerprint_equal(before, record->live.fingerprint) &&
	    !fingerprint_listed(ret->superseded, ret->n_superseded, before)) {
		if (ret->n_superseded == CLUSTER_SUPERSEDED_MAX)
			fingerprint_list_remove(ret->superseded, &ret->n_superseded,
						ret->superseded[0]);
		fingerprint_list_add(&ret->superseded, &ret->n_superseded, before);
	}
}

static struct cluster_record record_of(const struct cluster *c, const struct cluster_record *old,
				       const struct account_record *record)
{
	struct cluster_record new = {
		.number = (old->number > record->common_number ? old->number
							       : record->common_number) +
			  1,
		.lifetime_s = record->lifetime_s,
		.refreshed_ms = record->refreshed_ms,
		.host = xstrdup(c->name),
	};

	seal_nonce(new.nonce);
	memcpy(new.line, old->line[0] ? old->line : new.nonce, sizeof(new.line));
	snprintf(new.dead_code, sizeof(new.dead_code), "%s", record->dead_code);
	generation_copy(&new.live, &record->live);
	identity_copy(&new.identity, &record->identity);
	list_superseded(old, record, &new);
	return new;
}

// Whose outcome is known with this commit: the token that was live, or one that is dead now.
static struct fingerprint settled_by(const struct cluster_record *old,
				     const struct cluster_record *new)
{
	bool same = fingerprint_equal(old->live.fingerprint, new->live.fingerprint);

	return !same || new->dead_code[0] || !secret_equal(&old->live.access, &new->live.access)
		       ? old->live.fingerprint
		       : (struct fingerprint){0};
}

static void put_doubt(struct cluster *c, struct fingerprint token, const char *key,
		      struct secret *ret)
{
	struct cluster_intent doubt = {
		.token = token,
		.owner = (char *)"",
		.host = c->name,
		.sends = 1,
		.at_ms = clock_wall_ms(),
	};
	_cleanup_secret_ struct secret text = {0};

	seal_nonce(doubt.nonce);
	text = cluster_intent_text(&doubt);
	*ret = seal_text(&c->seal, key, &text);
}

int cluster_publish(struct cluster *c, const char *id, const struct account_record *record,
		    int64_t over, bool doubt)
{
	static const struct cluster_record nothing;
	_cleanup_(etcd_txn_free) struct etcd_txn txn = {0};
	_cleanup_(etcd_reply_free) struct etcd_reply reply = {0};
	const struct cluster_account *a = cluster_account(c, id);
	const struct cluster_record *old = a ? &a->record : &nothing;
	if ((a ? a->revision : 0) != over)
		return -ESTALE;
	struct cluster_record new = record_of(c, old, record);
	struct fingerprint settled = settled_by(old, &new);
	char ids[1][33], settled_name[33] = "", live_name[33];
	_cleanup_free_ char *key = view_key(c, "accounts/", id);
	_cleanup_secret_ struct secret text = cluster_record_text(&new), doubted = {0};
	_cleanup_secret_ struct secret sealed = seal_text(&c->seal, key, &text);

	memcpy(ids[0], id, sizeof(ids[0]));
	view_token_name(c, settled, settled_name);
	view_token_name(c, new.live.fingerprint, live_name);
	_cleanup_free_ char *old_intent = view_key(c, "intents/", settled_name);
	_cleanup_free_ char *old_hold = view_key(c, "holds/", settled_name);
	_cleanup_free_ char *intent = view_key(c, "intents/", live_name);
	_cleanup_free_ char *hold = view_key(c, "holds/", live_name);
	bool same = string_equal(settled_name, live_name);
	etcd_guard_add(&txn, key, ETCD_CHANGED, over);
	etcd_put_add(&txn, key, &sealed, 0);
	if (!fingerprint_empty(settled)) {
		etcd_put_add(&txn, old_intent, NULL, 0);
		etcd_put_add(&txn, old_hold, NULL, 0);
	}
	if (doubt && !same && !cluster_claim(c, new.live.fingerprint)) {
		put_doubt(c, new.live.fingerprint, intent, &doubted);
		etcd_put_add(&txn, intent, &doubted, 0);
	}
	etcd_read_add(&txn, key);
	etcd_read_add(&txn, intent);
	etcd_read_add(&txn, hold);
	int r = write_surely(c, &txn, key, new.nonce, &reply);
	if (r == 0 || r == -ESTALE)
		view_take_again(c, &reply.found, ids, 1, live_name);
	struct cluster_claim *claim = view_claim(c, settled_name);
	if (r == 0 && claim && !fingerprint_empty(settled) && !same)
		claim->revision = 0;
	cluster_record_free(&new);
	return r;
}
