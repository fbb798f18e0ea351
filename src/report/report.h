// SPDX-License-Identifier: MIT
//
// What a finished cycle looks like: text for people, JSON (schema_version 1) for programs, an exit status for both.
// Everything reads the same cycle; nothing here decides, and nothing shows more of a token than its fingerprint.
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdio.h>

#include "json/json.h"
#include "keepalive/cycle.h"
#include "keepalive/probe.h"
#include "ledger/history.h"

// Exit statuses: done, failed but tried again, usage or configuration, a person is needed, busy, work is due.
enum {
	STATUS_DONE = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_PERSON = 3,
	STATUS_BUSY = 4,
	STATUS_DUE = 5,
};

struct report {
	const char *command;
	bool dry_run; // nothing was written
	bool check;   // preview --check
	bool verbose, quiet;
	int width; // of the terminal on standard output; 0: it is none, and lines are as long as they are
	bool doctor; // problems are what it is about, and by the worst of them it ends
	bool selected; // accounts were named: only theirs count
	int64_t now_ms;
	int64_t as_of_ms; // --at: judged as of then; 0
	bool no_accounts; // the command is about none
	bool barred;      // the ledger cannot be used: what is not there was not looked for
	const struct keepsakes *kept; // restore: what is kept, and nothing else
	enum run_by by;
	const char *decided; // what a person decided, for whoever asks later; NULL
	const struct events *events; // log: what happened, and nothing else
	const struct shown *shown; // config, providers: what is in force, and nothing else
	const struct probes *probes; // doctor --probe: what the network said; NULL
	const struct last_run *last_runs; // RUN_BY_N of them: before this run
	// In a preview, what hooks were told; in a run, what could not be saved of what is wrong, and is to be told all the
	// same: a full disk must not silence its own alarm.
	struct conditions *conditions;
	const struct ledger *ledger;
	const struct config *config;
	const struct cycle *cycle;
};

int report_exit_status(const struct report *report);
// Where accounts are named: is it one of theirs?
bool report_problem_counts(const struct report *report, const struct problem *problem);
// … is it to be shown? What is nobody's own, or of a store that theirs stand in, too.
bool report_problem_is_shown(const struct report *report, const struct problem *problem);
void report_text(const struct report *report, FILE *out);
void report_status(const struct report *report, FILE *out); // … of status
void report_json(const struct report *report, FILE *out);
// What is kept: a line each; an array of the document.
void report_kept_text(const struct report *report, FILE *out);
void report_kept_json(const struct report *report, cJSON *document);
// What the ledger remembers of a run that may write: events, what is wrong, how often, and that it was. 0 or -errno.
int report_remember(const struct report *report);
// … or of one that could not even look.
void report_remember_failure(const struct report *report, int exit_code);
// What a timer's run could see and write; and in a shell's preview what it could not: to `problems`.
void report_note_world(const struct report *report);
void report_say_world(const struct report *report, struct problems *problems);
// Who else renews these logins, or puts spent tokens back, by what is remembered: to `problems`.
void report_say_rivals(const struct report *report, struct problems *problems);
// For Prometheus; and to `metrics_file`, if one is configured: 0 or -errno.
void report_metrics(const struct report *report, FILE *out);
int report_write_metrics(const struct report *report);
// doctor --probe: of an account, and of the token endpoints. "alive", "refused" …; what else an answer says, "" nothing.
const char *report_probe_result(const struct probe *probe);
char *report_probe_remark(const struct probe *probe);
void report_probes_text(const struct report *report, FILE *out);
void report_probe_json(const struct report *report, const struct account *account, cJSON *object);
void report_endpoints_json(const struct report *report, cJSON *document);
// What the cluster says, if it was asked: of an account, and which hosts there are.
void report_cluster_account_text(const struct report *report, const struct account *account, FILE *out);
void report_cluster_account_json(const struct report *report, const struct account *account, cJSON *object);
// What this host is called: by the cluster's section, where it says so, else by itself.
void report_host(const struct report *report, char ret[65]);
void report_cluster_json(const struct report *report, cJSON *document);
// log: a line each; an array of the document.
void report_events_text(const struct report *report, FILE *out);
void report_events_json(const struct report *report, cJSON *document);
void report_problems(const struct report *report, FILE *out);

// When it will be refreshed by itself: when its margin begins, and when the back-off is over, if that is later. 0: not.
int64_t report_due_ms(const struct account *account);
int64_t report_next_try_ms(const struct account *account);
// The last time a provider answered with the login as it is now. 0: not yet.
int64_t report_proven_ms(const struct account *account);
// … or answers a probe now.
int64_t report_alive_ms(const struct report *report, const struct account *account);
// The last run of all, and by a timer or the like; NULL: there was none.
const struct last_run *report_last_run(const struct report *report, enum run_by *ret_by);
const struct last_run *report_last_timer(const struct report *report, enum run_by *ret_by);
// By the period and jitter that are configured, it should have run since, and twice.
bool report_timer_is_late(const struct report *report, const struct last_run *run);
// status: what it comes to, in one sentence that is true.
void report_health(const struct report *report, FILE *out);

// Which copies this command has written, or would: shared by text and JSON.
bool report_copy_written(const struct result *result, const struct member *member);
bool report_copy_planned(const struct report *report, const struct account *account, const struct result *result,
			 const struct member *member);
enum copy_state report_copy_state(const struct report *report, const struct account *account,
				  const struct result *result, const struct member *member);
// Who holds the account's refresh lock; pid 0: nobody.
struct process_id report_lock_holder(const struct report *report, const struct account *account);

#endif
