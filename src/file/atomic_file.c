// SPDX-License-Identifier: MIT
//
// Staging writes real bytes, because a reservation (fallocate) is no proof everywhere: quota and
// network file systems may still refuse the data. They are random, because a file system that
// compresses keeps zeros in next to nothing. Committing overwrites them, so that nothing needs to be
// allocated any more. (Copy-on-write file systems need the room of the content once more, until they
// have freed what was overwritten; a stage is 192 KiB larger than its store, which mostly covers it.)
//
// Everything happens in one directory, opened once: what is synced is where the rename happened.
//
// After fsync has failed once, the kernel may have dropped the dirty pages and the next fsync
// succeeds with nothing written. So from fsync on a failure throws the temp file away, and a
// repeated commit stages anew.
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/atomic_file.h"
#include "file/attributes.h"
#include "file/swap.h"
#include "file/sync.h"
#include "file/temp_name.h"

#define MODE_UNTIL_COMMIT  0600
#define MODE_OF_NEW_TARGET 0600

// ---- the target

static const char *target_name(const struct atomic_stage *stage)
{
	return path_basename(stage->target);
}

static const char *temp_file(const struct atomic_stage *stage)
{
	return path_basename(stage->temp);
}

// Whether a rename onto it can succeed: a file bind-mounted by itself (as containers do) answers
// EBUSY, an immutable or append-only one EPERM, and both only at the very end.
static int look_at_target(const struct atomic_stage *stage, struct statx *ret)
{
	struct statx st;

	if (statx(stage->directory, target_name(stage), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS,
		  &st) < 0)
		return -errno;
	if (S_ISLNK(st.stx_mode))
		return -ELOOP;
	if (!S_ISREG(st.stx_mode))
		return S_ISDIR(st.stx_mode) ? -EISDIR : -EINVAL;
	if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT && !stage->over)
		return -EBUSY;
	if (st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
		return -EPERM;
	*ret = st;
	return 0;
}

// In an append-only one a file can be made, but neither renamed nor removed.
static int open_directory(struct atomic_stage *stage)
{
	_cleanup_free_ char *path = path_dirname(stage->target);
	struct statx st;

	stage->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (stage->directory < 0)
		return -errno;
	if (statx(stage->directory, "", AT_EMPTY_PATH, 0, &st) < 0)
		return -errno;
	return st.stx_attributes & STATX_ATTR_APPEND ? -EPERM : 0;
}

// ---- the temp file

static int write_noise(int fd, size_t size)
{
	static unsigned char noise[65536];
	unsigned char seed[randombytes_SEEDBYTES];

	randombytes_buf(seed, sizeof(seed));
	while (size > 0) {
		size_t n = size < sizeof(noise) ? size : sizeof(noise);
		randombytes_buf_deterministic(noise, sizeof(noise), seed);
		sodium_increment(seed, sizeof(seed));
		int r = write_full(fd, noise, n);
		if (r < 0)
			return r;
		size -= n;
	}
	return 0;
}

// Another stage of this process for the same target, or a sweep from a process that cannot see us
// (another PID namespace), may have taken the temp file away.
static bool temp_is(const struct atomic_stage *stage, const struct stat *opened)
{
	struct stat named;

	return fstatat(stage->directory, temp_file(stage), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       opened->st_dev == named.st_dev && opened->st_ino == named.st_ino;
}

static void drop_temp(struct atomic_stage *stage)
{
	int saved = errno;
	struct stat opened;

	if (stage->fd >= 0 && fstat(stage->fd, &opened) == 0 && temp_is(stage, &opened))
		unlinkat(stage->directory, temp_file(stage), 0);
	cleanup_close(&stage->fd);
	cleanup_free(&stage->temp);
	cleanup_close(&stage->directory);
	stage->filled = false;
	errno = saved;
}

void atomic_abort(struct atomic_stage *stage)
{
	drop_temp(stage);
	cleanup_free(&stage->target);
}

static int create_temp(const struct atomic_stage *stage, const char *temp)
{
	return openat(stage->directory, path_basename(temp),
		      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE_UNTIL_COMMIT);
}

static int open_temp(struct atomic_stage *stage)
{
	int r = process_self(&stage->owner);

	if (r < 0)
		return r;
	_cleanup_free_ char *temp = temp_name(stage->target, stage->owner);
	int fd = create_temp(stage, temp);
	if (fd < 0 && errno == EEXIST && // left by an earlier call of ours
	    unlinkat(stage->directory, path_basename(temp), 0) == 0)
		fd = create_temp(stage, temp);
	if (fd < 0)
		return -errno;
	stage->fd = fd;
	stage->temp = TAKE_PTR(temp);
	stage->blank = true;
	return 0;
}

// That all of the target's attributes can be kept is part of the proof, so they are given to the
// temp file while it is empty. Then it is closed: until the content is in place only the owner may
// read it.
static int prove_attributes(const struct atomic_stage *stage, const struct statx *target)
{
	int r = attributes_copy(stage->target, target, stage->fd);

	if (r < 0 || (target->stx_mode & 07777) == MODE_UNTIL_COMMIT)
		return r;
	return fchmod(stage->fd, MODE_UNTIL_COMMIT) < 0 ? -errno : 0;
}

static int prove_room(struct atomic_stage *stage, size_t size)
{
	stage->blank = false;
	int r = write_noise(stage->fd, size);

	return r == 0 && fsync(stage->fd) < 0 ? -errno : r;
}

static int fill_temp(struct atomic_stage *stage, size_t size)
{
	struct statx target;
	int r = size ? look_at_target(stage, &target) : -ENOENT; // else its content comes at once
	if (r < 0 && r != -ENOENT)
		return r;
	bool exists = r == 0;

	r = open_temp(stage);
	if (r == 0 && exists && size && !stage->over)
		r = prove_attributes(stage, &target);
	if (r == 0 && size)
		r = prove_room(stage, size);
	return r;
}

static int fill_stage(struct atomic_stage *stage, size_t size)
{
	int r = string_empty(target_name(stage)) ? -EISDIR : open_directory(stage);

	if (r == 0)
		r = fill_temp(stage, size);
	if (r < 0)
		drop_temp(stage);
	return r;
}

static int stage_file(const char *target, size_t size, bool over, struct atomic_stage *ret)
{
	_cleanup_stage_ struct atomic_stage stage = ATOMIC_STAGE_NONE;

	stage.target = xstrdup(target);
	stage.over = over;
	int r = fill_stage(&stage, size);
	if (r < 0)
		return r;
	*ret = stage;
	stage = ATOMIC_STAGE_NONE;
	return 0;
}

int atomic_stage(const char *target, size_t size, struct atomic_stage *ret)
{
	return stage_file(target, size, false, ret);
}

int atomic_stage_over(const char *target, size_t size, struct atomic_stage *ret)
{
	return stage_file(target, size, true, ret);
}

// ---- committing

static int write_content(struct atomic_stage *stage, const char *text, size_t len)
{
	bool blank = stage->blank;

	stage->blank = false;
	if (!blank && lseek(stage->fd, 0, SEEK_SET) < 0)
		return -errno;
	int r = write_full(stage->fd, text, len);
	if (r < 0 || blank)
		return r;
	return ftruncate(stage->fd, (off_t)len) < 0 ? -errno : 0;
}

// What the target's attributes are now counts.
static int copy_attributes(const struct atomic_stage *stage)
{
	struct statx target;
	int r = look_at_target(stage, &target);
	if (r == 0 && stage->over)
		return 0;
	if (r == 0)
		return attributes_copy(stage->target, &target, stage->fd);
	if (r != -ENOENT || !stage->mode_if_new)
		return r;
	return fchmod(stage->fd, stage->mode_if_new) < 0 ? -errno : 0;
}

void atomic_expect(struct atomic_stage *stage, const struct stat *expected, const char *text,
		   size_t len)
{
	stage->expects = true;
	stage->expected = *expected;
	stage->old = fingerprint_of_bytes(text, len);
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_as_expected(const struct atomic_stage *stage)
{
	const struct stat *was = &stage->expected;
	struct stat now;

	return fstatat(stage->directory, target_name(stage), &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now.st_dev == was->st_dev && now.st_ino == was->st_ino &&
	       now.st_size == was->st_size && same_time(now.st_mtim, was->st_mtim) &&
	       same_time(now.st_ctim, was->st_ctim);
}

static int replace(const struct atomic_stage *stage)
{
	return renameat(stage->directory, temp_file(stage), stage->directory, target_name(stage)) <
			       0
		       ? -errno
		       : 0;
}

static int replace_expected(const struct atomic_stage *stage)
{
	const struct swap swap = {
		.directory = stage->directory,
		.target = stage->target,
		.temp = stage->temp,
		.owner = stage->owner,
		.old = stage->old,
		.new = stage->new,
	};

	return stage->over ? swap_over(&swap) : swap_in(&swap, &stage->expected);
}

// close can report what an earlier write met (NFS, quota), so it comes before the rename.
static int put_in_place(struct atomic_stage *stage)
{
	struct stat opened;

	if (fstat(stage->fd, &opened) < 0)
		return -errno;
	int r = close(TAKE_FD(stage->fd)) < 0 ? -errno : 0;
	if (!temp_is(stage, &opened))
		return -ESTALE;
	if (r == 0 && stage->expects && is_as_expected(stage))
		return replace_expected(stage);
	if (r == 0)
		r = stage->expects ? -ESTALE : replace(stage);
	if (r < 0)
		unlinkat(stage->directory, temp_file(stage), 0);
	return r;
}

int atomic_fill(struct atomic_stage *stage, const char *text, size_t len)
{
	int r = 0;

	if (!stage->target)
		return -EINVAL;
	if (stage->fd < 0) // an earlier call got too far to use its temp file again
		r = fill_stage(stage, 0);
	if (r == 0)
		r = write_content(stage, text, len);
	if (r == 0)
		r = copy_attributes(stage);
	if (r == -ENOENT && stage->expects)
		r = -ESTALE;
	if (r < 0)
		return r;
	if (stage->expects)
		stage->new = fingerprint_of_bytes(text, len);
	stage->filled = true;
	return 0;
}

static bool goes_on(const struct atomic_batch *batch, size_t i)
{
	return batch->stages[i] && batch->stages[i]->filled && batch->errors[i] == 0;
}

// One of the two descriptors of each that is still without error; -1 for the others.
static void choose(const struct atomic_batch *batch, bool directories, int *fds)
{
	for (size_t i = 0; i < batch->n; i++)
		fds[i] = !goes_on(batch, i) ? -1
			 : directories	    ? batch->stages[i]->directory
					    : batch->stages[i]->fd;
}

static void note(const struct atomic_batch *batch, bool directories, const int *fds,
		 const int *errors)
{
	for (size_t i = 0; i < batch->n; i++)
		if (fds[i] >= 0 && !(directories && errors[i] == -EINVAL)) // not to be had here
			batch->errors[i] = errors[i];			   // (directory_sync)
}

void atomic_place_after(const struct atomic_batch *now, const struct atomic_batch *before)
{
	static const struct atomic_batch none = {0};

	now = now ?: &none;
	before = before ?: &none;
	_cleanup_free_ int *fds = xcalloc(now->n + before->n + 1, sizeof(*fds));
	_cleanup_free_ int *errors = xcalloc(now->n + before->n + 1, sizeof(*errors));

	choose(now, false, fds);
	choose(before, true, fds + now->n);
	sync_together(fds, now->n + before->n, errors);
	note(now, false, fds, errors);
	note(before, true, fds + now->n, errors + now->n);
	for (size_t i = 0; i < before->n; i++)
		if (before->stages[i] && before->stages[i]->filled)
			drop_temp(before->stages[i]);
	for (size_t i = 0; i < now->n; i++)
		if (goes_on(now, i))
			now->errors[i] = put_in_place(now->stages[i]);
}

void atomic_place(struct atomic_stage *const *stages, size_t n, int *ret_errors)
{
	const struct atomic_batch batch = {.stages = stages, .errors = ret_errors, .n = n};

	memset(ret_errors, 0, n * sizeof(*ret_errors));
	atomic_place_after(&batch, NULL);
	atomic_place_after(NULL, &batch);
}

int atomic_commit(struct atomic_stage *stage, const char *text, size_t len)
{
	int r;

	stage->mode_if_new = MODE_OF_NEW_TARGET;
	r = atomic_fill(stage, text, len);
	if (r == 0)
		atomic_place(&stage, 1, &r);
	return r;
}

int atomic_replace(const char *target, const char *text, size_t len, mode_t mode)
{
	_cleanup_stage_ struct atomic_stage stage = ATOMIC_STAGE_NONE;
	int r = atomic_stage(target, 0, &stage);

	stage.mode_if_new = mode;
	if (r == 0)
		r = atomic_fill(&stage, text, len);
	if (r == 0) {
		struct atomic_stage *one = &stage;
		atomic_place(&one, 1, &r);
	}
	return r;
}

// ---- sweeping

// unlinkat acts on a link itself; but what is neither a regular file nor an empty directory (a lock, lock/foreign.h) is none
// of ours.
static void sweep_entry(int directory, const char *name)
{
	struct stat st;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		unlinkat(directory, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
}

// What a swap left undone may be somebody's login.
static bool is_left(const char *name, const char *target)
{
	struct process_id owner;

	return temp_name_read(name, path_basename(target), &owner) && !process_alive(owner) &&
	       owner.pid != swap_owner(target).pid;
}

void atomic_sweep(const char *target)
{
	_cleanup_free_ char *parent = path_dirname(target);
	_cleanup_directory_ DIR *directory = opendir(parent);

	if (!directory) // nor is a listing that ends early an error: what is left is swept later
		return;
	for (const struct dirent *entry; (entry = readdir(directory));)
		if (is_left(entry->d_name, target))
			sweep_entry(dirfd(directory), entry->d_name);
}

void atomic_sweep_all(const char *path)
{
	_cleanup_directory_ DIR *directory = opendir(path);

	if (!directory)
		return;
	for (const struct dirent *entry; (entry = readdir(directory));) {
		_cleanup_free_ char *name = temp_name_target(entry->d_name);
		_cleanup_free_ char *target = name ? path_join(path, name) : NULL;
		if (target && is_left(entry->d_name, target))
			sweep_entry(dirfd(directory), entry->d_name);
	}
}
