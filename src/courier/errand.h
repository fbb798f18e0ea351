// SPDX-License-Identifier: MIT
//
// One request of the keeper's, from its arrival to the end of what it asks of us:
//
//	RUNNING   libcurl has it
//	SAVING    it is answered, and the receipt cannot be written yet
//	DONE      the result is in `event`, to be said while `unsaid`; what remains is to guard it
//
// A HOLD is DONE from the start.
#ifndef COURIER_ERRAND_H
#define COURIER_ERRAND_H

#include <curl/curl.h>

#include "courier/message.h"
#include "courier/request.h"
#include "provider/provider.h"

enum errand_state { ERRAND_RUNNING, ERRAND_SAVING, ERRAND_DONE };

struct errand {
	uint32_t id;
	enum courier_type type;
	enum errand_state state;
	struct request request;
	int fd; // SEND, HOLD: the receipt; GET: where the answer goes

	// The transfer (courier/http.h).
	CURL *easy;
	struct curl_slist *headers;
	bool half_set;	     // libcurl refused an option: not to be sent
	int64_t deadline_ms; // CLOCK_BOOTTIME
	bool released;	     // the PREREQ callback let the request go
	const char *refusal; // … or why it did not: a code
	char error[CURL_ERROR_SIZE];
	struct http_answer answer;
	int64_t lines; // of its body so far
	int64_t received_ms;

	// Saving (courier/save.h).
	off_t receipt_size; // as we left it: up to our "sending", and what a failed save left behind
	int tries;
	int64_t next_try_ms; // CLOCK_BOOTTIME
	bool unsaved;	     // the keeper was given the answer, because we could not save it
	bool kept;	     // the receipt holds something for which we stay

	struct courier_message event;
	bool unsaid;
	int event_fd; // goes with it; -1
};

// The result, to be said by the main loop. `text` is made printable; it may be NULL.
void errand_conclude(struct errand *errand, enum courier_result result, const char *code,
		     const char *text);

#endif
