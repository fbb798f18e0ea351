// SPDX-License-Identifier: MIT
//
// Are a store, or the ledger, tracked by git? By git's own index (gitformat-index(5)), since to run git in a directory is to
// run what its configuration names. An index that is split in two, or what a work tree elsewhere tracks, is not found.
#include "doctor/doctor.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_MAX   (256 << 20)
#define HEADER_SIZE 12
#define STAT_SIZE   40	   // what an entry begins with; the hash and the flags follow
#define EXTENDED    0x4000 // two more bytes of flags
#define NAME_MASK   0xfff  // the length of an entry's name, as far as its flags can tell it

// ---- an index

struct git_index {
	const unsigned char *at, *end;
	size_t hash; // how long one is: 20 bytes, or 32; only the repository's configuration tells
	uint32_t version;
	char name[PATH_MAX]; // of the entry before
	size_t len;
};

// How many bytes of the name before are not this one's: git's own spelling of a number.
static bool read_number(struct git_index *index, const unsigned char **at, size_t *ret)
{
	size_t n = 0;

	for (const unsigned char *c = *at; c < index->end && n < PATH_MAX; c++) {
		n = n << 7 | (*c & 0x7f);
		if (!(*c & 0x80)) {
			*at = c + 1;
			*ret = n;
			return true;
		}
		n++;
	}
	return false;
}

// false: that is no entry.
static bool next_name(struct git_index *index)
{
	const unsigned char *entry = index->at, *flags = entry + STAT_SIZE + index->hash;
	size_t dropped = index->len; // each name is whole up to version 3

	if (entry > index->end || (size_t)(index->end - entry) < STAT_SIZE + index->hash + 4)
		return false;
	unsigned int told = (unsigned int)flags[0] << 8 | flags[1];
	const unsigned char *name = flags + (told & EXTENDED ? 4 : 2);
	if (index->version == 4 && (!read_number(index, &name, &dropped) || dropped > index->len))
		return false;
	size_t kept = index->len - dropped,
	       len = strnlen((const char *)name, (size_t)(index->end - name));
	if (name + len == index->end || kept + len >= sizeof(index->name))
		return false;
	memcpy(index->name + kept, name, len + 1);
	index->len = kept + len;
	index->at = index->version == 4 ? name + len + 1
					: entry + (((size_t)(name - entry) + len + 8) & ~(size_t)7);
	return (told & NAME_MASK) == (index->len < NAME_MASK ? index->len : NAME_MASK);
}

// The file itself, or what lies below the directory.
static bool is_at_or_below(const char *path, const char *name)
{
	size_t len = strlen(name);

	return strncmp(path, name, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static bool holds_name(const unsigned char *text, size_t size, size_t hash, const char *name)
{
	struct git_index index = {.at = text + HEADER_SIZE, .end = text + size, .hash = hash};
	uint32_t header[3], n;

	if (size < HEADER_SIZE || memcmp(text, "DIRC", 4) != 0)
		return false;
	memcpy(header, text, sizeof(header));
	index.version = be32toh(header[1]);
	for (n = be32toh(header[2]); n > 0 && next_name(&index); n--)
		if (is_at_or_below(index.name, name))
			return true;
	return false;
}

// ---- a work tree

// `.git` is a directory, or in a further work tree a file that says where that is.
static char *git_directory(const char *top)
{
	_cleanup_free_ char *git = path_join(top, ".git");
	_cleanup_close_ int fd = open(git, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char text[PATH_MAX] = "";

	if (fd < 0 || read_full(fd, text, sizeof(text) - 1) < 0 || !string_starts(text, "gitdir: "))
		return TAKE_PTR(git);
	const char *path = text + strlen("gitdir: ");
	text[strcspn(text, "\n")] = '\0';
	return path[0] == '/' ? xstrdup(path) : path_join(top, path);
}

static bool is_tracked(const char *top, const char *name)
{
	_cleanup_free_ char *git = git_directory(top), *path = path_join(git, "index");
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
	tracked = holds_name(index, (size_t)st.st_size, 20, name) ||
		  holds_name(index, (size_t)st.st_size, 32, name);
	munmap(index, (size_t)st.st_size);
	return tracked;
}

// ---- what is said

static void say_tracked(const char *top, const char *name, const char *code, const char *what,
			const char *shown, struct problems *problems)
{
	_cleanup_free_ char *where = shell_quoted(top), *word = shell_quoted(name);

	problem_add(
		problems, SEVERITY_ERROR, code, shown, NULL,
		xasprintf("git tracks %s: its tokens are in every commit and every clone", what),
		xasprintf("git -C %s rm -r --cached -- %s # and ignore it; if it was pushed, "
			  "others know the tokens: log in again",
			  where, word));
}

// Up from the file itself; `shown`: as the problem names it.
static void check(const char *path, const char *code, const char *what, const char *shown,
		  struct problems *problems)
{
	_cleanup_free_ char *top = path_dirname(path);

	while (strlen(top) > 1) {
		if (is_tracked(top, path + strlen(top) + 1))
			return say_tracked(top, path + strlen(top) + 1, code, what, shown,
					   problems);
		_cleanup_free_ char *below = top;
		top = path_dirname(below);
	}
}

void doctor_check_git(const struct report *report, struct problems *problems)
{
	const struct stores *stores = &report->cycle->now.stores;
	_cleanup_free_ char *ledger = path_real(report->ledger->directory);

	for (size_t i = 0; i < stores->n; i++)
		if (stores->list[i].state != STORE_MISSING && stores->list[i].target)
			check(stores->list[i].target, "store_in_git", "this store",
			      stores->list[i].path, problems);
	if (ledger)
		check(ledger, "ledger_in_git", "the ledger", report->ledger->directory, problems);
}
