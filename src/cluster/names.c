// SPDX-License-Identifier: MIT
//
// See names.h.
#include "cluster/names.h"

#include <errno.h>

#include "base/log.h"

#define BEGIN_TRIES 3

// What stands there: the names' 32 bytes, and the ids of keys that were replaced.
static bool was_replaced(const struct secret *text, const unsigned char *id)
{
	for (size_t at = SEAL_KEY_BYTES; at < text->len; at += SEAL_ID_BYTES)
		if (memcmp(text->text + at, id, SEAL_ID_BYTES) == 0)
			return true;
	return false;
}

// Once: the old key may go when nothing is sealed with it any more. Who fails here, or comes second, reads them all the same.
// False: they may be as they were.
static bool seal_names_anew(struct cluster *c, const struct etcd_entry *entry, struct secret *text)
{
	secret_append(text, (const char *)seal_id(&entry->value), SEAL_ID_BYTES);
	_cleanup_secret_ struct secret sealed = seal_text(&c->seal, entry->key, text);
	_cleanup_(etcd_txn_free) struct etcd_txn txn = {0};
	struct etcd_reply reply = {0};

	etcd_guard_add(&txn, entry->key, ETCD_CHANGED, entry->revision);
	etcd_put_add(&txn, entry->key, &sealed, 0);
	int r = etcd_commit(&c->etcd, &txn, &reply);
	if (r < 0)
		log_debug("the names stay sealed with the old key: %s", c->etcd.trouble);
	bool done = r == 0 && reply.done;
	etcd_reply_free(&reply);
	return done;
}

static bool names_are_known(struct cluster *c, const struct etcd_entry *entry, bool may_begin)
{
	_cleanup_secret_ struct secret text = {0};
	int r = view_open(c, entry, &text);

	if (r >= 0 && text.len >= SEAL_KEY_BYTES && text.len % SEAL_ID_BYTES == 0) {
		secret_set(&c->names, text.text, SEAL_KEY_BYTES);
		// A key that came after ours: hosts that take the two the other way round would seal in turn for ever.
		bool replaced = r > 0 && was_replaced(&text, c->seal.keys[0].id);
		if (replaced)
			seal_use(&c->seal, seal_id(&entry->value));
		c->names_of_old_key =
			r > 0 && !replaced && !(may_begin && seal_names_anew(c, entry, &text));
		return true;
	}
	c->wrong_key = true;
	c->remedy = cluster_remedy(r);
	view_give_up(c,
		     xasprintf("what is stored below %s was sealed %s", c->config->cluster.prefix,
			       r == -EPROTONOSUPPORT ? "by a newer version"
			       : r == -ENOKEY	     ? "with a key that this host does not have"
						     : "under another name, or was changed"));
	return false;
}

// The first of all hosts, or one beside it: whoever comes second takes what the first one wrote.
static int begin_names(struct cluster *c, struct etcd_entries *found)
{
	_cleanup_free_ char *key = view_key(c, "names", "");
	_cleanup_secret_ struct secret names = seal_random(SEAL_KEY_BYTES);
	_cleanup_secret_ struct secret sealed = seal_text(&c->seal, key, &names);
	_cleanup_(etcd_txn_free) struct etcd_txn txn = {0};
	struct etcd_reply reply = {0};

	etcd_guard_add(&txn, key, ETCD_CREATED, 0);
	etcd_put_add(&txn, key, &sealed, 0);
	etcd_read_add(&txn, key);
	int r = -EINPROGRESS;
	for (int tries = 0; r == -EINPROGRESS && tries < BEGIN_TRIES; tries++)
		r = etcd_commit(&c->etcd, &txn, &reply);
	if (r == 0)
		*found = reply.found;
	return r;
}

// Without their names nobody finds an intent any more: a token of one could be sent again.
static bool names_are_lost(struct cluster *c, const struct etcd_entries *entries)
{
	for (size_t i = 0; i < entries->n; i++) {
		const char *key = entries->list[i].key;
		if (!view_hash(c, key, "accounts/") && !view_hash(c, key, "intents/"))
			continue;
		c->wrong_key = true;
		view_give_up(
			c,
			xasprintf("%snames is gone, by which everything else there is found: put "
				  "it back from a snapshot of etcd, or give every host another "
				  "`prefix`",
				  c->config->cluster.prefix));
		return true;
	}
	return false;
}

bool names_find(struct cluster *c, const struct etcd_entries *entries, bool may_begin)
{
	_cleanup_free_ char *key = view_key(c, "names", "");
	_cleanup_(etcd_entries_free) struct etcd_entries begun = {0};
	const struct etcd_entry *names = etcd_find(entries, key);

	if (names)
		return names_are_known(c, names, may_begin);
	if (names_are_lost(c, entries))
		return false;
	if (!may_begin) { // nothing is there: any names will do
		c->names = seal_random(SEAL_KEY_BYTES);
		return true;
	}
	if (begin_names(c, &begun) == 0)
		names = etcd_find(&begun, key);
	if (!names)
		view_lose(c);
	return names && names_are_known(c, names, may_begin);
}
