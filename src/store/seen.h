// SPDX-License-Identifier: MIT
//
// What a run has read of its stores, from look to look. A file that is what it was (device, inode, size, both times, mode,
// owner) is not opened again: the copies that were read from it are shared. What it was is asked at every look, and so is
// whether it and its directories are safe.
//
// Two writes within a tick of the clock leave the same times, so a file is remembered only if it was older than that when
// the look began which read it (as git's index has it); and only where our own kernel's clock stamps it (file/places.h):
// a server's may go behind ours. What cannot be told so is read at every look, and so is whatever is no plain sound file.
// A write reads for itself, under the store's lock.
#ifndef STORE_SEEN_H
#define STORE_SEEN_H

#include <sys/stat.h>

#include "base/index.h"
#include "store/store.h"

struct seen_file {
	struct text_hash state; // of all that is compared
	struct copy **copies;
	size_t n_copies;
};
struct seen_files {
	struct seen_file *list;
	size_t n;
	struct index by_state;
};
struct seen { // zero to begin with
	struct seen_files before, now; // the last look's, this one's
	struct timespec began;
};

// `seen` may be NULL: then nothing is.
void seen_begin_look(struct seen *seen); // what the last look did not come by is forgotten
void seen_add(struct seen *seen, const struct stat *st, struct copy *const *copies, size_t n);
const struct seen_file *seen_find(const struct seen *seen, const struct stat *st); // NULL
static inline bool seen_any(const struct seen *seen)
{
	return seen && seen->before.n;
}
void seen_free(struct seen *seen);

#endif
