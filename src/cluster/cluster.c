// SPDX-License-Identifier: MIT
//
// See cluster.h.
#include "cluster/cluster.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "cluster/claims.h"
#include "cluster/names.h"
#include "ledger/custody.h"

#define NEW_KEY		 "openssl rand -base64 32 # once, and the same on every host"
#define LOOK_PATIENCE_MS (5 * SECOND_MS) // of who only looks

static bool load_keys(struct cluster *c)
{
	const struct cluster_settings *s = &c->config->cluster;
	const char *path = s->seal_key_file;
	int r = seal_add_key_file(&c->seal, path);

	for (size_t i = 0; r == 0 && i < s->n_old_seal_key_files; i++) {
		path = s->old_seal_key_files[i];
		r = seal_add_key_file(&c->seal, path);
	}
	if (r == 0)
		return true;
	c->wrong_key = true;
	c->remedy = NEW_KEY;
	view_give_up(c, r == -EBADMSG ? xasprintf("%s does not hold a key of 32 bytes", path)
			: r == -EDOM
				? xasprintf("%s holds text, and no key of 32 random bytes", path)
				: xasprintf("%s: %s", path, strerror(-r)));
	return false;
}

static void take_all(struct cluster *c, const struct etcd_entries *entries, bool may_begin)
{
	c->reached = names_find(c, entries, may_begin);
	if (c->reached)
		view_take_all(c, entries);
}

static char *host_name(const struct config *config)
{
	char name[65];

	host_name_ours(name);
	return xstrdup(config->cluster.host ? config->cluster.host : name);
}

void cluster_open(const struct config *config, const char *uuid, bool may_begin,
		  struct cluster *ret)
{
	struct cluster c = {
		.config = config,
		.uuid = uuid,
		.name = host_name(config),
		.etcd = ETCD_NONE,
	};
	_cleanup_(etcd_entries_free) struct etcd_entries entries = {0};

	c.etcd.config = config;
	if (!may_begin)
		c.etcd.patience_ms = LOOK_PATIENCE_MS;
	if (load_keys(&c)) {
		if (etcd_read_all(&c.etcd, config->cluster.prefix, &entries) < 0)
			view_lose(&c);
		else
			take_all(&c, &entries, may_begin);
	}
	*ret = c;
}

void cluster_read_again(struct cluster *c)
{
	_cleanup_(etcd_entries_free) struct etcd_entries entries = {0};

	if (etcd_read_all(&c->etcd, c->config->cluster.prefix, &entries) < 0)
		return view_lose(c);
	view_forget(c);
	secret_free(&c->names);
	take_all(c, &entries, true);
}

void cluster_close(struct cluster *c)
{
	etcd_stop(&c->etcd);
	seal_free(&c->seal);
	secret_free(&c->names);
	view_forget(c);
	view_forget_locks(c);
	free(c->name);
	free(c->trouble);
	*c = (struct cluster){.etcd = ETCD_NONE};
}

// ---- the end of a run

void cluster_leave(struct cluster *c, const struct cluster_seen *seen, size_t n)
{
	struct cluster_host host = {
		.uuid = (char *)c->uuid,
		.name = c->name,
		.at_ms = c->etcd.date_ms ? c->etcd.date_ms : clock_wall_ms(),
		.seen = (struct cluster_seen *)seen,
		.n_seen = n,
	};
	_cleanup_(etcd_txn_free) struct etcd_txn txn = {0};
	_cleanup_(etcd_reply_free) struct etcd_reply reply = {0};
	_cleanup_free_ char *key = view_key(c, "hosts/", c->uuid);
	_cleanup_secret_ struct secret text = cluster_host_text(&host);
	_cleanup_secret_ struct secret sealed = {0};

	cluster_unlock(c);
	if (!c->reached)
		return;
	sealed = seal_text(&c->seal, key, &text);
	etcd_put_add(&txn, key, &sealed, 0);
	if (etcd_commit(&c->etcd, &txn, &reply) < 0)
		log_debug("the other hosts are not told: %s", c->etcd.trouble);
}

int cluster_resign(struct cluster *c)
{
	_cleanup_(etcd_txn_free) struct etcd_txn txn = {0};
	_cleanup_(etcd_reply_free) struct etcd_reply reply = {0};
	_cleanup_free_ char *key = view_key(c, "hosts/", c->uuid);

	etcd_put_add(&txn, key, NULL, 0);
	return etcd_commit(&c->etcd, &txn, &reply);
}
