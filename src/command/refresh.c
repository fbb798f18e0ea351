// SPDX-License-Identifier: MIT
//
// refresh: adopt, refresh what is due, mirror. What the timer calls, and the manual one-shot.
#include "base/log.h"
#include "command/command.h"

static int run_cycle(const struct invocation *invocation, bool offline)
{
	_cleanup_session_ struct session session = {0};
	struct cycle cycle = {0};
	bool dry_run = invocation->given & OPTION_DRY_RUN;
	int status = session_open(invocation, &session), r;

	if (status)
		return status;
	session.policy.offline = offline;
	if (dry_run)
		r = cycle_preview(&session.config, &session.policy, &session.ledger,
				  &session.selection, &cycle);
	else
		r = cycle_run(&session.config, &session.policy, &session.ledger, &session.selection,
			      session.wait_s, &cycle);
	status = session_finish(invocation, &session, &cycle, r, dry_run);
	cycle_let_signals_go(&cycle);
	cycle_free(&cycle);
	return status;
}

int command_refresh(const struct invocation *invocation)
{
	return run_cycle(invocation, false);
}

// --adopt with a name that is no store's must not turn into a plain sync.
static bool adopt_names_a_store(const struct invocation *invocation, int *ret_status)
{
	_cleanup_session_ struct session session = {0};
	struct stores stores = {0};
	struct problems unsaid = {0};
	bool found = false;

	*ret_status = session_open(invocation, &session);
	if (*ret_status)
		return false;
	if (discover_stores(&session.config, &stores, &unsaid) == 0)
		for (size_t i = 0; i < stores.n; i++)
			found |= store_is_named(&stores.list[i], session.policy.adopt_store);
	stores_free(&stores);
	problems_free(&unsaid);
	if (!found) {
		_cleanup_free_ char *name = string_printable(invocation->adopt, 200);
		log_error("--adopt %s: no store has this path or agent id (see oauth-keepalive "
			  "status -v)",
			  name);
		*ret_status = STATUS_USAGE;
	}
	return found;
}

// sync: make every copy the live generation; never the network.
int command_sync(const struct invocation *invocation)
{
	int status;

	if (invocation->given & OPTION_ADOPT && !adopt_names_a_store(invocation, &status))
		return status;
	return run_cycle(invocation, true);
}
