// SPDX-License-Identifier: MIT
//
// The presets, URLs, requests and answers of token endpoints. The table of answers is the heart:
// every class of answer and every dead code of the facts, because a wrong class either spends a
// token twice or gives a login up.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"
#include "json/json.h"
#include "provider/provider.h"

#define NOW_MS INT64_C(1795215600000)

static const struct provider *preset(const char *name)
{
	const struct provider *provider = provider_preset(name);

	assert_non_null(provider);
	return provider;
}

// ---- presets

static void test_presets_are_sound(void **state)
{
	size_t n;
	const struct provider *presets = provider_presets(&n);

	(void)state;
	assert_true(n >= 13);
	for (size_t i = 0; i < n; i++) {
		const struct provider *p = &presets[i];

		assert_ptr_equal(provider_preset(p->name), p);
		assert_non_null(p->family);
		assert_non_null(p->login_command);
		if (p->no_refresh) {
			assert_null(p->token_url);
			continue;
		}
		assert_true(!p->token_url != !p->discovery_url);
		assert_true(url_is_safe(p->token_url ? p->token_url : p->discovery_url));
		assert_true(!p->discovery_url == !p->endpoint_domain);
		assert_true(p->lifetime_s > 0);
		// Only Google's tokens may be sent again after a lost answer.
		assert_int_equal(p->rotates, !string_starts(p->name, "google-"));
		assert_int_equal(p->reuse_window_s, 0);
	}
	assert_null(provider_preset("mistral"));
}

// An access token is told to https alone, and an account's id, which a store says, cannot make a header line of its own.
static void test_probes(void **state)
{
	const struct provider *openai = preset("openai");
	struct secret access = {0};
	struct http_request http;
	size_t n;
	const struct provider *presets = provider_presets(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		if (presets[i].probe_url) {
			assert_true(url_is_safe(presets[i].probe_url));
			assert_true(string_starts(presets[i].probe_url, "https://"));
			assert_null(presets[i].no_refresh);
		}
	secret_set_string(&access, "FAKE-ACCESS");
	provider_build_probe(openai, "acct-1", &access, &http);
	assert_true(secret_equal(&http.bearer, &access));
	assert_null(http.body.text);
	assert_int_equal(http.n_headers, 2);
	assert_string_equal(http.headers[1], "ChatGPT-Account-Id: acct-1");
	http_request_free(&http);
	const char *const bad[] = {NULL, "", "a b", "a\r\nX: y", "a:b"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		provider_build_probe(openai, bad[i], &access, &http);
		assert_int_equal(http.n_headers, 1);
		http_request_free(&http);
	}
	secret_free(&access);
}

static void test_families(void **state)
{
	(void)state;
	assert_true(provider_same_family(preset("openai"), preset("openai-codex")));
	assert_true(provider_same_family(preset("kimi"), preset("kimi-code")));
	assert_false(
		provider_same_family(preset("google-gemini-cli"), preset("google-antigravity")));
	assert_false(provider_same_family(preset("xai"), NULL));
}

static void test_obstacles(void **state)
{
	char theirs[] = "client-of-credential";
	struct credential with_id = {.client_id = theirs}, without = {0};
	struct provider google = *preset("google-gemini-cli");

	(void)state;
	assert_null(provider_obstacle(preset("xai"), &without));
	assert_null(provider_obstacle(preset("chutes"), &with_id));
	assert_non_null(strstr(provider_obstacle(preset("chutes"), &without), "`client_id`"));
	assert_non_null(strstr(provider_obstacle(preset("qwen-portal"), &without), "2026-04-15"));
	assert_non_null(strstr(provider_obstacle(&google, &without), "`client_id`"));
	assert_non_null(strstr(provider_obstacle(&google, &with_id), "`client_secret_file`"));
	google.client_secret_file = "/etc/secret";
	assert_null(provider_obstacle(&google, &with_id));

	google.client_id = "client-of-configuration";
	assert_string_equal(provider_client_id(&google, &with_id), theirs);
	assert_string_equal(provider_client_id(&google, &without), "client-of-configuration");
	assert_string_equal(provider_client_id(preset("xai"), &with_id), preset("xai")->client_id);
	assert_string_equal(provider_client_id(preset("chutes"), &with_id), theirs);
	assert_null(provider_client_id(preset("chutes"), NULL));
	struct provider chutes =
		*preset("chutes"); // the login was made by that client: it goes first
	chutes.client_id = "client-of-configuration";
	assert_string_equal(provider_client_id(&chutes, &with_id), theirs);
	assert_string_equal(provider_client_id(&chutes, &without), "client-of-configuration");
}

// ---- URLs

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		bool safe;
		const char *host;
	} cases[] = {
		{"https://auth.x.ai/oauth2/token", true, "auth.x.ai"},
		{"HTTPS://Auth.X.AI", true, "auth.x.ai"},
		{"https://a.example:8443/t?x=1@2", true, "a.example"},
		{"https://[2001:db8::1]:443/t", true, "2001:db8::1"},
		{"http://127.0.0.1:8080/t", true, "127.0.0.1"},
		{"http://127.255.0.3/t", true, "127.255.0.3"},
		{"http://[::1]:80/t", true, "::1"},
		{"http://localhost/t", true, "localhost"},
		{"http://LocalHost:1/t", true, "localhost"},
		{"http://auth.example/t", false, "auth.example"},
		{"http://10.0.0.1/t", false, "10.0.0.1"},
		{"http://128.0.0.1/t", false, "128.0.0.1"},
		{"http://127.1/t", false, "127.1"},
		{"http://127.0.0.01/t", false, "127.0.0.01"},
		{"http://0x7f.0.0.1/t", false, "0x7f.0.0.1"},
		{"http://2130706433/t", false, "2130706433"},
		{"http://127.0.0.1.evil.example/t", false, "127.0.0.1.evil.example"},
		{"http://localhost.evil.example/t", false, "localhost.evil.example"},
		{"http://[::ffff:127.0.0.1]/t", false, "::ffff:127.0.0.1"},
		{"http://[::2]/t", false, "::2"},
		{"https://user@a.example/t", false, NULL},
		{"https://a.example:pw@b.example/t", false, NULL},
		{"http://127.0.0.1@evil.example/t", false, NULL},
		{"http://127.0.0.1\\@evil.example/t", false, NULL},
		{"https://a.example\\t", false, NULL},
		{"https://a.example/t#f", false, NULL},
		{"https://a.example#@b.example/t", false, NULL},
		{"https://a.example/a b", false, NULL},
		{"https://a.example/\r\nHost: b", false, NULL},
		{"https://a.example/\x7f", false, NULL},
		{"https://a.example/\xc3\xa4", false, NULL},
		{"https://a.example./t", false, NULL},
		{"https://a..example/t", false, NULL},
		{"https://.example/t", false, NULL},
		{"https://a.example:/t", false, NULL},
		{"https://a.example:0/t", false, NULL},
		{"https://a.example:65536/t", false, NULL},
		{"https://a.example:1x/t", false, NULL},
		{"https://a%2eexample/t", false, NULL},
		{"https://[::1/t", false, NULL},
		{"https://[::1]x/t", false, NULL},
		{"https://[fe80::1%25eth0]/t", false, NULL},
		{"https:///t", false, NULL},
		{"https://?x", false, NULL},
		{"https:/a.example/t", false, NULL},
		{"ftp://a.example/t", false, NULL},
		{"//a.example/t", false, NULL},
		{"", false, NULL},
		{NULL, false, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *host = url_host(cases[i].url);

		if (url_is_safe(cases[i].url) != cases[i].safe ||
		    !string_equal(host, cases[i].host))
			fail_msg("%s: host %s", cases[i].url, host ? host : "none");
	}
}

static void test_discovery(void **state)
{
	static const struct {
		const char *body;
		int result;
	} cases[] = {
		{"{\"token_endpoint\":\"https://auth.x.ai/oauth2/token\"}", 0},
		{"{\"token_endpoint\":\"https://x.ai/token\"}", 0},
		{"{\"token_endpoint\":\"https://X.AI:443/token\"}", 0},
		{"{\"token_endpoint\":\"https://evilx.ai/token\"}", -EPERM},
		{"{\"token_endpoint\":\"https://x.ai.evil.example/token\"}", -EPERM},
		{"{\"token_endpoint\":\"https://evil.example/x.ai\"}", -EPERM},
		{"{\"token_endpoint\":\"https://evil.example?.x.ai\"}", -EPERM},
		{"{\"token_endpoint\":\"https://evil.example#.x.ai\"}", -EPERM},
		{"{\"token_endpoint\":\"https://a@auth.x.ai/t\"}", -EPERM},
		{"{\"token_endpoint\":\"http://auth.x.ai/token\"}", -EPERM},
		{"{\"token_endpoint\":\"http://127.0.0.1/token\"}", -EPERM},
		{"{\"token_endpoint\":\"https://auth.x.ai/\\r\\nX: y\"}", -EPERM},
		{"{\"token_endpoint\":\"https://auth.x.ai\\u0000.evil.example/\"}", -EPERM},
		{"{\"token_endpoint\":7}", -EBADMSG},
		{"{\"Token_Endpoint\":\"https://auth.x.ai/t\"}", -EBADMSG},
		{"[\"token_endpoint\"]", -EBADMSG},
		{"{\"token_endpoint\":\"https://auth.x.ai/t\"", -EBADMSG},
		{"<html>", -EBADMSG},
		{"", -EBADMSG},
	};
	struct provider local = *preset("xai");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *url = NULL;
		int r = provider_read_discovery(preset("xai"), cases[i].body, strlen(cases[i].body),
						&url);

		if (r != cases[i].result || !url != (r < 0))
			fail_msg("%s: %d", cases[i].body, r);
	}
	local.endpoint_domain = "127.0.0.1";
	_cleanup_free_ char *url = NULL;
	const char *body = "{\"token_endpoint\":\"http://127.0.0.1:9/t\"}";
	assert_int_equal(provider_read_discovery(&local, body, strlen(body), &url), 0);
	assert_string_equal(url, "http://127.0.0.1:9/t");
}

// ---- requests

static void build(const struct provider *provider, const char *secret_text, const char *token,
		  struct http_request *ret)
{
	_cleanup_secret_ struct secret secret = {0}, refresh = {0};

	secret_set_string(&secret, secret_text);
	secret_set_string(&refresh, token);
	provider_build_request(provider, "https://a.example/token", "client",
			       secret_text ? &secret : NULL, &refresh, ret);
}

static void test_form_request(void **state)
{
	_cleanup_(http_request_free) struct http_request request = {0};

	(void)state;
	build(preset("openai"), NULL, "FAKE.REFRESH-1_~", &request);
	assert_string_equal(request.url, "https://a.example/token");
	assert_int_equal(request.n_headers, 1);
	assert_string_equal(request.headers[0], "Content-Type: application/x-www-form-urlencoded");
	assert_string_equal(
		request.body.text,
		"grant_type=refresh_token&refresh_token=FAKE.REFRESH-1_~&client_id=client");
}

static void test_form_encoding_is_strict(void **state)
{
	_cleanup_(http_request_free) struct http_request request = {0};
	struct provider provider = *preset("google-gemini-cli");

	(void)state;
	provider.scope = "openid email";
	build(&provider, "s&cret=", "1//F+A/K=E&client_id=evil%\xc3\xa4", &request);
	assert_string_equal(request.body.text,
			    "grant_type=refresh_token"
			    "&refresh_token=1%2F%2FF%2BA%2FK%3DE%26client_id%3Devil%25%C3%A4"
			    "&client_id=client&client_secret=s%26cret%3D&scope=openid%20email");
}

static void test_json_request(void **state)
{
	_cleanup_(http_request_free) struct http_request request = {0};

	(void)state;
	build(preset("anthropic"), NULL, "FAKE\"REFRESH\\1", &request);
	assert_int_equal(request.n_headers, 2);
	assert_string_equal(request.headers[0], "Content-Type: application/json");
	assert_string_equal(request.headers[1], "Accept: application/json");
	assert_string_equal(request.body.text,
			    "{\"grant_type\":\"refresh_token\",\"refresh_token\":\"FAKE\\\"REFRESH"
			    "\\\\1\",\"client_id\":\"client\"}");
}

// What stands in a form must come back out of it byte for byte, whatever the token is made of.
static void test_form_round_trip(void **state)
{
	static const unsigned char seed[randombytes_SEEDBYTES] = "form round trip";
	unsigned char bytes[300 * 48];

	(void)state;
	randombytes_buf_deterministic(bytes, sizeof(bytes), seed);
	for (size_t i = 0; i < 300; i++) {
		_cleanup_(http_request_free) struct http_request request = {0};
		char token[48] = {0}, back[48] = {0};
		const char *p;
		size_t n = 0;

		for (size_t k = 0; k < sizeof(token) - 1; k++)
			token[k] = (char)(bytes[i * 48 + k] | (bytes[i * 48 + k] == 0));
		build(preset("openai"), NULL, token, &request);
		p = strstr(request.body.text, "&refresh_token=") + strlen("&refresh_token=");
		for (; *p != '&'; p++) {
			unsigned byte = (unsigned char)*p;

			assert_true(*p > ' ' && *p < 0x7f);
			if (*p == '%') {
				assert_int_equal(sscanf(p, "%%%2X", &byte), 1);
				p += 2;
			}
			assert_true(n < sizeof(back) - 1);
			back[n++] = (char)byte;
		}
		assert_string_equal(back, token);
	}
}

// The configured headers may hold an authorization: it is not for the discovery host.
static void test_discovery_request(void **state)
{
	static const char *const headers[] = {"Authorization: Basic RkFLRQ==", NULL};
	_cleanup_(http_request_free) struct http_request request = {0};
	struct provider provider = *preset("xai");

	(void)state;
	provider.headers = headers;
	provider_build_discovery(&provider, &request);
	assert_string_equal(request.url, "https://auth.x.ai/.well-known/openid-configuration");
	assert_int_equal(request.n_headers, 1);
	assert_string_equal(request.headers[0], "Accept: application/json");
	assert_true(secret_empty(&request.body));
}

// ---- answers

static void read_answer(const char *provider, int status, const char *flags, const char *body,
			size_t len, struct answer *ret)
{
	struct http_answer http = {
		.status = status,
		.retry_after_s = strchr(flags, 'r') ? 30 : -1,
		.challenge = strchr(flags, 'e'),
		.cut = strchr(flags, 'c'),
	};

	secret_set(&http.body, body, len);
	provider_read_answer(preset(provider), &http, NOW_MS, ret);
	secret_free(&http.body);
}

#define TOKENS                                                                                     \
	"{\"access_token\":\"FAKE-ACCESS-2\",\"refresh_token\":\"FAKE-REFRESH-2\",\"expires_in\":" \
	"3600}"
#define ERROR(code) "{\"error\":\"" code "\",\"error_description\":\"whatever\"}"
#define TYPED(code)                                                                                \
	"{\"type\":\"error\",\"error\":{\"type\":\"" code "\",\"message\":\"whatever\"}}"
#define NESTED(code)                                                                               \
	"{\"error\":{\"message\":\"whatever\",\"type\":\"invalid_request_error\",\"code\":\"" code \
	"\"}}"

static const struct answer_case {
	const char *provider;
	int status;
	const char *flags; // r: Retry-After, e: the edge's challenge, c: cut
	const char *body;
	enum answer_kind kind;
	const char *code;
} answer_cases[] = {
	// tokens, and what may have been tokens
	{"openai", 200, "", TOKENS, ANSWER_TOKENS, "http_200"},
	{"openai", 201, "", TOKENS, ANSWER_TOKENS, "http_201"},
	{"openai", 200, "c", TOKENS, ANSWER_TOKENS, "http_200"},
	{"openai", 200, "e", TOKENS, ANSWER_TOKENS, "http_200"},
	{"openai", 200, "", "{\"access_token\":\"a\",\"error\":null}", ANSWER_TOKENS, "http_200"},
	{"minimax-portal", 200, "", "{\"status\":\"success\",\"access_token\":\"a\"}",
	 ANSWER_TOKENS, "http_200"},
	{"openai", 200, "", "{\"access_token\":\"a\",\"refresh_token\":null}", ANSWER_TOKENS,
	 "http_200"},
	{"openai", 200, "", "{\"access_token\":\"a\",\"refresh_token\":\"\"}", ANSWER_TOKENS,
	 "http_200"},
	{"openai", 200, "", "{\"access_token\":\"a\",\"refresh_token\":7}", ANSWER_UNKNOWN, NULL},
	{"openai", 200, "", "{\"access_token\":\"a\",\"refresh_token\":{}}", ANSWER_UNKNOWN, NULL},
	{"openai", 200, "", "{\"access_token\":\"a\",\"refresh_token\":\"r\\n\"}", ANSWER_UNKNOWN,
	 NULL},
	{"openai", 200, "", "{\"access_token\":\"a\",\"refresh_token\":\"r r\"}", ANSWER_UNKNOWN,
	 NULL},
	{"openai", 200, "", "{\"access_token\":\"a\",\"refresh_token\":\"r\\u0000x\"}",
	 ANSWER_UNKNOWN, NULL},
	{"openai", 200, "", "{\"access_token\":\"a b\",\"refresh_token\":\"r\"}", ANSWER_UNKNOWN,
	 NULL},
	{"openai", 200, "", "{\"access_token\":\"a\\ud83d\",\"refresh_token\":\"r\"}",
	 ANSWER_UNKNOWN, NULL},
	{"openai", 200, "", "{\"access_token\":\"\u00e4\",\"refresh_token\":\"r\"}", ANSWER_UNKNOWN,
	 NULL},
	// a fault elsewhere gives up no token: what JavaScript reads without a word, we do
	{"openai", 200, "", "{\"access_token\":\"a\",\"account\":{\"name\":\"Ann \\ud83d\"}}",
	 ANSWER_TOKENS, "http_200"},
	{"openai", 200, "", "{\"access_token\":\"a\",\"n\":\"\\udc00\\ud83d\\ud83d\\ude00\"}",
	 ANSWER_TOKENS, "http_200"},
	{"openai", 200, "", "{\"access_token\":\"a\",\"n\":\"x\\u0000y\",\"\\u0000\":1}",
	 ANSWER_TOKENS, "http_200"},
	{"openai", 200, "", "{\"access_token\":\"a\",\"n\":\"\xff\xc3\"}", ANSWER_TOKENS,
	 "http_200"},
	{"openai", 200, "", "\xef\xbb\xbf{\"access_token\":\"a\"}", ANSWER_TOKENS, "http_200"},
	{"openai", 200, "",
	 "{\"access_token\":\"a\",\"n\":"
	 "12345678901234567890123456789012345678901234567890123456789012345678901234567890}",
	 ANSWER_TOKENS, "http_200"},
	{"openai", 200, "", "{\"access_token\":\"a\",\"n\":-1e400}", ANSWER_TOKENS, "http_200"},
	{"openai", 200, "", "{\"access_token\":7,\"access_token\":\"a\"}", ANSWER_TOKENS,
	 "http_200"},
	{"openai", 200, "", "{\"access_token\":\"a\",\"refresh_token\":false}", ANSWER_UNKNOWN,
	 NULL},
	{"openai", 200, "",
	 "{\"access_token\":\"a\",\"id_token\":7,\"scope\":[],\"token_type\":null}", ANSWER_TOKENS,
	 "http_200"},
	{"openai", 200, "", "{\"access_token\":7,\"error\":\"invalid_grant\"}", ANSWER_UNKNOWN,
	 NULL},
	{"openai", 200, "", "{\"refresh_token\":\"r\"}", ANSWER_UNKNOWN, NULL},
	{"openai", 200, "", "{\"refresh_token\":\"r\",\"error\":\"invalid_grant\"}", ANSWER_UNKNOWN,
	 NULL},
	{"openai", 200, "", "{\"Access_Token\":\"a\"}", ANSWER_UNKNOWN, NULL},
	{"openai", 200, "", "[" TOKENS "]", ANSWER_UNKNOWN, NULL},
	{"openai", 200, "", TOKENS "x", ANSWER_UNKNOWN, NULL},
	{"openai", 200, "c", "{\"access_token\":\"FAKE-ACCESS-2\",\"refresh", ANSWER_UNKNOWN, NULL},
	{"openai", 200, "", "{}", ANSWER_UNKNOWN, NULL},
	{"openai", 200, "", "<html>welcome</html>", ANSWER_UNKNOWN, NULL},
	{"openai", 200, "", "", ANSWER_UNKNOWN, NULL},
	{"openai", 204, "", "", ANSWER_UNKNOWN, NULL},
	{"openai", 400, "", TOKENS, ANSWER_UNKNOWN, NULL},
	{"openai", 503, "r", TOKENS, ANSWER_UNKNOWN, NULL},

	// dead: every code of the facts, in each place it is found
	{"openai", 401, "", NESTED("refresh_token_reused"), ANSWER_DEAD, "refresh_token_reused"},
	{"openai", 401, "", NESTED("refresh_token_expired"), ANSWER_DEAD, "refresh_token_expired"},
	{"openai", 401, "", NESTED("refresh_token_invalidated"), ANSWER_DEAD,
	 "refresh_token_invalidated"},
	{"openai", 401, "", NESTED("token_expired"), ANSWER_DEAD, "token_expired"},
	{"openai", 401, "", NESTED("token_invalidated"), ANSWER_DEAD, "token_invalidated"},
	{"openai", 401, "", NESTED("invalid_grant"), ANSWER_DEAD, "invalid_grant"},
	{"openai", 401, "", NESTED("invalid_refresh_token"), ANSWER_DEAD, "invalid_refresh_token"},
	{"openai", 200, "", "{\"error\":\"bad_refresh_token\"}", ANSWER_DEAD, "bad_refresh_token"},
	{"openai", 400, "", "{\"code\":\"refresh_token_reused\"}", ANSWER_DEAD,
	 "refresh_token_reused"},
	{"openai", 403, "", "{\"error\":\"Unauthorized\",\"code\":\"refresh_token_reused\"}",
	 ANSWER_DEAD, "refresh_token_reused"},
	{"openai", 400, "", NESTED("app_session_expired"), ANSWER_DEAD, "app_session_expired"},
	{"openai", 400, "", NESTED("account_deactivated"), ANSWER_DEAD, "account_deactivated"},
	{"openai", 400, "", NESTED("account_deleted"), ANSWER_DEAD, "account_deleted"},
	{"openai", 401, "", ERROR("REFRESH_TOKEN_REUSED"), ANSWER_DEAD, "refresh_token_reused"},
	{"anthropic", 400, "", TYPED("invalid_grant"), ANSWER_DEAD, "invalid_grant"},
	{"anthropic", 401, "", "{\"error\":{\"error\":\"invalid_grant\"}}", ANSWER_DEAD,
	 "invalid_grant"},
	{"anthropic", 400, "",
	 "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Refresh "
	 "token not found or invalid\"}}",
	 ANSWER_DEAD, "invalid_grant"},
	{"chutes", 400, "", "{\"detail\":{\"error\":\"invalid_grant\"}}", ANSWER_DEAD,
	 "invalid_grant"},
	{"xai", 400, "", "{\"error_code\":\"refresh_token_not_found\"}", ANSWER_DEAD,
	 "refresh_token_not_found"},
	{"anthropic", 400, "", ERROR("invalid_grant"), ANSWER_DEAD, "invalid_grant"},
	{"anthropic", 400, "c", ERROR("invalid_grant"), ANSWER_DEAD, "invalid_grant"},
	{"xai", 400, "",
	 "{\"error\":\"invalid_grant\",\"error_description\":\"Refresh token has been revoked\"}",
	 ANSWER_DEAD, "invalid_grant"},
	{"google-gemini-cli", 400, "",
	 "{\"error\":\"invalid_grant\",\"error_subtype\":\"invalid_rapt\"}", ANSWER_DEAD,
	 "invalid_grant"},
	{"chutes", 400, "", ERROR("invalid_grant"), ANSWER_DEAD, "invalid_grant"},
	{"openai", 200, "", ERROR("invalid_grant"), ANSWER_DEAD, "invalid_grant"},
	{"openai", 200, "", NESTED("refresh_token_reused"), ANSWER_DEAD, "refresh_token_reused"},
	{"openai", 401, "",
	 "{\"error\":{\"message\":\"Your refresh token has already been used to generate a new "
	 "access token. "
	 "Please try signing in again.\"}}",
	 ANSWER_DEAD, "refresh_token_reused"},
	{"openai", 400, "", "{\"message\":\"Refresh token has already been used\"}", ANSWER_DEAD,
	 "refresh_token_reused"},
	{"kimi", 400, "", "{\"message\":\"The provided authorization grant is invalid\"}",
	 ANSWER_DEAD, "invalid_grant"},
	{"openai", 400, "", "{\"message\":\"The provided authorization grant is invalid\"}",
	 ANSWER_REJECTED, "http_400"},
	{"kimi-code", 401, "", "{\"message\":\"no\"}", ANSWER_DEAD, "http_401"},
	{"kimi", 403, "", "{}", ANSWER_DEAD, "http_403"},
	{"kimi", 403, "", "<html>", ANSWER_REJECTED, "http_403"},
	{"kimi", 403, "e", "<html>", ANSWER_NOT_SPENT, "http_403"},
	{"kimi", 500, "", "{}", ANSWER_UNKNOWN, "http_500"},
	{"xai", 401, "", "{}", ANSWER_REJECTED, "http_401"},
	{"minimax-portal", 200, "",
	 "{\"status\":\"error\",\"base_resp\":{\"status_code\":1004,\"status_msg\":\"refresh_token_"
	 "reused: no\"}}",
	 ANSWER_DEAD, "refresh_token_reused"},

	// refused, and as alive as before
	{"openai", 400, "", ERROR("invalid_client"), ANSWER_REJECTED, "invalid_client"},
	{"anthropic", 400, "", ERROR("invalid_scope"), ANSWER_REJECTED, "invalid_scope"},
	{"google-antigravity", 400, "", ERROR("UNSUPPORTED_CLIENT"), ANSWER_REJECTED,
	 "UNSUPPORTED_CLIENT"},
	{"openai", 200, "", "{\"error\":{\"message\":\"no\"}}", ANSWER_REJECTED, "http_200"},
	{"minimax-portal", 200, "", "{\"status\":\"failed\"}", ANSWER_REJECTED, "http_200"},
	{"minimax-portal", 200, "", "{\"base_resp\":{\"status_code\":1004}}", ANSWER_REJECTED,
	 "http_200"},
	{"minimax-portal", 200, "", "{\"base_resp\":{\"status_code\":0}}", ANSWER_UNKNOWN,
	 "http_200"},
	{"openai", 200, "", "{\"status\":\"failed\"}", ANSWER_UNKNOWN, "http_200"},
	{"openai", 403, "", "<html>denied</html>", ANSWER_REJECTED, "http_403"},
	{"anthropic", 400, "", TYPED("invalid_request_error"), ANSWER_REJECTED,
	 "invalid_request_error"},

	// … and only a person can change that
	{"anthropic", 403, "", TYPED("permission_error"), ANSWER_BARRED, "permission_error"},
	{"anthropic", 400, "", TYPED("permission_error"), ANSWER_BARRED, "permission_error"},
	{"anthropic", 403, "", ERROR("account_on_hold"), ANSWER_BARRED, "account_on_hold"},
	{"anthropic", 400, "",
	 "{\"error\":\"invalid_grant\",\"error_description\":\"account_on_hold\"}", ANSWER_BARRED,
	 "account_on_hold"},
	{"openai", 403, "", NESTED("unsupported_country_region_territory"), ANSWER_BARRED,
	 "unsupported_country_region_territory"},
	{"openai", 400, "", NESTED("account_suspended"), ANSWER_BARRED, "account_suspended"},
	{"xai", 403, "", "{\"error\":\"access_denied\"}", ANSWER_BARRED, "access_denied"},
	{"xai", 403, "", "{\"detail\":\"SuperGrok is needed\"}", ANSWER_BARRED, "http_403"},
	{"chutes", 402, "", "{\"detail\":{\"code\":\"payment_required\"}}", ANSWER_BARRED,
	 "payment_required"},
	{"kimi", 403, "", TYPED("permission_error"), ANSWER_BARRED, "permission_error"},
	{"openai", 404, "", "", ANSWER_REJECTED, "http_404"},
	{"minimax-portal", 307, "", "", ANSWER_UNKNOWN, "http_307"},
	{"openai", 302, "", "<html>moved</html>", ANSWER_UNKNOWN, "http_302"},

	// certainly not spent
	{"anthropic", 429, "", "{\"error\":{\"type\":\"rate_limit_error\"}}", ANSWER_NOT_SPENT,
	 "rate_limit_error"},
	{"anthropic", 429, "rc", "{\"err", ANSWER_NOT_SPENT, "http_429"},
	{"openai", 503, "r", "busy", ANSWER_NOT_SPENT, "http_503"},
	{"openai", 200, "", ERROR("slow_down"), ANSWER_NOT_SPENT, "slow_down"},
	{"xai", 403, "", TYPED("rate_limit_error"), ANSWER_NOT_SPENT, "rate_limit_error"},
	{"openai", 503, "", TYPED("overloaded_error"), ANSWER_NOT_SPENT, "overloaded_error"},
	{"openai", 503, "", ERROR("temporarily_unavailable"), ANSWER_NOT_SPENT,
	 "temporarily_unavailable"},
	{"openai", 503, "", NESTED("overloaded"), ANSWER_NOT_SPENT, "overloaded"},
	{"xai", 403, "e", "<html>Just a moment...</html>", ANSWER_NOT_SPENT, "http_403"},
	{"xai", 503, "e", "<html>Just a moment...</html>", ANSWER_NOT_SPENT, "http_503"},
	{"xai", 200, "e", "<html>Just a moment...</html>", ANSWER_NOT_SPENT, "http_200"},

	// unknown
	{"openai", 500, "", "", ANSWER_UNKNOWN, "http_500"},
	{"openai", 500, "r", ERROR("server_error"), ANSWER_UNKNOWN, "server_error"},
	{"openai", 502, "", "<html>Bad Gateway</html>", ANSWER_UNKNOWN, "http_502"},
	{"openai", 504, "r", "", ANSWER_UNKNOWN, "http_504"},
	{"openai", 500, "", ERROR("invalid_grant"), ANSWER_UNKNOWN, "invalid_grant"},
	{"openai", 503, "", "", ANSWER_UNKNOWN, "http_503"},
	{"openai", 503, "", "{\"error\":\"Service Unavailable\"}", ANSWER_UNKNOWN, "http_503"},
	{"openai", 503, "", "{\"code\":\"unavailable\"}", ANSWER_UNKNOWN, "unavailable"},
	{"openai", 503, "rc", "{\"err", ANSWER_UNKNOWN, "http_503"},
	{"openai", 400, "c", "{\"error\":\"invalid_gr", ANSWER_UNKNOWN, "http_400"},
	{"openai", 403, "ec", "<html", ANSWER_UNKNOWN, "http_403"},
	{"openai", 302, "c", "", ANSWER_UNKNOWN, "http_302"},
	{"openai", 408, "", ERROR("invalid_grant"), ANSWER_UNKNOWN, "invalid_grant"},
	{"openai", 529, "", "", ANSWER_UNKNOWN, "http_529"},
	{"openai", 100, "", "", ANSWER_UNKNOWN, "http_100"},
	{"openai", 0, "", "", ANSWER_UNKNOWN, "http_0"},
	{"openai", 999, "", "", ANSWER_UNKNOWN, "http_999"},
};

// Words pass, and nothing that could be a token.
static void test_said(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{"Not allowed for this organization (oauth_org_not_allowed).",
		 "Not allowed for this organization (oauth_org_not_allowed)."},
		{"HTTP 403: you don't have SuperGrok, or X Premium+",
		 "HTTP 403: you don't have SuperGrok, or X Premium+"},
		{"token FAKE-REFRESH-alice is revoked", "token … is revoked"},
		{"token abcDEFghiJKLmno is revoked", "token … is revoked"},
		{"token a8f3k2 b7c1x9 is revoked", "token … is revoked"},
		{"see https://x.ai/plans?key=s3cr3t now", "see … now"},
		{"me@example.com may not", "… may not"},
		{"two\n\tlines\x1b[31m", "two lines …"},
		{"订阅已过期abc123def456请续订", "订阅已过期…请续订"},
		{"eyJhbGciOiJub25lIn0.e30.e30", ""},
		{"", ""},
	};
	_cleanup_secret_ struct secret token = {0};
	_cleanup_free_ char *lots = xcalloc(1, 4001);
	char said[SAID_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		said_plainly(cases[i].text, said);
		assert_string_equal(said, cases[i].said);
	}
	for (size_t i = 0; i < 4000; i++)
		lots[i] = "\u8ba2"[i % 3];
	said_plainly(lots, said);
	assert_true(strlen(said) > SAID_MAX - 5 && strlen(said) % 3 == 0);
	secret_set_string(&token, "correcthorsebatterystaple");
	assert_true(said_shows("it is horsebattery", &token));
	assert_false(said_shows("it is a horse, a battery", &token));
	secret_set_string(&token, "horse");
	assert_true(said_shows("it is a horse, a battery", &token));
	secret_set_string(&token, NULL);
	assert_false(said_shows("it is a horse, a battery", &token));
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answer_cases); i++) {
		const struct answer_case *c = &answer_cases[i];
		_cleanup_(answer_free) struct answer answer = {0};

		read_answer(c->provider, c->status, c->flags, c->body, strlen(c->body), &answer);
		if (answer.kind != c->kind || (c->code && !string_equal(answer.code, c->code)))
			fail_msg("%s %d [%s] %s: kind %d, code %s", c->provider, c->status,
				 c->flags, c->body, answer.kind, answer.code);
		assert_int_equal(answer.status, c->status);
		assert_int_equal(answer.retry_after_s, strchr(c->flags, 'r') ? 30 : -1);
		// No token comes out of an answer that is not taken.
		assert_int_equal(secret_empty(&answer.access), c->kind != ANSWER_TOKENS);
		if (c->kind != ANSWER_TOKENS)
			assert_true(secret_empty(&answer.refresh));
	}
}

static void test_tokens_are_taken_whole(void **state)
{
	_cleanup_(answer_free) struct answer answer = {0};
	const char *body =
		"{\"access_token\":\"FAKE-ACCESS-2\",\"refresh_token\":\"FAKE-REFRESH-2\","
		"\"id_token\":\"FAKE-ID-2\",\"expires_in\":28800,\"refresh_token_expires_in\":"
		"2592000,"
		"\"account\":{\"uuid\":\"u-1\",\"email_address\":\"a@example.com\"},"
		"\"organization\":{\"uuid\":\"o-1\"}}";

	(void)state;
	read_answer("anthropic", 200, "", body, strlen(body), &answer);
	assert_string_equal(answer.access.text, "FAKE-ACCESS-2");
	assert_string_equal(answer.refresh.text, "FAKE-REFRESH-2");
	assert_string_equal(answer.id_token.text, "FAKE-ID-2");
	assert_int_equal(answer.lifetime_s, 28800);
	assert_int_equal(answer.grant_lifetime_s, 2592000);
	assert_string_equal(answer.identity.user_id, "u-1");
	assert_string_equal(answer.identity.email, "a@example.com");
	assert_null(answer.identity.account_id);
}

static void test_kept_refresh_token_is_unset(void **state)
{
	_cleanup_(answer_free) struct answer answer = {0};
	const char *body = "{\"access_token\":\"FAKE-ACCESS-2\",\"expires_in\":3600}";

	(void)state;
	read_answer("google-gemini-cli", 200, "", body, strlen(body), &answer);
	assert_int_equal(answer.kind, ANSWER_TOKENS);
	assert_null(answer.refresh.text);
}

static void test_token_length_limit(void **state)
{
	(void)state;
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *token = xcalloc((64u << 10) + 2, 1), *body = NULL;
		_cleanup_(answer_free) struct answer answer = {0};

		memset(token, 'F', (64u << 10) + over);
		body = xasprintf("{\"access_token\":\"a\",\"refresh_token\":\"%s\"}", token);
		read_answer("openai", 200, "", body, strlen(body), &answer);
		assert_int_equal(answer.kind, over ? ANSWER_UNKNOWN : ANSWER_TOKENS);
	}
}

static void test_hostile_identity_is_none(void **state)
{
	_cleanup_(answer_free) struct answer answer = {0};
	const char *body = "{\"access_token\":\"a\",\"account\":{\"uuid\":\"u\\u001b[2J\",\"email_"
			   "address\":7}}";

	(void)state;
	read_answer("anthropic", 200, "", body, strlen(body), &answer);
	assert_int_equal(answer.kind, ANSWER_TOKENS);
	assert_true(identity_empty(&answer.identity));
}

static void test_lifetimes(void **state)
{
	static const struct {
		const char *members;
		int64_t lifetime_s;
	} cases[] = {
		{"\"expires_in\":3600", 3600},
		{"\"expires_in\":3600.9", 3600},
		{"\"expires_in\":\"3600\"", 3600},
		{"\"expires_in\":\"3600.5\"", 3600},
		{"\"expires_in\":\"3600s\"", 0},
		{"\"expires_in\":\"3600.5.1\"", 0},
		{"\"expires_in\":\" 3600\"", 0},
		{"\"expires_in\":\"\"", 0},
		{"\"expires_in\":0", 0},
		{"\"expires_in\":-5", 0},
		{"\"expires_in\":0.5", 0},
		{"\"expires_in\":1e300", 0},
		{"\"expires_in\":315360000", 315360000},
		{"\"expires_in\":315360001", 0},
		{"\"expires_in\":true", 0},
		{"\"expires_in\":null", 0},
		{"\"expired_in\":900", 900},
		{"\"expired_in\":1795222800", 7200},
		{"\"expired_in\":1795222800000", 7200},
		{"\"expired_in\":1795215000000", 0}, // past
		{"\"expires_in\":60,\"expired_in\":900", 60},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *body =
			xasprintf("{\"access_token\":\"a\",%s}", cases[i].members);
		_cleanup_(answer_free) struct answer answer = {0};

		read_answer("minimax-portal", 200, "", body, strlen(body), &answer);
		if (answer.kind != ANSWER_TOKENS || answer.lifetime_s != cases[i].lifetime_s)
			fail_msg("%s: %lld", cases[i].members, (long long)answer.lifetime_s);
	}
}

static char *base64url(const char *text)
{
	size_t size =
		sodium_base64_ENCODED_LEN(strlen(text), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char *encoded = xcalloc(size, 1);

	return sodium_bin2base64(encoded, size, (const unsigned char *)text, strlen(text),
				 sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static char *fake_jwt(const char *payload)
{
	_cleanup_free_ char *head = base64url("{\"alg\":\"none\"}"), *body = base64url(payload);

	return xasprintf("%s.%s.FAKE", head, body);
}

static void test_identity_and_expiry_from_jwts(void **state)
{
	_cleanup_free_ char *id = fake_jwt("{\"sub\":\"u-1\",\"email\":\"a@example.com\"}");
	_cleanup_free_ char *access = fake_jwt("{\"sub\":\"u-1\",\"exp\":1795219200}");
	_cleanup_free_ char *body =
		xasprintf("{\"access_token\":\"%s\",\"id_token\":\"%s\"}", access, id);
	_cleanup_(answer_free) struct answer answer = {0};

	(void)state;
	read_answer("xai", 200, "", body, strlen(body), &answer);
	assert_string_equal(answer.identity.user_id, "u-1");
	assert_string_equal(answer.identity.email, "a@example.com");
	assert_int_equal(answer.lifetime_s, 0);
	assert_int_equal(answer_expires_ms(preset("xai"), &answer, NOW_MS), INT64_C(1795219200000));
	// A JWT that has expired on arrival is a clock gone wrong, not an expiry.
	assert_int_equal(answer_expires_ms(preset("xai"), &answer, INT64_C(1795219200000)),
			 INT64_C(1795219200000) + 6 * HOUR_S * SECOND_MS);
	answer.lifetime_s = 60;
	assert_int_equal(answer_expires_ms(preset("xai"), &answer, NOW_MS),
			 NOW_MS + 60 * SECOND_MS);
}

static void test_expiry_without_jwt(void **state)
{
	_cleanup_(answer_free) struct answer answer = {0};
	struct provider bare = {.name = "corp"};

	(void)state;
	secret_set_string(&answer.access, "FAKE-OPAQUE-1");
	assert_int_equal(answer_expires_ms(preset("anthropic"), &answer, NOW_MS),
			 NOW_MS + 8 * HOUR_S * SECOND_MS);
	assert_int_equal(answer_expires_ms(&bare, &answer, NOW_MS), NOW_MS + HOUR_S * SECOND_MS);
}

// A server may quote a token where a code belongs. The code goes into messages and files.
static void test_no_token_in_a_code(void **state)
{
	static const char *const tokens[] = {
		"FAKE-REFRESH-1",
		"sk-ant-ort01-FAKEfakeFAKE",
		"eyJhbGciOiJub25lIn0.eyJzdWIiOiJGQUtFIn0.RkFLRQ",
		"rt_FAKE.abcDEF",
		"0123456789abcdef",
		"1//0FAKE_FakeToken",
		"FakeFakeFakeFakeFakeFake",
		"FAKE TOKEN",
		"F\\nAKE",
		"\\u001b[31mFAKE",
		"crt_FAKE\\\"x",
	};
	static const char *const shapes[] = {
		"{\"error\":\"%s\"}",
		"{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}",
		"{\"code\":\"%s\"}",
		"{\"error\":\"refresh token %s is unknown\",\"error_description\":\"%s\"}",
	};
	static const int statuses[] = {200, 302, 400, 401, 403, 429, 500, 503};

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(tokens) * ARRAY_SIZE(shapes) * ARRAY_SIZE(statuses);
	     t++) {
		const char *token = tokens[t % ARRAY_SIZE(tokens)];
		const char *shape = shapes[t / ARRAY_SIZE(tokens) % ARRAY_SIZE(shapes)];
		int status = statuses[t / ARRAY_SIZE(tokens) / ARRAY_SIZE(shapes)];
		_cleanup_(answer_free) struct answer answer = {0};
		_cleanup_free_ char *expected = xasprintf("http_%d", status);
		_cleanup_free_ char *body = xstrdup(shape);

		for (char *at; (at = strstr(body, "%s"));) {
			char *filled = xasprintf("%.*s%s%s", (int)(at - body), body, token, at + 2);

			free(body);
			body = filled;
		}
		read_answer("openai", status, "", body, strlen(body), &answer);
		if (!string_equal(answer.code, expected))
			fail_msg("%d %s: %s", status, body, answer.code);
	}
}

// Bodies of all kinds, and what another parser reads in them: no fault that JavaScript reads over gives up a token, and
// none is found where JavaScript finds none.
static void test_bodies_as_node_reads_them(void **state)
{
	static const struct {
		const char *hex, *access, *refresh;
	} cases[] = {
#include "bodies.h"
	};
	size_t taken = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t size = strlen(cases[i].hex) / 2, len;
		_cleanup_free_ char *body = xcalloc(size + 1, 1);
		_cleanup_(answer_free) struct answer answer = {0};

		sodium_hex2bin((unsigned char *)body, size, cases[i].hex, 2 * size, NULL, &len,
			       NULL);
		read_answer("openai", 200, i % 5 ? "" : "c", body, len, &answer);
		if ((answer.kind == ANSWER_TOKENS) != (cases[i].access != NULL) ||
		    !string_equal(answer.access.text, cases[i].access) ||
		    !string_equal(answer.refresh.text, cases[i].refresh))
			fail_msg("case %zu, kind %d: %.300s", i, answer.kind, body);
		taken += answer.kind == ANSWER_TOKENS;
	}
	assert_in_range(taken, 100, ARRAY_SIZE(cases) - 100);
}

// A body out of random bytes: plain bytes, pieces of JSON in any order, or an object of random
// members.
static void make_body(const unsigned char *random, size_t n, struct secret *ret)
{
	static const char *const keys[] = {
		"access_token", "refresh_token", "id_token",   "error",
		"code",		"expires_in",	 "expired_in", "account",
	};
	static const char *const values[] = {
		"\"FAKE-1\"",
		"\"FAKE-2\"",
		"\"\"",
		"null",
		"7",
		"-1e99",
		"\"a b\"",
		"{}",
		"[]",
		"\"\\u0000\"",
		"{\"code\":\"x\"}",
		"\"invalid_grant\"",
		"\"\xff\"",
		"\"60\"",
		"{\"uuid\":7}",
		"x",
	};
	static const char *const pieces[] = {"{", "}", "\"access_token\":", ",", "\"a\"", "[",
					     "]", "\\"};

	if (random[0] % 3 == 0) {
		secret_set(ret, (const char *)random + 1, n - 1);
		return;
	}
	secret_set_string(ret, random[0] % 3 == 1 ? "{" : "");
	for (size_t i = 1; i + 1 < n; i += 2) {
		const char *key = keys[random[i] % ARRAY_SIZE(keys)];
		const char *value = values[random[i + 1] % ARRAY_SIZE(values)];
		_cleanup_free_ char *member =
			random[0] % 3 == 1 ? xasprintf("%s\"%s\":%s", i > 1 ? "," : "", key, value)
					   : xstrdup(pieces[random[i] % ARRAY_SIZE(pieces)]);

		secret_append(ret, member, strlen(member));
	}
	if (random[0] % 3 == 1)
		secret_append(ret, "}", 1);
}

// Whatever comes, nothing crashes, and only an answer of success gives tokens.
static void test_random_bodies(void **state)
{
	static const int statuses[] = {200, 0, 299, 200, 307, 400, 401, 408, 429, 500, 503};
	static const unsigned char seed[randombytes_SEEDBYTES] = "random bodies";
	enum { ROUNDS = 20000, BYTES = 16 };
	_cleanup_free_ unsigned char *random = xcalloc(ROUNDS, BYTES);
	size_t taken = 0;

	(void)state;
	randombytes_buf_deterministic(random, (size_t)ROUNDS * BYTES, seed);
	for (size_t i = 0; i < ROUNDS; i++) {
		const unsigned char *r = random + i * BYTES;
		_cleanup_(answer_free) struct answer answer = {0};
		_cleanup_secret_ struct secret body = {0};
		int status = statuses[r[0] % ARRAY_SIZE(statuses)];

		make_body(r + 2, 2 + r[1] % (BYTES - 4), &body);
		read_answer("openai", status, r[1] % 5 ? "" : "c", body.text, body.len, &answer);
		if (answer.kind != ANSWER_TOKENS)
			continue;
		taken++;
		assert_true(status >= 200 && status <= 299);
		assert_true(answer.access.len &&
			    token_is_sound(answer.access.text, answer.access.len));
	}
	assert_true(taken > 50); // else the property was not tried
}

// Every prefix of a good answer is unknown: a cut answer never passes for one without a refresh
// token.
static void test_every_prefix_is_unknown(void **state)
{
	(void)state;
	for (size_t n = 0; n < strlen(TOKENS); n++) {
		_cleanup_(answer_free) struct answer answer = {0};

		read_answer("openai", 200, n % 2 ? "c" : "", TOKENS, n, &answer);
		assert_int_equal(answer.kind, ANSWER_UNKNOWN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_presets_are_sound),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_obstacles),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_discovery),
		cmocka_unit_test(test_form_request),
		cmocka_unit_test(test_form_encoding_is_strict),
		cmocka_unit_test(test_json_request),
		cmocka_unit_test(test_form_round_trip),
		cmocka_unit_test(test_discovery_request),
		cmocka_unit_test(test_said),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_tokens_are_taken_whole),
		cmocka_unit_test(test_kept_refresh_token_is_unset),
		cmocka_unit_test(test_token_length_limit),
		cmocka_unit_test(test_hostile_identity_is_none),
		cmocka_unit_test(test_lifetimes),
		cmocka_unit_test(test_identity_and_expiry_from_jwts),
		cmocka_unit_test(test_expiry_without_jwt),
		cmocka_unit_test(test_no_token_in_a_code),
		cmocka_unit_test(test_bodies_as_node_reads_them),
		cmocka_unit_test(test_random_bodies),
		cmocka_unit_test(test_every_prefix_is_unknown),
	};

	return cmocka_run_group_tests_name("provider", tests, NULL, NULL);
}
