// SPDX-License-Identifier: MIT
//
// Which copies are one account? Architecture, "Which copy is right", 4 and 5.
//
// For every (provider, profile id) there is a base account, whose main is OpenClaw's main store (or, where main never
// had it, the first store that has). An agent's copy that belongs to somebody else under the same profile id is an
// account of its own. Where it cannot be told whose a copy is, it is unproven: neither written nor spent.
#include "account/grouping.h"

bool account_holds(const struct account *a, struct fingerprint token)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (fingerprint_equal(a->members[i].copy->credential.fingerprint, token))
			return true;
	return account_knows(a, token);
}

static bool is_account_copy(const struct copy *copy)
{
	return copy->kind == COPY_OAUTH || copy->kind == COPY_BLANK || copy->kind == COPY_FENCED;
}

static bool same_profile(const struct seat *a, const struct seat *b)
{
	return string_equal(a->copy->credential.profile, b->copy->credential.profile) &&
	       string_equal(a->copy->credential.provider, b->copy->credential.provider);
}

struct account *grouping_add_account(struct grouping *g, const char *provider, const char *profile)
{
	struct account *a = array_add(&g->o->accounts, &g->o->n_accounts);

	a->provider = config_provider(g->config, provider);
	a->record.state_dir = xstrdup(g->o->stores.state_dir);
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
	struct member *m = array_add(&a->members, &a->n_members);

	if (a->main)
		a->main = &a->members[0]; // the array may have moved
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

// A database took this store's place: what is still seen here tells whose it is, and no more.
static void place_retired(struct grouping *g, size_t base, struct seat *seat)
{
	struct account *a = &g->o->accounts[base], *own = NULL;
	const struct credential *c = &seat->copy->credential;

	if (seat->copy->kind == COPY_OAUTH && !account_knows(a, c->fingerprint) &&
	    identity_compare(&a->record.identity, &c->identity) == IDENTITY_DIFFERENT) {
		own = own_login_find(g, base + 1, seat->copy, BY_TOKEN);
		if (!own)
			own = own_login_find(g, base + 1, seat->copy, BY_IDENTITY);
		if (!own)
			own = own_login_add(g, seat->copy);
	}
	grouping_add_fixed(own ? own : &g->o->accounts[base], seat, COPY_RETIRED);
}

static bool serves_token(const struct account *a, struct fingerprint token)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (!a->members[i].fixed &&
		    fingerprint_equal(a->members[i].copy->credential.fingerprint, token))
			return true;
	return account_knows(a, token);
}

// The runtime holds the retired store's token in a database that we cannot write. Whoever shares it must not spend it.
static void warn_of_retired(struct grouping *g, size_t base, const struct seat *seat)
{
	for (size_t i = base; i < g->o->n_accounts; i++) {
		struct account *a = &g->o->accounts[i];
		if (!a->main_trouble && ((i == base && !a->main) ||
					 serves_token(a, seat->copy->credential.fingerprint)))
			a->main_trouble = "its login also stands in a store that SQLite replaced";
	}
}

static bool any_database_holds(const struct grouping *g)
{
	for (size_t i = 0; i < g->o->stores.n; i++)
		if (g->o->stores.list[i].format == STORE_OPENCLAW_SQLITE &&
		    g->o->stores.list[i].n_copies > 0)
			return true;
	return false;
}

// A login that stands nowhere but in JSON which OpenClaw reads no more: it has not imported it, or it is left over.
static void judge_left_over(struct grouping *g, struct account *a)
{
	if (a->main || a->main_trouble || !a->n_members)
		return;
	for (size_t i = 0; i < a->n_members; i++)
		if (a->members[i].state != COPY_RETIRED)
			return;
	if (a->recorded || !any_database_holds(g))
		a->main_trouble = "OpenClaw keeps credentials in SQLite now and has not imported "
				  "this login: run `openclaw doctor --fix`";
	else
		a->skip = xstrdup("left over in JSON that OpenClaw reads no more");
}

// The account's own token under another identity: something is corrupt, and nothing is done until a person has looked.
static void member_add_contradiction(struct account *a, struct seat *seat)
{
	a->identity_conflict = true;
	grouping_add_fixed(a, seat, COPY_DIVERGED);
}

// Before anybody is let in by identity, it is completed from all who are known by their token: who is SAME and who is
// DIFFERENT must not depend on the order of the stores.
static void complete_from_known(struct account *a, struct seat **seats, size_t n)
{
	struct identity before = {0};

	if (a->record.unreadable)
		return;
	identity_copy(&before, &a->record.identity);
	for (size_t i = 0; i < n; i++) {
		const struct credential *c = &seats[i]->copy->credential;
		bool main_token =
			a->main &&
			fingerprint_equal(a->main->copy->credential.fingerprint, c->fingerprint);
		if (seats[i]->store->state == STORE_OK &&
		    (main_token || account_knows(a, c->fingerprint)) &&
		    identity_compare(&a->record.identity, &c->identity) != IDENTITY_DIFFERENT)
			identity_complete(&a->record.identity, &c->identity);
	}
	a->verdict.record_changed |= a->recorded && !identity_equal(&before, &a->record.identity);
	identity_free(&before);
}

// Where does a copy that is not main belong? `base` is an index, since accounts are added meanwhile.
static void place(struct grouping *g, size_t base, struct seat *seat)
{
	struct account *a = &g->o->accounts[base], *own;
	const struct credential *c = &seat->copy->credential;
	bool agent = seat->store->role != ROLE_EXTERNAL;
	enum identity_match match = account_match(a, c);
	bool main_token =
		a->main && fingerprint_equal(a->main->copy->credential.fingerprint, c->fingerprint);
	bool known = main_token || account_knows(a, c->fingerprint);

	if (a->record.unreadable ||
	    seat->copy->kind == COPY_BLANK) { // nothing to tell it by but its place
		grouping_add_member(a, seat);
		return;
	}
	if (seat->copy->kind == COPY_FENCED) { // by what it names
		own = agent ? own_login_find(g, base + 1, seat->copy, BY_FENCE) : NULL;
		grouping_add_member(own ? own : &g->o->accounts[base], seat);
		return;
	}
	if (known && match == IDENTITY_DIFFERENT) {
		member_add_contradiction(a, seat);
		return;
	}
	// A token that an agent's own login is known by stays there, even when the same person logs in to main: by time
	// alone our last answer to the agent could look newer than that login, and must not take its place.
	own = agent && !known ? own_login_find(g, base + 1, seat->copy, BY_TOKEN) : NULL;
	a = &g->o->accounts[base];
	if (own && account_match(own, c) == IDENTITY_DIFFERENT) {
		member_add_contradiction(own, seat);
		return;
	}
	if (!own && (known || match == IDENTITY_SAME)) {
		grouping_add_member(a, seat);
		return;
	}
	if (!own && agent && match == IDENTITY_DIFFERENT)
		own = own_login_find(g, base + 1, seat->copy, BY_IDENTITY);
	if (!own && agent && match == IDENTITY_DIFFERENT) {
		own_login_place_new(g, seat);
		return;
	}
	a = &g->o->accounts[base];
	if (own)
		grouping_add_member(own, seat);
	else if (match == IDENTITY_DIFFERENT)
		grouping_add_fixed(a, seat, COPY_FOREIGN);
	else if (agent && identity_empty(&a->record.identity) && identity_empty(&c->identity))
		grouping_add_member(
			a,
			seat); // OpenClaw's own rule: nobody says whose it is, the place says it
	else
		grouping_add_fixed(a, seat, COPY_UNPROVEN);
}

static void group_profile(struct grouping *g, struct seat **seats, size_t n)
{
	const struct credential *first = &seats[0]->copy->credential;
	size_t base = g->base = g->o->n_accounts;
	struct account *a = grouping_add_account(g, first->provider, first->profile);
	struct account_record *record;
	struct seat *main;

	account_key(a->record.key, g->o->stores.state_dir, first->provider, first->profile, NULL);
	record = grouping_find_record(g, a->record.key);
	if (record)
		grouping_take_record(a, record);
	main = main_copy_find(g, a, seats, n);
	if (main && record && !record->unreadable && main->copy->kind == COPY_OAUTH &&
	    identity_compare(&record->identity, &main->copy->credential.identity) ==
		    IDENTITY_DIFFERENT &&
	    !account_knows(a, main->copy->credential.fingerprint)) {
		own_login_split(g, base);
		a = &g->o->accounts[base];
	}
	if (main) {
		grouping_add_member(a, main);
		a->main = &a->members[0];
		a->identity_conflict =
			account_match(a, &main->copy->credential) == IDENTITY_DIFFERENT;
		if (!a->recorded && main->copy->kind == COPY_OAUTH)
			identity_complete(&a->record.identity, &main->copy->credential.identity);
	}
	complete_from_known(a, seats, n);
	// Who says whose it is comes first; the rest can then be told by an equal token.
	for (int named = 1; named >= 0; named--) {
		for (size_t i = 0; i < n; i++) {
			if (seats[i] == main || seats[i]->placed ||
			    identity_empty(&seats[i]->copy->credential.identity) == named)
				continue;
			if (seats[i]->store->state == STORE_RETIRED)
				place_retired(g, base, seats[i]);
			else
				place(g, base, seats[i]);
		}
	}
	for (size_t i = 0; i < n; i++)
		if (seats[i]->store->state == STORE_RETIRED && !seats[i]->store->served)
			warn_of_retired(g, base, seats[i]);
	for (size_t i = base; i < g->o->n_accounts; i++)
		judge_left_over(g, &g->o->accounts[i]);
}

// `by_profile`: of the accounts, those added here as well.
static void add_skipped(struct grouping *g, struct seat *seat, struct index *by_profile)
{
	const struct copy *copy = seat->copy;
	const char *why =
		copy->reason ? copy->reason : "api_key or token profile: nothing to refresh";
	struct account *a = NULL;
	enum copy_state state =
		copy->kind == COPY_UNREADABLE ? COPY_STATE_UNREADABLE : COPY_STATE_STATIC;

	for_each_found (found, by_profile, hash_string(copy->credential.profile)) {
		struct account *other = &g->o->accounts[found->at];
		if (!a && string_equal(other->record.profile, copy->credential.profile) &&
		    (other->skip ? string_equal(other->skip, why) : copy->kind == COPY_UNREADABLE))
			a = other;
	}
	if (!a) {
		index_add(by_profile, hash_string(copy->credential.profile), g->o->n_accounts);
		a = grouping_add_account(g,
					 copy->credential.provider ? copy->credential.provider : "",
					 copy->credential.profile);
		a->skip = xstrdup(why);
		char nobody[] = "(skipped)"; // a key of its own, which no record has
		account_key(a->record.key, a->record.state_dir, a->record.provider,
			    a->record.profile, &(struct identity){.user_id = nobody});
	}
	grouping_add_fixed(a, seat, state);
}

static void add_all_skipped(struct grouping *g)
{
	_cleanup_index_ struct index by_profile = {0};

	for (size_t i = 0; i < g->o->n_accounts; i++)
		index_add(&by_profile, hash_string(g->o->accounts[i].record.profile), i);
	for (size_t i = 0; i < g->n_seats; i++)
		if (!g->seats[i].placed)
			add_skipped(g, &g->seats[i], &by_profile);
}

static void skip_what_is_not_ours(struct grouping *g)
{
	for (size_t i = 0; i < g->o->n_accounts; i++) {
		struct account *a = &g->o->accounts[i];
		if (a->skip)
			continue;
		if (config_excludes(g->config, a->record.provider, a->record.profile))
			a->skip = xstrdup("excluded by the configuration");
		else if (!a->provider) {
			a->skip = xstrdup("unknown provider; describe it under `providers` in "
					  "oauth-keepalive.conf");
			a->unserved = true;
		} else if (a->provider->no_refresh)
			a->skip = xstrdup(a->provider->no_refresh);
	}
}

static void index_accounts(struct observation *o)
{
	index_free(&o->by_key);
	for (size_t i = 0; i < o->n_accounts; i++)
		index_add(&o->by_key, hash_string(o->accounts[i].record.key), i);
}

// Accounts that the ledger remembers and no store shows.
static void add_absent(struct grouping *g)
{
	index_accounts(g->o);
	for (size_t i = 0; i < g->o->records.n; i++) {
		struct account_record *r = &g->o->records.list[i];
		if ((!r->unreadable && !string_equal(r->state_dir, g->o->stores.state_dir)) ||
		    observation_account(g->o, r->key))
			continue;
		struct account *a = grouping_add_account(g, r->unreadable ? "" : r->provider,
							 r->unreadable ? "" : r->profile);
		grouping_take_record(a, r);
		if (r->unreadable)
			continue;
		const struct store *was = grouping_store(g, r->main_store);
		if (was && was->state == STORE_RETIRED && !was->served)
			a->main_trouble = "its main store was replaced by SQLite";
		else if (store_is_unread(was))
			main_is_unread(a, was);
		else if (store_has_bad_entry(was, r->profile))
			a->main_trouble = "its entry in the main store cannot be read";
		else if (!was || was->state != STORE_OK)
			a->skip = xstrdup("no store holds it any more");
	}
}

static void take_seats(struct grouping *g)
{
	for (size_t i = 0; i < g->o->stores.n; i++) {
		const struct store *store = &g->o->stores.list[i];
		bool readable = store->state == STORE_OK || store->state == STORE_RETIRED;
		for (size_t k = 0; readable && k < store->n_copies; k++)
			*array_add(&g->seats, &g->n_seats) =
				(struct seat){.store = store, .copy = &store->copies[k]};
	}
}

static uint64_t hash_seat(const struct seat *seat)
{
	return hash_strings(seat->copy->credential.provider, seat->copy->credential.profile);
}

static void index_all(struct grouping *g)
{
	for (size_t i = 0; i < g->n_seats; i++)
		if (is_account_copy(g->seats[i].copy))
			index_add(&g->seats_by_name, hash_seat(&g->seats[i]), i);
	for (size_t i = 0; i < g->o->records.n; i++) {
		const struct account_record *r = &g->o->records.list[i];
		index_add(&g->records_by_key, hash_string(r->key), i);
		index_add(&g->records_by_name, hash_strings(r->provider, r->profile), i);
	}
	for (size_t i = 0; i < g->o->stores.n; i++)
		index_add(&g->stores_by_path, hash_string(g->o->stores.list[i].path), i);
	g->main = grouping_main_store(g);
}

static void group_seats(struct grouping *g)
{
	for (size_t i = 0; i < g->n_seats; i++) {
		_cleanup_free_ struct seat **same = NULL;
		size_t n = 0;
		if (g->seats[i].placed || !is_account_copy(g->seats[i].copy))
			continue;
		for_each_found (found, &g->seats_by_name, hash_seat(&g->seats[i]))
			if (same_profile(&g->seats[i], &g->seats[found->at]))
				*array_add(&same, &n) = &g->seats[found->at];
		group_profile(g, same, n);
	}
}

void group_accounts(struct observation *observation, const struct config *config,
		    const struct ledger *ledger)
{
	struct grouping g = {.o = observation, .config = config, .ledger = ledger};

	take_seats(&g);
	index_all(&g);
	group_seats(&g);
	add_absent(&g);
	add_all_skipped(&g);
	skip_what_is_not_ours(&g);
	index_accounts(observation);
	for (size_t i = 0; i < observation->n_accounts; i++)
		main_copy_settle(&g, &observation->accounts[i]);
	evidence_of_accounts(&g);
	evidence_of_sharing(&g);
	free(g.seats);
	index_free(&g.seats_by_name);
	index_free(&g.records_by_key);
	index_free(&g.records_by_name);
	index_free(&g.stores_by_path);
}
