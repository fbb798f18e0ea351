// SPDX-License-Identifier: MIT
//
// Our own locks: open file description locks, fcntl(2). They belong to the description and not to
// the process, so that they pass with a descriptor to the courier and end with whoever closes it
// last, killed or not.
#include "file/ofd_lock.h"

#include <errno.h>
#include <fcntl.h>

static struct flock whole_file(void)
{
	return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

int ofd_lock(int fd)
{
	struct flock lock = whole_file();

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

bool ofd_is_locked(int fd)
{
	struct flock lock = whole_file();

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
