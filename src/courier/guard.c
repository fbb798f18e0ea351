// SPDX-License-Identifier: MIT
//
// Lock files are compared by device and inode with lstat, which the sandbox leaves us: nothing is
// opened, nothing is written, and a symbolic link in a lock's place is not followed. (Other programs'
// locks may be directories.)
#include "courier/guard.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "courier/answer.h"
#include "courier/message.h"

bool guard_keeper_gone(void)
{
	struct pollfd keeper = {.fd = COURIER_FD, .events = POLLIN};

	return poll(&keeper, 1, 0) < 0 || (keeper.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static bool lock_ours(const struct lock_name *lock)
{
	struct stat st;

	return lstat(lock->path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
	       st.st_dev == lock->dev && st.st_ino == lock->ino;
}

bool guard_all_locks_ours(const struct request *request)
{
	for (size_t i = 0; i < request->n_locks; i++) {
		if (!lock_ours(&request->locks[i]))
			return false;
	}
	return true;
}

bool guard_any_lock_ours(const struct request *request)
{
	for (size_t i = 0; i < request->n_locks; i++) {
		if (lock_ours(&request->locks[i]))
			return true;
	}
	return false;
}

bool guard_receipt_open(int receipt)
{
	struct stat st;

	return fstat(receipt, &st) == 0 && st.st_nlink > 0;
}

int guard_count_send(int receipt, int64_t now_ms)
{
	char line[64];

	int n = snprintf(line, sizeof(line), "sending {\"at\":%" PRId64 "}\n", now_ms);
	struct iovec piece = {.iov_base = line, .iov_len = (size_t)n};
	return append_durably(receipt, &piece, 1);
}
