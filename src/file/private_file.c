// SPDX-License-Identifier: MIT
//
// See private_file.h. A file that somebody else could have written, or read, is not believed: it is
// reported with the reason, and what it stands for is held.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "file/private_file.h"
#include "file/trust.h"
#include "base/process.h"
#include "file/ofd_lock.h"

#define TEMP_SUFFIX ".tmp"

static int refuse(int error, char **ret_message, char *message)
{
	if (ret_message)
		*ret_message = message;
	else
		free(message);
	return error;
}

static int open_own(const char *path, int flags, int *ret_fd, struct stat *ret, char **ret_message)
{
	// O_NONBLOCK: a FIFO in the place of a file must not make us wait.
	_cleanup_close_ int fd =
		open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	int r = fd < 0 ? -errno : 0;
	struct stat st = {0};

	if (r == -ENOENT)
		return r;
	if (r == -ELOOP)
		return refuse(-EPERM, ret_message, xasprintf("%s is a symbolic link", path));
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0)
		return refuse(r, ret_message, xasprintf("cannot open %s: %s", path, strerror(-r)));
	if (!S_ISREG(st.st_mode))
		return refuse(-EPERM, ret_message, xasprintf("%s is not a regular file", path));
	if (st.st_uid != geteuid())
		return refuse(-EPERM, ret_message,
			      xasprintf("%s belongs to uid %u", path, (unsigned)st.st_uid));
	if (st.st_mode & 077)
		return refuse(-EPERM, ret_message,
			      xasprintf("%s is open to group or others (mode %04o)", path,
					(unsigned)st.st_mode & 07777));
	*ret_fd = TAKE_FD(fd);
	*ret = st;
	return 0;
}

int private_open(const char *path, int flags, int *ret_fd, char **ret_message)
{
	struct stat st;

	return open_own(path, flags, ret_fd, &st, ret_message);
}

int private_read(const char *path, size_t max, struct secret *ret, char **ret_message)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = open_own(path, O_RDONLY, &fd, &st, ret_message);

	if (r < 0)
		return r;
	r = secret_read_sized(fd, st.st_size, max, ret);
	if (r < 0)
		return refuse(r, ret_message, xasprintf("cannot read %s: %s", path, strerror(-r)));
	return 0;
}

char *private_remedy(const char *path)
{
	_cleanup_free_ char *word = shell_quoted(path);
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return xasprintf("ls -ld %s # it shall be a regular file of your own", word);
	if (st.st_uid != geteuid())
		return xasprintf("sudo chown %u %s", (unsigned)geteuid(), word);
	return xasprintf("chmod 600 %s", word);
}

int private_check_directory(const char *path, char **ret_message, char **ret_fix)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		int r = -errno;
		if (r != -ENOENT)
			*ret_message = xasprintf("cannot look at %s: %s", path, strerror(-r));
		return r;
	}
	if (!S_ISDIR(st.st_mode)) {
		*ret_message = xasprintf("%s is not a directory", path);
		*ret_fix = directory_remedy(path);
		return -EPERM;
	}
	if (st.st_uid != geteuid()) {
		*ret_message = xasprintf("%s belongs to uid %u, not to uid %u", path,
					 (unsigned)st.st_uid, (unsigned)geteuid());
		*ret_fix = directory_remedy(path);
		return -EPERM;
	}
	if (st.st_mode & 077) {
		*ret_message = xasprintf("%s is open to group or others (mode %04o)", path,
					 (unsigned)st.st_mode & 07777);
		_cleanup_free_ char *word = shell_quoted(path);
		*ret_fix = xasprintf("chmod 700 %s", word);
		return -EPERM;
	}
	return 0;
}

int private_make_directory(const char *path)
{
	int r = mkdir(path, 0700) < 0 ? -errno : 0;

	if (r == -ENOENT) {
		_cleanup_free_ char *parent = path_dirname(path);
		r = private_make_directory(parent);
		if (r == 0 && mkdir(path, 0700) < 0)
			r = -errno;
	}
	if (r == -EEXIST)
		return 0;
	return r < 0 ? r : fsync_parent(path);
}

int private_temp_create(const char *directory, char **ret_path, int *ret_fd)
{
	static unsigned counter;
	struct process_id self;
	int r = process_self(&self);

	if (r < 0)
		return r;
	for (;;) {
		_cleanup_free_ char *name = xasprintf(".%d-%" PRIu64 "-%u" TEMP_SUFFIX,
						      (int)self.pid, self.starttime, counter++);
		_cleanup_free_ char *path = path_join(directory, name);
		int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			      0600);
		if (fd >= 0) {
			*ret_path = TAKE_PTR(path);
			*ret_fd = fd;
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
}

int private_temp_publish(const char *temp, const char *path)
{
	int r = file_publish(temp, path);

	unlink(temp);
	return r;
}

int private_publish(const char *path, const char *text, size_t len)
{
	_cleanup_free_ char *directory = path_dirname(path);
	_cleanup_free_ char *temp = NULL;
	_cleanup_close_ int fd = -1;
	int r = private_temp_create(directory, &temp, &fd);

	if (r < 0)
		return r;
	r = write_full(fd, text, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temp);
		return r;
	}
	// -EEXIST too: who was faster may not have come to its fsync yet, and we rely on what it
	// published.
	int published = private_temp_publish(temp, path);
	if (published < 0 && published != -EEXIST)
		return published;
	r = fsync_directory(directory);
	return r < 0 ? r : published;
}

// Whose temp file is it? False if it is none of ours.
static bool temp_owner(const char *name, struct process_id *ret)
{
	uint64_t starttime;
	unsigned count;
	int pid, end = 0;

	if (sscanf(name, ".%d-%" SCNu64 "-%u" TEMP_SUFFIX "%n", &pid, &starttime, &count, &end) !=
	    3)
		return false;
	if (end == 0 || name[end] != '\0' || pid <= 0)
		return false;
	*ret = (struct process_id){.pid = pid, .starttime = starttime};
	return true;
}

void private_sweep(const char *directory)
{
	_cleanup_names_ struct names names = {0};

	if (private_list(directory, 0, TEMP_SUFFIX, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		struct process_id owner;
		if (!temp_owner(names.list[i], &owner) || process_alive(owner))
			continue;
		_cleanup_free_ char *path = path_join(directory, names.list[i]);
		unlink(path);
	}
}

bool is_hex(const char *text, size_t digits)
{
	return hex_digits(text) == digits && !text[digits];
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
	*names = (struct names){0};
}

bool names_hold(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (string_equal(names->list[i], name))
			return true;
	return false;
}

static bool name_fits(const char *name, size_t digits, const char *suffix)
{
	if (digits == 0)
		return string_ends(name, suffix);
	return hex_digits(name) == digits && string_equal(name + digits, suffix);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int private_list(const char *directory, size_t digits, const char *suffix, struct names *ret)
{
	_cleanup_names_ struct names names = {0};
	_cleanup_(cleanup_dir) DIR *dir = opendir(directory);

	if (!dir)
		return -errno;
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry && errno)
			return -errno;
		if (!entry)
			break;
		if (name_fits(entry->d_name, digits, suffix))
			*array_add(&names.list, &names.n) = xstrdup(entry->d_name);
	}
	if (names.n > 1)
		qsort(names.list, names.n, sizeof(*names.list), compare_names);
	*ret = names;
	names = (struct names){0};
	return 0;
}
