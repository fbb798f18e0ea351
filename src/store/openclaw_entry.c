// SPDX-License-Identifier: MIT
//
// Sort one profile into what it is. The order of the questions matters: what is not ours to touch
// comes before what is wrong with it, and a fence before blankness, because each answer says who
// has to act. (facts: openclaw-json-store.md 2 and 5; openclaw-sqlite-store.md 2)
#include "store/openclaw_entry.h"

#include "base/clock.h"
#include "config/config.h"

#define PROFILE_MAX  1024
#define PROVIDER_MAX 1024
#define TOKEN_MAX    (64u << 10)
#define SHOWN_MAX    64

#define EXPIRES_MAX_MS	 8.64e15 // JavaScript's last Date
#define SECONDS_BELOW_MS 1e11	 // as seconds the year 5138, as milliseconds 1973

// OpenClaw's spelling, and that of the operators' guide.
static const struct {
	const char *camel, *snake;
} spellings[FIELD_COUNT] = {
	[FIELD_ACCESS] = {"access", "access_token"},
	[FIELD_REFRESH] = {"refresh", "refresh_token"},
	[FIELD_EXPIRES] = {"expires", "expires_at"},
	[FIELD_ID_TOKEN] = {"idToken", "id_token"},
	[FIELD_ACCOUNT] = {"accountId", "account_id"},
	[FIELD_USER] = {"userId", "user_id"},
	[FIELD_EMAIL] = {"email", "email"},
	[FIELD_CLIENT] = {"clientId", "client_id"},
};

const char *entry_spelling(const struct entry *entry, enum entry_field field)
{
	return entry->snake ? spellings[field].snake : spellings[field].camel;
}

static struct secret node_secret(const struct json_doc *doc, uint32_t node)
{
	return node ? json_node_string(doc, node) : (struct secret){};
}

// For fields that are not secret; NULL if there is no string.
static char *node_text(const struct json_doc *doc, uint32_t node)
{
	_cleanup_secret_ struct secret text = node_secret(doc, node);

	return xstrdup(text.text);
}

static bool is_blank(const char *s)
{
	return !s || s[strspn(s, " \t\r\n\f\v")] == '\0';
}

// The same, and NULL for a blank one: OpenClaw ignores those.
static char *node_filled(const struct json_doc *doc, uint32_t node)
{
	_cleanup_free_ char *text = node_text(doc, node);

	return is_blank(text) ? NULL : TAKE_PTR(text);
}

// Absent or null, as JavaScript's `??` sees it.
static bool is_nothing(const struct json_doc *doc, uint32_t node)
{
	return node == 0 || doc->nodes[node].type == JSON_NULL;
}

static bool is_digits(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

// ---- expiry

enum expires_form {
	EXPIRES_NULL,
	EXPIRES_MS,
	EXPIRES_S,
	EXPIRES_DIGITS_MS, // the same two within a string
	EXPIRES_DIGITS_S,
	EXPIRES_ISO,
	EXPIRES_ISO_MS, // with a fraction
};

static bool expires_from_number(double value, bool always_ms, enum expires_form *ret_form,
				int64_t *ret_ms)
{
	bool ms = always_ms || value > SECONDS_BELOW_MS;
	double result = ms ? value : value * (double)SECOND_MS;

	if (!(result >= 1 && result <= EXPIRES_MAX_MS))
		return false;
	*ret_form = ms ? EXPIRES_MS : EXPIRES_S;
	*ret_ms = (int64_t)result;
	return true;
}

static bool expires_from_text(const char *text, enum expires_form *ret_form, int64_t *ret_ms)
{
	int64_t ms;

	if (is_digits(text) && strlen(text) <= 16) {
		if (!expires_from_number((double)strtoll(text, NULL, 10), false, ret_form, ret_ms))
			return false;
		*ret_form = *ret_form == EXPIRES_MS ? EXPIRES_DIGITS_MS : EXPIRES_DIGITS_S;
		return true;
	}
	if (time_parse(text, &ms) < 0 || ms < 1 || (double)ms > EXPIRES_MAX_MS)
		return false;
	*ret_form = strchr(text, '.') ? EXPIRES_ISO_MS : EXPIRES_ISO;
	*ret_ms = ms;
	return true;
}

// `expires` is OpenClaw's and nothing but a number of milliseconds; `expires_at` is whatever its
// author thought of.
static bool expires_is_ms(const struct json_doc *doc, uint32_t node)
{
	_cleanup_secret_ struct secret key = json_key(doc, node);

	return string_equal(key.text, spellings[FIELD_EXPIRES].camel);
}

// False if what stands there is no expiry. 0: unknown.
static bool read_expires(const struct json_doc *doc, uint32_t node, enum expires_form *ret_form,
			 int64_t *ret_ms)
{
	_cleanup_free_ char *text = node_text(doc, node);
	double number;

	if (is_nothing(doc, node)) {
		*ret_form = EXPIRES_NULL;
		*ret_ms = 0;
		return true;
	}
	if (json_node_number(doc, node, &number))
		return expires_from_number(number, expires_is_ms(doc, node), ret_form, ret_ms);
	return text && !expires_is_ms(doc, node) && expires_from_text(text, ret_form, ret_ms);
}

static void edit_text(struct json_edits *edits, const struct json_doc *doc, uint32_t node,
		      char *text)
{
	_cleanup_free_ char *owned = text;
	_cleanup_secret_ struct secret value = {};

	secret_set_string(&value, owned);
	json_edit_string(edits, doc, node, &value);
}

void entry_edit_expires(struct json_edits *edits, const struct json_doc *doc,
			const struct entry *entry, int64_t stored_ms)
{
	uint32_t node = entry->field[FIELD_EXPIRES];
	enum expires_form form;
	int64_t standing_ms;

	if (node == 0 || !read_expires(doc, node, &form, &standing_ms))
		return;
	if (form == EXPIRES_NULL)
		form = expires_is_ms(doc, node) ? EXPIRES_MS : EXPIRES_ISO;
	switch (form) {
	case EXPIRES_NULL:
	case EXPIRES_MS:
		json_edit_integer(edits, doc, node, stored_ms);
		break;
	case EXPIRES_S:
		json_edit_integer(edits, doc, node, stored_ms / SECOND_MS);
		break;
	case EXPIRES_DIGITS_MS:
		edit_text(edits, doc, node, xasprintf("%lld", (long long)stored_ms));
		break;
	case EXPIRES_DIGITS_S:
		edit_text(edits, doc, node, xasprintf("%lld", (long long)(stored_ms / SECOND_MS)));
		break;
	case EXPIRES_ISO:
		edit_text(edits, doc, node, time_format(stored_ms));
		break;
	case EXPIRES_ISO_MS:
		edit_text(edits, doc, node, time_format_ms(stored_ms));
		break;
	}
}

// ---- what it is

static void settle(struct copy *copy, enum copy_kind kind, char *reason)
{
	copy->kind = kind;
	free(copy->reason);
	copy->reason = reason;
}

static char *read_type(const struct json_doc *doc, uint32_t object)
{
	uint32_t type = json_member(doc, object, "type");

	return node_text(doc, type ? type : json_member(doc, object, "mode"));
}

// The common part of all entries. False once settled.
static bool read_frame(const struct json_doc *doc, uint32_t node, struct copy *copy)
{
	_cleanup_secret_ struct secret profile = json_key(doc, node);
	_cleanup_free_ char *type = NULL, *provider = NULL;
	bool oversized = profile.len > PROFILE_MAX;

	copy->credential.profile =
		oversized ? string_printable(profile.text, SHOWN_MAX) : xstrdup(profile.text);
	copy->credential.provider = xstrdup("");
	if (doc->nodes[node].type != JSON_OBJECT) {
		settle(copy, COPY_UNREADABLE, xstrdup("it is not an object"));
		return false;
	}
	type = read_type(doc, node);
	provider = node_text(doc, json_member(doc, node, "provider"));
	if (!string_equal(type, "oauth") && !string_equal(type, "api_key") &&
	    !string_equal(type, "token")) {
		settle(copy, COPY_UNREADABLE,
		       xstrdup("`type` is none of oauth, api_key and token"));
		return false;
	}
	if (is_blank(provider) || strlen(provider) > PROVIDER_MAX) {
		settle(copy, COPY_UNREADABLE, xstrdup("`provider` is missing, blank or oversized"));
		return false;
	}
	free(copy->credential.provider);
	copy->credential.provider = TAKE_PTR(provider);
	if (oversized) {
		settle(copy, COPY_UNREADABLE, xstrdup("its profile id is longer than 1024 bytes"));
		return false;
	}
	copy->kind = string_equal(type, "oauth") ? COPY_OAUTH : COPY_STATIC;
	return copy->kind == COPY_OAUTH;
}

// The field that stands there in both spellings, or -1.
static int find_fields(const struct json_doc *doc, uint32_t object, struct entry *entry)
{
	entry->object = object;
	for (int f = 0; f < FIELD_COUNT; f++) {
		uint32_t camel = json_member(doc, object, spellings[f].camel);
		uint32_t snake = json_member(doc, object, spellings[f].snake);

		if (camel && snake && camel != snake)
			return f;
		entry->field[f] = camel ? camel : snake;
		if (f == FIELD_REFRESH)
			entry->snake = snake != 0;
	}
	return -1;
}

// Why this login is somebody else's, or NULL.
static const char *not_ours(const struct json_doc *doc, uint32_t object, const char *profile)
{
	_cleanup_free_ char *flow = node_text(doc, json_member(doc, object, "authFlow"));
	uint32_t setup = json_member(doc, object, "setup");

	if (!is_nothing(doc, json_member(doc, object, "oauthRef")))
		return "its tokens are in a file only OpenClaw can read (`oauthRef`); "
		       "`openclaw doctor --fix` brings them back";
	if (string_equal(flow, "external-cli"))
		return "another program owns this login (`authFlow` is external-cli)";
	if (setup && !is_nothing(doc, json_member(doc, setup, "replacement")))
		return "OpenClaw is replacing this login (`setup`); finish that first";
	if (string_equal(profile, "anthropic:claude-cli"))
		return "a retired profile id: Claude's own program owns this login";
	if (string_starts(profile, "personal:"))
		return "a person's own account, which OpenClaw keeps apart";
	return NULL;
}

// OpenClaw takes "${NAME}" for a reference to a secret, and refuses those in oauth profiles.
static bool is_reference(const struct secret *token)
{
	return !secret_empty(token) && string_starts(token->text, "${") &&
	       string_ends(token->text, "}");
}

// A token goes into a form or a header: no spaces, no control characters.
static bool is_token(const struct secret *token)
{
	if (token->len > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < token->len; i++) {
		unsigned char c = (unsigned char)token->text[i];

		if (c <= ' ' || c == 0x7f)
			return false;
	}
	return true;
}

static bool is_string_or_nothing(const struct json_doc *doc, uint32_t node)
{
	return is_nothing(doc, node) || doc->nodes[node].type == JSON_STRING;
}

static char *bad_expires(const struct json_doc *doc, uint32_t node)
{
	_cleanup_secret_ struct secret key = json_key(doc, node);

	return xasprintf("`%s` is not a time, or outside (0, 8.64e15]", key.text);
}

// Tokens and expiry. The kind stays COPY_OAUTH only if they are what they should be.
static void read_tokens(const struct json_doc *doc, const struct entry *entry, struct copy *copy)
{
	_cleanup_secret_ struct secret access = node_secret(doc, entry->field[FIELD_ACCESS]);
	_cleanup_secret_ struct secret refresh = node_secret(doc, entry->field[FIELD_REFRESH]);
	_cleanup_secret_ struct secret id_token = node_secret(doc, entry->field[FIELD_ID_TOKEN]);
	enum expires_form form;
	int64_t stored_ms;

	if (!is_string_or_nothing(doc, entry->field[FIELD_ACCESS]) ||
	    !is_string_or_nothing(doc, entry->field[FIELD_REFRESH]))
		settle(copy, COPY_UNREADABLE, xstrdup("a token is not a string"));
	else if (fence_read(&access, &refresh, &copy->fence))
		settle(copy, COPY_FENCED, NULL);
	else if (is_reference(&access) || is_reference(&refresh))
		settle(copy, COPY_SKIPPED,
		       xstrdup("a token is a secret reference (\"${…}\"), which an oauth profile "
			       "cannot have: log in again"));
	else if (is_blank(refresh.text))
		settle(copy, COPY_BLANK, NULL);
	else if (entry->field[FIELD_ACCESS] == 0)
		settle(copy, COPY_UNREADABLE,
		       xasprintf("it has a refresh token and no `%s`",
				 entry_spelling(entry, FIELD_ACCESS)));
	else if (!is_token(&access) || !is_token(&refresh) || !is_token(&id_token))
		settle(copy, COPY_UNREADABLE,
		       xstrdup("a token is longer than 64 KiB, or has spaces or control "
			       "characters in it"));
	else if (!read_expires(doc, entry->field[FIELD_EXPIRES], &form, &stored_ms))
		settle(copy, COPY_UNREADABLE, bad_expires(doc, entry->field[FIELD_EXPIRES]));
	if (copy->kind != COPY_OAUTH)
		return;
	copy->credential.access = secret_take(&access);
	copy->credential.refresh = secret_take(&refresh);
	copy->credential.id_token = secret_take(&id_token);
	copy->credential.expires_ms = stored_ms;
}

// The rest of an oauth credential; its expiry from OpenClaw's view to the true one.
static void complete(const struct json_doc *doc, const struct entry *entry,
		     const struct config *config, struct credential *credential)
{
	const struct provider *provider =
		config ? config_provider(config, credential->provider) : NULL;

	credential->identity.account_id = node_filled(doc, entry->field[FIELD_ACCOUNT]);
	credential->identity.user_id = node_filled(doc, entry->field[FIELD_USER]);
	credential->identity.email = node_filled(doc, entry->field[FIELD_EMAIL]);
	credential->client_id = node_filled(doc, entry->field[FIELD_CLIENT]);
	if (secret_empty(&credential->access))
		credential->expires_ms = 0; // what is not there does not last
	else if (credential->expires_ms > 0 && provider)
		credential->expires_ms += provider->store_skew_ms;
	credential_complete(credential);
}

void entry_read(const struct json_doc *doc, uint32_t node, const struct config *config,
		struct copy *ret, struct entry *ret_entry)
{
	struct copy copy = {};
	struct entry entry = {};
	const char *foreign;
	int twice;

	if (!read_frame(doc, node, &copy)) {
		*ret = copy;
		return;
	}
	foreign = not_ours(doc, node, copy.credential.profile);
	twice = find_fields(doc, node, &entry);
	if (foreign)
		settle(&copy, COPY_SKIPPED, xstrdup(foreign));
	else if (twice >= 0)
		settle(&copy, COPY_UNREADABLE,
		       xasprintf("it has both `%s` and `%s`", spellings[twice].camel,
				 spellings[twice].snake));
	else
		read_tokens(doc, &entry, &copy);
	if (copy.kind == COPY_FENCED) // which keeps it; the last resort sends it
		copy.credential.client_id = node_filled(doc, entry.field[FIELD_CLIENT]);
	if (copy.kind == COPY_OAUTH)
		complete(doc, &entry, config, &copy.credential);
	*ret = copy;
	*ret_entry = entry;
}
