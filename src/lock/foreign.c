// SPDX-License-Identifier: MIT
//
// See foreign.h.
#include "lock/foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "file/temp_name.h"
#include "lock/holder.h"

#define LOCK_FILE_MODE 0644 // as codex and grok make theirs; there is nothing in it
#define BEAT_MS	       500

struct held {
	char *path;
	const struct format_lock *lock;
	dev_t dev;
	ino_t ino;
	int fd; // of a flock
	size_t users;
	int64_t touched_ms; // CLOCK_BOOTTIME
};

static struct held *held;
static size_t n_held;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; // of both
static bool beating;

static struct held *find(const char *path)
{
	for (size_t i = 0; i < n_held; i++)
		if (string_equal(held[i].path, path))
			return &held[i];
	return NULL;
}

static void forget(struct held *h)
{
	cleanup_close(&h->fd);
	free(h->path);
	*h = held[--n_held];
}

static bool is_that(const struct stat *st, dev_t dev, ino_t ino)
{
	return st->st_dev == dev && st->st_ino == ino;
}

static bool still_stands(const struct held *h)
{
	struct stat st;

	return lstat(h->path, &st) == 0 && is_that(&st, h->dev, h->ino);
}

// ---- the heartbeat

// One that was taken from us is somebody else's to touch.
static void beat(struct held *h, int64_t now_ms)
{
	if (!h->lock->heartbeat_s || now_ms - h->touched_ms < h->lock->heartbeat_s * SECOND_MS)
		return;
	if (still_stands(h))
		utimensat(AT_FDCWD, h->path, NULL, AT_SYMLINK_NOFOLLOW);
	h->touched_ms = now_ms;
}

static void *beat_for_ever(void *arg)
{
	for (;;) {
		nanosleep(&(struct timespec){.tv_nsec = BEAT_MS * 1000000}, NULL);
		pthread_mutex_lock(&mutex);
		for (size_t i = 0; i < n_held; i++)
			beat(&held[i], clock_boot_ms());
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

// Signals are the other thread's business.
static int start_beating(void)
{
	sigset_t all, before;
	pthread_t thread;
	int r;

	if (beating)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&thread, NULL, beat_for_ever, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		pthread_detach(thread);
	beating = r == 0;
	return r;
}

// ---- taking

// 0 with the descriptor. The file may be removed, or another one put in its place, between open and lock.
static int take_flock(const char *path, int *ret_fd, struct stat *ret)
{
	_cleanup_close_ int fd =
		open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, LOCK_FILE_MODE);
	struct stat named;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(fd, ret) < 0 || lstat(path, &named) < 0)
		return -errno;
	if (!is_that(&named, ret->st_dev, ret->st_ino))
		return -EBUSY;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int make(const char *path, enum format_lock_kind kind)
{
	if (kind == FORMAT_LOCK_DIRECTORY)
		return mkdir(path, 0700) < 0 ? -errno : 0;
	_cleanup_close_ int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : 0;
}

// Now, by the clock that times what stands there: a file server's may be another than ours.
static int64_t now_there_ms(const char *path)
{
	_cleanup_free_ char *directory = path_dirname(path);
	_cleanup_close_ int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0
		       ? st.st_mtim.tv_sec * SECOND_MS + st.st_mtim.tv_nsec / 1000000
		       : clock_wall_ms();
}

static void remove_lock(const char *path, enum format_lock_kind kind)
{
	if (kind == FORMAT_LOCK_DIRECTORY)
		rmdir(path);
	else
		unlink(path);
}

static bool is_stale(const char *path, const struct format_lock *lock, const struct stat *seen)
{
	return now_there_ms(path) - seen->st_mtim.tv_sec * SECOND_MS >
	       (lock->stale_s + 1) * SECOND_MS;
}

static bool may_replace(const char *path, const struct format_lock *lock, const struct stat *seen,
			const struct lock_taker *taker, struct process_id *busy)
{
	struct process_id holder;

	if (is_stale(path, lock, seen))
		return true;
	if (!holder_read(path, &holder))
		return false;
	for (size_t i = 0; i < taker->n_takeover; i++)
		if (holder.pid == taker->takeover[i].pid &&
		    holder.starttime == taker->takeover[i].starttime)
			return true;
	if (!process_alive(holder))
		return true;
	*busy = holder;
	return false;
}

// Complete, with its holder in it, before it has its name. A directory may have to be made for it: kimi-code keeps its
// locks in one of their own.
static int make_draft(const char *draft, enum format_lock_kind kind, struct process_id owner)
{
	int r = make(draft, kind);

	if (r == -ENOENT) {
		_cleanup_free_ char *directory = path_dirname(draft);
		if (mkdir(directory, 0700) == 0)
			r = make(draft, kind);
	}
	if (r == 0)
		holder_write(draft, owner);
	return r;
}

// File systems without such renames (NFS) have no more than what the other program does itself.
static int make_in_place(const char *path, enum format_lock_kind kind, struct process_id owner)
{
	int r = make(path, kind);

	if (r == 0)
		holder_write(path, owner);
	return r;
}

// The two change places, so that there is no instant without a lock, and what came out is looked at: what another process
// has put there since the look goes back. An owner's record that stands beside it (claude-code) is no more than a hint to
// whoever waits, and is overwritten by the next one.
static int replace(const char *draft, const char *path, enum format_lock_kind kind,
		   const struct stat *seen, struct process_id owner)
{
	struct stat st;

	if (renameat2(AT_FDCWD, draft, AT_FDCWD, path, RENAME_EXCHANGE) < 0) {
		if (errno != EINVAL)
			return errno == ENOENT ? -EBUSY : -errno;
		remove_lock(path, kind);
		return make_in_place(path, kind, owner);
	}
	if (lstat(draft, &st) == 0 && is_that(&st, seen->st_dev, seen->st_ino) &&
	    st.st_mtim.tv_sec == seen->st_mtim.tv_sec)
		return 0;
	renameat2(AT_FDCWD, draft, AT_FDCWD, path, RENAME_EXCHANGE);
	return -EBUSY;
}

static int publish(const char *draft, const char *path, enum format_lock_kind kind,
		   struct process_id owner)
{
	if (renameat2(AT_FDCWD, draft, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	return errno == EINVAL ? make_in_place(path, kind, owner) : -errno;
}

static int take_made(const char *path, const struct format_lock *lock,
		     const struct lock_taker *taker, struct stat *ret, struct process_id *busy)
{
	struct process_id self = {.pid = getpid()};
	struct stat seen;
	bool stands = lstat(path, &seen) == 0;
	int r;

	if (stands && !may_replace(path, lock, &seen, taker, busy))
		return -EBUSY;
	process_self(&self); // without /proc: the pid alone
	_cleanup_free_ char *draft = temp_name(path, self);
	r = make_draft(draft, lock->kind, taker->owner);
	if (r == 0)
		r = stands ? replace(draft, path, lock->kind, &seen, taker->owner)
			   : publish(draft, path, lock->kind, taker->owner);
	remove_lock(draft, lock->kind); // what it took the place of, or was not to
	if (r < 0)
		return r == -EEXIST ? -EBUSY : r;
	return lstat(path, ret) < 0 ? -errno : 0;
}

static int take(const char *path, const struct format_lock *lock, const struct lock_taker *taker,
		struct held *h, struct stat *ret, struct process_id *busy)
{
	int r = lock->kind == FORMAT_LOCK_FLOCK ? take_flock(path, &h->fd, ret)
						: take_made(path, lock, taker, ret, busy);

	if (r < 0)
		return r;
	if (lock->heartbeat_s && (r = start_beating()) < 0) {
		remove_lock(path, lock->kind);
		return r;
	}
	h->path = xstrdup(path);
	h->lock = lock;
	h->dev = ret->st_dev;
	h->ino = ret->st_ino;
	h->users = 1;
	h->touched_ms = clock_boot_ms();
	return 0;
}

int foreign_lock_take(const char *path, const struct format_lock *lock,
		      const struct lock_taker *taker, struct stat *ret, struct process_id *busy)
{
	struct held fresh = {.fd = -1}, *h;
	int r = 0;

	pthread_mutex_lock(&mutex);
	h = find(path);
	if (h && !still_stands(h)) { // taken from us
		r = -EBUSY;
	} else if (h) {
		h->users++;
		*ret = (struct stat){.st_dev = h->dev, .st_ino = h->ino};
	} else {
		r = take(path, lock, taker, &fresh, ret, busy);
		if (r == 0)
			*array_add(&held, &n_held) = fresh;
	}
	pthread_mutex_unlock(&mutex);
	return r;
}

// Taken and given back, so that whoever took it meanwhile keeps it.
void foreign_lock_drop_dead(const char *path, const struct format_lock *lock)
{
	struct lock_taker taker = {};
	struct process_id holder;
	struct stat st;

	if (lock->kind != FORMAT_LOCK_FLOCK && holder_read(path, &holder) &&
	    !process_alive(holder) && process_self(&taker.owner) == 0 &&
	    foreign_lock_take(path, lock, &taker, &st, &holder) == 0)
		foreign_lock_release(path);
}

// ---- handing on and giving back

void foreign_lock_restamp(const char *path, struct process_id owner)
{
	struct held *h;

	pthread_mutex_lock(&mutex);
	h = find(path);
	if (h && h->lock->kind != FORMAT_LOCK_FLOCK && still_stands(h))
		holder_write(path, owner);
	pthread_mutex_unlock(&mutex);
}

static void drop(const char *path, bool leave)
{
	struct held *h;

	pthread_mutex_lock(&mutex);
	h = find(path);
	if (h && --h->users == 0) {
		if (!leave && h->lock->kind != FORMAT_LOCK_FLOCK && still_stands(h))
			remove_lock(path, h->lock->kind);
		forget(h);
	}
	pthread_mutex_unlock(&mutex);
}

void foreign_lock_release(const char *path)
{
	drop(path, false);
}

void foreign_lock_leave(const char *path)
{
	drop(path, true);
}
