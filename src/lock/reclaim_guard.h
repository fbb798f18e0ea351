// SPDX-License-Identifier: MIT
//
// Who may remove a lock file that is not his own: only the one who made the directory
// `<lock>.reclaim`. OpenClaw from 2026.6.1 on does the same and takes no lock while the guard is
// there (fs-safe, sidecar-lock-reclaim.js).
//
// OpenClaw never removes the guard of a reclaimer that crashed, and then waits for it for ever; we
// do, after 30 s. Among ourselves every use of a guard is under flock(2) on the directory that
// holds it, which the kernel takes back from the dead: so a guard we find old is nobody's of ours,
// and one who was stopped for a minute inside his guard cannot find it gone when he goes on.
#ifndef LOCK_RECLAIM_GUARD_H
#define LOCK_RECLAIM_GUARD_H

#include "base/util.h"

#define RECLAIM_GUARD_ABANDONED_MS 30000

struct reclaim_guard {
	char *path;    // NULL: not entered
	int directory; // holds the flock
};
#define RECLAIM_GUARD_NONE ((struct reclaim_guard){.directory = -1})

// `now_ms`: by the clock of the file system that the lock stands on, as the mtime of a file just
// made there says it; 0: a guard is never found abandoned. -EBUSY if somebody is in it.
int reclaim_guard_enter(const char *lock, int64_t now_ms, struct reclaim_guard *ret);
void reclaim_guard_leave(struct reclaim_guard *guard); // harmless if not entered
#define _cleanup_reclaim_guard_ _cleanup_(reclaim_guard_leave)

// 0 if nobody is in the guard of `lock`, also if an abandoned one had to be removed; else -EBUSY.
int reclaim_guard_absent(const char *lock, int64_t now_ms);

#endif
