// SPDX-License-Identifier: MIT
//
// How each copy stands to the live generation, and whether it is to be written.
#include "account/judge.h"

#include "base/clock.h"

// A copy that shall have no refresh token, or has none.
static enum copy_state state_of_access(const struct judgement *j, const struct member *m)
{
	const struct copy *copy = m->copy;

	if (copy->kind == COPY_OAUTH || !member_is_withheld(m))
		return COPY_PENDING;
	return secret_equal(&copy->credential.access, &j->verdict->record.live.access) &&
			       expiry_is_live(j, copy)
		       ? COPY_WITHHELD
		       : COPY_SUPERSEDED;
}

static enum copy_state state_of(const struct judgement *j, const struct member *m)
{
	const struct account_record *r = &j->verdict->record;
	const struct credential *c = &m->copy->credential;

	if (m->taken_from)
		return COPY_SUPERSEDED;
	if (m->copy->kind == COPY_BLANK)
		return COPY_ENDED;
	if (m->copy->kind == COPY_FENCED)
		return COPY_STATE_FENCED;
	bool live = fingerprint_equal(c->fingerprint, r->live.fingerprint);
	if (m->copy->kind == COPY_ACCESS ||
	    (live && member_is_withheld(m) && !on_copy(j, m)->adopted))
		return state_of_access(j, m);
	if (live) {
		if (!secret_equal(&c->access, &r->live.access) || !expiry_is_live(j, m->copy))
			return COPY_SUPERSEDED;
		return on_copy(j, m)->adopted ? COPY_NEWER : COPY_CURRENT;
	}
	return m->settled || record_knows(r, c->fingerprint) ? COPY_SUPERSEDED : COPY_DIVERGED;
}

void judge_copies(struct judgement *j)
{
	const struct account *a = j->account;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		struct copy_verdict *v = on_copy(j, m);
		if (v->fixed)
			continue;
		v->state = state_of(j, m);
		v->write =
			(v->state == COPY_SUPERSEDED || v->state == COPY_PENDING ||
			 fence_is_repaired(j, m)) &&
			!m->given_away &&
			(m->taken_from || record_match(&j->verdict->record, &m->copy->credential) !=
						  IDENTITY_DIFFERENT);
	}
}

void displace_lapsed(struct judgement *j)
{
	int64_t soon_ms = j->policy->now_ms + DAY_S * SECOND_MS;

	for (size_t i = 0; i < j->account->n_members; i++) {
		const struct member *m = &j->account->members[i];
		if (m->kept_until_ms && m->kept_until_ms < soon_ms && !m->taken_from &&
		    on_copy(j, m)->write)
			displace_member(j, m, "older than the live login");
	}
}

bool writes_any(const struct judgement *j)
{
	for (size_t i = 0; i < j->account->n_members; i++)
		if (j->verdict->copies[i].write)
			return true;
	return false;
}

void write_nothing(struct judgement *j)
{
	for (size_t i = 0; i < j->account->n_members; i++)
		j->verdict->copies[i].write = false;
}
