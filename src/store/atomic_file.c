// SPDX-License-Identifier: MIT
//
// Staging writes real bytes, because a reservation (fallocate) is no proof everywhere: quota and
// network file systems may still refuse the data. Committing overwrites them, so that nothing needs
// to be allocated any more (where the file system overwrites in place).
//
// After fsync has failed once, the kernel may have dropped the dirty pages and the next fsync
// succeeds with nothing written. So from fsync on a failure throws the temp file away, and a
// repeated commit stages anew.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lock/lock.h"
#include "store/atomic_file.h"

#define TEMP_SUFFIX	   ".oauth-keepalive.tmp"
#define MODE_OF_NEW_TARGET 0600

// ---- the target

// Mode and owner of the target, and whether a rename onto it can succeed: a file bind-mounted by
// itself (as containers do) answers EBUSY, an immutable or append-only one EPERM, and both only at
// the very end.
static int look_at_target(const char *target, struct statx *ret)
{
	struct statx st;

	if (statx(AT_FDCWD, target, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) < 0)
		return -errno;
	if (S_ISLNK(st.stx_mode))
		return -ELOOP;
	if (!S_ISREG(st.stx_mode))
		return S_ISDIR(st.stx_mode) ? -EISDIR : -EINVAL;
	if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return -EBUSY;
	if (st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
		return -EPERM;
	*ret = st;
	return 0;
}

static int keep_owner(int fd, const struct statx *target)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid == target->stx_uid && st.st_gid == target->stx_gid)
		return 0;
	return fchown(fd, target->stx_uid, target->stx_gid) < 0 ? -errno : 0;
}

// ---- the temp file

static int temp_name(const char *target, char **ret)
{
	struct process_id self;

	if (string_empty(path_basename(target)))
		return -EINVAL;
	int r = process_self(&self);
	if (r < 0)
		return r;
	*ret = xasprintf("%s.%d-%" PRIu64 TEMP_SUFFIX, target, (int)self.pid, self.starttime);
	return 0;
}

static int write_zeros(int fd, size_t size)
{
	static const char zeros[65536];

	while (size > 0) {
		size_t n = size < sizeof(zeros) ? size : sizeof(zeros);
		int r = write_full(fd, zeros, n);
		if (r < 0)
			return r;
		size -= n;
	}
	return 0;
}

// Does the temp file's name still mean the file we opened? Another stage of this process for the
// same target, or a sweep from a process that cannot see us (another PID namespace), may have taken
// it away.
static bool temp_is_ours(const struct atomic_stage *stage)
{
	struct stat opened, named;

	return fstat(stage->fd, &opened) == 0 && lstat(stage->temp, &named) == 0 &&
	       opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

static void drop_temp(struct atomic_stage *stage)
{
	int saved = errno;

	if (stage->fd >= 0 && temp_is_ours(stage))
		unlink(stage->temp);
	cleanup_close(&stage->fd);
	cleanup_free(&stage->temp);
	errno = saved;
}

void atomic_abort(struct atomic_stage *stage)
{
	drop_temp(stage);
	cleanup_free(&stage->target);
}

static int open_temp(struct atomic_stage *stage)
{
	_cleanup_free_ char *temp = NULL;
	int r = temp_name(stage->target, &temp);
	if (r < 0)
		return r;
	unlink(temp); // left by an earlier call of ours
	int fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	stage->fd = fd;
	stage->temp = TAKE_PTR(temp);
	return 0;
}

// The owner is given already here: that it can be kept is part of the proof. The mode is not: until
// the content is in place only the owner may read it.
static int fill_stage(struct atomic_stage *stage, size_t size)
{
	struct statx target;
	int r = look_at_target(stage->target, &target);
	if (r < 0 && r != -ENOENT)
		return r;
	bool exists = r == 0;

	r = open_temp(stage);
	if (r < 0)
		return r;
	if (exists)
		r = keep_owner(stage->fd, &target);
	if (r == 0)
		r = write_zeros(stage->fd, size);
	if (r == 0 && fsync(stage->fd) < 0)
		r = -errno;
	if (r < 0)
		drop_temp(stage);
	return r;
}

int atomic_stage(const char *target, size_t size, struct atomic_stage *ret)
{
	_cleanup_stage_ struct atomic_stage stage = ATOMIC_STAGE_NONE;

	stage.target = xstrdup(target);
	int r = fill_stage(&stage, size);
	if (r < 0)
		return r;
	*ret = stage;
	stage = ATOMIC_STAGE_NONE;
	return 0;
}

// ---- committing

static int write_content(int fd, const char *text, size_t len)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	int r = write_full(fd, text, len);
	if (r < 0)
		return r;
	return ftruncate(fd, (off_t)len) < 0 ? -errno : 0;
}

// Owner before mode: a change of owner takes bits of the mode away, and a mode meant for one group
// must not hold for another.
static int copy_attributes(const struct atomic_stage *stage, mode_t mode_if_new)
{
	struct statx target;
	mode_t mode = mode_if_new;
	int r = look_at_target(stage->target, &target);
	if (r < 0 && (r != -ENOENT || !mode_if_new))
		return r;
	if (r == 0) {
		mode = target.stx_mode & 07777;
		r = keep_owner(stage->fd, &target);
		if (r < 0)
			return r;
	}
	return fchmod(stage->fd, mode) < 0 ? -errno : 0;
}

void atomic_expect(struct atomic_stage *stage, const struct stat *expected)
{
	stage->expects = true;
	stage->expected = *expected;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_as_expected(const struct atomic_stage *stage)
{
	const struct stat *was = &stage->expected;
	struct stat now;

	if (!stage->expects)
		return true;
	return lstat(stage->target, &now) == 0 && now.st_dev == was->st_dev &&
	       now.st_ino == was->st_ino && now.st_size == was->st_size &&
	       same_time(now.st_mtim, was->st_mtim) && same_time(now.st_ctim, was->st_ctim);
}

// close can report what an earlier write met (NFS, quota), so it comes before the rename.
static int put_in_place(struct atomic_stage *stage)
{
	if (fsync(stage->fd) < 0)
		return -errno;
	if (!temp_is_ours(stage))
		return -ESTALE;
	int r = close(TAKE_FD(stage->fd)) < 0 ? -errno : 0;
	if (r == 0 && !is_as_expected(stage))
		r = -ESTALE;
	if (r == 0 && rename(stage->temp, stage->target) < 0)
		r = -errno;
	if (r < 0)
		unlink(stage->temp);
	return r;
}

static int commit(struct atomic_stage *stage, const char *text, size_t len, mode_t mode_if_new)
{
	int r = 0;

	if (!stage->target)
		return -EINVAL;
	if (stage->fd < 0) // an earlier call got too far to use its temp file again
		r = fill_stage(stage, len);
	if (r == 0)
		r = write_content(stage->fd, text, len);
	if (r == 0)
		r = copy_attributes(stage, mode_if_new);
	if (r < 0)
		return r;
	r = put_in_place(stage);
	drop_temp(stage);
	return r < 0 ? r : fsync_parent(stage->target);
}

int atomic_commit(struct atomic_stage *stage, const char *text, size_t len)
{
	return commit(stage, text, len, MODE_OF_NEW_TARGET);
}

int atomic_replace(const char *target, const char *text, size_t len, mode_t mode)
{
	_cleanup_stage_ struct atomic_stage stage = ATOMIC_STAGE_NONE;
	int r = atomic_stage(target, len, &stage);
	if (r < 0)
		return r;
	return commit(&stage, text, len, mode);
}

// ---- sweeping

// Digits and nothing else: strtoull would also take white space and signs.
static bool parse_digits(const char **text, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	const char *p = *text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value) || value > max)
			return false;
	if (p == *text)
		return false;
	*text = p;
	*ret = value;
	return true;
}

// Whose temp file for `base` is `name`? False if it is none.
static bool temp_owner(const char *name, const char *base, struct process_id *ret)
{
	uint64_t pid, starttime;

	if (!string_starts(name, base) || name[strlen(base)] != '.')
		return false;
	const char *p = name + strlen(base) + 1;
	if (!parse_digits(&p, INT_MAX, &pid) || *p++ != '-' ||
	    !parse_digits(&p, UINT64_MAX, &starttime))
		return false;
	if (!string_equal(p, TEMP_SUFFIX) || pid == 0)
		return false;
	*ret = (struct process_id){.pid = (pid_t)pid, .starttime = starttime};
	return true;
}

// unlinkat acts on a link itself; but what is no regular file is none of ours.
static void sweep_entry(int directory, const char *name)
{
	struct stat st;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		unlinkat(directory, name, 0);
}

static void cleanup_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

void atomic_sweep(const char *target)
{
	_cleanup_free_ char *parent = path_dirname(target);
	_cleanup_(cleanup_directory) DIR *directory = opendir(parent);
	struct process_id owner;

	if (!directory)
		return;
	for (const struct dirent *entry; (entry = readdir(directory));)
		if (temp_owner(entry->d_name, path_basename(target), &owner) &&
		    !process_alive(owner))
			sweep_entry(dirfd(directory), entry->d_name);
}
