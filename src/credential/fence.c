// SPDX-License-Identifier: MIT
//
// OpenClaw's refresh fence (facts: openclaw-sqlite-store.md 2.1):
//
//	openclaw-oauth-refresh-fence:v1:<claim>:access:<digest>            pending
//	openclaw-oauth-refresh-fence:v1:<claim>:failed:access:<digest>     failed; both likewise with `refresh`
#include "json/json.h"
#include "credential/credential.h"

#define CLAIM_LENGTH 32

static const char prefix[] = "openclaw-oauth-refresh-fence:";

bool token_is_fence(const struct secret *token)
{
	return token->text && string_starts(token->text, prefix);
}

// One half. False unless it is exactly of the form.
static bool read_half(const struct secret *token, const char *kind, struct fence *ret)
{
	const char *p;

	if (!token_is_fence(token))
		return false;
	p = token->text + sizeof(prefix) - 1;
	if (!string_starts(p, "v1:") || hex_digits(p + 3) < CLAIM_LENGTH)
		return false;
	memcpy(ret->claim, p + 3, CLAIM_LENGTH);
	p += 3 + CLAIM_LENGTH;
	ret->failed = string_starts(p, ":failed:");
	p += ret->failed ? strlen(":failed:") : 1;
	if (p[-1] != ':' || !string_starts(p, kind) || p[strlen(kind)] != ':')
		return false;
	p += strlen(kind) + 1;
	if (hex_digits(p) != FINGERPRINT_LENGTH || p[FINGERPRINT_LENGTH] != '\0')
		return false;
	memcpy(ret->digest.hex, p, FINGERPRINT_LENGTH);
	return true;
}

bool fence_read(const struct secret *access, const struct secret *refresh, struct fence *ret)
{
	struct fence a = {0}, r = {0};

	if (!token_is_fence(access) && !token_is_fence(refresh))
		return false;
	if (!read_half(access, "access", &a) || !read_half(refresh, "refresh", &r) ||
	    a.failed != r.failed || !string_equal(a.claim, r.claim))
		r = (struct fence){.failed = true};
	if (ret)
		*ret = r;
	return true;
}

struct fingerprint fence_digest(const char *profile, const char *provider,
				const struct secret *refresh)
{
	_cleanup_json_ cJSON *array = cJSON_CreateArray();
	_cleanup_secret_ struct secret text = {0};

	if (secret_empty(refresh))
		return (struct fingerprint){0};
	cJSON_AddItemToArray(array, cJSON_CreateString("openclaw.oauth-refresh-generation"));
	cJSON_AddItemToArray(array, cJSON_CreateNumber(1));
	cJSON_AddItemToArray(array, cJSON_CreateString(profile));
	cJSON_AddItemToArray(array, cJSON_CreateString(provider));
	cJSON_AddItemToArray(array, cJSON_CreateString("refresh"));
	cJSON_AddItemToArray(array, cJSON_CreateString(refresh->text));
	text = json_print(array, false);
	return fingerprint_of(&text);
}
