// SPDX-License-Identifier: MIT
//
// Which copies are one account? Architecture, "Which copy is right", 4 and 5.
//
// For every (provider, profile id) there is a base account, whose main is OpenClaw's main store (or, where main never
// had it, the first store that has). An agent's copy that belongs to somebody else under the same profile id is an
// account of its own. Where it cannot be told whose a copy is, it is unproven: neither written nor spent.
#include <fnmatch.h>

#include "keepalive/account.h"

struct seat { // a copy and where it stands
	const struct store *store;
	const struct copy *copy;
	bool placed;
};

struct grouping {
	struct observation *o;
	const struct config *config;
	const struct ledger *ledger;
	struct seat *seats;
	size_t n_seats;
};

// OpenClaw's main store: the shared row, else agents/main's database, else its file (the list is in that order). One that
// a database replaced, and that we serve there, is nobody's main.
static const struct store *main_store(const struct grouping *g)
{
	for (size_t i = 0; i < g->o->stores.n; i++) {
		const struct store *store = &g->o->stores.list[i];
		if ((store->role == ROLE_MAIN || store->role == ROLE_SHARED) && !store->served)
			return store;
	}
	return NULL;
}

static const struct store *store_by_path(const struct grouping *g, const char *path)
{
	for (size_t i = 0; i < g->o->stores.n; i++)
		if (string_equal(g->o->stores.list[i].path, path))
			return &g->o->stores.list[i];
	return NULL;
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

static struct account *account_add(struct grouping *g, const char *provider, const char *profile)
{
	struct account *a = array_add(&g->o->accounts, &g->o->n_accounts);

	a->provider = config_provider(g->config, provider);
	a->record.state_dir = xstrdup(g->o->stores.state_dir);
	a->record.provider = xstrdup(provider);
	a->record.profile = xstrdup(profile);
	return a;
}

static void take_record(struct account *a, struct account_record *record)
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

static struct account_record *find_record(struct grouping *g, const char *key)
{
	for (size_t i = 0; i < g->o->records.n; i++)
		if (string_equal(g->o->records.list[i].key, key))
			return &g->o->records.list[i];
	return NULL;
}

static struct member *member_add(struct account *a, struct seat *seat)
{
	struct member *m = array_add(&a->members, &a->n_members);

	if (a->main)
		a->main = &a->members[0]; // the array may have moved
	m->store = seat->store;
	m->copy = seat->copy;
	m->state = seat->copy->kind == COPY_FENCED ? COPY_STATE_FENCED : COPY_CURRENT;
	seat->placed = true;
	return m;
}

static void member_add_fixed(struct account *a, struct seat *seat, enum copy_state state)
{
	struct member *m = member_add(a, seat);

	m->fixed = true;
	m->state = state;
}

static bool has_bad_entry(const struct store *store, const char *profile)
{
	for (size_t i = 0; store && store->state == STORE_OK && i < store->n_copies; i++)
		if (store->copies[i].kind == COPY_UNREADABLE &&
		    string_equal(store->copies[i].credential.profile, profile))
			return true;
	return false;
}

// Where OpenClaw's main profiles are, or were: an upgrade moves them from one to the next.
static bool is_place_of_main(const char *path)
{
	return string_ends(path, "/agents/main/agent/auth-profiles.json") ||
	       string_ends(path, "/agents/main/agent/openclaw-agent.sqlite") ||
	       string_ends(path, "/state/openclaw.sqlite");
}

// The main copy: in OpenClaw's main store; else where the ledger says main was; else the first.
static struct seat *find_main(struct grouping *g, struct account *a, struct seat **seats, size_t n)
{
	const struct store *main = main_store(g), *was = store_by_path(g, a->record.main_store);

	if (has_bad_entry(main, a->record.profile) || has_bad_entry(was, a->record.profile)) {
		a->main_trouble = "its entry in the main store cannot be read";
		return NULL;
	}
	if (main && main->state == STORE_RETIRED) {
		a->main_trouble = "its main store was replaced by SQLite";
		return NULL;
	}
	// It may hold any login, also one that was elsewhere before.
	if (main && main->role == ROLE_SHARED && main->state != STORE_OK) {
		a->main_trouble = "the shared store cannot be read, and may hold the same login";
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		if (seats[i]->store == main)
			return seats[i];
	if (!a->recorded) {
		if (main && (main->state == STORE_UNREADABLE || main->state == STORE_REFUSED))
			a->main_trouble =
				"the main store cannot be read, and may hold the same login";
	} else if (was && was->state != STORE_OK && !was->served &&
		   (was->role == ROLE_MAIN || was->state != STORE_MISSING)) {
		a->main_trouble = was->state == STORE_MISSING ? "its main store is missing"
				  : was->state == STORE_RETIRED
					  ? "its main store was replaced by SQLite"
					  : "its main store cannot be read";
		return NULL;
	} else if (was && was->state == STORE_OK) {
		for (size_t i = 0; i < n; i++)
			if (seats[i]->store == was)
				return seats[i];
		return NULL; // gone from there: logged out
	} else if (!was && (!main || main->state != STORE_OK) &&
		   is_place_of_main(a->record.main_store)) {
		a->main_trouble =
			main ? "its main store cannot be read" : "its main store is missing";
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		if (seats[i]->store->role != ROLE_EXTERNAL && seats[i]->store->state == STORE_OK &&
		    seats[i]->copy->kind == COPY_OAUTH)
			return seats[i];
	return NULL;
}

// SQLite took this store's place, and with it the token that is still seen here: the runtime holds it there, where we
// cannot write. Whoever shares it must not spend it.
static void place_retired(struct account *a, struct seat *seat)
{
	struct fingerprint token = seat->copy->credential.fingerprint;

	if (!a->main_trouble && !seat->store->served &&
	    (!a->main || account_knows(a, token) ||
	     fingerprint_equal(token, a->main->copy->credential.fingerprint)))
		a->main_trouble = "its login also stands in a store that SQLite replaced";
	member_add_fixed(a, seat, COPY_RETIRED);
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

// The main store now holds somebody else than the record says: from now on the old login is an account of its own,
// whoever still has a copy of it. Adds that account; the base account starts afresh.
static void split_account(struct grouping *g, size_t base)
{
	struct account *old = account_add(g, "", "");
	struct account *a = &g->o->accounts[base];
	struct account_record *r = &old->record;

	take_record(old, &a->record);
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

// How a copy is known for an agent's own login.
enum known_by { BY_TOKEN, BY_FENCE, BY_IDENTITY };

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

// The account, among those from index `first` on, that this agent's copy belongs to: of the ledger, or just made.
static struct account *own_account(struct grouping *g, size_t first, const struct copy *copy,
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
	struct account *a = account_add(g, record->provider, record->profile);
	take_record(a, record);
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

static void place_new_own(struct grouping *g, struct seat *seat)
{
	const struct credential *c = &seat->copy->credential;
	struct account_record *record;
	struct account *a = NULL;
	char key[33];

	account_key(key, g->o->stores.state_dir, c->provider, c->profile, &c->identity);
	for (size_t i = 0; i < g->o->n_accounts && !a; i++)
		if (string_equal(g->o->accounts[i].record.key, key))
			a = &g->o->accounts[i];
	record = find_record(g, key);
	if (!a) {
		a = account_add(g, c->provider, c->profile);
		a->record.own_login = true;
		identity_copy(&a->record.identity, &c->identity);
		memcpy(a->record.key, key, sizeof(key));
		if (record)
			take_record(a, record);
		if (!record || may_be_whose(a, seat)) {
			member_add(a, seat);
			return;
		}
	}
	if (may_be_whose(a, seat))
		member_add(a, seat);
	else
		member_add_fixed(a, seat, COPY_UNPROVEN);
}

// The account's own token under another identity: something is corrupt, and nothing is done until a person has looked.
static void member_add_contradiction(struct account *a, struct seat *seat)
{
	a->identity_conflict = true;
	member_add_fixed(a, seat, COPY_DIVERGED);
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
	a->record_changed |= a->recorded && !identity_equal(&before, &a->record.identity);
	identity_free(&before);
}

// Where does a copy that is not main belong? `base` is an index, since accounts are added meanwhile.
static void place(struct grouping *g, size_t base, struct seat *seat)
{
	struct account *a = &g->o->accounts[base], *own;
	const struct credential *c = &seat->copy->credential;
	bool agent = seat->store->role != ROLE_EXTERNAL;
	enum identity_match match = identity_compare(&a->record.identity, &c->identity);
	bool main_token =
		a->main && fingerprint_equal(a->main->copy->credential.fingerprint, c->fingerprint);
	bool known = main_token || account_knows(a, c->fingerprint);

	if (a->record.unreadable ||
	    seat->copy->kind == COPY_BLANK) { // nothing to tell it by but its place
		member_add(a, seat);
		return;
	}
	if (seat->copy->kind == COPY_FENCED) { // by what it names
		own = agent ? own_account(g, base + 1, seat->copy, BY_FENCE) : NULL;
		member_add(own ? own : &g->o->accounts[base], seat);
		return;
	}
	if (known && match == IDENTITY_DIFFERENT) {
		member_add_contradiction(a, seat);
		return;
	}
	// A token that an agent's own login is known by stays there, even when the same person logs in to main: by time
	// alone our last answer to the agent could look newer than that login, and must not take its place.
	own = agent && !known ? own_account(g, base + 1, seat->copy, BY_TOKEN) : NULL;
	a = &g->o->accounts[base];
	if (own && identity_compare(&own->record.identity, &c->identity) == IDENTITY_DIFFERENT) {
		member_add_contradiction(own, seat);
		return;
	}
	if (!own && (known || match == IDENTITY_SAME)) {
		member_add(a, seat);
		return;
	}
	if (!own && agent && match == IDENTITY_DIFFERENT)
		own = own_account(g, base + 1, seat->copy, BY_IDENTITY);
	if (!own && agent && match == IDENTITY_DIFFERENT) {
		place_new_own(g, seat);
		return;
	}
	a = &g->o->accounts[base];
	if (own)
		member_add(own, seat);
	else if (match == IDENTITY_DIFFERENT)
		member_add_fixed(a, seat, COPY_FOREIGN);
	else if (agent && identity_empty(&a->record.identity) && identity_empty(&c->identity))
		member_add(a,
			   seat); // OpenClaw's own rule: nobody says whose it is, the place says it
	else
		member_add_fixed(a, seat, COPY_UNPROVEN);
}

static void group_profile(struct grouping *g, struct seat **seats, size_t n)
{
	const struct credential *first = &seats[0]->copy->credential;
	size_t base = g->o->n_accounts;
	struct account *a = account_add(g, first->provider, first->profile);
	struct account_record *record;
	struct seat *main;

	account_key(a->record.key, g->o->stores.state_dir, first->provider, first->profile, NULL);
	record = find_record(g, a->record.key);
	if (record)
		take_record(a, record);
	main = find_main(g, a, seats, n);
	if (main && record && !record->unreadable && main->copy->kind == COPY_OAUTH &&
	    identity_compare(&record->identity, &main->copy->credential.identity) ==
		    IDENTITY_DIFFERENT &&
	    !account_knows(a, main->copy->credential.fingerprint)) {
		split_account(g, base);
		a = &g->o->accounts[base];
	}
	if (main) {
		member_add(a, main);
		a->main = &a->members[0];
		a->identity_conflict =
			identity_compare(&a->record.identity, &main->copy->credential.identity) ==
			IDENTITY_DIFFERENT;
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
				place_retired(&g->o->accounts[base], seats[i]);
			else
				place(g, base, seats[i]);
		}
	}
	judge_left_over(g, &g->o->accounts[base]);
}

// Members of an own login: its main is where the ledger says, else the first.
static void settle_main(const struct grouping *g, struct account *a)
{
	const struct store *was = store_by_path(g, a->record.main_store);
	size_t at = 0;

	if (!a->n_members || (a->main == NULL && !a->record.own_login))
		return;
	if (a->record.own_login && was && was->state != STORE_OK && !was->served) {
		a->main_trouble = "its main store cannot be read";
		return;
	}
	if (a->record.own_login) {
		for (size_t i = 0; i < a->n_members; i++)
			if (!a->members[i].fixed &&
			    string_equal(a->members[i].store->path, a->record.main_store))
				at = i;
		struct member first = a->members[0];
		a->members[0] = a->members[at];
		a->members[at] = first;
	}
	a->main = a->members[0].fixed ? NULL : &a->members[0];
}

static void add_skipped(struct grouping *g, struct seat *seat)
{
	const struct copy *copy = seat->copy;
	const char *why =
		copy->reason ? copy->reason : "api_key or token profile: nothing to refresh";
	struct account *a = NULL;
	enum copy_state state =
		copy->kind == COPY_UNREADABLE ? COPY_STATE_UNREADABLE : COPY_STATE_STATIC;

	for (size_t i = 0; i < g->o->n_accounts && !a; i++) {
		struct account *other = &g->o->accounts[i];
		if (string_equal(other->record.profile, copy->credential.profile) &&
		    (other->skip ? string_equal(other->skip, why) : copy->kind == COPY_UNREADABLE))
			a = other;
	}
	if (!a) {
		a = account_add(g, copy->credential.provider ? copy->credential.provider : "",
				copy->credential.profile);
		a->skip = xstrdup(why);
		char nobody[] = "(skipped)"; // a key of its own, which no record has
		account_key(a->record.key, a->record.state_dir, a->record.provider,
			    a->record.profile, &(struct identity){.user_id = nobody});
	}
	member_add_fixed(a, seat, state);
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

// Accounts that the ledger remembers and no store shows.
static void add_absent(struct grouping *g)
{
	for (size_t i = 0; i < g->o->records.n; i++) {
		struct account_record *r = &g->o->records.list[i];
		bool seen = false;
		if (!r->unreadable && !string_equal(r->state_dir, g->o->stores.state_dir))
			continue;
		for (size_t k = 0; k < g->o->n_accounts; k++)
			seen |= string_equal(g->o->accounts[k].record.key, r->key);
		if (seen)
			continue;
		struct account *a = account_add(g, r->unreadable ? "" : r->provider,
						r->unreadable ? "" : r->profile);
		take_record(a, r);
		if (r->unreadable)
			continue;
		const struct store *was = store_by_path(g, r->main_store);
		if (was && was->state == STORE_RETIRED && !was->served)
			a->main_trouble = "its main store was replaced by SQLite";
		else if (was && (was->state == STORE_UNREADABLE || was->state == STORE_REFUSED))
			a->main_trouble = "its main store cannot be read";
		else if (has_bad_entry(was, r->profile))
			a->main_trouble = "its entry in the main store cannot be read";
		else if (!was || was->state != STORE_OK)
			a->skip = xstrdup("no store holds it any more");
	}
}

static void mark_shared(struct grouping *g, const struct credential *x, const struct credential *y)
{
	for (size_t i = 0; i < g->o->n_accounts; i++) {
		struct account *a = &g->o->accounts[i];
		if (!string_equal(a->record.profile, x->profile) &&
		    !string_equal(a->record.profile, y->profile))
			continue;
		a->shared_token = true;
		if (!a->skip)
			problem_add(&g->o->problems, SEVERITY_ERROR, "shared_token", NULL,
				    a->record.profile,
				    xasprintf("its refresh token also stands under %s, which is "
					      "another provider's, "
					      "unknown or excluded: sent for neither",
					      string_equal(a->record.profile, x->profile)
						      ? y->profile
						      : x->profile),
				    xstrdup("give each its own login, or correct the provider or "
					    "`exclude`"))
				->needs_person = true;
	}
}

// An equal token under two providers is somebody's mistake, and under a profile that must not be touched it cannot be
// kept in step: sent for neither.
static void find_shared_tokens(struct grouping *g)
{
	for (size_t i = 0; i < g->n_seats; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct credential *x = &g->seats[i].copy->credential,
						*y = &g->seats[k].copy->credential;
			const struct provider *px, *py;
			if (string_equal(x->provider, y->provider) &&
			    string_equal(x->profile, y->profile))
				continue;
			if (!fingerprint_equal(x->fingerprint, y->fingerprint))
				continue;
			px = config_provider(g->config, x->provider);
			py = config_provider(g->config, y->provider);
			if (px && py && provider_same_family(px, py) &&
			    config_excludes(g->config, x->provider, x->profile) ==
				    config_excludes(g->config, y->provider, y->profile))
				continue;
			mark_shared(g, x, y);
		}
	}
}

// ---- a fence under a name that the ledger never saw: `doctor --fix` may rename a login and fence it off in one run

static bool is_behind(const struct grouping *g, const struct account *a, const struct credential *c)
{
	const struct provider *p = config_provider(g->config, c->provider);

	return p && a->provider && provider_same_family(p, a->provider) &&
	       !secret_empty(&c->refresh) &&
	       identity_compare(&a->main->copy->credential.identity, &c->identity) !=
		       IDENTITY_DIFFERENT &&
	       fingerprint_equal(a->main->copy->fence.digest,
				 fence_digest(a->record.profile, a->record.provider, &c->refresh));
}

static void look_behind_fence(const struct grouping *g, struct account *a)
{
	if (!a->main || a->main->copy->kind != COPY_FENCED || a->recorded)
		return;
	for (size_t i = 0; i < g->o->records.n; i++) {
		const struct account_record *r = &g->o->records.list[i];
		const struct credential live = {
			.provider = r->provider,
			.profile = r->profile,
			.access = r->live.access,
			.refresh = r->live.refresh,
			.id_token = r->live.id_token,
			.fingerprint = r->live.fingerprint,
			.expires_ms = r->live.expires_ms,
			.issued_ms = r->live.issued_ms,
			.identity = r->identity,
		};
		if (!r->unreadable && string_equal(r->state_dir, g->o->stores.state_dir) &&
		    is_behind(g, a, &live)) {
			credential_copy(&a->behind_fence, &live);
			return;
		}
	}
	for (size_t i = 0; i < g->n_seats; i++) {
		const struct copy *copy = g->seats[i].copy;
		if (copy->kind == COPY_OAUTH && is_behind(g, a, &copy->credential)) {
			credential_copy(&a->behind_fence, &copy->credential);
			return;
		}
	}
}

// The token that will be live when the ledger begins to know the account.
static struct fingerprint first_token(const struct account *a)
{
	return a->main->copy->kind == COPY_FENCED ? a->behind_fence.fingerprint
						  : a->main->copy->credential.fingerprint;
}

// The key in a receipt was this account's; but since another person logged in here, the token is of an account of its own.
static bool is_of_another(const struct grouping *g, const struct account *a,
			  struct fingerprint token)
{
	for (size_t i = 0; i < g->o->n_accounts; i++) {
		const struct account *other = &g->o->accounts[i];
		if (other != a && string_equal(other->renamed_from, a->record.key) &&
		    account_knows(other, token))
			return true;
		if (other != a && other->record.split && account_knows(other, token))
			return true;
	}
	return false;
}

static void find_receipts(struct grouping *g, struct account *a)
{
	for (size_t i = 0; i < g->o->receipts.n; i++) {
		const struct receipt *r = &g->o->receipts.list[i];
		bool first = !a->recorded && a->main; // its token is about to be the live one
		bool ours = account_knows(a, r->token) ||
			    (first && fingerprint_equal(r->token, first_token(a)));
		for (size_t k = 0; k < r->n_accounts && !ours; k++)
			ours = string_equal(r->accounts[k], a->record.key) &&
			       !is_of_another(g, a, r->token);
		if (ours)
			*array_add(&a->receipts, &a->n_receipts) = r;
	}
}

static void look_up_marks(struct grouping *g, struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++) {
		struct member *m = &a->members[i];
		struct fingerprint token = m->copy->credential.fingerprint;
		if (m->copy->kind != COPY_OAUTH ||
		    fingerprint_equal(token, a->record.live.fingerprint))
			continue;
		if (i > 0 &&
		    fingerprint_equal(token, a->members[i - 1].copy->credential.fingerprint))
			m->settled = a->members[i - 1].settled;
		else
			m->settled = receipt_is_settled(g->ledger, token);
	}
	if (!fingerprint_empty(a->record.live.fingerprint))
		a->live_settled = receipt_is_settled(g->ledger, a->record.live.fingerprint);
	else if (a->main && !fingerprint_empty(first_token(a)))
		a->live_settled = receipt_is_settled(g->ledger, first_token(a));
}

void group_accounts(struct observation *observation, const struct config *config,
		    const struct ledger *ledger)
{
	struct grouping g = {observation, config, ledger, NULL, 0};

	for (size_t i = 0; i < observation->stores.n; i++) {
		const struct store *store = &observation->stores.list[i];
		bool readable = store->state == STORE_OK || store->state == STORE_RETIRED;
		for (size_t k = 0; readable && k < store->n_copies; k++)
			*array_add(&g.seats, &g.n_seats) =
				(struct seat){.store = store, .copy = &store->copies[k]};
	}
	for (size_t i = 0; i < g.n_seats; i++) {
		_cleanup_free_ struct seat **same = NULL;
		size_t n = 0;
		if (g.seats[i].placed || !is_account_copy(g.seats[i].copy))
			continue;
		for (size_t k = i; k < g.n_seats; k++)
			if (is_account_copy(g.seats[k].copy) &&
			    same_profile(&g.seats[i], &g.seats[k]))
				*array_add(&same, &n) = &g.seats[k];
		group_profile(&g, same, n);
	}
	add_absent(&g);
	for (size_t i = 0; i < g.n_seats; i++)
		if (!g.seats[i].placed)
			add_skipped(&g, &g.seats[i]);
	skip_what_is_not_ours(&g);
	find_shared_tokens(&g);
	for (size_t i = 0; i < observation->n_accounts; i++) {
		settle_main(&g, &observation->accounts[i]);
		look_behind_fence(&g, &observation->accounts[i]);
		find_receipts(&g, &observation->accounts[i]);
		look_up_marks(&g, &observation->accounts[i]);
	}
	free(g.seats);
}
