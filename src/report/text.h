// SPDX-License-Identifier: MIT
//
// How an account is called and coloured, where a line is about it, and where a row is.
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include "report/report.h"
#include "report/screen.h"

enum colour outcome_colour(enum outcome outcome);
// What tells it from the others of its name, each of which ACCOUNT takes; NULL: there is none. Two people under one profile
// id: who they are; the same profile of two state directories: these.
char *told_apart(const struct report *report, const struct account *account);
// Under -q only what is wrong, and what a run has done: for the journal, a line for every refresh and no other.
bool account_is_shown(const struct report *report, const struct account *account, const struct result *result);

// A line about it, its name in a column of that width; after it what there is to do, and its copies. The closing summary.
void report_account(const struct report *report, const struct account *account, const struct result *result, int width,
		    FILE *out);
void report_summary(const struct report *report, FILE *out);

#endif
