// SPDX-License-Identifier: MIT
//
// What the steps of grouping work with: the copies and where they stand, what the ledger has, accounts and their members.
#include "account/grouping.h"

// What stands so in many stores is one copy, of which is asked once what can be.
static void take_seat(struct grouping *g, const struct store *store, const struct copy *copy)
{
	struct seat seat = {.store = store, .copy = copy};
	uint64_t hash = hash_pointer(copy);

	for_each_found (found, &g->seats_by_copy, hash) {
		seat.again |= g->seats[found->at].copy == copy;
		seat.name = g->seats[found->at].name;
	}
	if (!seat.again) {
		seat.name = hash_strings(copy->credential.provider, copy->credential.profile);
		index_add(&g->seats_by_copy, hash, g->n_seats);
	}
	*array_add(&g->seats, &g->n_seats) = seat;
}

// Where another state directory has it by a link, it is the first one's.
static bool is_of(const struct store *store, const struct state_dir *dir)
{
	return store->n_dirs && store->dirs[0] == dir;
}

static void take_seats(struct grouping *g)
{
	for (size_t i = 0; i < g->o->stores.n; i++) {
		const struct store *store = &g->o->stores.list[i];
		bool readable = store->state == STORE_OK || store->state == STORE_RETIRED;
		if (g->dir && !is_of(store, g->dir))
			continue;
		for (size_t k = 0; readable && k < store->n_copies; k++)
			take_seat(g, store, store->copies[k]);
	}
}

// OpenClaw's main store: the shared row, else agents/main's database, else its file (the list is in that order). One that
// a database replaced, and that we serve there, is nobody's main.
static const struct store *find_main_store(const struct grouping *g)
{
	for (size_t i = 0; i < g->o->stores.n; i++) {
		const struct store *store = &g->o->stores.list[i];
		if (is_of(store, g->dir) && !store->served &&
		    (store->role == ROLE_MAIN || store->role == ROLE_SHARED))
			return store;
	}
	return NULL;
}

static void index_bad_entries(struct grouping *g, size_t at)
{
	const struct store *store = &g->o->stores.list[at];

	for (size_t i = 0; store->state == STORE_OK && i < store->n_copies; i++)
		if (store->copies[i]->kind == COPY_UNREADABLE)
			index_add(&g->bad_entries,
				  hash_string(store->copies[i]->credential.profile), at);
}

static void index_all(struct grouping *g)
{
	for (size_t i = 0; i < g->n_seats; i++)
		if (copy_is_of_account(g->seats[i].copy))
			index_add(&g->seats_by_name, g->seats[i].name, i);
	for (size_t i = 0; i < g->o->records.n; i++) {
		const struct account_record *r = &g->o->records.list[i];
		index_add(&g->records_by_key, hash_string(r->key), i);
		index_add(&g->records_by_name, hash_strings(r->provider, r->profile), i);
		if (r->own_login && !fingerprint_empty(r->live.fingerprint))
			index_add(&g->own_by_token, hash_token(r->live.fingerprint), i);
	}
	for (size_t i = 0; i < g->o->stores.n; i++)
		index_bad_entries(g, i);
	for (size_t i = 0; i < g->o->stores.n; i++)
		index_add(&g->stores_by_path, hash_string(g->o->stores.list[i].path), i);
	g->main = find_main_store(g);
}

void grouping_begin(struct grouping *g)
{
	take_seats(g);
	index_all(g);
}

void grouping_end(struct grouping *g)
{
	free(g->seats);
	index_free(&g->seats_by_name);
	index_free(&g->seats_by_copy);
	index_free(&g->bad_entries);
	index_free(&g->records_by_key);
	index_free(&g->records_by_name);
	index_free(&g->own_by_token);
	index_free(&g->stores_by_path);
}

const struct store *grouping_store(const struct grouping *g, const char *path)
{
	for_each_found (found, &g->stores_by_path, hash_string(path))
		if (string_equal(g->o->stores.list[found->at].path, path))
			return &g->o->stores.list[found->at];
	return NULL;
}

struct account *grouping_add_account(struct grouping *g, const char *provider, const char *profile)
{
	struct account *a = observation_add(g->o);

	a->provider = config_provider(g->config, provider);
	a->dir = g->dir;
	a->record.state_dir = xstrdup(g->dir->path);
	a->record.provider = xstrdup(provider);
	a->record.profile = xstrdup(profile);
	return a;
}

void grouping_take_record(struct account *a, const struct account_record *record)
{
	struct account_record named = a->record;

	a->record = (struct account_record){0};
	account_record_copy(&a->record, record);
	if (record->unreadable) { // it cannot say whose it is; who asked for it can
		a->record.state_dir = TAKE_PTR(named.state_dir);
		a->record.provider = TAKE_PTR(named.provider);
		a->record.profile = TAKE_PTR(named.profile);
	}
	account_record_free(&named);
	a->recorded = true;
}

struct account_record *grouping_find_record(struct grouping *g, const char *key)
{
	for_each_found (found, &g->records_by_key, hash_string(key))
		if (string_equal(g->o->records.list[found->at].key, key))
			return &g->o->records.list[found->at];
	return NULL;
}

struct member *grouping_add_member(struct account *a, struct seat *seat)
{
	struct member *m = account_add_member(a);

	m->store = seat->store;
	m->copy = seat->copy;
	m->state = seat->copy->kind == COPY_FENCED  ? COPY_STATE_FENCED
		   : seat->copy->kind == COPY_BLANK ? COPY_ENDED
						    : COPY_CURRENT;
	seat->placed = true;
	return m;
}

void grouping_add_fixed(struct account *a, struct seat *seat, enum copy_state state)
{
	struct member *m = grouping_add_member(a, seat);

	m->fixed = true;
	m->state = state;
}
