// SPDX-License-Identifier: MIT
//
// Locks of other programs, as format/format.h describes them: a file under flock(2), or a directory or file that is there
// while it is held, whose mtime says that its holder lives.
//
// This process holds each at most once, however many of its lock sets ask for it: two logins in one file, or a write
// under a lock that is held over a request already. The last one that lets go gives it back.
//
// What has to be touched is touched by a thread of its own, so that it is done in time whatever this program waits for. If
// the process dies, nobody touches it any more, and the other program takes it as it takes any dead one's; the next run of
// ours sees whose it was (lock/holder.h) and takes it at once.
#ifndef LOCK_FOREIGN_H
#define LOCK_FOREIGN_H

#include <sys/stat.h>

#include "base/process.h"
#include "format/format.h"

struct lock_taker {
	struct process_id owner;           // who shall stand in it
	const struct process_id *takeover; // whose it may be although he lives
	size_t n_takeover;
};

// Never waits: -EBUSY if somebody else has it (`busy`: who, if that is one of ours). One that is stale by its program's own
// rule, of a process of ours that is gone, or of one of `takeover`, is replaced in one step.
int foreign_lock_take(const char *path, const struct format_lock *lock, const struct lock_taker *taker,
		      struct stat *ret, struct process_id *busy);
// What a killed run of ours left there, and nobody needs.
void foreign_lock_drop_dead(const char *path, const struct format_lock *lock);
// Another process of ours answers for it from now on.
void foreign_lock_restamp(const char *path, struct process_id owner);
void foreign_lock_release(const char *path);
// It stays for as long as its program believes in it, untouched. (What the kernel holds cannot be left.)
void foreign_lock_leave(const char *path);

#endif
