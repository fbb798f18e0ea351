// SPDX-License-Identifier: MIT
//
// See mapped_entry.h.
#include "store/mapped_entry.h"

#include <errno.h>

#include "base/clock.h"
#include "config/config.h"

#define NAME_MAX_SHOWN	 64
#define SECONDS_BELOW_MS 1e11 // a number below is one of seconds
#define EXPIRES_MAX_MS	 8.64e15

// ---- places

void spot_free(struct spot *spot)
{
	free(spot->name);
	*spot = (struct spot){};
}

void mapped_entry_free(struct mapped_entry *entry)
{
	spot_free(&entry->access);
	spot_free(&entry->refresh);
	spot_free(&entry->id_token);
	spot_free(&entry->expires);
}

// "~1" is "/", "~0" is "~".
static char *unescaped(const char *text, size_t n)
{
	char *name = xcalloc(1, n + 1), *to = name;

	for (size_t i = 0; i < n; i++) {
		bool escape =
			text[i] == '~' && i + 1 < n && (text[i + 1] == '0' || text[i + 1] == '1');
		*to++ = !escape ? text[i] : text[++i] == '1' ? '/' : '~';
	}
	return name;
}

void mapped_find(const struct json_doc *doc, uint32_t entry, const char *pointer, struct spot *ret)
{
	const char *at = pointer && *pointer == '/' ? pointer + 1 : pointer;
	struct spot spot = {
		.node = pointer == at ? entry : 0,
		.has_object = true,
	};

	while (at) {
		size_t n = strcspn(at, "/");
		bool walked = spot.has_object && doc->nodes[spot.node].type == JSON_OBJECT;

		free(spot.name);
		spot.name = unescaped(at, n);
		spot.has_object = walked;
		spot.object = spot.node;
		spot.node = walked ? json_member(doc, spot.object, spot.name) : 0;
		at = at[n] ? at + n + 1 : NULL;
		if (at && !spot.node)
			spot.has_object = false; // nor is there what it would be in
	}
	*ret = spot;
}

static struct secret text_at(const struct json_doc *doc, const struct spot *spot)
{
	return spot->node ? json_node_string(doc, spot->node) : (struct secret){};
}

// A field that is no secret; NULL where nothing is said.
static char *id_at(const struct json_doc *doc, uint32_t entry, const char *pointer)
{
	_cleanup_spot_ struct spot spot = {};
	_cleanup_secret_ struct secret text = {};

	if (pointer)
		mapped_find(doc, entry, pointer, &spot);
	text = text_at(doc, &spot);
	return secret_empty(&text) ? NULL : xstrdup(text.text);
}

// ---- edits

void mapped_edit_text(struct json_edits *edits, const struct json_doc *doc, const struct spot *spot,
		      const struct secret *value)
{
	if (spot->node)
		json_edit_string(edits, doc, spot->node, value);
	else if (spot->has_object)
		json_edit_add_string(edits, doc, spot->object, spot->name, value);
}

void mapped_edit_integer(struct json_edits *edits, const struct json_doc *doc,
			 const struct spot *spot, int64_t value)
{
	if (spot->node)
		json_edit_integer(edits, doc, spot->node, value);
	else if (spot->has_object)
		json_edit_add_integer(edits, doc, spot->object, spot->name, value);
}

static char *iso_text(enum format_time time, int64_t ms)
{
	_cleanup_free_ char *text = time == TIME_ISO9 ? time_format_ms(ms) : time_format(ms);

	if (time != TIME_ISO9)
		return TAKE_PTR(text);
	return xasprintf("%.*s000000Z", (int)strlen(text) - 1, text);
}

// Some write numbers where others of the same format write text (cliproxyapi): what stands there stays what it is.
void mapped_edit_time(struct json_edits *edits, const struct json_doc *doc, const struct spot *spot,
		      enum format_time time, int64_t ms)
{
	_cleanup_secret_ struct secret text = {};
	double standing = 0;
	bool number = spot->node && json_node_number(doc, spot->node, &standing);
	bool iso = time == TIME_ISO || time == TIME_ISO9;

	if (iso && !number) {
		_cleanup_free_ char *written = iso_text(time, ms);
		secret_set_string(&text, written);
		mapped_edit_text(edits, doc, spot, &text);
		return;
	}
	if (iso)
		time = standing > SECONDS_BELOW_MS ? TIME_MS : TIME_S;
	mapped_edit_integer(edits, doc, spot, time == TIME_S ? ms / SECOND_MS : ms);
}

// ---- expiry

// 0: it is none.
static int64_t read_time(const struct json_doc *doc, uint32_t node, enum format_time time)
{
	_cleanup_secret_ struct secret text = {};
	int64_t ms = 0;
	double number;

	if (json_node_number(doc, node, &number)) {
		bool seconds = time == TIME_S || (time != TIME_MS && number <= SECONDS_BELOW_MS);
		number *= seconds ? (double)SECOND_MS : 1;
		return number >= STORE_EXPIRES_LEAST_MS && number <= EXPIRES_MAX_MS
			       ? (int64_t)number
			       : 0;
	}
	text = json_node_string(doc, node);
	if (secret_empty(&text) || time_parse(text.text, &ms) < 0 || ms < STORE_EXPIRES_LEAST_MS)
		return 0;
	return ms;
}

static void read_expiry(const struct json_doc *doc, const struct mapped_entry *entry,
			struct copy *copy)
{
	const struct format *format = entry->format;

	copy->expires_implied = format->time == TIME_JWT ||
				(format->withheld_never_expires && copy->kind == COPY_ACCESS);
	if (copy->expires_implied)
		return;
	if (entry->expires.node)
		copy->credential.expires_ms = read_time(doc, entry->expires.node, format->time);
	copy->expires_odd = !copy->credential.expires_ms;
}

// ---- which entry

// Whose login a file of many holds is told by issuer and client, never by its place among the others.
static bool is_of_client(const struct json_doc *doc, uint32_t child, const char *client_id)
{
	_cleanup_free_ char *issuer = id_at(doc, child, "oidc_issuer"),
			    *client = id_at(doc, child, "oidc_client_id");
	_cleanup_free_ char *name = issuer && client ? xasprintf("%s::%s", issuer, client) : NULL;
	_cleanup_secret_ struct secret key = json_key(doc, child);

	return name && string_equal(key.text, name) && string_equal(client, client_id);
}

static bool find_by_client(const struct json_doc *doc, uint32_t base,
			   const struct config_store *external, const struct config *config,
			   uint32_t *ret)
{
	const struct provider *provider =
		config ? config_provider(config, external->provider) : NULL;

	if (doc->nodes[base].type == JSON_OBJECT)
		json_for_each (doc, child, base)
			if (is_of_client(doc, child, provider ? provider->client_id : NULL)) {
				*ret = child;
				return true;
			}
	return false;
}

// False: it is not there.
static bool find_entry(const struct json_doc *doc, const struct config_store *external,
		       const struct config *config, uint32_t *ret)
{
	const struct format *format = external->format;
	const char *key = external->entry ?: format_key_of(format, external->provider);
	_cleanup_spot_ struct spot base = {};

	if (*format->entry)
		mapped_find(doc, 0, format->entry, &base);
	if (*format->entry && !base.node)
		return false;
	*ret = base.node;
	if (!key && format->by_client)
		return find_by_client(doc, base.node, external, config, ret);
	if (!format->keys && !format->by_client)
		return true;
	*ret = key ? json_member(doc, base.node, key) : 0;
	return *ret != 0;
}

// ---- what it is

static void settle(struct copy *copy, enum copy_kind kind, char *reason)
{
	copy->kind = kind;
	copy->reason = reason;
}

static bool is_blank(const struct secret *token)
{
	return secret_empty(token) || token->text[strspn(token->text, " \t\r\n")] == '\0';
}

static bool is_text_or_nothing(const struct json_doc *doc, const struct spot *spot)
{
	enum json_type type = spot->node ? doc->nodes[spot->node].type : JSON_NULL;

	return type == JSON_NULL || type == JSON_STRING;
}

static void find_places(const struct json_doc *doc, struct mapped_entry *entry)
{
	const struct format *format = entry->format;

	mapped_find(doc, entry->object, format->access, &entry->access);
	mapped_find(doc, entry->object, format->refresh, &entry->refresh);
	if (format->id_token)
		mapped_find(doc, entry->object, format->id_token, &entry->id_token);
	if (format->expires)
		mapped_find(doc, entry->object, format->expires, &entry->expires);
}

// The tokens; the kind is COPY_OAUTH or COPY_ACCESS only if they are what they should be.
static void read_tokens(const struct json_doc *doc, const struct mapped_entry *entry,
			struct copy *copy)
{
	_cleanup_secret_ struct secret access = text_at(doc, &entry->access),
				       refresh = text_at(doc, &entry->refresh),
				       id_token = text_at(doc, &entry->id_token);

	if (!is_text_or_nothing(doc, &entry->access) || !is_text_or_nothing(doc, &entry->refresh))
		settle(copy, COPY_UNREADABLE, xstrdup("a token is not a string"));
	else if (is_blank(&access) && is_blank(&refresh))
		settle(copy, COPY_BLANK, NULL);
	else if (is_blank(&access))
		settle(copy, COPY_UNREADABLE,
		       xasprintf("it has a refresh token and no `%s`", entry->format->access));
	else if (!token_is_sound(access.text, access.len) ||
		 (!is_blank(&refresh) && !token_is_sound(refresh.text, refresh.len)) ||
		 !token_is_sound(id_token.text, id_token.len))
		settle(copy, COPY_UNREADABLE,
		       xstrdup("a token is longer than 64 KiB, or has other characters than "
			       "visible ASCII in it"));
	else
		settle(copy, is_blank(&refresh) ? COPY_ACCESS : COPY_OAUTH, NULL);
	if (copy->kind != COPY_OAUTH && copy->kind != COPY_ACCESS)
		return;
	copy->credential.access = secret_take(&access);
	copy->credential.id_token = secret_take(&id_token);
	if (copy->kind == COPY_OAUTH)
		copy->credential.refresh = secret_take(&refresh);
	read_expiry(doc, entry, copy);
}

static void read_ids(const struct json_doc *doc, const struct mapped_entry *entry,
		     struct credential *credential)
{
	const struct format *format = entry->format;

	credential->identity.account_id = id_at(doc, entry->object, format->account_id);
	credential->identity.user_id = id_at(doc, entry->object, format->user_id);
	if (!credential->identity.user_id)
		credential->identity.user_id = id_at(doc, entry->object, format->user_id_too);
	credential->identity.email = id_at(doc, entry->object, format->email);
	credential->client_id = id_at(doc, entry->object, format->client);
	credential_complete(credential);
}

void mapped_entry_read(const struct json_doc *doc, const struct config_store *external,
		       const struct config *config, struct copy *ret,
		       struct mapped_entry *ret_entry)
{
	struct mapped_entry entry = {.format = external->format};
	_cleanup_free_ char *type = NULL;
	struct copy copy = {
		.refs = ret->refs,
		.external = external,
		.credential = {.provider = xstrdup(external->provider),
			       .profile = xstrdup(external->profile)},
	};
	bool found = find_entry(doc, external, config, &entry.object);
	enum json_type is = found ? doc->nodes[entry.object].type : JSON_NULL;

	if (found && is == JSON_OBJECT)
		type = id_at(doc, entry.object, "type");
	if (is == JSON_NULL)
		settle(&copy, COPY_BLANK, NULL);
	else if (is != JSON_OBJECT)
		settle(&copy, COPY_UNREADABLE, xstrdup("its entry is not an object"));
	else if (entry.format->type && !string_equal(type, entry.format->type))
		settle(&copy, COPY_STATIC, xstrdup("its entry there is no oauth login"));
	else
		find_places(doc, &entry);
	if (entry.access.name)
		read_tokens(doc, &entry, &copy);
	if (copy.kind == COPY_OAUTH || copy.kind == COPY_ACCESS)
		if (entry.access.name)
			read_ids(doc, &entry, &copy.credential);
	*ret = copy;
	*ret_entry = entry;
}
