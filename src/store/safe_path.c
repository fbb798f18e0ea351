// SPDX-License-Identifier: MIT
//
// The check starts at the object itself and goes up to the root, one lstat each. It wants a path
// that is its own real path: the directories in which a link stands are not on the real path, and
// who may write there turns the link. A refusal says what is wrong and gives the command that puts
// it right.
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/safe_path.h"

struct verdict {
	char *message, *fix;
};

static void verdict_free(struct verdict *verdict)
{
	free(verdict->message);
	free(verdict->fix);
}

static char *printable(const char *path)
{
	return string_printable(path, PATH_MAX);
}

static unsigned mode_bits(const struct stat *st)
{
	return st->st_mode & 07777;
}

static int refuse_link(const char *path, const char *real, struct verdict *ret)
{
	_cleanup_free_ char *shown = printable(path), *shown_real = printable(real);
	_cleanup_free_ char *word = shell_quoted(path);
	ret->message = xasprintf("%s is not a real path: it leads to %s", shown, shown_real);
	ret->fix = xasprintf("realpath %s", word);
	return -EPERM;
}

static int refuse_type(const char *path, const struct stat *st, const char *wanted,
		       struct verdict *ret)
{
	_cleanup_free_ char *shown = printable(path), *word = shell_quoted(path);
	ret->message =
		xasprintf("%s is not a %s (mode %06o)", shown, wanted, (unsigned)st->st_mode);
	ret->fix = xasprintf("ls -ld %s", word);
	return -EPERM;
}

// Also for root, whom no mode would stop: locks and ledger would become root's, and the programs of
// the one whose tokens these are could not take part in them.
static int refuse_owner(const char *path, const struct stat *st, struct verdict *ret)
{
	_cleanup_free_ char *shown = printable(path), *word = shell_quoted(path);
	ret->message = xasprintf("%s is owned by uid %u, not by uid %u (mode %04o)", shown,
				 (unsigned)st->st_uid, (unsigned)geteuid(), mode_bits(st));
	// Root's, in a user's home, came there by sudo; but another user's is that user's.
	ret->fix =
		uid_is_root(st->st_uid)
			? xasprintf("sudo chown %u %s", (unsigned)geteuid(), word)
			: xasprintf("sudo -u '#%u' oauth-keepalive refresh", (unsigned)st->st_uid);
	return -EPERM;
}

static int refuse_writable(const char *path, const struct stat *st, const char *whom,
			   const char *chmod, struct verdict *ret)
{
	_cleanup_free_ char *shown = printable(path), *word = shell_quoted(path);
	ret->message = xasprintf("%s is writable by %s (mode %04o)", shown, whom, mode_bits(st));
	ret->fix = xasprintf("chmod %s %s", chmod, word);
	return -EPERM;
}

static int refuse_ancestor_owner(const char *path, const struct stat *st, struct verdict *ret)
{
	_cleanup_free_ char *shown = printable(path);
	ret->message = xasprintf(
		"the directory %s is owned by uid %u, neither by root nor by uid %u (mode %04o)",
		shown, (unsigned)st->st_uid, (unsigned)geteuid(), mode_bits(st));
	ret->fix = xasprintf("run this as the user it belongs to (uid %u), or keep the stores "
			     "elsewhere",
			     (unsigned)st->st_uid);
	return -EPERM;
}

static int check_real(const char *path, struct verdict *ret)
{
	_cleanup_free_ char *real = path_real(path);
	if (!real)
		return -errno;
	return string_equal(real, path) ? 0 : refuse_link(path, real, ret);
}

static int check_object(const char *path, mode_t type, struct verdict *ret)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != type)
		return refuse_type(path, &st, type == S_IFDIR ? "directory" : "regular file", ret);
	if (st.st_uid != geteuid())
		return refuse_owner(path, &st, ret);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return refuse_writable(path, &st, "group or others", "go-w", ret);
	return 0;
}

// In a sticky directory (/tmp) others can add names, but neither rename nor remove what is ours.
static int check_ancestor(const char *path, struct verdict *ret)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR; // it changed since it was resolved
	if (!uid_is_root(st.st_uid) && st.st_uid != geteuid())
		return refuse_ancestor_owner(path, &st, ret);
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		return refuse_writable(path, &st, "others", "o-w", ret);
	return 0;
}

static int check_ancestors(const char *path, struct verdict *ret)
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

static int check_path(const char *path, mode_t type, char **ret_message, char **ret_fix)
{
	_cleanup_(verdict_free) struct verdict verdict = {0};
	int r = check_real(path, &verdict);
	if (r == 0)
		r = check_object(path, type, &verdict);
	if (r == 0)
		r = check_ancestors(path, &verdict);
	if (verdict.message) {
		*ret_message = TAKE_PTR(verdict.message);
		*ret_fix = TAKE_PTR(verdict.fix);
	}
	return r;
}

int path_check_file(const char *real_path, char **ret_message, char **ret_fix)
{
	return check_path(real_path, S_IFREG, ret_message, ret_fix);
}

int path_check_directory(const char *real_path, char **ret_message, char **ret_fix)
{
	return check_path(real_path, S_IFDIR, ret_message, ret_fix);
}
