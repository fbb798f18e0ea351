// SPDX-License-Identifier: MIT
//
// import: a login that another host exported, from standard input. Whose it is decides where it goes, never what it is
// called alone; what this host has of its own stays, unless a person says --force.
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "command/command.h"
#include "ledger/handover.h"

// All of it before anything is looked at or locked, however slowly it comes.
static int read_document(struct handover *ret)
{
	_cleanup_secret_ struct secret text = {0};
	_cleanup_free_ char *message = NULL;
	char buffer[4096];
	ssize_t n;

	while ((n = read_full(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
		secret_append(&text, buffer, (size_t)n);
		if (text.len > HANDOVER_MAX)
			break;
	}
	explicit_bzero(buffer, sizeof(buffer));
	if (n < 0) {
		log_error("import: standard input: %s", strerror((int)-n));
		return STATUS_FAILED;
	}
	if (handover_read(&text, ret, &message) == 0)
		return 0;
	log_error("import: nothing was taken of what came on standard input: %s", message);
	return STATUS_USAGE;
}

static int check_invocation(const struct invocation *i)
{
	if (i->n_accounts)
		log_error("import takes no ACCOUNT: what comes on standard input says which it is");
	else if (isatty(STDIN_FILENO))
		log_error("import: standard input is a terminal; use it in a pipe: oauth-keepalive "
			  "export ACCOUNT | ssh HOST oauth-keepalive import");
	else
		return 0;
	return STATUS_USAGE;
}

static int take(const struct invocation *invocation, struct session *session,
		const struct handover *handover)
{
	if (session->ledger.exists && string_equal(session->ledger.uuid, handover->ledger)) {
		_cleanup_free_ char *name = shell_quoted(handover->profile);
		log_error("import: this very host has exported that%s%s",
			  handover->release ? "; to take it back: oauth-keepalive own " : "",
			  handover->release ? name : "");
		return STATUS_PERSON;
	}
	session->why = xasprintf("%s %s", handover->release ? "taken over from" : "sent by",
				 handover->host);
	session->policy.offline = true;
	session->policy.choice = (struct choice){
		.kind = CHOICE_IMPORT,
		.import = handover,
		.why = session->why,
	};
	return session_run(invocation, session);
}

int command_import(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_(handover_free) struct handover handover = {0};
	int status = check_invocation(invocation);

	if (!status)
		status = read_document(&handover);
	if (!status)
		status = session_open(invocation, &session);
	return status ? status : take(invocation, &session, &handover);
}
