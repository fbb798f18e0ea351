// SPDX-License-Identifier: MIT
//
// See handover.h.
#include "ledger/handover.h"

#include <errno.h>

#include "json/scan.h"
#include "ledger/custody.h"
#include "ledger/generation.h"

#define HANDOVER_VERSION 1
#define VERSION_NAME	 "oauth_keepalive_export"
#define NAME_MAX_BYTES	 1024

void handover_free(struct handover *h)
{
	free(h->provider);
	free(h->profile);
	identity_free(&h->identity);
	generation_free(&h->live);
	free(h->superseded);
	free(h->fences);
	*h = (struct handover){0};
}

bool handover_superseded(const struct handover *h, struct fingerprint token)
{
	return fingerprint_listed(h->superseded, h->n_superseded, token);
}

struct secret handover_write(const struct account_record *record, const struct ledger *ledger,
			     bool release, int64_t now_ms)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	struct secret text;
	char host[65];

	host_name_ours(host);
	json_put_integer(json, VERSION_NAME, HANDOVER_VERSION);
	json_put_text(json, "mode", release ? "release" : "follow");
	json_put_integer(json, "made_ms", now_ms);
	json_put_text(json, "host", host);
	json_put_text(json, "ledger", ledger->uuid);
	json_put_integer(json, "term", record->custody.term);
	json_put_text(json, "provider", record->provider);
	json_put_text(json, "profile", record->profile);
	identity_write(json, "identity", &record->identity);
	json_put_integer(json, "number", record->number);
	json_put_integer(json, "lifetime_s", record->lifetime_s);
	json_put_integer(json, "grant_expires_ms", record->grant_expires_ms);
	issue_write(json, "previous", &record->previous);
	generation_write(json, "live", &record->live);
	tokens_write(json, "superseded", record->superseded, record->n_superseded);
	tokens_write(json, "fences", record->fences, record->n_fences);
	text = json_print(json, false);
	secret_append(&text, "\n", 1);
	return text;
}

// ---- reading

static char *id_read(const cJSON *json, const char *name, bool *ok)
{
	const char *text = json_text(json, name);

	if (string_empty(text) || strlen(text) > NAME_MAX_BYTES)
		*ok = false;
	return xstrdup(text);
}

static bool mode_read(const cJSON *json, bool *ok)
{
	const char *mode = json_text(json, "mode");
	bool release = string_equal(mode, "release");

	if (!release && !string_equal(mode, "follow"))
		*ok = false;
	return release;
}

static bool list_fits(const cJSON *json, const char *name)
{
	return cJSON_GetArraySize(json_get(json, name)) <= RECORD_SUPERSEDED_MAX;
}

// Both tokens are there, and what stands there may be some.
static bool tokens_are_sound(const struct generation *live)
{
	return !secret_empty(&live->access) && !secret_empty(&live->refresh) &&
	       token_is_sound(live->access.text, live->access.len) &&
	       token_is_sound(live->refresh.text, live->refresh.len) &&
	       (secret_empty(&live->id_token) ||
		token_is_sound(live->id_token.text, live->id_token.len)) &&
	       !token_is_fence(&live->access) && !token_is_fence(&live->refresh);
}

static bool ids_are_sound(const struct identity *identity)
{
	const char *const ids[] = {identity->account_id, identity->user_id, identity->email};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		if (ids[i] && !id_is_sound(ids[i]))
			return false;
	return true;
}

// What its tokens say of the person, and what it says itself, must be one person's.
static bool identity_agrees(struct handover *h)
{
	struct identity tokens = {0};
	bool agrees;

	identity_complete_from_tokens(&tokens, &h->live.id_token, &h->live.access);
	agrees = identity_compare(&h->identity, &tokens) != IDENTITY_DIFFERENT;
	identity_complete(&h->identity, &tokens);
	identity_free(&tokens);
	return agrees;
}

static void members_read(const cJSON *json, struct handover *h, bool *ok)
{
	h->release = mode_read(json, ok);
	h->made_ms = read_integer(json, "made_ms", 1, EXACT_MAX, ok);
	read_short(json, "ledger", h->ledger, sizeof(h->ledger), ledger_is_uuid, ok);
	read_short(json, "host", h->host, sizeof(h->host), host_name_is_sound, ok);
	h->term = read_integer(json, "term", 0, CUSTODY_TERM_MAX, ok);
	h->number = read_integer(json, "number", 1, EXACT_MAX, ok);
	h->provider = id_read(json, "provider", ok);
	h->profile = id_read(json, "profile", ok);
	identity_read(json, "identity", &h->identity, ok);
	h->lifetime_s = read_integer(json, "lifetime_s", 0, EXACT_MAX, ok);
	h->grant_expires_ms = read_integer(json, "grant_expires_ms", 0, EXACT_MAX, ok);
	issue_read(json, "previous", &h->previous, ok);
	generation_read(json, "live", &h->live, ok);
	if (!list_fits(json, "superseded") || !list_fits(json, "fences")) {
		*ok = false;
		return;
	}
	tokens_read(json, "superseded", &h->superseded, &h->n_superseded, ok);
	tokens_read(json, "fences", &h->fences, &h->n_fences, ok);
}

// NULL, or what is wrong with it.
static const char *fault_of(const cJSON *json, struct handover *h)
{
	bool ok = true;

	members_read(json, h, &ok);
	if (!ok)
		return "a member is missing, or not what it must be";
	if (!ids_are_sound(&h->identity))
		return "its identity is none";
	if (!tokens_are_sound(&h->live))
		return "what stands for its tokens cannot be any";
	if (handover_superseded(h, h->live.fingerprint))
		return "its live token is among those that were replaced";
	if (!identity_agrees(h))
		return "its tokens are another person's than it says";
	return NULL;
}

static bool begins_literal(const char *text, size_t len)
{
	return (len < 4 && (memcmp("true", text, len) == 0 || memcmp("null", text, len) == 0)) ||
	       (len < 5 && memcmp("false", text, len) == 0);
}

// What a broken pipe leaves, and the likeliest of all: also in the middle of a word, or of a character.
static bool is_cut(const struct secret *text, size_t end, const struct json_error *error)
{
	bool character = string_starts(error->what, "invalid") ||
			 string_starts(error->what, "lone surrogate");

	return error->offset >= end || string_starts(error->what, "unterminated") ||
	       (character && error->offset + strlen("\\ud800\\udc00") > end) ||
	       begins_literal(text->text + error->offset, end - error->offset);
}

static char *scan_fault(const struct secret *text)
{
	struct json_doc doc = {0};
	struct json_error error = {0};
	size_t end = text->len;
	int r;

	if (text->len > HANDOVER_MAX)
		return xasprintf("it is longer than %u bytes", HANDOVER_MAX);
	while (end && text->text[end - 1] && strchr(" \t\r\n", text->text[end - 1]))
		end--;
	if (!end)
		return xstrdup("nothing came: did export say why?");
	r = json_scan(text->text, text->len, &doc, &error);
	if (r == 0) {
		json_doc_free(&doc);
		return NULL;
	}
	if (r != -EBADMSG)
		return xstrdup("it has more in it than any export");
	return is_cut(text, end, &error)
		       ? xstrdup("it is cut short")
		       : xasprintf("it is no JSON: %s at byte %zu", error.what, error.offset);
}

int handover_read(const struct secret *text, struct handover *ret, char **ret_message)
{
	_cleanup_(handover_free) struct handover h = {0};
	char *fault = scan_fault(text);
	_cleanup_json_ cJSON *json = fault ? NULL : json_parse(text->text, text->len);
	int64_t version = json_integer(json, VERSION_NAME, 0);

	if (version > HANDOVER_VERSION) {
		*ret_message = xasprintf("it was made by a newer version of this program (format "
					 "%lld; this one reads %d): install that here, too",
					 (long long)version, HANDOVER_VERSION);
		return -EPROTONOSUPPORT;
	}
	if (!fault && version != HANDOVER_VERSION)
		fault = xstrdup("it is not what `oauth-keepalive export` prints");
	if (!fault)
		fault = xstrdup(fault_of(json, &h));
	if (fault) {
		*ret_message = fault;
		return -EBADMSG;
	}
	*ret = h;
	h = (struct handover){0};
	return 0;
}
