// SPDX-License-Identifier: MIT
//
// sync: make every copy the live generation; never the network. With --adopt, a person says which login that is.
#include "base/closest.h"
#include "base/log.h"
#include "command/command.h"

// An agent by the directory that is its own, or by the one that its store is in.
static bool is_directory_of(const struct store *store, const char *path)
{
	_cleanup_free_ char *directory = path_dirname(store->path),
			    *agent = path_dirname(directory);

	return store->agent && (string_equal(directory, path) || string_equal(agent, path));
}

// What decide knows a store by (store_is_named), or NULL. An agent's id comes first: whatever lies in this directory may be
// called like it.
static char *find_store(const struct stores *stores, const char *given, const char *path)
{
	for (size_t i = 0; i < stores->n; i++)
		if (string_equal(stores->list[i].agent, given))
			return xstrdup(given);
	for (size_t i = 0; i < stores->n; i++)
		if (store_is_named(&stores->list[i], path))
			return xstrdup(path);
	for (size_t i = 0; i < stores->n; i++)
		if (is_directory_of(&stores->list[i], path))
			return xstrdup(stores->list[i].agent);
	return NULL;
}

static void say_no_such(const struct stores *stores, const char *option, const char *given)
{
	_cleanup_free_ char *shown = string_printable(given, 200);
	struct closest closest = {.wanted = given};

	for (size_t i = 0; i < stores->n; i++)
		closest_try(&closest, stores->list[i].agent);
	_cleanup_free_ char *meant = closest_said(&closest);
	log_error("%s %s: no store has this path or agent id%s (see oauth-keepalive status -v)",
		  option, shown, meant);
}

static char *name_of_store(const struct session *session, const char *option, const char *given)
{
	_cleanup_free_ char *home = home_directory(), *expanded = path_expand(given, home),
			    *real = realpath(expanded, NULL);
	struct stores stores = {0};
	struct problems unsaid = {0};
	char *name = NULL;

	if (session_stores(session, &stores, &unsaid) == 0)
		name = find_store(&stores, given, real ? real : expanded);
	if (!name)
		say_no_such(&stores, option, given);
	stores_free(&stores);
	problems_free(&unsaid);
	return name;
}

// With a name that is no store's it must not turn into a plain sync.
static int choose_store(struct session *session, const char *option, const char *given)
{
	bool follow = string_equal(option, "--follow"), all = follow && string_equal(given, "all");

	if (!all)
		session->store = name_of_store(session, option, given);
	if (!all && !session->store)
		return STATUS_USAGE;
	session->why = follow ? xstrdup("a person let the copy follow the live login")
			      : xasprintf("a person chose the login of %s", session->store);
	session->policy.choice = (struct choice){
		.kind = follow ? CHOICE_FOLLOW : CHOICE_ADOPT,
		.accounts = &session->selection,
		.store = session->store,
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
