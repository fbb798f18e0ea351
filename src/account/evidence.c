// SPDX-License-Identifier: MIT
//
// What else is known of an account's tokens: who shares them, which receipts and settled marks name them, and what an
// unknown fence stands for.
#include "account/grouping.h"

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
	    (a->recorded && record_knows_fence(&a->record, a->main->copy->fence.digest)))
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
		if (!r->unreadable && string_equal(r->state_dir, a->dir->path) &&
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

// ---- receipts

// Who holds a receipt's token to be his, live or superseded, or is about to.
struct knowers {
	size_t *accounts; // by number
	size_t n;
};

static void note_knower(const struct grouping *g, const struct index *by_token,
			struct knowers *knowers, struct fingerprint token, size_t account)
{
	if (fingerprint_empty(token))
		return;
	for_each_found (found, by_token, hash_token(token)) {
		struct knowers *k = &knowers[found->at];
		if (fingerprint_equal(g->o->receipts.list[found->at].token, token) &&
		    (!k->n || k->accounts[k->n - 1] != account))
			*array_add(&k->accounts, &k->n) = account;
	}
}

// For each receipt.
static struct knowers *find_knowers(const struct grouping *g)
{
	struct knowers *knowers = xcalloc(g->o->receipts.n, sizeof(*knowers));
	_cleanup_index_ struct index by_token = {0};

	for (size_t i = 0; i < g->o->receipts.n; i++)
		index_add(&by_token, hash_token(g->o->receipts.list[i].token), i);
	for (size_t i = 0; i < g->o->n_accounts; i++) {
		const struct account *a = g->o->accounts[i];
		const struct account_record *r = &a->record;
		note_knower(g, &by_token, knowers, r->live.fingerprint, i);
		for (size_t k = 0; k < r->n_superseded; k++)
			note_knower(g, &by_token, knowers, r->superseded[k], i);
		if (!r->number && a->main) // its token is about to be the live one
			note_knower(g, &by_token, knowers, first_token(a), i);
	}
	return knowers;
}

// The key in a receipt was this account's; but since another person logged in here, the token is of an account of its own.
static bool is_of_another(const struct grouping *g, const struct account *a,
			  const struct knowers *knowers, struct fingerprint token)
{
	for (size_t i = 0; i < knowers->n; i++) {
		const struct account *other = g->o->accounts[knowers->accounts[i]];
		if (other != a && record_knows(&other->record, token) &&
		    (other->record.split || string_equal(other->renamed_from, a->record.key)))
			return true;
	}
	return false;
}

static void add_once(const struct receipt ***list, size_t *n, const struct receipt *r)
{
	if (!*n || (*list)[*n - 1] != r)
		*array_add(list, n) = r;
}

static void give_receipt(struct account *a, const struct receipt *r)
{
	if (r->elsewhere)
		add_once(&a->elsewhere, &a->n_elsewhere, r);
	else
		add_once(&a->receipts, &a->n_receipts, r);
}

static void find_receipts(struct grouping *g)
{
	struct knowers *knowers = g->o->receipts.n ? find_knowers(g) : NULL;

	for (size_t i = 0; i < g->o->receipts.n; i++) {
		const struct receipt *r = &g->o->receipts.list[i];
		for (size_t k = 0; k < knowers[i].n; k++)
			give_receipt(g->o->accounts[knowers[i].accounts[k]], r);
		for (size_t k = 0; k < r->n_accounts; k++) {
			struct account *a = observation_account(g->o, r->accounts[k]);
			if (a && !is_of_another(g, a, &knowers[i], r->token))
				give_receipt(a, r);
		}
		free(knowers[i].accounts);
	}
	free(knowers);
}

// Where the mark has been swept, too. What the account itself still knows needs no looking up.
static bool is_settled(const struct grouping *g, const struct account *a, struct fingerprint token)
{
	return receipt_is_settled(g->ledger, token) ||
	       (!record_knows(&a->record, token) && spent_is_noted(g->ledger, token));
}

static int64_t kept_until(const struct grouping *g, const struct account *a, const struct member *m)
{
	struct fingerprint token = m->copy->credential.fingerprint;

	return (m->settled || record_superseded(&a->record, token)) &&
			       receipt_never_was(g->ledger, token)
		       ? displaced_until(g->ledger, a->record.key, token)
		       : 0;
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
		    fingerprint_equal(token, a->members[i - 1].copy->credential.fingerprint)) {
			m->settled = a->members[i - 1].settled;
			m->kept_until_ms = a->members[i - 1].kept_until_ms;
		} else {
			m->settled = is_settled(g, a, token);
			m->kept_until_ms = kept_until(g, a, m);
		}
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
	struct account *account; // who would send it; NULL: a copy
};

static bool is_claimed_by(const struct account *a, const struct claim *claim)
{
	bool first =
		!a->record.number && a->main && fingerprint_equal(first_token(a), claim->token);

	return string_equal(a->record.profile, claim->profile) &&
	       string_equal(a->record.provider, claim->provider) &&
	       (first || account_holds(a, claim->token));
}

// A login gives it a token that nothing else has.
static char *login_of_its_own(const struct account *a, const char *else_what)
{
	const char *login = a->provider ? a->provider->login_command : NULL;

	return xasprintf("%s%s for one of the two, so that each has its own login; or correct %s",
			 login ? login : "log in again", login ? " #" : "", else_what);
}

static void mark_shared(struct grouping *g, const struct index *by_name, const struct claim *claim,
			const struct claim *other)
{
	for_each_found (found, by_name, hash_strings(claim->provider, claim->profile)) {
		struct account *a = g->o->accounts[found->at];
		if (a->shared_token || !is_claimed_by(a, claim))
			continue;
		a->shared_token = true;
		if (!a->skip)
			problem_add(
				&g->o->problems, SEVERITY_ERROR, "shared_token", NULL,
				a->record.profile,
				xasprintf(
					"its refresh token also stands under %s, which is another "
					"provider's, unknown or excluded: it is not sent for "
					"either",
					other->profile),
				login_of_its_own(a, "the provider, or `exclude`"))
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
		if (!g->seats[i].again && !fingerprint_empty(c->fingerprint))
			*array_add(&claims, ret_n) =
				(struct claim){c->provider, c->profile, c->fingerprint, NULL};
	}
	for (size_t i = 0; i < g->o->n_accounts; i++) {
		struct account *a = g->o->accounts[i];
		struct fingerprint token = a->record.number ? a->record.live.fingerprint
					   : a->main	    ? first_token(a)
							    : (struct fingerprint){0};
		if (!fingerprint_empty(token) && !a->record.ended_ms && a->n_members)
			*array_add(&claims, ret_n) =
				(struct claim){a->record.provider, a->record.profile, token, a};
	}
	return claims;
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->token.hex, y->token.hex);

	if (!order)
		order = strcmp(x->profile, y->profile);
	return order ? order : strcmp(x->provider, y->provider);
}

static bool same_name(const struct claim *x, const struct claim *y)
{
	return string_equal(x->profile, y->profile) && string_equal(x->provider, y->provider);
}

// Claims to one token, sorted by name. To share is to be of one kind, so that whoever is not of the first one's kind cannot
// share it with him, nor he with them.
static void judge_claims(struct grouping *g, const struct index *by_name,
			 const struct claim *claims, size_t n)
{
	const struct claim *first = &claims[0], *stranger = NULL;

	for (size_t i = 1; i < n && !stranger; i++)
		if (!same_name(&claims[i], &claims[i - 1]) &&
		    !may_share(g->config, &claims[i], first))
			stranger = &claims[i];
	for (size_t i = 0; i < n && stranger; i++) {
		bool kin = may_share(g->config, &claims[i], first);
		if (i == 0 || !same_name(&claims[i], &claims[i - 1]))
			mark_shared(g, by_name, &claims[i], kin ? stranger : first);
	}
}

static bool is_somebody_else(const struct account *a, const struct account *b)
{
	return identity_compare(&a->record.identity, &b->record.identity) == IDENTITY_DIFFERENT;
}

static void mark_conflict(struct grouping *g, struct account *a, const struct account *other)
{
	a->name_conflict = true;
	if (a->skip)
		return;
	_cleanup_free_ char *who = string_printable(identity_label(&other->record.identity), 64);
	problem_add(
		&g->o->problems, SEVERITY_ERROR, "identity_conflict", NULL, a->record.profile,
		xasprintf("its refresh token also stands under %s, which says that it is %s: it "
			  "is not sent for either",
			  other->record.profile, who),
		login_of_its_own(a, "the entry that is wrong"))
		->needs_person = true;
}

// The names of one login may say less than each other, but not that they are two persons: whose the answer were could not
// be told, so nobody sends.
static void judge_identities(struct grouping *g, const struct claim *claims, size_t n)
{
	struct identity all = {0};
	struct account *x = NULL, *y = NULL;

	for (size_t i = 0; i < n && !y; i++) {
		struct account *a = claims[i].account;
		if (!a)
			continue;
		if (identity_compare(&all, &a->record.identity) == IDENTITY_DIFFERENT)
			y = a;
		identity_complete(&all, &a->record.identity);
	}
	for (size_t i = 0; i < n && y && !x; i++)
		if (claims[i].account && is_somebody_else(claims[i].account, y))
			x = claims[i].account;
	for (size_t i = 0; i < n && x; i++)
		if (claims[i].account)
			mark_conflict(g, claims[i].account, claims[i].account == y ? x : y);
	identity_free(&all);
}

void evidence_of_sharing(struct grouping *g)
{
	size_t n = 0;
	_cleanup_free_ struct claim *claims = list_claims(g, &n);
	_cleanup_index_ struct index by_name = {0};

	if (!n)
		return;
	for (size_t i = 0; i < g->o->n_accounts; i++)
		index_add(&by_name,
			  hash_strings(g->o->accounts[i]->record.provider,
				       g->o->accounts[i]->record.profile),
			  i);
	qsort(claims, n, sizeof(*claims), compare_claims);
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && fingerprint_equal(claims[i].token, claims[end].token);)
			end++;
		judge_claims(g, &by_name, &claims[i], end - i);
		judge_identities(g, &claims[i], end - i);
	}
}

void evidence_of_accounts(struct grouping *g)
{
	for (size_t i = 0; i < g->o->n_accounts; i++)
		look_behind_fence(g, g->o->accounts[i]);
	find_receipts(g);
	for (size_t i = 0; i < g->o->n_accounts; i++)
		look_up_marks(g, g->o->accounts[i]);
}
