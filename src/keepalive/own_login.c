// SPDX-License-Identifier: MIT
//
// An agent's own login: somebody else's under the same profile id. It is an account of its own, which the ledger knows by
// its tokens first, and by its identity only where those say nothing.
#include "keepalive/grouping.h"

void own_login_split(struct grouping *g, size_t base)
{
	struct account *old = grouping_add_account(g, "", "");
	struct account *a = &g->o->accounts[base];
	struct account_record *r = &old->record;

	grouping_take_record(old, &a->record);
	old->provider = a->provider;
	old->record_changed = true;
	memcpy(old->renamed_from, r->key, sizeof(r->key));
	account_key(r->key, r->state_dir, r->provider, r->profile, &r->identity);
	r->own_login = r->split = true;
	free(TAKE_PTR(r->main_store));

	account_record_free(&a->record);
	a->recorded = false;
	a->record.state_dir = xstrdup(r->state_dir);
	a->record.provider = xstrdup(r->provider);
	a->record.profile = xstrdup(r->profile);
	memcpy(a->record.key, old->renamed_from, sizeof(a->record.key));
}

static bool record_matches(const struct account_record *r, const struct copy *copy,
			   enum known_by by)
{
	const struct credential *c = &copy->credential;

	switch (by) {
	case BY_TOKEN:
		return fingerprint_equal(r->live.fingerprint, c->fingerprint) ||
		       record_superseded(r, c->fingerprint);
	case BY_FENCE:
		return record_knows_fence(r, copy->fence.digest) ||
		       fingerprint_equal(copy->fence.digest,
					 fence_digest(r->profile, r->provider, &r->live.refresh));
	case BY_IDENTITY:
		return identity_compare(&r->identity, &c->identity) == IDENTITY_SAME;
	}
	return false;
}

static struct account_record *record_of_own_login(struct grouping *g, const struct copy *copy,
						  enum known_by by)
{
	struct account_record *ended = NULL;

	for (size_t i = 0; i < g->o->records.n; i++) {
		struct account_record *r = &g->o->records.list[i];
		if (!r->unreadable && r->own_login &&
		    string_equal(r->state_dir, g->o->stores.state_dir) &&
		    string_equal(r->provider, copy->credential.provider) &&
		    string_equal(r->profile, copy->credential.profile) &&
		    record_matches(r, copy, by)) {
			if (!r->ended_ms)
				return r;
			ended = r;
		}
	}
	return ended;
}

static bool holds_token(const struct account *a, struct fingerprint token)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (fingerprint_equal(a->members[i].copy->credential.fingerprint, token))
			return true;
	return account_knows(a, token);
}

static bool own_login_matches(const struct account *a, const struct copy *copy, enum known_by by)
{
	if (!a->record.own_login)
		return false;
	if (by == BY_TOKEN)
		return holds_token(a, copy->credential.fingerprint);
	return record_matches(&a->record, copy, by);
}

struct account *own_login_find(struct grouping *g, size_t first, const struct copy *copy,
			       enum known_by by)
{
	struct account_record *record = record_of_own_login(g, copy, by);

	for (size_t i = first; i < g->o->n_accounts; i++) {
		struct account *a = &g->o->accounts[i];
		// One that was split off just now is known by no record yet, and goes before one that has ended.
		if (record && !record->ended_ms
			    ? string_equal(a->record.key, record->key)
			    : !a->record.ended_ms && own_login_matches(a, copy, by))
			return a;
	}
	for (size_t i = first; record && i < g->o->n_accounts; i++)
		if (string_equal(g->o->accounts[i].record.key, record->key))
			return &g->o->accounts[i];
	if (!record)
		return NULL;
	struct account *a = grouping_add_account(g, record->provider, record->profile);
	grouping_take_record(a, record);
	return a;
}

// An account id alone may be a workspace that several people share: a login that nothing else is known of is that of the
// record only where the record's own stands.
static bool may_be_whose(const struct account *a, const struct seat *seat)
{
	return a->record.unreadable || string_equal(a->record.main_store, seat->store->path) ||
	       identity_compare(&a->record.identity, &seat->copy->credential.identity) ==
		       IDENTITY_SAME;
}

void own_login_place_new(struct grouping *g, struct seat *seat)
{
	const struct credential *c = &seat->copy->credential;
	struct account_record *record;
	struct account *a = NULL;
	char key[33];

	account_key(key, g->o->stores.state_dir, c->provider, c->profile, &c->identity);
	for (size_t i = 0; i < g->o->n_accounts && !a; i++)
		if (string_equal(g->o->accounts[i].record.key, key))
			a = &g->o->accounts[i];
	record = grouping_find_record(g, key);
	if (!a) {
		a = grouping_add_account(g, c->provider, c->profile);
		a->record.own_login = true;
		identity_copy(&a->record.identity, &c->identity);
		memcpy(a->record.key, key, sizeof(key));
		if (record)
			grouping_take_record(a, record);
		if (!record || may_be_whose(a, seat)) {
			grouping_add_member(a, seat);
			return;
		}
	}
	if (may_be_whose(a, seat))
		grouping_add_member(a, seat);
	else
		grouping_add_fixed(a, seat, COPY_UNPROVEN);
}
