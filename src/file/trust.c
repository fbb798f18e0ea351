// SPDX-License-Identifier: MIT
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "file/trust.h"
#include "base/util.h"

static bool only_member_is(char *const *members, const char *name)
{
	for (; *members; members++)
		if (!string_equal(*members, name))
			return false;
	return true;
}

static bool look_up_private(gid_t gid, uid_t uid)
{
	const struct passwd *user = getpwuid(uid);
	const struct group *group;

	if (!user || user->pw_gid != gid)
		return false;
	group = getgrgid(gid);
	return group && string_equal(group->gr_name, user->pw_name) &&
	       only_member_is(group->gr_mem, user->pw_name);
}

// The name service may be far away, and a look asks for every directory: the last answer is kept.
static bool group_is_private(gid_t gid, uid_t uid)
{
	static struct {
		bool known, is_private;
		gid_t gid;
		uid_t uid;
	} last;

	if (!last.known || last.gid != gid || last.uid != uid) {
		last.is_private = look_up_private(gid, uid);
		last.gid = gid;
		last.uid = uid;
		last.known = true;
	}
	return last.is_private;
}

static bool has_access_list(const char *path)
{
	return getxattr(path, "system.posix_acl_access", NULL, 0) >= 0 ||
	       (errno != ENODATA && errno != ENOTSUP);
}

bool others_may_write(const char *path, const struct stat *st)
{
	if (st->st_mode & S_IWOTH)
		return true;
	if (!(st->st_mode & S_IWGRP))
		return false;
	return !(group_is_private(st->st_gid, st->st_uid) ||
		 (st->st_uid != geteuid() && group_is_private(st->st_gid, geteuid()))) ||
	       has_access_list(path);
}

char *directory_remedy(const char *path)
{
	_cleanup_free_ char *word = shell_quoted(path), *parent = path_dirname(path);
	struct stat st, above;

	if (lstat(path, &st) < 0 || stat(parent, &above) < 0)
		return xasprintf("ls -ld %s", word);
	if (!S_ISDIR(st.st_mode)) // also a link; a new one is made in its place
		return xasprintf("mv %s %s.old", word, word);
	if (st.st_uid == geteuid())
		return xasprintf("chmod go-w %s", word);
	if (above.st_uid == geteuid()) // somebody else's, in a place of ours
		return xasprintf("sudo chown -R %u %s", (unsigned)geteuid(), word);
	return xasprintf("sudo -u '#%u' oauth-keepalive refresh", (unsigned)st.st_uid);
}

bool others_may_read(const char *path, const struct stat *st)
{
	if (st->st_mode & S_IROTH)
		return true;
	return st->st_mode & S_IRGRP &&
	       (has_access_list(path) || !group_is_private(st->st_gid, st->st_uid));
}
