// SPDX-License-Identifier: MIT
//
// Telling somebody: the hooks of the configuration, run when all locks are let go, the answers are saved, and the output is
// written. What a hook does changes nothing of the run or its exit status.
//
// Each event is told once: a refresh once for its generation, what is wrong once and again after a day, and once that it is
// over, if it was told before. A hook that fails is tried again by the next runs, three times in all; one that ends with 75
// (EX_TEMPFAIL), as often as it takes, but of news for a day. The memory of that is ledger/conditions.h. A hook learns of the event from OAUTH_KEEPALIVE_… in its environment; never a token.
#ifndef REPORT_HOOKS_H
#define REPORT_HOOKS_H

#include "ledger/conditions.h"
#include "report/report.h"

// Tell of whatever is to be told.
void report_tell(const struct report *report);
// Run one hook as if that had happened to the account (NULL: to none). As run_shell.
int hook_run(const struct report *report, enum hook_event event, const struct condition *condition,
	     const struct account *account, bool test);
// The program of each hook must be one that nobody else can write: a problem for each that is not, which is not run.
void hooks_check(const struct hooks *hooks, struct problems *problems);
// 0, or -EPERM with a message and a remedy to be freed.
int hook_check(const char *command, char **ret_message, char **ret_fix);
bool hooks_any(const struct hooks *hooks);
// Which hook a refresh would run for this account; HOOK_EVENTS: none. For a preview.
enum hook_event hook_planned(const struct report *report, const struct account *account, const struct result *result);
// HOOK_EVENTS: there is no such event.
enum hook_event hook_event_of_name(const char *name);

#endif
