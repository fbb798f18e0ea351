// SPDX-License-Identifier: MIT
//
// Copies that hold the live tokens beside another expiry. That is what a runtime decides by: with one that is missing, or
// too early, it refreshes by itself, and with one that is too late it goes on with a token that is dead. So it is put
// right like a token.
//
// But a runtime may have an expiry of its own, and put it back whenever it sees ours. What we put right is therefore
// noted, by store and by what stood there: open until a look finds it right, then with the time of that look. If the very
// same stands there again within the hour, it is left.
#include "account/judge.h"

#include "base/clock.h"

#define LEFT_ALONE_S HOUR_S
#define STORE_PART   16 // of a claim: which store; the rest: what stood there

// What cannot be true is known better by the token itself, or by nobody: then it is not handed on.
void correct_live_expiry(struct account *a, const struct policy *policy)
{
	struct generation *live = &a->record.live;

	if (!live->expires_ms || a->verdict.schedule.expires_ms <= policy->now_ms ||
	    a->verdict.schedule.expires_ms == live->expires_ms)
		return;
	live->expires_ms = a->verdict.schedule.expires_ms;
	a->verdict.record_changed = true;
}

bool expiry_is_live(const struct account *a, const struct copy *copy, const struct policy *policy)
{
	int64_t live_ms = a->record.live.expires_ms;

	return !live_ms || !expiry_is_plausible(a, live_ms, policy) ||
	       (!copy->expires_odd && store_expires_agree(a->provider, copy->credential.expires_ms,
							  live_ms, policy->now_ms));
}

static struct sighting sighting_of(const struct account *a, const struct member *m)
{
	_cleanup_free_ char *what =
		xasprintf("%lld %lld %s", (long long)a->record.live.expires_ms,
			  (long long)m->copy->credential.expires_ms, m->copy->expires_start);
	struct fingerprint store = fingerprint_of_bytes(m->store->path, strlen(m->store->path)),
			   stood = fingerprint_of_bytes(what, strlen(what));
	struct sighting s = {};

	memcpy(s.claim, store.hex, STORE_PART);
	memcpy(s.claim + STORE_PART, stood.hex, sizeof(s.claim) - 1 - STORE_PART);
	return s;
}

static struct sighting *add_sighting(struct account_record *r)
{
	if (r->n_expiries == RECORD_SIGHTINGS_MAX)
		memmove(r->expiries, r->expiries + 1, --r->n_expiries * sizeof(*r->expiries));
	return array_add(&r->expiries, &r->n_expiries);
}

// May it be put right?
static bool open_sighting(struct account *a, const struct sighting *now,
			  const struct policy *policy)
{
	struct sighting *s = NULL;

	for (size_t i = 0; i < a->record.n_expiries; i++)
		if (string_equal(a->record.expiries[i].claim, now->claim))
			s = &a->record.expiries[i];
	if (s && s->seen_ms == 0)
		return true;
	if (s && policy->now_ms >= s->seen_ms &&
	    policy->now_ms - s->seen_ms < LEFT_ALONE_S * SECOND_MS)
		return false;
	if (!s)
		s = add_sighting(&a->record);
	*s = *now;
	a->verdict.record_changed = true;
	return true;
}

static void close_sightings(struct account *a, const struct sighting *now,
			    const struct policy *policy)
{
	for (size_t i = 0; i < a->record.n_expiries; i++) {
		struct sighting *s = &a->record.expiries[i];
		if (s->seen_ms || memcmp(s->claim, now->claim, STORE_PART) != 0)
			continue;
		s->seen_ms = policy->now_ms;
		a->verdict.record_changed = true;
	}
}

void expiries_sight(struct account *a, const struct policy *policy)
{
	const struct generation *live = &a->record.live;

	for (size_t i = 0; i < a->n_members; i++) {
		struct member *m = &a->members[i];
		const struct credential *c = &m->copy->credential;
		if (!member_is_login(m) || !fingerprint_equal(c->fingerprint, live->fingerprint) ||
		    !secret_equal(&c->access, &live->access) ||
		    (!m->write && !a->record.n_expiries))
			continue;
		struct sighting now = sighting_of(a, m);
		if (!m->write) {
			close_sightings(a, &now, policy);
		} else if (!open_sighting(a, &now, policy)) {
			m->write = false;
			m->expiry_left = true;
			m->state = COPY_CURRENT;
		}
	}
}
