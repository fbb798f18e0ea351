// SPDX-License-Identifier: MIT
//
// Which process: a pid with its start time, so that a pid given to another is not taken for the one that is gone.
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <signal.h>

#include "base/util.h"

struct process_id {
	pid_t pid;
	uint64_t starttime; // field 22 of /proc/<pid>/stat; 0 unknown
};
int process_self(struct process_id *ret);
int process_identify(pid_t pid, struct process_id *ret); // -ESRCH if there is none
// Does exactly this process still run (zombies do not)? starttime 0 matches any.
bool process_alive(struct process_id id);
// Another user's, which /proc does not show (hidepid): alive, but nothing more can be said.
bool process_is_hidden(pid_t pid);
// By SIGSTOP, a terminal or a debugger; not if that cannot be told.
bool process_is_stopped(pid_t pid);
// When the process that has this pid now started, by the wall clock. -ESRCH if there is none.
int process_started_ms(pid_t pid, int64_t *ret_ms);

// What it is called, to be freed; NULL: nobody can say. (Its arguments may hold a secret.)
char *process_name(pid_t pid);
// The unit of ours that we run in ("oauth-keepalive@alice.service"), by the name of our control group, to be freed; NULL:
// a shell's, cron's.
char *process_own_unit(void);

// Those of these signals that are not ignored. To be held back and read: one that is ignored (nohup, a script's background)
// would be read all the same, and has to stay so.
sigset_t signals_heeded(const int *signals, size_t n);

#endif
