// SPDX-License-Identifier: MIT
//
// Any datagram on the pair between keeper and courier, with up to six descriptors (the first byte
// says how many): refused, or a message whose texts end within it; no descriptor is ever left
// behind.
#include <errno.h>
#include <sys/socket.h>

#include "courier/message.h"
#include "fuzz.h"

#define FDS_MOST 6

static void send_datagram(int fd, const uint8_t *data, size_t size, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char buffer[CMSG_SPACE(FDS_MOST * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[FDS_MOST];

	for (size_t i = 0; i < n_fds; i++)
		fds[i] = STDERR_FILENO;
	if (n_fds > 0) {
		header.msg_control = control.buffer;
		header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	fuzz_check(sendmsg(fd, &header, MSG_NOSIGNAL) == (ssize_t)size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct courier_message message;
	int pair[2], fds[2] = {-1, -1}, lowest, after;

	if (size < 1 || size > 4096)
		return 0;
	fuzz_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	_cleanup_close_ int ours = pair[0];
	_cleanup_close_ int theirs = pair[1];
	lowest = dup(STDERR_FILENO);
	close(lowest);
	send_datagram(theirs, data + 1, size - 1, data[0] % (FDS_MOST + 1));
	int r = courier_message_receive(ours, &message, fds);
	if (r == 0) {
		fuzz_check(memchr(message.code, 0, sizeof(message.code)) &&
			   memchr(message.text, 0, sizeof(message.text)));
		fuzz_check(message.type >= COURIER_SEND && message.type <= COURIER_READY);
		fuzz_check(message.result <= COURIER_NOT_SAVED);
		cleanup_close(&fds[0]);
		cleanup_close(&fds[1]);
	} else {
		fuzz_check(r == -EBADMSG || (r == -EPIPE && size == 1));
		fuzz_check(fds[0] == -1 && fds[1] == -1);
	}
	after = dup(STDERR_FILENO);
	close(after);
	fuzz_check(after == lowest);
	return 0;
}
