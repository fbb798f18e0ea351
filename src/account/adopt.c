// SPDX-License-Identifier: MIT
//
// Which login is live: what a person or somebody else's refresh has put into a copy.
#include "account/judge.h"

bool member_is_unknown(const struct judgement *j, const struct member *m)
{
	return member_is_login(j, m) && !m->settled && !m->taken_from &&
	       !record_knows(&j->verdict->record, m->copy->credential.fingerprint);
}

bool member_is_fresh(const struct judgement *j, const struct member *m)
{
	return !on_copy(j, m)->follows && member_is_unknown(j, m);
}

static bool is_diverged(const struct judgement *j, const struct member *m)
{
	const struct account_record *r = &j->verdict->record;

	return fingerprint_listed(r->diverged, r->n_diverged, m->copy->credential.fingerprint);
}

// ---- another generation becomes the live one

void record_forgive(struct account_record *r)
{
	r->failures = r->rejections = r->error_status = 0;
	r->not_before_ms = r->failing_ms = 0;
	r->error_code[0] = r->said[0] = '\0';
	r->barred = false;
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
static void retire_live(struct judgement *j)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;
	struct fingerprint old = r->live.fingerprint;

	if (fingerprint_empty(old))
		return;
	if (!r->dead_code[0] && !record_superseded(r, old)) // by the owner's word (hosts.c)
		displace_live_of(j, r,
				 j->policy->choice.why && live_is_chosen(j)
					 ? j->policy->choice.why
					 : "a newer login took its place");
	record_supersede_live(r);
	if (account_elsewhere(a, old)) // its mark is made there
		return;
	// With a receipt, the mark waits until every name that the receipt speaks of has been served.
	bool open = false;
	for (size_t i = 0; i < a->n_receipts; i++)
		open |= fingerprint_equal(a->receipts[i]->token, old) &&
			a->receipts[i]->state != RECEIPT_CLAIMED;
	if (open)
		fingerprint_list_add(&v->close, &v->n_close, old);
	else
		fingerprint_list_add(&v->settle, &v->n_settle, old);
}

void adopt_credential(struct judgement *j, const struct credential *c)
{
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;

	if (!fingerprint_equal(c->fingerprint, r->live.fingerprint)) {
		if (r->ended_ms || r->dead_code[0])
			r->first_seen_ms = j->policy->now_ms;
		retire_live(j);
		r->anchor_before = r->anchor;
		r->anchor = issue_of_copy(j, c);
		j->live_settled = false;
		r->grant_expires_ms = 0; // a login, or somebody else's refresh: nobody told us
		r->dead_code[0] = '\0';
		r->ended_ms = 0;
		own_what_is_new(j);
	}
	if (!secret_equal(&c->access, &r->live.access))
		record_note_access(r);
	generation_of_credential(&r->live, c, j->policy->now_ms);
	free(TAKE_PTR(r->adopted_from)); // whose copy it is says who has one
	r->number++;
	record_forgive(r);
	if (identity_compare(&r->identity, &c->identity) != IDENTITY_DIFFERENT)
		identity_complete(&r->identity, &c->identity);
	v->record_changed = true;
	v->decision = DECISION_ADOPT;
}

static void adopt_member(struct judgement *j, const struct member *m)
{
	adopt_credential(j, &m->copy->credential);
	j->verdict->record.adopted_from = xstrdup(m->store->path);
	on_copy(j, m)->adopted = true;
}

// ---- which one

bool member_leads_past(const struct judgement *j, const struct member *m, struct issue_time than)
{
	return member_is_fresh(j, m) && !is_diverged(j, m) &&
	       is_later_than_previous(j, &m->copy->credential) &&
	       issue_compare(issue_of_copy(j, &m->copy->credential), than) > 0;
}

bool member_leads(const struct judgement *j, const struct member *m)
{
	return member_leads_past(j, m, j->verdict->record.anchor);
}

// The latest of them; NULL if there is none.
static const struct member *latest_fresh(struct judgement *j, struct issue_time than)
{
	const struct account *a = j->account;
	const struct member *best = NULL;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		if (!member_leads_past(j, m, than))
			continue;
		if (!best || issue_compare(issue_of_copy(j, &m->copy->credential),
					   issue_of_copy(j, &best->copy->credential)) > 0)
			best = m;
	}
	return best;
}

void adopt_newer_than_live(struct judgement *j)
{
	const struct account *a = j->account;
	struct account_record *r = &j->verdict->record;
	const struct member *m;

	if (account_logged_out(a) || others_at_work(j) || refresh_in_flight(j) ||
	    (r->ended_ms && !member_is_fresh(j, a->main)))
		return;
	m = latest_fresh(j, issue_of_live(j));
	if (m)
		adopt_member(j, m);
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
void adopt_after_end(struct judgement *j)
{
	const struct account *a = j->account;
	struct account_record *r = &j->verdict->record;

	if ((!r->dead_code[0] && !r->ended_ms) || account_logged_out(a) ||
	    !member_is_fresh(j, a->main) || others_at_work(j))
		return;
	const struct credential *c = &a->main->copy->credential;
	if (is_not_later_than_previous(j, c))
		return;
	if (r->dead_code[0]
		    ? !c->issued_ms || !r->live.issued_ms || c->issued_ms > r->live.issued_ms
		    : issue_compare(issue_of_copy(j, c), anchor_of_older(r)) >= 0)
		adopt_member(j, a->main);
}

// The live token of another name was moved to this name and fenced off, in one run of OpenClaw's. That name has no other
// use for it; what was live here is thrown away.
void adopt_behind_fence(struct judgement *j)
{
	struct account_record *r = &j->verdict->record;
	const struct credential *c = &j->account->behind_fence;

	if (!fingerprint_empty(c->fingerprint) && !record_knows(r, c->fingerprint) &&
	    !others_at_work(j) &&
	    identity_compare(&r->identity, &c->identity) != IDENTITY_DIFFERENT)
		adopt_credential(j, c);
}

// Each knows the other's live token as replaced: a person brought one back, under one of the names. The later decision
// stands, also if the run was killed before the other name had heard of it.
static bool sibling_leads(const struct judgement *j)
{
	return j->sibling->chosen || j->sibling->ahead.at_ms > j->verdict->record.live.at_ms;
}

void adopt_sibling(struct judgement *j)
{
	struct account_record *r = &j->verdict->record;
	const struct generation *ahead = j->sibling ? &j->sibling->ahead : NULL;
	bool known = ahead && record_knows(r, ahead->fingerprint);

	if (!ahead || r->ended_ms || (known && !sibling_leads(j)))
		return;
	if (known)
		record_take_back(r, ahead->fingerprint,
				 fence_digest(r->profile, r->provider, &ahead->refresh));
	struct credential c = credential_lent(ahead);
	adopt_credential(j, &c);
	r->custody = j->sibling->custody;
	j->verdict->follows = true;
}

// The same refresh token, another access token: of a provider that does not rotate. The later one is right.
void adopt_newer_access(struct judgement *j)
{
	const struct account *a = j->account;
	struct account_record *r = &j->verdict->record;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		if (member_is_login(j, m) &&
		    fingerprint_equal(m->copy->credential.fingerprint, r->live.fingerprint) &&
		    !secret_equal(&m->copy->credential.access, &r->live.access) &&
		    !secret_empty(&m->copy->credential.access) &&
		    (secret_empty(&r->live.access) ||
		     issue_compare(issue_of_copy(j, &m->copy->credential), issue_of_live(j)) > 0))
			adopt_member(j, m);
	}
}

// One that no copy shows any more makes room.
static bool forget_a_diverged(struct judgement *j)
{
	const struct account *a = j->account;
	struct account_record *r = &j->verdict->record;

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

void displace_member(struct judgement *j, const struct member *m, const char *why)
{
	struct account_record *r = &j->verdict->record;
	const struct credential *c = &m->copy->credential;

	displace(j, c, m->store->path, why);
	record_supersede(r, c->fingerprint);
	record_supersede_fence(r, fence_digest(r->profile, r->provider, &c->refresh));
	j->verdict->record_changed = true;
}

void adopt_unknown(struct judgement *j)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;
	const struct member *m;

	while ((m = latest_fresh(j, r->anchor)))
		adopt_member(j, m);
	for (size_t i = 0; i < a->n_members; i++) {
		m = &a->members[i];
		if (!member_is_fresh(j, m) || is_diverged(j, m))
			continue;
		if (issue_compare(issue_of_copy(j, &m->copy->credential), anchor_of_older(r)) < 0) {
			displace_member(j, m, "older than the live login");
		} else if (r->n_diverged >= RECORD_DIVERGED_MAX && !forget_a_diverged(j)) {
			continue; // it diverges in every look, then
		} else {
			*array_add(&r->diverged, &r->n_diverged) = m->copy->credential.fingerprint;
		}
		v->record_changed = true;
	}
}
