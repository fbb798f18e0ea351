// SPDX-License-Identifier: MIT
//
// A look as a thing: its accounts, how they are found and what connects them.
#include "account/account.h"

struct account *observation_add(struct observation *o)
{
	struct account *a = xcalloc(1, sizeof(*a));

	*array_add(&o->accounts, &o->n_accounts) = a;
	return a;
}

bool record_is_of_here(const struct observation *o, const struct account_record *r)
{
	return r->unreadable || stores_dir(&o->stores, r->state_dir);
}

void observation_index(struct observation *o)
{
	index_free(&o->by_key);
	for (size_t i = 0; i < o->n_accounts; i++)
		index_add(&o->by_key, hash_string(o->accounts[i]->record.key), i);
}

struct account *observation_account(const struct observation *observation, const char *key)
{
	for_each_found (found, &observation->by_key, hash_string(key))
		if (string_equal(observation->accounts[found->at]->record.key, key))
			return observation->accounts[found->at];
	return NULL;
}

void observation_tie(struct observation *o)
{
	index_free(&o->ties);
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		if (!fingerprint_empty(a->verdict.record.live.fingerprint))
			index_add(&o->ties, hash_token(a->verdict.record.live.fingerprint), i);
		for (size_t k = 0; k < a->n_receipts; k++)
			index_add(&o->ties, hash_token(a->receipts[k]->token), i);
		index_add(&o->ties, hash_string(a->record.key), i);
		if (a->renamed_from[0])
			index_add(&o->ties, hash_string(a->renamed_from), i);
	}
}

static void add_connected(const struct observation *o, const struct account *a, uint64_t hash,
			  struct account ***list, size_t *n)
{
	for_each_found (found, &o->ties, hash) {
		struct account *other = o->accounts[found->at];
		if (other != a && accounts_connected(a, other))
			*array_add(list, n) = other;
	}
}

struct account **observation_connected(const struct observation *o, const struct account *a,
				       size_t *ret_n)
{
	struct account **list = NULL;

	*ret_n = 0;
	if (!fingerprint_empty(a->verdict.record.live.fingerprint))
		add_connected(o, a, hash_token(a->verdict.record.live.fingerprint), &list, ret_n);
	for (size_t i = 0; i < a->n_receipts; i++)
		add_connected(o, a, hash_token(a->receipts[i]->token), &list, ret_n);
	add_connected(o, a, hash_string(a->record.key), &list, ret_n);
	if (a->renamed_from[0])
		add_connected(o, a, hash_string(a->renamed_from), &list, ret_n);
	return list;
}

static const char *bar_of(const struct state_dir **dirs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (dirs[i]->barred)
			return dirs[i]->barred;
	return NULL;
}

const char *observation_bars_store(const struct observation *o, const struct store *store)
{
	return o->barred ? o->barred : bar_of(store->dirs, store->n_dirs);
}

const char *observation_bars(const struct observation *o, const struct account *a)
{
	size_t n = 0;
	_cleanup_free_ const struct state_dir **dirs = account_dirs(a, &n);

	return o->barred ? o->barred : bar_of(dirs, n);
}

static void free_accounts(struct observation *o)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		account_free(o->accounts[i]);
		free(o->accounts[i]);
	}
	free(TAKE_PTR(o->accounts));
	o->n_accounts = 0;
	index_free(&o->by_key);
	index_free(&o->ties);
}

void observation_free(struct observation *observation)
{
	free_accounts(observation);
	stores_free(&observation->stores);
	account_records_free(&observation->records);
	receipts_free(&observation->receipts);
	free(observation->unowned);
	problems_free(&observation->problems);
	free(observation->barred);
	*observation = (struct observation){0};
}
