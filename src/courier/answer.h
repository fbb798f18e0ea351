// SPDX-License-Identifier: MIT
//
// An HTTP answer as it stands in a receipt, or in a memfd: one header line, then the body.
//
//	answered {"status":200,"retry_after_s":-1,"challenge":false,"cut":false,"received_ms":…,"length":N,"sha256":"…"}\n
//	<N bytes>\n
//
// Written by the courier with one writev and one fsync; a torn one does not verify and counts as none.
#ifndef COURIER_ANSWER_H
#define COURIER_ANSWER_H

#include <sys/uio.h>

#include "provider/provider.h"

// Append to `fd` (O_RDWR | O_APPEND, or a fresh memfd) as a line of its own, also behind one that was torn, and fsync.
// 0 or -errno; on failure the file is as long as before, unless the disk refuses that, too.
int answer_append(int fd, const struct http_answer *answer, int64_t received_ms);
// The same for any pieces (which are used up).
int append_durably(int fd, struct iovec *pieces, size_t n);
// Parse `text`, which starts with "answered "; more may follow it. -EBADMSG unless complete, of the length it says
// and matching its checksum.
int answer_parse(const char *text, size_t len, struct http_answer *ret, int64_t *ret_received_ms);

#endif
