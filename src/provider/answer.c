// SPDX-License-Identifier: MIT
//
// What a token endpoint's answer means. The question behind every line is whether the refresh token
// was spent: only an answer that proves it was not may be NOT_SPENT or REJECTED, everything
// doubtful is UNKNOWN. And a received token is never given up for a fault elsewhere in the answer
// (architecture: MUST; facts: providers.md 1 to 9, 14).
//
// Nothing of the body leaves but tokens, identity, durations, an error code that reads like one, and what said.c lets pass.
#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "json/json.h"
#include "provider/provider.h"

#define LIFETIME_MAX_S	   (10 * 365 * DAY_S)
#define ASSUMED_LIFETIME_S HOUR_S // where nobody says: what most clients assume, too
#define EXPIRED_IN_IN_MS   1e12	  // MiniMax's expired_in: above it milliseconds since the epoch,
#define EXPIRED_IN_IN_S	   1e9	  // above it seconds since the epoch, else a duration

struct reading {
	const struct provider *provider;
	const struct http_answer *http;
	const cJSON *json; // NULL: the body is no JSON object
};

// Codes that mean that this refresh token will never work again (facts: providers.md 1, 3, 4, 7, 8; field cases: F06).
static const char *const dead_codes[] = {
	"invalid_grant",	   "refresh_token_reused",	"refresh_token_already_used",
	"refresh_token_expired",   "refresh_token_invalidated", "refresh_token_revoked",
	"refresh_token_not_found", "invalid_refresh_token",	"bad_refresh_token",
	"token_expired",	   "token_invalidated",		"token_revoked",
	"app_session_expired",	   "app_session_terminated",	"session_expired",
	"account_deactivated",	   "account_deleted",
};

// Codes for what only a person can change, after which the same token works again.
static const char *const barring_codes[] = {
	"account_on_hold",	 "account_suspended",
	"permission_error",	 "permission_denied",
	"access_denied",	 "oauth_org_not_allowed",
	"organization_disabled", "subscription_required",
	"payment_required",	 "billing_error",
	"interaction_required",	 "login_required",
	"consent_required",	 "unsupported_country_region_territory",
};

// Codes that only ask for patience, whatever the status.
static const char *const patience_codes[] = {
	"slow_down",	      "temporarily_unavailable", "rate_limit_error", "rate_limit_exceeded",
	"rate_limit_reached", "too_many_requests",	 "overloaded_error", "server_overloaded",
};

// The same, said in words only.
static const struct {
	const char *family; // NULL: any
	const char *words;
	const char *code;
} dead_words[] = {
	{NULL, "already been used to generate a new access token", "refresh_token_reused"},
	{NULL, "refresh token has already been used", "refresh_token_reused"},
	{NULL, "refresh token not found or invalid", "invalid_grant"},
	{NULL, "refresh token has been revoked", "invalid_grant"},
	{NULL, "refresh token expired", "refresh_token_expired"},
	{NULL, "token has been expired or revoked", "invalid_grant"},
	{"kimi", "provided authorization grant is invalid", "invalid_grant"},
	{"minimax-portal", "invalid_grant", "invalid_grant"},
	{"minimax-portal", "refresh_token_reused", "refresh_token_reused"},
	{"minimax-portal", "invalid_refresh_token", "invalid_refresh_token"},
};

void answer_free(struct answer *answer)
{
	secret_free(&answer->access);
	secret_free(&answer->refresh);
	secret_free(&answer->id_token);
	identity_free(&answer->identity);
	*answer = (struct answer){0};
}

// ---- errors

// A code goes into messages and the ledger, so it must not be a token that a server echoes: words
// of one case, joined by "_", "-" or ".", no digits. No token of any length looks like that.
static bool reads_like_code(const char *text)
{
	bool upper = false, lower = false;
	size_t len = strlen(text);

	if (len == 0 || len >= sizeof(((struct answer *)0)->code))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalpha((unsigned char)text[i]) && !strchr("_-.", text[i]))
			return false;
		upper |= text[i] >= 'A' && text[i] <= 'Z';
		lower |= text[i] >= 'a' && text[i] <= 'z';
	}
	return upper != lower;
}

// The places where a code is found, those that say most first. (`type` of the whole is "error" at Anthropic's.)
static const char *code_at(const cJSON *json, size_t place)
{
	const cJSON *error = json_get(json, "error"), *detail = json_get(json, "detail");
	const struct {
		const cJSON *in;
		const char *name;
	} places[] = {
		{json, "error"},
		{error, "code"},
		{error, "error"},
		{error, "type"},
		{error, "status"},
		{json_get(error, "error"), "code"},
		{json_get(error, "error"), "type"},
		{json, "code"},
		{json, "error_code"},
		{detail, "error"},
		{detail, "code"},
		{detail, "type"},
	};

	return place < ARRAY_SIZE(places) ? json_text(places[place].in, places[place].name) : NULL;
}
#define CODE_PLACES 12

// The first of these codes that stands in any place; NULL.
static const char *find_code(const cJSON *json, const char *const *codes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t place = 0; place < CODE_PLACES; place++) {
			const char *code = code_at(json, place);
			if (code && strcasecmp(code, codes[i]) == 0)
				return codes[i];
		}
	}
	return NULL;
}

static bool says(const cJSON *json, const char *words)
{
	const cJSON *error = json_get(json, "error");
	const char *texts[] = {
		json_text(json, "error"),    json_text(json, "error_description"),
		json_text(json, "message"),  json_text(json, "detail"),
		json_text(error, "message"), json_text(json_get(json, "base_resp"), "status_msg"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i] && strcasestr(texts[i], words))
			return true;
	return false;
}

static void set_code(struct answer *answer, const char *code)
{
	snprintf(answer->code, sizeof(answer->code), "%s", code);
}

static void choose_code(const struct reading *in, struct answer *ret)
{
	snprintf(ret->code, sizeof(ret->code), "http_%d", in->http->status);
	for (size_t place = 0; place < CODE_PLACES; place++) {
		const char *code = code_at(in->json, place);
		if (code && reads_like_code(code)) {
			set_code(ret, code);
			return;
		}
	}
}

static const char *find_dead_code(const struct reading *in)
{
	const char *code = find_code(in->json, dead_codes, ARRAY_SIZE(dead_codes));

	for (size_t i = 0; i < ARRAY_SIZE(dead_words) && !code; i++)
		if ((!dead_words[i].family ||
		     string_equal(dead_words[i].family, in->provider->family)) &&
		    says(in->json, dead_words[i].words))
			code = dead_words[i].code;
	return code;
}

// Kimi says no more than 401 or 403 to a dead token; an edge's page with that status is not Kimi's
// word.
static bool kimi_rejects(const struct reading *in)
{
	return string_equal(in->provider->family, "kimi") && in->json &&
	       (in->http->status == 401 || in->http->status == 403);
}

// The account may not, says the token endpoint itself, in JSON. (A page with such a status is an edge's.)
static bool barred_by_status(const struct reading *in)
{
	int status = in->http->status;

	return in->json && (status == 402 || status == 403 || status == 451);
}

// The server refused, in so many words: the token is dead, or it is as it was. (Anthropic puts an account on hold with the
// code of a dead token, and lets it go again: providers.md 2.)
static enum answer_kind read_refusal(const struct reading *in, struct answer *ret)
{
	const char *dead = find_dead_code(in);
	const char *bar = find_code(in->json, barring_codes, ARRAY_SIZE(barring_codes));

	if (says(in->json, "account_on_hold"))
		bar = "account_on_hold", dead = NULL;
	said_in_answer(in->json, ret->said);
	if (find_code(in->json, patience_codes, ARRAY_SIZE(patience_codes)))
		return ANSWER_NOT_SPENT;
	if (dead || bar)
		set_code(ret, dead ? dead : bar);
	if (dead || (!bar && kimi_rejects(in)))
		return ANSWER_DEAD;
	return bar || barred_by_status(in) ? ANSWER_BARRED : ANSWER_REJECTED;
}

static bool has_oauth_error(const struct reading *in)
{
	const cJSON *error = json_get(in->json, "error");
	const char *codes[] = {json_text(in->json, "error"), json_text(error, "code"),
			       json_text(error, "type")};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i] && reads_like_code(codes[i]))
			return true;
	return false;
}

// An error in a 2xx answer: `error` as a string or an object, and MiniMax's own ways.
static bool success_is_refusal(const struct reading *in)
{
	const cJSON *error = json_get(in->json, "error");
	const char *status = json_text(in->json, "status");

	if (cJSON_IsObject(error) || !string_empty(json_text(in->json, "error")))
		return true;
	if (!string_equal(in->provider->family, "minimax-portal"))
		return false;
	return (status && !string_equal(status, "success")) ||
	       json_integer(json_get(in->json, "base_resp"), "status_code", 0) != 0;
}

// ---- tokens

enum said { SAID_NOTHING, SAID_TOKEN, SAID_ODD };

static enum said read_token(const cJSON *json, const char *name, struct secret *ret)
{
	const cJSON *value = json_get(json, name);
	const char *text = json_text(json, name);

	if (!value || cJSON_IsNull(value) || (text && !*text))
		return SAID_NOTHING;
	if (!text || !token_is_sound(text, strlen(text)))
		return SAID_ODD;
	secret_set_string(ret, text);
	return SAID_TOKEN;
}

// A number, or a string with nothing but one (of which the whole part counts); NAN otherwise.
static double read_number(const cJSON *json, const char *name)
{
	const cJSON *value = json_get(json, name);
	const char *text = json_text(json, name);
	size_t whole, fraction = 0;

	if (cJSON_IsNumber(value))
		return value->valuedouble;
	if (!text)
		return NAN;
	whole = strspn(text, "0123456789");
	if (text[whole] == '.')
		fraction = 1 + strspn(text + whole + 1, "0123456789");
	if (whole == 0 || whole > 18 || text[whole + fraction])
		return NAN;
	return (double)strtoll(text, NULL, 10);
}

static int64_t sane_lifetime(double seconds)
{
	return seconds >= 1 && seconds <= (double)LIFETIME_MAX_S ? (int64_t)seconds : 0;
}

static int64_t read_lifetime(const cJSON *json, int64_t received_ms)
{
	int64_t lifetime_s = sane_lifetime(read_number(json, "expires_in"));
	double value = read_number(json, "expired_in");

	if (lifetime_s || isnan(value))
		return lifetime_s;
	if (value > EXPIRED_IN_IN_MS)
		return sane_lifetime((value - (double)received_ms) / 1000);
	if (value > EXPIRED_IN_IN_S)
		return sane_lifetime(value - (double)received_ms / 1000);
	return sane_lifetime(value);
}

static char *read_id(const cJSON *json, const char *name)
{
	const char *id = json_text(json, name);

	return id_is_sound(id) ? xstrdup(id) : NULL;
}

static void read_identity(const cJSON *json, struct answer *ret)
{
	const cJSON *account = json_get(json, "account");

	ret->identity.user_id = read_id(account, "uuid");
	ret->identity.email = read_id(account, "email_address");
	identity_complete_from_tokens(&ret->identity, &ret->id_token, &ret->access);
}

// Tokens in a 2xx answer. One that came in a form we cannot use may have replaced ours: unknown,
// never "none". `ret_said` is false if the answer does not speak of tokens at all.
static enum answer_kind read_tokens(const struct reading *in, int64_t received_ms,
				    struct answer *ret, bool *ret_said)
{
	enum said access = read_token(in->json, "access_token", &ret->access);
	enum said refresh = read_token(in->json, "refresh_token", &ret->refresh);
	bool success = in->http->status >= 200 && in->http->status <= 299;

	// An error may quote our refresh token; an access token beside an error status is beyond
	// understanding.
	*ret_said = access != SAID_NOTHING || (success && refresh != SAID_NOTHING);
	if (!success || access != SAID_TOKEN || refresh == SAID_ODD) {
		secret_free(&ret->access);
		secret_free(&ret->refresh);
		return ANSWER_UNKNOWN;
	}
	read_token(in->json, "id_token", &ret->id_token);
	ret->lifetime_s = read_lifetime(in->json, received_ms);
	ret->grant_lifetime_s = sane_lifetime(read_number(in->json, "refresh_token_expires_in"));
	read_identity(in->json, ret);
	return ANSWER_TOKENS;
}

// ---- the whole

static enum answer_kind classify(const struct reading *in, int64_t received_ms, struct answer *ret)
{
	int status = in->http->status;
	bool said_tokens;
	enum answer_kind kind = read_tokens(in, received_ms, ret, &said_tokens);

	if (said_tokens)
		return kind;
	if (status == 429)
		return ANSWER_NOT_SPENT;
	if (in->http->cut && !in->json)
		return ANSWER_UNKNOWN;
	if (in->http->challenge) { // the edge answered: it never reached the token server
		said_plainly("a challenge page of Cloudflare's, not the provider's answer; another "
			     "network or proxy may get through",
			     ret->said);
		return ANSWER_NOT_SPENT;
	}
	if (status < 200 || status >= 600 || status == 408)
		return ANSWER_UNKNOWN;
	if (status < 300)
		return success_is_refusal(in) ? read_refusal(in, ret) : ANSWER_UNKNOWN;
	if (status < 400)
		return ANSWER_UNKNOWN; // a redirect: not followed with a token, and no proof of anything
	if (status < 500)
		return read_refusal(in, ret);
	if (status == 503 && (in->http->retry_after_s >= 0 || has_oauth_error(in)))
		return ANSWER_NOT_SPENT;
	return ANSWER_UNKNOWN;
}

void provider_read_answer(const struct provider *provider, const struct http_answer *http,
			  int64_t received_ms, struct answer *ret)
{
	_cleanup_json_ cJSON *json = json_parse_foreign(http->body.text, http->body.len);
	struct reading in = {.provider = provider, .http = http};
	struct answer answer = {.status = http->status, .retry_after_s = http->retry_after_s};

	in.json = cJSON_IsObject(json) ? json : NULL;
	choose_code(&in, &answer);
	answer.kind = classify(&in, received_ms, &answer);
	*ret = answer;
}

int64_t answer_expires_ms(const struct provider *provider, const struct answer *answer,
			  int64_t received_ms)
{
	struct jwt jwt = {0};
	int64_t expires_ms;

	if (answer->lifetime_s > 0)
		return received_ms + answer->lifetime_s * SECOND_MS;
	if (!secret_empty(&answer->access) && jwt_read(&answer->access, &jwt) == 0) {
		expires_ms = jwt.expires_ms;
		jwt_free(&jwt);
		if (expires_ms > received_ms) // else one of the clocks is wrong
			return expires_ms;
	}
	return received_ms +
	       (provider->lifetime_s > 0 ? provider->lifetime_s : ASSUMED_LIFETIME_S) * SECOND_MS;
}
