// SPDX-License-Identifier: MIT
//
// The first line of status: how many logins are kept, since when that is proven, when the next is due, whether anybody
// runs this program; and whatever is wrong, before all that.
#include <stdio.h>

#include "base/clock.h"
#include "report/screen.h"
#include "report/report.h"

struct health {
	size_t kept, needs_login, held, failing, not_refreshed, expired, unproven, copies, behind,
		unread, errors;
	int64_t proven_first_ms, proven_last_ms, next_ms; // 0: none
};

static void note_copies(struct health *h, const struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++) {
		h->copies++;
		h->behind += verdict_of(a, &a->members[i])->state != COPY_CURRENT;
	}
}

static void note_kept(struct health *h, const struct report *report, const struct account *a)
{
	int64_t proven_ms = report_alive_ms(report, a), next_ms = report_next_try_ms(a);

	h->kept++;
	if (!proven_ms)
		h->unproven++;
	else if (!h->proven_first_ms || proven_ms < h->proven_first_ms)
		h->proven_first_ms = proven_ms;
	if (proven_ms > h->proven_last_ms)
		h->proven_last_ms = proven_ms;
	if (next_ms && (!h->next_ms || next_ms < h->next_ms))
		h->next_ms = next_ms;
}

static void note_account(struct health *h, const struct report *report, const struct account *a,
			 const struct result *result)
{
	int64_t expires_ms = shown_expiry_ms(&a->verdict.schedule);

	if (result->outcome == OUTCOME_SKIPPED && !a->unserved)
		return;
	note_copies(h, a);
	h->expired += expires_ms && expires_ms <= report->now_ms;
	if (result->outcome == OUTCOME_NEEDS_LOGIN)
		h->needs_login++;
	else if (result->outcome == OUTCOME_SKIPPED)
		h->not_refreshed++;
	else if (result->outcome == OUTCOME_HELD)
		h->held++;
	else if (result->outcome == OUTCOME_FAILED)
		h->failing++;
	else
		note_kept(h, report, a);
}

static struct health examine(const struct report *report)
{
	const struct observation *o = &report->cycle->now;
	struct health h = {0};

	for (size_t i = 0; i < report->cycle->results.n; i++) {
		const struct result *result = &report->cycle->results.list[i];
		const struct account *a = observation_account(o, result->key);
		if (a)
			note_account(&h, report, a, result);
	}
	for (size_t i = 0; i < o->stores.n; i++)
		h.unread += store_is_unread(&o->stores.list[i]);
	for (size_t i = 0; i < o->problems.n; i++)
		h.errors += o->problems.list[i].severity == SEVERITY_ERROR;
	return h;
}

static void print_kept(const struct health *h, FILE *out)
{
	size_t bad = h->needs_login + h->held + h->failing + h->not_refreshed, all = h->kept + bad;

	if (!bad)
		fprintf(out, "%zu login%s kept", h->kept, h->kept == 1 ? "" : "s");
	else
		fprintf(out, "%zu of %zu login%s kept", h->kept, all, all == 1 ? "" : "s");
	if (h->needs_login)
		fprintf(out, ", %zu need%s a new login", h->needs_login,
			h->needs_login == 1 ? "s" : "");
	if (h->held)
		fprintf(out, ", %zu held", h->held);
	if (h->failing)
		fprintf(out, ", %zu failing", h->failing);
	if (h->not_refreshed)
		fprintf(out, ", %zu not refreshed by us", h->not_refreshed);
	if (h->expired)
		fprintf(out, ", %zu expired", h->expired);
}

static void print_proven(const struct report *report, const struct health *h, FILE *out)
{
	_cleanup_free_ char *last =
		duration_format((report->now_ms - h->proven_last_ms) / SECOND_MS);
	_cleanup_free_ char *first =
		duration_format((report->now_ms - h->proven_first_ms) / SECOND_MS);

	if (!h->kept)
		return;
	if (h->unproven == h->kept)
		fputs(", not yet proven by a refresh", out);
	else if (string_equal(first, last))
		fprintf(out, ", last proven %s ago", last);
	else
		fprintf(out, ", last proven %s to %s ago", last, first);
	if (h->unproven && h->unproven < h->kept)
		fprintf(out, " (%zu not yet)", h->unproven);
}

static void print_next(const struct report *report, const struct health *h, FILE *out)
{
	_cleanup_free_ char *left = duration_format((h->next_ms - report->now_ms) / SECOND_MS);

	if (h->next_ms)
		fprintf(out, h->next_ms > report->now_ms ? ", next due in %s" : ", due now", left);
}

static void print_timer(const struct report *report, FILE *out)
{
	enum run_by by;
	const struct last_run *run = report_last_timer(report, &by);
	_cleanup_free_ char *ago = NULL, *good = NULL;

	if (!run) {
		fputs("; no timer has run yet", out);
		return;
	}
	if (run->at_ms > report->now_ms + SECOND_MS) {
		fputs("; the last run is dated in the future: a clock was wrong, or is", out);
		return;
	}
	ago = duration_format((report->now_ms - run->at_ms) / SECOND_MS);
	fprintf(out, "; %s ran %s%s ago", by == BY_CRON ? "cron" : "timer",
		report_timer_is_late(report, run) ? "last " : "", ago);
	if (!run->exit_code)
		return;
	good = duration_format((report->now_ms - run->succeeded_ms) / SECOND_MS);
	if (run->succeeded_ms)
		fprintf(out, " with exit status %d (last succeeded %s ago)", run->exit_code, good);
	else
		fprintf(out, " with exit status %d (never succeeded)", run->exit_code);
}

static enum colour colour_of(const struct report *report, const struct health *h)
{
	enum run_by by;
	const struct last_run *run = report_last_timer(report, &by);

	if (h->needs_login || h->held || h->failing || h->unread || h->errors || h->expired)
		return RED;
	return !h->kept || h->behind || h->not_refreshed || !run ||
			       report_timer_is_late(report, run)
		       ? YELLOW
		       : GREEN;
}

void report_health(const struct report *report, FILE *out)
{
	struct health h = examine(report);

	fputs(paint(colour_of(report, &h)), out);
	print_kept(&h, out);
	if (h.behind)
		fprintf(out, ", %zu of %zu copies not current", h.behind, h.copies);
	if (h.unread)
		fprintf(out, ", %zu store%s not read", h.unread, h.unread == 1 ? "" : "s");
	if (h.errors)
		fprintf(out, ", %zu error%s (below)", h.errors, h.errors == 1 ? "" : "s");
	print_proven(report, &h, out);
	print_next(report, &h, out);
	print_timer(report, out);
	fprintf(out, "%s\n", paint(PLAIN));
}
