// SPDX-License-Identifier: MIT
//
// What a finished cycle looks like: text for people, JSON (schema_version 1) for programs, an exit status for both.
// Everything reads the same cycle; nothing here decides, and nothing shows more of a token than its fingerprint.
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdio.h>

#include "json/json.h"
#include "keepalive/cycle.h"

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
	bool selected; // accounts were named: only theirs count
	int64_t now_ms;
	bool no_accounts; // the command is about none
	const struct keepsakes *kept; // restore: what is kept, and nothing else
	const struct cycle *cycle;
};

int report_exit_status(const struct report *report);
void report_text(const struct report *report, FILE *out);
void report_json(const struct report *report, FILE *out);
// What is kept: a line each; an array of the document.
void report_kept_text(const struct report *report, FILE *out);
void report_kept_json(const struct report *report, cJSON *document);
void report_problems(const struct report *report, FILE *out);

// Which copies this command has written, or would: shared by text and JSON.
bool report_copy_written(const struct result *result, const struct member *member);
bool report_copy_planned(const struct report *report, const struct account *account, const struct result *result,
			 const struct member *member);
enum copy_state report_copy_state(const struct report *report, const struct account *account,
				  const struct result *result, const struct member *member);
// Who holds the account's refresh lock; pid 0: nobody.
struct process_id report_lock_holder(const struct report *report, const struct account *account);

#endif
