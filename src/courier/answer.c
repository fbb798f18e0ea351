// SPDX-License-Identifier: MIT
//
// The answer's bytes are kept as they came, behind a line that says how many there are and what
// they hash to, so that a write torn by a crash or a full disk can be told from a whole one.
#include "courier/answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "json/json.h"
#include "courier/message.h"

#define KEYWORD	   "answered "
#define HEADER_MAX 512

static int write_pieces(int fd, struct iovec *pieces, size_t n)
{
	size_t i = 0;

	while (i < n) {
		ssize_t written = writev(fd, pieces + i, (int)(n - i));
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		size_t left = (size_t)written;
		for (; i < n && left >= pieces[i].iov_len; i++)
			left -= pieces[i].iov_len;
		if (i < n) {
			pieces[i].iov_base = (char *)pieces[i].iov_base + left;
			pieces[i].iov_len -= left;
		}
	}
	return 0;
}

// What a kill tore, or what could not be cut off again, ends in the middle of a line.
static int end_torn_line(int fd, off_t size)
{
	struct iovec newline = {.iov_base = (char[]){'\n'}, .iov_len = 1};
	char last;

	if (size == 0 || pread(fd, &last, 1, size - 1) != 1 || last == '\n')
		return 0;
	return write_pieces(fd, &newline, 1);
}

int append_durably(int fd, struct iovec *pieces, size_t n)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	int r = S_ISREG(st.st_mode) ? end_torn_line(fd, st.st_size) : 0;
	if (r == 0)
		r = write_pieces(fd, pieces, n);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	// Also when only the fsync failed: Linux reports a lost page once and then calls it clean,
	// so that only writing it again makes a second fsync mean something.
	if (r < 0 && S_ISREG(st.st_mode) && ftruncate(fd, st.st_size) < 0)
		return r;
	return r;
}

int answer_append(int fd, const struct http_answer *answer, int64_t received_ms)
{
	struct fingerprint sum =
		fingerprint_of_bytes(answer->body.text ? answer->body.text : "", answer->body.len);
	char header[HEADER_MAX], newline = '\n';

	int n = snprintf(header, sizeof(header),
			 KEYWORD "{\"status\":%d,\"retry_after_s\":%" PRId64 ",\"date_ms\":%" PRId64
				 ",\"challenge\":%s,"
				 "\"cut\":%s,\"received_ms\":%" PRId64 ",\"length\":%zu,"
				 "\"sha256\":\"%s\"}\n",
			 answer->status, answer->retry_after_s, answer->date_ms,
			 answer->challenge ? "true" : "false", answer->cut ? "true" : "false",
			 received_ms, answer->body.len, sum.hex);
	struct iovec pieces[] = {
		{.iov_base = header, .iov_len = (size_t)n},
		{.iov_base = answer->body.text, .iov_len = answer->body.len},
		{.iov_base = &newline, .iov_len = 1},
	};
	return append_durably(fd, pieces, ARRAY_SIZE(pieces));
}

// The numbers of the header line, each within what we ever write.
static bool header_read(const cJSON *header, struct http_answer *answer, int64_t *received_ms,
			int64_t *length)
{
	int64_t status = json_integer(header, "status", 0);

	answer->retry_after_s = json_integer(header, "retry_after_s", -2);
	answer->date_ms = json_integer(header, "date_ms", 0); // version 0.1 did not keep it
	answer->challenge = json_flag(header, "challenge");
	answer->cut = json_flag(header, "cut");
	answer->status = (int)status;
	*received_ms = json_integer(header, "received_ms", -1);
	*length = json_integer(header, "length", -1);
	return status >= 100 && status <= 999 && answer->retry_after_s >= -1 &&
	       answer->retry_after_s <= DAY_S && *received_ms >= 0 && *length >= 0 &&
	       *length <= COURIER_ANSWER_MAX;
}

int answer_parse(const char *text, size_t len, struct http_answer *ret, int64_t *ret_received_ms)
{
	const size_t keyword = strlen(KEYWORD);
	struct http_answer answer = {0};
	int64_t received_ms, length;

	if (len < keyword || memcmp(text, KEYWORD, keyword) != 0)
		return -EBADMSG;
	const char *newline = memchr(text, '\n', len < HEADER_MAX ? len : HEADER_MAX);
	if (!newline)
		return -EBADMSG;
	_cleanup_json_ cJSON *header =
		json_parse(text + keyword, (size_t)(newline - text) - keyword);
	if (!header_read(header, &answer, &received_ms, &length))
		return -EBADMSG;

	const char *body = newline + 1;
	size_t left = len - (size_t)(body - text);
	if (left < (size_t)length + 1 || body[length] != '\n')
		return -EBADMSG;
	const char *sum = json_text(header, "sha256");
	if (!sum || !string_equal(sum, fingerprint_of_bytes(body, (size_t)length).hex))
		return -EBADMSG;
	secret_set(&answer.body, body, (size_t)length);
	*ret = answer;
	*ret_received_ms = received_ms;
	return 0;
}
