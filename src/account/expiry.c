// SPDX-License-Identifier: MIT
//
// When: which of two tokens was issued later, how long one lives, when it is due, and how long to back off.
#include <stdio.h>

#include "account/judge.h"

#include "base/clock.h"

#define DOCTOR_MARGIN_S	       DAY_S // OpenClaw's `doctor --fix` refreshes by itself from here on
#define IMPLAUSIBLE_S	       (10 * MINUTE_S)
#define EXPIRED_BACK_OFF_MAX_S (2 * HOUR_S)

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

// By etcd's clock, where ours is behind it: what came from another host would else outlive itself, and be sent with every run.
// (Where etcd's is behind, ours may well be right, and by etcd's all that is new would.)
static bool outlives(int64_t lifetime_s, int64_t expires_ms, const struct policy *policy)
{
	int64_t ahead_ms = policy->cluster ? cluster_clock_ahead_ms(policy->cluster) : 0;
	int64_t now_ms = policy->now_ms - (ahead_ms < 0 ? ahead_ms : 0);

	return lifetime_s && expires_ms - now_ms > (lifetime_s + IMPLAUSIBLE_S) * SECOND_MS;
}

static bool lives_longer(const struct judgement *j, int64_t lifetime_s, int64_t expires_ms)
{
	return !j->verdict->clock_wrong && outlives(lifetime_s, expires_ms, j->policy);
}

bool expiry_is_plausible(const struct judgement *j, int64_t expires_ms)
{
	return !lives_longer(j, j->verdict->schedule.lifetime_s, expires_ms);
}

static struct issue_time issued(const struct judgement *j, int64_t issued_ms, int64_t expires_ms)
{
	// A login may live longer than the last answer did, if that was shorter than the provider's usual.
	int64_t usual_s = j->account->provider->lifetime_s;
	bool too_long = !expiry_is_plausible(j, expires_ms) &&
			(!usual_s || lives_longer(j, usual_s, expires_ms));

	return (struct issue_time){
		.issued_ms = issued_ms,
		.expires_ms = too_long ? 0 : expires_ms,
	};
}

struct issue_time issue_of_copy(const struct judgement *j, const struct credential *c)
{
	return issued(j, c->issued_ms, c->expires_ms);
}

struct issue_time issue_of_live(const struct judgement *j)
{
	const struct account_record *r = &j->verdict->record;

	return issued(j, r->live.issued_ms, r->live.expires_ms);
}

enum age { AGE_UNKNOWN, AGE_LATER, AGE_NOT_LATER };

// Without a time of issue of its own it is ordered by its expiry, by which a login that lives shorter than the one before
// looks older. But what still lives was not forgotten: no token lives through as many refreshes as we remember.
static enum age age_against_previous(const struct judgement *j, const struct credential *c)
{
	const struct verdict *v = j->verdict;
	const struct account_record *r = &j->verdict->record;
	const struct issue_time *p = &r->previous;
	struct issue_time previous = issued(j, p->issued_ms, p->expires_ms);
	struct issue_time own = issue_of_copy(j, c);

	if (!p->issued_ms && !p->expires_ms)
		return AGE_LATER; // there was nothing
	if (own.issued_ms && previous.issued_ms)
		return own.issued_ms > previous.issued_ms ? AGE_LATER : AGE_NOT_LATER;
	if (own.expires_ms > j->policy->now_ms && !v->clock_wrong)
		return AGE_LATER;
	if (!own.expires_ms || !previous.expires_ms)
		return AGE_UNKNOWN;
	return own.expires_ms > previous.expires_ms ? AGE_LATER : AGE_NOT_LATER;
}

bool is_later_than_previous(const struct judgement *j, const struct credential *c)
{
	return age_against_previous(j, c) == AGE_LATER;
}

bool is_not_later_than_previous(const struct judgement *j, const struct credential *c)
{
	return age_against_previous(j, c) == AGE_NOT_LATER;
}

// ---- margin and expiry

// Needs the lifetime.
static void reckon_margin(struct schedule *s, const struct provider *provider,
			  const struct config *config)
{
	int64_t ours_s = config->timer_period_s + config->timer_jitter_s + MINUTE_S;
	int64_t floor_s = RUNTIME_MARGIN_S + ours_s, doctor_s = DOCTOR_MARGIN_S + ours_s;
	int64_t most_s = s->lifetime_s * 4 / 5;
	struct margin margin = config->margin;

	if (provider->margin.seconds || provider->margin.percent)
		margin = provider->margin;
	s->margin_s = margin.seconds   ? margin.seconds
		      : margin.percent ? s->lifetime_s * margin.percent / 100
				       : s->lifetime_s / 3;
	s->margin_raised = (margin.seconds || margin.percent) && s->margin_s < floor_s;
	if (s->margin_s < floor_s)
		s->margin_s = floor_s;
	s->timer_too_slow = s->lifetime_s && floor_s > most_s;
	s->margin_too_long = s->lifetime_s && !s->timer_too_slow && s->margin_s > most_s;
	s->margin_short = s->margin_s < doctor_s && doctor_s <= most_s;
	// A configured margin is taken as it is, but not one that would refresh at every run.
	if (s->lifetime_s && (s->timer_too_slow || s->margin_s + ours_s >= s->lifetime_s))
		s->margin_s = most_s;
}

static int64_t reckon_lifetime(const struct account_record *r, const struct jwt_times *jwt,
			       const struct provider *provider)
{
	if (r->lifetime_s)
		return r->lifetime_s;
	if (jwt->issued_ms && jwt->expires_ms > jwt->issued_ms)
		return (jwt->expires_ms - jwt->issued_ms) / SECOND_MS;
	return provider->lifetime_s;
}

struct schedule reckon_schedule(const struct account_record *r, const struct provider *provider,
				bool clock_wrong, const struct config *config,
				const struct policy *policy)
{
	const struct generation *live = &r->live;
	struct schedule s = {.expires_ms = live->expires_ms};
	const struct jwt_times jwt = jwt_times(&live->access);

	s.lifetime_s = reckon_lifetime(r, &jwt, provider);
	if (secret_empty(&live->access) && !secret_empty(&live->refresh)) {
		s.expires_ms = policy->now_ms; // there is nothing that could live
	} else if (!clock_wrong && outlives(s.lifetime_s, s.expires_ms, policy)) {
		bool jwt_fits = jwt.expires_ms && !outlives(s.lifetime_s, jwt.expires_ms, policy);
		s.expires_ms = jwt_fits ? jwt.expires_ms : policy->now_ms;
		s.doubted = !jwt_fits;
	}
	reckon_margin(&s, provider, config);
	return s;
}

void judge_times(struct judgement *j)
{
	struct verdict *v = j->verdict;

	v->schedule = reckon_schedule(&v->record, j->account->provider, v->clock_wrong, j->config,
				      j->policy);
	judge_programs(j);
}

static char *describe_doubt(const struct judgement *j, const char *margin)
{
	const struct verdict *v = j->verdict;
	int64_t stored_s = (v->record.live.expires_ms - j->policy->at_ms) / SECOND_MS;
	_cleanup_free_ char *stored = duration_format(stored_s);
	_cleanup_free_ char *lifetime = duration_format(v->schedule.lifetime_s);

	return xasprintf(
		"expiry unknown (the store says in %s, but such a token lives %s), margin %s",
		stored, lifetime, margin);
}

char *expiry_describe(const struct judgement *j)
{
	const struct verdict *v = j->verdict;

	if (!v->schedule.expires_ms)
		return xstrdup("expiry unknown");
	int64_t left_s = (v->schedule.expires_ms - j->policy->at_ms) / SECOND_MS;
	_cleanup_free_ char *left = duration_format(left_s < 0 ? -left_s : left_s);
	_cleanup_free_ char *margin = duration_format(v->schedule.margin_s);
	if (v->schedule.doubted)
		return describe_doubt(j, margin);
	return left_s < 0 ? xasprintf("expired %s ago, margin %s", left, margin)
			  : xasprintf("expires in %s, margin %s", left, margin);
}

// ---- back-off

char *failing_since(const struct account_record *record, int64_t now_ms)
{
	bool anew = now_ms - record->failing_ms < MINUTE_S * SECOND_MS;
	_cleanup_free_ char *since =
		record->failing_ms && !anew ? time_format(record->failing_ms) : NULL;

	return since ? xasprintf(", as since %s", since) : xstrdup("");
}

static int64_t doubled(int64_t first_s, int times, int64_t most_s)
{
	int64_t delay_s = first_s;

	for (int i = 0; i < times && delay_s < most_s; i++)
		delay_s *= 2;
	return delay_s < most_s ? delay_s : most_s;
}

// The next run may find a way to where nothing came through; to wait longer than that spares nobody.
#define UNREACHED_BACK_OFF_S (4 * MINUTE_S)

// While the access token lives, never longer than a quarter of what is left of it. Afterwards nothing is gained by haste:
// from the start again, and on.
void record_failure(struct account_record *record, const char *code, int status,
		    int64_t retry_after_s, int64_t now_ms)
{
	int64_t expires_ms = record->live.expires_ms, left_s = (expires_ms - now_ms) / SECOND_MS;
	int64_t first_s = status == 429 ? 15 * MINUTE_S : 5 * MINUTE_S, delay_s;

	// Until when the last failure was to be waited for tells whether it lived then.
	if (left_s <= 0 && record->not_before_ms <= expires_ms + MINUTE_S * SECOND_MS)
		record->failures = 0;
	if (retry_after_s >= 0)
		delay_s = retry_after_s;
	else if (!status)
		delay_s = doubled(UNREACHED_BACK_OFF_S, 0,
				  left_s > 0 ? left_s / 4 : UNREACHED_BACK_OFF_S);
	else if (left_s <= 0)
		delay_s = doubled(first_s, record->failures, EXPIRED_BACK_OFF_MAX_S);
	else
		delay_s = doubled(first_s, record->failures, left_s / 4);
	if (delay_s < MINUTE_S)
		delay_s = MINUTE_S;
	if (delay_s > BACK_OFF_MAX_S)
		delay_s = BACK_OFF_MAX_S;
	if (!record->failing_ms)
		record->failing_ms = now_ms;
	record->failures++;
	record->not_before_ms = now_ms + delay_s * SECOND_MS;
	record->error_status = status;
	snprintf(record->error_code, sizeof(record->error_code), "%s", code);
}
