// SPDX-License-Identifier: MIT
//
// The check starts at the object itself and goes up to the root, one lstat each. It wants a path
// that is its own real path: the directories in which a link stands are not on the real path, and
// who may write there turns the link. A path that a person wrote is walked instead, as the kernel
// would, link by link. A refusal says what is wrong and gives the command that puts it right.
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/filesystem.h"
#include "file/trust.h"
#include "file/safe_path.h"

#define LINKS_MAX 40 // as many as the kernel follows

enum owners { OURS, OURS_OR_ROOTS };

struct refusal {
	char *message, *fix;
};

static void refusal_free(struct refusal *refusal)
{
	free(refusal->message);
	free(refusal->fix);
}

static char *printable(const char *path)
{
	return string_printable(path, PATH_MAX);
}

static unsigned mode_bits(const struct stat *st)
{
	return st->st_mode & 07777;
}

static int refuse_link(const char *path, const char *real, struct refusal *ret)
{
	_cleanup_free_ char *shown = printable(path), *shown_real = printable(real);
	_cleanup_free_ char *word = shell_quoted(path);
	ret->message = xasprintf("%s is not a real path: it leads to %s", shown, shown_real);
	ret->fix = xasprintf("realpath %s", word);
	return -EPERM;
}

static int refuse_type(const char *path, const struct stat *st, const char *wanted,
		       struct refusal *ret)
{
	_cleanup_free_ char *shown = printable(path), *word = shell_quoted(path);
	ret->message =
		xasprintf("%s is not a %s (mode %06o)", shown, wanted, (unsigned)st->st_mode);
	ret->fix = xasprintf("ls -ld %s", word);
	return -EPERM;
}

// Also for root, whom no mode would stop: locks and ledger would become root's, and the programs of
// the one whose tokens these are could not take part in them.
static int refuse_owner(const char *path, const struct stat *st, enum owners owners,
			struct refusal *ret)
{
	_cleanup_free_ char *shown = printable(path), *word = shell_quoted(path);
	ret->message = xasprintf("%s is owned by uid %u, not by uid %u (mode %04o)", shown,
				 (unsigned)st->st_uid, (unsigned)geteuid(), mode_bits(st));
	// Root's, in a user's home, came there by sudo; but another user's is that user's.
	if (owners == OURS_OR_ROOTS) // it may be a link
		ret->fix = xasprintf("sudo chown -h %u %s", (unsigned)geteuid(), word);
	else if (uid_is_root(st->st_uid))
		ret->fix = xasprintf("sudo chown %u %s", (unsigned)geteuid(), word);
	else
		ret->fix = xasprintf("sudo -u '#%u' oauth-keepalive refresh", (unsigned)st->st_uid);
	return -EPERM;
}

static int refuse_writable(const char *path, const struct stat *st, struct refusal *ret)
{
	_cleanup_free_ char *shown = printable(path), *word = shell_quoted(path);
	const struct filesystem *fs = filesystem_of(path);
	bool made_up = fs && fs->has_no_modes; // there chmod does nothing

	ret->message = xasprintf("%s is writable by group or others (mode %04o)%s%s%s", shown,
				 mode_bits(st), made_up ? ", as everything is on " : "",
				 made_up ? fs->name : "", made_up ? ", which keeps no modes" : "");
	ret->fix = made_up ? xstrdup("keep it in a directory of the Linux system, such as ~; or "
				     "mount with modes (WSL: options = \"metadata\" below "
				     "[automount] in /etc/wsl.conf; else umask=077)")
			   : xasprintf("chmod go-w %s", word);
	return -EPERM;
}

static int refuse_ancestor_owner(const char *path, const struct stat *st, struct refusal *ret)
{
	_cleanup_free_ char *shown = printable(path);
	ret->message = xasprintf(
		"the directory %s is owned by uid %u, neither by root nor by uid %u (mode %04o)",
		shown, (unsigned)st->st_uid, (unsigned)geteuid(), mode_bits(st));
	ret->fix = xasprintf("sudo -u '#%u' oauth-keepalive refresh # or keep this elsewhere",
			     (unsigned)st->st_uid);
	return -EPERM;
}

static int check_real(const char *path, struct refusal *ret)
{
	_cleanup_free_ char *real = path_real(path);
	if (!real)
		return -errno;
	return string_equal(real, path) ? 0 : refuse_link(path, real, ret);
}

static int judge_object(const char *path, const struct stat *st, enum owners owners, uid_t self,
			struct refusal *ret)
{
	if (st->st_uid != self && !(owners == OURS_OR_ROOTS && uid_is_root(st->st_uid)))
		return refuse_owner(path, st, owners, ret);
	return others_may_write(path, st) ? refuse_writable(path, st, ret) : 0;
}

static int check_object(const char *path, mode_t type, enum owners owners, struct refusal *ret)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != type)
		return refuse_type(path, &st, type == S_IFDIR ? "directory" : "regular file", ret);
	return judge_object(path, &st, owners, geteuid(), ret);
}

// In a sticky directory (/tmp) others can add names, but neither rename nor remove what is ours.
static int judge_ancestor(const char *path, const struct stat *st, uid_t self, struct refusal *ret)
{
	if (!uid_is_root(st->st_uid) && st->st_uid != self)
		return refuse_ancestor_owner(path, st, ret);
	return !(st->st_mode & S_ISVTX) && others_may_write(path, st)
		       ? refuse_writable(path, st, ret)
		       : 0;
}

static int check_ancestor(const char *path, struct refusal *ret)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR; // it changed since it was resolved
	return judge_ancestor(path, &st, geteuid(), ret);
}

static int check_ancestors(const char *path, struct refusal *ret)
{
	_cleanup_free_ char *at = xstrdup(path);
	while (!string_equal(at, "/")) {
		char *up = path_dirname(at);
		free(at);
		at = up;
		int r = check_ancestor(at, ret);
		if (r < 0)
			return r;
	}
	return 0;
}

// ---- a path as somebody wrote it

// `rest` of a path, to be looked up in the directory `at`, which is a real path.
struct way {
	char *at, *rest;
	unsigned links;
};

static void way_free(struct way *way)
{
	free(way->at);
	free(way->rest);
}

// Who owns a link turns it.
static int take_link(struct way *way, const char *link, const struct stat *st, char **rest,
		     struct refusal *ret)
{
	char target[PATH_MAX];

	if (!uid_is_root(st->st_uid) && st->st_uid != geteuid())
		return refuse_owner(link, st, OURS_OR_ROOTS, ret);
	if (++way->links > LINKS_MAX)
		return -ELOOP;
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (*target == '/') {
		free(way->at);
		way->at = xstrdup("/");
	}
	char *longer = path_join(target, *rest);
	free(*rest);
	*rest = longer;
	return 0;
}

// One component.
static int take_step(struct way *way, struct refusal *ret)
{
	size_t n = strcspn(way->rest, "/");
	_cleanup_free_ char *name = xstrndup(way->rest, n), *here = NULL;
	_cleanup_free_ char *rest = xstrdup(way->rest + n + strspn(way->rest + n, "/"));
	struct stat st;
	int r = 0;

	if (n > 0 && !string_equal(name, ".")) {
		here = string_equal(name, "..") ? path_dirname(way->at) : path_join(way->at, name);
		r = check_ancestor(way->at, ret);
		if (r == 0 && lstat(here, &st) < 0)
			r = -errno;
		if (r == 0 && S_ISLNK(st.st_mode)) {
			r = take_link(way, here, &st, &rest, ret);
		} else if (r == 0) {
			free(way->at);
			way->at = TAKE_PTR(here);
		}
	}
	free(way->rest);
	way->rest = TAKE_PTR(rest);
	return r;
}

static int check_trusted(const char *path, struct refusal *ret)
{
	_cleanup_free_ char *here = *path == '/' ? xstrdup("/") : path_real(".");
	_cleanup_(way_free) struct way way = {.at = xstrdup("/")};
	int r = 0;

	if (!here)
		return -errno;
	way.rest = path_join(here, path);
	while (r == 0 && *way.rest)
		r = take_step(&way, ret);
	return r < 0 ? r : check_object(way.at, S_IFREG, OURS_OR_ROOTS, ret);
}

// ---- what is asked for

static int give(int r, struct refusal *refusal, char **ret_message, char **ret_fix)
{
	if (refusal->message) {
		*ret_message = TAKE_PTR(refusal->message);
		*ret_fix = TAKE_PTR(refusal->fix);
	}
	return r;
}

static int check_path(const char *path, mode_t type, char **ret_message, char **ret_fix)
{
	_cleanup_(refusal_free) struct refusal refusal = {0};
	int r = check_real(path, &refusal);
	if (r == 0)
		r = check_object(path, type, OURS, &refusal);
	if (r == 0)
		r = check_ancestors(path, &refusal);
	return give(r, &refusal, ret_message, ret_fix);
}

bool path_ancestor_is_safe(const char *path, const struct stat *st, uid_t self)
{
	_cleanup_(refusal_free) struct refusal unsaid = {0};
	return judge_ancestor(path, st, self, &unsaid) == 0;
}

bool path_file_is_safe(const char *path, const struct stat *st, uid_t self)
{
	_cleanup_(refusal_free) struct refusal unsaid = {0};
	return S_ISREG(st->st_mode) && judge_object(path, st, OURS, self, &unsaid) == 0;
}

int path_check_file(const char *real_path, char **ret_message, char **ret_fix)
{
	return check_path(real_path, S_IFREG, ret_message, ret_fix);
}

int path_check_directory(const char *real_path, char **ret_message, char **ret_fix)
{
	return check_path(real_path, S_IFDIR, ret_message, ret_fix);
}

int path_check_trusted(const char *path, char **ret_message, char **ret_fix)
{
	_cleanup_(refusal_free) struct refusal refusal = {0};
	int r = check_trusted(path, &refusal);
	return give(r, &refusal, ret_message, ret_fix);
}
