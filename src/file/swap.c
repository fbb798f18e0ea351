// SPDX-License-Identifier: MIT
//
// See swap.h. What ends a swap is the same code whether the process that began it lives or not: it
// looks at what stands under the two names, and goes by the digests.
#include "file/swap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "json/scan.h"
#include "file/temp_name.h"

#define RECORD_SUFFIX ".oauth-keepalive.swap"
#define DIGITS	      16 // of a digest: with them a link's target mostly needs no block of its own

// ---- what a file is

enum text { TEXT_OLD, TEXT_NEW, TEXT_OTHER, TEXT_GONE };

static bool same_text(struct fingerprint a, struct fingerprint b)
{
	return strncmp(a.hex, b.hex, DIGITS) == 0;
}

// What cannot be read for what it is, somebody has put there. No descriptor left is another matter.
static int unreadable(int error)
{
	if (error == ENOENT)
		return TEXT_GONE;
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO ? -error
										     : TEXT_OTHER;
}

// An enum text, or -errno. `was`: it must also be of that owner and mode to count as the old one.
static int look(const struct swap *swap, const char *path, const struct stat *was)
{
	_cleanup_close_ int fd = openat(swap->directory, path_basename(path),
					O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_secret_ struct secret text = {0};
	struct stat st;
	int r;

	if (fd < 0)
		return unreadable(errno);
	if (fstat(fd, &st) < 0)
		return -errno;
	r = secret_read_sized(fd, st.st_size, JSON_SCAN_MAX, &text);
	if (r < 0)
		return unreadable(-r);
	struct fingerprint digest = fingerprint_of_bytes(text.text, text.len);
	if (same_text(digest, swap->new))
		return TEXT_NEW;
	if (!same_text(digest, swap->old))
		return TEXT_OTHER;
	return was && (st.st_mode != was->st_mode || st.st_uid != was->st_uid ||
		       st.st_gid != was->st_gid)
		       ? TEXT_OTHER
		       : TEXT_OLD;
}

// ---- the record

static char *record_path(const char *target)
{
	size_t n = strlen(target);
	char *path = xcalloc(n + sizeof(RECORD_SUFFIX), 1);

	memcpy(path, target, n); // by hand, since every look asks for every store's
	memcpy(path + n, RECORD_SUFFIX, sizeof(RECORD_SUFFIX));
	return path;
}

static bool read_digest(const char **text, struct fingerprint *ret)
{
	if (**text != '.' || strspn(*text + 1, "0123456789abcdef") != DIGITS)
		return false;
	memcpy(ret->hex, *text + 1, DIGITS);
	*text += 1 + DIGITS;
	return true;
}

// Owner and digests; false if there is none, or one that is none of ours.
static bool record_read(int at, const char *path, struct swap *ret)
{
	char text[128];
	ssize_t n = readlinkat(at, path, text, sizeof(text) - 1);
	const char *p = text;
	struct swap swap = {0};

	if (n < 0)
		return false;
	text[n] = '\0';
	if (!process_read(&p, &swap.owner) || !read_digest(&p, &swap.old) ||
	    !read_digest(&p, &swap.new) || *p)
		return false;
	*ret = swap;
	return true;
}

// 1, or 0: without one (no room, no links here) only a kill within the next microseconds could do harm, and only together
// with a login.
static int record_write(const struct swap *swap, const char *path)
{
	_cleanup_free_ char *text =
		xasprintf("%d-%" PRIu64 ".%.*s.%.*s", (int)swap->owner.pid, swap->owner.starttime,
			  DIGITS, swap->old.hex, DIGITS, swap->new.hex);
	struct swap other;

	if (symlinkat(text, swap->directory, path_basename(path)) == 0)
		return 1;
	return errno == EEXIST && record_read(AT_FDCWD, path, &other) ? -EBUSY : 0;
}

// ---- the swap

static int exchange(const struct swap *swap)
{
	return renameat2(swap->directory, path_basename(swap->temp), swap->directory,
			 path_basename(swap->target), RENAME_EXCHANGE) < 0
		       ? -errno
		       : 0;
}

static int rename_temp(const struct swap *swap, const char *path)
{
	return renameat(swap->directory, path_basename(swap->temp), swap->directory,
			path_basename(path));
}

static int drop_temp(const struct swap *swap, int result)
{
	unlinkat(swap->directory, path_basename(swap->temp), 0);
	return result;
}

static int keep_aside(const struct swap *swap)
{
	_cleanup_free_ char *path =
		xasprintf("%s.%d-%" PRIu64 ".oauth-keepalive.saved", swap->target,
			  (int)swap->owner.pid, swap->owner.starttime);
	_cleanup_free_ char *shown = string_printable(path, PATH_MAX);

	if (rename_temp(swap, path) < 0)
		return -errno;
	log_error("what somebody saved while a run was killed, and what was saved since, are two; "
		  "the former is kept in %s",
		  shown);
	return -ESTALE;
}

// After the exchange, or in doubt about it.
static int settle(const struct swap *swap, const struct stat *was)
{
	for (;;) {
		int text = look(swap, swap->temp, was), there, r;

		if (text == TEXT_OLD)
			return drop_temp(swap, 0);
		if (text == TEXT_NEW)
			return drop_temp(swap, -ESTALE);
		if (text == TEXT_GONE)
			return -ESTALE;
		there = text < 0 ? text : look(swap, swap->target, NULL);
		if (there < 0)
			return there;
		if (there != TEXT_NEW)
			return keep_aside(swap);
		r = exchange(swap); // and look at what comes out of that
		if (r < 0)
			return r;
	}
}

// Where files cannot be exchanged: the file system's word, that of what is behind FUSE, or of a sandbox that does not know
// the call. What is forbidden indeed is so for a plain rename, too.
static bool is_not_known_here(int r)
{
	return r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP || r == -EPERM;
}

// Sets *ret_over unless it could not be seen how the exchange ended.
static int exchange_and_look(const struct swap *swap, const struct stat *was, bool *ret_over)
{
	int r = exchange(swap);

	*ret_over = true;
	if (is_not_known_here(r))
		r = rename_temp(swap, swap->target) < 0 ? -errno : 0;
	else if (r == 0) {
		r = settle(swap, was);
		*ret_over = r == 0 || r == -ESTALE;
		return r;
	}
	return r < 0 ? drop_temp(swap, r == -ENOENT ? -ESTALE : r) : 0;
}

int swap_in(const struct swap *swap, const struct stat *was)
{
	_cleanup_free_ char *record = record_path(swap->target);
	int recorded = record_write(swap, record), r;
	bool over;

	if (recorded < 0)
		return drop_temp(swap, recorded);
	r = exchange_and_look(swap, was, &over);
	if (recorded && over)
		unlinkat(swap->directory, path_basename(record), 0);
	return r;
}

// ---- written over

static int load(const struct swap *swap, const char *path, int flags, int *ret_fd,
		struct secret *ret)
{
	int fd = openat(swap->directory, path_basename(path),
			flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r = fd < 0 ? -errno : secret_read(fd, JSON_SCAN_MAX, ret);

	if (r < 0 && fd >= 0)
		close(fd);
	else if (r >= 0)
		*ret_fd = fd;
	return r < 0 ? r : 0;
}

static int copy_over(const struct swap *swap)
{
	_cleanup_secret_ struct secret new = {0}, old = {0};
	_cleanup_close_ int from = -1, to = -1;
	int r = load(swap, swap->temp, O_RDONLY, &from, &new);

	if (r == 0)
		r = load(swap, swap->target, O_RDWR, &to, &old);
	if (r == 0 && lseek(to, 0, SEEK_SET) < 0)
		r = -errno;
	if (r == 0)
		r = write_full(to, new.text, new.len);
	if (r == 0 && (ftruncate(to, (off_t) new.len) < 0 || fsync(to) < 0))
		r = -errno;
	return r < 0 ? r : drop_temp(swap, 0);
}

int swap_over(const struct swap *swap)
{
	_cleanup_free_ char *record = record_path(swap->target);
	int r = record_write(swap, record);

	if (r <= 0)
		return drop_temp(swap, r < 0 ? r : -EPERM);
	r = directory_sync(swap->directory);
	if (r == 0)
		r = copy_over(swap);
	if (r == 0)
		unlinkat(swap->directory, path_basename(record), 0);
	return r;
}

// A part of the new text over a part of the old one. (Where both make sense together, the next look finds which tokens they
// are, and mends it.)
static bool is_torn(const struct swap *swap)
{
	_cleanup_secret_ struct secret text = {0};
	_cleanup_close_ int fd = -1;
	struct json_doc doc = {0};
	struct json_error error;
	bool torn;

	if (look(swap, swap->temp, NULL) != TEXT_NEW ||
	    load(swap, swap->target, O_RDONLY, &fd, &text) < 0)
		return false;
	torn = json_scan(text.text, text.len, &doc, &error) == -EBADMSG;
	json_doc_free(&doc);
	return torn;
}

// ---- those of others

static struct process_id owner_at(int at, const char *target)
{
	_cleanup_free_ char *path = record_path(target);
	struct swap swap;

	return record_read(at, path, &swap) ? swap.owner : (struct process_id){0};
}

struct process_id swap_owner(const char *target)
{
	return owner_at(AT_FDCWD, target);
}

bool swap_is_interrupted(int at, const char *target)
{
	struct process_id owner = owner_at(at, target);

	return owner.pid && !process_alive(owner);
}

// One of this very process is left from a call that could not see how it ended.
static bool is_over(struct process_id owner)
{
	struct process_id self;

	return !process_alive(owner) || (process_self(&self) == 0 && self.pid == owner.pid &&
					 self.starttime == owner.starttime);
}

int swap_recover(const char *target)
{
	_cleanup_free_ char *path = record_path(target), *parent = path_dirname(target);
	_cleanup_close_ int directory = -1;
	struct swap swap;

	if (!record_read(AT_FDCWD, path, &swap))
		return 0;
	if (!is_over(swap.owner))
		return -EBUSY;
	directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	_cleanup_free_ char *temp = temp_name(target, swap.owner);
	swap.directory = directory;
	swap.target = target;
	swap.temp = temp;
	int r = is_torn(&swap) ? copy_over(&swap) : settle(&swap, NULL);
	if (r < 0 && r != -ESTALE)
		return r;
	unlinkat(directory, path_basename(path), 0);
	return directory_sync(directory);
}
