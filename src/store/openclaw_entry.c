// SPDX-License-Identifier: MIT
//
// Sort one profile into what it is. The order of the questions matters: what is not ours to touch
// comes before what is wrong with it, and a fence before blankness, because each answer says who
// has to act. (facts: openclaw-json-store.md 2 and 5; openclaw-sqlite-store.md 2)
#include "store/openclaw_entry.h"

#include <stdio.h>

#include "base/clock.h"
#include "config/config.h"

#define PROFILE_MAX  1024
#define PROVIDER_MAX 1024
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

// What else belongs to one login alone: where its requests go, which we know nothing of,
static const char *const binding[] = {"projectId", "enterpriseUrl"};
// … and what is said of its person, which is worth nothing beside another's.
static const char *const about[] = {"displayName", "chatgptPlanType", "subscriptionType",
				    "rateLimitTier"};

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

// What stands there as an expiry, or shall.
enum expires_form {
	EXPIRES_MS,
	EXPIRES_S,
	EXPIRES_DIGITS_MS, // the same two within a string
	EXPIRES_DIGITS_S,
	EXPIRES_ISO,
	EXPIRES_ISO_MS, // with a fraction
};

static enum expires_form read_number(double value, bool always_ms, int64_t *ret_ms)
{
	bool ms = always_ms || value > SECONDS_BELOW_MS;
	double result = ms ? value : value * (double)SECOND_MS;
	bool is_time = result >= STORE_EXPIRES_LEAST_MS && result <= EXPIRES_MAX_MS;

	*ret_ms = is_time ? (int64_t)result : 0;
	return ms ? EXPIRES_MS : EXPIRES_S;
}

static enum expires_form read_text(const char *text, int64_t *ret_ms)
{
	if (is_digits(text))
		return read_number(strtod(text, NULL), false, ret_ms) == EXPIRES_MS
			       ? EXPIRES_DIGITS_MS
			       : EXPIRES_DIGITS_S;
	if (time_parse(text, ret_ms) < 0 || *ret_ms < STORE_EXPIRES_LEAST_MS ||
	    (double)*ret_ms > EXPIRES_MAX_MS) {
		*ret_ms = 0;
		return EXPIRES_ISO;
	}
	return strchr(text, '.') ? EXPIRES_ISO_MS : EXPIRES_ISO;
}

// `expires` is OpenClaw's and nothing but a number of milliseconds; `expires_at` is whatever its
// author thought of.
static bool expires_is_ms(const struct json_doc *doc, uint32_t node)
{
	_cleanup_secret_ struct secret key = json_key(doc, node);

	return string_equal(key.text, spellings[FIELD_EXPIRES].camel);
}

// How it is spelled, and what it says. 0: no time to anybody who reads it (null, text, seconds in
// the place of milliseconds, a date nobody can have meant), which is "due" to OpenClaw.
static enum expires_form read_expires(const struct json_doc *doc, uint32_t node, int64_t *ret_ms)
{
	_cleanup_free_ char *text = node_text(doc, node);
	bool always_ms = expires_is_ms(doc, node);
	double number;

	*ret_ms = 0;
	if (json_node_number(doc, node, &number))
		return read_number(number, always_ms, ret_ms);
	if (always_ms)
		return EXPIRES_MS;
	return text ? read_text(text, ret_ms) : EXPIRES_ISO;
}

// What the entry's reader finds; where that is no time, what stands in the other spelling is still
// the best that is known.
static int64_t stored_expires(const struct json_doc *doc, const struct entry *entry,
			      struct copy *copy)
{
	uint32_t own = entry->field[FIELD_EXPIRES];
	int64_t ms = 0;

	if (own)
		read_expires(doc, own, &ms);
	if (ms)
		return ms;
	copy->expires_odd = true;
	if (own)
		snprintf(copy->expires_start, sizeof(copy->expires_start), "%.*s",
			 (int)(doc->nodes[own].end - doc->nodes[own].start),
			 doc->text + doc->nodes[own].start);
	if (entry->expires_too)
		read_expires(doc, entry->expires_too, &ms);
	return ms;
}

static struct secret expires_text(enum expires_form form, int64_t ms)
{
	struct secret value = {};
	_cleanup_free_ char *text =
		form == EXPIRES_ISO ? time_format(ms)
		: form == EXPIRES_ISO_MS
			? time_format_ms(ms)
			: xasprintf("%lld",
				    (long long)(form == EXPIRES_DIGITS_S ? ms / SECOND_MS : ms));

	secret_set_string(&value, text);
	return value;
}

static void edit_expires(struct json_edits *edits, const struct json_doc *doc, uint32_t node,
			 int64_t ms)
{
	int64_t standing_ms;
	enum expires_form form = read_expires(doc, node, &standing_ms);
	_cleanup_secret_ struct secret text = expires_text(form, ms);

	if (form == EXPIRES_MS || form == EXPIRES_S)
		json_edit_integer(edits, doc, node, form == EXPIRES_MS ? ms : ms / SECOND_MS);
	else
		json_edit_string(edits, doc, node, &text);
}

void entry_edit_expires(struct json_edits *edits, const struct json_doc *doc,
			const struct entry *entry, int64_t stored_ms)
{
	const char *name = entry_spelling(entry, FIELD_EXPIRES);

	if (entry->field[FIELD_EXPIRES])
		edit_expires(edits, doc, entry->field[FIELD_EXPIRES], stored_ms);
	if (entry->expires_too)
		edit_expires(edits, doc, entry->expires_too, stored_ms);
	if (entry->field[FIELD_EXPIRES])
		return;
	if (entry->snake) {
		_cleanup_secret_ struct secret text = expires_text(EXPIRES_ISO, stored_ms);
		json_edit_add_string(edits, doc, entry->object, name, &text);
	} else {
		json_edit_add_integer(edits, doc, entry->object, name, stored_ms);
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
	copy->credential.provider = string_normalised(provider);
	if (!string_equal(provider, copy->credential.provider))
		copy->spelt = TAKE_PTR(provider);
	if (!json_key_is_text(doc, node)) { // its locks' names are made of it
		settle(copy, COPY_UNREADABLE,
		       xstrdup("its profile id holds \\u0000, or half of a character"));
		return false;
	}
	if (oversized) {
		settle(copy, COPY_UNREADABLE, xstrdup("its profile id is longer than 1024 bytes"));
		return false;
	}
	copy->kind = string_equal(type, "oauth") ? COPY_OAUTH : COPY_STATIC;
	return copy->kind == COPY_OAUTH;
}

// OpenClaw reads `expires` alone; whoever wrote the guide's tokens reads the guide's expiry, if he
// wrote one.
static void find_expires(struct entry *entry, uint32_t camel, uint32_t snake)
{
	bool own_is_snake = entry->snake && snake;

	entry->field[FIELD_EXPIRES] = own_is_snake ? snake : camel;
	entry->expires_too = own_is_snake ? camel : snake;
}

// The field that stands there in both spellings, or -1. (An expiry is no reason to leave a login
// alone.)
static int find_fields(const struct json_doc *doc, uint32_t object, struct entry *entry)
{
	entry->object = object;
	for (int f = 0; f < FIELD_COUNT; f++) {
		uint32_t camel = json_member(doc, object, spellings[f].camel);
		uint32_t snake = json_member(doc, object, spellings[f].snake);

		if (f == FIELD_EXPIRES) {
			find_expires(entry, camel, snake);
			continue;
		}
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

static bool is_token(const struct secret *token)
{
	return token_is_sound(token->text, token->len);
}

static bool is_string_or_nothing(const struct json_doc *doc, uint32_t node)
{
	return is_nothing(doc, node) || doc->nodes[node].type == JSON_STRING;
}

// Tokens and expiry. The kind stays COPY_OAUTH only if they are what they should be.
static void read_tokens(const struct json_doc *doc, const struct entry *entry, struct copy *copy)
{
	_cleanup_secret_ struct secret access = node_secret(doc, entry->field[FIELD_ACCESS]);
	_cleanup_secret_ struct secret refresh = node_secret(doc, entry->field[FIELD_REFRESH]);
	_cleanup_secret_ struct secret id_token = node_secret(doc, entry->field[FIELD_ID_TOKEN]);

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
		       xstrdup("a token is longer than 64 KiB, or has other characters than "
			       "visible ASCII in it"));
	if (copy->kind != COPY_OAUTH)
		return;
	copy->credential.access = secret_take(&access);
	copy->credential.refresh = secret_take(&refresh);
	copy->credential.id_token = secret_take(&id_token);
	copy->credential.expires_ms = stored_expires(doc, entry, copy);
}

static bool is_bound(const struct json_doc *doc, uint32_t object)
{
	for (size_t i = 0; i < ARRAY_SIZE(binding); i++) {
		_cleanup_free_ char *value = node_filled(doc, json_member(doc, object, binding[i]));
		if (value)
			return true;
	}
	return false;
}

void entry_edit_about(struct json_edits *edits, const struct json_doc *doc,
		      const struct entry *entry)
{
	_cleanup_secret_ struct secret nothing = {};

	secret_set_string(&nothing, "");
	for (size_t i = 0; i < ARRAY_SIZE(about); i++) {
		uint32_t node = json_member(doc, entry->object, about[i]);
		_cleanup_free_ char *value = node_filled(doc, node);
		if (value)
			json_edit_string(edits, doc, node, &nothing);
	}
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
	struct copy copy = {.refs = ret->refs};
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
	if (copy.kind == COPY_OAUTH) {
		complete(doc, &entry, config, &copy.credential);
		copy.bound = is_bound(doc, entry.object);
	}
	*ret = copy;
	*ret_entry = entry;
}
