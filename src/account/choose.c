// SPDX-License-Identifier: MIT
//
// What a person decided (`sync --adopt STORE`, `restore ID`): that login and no other, or a reason why not. Or that a copy
// follows (`sync --follow STORE`).
//
// It is pinned for the run: nothing newer, older or diverged is adopted over it, and what the other copies hold that
// nobody knows is displaced. A token comes back only where something shows that it was never sent.
#include "account/judge.h"

#include "base/clock.h"

#define SCRAP_BYTES 12 // no provider's token is as short

static struct member *named_member(const struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (store_is_named(a->members[i].store, policy->choice.store))
			return &a->members[i];
	return NULL;
}

// A copy that goes its own way, by a login that is not the account's.
static bool goes_its_own_way(const struct account *a, const struct member *m)
{
	return m != a->main && m->copy->kind == COPY_OAUTH &&
	       (m->state == COPY_UNPROVEN || member_is_fresh(a, m));
}

static bool any_to_follow(const struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (goes_its_own_way(a, &a->members[i]))
			return true;
	return false;
}

bool account_is_chosen(const struct account *a, const struct policy *policy)
{
	const struct choice *choice = &policy->choice;

	if (choice->accounts && !selection_matches(choice->accounts, a))
		return false;
	switch (choice->kind) {
	case CHOICE_NONE:
		return false;
	case CHOICE_RESTORE:
		return a->restores;
	case CHOICE_ADOPT:
		return named_member(a, policy) != NULL;
	case CHOICE_FOLLOW:
		return choice->store ? named_member(a, policy) != NULL : any_to_follow(a);
	}
	return false;
}

// ---- why not

static const char *wrong_copy(const struct account *a, const struct member *m)
{
	if (m->state == COPY_RETIRED)
		return "SQLite took the place of that store: OpenClaw reads it no more";
	if (m->copy->kind == COPY_BLANK)
		return "it is logged out there";
	if (m->copy->kind == COPY_FENCED)
		return "OpenClaw fenced it off there: no token is left";
	if (m->copy->kind != COPY_OAUTH)
		return "what stands there is no OAuth login that can be read";
	if (m->state == COPY_FOREIGN ||
	    identity_compare(&a->record.identity, &m->copy->credential.identity) ==
		    IDENTITY_DIFFERENT)
		return "the login there belongs to another identity";
	return NULL;
}

static bool is_scrap(const struct secret *token)
{
	return !secret_empty(token) && token->len < SCRAP_BYTES;
}

// Guides show a wrong spelling beside the right one; what stands there then is often a scrap. And where lists and marks
// were lost, age alone says that it may have been spent.
static const char *what_looks_wrong(const struct account *a, const struct member *m,
				    const struct credential *c, const struct policy *policy)
{
	if (is_scrap(&c->refresh) || is_scrap(&c->access))
		return "its tokens are too short to be any";
	if (m && !m->kept && is_not_later_than_previous(a, c, policy))
		return "it is older than the token before the live one, and may have been spent";
	return NULL;
}

static char *likely_mistake(const struct account *a, const struct member *m,
			    const struct credential *c, const struct policy *policy)
{
	const char *wrong = what_looks_wrong(a, m, c, policy);
	_cleanup_free_ char *left = wrong ? expiry_describe(a, policy) : NULL;

	return wrong ? xasprintf("%s, and would displace the live login %.*s, which %s; --force "
				 "takes it all the same",
				 wrong, FINGERPRINT_SHOWN, a->record.live.fingerprint.hex, left)
		     : NULL;
}

static char *spent_token(const struct account *a, const struct member *m,
			 const struct credential *c)
{
	bool known = account_knows(a, c->fingerprint) || (m && m->settled);
	bool sent = m ? m->sent : a->restored_sent, kept = m ? m->kept : true;

	for (size_t i = 0; i < a->n_receipts; i++) {
		const struct receipt *r = a->receipts[i];
		_cleanup_free_ char *when = time_format(r->sent_ms);
		if (fingerprint_equal(r->token, c->fingerprint) && r->state != RECEIPT_CLAIMED)
			return xasprintf("its refresh token was sent%s%s: it is spent",
					 when ? " at " : "", when ? when : "");
	}
	if (sent || (known && !kept))
		return xstrdup(sent ? "its refresh token was sent before: it is spent"
				    : "its refresh token was replaced before, and nothing shows "
				      "that it was never sent");
	return NULL;
}

static const char *wrong_account(const struct account *a)
{
	if (a->main_trouble)
		return a->main_trouble;
	return account_logged_out(a)
		       ? "it is logged out of its main store, which is where to log in"
		       : NULL;
}

static char *why_not(const struct account *a, const struct member *m, const struct credential *c,
		     const struct policy *policy)
{
	bool live = fingerprint_equal(c->fingerprint, a->record.live.fingerprint);
	const char *no = m ? wrong_copy(a, m) : NULL;

	if (!no)
		no = wrong_account(a);
	if (!no && live && a->record.dead_code[0])
		no = "its refresh token is dead";
	if (!no && live && a->live_settled)
		no = "its refresh token was spent before";
	if (!no && secret_empty(&c->refresh))
		no = "it holds no refresh token";
	if (no || live)
		return xstrdup(no);
	char *spent = spent_token(a, m, c);
	return spent || policy->force ? spent : likely_mistake(a, m, c, policy);
}

// ---- it is done

static void bring_back(struct account *a, const struct credential *c)
{
	record_take_back(&a->record, c->fingerprint,
			 fence_digest(a->record.profile, a->record.provider, &c->refresh));
	fingerprint_list_add(&a->verdict.take_back, &a->verdict.n_take_back, c->fingerprint);
}

static void make_live(struct account *a, struct member *m, const struct credential *c,
		      const struct policy *policy)
{
	if (account_knows(a, c->fingerprint) || !m || m->settled)
		bring_back(a, c);
	if (m) {
		m->fixed = m->settled = false;
		m->adopted = true;
	}
	adopt_credential(a, c, policy);
}

// ---- what stands there gives way

static const char *why_not_follow(const struct account *a, const struct member *m)
{
	const char *no = wrong_copy(a, m);

	if (no)
		return no;
	if (m == a->main)
		return a->record.own_login
			       ? "it is a login of its own, of another identity than main's"
			       : "it is the main copy, which the others follow";
	if (wrong_account(a))
		return wrong_account(a);
	if (a->record.ended_ms || a->record.dead_code[0] || a->live_settled)
		return "the live login, which it would follow, is no good";
	return NULL;
}

static char *follow(struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++) {
		struct member *m = &a->members[i];
		const char *store = policy->choice.store;
		bool named = store ? store_is_named(m->store, store) : goes_its_own_way(a, m);
		const char *no = named ? why_not_follow(a, m) : NULL;
		if (no && store)
			return xstrdup(no);
		if (!named || no)
			continue;
		m->fixed = false;
		m->follows = a->verdict.obeyed = true;
	}
	return NULL;
}

char *choose(struct account *a, const struct policy *policy)
{
	if (policy->choice.kind == CHOICE_FOLLOW)
		return follow(a, policy);
	struct member *m = policy->choice.kind == CHOICE_ADOPT ? named_member(a, policy) : NULL;
	const struct credential *c = m ? &m->copy->credential : &policy->choice.kept->credential;
	char *no = why_not(a, m, c, policy);

	if (no)
		return no;
	a->verdict.pinned = a->verdict.obeyed = true;
	if (!fingerprint_equal(c->fingerprint, a->record.live.fingerprint)) {
		make_live(a, m, c, policy);
	} else if (a->record.ended_ms) { // a person says that it is none
		a->record.ended_ms = 0;
		a->verdict.record_changed = true;
	}
	return NULL;
}

void displace_others(struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++) {
		struct member *m = &a->members[i];
		if ((m->follows || a->verdict.pinned) && member_is_unknown(a, m))
			displace_member(a, m, policy->choice.why);
	}
}
