// SPDX-License-Identifier: MIT
//
// The keeper's side of the courier: start it, hand it requests, hear of results. Opens no socket of its own but
// the pair; links no libcurl.
#ifndef COURIER_CLIENT_H
#define COURIER_CLIENT_H

#include "config/config.h"
#include "courier/message.h"
#include "lock/lock.h"

struct courier {
	int fd; // -1: not running
	struct process_id process; // stands in the lock files
};
#define COURIER_NONE ((struct courier){ .fd = -1 })

// Start it. New session, signals blocked, no descriptor but the pair and 0 to 2, an empty environment. Returns when it is
// ready; else -errno, and a message for people, to be freed: -ENOENT it is missing, -EBADMSG it is of another version.
int courier_start(const struct config *config, struct courier *ret, char **ret_message);
// The path of that program: beside our own, or where an installation has it from there. Or a message that says where it
// was looked for. The caller's, both.
int courier_program(char **ret_path, char **ret_message);
// Close the pair; it ends by itself, unless it has to guard something.
void courier_dismiss(struct courier *courier);
// … and reap it, if it has ended.
void courier_stop(struct courier *courier);
// The pair has been closed from the other side. Has the process ended, too? If not, what it was given may still be under
// way.
bool courier_lost(struct courier *courier);

struct courier_request {
	uint32_t id;
	const struct http_request *http;
	const struct config *config; // timeouts, CA file, proxy
	bool to_cluster; // … of its cluster: GET alone, which may have a body
	int64_t lines;	 // … whose answer has no end: so many of it, or what came within `wait_ms` (at most a minute)
	int64_t wait_ms;
	const struct lock_set *locks; // may be NULL for GET
	int64_t hold_until_boot_ms;
	int receipt_fd; // SEND, HOLD: the receipt; GET: a memfd for the answer
};
int courier_send(struct courier *courier, const struct courier_request *request);
int courier_get(struct courier *courier, const struct courier_request *request);
int courier_hold(struct courier *courier, const struct courier_request *request);
// The next event; -EAGAIN if there is none, -EPIPE if the courier is gone. ret_fd: the memfd of COURIER_NOT_SAVED.
int courier_event(struct courier *courier, struct courier_message *ret, int *ret_fd);

#endif
