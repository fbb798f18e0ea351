// SPDX-License-Identifier: MIT
//
// What a file that takes another's place must have of it: owner, group, ACL and other extended attributes, mode.
#ifndef FILE_ATTRIBUTES_H
#define FILE_ATTRIBUTES_H

#include <sys/stat.h>

// Give the open file `to` those of the file `from`, of which `st` was just read. -ENODATA: the system lets us keep its
// owner, group, ACL or an attribute of it not.
int attributes_copy(const char *from, const struct statx *st, int to);

#endif
