// SPDX-License-Identifier: MIT
//
// When certificates end, in both spellings of a time; and what is no certificate, or half of one, is not judged.

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "doctor/certificate.h"

#define FRAME(text) "-----BEGIN CERTIFICATE-----\n" text "-----END CERTIFICATE-----\n"

// Until 2081 (GeneralizedTime), and until 2027 (UTCTime). Of nobody.
#define LONG_LIVED                                                                                 \
	"MIIBdTCCARugAwIBAgIUZZ7rZEaeaHVI78+jzvG0nnV4FMYwCgYIKoZIzj0EAwIw\n"                       \
	"DzENMAsGA1UECgwEdGVzdDAgFw0yNjExMjkxMTQwMjVaGA8yMDgxMDkwMTExNDAy\n"                       \
	"NVowDzENMAsGA1UECgwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNBK\n"                       \
	"hXmCe+reei5XPX0dHayxDtdi6titjx5rAPxIGr46yL8OP8l4V6sMsHKGcUsg91H/\n"                       \
	"Val7xzB3qxg7jcYdEgKjUzBRMB0GA1UdDgQWBBR+ae9Bm/g2NmVUXLKz2nSxwqAc\n"                       \
	"rDAfBgNVHSMEGDAWgBR+ae9Bm/g2NmVUXLKz2nSxwqAcrDAPBgNVHRMBAf8EBTAD\n"                       \
	"AQH/MAoGCCqGSM49BAMCA0gAMEUCIHf/53SC0odtmeV0bUNXHGQFJ4BEYI6KGDuK\n"                       \
	"Kt2lvh3qAiEA4MXbFZKueyCU/j+DjdjJQG8h8KXcDmASZPVMdkJ2WcI=\n"
#define SHORT_LIVED                                                                                \
	"MIIBcjCCARmgAwIBAgIUZEEAgoFx1Dc/B6tgp6tjgtt9frIwCgYIKoZIzj0EAwIw\n"                       \
	"DzENMAsGA1UECgwEdGVzdDAeFw0yNjExMjkxMTQwMjVaFw0yNzAyMjcxMTQwMjVa\n"                       \
	"MA8xDTALBgNVBAoMBHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATQSoV5\n"                       \
	"gnvq3nouVz19HR2ssQ7XYurYrY8eawD8SBq+Osi/Dj/JeFerDLByhnFLIPdR/1Wp\n"                       \
	"e8cwd6sYO43GHRICo1MwUTAdBgNVHQ4EFgQUfmnvQZv4NjZlVFyys9p0scKgHKww\n"                       \
	"HwYDVR0jBBgwFoAUfmnvQZv4NjZlVFyys9p0scKgHKwwDwYDVR0TAQH/BAUwAwEB\n"                       \
	"/zAKBggqhkjOPQQDAgNHADBEAiAUwODGK+VxjkbDbr+N1o1RIlWdZwfv1UUypEv1\n"                       \
	"PhNzsAIgJxgtdi2HvXG2tCJiW9k+F5eBTy/4BnF/ylpkoSB8J8g=\n"
#define LONG_END  (INT64_C(3523952425) * SECOND_MS)
#define SHORT_END (INT64_C(1803728425) * SECOND_MS)

static int end_of(const char *text, bool last, int64_t *ret_ms)
{
	char path[] = "/tmp/oauth-keepalive-test.XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, text, strlen(text)), 0);
	close(fd);
	r = certificate_end(path, last, ret_ms);
	unlink(path);
	return r;
}

static void test_files(void **state)
{
	int64_t ms = 0;

	(void)state;
	assert_int_equal(end_of(FRAME(LONG_LIVED), false, &ms), 0);
	assert_true(ms == LONG_END);
	assert_int_equal(end_of(FRAME(SHORT_LIVED) FRAME(LONG_LIVED), false, &ms), 0);
	assert_true(ms == SHORT_END);
	assert_int_equal(end_of("of a bundle\n" FRAME(SHORT_LIVED) FRAME(LONG_LIVED), true, &ms),
			 0);
	assert_true(ms == LONG_END);
	assert_int_equal(end_of(FRAME(LONG_LIVED) FRAME(SHORT_LIVED), true, &ms), 0);
	assert_true(ms == LONG_END);
	assert_int_equal(end_of(FRAME("bm9uZQ==\n") FRAME(SHORT_LIVED), true, &ms), 0);
	assert_true(ms == SHORT_END);
	assert_int_equal(end_of("", false, &ms), -EBADMSG);
	assert_int_equal(end_of("-----BEGIN CERTIFICATE-----\n" LONG_LIVED, true, &ms), -EBADMSG);
	assert_int_equal(
		end_of("-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n", true, &ms),
		-EBADMSG);
	assert_int_equal(end_of(FRAME("not base64: ?"), false, &ms), -EBADMSG);
	// One begins with the dashes that end the other.
	assert_int_equal(
		end_of("-----BEGIN CERTIFICATE-----END CERTIFICATE-----\n" FRAME(SHORT_LIVED),
		       false, &ms),
		-EBADMSG);
	assert_int_equal(certificate_end("/nowhere/at/all", false, &ms), -ENOENT);
}

// Nothing beyond what there is gets read (the sanitizers see to that), and no half of one is taken for a whole.
static void test_cut_and_changed(void **state)
{
	unsigned char der[1024];
	size_t len = 0;
	int64_t ms;

	(void)state;
	assert_int_equal(sodium_base642bin(der, sizeof(der), LONG_LIVED, strlen(LONG_LIVED), "\n",
					   &len, NULL, sodium_base64_VARIANT_ORIGINAL),
			 0);
	assert_int_equal(certificate_parse(der, len, &ms), 0);
	for (size_t n = 0; n < len; n++) {
		unsigned char *cut = malloc(n ? n : 1);
		memcpy(cut, der, n);
		assert_int_equal(certificate_parse(cut, n, &ms), -EBADMSG);
		free(cut);
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char *changed = malloc(len);
		for (int bit = 0; bit < 8; bit++) {
			memcpy(changed, der, len);
			changed[i] ^= (unsigned char)(1 << bit);
			certificate_parse(changed, len, &ms);
		}
		free(changed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_cut_and_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
