// SPDX-License-Identifier: MIT
//
// Fences: OpenClaw (2026.9.4+) has put one in the token's place while it refreshes, or because that failed.
#include "account/judge.h"

#include "base/clock.h"

#define FENCE_AGED_S (10 * MINUTE_S) // OpenClaw's own request takes 2 minutes at most

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

static const struct sighting *find_sighting(const struct account_record *r, const char *claim)
{
	for (size_t i = 0; i < r->n_sightings; i++)
		if (string_equal(r->sightings[i].claim, claim))
			return &r->sightings[i];
	return NULL;
}

bool fence_is_young(const struct account *a, const struct fence *fence, const struct policy *policy)
{
	const struct sighting *sighting = find_sighting(&a->record, fence->claim);

	return !fence->failed &&
	       (!sighting || policy->now_ms - sighting->seen_ms < FENCE_AGED_S * SECOND_MS);
}

bool fences_any_young(const struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (member_is_fence(&a->members[i]) &&
		    fence_is_young(a, &a->members[i].copy->fence, policy))
			return true;
	return false;
}

// Those that stand there, each with the time it was seen first; one seen in the future, by a clock that was wrong, anew.
void fences_sight(struct account *a, const struct policy *policy)
{
	struct account_record *r = &a->record;
	struct sighting *now = NULL;
	size_t n = 0, known = 0;

	for (size_t i = 0; i < a->n_members && n < RECORD_SIGHTINGS_MAX; i++) {
		const struct fence *fence = &a->members[i].copy->fence;
		bool listed = false;
		if (!member_is_fence(&a->members[i]) || fence->failed)
			continue;
		for (size_t k = 0; k < n; k++)
			listed |= string_equal(now[k].claim, fence->claim);
		if (listed)
			continue;
		const struct sighting *before = find_sighting(r, fence->claim);
		struct sighting *s = array_add(&now, &n);
		memcpy(s->claim, fence->claim, sizeof(s->claim));
		s->seen_ms = policy->now_ms;
		if (before && before->seen_ms <= policy->now_ms) {
			s->seen_ms = before->seen_ms;
			known++;
		}
	}
	a->verdict.record_changed |= known != n || n != r->n_sightings;
	free(r->sightings);
	r->sightings = now;
	r->n_sightings = n;
}

// The live token stands fenced off: its outcome is unknown, and without us the login is lost.
bool fences_name_live(const struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (member_is_fence(&a->members[i]) && names_live(a, &a->members[i].copy->fence))
			return true;
	return false;
}

// A fence that names a superseded token is a superseded copy. One that names the live token is, too, once an answer has
// shown it to be good: the answer of a provider that does not rotate.
bool fence_is_repaired(const struct account *a, const struct member *m, const struct policy *policy)
{
	return member_is_fence(m) && !fence_is_young(a, &m->copy->fence, policy) &&
	       (record_knows_fence(&a->record, m->copy->fence.digest) ||
		(a->verdict.live_proven && names_live(a, &m->copy->fence)));
}
