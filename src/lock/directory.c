// SPDX-License-Identifier: MIT
//
// Is the directory of the refresh locks safe to work in? Whoever else can write there can take our
// locks away, and a symlink on the way lets him choose where we create and remove files (CWE-59).
// Paths are walked with openat, so what was checked is what was opened.
#include "lock/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/obstacle.h"
#include "file/trust.h"

static const char *const levels[] = {"locks", "oauth-refresh"};

// (A file system that is read-only may be so for a while, and is said where it bars a store: file/obstacle.h.)
static int check_writable(int fd, const char *path, char **ret_message, char **ret_fix)
{
	_cleanup_free_ char *shown = string_printable(path, PATH_MAX),
			    *lock = path_join(path, "lock");

	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0 || errno != EACCES)
		return 0;
	*ret_message = xasprintf(
		"%s cannot be written by this user, so that no lock can be made in it", shown);
	*ret_fix = obstacle_fix(OBSTACLE_DIRECTORY, lock);
	return -EACCES;
}

static int refuse(const char *path, const char *what, char **ret_message, char **ret_fix)
{
	_cleanup_free_ char *shown = string_printable(path, PATH_MAX);

	*ret_message = xasprintf("%s %s", shown, what);
	*ret_fix = directory_remedy(path);
	return -EPERM;
}

// O_DIRECTORY with O_NOFOLLOW answers ENOTDIR for a symlink, and for all else that is no directory.
static int open_level(int parent, const char *name, bool create, int *ret_fd)
{
	int fd;

	if (create && mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int check_level(int fd, const char *path, char **ret_message, char **ret_fix)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid())
		return refuse(path, "belongs to another user", ret_message, ret_fix);
	if (others_may_write(path, &st))
		return refuse(path, "can be written by other users", ret_message, ret_fix);
	return 0;
}

int lock_directory_check(const char *state_dir, bool create, char **ret_message, char **ret_fix)
{
	_cleanup_free_ char *path = xstrdup(state_dir);
	_cleanup_close_ int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		char *deeper = path_join(path, levels[i]);
		int next = -1, r = open_level(fd, levels[i], create, &next);

		free(path);
		path = deeper;
		if (r == -ENOTDIR || r == -ELOOP)
			return refuse(path, "is a symbolic link, or not a directory", ret_message,
				      ret_fix);
		if (r == -ENOENT) { // it will be made there
			_cleanup_free_ char *above = path_dirname(path);
			int closed = check_writable(fd, above, ret_message, ret_fix);
			return closed < 0 ? closed : r;
		}
		if (r < 0)
			return r;
		close(fd);
		fd = next;
		r = check_level(fd, path, ret_message, ret_fix);
		if (r < 0)
			return r;
	}
	return check_writable(fd, path, ret_message, ret_fix);
}
