// SPDX-License-Identifier: MIT
//
// refresh: adopt, refresh what is due, mirror. What the timer calls, and the manual one-shot.
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/command.h"
#include "report/hooks.h"

#define SETTLE_MS  300
#define BETWEEN_MS 10000 // runs that a path unit starts
#define LOOKS	   3	 // of a unit's run, where main's stores are written all the while

int session_run(const struct invocation *invocation, struct session *session)
{
	struct cycle cycle = {0};
	bool dry_run = invocation->given & OPTION_DRY_RUN;
	int status, r;

	session->policy.asks = dry_run;
	if (dry_run)
		r = cycle_preview(&session->config, &session->policy, &session->ledger,
				  &session->selection, &cycle);
	else
		r = cycle_run(&session->config, &session->policy, &session->ledger,
			      &session->selection, session->wait_s, &cycle);
	status = session_finish(invocation, session, &cycle, r, dry_run);
	signals_let_go(&cycle.signals);
	if (r >= 0 && !dry_run) {
		struct report report = session_report(invocation, session, &cycle, dry_run);
		report_tell(&report);
		session->outdated = session->said && cycle_outdated(&cycle);
	}
	cycle_free(&cycle);
	return status;
}

// Woken by a store that was written: who saves one login may save more at once, and a store that is written all the time
// must not keep us running all the time.
static void wait_for_more(const struct session *session)
{
	struct last_run before = {0};
	int64_t now_ms = clock_wall_ms(), wait_ms = SETTLE_MS;

	last_run_read(&session->ledger, BY_PATH, &before);
	if (before.at_ms <= now_ms && now_ms - before.at_ms < BETWEEN_MS - SETTLE_MS)
		wait_ms = BETWEEN_MS - (now_ms - before.at_ms);
	nanosleep(&(struct timespec){wait_ms / SECOND_MS, wait_ms % SECOND_MS * 1000000}, NULL);
}

// `said` is what the run has said so far, or NULL: it says what there is.
static int refresh_once(const struct invocation *invocation, bool woken, char **said,
			bool *ret_outdated)
{
	_cleanup_session_ struct session session = {0};
	int status = session_open(invocation, &session);

	*ret_outdated = false;
	if (status)
		return status;
	if (woken)
		wait_for_more(&session);
	session.said = TAKE_PTR(*said);
	status = session_run(invocation, &session);
	*said = TAKE_PTR(session.said);
	*ret_outdated = session.outdated;
	return status;
}

// systemd drops what a path unit sees while its service is at work, be it the timer that started it. So a unit's run looks
// again if a login may have been saved since it looked last. Not with --json, which is one document.
int command_refresh(const struct invocation *invocation)
{
	enum run_by by = invocation->given & OPTION_DRY_RUN ? BY_HAND : run_by_whom();
	bool again = (by == BY_PATH || by == BY_TIMER) && !invocation->json, outdated;
	_cleanup_free_ char *said = again ? xstrdup("") : NULL;
	int status = refresh_once(invocation, by == BY_PATH, &said, &outdated);

	for (int look = 1; again && outdated && look < LOOKS; look++) {
		nanosleep(&(struct timespec){.tv_nsec = SETTLE_MS * 1000000}, NULL);
		int now = refresh_once(invocation, false, &said, &outdated);
		if (now != STATUS_USAGE) // "nothing was done", for which it is too late
			status = now;
	}
	return status;
}
