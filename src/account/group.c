// SPDX-License-Identifier: MIT
//
// Which copies are one account? Architecture, "Which copy is right", 4 and 5.
//
// For every (provider, profile id) there is a base account, whose main is OpenClaw's main store (or, where main never
// had it, the first store that has). An agent's copy that belongs to somebody else under the same profile id is an
// account of its own. Where it cannot be told whose a copy is, it is unproven: neither written nor spent.
#include "account/grouping.h"
#include "base/clock.h"

static bool same_profile(const struct seat *a, const struct seat *b)
{
	return string_equal(a->copy->credential.profile, b->copy->credential.profile) &&
	       string_equal(a->copy->credential.provider, b->copy->credential.provider);
}

// A database took this store's place: what is still seen here tells whose it is, and no more.
static void place_retired(struct grouping *g, struct account *a, struct seat *seat)
{
	const struct credential *c = &seat->copy->credential;
	struct account *own = NULL;

	if (seat->copy->kind == COPY_OAUTH && !record_knows(&a->record, c->fingerprint) &&
	    identity_compare(&a->record.identity, &c->identity) == IDENTITY_DIFFERENT) {
		own = own_login_find(g, seat->copy, BY_TOKEN);
		if (!own)
			own = own_login_find(g, seat->copy, BY_IDENTITY);
		if (!own)
			own = own_login_add(g, seat->copy);
	}
	grouping_add_fixed(own ? own : a, seat, COPY_RETIRED);
}

static bool serves_token(const struct account *a, struct fingerprint token)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (!a->members[i].fixed &&
		    fingerprint_equal(a->members[i].copy->credential.fingerprint, token))
			return true;
	return record_knows(&a->record, token);
}

// The runtime holds the retired store's token in a database that we cannot write. Whoever shares it must not spend it.
static void warn_of_retired(struct grouping *g, const struct seat *seat)
{
	for (size_t i = g->first; i < g->o->n_accounts; i++) {
		struct account *a = g->o->accounts[i];
		if (!a->main_trouble && ((i == g->first && !a->main) ||
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
		a->skip = xstrdup("left over in a JSON file that OpenClaw no longer reads");
}

// Another program's file follows an account of OpenClaw's; without one there is nothing to follow.
static void judge_nothing_to_follow(struct account *a)
{
	if (a->main || a->main_trouble || a->recorded || !a->n_members || a->skip)
		return;
	for (size_t i = 0; i < a->n_members; i++)
		if (!a->members[i].copy->external)
			return;
	a->unserved = true;
	a->skip =
		xstrdup("no store of OpenClaw's has this account; correct `account` in `stores` of "
			"oauth-keepalive.conf, or log in with OpenClaw");
}

// A copy of a token that is the account's. Under another identity something is corrupt, and nothing is done until a person
// has looked.
static void place_known(struct account *a, struct seat *seat)
{
	if (record_match(&a->record, &seat->copy->credential) != IDENTITY_DIFFERENT) {
		grouping_add_member(a, seat);
		return;
	}
	a->identity_conflict = true;
	grouping_add_fixed(a, seat, COPY_DIVERGED);
}

// A copy of somebody else's login.
static void place_strangers(struct grouping *g, struct account *a, struct seat *seat)
{
	struct account *own;

	if (seat->store->role == ROLE_EXTERNAL) {
		grouping_add_fixed(a, seat, COPY_FOREIGN);
		return;
	}
	own = own_login_find(g, seat->copy, BY_IDENTITY);
	if (own)
		grouping_add_member(own, seat);
	else
		own_login_place_new(g, seat);
}

static bool main_holds(const struct account *a, struct fingerprint token)
{
	return a->main && fingerprint_equal(a->main->copy->credential.fingerprint, token);
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
		if (seats[i]->store->state == STORE_OK &&
		    (main_holds(a, c->fingerprint) || record_knows(&a->record, c->fingerprint)) &&
		    identity_compare(&a->record.identity, &c->identity) != IDENTITY_DIFFERENT)
			identity_complete(&a->record.identity, &c->identity);
	}
	a->completed |= a->recorded && !identity_equal(&before, &a->record.identity);
	identity_free(&before);
}

// Without a refresh token: ours to write if it is the person's, or if we gave it the access token.
static void place_access(struct account *a, struct seat *seat, enum identity_match match)
{
	const struct credential *c = &seat->copy->credential;

	if (match == IDENTITY_DIFFERENT)
		grouping_add_fixed(a, seat, COPY_FOREIGN);
	else if (match == IDENTITY_SAME || account_knows_access(a, fingerprint_of(&c->access)))
		grouping_add_member(a, seat);
	else
		grouping_add_fixed(a, seat, COPY_UNPROVEN);
}

// Where does a copy that is not main belong? `a` is the base account.
static void place(struct grouping *g, struct account *a, struct seat *seat)
{
	const struct credential *c = &seat->copy->credential;
	bool agent = seat->store->role != ROLE_EXTERNAL;
	enum identity_match match = record_match(&a->record, c);
	struct account *own = NULL;

	if (a->record.unreadable || seat->copy->kind == COPY_BLANK) {
		grouping_add_member(a, seat); // nothing to tell it by but its place
		return;
	}
	if (seat->copy->kind == COPY_ACCESS) {
		place_access(a, seat, match);
		return;
	}
	if (seat->copy->kind == COPY_FENCED) { // by what it names
		own = agent ? own_login_find(g, seat->copy, BY_FENCE) : NULL;
		grouping_add_member(own ? own : a, seat);
		return;
	}
	if (main_holds(a, c->fingerprint) || record_knows(&a->record, c->fingerprint)) {
		place_known(a, seat);
		return;
	}
	// A token that an agent's own login is known by stays there, even when the same person logs in to main: by time
	// alone our last answer to the agent could look newer than that login, and must not take its place.
	own = agent ? own_login_find(g, seat->copy, BY_TOKEN) : own_login_of_agents(g, seat->copy);
	if (own)
		place_known(own, seat);
	else if (match == IDENTITY_SAME)
		grouping_add_member(a, seat);
	else if (match == IDENTITY_DIFFERENT)
		place_strangers(g, a, seat);
	else if (agent && identity_empty(&a->record.identity) && identity_empty(&c->identity))
		grouping_add_member(
			a, seat); // OpenClaw's rule: nobody says whose it is, its place does
	else
		grouping_add_fixed(a, seat, COPY_UNPROVEN);
}

// Who says whose it is comes first; the rest can then be told by an equal token, and another program's file by who has one.
enum turn { NAMED, UNNAMED, EXTERNAL };

static enum turn turn_of(const struct seat *seat)
{
	if (seat->store->role == ROLE_EXTERNAL)
		return EXTERNAL;
	return identity_empty(&seat->copy->credential.identity) ? UNNAMED : NAMED;
}

static void group_profile(struct grouping *g, struct seat **seats, size_t n)
{
	const struct credential *first = &seats[0]->copy->credential;
	struct account *a = grouping_add_account(g, first->provider, first->profile);
	struct account_record *record;
	struct seat *main;

	g->first = g->o->n_accounts - 1;
	account_key(a->record.key, g->dir->path, first->provider, first->profile, NULL);
	record = grouping_find_record(g, a->record.key);
	if (record)
		grouping_take_record(a, record);
	main = main_copy_find(g, a, seats, n);
	if (main && record && !record->unreadable && main->copy->kind == COPY_OAUTH &&
	    identity_compare(&record->identity, &main->copy->credential.identity) ==
		    IDENTITY_DIFFERENT &&
	    !record_knows(&a->record, main->copy->credential.fingerprint))
		own_login_split(g, a);
	if (main) {
		grouping_add_member(a, main);
		a->main = &a->members[0];
		a->identity_conflict =
			record_match(&a->record, &main->copy->credential) == IDENTITY_DIFFERENT;
		if (!a->recorded && main->copy->kind == COPY_OAUTH)
			identity_complete(&a->record.identity, &main->copy->credential.identity);
	}
	complete_from_known(a, seats, n);
	for (enum turn turn = NAMED; turn <= EXTERNAL; turn++) {
		for (size_t i = 0; i < n; i++) {
			if (seats[i] == main || seats[i]->placed || turn_of(seats[i]) != turn)
				continue;
			if (seats[i]->store->state == STORE_RETIRED)
				place_retired(g, a, seats[i]);
			else
				place(g, a, seats[i]);
		}
	}
	for (size_t i = 0; i < n; i++)
		if (seats[i]->store->state == STORE_RETIRED && !seats[i]->store->served)
			warn_of_retired(g, seats[i]);
	for (size_t i = g->first; i < g->o->n_accounts; i++)
		judge_left_over(g, g->o->accounts[i]);
	for (size_t i = g->first; i < g->o->n_accounts; i++)
		judge_nothing_to_follow(g->o->accounts[i]);
}

// An agent with a key under a login's name does not use that login, which nobody would guess from "skipped".
static const char *why_skipped(const struct grouping *g, const struct copy *copy,
			       const struct index *by_profile)
{
	if (copy->reason)
		return copy->reason;
	for_each_found (found, by_profile, hash_string(copy->credential.profile)) {
		const struct account *a = g->o->accounts[found->at];
		if (!a->skip && string_equal(a->record.profile, copy->credential.profile))
			return "an API key or fixed token stands in the place of this login: "
			       "nothing to refresh";
	}
	return "api_key or token profile: nothing to refresh";
}

// `by_profile`: of the accounts, those added here as well.
static void add_skipped(struct grouping *g, struct seat *seat, struct index *by_profile)
{
	const struct copy *copy = seat->copy;
	const char *why = why_skipped(g, copy, by_profile);
	struct account *a = NULL;
	enum copy_state state =
		copy->kind == COPY_UNREADABLE ? COPY_STATE_UNREADABLE : COPY_STATE_STATIC;

	for_each_found (found, by_profile, hash_string(copy->credential.profile)) {
		struct account *other = g->o->accounts[found->at];
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

	for (size_t i = g->first_of_dir; i < g->o->n_accounts; i++)
		index_add(&by_profile, hash_string(g->o->accounts[i]->record.profile), i);
	for (size_t i = 0; i < g->n_seats; i++)
		if (!g->seats[i].placed)
			add_skipped(g, &g->seats[i], &by_profile);
}

static void skip_what_is_not_ours(struct grouping *g)
{
	for (size_t i = 0; i < g->o->n_accounts; i++) {
		struct account *a = g->o->accounts[i];
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

// A record that cannot be read does not say of which state directory it is.
static bool is_of_dir(const struct grouping *g, const struct account_record *r)
{
	const struct stores *stores = &g->o->stores;

	return r->unreadable ? g->dir == stores->dirs[stores->n_dirs - 1]
			     : string_equal(r->state_dir, g->dir->path);
}

static bool is_alive(const struct account_record *r)
{
	return !r->ended_ms && !r->dead_code[0] && !secret_empty(&r->live.refresh);
}

// Accounts that the ledger remembers and no store shows.
static void add_absent(struct grouping *g)
{
	observation_index(g->o);
	for (size_t i = 0; i < g->o->records.n; i++) {
		struct account_record *r = &g->o->records.list[i];
		if (!is_of_dir(g, r) || observation_account(g->o, r->key))
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
		else if (store_has_bad_entry(g, was, r->profile))
			a->main_trouble = "its entry in the main store cannot be read";
		else if (g->dir->unread &&
			 is_alive(r)) // it may be there, and so may the token that others send
			a->main_trouble = "not all stores of its state directory can be read";
		else if (!was || was->state != STORE_OK || !was->n_copies)
			a->vanished = true; // an empty store says nothing of a logout
	}
}

static bool knows_login(const struct grouping *g, const struct account_record *r,
			const struct account *a)
{
	return provider_same_family(config_provider(g->config, r->provider), a->provider) &&
	       (fingerprint_equal(r->live.fingerprint, a->record.live.fingerprint) ||
		record_superseded(r, a->record.live.fingerprint));
}

// Under another name (also as what that one's fence stands for), or in another state directory, where a run may not look
// this time.
static bool lives_on(const struct grouping *g, const struct account *a)
{
	for (size_t i = 0; i < g->o->n_accounts; i++) {
		const struct account *other = g->o->accounts[i];
		if (other->n_members && (knows_login(g, &other->record, a) ||
					 account_holds(other, a->record.live.fingerprint) ||
					 fingerprint_equal(other->behind_fence.fingerprint,
							   a->record.live.fingerprint)))
			return true;
	}
	for (size_t i = 0; i < g->o->records.n; i++) {
		const struct account_record *r = &g->o->records.list[i];
		if (!record_is_of_here(g->o, r) && !r->ended_ms && knows_login(g, r, a))
			return true;
	}
	return false;
}

static int64_t issued_ms(const struct account *a)
{
	const struct credential *c = &a->main->copy->credential;

	return c->issued_ms ? c->issued_ms
			    : c->expires_ms - a->provider->lifetime_s * SECOND_MS; // at the latest
}

// Another login of the same person, who is served elsewhere, in a directory that nobody named. It may be one of its own; or
// it was put away before the ledger knew of any, and has been replaced since: to send it could end the one in use.
static const struct account *possible_successor(const struct grouping *g, const struct account *a)
{
	for (size_t i = 0; i < g->o->n_accounts; i++) {
		const struct account *other = g->o->accounts[i];
		if (other->dir != a->dir && other->main && !other->skip &&
		    provider_same_family(other->provider, a->provider) &&
		    !account_holds(other, a->main->copy->credential.fingerprint) &&
		    identity_compare(&other->record.identity, &a->record.identity) ==
			    IDENTITY_SAME &&
		    (!other->recorded || issued_ms(a) <= other->record.first_seen_ms))
			return other;
	}
	return NULL;
}

static void judge_put_away(const struct grouping *g)
{
	for (size_t i = 0; i < g->o->n_accounts; i++) {
		struct account *a = g->o->accounts[i];
		const struct account *other = NULL;
		if (a->dir->found && !a->recorded && !a->skip && a->main &&
		    a->main->copy->kind == COPY_OAUTH)
			other = possible_successor(g, a);
		if (!other)
			continue;
		a->unserved = a->put_away = true;
		a->skip = xasprintf("the same person has another login in %s, which may have "
				    "replaced it",
				    other->dir->path);
	}
}

// What no store shows is nothing to keep alive, unless it is a living login that nobody is known to have ended.
static void judge_absent(const struct grouping *g)
{
	for (size_t i = 0; i < g->o->n_accounts; i++) {
		struct account *a = g->o->accounts[i];
		if (!a->vanished || a->skip)
			continue;
		a->vanished = is_alive(&a->record) && !a->live_settled && !lives_on(g, a);
		a->left = !a->vanished;
		if (a->left)
			a->skip = xstrdup("no store holds it any more");
	}
}

static void group_seats(struct grouping *g)
{
	for (size_t i = 0; i < g->n_seats; i++) {
		_cleanup_free_ struct seat **same = NULL;
		size_t n = 0;
		if (g->seats[i].placed || !copy_is_of_account(g->seats[i].copy))
			continue;
		for_each_found (found, &g->seats_by_name, g->seats[i].name)
			if (same_profile(&g->seats[i], &g->seats[found->at]))
				*array_add(&same, &n) = &g->seats[found->at];
		group_profile(g, same, n);
	}
}

// An account is of one state directory.
static void group_directory(struct observation *o, const struct config *config,
			    const struct ledger *ledger, const struct state_dir *dir)
{
	struct grouping g = {
		.o = o,
		.config = config,
		.ledger = ledger,
		.dir = dir,
		.first_of_dir = o->n_accounts,
	};

	grouping_begin(&g);
	group_seats(&g);
	add_absent(&g);
	add_all_skipped(&g);
	for (size_t i = g.first_of_dir; i < o->n_accounts; i++)
		main_copy_settle(&g, o->accounts[i]);
	grouping_end(&g);
}

void group_accounts(struct observation *observation, const struct config *config,
		    const struct ledger *ledger)
{
	struct grouping all = {.o = observation, .config = config, .ledger = ledger};

	for (size_t i = 0; i < observation->stores.n_dirs; i++)
		group_directory(observation, config, ledger, observation->stores.dirs[i]);
	grouping_begin(&all);
	skip_what_is_not_ours(&all);
	observation_index(observation);
	evidence_of_accounts(&all);
	evidence_of_sharing(&all);
	judge_absent(&all);
	judge_put_away(&all);
	grouping_end(&all);
}
