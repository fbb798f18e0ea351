// SPDX-License-Identifier: MIT
//
// status: every account, every copy, the time left and who holds a lock. Reads only; --watch looks again and again.
#include "command/screen.h"

static int show(const struct invocation *invocation, FILE *out)
{
	_cleanup_session_ struct session session = {0};
	struct cycle cycle = {0};
	int status = session_open(invocation, &session), r;

	if (status)
		return status;
	session.screen = out;
	session.policy.asks = true;
	r = cycle_preview(&session.config, &session.policy, &session.ledger, &session.selection,
			  &cycle);
	status = session_finish(invocation, &session, &cycle, r, true);
	cycle_free(&cycle);
	return status;
}

int command_status(const struct invocation *invocation)
{
	return invocation->given & OPTION_WATCH ? screen_watch(show, invocation)
						: show(invocation, stdout);
}
