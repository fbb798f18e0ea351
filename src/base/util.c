// SPDX-License-Identifier: MIT
//
// Allocation that does not fail, strings fit for a terminal, whole reads and writes, paths.

#include <errno.h>
#include <sys/stat.h>
#include <limits.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/util.h"

void cleanup_free(void *pointer_to_pointer)
{
	void **p = pointer_to_pointer;

	free(*p);
	*p = NULL;
}

void cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void cleanup_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

// stdio may allocate, and there is nothing left to allocate.
static _Noreturn void die_without_memory(void)
{
	static const char message[] = "oauth-keepalive: out of memory\n";
	ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);

	(void)ignored;
	_exit(EXIT_FAILURE);
}

FILE *xopen_memstream(char **text, size_t *len)
{
	FILE *f = open_memstream(text, len);

	if (!f)
		die_without_memory();
	return f;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		die_without_memory();
	return p;
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n ? n : 1, size ? size : 1);
	if (!p)
		die_without_memory();
	return p;
}

char *xstrdup(const char *s)
{
	return s ? xstrndup(s, strlen(s)) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = xcalloc(len + 1, 1);

	memcpy(copy, s, len);
	return copy;
}

char *xasprintf(const char *format, ...)
{
	char *text;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		die_without_memory();
	return text;
}

// The capacity is the smallest power of two that holds `count`, so it need not be kept.
void *array_add_(void **array, size_t *count, size_t size)
{
	size_t n = *count;
	char *element;

	if ((n & (n - 1)) == 0) {
		if (n > SIZE_MAX / 2)
			die_without_memory();
		*array = xreallocarray(*array, n ? n * 2 : 1, size);
	}
	element = (char *)*array + n * size;
	memset(element, 0, size);
	*count = n + 1;
	return element;
}

void *array_copy_(const void *array, size_t count, size_t size)
{
	size_t room = 1;

	if (count == 0)
		return NULL;
	while (room < count)
		room *= 2;
	return memcpy(xreallocarray(NULL, room, size), array, count * size);
}

bool string_equal(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool string_empty(const char *s)
{
	return !s || !*s;
}

bool string_starts(const char *s, const char *prefix)
{
	return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

size_t hex_digits(const char *s)
{
	return strspn(s, "0123456789abcdef");
}

char *string_normalised(const char *s)
{
	static const char blanks[] = " \t\n\v\f\r";
	const char *start = s + strspn(s, blanks);
	size_t len = strlen(start);
	char *name;

	while (len > 0 && strchr(blanks, start[len - 1]))
		len--;
	name = xstrndup(start, len);
	for (char *c = name; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return name;
}

bool string_ends(const char *s, const char *suffix)
{
	size_t len = s ? strlen(s) : 0, n = strlen(suffix);

	return s && len >= n && strcmp(s + len - n, suffix) == 0;
}

char *string_trimmed(const char *s)
{
	static const char white[] = " \t\r\n\v\f";
	size_t len;

	s += strspn(s, white);
	len = strlen(s);
	while (len > 0 && strchr(white, s[len - 1]))
		len--;
	return xstrndup(s, len);
}

size_t utf8_decode(const char *text, size_t left, uint32_t *ret_code)
{
	const unsigned char *s = (const unsigned char *)text;
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = s[0] < 0x80		   ? 1
		   : (s[0] & 0xe0) == 0xc0 ? 2
		   : (s[0] & 0xf0) == 0xe0 ? 3
		   : (s[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	uint32_t code;

	if (n < 2) {
		*ret_code = s[0];
		return n;
	}
	if (n > left)
		return 0;
	code = s[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return n;
}

// What a terminal obeys (C0, DEL, C1), and what nobody sees: the format characters (Unicode's category
// Cf: they reorder a line, or join and hide what stands beside them) and all else that is ignored by
// default, with which one profile id could look like another, or a message say something else.
static bool is_unprintable(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0, 0x1f},	    {0x7f, 0x9f},	{0xad, 0xad},	    {0x34f, 0x34f},
		{0x600, 0x605},	    {0x61c, 0x61c},	{0x6dd, 0x6dd},	    {0x70f, 0x70f},
		{0x890, 0x891},	    {0x8e2, 0x8e2},	{0x115f, 0x1160},   {0x17b4, 0x17b5},
		{0x180b, 0x180f},   {0x200b, 0x200f},	{0x2028, 0x202e},   {0x2060, 0x206f},
		{0x3164, 0x3164},   {0xfe00, 0xfe0f},	{0xfeff, 0xfeff},   {0xffa0, 0xffa0},
		{0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f},
		{0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges) && ranges[i].first <= code; i++)
		if (code <= ranges[i].last)
			return true;
	return false;
}

char *string_printable(const char *s, size_t max)
{
	static const char ellipsis[] = "…";
	size_t len = s ? strlen(s) : 0, used = 0;
	size_t room = len < max / 4 ? len * 4 : max; // a byte becomes four at most
	char *out = xcalloc(room + sizeof(ellipsis), 1);

	for (size_t i = 0; i < len;) {
		const unsigned char *at = (const unsigned char *)s + i;
		uint32_t code = 0;
		size_t n = utf8_decode(s + i, len - i, &code);
		bool raw = n && !is_unprintable(code);
		size_t bytes = n ? n : 1, need = raw ? bytes : 4 * bytes;

		if (need > room - used) {
			memcpy(out + used, ellipsis, sizeof(ellipsis));
			break;
		}
		if (raw)
			memcpy(out + used, at, bytes);
		for (size_t k = 0; !raw && k < bytes; k++)
			snprintf(out + used + 4 * k, 5, "\\x%02X", at[k]);
		used += need;
		i += bytes;
	}
	return out;
}

bool error_is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

const char *error_text(int error)
{
	return error == -EMFILE		   ? "too many open files: raise LimitNOFILE= (ulimit -n)"
	       : error == -EBUSY	   ? "locked by another process"
	       : error == -EPROTONOSUPPORT ? "written by a newer version of this program"
					   : strerror(-error);
}

ssize_t read_full(int fd, void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)buffer + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int write_full(int fd, const void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(fd, (const char *)buffer + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

// EINVAL: some file systems (FUSE, network) have nothing to sync there (fsync(2)), and a write is not undone for that.
int directory_sync(int fd)
{
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

int fsync_directory(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return directory_sync(fd);
}

int file_publish(const char *temp, const char *path)
{
	int r = link(temp, path) < 0 ? -errno : 0;

	if (r == -EPERM || r == -EOPNOTSUPP || r == -ENOSYS)
		r = renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) < 0 ? -errno : 0;
	return r;
}

int fsync_parent(const char *path)
{
	_cleanup_free_ char *directory = path_dirname(path);

	return fsync_directory(directory);
}

char *path_join(const char *directory, const char *name)
{
	size_t n = strlen(directory), m = strlen(name);
	bool slash = n > 0 && directory[n - 1] != '/';
	char *path = xcalloc(n + slash + m + 1, 1);

	// By hand: a look joins several paths for every store, and printf costs ten times as much.
	memcpy(path, directory, n);
	if (slash)
		path[n] = '/';
	memcpy(path + n + slash, name, m);
	return path;
}

char *path_dirname(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	while (slash > path && slash[-1] == '/')
		slash--;
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

const char *path_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

// Of what was removed meanwhile the kernel says a name that is none; a file may be called like that, too.
static bool is_removed(const char *real, const struct stat *opened)
{
	struct stat st;

	if (opened->st_nlink == 0)
		return true;
	return string_ends(real, " (deleted)") &&
	       (lstat(real, &st) < 0 || st.st_dev != opened->st_dev || st.st_ino != opened->st_ino);
}

// The kernel knows the name of what it has opened. Without /proc, the C library walks.
char *path_real(const char *path)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	char link[32], real[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return NULL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, sizeof(real));
	if (n <= 0 || n == sizeof(real) || real[0] != '/')
		return realpath(path, NULL);
	real[n] = '\0';
	if (fstat(fd, &st) < 0 || is_removed(real, &st)) {
		errno = ENOENT;
		return NULL;
	}
	return xstrdup(real);
}

char *path_absolute(const char *path)
{
	_cleanup_free_ char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);

	return here ? path_join(here, path) : xstrdup(path);
}

char *environment(const char *name)
{
	const char *value = getenv(name);
	_cleanup_free_ char *text = value ? string_trimmed(value) : NULL;

	return string_empty(text) ? NULL : TAKE_PTR(text);
}

char *environment_home(const char *name)
{
	_cleanup_free_ char *value = environment(name);

	if (string_equal(value, "undefined") || string_equal(value, "null"))
		return NULL;
	return TAKE_PTR(value);
}

char *home_of_user(void)
{
	const struct passwd *user = getpwuid(geteuid());

	return user ? xstrdup(user->pw_dir) : NULL;
}

char *home_directory(void)
{
	_cleanup_free_ char *home = environment_home("HOME");

	if (!home)
		home = home_of_user();
	return home ? path_absolute(home) : NULL;
}

char *path_expand(const char *path, const char *home)
{
	static const char *const names[] = {"~", "$HOME", "${HOME}"};

	for (size_t i = 0; home && i < ARRAY_SIZE(names); i++) {
		const char *rest = path + strlen(names[i]);

		if (!string_starts(path, names[i]) || (*rest && *rest != '/'))
			continue;
		return *rest ? path_join(home, rest + strspn(rest, "/")) : xstrdup(home);
	}
	return xstrdup(path);
}

// user_namespaces(7)
static bool root_is_mapped(void)
{
	unsigned long inside, outside, count;
	bool mapped = false;
	FILE *map = fopen("/proc/self/uid_map", "re");

	if (!map)
		return true;
	while (!mapped && fscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3)
		mapped = inside == 0;
	fclose(map);
	return mapped;
}

bool uid_is_root(uid_t uid)
{
	return uid == 0 || (uid == 65534 && geteuid() != 65534 && !root_is_mapped());
}

static bool is_plain_word(const char *s)
{
	return *s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/"
				 "._-+=:,@%")] == 0;
}

static char *single_quoted(const char *word)
{
	char *out = xcalloc(4 * strlen(word) + 3, 1), *to = out;

	*to++ = '\'';
	for (; *word; word++)
		if (*word == '\'')
			to = stpcpy(to, "'\\''");
		else
			*to++ = *word;
	*to = '\'';
	return out;
}

// $'…' (POSIX.1-2024; bash, zsh, ksh): every byte that could not be shown, or that would end it, in octal.
static char *dollar_quoted(const char *word)
{
	char *out = xcalloc(4 * strlen(word) + 4, 1), *to = stpcpy(out, "$'");

	for (; *word; word++) {
		unsigned char c = (unsigned char)*word;
		if (c < 0x20 || c >= 0x7f || c == '\'' || c == '\\')
			to += sprintf(to, "\\%03o", c);
		else
			*to++ = (char)c;
	}
	*to = '\'';
	return out;
}

char *shell_quoted(const char *word)
{
	_cleanup_free_ char *shown = string_printable(word, SIZE_MAX);

	if (!string_equal(shown, word))
		return dollar_quoted(word);
	return is_plain_word(word) ? xstrdup(word) : single_quoted(word);
}

// libconfig reads the \xNN that string_printable makes of what nobody sees.
char *setting_quoted(const char *text)
{
	_cleanup_free_ char *escaped = xcalloc(2 * strlen(text) + 1, 1), *shown = NULL;
	char *to = escaped;

	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			*to++ = '\\';
		*to++ = *text;
	}
	shown = string_printable(escaped, SIZE_MAX);
	return xasprintf("\"%s\"", shown);
}
