// SPDX-License-Identifier: MIT
//
// OpenClaw's fences: what is one, what it names. The first vector is a fence that OpenClaw 2026.9.6 made.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "credential/credential.h"

#define CLAIM	      "10cf591c7b913ea0a66f4bb30434d0b7"
#define PREFIX	      "openclaw-oauth-refresh-fence:v1:" CLAIM
#define ACCESS_DIGEST "facf18c349d5d7f8621ce03f562d1f85c502c1a2f64204daf9cbccfa049ad29f"
// Of xai:default, xai, FAKE-REFRESH-1.
#define REFRESH_DIGEST "a48dcb9de62a09525081ce65785a4b666a74acd0da4248d9e5c95919898ad8c2"

static struct fingerprint digest_of(const char *profile, const char *provider, const char *refresh)
{
	_cleanup_secret_ struct secret token = {};

	secret_set_string(&token, refresh);
	return fence_digest(profile, provider, &token);
}

static void test_digest(void **state)
{
	static const struct {
		const char *profile, *provider, *refresh, *digest;
	} cases[] = {
		{"xai:default", "xai", "FAKE-REFRESH-1", REFRESH_DIGEST},
		{"openai:fake@example.com", "openai", "FAKE-REFRESH-codex-1",
		 "69fdfc78078e1769403f096e385082fd7940f46473a880c53d857c7208dd53ba"},
		// What JSON.stringify escapes, and what it leaves.
		{"anthropic:\"\xc3\xbc/\\\t", "anthropic", "FAKE/REFRESH+1=",
		 "f33d6e44ffe1b74b62895d4e65e2e7cc32b0398419a5589423e9b6692e5ce3a8"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fingerprint digest =
			digest_of(cases[i].profile, cases[i].provider, cases[i].refresh);

		assert_string_equal(digest.hex, cases[i].digest);
	}
	assert_false(fingerprint_equal(digest_of("xai:work", "xai", "FAKE-REFRESH-1"),
				       digest_of("xai:default", "xai", "FAKE-REFRESH-1")));
	assert_true(fingerprint_empty(digest_of("xai:default", "xai", "")));
}

static bool read_pair(const char *access, const char *refresh, struct fence *ret)
{
	_cleanup_secret_ struct secret a = {}, r = {};

	secret_set_string(&a, access);
	secret_set_string(&r, refresh);
	return fence_read(&a, &r, ret);
}

static void test_pending_and_failed(void **state)
{
	struct fence fence;

	(void)state;
	assert_true(read_pair(PREFIX ":access:" ACCESS_DIGEST, PREFIX ":refresh:" REFRESH_DIGEST,
			      &fence));
	assert_false(fence.failed);
	assert_string_equal(fence.claim, CLAIM);
	assert_true(
		fingerprint_equal(fence.digest, digest_of("xai:default", "xai", "FAKE-REFRESH-1")));

	assert_true(read_pair(PREFIX ":failed:access:" ACCESS_DIGEST,
			      PREFIX ":failed:refresh:" REFRESH_DIGEST, &fence));
	assert_true(fence.failed);
	assert_string_equal(fence.claim, CLAIM);
	assert_string_equal(fence.digest.hex, REFRESH_DIGEST);
	assert_true(read_pair(PREFIX ":access:" ACCESS_DIGEST, PREFIX ":refresh:" REFRESH_DIGEST,
			      NULL));
}

// Half a fence, or one of a later form, is never a token; and it names nothing, so nothing is sent for its sake.
static void test_malformed(void **state)
{
	static const struct {
		const char *access, *refresh;
	} cases[] = {
		{PREFIX ":access:" ACCESS_DIGEST, "FAKE-REFRESH-1"},
		{"FAKE-ACCESS-1", PREFIX ":refresh:" REFRESH_DIGEST},
		{NULL, PREFIX ":refresh:" REFRESH_DIGEST},
		{PREFIX ":access:" ACCESS_DIGEST, PREFIX ":failed:refresh:" REFRESH_DIGEST},
		{PREFIX ":refresh:" REFRESH_DIGEST, PREFIX ":access:" ACCESS_DIGEST},
		{PREFIX ":access:" ACCESS_DIGEST, PREFIX ":refresh:" REFRESH_DIGEST "0"},
		{PREFIX ":access:" ACCESS_DIGEST, PREFIX ":refresh:a48d"},
		{PREFIX ":access:" ACCESS_DIGEST, PREFIX ":refresh:"},
		{PREFIX ":access:" ACCESS_DIGEST,
		 "openclaw-oauth-refresh-fence:v1:00000000000000000000000000000000:"
		 "refresh:" REFRESH_DIGEST},
		{"openclaw-oauth-refresh-fence:v2:" CLAIM ":access:" ACCESS_DIGEST,
		 "openclaw-oauth-refresh-fence:v2:" CLAIM ":refresh:" REFRESH_DIGEST},
		{"openclaw-oauth-refresh-fence:", "openclaw-oauth-refresh-fence:"},
		{"openclaw-oauth-refresh-fence:v1:", "openclaw-oauth-refresh-fence:v1:0"},
		{PREFIX "", PREFIX ""},
		{PREFIX ":", PREFIX ":failed:"},
		{"openclaw-oauth-refresh-fence:v1:"
		 "10CF591C7B913EA0A66F4BB30434D0B7"
		 ":access:" ACCESS_DIGEST,
		 "openclaw-oauth-refresh-fence:v1:"
		 "10CF591C7B913EA0A66F4BB30434D0B7"
		 ":refresh:" REFRESH_DIGEST},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fence fence = {};

		assert_true(read_pair(cases[i].access, cases[i].refresh, &fence));
		assert_true(fence.failed);
		assert_string_equal(fence.claim, "");
		assert_true(fingerprint_empty(fence.digest));
	}
}

static void test_tokens_are_none(void **state)
{
	static const char *const tokens[] = {"FAKE-REFRESH-1", "", NULL,
					     "openclaw-oauth-refresh-fence",
					     "xopenclaw-oauth-refresh-fence:v1:" CLAIM};
	struct fence fence = {.claim = "untouched"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++)
		assert_false(read_pair(tokens[i], tokens[i], &fence));
	assert_string_equal(fence.claim, "untouched");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_pending_and_failed),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_tokens_are_none),
	};

	return cmocka_run_group_tests_name("fence", tests, NULL, NULL);
}
