// SPDX-License-Identifier: MIT
#ifndef FILE_OFD_LOCK_H
#define FILE_OFD_LOCK_H

#include "base/util.h"

// Our own: an OFD write lock on a file, gone with its last descriptor. `-EBUSY` at once if another holds it.
int ofd_lock(int fd);
bool ofd_is_locked(int fd); // by another open file description

#endif
