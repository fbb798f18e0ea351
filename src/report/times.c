// SPDX-License-Identifier: MIT
//
// When: the same in text, JSON and metrics.
#include "base/clock.h"
#include "report/report.h"

static bool is_kept(const struct account *a)
{
	return a->verdict.custody.ownership == OWNERSHIP_OURS && !a->skip &&
	       !a->verdict.record.dead_code[0] && !a->verdict.record.ended_ms &&
	       a->verdict.outcome != OUTCOME_NEEDS_LOGIN;
}

int64_t report_due_ms(const struct account *a)
{
	const struct schedule *s = &a->verdict.schedule;

	return is_kept(a) && s->expires_ms ? s->expires_ms - s->margin_s * SECOND_MS : 0;
}

int64_t report_next_try_ms(const struct account *a)
{
	int64_t due_ms = report_due_ms(a), not_before_ms = a->verdict.record.not_before_ms;

	if (due_ms && a->verdict.retry_ms) // a token of unknown outcome waits for its last try
		return a->verdict.retry_ms;

	return due_ms && not_before_ms > due_ms ? not_before_ms : due_ms;
}

int64_t report_proven_ms(const struct account *a)
{
	return a->verdict.record.live.answered && !a->verdict.record.dead_code[0]
		       ? a->verdict.record.refreshed_ms
		       : 0;
}

static const struct last_run *latest(const struct report *report, bool by_itself,
				     enum run_by *ret_by)
{
	const struct last_run *found = NULL;

	for (enum run_by by = 0; report->last_runs && by < RUN_BY_N; by++) {
		const struct last_run *run = &report->last_runs[by];
		if (!run->at_ms || (by_itself && by != BY_TIMER && by != BY_CRON) ||
		    (found && found->at_ms >= run->at_ms))
			continue;
		found = run;
		*ret_by = by;
	}
	return found;
}

const struct last_run *report_last_run(const struct report *report, enum run_by *ret_by)
{
	return latest(report, false, ret_by);
}

const struct last_run *report_last_timer(const struct report *report, enum run_by *ret_by)
{
	return latest(report, true, ret_by);
}

bool report_timer_is_late(const struct report *report, const struct last_run *run)
{
	const struct config *config = report->config;

	return report->now_ms - run->at_ms >
	       (3 * config->timer_period_s + config->timer_jitter_s) * SECOND_MS;
}
