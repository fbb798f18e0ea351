// SPDX-License-Identifier: MIT
//
// A generation is a pair of tokens and where it came from. Here it is copied, and brought to JSON
// and back.
#include "ledger/generation.h"
#include "file/private_file.h"

void generation_free(struct generation *generation)
{
	secret_free(&generation->access);
	secret_free(&generation->refresh);
	secret_free(&generation->id_token);
	*generation = (struct generation){0};
}

void generation_copy(struct generation *to, const struct generation *from)
{
	struct generation copy = *from;

	copy.access = copy.refresh = copy.id_token = (struct secret){0};
	secret_copy(&copy.access, &from->access);
	secret_copy(&copy.refresh, &from->refresh);
	secret_copy(&copy.id_token, &from->id_token);
	generation_free(to);
	*to = copy;
}

void generation_of_credential(struct generation *to, const struct credential *from, int64_t now_ms)
{
	struct generation view = {
		.access = from->access, // lent, copied below
		.refresh = from->refresh,
		.id_token = from->id_token,
		.fingerprint = fingerprint_of(&from->refresh),
		.expires_ms = from->expires_ms,
		.issued_ms = from->issued_ms,
		.at_ms = now_ms,
		.answered = false,
	};

	generation_copy(to, &view);
}

int64_t read_integer(const cJSON *object, const char *name, int64_t least, int64_t most, bool *ok)
{
	int64_t value = json_integer(object, name, INT64_MIN); // never a valid one: beyond 2^53

	if (value == INT64_MIN || value < least || value > most) {
		*ok = false;
		return 0;
	}
	return value;
}

void read_short(const cJSON *object, const char *name, char *ret, size_t size,
		bool (*is_sound)(const char *), bool *ok)
{
	const char *text = json_text(object, name);

	if (text && strlen(text) < size && (!is_sound || is_sound(text)))
		memcpy(ret, text, strlen(text) + 1);
	else
		*ok = false;
}

bool read_flag(const cJSON *object, const char *name, bool *ok)
{
	const cJSON *value = json_get(object, name);

	if (!cJSON_IsBool(value))
		*ok = false;
	return cJSON_IsTrue(value);
}

char *record_text(const cJSON *object, const char *name, bool may_be_null, bool *ok)
{
	const char *text = json_text(object, name);

	if (!text && !(may_be_null && cJSON_IsNull(json_get(object, name))))
		*ok = false;
	return xstrdup(text);
}

struct fingerprint read_fingerprint(const cJSON *string, bool may_be_empty, bool *ok)
{
	struct fingerprint fingerprint = {0};
	const char *text = cJSON_IsString(string) ? string->valuestring : NULL;

	if (text && is_hex(text, FINGERPRINT_LENGTH))
		memcpy(fingerprint.hex, text, FINGERPRINT_LENGTH);
	else if (!may_be_empty || !string_equal(text, ""))
		*ok = false;
	return fingerprint;
}

void tokens_write(cJSON *object, const char *name, const struct fingerprint *tokens, size_t n)
{
	cJSON *json = cJSON_AddArrayToObject(object, name);

	for (size_t i = 0; i < n; i++)
		cJSON_AddItemToArray(json, cJSON_CreateString(tokens[i].hex));
}

void tokens_read(const cJSON *object, const char *name, struct fingerprint **ret, size_t *ret_n,
		 bool *ok)
{
	const cJSON *json = json_get(object, name), *item;

	if (!cJSON_IsArray(json)) {
		*ok = false;
		return;
	}
	cJSON_ArrayForEach (item, json)
		*array_add(ret, ret_n) = read_fingerprint(item, false, ok);
}

static void read_token(const cJSON *object, const char *name, struct secret *ret, bool *ok)
{
	const char *text = json_text(object, name);

	if (!text && !cJSON_IsNull(json_get(object, name)))
		*ok = false;
	secret_set_string(ret, text);
}

void issue_write(cJSON *object, const char *name, const struct issue_time *time)
{
	cJSON *json = cJSON_AddObjectToObject(object, name);

	json_put_integer(json, "issued_ms", time->issued_ms);
	json_put_integer(json, "expires_ms", time->expires_ms);
}

void issue_read(const cJSON *object, const char *name, struct issue_time *ret, bool *ok)
{
	const cJSON *json = json_get(object, name);

	ret->issued_ms = read_integer(json, "issued_ms", -EXACT_MAX, EXACT_MAX, ok);
	ret->expires_ms = read_integer(json, "expires_ms", -EXACT_MAX, EXACT_MAX, ok);
}

void identity_write(cJSON *object, const char *name, const struct identity *identity)
{
	cJSON *json = cJSON_AddObjectToObject(object, name);

	json_put_text(json, "account_id", identity->account_id);
	json_put_text(json, "user_id", identity->user_id);
	json_put_text(json, "email", identity->email);
}

void identity_read(const cJSON *object, const char *name, struct identity *ret, bool *ok)
{
	const cJSON *json = json_get(object, name);

	*ret = (struct identity){
		.account_id = record_text(json, "account_id", true, ok),
		.user_id = record_text(json, "user_id", true, ok),
		.email = record_text(json, "email", true, ok),
	};
}

void generation_write(cJSON *object, const char *name, const struct generation *generation)
{
	cJSON *json = cJSON_AddObjectToObject(object, name);

	json_put_secret(json, "access", &generation->access);
	json_put_secret(json, "refresh", &generation->refresh);
	json_put_secret(json, "id_token", &generation->id_token);
	json_put_text(json, "fingerprint", generation->fingerprint.hex);
	json_put_integer(json, "expires_ms", generation->expires_ms);
	json_put_integer(json, "issued_ms", generation->issued_ms);
	json_put_integer(json, "at_ms", generation->at_ms);
	cJSON_AddBoolToObject(json, "answered", generation->answered);
}

void generation_read(const cJSON *object, const char *name, struct generation *ret, bool *ok)
{
	const cJSON *json = json_get(object, name);
	struct fingerprint own;

	*ret = (struct generation){0};
	read_token(json, "access", &ret->access, ok);
	read_token(json, "refresh", &ret->refresh, ok);
	read_token(json, "id_token", &ret->id_token, ok);
	ret->fingerprint = read_fingerprint(json_get(json, "fingerprint"), true, ok);
	ret->expires_ms = read_integer(json, "expires_ms", -EXACT_MAX, EXACT_MAX, ok);
	ret->issued_ms = read_integer(json, "issued_ms", -EXACT_MAX, EXACT_MAX, ok);
	ret->at_ms = read_integer(json, "at_ms", -EXACT_MAX, EXACT_MAX, ok);
	ret->answered = read_flag(json, "answered", ok);

	// A login that ended has given up its tokens; its fingerprint stays.
	own = fingerprint_of(&ret->refresh);
	if (!fingerprint_empty(own) && !fingerprint_equal(own, ret->fingerprint))
		*ok = false;
}
