// SPDX-License-Identifier: MIT
//
// util, secret, json, log, problem. That secrets are wiped is tested by standing between the
// program and the allocator: no block may go back to it with a secret in it.

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "json/json.h"
#include "base/log.h"
#include "base/problem.h"
#include "base/secret.h"
#include "base/util.h"

#define MARK "FAKE-REFRESH"

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif

#ifdef HAVE_ASAN
// For the test of running out of memory.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}
#else
// The blocks that were given back with MARK in them, while watching.
static bool watching;
static int unwiped;

void __libc_free(void *p);
void *__libc_realloc(void *p, size_t size);

static void inspect(void *p)
{
	if (watching && p && memmem(p, malloc_usable_size(p), MARK, strlen(MARK)))
		unwiped++;
}

void free(void *p)
{
	inspect(p);
	__libc_free(p);
}

void *realloc(void *p, size_t size)
{
	inspect(p);
	return __libc_realloc(p, size);
}
#endif

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t next_random(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

// Runs `body` in a process of its own and returns its wait status.
static int in_child(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_child_passes(void (*body)(void))
{
	int status = in_child(body);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

// In a child: ends it with the line that failed, said where standard error was.
static int require_fd = STDERR_FILENO;

#define require(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			dprintf(require_fd, "line %d\n", __LINE__);                                \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static int open_temporary(const char *content, size_t len)
{
	FILE *f = tmpfile();
	int fd;

	assert_non_null(f);
	fd = dup(fileno(f));
	fclose(f);
	assert_int_equal(write_full(fd, content, len), 0);
	return fd;
}

// ---- util

static void run_out_of_memory(void)
{
	volatile size_t n = SIZE_MAX / 2;

	close(STDERR_FILENO);
	xreallocarray(NULL, n, 16);
}

static void test_out_of_memory(void **state)
{
	int status = in_child(run_out_of_memory);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void test_array_add(void **state)
{
	struct item {
		uint64_t value;
		char rest[16];
	} *items = NULL;
	size_t n = 0;

	(void)state;
	for (uint64_t i = 0; i < 300; i++) {
		struct item *item = array_add(&items, &n);

		for (size_t k = 0; k < sizeof(*item); k++)
			assert_int_equal(((char *)item)[k], 0);
		memset(item, 0xff, sizeof(*item));
		item->value = i;
	}
	assert_int_equal(n, 300);
	for (uint64_t i = 0; i < 300; i++)
		assert_int_equal(items[i].value, i);
	free(items);
}

static void test_array_copy(void **state)
{
	(void)state;
	for (size_t n = 0; n < 70; n++) {
		uint64_t *items = NULL, *copy;
		size_t k = 0;
		while (k < n) {
			uint64_t value = k * k;
			*array_add(&items, &k) = value;
		}
		copy = array_copy(items, n);
		assert_true(n ? copy != items : !copy);
		while (k < 150) // it grows on its own
			*array_add(&copy, &k) = 7;
		for (k = 0; k < 150; k++)
			assert_int_equal(copy[k], k < n ? k * k : 7);
		free(items);
		free(copy);
	}
}

static void test_take(void **state)
{
	char *owner = xstrdup("x"), *taken = TAKE_PTR(owner);
	int fd = 7, taken_fd = TAKE_FD(fd);

	(void)state;
	assert_null(owner);
	assert_string_equal(taken, "x");
	assert_int_equal(fd, -1);
	assert_int_equal(taken_fd, 7);
	free(taken);
}

static void test_strings(void **state)
{
	_cleanup_free_ char *part = xstrndup("abc", 2), *whole = xstrndup("abc", 9);

	(void)state;
	assert_string_equal(part, "ab");
	assert_string_equal(whole, "abc");
	assert_null(xstrdup(NULL));
	assert_true(string_equal(NULL, NULL));
	assert_false(string_equal(NULL, ""));
	assert_false(string_equal("", NULL));
	assert_true(string_equal("a", "a"));
	assert_false(string_equal("a", "A"));
	assert_true(string_empty(NULL) && string_empty(""));
	assert_false(string_empty(" "));
	assert_true(string_starts("abc", "ab") && string_starts("abc", ""));
	assert_false(string_starts("a", "ab") || string_starts(NULL, ""));
	assert_true(string_ends("abc", "bc") && string_ends("abc", "abc"));
	assert_false(string_ends("bc", "abc") || string_ends("abc", "ab"));
}

static void test_normalised(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"xai", "xai"},
		{" \t XAI\r\n", "xai"},
		{"a B c", "a b c"},
		{"  ", ""},
		{"OpenAI-Codex", "openai-codex"},
		{"\u00c4Z", "\u00c4z"},
		{"@[`{", "@[`{"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *name = string_normalised(cases[i][0]);
		assert_string_equal(name, cases[i][1]);
	}
}

static void test_printable_table(void **state)
{
	static const struct {
		const char *in;
		size_t max;
		const char *out;
	} cases[] = {
		{NULL, 9, ""},
		{"", 9, ""},
		{"plain text", 99, "plain text"},
		{"plain text", 10, "plain text"},
		{"plain text", 9, "plain tex…"},
		{"plain text", 0, "…"},
		{"größe €𝄞", 99, "größe €𝄞"},
		{"ö", 1, "…"},
		{"\033[31mred\n\t\177", 99, "\\x1B[31mred\\x0A\\x09\\x7F"},
		{"\xc2\x9b"
		 "31m",
		 99, "\\xC2\\x9B31m"}, // C1
		{"a\xe2\x80\xae"
		 "b",
		 99,
		 "a\\xE2\\x80\\xAE"
		 "b"},					 // right-to-left override
		{"\xe2\x80\xa8", 99, "\\xE2\\x80\\xA8"}, // line separator
		{"\xff\xfe", 99, "\\xFF\\xFE"},
		{"\xc0\xaf", 99, "\\xC0\\xAF"},			  // overlong
		{"\xe0\x80\xaf", 99, "\\xE0\\x80\\xAF"},	  // overlong
		{"\xed\xa0\x80", 99, "\\xED\\xA0\\x80"},	  // surrogate
		{"\xf4\x90\x80\x80", 99, "\\xF4\\x90\\x80\\x80"}, // over U+10FFFF
		{"\xe2\x82", 99, "\\xE2\\x82"},			  // cut short
		{"\x80z", 99, "\\x80z"},
		{"\n\n", 7, "\\x0A…"},
		{"\u061c", 99, "\\xD8\\x9C"},	  // Arabic letter mark
		{"a\u00adb", 99, "a\\xC2\\xADb"}, // soft hyphen
		{"\u200b\u200f", 99, "\\xE2\\x80\\x8B\\xE2\\x80\\x8F"},
		{"\u2060\u206f", 99, "\\xE2\\x81\\xA0\\xE2\\x81\\xAF"},
		{"\ufeff", 99, "\\xEF\\xBB\\xBF"},
		{"\U000e0041", 99, "\\xF3\\xA0\\x81\\x81"}, // a tag letter
		{"\u200a\u2010\u2027\u202f\u2070\ufefe\u3163\U000e1000", 99,
		 "\u200a\u2010\u2027\u202f\u2070\ufefe\u3163\U000e1000"}, // their neighbours
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *out = string_printable(cases[i].in, cases[i].max);

		assert_string_equal(out, cases[i].out);
	}
}

// What is suggested can be pasted: the shell makes the very word of it again, and it can be shown as it is.
static void test_shell_quoted(void **state)
{
	static const struct {
		const char *word, *quoted;
	} cases[] = {
		{"/a/b.json", "/a/b.json"},
		{"", "''"},
		{"a b", "'a b'"},
		{"it's $HOME", "'it'\\''s $HOME'"},
		{"größe €", "'größe €'"},
		{"a\nb", "$'a\\012b'"},
		{"\033[31m'\\1", "$'\\033[31m\\047\\1341'"},
		{"\u202ea\xff", "$'\\342\\200\\256a\\377'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *quoted = shell_quoted(cases[i].word);
		_cleanup_free_ char *shown = string_printable(quoted, SIZE_MAX);
		assert_string_equal(quoted, cases[i].quoted);
		assert_string_equal(shown, quoted);
	}
}

static void test_shell_reads_it_back(void **state)
{
	(void)state;
	if (access("/bin/bash", X_OK) < 0)
		skip();
	for (int round = 0; round < 40; round++) {
		char word[20] = "", back[sizeof(word)] = "";
		size_t len = next_random(sizeof(word));
		for (size_t i = 0; i < len; i++)
			word[i] = (char)(1 + next_random(round % 2 ? 255 : 127));
		_cleanup_free_ char *quoted = shell_quoted(word);
		setenv("COMMAND", quoted, 1);
		FILE *shell = popen("exec /bin/bash -c 'eval \"printf %s $COMMAND\"'", "r");
		assert_non_null(shell);
		size_t n = fread(back, 1, sizeof(back) - 1, shell);
		assert_int_equal(pclose(shell), 0);
		assert_int_equal(n, len);
		assert_memory_equal(back, word, len);
	}
	unsetenv("COMMAND");
}

// Whatever comes in, what goes out has no control byte, is unchanged by a second pass, and keeps
// its bound.
static void test_printable_property(void **state)
{
	(void)state;
	for (int round = 0; round < 20000; round++) {
		char in[40] = "";
		size_t len = next_random(sizeof(in)), max = next_random(60);
		_cleanup_free_ char *out = NULL, *again = NULL;

		for (size_t i = 0; i < len; i++)
			in[i] = (char)(1 + next_random(255));
		out = string_printable(in, max);
		assert_true(strlen(out) <= max + strlen("…"));
		for (const char *p = out; *p; p++)
			assert_false((unsigned char)*p < 0x20 || *p == 0x7f);
		again = string_printable(out, SIZE_MAX);
		assert_string_equal(out, again);
	}
}

static void ignore_signal(int signal_number)
{
	(void)signal_number;
}

// A pipe that is fed and drained slowly, under a hail of signals: every byte arrives.
static void test_full_io(void **state)
{
	enum { SIZE = 1 << 20 };
	struct sigaction action = {.sa_handler = ignore_signal}, old;
	char *data = xcalloc(SIZE, 1), *back = xcalloc(SIZE, 1);
	int ends[2], status;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (char)next_random(256);
	assert_int_equal(pipe(ends), 0);
	sigaction(SIGUSR1, &action, &old); // no SA_RESTART: reads and writes are interrupted
	pid = fork();
	if (pid == 0) {
		sigaction(SIGALRM, &action, NULL);
		ualarm(100, 100);
		for (int i = 0; i < 50; i++) {
			kill(getppid(), SIGUSR1);
			usleep(200);
			if (write_full(ends[1], data + i * (SIZE / 50), SIZE / 50) < 0)
				_exit(1);
		}
		_exit(write_full(ends[1], data + SIZE / 50 * 50, SIZE - SIZE / 50 * 50) < 0);
	}
	close(ends[1]);
	assert_int_equal(read_full(ends[0], back, SIZE), SIZE);
	assert_memory_equal(data, back, SIZE);
	assert_int_equal(read_full(ends[0], back, 1), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	sigaction(SIGUSR1, &old, NULL);
	close(ends[0]);
	assert_int_equal(read_full(-1, back, 1), -EBADF);
	assert_int_equal(write_full(-1, back, 1), -EBADF);
	free(data);
	free(back);
}

static void test_write_full_disk(void **state)
{
	_cleanup_close_ int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		skip();
	assert_int_equal(write_full(fd, "x", 1), -ENOSPC);
}

static void test_paths(void **state)
{
	static const struct {
		const char *path, *dirname, *basename;
	} cases[] = {
		{"/a/b", "/a", "b"}, {"b", ".", "b"},	 {"/b", "/", "b"},
		{"/", "/", ""},	     {"a//b", "a", "b"}, {"//b", "/", "b"},
	};
	static const struct {
		const char *path, *expanded;
	} expansions[] = {
		{"~", "/home/u"},	  {"~/x", "/home/u/x"},	    {"$HOME", "/home/u"},
		{"$HOME/x", "/home/u/x"}, {"${HOME}", "/home/u"},   {"${HOME}/x", "/home/u/x"},
		{"~//x", "/home/u/x"},	  {"~other/x", "~other/x"}, {"$HOMER/x", "$HOMER/x"},
		{"/a/~/x", "/a/~/x"},	  {"${HOME}x", "${HOME}x"}, {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *dirname = path_dirname(cases[i].path);

		assert_string_equal(dirname, cases[i].dirname);
		assert_string_equal(path_basename(cases[i].path), cases[i].basename);
	}
	for (size_t i = 0; i < ARRAY_SIZE(expansions); i++) {
		_cleanup_free_ char *path = path_expand(expansions[i].path, "/home/u");

		assert_string_equal(path, expansions[i].expanded);
	}
}

// What the kernel calls an open file, if a test says so.
static const char *kernel_name;

ssize_t readlink(const char *path, char *text, size_t size)
{
	if (!kernel_name)
		return syscall(SYS_readlinkat, AT_FDCWD, path, text, size);
	size_t n = strlen(kernel_name) < size ? strlen(kernel_name) : size;
	memcpy(text, kernel_name, n);
	return (ssize_t)n;
}

static void test_path_real(void **state)
{
	char directory[] = "/tmp/oauth-keepalive-base.XXXXXX";
	const char *const names[] = {"file", "b (deleted)"};

	(void)state;
	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = path_join(directory, names[i]);
		_cleanup_free_ char *link = path_join(directory, "link");

		close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		assert_int_equal(symlink(path, link), 0);
		_cleanup_free_ char *real = path_real(link);
		assert_string_equal(real, path);
		// A link that leads nowhere, though what it led to lives on.
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_int_equal(unlink(path), 0);
		assert_null(path_real(link));
		assert_int_equal(errno, ENOENT);
		assert_int_equal(unlink(link), 0);
		_cleanup_free_ char *magic = xasprintf("/proc/self/fd/%d", fd);
		assert_null(path_real(magic));
		assert_int_equal(errno, ENOENT);
	}
	// Removed, and there by another name: what the kernel calls it is no name.
	_cleanup_free_ char *one = path_join(directory, "one"),
			    *other = path_join(directory, "other");
	_cleanup_close_ int fd = open(one, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_free_ char *magic = xasprintf("/proc/self/fd/%d", fd);
	assert_int_equal(link(one, other), 0);
	assert_int_equal(unlink(one), 0);
	assert_null(path_real(magic));
	assert_int_equal(unlink(other), 0);
	// A file system on which others remove files (NFS, FUSE): the kernel has not heard of it.
	kernel_name = one;
	assert_null(path_real(magic));
	assert_int_equal(errno, ENOENT);
	kernel_name = NULL;
	assert_int_equal(rmdir(directory), 0);
}

static void test_path_join(void **state)
{
	static const char *const cases[][3] = {
		{"/a", "b", "/a/b"}, {"/a/", "b", "/a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *path = path_join(cases[i][0], cases[i][1]);

		assert_string_equal(path, cases[i][2]);
	}
}

static void test_fsync_paths(void **state)
{
	(void)state;
	assert_int_equal(fsync_directory("/nonexistent"), -ENOENT);
	assert_int_equal(fsync_directory("/dev/null"), -ENOTDIR);
	assert_int_equal(fsync_directory("."), 0);
	assert_int_equal(fsync_parent("no-such-file-need-exist"), 0);
}

// ---- secrets

// As a function does that was called with a part of a token in a register, deeper than what is called next. Where that stood
// is asked of the kernel.
static __attribute__((noinline)) off_t leave_on_stack(const char *text, size_t len)
{
	volatile char left[8192] = "";
	volatile uintptr_t at = (uintptr_t)left;

	for (size_t i = 0; i < len; i++)
		left[i] = text[i];
	return (off_t)at;
}

static void test_stack_wiped(void **state)
{
	char seen[2][8];
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(memory >= 0);
	off_t at = leave_on_stack("FAKE-1-2", 8);
	ssize_t before = pread(memory, seen[0], 8, at);
	secret_wipe_stack();
	ssize_t after = pread(memory, seen[1], 8, at);
	close(memory);
	assert_int_equal(before + after, 16);
	assert_memory_equal(seen[0], "FAKE-1-2", 8); // or nothing is shown by this
	assert_memory_equal(seen[1], "\0\0\0\0\0\0\0\0", 8);
}

static void test_small_stack_wiped(void **state)
{
	struct rlimit was, small;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_STACK, &was), 0);
	small = was;
	small.rlim_cur = 256 * 1024;
	assert_int_equal(setrlimit(RLIMIT_STACK, &small), 0);
	secret_wipe_stack();
	assert_int_equal(setrlimit(RLIMIT_STACK, &was), 0);
}

static void test_secret_values(void **state)
{
	_cleanup_secret_ struct secret a = {0}, b = {0}, c = {0};

	(void)state;
	assert_true(secret_empty(&a));
	assert_true(secret_equal(&a, &b));
	secret_set_string(&a, "");
	assert_true(secret_empty(&a));
	assert_non_null(a.text);
	assert_false(secret_equal(&a, &b));
	secret_set(&a, "x\0y", 3);
	secret_copy(&b, &a);
	assert_true(secret_equal(&a, &b));
	assert_int_equal(b.len, 3);
	assert_int_equal(b.text[3], '\0');
	secret_set(&b, "x\0z", 3);
	assert_false(secret_equal(&a, &b));
	secret_set(&b, "x\0y.", 4);
	assert_false(secret_equal(&a, &b));
	secret_copy(&a, &c);
	assert_null(a.text);
	c = secret_take(&b);
	assert_null(b.text);
	assert_int_equal(c.len, 4);
	secret_set_string(&c, NULL);
	assert_null(c.text);
}

// Against a plain buffer, and with parts of itself as the source.
static void test_secret_append(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		_cleanup_secret_ struct secret s = {0};
		char expected[1 << 14];
		size_t len = 0;

		while (len < sizeof(expected) / 4) {
			char piece[300];
			const char *source = piece;
			size_t n = next_random(sizeof(piece));

			for (size_t i = 0; i < n; i++)
				piece[i] = (char)next_random(256);
			if (s.len > n && next_random(4) == 0)
				source = s.text + next_random(s.len - n);
			memmove(expected + len,
				source == piece ? piece : expected + (source - s.text), n);
			secret_append(&s, source, n);
			len += n;
			assert_int_equal(s.len, len);
			assert_memory_equal(s.text, expected, len);
			assert_int_equal(s.text[len], '\0');
		}
		secret_set(&s, s.text + 5, 100);
		assert_int_equal(s.len, 100);
		assert_memory_equal(s.text, expected + 5, 100);
	}
}

static void test_fingerprints(void **state)
{
	_cleanup_secret_ struct secret s = {0};
	struct fingerprint none = {0}, empty = fingerprint_of(&s), abc;

	(void)state;
	assert_true(fingerprint_empty(empty));
	assert_false(fingerprint_equal(empty, none));
	secret_set_string(&s, "");
	assert_true(fingerprint_empty(fingerprint_of(&s)));
	secret_set_string(&s, "abc");
	abc = fingerprint_of(&s);
	assert_string_equal(abc.hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(fingerprint_equal(abc, fingerprint_of_bytes("abc", 3)));
	assert_false(fingerprint_equal(abc, fingerprint_of_bytes("abd", 3)));
	assert_false(fingerprint_equal(abc, none));
	assert_string_equal(fingerprint_of_bytes("", 0).hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_secret_read(void **state)
{
	char content[5000];
	_cleanup_close_ int fd = -1, empty = open_temporary("", 0);
	_cleanup_close_ int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	_cleanup_secret_ struct secret s = {0};
	int ends[2];

	(void)state;
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (char)next_random(256);
	fd = open_temporary(content, sizeof(content)); // its offset is at the end
	assert_int_equal(secret_read(fd, sizeof(content), &s), 0);
	assert_int_equal(s.len, sizeof(content));
	assert_memory_equal(s.text, content, sizeof(content));
	assert_int_equal(secret_read(fd, sizeof(content) - 1, &s), -EFBIG);
	assert_int_equal(s.len, sizeof(content));	      // untouched
	assert_int_equal(secret_read(maps, 100, &s), -EFBIG); // no size to be warned by
	assert_int_equal(secret_read(-1, 10, &s), -EBADF);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(secret_read(ends[0], 10, &s), -ESPIPE);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(secret_read(empty, 0, &s), 0);
	assert_int_equal(s.len, 0);
	assert_string_equal(s.text, "");
}

#ifndef HAVE_ASAN
// Everything this module does with a secret, and cJSON with hooks of ours.
static void handle_secrets(void)
{
	static const char document[] = "{\"a\": \"" MARK "-1\", \"b\": [\"" MARK "-2\"], \"c\": 1}";
	char long_text[3000];
	struct secret s = {0}, copy = {0};
	cJSON *json;
	int fd = open_temporary(document, strlen(document));

	memset(long_text, 'x', sizeof(long_text));
	watching = true;
	secret_set_string(&s, MARK "-1");
	secret_set_string(&s, MARK "-2"); // overwritten
	secret_set_string(&s, "short");
	secret_set_string(&s, MARK "-3");
	for (int i = 0; i < 20; i++) // grown
		secret_append(&s, long_text, sizeof(long_text));
	secret_append(&s, s.text, 20);
	secret_copy(&copy, &s);
	s.len = 0; // wiped to the end of the buffer, not of the text
	secret_free(&s);
	secret_free(&copy);
	secret_set(&s, "x\0" MARK, 2 + strlen(MARK)); // nor of what a C string would be
	secret_free(&s);
	require(secret_read(fd, 1000, &s) == 0);
	require(secret_read(fd, 10, &s) == -EFBIG);
	json = json_parse(s.text, s.len);
	require(json);
	for (int i = 0; i < 40; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%d", i);
		json_put_secret(json, name, &s);
	}
	json_put_text(json, "a", "other"); // replaced
	copy = json_print(json, true);
	require(copy.len > 1000);
	cleanup_json(&json);
	require(!json_parse("[\"" MARK "\", x]", strlen(MARK) + 7));
	secret_free(&s);
	secret_free(&copy);
	watching = false;
}

static void wipe_in_child(void)
{
	void *p;

	secret_harden_process();
	json_wipe_memory();
	// The trap itself works.
	p = xstrdup("....................................." MARK);
	watching = true;
	free(p);
	require(unwiped == 1);
	unwiped = 0;
	handle_secrets();
	require(unwiped == 0);
}

static void test_secrets_are_wiped(void **state)
{
	(void)state;
	assert_child_passes(wipe_in_child);
}
#endif

static void harden_in_child(void)
{
	struct rlimit limit;
	struct stat st;
	struct secret s;
	cJSON *json;

	require_fd = fcntl(STDERR_FILENO, F_DUPFD, 100);
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	secret_harden_process();
	json_wipe_memory();
	for (int fd = 0; fd <= 2; fd++) {
		require(fstat(fd, &st) == 0);
		require(S_ISCHR(st.st_mode));
		require(fcntl(fd, F_GETFD) == 0); // not CLOEXEC: for children too
	}
	require(prctl(PR_GET_DUMPABLE) == 0);
	require(getrlimit(RLIMIT_CORE, &limit) == 0);
	require(limit.rlim_cur == 0 && limit.rlim_max == 0);
	json = json_parse("{\"a\":[1,2,\"b\"]}", 15);
	require(json);
	s = json_print(json, false);
	require(strcmp(s.text, "{\"a\":[1,2,\"b\"]}") == 0);
	secret_free(&s);
	cleanup_json(&json);
}

static void keep_descriptors_in_child(void)
{
	struct stat before, after;

	require(fstat(STDERR_FILENO, &before) == 0);
	secret_harden_process();
	require(fstat(STDERR_FILENO, &after) == 0);
	require(before.st_ino == after.st_ino && before.st_dev == after.st_dev);
}

static void test_harden_process(void **state)
{
	(void)state;
	assert_child_passes(harden_in_child);
	assert_child_passes(keep_descriptors_in_child);
}

// ---- JSON

static void test_json_parse(void **state)
{
	static const struct {
		const char *text;
		size_t len; // 0: strlen
		bool accepted;
	} cases[] = {
		{"{}", 0, true},
		{" [1, 2]\n", 0, true},
		{"null", 0, true},
		{"\"x\"", 0, true},
		{"{}garbage", 2, true}, // only `len` bytes are read
		{"", 0, false},
		{"   ", 0, false},
		{"{} {}", 0, false},
		{"{}x", 0, false},
		{"{", 0, false},
		{"{}\0", 3, false},
		{"\"a\0b\"", 5, false},
		{"\"a\\u0000b\"", 0, false},
		{"{\"a\\u0000b\":1}", 0, false},
		{"\"a\\\\u0000b\"", 0, true}, // an escaped backslash
		{"\"a\\u12G4\"", 0, false},
		{"\"a\\u12", 0, false},
		{"\"\\u00e9\\n\\ud834\\udd1e\"", 0, true},
		{"\"\\ud800\"", 0, false},
		{"\\", 0, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = cases[i].len ? cases[i].len : strlen(cases[i].text);
		// Exactly as long as it says, so that a sanitizer sees a byte read too many.
		_cleanup_free_ char *exact = len ? malloc(len) : NULL;
		_cleanup_json_ cJSON *json = NULL;

		if (len)
			memcpy(exact, cases[i].text, len);
		json = json_parse(exact, len);
		if (!!json != cases[i].accepted)
			fail_msg("case %zu: %s", i, cases[i].text);
	}
}

static void test_json_depth(void **state)
{
	char *deep = xcalloc(100001, 1);

	(void)state;
	memset(deep, '[', 100000);
	assert_null(json_parse(deep, 100000));
	free(deep);
}

static void test_json_get(void **state)
{
	static const char text[] = "{\"a\":1,\"A\":2,\"s\":\"x\",\"t\":true,\"f\":false,\"n\":null,"
				   "\"twice\":1,\"twice\":2,\"o\":{\"in\":\"y\"}}";
	_cleanup_json_ cJSON *json = json_parse(text, strlen(text));
	_cleanup_json_ cJSON *array = json_parse("[1]", 3);

	(void)state;
	assert_int_equal(json_integer(json, "a", -1), 1);
	assert_int_equal(json_integer(json, "A", -1), 2);
	assert_null(json_get(json, "S"));
	assert_int_equal(json_integer(json, "twice", -1), 2); // as JavaScript
	assert_string_equal(json_text(json, "s"), "x");
	assert_null(json_text(json, "a"));
	assert_string_equal(json_text(json_get(json, "o"), "in"), "y");
	assert_true(json_flag(json, "t"));
	assert_false(json_flag(json, "f") || json_flag(json, "a") || json_flag(json, "absent"));
	assert_null(json_get(array, "a"));
	assert_null(json_get(NULL, "a"));
	assert_null(json_get(json_get(json, "s"), "a"));
}

static void test_json_integer(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} cases[] = {
		{"0", 0},
		{"-0", 0},
		{"1800000000000", 1800000000000},
		{"-1800000000000", -1800000000000},
		{"1e3", 1000},
		{"9007199254740991", 9007199254740991},
		{"9007199254740992", 9007199254740992},
		{"9007199254740994", -7},
		{"1e400", -7},
		{"-1e400", -7},
		{"1.5", -7},
		{"\"5\"", -7},
		{"null", -7},
		{"true", -7},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = xasprintf("{\"n\":%s}", cases[i].text);
		_cleanup_json_ cJSON *json = json_parse(text, strlen(text));

		assert_int_equal(json_integer(json, "n", -7), cases[i].value);
	}
}

static void test_json_put(void **state)
{
	static const char expected[] =
		"{\"n\":null,\"u\":null,\"k\":\"new\",\"max\":9223372036854775807,"
		"\"min\":-9223372036854775808,\"odd\":9007199254740993,"
		"\"s\":\"FAKE \\\"quoted\\\"\\n\"}";
	_cleanup_json_ cJSON *json = json_parse("{\"k\":1,\"k\":2}", 13);
	_cleanup_secret_ struct secret secret = {0}, text = {0}, pretty = {0};

	(void)state;
	json_put_text(json, "n", NULL);
	json_put_secret(json, "u", &secret);
	json_put_text(json, "k", "old");
	json_put_text(json, "k", "new");
	json_put_integer(json, "max", INT64_MAX);
	json_put_integer(json, "min", INT64_MIN);
	json_put_integer(json, "odd", 9007199254740993); // not a double
	secret_set_string(&secret, "FAKE \"quoted\"\n");
	json_put_secret(json, "s", &secret);
	text = json_print(json, false);
	assert_string_equal(text.text, expected);
	assert_int_equal(text.len, strlen(expected));
	pretty = json_print(json, true);
	assert_non_null(strchr(pretty.text, '\n'));
}

// What is put as an integer is read back, up to 2^53.
static void test_json_integer_round_trip(void **state)
{
	(void)state;
	for (int i = 0; i < 5000; i++) {
		int64_t value = (int64_t)(next_random(1ULL << 54)) - (1LL << 53);
		_cleanup_json_ cJSON *json = cJSON_CreateObject(), *back = NULL;
		_cleanup_secret_ struct secret text = {0};

		json_put_integer(json, "n", value);
		text = json_print(json, next_random(2));
		back = json_parse(text.text, text.len);
		assert_int_equal(json_integer(back, "n", INT64_MIN), value);
	}
}

// ---- log

static char logged[8192];
static int logged_lines;

static void keep_line(enum log_level level, const char *line)
{
	snprintf(logged, sizeof(logged), "%d %s", (int)level, line);
	logged_lines++;
}

static void test_log_levels(void **state)
{
	(void)state;
	log_set_sink(keep_line);
	log_setup("test", LOG_LEVEL_WARNING);
	logged_lines = 0;
	log_info("no");
	log_debug("no");
	assert_int_equal(logged_lines, 0);
	errno = EXDEV;
	log_error("%s has %d\nlines\033[0m", "this", 2);
	assert_int_equal(errno, EXDEV);
	assert_string_equal(logged, "3 this has 2\\x0Alines\\x1B[0m");
	log_warning("w");
	assert_string_equal(logged, "4 w");
	log_setup("test", LOG_LEVEL_DEBUG);
	log_info("i");
	assert_string_equal(logged, "6 i");
	log_debug("d");
	assert_string_equal(logged, "7 d");
	assert_int_equal(logged_lines, 4);
	log_set_sink(NULL);
}

// What standard error, made a pipe, says; JOURNAL_STREAM names it, with `error` added to the inode.
static char *log_to_pipe(uintmax_t error)
{
	char *text = xcalloc(1000, 1);
	_cleanup_free_ char *stream = NULL;
	_cleanup_close_ int saved = dup(STDERR_FILENO);
	struct stat st;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fstat(ends[1], &st), 0);
	stream = xasprintf("%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + error);
	setenv("JOURNAL_STREAM", stream, 1);
	dup2(ends[1], STDERR_FILENO);
	log_setup("oauth-keepalive", LOG_LEVEL_INFO);
	log_warning("one");
	log_info("two");
	dup2(saved, STDERR_FILENO);
	close(ends[1]);
	assert_true(read_full(ends[0], text, 999) > 0);
	close(ends[0]);
	unsetenv("JOURNAL_STREAM");
	log_setup("oauth-keepalive", LOG_LEVEL_INFO);
	return text;
}

static void test_log_journal(void **state)
{
	_cleanup_free_ char *journal = log_to_pipe(0), *other = log_to_pipe(1);

	(void)state;
	assert_string_equal(journal, "<4>one\n<6>two\n");
	assert_string_equal(other, "oauth-keepalive: one\noauth-keepalive: two\n");
}

// ---- problems

static void test_problems(void **state)
{
	struct problems problems = {0};
	struct problem *p;

	(void)state;
	p = problem_add(&problems, SEVERITY_WARNING, "foreign", "/s", "p", xstrdup("m"),
			xstrdup("f"));
	p->needs_person = true;
	p = problem_add(&problems, SEVERITY_ERROR, "foreign", "/s", "p", xstrdup("m"),
			xstrdup("f"));
	assert_int_equal(problems.n, 1);
	assert_true(p->needs_person);
	assert_int_equal(p->severity, SEVERITY_ERROR);
	problem_add(&problems, SEVERITY_INFO, "foreign", "/s", "p", xstrdup("m"), NULL);
	assert_int_equal(problems.list[0].severity, SEVERITY_ERROR);
	problem_add(&problems, SEVERITY_INFO, "other", "/s", "p", xstrdup("m"), NULL);
	problem_add(&problems, SEVERITY_INFO, "foreign", "/t", "p", xstrdup("m"), NULL);
	problem_add(&problems, SEVERITY_INFO, "foreign", "/s", NULL, xstrdup("m"), NULL);
	p = problem_add(&problems, SEVERITY_INFO, "foreign", "/s", "p", xstrdup("n"), NULL);
	assert_int_equal(problems.n, 5);
	assert_string_equal(p->message, "n");
	assert_null(p->fix);
	problems_free(&problems);
	assert_null(problems.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_stack_wiped), // while it is small
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_array_add),
		cmocka_unit_test(test_array_copy),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_normalised),
		cmocka_unit_test(test_printable_table),
		cmocka_unit_test(test_shell_quoted),
		cmocka_unit_test(test_shell_reads_it_back),
		cmocka_unit_test(test_printable_property),
		cmocka_unit_test(test_full_io),
		cmocka_unit_test(test_write_full_disk),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_path_real),
		cmocka_unit_test(test_path_join),
		cmocka_unit_test(test_fsync_paths),
		cmocka_unit_test(test_stack_wiped),
		cmocka_unit_test(test_secret_values),
		cmocka_unit_test(test_secret_append),
		cmocka_unit_test(test_fingerprints),
		cmocka_unit_test(test_secret_read),
#ifndef HAVE_ASAN
		cmocka_unit_test(test_secrets_are_wiped),
#endif
		cmocka_unit_test(test_harden_process),
		cmocka_unit_test(test_json_parse),
		cmocka_unit_test(test_json_depth),
		cmocka_unit_test(test_json_get),
		cmocka_unit_test(test_json_integer),
		cmocka_unit_test(test_json_put),
		cmocka_unit_test(test_json_integer_round_trip),
		cmocka_unit_test(test_log_levels),
		cmocka_unit_test(test_log_journal),
		cmocka_unit_test(test_problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
