// SPDX-License-Identifier: MIT
//
// Accounts: names of states, and memory.
#include "account/account.h"

static const char *const decision_names[] = {
	[DECISION_NONE] = "none",     [DECISION_REFRESH] = "refresh", [DECISION_ADOPT] = "adopt",
	[DECISION_MIRROR] = "mirror", [DECISION_RECOVER] = "recover", [DECISION_HOLD] = "hold",
	[DECISION_LOGIN] = "login",   [DECISION_SKIP] = "skip",
};

static const char *const outcome_names[] = {
	[OUTCOME_UNCHANGED] = "unchanged",
	[OUTCOME_REFRESHED] = "refreshed",
	[OUTCOME_ADOPTED] = "adopted",
	[OUTCOME_MIRRORED] = "mirrored",
	[OUTCOME_RECOVERED] = "recovered",
	[OUTCOME_FAILED] = "failed",
	[OUTCOME_BUSY] = "busy",
	[OUTCOME_HELD] = "held",
	[OUTCOME_NEEDS_LOGIN] = "needs_login",
	[OUTCOME_SKIPPED] = "skipped",
	[OUTCOME_PLANNED] = "planned",
};

static const char *const copy_state_names[] = {
	[COPY_CURRENT] = "current",	[COPY_SUPERSEDED] = "superseded",
	[COPY_NEWER] = "newer",		[COPY_DIVERGED] = "diverged",
	[COPY_UNPROVEN] = "unproven",	[COPY_FOREIGN] = "foreign",
	[COPY_WITHHELD] = "withheld",	[COPY_PENDING] = "pending",
	[COPY_STATE_FENCED] = "fenced", [COPY_ENDED] = "ended",
	[COPY_RETIRED] = "retired",	[COPY_STATE_UNREADABLE] = "unreadable",
	[COPY_STATE_STATIC] = "static",
};

const char *decision_name(enum decision decision)
{
	return decision_names[decision];
}

const char *outcome_name(enum outcome outcome)
{
	return outcome_names[outcome];
}

const char *copy_state_name(enum copy_state state)
{
	return copy_state_names[state];
}

bool account_has_writes(const struct account *account)
{
	for (size_t i = 0; i < account->n_members; i++)
		if (account->members[i].write)
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
		fingerprint_equal(a->record.live.fingerprint, b->record.live.fingerprint)) ||
	       (a->renamed_from[0] && string_equal(a->renamed_from, b->record.key)) ||
	       (b->renamed_from[0] && string_equal(b->renamed_from, a->record.key));
}

void account_add_refresh_locks(const struct account *a, const char *state_dir, struct lock_set *set)
{
	lock_set_add_refresh(set, state_dir, a->record.provider, a->record.profile);
	for (size_t i = 0; i < a->n_members; i++)
		if (a->members[i].copy->spelt)
			lock_set_add_refresh(set, state_dir, a->members[i].copy->spelt,
					     a->record.profile);
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
	return account_knows(a, token);
}

bool account_has_work(const struct account *account)
{
	return account->verdict.send || account->verdict.record_changed ||
	       account->renamed_from[0] || account->verdict.n_take_back ||
	       account->verdict.n_settle || account->verdict.n_drop || account->verdict.n_close ||
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
	free(account->verdict.reason);
	for (size_t i = 0; i < account->verdict.n_displaced; i++) {
		credential_free(&account->verdict.displaced[i].credential);
		free(account->verdict.displaced[i].store);
	}
	free(account->verdict.displaced);
	free(account->verdict.take_back);
	free(account->verdict.settle);
	free(account->verdict.drop);
	free(account->verdict.close);
	*account = (struct account){0};
}
