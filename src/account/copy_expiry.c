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
void correct_live_expiry(struct judgement *j)
{
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;
	struct generation *live = &r->live;

	if (!live->expires_ms || v->schedule.expires_ms <= j->policy->now_ms ||
	    v->schedule.expires_ms == live->expires_ms)
		return;
	live->expires_ms = v->schedule.expires_ms;
	v->record_changed = true;
}

bool expiry_is_live(const struct judgement *j, const struct copy *copy)
{
	const struct account *a = j->account;
	const struct account_record *r = &j->verdict->record;
	int64_t live_ms = r->live.expires_ms;

	return copy->expires_implied || !live_ms || !expiry_is_plausible(j, live_ms) ||
	       (!copy->expires_odd && store_expires_agree(a->provider, copy->credential.expires_ms,
							  live_ms, j->policy->now_ms));
}

static struct sighting sighting_of(const struct judgement *j, const struct member *m)
{
	const struct account_record *r = &j->verdict->record;
	_cleanup_free_ char *what =
		xasprintf("%lld %lld %s", (long long)r->live.expires_ms,
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
static bool open_sighting(struct judgement *j, const struct sighting *now)
{
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;
	struct sighting *s = NULL;

	for (size_t i = 0; i < r->n_expiries; i++)
		if (string_equal(r->expiries[i].claim, now->claim))
			s = &r->expiries[i];
	if (s && s->seen_ms == 0)
		return true;
	if (s && j->policy->now_ms >= s->seen_ms &&
	    j->policy->now_ms - s->seen_ms < LEFT_ALONE_S * SECOND_MS)
		return false;
	if (!s)
		s = add_sighting(r);
	*s = *now;
	v->record_changed = true;
	return true;
}

static void close_sightings(struct judgement *j, const struct sighting *now)
{
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;

	for (size_t i = 0; i < r->n_expiries; i++) {
		struct sighting *s = &r->expiries[i];
		if (s->seen_ms || memcmp(s->claim, now->claim, STORE_PART) != 0)
			continue;
		s->seen_ms = j->policy->now_ms;
		v->record_changed = true;
	}
}

void expiries_sight(struct judgement *j)
{
	const struct account *a = j->account;
	struct account_record *r = &j->verdict->record;
	const struct generation *live = &r->live;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		struct copy_verdict *v = on_copy(j, m);
		const struct credential *c = &m->copy->credential;
		// (Pending: it is to lose its refresh token, and whatever its expiry is, at once.)
		if (!member_is_login(j, m) || v->state == COPY_PENDING ||
		    !fingerprint_equal(c->fingerprint, live->fingerprint) ||
		    !secret_equal(&c->access, &live->access) || (!v->write && !r->n_expiries))
			continue;
		struct sighting now = sighting_of(j, m);
		if (!v->write) {
			close_sightings(j, &now);
		} else if (!open_sighting(j, &now)) {
			v->write = false;
			v->expiry_left = true;
			v->state = COPY_CURRENT;
		}
	}
}
