// SPDX-License-Identifier: MIT
//
// Is a path safe to keep a secret behind? A file must be a regular one, ours (also if we are root), and
// nobody else's to write (file/trust.h); every directory above it must be ours or root's and nobody else's to write,
// unless sticky (/tmp). Anything else could be turned between our look and our write. A directory that is asked for
// itself has to be as a file has to. The path must be what realpath(3) makes of it; another is refused.
#ifndef FILE_SAFE_PATH_H
#define FILE_SAFE_PATH_H

#include <sys/stat.h>

#include "base/util.h"

// 0, or -EPERM with a message for people ("… is writable by group or others (mode 0666)") and a remedy
// ("chmod go-w …"), both to be freed; -errno without messages if it cannot be looked at.
int path_check_file(const char *real_path, char **ret_message, char **ret_fix);
int path_check_directory(const char *real_path, char **ret_message, char **ret_fix);
// The same for a file that is only read and decides where tokens go (the configuration, certificates), by whatever
// path: it may be root's, and so may the links on the way to it.
int path_check_trusted(const char *path, char **ret_message, char **ret_fix);
// The parts of path_check_file, for who has looked already, and knows who we are (file/places.h): a directory above the
// file, and the file.
bool path_ancestor_is_safe(const char *path, const struct stat *st, uid_t self);
bool path_file_is_safe(const char *path, const struct stat *st, uid_t self);

#endif
