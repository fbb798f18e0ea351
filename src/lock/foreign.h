// SPDX-License-Identifier: MIT
//
// Locks of other programs, as format/format.h describes them: a file under flock(2), or a directory or file that is there
// while it is held, whose mtime says that its holder lives.
//
// This process holds each at most once, however many of its lock sets ask for it: two logins in one file, or a write
// under a lock that is held over a request already. The last one that lets go gives it back.
//
// What has to be touched is touched by a thread of its own, so that it is done in time whatever this program waits for. If
// the process dies, nobody touches it any more, and the other program takes it as it takes any dead one's.
#ifndef LOCK_FOREIGN_H
#define LOCK_FOREIGN_H

#include <sys/stat.h>

#include "format/format.h"

// Never waits: -EBUSY if somebody else has it. One that is stale by its program's own rule is taken away first.
int foreign_lock_take(const char *path, const struct format_lock *lock, struct stat *ret);
void foreign_lock_release(const char *path);
// It stays for as long as its program believes in it, untouched. (What the kernel holds cannot be left.)
void foreign_lock_leave(const char *path);

#endif
