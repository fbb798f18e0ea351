// SPDX-License-Identifier: MIT
//
// One datagram per message, its descriptors in the same sendmsg. Neither side ever blocks on the
// other: a full or empty socket is -EAGAIN.
#include "courier/message.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_PER_MESSAGE 2
#define FDS_TAKEN	8 // room for more than allowed, so that they are seen, closed and refused

int courier_message_send(int fd, const struct courier_message *message, const int *fds,
			 size_t n_fds)
{
	union {
		struct cmsghdr align;
		char buffer[CMSG_SPACE(FDS_PER_MESSAGE * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)message, .iov_len = sizeof(*message)};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds > FDS_PER_MESSAGE)
		return -EINVAL;
	if (n_fds > 0) {
		header.msg_control = control.buffer;
		header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	while (sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == ENOBUFS || errno == ENOMEM)
			return -EAGAIN; // memory for it may come: the other side waits for this
		return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
	}
	return 0;
}

// Keep what the caller has room for, close the rest; the number of descriptors that came.
static size_t take_descriptors(struct msghdr *header, int ret_fds[FDS_PER_MESSAGE])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++, n++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n < FDS_PER_MESSAGE)
				ret_fds[n] = fd;
			else
				close(fd);
		}
	}
	return n;
}

static bool message_valid(const struct courier_message *m)
{
	return m->protocol == COURIER_PROTOCOL && m->type >= COURIER_SEND &&
	       m->type <= COURIER_READY && memchr(m->code, 0, sizeof(m->code)) &&
	       memchr(m->text, 0, sizeof(m->text)) &&
	       (m->type == COURIER_DONE
			? m->result >= COURIER_ANSWERED && m->result <= COURIER_NOT_SAVED
			: m->result == 0);
}

// A peer that died with unread messages leaves one ECONNRESET in front of what it had sent us; that
// must not hide a HOLD.
static ssize_t receive_datagram(int fd, struct msghdr *header)
{
	const size_t room = header->msg_controllen;
	bool reset = false;

	for (;;) {
		header->msg_controllen = room;
		ssize_t n = recvmsg(fd, header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n >= 0)
			return n;
		if (errno == ECONNRESET && !reset)
			reset = true;
		else if (errno == ECONNRESET)
			return -EPIPE;
		else if (errno != EINTR)
			return -errno;
	}
}

int courier_message_receive(int fd, struct courier_message *ret, int ret_fds[2])
{
	union {
		struct cmsghdr align;
		char buffer[CMSG_SPACE(FDS_TAKEN * sizeof(int))];
	} control;
	struct courier_message message;
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer),
	};
	int fds[FDS_PER_MESSAGE] = {-1, -1};

	ssize_t n = receive_datagram(fd, &header);
	if (n < 0)
		return (int)n;
	size_t n_fds = take_descriptors(&header, fds);
	if (n == 0 && n_fds == 0)
		return -EPIPE;
	bool whole = n == sizeof(message) && n_fds <= FDS_PER_MESSAGE &&
		     !(header.msg_flags & MSG_TRUNC) && message_valid(&message);
	bool cut = header.msg_flags & MSG_CTRUNC;
	if (!whole || cut) {
		cleanup_close(&fds[0]);
		cleanup_close(&fds[1]);
	}
	if (!whole)
		return -EBADMSG;
	*ret = message;
	ret_fds[0] = ret_fds[1] = -1;
	if (cut) // no descriptor was left for those that came with it
		return -EMFILE;
	memcpy(ret_fds, fds, sizeof(fds));
	return 0;
}
