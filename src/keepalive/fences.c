// SPDX-License-Identifier: MIT
//
// Fences: OpenClaw (2026.9.4+) has put one in the token's place while it refreshes, or because that failed.
#include "keepalive/judge.h"

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

// Its maker may still be at work: until it is 10 minutes old by our own first sighting.
static bool fence_is_young(const struct account *a, const struct fence *fence,
			   const struct policy *policy)
{
	return !fence->failed &&
	       (!string_equal(fence->claim, a->record.fence_claim) ||
		policy->now_ms - a->record.fence_seen_ms < FENCE_AGED_S * SECOND_MS);
}

bool fences_any_young(const struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (member_is_fence(&a->members[i]) &&
		    fence_is_young(a, &a->members[i].copy->fence, policy))
			return true;
	return false;
}

void fences_sight(struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++) {
		const struct fence *fence = &a->members[i].copy->fence;
		if (!member_is_fence(&a->members[i]) || fence->failed ||
		    string_equal(fence->claim, a->record.fence_claim))
			continue;
		memcpy(a->record.fence_claim, fence->claim, sizeof(a->record.fence_claim));
		a->record.fence_seen_ms = policy->now_ms;
		a->record_changed = true;
	}
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
		(a->decision == DECISION_RECOVER && names_live(a, &m->copy->fence)));
}
