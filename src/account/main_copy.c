// SPDX-License-Identifier: MIT
//
// Which copy of an account is main? Architecture, "Which copy is right", 1. Where the store that may hold it cannot be
// looked at, no other copy takes its place: the account is held.
#include "account/grouping.h"

bool store_has_bad_entry(const struct grouping *g, const struct store *store, const char *profile)
{
	for_each_found (found, &g->bad_entries, hash_string(profile)) {
		const struct store *bad = &g->o->stores.list[found->at];
		for (size_t i = 0; bad == store && i < bad->n_copies; i++)
			if (bad->copies[i]->kind == COPY_UNREADABLE &&
			    string_equal(bad->copies[i]->credential.profile, profile))
				return true;
	}
	return false;
}

void main_is_unread(struct account *a, const struct store *store)
{
	a->main_busy = store->state == STORE_BUSY;
	a->main_trouble = a->main_busy ? "another process has its main store locked"
				       : "its main store cannot be read";
}

static void main_may_hold_it(struct account *a, const struct store *main)
{
	a->main_busy = main->state == STORE_BUSY;
	a->main_trouble = "the main store cannot be read, and may hold the same login";
}

// Where OpenClaw's main profiles are, or were: an upgrade moves them from one to the next.
static bool is_place_of_main(const char *path)
{
	return string_ends(path, "/agents/main/agent/auth-profiles.json") ||
	       string_ends(path, "/agents/main/agent/openclaw-agent.sqlite") ||
	       string_ends(path, "/state/openclaw.sqlite");
}

// Found by an environment that this run does not have, or by a setting that is gone.
static bool main_store_is_hidden(const struct grouping *g, const struct account *a)
{
	_cleanup_free_ char *real = a->record.main_store ? path_real(a->record.main_store) : NULL;

	for (size_t i = 0; real && i < g->o->stores.n; i++)
		if (string_equal(g->o->stores.list[i].target, real))
			return false;
	return real;
}

struct seat *main_copy_find(struct grouping *g, struct account *a, struct seat **seats, size_t n)
{
	const struct store *main = g->main, *was = grouping_store(g, a->record.main_store);

	if (store_has_bad_entry(g, main, a->record.profile) ||
	    store_has_bad_entry(g, was, a->record.profile)) {
		a->main_trouble = "its entry in the main store cannot be read";
		return NULL;
	}
	if (main && main->state == STORE_RETIRED) {
		a->main_trouble = "its main store was replaced by SQLite";
		return NULL;
	}
	// It may hold any login, also one that was elsewhere before.
	if (main && main->role == ROLE_SHARED && main->state != STORE_OK) {
		a->main_busy = main->state == STORE_BUSY;
		a->main_trouble = "the shared store cannot be read, and may hold the same login";
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		if (seats[i]->store == main)
			return seats[i];
	if (!a->recorded) {
		if (store_is_unread(main)) {
			main_may_hold_it(a, main);
		}
	} else if (was && was->state != STORE_OK && !was->served &&
		   (was->role == ROLE_MAIN || was->state != STORE_MISSING)) {
		if (store_is_unread(was))
			main_is_unread(a, was);
		else
			a->main_trouble = was->state == STORE_MISSING
						  ? "its main store is missing"
						  : "its main store was replaced by SQLite";
		return NULL;
	} else if (was && was->state == STORE_OK) {
		for (size_t i = 0; i < n; i++)
			if (seats[i]->store == was)
				return seats[i];
		return NULL; // gone from there: logged out
	} else if (!was && main_store_is_hidden(g, a)) {
		a->main_trouble = "its main store is there, but not where this run looks: a "
				  "variable or a setting is missing (`stores`)";
		return NULL;
	} else if (!was && (!main || main->state != STORE_OK) &&
		   is_place_of_main(a->record.main_store)) {
		if (store_is_unread(main))
			main_is_unread(a, main);
		else
			a->main_trouble = main ? "its main store cannot be read"
					       : "its main store is missing";
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		if (seats[i]->store->role != ROLE_EXTERNAL && seats[i]->store->state == STORE_OK &&
		    seats[i]->copy->kind == COPY_OAUTH)
			return seats[i];
	return NULL;
}

// It was main, is sound, and has nobody's login under this profile any more.
static bool is_logged_out(const struct store *was, const struct account *a)
{
	if (!was || was->state != STORE_OK)
		return false;
	for (size_t i = 0; i < was->n_copies; i++)
		if (was->copies[i]->kind != COPY_BLANK &&
		    string_equal(was->copies[i]->credential.provider, a->record.provider) &&
		    string_equal(was->copies[i]->credential.profile, a->record.profile))
			return false;
	return true;
}

// Where an own login's main is: an index of its members, or -1. Another program's file is never one.
static ssize_t find_own_main(const struct account *a)
{
	ssize_t first = -1;

	for (size_t i = 0; i < a->n_members; i++) {
		if (a->members[i].fixed || a->members[i].store->role == ROLE_EXTERNAL)
			continue;
		if (string_equal(a->members[i].store->path, a->record.main_store))
			return (ssize_t)i;
		if (first < 0)
			first = (ssize_t)i;
	}
	return first;
}

// A login that the ledger does not know yet may stand in OpenClaw's main store, too, where nobody could look: refreshed for
// the agent alone, it would be spent there.
static bool may_stand_in_main(const struct grouping *g, const struct account *a)
{
	const struct store *main = g->main;
	bool hidden = main && (store_is_unread(main) || main->state == STORE_RETIRED ||
			       store_has_bad_entry(g, main, a->record.profile));

	for (size_t i = 0; hidden && i < a->n_members; i++)
		if (!a->members[i].fixed &&
		    !record_knows(&a->record, a->members[i].copy->credential.fingerprint))
			return true;
	return false;
}

static void settle_own(const struct grouping *g, struct account *a)
{
	const struct store *was = grouping_store(g, a->record.main_store);
	ssize_t at = find_own_main(a);

	if (was && was->state != STORE_OK && !was->served)
		main_is_unread(a, was);
	else if (may_stand_in_main(g, a))
		main_may_hold_it(a, g->main);
	else if (at >= 0 && !is_logged_out(was, a))
		a->main = &a->members[0];
	if (!a->main)
		return;
	struct member first = a->members[0];
	a->members[0] = a->members[at];
	a->members[at] = first;
}

void main_copy_settle(const struct grouping *g, struct account *a)
{
	if (!a->n_members)
		return;
	if (a->record.own_login)
		settle_own(g, a);
	else if (a->main)
		a->main = a->members[0].fixed ? NULL : &a->members[0];
}
