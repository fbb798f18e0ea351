// SPDX-License-Identifier: MIT
//
// refresh: adopt, refresh what is due, mirror. What the timer calls, and the manual one-shot.
#include <signal.h>
#include <unistd.h>

#include "command/command.h"

static int run_cycle(const struct invocation *invocation, bool offline)
{
	_cleanup_session_ struct session session = { 0 };
	struct cycle cycle = { 0 };
	bool dry_run = invocation->given & OPTION_DRY_RUN;
	int status = session_open(invocation, &session), r, interrupted;

	if (status)
		return status;
	session.policy.offline = offline;
	if (dry_run)
		r = cycle_preview(&session.config, &session.policy, &session.ledger, &session.selection, &cycle);
	else
		r = cycle_run(&session.config, &session.policy, &session.ledger, &session.selection, session.wait_s, &cycle);
	status = session_finish(invocation, &session, &cycle, r, dry_run);
	interrupted = cycle.interrupted;
	cycle_free(&cycle);
	if (interrupted) { // what was under way is finished: now end as the signal asked
		signal(interrupted, SIG_DFL);
		raise(interrupted);
	}
	return status;
}

int command_refresh(const struct invocation *invocation)
{
	return run_cycle(invocation, false);
}

// sync: make every copy the live generation; never the network.
int command_sync(const struct invocation *invocation)
{
	return run_cycle(invocation, true);
}
