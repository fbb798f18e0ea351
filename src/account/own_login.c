// SPDX-License-Identifier: MIT
//
// An agent's own login: somebody else's under the same profile id. It is an account of its own, which the ledger knows by
// its tokens first, and by its identity only where those say nothing.
#include "account/grouping.h"

// The record as one of an agent's own login, under its own key. That it was logged out of main says nothing of the copies
// that agents still have; but where its tokens were forgotten since, there is nothing left to keep alive.
static void make_own(struct account *old, const struct account *base)
{
	struct account_record *r = &old->record;

	grouping_take_record(old, &base->record);
	old->provider = base->provider;
	memcpy(old->renamed_from, r->key, sizeof(r->key));
	account_key(r->key, r->state_dir, r->provider, r->profile, &r->identity);
	r->own_login = r->split = true;
	if (!secret_empty(&r->live.refresh))
		r->ended_ms = 0;
	free(TAKE_PTR(r->main_store));
}

static void begin_anew(struct account *a)
{
	struct account_record before = a->record;

	a->record = (struct account_record){
		.state_dir = xstrdup(before.state_dir),
		.provider = xstrdup(before.provider),
		.profile = xstrdup(before.profile),
	};
	memcpy(a->record.key, before.key, sizeof(before.key));
	account_record_free(&before);
	a->recorded = false;
}

void own_login_split(struct grouping *g, struct account *a)
{
	const struct account_record *own;
	char key[33];

	account_key(key, a->record.state_dir, a->record.provider, a->record.profile,
		    &a->record.identity);
	own = grouping_find_record(g, key);
	if (own && !own->ended_ms)
		// The same person has an own login already, which goes on with its own tokens.
		a->ousted = grouping_find_record(g, a->record.key);
	else
		make_own(grouping_add_account(g, "", ""), a);
	begin_anew(a);
}

static bool record_matches(const struct account_record *r, const struct copy *copy,
			   enum known_by by)
{
	const struct credential *c = &copy->credential;

	switch (by) {
	case BY_TOKEN:
		return record_knows(r, c->fingerprint);
	case BY_FENCE:
		return record_knows_fence(r, copy->fence.digest);
	case BY_IDENTITY:
		return identity_compare(&r->identity, &c->identity) == IDENTITY_SAME;
	}
	return false;
}

static bool is_own_login_of(const struct grouping *g, const struct account_record *r,
			    const struct copy *copy)
{
	return !r->unreadable && r->own_login && string_equal(r->state_dir, g->dir->path) &&
	       string_equal(r->provider, copy->credential.provider) &&
	       string_equal(r->profile, copy->credential.profile);
}

// As nearly all copies are known: by the token that is live. So not every record is asked.
static struct account_record *record_of_live_token(struct grouping *g, const struct copy *copy)
{
	for_each_found (found, &g->own_by_token, hash_token(copy->credential.fingerprint)) {
		struct account_record *r = &g->o->records.list[found->at];
		if (is_own_login_of(g, r, copy) && !r->ended_ms &&
		    fingerprint_equal(r->live.fingerprint, copy->credential.fingerprint))
			return r;
	}
	return NULL;
}

static struct account_record *record_of_own_login(struct grouping *g, const struct copy *copy,
						  enum known_by by)
{
	struct account_record *ended = NULL,
			      *live = by == BY_TOKEN ? record_of_live_token(g, copy) : NULL;

	if (live)
		return live;
	for_each_found (found, &g->records_by_name,
			hash_strings(copy->credential.provider, copy->credential.profile)) {
		struct account_record *r = &g->o->records.list[found->at];
		if (is_own_login_of(g, r, copy) && record_matches(r, copy, by)) {
			if (!r->ended_ms)
				return r;
			ended = r;
		}
	}
	return ended;
}

static bool own_login_matches(const struct account *a, const struct copy *copy, enum known_by by)
{
	if (!a->record.own_login)
		return false;
	if (by == BY_TOKEN)
		return account_holds(a, copy->credential.fingerprint);
	return record_matches(&a->record, copy, by);
}

// Among those of the profile that is being grouped.
static struct account *find_by_key(const struct grouping *g, const char *key)
{
	for (size_t i = g->first + 1; i < g->o->n_accounts; i++)
		if (string_equal(g->o->accounts[i]->record.key, key))
			return g->o->accounts[i];
	return NULL;
}

static struct account *find_matching(const struct grouping *g, const struct copy *copy,
				     enum known_by by)
{
	for (size_t i = g->first + 1; i < g->o->n_accounts; i++) {
		struct account *a = g->o->accounts[i];
		if (!a->record.ended_ms && own_login_matches(a, copy, by))
			return a;
	}
	return NULL;
}

struct account *own_login_find(struct grouping *g, const struct copy *copy, enum known_by by)
{
	const struct account_record *record = record_of_own_login(g, copy, by);
	struct account *a = NULL;

	// One that was split off just now is known by no record yet, and goes before one that has ended.
	if (!record || record->ended_ms)
		a = find_matching(g, copy, by);
	if (a || !record)
		return a;
	a = find_by_key(g, record->key);
	if (a)
		return a;
	a = grouping_add_account(g, record->provider, record->profile);
	grouping_take_record(a, record);
	return a;
}

struct account *own_login_of_agents(const struct grouping *g, const struct copy *copy)
{
	struct fingerprint token = copy->credential.fingerprint;

	for (size_t i = g->first + 1; i < g->o->n_accounts; i++) {
		struct account *a = g->o->accounts[i];
		if (a->record.own_login && !a->record.ended_ms && a->n_members &&
		    account_holds(a, token))
			return a;
	}
	return NULL;
}

// Its main is no more, nor does any copy stand that is known to be its.
static bool is_orphaned(const struct grouping *g, const struct account *a)
{
	if (grouping_store(g, a->record.main_store))
		return false;
	for_each_found (found, &g->seats_by_name,
			hash_strings(a->record.provider, a->record.profile)) {
		const struct credential *c = &g->seats[found->at].copy->credential;
		if (string_equal(c->provider, a->record.provider) &&
		    string_equal(c->profile, a->record.profile) &&
		    record_knows(&a->record, c->fingerprint))
			return false;
	}
	return true;
}

// An account id alone may be a workspace that several people share: a login that nothing else is known of is that of the
// record only where the record's own stands, or where nothing of that is left.
static bool may_be_whose(const struct grouping *g, const struct account *a, const struct seat *seat)
{
	return a->record.unreadable || string_equal(a->record.main_store, seat->store->path) ||
	       is_orphaned(g, a) ||
	       identity_compare(&a->record.identity, &seat->copy->credential.identity) ==
		       IDENTITY_SAME;
}

struct account *own_login_add(struct grouping *g, const struct copy *copy)
{
	const struct credential *c = &copy->credential;
	const struct account_record *record;
	struct account *a;
	char key[33];

	account_key(key, g->dir->path, c->provider, c->profile, &c->identity);
	a = find_by_key(g, key);
	if (a)
		return a;
	record = grouping_find_record(g, key);
	a = grouping_add_account(g, c->provider, c->profile);
	a->record.own_login = true;
	identity_copy(&a->record.identity, &c->identity);
	memcpy(a->record.key, key, sizeof(key));
	if (record)
		grouping_take_record(a, record);
	return a;
}

void own_login_place_new(struct grouping *g, struct seat *seat)
{
	struct account *a = own_login_add(g, seat->copy);

	if ((!a->recorded && !a->n_members) || may_be_whose(g, a, seat))
		grouping_add_member(a, seat);
	else
		grouping_add_fixed(a, seat, COPY_UNPROVEN);
}
