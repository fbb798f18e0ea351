// SPDX-License-Identifier: MIT
//
// OpenClaw's lock files, taken all or none. (Our own locks: file/ofd_lock.h.)
//
// OpenClaw's protocol (facts: openclaw-json-store.md 3, openclaw-sqlite-store.md 3): a lock is held while its file
// exists and the process it names lives; the file holds {"pid","createdAt","starttime"}. We publish it complete,
// by link(2) from a temp name, because an empty lock file is never stale to 2026.6.1 and would block it for ever.
// Release and every check compare device and inode: a file that is no longer ours is not touched.
//
//	struct lock_set set = LOCK_SET_NONE;
//	lock_set_add_refresh(&set, state_dir, provider, profile)   both names, as the versions spell it
//	lock_set_add_store(&set, name)                             `<name>.lock`
//	lock_set_acquire(&set, owner, takeover, n)   sorted, all or none, never waiting: -EBUSY and who holds it
//	lock_set_still_ours(&set)                 before anything irreversible
//	lock_set_restamp(&set, owner)             another process of ours now answers for it (rename)
//	lock_set_release(&set)
//
// Who waits does so outside, in its poll loop, holding nothing of OpenClaw's.
#ifndef LOCK_LOCK_H
#define LOCK_LOCK_H

#include "base/process.h"
#include "format/format.h"

struct lock_file {
	char *path;
	const struct format_lock *foreign; // another program's (lock/foreign.h); NULL: OpenClaw's
	dev_t dev;
	ino_t ino;               // 0: not held
	int fd;                  // while held: open, so that no other file can be given this inode number
	struct process_id owner; // while held: who stands in the file
};

struct lock_set {
	struct lock_file *files;
	size_t n;
	const struct lock_set *like; // another that the same owner holds, or NULL: one file may serve for both (lock_file.h)
	char *busy_path;             // after -EBUSY: which lock …
	bool busy_foreign;           // … of another program, which does not say who holds it
	struct process_id busy_owner; // … and who holds it (pid 0: unknown)
};
#define LOCK_SET_NONE ((struct lock_set){ 0 })

// sha256-<hex> of provider NUL profile, and lock-<fnv><fnv> of JSON.stringify([provider, profile]): pure, vectors in
// the facts. Whatever bytes a profile id holds, the name is hex. Free it.
char *lock_name_sha256(const char *provider, const char *profile);
char *lock_name_fnv(const char *provider, const char *profile);

// Make sure <state_dir>/locks/oauth-refresh is a directory that only we can write (created 0700 where missing,
// each component opened O_NOFOLLOW): -EPERM with a message and a remedy (freed by the caller) if it is a symlink,
// another uid's, or writable by others; -EACCES with both if we cannot write it, or where it would be made. `create`
// false: only look; -ENOENT if missing.
int lock_directory_check(const char *state_dir, bool create, char **ret_message, char **ret_fix);

void lock_set_add_refresh(struct lock_set *set, const char *state_dir, const char *provider, const char *profile);
void lock_set_add_store(struct lock_set *set, const char *store_name);
// Another program's lock, which the set then holds among its own. Takes `path`.
void lock_set_add_foreign(struct lock_set *set, char *path, const struct format_lock *lock);
// Those of other programs that a killed run of ours left: its programs wait for them, and nobody needs them any more. For a
// set that is not held.
void lock_set_drop_dead(const struct lock_set *set);
// Let go of those without which its program cannot save an answer that it may have got meanwhile. False: there was none.
bool lock_set_yield(struct lock_set *set);
// `owner` stands in the files. A lock whose owner is one of `takeover` is replaced although he lives: the couriers that
// ever guarded an answer whose keeper died; then nothing is unlinked on error, the files stay with `owner`. (`owner`
// itself as `takeover`: a lock that it could not remove is still its own.) Dead locks are reclaimed (rules in
// lock/stale.h). 0, -EBUSY, or -errno; on error nothing is held.
int lock_set_acquire(struct lock_set *set, struct process_id owner, const struct process_id *takeover,
		     size_t n_takeover);
bool lock_set_is_held(const struct lock_set *set); // or what is left of it
bool lock_set_still_ours(const struct lock_set *set);
int lock_set_restamp(struct lock_set *set, struct process_id owner);
void lock_set_release(struct lock_set *set);
// Forget them; the files stay, for whom they name still lives.
void lock_set_leave(struct lock_set *set);
void lock_set_free(struct lock_set *set); // releases too

// Who holds the lock file `path` (for status, and for "is any store locked by somebody alive?"): 0 with the owner
// (pid 0 if the file does not say), -ENOENT if nobody, also if what is there is stale.
int lock_file_holder(const char *path, struct process_id *ret);

#endif
