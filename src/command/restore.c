// SPDX-License-Identifier: MIT
//
// restore: what was displaced, and bringing one of it back: an adoption like any other, of a login that the ledger kept.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "command/command.h"

#define ID_DIGITS_LEAST 4

static int usage_error(const char *id, const char *what)
{
	_cleanup_free_ char *shown = string_printable(id, 80);

	log_error("restore %s: %s", shown, what);
	return STATUS_USAGE;
}

// The newest of those that begin so, if they are all one and the same token.
static int find_kept(const struct keepsakes *kept, const char *id, const struct keepsake **ret)
{
	struct fingerprint found = {0};

	*ret = NULL;
	if (strlen(id) < ID_DIGITS_LEAST)
		return usage_error(id,
				   "an id has four digits or more (see oauth-keepalive restore)");
	for (size_t i = 0; i < kept->n; i++) {
		struct fingerprint token = displaced_id(&kept->list[i].credential);
		if (strncasecmp(token.hex, id, strlen(id)) != 0)
			continue;
		if (*ret && !fingerprint_equal(token, found))
			return usage_error(id, "more than one id begins like that");
		found = token;
		*ret = &kept->list[i];
	}
	return *ret ? 0
		    : usage_error(id,
				  "no displaced login has that id (see oauth-keepalive restore)");
}

static int bring_back(const struct invocation *invocation, struct session *session)
{
	const struct keepsake *kept;
	struct problems unsaid = {0}; // the list says them
	int r = displaced_read(&session->ledger, &session->kept, &unsaid), status;

	problems_free(&unsaid);
	if (r < 0) {
		log_error("the displaced logins in the ledger cannot be read: %s", strerror(-r));
		return STATUS_PERSON;
	}
	status = find_kept(&session->kept, invocation->accounts[0], &kept);
	if (status)
		return status;
	session->selection = (struct selection){0};
	session->why = xasprintf("a person restored %.*s", FINGERPRINT_SHOWN,
				 displaced_id(&kept->credential).hex);
	session->policy.offline = true;
	session->policy.choice = (struct choice){
		.kind = CHOICE_RESTORE,
		.kept = kept,
		.all = &session->kept,
		.why = session->why,
	};
	return session_run(invocation, session);
}

static int list(const struct invocation *invocation, struct session *session)
{
	struct cycle nothing = {0};
	int r = displaced_read(&session->ledger, &session->kept, &nothing.now.problems), status;

	session->selection = (struct selection){0}; // an id names no account
	session_bar(session, &nothing.now.problems);
	session->lists_kept = true;
	status = session_finish(invocation, session, &nothing, r, true);
	cycle_free(&nothing);
	return status;
}

int command_restore(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	int status;

	if (invocation->n_accounts > 1)
		return usage_error(invocation->accounts[1], "one at a time");
	status = session_open(invocation, &session);
	if (status)
		return status;
	return invocation->n_accounts && !session.barred ? bring_back(invocation, &session)
							 : list(invocation, &session);
}
