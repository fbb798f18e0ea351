// SPDX-License-Identifier: MIT
//
// One verb a file. main.c parses the command line into a `struct invocation`; a verb opens what it needs with
// session_open, runs, and returns the exit status (interface: 0 done, 1 may pass, 2 usage, 3 a person, 4 busy, 5 due).
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include "ledger/conditions.h"
#include "report/report.h"

// Options that only some verbs take.
enum {
	OPTION_FORCE = 1 << 0,
	OPTION_AT = 1 << 1,
	OPTION_WAIT = 1 << 2,
	OPTION_DRY_RUN = 1 << 3,
	OPTION_CHECK = 1 << 4,
	OPTION_WATCH = 1 << 5,
	OPTION_ADOPT = 1 << 6,
	OPTION_FOLLOW = 1 << 7,
	OPTION_SINCE = 1 << 8,
	OPTION_NUMBER = 1 << 9,
	OPTION_LAST_TRY = 1 << 10,
	OPTION_MIN_LIFE = 1 << 11,
	OPTION_PROBE = 1 << 12,
	OPTION_RELEASE = 1 << 13,
};

struct invocation;
struct command {
	const char *name;
	const char *summary;
	unsigned options;
	int (*run)(const struct invocation *invocation);
};

struct invocation {
	const struct command *command;
	const char *config, *state_dir, *ledger_dir;
	bool json, verbose, quiet;
	const char *at, *wait, *adopt, *follow, *since, *number, *min_life;
	unsigned given; // of OPTION_…
	bool twice;	// a store was named, and then another one
	char **accounts;
	size_t n_accounts;
};

// Of one command, or of the program (`which` NULL).
void help_show(const struct command *commands, size_t n, const struct command *which);

int command_refresh(const struct invocation *invocation);
int command_watch(const struct invocation *invocation);
int command_preview(const struct invocation *invocation);
int command_status(const struct invocation *invocation);
int command_sync(const struct invocation *invocation);
int command_restore(const struct invocation *invocation);
int command_forget(const struct invocation *invocation);
int command_leave(const struct invocation *invocation);
int command_hook_test(const struct invocation *invocation);
int command_log(const struct invocation *invocation);
int command_own(const struct invocation *invocation);
int command_doctor(const struct invocation *invocation);
int command_config(const struct invocation *invocation);
int command_providers(const struct invocation *invocation);
int command_token(const struct invocation *invocation);
int command_export(const struct invocation *invocation);
int command_import(const struct invocation *invocation);

// What every verb opens first.
struct session {
	struct config config;
	struct ledger ledger;
	struct policy policy;
	struct selection selection;
	int64_t wait_s;
	char *barred; // the ledger cannot be used: why
	struct problems problems; // … and what to do about it
	char *store;  // --adopt, as a real path where it is one
	char *why;
	struct last_run last_runs[RUN_BY_N];
	struct conditions conditions; // what is wrong at present, and was told
	struct keepsakes kept; // restore: what may be brought back
	bool lists_kept;       // … and only that is reported
	struct probes probes;
	bool probed; // … there are
	const struct shown *shown; // config, providers: what is in force, and only that is reported
	const struct events *events; // log: what happened, and only that is reported
	bool no_accounts;      // the verb is about none
	bool outdated;	       // a store of main's was written since the run looked last
	char *said;	       // by a run that may look again: what it has said so far; NULL: it does not
	FILE *screen;          // status --watch: what is shown; NULL: standard output
};
// "OPTION VALUE: expected …", and STATUS_USAGE.
int session_usage_error(const char *option, const char *value, const char *expected);
// What is wrong with the ledger, for a verb that does not look at the stores.
void session_bar(const struct session *session, struct problems *problems);
// 0, or the exit status after the error was said.
int session_open(const struct invocation *invocation, struct session *ret);
// The only account that `name` means in a cycle. NULL, after they are listed: there are several.
const struct account *session_find_only(const struct cycle *cycle, const char *name);
// All that a run would look at. As discover_stores.
int session_stores(const struct session *session, struct stores *ret, struct problems *problems);
void session_close(struct session *session);
#define _cleanup_session_ _cleanup_(session_close)

// Run the cycle as the session's policy says, or only look with --dry-run; report it; end as a signal asked.
int session_run(const struct invocation *invocation, struct session *session);
// Report the cycle and return the exit status. -r of a failed cycle is said, too.
int session_finish(const struct invocation *invocation, struct session *session, struct cycle *cycle, int r, bool dry_run);

// What a cycle ends with, but for what is printed of it: its exit status, and what is remembered and told to monitoring.
int session_conclude(struct session *session, struct cycle *cycle, const struct report *report, bool json, int r);
struct report session_report(const struct invocation *invocation, struct session *session,
			     const struct cycle *cycle, bool dry_run);
// Says what kept the cycle from looking, and returns the exit status; 0: it has looked.
int session_look_failed(const struct session *session, const struct cycle *cycle, int r);

#endif
