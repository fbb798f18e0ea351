// SPDX-License-Identifier: MIT
//
// See claims.h.
#include "cluster/claims.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "cluster/write.h"

#define LOCK_TTL_S    120
#define LOCK_TRIES    3
#define CLEAR_TRIES   3
#define HOLD_SPARE_MS (60 * SECOND_MS) // of a hold, for the commit

// ---- the lock

static void add_reads(const struct cluster *c, struct etcd_txn *txn, char (*ids)[33], size_t n,
		      const char *token, char ***keys, size_t *n_keys)
{
	for (size_t i = 0; i < n; i++)
		*array_add(keys, n_keys) = view_key(c, "accounts/", ids[i]);
	*array_add(keys, n_keys) = view_key(c, "intents/", token);
	*array_add(keys, n_keys) = view_key(c, "holds/", token);
	for (size_t i = 0; i < *n_keys; i++)
		etcd_read_add(txn, (*keys)[i]);
}

static void free_keys(char **keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(keys[i]);
	free(keys);
}

// Whose are they, done or not? What names our ledger is ours, of a run that was killed perhaps: whoever works on the account
// here has locked it here. -ESTALE: not all of them hang on our lease yet.
static int judge_locks(struct cluster *c, const struct etcd_reply *reply, char (*ids)[33],
		       char **locks, size_t n, char **ret_host)
{
	bool all = true;

	for (size_t i = 0; i < n; i++) {
		const struct etcd_entry *entry = etcd_find(&reply->found, locks[i]);
		_cleanup_secret_ struct secret text = {0};
		if (entry && entry->lease && // or it is no host's
		    (view_open(c, entry, &text) < 0 || !view_lock_is_ours(c, &text))) {
			*ret_host = xstrdup(view_lock_host(&text));
			return -EBUSY;
		}
		view_held(c, ids[i])->revision = entry ? entry->revision : 0;
		all &= entry && entry->lease == c->lock_lease;
	}
	return all ? 0 : -ESTALE;
}

// -ENOENT: our lease ran out. -EINPROGRESS: nobody knows yet.
static int lock_once(struct cluster *c, char (*ids)[33], size_t n, const char *token,
		     char **ret_host)
{
	_cleanup_(etcd_txn_free) struct etcd_txn txn = {0};
	_cleanup_(etcd_reply_free) struct etcd_reply reply = {0};
	_cleanup_free_ struct secret *values = xcalloc(n, sizeof(*values));
	_cleanup_secret_ struct secret text = view_lock_text(c);
	char **locks = NULL, **keys = NULL;
	size_t n_locks = 0, n_keys = 0;
	int r = c->lock_lease ? 0 : etcd_lease_grant(&c->etcd, LOCK_TTL_S, &c->lock_lease);

	add_reads(c, &txn, ids, n, token, &keys, &n_keys);
	for (size_t i = 0; i < n; i++) {
		char *key = view_key(c, "locks/", ids[i]);
		*array_add(&locks, &n_locks) = key;
		values[i] = seal_text(&c->seal, key, &text);
		etcd_guard_add(&txn, key, ETCD_CHANGED, view_held(c, ids[i])->revision);
		etcd_put_add(&txn, key, &values[i], c->lock_lease);
		etcd_read_add(&txn, key);
	}
	if (r == 0)
		r = etcd_commit(&c->etcd, &txn, &reply);
	if (r == 0) {
		view_take_again(c, &reply.found, ids, n, token);
		r = judge_locks(c, &reply, ids, locks, n, ret_host);
	}
	for (size_t i = 0; i < n; i++)
		secret_free(&values[i]);
	free_keys(locks, n_locks);
	free_keys(keys, n_keys);
	return r;
}

int cluster_lock(struct cluster *c, char (*ids)[33], size_t n, struct fingerprint token,
		 char **ret_host)
{
	char name[33];
	int r = -EINPROGRESS;

	view_token_name(c, token, name);
	for (int tries = 0; tries < LOCK_TRIES; tries++) {
		r = lock_once(c, ids, n, name, ret_host);
		if (r == -ENOENT)
			view_forget_locks(c);
		else if (r != -ESTALE && r != -EINPROGRESS)
			break;
	}
	if (r < 0 && r != -EBUSY)
		view_lose(c);
	return r;
}

void cluster_unlock(struct cluster *c)
{
	if (c->lock_lease)
		etcd_lease_revoke(&c->etcd, c->lock_lease);
	view_forget_locks(c);
}

// ---- the intent

static void guard_accounts(struct cluster *c, struct etcd_txn *txn, char (*ids)[33], size_t n,
			   char **keys, char ***locks, size_t *n_locks)
{
	for (size_t i = 0; i < n; i++) {
		const struct cluster_account *a = view_account(c, ids[i]);
		char *lock = view_key(c, "locks/", ids[i]);
		*array_add(locks, n_locks) = lock;
		etcd_guard_add(txn, keys[i], ETCD_CHANGED, a ? a->revision : 0);
		etcd_guard_add(txn, lock, ETCD_CHANGED, view_held(c, ids[i])->revision);
	}
}

int cluster_intend(struct cluster *c, const struct cluster_sending *s, int64_t *ret_until_boot_ms)
{
	_cleanup_(etcd_txn_free) struct etcd_txn txn = {0};
	_cleanup_(etcd_reply_free) struct etcd_reply reply = {0};
	struct cluster_intent intent = {
		.token = s->token,
		.owner = (char *)c->uuid,
		.host = c->name,
		.sends = s->sends,
		.own = s->own,
		.at_ms = clock_wall_ms(),
	};
	const struct cluster_claim *claim = cluster_claim(c, s->token);
	char **keys = NULL, **locks = NULL, name[33];
	size_t n_keys = 0, n_locks = 0;
	int64_t lease = 0, began_ms = clock_boot_ms();
	int r = etcd_lease_grant(&c->etcd, s->hold_s, &lease);

	seal_nonce(intent.nonce);
	snprintf(intent.receipt, sizeof(intent.receipt), "%s", s->receipt);
	view_token_name(c, s->token, name);
	add_reads(c, &txn, s->ids, s->n, name, &keys, &n_keys);
	const char *key = keys[s->n], *hold = keys[s->n + 1];
	_cleanup_secret_ struct secret text = cluster_intent_text(&intent);
	_cleanup_secret_ struct secret sealed = seal_text(&c->seal, key, &text);
	_cleanup_secret_ struct secret held = seal_text(&c->seal, hold, &text);
	guard_accounts(c, &txn, s->ids, s->n, keys, &locks, &n_locks);
	etcd_guard_add(&txn, key, ETCD_CHANGED, claim ? claim->revision : 0);
	etcd_put_add(&txn, key, &sealed, 0);
	etcd_put_add(&txn, hold, &held, lease);
	if (r < 0)
		view_lose(c);
	else
		r = write_surely(c, &txn, key, intent.nonce, &reply);
	if (r == 0 || r == -ESTALE)
		view_take_again(c, &reply.found, s->ids, s->n, name);
	free_keys(keys, n_keys);
	free_keys(locks, n_locks);
	*ret_until_boot_ms = began_ms + s->hold_s * SECOND_MS - HOLD_SPARE_MS;
	return r;
}

int cluster_clear(struct cluster *c, const struct cluster_claim *claim)
{
	_cleanup_(etcd_txn_free) struct etcd_txn txn = {0};
	_cleanup_free_ char *key = view_key(c, "intents/", claim->name);
	_cleanup_free_ char *hold = view_key(c, "holds/", claim->name);
	struct cluster_intent before = claim->intent;
	_cleanup_secret_ struct secret text = {0}, sealed = {0};
	char name[33];
	int r = -EINPROGRESS;

	memcpy(name, claim->name, sizeof(name));
	before.owner = (char *)"";
	before.sends--;
	before.own = 0;
	if (before.sends) { // somebody's is still in doubt
		text = cluster_intent_text(&before);
		sealed = seal_text(&c->seal, key, &text);
	}
	etcd_guard_add(&txn, key, ETCD_CHANGED, claim->revision);
	etcd_put_add(&txn, key, before.sends ? &sealed : NULL, 0);
	etcd_put_add(&txn, hold, NULL, 0);
	etcd_read_add(&txn, key);
	etcd_read_add(&txn, hold);
	for (int tries = 0; r == -EINPROGRESS && tries < CLEAR_TRIES; tries++) {
		_cleanup_(etcd_reply_free) struct etcd_reply reply = {0};
		r = etcd_commit(&c->etcd, &txn, &reply);
		if (r < 0)
			continue;
		view_take_again(c, &reply.found, NULL, 0,
				name); // ours, only if nothing of it was done
		r = claim->revision && cluster_is_ours(c, &claim->intent) ? -ESTALE : 0;
	}
	return r;
}
