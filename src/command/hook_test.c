// SPDX-License-Identifier: MIT
//
// hook-test EVENT [ACCOUNT]: run that hook now, as if that had happened, and say how it ended. OAUTH_KEEPALIVE_TEST is
// set, and nothing is remembered of it.
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/command.h"
#include "report/hooks.h"

static int run_test(const struct report *report, enum hook_event event)
{
	const struct results *results = &report->cycle->results;
	const struct account *a =
		results->n ? observation_account(&report->cycle->now, results->list[0].key) : NULL;
	const char *name = hook_event_name(event);
	const char *command = report->config->hooks.commands[event];
	_cleanup_free_ char *message = NULL, *fix = NULL, *generation = NULL;
	char code[] = "test", said[] = "this is a test of the hook";
	struct condition c = {.code = code, .message = said, .since_ms = report->now_ms};
	int r = hook_check(command, &message, &fix);

	if (r < 0) {
		log_error("the hook `%s` is not run: %s", name, message);
		log_error("    fix: %s", fix);
		return STATUS_FAILED;
	}
	if (a)
		c.generation = generation =
			xstrndup(a->verdict.record.live.fingerprint.hex, FINGERPRINT_SHOWN);
	r = hook_run(report, event, &c, a, true);
	if (r < 0)
		log_error("the hook `%s`: %s", name,
			  r == -ETIMEDOUT ? "it took too long, and was ended" : strerror(-r));
	else
		printf("the hook `%s` ended with status %d\n", name, r);
	return r == 0 ? STATUS_DONE : STATUS_FAILED;
}

int command_hook_test(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	struct invocation rest = *invocation;
	struct cycle cycle = {0};
	enum hook_event event;
	int status, r;

	if (!invocation->n_accounts || invocation->json) {
		log_error("hook-test: name an event: refreshed, needs_login, failed or recovered; "
			  "it prints no document");
		return STATUS_USAGE;
	}
	event = hook_event_of_name(invocation->accounts[0]);
	if (event == HOOK_EVENTS)
		return session_usage_error("hook-test", invocation->accounts[0],
					   "refreshed, needs_login, failed or recovered");
	rest.accounts++;
	rest.n_accounts--;
	status = session_open(&rest, &session);
	if (status)
		return status;
	if (!session.config.hooks.commands[event]) {
		log_error("no hook `%s` is configured (hooks, in oauth-keepalive.conf(5))",
			  hook_event_name(event));
		return STATUS_USAGE;
	}
	r = cycle_preview(&session.config, &session.policy, &session.ledger, &session.selection,
			  &cycle);
	status = session_look_failed(&session, &cycle, r);
	if (!status) {
		struct report report = session_report(&rest, &session, &cycle, true);
		status = run_test(&report, event);
	}
	cycle_free(&cycle);
	return status;
}
