// SPDX-License-Identifier: MIT
//
// Old or new at every instant: the system calls that matter are defined here in front of libc's, so
// that each of them can be made to fail, or to be the last one the process ever makes.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lock/lock.h"
#include "file/atomic_file.h"
#include "file/swap.h"

#define OLD    "{\"refresh\":\"FAKE-REFRESH-1\"}\n"
#define NEW    "{\"refresh\":\"FAKE-REFRESH-2\",\"more\":true}\n"
#define LOGIN  "{\"refresh\":\"FAKE-REFRESH-9\"}\n" // as long as OLD
#define SUFFIX ".oauth-keepalive.tmp"

// ---- the system calls

static struct {
	bool armed, crash, reached, renamed;
	int step;      // the one that is hit, from 1
	int login;     // the one before which a person's login is saved
	bool in_place; // … not by renaming
	int no_exchange, no_record,
		no_open; // the error of renameat2, symlinkat, openat for reading
	int count;
	size_t written;
	void (*each)(void);  // called at every call
	const char *refused; // setting this attribute is a privilege
	bool bare;	     // the file system knows no attributes, nor how to sync a directory
} fault;

static void arm(int step, bool crash)
{
	memset(&fault, 0, sizeof(fault));
	fault.armed = true;
	fault.step = step;
	fault.crash = crash;
}

static void log_in(void);

static bool hit(void)
{
	void (*each)(void) = fault.each;
	if (each) {
		fault.each = NULL; // it makes calls itself
		each();
		fault.each = each;
	}
	if (!fault.armed)
		return false;
	if (++fault.count == fault.login)
		log_in();
	if (fault.count != fault.step)
		return false;
	if (fault.crash)
		_exit(77);
	fault.reached = true;
	errno = EIO;
	return true;
}

static int refuse(int error)
{
	errno = error;
	return -1;
}

int fsync(int fd)
{
	struct stat st;
	if (fault.bare && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return refuse(EINVAL);
	return hit() ? -1 : (int)syscall(SYS_fsync, fd);
}

int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
	if (string_equal(name, fault.refused))
		return refuse(EPERM);
	return hit() ? -1 : (int)syscall(SYS_fsetxattr, fd, name, value, size, flags);
}

ssize_t llistxattr(const char *path, char *list, size_t size)
{
	return fault.bare ? refuse(ENOTSUP) : syscall(SYS_llistxattr, path, list, size);
}
int ftruncate(int fd, off_t size)
{
	return hit() ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}
int fchmod(int fd, mode_t mode)
{
	return hit() ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

ssize_t write(int fd, const void *data, size_t n)
{
	if (hit())
		return -1;
	ssize_t written = syscall(SYS_write, fd, data, n);
	fault.written += written > 0 ? (size_t)written : 0;
	return written;
}

int close(int fd)
{
	bool failing = hit();
	int r = (int)syscall(SYS_close, fd); // which closes even when it fails
	if (failing)
		errno = EIO;
	return failing ? -1 : r;
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	if (hit())
		return -1;
	int r = (int)syscall(SYS_renameat, from_directory, from, to_directory, to);
	fault.renamed = r == 0;
	return r;
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to,
	      unsigned flags)
{
	if (hit())
		return -1;
	if (fault.no_exchange)
		return refuse(fault.no_exchange);
	int r = (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
	fault.renamed |= r == 0;
	return r;
}

int symlinkat(const char *text, int to_directory, const char *to)
{
	if (fault.no_record)
		return refuse(fault.no_record);
	return hit() ? -1 : (int)syscall(SYS_symlinkat, text, to_directory, to);
}

// It may be the last call; that it fails changes nothing.
int unlinkat(int in, const char *name, int flags)
{
	if ((fault.crash || fault.login) && hit())
		return -1;
	return (int)syscall(SYS_unlinkat, in, name, flags);
}

int openat(int in, const char *name, int flags, ...)
{
	mode_t mode = 0;
	if (flags & O_CREAT) {
		va_list args;
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	} else if (fault.no_open) {
		return refuse(fault.no_open);
	}
	return (int)syscall(SYS_openat, in, name, flags, mode);
}

// ---- files

static char *directory, *target;

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fputs(text, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
}

static void assert_content(const char *path, const char *expected)
{
	char text[512] = "";
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	assert_string_equal(text, expected);
	assert_int_equal(n, strlen(expected));
}

static void log_in(void)
{
	_cleanup_free_ char *other = xasprintf("%s.login", target);
	fault.armed = false;
	put(fault.in_place ? target : other, LOGIN);
	if (!fault.in_place)
		assert_int_equal(rename(other, target), 0);
	fault.armed = true;
}

static struct stat stat_of(const char *path)
{
	struct stat st;
	assert_int_equal(lstat(path, &st), 0);
	return st;
}

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static size_t count_entries(void)
{
	size_t n = 0;
	DIR *d = opendir(directory);
	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));)
		n += !string_equal(e->d_name, ".") && !string_equal(e->d_name, "..");
	closedir(d);
	return n;
}

static int set_up(void **state)
{
	(void)state;
	char *base = getenv("TMPDIR");
	memset(&fault, 0, sizeof(fault));
	umask(022);
	directory = xasprintf("%s/atomic-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(directory));
	target = path_join(directory, "auth-profiles.json");
	put(target, OLD);
	assert_int_equal(chmod(target, 0640), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fault.armed = false;
	DIR *d = opendir(directory);
	for (const struct dirent *e; (e = readdir(d));)
		if (!string_equal(e->d_name, ".") && !string_equal(e->d_name, ".."))
			assert_int_equal(unlinkat(dirfd(d), e->d_name,
						  e->d_type == DT_DIR ? AT_REMOVEDIR : 0),
					 0);
	closedir(d);
	assert_int_equal(rmdir(directory), 0);
	cleanup_free(&directory);
	cleanup_free(&target);
	return 0;
}

static char *own_temp(const char *path)
{
	struct process_id self;
	assert_int_equal(process_self(&self), 0);
	return xasprintf("%s.%d-%" PRIu64 SUFFIX, path, (int)self.pid, self.starttime);
}

// ---- the whole

static void test_stage_and_commit(void **state)
{
	(void)state;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	_cleanup_free_ char *temp = own_temp(target);
	arm(0, false);
	assert_int_equal(atomic_stage(target, 200000, &stage), 0);
	assert_true(fault.written >= 200000); // really written, not only reserved
	assert_string_equal(stage.temp, temp);
	struct stat st = stat_of(temp);
	assert_int_equal(st.st_size, 200000);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(fcntl(stage.fd, F_GETFD) & FD_CLOEXEC);
	assert_content(target, OLD);

	assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), 0);
	assert_content(target, NEW); // and not the zeros behind it
	assert_int_equal(stat_of(target).st_mode & 07777, 0640);
	assert_int_equal(stat_of(target).st_ino, st.st_ino);
	assert_false(exists(temp));
	atomic_abort(&stage);
	assert_content(target, NEW);
	atomic_abort(&stage);
	assert_int_equal(count_entries(), 1);
}

static void test_commit_longer_than_staged(void **state)
{
	(void)state;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	assert_int_equal(atomic_stage(target, 3, &stage), 0);
	assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), 0);
	assert_content(target, NEW);
	assert_int_equal(atomic_commit(&stage, OLD, strlen(OLD)), 0); // once more
	assert_content(target, OLD);
	assert_int_equal(atomic_commit(&stage, "", 0), 0);
	assert_content(target, "");
	atomic_abort(&stage);
}

static void test_abort(void **state)
{
	(void)state;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	atomic_abort(&stage); // nothing staged
	assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), -EINVAL);
	assert_int_equal(atomic_stage(target, 100, &stage), 0);
	assert_int_equal(count_entries(), 2);
	atomic_abort(&stage);
	assert_int_equal(count_entries(), 1);
	assert_null(stage.target);
	assert_int_equal(stage.fd, -1);
	assert_content(target, OLD);
}

static void test_new_target(void **state)
{
	(void)state;
	_cleanup_free_ char *path = path_join(directory, "new.json");
	assert_int_equal(atomic_replace(path, NEW, strlen(NEW), 0), -ENOENT);
	assert_int_equal(count_entries(), 1);
	umask(0);
	assert_int_equal(atomic_replace(path, NEW, strlen(NEW), 0600), 0);
	assert_int_equal(stat_of(path).st_mode & 07777, 0600);
	assert_content(path, NEW);
	assert_int_equal(chmod(path, 0644), 0);
	umask(077);
	assert_int_equal(atomic_replace(path, OLD, strlen(OLD), 0600), 0);
	assert_int_equal(stat_of(path).st_mode & 07777, 0644); // the target's, not the given one
	assert_content(path, OLD);
	unlink(path);
	assert_int_equal(atomic_replace(path, OLD, strlen(OLD), 0640), 0);
	assert_int_equal(stat_of(path).st_mode & 07777, 0640); // whatever the umask
	unlink(path);
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	assert_int_equal(atomic_stage(path, 10, &stage), 0);
	assert_int_equal(atomic_commit(&stage, OLD, strlen(OLD)), 0);
	assert_int_equal(stat_of(path).st_mode & 07777, 0600);
	atomic_abort(&stage);
}

static void test_owner(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(target, 12345, 23456), 0);
	assert_int_equal(chmod(target, 0460), 0);
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	assert_int_equal(atomic_stage(target, 10, &stage), 0);
	struct stat st = stat_of(stage.temp);
	assert_int_equal(st.st_mode & 07777, 0600); // the group has to wait
	assert_int_equal(st.st_gid, 23456);
	assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), 0);
	atomic_abort(&stage);
	st = stat_of(target);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_gid, 23456);
	assert_int_equal(st.st_mode & 07777, 0460);
}

// What the target's mode and owner are at the commit counts.
static void test_attributes_changed_meanwhile(void **state)
{
	(void)state;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	assert_int_equal(atomic_stage(target, 10, &stage), 0);
	assert_int_equal(chmod(target, 0600), 0);
	uid_t uid = geteuid() == 0 ? 12345 : geteuid(); // only root can give it away
	assert_int_equal(chown(target, uid, (gid_t)-1), 0);
	assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), 0);
	assert_int_equal(stat_of(target).st_mode & 07777, 0600);
	assert_int_equal(stat_of(target).st_uid, uid);
	atomic_abort(&stage);
}

// ---- ACLs and other extended attributes

struct entry {
	uint16_t tag, permissions;
	uint32_t id;
};

#define NOBODY ((uint32_t)-1)
#define EVE    4711

// An ACL as the kernel keeps it (linux/posix_acl_xattr.h); false where the file system has none.
static bool set_acl(const char *path, const char *name, const struct entry *entries, size_t n)
{
	unsigned char value[256] = {2};
	memcpy(value + 4, entries, n * sizeof(*entries));
	if (setxattr(path, name, value, 4 + n * sizeof(*entries), 0) == 0)
		return true;
	assert_int_equal(errno, ENOTSUP);
	return false;
}

#define SET_ACL(path, name, ...)                                                                   \
	({                                                                                         \
		const struct entry entries[] = {__VA_ARGS__};                                      \
		set_acl(path, "system.posix_acl_" name, entries, ARRAY_SIZE(entries));             \
	})

static ssize_t get_acl(const char *path, struct entry *entries, size_t n)
{
	unsigned char value[256];
	ssize_t len = getxattr(path, "system.posix_acl_access", value, sizeof(value));
	if (len < 0)
		return -1;
	assert_true((size_t)len <= 4 + n * sizeof(*entries));
	memcpy(entries, value + 4, (size_t)len - 4);
	return (len - 4) / (ssize_t)sizeof(*entries);
}

// What eve may do, all things considered.
static unsigned may_eve(const char *path)
{
	struct entry entries[8];
	ssize_t n = get_acl(path, entries, ARRAY_SIZE(entries));
	unsigned named = stat_of(path).st_mode & 7, mask = 7;
	for (ssize_t i = 0; i < n; i++) {
		if (entries[i].tag == ACL_USER && entries[i].id == EVE)
			named = entries[i].permissions;
		if (entries[i].tag == ACL_MASK)
			mask = entries[i].permissions;
	}
	return named & mask;
}

// Who is named may read, as before, and the owning group may not, as before: the mode is the same either way.
static void test_acl_is_kept(void **state)
{
	(void)state;
	struct entry was[8], is[8];
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	if (!SET_ACL(target, "access", {ACL_USER_OBJ, 6, NOBODY}, {ACL_USER, 4, EVE},
		     {ACL_GROUP_OBJ, 0, NOBODY}, {ACL_MASK, 4, NOBODY}, {ACL_OTHER, 0, NOBODY}))
		skip();
	assert_int_equal(atomic_stage(target, 10, &stage), 0);
	assert_int_equal(may_eve(stage.temp), 0);
	assert_int_equal(stat_of(stage.temp).st_mode & 07777, 0600);
	assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), 0);
	atomic_abort(&stage);
	assert_int_equal(get_acl(target, was, 8), 5);
	assert_int_equal(may_eve(target), 4);
	assert_int_equal(was[2].permissions, 0);
	assert_int_equal(stat_of(target).st_mode & 07777, 0640);

	// As it is at the commit.
	assert_int_equal(atomic_stage(target, 10, &stage), 0);
	assert_int_equal(chmod(target, 0600), 0); // the mask
	assert_int_equal(get_acl(target, was, 8), 5);
	assert_int_equal(atomic_commit(&stage, OLD, strlen(OLD)), 0);
	atomic_abort(&stage);
	assert_int_equal(get_acl(target, is, 8), 5);
	assert_memory_equal(was, is, 5 * sizeof(*was));
	assert_int_equal(may_eve(target), 0);
}

static void nobody_reads_the_temp_file(void)
{
	_cleanup_free_ char *temp = own_temp(target);
	if (exists(temp))
		assert_int_equal(may_eve(temp), 0);
	assert_int_equal(may_eve(target), 0);
}

// A directory whose new files are eve's to read: that opens neither the temp file nor what takes the target's place.
static void test_inherited_acl_opens_nothing(void **state)
{
	(void)state;
	struct entry none[8];
	if (!SET_ACL(directory, "default", {ACL_USER_OBJ, 7, NOBODY}, {ACL_USER, 7, EVE},
		     {ACL_GROUP_OBJ, 5, NOBODY}, {ACL_MASK, 7, NOBODY}, {ACL_OTHER, 0, NOBODY}))
		skip();
	fault.each = nobody_reads_the_temp_file;
	assert_int_equal(atomic_replace(target, NEW, strlen(NEW), 0), 0);
	assert_content(target, NEW);
	fault.each = NULL;
	assert_int_equal(get_acl(target, none, 8), -1);
	assert_int_equal(stat_of(target).st_mode & 07777, 0640);

	_cleanup_free_ char *path = path_join(directory, "new.json"); // the ledger's way
	assert_int_equal(atomic_replace(path, NEW, strlen(NEW), 0600), 0);
	assert_int_equal(may_eve(path), 0);
}

static void test_attributes_are_kept(void **state)
{
	(void)state;
	static const char *const all[] = {"user.note", "trusted.note", "security.note"};
	size_t n = geteuid() == 0 ? ARRAY_SIZE(all) : 1;
	for (size_t i = 0; i < n; i++)
		if (setxattr(target, all[i], "a\0b", 3, 0) < 0)
			skip();
	assert_int_equal(setxattr(target, "user.empty", "", 0, 0), 0);
	assert_int_equal(atomic_replace(target, NEW, strlen(NEW), 0), 0);
	assert_content(target, NEW);
	for (size_t i = 0; i < n; i++) {
		char value[16] = "";
		assert_int_equal(getxattr(target, all[i], value, sizeof(value)), 3);
		assert_memory_equal(value, "a\0b", 3);
	}
	assert_int_equal(getxattr(target, "user.empty", NULL, 0), 0);
}

// What cannot be kept shows while nothing has been spent yet.
static void test_attribute_is_refused(void **state)
{
	(void)state;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	if (setxattr(target, "user.note", "x", 1, 0) < 0)
		skip();
	fault.refused = "user.note";
	assert_int_equal(atomic_stage(target, 10, &stage), -ENODATA);
	assert_int_equal(count_entries(), 1);
	assert_int_equal(removexattr(target, "user.note"), 0);
	assert_int_equal(atomic_replace(target, NEW, strlen(NEW), 0), 0);
	if (geteuid() != 0)
		return;
	// The administrator's own are kept where we may.
	assert_int_equal(setxattr(target, "trusted.note", "x", 1, 0), 0);
	fault.refused = "trusted.note";
	assert_int_equal(atomic_replace(target, OLD, strlen(OLD), 0), 0);
	assert_int_equal(getxattr(target, "trusted.note", NULL, 0), -1);
	// A label that the directory gives every file is none that we have to set.
	static const char *const labels[] = {"security.selinux", "security.ima"};
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		if (setxattr(target, labels[i], "fake_t", 6, 0) < 0)
			continue; // here the kernel itself guards it
		fault.refused = labels[i];
		assert_int_equal(atomic_stage(target, 10, &stage), i == 0 ? -ENODATA : 0);
		atomic_abort(&stage);
		removexattr(target, labels[i]);
	}
}

// A group that we are in, and the bits of the mode that a write takes away.
static void test_special_bits(void **state)
{
	(void)state;
	assert_int_equal(chmod(target, 06640), 0);
	assert_int_equal(atomic_replace(target, NEW, strlen(NEW), 0), 0);
	assert_int_equal(stat_of(target).st_mode & 07777, 06640);
}

// Without privilege a group that we are not in cannot be given.
static void test_group_of_others(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		struct atomic_stage stage = ATOMIC_STAGE_NONE;
		if (chown(directory, 12345, 12345) < 0 || chown(target, 12345, 23456) < 0 ||
		    setgroups(0, NULL) < 0 || setgid(12345) < 0 || setuid(12345) < 0)
			_exit(2);
		_exit(atomic_stage(target, 10, &stage) == -ENODATA ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(count_entries(), 1);
}

// A file system without attributes, on which a directory cannot be synced.
static void test_bare_file_system(void **state)
{
	(void)state;
	fault.bare = true;
	assert_int_equal(atomic_replace(target, NEW, strlen(NEW), 0), 0);
	assert_content(target, NEW);
	assert_int_equal(stat_of(target).st_mode & 07777, 0640);
}

// Zeros would prove nothing where the file system compresses.
static void test_proof_does_not_compress(void **state)
{
	(void)state;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	const size_t size = 200000, step = 4096;
	unsigned char *text = xcalloc(size, 1);
	assert_int_equal(atomic_stage(target, size, &stage), 0);
	assert_int_equal(pread(stage.fd, text, size, 0), size);
	for (size_t i = 0; i + step <= size; i += step) {
		size_t seen[256] = {0}, most = 0;
		for (size_t k = 0; k < step; k++)
			seen[text[i + k]]++;
		for (size_t k = 0; k < 256; k++)
			most = seen[k] > most ? seen[k] : most;
		assert_true(most < 64); // of 16 on average
		for (size_t k = 0; k < i; k += step)
			assert_memory_not_equal(text + i, text + k, step);
	}
	atomic_abort(&stage);
	free(text);
}

// ---- what is refused

static void test_refused(void **state)
{
	(void)state;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	_cleanup_free_ char *link = path_join(directory, "link"),
			    *sub = path_join(directory, "sub");
	_cleanup_free_ char *fifo = path_join(directory, "fifo"),
			    *missing = path_join(directory, "no/x");
	_cleanup_free_ char *slash = path_join(directory, "sub/");
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(mkdir(sub, 0700), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(atomic_replace(link, NEW, strlen(NEW), 0600), -ELOOP);
	assert_int_equal(atomic_replace(sub, NEW, strlen(NEW), 0600), -EISDIR);
	assert_int_equal(atomic_replace(slash, NEW, strlen(NEW), 0600), -EISDIR);
	assert_int_equal(atomic_replace(fifo, NEW, strlen(NEW), 0600), -EINVAL);
	assert_int_equal(atomic_replace(missing, NEW, strlen(NEW), 0600), -ENOENT);
	assert_int_equal(atomic_stage(link, 10, &stage), -ELOOP);
	assert_null(stage.target);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("nowhere", link), 0);
	assert_int_equal(atomic_replace(link, NEW, strlen(NEW), 0600), -ELOOP);
	assert_content(target, OLD);
	assert_int_equal(count_entries(), 4);
}

// A target that becomes a link between the two steps.
static void test_link_at_commit(void **state)
{
	(void)state;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	_cleanup_free_ char *other = path_join(directory, "other");
	assert_int_equal(atomic_stage(target, 10, &stage), 0);
	assert_int_equal(rename(target, other), 0);
	assert_int_equal(symlink(other, target), 0);
	assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), -ELOOP);
	atomic_abort(&stage);
	assert_true(S_ISLNK(stat_of(target).st_mode));
	assert_content(other, OLD);
	assert_int_equal(count_entries(), 2);
}

static void test_long_name(void **state)
{
	(void)state;
	char name[NAME_MAX + 1];
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	_cleanup_free_ char *path = path_join(directory, name);
	put(path, OLD);
	assert_int_equal(atomic_replace(path, NEW, strlen(NEW), 0600), -ENAMETOOLONG);
	assert_content(path, OLD);
}

static void test_no_space(void **state)
{
	(void)state;
	struct rlimit before, limit;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){.rlim_cur = 100000, .rlim_max = before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int r = atomic_stage(target, 100001, &stage);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(r, -EFBIG);
	assert_null(stage.target);
	assert_int_equal(count_entries(), 1);
	assert_content(target, OLD);
}

static void test_read_only_directory(void **state)
{
	(void)state;
	if (geteuid() == 0)
		skip();
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	assert_int_equal(chmod(directory, 0500), 0);
	int r = atomic_stage(target, 10, &stage);
	assert_int_equal(chmod(directory, 0700), 0);
	assert_int_equal(r, -EACCES);
}

// In a mount namespace of its own. 78: not allowed to try.
static int replace_bind_mounted(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(target, target, NULL, MS_BIND, NULL) < 0)
		return 78;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	return atomic_stage(target, 10, &stage) == -EBUSY ? 0 : 1;
}

// rename onto it would fail, and only after the token was spent.
static void test_bind_mounted_target(void **state)
{
	(void)state;
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(replace_bind_mounted());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 78)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(count_entries(), 1);
}

static void test_immutable_target(void **state)
{
	(void)state;
	int fd = open(target, O_RDONLY | O_CLOEXEC), flags = FS_IMMUTABLE_FL;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	assert_true(fd >= 0);
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0) {
		close(fd);
		skip();
	}
	int r = atomic_stage(target, 10, &stage);
	flags = 0;
	assert_int_equal(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
	close(fd);
	assert_int_equal(r, -EPERM);
	assert_int_equal(count_entries(), 1);
}

// There a file could be made, and neither renamed nor removed.
static void test_append_only_directory(void **state)
{
	(void)state;
	int fd = open(directory, O_RDONLY | O_CLOEXEC), flags = FS_APPEND_FL;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	assert_true(fd >= 0);
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0) {
		close(fd);
		skip();
	}
	int r = atomic_stage(target, 10, &stage);
	flags = 0;
	assert_int_equal(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
	close(fd);
	assert_int_equal(r, -EPERM);
	assert_int_equal(count_entries(), 1);
}

// What is synced, and where the file lands, is the directory that was proven, whatever its name means by now.
static void test_directory_moved(void **state)
{
	(void)state;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	_cleanup_free_ char *away = xasprintf("%s-away", directory);
	assert_int_equal(atomic_stage(target, 10, &stage), 0);
	assert_int_equal(rename(directory, away), 0);
	assert_int_equal(mkdir(directory, 0700), 0);
	put(target, OLD);
	assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), 0);
	atomic_abort(&stage);
	assert_content(target, OLD);
	assert_int_equal(count_entries(), 1);
	assert_int_equal(unlink(target), 0);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(rename(away, directory), 0);
	assert_content(target, NEW);
	assert_int_equal(count_entries(), 1);
}

// ---- temp files of others

static void test_leftover(void **state)
{
	(void)state;
	_cleanup_free_ char *temp = own_temp(target), *victim = path_join(directory, "victim");
	put(temp, "left by an earlier call, and longer than what comes now, by far, by very far, "
		  "by very far");
	assert_int_equal(atomic_replace(target, NEW, strlen(NEW), 0), 0);
	assert_content(target, NEW);
	put(victim, OLD);
	assert_int_equal(symlink(victim, temp), 0);
	assert_int_equal(atomic_replace(target, OLD, strlen(OLD), 0), 0);
	assert_content(target, OLD);
	assert_int_equal(unlink(victim), 0);
	assert_true(S_ISREG(stat_of(target).st_mode));
	assert_int_equal(count_entries(), 1);
}

// A second stage of this process takes the first one's name; the first must not rename the second's
// zeros.
static void test_two_stages(void **state)
{
	(void)state;
	struct atomic_stage first = ATOMIC_STAGE_NONE, second = ATOMIC_STAGE_NONE;
	assert_int_equal(atomic_stage(target, 50, &first), 0);
	assert_int_equal(atomic_stage(target, 50, &second), 0);
	assert_int_equal(atomic_commit(&first, NEW, strlen(NEW)), -ESTALE);
	assert_content(target, OLD);
	assert_int_equal(atomic_commit(&second, NEW, strlen(NEW)), 0);
	assert_content(target, NEW);
	assert_int_equal(atomic_commit(&first, OLD, strlen(OLD)), 0);
	assert_content(target, OLD);
	atomic_abort(&first);
	atomic_abort(&second);

	assert_int_equal(atomic_stage(target, 50, &first), 0);
	assert_int_equal(atomic_stage(target, 50, &second), 0);
	atomic_abort(&first); // leaves the second's alone
	assert_true(exists(second.temp));
	atomic_abort(&second);
	assert_int_equal(count_entries(), 1);
}

static void test_hard_link(void **state)
{
	(void)state;
	_cleanup_free_ char *other = path_join(directory, "other");
	assert_int_equal(link(target, other), 0);
	assert_int_equal(atomic_replace(target, NEW, strlen(NEW), 0), 0);
	assert_content(target, NEW);
	assert_content(other, OLD);
}

static struct process_id dead_process(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return (struct process_id){.pid = pid, .starttime = 1};
}

static void test_sweep(void **state)
{
	(void)state;
	struct process_id self, dead = dead_process();
	assert_int_equal(process_self(&self), 0);
	const struct {
		const char *name, *owner; // owner NULL: none of ours
		struct process_id id;
		bool swept;
	} rows[] = {
		{"auth-profiles.json", ".%d-%" PRIu64 SUFFIX, dead, true},
		{"auth-profiles.json",
		 ".%d-%" PRIu64 SUFFIX,
		 {self.pid, self.starttime + 1},
		 true}, // pid reused
		{"auth-profiles.json", ".%d-%" PRIu64 SUFFIX, self, false},
		{"auth-profiles.json", ".%d-%" PRIu64 SUFFIX ".bak", dead, false},
		{"auth-profiles.json", ".%d-%" PRIu64 ".tmp", dead, false},
		{"auth-profiles.json", "%d-%" PRIu64 SUFFIX, dead, false},
		{"auth-profiles.json", "..%d-%" PRIu64 SUFFIX, dead, false},
		{"auth-profiles.json", ". %d-%" PRIu64 SUFFIX, dead, false},
		{"auth-profiles.json", ".-%d-%" PRIu64 SUFFIX, dead, false},
		{"auth-profiles.json", ".%d--%" PRIu64 SUFFIX, dead, false},
		{"auth-profiles.json", ".%d-+%" PRIu64 SUFFIX, dead, false},
		{"auth-profiles.json", ".%d-%" PRIu64 "x" SUFFIX, dead, false},
		{"auth-profiles.json", ".9999999999%d-%" PRIu64 SUFFIX, dead, false},
		{"auth-profiles.json", ".%d-99999999999999999999%" PRIu64 SUFFIX, dead, false},
		{"auth-profiles.json.2", ".%d-%" PRIu64 SUFFIX, dead, false},
		{"auth-profiles.jso", ".%d-%" PRIu64 SUFFIX, dead, false},
		{"xauth-profiles.json", ".%d-%" PRIu64 SUFFIX, dead, false},
	};
	char *paths[ARRAY_SIZE(rows)];
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		_cleanup_free_ char *end =
			xasprintf(rows[i].owner, (int)rows[i].id.pid, rows[i].id.starttime);
#pragma GCC diagnostic pop
		paths[i] = xasprintf("%s/%s%s", directory, rows[i].name, end);
		put(paths[i], "x");
	}
	atomic_sweep(target);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (exists(paths[i]) == rows[i].swept)
			print_error("row %zu: %s\n", i, paths[i]);
		assert_int_equal(exists(paths[i]), !rows[i].swept);
		free(paths[i]);
	}
	assert_content(target, OLD);
	_cleanup_free_ char *nowhere = path_join(directory, "no/such");
	atomic_sweep(nowhere);
}

// Beside every target of a directory, and still only what is a dead process's.
static void test_sweep_all(void **state)
{
	struct process_id dead = dead_process(), self;
	const char *names[] = {"auth-profiles.json", "other", "with.dots.json", ""};

	(void)state;
	assert_int_equal(process_self(&self), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *file = path_join(directory, names[i]);
		_cleanup_free_ char *of_dead =
			xasprintf("%s.%d-%" PRIu64 SUFFIX, file, (int)dead.pid, dead.starttime);
		_cleanup_free_ char *of_self =
			xasprintf("%s.%d-%" PRIu64 SUFFIX, file, (int)self.pid, self.starttime);
		_cleanup_free_ char *none = xasprintf("%s.%d" SUFFIX, file, (int)dead.pid);
		put(of_dead, "x");
		put(of_self, "x");
		put(none, "x");
		atomic_sweep_all(directory);
		assert_false(exists(of_dead));
		assert_true(exists(of_self));
		assert_true(exists(none));
	}
	assert_content(target, OLD);
	_cleanup_free_ char *nowhere = path_join(directory, "no");
	atomic_sweep_all(nowhere);
}

static void test_sweep_follows_no_link(void **state)
{
	(void)state;
	struct process_id dead = dead_process();
	_cleanup_free_ char *link = xasprintf("%s.%d-1" SUFFIX, target, (int)dead.pid);
	_cleanup_free_ char *sub = xasprintf("%s.%d-2" SUFFIX, target, (int)dead.pid);
	assert_int_equal(symlink("auth-profiles.json", link), 0);
	_cleanup_free_ char *inside = path_join(sub, "somebody's");
	assert_int_equal(mkdir(sub, 0700), 0);
	put(inside, "x");
	atomic_sweep(target);
	assert_content(target, OLD);
	assert_true(exists(link));
	assert_true(exists(inside));
	assert_int_equal(unlink(inside), 0);
	atomic_sweep(target);
	assert_false(exists(sub));
}

// ---- each step failing, each step the last

struct attempt {
	bool reached, renamed;
	int r; // what staging or committing said
};

// Everything that must hold however far it came; then the same call again, or giving up.
static struct attempt fail_at_step(int step, bool again)
{
	struct attempt attempt;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	put(target, OLD);
	arm(step, false);
	attempt.r = atomic_stage(target, strlen(NEW), &stage);
	if (attempt.r < 0)
		assert_null(stage.target);
	else
		attempt.r = atomic_commit(&stage, NEW, strlen(NEW));
	attempt.reached = fault.reached;
	attempt.renamed = fault.renamed;
	fault.armed = false;
	assert_content(target, attempt.renamed ? NEW : OLD);
	if (stage.target && again) {
		assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), 0);
		assert_content(target, NEW);
	}
	atomic_abort(&stage);
	assert_int_equal(stat_of(target).st_mode & 07777, 0640);
	assert_int_equal(count_entries(), 1);
	return attempt;
}

#define MANY 40

// Each for itself: two of forty cannot take their places, and the others do.
static void test_place_many(void **state)
{
	(void)state;
	struct atomic_stage stages[MANY], *list[MANY];
	char *targets[MANY];
	int errors[MANY];

	for (size_t i = 0; i < MANY; i++) {
		targets[i] = xasprintf("%s.%zu", target, i);
		put(targets[i], OLD);
		assert_int_equal(atomic_stage(targets[i], i % 2 ? 100 : 0, &stages[i]), 0);
		struct stat st = stat_of(targets[i]);
		atomic_expect(&stages[i], &st, OLD, strlen(OLD));
		assert_int_equal(atomic_fill(&stages[i], NEW, strlen(NEW)), 0);
		assert_content(targets[i], OLD);
		list[i] = &stages[i];
	}
	put(targets[7], LOGIN);			     // somebody logged in
	assert_int_equal(unlink(stages[8].temp), 0); // somebody swept
	atomic_abort(&stages[9]);		     // there is nothing to be done
	list[10] = NULL;
	atomic_place(list, MANY, errors);
	for (size_t i = 0; i < MANY; i++) {
		bool left = i >= 7 && i <= 10;
		assert_int_equal(errors[i], i == 7 || i == 8 ? -ESTALE : 0);
		assert_content(targets[i], i == 7 ? LOGIN : left ? OLD : NEW);
		atomic_abort(&stages[i]);
		assert_int_equal(unlink(targets[i]), 0);
		free(targets[i]);
	}
	assert_int_equal(count_entries(), 1);
}

static void test_each_step_fails(void **state)
{
	(void)state;
	int failures = 0, failed_after_rename = 0;
	struct attempt attempt = {.reached = true};
	for (int step = 1; attempt.reached; step++) {
		fail_at_step(step, false);
		attempt = fail_at_step(step, true);
		failures += attempt.r < 0;
		failed_after_rename += attempt.r < 0 && attempt.renamed;
		if (attempt.r < 0)
			assert_int_equal(attempt.r, -EIO);
		else // only the directory's close may fail unheard
			assert_true(attempt.renamed);
	}
	// fchmod, and back; write, fsync; write, ftruncate, fchmod, fsync, close, rename; fsync of
	// the directory
	assert_int_equal(failures, 11);
	assert_int_equal(failed_after_rename, 1);
}

// A temp file whose fsync failed is not used again: the next fsync of it would succeed and mean
// nothing.
static void test_staging_again_fails(void **state)
{
	(void)state;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	assert_int_equal(atomic_stage(target, 10, &stage), 0);
	assert_int_equal(atomic_commit(&stage, OLD, strlen(OLD)), 0);
	arm(4, false); // after write, ftruncate, fchmod: the fsync
	assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), -EIO);
	assert_true(fault.reached);
	fault.armed = false;
	assert_int_equal(count_entries(), 1);
	assert_content(target, OLD);
	assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), 0);
	assert_content(target, NEW);
	atomic_abort(&stage);
}

static void test_each_step_is_the_last(void **state)
{
	(void)state;
	int status = 0, crashes = 0, seen_old = 0, seen_new = 0;
	for (int step = 1; step == 1 || WEXITSTATUS(status) == 77; step++) {
		put(target, OLD);
		pid_t pid = fork();
		if (pid == 0) {
			arm(step, true);
			_exit(atomic_replace(target, NEW, strlen(NEW), 0) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		crashes += WEXITSTATUS(status) == 77;
		bool is_new = stat_of(target).st_size == (off_t)strlen(NEW);
		assert_content(target, is_new ? NEW : OLD);
		seen_old += !is_new;
		seen_new += is_new;
		atomic_sweep(target);
		assert_int_equal(count_entries(), 1);
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(crashes >= 7);
	assert_true(seen_old >= 6 && seen_new >= 2);
}

// ---- what stands there must be what the new content was made from

static int replace_expected(struct atomic_stage *stage)
{
	struct stat st = stat_of(target);
	int r = atomic_stage(target, strlen(NEW), stage);
	if (r < 0)
		return r;
	atomic_expect(stage, &st, OLD, strlen(OLD));
	return atomic_commit(stage, NEW, strlen(NEW));
}

static int replace_expected_once(void)
{
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	int r = replace_expected(&stage);
	atomic_abort(&stage);
	return r;
}

static void renew(void)
{
	unlink(target);
	put(target, OLD);
	assert_int_equal(chmod(target, 0640), 0);
}

// Each of these alone tells that somebody has been there: an editor that keeps the times, a file that was moved there.
static void test_another_file_stands_there(void **state)
{
	(void)state;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	for (int i = 0; i < 9; i++) {
		struct stat st = stat_of(target);
		int r = 0;
		st.st_dev += i == 1;
		st.st_ino += i == 2;
		st.st_size += i == 3;
		st.st_mtim.tv_nsec += i == 4;
		st.st_ctim.tv_nsec += i == 5;
		st.st_mode ^= i == 6 ? 020 : 0;
		st.st_uid += i == 7;
		st.st_gid += i == 8;
		assert_int_equal(atomic_stage(target, strlen(NEW), &stage), 0);
		atomic_expect(&stage, &st, OLD, strlen(OLD));
		r = atomic_commit(&stage, NEW, strlen(NEW));
		atomic_abort(&stage);
		assert_int_equal(r, i == 0 ? 0 : -ESTALE);
		assert_content(target, i == 0 ? NEW : OLD);
		assert_int_equal(stat_of(target).st_mode & 07777, 0640);
		assert_int_equal(count_entries(), 1);
		renew();
	}
	// The text decides, whatever stat says.
	struct stat st = stat_of(target);
	assert_int_equal(atomic_stage(target, strlen(NEW), &stage), 0);
	atomic_expect(&stage, &st, LOGIN, strlen(LOGIN));
	assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), -ESTALE);
	atomic_abort(&stage);
	assert_content(target, OLD);
	assert_int_equal(stat_of(target).st_ino, st.st_ino); // put back, not written again
	assert_int_equal(count_entries(), 1);
	// Nothing stands there.
	assert_int_equal(atomic_stage(target, strlen(NEW), &stage), 0);
	atomic_expect(&stage, &st, OLD, strlen(OLD));
	assert_int_equal(unlink(target), 0);
	assert_int_equal(atomic_commit(&stage, NEW, strlen(NEW)), -ESTALE);
	atomic_abort(&stage);
	assert_int_equal(count_entries(), 0);
}

// However it is saved, whatever the file system can: at any step a login is what stands there in the end.
static void test_login_at_each_step(void **state)
{
	(void)state;
	static const struct {
		bool in_place;
		int no_record;
	} ways[] = {{false, 0}, {true, 0}, {false, ENOSPC}, {false, EPERM}};
	for (size_t way = 0; way < ARRAY_SIZE(ways); way++) {
		int steps = 0, refused = 0;
		for (int login = 1; login == 1 || fault.count >= login; login++) {
			renew();
			arm(0, false);
			fault.login = login;
			fault.in_place = ways[way].in_place;
			fault.no_record = ways[way].no_record;
			int r = replace_expected_once();
			fault.armed = false;
			if (fault.count < login)
				break;
			assert_true(r == 0 || r == -ESTALE);
			refused += r == -ESTALE;
			steps++;
			assert_content(target, LOGIN);
			assert_int_equal(count_entries(), 1);
		}
		assert_true(steps >= 14);
		assert_true(refused >= 9 && refused < steps);
	}
}

// 77: killed; the login is saved before the call `login`, if that comes first.
static int killed_at(int step, int login)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		arm(step, true);
		fault.login = login;
		replace_expected_once();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

// … and then killed at any later one: the next run finds the login, where it belongs.
static void test_login_then_killed(void **state)
{
	(void)state;
	int put_back = 0, killed = 77;
	for (int login = 1; login <= 20; login++) {
		for (int step = login; step == login || killed == 77; step++) {
			renew();
			killed = killed_at(step, login);
			bool interrupted = swap_is_interrupted(AT_FDCWD, target);
			put_back += interrupted && stat_of(target).st_size == (off_t)strlen(NEW);
			atomic_sweep(target); // which leaves alone what the record names
			assert_int_equal(swap_recover(target), 0);
			assert_false(swap_is_interrupted(AT_FDCWD, target));
			atomic_sweep(target);
			if (killed == 77)
				assert_content(target, LOGIN);
			assert_int_equal(count_entries(), 1);
		}
	}
	assert_true(put_back >= 1); // killed in that very moment
}

// Without a login: old or new, and the next run goes on from there.
static void test_swap_then_killed(void **state)
{
	(void)state;
	int killed = 77, seen[2] = {0}, interrupted = 0;
	for (int step = 1; killed == 77; step++) {
		renew();
		killed = killed_at(step, 0);
		bool is_new = stat_of(target).st_size == (off_t)strlen(NEW);
		seen[is_new]++;
		interrupted += swap_is_interrupted(AT_FDCWD, target);
		assert_int_equal(swap_recover(target), 0);
		atomic_sweep(target);
		assert_content(target, is_new ? NEW : OLD);
		assert_int_equal(stat_of(target).st_mode & 07777, 0640);
		assert_int_equal(count_entries(), 1);
	}
	assert_true(seen[0] >= 10 && seen[1] >= 4 && interrupted >= 3);
}

// Written by somebody since, who has not seen the login: neither is overwritten.
static void test_login_is_kept_aside(void **state)
{
	(void)state;
	int kept = 0;
	for (int step = 1; step <= 30; step++)
		for (int login = 1; login <= step; login++) {
			renew();
			killed_at(step, login);
			if (swap_is_interrupted(AT_FDCWD, target) &&
			    stat_of(target).st_size == (off_t)strlen(NEW))
				put(target, "{}");
			const struct stat now = stat_of(target);
			_cleanup_free_ char *saved = xasprintf("%s.%d-", path_basename(target),
							       (int)swap_owner(target).pid);
			assert_int_equal(swap_recover(target), 0);
			atomic_sweep(target);
			assert_int_equal(stat_of(target).st_size, now.st_size);
			DIR *d = opendir(directory);
			for (const struct dirent *e; (e = readdir(d));) {
				if (!string_ends(e->d_name, ".oauth-keepalive.saved"))
					continue;
				_cleanup_free_ char *path = path_join(directory, e->d_name);
				assert_true(string_starts(e->d_name, saved));
				assert_content(path, LOGIN);
				assert_int_equal(unlink(path), 0);
				kept++;
			}
			closedir(d);
			assert_int_equal(count_entries(), 1);
		}
	assert_true(kept >= 1);
}

static void test_no_exchange_here(void **state)
{
	(void)state;
	static const int errors[] = {EINVAL, ENOSYS, EOPNOTSUPP, EPERM};
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		renew();
		fault.no_exchange = errors[i];
		assert_int_equal(replace_expected_once(), 0);
		assert_content(target, NEW);
		assert_int_equal(count_entries(), 1);
	}
	renew();
	fault.no_exchange = EIO;
	assert_int_equal(replace_expected_once(), -EIO);
	assert_content(target, OLD);
	assert_int_equal(count_entries(), 1);
}

// What came out cannot be looked at: nothing is removed, and the next call finds out.
static void test_no_descriptor_to_look(void **state)
{
	(void)state;
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	fault.no_open = EMFILE;
	assert_int_equal(replace_expected(&stage), -EMFILE);
	atomic_abort(&stage);
	assert_int_equal(count_entries(), 3);
	assert_content(target, NEW);
	assert_false(swap_is_interrupted(AT_FDCWD, target)); // its process lives
	assert_int_equal(swap_recover(target), -EMFILE);
	fault.no_open = 0;
	assert_int_equal(swap_recover(target), 0);
	assert_content(target, NEW);
	assert_int_equal(count_entries(), 1);
	assert_int_equal(swap_recover(target), 0);
}

// Records of others: a living process's is waited for, and what is none is left alone.
static void test_foreign_record(void **state)
{
	(void)state;
	static const char *const strange[] = {"nowhere",
					      "1",
					      "0-1.0123456789abcdef.0123456789abcdef",
					      "1-1.0123456789abcdef.0123456789abcdef.",
					      "1-1.0123456789ABCDEF.0123456789abcdef",
					      "1-1.0123456789abcdef.0123456789abcde"};
	_cleanup_free_ char *record = xasprintf("%s.oauth-keepalive.swap", target);
	struct process_id parent;
	assert_int_equal(process_identify(getppid(), &parent), 0);
	_cleanup_free_ char *alive = xasprintf("%d-%" PRIu64 ".0123456789abcdef.0123456789abcdef",
					       (int)parent.pid, parent.starttime);
	assert_int_equal(symlink(alive, record), 0);
	assert_int_equal(swap_recover(target), -EBUSY);
	assert_int_equal(replace_expected_once(), -EBUSY);
	assert_content(target, OLD);
	assert_int_equal(count_entries(), 2);
	assert_int_equal(unlink(record), 0);
	for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
		renew();
		assert_int_equal(symlink(strange[i], record), 0);
		assert_false(swap_is_interrupted(AT_FDCWD, target));
		assert_int_equal(swap_recover(target), 0);
		assert_int_equal(replace_expected_once(), 0);
		assert_content(target, NEW);
		assert_int_equal(count_entries(), 2);
		assert_int_equal(unlink(record), 0);
	}
	put(record, "a file");
	renew();
	assert_int_equal(replace_expected_once(), 0);
	assert_content(record, "a file");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stage_and_commit),
		TEST(test_commit_longer_than_staged),
		TEST(test_abort),
		TEST(test_new_target),
		TEST(test_owner),
		TEST(test_attributes_changed_meanwhile),
		TEST(test_acl_is_kept),
		TEST(test_inherited_acl_opens_nothing),
		TEST(test_attributes_are_kept),
		TEST(test_attribute_is_refused),
		TEST(test_special_bits),
		TEST(test_group_of_others),
		TEST(test_bare_file_system),
		TEST(test_proof_does_not_compress),
		TEST(test_refused),
		TEST(test_link_at_commit),
		TEST(test_long_name),
		TEST(test_no_space),
		TEST(test_read_only_directory),
		TEST(test_bind_mounted_target),
		TEST(test_immutable_target),
		TEST(test_append_only_directory),
		TEST(test_directory_moved),
		TEST(test_leftover),
		TEST(test_two_stages),
		TEST(test_hard_link),
		TEST(test_sweep),
		TEST(test_sweep_all),
		TEST(test_sweep_follows_no_link),
		TEST(test_place_many),
		TEST(test_each_step_fails),
		TEST(test_staging_again_fails),
		TEST(test_each_step_is_the_last),
		TEST(test_another_file_stands_there),
		TEST(test_login_at_each_step),
		TEST(test_login_then_killed),
		TEST(test_swap_then_killed),
		TEST(test_login_is_kept_aside),
		TEST(test_no_exchange_here),
		TEST(test_no_descriptor_to_look),
		TEST(test_foreign_record),
	};
	return cmocka_run_group_tests_name("atomic_file", tests, NULL, NULL);
}
