// SPDX-License-Identifier: MIT
//
// What else is known of an account's tokens: who shares them, which receipts and settled marks name them, and what an
// unknown fence stands for.
#include "keepalive/grouping.h"

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

void evidence_of_sharing(struct grouping *g)
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

void evidence_of_account(struct grouping *g, struct account *a)
{
	look_behind_fence(g, a);
	find_receipts(g, a);
	look_up_marks(g, a);
}
