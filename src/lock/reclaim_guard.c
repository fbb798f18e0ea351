// SPDX-License-Identifier: MIT
//
// See reclaim_guard.h.
#include "lock/reclaim_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static char *guard_path(const char *lock)
{
	return xasprintf("%s.reclaim", lock);
}

static int flock_directory_of(const char *lock, int *ret_fd)
{
	_cleanup_free_ char *directory = path_dirname(lock);
	_cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

// Only under the flock. A guard that is no directory, or not empty, is not understood and so
// respected.
static int remove_if_abandoned(const char *guard, int64_t now_ms)
{
	struct stat st;

	if (lstat(guard, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return -EBUSY;
	if (now_ms - st.st_mtim.tv_sec * SECOND_MS <= RECLAIM_GUARD_ABANDONED_MS)
		return -EBUSY;
	return rmdir(guard) == 0 || errno == ENOENT ? 0 : -EBUSY;
}

int reclaim_guard_enter(const char *lock, int64_t now_ms, struct reclaim_guard *ret)
{
	_cleanup_free_ char *path = guard_path(lock);
	_cleanup_close_ int directory = -1;
	int r;

	r = flock_directory_of(lock, &directory);
	if (r < 0)
		return r;
	r = remove_if_abandoned(path, now_ms);
	if (r < 0)
		return r;
	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? -EBUSY : -errno;
	*ret = (struct reclaim_guard){.path = TAKE_PTR(path), .directory = TAKE_FD(directory)};
	return 0;
}

void reclaim_guard_leave(struct reclaim_guard *guard)
{
	if (!guard->path)
		return;
	rmdir(guard->path);
	free(guard->path);
	close(guard->directory);
	*guard = RECLAIM_GUARD_NONE;
}

int reclaim_guard_absent(const char *lock, int64_t now_ms)
{
	_cleanup_free_ char *path = guard_path(lock);
	_cleanup_close_ int directory = -1;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	r = flock_directory_of(lock, &directory);
	if (r < 0)
		return r;
	return remove_if_abandoned(path, now_ms);
}
