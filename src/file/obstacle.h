// SPDX-License-Identifier: MIT
//
// Could this file be written? What a look alone can tell, without a trace: it is no proof (that is atomic_stage), but
// what it finds is certain, and is found long before anything hangs on it.
#ifndef FILE_OBSTACLE_H
#define FILE_OBSTACLE_H

#include "base/util.h"

enum obstacle {
	OBSTACLE_NONE,
	OBSTACLE_MOUNT_POINT, // the file is mounted by itself, so that no other can take its place
	OBSTACLE_READ_ONLY,   // its file system, or its mount
	OBSTACLE_IMMUTABLE,   // it, or its directory, by chattr(1)
	OBSTACLE_DIRECTORY,   // nobody like us makes a file there
	OBSTACLE_FILE,        // nobody like us writes it
	OBSTACLE_HARD_LINKS,  // another program's: it has several names, and that program saves nothing in such a file
};

// `replaced`: by another file that is made beside it; else it is written where it stands, with journals beside it.
enum obstacle obstacle_find(const char *real_path, bool replaced);
// A remount, or the end of a sandbox, is nobody's decision about this file.
bool obstacle_may_pass(enum obstacle obstacle);
// What stands in the way, without the path. Static.
const char *obstacle_text(enum obstacle obstacle);
// The remedy, to be freed.
char *obstacle_fix(enum obstacle obstacle, const char *real_path);

// … for what stands there and could not be read, by this (negative) error. To be freed.
char *unreadable_fix(const char *path, int error);

#endif
