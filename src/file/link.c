// SPDX-License-Identifier: MIT
//
// The file and the link change places (RENAME_EXCHANGE), and what came out is looked at, as in file/swap.h; but a link holds
// no login, so that nothing is lost if we are killed in between.
#include "file/link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/process.h"
#include "file/temp_name.h"

static int write_temp(const char *temp, const struct secret *text, mode_t mode)
{
	_cleanup_close_ int fd =
		open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : write_full(fd, text->text, text->len);

	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = -errno;
	return r;
}

static ssize_t read_link(const char *path, char text[PATH_MAX])
{
	ssize_t n = readlink(path, text, PATH_MAX - 1);

	text[n > 0 ? n : 0] = '\0';
	return n;
}

// The link has been seen to be `was`.
static int exchange(const char *temp, const char *link, const char *was)
{
	char came_out[PATH_MAX];

	if (renameat2(AT_FDCWD, temp, AT_FDCWD, link, RENAME_EXCHANGE) < 0)
		return errno == EINVAL || errno == ENOSYS ? (rename(temp, link) < 0 ? -errno : 0)
							  : -errno;
	if (read_link(temp, came_out) > 0 && string_equal(came_out, was))
		return 0;
	renameat2(AT_FDCWD, temp, AT_FDCWD, link, RENAME_EXCHANGE);
	return -ESTALE;
}

int link_replace(const char *link, const struct secret *text, mode_t mode)
{
	struct process_id self;
	char was[PATH_MAX];
	int r = process_self(&self);

	if (r < 0)
		return r;
	if (read_link(link, was) <= 0)
		return -ESTALE;
	_cleanup_free_ char *temp = temp_name(link, self);
	r = write_temp(temp, text, mode);
	if (r == 0)
		r = exchange(temp, link, was);
	unlink(temp);
	return r < 0 ? r : fsync_parent(link);
}
