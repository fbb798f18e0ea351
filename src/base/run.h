// SPDX-License-Identifier: MIT
//
// Run a command line to its end, or until its time is over.
#ifndef BASE_RUN_H
#define BASE_RUN_H

#include "base/util.h"

// /bin/sh -c `command`, with this environment, in a session and process group of its own: standard input is empty, the
// first 64 KiB that it prints go to our standard error, no other descriptor is open, no signal held back. Past its time the whole group is
// ended, by TERM and a moment later by KILL. Its exit status (128 + a signal's number), -ETIMEDOUT, or -errno.
int run_shell(const char *command, char *const environment[], int64_t timeout_ms);

#endif
