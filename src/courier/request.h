// SPDX-License-Identifier: MIT
//
// The courier's view of a request memfd (courier/message.h gives its format). Once read it is
// bounded and free of anything that could add a header or a second request.
#ifndef COURIER_REQUEST_H
#define COURIER_REQUEST_H

#include "base/secret.h"

struct lock_name {
	char *path;
	uint64_t dev, ino;
};

struct request {
	char *url, *method; // NULL in HOLD
	char **headers;
	size_t n_headers;
	struct secret body, bearer; // unset: none
	int64_t connect_timeout_ms, deadline_ms;
	char *ca_file, *proxy;	    // or NULL
	char *cert_file, *key_file; // the client's own; or NULL
	struct lock_name *locks;
	size_t n_locks;
	int64_t hold_until_ms; // CLOCK_BOOTTIME; 0: not said
	int64_t lines; // of the answer, after which nothing more of it is wanted; 0: all of it
};

int request_read(int fd, struct request *ret); // -EBADMSG, -EFBIG
void request_free(struct request *request);

#endif
