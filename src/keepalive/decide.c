// SPDX-License-Identifier: MIT
//
// What to do about one account: pure, in the order that the model (tests/model) has checked.
//
//	1. a copy that is newer than the live generation goes before an old answer: a person may have logged in
//	2. receipts: somebody else's are left alone, answers are recovered, claims that never were sent dropped
//	3. logged out: nothing is sent, written or resurrected
//	4. unknown tokens: later than the newest adopted one -> adopt; provably older -> superseded; else diverged
//	5. dead, unknown outcome, due, back-off
//
// Everything that changes here changes in memory; claim.c makes it durable before anything else happens.
#include <stdio.h>

#include "keepalive/account.h"

#include "base/clock.h"

#define RUNTIME_MARGIN_S  (5 * MINUTE_S) // OpenClaw refreshes by itself from here on
#define DOCTOR_MARGIN_S	  DAY_S		 // … and its `doctor --fix` from here on
#define IMPLAUSIBLE_S	  (10 * MINUTE_S)
#define ENDED_KEEP_S	  (7 * DAY_S)
#define CLOCK_TOLERANCE_S MINUTE_S
#define REJECTIONS_MAX	  3
#define FENCE_AGED_S	  (10 * MINUTE_S) // OpenClaw's own request takes 2 minutes at most
#define COURIER_STUCK_S	  120		  // longer than any courier holds (HOLD_LIMIT_S)
#define DIVERGED_MAX	  64

static void conclude(struct account *a, enum decision decision, enum outcome outcome, char *reason)
{
	a->decision = decision;
	a->outcome = outcome;
	free(a->reason);
	a->reason = reason;
}

// Not a good end: a code for programs, a reason for people.
static void object(struct account *a, enum decision decision, enum outcome outcome,
		   const char *code, char *reason)
{
	conclude(a, decision, outcome, reason);
	a->code = code;
}

// ---- order of issue

int issue_compare(struct issue_time a, struct issue_time b)
{
	int64_t x = a.expires_ms, y = b.expires_ms;

	if (a.issued_ms && b.issued_ms)
		x = a.issued_ms, y = b.issued_ms;
	if (!x || !y || x == y)
		return 0;
	return x > y ? 1 : -1;
}

static bool plausible(const struct account *a, int64_t expires_ms, const struct policy *policy)
{
	return a->clock_wrong || !a->lifetime_s ||
	       expires_ms - policy->now_ms <= (a->lifetime_s + IMPLAUSIBLE_S) * SECOND_MS;
}

static struct issue_time issued(const struct account *a, int64_t issued_ms, int64_t expires_ms,
				const struct policy *policy)
{
	return (struct issue_time){
		.issued_ms = issued_ms,
		.expires_ms = plausible(a, expires_ms, policy) ? expires_ms : 0,
	};
}

static struct issue_time copy_issued(const struct account *a, const struct credential *c,
				     const struct policy *policy)
{
	return issued(a, c->issued_ms, c->expires_ms, policy);
}

static struct issue_time live_issued(const struct account *a, const struct policy *policy)
{
	return issued(a, a->record.live.issued_ms, a->record.live.expires_ms, policy);
}

// ---- what a copy holds

bool account_knows(const struct account *account, struct fingerprint token)
{
	return fingerprint_equal(token, account->record.live.fingerprint) ||
	       record_superseded(&account->record, token);
}

static bool is_login(const struct member *m)
{
	return m && !m->fixed && m->copy->kind == COPY_OAUTH;
}

static bool is_fresh(const struct account *a, const struct member *m)
{
	return is_login(m) && !m->settled && !account_knows(a, m->copy->credential.fingerprint);
}

// ---- fences: OpenClaw (2026.9.4+) has put one in the token's place while it refreshes, or because that failed

static bool is_fence(const struct member *m)
{
	return m && !m->fixed && m->copy->kind == COPY_FENCED;
}

static bool names_live(const struct account *a, const struct fence *fence)
{
	const struct account_record *r = &a->record;

	return fingerprint_equal(fence->digest,
				 fence_digest(r->profile, r->provider, &r->live.refresh));
}

bool account_knows_fence(const struct account *account, const struct fence *fence)
{
	return names_live(account, fence) || record_knows_fence(&account->record, fence->digest);
}

// Its maker may still be at work: until it is 10 minutes old by our own first sighting.
static bool fence_is_young(const struct account *a, const struct fence *fence,
			   const struct policy *policy)
{
	return !fence->failed &&
	       (!string_equal(fence->claim, a->record.fence_claim) ||
		policy->now_ms - a->record.fence_seen_ms < FENCE_AGED_S * SECOND_MS);
}

static bool any_young_fence(const struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (is_fence(&a->members[i]) &&
		    fence_is_young(a, &a->members[i].copy->fence, policy))
			return true;
	return false;
}

static void sight_fences(struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++) {
		const struct fence *fence = &a->members[i].copy->fence;
		if (!is_fence(&a->members[i]) || fence->failed ||
		    string_equal(fence->claim, a->record.fence_claim))
			continue;
		memcpy(a->record.fence_claim, fence->claim, sizeof(a->record.fence_claim));
		a->record.fence_seen_ms = policy->now_ms;
		a->record_changed = true;
	}
}

// The live token stands fenced off: its outcome is unknown, and without us the login is lost.
static bool live_is_fenced(const struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (is_fence(&a->members[i]) && names_live(a, &a->members[i].copy->fence))
			return true;
	return false;
}

static bool is_diverged(const struct account *a, const struct member *m)
{
	for (size_t i = 0; i < a->record.n_diverged; i++)
		if (fingerprint_equal(a->record.diverged[i], m->copy->credential.fingerprint))
			return true;
	return false;
}

static bool logged_out(const struct account *a)
{
	return !a->main || a->main->copy->kind == COPY_BLANK;
}

static void displace(struct account *a, const struct credential *credential, const char *store,
		     const char *why)
{
	struct displaced *d = array_add(&a->displaced, &a->n_displaced);

	credential_copy(&d->credential, credential);
	d->store = xstrdup(store);
	d->why = why;
}

static void displace_live(struct account *a, const char *why)
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

	displace(a, &c, NULL, why);
}

static void list_add(struct fingerprint **list, size_t *n, struct fingerprint token)
{
	for (size_t i = 0; i < *n; i++)
		if (fingerprint_equal((*list)[i], token))
			return;
	*array_add(list, n) = token;
}

static void list_remove(struct fingerprint *list, size_t *n, struct fingerprint token)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++)
		if (!fingerprint_equal(list[i], token))
			list[kept++] = list[i];
	*n = kept;
}

// ---- adoption

static void forgive(struct account_record *r)
{
	r->failures = r->rejections = r->error_status = 0;
	r->not_before_ms = 0;
	r->error_code[0] = '\0';
}

static void supersede_live(struct account_record *r)
{
	record_supersede(r, r->live.fingerprint);
	record_supersede_fence(r, fence_digest(r->profile, r->provider, &r->live.refresh));
}

// The live token stops being live: displaced, superseded, and marked for all other names of it.
static void retire_live(struct account *a)
{
	struct fingerprint old = a->record.live.fingerprint;

	if (fingerprint_empty(old))
		return;
	if (!a->record.dead_code[0])
		displace_live(a, "a newer login took its place");
	supersede_live(&a->record);
	// With a receipt, the mark waits until every name that the receipt speaks of has been served.
	bool open = false;
	for (size_t i = 0; i < a->n_receipts; i++)
		open |= fingerprint_equal(a->receipts[i]->token, old) &&
			a->receipts[i]->state != RECEIPT_CLAIMED;
	if (open)
		list_add(&a->close, &a->n_close, old);
	else
		list_add(&a->settle, &a->n_settle, old);
}

static void adopt(struct account *a, const struct credential *c, const struct policy *policy)
{
	struct account_record *r = &a->record;

	if (!fingerprint_equal(c->fingerprint, r->live.fingerprint)) {
		if (r->ended_ms || r->dead_code[0])
			r->first_seen_ms = policy->now_ms;
		retire_live(a);
		r->anchor_before = r->anchor;
		r->anchor = copy_issued(a, c, policy);
		a->live_settled = false;
		r->grant_expires_ms =
			0; // a login, or a refresh by somebody else: nobody has told us
		r->dead_code[0] = '\0';
		r->ended_ms = 0;
	}
	generation_of_credential(&r->live, c, policy->now_ms);
	r->number++;
	forgive(r);
	if (identity_compare(&r->identity, &c->identity) != IDENTITY_DIFFERENT)
		identity_complete(&r->identity, &c->identity);
	a->record_changed = true;
	a->decision = DECISION_ADOPT;
}

static void adopt_member(struct account *a, struct member *m, const struct policy *policy)
{
	adopt(a, &m->copy->credential, policy);
	m->adopted = true;
}

// The latest of the unknown tokens that is later than `than`; NULL if there is none.
static struct member *latest_fresh(struct account *a, struct issue_time than,
				   const struct policy *policy)
{
	struct member *best = NULL;

	for (size_t i = 0; i < a->n_members; i++) {
		struct member *m = &a->members[i];
		if (!is_fresh(a, m) || is_diverged(a, m) ||
		    issue_compare(copy_issued(a, &m->copy->credential, policy), than) <= 0)
			continue;
		if (!best || issue_compare(copy_issued(a, &m->copy->credential, policy),
					   copy_issued(a, &best->copy->credential, policy)) > 0)
			best = m;
	}
	return best;
}

static bool others_at_work(const struct account *a)
{
	for (size_t i = 0; i < a->n_receipts; i++)
		if (a->receipts[i]->held &&
		    !(a->claimed && a->receipts[i]->state == RECEIPT_ANSWERED))
			return true;
	return false;
}

static void adopt_newer_than_live(struct account *a, const struct policy *policy)
{
	struct member *m;

	if (logged_out(a) || others_at_work(a) || any_young_fence(a, policy) ||
	    (a->record.ended_ms && !is_fresh(a, a->main)))
		return;
	m = latest_fresh(a, live_issued(a, policy), policy);
	if (m)
		adopt_member(a, m, policy);
}

// The live token is dead: whatever login stands in main takes its place, unless its own time of issue says it is older.
// (By expiry alone a login that lives shorter would look older.)
static void adopt_after_death(struct account *a, const struct policy *policy)
{
	if (!a->record.dead_code[0] || logged_out(a) || !is_fresh(a, a->main) || others_at_work(a))
		return;
	const struct credential *c = &a->main->copy->credential;
	if (!c->issued_ms || !a->record.live.issued_ms || c->issued_ms > a->record.live.issued_ms)
		adopt_member(a, a->main, policy);
}

// `sync --adopt STORE`: a person has judged.
static void adopt_named(struct account *a, const struct policy *policy)
{
	for (size_t i = 0; policy->adopt_store && i < a->n_members; i++) {
		struct member *m = &a->members[i];
		if (m->copy->kind != COPY_OAUTH || !store_is_named(m->store, policy->adopt_store) ||
		    m->state == COPY_FOREIGN || m->state == COPY_RETIRED || m->settled ||
		    account_knows(
			    a, m->copy->credential.fingerprint)) // it is live already, or was spent
			continue;
		m->fixed = false;
		adopt_member(a, m, policy);
	}
}

static void follow_sibling(struct account *a, const struct policy *policy)
{
	if (!a->sibling || a->record.ended_ms || account_knows(a, a->sibling->fingerprint))
		return;
	struct credential c = {
		.access = a->sibling->access,
		.refresh = a->sibling->refresh,
		.id_token = a->sibling->id_token,
		.fingerprint = a->sibling->fingerprint,
		.expires_ms = a->sibling->expires_ms,
		.issued_ms = a->sibling->issued_ms,
	};
	adopt(a, &c, policy);
}

// The same refresh token, another access token: of a provider that does not rotate. The later one is right.
static void adopt_newer_access(struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++) {
		struct member *m = &a->members[i];
		if (is_login(m) &&
		    fingerprint_equal(m->copy->credential.fingerprint,
				      a->record.live.fingerprint) &&
		    !secret_equal(&m->copy->credential.access, &a->record.live.access) &&
		    !secret_empty(&m->copy->credential.access) &&
		    (secret_empty(&a->record.live.access) ||
		     issue_compare(copy_issued(a, &m->copy->credential, policy),
				   live_issued(a, policy)) > 0))
			adopt_member(a, m, policy);
	}
}

// ---- receipts

void record_failure(struct account_record *record, const char *code, int status,
		    int64_t retry_after_s, int64_t now_ms)
{
	int64_t left_s = (record->live.expires_ms - now_ms) / SECOND_MS;
	int64_t delay_s = 5 * MINUTE_S;

	for (int i = 0; i < record->failures && delay_s < 6 * HOUR_S; i++)
		delay_s *= 2;
	if (delay_s > left_s / 4)
		delay_s = left_s / 4;
	if (retry_after_s >= 0)
		delay_s = retry_after_s;
	if (delay_s < MINUTE_S)
		delay_s = MINUTE_S;
	if (delay_s > 6 * HOUR_S)
		delay_s = 6 * HOUR_S;
	record->failures++;
	record->not_before_ms = now_ms + delay_s * SECOND_MS;
	record->error_status = status;
	snprintf(record->error_code, sizeof(record->error_code), "%s", code);
}

// The answer's tokens become the live generation, if the token they were given for still is.
static void take_tokens(struct account *a, const struct receipt *receipt,
			const struct answer *answer)
{
	struct account_record *r = &a->record;
	struct generation *live = &r->live;
	bool rotated =
		!secret_empty(&answer->refresh) && !secret_equal(&answer->refresh, &live->refresh);

	// An earlier run came this far. (A provider may also give the same tokens again, with a later expiry.)
	if (!rotated && secret_equal(&answer->access, &live->access) &&
	    r->refreshed_ms == receipt->received_ms)
		return;
	if (rotated)
		supersede_live(r);
	secret_copy(&live->access, &answer->access);
	if (!secret_empty(&answer->refresh))
		secret_copy(&live->refresh, &answer->refresh);
	if (!secret_empty(&answer->id_token))
		secret_copy(&live->id_token, &answer->id_token);
	live->fingerprint = fingerprint_of(&live->refresh);
	live->expires_ms = answer_expires_ms(a->provider, answer, receipt->received_ms);
	struct jwt jwt = {0};
	live->issued_ms = jwt_read(&live->access, &jwt) == 0 ? jwt.issued_ms : 0;
	jwt_free(&jwt);
	live->at_ms = receipt->received_ms;
	live->answered = true;
	r->number++;
	if (answer->lifetime_s)
		r->lifetime_s = answer->lifetime_s;
	if (answer->grant_lifetime_s)
		r->grant_expires_ms = receipt->received_ms + answer->grant_lifetime_s * SECOND_MS;
	else if (a->provider->grant_lifetime_s && !r->grant_expires_ms)
		r->grant_expires_ms = r->first_seen_ms + a->provider->grant_lifetime_s * SECOND_MS;
	identity_complete(&r->identity, &answer->identity);
	r->refreshed_ms = receipt->received_ms;
	a->live_settled = false;
	r->dead_code[0] = '\0';
	forgive(r);
	a->record_changed = true;
}

// An answer to a token that is live no more: known already, or kept for whoever misses it.
static void keep_answer(struct account *a, const struct receipt *receipt,
			const struct answer *answer)
{
	struct credential c = {
		.provider = a->record.provider,
		.profile = a->record.profile,
		.access = answer->access,
		.refresh = answer->refresh,
		.id_token = answer->id_token,
		.fingerprint = fingerprint_of(&answer->refresh),
		.expires_ms = answer_expires_ms(a->provider, answer, receipt->received_ms),
		.identity = answer->identity,
	};

	if (!secret_empty(&answer->refresh) && !account_knows(a, c.fingerprint))
		displace(a, &c, NULL, "the answer came when another login had taken its place");
}

// An outcome that leaves the token unspent: it may be sent again, later. A second send has no such way back.
static void not_spent(struct account *a, const struct receipt *receipt, const struct answer *answer,
		      const struct policy *policy)
{
	list_add(&a->drop, &a->n_drop, receipt->token);
	if (answer->kind == ANSWER_REJECTED)
		a->record.rejections++;
	record_failure(&a->record, answer->code, answer->status, answer->retry_after_s,
		       policy->now_ms);
	a->record_changed = true;
}

// What an answered receipt says. Returns false if it says nothing that can be relied on: unknown outcome.
static bool recover(struct account *a, const struct receipt *receipt, const struct policy *policy)
{
	struct answer answer = {0};
	bool live = fingerprint_equal(receipt->token, a->record.live.fingerprint);
	bool once = receipt->sends <= 1 || !a->provider->rotates;
	bool settled = true; // the receipt says what became of the token

	provider_read_answer(a->provider, &receipt->answer, receipt->received_ms, &answer);
	switch (answer.kind) {
	case ANSWER_TOKENS:
		if (identity_compare(&a->record.identity, &answer.identity) == IDENTITY_DIFFERENT) {
			a->stranger_answer |= live;
			list_remove(a->settle, &a->n_settle,
				    receipt->token); // the receipt keeps what came
			list_remove(a->close, &a->n_close, receipt->token);
			break;
		}
		a->decision = DECISION_RECOVER;
		if (live)
			take_tokens(a, receipt, &answer);
		else
			keep_answer(a, receipt, &answer);
		// An answer without a new refresh token proves the old one reusable.
		if (fingerprint_equal(receipt->token, a->record.live.fingerprint))
			list_add(&a->drop, &a->n_drop, receipt->token);
		else
			list_add(&a->close, &a->n_close, receipt->token);
		break;
	case ANSWER_DEAD:
		if (live && !a->record.dead_code[0]) {
			snprintf(a->record.dead_code, sizeof(a->record.dead_code), "%s",
				 answer.code);
			a->record.error_status = answer.status;
			a->record_changed = true;
		}
		list_add(&a->close, &a->n_close, receipt->token);
		break;
	case ANSWER_REJECTED:
	case ANSWER_NOT_SPENT:
		settled = once;
		if (!live)
			list_add(&a->close, &a->n_close, receipt->token); // of no interest any more
		else if (once)
			not_spent(a, receipt, &answer, policy);
		break;
	case ANSWER_UNKNOWN:
		settled = !a->provider->rotates;
		if (settled)
			not_spent(a, receipt, &answer, policy);
		break;
	}
	answer_free(&answer);
	return settled;
}

// Returns the receipt of unknown outcome that concerns the live token, if any.
static const struct receipt *judge_receipts(struct account *a, const struct policy *policy)
{
	const struct receipt *unknown = NULL;

	for (size_t i = 0; i < a->n_receipts; i++) {
		const struct receipt *r = a->receipts[i];
		if (r->sends == 0 && r->state == RECEIPT_CLAIMED) {
			list_add(&a->drop, &a->n_drop, r->token);
			continue;
		}
		if (r->state == RECEIPT_ANSWERED && recover(a, r, policy))
			continue;
		if (!fingerprint_equal(r->token, a->record.live.fingerprint))
			list_add(&a->close, &a->n_close, r->token);
		else if (a->provider->rotates)
			unknown = r;
		else
			list_add(&a->drop, &a->n_drop, r->token);
	}
	return unknown;
}

// ---- unknown tokens

static void judge_fresh(struct account *a, const struct policy *policy)
{
	struct member *m;

	while ((m = latest_fresh(a, a->record.anchor, policy)))
		adopt_member(a, m, policy);
	for (size_t i = 0; i < a->n_members; i++) {
		m = &a->members[i];
		if (!is_fresh(a, m) || is_diverged(a, m))
			continue;
		struct issue_time before = a->record.anchor_before;
		if (!before.issued_ms && !before.expires_ms)
			before = a->record.anchor;
		if (issue_compare(copy_issued(a, &m->copy->credential, policy), before) < 0) {
			displace(a, &m->copy->credential, m->store->path,
				 "older than the live login");
			record_supersede(&a->record, m->copy->credential.fingerprint);
			record_supersede_fence(&a->record,
					       fence_digest(a->record.profile, a->record.provider,
							    &m->copy->credential.refresh));
		} else if (a->record.n_diverged < DIVERGED_MAX) {
			*array_add(&a->record.diverged, &a->record.n_diverged) =
				m->copy->credential.fingerprint;
		}
		a->record_changed = true;
	}
}

// A fence that names a superseded token is a superseded copy. One that names the live token is, too, once an answer has
// shown it to be good: the answer of a provider that does not rotate.
static bool is_repaired_fence(const struct account *a, const struct member *m,
			      const struct policy *policy)
{
	return is_fence(m) && !fence_is_young(a, &m->copy->fence, policy) &&
	       (record_knows_fence(&a->record, m->copy->fence.digest) ||
		(a->decision == DECISION_RECOVER && names_live(a, &m->copy->fence)));
}

static void judge_members(struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++) {
		struct member *m = &a->members[i];
		const struct credential *c = &m->copy->credential;
		m->write = false;
		if (m->fixed)
			continue;
		if (m->copy->kind == COPY_BLANK)
			m->state = COPY_ENDED;
		else if (m->copy->kind == COPY_FENCED)
			m->state = COPY_STATE_FENCED;
		else if (fingerprint_equal(c->fingerprint, a->record.live.fingerprint))
			m->state = !secret_equal(&c->access, &a->record.live.access)
					   ? COPY_SUPERSEDED
				   : m->adopted ? COPY_NEWER
						: COPY_CURRENT;
		else if (m->settled || account_knows(a, c->fingerprint))
			m->state = COPY_SUPERSEDED;
		else
			m->state = COPY_DIVERGED;
		m->write =
			(m->state == COPY_SUPERSEDED || is_repaired_fence(a, m, policy)) &&
			identity_compare(&a->record.identity, &c->identity) != IDENTITY_DIFFERENT;
	}
}

// ---- time

// Needs the lifetime.
static void reckon_margin(struct account *a, const struct config *config)
{
	int64_t ours_s = config->timer_period_s + config->timer_jitter_s + MINUTE_S;
	int64_t floor_s = RUNTIME_MARGIN_S + ours_s, doctor_s = DOCTOR_MARGIN_S + ours_s;
	int64_t most_s = a->lifetime_s * 4 / 5;
	struct margin margin = config->margin;

	if (a->provider->margin.seconds || a->provider->margin.percent)
		margin = a->provider->margin;
	a->margin_s = margin.seconds   ? margin.seconds
		      : margin.percent ? a->lifetime_s * margin.percent / 100
				       : a->lifetime_s / 3;
	if (a->margin_s < floor_s)
		a->margin_s = floor_s;
	a->timer_too_slow = a->lifetime_s && floor_s > most_s;
	a->margin_too_long = a->lifetime_s && !a->timer_too_slow && a->margin_s > most_s;
	a->margin_short = a->margin_s < doctor_s && doctor_s <= most_s;
	// A configured margin is taken as it is, but not one that would refresh at every run.
	if (a->lifetime_s && (a->timer_too_slow || a->margin_s >= a->lifetime_s))
		a->margin_s = most_s;
}

void reckon_expiry(struct account *a, const struct config *config, const struct policy *policy)
{
	const struct generation *live = &a->record.live;
	struct jwt jwt = {0};
	bool has_jwt = jwt_read(&live->access, &jwt) == 0;

	a->lifetime_s = a->record.lifetime_s;
	if (!a->lifetime_s && has_jwt && jwt.issued_ms && jwt.expires_ms > jwt.issued_ms)
		a->lifetime_s = (jwt.expires_ms - jwt.issued_ms) / SECOND_MS;
	if (!a->lifetime_s)
		a->lifetime_s = a->provider->lifetime_s;
	a->expires_ms = live->expires_ms;
	if (secret_empty(&live->access) &&
	    !secret_empty(&live->refresh)) // there is nothing that could live
		a->expires_ms = policy->now_ms;
	else if (a->expires_ms && !plausible(a, a->expires_ms, policy))
		a->expires_ms = has_jwt && jwt.expires_ms && plausible(a, jwt.expires_ms, policy)
					? jwt.expires_ms
					: policy->now_ms;
	a->expiry_unknown = !a->expires_ms;
	jwt_free(&jwt);
	reckon_margin(a, config);
}

static bool clock_is_wrong(const struct account *a, const struct policy *policy)
{
	int64_t least = clock_build_ms();

	if (a->record.updated_ms > least)
		least = a->record.updated_ms;
	return policy->now_ms + CLOCK_TOLERANCE_S * SECOND_MS < least;
}

static char *describe_time(const struct account *a, const struct policy *policy)
{
	if (a->expiry_unknown)
		return xstrdup("expiry unknown");
	int64_t left_s = (a->expires_ms - policy->at_ms) / SECOND_MS;
	_cleanup_free_ char *left = duration_format(left_s < 0 ? -left_s : left_s);
	_cleanup_free_ char *margin = duration_format(a->margin_s);
	return left_s < 0 ? xasprintf("expired %s ago, margin %s", left, margin)
			  : xasprintf("expires in %s, margin %s", left, margin);
}

// ---- the last step: is there anything to send?

static void decide_unknown_outcome(struct account *a, const struct receipt *unknown,
				   const struct config *config, const struct policy *policy)
{
	int64_t last_resort_s = RUNTIME_MARGIN_S + config->timer_period_s + config->deadline_s;
	int64_t left_s = (a->expires_ms - policy->now_ms) /
			 SECOND_MS; // --at hastens nothing that is a last resort
	bool window = a->provider->reuse_window_s &&
		      policy->now_ms - unknown->sent_ms < a->provider->reuse_window_s * SECOND_MS;

	if (unknown->sends >= 2) {
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "sent_twice",
		       xstrdup("the refresh token was sent twice and no usable answer came"));
		return;
	}
	bool now = a->expires_ms && left_s < last_resort_s;
	if (!policy->offline && (policy->force || (!a->clock_wrong && (window || now)))) {
		a->send = a->resend = true;
		conclude(a, DECISION_REFRESH, OUTCOME_PLANNED,
			 xstrdup("the answer to the last refresh was lost; sending once more as "
				 "the last resort"));
		return;
	}
	_cleanup_free_ char *last = duration_format(last_resort_s);
	object(a, DECISION_HOLD, OUTCOME_HELD, "unknown_outcome",
	       xasprintf("the answer to the last refresh was lost; sent once more when less than "
			 "%s is left",
			 last));
}

// OpenClaw's own refresh of the live token failed, so its outcome is unknown; but as it has thrown the token away, the
// login is lost unless ours still works: the last resort, at once.
static void decide_fenced(struct account *a, const struct receipt *unknown,
			  const struct config *config, const struct policy *policy)
{
	if (unknown && unknown->sends >= 2) {
		decide_unknown_outcome(a, unknown, config, policy);
	} else if (!config->fence_recover) {
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "fenced",
		       xstrdup("OpenClaw fenced it off after a failed refresh (`fence` is "
			       "\"report\")"));
	} else if (policy->offline) {
		object(a, DECISION_HOLD, OUTCOME_HELD, "fenced",
		       xstrdup("OpenClaw fenced it off after a failed refresh; `refresh` would "
			       "send the ledger's token"));
	} else if (a->record.not_before_ms > policy->now_ms && !policy->force) {
		object(a, DECISION_NONE, OUTCOME_FAILED, a->record.error_code,
		       xstrdup("OpenClaw fenced it off; the last attempt to recover it failed and "
			       "will be repeated"));
	} else {
		a->send = true;
		a->resend = unknown != NULL;
		conclude(a, DECISION_REFRESH, OUTCOME_PLANNED,
			 xstrdup("OpenClaw fenced it off after a failed refresh; sending the "
				 "ledger's token as the last resort"));
	}
}

static void decide_due(struct account *a, const struct policy *policy)
{
	char *time = describe_time(a, policy);
	bool due = !a->expiry_unknown && a->expires_ms - policy->at_ms <= a->margin_s * SECOND_MS;

	if (a->clock_wrong)
		due = false;
	if (!due && !policy->force) {
		enum outcome idle = a->clock_wrong ? OUTCOME_FAILED : OUTCOME_UNCHANGED;
		conclude(a, a->decision, a->decision == DECISION_NONE ? idle : OUTCOME_PLANNED,
			 time);
		a->code = a->clock_wrong ? "clock" : NULL;
	} else if (policy->offline) {
		conclude(a, a->decision,
			 a->decision == DECISION_NONE ? OUTCOME_UNCHANGED : OUTCOME_PLANNED, time);
	} else if (!policy->force && a->record.rejections >= REJECTIONS_MAX) {
		object(a, DECISION_HOLD, OUTCOME_HELD, a->record.error_code,
		       xasprintf("%s; refused %d times (%s): log in again, or try with --force",
				 time, a->record.rejections, a->record.error_code));
		free(time);
	} else if (!policy->force && a->record.not_before_ms > policy->now_ms) {
		_cleanup_free_ char *until = time_format(a->record.not_before_ms);
		object(a, a->decision, OUTCOME_FAILED, a->record.error_code,
		       xasprintf("%s; last attempt failed (%s), next one after %s", time,
				 a->record.error_code, until));
		free(time);
	} else {
		a->send = true;
		conclude(a, DECISION_REFRESH, OUTCOME_PLANNED, time);
	}
}

static void begin_record(struct account *a, const struct config *config,
			 const struct policy *policy)
{
	struct account_record *r = &a->record;

	generation_of_credential(&r->live, &a->main->copy->credential, policy->now_ms);
	identity_complete(&r->identity, &a->main->copy->credential.identity);
	r->number = 1;
	r->first_seen_ms = policy->now_ms;
	reckon_expiry(a, config, policy); // the lifetime says which expiry is plausible
	r->anchor = copy_issued(a, &a->main->copy->credential, policy);
	a->record_changed = true;
}

static void note_main_and_identity(struct account *a)
{
	struct account_record *r = &a->record;
	struct identity before = {0};

	if (a->main && !string_equal(r->main_store, a->main->store->path)) {
		free(r->main_store);
		r->main_store = xstrdup(a->main->store->path);
		a->record_changed = true;
	}
	identity_copy(&before, &r->identity);
	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		if (is_login(m) && account_knows(a, m->copy->credential.fingerprint) &&
		    identity_compare(&r->identity, &m->copy->credential.identity) !=
			    IDENTITY_DIFFERENT)
			identity_complete(&r->identity, &m->copy->credential.identity);
	}
	a->record_changed |= !identity_equal(&before, &r->identity);
	identity_free(&before);
}

static void end_account(struct account *a, const struct policy *policy)
{
	struct account_record *r = &a->record;
	bool recovering = a->decision == DECISION_RECOVER;

	if (!r->ended_ms) {
		r->ended_ms = policy->now_ms;
		a->record_changed = true;
	}
	if (!recovering && policy->now_ms - r->ended_ms > ENDED_KEEP_S * SECOND_MS &&
	    !secret_empty(&r->live.refresh)) {
		supersede_live(r);
		generation_free(&r->live);
		a->record_changed = true;
	}
	judge_members(a, policy);
	// Nothing is resurrected. Only a rotation under way is still delivered to whoever held the spent token.
	for (size_t i = 0; i < a->n_members; i++)
		if (!recovering || r->dead_code[0] || &a->members[i] == a->main)
			a->members[i].write = false;
	if (a->n_members)
		object(a, recovering ? DECISION_RECOVER : DECISION_LOGIN, OUTCOME_NEEDS_LOGIN,
		       "logged_out", xstrdup("logged out of its main store"));
	else
		conclude(a, DECISION_SKIP, OUTCOME_SKIPPED,
			 xstrdup("logged out; no store holds it any more"));
}

static bool remains_ended(const struct account *a)
{
	return logged_out(a) || (a->record.ended_ms && !is_fresh(a, a->main));
}

static void write_nothing(struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++)
		a->members[i].write = false;
}

static bool courier_is_stuck(const struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_receipts; i++)
		if (a->receipts[i]->held && a->receipts[i]->state == RECEIPT_SENDING &&
		    policy->now_ms - a->receipts[i]->sent_ms > COURIER_STUCK_S * SECOND_MS)
			return true;
	return false;
}

// Of a login that the ledger never had, nothing but what stands in main can be live.
static bool hands_off_unknown(struct account *a, const struct policy *policy)
{
	sight_fences(a, policy);
	if (any_young_fence(a, policy))
		object(a, DECISION_NONE, OUTCOME_BUSY, "in_flight",
		       xstrdup("OpenClaw has its refresh in flight"));
	else if (is_fence(a->main))
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "fenced",
		       xstrdup("OpenClaw fenced it off before we ever saw its tokens"));
	else if (!is_login(a->main))
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "logged_out",
		       xstrdup("its main store is logged out"));
	else
		return false;
	return true;
}

// What keeps hands off before anything is looked at. True if that is the decision.
static bool hands_off(struct account *a, const struct policy *policy)
{
	const char *code = NULL, *reason = NULL;

	if (a->record.unreadable)
		code = "ledger_unreadable", reason = "its record in the ledger cannot be read";
	else if (a->skip)
		conclude(a, DECISION_SKIP, OUTCOME_SKIPPED, xstrdup(a->skip));
	else if (policy->barred)
		code = "barred", reason = policy->barred;
	else if (a->shared_token)
		code = "shared_token", reason = "the same token stands under two providers";
	else if (a->identity_conflict)
		code = "identity_conflict", reason = "the same token stands under two identities";
	else if (a->record.number) // its tokens are known
		return false;
	else if (a->main_trouble)
		code = "main_store", reason = a->main_trouble;
	else
		return hands_off_unknown(a, policy);
	if (code)
		object(a, DECISION_HOLD, OUTCOME_HELD, code, xstrdup(reason));
	return true;
}

// What stands in the way of sending, now that it is known what is live. True if that is the decision.
static bool cannot_send(struct account *a)
{
	if (a->main->state == COPY_DIVERGED)
		object(a, DECISION_HOLD, OUTCOME_HELD, "diverged",
		       xstrdup("its main store holds a login that is neither newer nor older than "
			       "the live one"));
	else if (is_fence(a->main) && !account_knows_fence(a, &a->main->copy->fence))
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "fenced",
		       xstrdup("OpenClaw fenced off a login that the ledger never had"));
	else if (a->record.dead_code[0])
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, a->record.dead_code,
		       xasprintf("the refresh token is dead (%s)", a->record.dead_code));
	else if (a->live_settled)
		object(a, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN, "spent",
		       xstrdup("its refresh token was spent before"));
	else
		return false;
	write_nothing(a);
	return true;
}

// The live generation stands: mirror it, send it, or wait.
static void decide_live(struct account *a, const struct receipt *unknown,
			const struct config *config, const struct policy *policy)
{
	const char *obstacle = provider_obstacle(a->provider, is_login(a->main) || is_fence(a->main)
								      ? &a->main->copy->credential
								      : NULL);

	if (unknown && !fingerprint_equal(unknown->token, a->record.live.fingerprint))
		unknown = NULL;
	if (live_is_fenced(a) && !obstacle && a->decision != DECISION_RECOVER)
		return decide_fenced(a, unknown, config, policy);
	if (unknown)
		return decide_unknown_outcome(a, unknown, config, policy);
	if (a->decision == DECISION_NONE && account_has_writes(a))
		a->decision = DECISION_MIRROR;
	if (obstacle && a->decision == DECISION_NONE)
		conclude(a, DECISION_SKIP, OUTCOME_SKIPPED, xstrdup(obstacle));
	else if (a->decision == DECISION_RECOVER ||
		 obstacle) // one step at a time: the next run looks whether it is due
		conclude(a, a->decision, OUTCOME_PLANNED, describe_time(a, policy));
	else
		decide_due(a, policy);
}

void decide(struct account *a, const struct config *config, const struct policy *policy)
{
	const struct receipt *unknown;

	a->decision = DECISION_NONE;
	a->code = NULL;
	a->clock_wrong = clock_is_wrong(a, policy);
	if (hands_off(a, policy))
		return;
	if (!a->record.number) // no token of it was ever seen
		begin_record(a, config, policy);
	reckon_expiry(a, config, policy);
	adopt_named(a, policy);
	follow_sibling(a, policy);
	adopt_newer_than_live(a, policy);
	adopt_after_death(a, policy);
	if (others_at_work(a)) {
		judge_members(a, policy);
		write_nothing(a);
		if (courier_is_stuck(a, policy))
			return object(a, DECISION_HOLD, OUTCOME_HELD, "unknown_outcome",
				      xstrdup("a courier of an earlier run hangs with its refresh "
					      "in flight"));
		return object(a, DECISION_NONE, OUTCOME_BUSY, "in_flight",
			      xstrdup("another run has its refresh in flight"));
	}
	sight_fences(a, policy);
	unknown = judge_receipts(a, policy);
	if (a->stranger_answer)
		return object(a, DECISION_HOLD, OUTCOME_HELD, "identity_mismatch",
			      xstrdup("the provider answered for another identity; the answer is "
				      "kept in its receipt"));
	if (a->main_trouble) {
		judge_members(a, policy);
		if (a->record.ended_ms || a->record.dead_code[0])
			write_nothing(a);
		return object(a, DECISION_HOLD, OUTCOME_HELD, "main_store",
			      xstrdup(a->main_trouble));
	}
	if (any_young_fence(a, policy)) {
		judge_members(a, policy);
		write_nothing(a);
		return object(a, DECISION_NONE, OUTCOME_BUSY, "in_flight",
			      xstrdup("OpenClaw has its refresh in flight"));
	}
	if (remains_ended(a))
		return end_account(a, policy);
	adopt_newer_access(a, policy);
	judge_fresh(a, policy);
	if (a->record.ended_ms) // what stood in main was no new login
		return end_account(a, policy);
	note_main_and_identity(a);
	judge_members(a, policy);
	reckon_expiry(a, config, policy);
	if (!cannot_send(a))
		decide_live(a, unknown, config, policy);
}
