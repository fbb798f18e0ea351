// SPDX-License-Identifier: MIT
//
// Replace a file so that it is old or new at every instant, and durably new once the call returned.
//
//	atomic_stage(target, size, &stage)     a temp file beside the target, `size` bytes really written, fsynced:
//	                                       disk full, read-only, quota and permission show up now
//	atomic_commit(&stage, text, len)       new content into it, attributes of the target (file/attributes.h), fsync,
//	                                       into the target's place (file/swap.h), fsync of the directory
//	atomic_abort(&stage)                   remove it; harmless after a commit
//
// Many files at once are new for little more than the price of one: what makes them durable waits for the disk, and the disk
// serves many that wait together (file/sync.h).
//
//	atomic_fill(&stage, text, len)         the new content into it, not yet durable, nor in its place
//	atomic_place(stages, n, errors)        all of them: fsync, into their targets' places, fsync of the directories
//
// The target is a real path (no symlink); links to it stay what they are. Temp files (file/temp_name.h) are created
// O_EXCL|O_NOFOLLOW with mode 0600; atomic_sweep removes those whose process is gone.
#ifndef FILE_ATOMIC_FILE_H
#define FILE_ATOMIC_FILE_H

#include <sys/stat.h>

#include "base/secret.h"
#include "base/process.h"

struct atomic_stage {
	char *target, *temp; // NULL: not staged
	int directory, fd;
	struct process_id owner; // of the temp file
	bool expects;            // `expected` is what the new content was made from, and `old` its text
	struct stat expected;
	struct fingerprint old, new;
	bool blank;  // nothing was written to the temp file yet
	bool filled; // … the new content was
	bool over;   // the target is written where it stands (swap_over)
	mode_t mode_if_new; // of a target that does not exist yet; 0: it must
};
#define ATOMIC_STAGE_NONE ((struct atomic_stage){ .directory = -1, .fd = -1 })

// Also what would only show at the rename: -ELOOP for a link, -EBUSY for a file that is a mount point (a container's
// bind mount), -EPERM for an immutable one or an append-only directory, -ENODATA if its owner, group, ACL or attributes
// cannot be kept. Size 0: a temp file and no more, for content that comes at once.
int atomic_stage(const char *target, size_t size, struct atomic_stage *ret);
// … for a file that is to stay the one it is, a mount point or not: the new content is written over it, once it is durable in
// the temp file.
int atomic_stage_over(const char *target, size_t size, struct atomic_stage *ret);
// After an error the target still is what it was, or (only if the directory's fsync failed) already new: the
// caller may call again with the same content. -ESTALE: the temp file was taken away (call again).
int atomic_commit(struct atomic_stage *stage, const char *text, size_t len);
int atomic_fill(struct atomic_stage *stage, const char *text, size_t len);
// For each what atomic_commit says; NULL and what is not filled is left out (0).
void atomic_place(struct atomic_stage *const *stages, size_t n, int *ret_errors);
// The same in two steps, for who makes batch after batch: the disk does the directories of one together with the texts of the
// next. `now`: fsync, and into their places; its directories are still to come. `before`, so placed: it is durable now, and
// over. Either may be NULL; errors are 0 to begin with.
struct atomic_batch {
	struct atomic_stage *const *stages;
	int *errors;
	size_t n;
};
void atomic_place_after(const struct atomic_batch *now, const struct atomic_batch *before);
// The content was made from the file of this stat and text: commit only if exactly that still stands there, also at the
// very instant of replacing it, else -ESTALE. For writers that take no lock (an OpenClaw login: facts,
// openclaw-json-store.md 4).
void atomic_expect(struct atomic_stage *stage, const struct stat *expected, const char *text, size_t len);
void atomic_abort(struct atomic_stage *stage);
#define _cleanup_stage_ _cleanup_(atomic_abort)

// Both in one; `mode` is for a target that does not exist yet (the ledger's files), 0 refuses to create one.
int atomic_replace(const char *target, const char *text, size_t len, mode_t mode);

// Remove temp files of dead processes beside `target`, but for one that a swap left undone.
void atomic_sweep(const char *target);
// … beside all targets in this directory: for one that has many, which would be listed for each.
void atomic_sweep_all(const char *directory);

#endif
