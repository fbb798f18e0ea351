// SPDX-License-Identifier: MIT
//
// One lock file: what lock_set.c does for each of its files. The protocol is told in lock/lock.h.
#ifndef LOCK_LOCK_FILE_H
#define LOCK_LOCK_FILE_H

#include "lock/lock.h"

// -EBUSY puts the holder into `busy_owner` if he is known and lives; the caller has zeroed it. `like`: a lock that `owner`
// holds, or NULL. Where hundreds are taken at once, one file serves for them by as many names: each new one would cost an
// inode, which a file system like ext4 looks for the longer the more were given back just before.
int lock_file_take(struct lock_file *file, struct process_id owner,
		   const struct process_id *takeover, size_t n_takeover,
		   const struct lock_file *like, struct process_id *busy_owner);
bool lock_file_is_ours(const struct lock_file *file);
// -ESTALE: it is no longer ours, and now let go. After any other error it stays held as it was.
int lock_file_restamp(struct lock_file *file, struct process_id owner);
void lock_file_leave(struct lock_file *file); // forget it; the file stays
void lock_file_release(struct lock_file *file); // harmless if not held

#endif
