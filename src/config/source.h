// SPDX-License-Identifier: MIT
//
// The configuration's text, with every @include in its place, and where each line of it came from.
//
// libconfig could include files itself, but it opens them before anybody can look at what they are (a
// FIFO is waited for; a directory ends the process, in flex), and a comment that is never closed
// swallows, without a word, whatever follows it, also in the file that included it. Here every file is
// checked and read once, each must close what it opens, and libconfig sees one string: that is the
// same in all its versions.
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "base/util.h"

struct source_line {
	size_t file; // in `files`
	unsigned line;
};

struct source {
	char *text;
	size_t len;
	struct source_line *lines; // of `text`
	size_t n_lines;
	char **files; // the first is the configuration itself
	size_t n_files;
};

// -errno with a message for people, to be freed: "FILE:LINE: what; what to do".
int source_read(const char *path, struct source *ret, char **ret_error);
void source_free(struct source *source);
// "FILE:LINE" of a line of `text`, counted from 1. Free it.
char *source_place(const struct source *source, unsigned line);

#endif
