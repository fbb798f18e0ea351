// SPDX-License-Identifier: MIT
//
// Whether to believe the clock: against the build, the ledger, and the servers that have answered. They say when they did
// (`Date`, a fresh token's time of issue), so that of two times that contradict each other it can be told which is wrong.
#include "account/judge.h"

#include "base/clock.h"

#define TOLERANCE_MS	    (MINUTE_S * SECOND_MS)
#define SERVER_TOLERANCE_MS (10 * MINUTE_S * SECOND_MS)
#define SUPPORTED_MS                                                                               \
	(20 * DAY_S * SECOND_MS) // below what anything is kept for, but for an ended login's tokens

static void shift_if(int64_t *time_ms, bool wrong, int64_t by_ms)
{
	if (wrong && *time_ms)
		*time_ms -= by_ms;
}

// What is waited for is as far away as it was then.
static void set_pauses_right(struct judgement *j, int64_t by_ms)
{
	struct account_record *r = &j->verdict->record;

	shift_if(&r->not_before_ms, true, by_ms);
	shift_if(&r->failing_ms, r->failing_ms > j->policy->now_ms, by_ms);
	j->verdict->record_changed = true;
}

// By so much the clock was ahead when all of this was written.
static void set_record_right(struct judgement *j, int64_t by_ms)
{
	struct account_record *r = &j->verdict->record;
	struct issue_time *const issues[] = {&r->anchor, &r->anchor_before, &r->previous};
	int64_t *const stamps[] = {&r->first_seen_ms, &r->ended_ms, &r->live.at_ms};

	shift_if(&r->live.expires_ms, r->live.answered, by_ms);
	for (size_t i = 0; i < ARRAY_SIZE(issues); i++) // none can outlive what came after it
		shift_if(&issues[i]->expires_ms, issues[i]->expires_ms > r->live.expires_ms, by_ms);
	for (size_t i = 0; i < ARRAY_SIZE(stamps); i++)
		shift_if(stamps[i], *stamps[i] > j->policy->now_ms, by_ms);
	r->refreshed_ms -= by_ms;
	set_pauses_right(j, by_ms);
}

// Nobody but our own stamp contradicts the clock, and by that it was ahead then: whatever servers said is before now.
static void set_stamps_right(struct judgement *j)
{
	struct account_record *r = &j->verdict->record;
	int64_t *const stamps[] = {&r->first_seen_ms, &r->ended_ms, &r->live.at_ms};

	for (size_t i = 0; i < ARRAY_SIZE(stamps); i++)
		if (*stamps[i] > j->policy->now_ms)
			*stamps[i] = j->policy->now_ms;
	set_pauses_right(j, r->updated_ms - j->policy->now_ms);
}

// It was never refreshed by us, or by a server that does not say the time; but the token itself says when it lives.
static bool token_fits_now(const struct judgement *j)
{
	const struct account_record *r = &j->verdict->record;
	const struct generation *live = &r->live;
	const struct jwt_times jwt = jwt_times(&live->access);

	return !r->witness_ms && jwt.issued_ms &&
	       jwt.issued_ms <= j->policy->now_ms + SERVER_TOLERANCE_MS &&
	       jwt.expires_ms > j->policy->now_ms;
}

void judge_clock(struct judgement *j)
{
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;
	int64_t ahead_ms = record_clock_ahead(r), now = j->policy->now_ms + TOLERANCE_MS;

	v->clock_wrong = now < clock_build_ms();
	v->clock_ahead_ms = 0;
	if (now >= r->updated_ms + ahead_ms) // it has not been put back since
		v->clock_ahead_ms = ahead_ms;
	else if (ahead_ms > 0 && j->policy->now_ms + SERVER_TOLERANCE_MS >= r->updated_ms)
		set_record_right(j, ahead_ms);
	else if (j->policy->clock_contradicted && !token_fits_now(j))
		v->clock_wrong = true;
	else
		set_stamps_right(j);
	// Nobody ever waits that long.
	if (!v->clock_wrong && r->not_before_ms > j->policy->now_ms + BACK_OFF_MAX_S * SECOND_MS) {
		r->not_before_ms = 0;
		v->record_changed = true;
	}
}

// The newest that a server has said, in any account; where none has, our own stamps must do.
static int64_t newest_time(const struct account_records *records)
{
	int64_t said_ms = 0, stamped_ms = 0;

	for (size_t i = 0; i < records->n; i++) {
		const struct account_record *r = &records->list[i];
		const int64_t times[] = {r->witness_ms, r->live.issued_ms, r->anchor.issued_ms};
		for (size_t k = 0; k < ARRAY_SIZE(times); k++)
			said_ms = times[k] > said_ms ? times[k] : said_ms;
		stamped_ms = r->updated_ms > stamped_ms ? r->updated_ms : stamped_ms;
	}
	return said_ms ? said_ms : stamped_ms;
}

bool clock_is_contradicted(const struct account_records *records, int64_t now_ms)
{
	return now_ms + SERVER_TOLERANCE_MS < newest_time(records);
}

// Nothing is thrown away by a clock that nothing supports.
bool clock_is_supported(const struct account_records *records, int64_t now_ms)
{
	return !clock_is_contradicted(records, now_ms) &&
	       now_ms - newest_time(records) <= SUPPORTED_MS;
}
