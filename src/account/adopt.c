// SPDX-License-Identifier: MIT
//
// Which login is live: what a person or somebody else's refresh has put into a copy.
#include "account/judge.h"

static bool is_live_login(const struct account *a, const struct credential *c)
{
	return fingerprint_equal(c->fingerprint, a->record.live.fingerprint) &&
	       secret_equal(&c->access, &a->record.live.access) &&
	       secret_equal(&c->id_token, &a->record.live.id_token);
}

enum identity_match account_match(const struct account *a, const struct credential *c)
{
	enum identity_match match = identity_compare(&a->record.identity, &c->identity);
	struct identity store = {0}, tokens = {0};

	if (match != IDENTITY_DIFFERENT || !is_live_login(a, c))
		return match;
	identity_copy(&store, &c->identity);
	identity_complete_from_tokens(&tokens, &c->id_token, &c->access);
	if (string_equal(store.user_id, tokens.user_id))
		free(TAKE_PTR(store.user_id));
	if (string_equal(store.email, tokens.email))
		free(TAKE_PTR(store.email));
	match = identity_compare(&a->record.identity, &store);
	identity_free(&store);
	identity_free(&tokens);
	return match;
}

bool account_knows(const struct account *account, struct fingerprint token)
{
	return fingerprint_equal(token, account->record.live.fingerprint) ||
	       record_superseded(&account->record, token);
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

bool account_others_at_work(const struct account *a)
{
	if (account_elsewhere(a, a->record.live.fingerprint))
		return true;
	for (size_t i = 0; i < a->n_receipts; i++)
		if (a->receipts[i]->held &&
		    !(a->claimed && a->receipts[i]->state == RECEIPT_ANSWERED))
			return true;
	return false;
}

bool member_is_unknown(const struct account *a, const struct member *m)
{
	return member_is_login(m) && !m->settled &&
	       !account_knows(a, m->copy->credential.fingerprint);
}

bool member_is_fresh(const struct account *a, const struct member *m)
{
	return !m->follows && member_is_unknown(a, m);
}

static bool is_diverged(const struct account *a, const struct member *m)
{
	return fingerprint_listed(a->record.diverged, a->record.n_diverged,
				  m->copy->credential.fingerprint);
}

void account_displace(struct account *a, const struct credential *credential, const char *store,
		      const char *why)
{
	struct displaced *d = array_add(&a->verdict.displaced, &a->verdict.n_displaced);

	credential_copy(&d->credential, credential);
	d->store = xstrdup(store);
	d->why = why;
}

// ---- another generation becomes the live one

void account_displace_live(struct account *a, const char *why)
{
	const struct generation *live = &a->record.live;
	struct credential c = {
		.provider = a->record.provider,
		.profile = a->record.profile,
		.access = live->access,
		.refresh = live->refresh,
		.id_token = live->id_token,
		.fingerprint = live->fingerprint,
		.expires_ms = live->expires_ms,
		.issued_ms = live->issued_ms,
		.identity = a->record.identity,
	};

	account_displace(a, &c, NULL, why);
}

void record_forgive(struct account_record *r)
{
	r->failures = r->rejections = r->error_status = 0;
	r->not_before_ms = 0;
	r->error_code[0] = '\0';
}

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void record_supersede_live(struct account_record *r)
{
	// It never falls: a person may make an older login the live one (`sync --adopt`).
	r->previous.issued_ms = later_of(r->previous.issued_ms, r->live.issued_ms);
	r->previous.expires_ms = later_of(r->previous.expires_ms, r->live.expires_ms);
	record_supersede(r, r->live.fingerprint);
	record_supersede_fence(r, fence_digest(r->profile, r->provider, &r->live.refresh));
}

// The live token stops being live: displaced, superseded, and marked for all other names of it.
static void retire_live(struct account *a, const struct policy *policy)
{
	struct fingerprint old = a->record.live.fingerprint;

	if (fingerprint_empty(old))
		return;
	if (!a->record.dead_code[0])
		account_displace_live(a, policy->choice.why && a->verdict.pinned
						 ? policy->choice.why
						 : "a newer login took its place");
	record_supersede_live(&a->record);
	if (account_elsewhere(a, old)) // its mark is made there
		return;
	// With a receipt, the mark waits until every name that the receipt speaks of has been served.
	bool open = false;
	for (size_t i = 0; i < a->n_receipts; i++)
		open |= fingerprint_equal(a->receipts[i]->token, old) &&
			a->receipts[i]->state != RECEIPT_CLAIMED;
	if (open)
		fingerprint_list_add(&a->verdict.close, &a->verdict.n_close, old);
	else
		fingerprint_list_add(&a->verdict.settle, &a->verdict.n_settle, old);
}

void adopt_credential(struct account *a, const struct credential *c, const struct policy *policy)
{
	struct account_record *r = &a->record;

	if (!fingerprint_equal(c->fingerprint, r->live.fingerprint)) {
		if (r->ended_ms || r->dead_code[0])
			r->first_seen_ms = policy->now_ms;
		retire_live(a, policy);
		r->anchor_before = r->anchor;
		r->anchor = issue_of_copy(a, c, policy);
		a->live_settled = false;
		r->grant_expires_ms =
			0; // a login, or a refresh by somebody else: nobody has told us
		r->dead_code[0] = '\0';
		r->ended_ms = 0;
	}
	generation_of_credential(&r->live, c, policy->now_ms);
	r->number++;
	record_forgive(r);
	if (identity_compare(&r->identity, &c->identity) != IDENTITY_DIFFERENT)
		identity_complete(&r->identity, &c->identity);
	a->verdict.record_changed = true;
	a->verdict.decision = DECISION_ADOPT;
}

static void adopt_member(struct account *a, struct member *m, const struct policy *policy)
{
	adopt_credential(a, &m->copy->credential, policy);
	m->adopted = true;
}

// ---- which one

// The latest of the unknown tokens that is later than `than`; NULL if there is none.
static struct member *latest_fresh(struct account *a, struct issue_time than,
				   const struct policy *policy)
{
	struct member *best = NULL;

	for (size_t i = 0; i < a->n_members; i++) {
		struct member *m = &a->members[i];
		if (!member_is_fresh(a, m) || is_diverged(a, m) ||
		    !is_later_than_previous(a, &m->copy->credential, policy) ||
		    issue_compare(issue_of_copy(a, &m->copy->credential, policy), than) <= 0)
			continue;
		if (!best || issue_compare(issue_of_copy(a, &m->copy->credential, policy),
					   issue_of_copy(a, &best->copy->credential, policy)) > 0)
			best = m;
	}
	return best;
}

void adopt_newer_than_live(struct account *a, const struct policy *policy)
{
	struct member *m;

	if (account_logged_out(a) || account_others_at_work(a) || fences_any_young(a, policy) ||
	    (a->record.ended_ms && !member_is_fresh(a, a->main)))
		return;
	m = latest_fresh(a, issue_of_live(a, policy), policy);
	if (m)
		adopt_member(a, m, policy);
}

// Which copies were there before the login that is live, and are older than it.
static struct issue_time anchor_of_older(const struct account_record *r)
{
	bool known = r->anchor_before.issued_ms || r->anchor_before.expires_ms;

	return known ? r->anchor_before : r->anchor;
}

// The live token is dead: whatever login stands in main takes its place, unless its own time of issue says it is older.
// (By expiry alone a login that lives shorter would look older.) Logged out: the same, unless it is older than the
// login before, as one from a backup is.
void adopt_after_end(struct account *a, const struct policy *policy)
{
	const struct account_record *r = &a->record;

	if ((!r->dead_code[0] && !r->ended_ms) || account_logged_out(a) ||
	    !member_is_fresh(a, a->main) || account_others_at_work(a))
		return;
	const struct credential *c = &a->main->copy->credential;
	if (is_not_later_than_previous(a, c, policy))
		return;
	if (r->dead_code[0]
		    ? !c->issued_ms || !r->live.issued_ms || c->issued_ms > r->live.issued_ms
		    : issue_compare(issue_of_copy(a, c, policy), anchor_of_older(r)) >= 0)
		adopt_member(a, a->main, policy);
}

// The live token of another name was moved to this name and fenced off, in one run of OpenClaw's. That name has no other
// use for it; what was live here is thrown away.
void adopt_behind_fence(struct account *a, const struct policy *policy)
{
	const struct credential *c = &a->behind_fence;

	if (!fingerprint_empty(c->fingerprint) && !account_knows(a, c->fingerprint) &&
	    !account_others_at_work(a) &&
	    identity_compare(&a->record.identity, &c->identity) != IDENTITY_DIFFERENT)
		adopt_credential(a, c, policy);
}

void adopt_sibling(struct account *a, const struct policy *policy)
{
	bool known = a->sibling && account_knows(a, a->sibling->fingerprint);

	if (!a->sibling || a->record.ended_ms || (known && !a->sibling_chosen))
		return;
	if (known)
		record_take_back(
			&a->record, a->sibling->fingerprint,
			fence_digest(a->record.profile, a->record.provider, &a->sibling->refresh));
	struct credential c = {
		.access = a->sibling->access,
		.refresh = a->sibling->refresh,
		.id_token = a->sibling->id_token,
		.fingerprint = a->sibling->fingerprint,
		.expires_ms = a->sibling->expires_ms,
		.issued_ms = a->sibling->issued_ms,
	};
	adopt_credential(a, &c, policy);
}

// The same refresh token, another access token: of a provider that does not rotate. The later one is right.
void adopt_newer_access(struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++) {
		struct member *m = &a->members[i];
		if (member_is_login(m) &&
		    fingerprint_equal(m->copy->credential.fingerprint,
				      a->record.live.fingerprint) &&
		    !secret_equal(&m->copy->credential.access, &a->record.live.access) &&
		    !secret_empty(&m->copy->credential.access) &&
		    (secret_empty(&a->record.live.access) ||
		     issue_compare(issue_of_copy(a, &m->copy->credential, policy),
				   issue_of_live(a, policy)) > 0))
			adopt_member(a, m, policy);
	}
}

// One that no copy shows any more makes room.
static bool forget_a_diverged(struct account *a)
{
	struct account_record *r = &a->record;

	for (size_t i = 0; i < r->n_diverged; i++) {
		bool shown = false;
		for (size_t k = 0; k < a->n_members; k++)
			shown |= fingerprint_equal(a->members[k].copy->credential.fingerprint,
						   r->diverged[i]);
		if (shown)
			continue;
		fingerprint_list_remove(r->diverged, &r->n_diverged, r->diverged[i]);
		return true;
	}
	return false;
}

void displace_member(struct account *a, const struct member *m, const char *why)
{
	struct account_record *r = &a->record;
	const struct credential *c = &m->copy->credential;

	account_displace(a, c, m->store->path, why);
	record_supersede(r, c->fingerprint);
	record_supersede_fence(r, fence_digest(r->profile, r->provider, &c->refresh));
	a->verdict.record_changed = true;
}

void adopt_unknown(struct account *a, const struct policy *policy)
{
	struct member *m;

	while ((m = latest_fresh(a, a->record.anchor, policy)))
		adopt_member(a, m, policy);
	for (size_t i = 0; i < a->n_members; i++) {
		m = &a->members[i];
		if (!member_is_fresh(a, m) || is_diverged(a, m))
			continue;
		if (issue_compare(issue_of_copy(a, &m->copy->credential, policy),
				  anchor_of_older(&a->record)) < 0) {
			displace_member(a, m, "older than the live login");
		} else if (a->record.n_diverged >= RECORD_DIVERGED_MAX && !forget_a_diverged(a)) {
			continue; // it diverges in every look, then
		} else {
			*array_add(&a->record.diverged, &a->record.n_diverged) =
				m->copy->credential.fingerprint;
		}
		a->verdict.record_changed = true;
	}
}
