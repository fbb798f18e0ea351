// SPDX-License-Identifier: MIT
//
// The rows. Each was seen in the named program, or read in its source where it could not be run (hermes-agent,
// cliproxyapi): facts, clis.md. What a row cannot say stands in store/mapped_json.c.
#include "format/format.h"

#include "base/clock.h"

#define PROPER_LOCKFILE_S 10 // who takes the lock synchronously believes a holder dead after this

static const struct format_key hermes_keys[] = {
	{"openai-codex", "openai-codex"},
	{"xai", "xai-oauth"},
	{},
};
static const struct format_key opencode_keys[] = {
	{"openai-codex", "openai"},
	{"openai", "openai"},
	{"xai", "xai"},
	{"github-copilot", "github-copilot"},
	{},
};
static const struct format_key pi_keys[] = {
	{"openai-codex", "openai-codex"},
	{"anthropic", "anthropic"},
	{"xai", "xai"},
	{"kimi", "kimi-coding"},
	{"kimi-code", "kimi-coding"},
	{"github-copilot", "github-copilot"},
	{},
};

static const struct format_margin opencode_margins[] = {
	{"xai", 2 * MINUTE_S, 0},
	{},
};
static const struct format_margin hermes_margins[] = {
	{"xai", HOUR_S, 45 * MINUTE_S},
	{},
};
static const struct format_margin cliproxyapi_margins[] = {
	{"openai-codex", 5 * DAY_S, 0},
	{"openai", 5 * DAY_S, 0},
	{"anthropic", 4 * HOUR_S, 0},
	{},
};

static const struct format formats[] = {
	{
		.name = "codex-cli",
		.path = ".codex/auth.json",
		.variables = {"CODEX_HOME"},
		.moved = "auth.json",
		.entry = "/tokens",
		.access = "access_token",
		.refresh = "refresh_token",
		.id_token = "id_token",
		.account_id = "account_id",
		.client = "oauth_provenance/client_id",
		.time = TIME_JWT,
		.also = {{"/last_refresh", ALSO_NOW, TIME_ISO9, .needed = true}},
		// With a blank token alone it POSTs the blank near the end; so marked it never does.
		.withhold = WITHHOLD_BLANK,
		.mode = "/auth_mode",
		.mode_shared = "chatgpt",
		.mode_withheld = "chatgptAuthTokens",
		// Waited for without limit, after its request, for the commit; the second one for 5 s,
		// and then the answer is thrown away.
		.locks = {{PLACE_BESIDE, "auth.lock", FORMAT_LOCK_FLOCK, .refresh = true,
			   .write = true, .yields = true},
			  {PLACE_TARGET, ".lock", FORMAT_LOCK_FLOCK, .write = true}},
		.margin_s = 300,
	},
	{
		.name = "claude-code",
		.path = ".claude/.credentials.json",
		.variables = {"CLAUDE_SECURESTORAGE_CONFIG_DIR", "CLAUDE_CONFIG_DIR"},
		.moved = ".credentials.json",
		.entry = "/claudeAiOauth",
		.access = "accessToken",
		.refresh = "refreshToken",
		.user_id = "accountUuid",
		.client = "clientId",
		.expires = "expiresAt",
		.time = TIME_MS,
		.also = {{"refreshTokenExpiresAt", ALSO_LEAST_END, TIME_MS}},
		// Not "": that is its own mark for a login that has ended.
		.withhold = WITHHOLD_NULL,
		.end = END_BLANK,
		.replaces_links = true,
		.locks = {{PLACE_BESIDE, ".oauth_refresh.lock", FORMAT_LOCK_DIRECTORY,
			   .refresh = true, .stale_s = 60, .heartbeat_s = 4},
			  {PLACE_DIRECTORY, ".lock", FORMAT_LOCK_DIRECTORY, .refresh = true,
			   .stale_s = 60, .heartbeat_s = 4},
			  {PLACE_BESIDE, ".storage-write.lock", FORMAT_LOCK_DIRECTORY,
			   .write = true, .stale_s = 15, .heartbeat_s = 4}},
		.margin_s = 300,
	},
	{
		.name = "gemini-cli",
		.path = ".gemini/oauth_creds.json",
		.variables = {"GEMINI_CLI_HOME"},
		.moved = ".gemini/oauth_creds.json",
		.entry = "",
		.access = "access_token",
		.refresh = "refresh_token",
		.id_token = "id_token",
		.expires = "expiry_date",
		.time = TIME_MS,
		.withhold = WITHHOLD_REMOVE,
		.shares = true, // Google does not rotate
		.margin_s = 300,
	},
	{
		.name = "qwen-code",
		.path = ".qwen/oauth_creds.json",
		.variables = {"QWEN_HOME"},
		.moved = "oauth_creds.json",
		.entry = "",
		.access = "access_token",
		.refresh = "refresh_token",
		.expires = "expiry_date",
		.time = TIME_MS,
		.withhold = WITHHOLD_NEVER,
		.shares = true,
		.end = END_GONE,
		.replaces_links = true,
		.locks = {{PLACE_BESIDE, "oauth_creds.lock", FORMAT_LOCK_FILE, .refresh = true,
			   .write = true, .stale_s = 35, .heartbeat_s = 8}},
		.margin_s = 30,
	},
	{
		.name = "kimi-code",
		.path = ".kimi-code/credentials/kimi-code.json",
		.variables = {"KIMI_CODE_HOME"},
		.moved = "credentials/kimi-code.json",
		.entry = "",
		.access = "access_token",
		.refresh = "refresh_token",
		.expires = "expires_at",
		.time = TIME_S,
		.also = {{"expires_in", ALSO_LIFETIME, TIME_S}},
		.withhold = WITHHOLD_BLANK,
		.withheld_never_expires = true, // else it refuses at half of the lifetime
		.shares = true,
		.end = END_BLANK,
		.replaces_links = true,
		.locks = {{PLACE_ABOVE, "oauth/%s.lock", FORMAT_LOCK_DIRECTORY, .refresh = true,
			   .write = true, .stale_s = 5, .heartbeat_s = 1}},
		.margin_s = 300,
		.margin_percent = 50,
		.raises_margin = true,
	},
	{
		.name = "grok-cli",
		.path = ".grok/auth.json",
		.variables = {"GROK_HOME"},
		.moved = "auth.json",
		.entry = "",
		.by_client = true,
		.access = "key",
		.refresh = "refresh_token",
		.user_id = "user_id",
		.email = "email",
		.client = "oidc_client_id",
		.expires = "expires_at",
		.time = TIME_ISO9,
		.also = {{"create_time", ALSO_NOW, TIME_ISO9}},
		// Not "": at its margin it POSTs the blank, and the answer makes it remove the entry.
		.withhold = WITHHOLD_REMOVE,
		.end = END_GONE,
		.replaces_links = true,
		.locks = {{PLACE_PATH, ".lock", FORMAT_LOCK_FLOCK, .refresh = true, .write = true}},
		.margin_s = 300,
	},
	{
		.name = "opencode",
		.path = ".local/share/opencode/auth.json",
		.variables = {"XDG_DATA_HOME"},
		.moved = "opencode/auth.json",
		.entry = "",
		.keys = opencode_keys,
		.type = "oauth",
		.access = "access",
		.refresh = "refresh",
		.account_id = "accountId",
		.expires = "expires",
		.time = TIME_MS,
		.withhold = WITHHOLD_BLANK,  // without the member the entry is dropped
		.margins = opencode_margins, // others: once the token has expired
	},
	{
		.name = "pi",
		.path = ".pi/agent/auth.json",
		.variables = {"PI_CODING_AGENT_DIR"},
		.moved = "auth.json",
		.entry = "",
		.keys = pi_keys,
		.type = "oauth",
		.access = "access",
		.refresh = "refresh",
		.account_id = "accountId",
		.expires = "expires",
		.time = TIME_MS,
		.withhold = WITHHOLD_BLANK,
		// 1.x locks what links lead to, 0.73 the name. Every start takes it, and sees no login
		// (0.73) if it does not get it: so a withheld copy has it for the write alone.
		.locks = {{PLACE_TARGET, ".lock", FORMAT_LOCK_DIRECTORY, .refresh = true,
			   .write = true, .stale_s = PROPER_LOCKFILE_S, .heartbeat_s = 3},
			  {PLACE_PATH, ".lock", FORMAT_LOCK_DIRECTORY, .refresh = true,
			   .write = true, .stale_s = PROPER_LOCKFILE_S, .heartbeat_s = 3}},
		.margin_s = 300, // its `auth` commands; it itself when the token has expired
	},
	{
		.name = "hermes-agent",
		.path = ".hermes/auth.json",
		.variables = {"HERMES_HOME"},
		.moved = "auth.json",
		.entry = "/providers",
		.keys = hermes_keys,
		.access = "tokens/access_token",
		.refresh = "tokens/refresh_token",
		.time = TIME_JWT,
		.also = {{"last_refresh", ALSO_NOW, TIME_ISO, .needed = true},
			 {"/updated_at", ALSO_NOW, TIME_ISO},
			 {"tokens/expires_in", ALSO_LIFETIME, TIME_S}},
		.withhold = WITHHOLD_NEVER, // "relogin"
		.shares = true,
		.end = END_GONE,
		.pool = "/credential_pool",
		.locks = {{PLACE_BESIDE, "auth.lock", FORMAT_LOCK_FLOCK, .refresh = true,
			   .write = true}},
		.margins = hermes_margins,
		.margin_s = 120,
	},
	{
		.name = "cliproxyapi",
		.path = ".cli-proxy-api",
		.many = true,
		.entry = "",
		.access = "access_token",
		.refresh = "refresh_token",
		.id_token = "id_token",
		.account_id = "account_id",
		.user_id = "account_uuid",
		.user_id_too = "sub",
		.email = "email",
		.expires = "expired",
		.time = TIME_ISO,
		.also = {{"last_refresh", ALSO_NOW, TIME_ISO}},
		.withhold = WITHHOLD_BLANK,
		.margins = cliproxyapi_margins,
		.margin_s = 300,
	},
	{
		.name = "plain",
		.entry = "",
		.shares = true,
		.time = TIME_JWT,
		.withhold = WITHHOLD_NEVER,
	},
};

const struct format *format_list(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(formats);
	return formats;
}

const struct format *format_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (string_equal(formats[i].name, name))
			return &formats[i];
	return NULL;
}

const char *format_key_of(const struct format *format, const char *provider)
{
	for (const struct format_key *k = format->keys; k && k->provider; k++)
		if (string_equal(k->provider, provider))
			return k->key;
	return NULL;
}

int64_t format_margin_s(const struct format *format, const char *provider, int64_t lifetime_s)
{
	int64_t share_s = lifetime_s * format->margin_percent / 100;

	for (const struct format_margin *m = format->margins; m && m->provider; m++)
		if (string_equal(m->provider, provider) &&
		    (!lifetime_s || lifetime_s > m->beyond_s))
			return m->margin_s;
	return share_s > format->margin_s ? share_s : format->margin_s;
}

char *format_default_path(const struct format *format, const char *home)
{
	if (!format->path)
		return NULL;
	for (size_t i = 0; format->variables[i]; i++) {
		_cleanup_free_ char *value = environment(format->variables[i]);
		_cleanup_free_ char *expanded = value ? path_expand(value, home) : NULL;
		if (expanded)
			return path_join(expanded, format->moved);
	}
	return home ? path_join(home, format->path) : NULL;
}
