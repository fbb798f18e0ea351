// SPDX-License-Identifier: MIT
//
// File systems that do not keep what others do: shared ones, on which locks, O_EXCL and fsync are another machine's word,
// and those that make modes up, so that a file is everybody's and chmod(1) changes nothing.
#ifndef FILE_FILESYSTEM_H
#define FILE_FILESYSTEM_H

#include "base/util.h"

struct filesystem {
	const char *name; // "NFS"
	bool is_shared, has_no_modes;
};
// Of a path, or of the nearest directory above it that is there. NULL: one like any other.
const struct filesystem *filesystem_of(const char *path);

// Is the time of a file's last change our own kernel's, each time, and finer than a second? Of those that are not known
// for it, it may be a server's, or one that is remembered for a while.
struct statfs;
bool filesystem_keeps_time(const struct statfs *fs);

#endif
