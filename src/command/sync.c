// SPDX-License-Identifier: MIT
//
// sync: make every copy the live generation; never the network. With --adopt, a person says which login that is.
#include "base/log.h"
#include "command/command.h"

// With a name that is no store's it must not turn into a plain sync.
static int choose_store(const struct invocation *invocation, struct session *session)
{
	struct stores stores = {0};
	struct problems unsaid = {0};
	const char *name;
	bool found = false;

	session->store = realpath(invocation->adopt, NULL);
	name = session->store ? session->store : invocation->adopt;
	if (discover_stores(&session->config, &stores, &unsaid) == 0)
		for (size_t i = 0; i < stores.n; i++)
			found |= store_is_named(&stores.list[i], name);
	stores_free(&stores);
	problems_free(&unsaid);
	if (!found) {
		_cleanup_free_ char *shown = string_printable(invocation->adopt, 200);
		log_error("--adopt %s: no store has this path or agent id (see oauth-keepalive "
			  "status -v)",
			  shown);
		return STATUS_USAGE;
	}
	session->why = xasprintf("a person chose the login of %s", name);
	session->policy.choice = (struct choice){
		.kind = CHOICE_ADOPT,
		.accounts = &session->selection,
		.store = name,
		.why = session->why,
	};
	return 0;
}

int command_sync(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	int status = session_open(invocation, &session);

	if (status == 0 && invocation->given & OPTION_ADOPT)
		status = choose_store(invocation, &session);
	if (status)
		return status;
	session.policy.offline = true;
	return session_run(invocation, &session);
}
