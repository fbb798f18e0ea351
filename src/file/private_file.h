// SPDX-License-Identifier: MIT
//
// How the ledger keeps its files: for nobody's eyes but ours, read whole or not at all, published
// complete.
//
// Publishing is link(2) of a finished temp file, or its rename where there are no links: who comes second gets -EEXIST, and nobody ever
// sees a part. Temp files are named `.<pid>-<starttime>-<n>.tmp`, so that a later run can tell
// whose they are.
#ifndef LEDGER_PRIVATE_FILE_H
#define LEDGER_PRIVATE_FILE_H

#include "base/secret.h"

// Open a regular file that is ours and closed to group and others; never through a symlink. -EPERM
// otherwise. On every error but -ENOENT a message for people (`ret_message` may be NULL).
int private_open(const char *path, int flags, int *ret_fd, char **ret_message);
int private_read(const char *path, size_t max, struct secret *ret, char **ret_message);
// The command that makes right what they refuse with -EPERM. Free it.
char *private_remedy(const char *path);
// A directory that is ours and closed to group and others: -EPERM with message and remedy
// otherwise.
int private_check_directory(const char *path, char **ret_message, char **ret_fix);
// mkdir -p, 0700, each new name durable.
int private_make_directory(const char *path);

// An empty temp file, mode 0600, opened read-write and O_APPEND.
int private_temp_create(const char *directory, char **ret_path, int *ret_fd);
// Give it its name; -EEXIST if there is one. The temp name is gone in any case.
int private_temp_publish(const char *temp, const char *path);
// All of it, durable: temp file, text, fsync, link, fsync of the directory. -EEXIST if there is
// one, durably.
int private_publish(const char *path, const char *text, size_t len);
// Remove the temp files of processes that are gone.
void private_sweep(const char *directory);

// Exactly `digits` lower-case hex digits, and nothing else.
bool is_hex(const char *text, size_t digits);

struct names {
	char **list;
	size_t n;
};
void names_free(struct names *names);
bool names_hold(const struct names *names, const char *name);
#define _cleanup_names_ _cleanup_(names_free)
// The files of `directory` called <`digits` hex digits><suffix>, sorted; digits 0: any that end in
// `suffix`.
int private_list(const char *directory, size_t digits, const char *suffix, struct names *ret);

#endif
