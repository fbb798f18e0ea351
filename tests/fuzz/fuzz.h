// SPDX-License-Identifier: MIT
//
// What every fuzz target shares. A target is one file, fuzz_<what>.c, with LLVMFuzzerTestOneInput;
// the sanitizers find what is wrong with memory, `fuzz_check` finds what is wrong with the answer.
// Seeds are in corpus/<what>/, obviously fake. fuzz.mk builds and runs them.
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The name of what did not hold is in the crash report.
#define fuzz_check(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

// A private directory of this process, in memory where there is one. Made once; run.sh removes it.
static inline const char *fuzz_directory(void)
{
	static char path[64];

	if (*path)
		return path;
	snprintf(path, sizeof(path), "%s/oauth-keepalive-fuzz.%d",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
	fuzz_check(mkdir(path, 0700) == 0);
	return path;
}

static inline void fuzz_write(const char *path, const void *data, size_t size)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	fuzz_check(fd >= 0 && write_full(fd, data, size) == 0);
}

static inline struct secret fuzz_read(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct secret text = {0};

	fuzz_check(fd >= 0 && secret_read(fd, 64u << 20, &text) == 0);
	return text;
}

static inline bool fuzz_same(const char *a, const char *b, size_t len)
{
	return len == 0 || memcmp(a, b, len) == 0;
}

#endif
