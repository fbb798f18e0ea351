// SPDX-License-Identifier: MIT
//
// For LD_PRELOAD: the clocks run ahead by what stands in the file $TEST_CLOCK, seconds of the wall clock and seconds of
// the others; or, where files cannot be read, the wall clock by $TEST_AHEAD seconds.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	long wall = 0, other = 0;
	const char *path = getenv("TEST_CLOCK"), *ahead = getenv("TEST_AHEAD");
	FILE *f = path ? fopen(path, "re") : NULL;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	if (f && fscanf(f, "%ld %ld", &wall, &other) != 2)
		wall = other = 0;
	if (f)
		fclose(f);
	else if (ahead)
		wall = strtol(ahead, NULL, 10);
	int r = real(clock, ts);
	ts->tv_sec += clock == CLOCK_REALTIME ? wall : other;
	return r;
}
