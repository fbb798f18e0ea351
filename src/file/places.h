// SPDX-License-Identifier: MIT
//
// Directories, looked at once. A look asks for hundreds of files that have most of their directories in common: which
// directory a path leads to, whether it is a safe one (safe_path.h), and whether a file in it could be replaced
// (obstacle.h), is found out once for each and holds while the look lasts. Nothing is written by what a look has kept: a
// batch of writes begins with none, and finds it out again, once for each, under its locks.
#ifndef FILE_PLACES_H
#define FILE_PLACES_H

#include <sys/stat.h>

#include "base/index.h"
#include "file/obstacle.h"

struct place {
	char *path;
	char *real; // what realpath(3) makes of it; NULL: `error` says why (negative)
	int error;
	bool safe; // of it and of every directory above it can be said what safe_path.h asks of those above a file
	bool read_only, untouchable, closed; // obstacles to every file in it: its mount, chattr(1), its mode
	uint64_t mount;                      // 0: unknown
	bool keeps_time; // what is changed in it bears the time of our own kernel's clock (filesystem.h)
};

struct places { // zero to begin with
	struct place *list;
	size_t n;
	struct index by_path;
	bool asked; // of the kernel, who we are
	uid_t self;
	gid_t group;
	char *near; // a directory that is held open, by its real path; NULL: none is
	size_t near_len;
	int near_fd;
};
void places_free(struct places *places);

// What is asked for below this directory from now on, a real path, is looked up from there: the kernel walks the way down
// to it once, and not for each of the hundreds of names that have it in common.
void places_stay_near(struct places *places, const char *directory);
// For openat(2) and its like: where to look up a real path, and by which name. `places` may be NULL.
int places_at(const struct places *places, const char *path, const char **ret_name);

// An absolute path. The place is valid until the next call.
const struct place *place_find(struct places *places, const char *path);

// A file: what it is, and what would keep another from taking its place there.
struct file_look {
	struct stat st; // type, mode, links, owner, group, size, device, inode, mtime, ctime
	uint64_t attributes;
};
int file_look(int fd, struct file_look *ret); // one that is open
int file_look_at(const struct places *places, const char *path, struct file_look *ret); // … or not; of a link, the link
enum obstacle place_obstacle(const struct place *directory, uint64_t attributes_of_file);

#endif
