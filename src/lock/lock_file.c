// SPDX-License-Identifier: MIT
//
// Take, keep, hand on and give back one of OpenClaw's lock files.
//
// A lock appears complete (a finished draft gets its name) and is removed by its owner, or under the
// reclaim guard by somebody who has proved twice that its owner is gone. Between a look and the
// unlink that follows it, a *live* owner's file cannot become another's: nobody may judge it stale.
// That is why release and restamp need the guard only when the process that stands in the file has
// died before us (the courier, before its keeper).
#include "lock/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "lock/foreign.h"
#include "lock/reclaim_guard.h"
#include "lock/stale.h"

#define TAKE_ATTEMPTS	 8   // each one lost to somebody who took or gave back the lock meanwhile
#define GUARD_PATIENCE	 100 // times 1 ms; who is in a guard needs microseconds
#define REFRESH_LOCK_DIR "/locks/oauth-refresh/"

// ---- looking

struct lock_view {
	bool opaque; // not a file we can read, or one too large to be a lock's text: whose it is
		     // cannot be known, so it is held and never removed
	dev_t dev;
	ino_t ino;
	int64_t mtime_ms;
	bool own;			 // belongs to our user
	char text[LOCK_PAYLOAD_MAX + 1]; // one more than is read
	size_t len;
	struct lock_payload payload;
};

static int read_view(int fd, struct lock_view *view)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode)) {
		view->opaque = true;
		return 0;
	}
	n = read_full(fd, view->text, sizeof(view->text));
	if (n < 0)
		return (int)n;
	view->len = (size_t)n;
	view->opaque = view->len > LOCK_PAYLOAD_MAX;
	view->dev = st.st_dev;
	view->ino = st.st_ino;
	view->own = st.st_uid == geteuid();
	view->mtime_ms = st.st_mtim.tv_sec * SECOND_MS + st.st_mtim.tv_nsec / 1000000;
	lock_payload_read(view->text, view->len, &view->payload);
	return 0;
}

// -ENOENT: not there, which means given back. The lstat keeps us from opening devices and the like.
static int look(const char *path, struct lock_view *view)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	memset(view, 0, sizeof(*view));
	if (lstat(path, &st) < 0)
		return -errno;
	view->opaque = !S_ISREG(st.st_mode);
	if (view->opaque)
		return 0;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		return read_view(fd, view);
	if (errno != ELOOP && errno != EACCES && errno != EPERM && errno != ENXIO)
		return -errno;
	view->opaque = true;
	return 0;
}

static bool view_is_stale(const char *path, const struct lock_view *view, int64_t now_ms)
{
	int64_t stale_ms =
		strstr(path, REFRESH_LOCK_DIR) ? LOCK_STALE_REFRESH_MS : LOCK_STALE_STORE_MS;

	return !view->opaque &&
	       lock_is_stale(&view->payload, view->own, view->mtime_ms, now_ms, stale_ms);
}

static bool view_equal(const struct lock_view *a, const struct lock_view *b)
{
	return !a->opaque && !b->opaque && a->dev == b->dev && a->ino == b->ino &&
	       a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool view_names(const struct lock_view *view, const struct process_id *process)
{
	return process && process->pid > 0 && view->payload.owner.pid == process->pid &&
	       view->payload.owner.starttime == process->starttime;
}

int lock_file_holder(const char *path, struct process_id *ret)
{
	struct lock_view view;
	int r = look(path, &view);

	if (r < 0)
		return r;
	if (view_is_stale(path, &view, clock_wall_ms()))
		return -ENOENT;
	*ret = view.payload.owner;
	return 0;
}

// ---- the draft: a finished lock file under a temporary name

struct draft {
	char *path;
	int fd;
	struct stat st;
};
#define DRAFT_NONE ((struct draft){.fd = -1})

static void draft_discard(struct draft *draft)
{
	if (draft->path)
		unlink(draft->path); // after a rename there is nothing left to remove
	cleanup_free(&draft->path);
	cleanup_close(&draft->fd);
}
#define _cleanup_draft_ _cleanup_(draft_discard)

// Now, by the clock that times what stands beside it: a file server's may be another than ours.
static int64_t draft_now_ms(const struct draft *draft)
{
	return draft->st.st_mtim.tv_sec * SECOND_MS + draft->st.st_mtim.tv_nsec / 1000000;
}

static int create_draft(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

// The name tells whose it is, as all our temp files do (file/atomic_file.h); one that exists is
// left from a run of this very process. No fsync: a lock does not outlive the machine, for the
// process in it does not either.
static int draft_write(const char *lock, struct process_id owner, struct draft *draft)
{
	_cleanup_free_ char *text = lock_payload_write(owner, clock_wall_ms());
	struct process_id self = {.pid = getpid()};
	int r;

	process_self(&self); // without /proc: the pid alone
	draft->path =
		xasprintf("%s.%d-%" PRIu64 ".oauth-keepalive.tmp", lock, self.pid, self.starttime);
	draft->fd = create_draft(draft->path);
	if (draft->fd < 0 && errno == EEXIST && unlink(draft->path) == 0)
		draft->fd = create_draft(draft->path);
	if (draft->fd < 0) {
		r = -errno;
		cleanup_free(&draft->path); // not ours to remove
		return r;
	}
	r = write_full(draft->fd, text, strlen(text));
	if (r < 0)
		return r;
	return fstat(draft->fd, &draft->st) < 0 ? -errno : 0;
}

// ---- holding

static void let_go(struct lock_file *file)
{
	if (file->ino == 0)
		return;
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	file->ino = 0;
	file->owner = (struct process_id){0};
}

void lock_file_leave(struct lock_file *file)
{
	if (file->foreign && file->ino)
		foreign_lock_leave(file->path);
	let_go(file);
}

// The draft has become the lock.
static void hold(struct lock_file *file, struct draft *draft, struct process_id owner)
{
	let_go(file);
	file->dev = draft->st.st_dev;
	file->ino = draft->st.st_ino;
	file->fd = TAKE_FD(draft->fd);
	file->owner = owner;
}

bool lock_file_is_ours(const struct lock_file *file)
{
	struct stat st;

	if (file->ino == 0 || lstat(file->path, &st) < 0 || st.st_dev != file->dev ||
	    st.st_ino != file->ino)
		return false;
	return S_ISREG(st.st_mode) || (file->foreign && S_ISDIR(st.st_mode));
}

// ---- taking; -EAGAIN: the world changed meanwhile, look again

static int publish_draft(struct lock_file *file, struct draft *draft, struct process_id owner)
{
	int r = file_publish(draft->path, file->path);

	if (r < 0)
		return r == -EEXIST ? -EAGAIN : r;
	hold(file, draft, owner);
	return 0;
}

// By its descriptor: whatever has become of its name, what gets this one is what we wrote. (Who finds it out of reach
// writes a draft.)
static int link_like(struct lock_file *file, const struct lock_file *like)
{
	char held[32];
	struct draft same = DRAFT_NONE;
	int r;

	if (fstat(like->fd, &same.st) < 0)
		return -errno;
	r = reclaim_guard_absent(file->path, draft_now_ms(&same));
	if (r < 0)
		return r;
	same.fd = fcntl(like->fd, F_DUPFD_CLOEXEC, 0);
	if (same.fd < 0)
		return -errno;
	snprintf(held, sizeof(held), "/proc/self/fd/%d", like->fd);
	r = linkat(AT_FDCWD, held, AT_FDCWD, file->path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
	if (r == 0)
		hold(file, &same, like->owner);
	draft_discard(&same);
	return r == -EEXIST ? -EAGAIN : r;
}

static bool may_link(const struct lock_file *like, struct process_id owner)
{
	return like && like->ino && like->fd >= 0 && like->owner.pid == owner.pid &&
	       like->owner.starttime == owner.starttime;
}

static int publish(struct lock_file *file, struct process_id owner, const struct lock_file *like)
{
	_cleanup_draft_ struct draft draft = DRAFT_NONE;
	int r = may_link(like, owner) ? link_like(file, like) : -ENOENT;

	if (r == 0 || r == -EAGAIN || r == -EBUSY)
		return r;
	r = draft_write(file->path, owner, &draft);
	if (r < 0)
		return r;
	r = reclaim_guard_absent(file->path, draft_now_ms(&draft));
	if (r < 0)
		return r;
	return publish_draft(file, &draft, owner);
}

// Put our own lock in the place of the one in `seen`. A live one that we may take over is renamed
// over, so that at no instant the lock is absent and the runtime slips in.
static int replace(struct lock_file *file, const struct lock_view *seen, struct process_id owner,
		   bool live)
{
	_cleanup_draft_ struct draft draft = DRAFT_NONE;
	_cleanup_reclaim_guard_ struct reclaim_guard guard = RECLAIM_GUARD_NONE;
	struct lock_view now;
	int r;

	r = draft_write(file->path, owner, &draft);
	if (r < 0)
		return r;
	r = reclaim_guard_enter(file->path, draft_now_ms(&draft), &guard);
	if (r < 0)
		return r;
	r = look(file->path, &now);
	if (r < 0)
		return r == -ENOENT ? -EAGAIN : r;
	if (!view_equal(seen, &now))
		return -EAGAIN;
	if (!live && !view_is_stale(file->path, &now, draft_now_ms(&draft)))
		return -EBUSY;
	if (live) {
		if (rename(draft.path, file->path) < 0)
			return -errno;
		hold(file, &draft, owner);
		return 0;
	}
	if (unlink(file->path) < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	return publish_draft(file, &draft, owner);
}

static int try_take(struct lock_file *file, struct process_id owner,
		    const struct process_id *takeover, size_t n_takeover,
		    const struct lock_file *like, struct process_id *busy_owner)
{
	struct lock_view view;
	int r = look(file->path, &view);

	if (r == -ENOENT)
		return publish(file, owner, like);
	if (r < 0)
		return r;
	if (view_is_stale(file->path, &view, clock_wall_ms()))
		return replace(file, &view, owner, false);
	for (size_t i = 0; i < n_takeover; i++)
		if (view_names(&view, &takeover[i]))
			return replace(file, &view, owner, true);
	*busy_owner = view.payload.owner;
	return -EBUSY;
}

static int take_foreign(struct lock_file *file, const struct lock_taker *taker,
			struct process_id *busy_owner)
{
	struct stat st = {0};
	int r = foreign_lock_take(file->path, file->foreign, taker, &st, busy_owner);

	if (r < 0)
		return r;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	file->owner = taker->owner;
	return 0;
}

int lock_file_take(struct lock_file *file, struct process_id owner,
		   const struct process_id *takeover, size_t n_takeover,
		   const struct lock_file *like, struct process_id *busy_owner)
{
	if (file->foreign)
		return take_foreign(file, &(struct lock_taker){owner, takeover, n_takeover},
				    busy_owner);
	for (int i = 0; i < TAKE_ATTEMPTS; i++) {
		int r = try_take(file, owner, takeover, n_takeover, like, busy_owner);

		if (r != -EAGAIN)
			return r;
	}
	return -EBUSY;
}

// ---- handing on and giving back

// While the owner in the file lives, nobody else touches it, and no guard is needed (see above).
// That is the usual way, and a better one: a guard left by a kill would stop OpenClaw until our
// next run.
static int enter_guard_if_exposed(const struct lock_file *file, int64_t now_ms,
				  struct reclaim_guard *ret)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	int r = 0;

	if (process_alive(file->owner))
		return 0;
	for (int i = 0; i < GUARD_PATIENCE; i++) {
		r = reclaim_guard_enter(file->path, now_ms, ret);
		if (r != -EBUSY)
			return r;
		nanosleep(&nap, NULL);
	}
	return r;
}

static int restamp_foreign(struct lock_file *file, struct process_id owner)
{
	if (!lock_file_is_ours(file))
		return -ESTALE;
	foreign_lock_restamp(file->path, owner);
	file->owner = owner;
	return 0;
}

int lock_file_restamp(struct lock_file *file, struct process_id owner)
{
	_cleanup_draft_ struct draft draft = DRAFT_NONE;
	_cleanup_reclaim_guard_ struct reclaim_guard guard = RECLAIM_GUARD_NONE;
	int r;

	if (file->foreign)
		return restamp_foreign(file, owner);
	r = draft_write(file->path, owner, &draft);
	if (r < 0)
		return r;
	r = enter_guard_if_exposed(file, draft_now_ms(&draft), &guard);
	if (r < 0)
		return r;
	if (!lock_file_is_ours(file)) {
		let_go(file);
		return -ESTALE;
	}
	if (rename(draft.path, file->path) < 0)
		return -errno;
	hold(file, &draft, owner);
	return 0;
}

// If the guard cannot be had the file stays: its owner is dead, so anybody may reclaim it.
void lock_file_release(struct lock_file *file)
{
	_cleanup_reclaim_guard_ struct reclaim_guard guard = RECLAIM_GUARD_NONE;

	if (file->ino == 0)
		return;
	if (file->foreign)
		foreign_lock_release(file->path);
	else if (enter_guard_if_exposed(file, 0, &guard) == 0 && lock_file_is_ours(file))
		unlink(file->path);
	let_go(file);
}
