// SPDX-License-Identifier: MIT
//
// See custody.h.
#include "ledger/custody.h"

#include <unistd.h>

#include "file/private_file.h"
#include "ledger/generation.h"

static const char *const names[] = {
	[OWNERSHIP_OURS] = "ours",
	[OWNERSHIP_FOLLOWS] = "follows",
	[OWNERSHIP_RELEASED] = "released",
};

const char *ownership_name(enum ownership ownership)
{
	return names[ownership];
}

bool host_name_is_sound(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return len > 0 && len <= 64;
}

void host_name_ours(char ret[65])
{
	char name[65] = "";

	if (gethostname(name, sizeof(name)) < 0 || !memchr(name, '\0', sizeof(name)) ||
	    !host_name_is_sound(name))
		memcpy(name, "unnamed", sizeof("unnamed"));
	memcpy(ret, name, sizeof(name));
}

void custody_write(cJSON *record, const struct custody *custody)
{
	cJSON *json;

	if (!custody->since_ms)
		return;
	json = cJSON_AddObjectToObject(record, "custody");
	json_put_text(json, "ownership", ownership_name(custody->ownership));
	json_put_integer(json, "since_ms", custody->since_ms);
	json_put_integer(json, "term", custody->term);
	json_put_text(json, "ledger", custody->ledger);
	json_put_text(json, "host", custody->host);
	json_put_integer(json, "heard_ms", custody->heard_ms);
	json_put_integer(json, "number", custody->number);
	json_put_text(json, "nonce", custody->nonce);
}

// "" or what is sound.
static void name_read(const cJSON *json, const char *name, char *ret, size_t size,
		      bool (*is_sound)(const char *), bool *ok)
{
	read_short(json, name, ret, size, NULL, ok);
	if (*ret && !is_sound(ret))
		*ok = false;
}

static bool is_nonce(const char *text)
{
	return is_hex(text, 32);
}

void custody_read(const cJSON *record, struct custody *ret, bool *ok)
{
	const cJSON *json = json_get(record, "custody");
	const char *name = json_text(json, "ownership");
	bool known = false;

	if (!json) // not in 0.1.0, nor where it always was ours
		return;
	for (enum ownership o = 0; o < ARRAY_SIZE(names); o++) {
		if (!string_equal(name, names[o]))
			continue;
		ret->ownership = o;
		known = true;
	}
	ret->since_ms = read_integer(json, "since_ms", 1, EXACT_MAX, ok);
	ret->term = read_integer(json, "term", 0, EXACT_MAX, ok);
	ret->heard_ms = read_integer(json, "heard_ms", 0, EXACT_MAX, ok);
	ret->number = read_integer(json, "number", 0, EXACT_MAX, ok);
	name_read(json, "ledger", ret->ledger, sizeof(ret->ledger), ledger_is_uuid, ok);
	name_read(json, "host", ret->host, sizeof(ret->host), host_name_is_sound, ok);
	name_read(json, "nonce", ret->nonce, sizeof(ret->nonce), is_nonce, ok);
	if (!known || (ret->ownership == OWNERSHIP_FOLLOWS && !*ret->ledger))
		*ok = false;
}
