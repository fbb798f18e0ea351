// SPDX-License-Identifier: MIT
//
// status: every account, every copy, the time left and who holds a lock. Reads only; --watch looks again and again.
#include <stdio.h>
#include <unistd.h>

#include "command/command.h"

#define WATCH_PERIOD_S 2
#define SCREEN_MAX     (1 << 16)

static int show_once(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	struct cycle cycle = {0};
	int status = session_open(invocation, &session), r;

	if (status)
		return status;
	r = cycle_preview(&session.config, &session.policy, &session.ledger, &session.selection,
			  &cycle);
	status = session_finish(invocation, &session, &cycle, r, true);
	cycle_free(&cycle);
	return status;
}

int command_status(const struct invocation *invocation)
{
	int status;

	if (!(invocation->given & OPTION_WATCH))
		return show_once(invocation);
	if (isatty(STDOUT_FILENO)) // a screen in one write: nobody sees the empty one between two
		setvbuf(stdout, NULL, _IOFBF, SCREEN_MAX);
	do {
		if (isatty(STDOUT_FILENO))
			printf("\033[H\033[2J");
		status = show_once(invocation);
		sleep(WATCH_PERIOD_S);
	} while (status != STATUS_USAGE && !ferror(stdout)); // nobody reads it
	return status;
}
