// SPDX-License-Identifier: MIT
//
// Copies in other programs' files: who could refresh them beside us, and when.
#include "account/judge.h"

#include "base/clock.h"

bool member_is_withheld(const struct member *m)
{
	return m->copy->external && m->copy->external->withhold;
}

// One that is to lose its refresh token still has it.
bool member_is_shared(const struct member *m)
{
	return m->copy->external && !m->fixed &&
	       (m->copy->kind == COPY_OAUTH ||
		(m->copy->kind == COPY_ACCESS && !m->copy->external->withhold));
}

bool account_knows_access(const struct account *a, struct fingerprint access)
{
	if (fingerprint_equal(fingerprint_of(&a->record.live.access), access) ||
	    fingerprint_listed(a->record.accesses, a->record.n_accesses, access))
		return true;
	return a->main &&
	       fingerprint_equal(fingerprint_of(&a->main->copy->credential.access), access);
}

const struct member *shared_stranger(const struct judgement *j)
{
	for (size_t i = 0; i < j->account->n_members; i++) {
		const struct member *m = &j->account->members[i];
		if (m->copy->external && !m->copy->external->withhold &&
		    m->copy->kind == COPY_OAUTH && on_copy(j, m)->state == COPY_UNPROVEN)
			return m;
	}
	return NULL;
}

static int64_t margin_of(const struct account *a, const struct member *m, const struct schedule *s)
{
	return format_margin_s(m->copy->external->format, a->record.provider, s->lifetime_s);
}

// Before a program that would refresh at so much of the lifetime, if that can be.
static void go_before(struct schedule *s, int64_t margin_s, const struct config *config)
{
	int64_t ours_s = config->timer_period_s + config->timer_jitter_s + MINUTE_S;
	int64_t wanted_s = margin_s + ours_s;
	int64_t most_s = s->lifetime_s * 4 / 5;

	if (!s->lifetime_s || s->margin_s >= wanted_s)
		return;
	s->timer_too_slow |= wanted_s > most_s;
	s->margin_s = wanted_s > most_s ? most_s : wanted_s;
}

void judge_programs(struct judgement *j)
{
	const struct account *a = j->account;
	struct schedule *s = &j->verdict->schedule;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		if (member_is_shared(m) && m->copy->external->format->raises_margin)
			go_before(s, margin_of(a, m, s), j->config);
	}
	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		if (member_is_shared(m) && !member_is_withheld(m) &&
		    margin_of(a, m, s) > s->margin_s)
			s->earlier = m->copy->external->format;
	}
}
