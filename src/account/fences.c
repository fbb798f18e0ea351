// SPDX-License-Identifier: MIT
//
// Fences: OpenClaw (2026.9.4+) has put one in the token's place while it refreshes, or because that failed.
#include "account/judge.h"

#include "base/clock.h"

#define FENCE_AGED_S (10 * MINUTE_S) // OpenClaw's own request takes 2 minutes at most

static const struct sighting *find_sighting(const struct account_record *r, const char *claim)
{
	for (size_t i = 0; i < r->n_sightings; i++)
		if (string_equal(r->sightings[i].claim, claim))
			return &r->sightings[i];
	return NULL;
}

bool fence_is_young(const struct account_record *r, const struct fence *fence,
		    const struct policy *policy)
{
	const struct sighting *sighting = find_sighting(r, fence->claim);

	return !fence->failed &&
	       (!sighting || policy->now_ms - sighting->seen_ms < FENCE_AGED_S * SECOND_MS);
}

bool account_has_young_fence(const struct account *a, const struct account_record *record,
			     const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (member_is_fence(&a->members[i]) &&
		    fence_is_young(record, &a->members[i].copy->fence, policy))
			return true;
	return false;
}

// Those that stand there, each with the time it was seen first; one seen in the future, by a clock that was wrong, anew.
void fences_sight(struct judgement *j)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;
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
		s->seen_ms = j->policy->now_ms;
		if (before && before->seen_ms <= j->policy->now_ms) {
			s->seen_ms = before->seen_ms;
			known++;
		}
	}
	v->record_changed |= known != n || n != r->n_sightings;
	free(r->sightings);
	r->sightings = now;
	r->n_sightings = n;
}

// The live token stands fenced off: its outcome is unknown, and without us the login is lost.
bool fences_name_live(const struct judgement *j)
{
	const struct account *a = j->account;
	const struct account_record *r = &j->verdict->record;

	for (size_t i = 0; i < a->n_members; i++)
		if (member_is_fence(&a->members[i]) &&
		    record_live_is_fenced(r, a->members[i].copy->fence.digest))
			return true;
	return false;
}

// A fence that names a superseded token is a superseded copy. One that names the live token is, too, once an answer has
// shown it to be good: the answer of a provider that does not rotate.
bool fence_is_repaired(const struct judgement *j, const struct member *m)
{
	const struct account_record *r = &j->verdict->record;
	const struct fence *fence = &m->copy->fence;

	return member_is_fence(m) && !fence_is_young(r, fence, j->policy) &&
	       (record_superseded_fence(r, fence->digest) ||
		(j->recovered.proven && record_live_is_fenced(r, fence->digest)));
}
