// SPDX-License-Identifier: MIT
//
// The table of formats: what store.c calls for a store, whatever it is made of. The next format is one file with these
// functions, and one row in formats.c.
#ifndef STORE_FORMAT_H
#define STORE_FORMAT_H

#include "lock/lock.h"
#include "store/store.h"

struct store_format {
	const char *name; // "openclaw-json"
	// All of them work on store->target, which the caller has found to be its real path and safe.
	// Sets the store's `state` and copies; what is wrong is a problem, never an error.
	void (*read)(struct store *store, const struct config *config, struct problems *problems);
	// The same of a file that is open, and was looked at. NULL: it is not read like that.
	void (*read_open)(struct store *store, int fd, const struct stat *st, const struct config *config,
			  struct problems *problems);
	// Will a write succeed? `ret` is a proof to be used for it, or ATOMIC_STAGE_NONE.
	int (*stage)(const struct store *store, struct atomic_stage *ret);
	// A file's new text is left in `stage` (atomic_fill), to be put in its place together with others; a database is written.
	int (*write)(const struct store *store, struct store_change *changes, size_t n, struct atomic_stage *stage);
	// The lock files that are held for a write. NULL: none, it has locks of its own.
	void (*locks)(const struct store *store, struct lock_set *set);
	bool is_file;    // is replaced as a whole: what replaces it must have its group
	bool is_cached;  // its readers go by its mtime: store_settle_mtime
};

const struct store_format *store_format(enum format_id id);

#endif
