// SPDX-License-Identifier: MIT
//
// What one look knows about directories is what safe_path.h says of each, asked by itself.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>
#include <cmocka.h>

#include "file/places.h"
#include "file/safe_path.h"

static char *top;

static int setup(void **state)
{
	char template[] = "/tmp/test_places.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(template));
	top = xstrdup(template);
	return 0;
}

static int teardown(void **state)
{
	_cleanup_free_ char *command = xasprintf("rm -rf -- %s", top);

	(void)state;
	assert_int_equal(system(command), 0);
	free(top);
	return 0;
}

static char *in_top(const char *name)
{
	return path_join(top, name);
}

static void make_directory(const char *name, mode_t mode)
{
	_cleanup_free_ char *path = in_top(name);

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void make_link(const char *name, const char *to)
{
	_cleanup_free_ char *path = in_top(name);

	assert_int_equal(symlink(to, path), 0);
}

// By what a file in that directory is told, asked the long way.
static bool is_safe(const char *directory)
{
	_cleanup_free_ char *file = path_join(directory, "file"), *message = NULL, *fix = NULL;
	int fd = open(file, O_WRONLY | O_CREAT, 0600), r;

	assert_true(fd >= 0);
	close(fd);
	r = path_check_file(file, &message, &fix);
	assert_int_equal(unlink(file), 0);
	return r == 0;
}

static void test_as_asked_singly(void **state)
{
	static const char *const names[] = {
		"",	    "plain",	     "plain/below", "open",   "open/below",
		"sticky",   "link",	     "link/below",  "loop",   "plain/gone",
		"plain/..", "plain/./below", "nowhere",	    "plain/", "/plain",
	};
	struct places places = {0};

	(void)state;
	make_directory("plain", 0700);
	make_directory("plain/below", 0755);
	make_directory("open", 0777);
	make_directory("open/below", 0700);
	make_directory("sticky", 01777);
	make_link("link", "plain");
	make_link("loop", "loop");
	make_link("nowhere", "plain/gone");
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			_cleanup_free_ char *path = xasprintf("%s/%s", top, names[i]);
			_cleanup_free_ char *real = path_real(path);
			int error = real ? 0 : -errno;
			const struct place *place = place_find(&places, path);

			if (!real != !place->real || place->error != error)
				fail_msg("%s: %d, not %d", path, place->error, error);
			if (!real)
				continue;
			assert_string_equal(place->real, real);
			assert_int_equal(place->safe, is_safe(real));
			assert_int_equal(place_obstacle(place, 0), OBSTACLE_NONE);
		}
	}
	places_free(&places);
}

// A file is no directory, and what stands in the way of all files in one is said of it.
static void test_others(void **state)
{
	_cleanup_free_ char *file = in_top("file"), *closed = in_top("plain");
	struct places places = {0};
	int fd = open(file, O_WRONLY | O_CREAT, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(place_find(&places, file)->error, -ENOTDIR);
	assert_int_equal(chmod(closed, 0500), 0);
	if (geteuid() != 0)
		assert_int_equal(place_obstacle(place_find(&places, closed), 0),
				 OBSTACLE_DIRECTORY);
	assert_int_equal(chmod(closed, 0700), 0);
	assert_int_equal(place_obstacle(place_find(&places, top), STATX_ATTR_MOUNT_ROOT),
			 OBSTACLE_MOUNT_POINT);
	assert_int_equal(place_obstacle(place_find(&places, top), STATX_ATTR_IMMUTABLE),
			 OBSTACLE_IMMUTABLE);
	places_free(&places);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_asked_singly),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
