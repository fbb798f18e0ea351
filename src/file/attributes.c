// SPDX-License-Identifier: MIT
//
// Owner, then ACL and attributes, then mode. A change of owner takes bits of the mode away, and a
// mode meant for one group must not hold for another. And an ACL decides what a mode means: where
// there is one, the mode's group bits are the most that everybody named in it may have. So a
// directory's default ACL, which a new file inherits, is gone before the mode opens it.
//
// Raw calls, because libacl would be one more library for a value that need not be understood.
#include "file/attributes.h"

#include <errno.h>
#include <linux/limits.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/util.h"

#define POSIX_ACL "system.posix_acl_access"

static int refused(int error)
{
	return error == EPERM || error == EACCES || error == EINVAL || error == ENOTSUP ? -ENODATA
											: -error;
}

static int keep_owner(const struct statx *st, int to)
{
	struct stat now;

	if (fstat(to, &now) < 0)
		return -errno;
	if (now.st_uid == st->stx_uid && now.st_gid == st->stx_gid)
		return 0;
	return fchown(to, st->stx_uid, st->stx_gid) < 0 ? refused(errno) : 0;
}

// Not what a file system says of one inode (btrfs., ceph., lustre. …), nor what the kernel signs of one content.
static bool is_kept(const char *name)
{
	return string_equal(name, POSIX_ACL) || string_equal(name, "system.nfs4_acl") ||
	       string_starts(name, "user.") || string_starts(name, "trusted.") ||
	       (string_starts(name, "security.") && !string_equal(name, "security.ima") &&
		!string_equal(name, "security.evm"));
}

// One that is there already is not set: a new file mostly has the right label, and setting one is a privilege. What is
// "trusted" is the administrator's: kept where we may.
static int copy_one(const char *from, int to, const char *name)
{
	static char value[XATTR_SIZE_MAX], there[XATTR_SIZE_MAX];
	ssize_t n = lgetxattr(from, name, value, sizeof(value)), m;

	if (n < 0)
		return errno == ENODATA ? 0 : refused(errno);
	m = fgetxattr(to, name, there, sizeof(there));
	if (m == n && memcmp(value, there, (size_t)n) == 0)
		return 0;
	if (fsetxattr(to, name, value, (size_t)n, 0) == 0)
		return 0;
	int r = refused(errno);
	return r == -ENODATA && string_starts(name, "trusted.") ? 0 : r;
}

static int drop_inherited_acl(int to)
{
	if (fgetxattr(to, POSIX_ACL, NULL, 0) < 0)
		return 0;
	return fremovexattr(to, POSIX_ACL) < 0 ? refused(errno) : 0;
}

static int copy_xattrs(const char *from, int to)
{
	static char names[XATTR_LIST_MAX];
	ssize_t len = llistxattr(from, names, sizeof(names));
	bool acl = false;
	int r = 0;

	if (len < 0 && errno != ENOTSUP)
		return -errno;
	for (const char *name = names; r == 0 && name - names < len; name += strlen(name) + 1) {
		acl |= string_equal(name, POSIX_ACL);
		if (is_kept(name))
			r = copy_one(from, to, name);
	}
	return r == 0 && !acl ? drop_inherited_acl(to) : r;
}

int attributes_copy(const char *from, const struct statx *st, int to)
{
	mode_t mode = st->stx_mode & 07777;
	struct stat now;
	int r = keep_owner(st, to);

	if (r == 0)
		r = copy_xattrs(from, to);
	if (r < 0)
		return r;
	if (fstat(to, &now) < 0)
		return -errno;
	// Where the ACL has set it already, on some file systems another chmod would change the ACL.
	if ((now.st_mode & 07777) == mode)
		return 0;
	return fchmod(to, mode) < 0 ? refused(errno) : 0;
}
