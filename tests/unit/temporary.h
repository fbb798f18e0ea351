// SPDX-License-Identifier: MIT
//
// A directory for one test, and its end.
#ifndef TESTS_UNIT_TEMPORARY_H
#define TESTS_UNIT_TEMPORARY_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"

// A new one, below $TMPDIR or /tmp. For remove_tree.
static inline char *temporary_directory(const char *name)
{
	const char *tmp = getenv("TMPDIR");
	char *path = xasprintf("%s/%s.XXXXXX", tmp ? tmp : "/tmp", name);

	if (!mkdtemp(path)) {
		perror(path);
		abort();
	}
	return path;
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

// Removes it with all that is in it, and frees its name.
static inline int remove_tree(char *path)
{
	int r = nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

	free(path);
	return r;
}

#endif
