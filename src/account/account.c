// SPDX-License-Identifier: MIT
//
// Accounts: what can be told of one without judging it.
#include "account/account.h"

bool account_has_writes(const struct account *account)
{
	for (size_t i = 0; i < account->n_members; i++)
		if (account->verdict.copies[i].write)
			return true;
	return false;
}

static bool share_receipt(const struct account *a, const struct account *b)
{
	for (size_t i = 0; i < a->n_receipts; i++)
		for (size_t k = 0; k < b->n_receipts; k++)
			if (a->receipts[i] == b->receipts[k])
				return true;
	return false;
}

bool accounts_connected(const struct account *a, const struct account *b)
{
	return share_receipt(a, b) ||
	       (provider_same_family(a->provider, b->provider) &&
		fingerprint_equal(a->verdict.record.live.fingerprint,
				  b->verdict.record.live.fingerprint)) ||
	       (a->renamed_from[0] && string_equal(a->renamed_from, b->record.key)) ||
	       (b->renamed_from[0] && string_equal(b->renamed_from, a->record.key));
}

static void add_dir(const struct state_dir ***list, size_t *n, const struct state_dir *dir)
{
	for (size_t i = 0; i < *n; i++)
		if ((*list)[i] == dir)
			return;
	if (dir && !dir->gone)
		*array_add(list, n) = dir;
}

const struct state_dir **account_dirs(const struct account *a, size_t *ret_n)
{
	const struct state_dir **list = NULL;

	*ret_n = 0;
	add_dir(&list, ret_n, a->dir);
	for (size_t i = 0; i < a->n_members; i++)
		for (size_t k = 0; k < a->members[i].store->n_dirs; k++)
			add_dir(&list, ret_n, a->members[i].store->dirs[k]);
	return list;
}

void account_add_refresh_locks(const struct account *a, struct lock_set *set)
{
	size_t n = 0;
	_cleanup_free_ const struct state_dir **dirs = account_dirs(a, &n);

	for (size_t i = 0; i < n; i++) {
		lock_set_add_refresh(set, dirs[i]->path, a->record.provider, a->record.profile);
		for (size_t k = 0; k < a->n_members; k++)
			if (a->members[k].copy->spelt)
				lock_set_add_refresh(set, dirs[i]->path, a->members[k].copy->spelt,
						     a->record.profile);
	}
}

bool member_contradicts(const struct account *account, const struct account_record *record,
			const struct member *member)
{
	return account->identity_conflict && member->copy->kind == COPY_OAUTH &&
	       record_match(record, &member->copy->credential) == IDENTITY_DIFFERENT;
}

bool store_is_named(const struct store *store, const char *name)
{
	return string_equal(store->path, name) || string_equal(store->target, name) ||
	       string_equal(store->agent, name);
}

bool store_is_unread(const struct store *store)
{
	return store && (store->state == STORE_UNREADABLE || store->state == STORE_REFUSED ||
			 store->state == STORE_BUSY);
}

bool account_holds(const struct account *a, struct fingerprint token)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (fingerprint_equal(a->members[i].copy->credential.fingerprint, token))
			return true;
	return record_knows(&a->record, token);
}

bool account_access_is_refresh(const struct account *a, const struct observation *o)
{
	struct fingerprint access = fingerprint_of(&a->verdict.record.live.access);

	if (fingerprint_equal(access, a->verdict.record.live.fingerprint))
		return true;
	for (size_t i = 0; i < o->n_accounts; i++)
		if (account_holds(o->accounts[i], access))
			return true;
	return false;
}

static bool is_live_login(const struct account_record *r, const struct credential *c)
{
	return fingerprint_equal(c->fingerprint, r->live.fingerprint) &&
	       secret_equal(&c->access, &r->live.access) &&
	       secret_equal(&c->id_token, &r->live.id_token);
}

enum identity_match record_match(const struct account_record *r, const struct credential *c)
{
	enum identity_match match = identity_compare(&r->identity, &c->identity);
	struct identity store = {0}, tokens = {0};

	if (match != IDENTITY_DIFFERENT || !is_live_login(r, c))
		return match;
	identity_copy(&store, &c->identity);
	identity_complete_from_tokens(&tokens, &c->id_token, &c->access);
	if (string_equal(store.user_id, tokens.user_id))
		free(TAKE_PTR(store.user_id));
	if (string_equal(store.email, tokens.email))
		free(TAKE_PTR(store.email));
	match = identity_compare(&r->identity, &store);
	identity_free(&store);
	identity_free(&tokens);
	return match;
}

bool account_logged_out(const struct account *a)
{
	return !a->main || a->main->copy->kind == COPY_BLANK;
}

const struct receipt *account_elsewhere(const struct account *a, struct fingerprint token)
{
	for (size_t i = 0; i < a->n_elsewhere; i++)
		if (fingerprint_equal(a->elsewhere[i]->token, token))
			return a->elsewhere[i];
	return NULL;
}

bool account_others_at_work(const struct account *a, struct fingerprint live)
{
	if (account_elsewhere(a, live))
		return true;
	for (size_t i = 0; i < a->n_receipts; i++)
		if (a->receipts[i]->held &&
		    !(a->claimed && a->receipts[i]->state == RECEIPT_ANSWERED))
			return true;
	return false;
}

struct member *account_add_member(struct account *account)
{
	struct member *added = array_add(&account->members, &account->n_members);

	if (account->main)
		account->main = &account->members[0]; // the array may have moved
	return added;
}

bool account_has_work(const struct account *account)
{
	const struct verdict *v = &account->verdict;

	return v->send || v->publish || v->record_changed || account->renamed_from[0] ||
	       v->n_take_back || v->n_settle || v->n_drop || v->n_close ||
	       account_has_writes(account);
}

void account_free(struct account *account)
{
	free(account->members);
	free(account->receipts);
	free(account->elsewhere);
	free(account->skip);
	credential_free(&account->behind_fence);
	account_record_free(&account->record);
	verdict_free(&account->verdict);
	*account = (struct account){0};
}
