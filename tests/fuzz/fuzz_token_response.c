// SPDX-License-Identifier: MIT
//
// Any bytes from a token endpoint, at any provider: four bytes choose provider, status and flags,
// the rest is the body. What is taken as tokens is fit to be stored, and what may be shown is never
// a piece of one.
#include "base/clock.h"
#include "fuzz.h"
#include "provider/provider.h"

#define RECEIVED_MS 1763600000000

static bool is_sound(const struct secret *token)
{
	for (size_t i = 0; i < token->len; i++)
		if (token->text[i] <= ' ' || token->text[i] >= 0x7f)
			return false;
	return token->len <= 64u << 10;
}

// Words of one case without digits, or the status.
static void check_code(const struct answer *answer)
{
	char status[64];

	fuzz_check(memchr(answer->code, 0, sizeof(answer->code)) && *answer->code);
	snprintf(status, sizeof(status), "http_%d", answer->status);
	fuzz_check(string_equal(answer->code, status) ||
		   !answer->code[strcspn(answer->code, "0123456789 \"\\\n")]);
}

static void check_tokens(const struct answer *answer)
{
	fuzz_check(answer->status >= 200 && answer->status <= 299);
	fuzz_check(!secret_empty(&answer->access) && is_sound(&answer->access));
	fuzz_check(is_sound(&answer->refresh) && is_sound(&answer->id_token));
	fuzz_check(answer->lifetime_s >= 0 && answer->lifetime_s <= 3650 * DAY_S);
	fuzz_check(answer->grant_lifetime_s >= 0 && answer->grant_lifetime_s <= 3650 * DAY_S);
}

static void try_discovery(const struct provider *provider, const struct secret *body)
{
	_cleanup_free_ char *url = NULL;

	if (provider_read_discovery(provider, body->text, body->len, &url) < 0)
		return;
	_cleanup_free_ char *host = url_host(url);
	fuzz_check(url_is_safe(url) && host && string_ends(host, provider->endpoint_domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n;
	const struct provider *providers = provider_presets(&n);
	struct http_answer http = {0};
	struct answer answer;

	if (size < 4)
		return 0;
	const struct provider *provider = &providers[data[0] % n];
	http.status = data[1] < 128 ? 200 : 100 + (data[1] & 127) * 4;
	http.retry_after_s = (int8_t)data[2] < -1 ? -1 : (int8_t)data[2];
	http.challenge = data[3] & 1;
	http.cut = data[3] & 2;
	secret_set(&http.body, (const char *)data + 4, size - 4);

	provider_read_answer(provider, &http, RECEIVED_MS, &answer);
	check_code(&answer);
	if (answer.kind == ANSWER_TOKENS)
		check_tokens(&answer);
	else
		fuzz_check(secret_empty(&answer.access) && secret_empty(&answer.refresh));
	(void)answer_expires_ms(provider, &answer, RECEIVED_MS);
	answer_free(&answer);
	try_discovery(provider, &http.body);
	secret_free(&http.body);
	return 0;
}
