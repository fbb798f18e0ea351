// SPDX-License-Identifier: MIT
//
// A saved answer of any bytes: what verifies is within its bounds and comes out again as it went
// in; one with a byte cut off its end never verifies.
#include "courier/answer.h"
#include "courier/message.h"
#include "fuzz.h"

static void check_round_trip(const struct http_answer *answer, int64_t received_ms)
{
	_cleanup_free_ char *path = path_join(fuzz_directory(), "answer");
	_cleanup_secret_ struct secret text = {0};
	struct http_answer again = {0};
	int64_t again_ms;

	fuzz_write(path, "", 0);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	fuzz_check(fd >= 0 && answer_append(fd, answer, received_ms) == 0);
	text = fuzz_read(path);
	fuzz_check(answer_parse(text.text, text.len - 1, &again, &again_ms) < 0);
	fuzz_check(answer_parse(text.text, text.len, &again, &again_ms) == 0);
	fuzz_check(again.status == answer->status && again.cut == answer->cut &&
		   again_ms == received_ms);
	fuzz_check(again.challenge == answer->challenge &&
		   again.retry_after_s == answer->retry_after_s);
	fuzz_check(again.body.len == answer->body.len &&
		   fuzz_same(again.body.text, answer->body.text, again.body.len));
	secret_free(&again.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_secret_ struct secret text = {0};
	struct http_answer answer = {0}, made = {.status = 200, .retry_after_s = -1};
	int64_t received_ms = 0;

	secret_set(&text, (const char *)data, size);
	if (answer_parse(text.text, text.len, &answer, &received_ms) == 0) {
		fuzz_check(answer.status >= 100 && answer.status <= 999 && received_ms >= 0);
		fuzz_check(answer.body.len <= COURIER_ANSWER_MAX && answer.body.len < size);
		check_round_trip(&answer, received_ms);
		secret_free(&answer.body);
	}
	// And any bytes as a body.
	secret_set(&made.body, text.text, text.len);
	if (size <= COURIER_ANSWER_MAX)
		check_round_trip(&made, 1763600000000);
	secret_free(&made.body);
	return 0;
}
