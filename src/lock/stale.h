// SPDX-License-Identifier: MIT
//
// When is a lock file stale? Pure, but for asking the kernel about a pid. The rules are the careful ones of all
// versions (facts: openclaw-json-store.md 3, "How C must treat an existing lock"):
//   pid > 0: stale iff no such process, a zombie, or `starttime` given and different; without starttime (4.x) also
//            if the process that has this pid now started after `createdAt` (a reused pid);
//   a file over LOCK_PAYLOAD_MAX, or none at all (a directory, a link): whose it is cannot be known, never stale;
//   no pid, unreadable or empty: stale iff the file's mtime is older than `stale_ms`;
//   a pid of another user that /proc hides (hidepid, ProtectProc=invisible): stale iff the file is our own user's and
//            older than this boot (that process cannot have written it);
//   a live pid is never stale by age: a 2026.6.1 would not reclaim it either.
#ifndef LOCK_STALE_H
#define LOCK_STALE_H

#include "lock/lock.h"

#define LOCK_STALE_REFRESH_MS 180000
#define LOCK_STALE_STORE_MS   30000
#define LOCK_PAYLOAD_MAX      4096

struct lock_payload {
	struct process_id owner; // pid 0: the text names none
	int64_t created_ms;      // 0 unknown
};
void lock_payload_read(const char *text, size_t len, struct lock_payload *ret); // bounded, never fails
// `{\n  "pid": …,\n  "createdAt": "…",\n  "starttime": …\n}\n`. Free it.
char *lock_payload_write(struct process_id owner, int64_t now_ms);
// `own_file`: the lock file belongs to our user.
bool lock_is_stale(const struct lock_payload *payload, bool own_file, int64_t mtime_ms, int64_t now_ms,
		   int64_t stale_ms);

#endif
