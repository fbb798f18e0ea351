// SPDX-License-Identifier: MIT
//
// spent: every token that was settled, for good. An account's list of them is short, and marks are swept; but an agent's
// directory may come back from an archive after years, and its token is to be known then as what it is.
//
// Eight bytes of the hash of each, one after the other: a refresh every five minutes makes a megabyte in a year, which is
// read only where a token turns up that nothing else knows. Entries are aligned and appended whole, so that writers need
// no lock and a crash leaves no half of one.
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/ledger.h"
#include "file/private_file.h"
#include "file/atomic_file.h"

#define ENTRY_BYTES	  8
#define ENTRIES_AT_A_TIME 1024

static char *spent_path(const struct ledger *ledger)
{
	return path_join(ledger->directory, "spent");
}

static void entry_of(struct fingerprint token, unsigned char ret[ENTRY_BYTES])
{
	sodium_hex2bin(ret, ENTRY_BYTES, token.hex, 2 * (size_t)ENTRY_BYTES, NULL, NULL, NULL);
}

// Somebody may have cut it: then a filler comes first, and the rest is whole again.
static int append_entries(int fd, const struct fingerprint *tokens, size_t n)
{
	_cleanup_free_ unsigned char *bytes = xcalloc(n + 1, ENTRY_BYTES);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	size_t odd = (size_t)st.st_size % ENTRY_BYTES, filler = odd ? ENTRY_BYTES - odd : 0;
	for (size_t i = 0; i < n; i++)
		entry_of(tokens[i], bytes + filler + i * ENTRY_BYTES);
	int r = write_full(fd, bytes, filler + n * ENTRY_BYTES);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && st.st_size == 0) // it is new
		r = 1;
	return r;
}

int spent_note_all(struct ledger *ledger, const struct fingerprint *tokens, size_t n)
{
	_cleanup_free_ char *path = spent_path(ledger);
	_cleanup_close_ int fd = -1;
	int r = n ? private_open(path, O_RDWR | O_APPEND | O_CREAT, &fd, NULL) : 0;

	if (r == 0 && n)
		r = append_entries(fd, tokens, n);
	return r > 0 ? fsync_parent(path) : r;
}

int spent_note(struct ledger *ledger, struct fingerprint token)
{
	return fingerprint_empty(token) ? -EINVAL : spent_note_all(ledger, &token, 1);
}

bool spent_is_noted(const struct ledger *ledger, struct fingerprint token)
{
	_cleanup_close_ int fd = -1;
	unsigned char entry[ENTRY_BYTES], some[ENTRIES_AT_A_TIME * ENTRY_BYTES];
	ssize_t n;

	if (!ledger->exists || fingerprint_empty(token))
		return false;
	_cleanup_free_ char *path = spent_path(ledger);
	if (private_open(path, O_RDONLY, &fd, NULL) < 0)
		return false;
	entry_of(token, entry);
	for (off_t at = 0; (n = pread(fd, some, sizeof(some), at)) > 0; at += sizeof(some))
		for (ssize_t i = 0; i + ENTRY_BYTES <= n; i += ENTRY_BYTES)
			if (memcmp(some + i, entry, ENTRY_BYTES) == 0)
				return true;
	return false;
}
