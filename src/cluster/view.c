// SPDX-License-Identifier: MIT
//
// See view.h.
#include "cluster/view.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"

// ---- keys and names

char *view_key(const struct cluster *c, const char *kind, const char *name)
{
	return xasprintf("%s%s%s", c->config->cluster.prefix, kind, name);
}

void view_token_name(const struct cluster *c, struct fingerprint token, char ret[33])
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

// ---- locks: "<ledger's uuid> <host>"

const char *view_lock_host(const struct secret *text)
{
	const char *space = text->text ? strchr(text->text, ' ') : NULL;

	return space ? space + 1 : "another host";
}

struct secret view_lock_text(const struct cluster *c)
{
	_cleanup_free_ char *text = xasprintf("%s %s", c->uuid, c->name);
	struct secret secret = {0};

	secret_set_string(&secret, text);
	return secret;
}

bool view_lock_is_ours(const struct cluster *c, const struct secret *text)
{
	size_t len = strlen(c->uuid);

	return len && text->len > len && memcmp(text->text, c->uuid, len) == 0;
}

struct cluster_lock *view_held(struct cluster *c, const char *id)
{
	for (size_t i = 0; i < c->n_held; i++)
		if (string_equal(c->held[i].id, id))
			return &c->held[i];
	struct cluster_lock *lock = array_add(&c->held, &c->n_held);
	snprintf(lock->id, sizeof(lock->id), "%s", id);
	return lock;
}

void view_forget_locks(struct cluster *c)
{
	free(TAKE_PTR(c->held));
	c->n_held = 0;
	c->lock_lease = 0;
}

// ---- what stands there

struct cluster_account *view_account(const struct cluster *c, const char *id)
{
	for (size_t i = 0; i < c->n_accounts; i++)
		if (string_equal(c->accounts[i].id, id))
			return &c->accounts[i];
	return NULL;
}

const struct cluster_account *cluster_account(const struct cluster *c, const char *id)
{
	const struct cluster_account *a = view_account(c, id);

	return a && a->revision ? a : NULL;
}

struct cluster_claim *view_claim(const struct cluster *c, const char *name)
{
	for (size_t i = 0; i < c->n_claims; i++)
		if (string_equal(c->claims[i].name, name))
			return &c->claims[i];
	return NULL;
}

const struct cluster_claim *cluster_claim(const struct cluster *c, struct fingerprint token)
{
	char name[33];

	view_token_name(c, token, name);
	const struct cluster_claim *claim = view_claim(c, name);
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

const char *cluster_remedy(int unreadable)
{
	switch (unreadable) {
	case -ENOKEY:
		return "give this host the other hosts' key: as `seal_key_file`, or in "
		       "`old_seal_key_files`";
	case -EPROTONOSUPPORT:
		return "install the version that the other hosts have";
	default:
		return NULL;
	}
}

const char *cluster_newer_key(const struct cluster *c)
{
	const char *path = c->seal.n ? c->seal.keys[0].path : NULL;

	return path && path != c->config->cluster.seal_key_file ? path : NULL;
}

size_t cluster_count_old_keys(const struct cluster *c)
{
	size_t n = c->names_of_old_key;

	for (size_t i = 0; i < c->n_accounts; i++)
		n += c->accounts[i].revision && c->accounts[i].old_key;
	for (size_t i = 0; i < c->n_claims; i++)
		n += c->claims[i].revision && c->claims[i].old_key;
	return n;
}

int64_t cluster_clock_ahead_ms(const struct cluster *c)
{
	int64_t ahead_ms = c->etcd.our_date_ms - c->etcd.date_ms;

	if (!c->etcd.date_ms)
		return 0;
	return ahead_ms > CLUSTER_SKEW_MS || ahead_ms < -CLUSTER_SKEW_MS ? ahead_ms : 0;
}

// ---- reading it

int view_open(struct cluster *c, const struct etcd_entry *entry, struct secret *ret)
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
const char *view_hash(const struct cluster *c, const char *key, const char *kind)
{
	const char *name = name_below(c, key, kind);

	return name && strlen(name) == 32 ? name : NULL;
}

static void take_account(struct cluster *c, const char *id, const struct etcd_entry *entry)
{
	_cleanup_secret_ struct secret text = {0};
	struct cluster_account *a = view_account(c, id);
	int r;

	if (!a)
		a = array_add(&c->accounts, &c->n_accounts);
	cluster_record_free(&a->record);
	*a = (struct cluster_account){.revision = entry->revision};
	snprintf(a->id, sizeof(a->id), "%s", id);
	r = view_open(c, entry, &text);
	a->old_key = r > 0;
	a->unreadable = r < 0 ? r : cluster_record_read(&text, &a->record);
}

static void take_claim(struct cluster *c, const char *name, const struct etcd_entry *entry)
{
	_cleanup_secret_ struct secret text = {0};
	struct cluster_claim *claim = view_claim(c, name);

	if (!claim)
		claim = array_add(&c->claims, &c->n_claims);
	cluster_intent_free(&claim->intent);
	snprintf(claim->name, sizeof(claim->name), "%s", name);
	claim->revision = entry->revision;
	int r = view_open(c, entry, &text);
	claim->old_key = r > 0;
	claim->unreadable = r < 0 ? r : cluster_intent_read(&text, &claim->intent);
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
	view_open(c, entry, &text);
	lock->host = xstrdup(view_lock_host(&text));
	lock->ours = view_lock_is_ours(c, &text);
}

static void take_host(struct cluster *c, const struct etcd_entry *entry)
{
	_cleanup_secret_ struct secret text = {0};
	struct cluster_host host;

	if (view_open(c, entry, &text) >= 0 && cluster_host_read(&text, &host) == 0)
		*array_add(&c->hosts, &c->n_hosts) = host;
}

static void take(struct cluster *c, const struct etcd_entry *entry)
{
	const char *name;

	if ((name = view_hash(c, entry->key, "accounts/")))
		take_account(c, name, entry);
	else if ((name = view_hash(c, entry->key, "intents/")))
		take_claim(c, name, entry);
	else if ((name = view_hash(c, entry->key, "locks/")))
		take_lock(c, name, entry);
	else if (name_below(c, entry->key, "hosts/"))
		take_host(c, entry);
}

// Of some keys, read again: those that are not among the entries are no more.
void view_take_again(struct cluster *c, const struct etcd_entries *found, char (*ids)[33], size_t n,
		     const char *token)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *key = view_key(c, "accounts/", ids[i]);
		const struct etcd_entry *entry = etcd_find(found, key);
		struct cluster_account *a = view_account(c, ids[i]);
		if (entry)
			take_account(c, ids[i], entry);
		else if (a)
			a->revision = 0;
	}
	_cleanup_free_ char *intent = view_key(c, "intents/", token);
	_cleanup_free_ char *hold = view_key(c, "holds/", token);
	const struct etcd_entry *entry = etcd_find(found, intent);
	struct cluster_claim *claim = view_claim(c, token);
	if (entry)
		take_claim(c, token, entry);
	else if (claim)
		claim->revision = 0;
	if (entry)
		view_claim(c, token)->held = etcd_find(found, hold) != NULL;
}

static void mark_held(struct cluster *c, const struct etcd_entries *entries)
{
	for (size_t i = 0; i < c->n_claims; i++) {
		_cleanup_free_ char *key = view_key(c, "holds/", c->claims[i].name);
		c->claims[i].held = etcd_find(entries, key) != NULL;
	}
}

void view_take_all(struct cluster *c, const struct etcd_entries *entries)
{
	for (size_t i = 0; i < entries->n; i++)
		take(c, &entries->list[i]);
	mark_held(c, entries);
}

// What was read is thrown away.
void view_forget(struct cluster *c)
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
	c->n_accounts = c->n_claims = c->n_locks = c->n_hosts = 0;
}

// ---- when there is nothing to be seen

void view_give_up(struct cluster *c, char *trouble)
{
	free(c->trouble);
	c->trouble = trouble;
	c->reached = false;
}

void view_lose(struct cluster *c)
{
	view_give_up(c, xstrdup(c->etcd.trouble ? c->etcd.trouble : "etcd is out of reach"));
}
