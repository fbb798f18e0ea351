// SPDX-License-Identifier: MIT
//
// refresh: adopt, refresh what is due, mirror. What the timer calls, and the manual one-shot.
#include "base/log.h"
#include "command/command.h"
#include "report/hooks.h"

int session_run(const struct invocation *invocation, struct session *session)
{
	struct cycle cycle = {0};
	bool dry_run = invocation->given & OPTION_DRY_RUN;
	int status, r;

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
	}
	cycle_free(&cycle);
	return status;
}

int command_refresh(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	int status = session_open(invocation, &session);

	return status ? status : session_run(invocation, &session);
}
