// SPDX-License-Identifier: MIT
//
// Secrets in memory. A buffer that has held one is wiped before the allocator has it back; that is
// why no buffer here is ever realloc()ed: realloc may move the bytes and leave the old ones behind.

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

#define SMALLEST_BUFFER 64

// All that was allocated, not just what is in use: a secret may have been longer once.
void wipe_and_free(void *p, size_t size)
{
	if (!p)
		return;
	sodium_memzero(p, size);
	free(p);
}

void secret_free(struct secret *s)
{
	int saved = errno;

	wipe_and_free(s->text, s->capacity);
	*s = (struct secret){0};
	errno = saved;
}

// Room for `len` bytes and a NUL. At least doubling keeps appending linear. No sum here overflows: nothing that is in
// memory is larger than half of it.
static void secret_reserve(struct secret *s, size_t len)
{
	size_t capacity = s->capacity * 2;
	char *text;

	if (len < s->capacity)
		return;
	if (capacity < SMALLEST_BUFFER)
		capacity = SMALLEST_BUFFER;
	if (capacity <= len)
		capacity = len + 1;
	text = xcalloc(capacity, 1);
	if (s->text)
		memcpy(text, s->text, s->len);
	wipe_and_free(s->text, s->capacity);
	s->text = text;
	s->capacity = capacity;
}

void secret_set(struct secret *s, const char *text, size_t len)
{
	struct secret copy = {0}; // first, for `text` may lie in what `s` holds

	secret_reserve(&copy, len);
	if (len)
		memcpy(copy.text, text, len);
	copy.text[len] = '\0';
	copy.len = len;
	secret_free(s);
	*s = copy;
}

void secret_set_string(struct secret *s, const char *text)
{
	if (text)
		secret_set(s, text, strlen(text));
	else
		secret_free(s);
}

void secret_copy(struct secret *to, const struct secret *from)
{
	if (to == from)
		return;
	if (from->text)
		secret_set(to, from->text, from->len);
	else
		secret_free(to);
}

void secret_append(struct secret *s, const char *text, size_t len)
{
	_cleanup_secret_ struct secret copy = {0};

	// Appending a part of itself: growing would wipe that part before it is copied.
	if (s->text && text >= s->text && text <= s->text + s->len) {
		secret_set(&copy, text, len);
		text = copy.text;
	}
	secret_reserve(s, s->len + len);
	if (len)
		memcpy(s->text + s->len, text, len);
	s->len += len;
	s->text[s->len] = '\0';
}

struct secret secret_take(struct secret *s)
{
	struct secret taken = *s;

	*s = (struct secret){0};
	return taken;
}

// How long it takes tells nobody anything: both are ours, and whoever can time us in a store's owner's place can read it.
bool secret_equal(const struct secret *a, const struct secret *b)
{
	if (!a->text || !b->text)
		return a->text == b->text;
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

bool secret_empty(const struct secret *s)
{
	return !s->text || s->len == 0;
}

struct fingerprint fingerprint_of(const struct secret *s)
{
	if (secret_empty(s))
		return (struct fingerprint){0};
	return fingerprint_of_bytes(s->text, s->len);
}

struct fingerprint fingerprint_of_bytes(const void *data, size_t len)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	struct fingerprint f;

	static_assert(FINGERPRINT_LENGTH == 2 * sizeof(hash), "a SHA-256 in hex");
	crypto_hash_sha256(hash, data, len);
	sodium_bin2hex(f.hex, sizeof(f.hex), hash, sizeof(hash));
	return f;
}

bool fingerprint_equal(struct fingerprint a, struct fingerprint b)
{
	return !fingerprint_empty(a) && strcmp(a.hex, b.hex) == 0;
}

bool fingerprint_listed(const struct fingerprint *list, size_t n, struct fingerprint token)
{
	for (size_t i = n; i > 0; i--) // the newest stand last, and are asked for most
		if (fingerprint_equal(list[i - 1], token))
			return true;
	return false;
}

void fingerprint_list_add(struct fingerprint **list, size_t *n, struct fingerprint token)
{
	if (!fingerprint_listed(*list, *n, token))
		*array_add(list, n) = token;
}

void fingerprint_list_remove(struct fingerprint *list, size_t *n, struct fingerprint token)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++)
		if (!fingerprint_equal(list[i], token))
			list[kept++] = list[i];
	*n = kept;
}

bool fingerprint_empty(struct fingerprint f)
{
	return f.hex[0] == '\0';
}

// At most `room` bytes; 0 at the end.
static ssize_t read_some(int fd, struct secret *s, size_t room)
{
	ssize_t n;

	do
		n = pread(fd, s->text + s->len, room, (off_t)s->len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int secret_read_sized(int fd, off_t size, size_t max, struct secret *ret)
{
	_cleanup_secret_ struct secret s = {0};
	size_t expected = size > 0 ? (size_t)size : 0;

	if (expected > max)
		return -EFBIG;
	secret_reserve(&s, expected + 1);
	for (;;) {
		size_t room = s.capacity - s.len - 1;
		ssize_t n = read_some(fd, &s, room);
		if (n < 0)
			return (int)n;
		s.len += (size_t)n;
		if (s.len > max)
			return -EFBIG;
		// The end: nothing more, or less than was asked for and just what was to be expected.
		if (n == 0 || ((size_t)n < room && s.len == expected))
			break;
		if (s.capacity - s.len == 1)
			secret_reserve(&s, 2 * s.len);
	}
	s.text[s.len] = '\0';
	secret_free(ret);
	*ret = secret_take(&s);
	return 0;
}

int secret_read(int fd, size_t max, struct secret *ret)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -errno : secret_read_sized(fd, st.st_size, max, ret);
}

// A descriptor 0 to 2 that is closed would be given to the next file opened, and a message to
// standard error would land in a store.
static void open_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null", O_RDWR) != fd) // the lowest free one is this one
			_exit(EXIT_FAILURE);
	}
}

// More than any of our calls needs.
#define STACK_USED (256 * 1024)

// Within a small one (ulimit -s), or we would end by a signal when all is done.
void secret_wipe_stack(void)
{
	struct rlimit limit;
	size_t size = STACK_USED;

	if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur / 2 < size)
		size = limit.rlim_cur / 2;
	sodium_stackzero(size);
}

void secret_harden_process(void)
{
	const struct rlimit none = {0};

	open_standard_descriptors();
	// A core dump needs both to be forgotten, a debugger of the same user only the first.
	// Neither can fail: lowering is always allowed.
	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
	if (sodium_init() < 0)
		_exit(EXIT_FAILURE);
}
