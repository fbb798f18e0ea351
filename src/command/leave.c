// SPDX-License-Identifier: MIT
//
// leave: with a cluster, log this host out of what it shares with the others.
#include "base/log.h"
#include "command/command.h"
#include "keepalive/leave.h"

int command_leave(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	struct cycle cycle = {0};
	int status = session_open(invocation, &session), r;

	if (status)
		return status;
	if (!session.config.cluster.n_endpoints) {
		log_error("leave: there is no cluster to leave; it is the `cluster` of the "
			  "configuration that this host has to be in still");
		return STATUS_USAGE;
	}
	session.policy.offline = true;
	r = cycle_leave(&session.config, &session.policy, &session.ledger, &session.selection,
			&cycle);
	status = session_finish(invocation, &session, &cycle, r, false);
	cycle_free(&cycle);
	return status;
}
