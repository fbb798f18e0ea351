// SPDX-License-Identifier: MIT
//
// Who made a lock in which there is no place to say so: an extended attribute of it tells. Its program neither sees nor
// needs it (an empty directory stays empty); the next run of ours knows a dead one of its own by it, and need not wait
// until the lock is stale. A file system without such attributes keeps none: then age alone decides, as it does for that
// program.
#ifndef LOCK_HOLDER_H
#define LOCK_HOLDER_H

#include "base/process.h"

void holder_write(const char *lock, struct process_id owner);
// False: none of ours made it, or one whose pid means nothing here (another machine, another container).
bool holder_read(const char *lock, struct process_id *ret);

#endif
