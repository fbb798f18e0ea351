// SPDX-License-Identifier: MIT
//
// Put a file in the place of a symbolic link, as some programs do with their own files. What the link led to stays.
#ifndef FILE_LINK_H
#define FILE_LINK_H

#include <sys/stat.h>

#include "base/secret.h"

// Of another program's link: -ESTALE if it is none any more, or was turned meanwhile. Durable once it returned.
int link_replace(const char *link, const struct secret *text, mode_t mode);

#endif
