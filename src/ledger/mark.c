// SPDX-License-Identifier: MIT
//
// Marks (see mark.h). The first two digits of the token's digest make the directory, so that a sweep can take a few of
// them at a time; a look asks for one name.
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "ledger/mark.h"
#include "file/private_file.h"
#include "file/sync.h"

#define OLD_SUFFIX	".settled"
#define UNSENT		"unsent"
#define MARK_KEEP_MS	(180 * DAY_S * SECOND_MS)
#define SWEEP_MAX	4096 // names that a sweep looks at, …
#define DIRECTORY_COSTS 8    // … each directory counting as so many
#define MOVE_MAX	4096

static char *marks_path(const struct ledger *ledger, const char *directory)
{
	return xasprintf("%s/settled/%s", ledger->directory, directory);
}

static char *mark_path(const struct ledger *ledger, struct fingerprint token)
{
	return xasprintf("%s/settled/%.2s/%s", ledger->directory, token.hex, token.hex);
}

// Looked at by its size alone: nothing but `unsent` is ever written into one.
static int look(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return S_ISREG(st.st_mode) && st.st_size == strlen(UNSENT) ? MARK_UNSENT
									   : MARK_SPENT;
	return errno == ENOENT ? MARK_NONE : -errno;
}

int mark_look(const struct ledger *ledger, struct fingerprint token)
{
	_cleanup_free_ char *path = mark_path(ledger, token);
	_cleanup_free_ char *old =
		xasprintf("%s/receipts/%s" OLD_SUFFIX, ledger->directory, token.hex);
	int r = look(path);

	return r ? r : look(old);
}

// An `unsent` that does not come to its end is a spent one: that a login does not come back is the safe mistake.
static int make_mark(const char *path, enum mark mark)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if (mark == MARK_UNSENT && write_full(fd, UNSENT, strlen(UNSENT)) == 0)
		fsync(fd);
	return 0;
}

// What was unsent when it was displaced has been brought back and sent since.
static int make_spent(const char *path)
{
	_cleanup_close_ int fd = -1;

	if (look(path) != MARK_UNSENT)
		return 0;
	fd = open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int make_mark_in(const char *directory, const char *path, enum mark mark)
{
	int r = make_mark(path, mark);

	if (r == -ENOENT) { // the first one there
		r = private_make_directory(directory);
		if (r == 0)
			r = make_mark(path, mark);
	}
	if (r == -EEXIST)
		r = mark == MARK_SPENT ? make_spent(path) : 0;
	return r;
}

// Whoever made the directory, or the mark, may not have come to its fsync yet.
static int sync_marks(const struct ledger *ledger, const char *directory)
{
	_cleanup_free_ char *top = marks_path(ledger, "");
	int r = fsync_directory(directory);

	return r < 0 ? r : fsync_directory(top);
}

int mark_make(struct ledger *ledger, struct fingerprint token, enum mark mark)
{
	_cleanup_free_ char *path = mark_path(ledger, token), *directory = path_dirname(path);

	return make_mark_in(directory, path, mark);
}

static bool is_first_there(const struct fingerprint *tokens, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strncmp(tokens[k].hex, tokens[i].hex, 2) == 0)
			return false;
	return true;
}

// Each directory once, and the one above them: whoever made it may not have come to its fsync yet.
int marks_sync(const struct ledger *ledger, const struct fingerprint *tokens, size_t n)
{
	_cleanup_free_ int *fds = xcalloc(n + 1, sizeof(*fds)), *errors = NULL;
	size_t opened = 0;
	int r = 0;

	errors = xcalloc(n + 1, sizeof(*errors));
	for (size_t i = 0; r == 0 && i <= n; i++) {
		if (i < n && !is_first_there(tokens, i))
			continue;
		_cleanup_free_ char *digits = i < n ? xstrndup(tokens[i].hex, 2) : xstrdup("");
		_cleanup_free_ char *path = marks_path(ledger, digits);
		fds[opened] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = fds[opened] < 0 ? -errno : 0;
		opened += r == 0;
	}
	if (r == 0)
		sync_together(fds, opened, errors);
	for (size_t i = 0; i < opened; i++) {
		if (r == 0 && errors[i] != -EINVAL) // directory_sync
			r = errors[i];
		close(fds[i]);
	}
	return r;
}

int mark_publish(struct ledger *ledger, struct fingerprint token, enum mark mark)
{
	int r = mark_make(ledger, token, mark);

	return r < 0 ? r : marks_sync(ledger, &token, 1);
}

int mark_take_back(struct ledger *ledger, struct fingerprint token)
{
	_cleanup_free_ char *path = mark_path(ledger, token);
	int r = mark_look(ledger, token);

	if (r == MARK_SPENT)
		return -EPERM;
	if (r != MARK_UNSENT)
		return r;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return fsync_parent(path);
}

// ---- sweeping

// Its age goes with it.
static int copy_mark(const char *old, const char *directory, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%.*s", directory, FINGERPRINT_LENGTH, name);
	struct stat st;
	int r;

	if (lstat(old, &st) < 0)
		return -errno;
	r = make_mark_in(directory, path, MARK_SPENT);
	if (r < 0)
		return r;
	const struct timespec times[] = {st.st_mtim, st.st_mtim};
	return utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

// Those of one directory together: all of them there, durably, before the first is removed here.
static int move_marks(const struct ledger *ledger, const char *from, char *const *names, size_t n)
{
	_cleanup_free_ char *digits = xstrndup(names[0], 2);
	_cleanup_free_ char *directory = marks_path(ledger, digits);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		_cleanup_free_ char *old = path_join(from, names[i]);
		r = copy_mark(old, directory, names[i]);
	}
	if (r == 0)
		r = sync_marks(ledger, directory);
	for (size_t i = 0; i < n && r == 0; i++) {
		_cleanup_free_ char *old = path_join(from, names[i]);
		r = unlink(old) < 0 ? -errno : 0;
	}
	return r;
}

static void move_old_marks(const struct ledger *ledger)
{
	_cleanup_free_ char *from = path_join(ledger->directory, "receipts");
	_cleanup_names_ struct names names = {0};
	size_t n;

	if (private_list(from, FINGERPRINT_LENGTH, OLD_SUFFIX, &names) < 0)
		return;
	for (size_t i = 0; i < names.n && i < MOVE_MAX; i += n) { // they are sorted
		for (n = 1; i + n < names.n; n++)
			if (strncmp(names.list[i], names.list[i + n], 2) != 0)
				break;
		if (move_marks(ledger, from, names.list + i, n) < 0)
			return;
	}
}

static bool is_noted(struct ledger *ledger, const char *mark)
{
	struct fingerprint token = {0};

	memcpy(token.hex, mark, FINGERPRINT_LENGTH);
	return spent_is_noted(ledger, token) || spent_note(ledger, token) == 0;
}

static size_t sweep_directory(struct ledger *ledger, const char *directory, int64_t now_ms)
{
	_cleanup_names_ struct names names = {0};

	if (private_list(directory, FINGERPRINT_LENGTH, "", &names) < 0)
		return 0;
	for (size_t i = 0; i < names.n; i++) {
		_cleanup_free_ char *path = path_join(directory, names.list[i]);
		struct stat st;
		if (lstat(path, &st) == 0 &&
		    now_ms - (int64_t)st.st_mtim.tv_sec * SECOND_MS > MARK_KEEP_MS &&
		    (look(path) == MARK_UNSENT || is_noted(ledger, names.list[i])))
			unlink(path);
	}
	return names.n;
}

// From anywhere on, as far as one run may go: each directory has its turn, some time within the weeks.
void marks_sweep(struct ledger *ledger, int64_t now_ms)
{
	_cleanup_free_ char *top = marks_path(ledger, "");
	_cleanup_names_ struct names names = {0};
	size_t looked_at = 0;

	move_old_marks(ledger);
	if (private_list(top, 2, "", &names) < 0 || names.n == 0)
		return;
	uint32_t first = randombytes_uniform((uint32_t)names.n);
	for (size_t i = 0; i < names.n && looked_at < SWEEP_MAX; i++) {
		_cleanup_free_ char *directory =
			marks_path(ledger, names.list[(first + i) % names.n]);
		looked_at += DIRECTORY_COSTS + sweep_directory(ledger, directory, now_ms);
	}
}
