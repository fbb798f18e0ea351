// SPDX-License-Identifier: MIT
//
// cJSON behind helpers that do not have its edges. Each edge that is taken off here was measured on
// cJSON 1.7.15.

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "json/json.h"

#define LARGEST_EXACT 9007199254740992.0 // 2^53

void cleanup_json(cJSON **json)
{
	cJSON_Delete(*json);
	*json = NULL;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// cJSON ends a string at \u0000, and reads \u with anything but four hex digits as that: "a\u0000b"
// would become another id than the one that was written. A backslash is only valid within a string,
// so no more than the escapes need be looked at. `text` is NUL-terminated.
static bool escapes_are_sound(const char *text)
{
	for (const char *p = strchr(text, '\\'); p; p = strchr(p, '\\')) {
		if (p[1] == '\0')
			return false;
		if (p[1] == 'u') {
			for (int i = 2; i < 6; i++) {
				if (!is_hex(p[i]))
					return false;
			}
			if (memcmp(p + 2, "0000", 4) == 0)
				return false;
		}
		p += 2;
	}
	return true;
}

cJSON *json_parse(const char *text, size_t len)
{
	_cleanup_secret_ struct secret copy = {0};

	// A NUL within a string would end it silently.
	if (!text || len == 0 || memchr(text, '\0', len))
		return NULL;
	secret_set(&copy, text, len);
	if (!escapes_are_sound(copy.text))
		return NULL;
	// Only with the NUL counted does cJSON notice what follows the value.
	return cJSON_ParseWithLengthOpts(copy.text, len + 1, NULL, true);
}

// Of two equal names the last counts, as in JavaScript; cJSON's own lookup takes the first.
static cJSON *find_last(const cJSON *object, const char *name)
{
	cJSON *found = NULL, *child;

	if (!cJSON_IsObject(object))
		return NULL;
	cJSON_ArrayForEach (child, object) {
		if (string_equal(child->string, name))
			found = child;
	}
	return found;
}

const cJSON *json_get(const cJSON *object, const char *name)
{
	return find_last(object, name);
}

const char *json_text(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(find_last(object, name));
}

bool json_flag(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(find_last(object, name));
}

int64_t json_integer(const cJSON *object, const char *name, int64_t fallback)
{
	const cJSON *item = find_last(object, name);
	double n;

	if (cJSON_IsRaw(item)) // json_put_integer's
		return strtoll(item->valuestring, NULL, 10);
	if (!cJSON_IsNumber(item))
		return fallback;
	n = item->valuedouble;
	if (!(n >= -LARGEST_EXACT && n <= LARGEST_EXACT) || (double)(int64_t)n != n)
		return fallback;
	return (int64_t)n;
}

// cJSON's Add… would leave an older value of that name in front of the new one.
static void put(cJSON *object, const char *name, cJSON *value)
{
	cJSON *old;

	while ((old = find_last(object, name)))
		cJSON_Delete(cJSON_DetachItemViaPointer(object, old));
	cJSON_AddItemToObject(object, name, value);
}

void json_put_text(cJSON *object, const char *name, const char *value)
{
	put(object, name, value ? cJSON_CreateString(value) : cJSON_CreateNull());
}

void json_put_integer(cJSON *object, const char *name, int64_t value)
{
	char digits[24];

	// As a number cJSON would print it with 15 significant digits.
	snprintf(digits, sizeof(digits), "%" PRId64, value);
	put(object, name, cJSON_CreateRaw(digits));
}

void json_put_secret(cJSON *object, const char *name, const struct secret *s)
{
	json_put_text(object, name, s->text);
}

struct secret json_print(const cJSON *json, bool pretty)
{
	struct secret s = {0};
	char *text = pretty ? cJSON_Print(json) : cJSON_PrintUnformatted(json);

	if (!text) // no memory, or not a value: a mistake of ours, never of the input
		abort();
	secret_set_string(&s, text);
	sodium_memzero(text, s.len);
	cJSON_free(text);
	return s;
}

// cJSON does not say how large what it gives back was.
struct json_block {
	size_t size;
	max_align_t data[];
};

static void *json_allocate(size_t size)
{
	struct json_block *block = xcalloc(1, sizeof(*block) + size);

	block->size = size;
	return block->data;
}

static void json_free(void *p)
{
	struct json_block *block;

	if (!p)
		return;
	block = (struct json_block *)((char *)p - offsetof(struct json_block, data));
	wipe_and_free(block, sizeof(*block) + block->size);
}

void json_wipe_memory(void)
{
	// With hooks of ours, cJSON does not realloc either.
	cJSON_Hooks hooks = {.malloc_fn = json_allocate, .free_fn = json_free};

	cJSON_InitHooks(&hooks);
}
