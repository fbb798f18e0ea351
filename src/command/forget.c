// SPDX-License-Identifier: MIT
//
// forget: drop what the ledger holds of an account that no store shows any more.
#include "base/log.h"
#include "command/command.h"
#include "keepalive/forget.h"

int command_forget(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	struct cycle cycle = {0};
	int status, r;

	if (!invocation->n_accounts) {
		log_error("forget: name the account (see oauth-keepalive status)");
		return STATUS_USAGE;
	}
	status = session_open(invocation, &session);
	if (status)
		return status;
	session.policy.offline = true;
	r = cycle_forget(&session.config, &session.policy, &session.ledger, &session.selection,
			 &cycle);
	status = session_finish(invocation, &session, &cycle, r, false);
	cycle_free(&cycle);
	return status;
}
