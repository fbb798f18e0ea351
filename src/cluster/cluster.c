// SPDX-License-Identifier: MIT
//
// See cluster.h.
#include "cluster/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/custody.h"

#define LOCK_TTL_S	 120
#define LOCK_TRIES	 3
#define CLEAR_TRIES	 3
#define HOLD_SPARE_MS	 (60 * SECOND_MS) // of a hold, for the commit
#define RETRY_MS	 200
#define RETRIES_MAX	 40
#define LOOK_PATIENCE_MS (5 * SECOND_MS) // of who only looks

static char *key_of(const struct cluster *c, const char *kind, const char *name)
{
	return xasprintf("%s%s%s", c->config->cluster.prefix, kind, name);
}

// ---- names

static void token_name(const struct cluster *c, struct fingerprint token, char ret[33])
{
	_cleanup_free_ char *text = xasprintf("token %s", token.hex);

	seal_name(&c->names, text, strlen(text), ret);
}

void cluster_account_id(const struct cluster *c, const struct account_record *record, char ret[33])
{
	_cleanup_json_ cJSON *array = cJSON_CreateArray();
	_cleanup_secret_ struct secret text = {0};

	cJSON_AddItemToArray(array, cJSON_CreateString("account"));
	cJSON_AddItemToArray(array, cJSON_CreateString(record->provider));
	cJSON_AddItemToArray(array, cJSON_CreateString(record->profile));
	if (record->own_login)
		cJSON_AddItemToArray(array, cJSON_CreateString(identity_name(&record->identity)));
	text = json_print(array, false);
	seal_name(&c->names, text.text, text.len, ret);
}

static void new_nonce(char ret[33])
{
	_cleanup_secret_ struct secret random = seal_random(SEAL_KEY_BYTES);

	seal_name(&random, "", 0, ret);
}

// ---- locks: "<ledger's uuid> <host>"

static const char *host_of_lock(const struct secret *text)
{
	const char *space = text->text ? strchr(text->text, ' ') : NULL;

	return space ? space + 1 : "another host";
}

static struct secret text_of_lock(const struct cluster *c)
{
	_cleanup_free_ char *text = xasprintf("%s %s", c->uuid, c->name);
	struct secret secret = {0};

	secret_set_string(&secret, text);
	return secret;
}

static bool is_our_lock(const struct cluster *c, const struct secret *text)
{
	size_t len = strlen(c->uuid);

	return len && text->len > len && memcmp(text->text, c->uuid, len) == 0;
}

static struct cluster_lock *held_at(struct cluster *c, const char *id)
{
	for (size_t i = 0; i < c->n_held; i++)
		if (string_equal(c->held[i].id, id))
			return &c->held[i];
	struct cluster_lock *lock = array_add(&c->held, &c->n_held);
	snprintf(lock->id, sizeof(lock->id), "%s", id);
	return lock;
}

static void forget_held(struct cluster *c)
{
	free(TAKE_PTR(c->held));
	c->n_held = 0;
	c->lock_lease = 0;
}

// ---- what stands there

static struct cluster_account *account_at(const struct cluster *c, const char *id)
{
	for (size_t i = 0; i < c->n_accounts; i++)
		if (string_equal(c->accounts[i].id, id))
			return &c->accounts[i];
	return NULL;
}

const struct cluster_account *cluster_account(const struct cluster *c, const char *id)
{
	const struct cluster_account *a = account_at(c, id);

	return a && a->revision ? a : NULL;
}

static struct cluster_claim *claim_at(const struct cluster *c, const char *name)
{
	for (size_t i = 0; i < c->n_claims; i++)
		if (string_equal(c->claims[i].name, name))
			return &c->claims[i];
	return NULL;
}

const struct cluster_claim *cluster_claim(const struct cluster *c, struct fingerprint token)
{
	char name[33];

	token_name(c, token, name);
	const struct cluster_claim *claim = claim_at(c, name);
	return claim && claim->revision ? claim : NULL;
}

const struct cluster_lock *cluster_lock_of_others(const struct cluster *c, const char *id)
{
	for (size_t i = 0; i < c->n_locks; i++)
		if (!c->locks[i].ours && string_equal(c->locks[i].id, id))
			return &c->locks[i];
	return NULL;
}

bool cluster_is_ours(const struct cluster *c, const struct cluster_intent *intent)
{
	return intent->owner && *intent->owner && string_equal(intent->owner, c->uuid);
}

bool cluster_never_left(const struct cluster *c, const struct cluster_intent *intent,
			const struct receipt *receipt)
{
	return cluster_is_ours(c, intent) && !receipt->trouble &&
	       fingerprint_equal(receipt->token, intent->token) && *receipt->nonce &&
	       string_equal(receipt->nonce, intent->receipt) && receipt->sends <= intent->own;
}

int64_t cluster_clock_ahead_ms(const struct cluster *c)
{
	int64_t ahead_ms = c->etcd.our_date_ms - c->etcd.date_ms;

	if (!c->etcd.date_ms)
		return 0;
	return ahead_ms > CLUSTER_SKEW_MS || ahead_ms < -CLUSTER_SKEW_MS ? ahead_ms : 0;
}

static int open_value(struct cluster *c, const struct etcd_entry *entry, struct secret *ret)
{
	bool old = false;
	int r = seal_open(&c->seal, entry->key, &entry->value, ret, &old);

	return r == 0 ? old : r;
}

// NULL: the name is none of ours.
static const char *name_below(const struct cluster *c, const char *key, const char *kind)
{
	const char *name = key + strlen(c->config->cluster.prefix);

	return string_starts(name, kind) ? name + strlen(kind) : NULL;
}

// … as seal_name makes them.
static const char *hash_below(const struct cluster *c, const char *key, const char *kind)
{
	const char *name = name_below(c, key, kind);

	return name && strlen(name) == 32 ? name : NULL;
}

static void take_account(struct cluster *c, const char *id, const struct etcd_entry *entry)
{
	_cleanup_secret_ struct secret text = {0};
	struct cluster_account *a = account_at(c, id);
	int r;

	if (!a)
		a = array_add(&c->accounts, &c->n_accounts);
	cluster_record_free(&a->record);
	*a = (struct cluster_account){.revision = entry->revision};
	snprintf(a->id, sizeof(a->id), "%s", id);
	r = open_value(c, entry, &text);
	a->old_key = r > 0;
	c->n_old_keys += r > 0;
	a->unreadable = r < 0 || cluster_record_read(&text, &a->record) < 0;
}

static void take_claim(struct cluster *c, const char *name, const struct etcd_entry *entry)
{
	_cleanup_secret_ struct secret text = {0};
	struct cluster_claim *claim = claim_at(c, name);

	if (!claim)
		claim = array_add(&c->claims, &c->n_claims);
	cluster_intent_free(&claim->intent);
	snprintf(claim->name, sizeof(claim->name), "%s", name);
	claim->revision = entry->revision;
	int r = open_value(c, entry, &text);
	c->n_old_keys += r > 0;
	claim->unreadable = r < 0 || cluster_intent_read(&text, &claim->intent) < 0;
}

// A lock says no more than whose it is. One that hangs on no lease is no host's, and would stand for ever.
static void take_lock(struct cluster *c, const char *id, const struct etcd_entry *entry)
{
	_cleanup_secret_ struct secret text = {0};
	if (!entry->lease)
		return;
	struct cluster_lock *lock = array_add(&c->locks, &c->n_locks);
	snprintf(lock->id, sizeof(lock->id), "%s", id);
	lock->revision = entry->revision;
	open_value(c, entry, &text);
	lock->host = xstrdup(host_of_lock(&text));
	lock->ours = is_our_lock(c, &text);
}

static void take_host(struct cluster *c, const struct etcd_entry *entry)
{
	_cleanup_secret_ struct secret text = {0};
	struct cluster_host host;

	if (open_value(c, entry, &text) >= 0 && cluster_host_read(&text, &host) == 0)
		*array_add(&c->hosts, &c->n_hosts) = host;
}

static void take(struct cluster *c, const struct etcd_entry *entry)
{
	const char *name;

	if ((name = hash_below(c, entry->key, "accounts/")))
		take_account(c, name, entry);
	else if ((name = hash_below(c, entry->key, "intents/")))
		take_claim(c, name, entry);
	else if ((name = hash_below(c, entry->key, "locks/")))
		take_lock(c, name, entry);
	else if (name_below(c, entry->key, "hosts/"))
		take_host(c, entry);
}

// Of some keys, read again: those that are not among the entries are no more.
static void take_again(struct cluster *c, const struct etcd_entries *found, char (*ids)[33],
		       size_t n, const char *token)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *key = key_of(c, "accounts/", ids[i]);
		const struct etcd_entry *entry = etcd_find(found, key);
		struct cluster_account *a = account_at(c, ids[i]);
		if (entry)
			take_account(c, ids[i], entry);
		else if (a)
			a->revision = 0;
	}
	_cleanup_free_ char *intent = key_of(c, "intents/", token);
	_cleanup_free_ char *hold = key_of(c, "holds/", token);
	const struct etcd_entry *entry = etcd_find(found, intent);
	struct cluster_claim *claim = claim_at(c, token);
	if (entry)
		take_claim(c, token, entry);
	else if (claim)
		claim->revision = 0;
	if (entry)
		claim_at(c, token)->held = etcd_find(found, hold) != NULL;
}

// ---- the beginning

static void give_up(struct cluster *c, char *trouble)
{
	free(c->trouble);
	c->trouble = trouble;
	c->reached = false;
}

static void lose(struct cluster *c)
{
	give_up(c, xstrdup(c->etcd.trouble ? c->etcd.trouble : "etcd is out of reach"));
}

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
	give_up(c, r == -EBADMSG ? xasprintf("%s holds no key: 32 bytes, raw or as base64", path)
				 : xasprintf("%s: %s", path, strerror(-r)));
	return false;
}

// Once: the old key may go when nothing is sealed with it any more. Who fails here, or comes second, reads them all the same.
static void seal_names_anew(struct cluster *c, const struct etcd_entry *entry)
{
	_cleanup_secret_ struct secret sealed = seal_text(&c->seal, entry->key, &c->names);
	_cleanup_(etcd_txn_free) struct etcd_txn txn = {0};
	struct etcd_reply reply = {0};

	etcd_guard_add(&txn, entry->key, ETCD_CHANGED, entry->revision);
	etcd_put_add(&txn, entry->key, &sealed, 0);
	if (etcd_commit(&c->etcd, &txn, &reply) < 0)
		log_debug("the names stay sealed with the old key: %s", c->etcd.trouble);
	etcd_reply_free(&reply);
}

static bool names_are_known(struct cluster *c, const struct etcd_entry *entry, bool may_begin)
{
	int r = open_value(c, entry, &c->names);

	if (r >= 0 && c->names.len == SEAL_KEY_BYTES) {
		if (r > 0 && may_begin)
			seal_names_anew(c, entry);
		return true;
	}
	c->wrong_key = true;
	give_up(c, xasprintf("what stands below %s was sealed %s", c->config->cluster.prefix,
			     r == -EPROTONOSUPPORT ? "by a newer version"
			     : r == -ENOKEY	   ? "with a key that this host does not have"
						   : "under another name, or was changed"));
	return false;
}

// The first of all hosts, or one beside it: whoever comes second takes what the first one wrote.
static int begin_names(struct cluster *c, struct etcd_entries *found)
{
	_cleanup_free_ char *key = key_of(c, "names", "");
	_cleanup_secret_ struct secret names = seal_random(SEAL_KEY_BYTES);
	_cleanup_secret_ struct secret sealed = seal_text(&c->seal, key, &names);
	_cleanup_(etcd_txn_free) struct etcd_txn txn = {0};
	struct etcd_reply reply = {0};

	etcd_guard_add(&txn, key, ETCD_CREATED, 0);
	etcd_put_add(&txn, key, &sealed, 0);
	etcd_read_add(&txn, key);
	int r = etcd_commit(&c->etcd, &txn, &reply);
	if (r == -EINPROGRESS)
		r = etcd_read_all(&c->etcd, c->config->cluster.prefix, found);
	else if (r == 0)
		*found = reply.found;
	return r;
}

static void mark_held(struct cluster *c, const struct etcd_entries *entries)
{
	for (size_t i = 0; i < c->n_claims; i++) {
		_cleanup_free_ char *key = key_of(c, "holds/", c->claims[i].name);
		c->claims[i].held = etcd_find(entries, key) != NULL;
	}
}

// Without their names nobody finds an intent any more: a token of one could be sent again.
static bool names_are_lost(struct cluster *c, const struct etcd_entries *entries)
{
	for (size_t i = 0; i < entries->n; i++) {
		const char *key = entries->list[i].key;
		if (!hash_below(c, key, "accounts/") && !hash_below(c, key, "intents/"))
			continue;
		c->wrong_key = true;
		give_up(c,
			xasprintf("%snames is gone, by which everything else there is found: put "
				  "it back from a snapshot of etcd, or give every host another "
				  "`prefix`",
				  c->config->cluster.prefix));
		return true;
	}
	return false;
}

static void take_all(struct cluster *c, const struct etcd_entries *entries, bool may_begin)
{
	_cleanup_free_ char *key = key_of(c, "names", "");
	_cleanup_(etcd_entries_free) struct etcd_entries begun = {0};
	const struct etcd_entry *names = etcd_find(entries, key);

	if (!names && names_are_lost(c, entries))
		return;
	if (!names && may_begin) {
		if (begin_names(c, &begun) < 0)
			return lose(c);
		names = etcd_find(&begun, key);
	}
	if (!names) { // nothing is there: any names will do
		c->names = seal_random(SEAL_KEY_BYTES);
		c->reached = true;
		return;
	}
	c->reached = names_are_known(c, names, may_begin);
	for (size_t i = 0; c->reached && i < entries->n; i++)
		take(c, &entries->list[i]);
	mark_held(c, entries);
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
			lose(&c);
		else
			take_all(&c, &entries, may_begin);
	}
	*ret = c;
}

// What was read is thrown away.
static void forget_all(struct cluster *c)
{
	for (size_t i = 0; i < c->n_accounts; i++)
		cluster_record_free(&c->accounts[i].record);
	for (size_t i = 0; i < c->n_claims; i++)
		cluster_intent_free(&c->claims[i].intent);
	for (size_t i = 0; i < c->n_locks; i++)
		free(c->locks[i].host);
	for (size_t i = 0; i < c->n_hosts; i++)
		cluster_host_free(&c->hosts[i]);
	free(TAKE_PTR(c->accounts));
	free(TAKE_PTR(c->claims));
	free(TAKE_PTR(c->locks));
	free(TAKE_PTR(c->hosts));
	c->n_accounts = c->n_claims = c->n_locks = c->n_hosts = c->n_old_keys = 0;
}

void cluster_read_again(struct cluster *c)
{
	_cleanup_(etcd_entries_free) struct etcd_entries entries = {0};

	if (etcd_read_all(&c->etcd, c->config->cluster.prefix, &entries) < 0)
		return lose(c);
	forget_all(c);
	secret_free(&c->names);
	take_all(c, &entries, true);
}

void cluster_close(struct cluster *c)
{
	etcd_stop(&c->etcd);
	seal_free(&c->seal);
	secret_free(&c->names);
	forget_all(c);
	forget_held(c);
	free(c->name);
	free(c->trouble);
	*c = (struct cluster){.etcd = ETCD_NONE};
}

// ---- writing, and reading back what may have been written

static bool shows_nonce(struct cluster *c, const struct etcd_entries *found, const char *key,
			const char *nonce)
{
	const struct etcd_entry *entry = etcd_find(found, key);
	_cleanup_secret_ struct secret text = {0};

	if (!entry || open_value(c, entry, &text) < 0)
		return false;
	_cleanup_json_ cJSON *json = json_parse(text.text, text.len);
	return string_equal(json_text(json, "nonce"), nonce);
}

static void wait_a_moment(void)
{
	const struct timespec moment = {.tv_nsec = RETRY_MS * 1000000};

	nanosleep(&moment, NULL);
}

// Until it is known whether it was done: -ESTALE if not, because the guards did not hold. A nonce of this very write, in what
// stands under `key`, says that it was done, whatever its own reply was or would have been.
static int write_surely(struct cluster *c, const struct etcd_txn *txn, const char *key,
			const char *nonce, struct etcd_reply *ret)
{
	const struct etcd_txn look = {.reads = txn->reads, .n_reads = txn->n_reads};
	bool sent = false;
	int r = 0;

	for (int tries = 0; tries < RETRIES_MAX; tries++) {
		struct etcd_reply reply = {0};
		// What may have been done is looked at, before anything else.
		r = sent ? etcd_commit(&c->etcd, &look, &reply) : 0;
		bool done = r == 0 && sent && shows_nonce(c, &reply.found, key, nonce);
		if (r == 0 && !done) {
			etcd_reply_free(&reply);
			r = etcd_commit(&c->etcd, txn, &reply);
			sent |= r == -EINPROGRESS;
			done = r == 0 && (reply.done || shows_nonce(c, &reply.found, key, nonce));
		}
		if (r == 0) {
			*ret = reply;
			return done ? 0 : -ESTALE;
		}
		if (r != -EINPROGRESS && !(sent && r == -ENETUNREACH && c->etcd.patience_ms > 0))
			break;
		wait_a_moment();
		c->etcd.patience_ms -= RETRY_MS;
	}
	lose(c);
	return sent ? -EINPROGRESS : r;
}

// ---- the lock

static void add_reads(const struct cluster *c, struct etcd_txn *txn, char (*ids)[33], size_t n,
		      const char *token, char ***keys, size_t *n_keys)
{
	for (size_t i = 0; i < n; i++)
		*array_add(keys, n_keys) = key_of(c, "accounts/", ids[i]);
	*array_add(keys, n_keys) = key_of(c, "intents/", token);
	*array_add(keys, n_keys) = key_of(c, "holds/", token);
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
		    (open_value(c, entry, &text) < 0 || !is_our_lock(c, &text))) {
			*ret_host = xstrdup(host_of_lock(&text));
			return -EBUSY;
		}
		held_at(c, ids[i])->revision = entry ? entry->revision : 0;
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
	_cleanup_secret_ struct secret text = text_of_lock(c);
	char **locks = NULL, **keys = NULL;
	size_t n_locks = 0, n_keys = 0;
	int r = c->lock_lease ? 0 : etcd_lease_grant(&c->etcd, LOCK_TTL_S, &c->lock_lease);

	add_reads(c, &txn, ids, n, token, &keys, &n_keys);
	for (size_t i = 0; i < n; i++) {
		char *key = key_of(c, "locks/", ids[i]);
		*array_add(&locks, &n_locks) = key;
		values[i] = seal_text(&c->seal, key, &text);
		etcd_guard_add(&txn, key, ETCD_CHANGED, held_at(c, ids[i])->revision);
		etcd_put_add(&txn, key, &values[i], c->lock_lease);
		etcd_read_add(&txn, key);
	}
	if (r == 0)
		r = etcd_commit(&c->etcd, &txn, &reply);
	if (r == 0) {
		take_again(c, &reply.found, ids, n, token);
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

	token_name(c, token, name);
	for (int tries = 0; tries < LOCK_TRIES; tries++) {
		r = lock_once(c, ids, n, name, ret_host);
		if (r == -ENOENT)
			forget_held(c);
		else if (r != -ESTALE && r != -EINPROGRESS)
			break;
	}
	if (r < 0 && r != -EBUSY)
		lose(c);
	return r;
}

// ---- the intent

static void guard_accounts(struct cluster *c, struct etcd_txn *txn, char (*ids)[33], size_t n,
			   char **keys, char ***locks, size_t *n_locks)
{
	for (size_t i = 0; i < n; i++) {
		const struct cluster_account *a = account_at(c, ids[i]);
		char *lock = key_of(c, "locks/", ids[i]);
		*array_add(locks, n_locks) = lock;
		etcd_guard_add(txn, keys[i], ETCD_CHANGED, a ? a->revision : 0);
		etcd_guard_add(txn, lock, ETCD_CHANGED, held_at(c, ids[i])->revision);
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

	new_nonce(intent.nonce);
	snprintf(intent.receipt, sizeof(intent.receipt), "%s", s->receipt);
	token_name(c, s->token, name);
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
		lose(c);
	else
		r = write_surely(c, &txn, key, intent.nonce, &reply);
	if (r == 0 || r == -ESTALE)
		take_again(c, &reply.found, s->ids, s->n, name);
	free_keys(keys, n_keys);
	free_keys(locks, n_locks);
	*ret_until_boot_ms = began_ms + s->hold_s * SECOND_MS - HOLD_SPARE_MS;
	return r;
}

int cluster_clear(struct cluster *c, const struct cluster_claim *claim)
{
	_cleanup_(etcd_txn_free) struct etcd_txn txn = {0};
	_cleanup_free_ char *key = key_of(c, "intents/", claim->name);
	_cleanup_free_ char *hold = key_of(c, "holds/", claim->name);
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
		take_again(c, &reply.found, NULL, 0, name); // ours, only if nothing of it was done
		r = claim->revision && cluster_is_ours(c, &claim->intent) ? -ESTALE : 0;
	}
	return r;
}

// ---- the record

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

	new_nonce(new.nonce);
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

	new_nonce(doubt.nonce);
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
	_cleanup_free_ char *key = key_of(c, "accounts/", id);
	_cleanup_secret_ struct secret text = cluster_record_text(&new), doubted = {0};
	_cleanup_secret_ struct secret sealed = seal_text(&c->seal, key, &text);

	memcpy(ids[0], id, sizeof(ids[0]));
	token_name(c, settled, settled_name);
	token_name(c, new.live.fingerprint, live_name);
	_cleanup_free_ char *old_intent = key_of(c, "intents/", settled_name);
	_cleanup_free_ char *old_hold = key_of(c, "holds/", settled_name);
	_cleanup_free_ char *intent = key_of(c, "intents/", live_name);
	_cleanup_free_ char *hold = key_of(c, "holds/", live_name);
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
		take_again(c, &reply.found, ids, 1, live_name);
	struct cluster_claim *claim = claim_at(c, settled_name);
	if (r == 0 && claim && !fingerprint_empty(settled) && !same)
		claim->revision = 0;
	cluster_record_free(&new);
	return r;
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
	_cleanup_free_ char *key = key_of(c, "hosts/", c->uuid);
	_cleanup_secret_ struct secret text = cluster_host_text(&host);
	_cleanup_secret_ struct secret sealed = {0};

	if (c->lock_lease)
		etcd_lease_revoke(&c->etcd, c->lock_lease);
	forget_held(c);
	if (!c->reached)
		return;
	sealed = seal_text(&c->seal, key, &text);
	etcd_put_add(&txn, key, &sealed, 0);
	if (etcd_commit(&c->etcd, &txn, &reply) < 0)
		log_debug("the other hosts are not told: %s", c->etcd.trouble);
}
