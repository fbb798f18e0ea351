// SPDX-License-Identifier: MIT
//
// What a person reads. A report writes as if its reader had colours, an end of the line and syslog's priorities; what the
// descriptor behind it does not have is left out as it goes there: colours are for a terminal that has them, lines are
// broken at a terminal's width and nowhere else, priorities are for the journal.
#ifndef REPORT_SCREEN_H
#define REPORT_SCREEN_H

#include <stdio.h>

enum colour { PLAIN, GREEN, YELLOW, RED, DIM, BOLD };
const char *paint(enum colour colour);

// At the beginning of a line; "" for what is as usual.
#define PRIORITY_ERROR	 "\0013"
#define PRIORITY_WARNING "\0014"
#define PRIORITY_INFO	 "\0016"

// "~/…" for what is under the home directory: paths are the longest thing on the screen. Free it.
char *shown_path(const char *path);

struct report;
// Show to the reader behind the descriptor `fd` what `print` writes; by way of `to`, which need not be that descriptor yet.
void screen_show(const struct report *report, void (*print)(const struct report *report, FILE *out), FILE *to, int fd);

#endif
