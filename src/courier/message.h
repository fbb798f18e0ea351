// SPDX-License-Identifier: MIT
//
// Between keeper and courier: one message per request and per event over a SOCK_SEQPACKET pair (descriptor 3 of
// the courier), descriptors by SCM_RIGHTS. No secret is ever in a message: the request is in a memfd, the answer
// in the receipt.
//
//	keeper -> courier                                     courier -> keeper
//	                                                      READY (text: who), before anything else
//	SEND id  [request memfd, receipt]                     DONE id result
//	GET  id  [request memfd, answer memfd]                DONE id result
//	HOLD id  [request memfd (locks only), receipt]        (none)
//	(end of file: the keeper is gone)
//
// The request memfd holds JSON:
//	{"url","method","headers":[],"body","bearer","connect_timeout_ms","deadline_ms","ca_file","cert_file","key_file",
//	 "proxy","locks":[{"path","dev":"…","ino":"…"}],"hold_until_boot_ms","lines"}
//
// READY: all is loaded and the sandbox stands. The text is its start time (field 22 of /proc/<pid>/stat, 0: unknown),
// which the lock files will say of it (the keeper cannot always look for itself: hidepid hides who cannot be dumped), a
// space, and its version: both programs are from one build, or do not work together.
//
// SEND: libcurl connects; in its PREREQ callback (TLS done, not a byte of the request sent) the courier makes sure
// that the keeper is still there and every lock file still is the one named, raises the receipt's count of sends
// durably, and only then lets the request go. The answer goes into the receipt, fsynced, before DONE is said.
// (If one of these fails after the count was raised it is NOT_SENT and true, but the receipt says `sending`: who
// goes by the receipt takes it for an unknown outcome.) GET is bound by none of this. One with `lines` ends with so many
// lines of the answer, or with the keeper.
//
// A HOLD with the id of an earlier one replaces it: say it again once the lock files have been taken over.
//
// HOLD may name no lock files: then it guards the receipt alone, until a HOLD of the same id names them.
//
// The courier ends when the keeper has gone and nothing is left to guard. With a receipt on which it still waits,
// or which holds an answer nobody has settled (the file still has a name), it stays, so that the lock files that
// carry its pid keep the runtime away until the next run takes over: until the lock files are replaced, the
// receipt is settled (unlinked), or hold_until_boot_ms.
#ifndef COURIER_MESSAGE_H
#define COURIER_MESSAGE_H

#include "base/util.h"

#define COURIER_FD	    3
#define COURIER_LOCAL_NAMES "--local-names" // its one argument: names below .local will be asked for
#define COURIER_PROTOCOL    2
#define COURIER_REQUEST_MAX (1u << 20)
#define COURIER_ANSWER_MAX  (1u << 20)

enum courier_type { COURIER_SEND = 1, COURIER_GET, COURIER_HOLD, COURIER_DONE, COURIER_READY };
enum courier_result {
	COURIER_ANSWERED = 1, // the receipt (SEND) or the answer memfd (GET) holds an HTTP answer
	COURIER_NOT_SENT,     // provably: resolve, connect, TLS, lock no longer ours, keeper gone
	COURIER_NO_ANSWER,    // it may have been sent: unknown outcome
	COURIER_NOT_SAVED, // an answer came and the receipt could not be written: it is in the attached memfd
};

// Codes in DONE. NOT_SENT: "request" "dns" "connect" "proxy" "tls" "timeout" "lock_lost" "keeper_gone" "late" "receipt";
// NO_ANSWER: "timeout" "cut" "receipt"; ANSWERED: "" "cut". `text` is for people: libcurl's words, never a byte of
// request or answer.
struct courier_message {
	uint32_t protocol;
	uint32_t type; // enum courier_type
	uint32_t id;
	uint32_t result; // enum courier_result, in DONE
	char code[32];
	char text[160];
};

// One message with up to two descriptors. 0, -EPIPE when the other side is gone, -EAGAIN, -EBADMSG.
int courier_message_send(int fd, const struct courier_message *message, const int *fds,
			 size_t n_fds);
// Unexpected descriptors are closed; ret_fds are -1 where there was none. MSG_CMSG_CLOEXEC. -EMFILE: the message came
// (ret is set), but there was no room for its descriptors.
int courier_message_receive(int fd, struct courier_message *ret, int ret_fds[2]);

#endif
