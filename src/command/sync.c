// SPDX-License-Identifier: MIT
//
// sync: make every copy the live generation; never the network. With --adopt, a person says which login that is.
#include "base/log.h"
#include "command/command.h"

static bool is_a_store(const struct session *session, const char *name)
{
	struct stores stores = {0};
	struct problems unsaid = {0};
	bool found = false;

	if (session_stores(session, &stores, &unsaid) == 0)
		for (size_t i = 0; i < stores.n; i++)
			found |= store_is_named(&stores.list[i], name);
	stores_free(&stores);
	problems_free(&unsaid);
	return found;
}

// With a name that is no store's it must not turn into a plain sync.
static int choose_store(struct session *session, const char *option, const char *given)
{
	bool follow = string_equal(option, "--follow"), all = follow && string_equal(given, "all");
	const char *name;

	session->store = realpath(given, NULL);
	name = session->store ? session->store : given;
	if (!all && !is_a_store(session, name)) {
		_cleanup_free_ char *shown = string_printable(given, 200);
		log_error("%s %s: no store has this path or agent id (see oauth-keepalive status "
			  "-v)",
			  option, shown);
		return STATUS_USAGE;
	}
	session->why = follow ? xstrdup("a person let the copy follow the live login")
			      : xasprintf("a person chose the login of %s", name);
	session->policy.choice = (struct choice){
		.kind = follow ? CHOICE_FOLLOW : CHOICE_ADOPT,
		.accounts = &session->selection,
		.store = all ? NULL : name,
		.why = session->why,
	};
	return 0;
}

int command_sync(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	int status;

	if (invocation->adopt && invocation->follow) {
		log_error("--adopt or --follow, one of them");
		return STATUS_USAGE;
	}
	status = session_open(invocation, &session);
	if (status == 0 && invocation->adopt)
		status = choose_store(&session, "--adopt", invocation->adopt);
	if (status == 0 && invocation->follow)
		status = choose_store(&session, "--follow", invocation->follow);
	if (status)
		return status;
	session.policy.offline = true;
	return session_run(invocation, &session);
}
