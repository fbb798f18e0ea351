// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/process.h"
#include "file/obstacle.h"

#define UNTOUCHABLE (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)

static uint64_t attributes(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, &st) == 0 ? st.stx_attributes : 0;
}

static bool is_writable(const char *path, int mode)
{
	return faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 || errno != EACCES;
}

enum obstacle obstacle_find(const char *path, bool replaced)
{
	_cleanup_free_ char *directory = path_dirname(path);
	uint64_t of_file = attributes(path);
	struct statvfs fs;

	if (replaced && of_file & STATX_ATTR_MOUNT_ROOT)
		return OBSTACLE_MOUNT_POINT;
	if (statvfs(path, &fs) == 0 && fs.f_flag & ST_RDONLY)
		return OBSTACLE_READ_ONLY;
	if ((of_file | attributes(directory)) & UNTOUCHABLE)
		return OBSTACLE_IMMUTABLE;
	// Which is opened, too, to be made durable.
	if (!is_writable(directory, replaced ? R_OK | W_OK | X_OK : W_OK | X_OK))
		return OBSTACLE_DIRECTORY;
	return replaced || is_writable(path, W_OK) ? OBSTACLE_NONE : OBSTACLE_FILE;
}

bool obstacle_may_pass(enum obstacle obstacle)
{
	return obstacle == OBSTACLE_READ_ONLY;
}

const char *obstacle_text(enum obstacle obstacle)
{
	static const char *const texts[] = {
		[OBSTACLE_NONE] = "nothing",
		[OBSTACLE_MOUNT_POINT] = "the file is a mount point (a container's bind mount of a "
					 "single file), and cannot be replaced",
		[OBSTACLE_READ_ONLY] = "Read-only file system",
		[OBSTACLE_IMMUTABLE] = "it or its directory is immutable or append-only",
		[OBSTACLE_DIRECTORY] = "its directory cannot be written by this user",
		[OBSTACLE_FILE] = "the file cannot be written by this user",
		[OBSTACLE_HARD_LINKS] = "the file has several names (hard links), and its program "
					"saves nothing in such a file, or splits it",
	};

	return texts[obstacle];
}

static char *mount_point_of(const char *path)
{
	char *at = xstrdup(path);

	while (!string_equal(at, "/") && !(attributes(at) & STATX_ATTR_MOUNT_ROOT)) {
		char *up = path_dirname(at);
		free(at);
		at = up;
	}
	return at;
}

// In our own unit it is the sandbox that a person can change; elsewhere the mount.
static char *fix_read_only(const char *path, const char *directory)
{
	_cleanup_free_ char *mount = mount_point_of(path), *word = shell_quoted(mount);
	_cleanup_free_ char *unit = process_own_unit(), *shown = shell_quoted(directory);

	if (unit)
		return xasprintf("systemctl edit %s, and write there: [Service] ReadWritePaths=%s",
				 unit, shown);
	return xasprintf("sudo mount -o remount,rw %s", word);
}

static char *fix_mount_point(const char *path, const char *directory)
{
	_cleanup_free_ char *word = setting_quoted(path);

	return xasprintf(
		"mount its directory %s in place of the file; where that cannot be, let it "
		"be written where it stands: stores = ( { path = %s; write = "
		"\"in-place\"; } ); in oauth-keepalive.conf",
		directory, word);
}

static char *fix_immutable(const char *path, const char *directory)
{
	_cleanup_free_ char *word = shell_quoted(attributes(path) & UNTOUCHABLE ? path : directory);

	return xasprintf("sudo chattr -i -a %s", word);
}

// A directory that is root's was made by Docker, or by sudo; it cannot be anybody else's (safe_path.h).
static char *fix_mode(const char *path, const char *bits)
{
	_cleanup_free_ char *word = shell_quoted(path);
	struct stat st;

	if (stat(path, &st) == 0 && st.st_uid != geteuid())
		return xasprintf("sudo chown %u %s", (unsigned)geteuid(), word);
	return xasprintf("chmod u+%s %s", bits, word);
}

static char *fix_links(const char *path)
{
	_cleanup_free_ char *copy = xasprintf("%s.new", path), *from = shell_quoted(path),
			    *to = shell_quoted(copy);

	return xasprintf("cp -p %s %s && mv %s %s", from, to, to, from);
}

char *obstacle_fix(enum obstacle obstacle, const char *path)
{
	_cleanup_free_ char *directory = path_dirname(path), *word = shell_quoted(directory);

	switch (obstacle) {
	case OBSTACLE_MOUNT_POINT:
		return fix_mount_point(path, word);
	case OBSTACLE_READ_ONLY:
		return fix_read_only(path, directory);
	case OBSTACLE_IMMUTABLE:
		return fix_immutable(path, directory);
	case OBSTACLE_DIRECTORY:
		return fix_mode(directory, "rwx");
	case OBSTACLE_FILE:
		return fix_mode(path, "w");
	case OBSTACLE_HARD_LINKS:
		return fix_links(path);
	case OBSTACLE_NONE:
		break;
	}
	return NULL;
}

// The first directory on the way that does not let us pass; NULL: they all do.
static char *closed_directory(const char *path)
{
	char *word = xstrdup(path);

	for (char *slash = strchr(word + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (access(word, X_OK) < 0)
			return word;
		*slash = '/';
	}
	free(word);
	return NULL;
}

char *unreadable_fix(const char *path, int error)
{
	_cleanup_free_ char *word = shell_quoted(path), *closed = closed_directory(path);
	struct stat st;

	if (error != -EACCES)
		return xasprintf("ls -ld %s # see what it is, and whether its disk is well", word);
	if (closed)
		return fix_mode(closed, "x");
	return fix_mode(path, stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? "rx" : "r");
}
