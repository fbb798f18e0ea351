// SPDX-License-Identifier: MIT
//
// Is a store tracked by git? By git's own index (gitformat-index(5), versions 2 and 3), since to run git in a directory is
// to run what its configuration names. In an index of version 4, whose names are not whole, nothing is found.
#include "doctor/doctor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_MAX (256 << 20)
#define NAME_MASK 0xfff // the length of an entry's name, as far as its flags can tell it

static bool holds_name(const unsigned char *index, size_t size, const char *name)
{
	size_t len = strlen(name), told = len < NAME_MASK ? len : NAME_MASK;
	const unsigned char *at = index, *end = index + size;

	while ((at = memmem(at, (size_t)(end - at), name, len + 1))) {
		if (at - index >= 2 && ((at[-2] << 8 | at[-1]) & NAME_MASK) == told)
			return true;
		at++;
	}
	return false;
}

static bool is_tracked(const char *top, const char *name)
{
	_cleanup_free_ char *git = path_join(top, ".git"), *path = path_join(git, "index");
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	bool tracked;
	void *index;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
	    st.st_size > INDEX_MAX)
		return false;
	index = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (index == MAP_FAILED)
		return false;
	tracked = holds_name(index, (size_t)st.st_size, name);
	munmap(index, (size_t)st.st_size);
	return tracked;
}

static void say_tracked(const char *top, const char *name, const struct store *store,
			struct problems *problems)
{
	_cleanup_free_ char *where = shell_quoted(top), *what = shell_quoted(name);

	problem_add(
		problems, SEVERITY_ERROR, "store_in_git", store->path, NULL,
		xstrdup("git tracks this store: every commit, and every clone of it, has its "
			"tokens"),
		xasprintf("git -C %s rm --cached %s # and ignore it; what was pushed is known to "
			  "others: log in again",
			  where, what));
}

static void check(const char *path, const struct store *store, struct problems *problems)
{
	_cleanup_free_ char *top = path_dirname(path);

	while (strlen(top) > 1) {
		if (is_tracked(top, path + strlen(top) + 1))
			return say_tracked(top, path + strlen(top) + 1, store, problems);
		_cleanup_free_ char *below = top;
		top = path_dirname(below);
	}
}

void doctor_check_git(const struct report *report, struct problems *problems)
{
	const struct stores *stores = &report->cycle->now.stores;

	for (size_t i = 0; i < stores->n; i++)
		if (stores->list[i].state != STORE_MISSING && stores->list[i].target)
			check(stores->list[i].target, &stores->list[i], problems);
}
