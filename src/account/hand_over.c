// SPDX-License-Identifier: MIT
//
// A copy changes hands, because a person says so: an agent that has a login of its own goes back to main's (`sync
// --follow`), or gets its own back (`restore`). What stands there is another identity's, so it is written whole, and only
// where the very token stands that was looked at. So is an entry that has the account's own token under somebody else's name.
#include "account/judge.h"

// The account of main's login under the profile id of an own one.
static struct account *base_of(const struct observation *o, const struct account *own)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		if (!a->record.own_login && !a->skip && a->n_members &&
		    string_equal(a->record.state_dir, own->record.state_dir) &&
		    string_equal(a->record.provider, own->record.provider) &&
		    string_equal(a->record.profile, own->record.profile))
			return a;
	}
	return NULL;
}

static void hand_over_copy(struct account *to, struct account *from, struct member *m,
			   const char *client_id)
{
	struct member *taken = account_add_member(to);

	*taken = (struct member){
		.store = m->store,
		.copy = m->copy,
		.state = COPY_FOREIGN, // until it is decided
		.fixed = true,
		.taken_from = from,
		.client_id = client_id,
	};
	m->given_away = true;
	if (to->n_members == 1)
		to->main = taken;
}

// Both may be wanted. So `all` are those of an own login that was named, and not together with main's.
static bool shall_follow(const struct choice *choice, const struct account *base,
			 const struct account *own, const struct member *m)
{
	const struct selection *named = choice->accounts;
	bool of_base = selection_matches(named, base, &base->record),
	     of_own = selection_matches(named, own, &own->record);

	return choice->store ? store_is_named(m->store, choice->store) && (of_base || of_own)
			     : of_own && !of_base;
}

// An agent's copy: another program's file goes with the agents whose login it shares, and never to somebody else's.
static void hand_to_main(struct observation *o, const struct choice *choice, struct account *own)
{
	struct account *base = own->record.own_login && !own->skip ? base_of(o, own) : NULL;

	for (size_t i = 0; base && i < own->n_members; i++) {
		struct member *m = &own->members[i];
		if (!m->fixed && !m->taken_from && m->store->role != ROLE_EXTERNAL &&
		    shall_follow(choice, base, own, m))
			hand_over_copy(base, own, m,
				       base->main ? base->main->copy->credential.client_id : NULL);
	}
}

// Whose the token is, the ledger knows.
static void correct_entries(const struct choice *choice, struct account *a)
{
	bool contradicted = false;

	if (!a->identity_conflict || !choice->store ||
	    (choice->accounts && !selection_matches(choice->accounts, a, &a->record)))
		return;
	for (size_t i = 0; i < a->n_members; i++) {
		struct member *m = &a->members[i];
		if (!member_contradicts(a, &a->record, m))
			continue;
		if (store_is_named(m->store, choice->store)) {
			m->taken_from = a;
			m->client_id = m->copy->credential.client_id;
		} else {
			contradicted = true;
		}
	}
	a->identity_conflict = contradicted;
}

static bool has_copy_in(const struct account *a, const char *store)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (string_equal(a->members[i].store->path, store))
			return true;
	return false;
}

// "Adopt what stands there", or "let it follow", may be meant for main's account, too, which cannot: it says so, unless the
// own login was named.
static void show_to_main(struct observation *o, const struct choice *choice, struct account *own)
{
	struct account *base = own->record.own_login && !own->skip ? base_of(o, own) : NULL;

	if (!base || !selection_matches(choice->accounts, base, &base->record))
		return;
	for (size_t i = 0; i < own->n_members; i++) {
		const struct member *m = &own->members[i];
		if (m->fixed || !store_is_named(m->store, choice->store) ||
		    has_copy_in(base, m->store->path))
			continue;
		struct member *seen = array_add(&base->members, &base->n_members);
		*seen = (struct member){
			.store = m->store, .copy = m->copy, .state = COPY_FOREIGN, .fixed = true};
		if (base->main)
			base->main = &base->members[0]; // the array may have moved
	}
}

// This copy was taken from there.
static bool stood_there(const struct choice *choice, const struct member *m)
{
	struct fingerprint token = displaced_id(&choice->kept->credential);

	for (size_t i = 0; i < choice->all->n; i++) {
		const struct keepsake *k = &choice->all->list[i];
		if (string_equal(k->store, m->store->path) &&
		    string_equal(k->key, choice->kept->key) &&
		    fingerprint_equal(displaced_id(&k->credential), token))
			return true;
	}
	return false;
}

// To where it stood, if what has its place is main's, and known.
static void hand_back(struct observation *o, const struct choice *choice, struct account *own)
{
	struct account *base = own->record.own_login ? base_of(o, own) : NULL;

	for (size_t i = 0; base && i < base->n_members; i++) {
		struct member *m = &base->members[i];
		if (m != base->main && !m->fixed && m->copy->kind == COPY_OAUTH &&
		    stood_there(choice, m) && !has_copy_in(own, m->store->path) &&
		    record_knows(&base->record, m->copy->credential.fingerprint))
			hand_over_copy(own, base, m, choice->kept->credential.client_id);
	}
}

void hand_over(struct observation *o, const struct policy *policy)
{
	const struct choice *choice = &policy->choice;

	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		if (choice->kind == CHOICE_FOLLOW) {
			correct_entries(choice, a);
			hand_to_main(o, choice, a);
			if (choice->store)
				show_to_main(o, choice, a);
		} else if (choice->kind == CHOICE_ADOPT) {
			show_to_main(o, choice, a);
		} else if (choice->kind == CHOICE_RESTORE && a->restores) {
			hand_back(o, choice, a);
		}
	}
}
