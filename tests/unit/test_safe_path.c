// SPDX-License-Identifier: MIT
//
// What is safe and what is not; and that the remedy given is one: it is run, and then the path is
// safe.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "file/safe_path.h"

#define OTHER_UID 12345

static char *top, *directory, *file; // <top>/agents/store.json

static void put(const char *path)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static int set_up(void **state)
{
	(void)state;
	char *base = getenv("TMPDIR"), *real = realpath(base ? base : "/tmp", NULL);
	assert_non_null(real);
	umask(022);
	top = xasprintf("%s/safe-path-XXXXXX", real);
	free(real);
	assert_non_null(mkdtemp(top));
	directory = path_join(top, "agents");
	assert_int_equal(mkdir(directory, 0700), 0);
	file = path_join(directory, "store.json");
	put(file);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	_cleanup_free_ char *command = xasprintf("rm -rf '%s'", top);
	assert_int_equal(system(command), 0);
	cleanup_free(&top);
	cleanup_free(&directory);
	cleanup_free(&file);
	return 0;
}

typedef int check_fn(const char *path, char **ret_message, char **ret_fix);

static char untouched[] = "untouched";

static void assert_result(check_fn *check, const char *path, int expected)
{
	char *message = untouched, *fix = untouched;
	int r = check(path, &message, &fix);
	if (r != expected)
		print_error("%s: %d, %s\n", path, r, message);
	assert_int_equal(r, expected);
	assert_ptr_equal(message, untouched);
	assert_ptr_equal(fix, untouched);
}

static void assert_refused(check_fn *check, const char *path, const char *expected_message,
			   const char *expected_fix)
{
	_cleanup_free_ char *message = NULL, *fix = NULL;
	assert_int_equal(check(path, &message, &fix), -EPERM);
	assert_non_null(message);
	assert_non_null(fix);
	assert_string_equal(message, expected_message);
	assert_string_equal(fix, expected_fix);
}

static void assert_refused_and_fixed(check_fn *check, const char *path, mode_t mode,
				     const char *where)
{
	_cleanup_free_ char *message =
		xasprintf("%s is writable by group or others (mode %04o)", where, (unsigned)mode);
	_cleanup_free_ char *fix = xasprintf("chmod go-w %s", where);
	assert_int_equal(chmod(where, mode), 0);
	assert_refused(check, path, message, fix);
	assert_int_equal(system(fix), 0);
	assert_result(check, path, 0);
}

// Into a group that is not our private one. Root knows one that nobody is in; a user may have a second.
static void share(const char *path)
{
	gid_t groups[64], shared = OTHER_UID;
	int n = getgroups(ARRAY_SIZE(groups), groups);

	for (int i = 0; geteuid() != 0 && i < n; i++)
		if (groups[i] != getegid())
			shared = groups[i];
	if (chown(path, (uid_t)-1, shared) < 0)
		skip();
}

// With a umask of 002 all that a user makes is his group's to write, and in that there is nobody else.
static void test_private_group(void **state)
{
	(void)state;
	const struct passwd *user = getpwuid(geteuid());
	const struct group *group = user ? getgrgid(user->pw_gid) : NULL;
	if (!group || !string_equal(group->gr_name, user->pw_name) || *group->gr_mem)
		skip();
	assert_int_equal(chown(file, (uid_t)-1, user->pw_gid) | chmod(file, 0660), 0);
	assert_int_equal(chown(directory, (uid_t)-1, user->pw_gid) | chmod(directory, 02775), 0);
	assert_int_equal(chown(top, (uid_t)-1, user->pw_gid) | chmod(top, 0775), 0);
	assert_result(path_check_file, file, 0);
	assert_result(path_check_directory, directory, 0);
	assert_refused_and_fixed(path_check_file, file, 0662, file);

	// In an access list the bit is the mask: whoever is named there may write.
	static const uint32_t list[] = {2,   0x60001, ~0U, 0x60002, OTHER_UID, 0x4,
					~0U, 0x60010, ~0U, 0x20,    ~0U};
	assert_int_equal(chmod(file, 0660), 0);
	if (setxattr(file, "system.posix_acl_access", list, sizeof(list), 0) == 0)
		assert_refused_and_fixed(path_check_file, file, 0660, file);
}

// What a person names in the configuration: links are followed, and whoever could turn one is not
// trusted.
static void test_trusted(void **state)
{
	(void)state;
	_cleanup_free_ char *other = path_join(top, "other"), *link = path_join(other, "link");
	_cleanup_free_ char *around = path_join(top, "around");
	_cleanup_free_ char *path = xasprintf("%s/./around//../other/link", top);
	_cleanup_free_ char *circle = path_join(top, "circle");
	_cleanup_free_ char *message = NULL, *fix = NULL;

	assert_int_equal(mkdir(other, 0755) | symlink("agents", around), 0);
	assert_int_equal(symlink("../around/store.json", link) | symlink("circle", circle), 0);
	assert_result(path_check_trusted, "/etc/passwd", 0);
	assert_result(path_check_trusted, path, 0);
	assert_result(path_check_trusted, circle, -ELOOP);
	share(other);
	assert_refused_and_fixed(path_check_trusted, path, 0775, other);
	share(file);
	assert_refused_and_fixed(path_check_trusted, path, 0660, file);
	if (geteuid() != 0)
		return;
	assert_int_equal(lchown(around, OTHER_UID, (gid_t)-1), 0);
	assert_int_equal(path_check_trusted(path, &message, &fix), -EPERM);
	assert_true(string_starts(fix, "sudo "));
	assert_int_equal(system(fix + strlen("sudo ")), 0);
	assert_result(path_check_trusted, path, 0);
}

static void test_modes(void **state)
{
	(void)state;
	share(file);
	share(directory);
	static const mode_t safe_files[] = {0600, 0400, 0640, 0644, 0700, 04600};
	static const mode_t unsafe_files[] = {0620, 0602, 0660, 0666, 0777, 01666};
	for (size_t i = 0; i < ARRAY_SIZE(safe_files); i++) {
		assert_int_equal(chmod(file, safe_files[i]), 0);
		assert_result(path_check_file, file, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(unsafe_files); i++)
		assert_refused_and_fixed(path_check_file, file, unsafe_files[i], file);

	static const mode_t unsafe_directories[] = {0720, 0770, 0777, 01777};
	assert_result(path_check_directory, directory, 0);
	for (size_t i = 0; i < ARRAY_SIZE(unsafe_directories); i++)
		assert_refused_and_fixed(path_check_directory, directory, unsafe_directories[i],
					 directory);
}

static void test_directories_above(void **state)
{
	(void)state;
	static const mode_t safe[] = {0700, 0755, 01775, 01777, 01703};
	share(top);
	for (size_t i = 0; i < ARRAY_SIZE(safe); i++) {
		assert_int_equal(chmod(top, safe[i]), 0);
		assert_result(path_check_file, file, 0);
		assert_result(path_check_directory, directory, 0);
	}
	assert_refused_and_fixed(path_check_file, file, 0777, top);
	assert_refused_and_fixed(path_check_file, file, 0775, top);
	assert_refused_and_fixed(path_check_file, file, 0702, directory);
	assert_refused_and_fixed(path_check_directory, directory, 0702, top);
	assert_refused_and_fixed(path_check_directory, directory, 0720, top);
	assert_int_equal(chmod(directory, 01777), 0);
	assert_result(path_check_file, file, 0);
}

static void test_types(void **state)
{
	(void)state;
	_cleanup_free_ char *fifo = path_join(directory, "fifo"), *message = NULL, *fix = NULL;
	assert_int_equal(mkfifo(fifo, 0600), 0);
	message = xasprintf("%s is not a regular file (mode 010600)", fifo);
	fix = xasprintf("ls -ld %s", fifo);
	assert_refused(path_check_file, fifo, message, fix);
	_cleanup_free_ char *message2 =
		xasprintf("%s is not a regular file (mode 040700)", directory);
	_cleanup_free_ char *fix2 = xasprintf("ls -ld %s", directory);
	assert_refused(path_check_file, directory, message2, fix2);
	_cleanup_free_ char *message3 = xasprintf("%s is not a directory (mode 100600)", file);
	_cleanup_free_ char *fix3 = xasprintf("ls -ld %s", file);
	assert_refused(path_check_directory, file, message3, fix3);
	if (geteuid() == 0)
		assert_result(path_check_directory, "/", 0); // with nothing above it
}

static void test_missing(void **state)
{
	(void)state;
	_cleanup_free_ char *missing = path_join(directory, "missing"),
			    *below = path_join(file, "x");
	assert_result(path_check_file, missing, -ENOENT);
	assert_result(path_check_directory, missing, -ENOENT);
	assert_result(path_check_file, below, -ENOTDIR);
	assert_int_equal(symlink("missing", missing), 0);
	assert_result(path_check_file, missing, -ELOOP);
}

static void assert_link_refused(check_fn *check, const char *path, const char *real)
{
	_cleanup_free_ char *message =
		xasprintf("%s is not a real path: it leads to %s", path, real);
	_cleanup_free_ char *fix = xasprintf("realpath %s", path);
	assert_refused(check, path, message, fix);
}

static void test_links(void **state)
{
	(void)state;
	_cleanup_free_ char *link = path_join(directory, "link"),
			    *around = path_join(top, "around");
	_cleanup_free_ char *through = path_join(around, "store.json");
	_cleanup_free_ char *dotted = xasprintf("%s/../agents/store.json", directory);
	assert_int_equal(symlink("store.json", link), 0);
	assert_int_equal(symlink("agents", around), 0);
	assert_link_refused(path_check_file, link, file);
	assert_link_refused(path_check_file, through, file);
	assert_link_refused(path_check_file, dotted, file);
	assert_link_refused(path_check_directory, around, directory);
}

static void test_owner_of_others_file(void **state)
{
	(void)state;
	if (geteuid() == 0)
		skip();
	_cleanup_free_ char *message =
		xasprintf("/etc/passwd is owned by uid 0, not by uid %u (mode 0644)", geteuid());
	_cleanup_free_ char *fix = xasprintf("sudo chown %u /etc/passwd", geteuid());
	assert_refused(path_check_file, "/etc/passwd", message, fix);
}

// Also root does not write what is not its own.
static void test_owner_as_root(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chown(file, OTHER_UID, (gid_t)-1), 0);
	_cleanup_free_ char *message =
		xasprintf("%s is owned by uid 12345, not by uid 0 (mode 0600)", file);
	assert_refused(path_check_file, file, message, "sudo -u '#12345' oauth-keepalive refresh");
	assert_int_equal(chown(file, 0, (gid_t)-1), 0);
	assert_result(path_check_file, file, 0);

	assert_int_equal(chown(top, OTHER_UID, (gid_t)-1), 0);
	_cleanup_free_ char *above = xasprintf(
		"the directory %s is owned by uid 12345, neither by root nor by uid 0 (mode 0700)",
		top);
	const char *fix = "sudo -u '#12345' oauth-keepalive refresh # or keep this elsewhere";
	assert_refused(path_check_file, file, above, fix);
	assert_refused(path_check_directory, directory, above, fix);
}

// As somebody else: root's directories above are fine, root's file is not, another's directory is
// not.
static void test_owner_as_user(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(top, 0755), 0);
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(chown(file, OTHER_UID, (gid_t)-1), 0);
	assert_int_equal(seteuid(OTHER_UID), 0);
	assert_result(path_check_file, file, 0);
	_cleanup_free_ char *message = NULL, *fix = NULL;
	assert_int_equal(path_check_directory(directory, &message, &fix), -EPERM);
	assert_int_equal(seteuid(0), 0);

	assert_int_equal(chown(top, OTHER_UID + 1, (gid_t)-1), 0);
	assert_int_equal(seteuid(OTHER_UID), 0);
	_cleanup_free_ char *above = NULL, *above_fix = NULL;
	assert_int_equal(path_check_file(file, &above, &above_fix), -EPERM);
	assert_int_equal(seteuid(0), 0);
	assert_non_null(strstr(message, "is owned by uid 0, not by uid 12345"));
	assert_non_null(strstr(fix, "sudo chown 12345 "));
	assert_non_null(strstr(above, "is owned by uid 12346, neither by root nor by uid 12345"));
}

static void test_odd_names(void **state)
{
	(void)state;
	static const struct {
		const char *name, *quoted, *shown;
		bool dollar; // in $'…', which not every /bin/sh reads
	} rows[] = {
		{"a b", "a b", "a b"},
		{"it's", "it'\\''s", "it's"},
		{"''", "'\\'''\\''", "''"},
		{"$(touch x);`y`&\"|*", "$(touch x);`y`&\"|*", "$(touch x);`y`&\"|*"},
		{"#~\xc3\xa9", "#~\xc3\xa9", "#~\xc3\xa9"},
		{"red\x1b[31m\n", "red\\033[31m\\012", "red\\x1B[31m\\x0A", true},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *path = path_join(directory, rows[i].name), *got = NULL,
				    *got_fix = NULL;
		_cleanup_free_ char *message =
			xasprintf("%s/%s is writable by group or others (mode 0622)", directory,
				  rows[i].shown);
		_cleanup_free_ char *fix =
			xasprintf("chmod go-w %s'%s/%s'", rows[i].dollar ? "$" : "", directory,
				  rows[i].quoted);
		put(path);
		assert_int_equal(chmod(path, 0622), 0);
		assert_int_equal(path_check_file(path, &got, &got_fix), -EPERM);
		assert_string_equal(got, message);
		assert_string_equal(got_fix, fix);
		if (rows[i].dollar && access("/bin/bash", X_OK) < 0)
			continue;
		setenv("COMMAND", fix, 1);
		assert_int_equal(system(rows[i].dollar ? "exec /bin/bash -c \"$COMMAND\"" : fix),
				 0);
		assert_result(path_check_file, path, 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_modes),	  TEST(test_directories_above),
		TEST(test_types),	  TEST(test_missing),
		TEST(test_links),	  TEST(test_owner_of_others_file),
		TEST(test_owner_as_root), TEST(test_owner_as_user),
		TEST(test_odd_names),	  TEST(test_private_group),
		TEST(test_trusted),
	};
	return cmocka_run_group_tests_name("safe_path", tests, NULL, NULL);
}
