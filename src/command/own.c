// SPDX-License-Identifier: MIT
//
// own: this machine takes over a ledger that came from another one; with ACCOUNT, a login that another host refreshes.
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/command.h"

static int take_over(struct session *session, struct problems *problems)
{
	_cleanup_free_ char *message = NULL, *fix = NULL, *shown = NULL;
	const char *directory = session->ledger.directory;
	struct stores stores = {0};
	struct problems unsaid = {0};
	int r = ledger_take_over(directory, &message, &fix);

	shown = string_printable(directory, 300);
	if (r == -EALREADY || r == -ENOENT) {
		log_error("%s: %s", shown,
			  r == -ENOENT ? "there is no ledger to take over"
				       : "it is this machine's already");
		return STATUS_USAGE;
	}
	if (r < 0) {
		log_error("%s", message ? message : strerror(-r));
		if (fix)
			log_error("    fix: %s", fix);
		return STATUS_PERSON;
	}
	if (session_stores(session, &stores, &unsaid) == 0)
		for (size_t i = 0; i < stores.n_dirs; i++)
			ledger_move_owner(directory, stores.dirs[i]->path);
	stores_free(&stores);
	problems_free(&unsaid);
	problem_add(problems, SEVERITY_INFO, "ledger_owned", directory, NULL,
		    xasprintf("%s belongs to this machine now. If the other machine still keeps "
			      "these logins alive, both will spend the same tokens: stop it "
			      "there",
			      directory),
		    NULL);
	return 0;
}

// In the ledger that is ours now.
static void remember(const char *directory)
{
	_cleanup_(ledger_free) struct ledger ledger = {0};
	_cleanup_(event_free) struct event event = {
		.at_ms = clock_wall_ms(),
		.by = xstrdup(run_by_name(run_by_whom())),
		.command = xstrdup("own"),
		.what = xstrdup("owned"),
		.store = xstrdup(directory),
	};
	_cleanup_free_ char *message = NULL, *fix = NULL;

	if (ledger_open(directory, &ledger, &message, &fix) == 0)
		history_append(&ledger, &event);
}

// Logins that this host follows, or has released: it refreshes them again.
static int own_logins(const struct invocation *invocation, struct session *session)
{
	session->policy.offline = true;
	session->policy.choice = (struct choice){
		.kind = CHOICE_OWN,
		.accounts = &session->selection,
		.why = "a person took the login over",
	};
	return session_run(invocation, session);
}

int command_own(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	struct cycle nothing = {0};
	int status;

	status = session_open(invocation, &session);
	if (status == 0 && invocation->n_accounts)
		return own_logins(invocation, &session);
	if (status == 0)
		status = take_over(&session, &nothing.now.problems);
	if (status == 0) {
		remember(session.ledger.directory);
		session.no_accounts = true;
		status = session_finish(invocation, &session, &nothing, 0, false);
	}
	cycle_free(&nothing);
	return status;
}
