// SPDX-License-Identifier: MIT
//
// Other programs' files, by the rows of format/format.h: what each is read as, and that a write changes the fields of the
// one login as that program would, and not a byte more.

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "config/config.h"
#include "store/store.h"

#define NEW_MS INT64_C(1893456000123) // 2030-01-01T00:00:00.123Z
#define OLD    "FAKE-REFRESH-OLD"
#define OLD_A  "FAKE-ACCESS-OLD"
#define NEW    "FAKE-REFRESH-NEW"
#define NEW_A  "FAKE-ACCESS-NEW"
// {"exp":1795887795,"iat":1795884195,"sub":"user-1"}, with no more than a fake signature
#define JWT                                                                                        \
	"eyJhbGciOiJub25lIn0."                                                                     \
	"eyJleHAiOjE3OTU4ODc3OTUsImlhdCI6MTc5NTg4NDE5NSwic3ViIjoidXNlci0xIn0.FAKE"

static char *directory;
static struct config config;

static int setup(void **state)
{
	char template[] = "/tmp/test_mapped.XXXXXX";
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(template));
	directory = xstrdup(template);
	config.providers = (struct provider *)provider_presets(&n);
	config.n_providers = n;
	return 0;
}

static int teardown(void **state)
{
	_cleanup_free_ char *command = xasprintf("rm -rf -- %s", directory);

	(void)state;
	assert_int_equal(system(command), 0);
	free(directory);
	return 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static struct secret read_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct secret text = {};

	assert_true(fd >= 0);
	assert_int_equal(secret_read(fd, 1 << 20, &text), 0);
	return text;
}

// A store of one login in the file of that text.
struct scene {
	struct config_store external;
	const struct config_store *list[1];
	struct stores stores;
	struct problems problems;
};

static struct store *scene_open(struct scene *scene, const char *format, const char *provider,
				const char *text)
{
	_cleanup_free_ char *path = path_join(directory, "auth.json");
	struct store *store = array_add(&scene->stores.list, &scene->stores.n);

	unlink(path);
	write_file(path, text, 0600);
	scene->external.path = path;
	scene->external.format = format_find(format);
	scene->external.role = ROLE_EXTERNAL;
	scene->external.provider = xstrdup(provider);
	scene->external.profile = xasprintf("%s:default", provider);
	assert_non_null(scene->external.format);
	store->format = STORE_MAPPED;
	store->role = ROLE_EXTERNAL;
	store->config = &config;
	store->path = xstrdup(path);
	store->target = xstrdup(path);
	*array_add(&store->external, &store->n_external) = &scene->external;
	store_read(store, &config, &scene->problems);
	return store;
}

static void scene_close(struct scene *scene)
{
	free(scene->external.provider);
	free(scene->external.profile);
	stores_free(&scene->stores);
	problems_free(&scene->problems);
}
#define _cleanup_scene_ _cleanup_(scene_close)

// ---- reading

static const struct {
	const char *format, *provider, *text;
	enum copy_kind kind;
	int64_t expires_ms;
	bool odd;
} readings[] = {
	{"codex-cli", "openai-codex",
	 "{\"auth_mode\":\"chatgpt\",\"tokens\":{\"access_token\":\"" JWT
	 "\",\"refresh_token\":\"" OLD "\"}}",
	 COPY_OAUTH, 1795887795000, false},
	{"codex-cli", "openai-codex",
	 "{\"auth_mode\":\"chatgptAuthTokens\",\"tokens\":{\"access_token\":\"" JWT
	 "\",\"refresh_token\":\"\"}}",
	 COPY_ACCESS, 1795887795000, false},
	{"codex-cli", "openai-codex", "{\"OPENAI_API_KEY\":\"FAKE\",\"tokens\":null}", COPY_BLANK,
	 0, false},
	{"codex-cli", "openai-codex", "{\"tokens\":[]}", COPY_UNREADABLE, 0, false},
	{"codex-cli", "openai-codex", "{\"tokens\":{\"refresh_token\":\"" OLD "\"}}",
	 COPY_UNREADABLE, 0, false},
	{"codex-cli", "openai-codex",
	 "{\"tokens\":{\"access_token\":\"a b\",\"refresh_token\":\"" OLD "\"}}", COPY_UNREADABLE,
	 0, false},
	{"claude-code", "anthropic",
	 "{\"claudeAiOauth\":{\"accessToken\":\"" OLD_A "\",\"refreshToken\":\"" OLD
	 "\",\"expiresAt\":1795892325260}}",
	 COPY_OAUTH, 1795892325260, false},
	{"claude-code", "anthropic",
	 "{\"claudeAiOauth\":{\"accessToken\":\"" OLD_A
	 "\",\"refreshToken\":null,\"expiresAt\":1795892325260}}",
	 COPY_ACCESS, 1795892325260, false},
	{"claude-code", "anthropic",
	 "{\"claudeAiOauth\":{\"accessToken\":\"" OLD_A "\",\"expiresAt\":\"soon\"}}", COPY_ACCESS,
	 0, true},
	// as it leaves it when a login has ended
	{"claude-code", "anthropic",
	 "{\"claudeAiOauth\":{\"accessToken\":\"\",\"refreshToken\":\"\",\"expiresAt\":0}}",
	 COPY_BLANK, 0, false},
	{"claude-code", "anthropic", "{\"mcpOAuth\":{}}", COPY_BLANK, 0, false},
	{"kimi-code", "kimi-code",
	 "{\"access_token\":\"" OLD_A "\",\"refresh_token\":\"" OLD
	 "\",\"expires_at\":1795892593,\"expires_in\":900}",
	 COPY_OAUTH, 1795892593000, false},
	{"kimi-code", "kimi-code",
	 "{\"access_token\":\"\",\"refresh_token\":\"\",\"expires_at\":0,\"expires_in\":0}",
	 COPY_BLANK, 0, false},
	{"grok-cli", "xai",
	 "{\"https://auth.x.ai::b1a00492-073a-47ea-816f-4c329264a828\":{\"key\":\"" OLD_A
	 "\",\"refresh_token\":\"" OLD "\",\"expires_at\":\"2026-11-29T00:10:44.757826985Z\","
	 "\"oidc_issuer\":\"https://auth.x.ai\","
	 "\"oidc_client_id\":\"b1a00492-073a-47ea-816f-4c329264a828\"}}",
	 COPY_OAUTH, 1795911044757, false},
	// by client, never by position
	{"grok-cli", "xai",
	 "{\"https://auth.x.ai::other\":{\"key\":\"" OLD_A "\",\"refresh_token\":\"" OLD
	 "\",\"oidc_issuer\":\"https://auth.x.ai\",\"oidc_client_id\":\"other\"}}",
	 COPY_BLANK, 0, false},
	{"pi", "openai-codex", "{\"openai-codex\":{\"type\":\"api_key\",\"key\":\"FAKE\"}}",
	 COPY_STATIC, 0, false},
	{"pi", "openai-codex",
	 "{\"anthropic\":{\"type\":\"oauth\",\"access\":\"x\",\"refresh\":\"y\",\"expires\":1}}",
	 COPY_BLANK, 0, false},
	{"pi", "openai-codex",
	 "{\"openai-codex\":{\"type\":\"oauth\",\"access\":\"" OLD_A "\",\"refresh\":\"" OLD
	 "\",\"expires\":1796753618217}}",
	 COPY_OAUTH, 1796753618217, false},
	{"opencode", "openai-codex",
	 "{\"openai\":{\"type\":\"oauth\",\"refresh\":\"\",\"access\":\"" OLD_A
	 "\",\"expires\":1796753830455}}",
	 COPY_ACCESS, 1796753830455, false},
	{"hermes-agent", "openai-codex",
	 "{\"providers\":{\"openai-codex\":{\"tokens\":{\"access_token\":\"" JWT
	 "\",\"refresh_token\":\"" OLD "\"}}}}",
	 COPY_OAUTH, 1795887795000, false},
	{"hermes-agent", "openai-codex", "{\"providers\":{}}", COPY_BLANK, 0, false},
	{"cliproxyapi", "openai-codex",
	 "{\"access_token\":\"" OLD_A "\",\"expired\":\"2026-12-08T18:38:11+01:00\","
	 "\"refresh_token\":\"" OLD "\"}",
	 COPY_OAUTH, 1796751491000, false},
	{"cliproxyapi", "openai-codex",
	 "{\"access_token\":\"" OLD_A "\",\"expired\":1796751491,\"refresh_token\":\"" OLD "\"}",
	 COPY_OAUTH, 1796751491000, false},
};

static void test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(readings); i++) {
		_cleanup_scene_ struct scene scene = {};
		const struct store *store = scene_open(&scene, readings[i].format,
						       readings[i].provider, readings[i].text);
		const struct copy *copy = store->copies[0];

		assert_int_equal(store->state, STORE_OK);
		assert_int_equal(store->n_copies, 1);
		if (copy->kind != readings[i].kind ||
		    copy->credential.expires_ms != readings[i].expires_ms ||
		    copy->expires_odd != readings[i].odd)
			fail_msg("%s\n\tis kind %d, expires %lld, odd %d", readings[i].text,
				 copy->kind, (long long)copy->credential.expires_ms,
				 copy->expires_odd);
		assert_string_equal(store_format_name(store), readings[i].format);
		assert_string_equal(copy->credential.provider, readings[i].provider);
	}
}

static void test_identity(void **state)
{
	_cleanup_scene_ struct scene scene = {};
	const struct store *store = scene_open(
		&scene, "codex-cli", "openai-codex",
		"{\"tokens\":{\"access_token\":\"" JWT "\",\"refresh_token\":\"" OLD
		"\",\"account_id\":\"acct-1\",\"oauth_provenance\":{\"client_id\":\"app_X\"}}}");

	(void)state;
	assert_string_equal(store->copies[0]->credential.identity.account_id, "acct-1");
	assert_string_equal(store->copies[0]->credential.identity.user_id, "user-1");
	assert_string_equal(store->copies[0]->credential.client_id, "app_X");
}

// ---- writing

static bool any(struct fingerprint standing, void *arg)
{
	(void)arg;
	return !fingerprint_empty(standing);
}

static bool none(struct fingerprint standing, void *arg)
{
	(void)standing, (void)arg;
	return false;
}

static enum store_result write_new(struct scene *scene, struct store *store, bool allowed)
{
	_cleanup_secret_ struct secret access = {}, refresh = {}, id_token = {};
	struct store_change change = {
		.profile = scene->external.profile,
		.provider = scene->external.provider,
		.access = &access,
		.refresh = &refresh,
		.id_token = &id_token,
		.expires_ms = NEW_MS,
		.lifetime_s = 900,
		.login_ends_ms = 1798000000000,
		.may_overwrite = allowed ? any : none,
		.may_overwrite_access = allowed ? any : none,
	};

	secret_set_string(&access, NEW_A);
	secret_set_string(&refresh, NEW);
	secret_set_string(&id_token, "FAKE-ID-NEW");
	assert_int_equal(store_write(store, &change, 1, NULL), 0);
	return change.result;
}

// What stood there, and what stands after a write, shared and withheld. NOW, NOW9: a time of this minute.
static const struct {
	const char *format, *provider, *before, *shared, *withheld;
} writings[] = {
	{"codex-cli", "openai-codex",
	 "{\n  \"auth_mode\": \"chatgpt\",\n  \"x\": 1.10,\n  \"tokens\": {\n    \"id_token\": "
	 "\"i\",\n"
	 "    \"access_token\": \"" OLD_A "\",\n    \"refresh_token\": \"" OLD
	 "\",\n    \"account_id\": \"a\"\n  },\n  \"last_refresh\": "
	 "\"2026-11-28T17:38:13.785827238Z\"\n}",
	 "{\n  \"auth_mode\": \"chatgpt\",\n  \"x\": 1.10,\n  \"tokens\": {\n    \"id_token\": "
	 "\"FAKE-ID-NEW\",\n"
	 "    \"access_token\": \"" NEW_A "\",\n    \"refresh_token\": \"" NEW
	 "\",\n    \"account_id\": \"a\"\n  },\n  \"last_refresh\": \"NOW9\"\n}",
	 "{\n  \"auth_mode\": \"chatgptAuthTokens\",\n  \"x\": 1.10,\n  \"tokens\": {\n    "
	 "\"id_token\": "
	 "\"FAKE-ID-NEW\",\n"
	 "    \"access_token\": \"" NEW_A "\",\n    \"refresh_token\": \"\",\n"
	 "    \"account_id\": \"a\"\n  },\n  \"last_refresh\": \"NOW9\"\n}"},
	// without last_refresh codex has no token
	{"codex-cli", "openai-codex",
	 "{\"tokens\":{\"access_token\":\"" OLD_A "\",\"refresh_token\":\"" OLD "\"}}",
	 "{\"tokens\":{\"access_token\":\"" NEW_A "\",\"refresh_token\":\"" NEW
	 "\"},\"auth_mode\":\"chatgpt\",\"last_refresh\":\"NOW9\"}",
	 "{\"tokens\":{\"access_token\":\"" NEW_A
	 "\",\"refresh_token\":\"\"},\"auth_mode\":\"chatgptAuthTokens\",\"last_refresh\":"
	 "\"NOW9\"}"},
	// a person who uses an API key goes on doing so, and what is of another shape stays
	{"codex-cli", "openai-codex",
	 "{\"auth_mode\":\"apikey\",\"tokens\":{\"access_token\":\"" OLD_A
	 "\",\"refresh_token\":\"" OLD "\"},\"last_refresh\":{\"at\":1}}",
	 "{\"auth_mode\":\"apikey\",\"tokens\":{\"access_token\":\"" NEW_A
	 "\",\"refresh_token\":\"" NEW "\"},\"last_refresh\":{\"at\":1}}",
	 "{\"auth_mode\":\"apikey\",\"tokens\":{\"access_token\":\"" NEW_A
	 "\",\"refresh_token\":\"\"},\"last_refresh\":{\"at\":1}}"},
	{"claude-code", "anthropic",
	 "{\"claudeAiOauth\":{\"accessToken\":\"" OLD_A "\",\"refreshToken\":\"" OLD
	 "\",\"expiresAt\":1795892325260,\"refreshTokenExpiresAt\":1798288725260,\"scopes\":[\"a\"]"
	 "},"
	 "\"mcpOAuth\":{\"s|1\":{\"accessToken\":\"FAKE-mcp\"}},\"zz\":2}",
	 "{\"claudeAiOauth\":{\"accessToken\":\"" NEW_A "\",\"refreshToken\":\"" NEW
	 "\",\"expiresAt\":1893456000123,\"refreshTokenExpiresAt\":1798000000000,\"scopes\":[\"a\"]"
	 "},"
	 "\"mcpOAuth\":{\"s|1\":{\"accessToken\":\"FAKE-mcp\"}},\"zz\":2}",
	 "{\"claudeAiOauth\":{\"accessToken\":\"" NEW_A "\",\"refreshToken\":null"
	 ",\"expiresAt\":1893456000123,\"refreshTokenExpiresAt\":1798000000000,\"scopes\":[\"a\"]},"
	 "\"mcpOAuth\":{\"s|1\":{\"accessToken\":\"FAKE-mcp\"}},\"zz\":2}"},
	{"gemini-cli", "google-gemini-cli",
	 "{\n  \"token_type\": \"Bearer\",\n  \"access_token\": \"" OLD_A
	 "\",\n  \"expiry_date\": 1795892404701,\n  \"refresh_token\": \"" OLD "\"\n}",
	 "{\n  \"token_type\": \"Bearer\",\n  \"access_token\": \"" NEW_A
	 "\",\n  \"expiry_date\": 1893456000123,\n  \"refresh_token\": \"" NEW "\"\n}",
	 "{\n  \"token_type\": \"Bearer\",\n  \"access_token\": \"" NEW_A
	 "\",\n  \"expiry_date\": 1893456000123\n}"},
	{"qwen-code", "qwen-portal",
	 "{\"access_token\":\"" OLD_A "\",\"token_type\":\"Bearer\",\"refresh_token\":\"" OLD
	 "\",\"resource_url\":\"portal.qwen.ai\",\"expiry_date\":1795892482033}",
	 "{\"access_token\":\"" NEW_A "\",\"token_type\":\"Bearer\",\"refresh_token\":\"" NEW
	 "\",\"resource_url\":\"portal.qwen.ai\",\"expiry_date\":1893456000123}",
	 NULL},
	{"kimi-code", "kimi-code",
	 "{\n  \"access_token\": \"" OLD_A "\",\n  \"refresh_token\": \"" OLD
	 "\",\n  \"expires_at\": 1795892593,\n  \"scope\": \"s\",\n  \"expires_in\": 3600\n}\n",
	 "{\n  \"access_token\": \"" NEW_A "\",\n  \"refresh_token\": \"" NEW
	 "\",\n  \"expires_at\": 1893456000,\n  \"scope\": \"s\",\n  \"expires_in\": 900\n}\n",
	 "{\n  \"access_token\": \"" NEW_A "\",\n  \"refresh_token\": \"\""
	 ",\n  \"expires_at\": 0,\n  \"scope\": \"s\",\n  \"expires_in\": 900\n}\n"},
	{"grok-cli", "xai",
	 "{\"other\":{\"key\":\"k\",\"refresh_token\":\"" OLD
	 "\"},\"https://auth.x.ai::b1a00492-073a-47ea-816f-4c329264a828\":{\"key\":\"" OLD_A
	 "\",\"create_time\":\"2026-11-28T18:10:44.757826985Z\",\"refresh_token\":\"" OLD
	 "\",\"expires_at\":\"2026-11-29T00:10:44.757826985Z\",\"oidc_issuer\":\"https://"
	 "auth.x.ai\","
	 "\"oidc_client_id\":\"b1a00492-073a-47ea-816f-4c329264a828\"}}",
	 "{\"other\":{\"key\":\"k\",\"refresh_token\":\"" OLD
	 "\"},\"https://auth.x.ai::b1a00492-073a-47ea-816f-4c329264a828\":{\"key\":\"" NEW_A
	 "\",\"create_time\":\"NOW9\",\"refresh_token\":\"" NEW
	 "\",\"expires_at\":\"2030-01-01T00:00:00.123000000Z\",\"oidc_issuer\":\"https://"
	 "auth.x.ai\","
	 "\"oidc_client_id\":\"b1a00492-073a-47ea-816f-4c329264a828\"}}",
	 "{\"other\":{\"key\":\"k\",\"refresh_token\":\"" OLD
	 "\"},\"https://auth.x.ai::b1a00492-073a-47ea-816f-4c329264a828\":{\"key\":\"" NEW_A
	 "\",\"create_time\":\"NOW9\","
	 "\"expires_at\":\"2030-01-01T00:00:00.123000000Z\",\"oidc_issuer\":\"https://auth.x.ai\","
	 "\"oidc_client_id\":\"b1a00492-073a-47ea-816f-4c329264a828\"}}"},
	{"opencode", "openai-codex",
	 "{\n  \"openai\": {\n    \"type\": \"oauth\",\n    \"refresh\": \"" OLD
	 "\",\n    \"access\": \"" OLD_A
	 "\",\n    \"expires\": 1796753830455\n  },\n  \"groq\": {\n    \"type\": \"api\"\n  }\n}",
	 "{\n  \"openai\": {\n    \"type\": \"oauth\",\n    \"refresh\": \"" NEW
	 "\",\n    \"access\": \"" NEW_A
	 "\",\n    \"expires\": 1893456000123\n  },\n  \"groq\": {\n    \"type\": \"api\"\n  }\n}",
	 "{\n  \"openai\": {\n    \"type\": \"oauth\",\n    \"refresh\": \"\",\n    \"access\": "
	 "\"" NEW_A
	 "\",\n    \"expires\": 1893456000123\n  },\n  \"groq\": {\n    \"type\": \"api\"\n  }\n}"},
	{"pi", "anthropic",
	 "{\"openai-codex\":{\"type\":\"oauth\",\"access\":\"x\",\"refresh\":\"" OLD
	 "\",\"expires\":1},\"anthropic\":{\"type\":\"oauth\",\"refresh\":\"" OLD
	 "\",\"access\":\"" OLD_A "\",\"expires\":1796751491000}}",
	 "{\"openai-codex\":{\"type\":\"oauth\",\"access\":\"x\",\"refresh\":\"" OLD
	 "\",\"expires\":1},\"anthropic\":{\"type\":\"oauth\",\"refresh\":\"" NEW
	 "\",\"access\":\"" NEW_A "\",\"expires\":1893456000123}}",
	 "{\"openai-codex\":{\"type\":\"oauth\",\"access\":\"x\",\"refresh\":\"" OLD
	 "\",\"expires\":1},\"anthropic\":{\"type\":\"oauth\",\"refresh\":\"\","
	 "\"access\":\"" NEW_A "\",\"expires\":1893456000123}}"},
	// the copies in the pool follow, others do not
	{"hermes-agent", "openai-codex",
	 "{\"version\":1,\"providers\":{\"openai-codex\":{\"tokens\":{\"access_token\":\"" OLD_A
	 "\",\"refresh_token\":\"" OLD "\"},\"last_refresh\":\"2026-11-28T08:00:00Z\"}},"
	 "\"credential_pool\":{\"openai-codex\":[{\"id\":"
	 "\"1\",\"access_token\":\"" OLD_A "\",\"refresh_token\":\"" OLD
	 "\"},{\"id\":\"2\",\"access_token\":\"b\",\"refresh_token\":\"c\"},{\"id\":\"3\","
	 "\"access_token\":\"older\",\"refresh_token\":\"" OLD
	 "\",\"last_refresh\":\"2026-11-28T08:00:00Z\"}]}}",
	 "{\"version\":1,\"providers\":{\"openai-codex\":{\"tokens\":{\"access_token\":\"" NEW_A
	 "\",\"refresh_token\":\"" NEW
	 "\"},\"last_refresh\":\"NOW\"}},\"credential_pool\":{\"openai-codex\":[{\"id\":"
	 "\"1\",\"access_token\":\"" NEW_A "\",\"refresh_token\":\"" NEW
	 "\"},{\"id\":\"2\",\"access_token\":\"b\",\"refresh_token\":\"c\"},{\"id\":\"3\","
	 "\"access_token\":\"" NEW_A "\",\"refresh_token\":\"" NEW
	 "\",\"last_refresh\":\"NOW\"}]}}",
	 NULL},
	{"cliproxyapi", "anthropic",
	 "{\"access_token\":\"" OLD_A "\",\"disabled\":false,\"expired\":\"2026-11-29T01:38:11Z\","
	 "\"id_token\":\"\",\"last_refresh\":\"2026-11-28T17:38:11Z\",\"refresh_token\":\"" OLD
	 "\",\"type\":\"claude\"}\n",
	 "{\"access_token\":\"" NEW_A "\",\"disabled\":false,\"expired\":\"2030-01-01T00:00:00Z\","
	 "\"id_token\":\"\",\"last_refresh\":\"NOW\",\"refresh_token\":\"" NEW
	 "\",\"type\":\"claude\"}\n",
	 "{\"access_token\":\"" NEW_A "\",\"disabled\":false,\"expired\":\"2030-01-01T00:00:00Z\","
	 "\"id_token\":\"\",\"last_refresh\":\"NOW\",\"refresh_token\":\"\",\"type\":\"claude\"}"
	 "\n"},
	// numbers where others write text stay numbers
	{"cliproxyapi", "anthropic",
	 "{\"access_token\":\"" OLD_A "\",\"expired\":1796751491,\"refresh_token\":\"" OLD "\"}",
	 "{\"access_token\":\"" NEW_A "\",\"expired\":1893456000,\"refresh_token\":\"" NEW "\"}",
	 "{\"access_token\":\"" NEW_A "\",\"expired\":1893456000,\"refresh_token\":\"\"}"},
};

// The times of this minute in `text` as the table has them.
static char *without_now(const char *text)
{
	char *result = xcalloc(1, strlen(text) + 1), *to = result;
	int64_t now = clock_wall_ms();

	while (*text) {
		_cleanup_free_ char *time = xstrndup(text, strcspn(text, "\""));
		int64_t ms = 0;
		bool is_now = *text != '"' && time_parse(time, &ms) == 0 && now - ms < 60000 &&
			      ms - now < 1000;

		if (is_now) {
			to = stpcpy(to, strlen(time) == 30 ? "NOW9" : "NOW");
			text += strlen(time);
		} else {
			*to++ = *text++;
		}
	}
	return result;
}

static void check_text(const struct store *store, const char *expected)
{
	_cleanup_secret_ struct secret text = read_file(store->target);
	_cleanup_free_ char *shown = without_now(text.text);

	assert_string_equal(shown, expected);
}

static void test_write(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(writings); i++) {
		for (int withhold = 0; withhold <= 1; withhold++) {
			_cleanup_scene_ struct scene scene = {.external.withhold = withhold};
			const char *expected = withhold ? writings[i].withheld : writings[i].shared;
			struct store *store = scene_open(&scene, writings[i].format,
							 writings[i].provider, writings[i].before);

			if (!expected)
				continue;
			assert_int_equal(write_new(&scene, store, false), STORE_CONFLICT);
			check_text(store, writings[i].before);
			assert_int_equal(write_new(&scene, store, true), STORE_WRITTEN);
			check_text(store, expected);
			assert_int_equal(write_new(&scene, store, false), STORE_UNCHANGED);
			check_text(store, expected);
			store_read(store, &config, &scene.problems);
			assert_int_equal(store->copies[0]->kind,
					 withhold ? COPY_ACCESS : COPY_OAUTH);
		}
	}
}

// A copy that was withheld and shall be shared again is what it was before.
static void test_shared_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(writings); i++) {
		_cleanup_scene_ struct scene scene = {};
		struct store *store = scene_open(&scene, writings[i].format, writings[i].provider,
						 writings[i].withheld ?: writings[i].before);

		assert_int_equal(write_new(&scene, store, true), STORE_WRITTEN);
		store_read(store, &config, &scene.problems);
		assert_int_equal(store->copies[0]->kind, COPY_OAUTH);
		assert_string_equal(store->copies[0]->credential.refresh.text, NEW);
		assert_int_equal(write_new(&scene, store, false), STORE_UNCHANGED);
	}
}

static void test_ended_is_not_refilled(void **state)
{
	static const char text[] =
		"{\"claudeAiOauth\":{\"accessToken\":\"\",\"refreshToken\":\"\",\"expiresAt\":0}}";
	_cleanup_scene_ struct scene scene = {};
	struct store *store = scene_open(&scene, "claude-code", "anthropic", text);

	(void)state;
	assert_int_equal(write_new(&scene, store, true), STORE_GONE);
	check_text(store, text);
}

static void test_refused(void **state)
{
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	_cleanup_free_ char *other = path_join(directory, "other.json");

	(void)state;
	for (int hard = 0; hard <= 1; hard++) {
		_cleanup_scene_ struct scene scene = {};
		struct store *store =
			scene_open(&scene, writings[0].format, writings[0].provider, "{}");
		struct store_change change = {.profile = "x", .provider = "y"};

		if (hard)
			assert_int_equal(link(store->target, other), 0);
		else
			assert_int_equal(chmod(store->target, 0400), 0);
		store_read(store, &config, &scene.problems);
		assert_int_equal(store->obstacle, hard ? OBSTACLE_HARD_LINKS : OBSTACLE_FILE);
		assert_int_equal(store_stage(store, &stage), hard ? -EMLINK : -EACCES);
		assert_int_equal(store_write(store, &change, 1, NULL), hard ? -EMLINK : -EACCES);
	}
	unlink(other);
}

// ---- the table itself

static void test_table(void **state)
{
	size_t n;
	const struct format *formats = format_list(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct format *f = &formats[i];

		assert_ptr_equal(format_find(f->name), f);
		assert_true(string_equal(f->name, "plain") || (f->access && f->refresh));
		assert_true(string_equal(f->name, "plain") || !f->expires == (f->time == TIME_JWT));
		assert_true(f->shares || f->withhold != WITHHOLD_NEVER);
		assert_true(!f->variables[0] || (f->moved && f->path));
		// A lock that goes stale is touched in time.
		for (size_t k = 0; k < FORMAT_LOCKS_MAX && f->locks[k].name; k++) {
			const struct format_lock *l = &f->locks[k];
			assert_true(l->refresh || l->write);
			assert_true(l->kind == FORMAT_LOCK_FLOCK ||
				    (l->heartbeat_s && l->heartbeat_s * 2 < l->stale_s));
		}
	}
	assert_null(format_find("openclaw-json"));
}

static void test_default_path(void **state)
{
	_cleanup_free_ char *at_home = NULL, *moved = NULL, *gemini = NULL, *first = NULL;

	(void)state;
	unsetenv("CODEX_HOME");
	at_home = format_default_path(format_find("codex-cli"), "/home/u");
	assert_string_equal(at_home, "/home/u/.codex/auth.json");
	setenv("CODEX_HOME", "~/c", 1);
	moved = format_default_path(format_find("codex-cli"), "/home/u");
	assert_string_equal(moved, "/home/u/c/auth.json");
	unsetenv("CODEX_HOME");
	setenv("GEMINI_CLI_HOME", "/g", 1);
	gemini = format_default_path(format_find("gemini-cli"), "/home/u");
	assert_string_equal(gemini, "/g/.gemini/oauth_creds.json");
	unsetenv("GEMINI_CLI_HOME");
	setenv("CLAUDE_SECURESTORAGE_CONFIG_DIR", "/s", 1);
	setenv("CLAUDE_CONFIG_DIR", "/c", 1);
	first = format_default_path(format_find("claude-code"), "/home/u");
	assert_string_equal(first, "/s/.credentials.json");
	unsetenv("CLAUDE_SECURESTORAGE_CONFIG_DIR");
	unsetenv("CLAUDE_CONFIG_DIR");
	assert_null(format_default_path(format_find("plain"), "/home/u"));
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_read),
		TEST(test_identity),
		TEST(test_write),
		TEST(test_shared_again),
		TEST(test_ended_is_not_refilled),
		TEST(test_refused),
		TEST(test_table),
		TEST(test_default_path),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
