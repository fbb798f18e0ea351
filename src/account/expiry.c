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

static bool lives_longer(const struct account *a, int64_t lifetime_s, int64_t expires_ms,
			 const struct policy *policy)
{
	return !a->verdict.clock_wrong && lifetime_s &&
	       expires_ms - policy->now_ms > (lifetime_s + IMPLAUSIBLE_S) * SECOND_MS;
}

bool expiry_is_plausible(const struct account *a, int64_t expires_ms, const struct policy *policy)
{
	return !lives_longer(a, a->verdict.schedule.lifetime_s, expires_ms, policy);
}

static struct issue_time issued(const struct account *a, int64_t issued_ms, int64_t expires_ms,
				const struct policy *policy)
{
	// A login may live longer than the last answer did, if that was shorter than the provider's usual.
	int64_t usual_s = a->provider->lifetime_s;
	bool too_long = lives_longer(a, a->verdict.schedule.lifetime_s, expires_ms, policy) &&
			(!usual_s || lives_longer(a, usual_s, expires_ms, policy));

	return (struct issue_time){
		.issued_ms = issued_ms,
		.expires_ms = too_long ? 0 : expires_ms,
	};
}

struct issue_time issue_of_copy(const struct account *a, const struct credential *c,
				const struct policy *policy)
{
	return issued(a, c->issued_ms, c->expires_ms, policy);
}

struct issue_time issue_of_live(const struct account *a, const struct policy *policy)
{
	return issued(a, a->record.live.issued_ms, a->record.live.expires_ms, policy);
}

enum age { AGE_UNKNOWN, AGE_LATER, AGE_NOT_LATER };

// Without a time of issue of its own it is ordered by its expiry, by which a login that lives shorter than the one before
// looks older. But what still lives was not forgotten: no token lives through as many refreshes as we remember.
static enum age age_against_previous(const struct account *a, const struct credential *c,
				     const struct policy *policy)
{
	const struct issue_time *p = &a->record.previous;
	struct issue_time previous = issued(a, p->issued_ms, p->expires_ms, policy);
	struct issue_time own = issue_of_copy(a, c, policy);

	if (!p->issued_ms && !p->expires_ms)
		return AGE_LATER; // there was nothing
	if (own.issued_ms && previous.issued_ms)
		return own.issued_ms > previous.issued_ms ? AGE_LATER : AGE_NOT_LATER;
	if (own.expires_ms > policy->now_ms && !a->verdict.clock_wrong)
		return AGE_LATER;
	if (!own.expires_ms || !previous.expires_ms)
		return AGE_UNKNOWN;
	return own.expires_ms > previous.expires_ms ? AGE_LATER : AGE_NOT_LATER;
}

bool is_later_than_previous(const struct account *a, const struct credential *c,
			    const struct policy *policy)
{
	return age_against_previous(a, c, policy) == AGE_LATER;
}

bool is_not_later_than_previous(const struct account *a, const struct credential *c,
				const struct policy *policy)
{
	return age_against_previous(a, c, policy) == AGE_NOT_LATER;
}

// ---- margin and expiry

// Needs the lifetime.
static void reckon_margin(struct account *a, const struct config *config)
{
	int64_t ours_s = config->timer_period_s + config->timer_jitter_s + MINUTE_S;
	int64_t floor_s = RUNTIME_MARGIN_S + ours_s, doctor_s = DOCTOR_MARGIN_S + ours_s;
	int64_t most_s = a->verdict.schedule.lifetime_s * 4 / 5;
	struct margin margin = config->margin;

	if (a->provider->margin.seconds || a->provider->margin.percent)
		margin = a->provider->margin;
	a->verdict.schedule.margin_s =
		margin.seconds	 ? margin.seconds
		: margin.percent ? a->verdict.schedule.lifetime_s * margin.percent / 100
				 : a->verdict.schedule.lifetime_s / 3;
	if (a->verdict.schedule.margin_s < floor_s)
		a->verdict.schedule.margin_s = floor_s;
	a->verdict.schedule.timer_too_slow = a->verdict.schedule.lifetime_s && floor_s > most_s;
	a->verdict.schedule.margin_too_long = a->verdict.schedule.lifetime_s &&
					      !a->verdict.schedule.timer_too_slow &&
					      a->verdict.schedule.margin_s > most_s;
	a->verdict.schedule.margin_short =
		a->verdict.schedule.margin_s < doctor_s && doctor_s <= most_s;
	// A configured margin is taken as it is, but not one that would refresh at every run.
	if (a->verdict.schedule.lifetime_s &&
	    (a->verdict.schedule.timer_too_slow ||
	     a->verdict.schedule.margin_s + ours_s >= a->verdict.schedule.lifetime_s))
		a->verdict.schedule.margin_s = most_s;
}

void reckon_expiry(struct account *a, const struct config *config, const struct policy *policy)
{
	const struct generation *live = &a->record.live;
	struct jwt jwt = {0};
	bool has_jwt = jwt_read(&live->access, &jwt) == 0;

	a->verdict.schedule.lifetime_s = a->record.lifetime_s;
	if (!a->verdict.schedule.lifetime_s && has_jwt && jwt.issued_ms &&
	    jwt.expires_ms > jwt.issued_ms)
		a->verdict.schedule.lifetime_s = (jwt.expires_ms - jwt.issued_ms) / SECOND_MS;
	if (!a->verdict.schedule.lifetime_s)
		a->verdict.schedule.lifetime_s = a->provider->lifetime_s;
	a->verdict.schedule.expires_ms = live->expires_ms;
	if (secret_empty(&live->access) &&
	    !secret_empty(&live->refresh)) // there is nothing that could live
		a->verdict.schedule.expires_ms = policy->now_ms;
	else if (a->verdict.schedule.expires_ms &&
		 !expiry_is_plausible(a, a->verdict.schedule.expires_ms, policy))
		a->verdict.schedule.expires_ms =
			has_jwt && jwt.expires_ms && expiry_is_plausible(a, jwt.expires_ms, policy)
				? jwt.expires_ms
				: policy->now_ms;
	jwt_free(&jwt);
	reckon_margin(a, config);
}

char *expiry_describe(const struct account *a, const struct policy *policy)
{
	if (!a->verdict.schedule.expires_ms)
		return xstrdup("expiry unknown");
	int64_t left_s = (a->verdict.schedule.expires_ms - policy->at_ms) / SECOND_MS;
	_cleanup_free_ char *left = duration_format(left_s < 0 ? -left_s : left_s);
	_cleanup_free_ char *margin = duration_format(a->verdict.schedule.margin_s);
	return left_s < 0 ? xasprintf("expired %s ago, margin %s", left, margin)
			  : xasprintf("expires in %s, margin %s", left, margin);
}

// ---- back-off

static int64_t doubled(int64_t first_s, int times, int64_t most_s)
{
	int64_t delay_s = first_s;

	for (int i = 0; i < times && delay_s < most_s; i++)
		delay_s *= 2;
	return delay_s < most_s ? delay_s : most_s;
}

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
	else if (left_s <= 0)
		delay_s = doubled(first_s, record->failures, EXPIRED_BACK_OFF_MAX_S);
	else
		delay_s = doubled(5 * MINUTE_S, record->failures, left_s / 4);
	if (delay_s < MINUTE_S)
		delay_s = MINUTE_S;
	if (delay_s > BACK_OFF_MAX_S)
		delay_s = BACK_OFF_MAX_S;
	record->failures++;
	record->not_before_ms = now_ms + delay_s * SECOND_MS;
	record->error_status = status;
	snprintf(record->error_code, sizeof(record->error_code), "%s", code);
}
