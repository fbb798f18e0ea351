// SPDX-License-Identifier: MIT
//
// log: what happened, newest last. Reads the ledger's history and nothing else, so that it works also where the stores
// do not.
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "base/closest.h"
#include "base/log.h"
#include "command/command.h"

#define NUMBER_MAX (1 << 20)

// As ACCOUNT does elsewhere, as far as a line tells.
static bool is_named(const struct event *e, const char *name)
{
	_cleanup_free_ char *full = NULL, *whose = NULL, *short_whose = NULL;

	if (!e->profile)
		return false;
	full = xasprintf("%s/%s", e->provider ? e->provider : "", e->profile);
	whose = xasprintf("%s@%s", full, e->identity ? e->identity : "");
	short_whose = xasprintf("%s@%s", e->profile, e->identity ? e->identity : "");
	return fnmatch(name, e->profile, 0) == 0 || fnmatch(name, full, 0) == 0 ||
	       strcasecmp(name, whose) == 0 || strcasecmp(name, short_whose) == 0 ||
	       (e->identity && strcasecmp(name, e->identity) == 0) ||
	       string_equal(name, e->provider) ||
	       (strlen(name) >= 6 && e->account && string_starts(e->account, name));
}

static bool is_wanted(const struct event *e, const struct invocation *i, int64_t since_ms)
{
	bool named = !i->n_accounts;

	for (size_t k = 0; k < i->n_accounts; k++)
		named |= is_named(e, i->accounts[k]);
	return named && e->at_ms >= since_ms;
}

static void keep_wanted(struct events *events, const struct invocation *i, int64_t since_ms,
			size_t most)
{
	size_t n = 0, drop;

	for (size_t k = 0; k < events->n; k++) {
		if (is_wanted(&events->list[k], i, since_ms))
			events->list[n++] = events->list[k];
		else
			event_free(&events->list[k]);
	}
	drop = n > most ? n - most : 0;
	for (size_t k = 0; k < drop; k++)
		event_free(&events->list[k]);
	if (n)
		memmove(events->list, events->list + drop, (n - drop) * sizeof(*events->list));
	events->n = n - drop;
}

// Where none is of that name, it may be mistyped. Before they are chosen; the accounts of today are not looked at.
static void say_if_unknown(const struct events *events, const char *name)
{
	_cleanup_free_ char *safe = string_printable(name, 120), *meant = NULL;
	struct closest closest = {.wanted = name};

	for (size_t i = 0; i < events->n; i++) {
		if (is_named(&events->list[i], name))
			return;
		closest_try(&closest, events->list[i].profile);
		closest_try(&closest, events->list[i].identity);
		closest_try(&closest, events->list[i].provider);
	}
	meant = closest_said(&closest);
	log_warning("the log has nothing about %s%s", safe, meant);
}

static int read_number(const char *text, size_t *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || *text < '0' || *text > '9' || n > NUMBER_MAX) {
		log_error("-n %s: expected a number of lines", text);
		return STATUS_USAGE;
	}
	*ret = n;
	return 0;
}

int command_log(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_(events_free) struct events events = {0};
	struct cycle nothing = {0};
	size_t most = NUMBER_MAX;
	int64_t since_ms = 0;
	int status = session_open(invocation, &session), r;

	if (status == 0 && invocation->number)
		status = read_number(invocation->number, &most);
	if (status == 0 && invocation->since &&
	    time_parse_since(invocation->since, clock_wall_ms(), &since_ms) < 0)
		status = session_usage_error("--since", invocation->since,
					     "a moment that has passed, like 2h, 02:30, "
					     "2030-11-20 or 2030-11-20T22:00:00Z");
	if (status)
		return status;
	r = history_read(&session.ledger, &events);
	if (r < 0 && r != -ENOENT) {
		log_error("the log cannot be read: %s", error_text(r));
		return STATUS_FAILED;
	}
	if (events.n_newer)
		log_warning("entries of a newer version of this program: %zu, not shown",
			    events.n_newer);
	for (size_t i = 0; i < invocation->n_accounts; i++)
		say_if_unknown(&events, invocation->accounts[i]);
	keep_wanted(&events, invocation, since_ms, most);
	session_bar(&session, &nothing.now.problems);
	session.events = &events;
	status = session_finish(invocation, &session, &nothing, 0, true);
	cycle_free(&nothing);
	return status;
}
