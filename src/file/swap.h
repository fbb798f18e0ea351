// SPDX-License-Identifier: MIT
//
// Put a file in another's place without losing what somebody saves there at that very moment.
//
// A look just before a rename leaves an instant in which a login can be saved and be overwritten. So the two files
// change places (RENAME_EXCHANGE), and what came out is looked at: the text that the new one was made of, or else
// somebody's, which goes back. Between exchange and look the only copy of that login may be in the temp file, and we may
// be killed. A record tells the next run what it is:
//
//	<target>.oauth-keepalive.swap -> <pid>-<starttime>.<digest of the old text>.<digest of the new one>
//
//	killed …                       target  temp    the next run
//	before the exchange            old     new     drops the temp file
//	after it                       new     old     drops the temp file
//	after it, a login came out     new     login   exchanges them again, if nobody has written the target since: else
//	                                               keeps the login aside, as <target>.<pid>-<starttime>.oauth-keepalive.saved
//	after that                     login   new     drops the temp file
//
// A symbolic link, because one call makes it whole, and one call finds that there is none (in every look).
#ifndef FILE_SWAP_H
#define FILE_SWAP_H

#include <sys/stat.h>

#include "base/secret.h"
#include "base/process.h"

struct swap {
	int directory;             // where both stand
	const char *target, *temp; // their paths, of which the last components count
	struct process_id owner;   // of the temp file
	struct fingerprint old, new; // of the texts
};

// 0: the new text is in place and the old one gone. -ESTALE: what stands there is not the old text, or not of
// `was`'s owner and mode; it stands there still, and the temp file is gone. Where the file system cannot exchange:
// by a plain rename. The caller syncs the directory.
int swap_in(const struct swap *swap, const struct stat *was);

// For a file that nothing can take the place of, a mount point: it is written over where it stands. Others may read a part
// of it meanwhile. The new text stands in the temp file, durable, and the record tells of it: killed in between, what is left
// is no JSON, and is written over again. -EPERM where no record can be made.
int swap_over(const struct swap *swap);

// Did a process that is gone leave a swap undone? `target` is looked up as openat(2) does.
bool swap_is_interrupted(int at, const char *target);
// Finish it; the caller holds the store's locks. -EBUSY if its process lives.
int swap_recover(const char *target);
// The process whose temp file beside `target` may be somebody's login: not to be swept. pid 0: none.
struct process_id swap_owner(const char *target);

#endif
