// SPDX-License-Identifier: MIT
//
// preview: what refresh would do, by the same code, without a lock, a write or the network.
#include "command/command.h"

int command_preview(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	struct cycle cycle = {0};
	int status = session_open(invocation, &session), r;

	if (status)
		return status;
	session.policy.asks = true;
	r = cycle_preview(&session.config, &session.policy, &session.ledger, &session.selection,
			  &cycle);
	status = session_finish(invocation, &session, &cycle, r, true);
	cycle_free(&cycle);
	return status;
}
