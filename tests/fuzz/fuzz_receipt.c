// SPDX-License-Identifier: MIT
//
// A receipt of any bytes, and a good one followed by any bytes. Whatever stands there, it never
// looks less sent than it was: a `sending` line in front stays counted, whatever was torn or forged
// behind it.
#include "courier/answer.h"
#include "fuzz.h"
#include "ledger/ledger.h"

#define NAME "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char claim[] =
	"receipt 1 {\"accounts\":[\"00112233445566778899aabbccddeeff\"],\"keeper\":{\"pid\":1,"
	"\"starttime\":1},\"courier\":{\"pid\":2,\"starttime\":1},\"nonce\":\"00\",\"at\":1}\n";
static const char sending[] = "sending {\"at\":1763600000000}\n";

static void read_receipt(const struct secret *text, struct receipt *ret)
{
	_cleanup_free_ char *path = path_join(fuzz_directory(), "receipt");

	fuzz_write(path, text->text, text->len);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	fuzz_check(fd >= 0 && receipt_reread(fd, ret) == 0);
	fuzz_check(ret->state == RECEIPT_CLAIMED ? ret->sends == 0 : ret->sends > 0);
	fuzz_check(ret->state == RECEIPT_ANSWERED || secret_empty(&ret->answer.body));
}

static void check_sent(const uint8_t *data, size_t size, bool answered)
{
	_cleanup_secret_ struct secret text = {0}, answer = {0};
	struct receipt receipt;

	secret_set_string(&text, claim);
	secret_append(&text, sending, strlen(sending));
	if (answered) {
		struct http_answer http = {.status = 200, .retry_after_s = -1};
		_cleanup_free_ char *path = path_join(fuzz_directory(), "answer");
		secret_set_string(&http.body, "{\"refresh_token\":\"FAKE-REFRESH-2\"}");
		fuzz_write(path, "", 0);
		_cleanup_close_ int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
		fuzz_check(answer_append(fd, &http, 1763600000000) == 0);
		secret_free(&http.body);
		answer = fuzz_read(path);
		secret_append(&text, answer.text, answer.len);
	}
	secret_append(&text, (const char *)data, size);
	read_receipt(&text, &receipt);
	fuzz_check(receipt.sends >= 1 && receipt.state != RECEIPT_CLAIMED);
	fuzz_check(receipt.n_accounts == 1 && receipt.couriers[0].pid == 2);
	receipt_free(&receipt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_secret_ struct secret text = {0};
	struct receipt receipt;

	secret_set(&text, (const char *)data, size);
	read_receipt(&text, &receipt);
	// Bytes that are no claim of ours are no proof that nothing was sent.
	fuzz_check(size == 0 || receipt.state != RECEIPT_CLAIMED || data[0] == 'r');
	receipt_free(&receipt);
	check_sent(data, size, false);
	check_sent(data, size, true);
	return 0;
}
