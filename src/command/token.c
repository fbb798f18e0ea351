// SPDX-License-Identifier: MIT
//
// token: one account's access token alone on standard output, for CI and scripts. It is the one place from which a secret
// leaves by the word of the person who asks; so it goes where they read it and nowhere else: not to a terminal, which is
// photographed and scrolled back, nor to the journal; never the refresh token, which is ours alone to send. Nothing that
// formats text sees it.
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/command.h"
#include "report/screen.h"
#include "report/hooks.h"

#define MIN_LIFE_DEFAULT_S (10 * MINUTE_S)

// What may come to read it.
static int check_invocation(const struct invocation *i, int64_t *ret_min_life_s)
{
	*ret_min_life_s = MIN_LIFE_DEFAULT_S;
	if (i->n_accounts != 1)
		log_error("token: name one account (oauth-keepalive status shows them)");
	else if (i->json)
		log_error("token: no document holds a token; it is printed alone, without --json");
	else if (isatty(STDOUT_FILENO))
		log_error("token: standard output is a terminal, and would show it; use it as "
			  "\"$(oauth-keepalive token ACCOUNT)\", or in a pipe");
	else if (*log_journal_prefix(STDOUT_FILENO, LOG_LEVEL_INFO))
		log_error("token: standard output is the journal, and would keep it");
	else if (i->min_life && duration_parse(i->min_life, ret_min_life_s) < 0)
		return session_usage_error("--min-life", i->min_life,
					   "a duration like 10m, 2h or 0");
	else
		return 0;
	return STATUS_USAGE;
}

// NULL: it may be given. Where the times were not even reckoned, something keeps hands off the account as a whole. That a
// token whose expiry nobody knows still lives can be hoped for at most.
static char *why_not(const struct observation *o, const struct account *a, int64_t min_life_s,
		     int64_t now_ms)
{
	const struct verdict *v = &a->verdict;
	const struct schedule *s = &v->schedule;
	int64_t left_s = (s->expires_ms - now_ms) / SECOND_MS;

	if (!s->margin_s || v->record.ended_ms)
		return xstrdup(v->reason ? v->reason : "it is not kept alive");
	if (secret_empty(&v->record.live.access))
		return xstrdup("it has no access token");
	if (account_access_is_refresh(a, o))
		return xstrdup("what stands as its access token is a refresh token");
	if (v->clock_wrong)
		return xstrdup("the clock is wrong: nothing says how long its token lives");
	if (!s->expires_ms)
		return min_life_s ? xstrdup("nothing says how long its token lives") : NULL;
	if (left_s > 0 && left_s >= min_life_s)
		return NULL;
	_cleanup_free_ char *left = duration_format(left_s < 0 ? 0 : left_s);
	return xasprintf("its token lives for %s", left);
}

static int refuse(const struct account *a, const char *why, int status)
{
	_cleanup_free_ char *profile = string_printable(a->record.profile, 120);
	_cleanup_free_ char *safe = string_printable(why, 400);

	log_error("%s: %s", profile, safe);
	return status ? status : STATUS_FAILED;
}

static int give(const struct account *a)
{
	const struct secret *token = &a->verdict.record.live.access;
	int r = write_full(STDOUT_FILENO, token->text, token->len);

	if (r >= 0)
		r = write_full(STDOUT_FILENO, "\n", 1);
	if (r < 0)
		log_error("standard output: %s", strerror(-r));
	return r < 0 ? STATUS_FAILED : STATUS_DONE;
}

// No run can make it live longer than its provider lets it: each would spend a token in vain.
static bool is_within_reach(const struct account *a, int64_t min_life_s)
{
	const struct schedule *s = &a->verdict.schedule;

	return s->margin_s && (!s->lifetime_s || min_life_s < s->lifetime_s);
}

// As `refresh --at`, so that it is due if it would not live that long, and nothing is if somebody was faster.
static int64_t judged_as_of(const struct account *a, int64_t min_life_s, int64_t now_ms)
{
	int64_t ahead_s = min_life_s - a->verdict.schedule.margin_s;

	return now_ms + (ahead_s > 0 ? ahead_s * SECOND_MS : 0);
}

static int give_after_run(const struct cycle *cycle, const char *key, int64_t min_life_s,
			  int status)
{
	const struct account *a = observation_account(&cycle->now, key);
	const struct result *result = results_find(&cycle->results, key);

	if (!a) {
		log_error("the account is gone");
		return status ? status : STATUS_FAILED;
	}
	_cleanup_free_ char *no = why_not(&cycle->now, a, min_life_s, clock_wall_ms());
	if (!no)
		return give(a);
	if (!result || !result->reason || string_equal(result->reason, no))
		return refuse(a, no, status);
	_cleanup_free_ char *both = xasprintf("%s; %s", no, result->reason);
	return refuse(a, both, status);
}

static int refresh_and_give(const struct invocation *invocation, struct session *session,
			    const char *key, int64_t min_life_s)
{
	struct cycle cycle = {0};
	int r = cycle_run(&session->config, &session->policy, &session->ledger, &session->selection,
			  session->wait_s, &cycle);
	struct report report = session_report(invocation, session, &cycle, false);
	int status = session_conclude(session, &cycle, &report, false, r);

	if (r >= 0) {
		status = give_after_run(&cycle, key, min_life_s, status);
		if (status)
			screen_show(&report, report_problems, stderr, STDERR_FILENO);
	}
	signals_let_go(&cycle.signals);
	if (r >= 0)
		report_tell(&report);
	cycle_free(&cycle);
	return status;
}

// What is known already, without a lock or a write. -EAGAIN: it is to be refreshed first; `ret_key`: which.
static int give_known(struct session *session, const char *name, int64_t min_life_s,
		      char ret_key[33])
{
	struct cycle cycle = {0};
	int r = cycle_preview(&session->config, &session->policy, &session->ledger,
			      &session->selection, &cycle);
	int status = session_look_failed(session, &cycle, r);
	const struct account *a = status ? NULL : session_find_only(&cycle, name);
	_cleanup_free_ char *no =
		a ? why_not(&cycle.now, a, min_life_s, session->policy.now_ms) : NULL;

	if (!a)
		status = status ? status : STATUS_USAGE;
	else if (!no)
		status = give(a);
	else if (a->verdict.schedule.margin_s && !is_within_reach(a, min_life_s))
		status = refuse(a, "its tokens never live that long (--min-life)", STATUS_FAILED);
	else
		status = -EAGAIN;
	if (status == -EAGAIN) {
		memcpy(ret_key, cycle.results.list[0].key, sizeof(cycle.results.list[0].key));
		session->policy.at_ms = judged_as_of(a, min_life_s, session->policy.now_ms);
	}
	cycle_free(&cycle);
	return status;
}

int command_token(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	int64_t min_life_s;
	char key[33];
	int status = check_invocation(invocation, &min_life_s);

	if (!status)
		status = session_open(invocation, &session);
	if (!status)
		status = give_known(&session, invocation->accounts[0], min_life_s, key);
	return status == -EAGAIN ? refresh_and_give(invocation, &session, key, min_life_s) : status;
}
