// SPDX-License-Identifier: MIT
//
// doctor: what status knows is wrong, and what is wrong around it; each with the command that mends it. Reads only; with
// --probe it asks the providers, too, and spends nothing.
#include "command/command.h"

int command_doctor(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	struct cycle cycle = {0};
	int status = session_open(invocation, &session), r;

	if (status)
		return status;
	session.policy.asks = true;
	r = cycle_preview(&session.config, &session.policy, &session.ledger, &session.selection,
			  &cycle);
	if (r >= 0 && invocation->given & OPTION_PROBE) {
		probe_all(&session.config, &cycle, &session.probes);
		session.probed = true;
	}
	status = session_finish(invocation, &session, &cycle, r, true);
	cycle_free(&cycle);
	return status;
}
