// SPDX-License-Identifier: MIT
//
// What else is known of an account's tokens: who shares them, which receipts and settled marks name them, and what an
// unknown fence stands for.
#include "keepalive/grouping.h"

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
	if (!a->main || a->main->copy->kind != COPY_FENCED ||
	    (a->recorded && account_knows_fence(a, &a->main->copy->fence)))
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
	// What only stands somewhere may be spent: nothing to replace a token by that is known.
	for (size_t i = 0; i < g->n_seats && !a->record.number; i++) {
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
		bool first = !a->record.number && a->main; // its token is about to be the live one
		bool ours = account_knows(a, r->token) ||
			    (first && fingerprint_equal(r->token, first_token(a)));
		for (size_t k = 0; k < r->n_accounts && !ours; k++)
			ours = string_equal(r->accounts[k], a->record.key) &&
			       !is_of_another(g, a, r->token);
		if (ours && r->elsewhere)
			*array_add(&a->elsewhere, &a->n_elsewhere) = r;
		else if (ours)
			*array_add(&a->receipts, &a->n_receipts) = r;
	}
}

// Where the mark has been swept, too. What the account itself still knows needs no looking up.
static bool is_settled(const struct grouping *g, const struct account *a, struct fingerprint token)
{
	return receipt_is_settled(g->ledger, token) ||
	       (!account_knows(a, token) && spent_is_noted(g->ledger, token));
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
			m->settled = is_settled(g, a, token);
	}
	if (!fingerprint_empty(a->record.live.fingerprint))
		a->live_settled = receipt_is_settled(g->ledger, a->record.live.fingerprint);
	else if (a->main && !fingerprint_empty(first_token(a)))
		a->live_settled = is_settled(g, a, first_token(a));
}

// ---- who shares a token

// A refresh token and the name it goes by: of a copy, or what an account would send though no copy shows it (a fence
// stands in its place, or an old copy).
struct claim {
	const char *provider, *profile;
	struct fingerprint token;
};

static bool is_claimed_by(const struct account *a, const struct claim *claim)
{
	bool first =
		!a->record.number && a->main && fingerprint_equal(first_token(a), claim->token);

	return string_equal(a->record.profile, claim->profile) &&
	       string_equal(a->record.provider, claim->provider) &&
	       (first || account_holds(a, claim->token));
}

static void mark_shared(struct grouping *g, const struct claim *x, const struct claim *y)
{
	for (size_t i = 0; i < g->o->n_accounts; i++) {
		struct account *a = &g->o->accounts[i];
		bool by_x = is_claimed_by(a, x);
		if (!by_x && !is_claimed_by(a, y))
			continue;
		a->shared_token = true;
		if (!a->skip)
			problem_add(&g->o->problems, SEVERITY_ERROR, "shared_token", NULL,
				    a->record.profile,
				    xasprintf("its refresh token also stands under %s, which is "
					      "another provider's, unknown or excluded: sent for "
					      "neither",
					      by_x ? y->profile : x->profile),
				    xstrdup("give each its own login, or correct the provider or "
					    "`exclude`"))
				->needs_person = true;
	}
}

static bool may_share(const struct config *config, const struct claim *x, const struct claim *y)
{
	const struct provider *px, *py;

	if (string_equal(x->provider, y->provider) && string_equal(x->profile, y->profile))
		return true;
	px = config_provider(config, x->provider);
	py = config_provider(config, y->provider);
	return px && py && provider_same_family(px, py) &&
	       config_excludes(config, x->provider, x->profile) ==
		       config_excludes(config, y->provider, y->profile);
}

static struct claim *list_claims(const struct grouping *g, size_t *ret_n)
{
	struct claim *claims = NULL;

	for (size_t i = 0; i < g->n_seats; i++) {
		const struct credential *c = &g->seats[i].copy->credential;
		if (!fingerprint_empty(c->fingerprint))
			*array_add(&claims, ret_n) =
				(struct claim){c->provider, c->profile, c->fingerprint};
	}
	for (size_t i = 0; i < g->o->n_accounts; i++) {
		const struct account *a = &g->o->accounts[i];
		struct fingerprint token = a->record.number ? a->record.live.fingerprint
					   : a->main	    ? first_token(a)
							    : (struct fingerprint){0};
		if (!fingerprint_empty(token) && !a->record.ended_ms && a->n_members)
			*array_add(&claims, ret_n) =
				(struct claim){a->record.provider, a->record.profile, token};
	}
	return claims;
}

void evidence_of_sharing(struct grouping *g)
{
	size_t n = 0;
	_cleanup_free_ struct claim *claims = list_claims(g, &n);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (fingerprint_equal(claims[i].token, claims[k].token) &&
			    !may_share(g->config, &claims[i], &claims[k]))
				mark_shared(g, &claims[i], &claims[k]);
}

void evidence_of_account(struct grouping *g, struct account *a)
{
	look_behind_fence(g, a);
	find_receipts(g, a);
	look_up_marks(g, a);
}
