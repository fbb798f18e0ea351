// SPDX-License-Identifier: MIT
//
// See sync.h.
#include "file/sync.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define TOGETHER 16 // with more the disks that were measured gain nothing

struct work {
	const int *fds;
	int *errors;
	size_t n;
	atomic_size_t next; // nobody has taken it yet
};

static void *sync_some(void *arg)
{
	struct work *work = arg;

	for (size_t i; (i = atomic_fetch_add(&work->next, 1)) < work->n;)
		if (work->fds[i] >= 0 && fsync(work->fds[i]) < 0)
			work->errors[i] = -errno;
	return NULL;
}

// As many as there are, and none is needed: the caller is one of them.
void sync_together(const int *fds, size_t n, int *errors)
{
	struct work work = {.fds = fds, .errors = errors, .n = n};
	pthread_t threads[TOGETHER - 1];
	size_t started = 0;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started + 1 < n && started < TOGETHER - 1 &&
	       pthread_create(&threads[started], NULL, sync_some, &work) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	sync_some(&work);
	while (started > 0)
		pthread_join(threads[--started], NULL);
}
