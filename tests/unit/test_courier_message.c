// SPDX-License-Identifier: MIT
//
// What passes between keeper and courier, and what stands in a receipt: whole or not at all.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "courier/answer.h"
#include "courier/message.h"

static const struct courier_message example = {
	.protocol = COURIER_PROTOCOL,
	.type = COURIER_DONE,
	.id = 7,
	.result = COURIER_NOT_SENT,
	.code = "connect",
	.text = "Connection refused",
};

static void make_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void close_pair(int pair[2])
{
	cleanup_close(&pair[0]);
	cleanup_close(&pair[1]);
}

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

// ---- messages

static void test_message_round_trip(void **state)
{
	struct courier_message got = {0};
	int pair[2], fds[2], sent[2];
	char byte = 0;

	(void)state;
	make_pair(pair);
	assert_int_equal(pipe2(sent, O_CLOEXEC), 0);
	assert_int_equal(courier_message_send(pair[0], &example, sent, 2), 0);
	assert_int_equal(courier_message_receive(pair[1], &got, fds), 0);
	assert_memory_equal(&got, &example, sizeof(got));

	// Descriptors arrive in their order, and none of ours ever reaches another program.
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
	close_pair(fds);
	close_pair(sent);

	assert_int_equal(courier_message_send(pair[0], &example, NULL, 0), 0);
	assert_int_equal(courier_message_receive(pair[1], &got, fds), 0);
	assert_int_equal(fds[0], -1);
	assert_int_equal(fds[1], -1);
	close_pair(pair);
}

static void test_message_empty_and_gone(void **state)
{
	struct courier_message got;
	int pair[2], fds[2];

	(void)state;
	make_pair(pair);
	assert_int_equal(courier_message_receive(pair[1], &got, fds), -EAGAIN);
	cleanup_close(&pair[0]);
	assert_int_equal(courier_message_receive(pair[1], &got, fds), -EPIPE);
	assert_int_equal(courier_message_send(pair[1], &example, NULL, 0), -EPIPE);
	close_pair(pair);
}

// A keeper that says HOLD and dies with an event unread leaves ECONNRESET; the HOLD must still be
// heard.
static void test_message_survives_reset(void **state)
{
	struct courier_message got = {0};
	int pair[2], fds[2];

	(void)state;
	make_pair(pair);
	assert_int_equal(courier_message_send(pair[1], &example, NULL, 0), 0); // never read
	assert_int_equal(courier_message_send(pair[0], &example, NULL, 0), 0);
	cleanup_close(&pair[0]);
	assert_int_equal(courier_message_receive(pair[1], &got, fds), 0);
	assert_int_equal(got.id, example.id);
	assert_int_equal(courier_message_receive(pair[1], &got, fds), -EPIPE);
	close_pair(pair);
}

static void test_message_never_blocks(void **state)
{
	int pair[2], r = 0;

	(void)state;
	make_pair(pair);
	for (int i = 0; i < 100000 && r == 0; i++)
		r = courier_message_send(pair[0], &example, NULL, 0);
	assert_int_equal(r, -EAGAIN);
	close_pair(pair);
}

static void spoil_protocol(struct courier_message *m)
{
	m->protocol++;
}
static void spoil_type_low(struct courier_message *m)
{
	m->type = 0;
}
static void spoil_type_high(struct courier_message *m)
{
	m->type = COURIER_READY + 1;
}
static void spoil_result_none(struct courier_message *m)
{
	m->result = 0;
}
static void spoil_result_high(struct courier_message *m)
{
	m->result = COURIER_NOT_SAVED + 1;
}
static void spoil_request(struct courier_message *m)
{
	m->type = COURIER_SEND;
}
static void spoil_code(struct courier_message *m)
{
	memset(m->code, 'x', sizeof(m->code));
}
static void spoil_text(struct courier_message *m)
{
	memset(m->text, 'x', sizeof(m->text));
}

static void test_message_refuses_bad_ones(void **state)
{
	void (*const spoil[])(struct courier_message *) = {
		spoil_protocol,	   spoil_type_low, spoil_type_high, spoil_result_none,
		spoil_result_high, spoil_request,  spoil_code,	    spoil_text,
	};
	struct courier_message got;
	int pair[2], fds[2];

	(void)state;
	make_pair(pair);
	for (size_t i = 0; i < ARRAY_SIZE(spoil); i++) {
		struct courier_message bad = example;
		spoil[i](&bad);
		int before = count_descriptors();
		assert_int_equal(courier_message_send(pair[0], &bad, pair, 2), 0);
		assert_int_equal(courier_message_receive(pair[1], &got, fds), -EBADMSG);
		assert_int_equal(count_descriptors(), before);
	}
	close_pair(pair);
}

static void test_message_refuses_bad_sizes(void **state)
{
	char bytes[sizeof(example) + 1] = {0};
	const size_t sizes[] = {1, sizeof(example) - 1, sizeof(example) + 1};
	struct courier_message got;
	int pair[2], fds[2];

	(void)state;
	memcpy(bytes, &example, sizeof(example));
	make_pair(pair);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(send(pair[0], bytes, sizes[i], 0), sizes[i]);
		assert_int_equal(courier_message_receive(pair[1], &got, fds), -EBADMSG);
	}
	close_pair(pair);
}

static void send_with_descriptors(int fd, int n)
{
	union {
		struct cmsghdr align;
		char buffer[CMSG_SPACE(64 * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)&example, sizeof(example)};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	for (int i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &fd, sizeof(int));
	assert_int_equal(sendmsg(fd, &header, 0), sizeof(example));
}

static void test_message_closes_surplus_descriptors(void **state)
{
	const int counts[] = {3, 8, 40};
	struct courier_message got;
	int pair[2], fds[2];

	(void)state;
	make_pair(pair);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		int before = count_descriptors();
		send_with_descriptors(pair[0], counts[i]);
		assert_int_equal(courier_message_receive(pair[1], &got, fds), -EBADMSG);
		assert_int_equal(count_descriptors(), before);
	}
	close_pair(pair);
}

// ---- answers

static struct secret text_of(int fd)
{
	struct secret text = {0};

	assert_int_equal(secret_read(fd, 4 << 20, &text), 0);
	return text;
}

static struct secret written(const struct http_answer *answer, int64_t received_ms)
{
	_cleanup_close_ int fd = memfd_create("answer", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(answer_append(fd, answer, received_ms), 0);
	return text_of(fd);
}

static void test_answer_round_trip(void **state)
{
	static const struct {
		struct http_answer answer;
		const char *body;
		size_t len;
	} cases[] = {
		{{.status = 200, .retry_after_s = -1}, "{\"access_token\":\"FAKE-1\"}", 25},
		{{.status = 429, .retry_after_s = 0}, "", 0},
		{{.status = 503, .retry_after_s = 86400, .challenge = true}, "a\nb\n", 4},
		{{.status = 200, .retry_after_s = -1, .cut = true}, "\0\xff\nanswered {}\n\0", 16},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_answer answer = cases[i].answer, got = {0};
		int64_t received_ms = 0;

		secret_set(&answer.body, cases[i].body, cases[i].len);
		struct secret text = written(&answer, 1763676000123);
		// Also with more behind it: a second send may follow a refusal.
		for (int more = 0; more < 2; more++) {
			assert_int_equal(answer_parse(text.text, text.len, &got, &received_ms), 0);
			assert_int_equal(got.status, answer.status);
			assert_int_equal(got.retry_after_s, answer.retry_after_s);
			assert_int_equal(got.challenge, answer.challenge);
			assert_int_equal(got.cut, answer.cut);
			assert_true(received_ms == 1763676000123);
			assert_int_equal(got.body.len, cases[i].len);
			assert_memory_equal(got.body.text, cases[i].body, cases[i].len);
			secret_free(&got.body);
			secret_append(&text, "sending {\"at\":1}\n", 17);
		}
		secret_free(&text);
		secret_free(&answer.body);
	}
}

// However far a write got before the machine stopped: all of it, or nothing.
static void test_answer_torn(void **state)
{
	struct http_answer answer = {.status = 200, .retry_after_s = -1}, got;
	int64_t received_ms;

	(void)state;
	secret_set_string(&answer.body, "{\"refresh_token\":\"FAKE-REFRESH-2\"}\n");
	struct secret text = written(&answer, 1);
	for (size_t len = 0; len < text.len; len++) {
		// In a buffer of exactly this size, so that reading over its end is seen.
		char *part = xcalloc(len ? len : 1, 1);
		memcpy(part, text.text, len);
		assert_int_equal(answer_parse(part, len, &got, &received_ms), -EBADMSG);
		free(part);
	}
	// A page that never reached the disk reads as zeros.
	size_t body = text.len - answer.body.len - 1;
	for (size_t i = body; i < text.len; i++) {
		char *whole = xcalloc(text.len, 1);
		memcpy(whole, text.text, i);
		assert_int_equal(answer_parse(whole, text.len, &got, &received_ms), -EBADMSG);
		free(whole);
	}
	secret_free(&text);
	secret_free(&answer.body);
}

static void test_answer_flipped(void **state)
{
	struct http_answer answer = {.status = 200, .retry_after_s = -1}, got;
	int64_t received_ms;

	(void)state;
	secret_set_string(&answer.body, "{\"refresh_token\":\"FAKE-REFRESH-2\"}");
	struct secret text = written(&answer, 1);
	size_t body = text.len - answer.body.len - 1;
	for (size_t i = body; i < text.len; i++) {
		text.text[i] ^= 1;
		assert_int_equal(answer_parse(text.text, text.len, &got, &received_ms), -EBADMSG);
		text.text[i] ^= 1;
	}
	assert_int_equal(answer_parse(text.text, text.len, &got, &received_ms), 0);
	secret_free(&got.body);
	secret_free(&text);
	secret_free(&answer.body);
}

#define EMPTY_SUM "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEADER(status, retry, received, length, sum)                                               \
	"answered {\"status\":" status ",\"retry_after_s\":" retry                                 \
	",\"challenge\":false,\"cut\":false,\"received_ms\":" received ",\"length\":" length       \
	",\"sha256\":\"" sum "\"}\n\n"

static void test_answer_hostile(void **state)
{
	static const char *const bad[] = {
		"",
		"answered",
		"answered ",
		"answered \n\n",
		"answered {}\n\n",
		"answered []\n\n",
		"answered null\n\n",
		"sending {\"at\":1}\n",
		HEADER("0", "-1", "1", "0", EMPTY_SUM),
		HEADER("1000", "-1", "1", "0", EMPTY_SUM),
		HEADER("4294967496", "-1", "1", "0", EMPTY_SUM),
		HEADER("\"200\"", "-1", "1", "0", EMPTY_SUM),
		HEADER("200", "-2", "1", "0", EMPTY_SUM),
		HEADER("200", "86401", "1", "0", EMPTY_SUM),
		HEADER("200", "-1", "-1", "0", EMPTY_SUM),
		HEADER("200", "-1", "1", "-1", EMPTY_SUM),
		HEADER("200", "-1", "1", "1", EMPTY_SUM),
		HEADER("200", "-1", "1", "9007199254740992", EMPTY_SUM),
		HEADER("200", "-1", "1", "1048577", EMPTY_SUM),
		HEADER("200", "-1", "1", "0.5", EMPTY_SUM),
		HEADER("200", "-1", "1", "0", ""),
		HEADER("200", "-1", "1", "0", "e3b0"),
	};
	struct http_answer got;
	int64_t received_ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(answer_parse(bad[i], strlen(bad[i]), &got, &received_ms),
				 -EBADMSG);
	const char *good = HEADER("200", "-1", "1", "0", EMPTY_SUM);
	assert_int_equal(answer_parse(good, strlen(good), &got, &received_ms), 0);
	secret_free(&got.body);
}

// A disk that fills up half-way through an answer leaves the receipt as it was, and the next try is
// whole.
static void test_append_takes_back_what_it_wrote(void **state)
{
	struct http_answer answer = {.status = 200, .retry_after_s = -1}, got;
	struct rlimit limit, all;
	char path[] = "/tmp/test-courier-XXXXXX";
	int64_t received_ms;

	(void)state;
	secret_set_string(&answer.body, "{\"refresh_token\":\"FAKE-REFRESH-2\"}");
	_cleanup_close_ int fd = mkostemp(path, O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(write_full(fd, "receipt 1 {}\n", 13), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
	limit = all;
	limit.rlim_cur = 100; // within the header line
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int r = answer_append(fd, &answer, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	assert_int_equal(r, -EFBIG);
	assert_int_equal(lseek(fd, 0, SEEK_END), 13);

	assert_int_equal(answer_append(fd, &answer, 1), 0);
	struct secret text = text_of(fd);
	assert_int_equal(answer_parse(text.text + 13, text.len - 13, &got, &received_ms), 0);
	assert_true(secret_equal(&got.body, &answer.body));
	secret_free(&got.body);
	secret_free(&text);
	secret_free(&answer.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_round_trip),
		cmocka_unit_test(test_message_empty_and_gone),
		cmocka_unit_test(test_message_survives_reset),
		cmocka_unit_test(test_message_never_blocks),
		cmocka_unit_test(test_message_refuses_bad_ones),
		cmocka_unit_test(test_message_refuses_bad_sizes),
		cmocka_unit_test(test_message_closes_surplus_descriptors),
		cmocka_unit_test(test_answer_round_trip),
		cmocka_unit_test(test_answer_torn),
		cmocka_unit_test(test_answer_flipped),
		cmocka_unit_test(test_answer_hostile),
		cmocka_unit_test(test_append_takes_back_what_it_wrote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
