// SPDX-License-Identifier: MIT
//
// The token endpoints we know, as one table (facts: providers.md; openclaw-json-store.md 6;
// openclaw-sqlite-store.md 7). What OpenClaw sends is what we send: the same endpoint, encoding,
// client id and fields, so that a server sees no difference. Everything here can be overridden in
// the configuration.
//
// `rotates` is true where we do not know better: a token wrongly believed to be single-use costs a
// pause after a lost answer, one wrongly believed to be reusable costs the login.
//
// `probe_url` is a read that a client of the provider's own, or OpenClaw itself, makes with the same token: usage, profile,
// the list of models. Where none is known nothing is guessed, and `doctor --probe` says that it did not ask.
#include "provider/provider.h"
#include "base/clock.h"

static const char *const accept_json[] = {"Accept: application/json", NULL};

// How early OpenClaw writes `expires` for some providers.
#define FIVE_MINUTES_MS (5 * MINUTE_S * SECOND_MS)
#define LOGIN(provider) "openclaw models auth login --provider " provider

static const struct provider presets[] = {
	{
		.name = "openai-codex",
		.family = "openai",
		.token_url = "https://auth.openai.com/oauth/token",
		.client_id = "app_EMoamEEZ73f0CkXaXp7hrann",
		.encoding = ENCODING_FORM,
		.rotates = true,
		.lifetime_s = 10 * DAY_S,
		.probe_url = "https://chatgpt.com/backend-api/wham/usage",
		.probe_account_header = "ChatGPT-Account-Id",
		.login_command = LOGIN("openai-codex"),
	},
	{
		// The same upstream under its name from 2026.6.1 on.
		.name = "openai",
		.family = "openai",
		.token_url = "https://auth.openai.com/oauth/token",
		.client_id = "app_EMoamEEZ73f0CkXaXp7hrann",
		.encoding = ENCODING_FORM,
		.rotates = true,
		.lifetime_s = 10 * DAY_S,
		.probe_url = "https://chatgpt.com/backend-api/wham/usage",
		.probe_account_header = "ChatGPT-Account-Id",
		.login_command = LOGIN("openai"),
	},
	{
		// The grant ends 27 to 30 days after the login whatever we do; the answer says
		// when, so no guess here.
		.name = "anthropic",
		.family = "anthropic",
		.token_url = "https://platform.claude.com/v1/oauth/token",
		.client_id = "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
		.encoding = ENCODING_JSON,
		.headers = accept_json,
		.rotates = true,
		.lifetime_s = 8 * HOUR_S,
		.store_skew_ms = FIVE_MINUTES_MS,
		.probe_url = "https://api.anthropic.com/api/oauth/profile",
		.probe_header = "anthropic-beta: oauth-2025-04-20",
		.login_command = LOGIN("anthropic"),
	},
	{
		.name = "xai",
		.family = "xai",
		.discovery_url = "https://auth.x.ai/.well-known/openid-configuration",
		.endpoint_domain = "x.ai",
		.client_id = "b1a00492-073a-47ea-816f-4c329264a828",
		.encoding = ENCODING_FORM,
		.headers = accept_json,
		.rotates = true,
		.lifetime_s = 6 * HOUR_S,
		.probe_url = "https://api.x.ai/v1/models",
		.login_command = LOGIN("xai"),
	},
	{
		// A refresh token works only with the client it was issued to, which is the Gemini
		// CLI's own: its id and secret come from the user's installation.
		.name = "google-gemini-cli",
		.family = "google-gemini-cli",
		.token_url = "https://oauth2.googleapis.com/token",
		.encoding = ENCODING_FORM,
		.needs_client_secret = true,
		.takes_credential_client_id = true,
		.lifetime_s = HOUR_S,
		.store_skew_ms = FIVE_MINUTES_MS,
		.probe_url = "https://www.googleapis.com/oauth2/v2/userinfo",
		.login_command = LOGIN("google-gemini-cli"),
	},
	{
		.name = "google-antigravity",
		.family = "google-antigravity",
		.token_url = "https://oauth2.googleapis.com/token",
		.encoding = ENCODING_FORM,
		.needs_client_secret = true,
		.takes_credential_client_id = true,
		.lifetime_s = HOUR_S,
		.store_skew_ms = FIVE_MINUTES_MS,
		.probe_url = "https://www.googleapis.com/oauth2/v2/userinfo",
		.login_command = LOGIN("google-antigravity"),
	},
	{
		// Its 30 days start anew with each refresh: no grant lifetime.
		.name = "chutes",
		.family = "chutes",
		.token_url = "https://api.chutes.ai/idp/token",
		.encoding = ENCODING_FORM,
		.rotates = true,
		.takes_credential_client_id = true,
		.lifetime_s = HOUR_S,
		.store_skew_ms = FIVE_MINUTES_MS,
		.store_least_ms = 30 * SECOND_MS,
		.probe_url = "https://api.chutes.ai/idp/userinfo",
		.login_command = LOGIN("chutes"),
	},
	{
		// The X-Msh-… headers carry the device id of the user's installation: they come
		// from the configuration.
		.name = "kimi",
		.family = "kimi",
		.token_url = "https://auth.kimi.com/api/oauth/token",
		.client_id = "17e5f671-d194-4dfb-9706-5516cb48c098",
		.encoding = ENCODING_FORM,
		.rotates = true,
		.lifetime_s = 15 * MINUTE_S,
		.probe_url = "https://api.kimi.com/coding/v1/models",
		.login_command = LOGIN("kimi"),
	},
	{
		.name = "kimi-code",
		.family = "kimi",
		.token_url = "https://auth.kimi.com/api/oauth/token",
		.client_id = "17e5f671-d194-4dfb-9706-5516cb48c098",
		.encoding = ENCODING_FORM,
		.rotates = true,
		.lifetime_s = 15 * MINUTE_S,
		.probe_url = "https://api.kimi.com/coding/v1/models",
		.login_command = LOGIN("kimi-code"),
	},
	{
		// OpenClaw itself never refreshes it. 15 minutes or 2 hours, sources disagree: the
		// shorter is safe.
		.name = "minimax-portal",
		.family = "minimax-portal",
		.token_url = "https://account.minimax.io/oauth2/token",
		.client_id = "78257093-7e40-4613-99e0-527b14b39113",
		.encoding = ENCODING_FORM,
		.rotates = true,
		.lifetime_s = 15 * MINUTE_S,
		.login_command = LOGIN("minimax-portal"),
	},
	{
		.name = "github-copilot",
		.family = "github-copilot",
		.rotates = true,
		.login_command = LOGIN("github-copilot"),
		.no_refresh = "its GitHub token has no expiry and is never replaced: there is "
			      "nothing to keep alive",
	},
	{
		.name = "qwen-portal",
		.family = "qwen-portal",
		.rotates = true,
		.login_command = LOGIN("qwen-portal"),
		.no_refresh = "Qwen ended the free OAuth tier on 2026-04-15: remove the profile, "
			      "or use an API key",
	},
	{
		.name = "claude-cli",
		.family = "claude-cli",
		.rotates = true,
		.login_command = LOGIN("anthropic"),
		.no_refresh = "the login belongs to Claude Code, which refreshes it itself; "
			      "OpenClaw retired the profile",
	},
};

const struct provider *provider_presets(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(presets);
	return presets;
}

const struct provider *provider_preset(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(presets); i++)
		if (string_equal(presets[i].name, name))
			return &presets[i];
	return NULL;
}

const char *provider_client_id(const struct provider *provider, const struct credential *credential)
{
	const char *own = provider->client_id;
	const char *theirs = credential ? credential->client_id : NULL;

	if (string_empty(own) || (provider->takes_credential_client_id && !string_empty(theirs)))
		return string_empty(theirs) ? NULL : theirs;
	return own;
}

const char *provider_obstacle(const struct provider *provider, const struct credential *credential)
{
	if (provider->no_refresh)
		return provider->no_refresh;
	if (!provider->token_url && !provider->discovery_url)
		return "no token endpoint is known: set `token_url` for this provider in "
		       "oauth-keepalive.conf";
	if (!provider_client_id(provider, credential))
		return "no client id is known: set `client_id` for this provider in "
		       "oauth-keepalive.conf "
		       "(for Google: the one of your own Gemini CLI or Antigravity installation)";
	if (provider->needs_client_secret && string_empty(provider->client_secret_file))
		return "it takes a client secret: save the one from your own Gemini CLI (or "
		       "Antigravity) installation "
		       "in a file only you can read, and set `client_secret_file` for this "
		       "provider in "
		       "oauth-keepalive.conf";
	return NULL;
}

bool provider_same_family(const struct provider *a, const struct provider *b)
{
	return a && b && a->family && string_equal(a->family, b->family);
}
