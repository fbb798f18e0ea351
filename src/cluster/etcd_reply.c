// SPDX-License-Identifier: MIT
//
// What etcd's gateway says, read strictly (etcd.h).
#include "cluster/etcd.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "json/json.h"

#define KEY_MAX 1024

void etcd_entries_free(struct etcd_entries *entries)
{
	for (size_t i = 0; i < entries->n; i++) {
		free(entries->list[i].key);
		secret_free(&entries->list[i].value);
	}
	free(entries->list);
	*entries = (struct etcd_entries){0};
}

void etcd_reply_free(struct etcd_reply *reply)
{
	etcd_entries_free(&reply->found);
	*reply = (struct etcd_reply){0};
}

const struct etcd_entry *etcd_find(const struct etcd_entries *entries, const char *key)
{
	for (size_t i = 0; i < entries->n; i++)
		if (string_equal(entries->list[i].key, key))
			return &entries->list[i];
	return NULL;
}

// Absent is zero; else digits in quotes, as the gateway writes an int64.
static int read_number(const cJSON *object, const char *name, int64_t *ret)
{
	const cJSON *item = json_get(object, name);
	char *end;

	*ret = 0;
	if (!item)
		return 0;
	const char *text = cJSON_IsString(item) ? item->valuestring : "";
	if (!*text || strspn(text, "0123456789") != strlen(text))
		return -EBADMSG;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno || *end ? -EBADMSG : 0;
}

static int read_base64(const cJSON *object, const char *name, struct secret *ret)
{
	const cJSON *item = json_get(object, name);
	const char *text = item ? item->valuestring : "";
	_cleanup_secret_ struct secret bytes = {0};

	if (item && !cJSON_IsString(item))
		return -EBADMSG;
	size_t room = strlen(text) / 4 * 3 + 3, len = 0;
	bytes = (struct secret){.text = xcalloc(room + 1, 1), .capacity = room + 1};
	if (sodium_base642bin((unsigned char *)bytes.text, room, text, strlen(text), NULL, &len,
			      NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return -EBADMSG;
	bytes.len = len;
	*ret = secret_take(&bytes);
	return 0;
}

static int read_entry(const cJSON *kv, struct etcd_entry *ret)
{
	_cleanup_secret_ struct secret key = {0};
	int r = cJSON_IsObject(kv) ? read_base64(kv, "key", &key) : -EBADMSG;

	if (r == 0 && (!key.len || key.len > KEY_MAX || memchr(key.text, '\0', key.len)))
		r = -EBADMSG;
	if (r == 0)
		r = read_base64(kv, "value", &ret->value);
	if (r == 0)
		r = read_number(kv, "mod_revision", &ret->revision);
	if (r == 0)
		r = read_number(kv, "lease", &ret->lease);
	if (r == 0)
		ret->key = xstrndup(key.text, key.len);
	return r;
}

static int read_range(const cJSON *range, struct etcd_entries *ret)
{
	const cJSON *list = json_get(range, "kvs"), *kv;
	int r = list && !cJSON_IsArray(list) ? -EBADMSG : 0;

	cJSON_ArrayForEach (kv, list)
		if (r == 0)
			r = read_entry(kv, array_add(&ret->list, &ret->n));
	return r;
}

int etcd_parse_range(const char *text, size_t len, struct etcd_entries *ret, bool *ret_more)
{
	_cleanup_json_ cJSON *json = json_parse(text, len);
	struct etcd_entries entries = {0};
	int r = json_get(json, "header") ? read_range(json, &entries) : -EBADMSG;

	if (r < 0) {
		etcd_entries_free(&entries);
		return r;
	}
	*ret = entries;
	*ret_more = json_flag(json, "more");
	return 0;
}

int etcd_parse_txn(const char *text, size_t len, struct etcd_reply *ret)
{
	_cleanup_json_ cJSON *json = json_parse(text, len);
	const cJSON *header = json_get(json, "header"), *response;
	struct etcd_reply reply = {.done = json_flag(json, "succeeded")};
	int r = header ? read_number(header, "revision", &reply.revision) : -EBADMSG;

	cJSON_ArrayForEach (response, json_get(json, "responses"))
		if (r == 0)
			r = read_range(json_get(response, "response_range"), &reply.found);
	if (r == 0 && reply.revision == 0)
		r = -EBADMSG;
	if (r < 0) {
		etcd_reply_free(&reply);
		return r;
	}
	*ret = reply;
	return 0;
}

// The newest key alone, without its value.
int etcd_parse_changed(const char *text, size_t len, int64_t *ret_changed, int64_t *ret_now)
{
	_cleanup_json_ cJSON *json = json_parse(text, len);
	_cleanup_(etcd_entries_free) struct etcd_entries entries = {0};
	const cJSON *header = json_get(json, "header");
	int r = header ? read_number(header, "revision", ret_now) : -EBADMSG;

	if (r == 0)
		r = read_range(json, &entries);
	if (r == 0 &&
	    (entries.n > 1 || *ret_now == 0 || *ret_now == INT64_MAX)) // one comes after it
		r = -EBADMSG;
	*ret_changed = r == 0 && entries.n ? entries.list[0].revision : 0;
	return r;
}

int etcd_parse_member(const char *text, size_t len, struct etcd_member *ret)
{
	_cleanup_json_ cJSON *json = json_parse(text, len);
	const char *id = json_text(json_get(json, "header"), "member_id");

	*ret = (struct etcd_member){.n_all = (size_t)cJSON_GetArraySize(json_get(json, "members"))};
	if (!id || strlen(id) >= sizeof(ret->id) || strspn(id, "0123456789") != strlen(id))
		return -EBADMSG;
	snprintf(ret->id, sizeof(ret->id), "%s", id);
	return 0;
}

// A line says that it stands, or what has changed, or that it has ended: because what it begins with is not kept any more
// (who looks begins with what is there), or because we may not.
static int read_watch_line(const char *line, size_t len)
{
	_cleanup_json_ cJSON *json = json_parse(line, len);
	const cJSON *result = json_get(json, "result");

	if (!cJSON_IsObject(result))
		return -EBADMSG;
	if (json_flag(result, "canceled"))
		return json_get(result, "compact_revision") ? 1 : -EACCES;
	return !json_flag(result, "created");
}

int etcd_parse_watch(const char *text, size_t len)
{
	const char *end;
	int r = 0;

	for (; r == 0 && (end = memchr(text, '\n', len)); text = end + 1) {
		r = read_watch_line(text, (size_t)(end - text));
		len -= (size_t)(end + 1 - text);
	}
	return r == 0 && len ? 1 : r; // the beginning of something
}

int etcd_parse_number(const char *text, size_t len, const char *name, int64_t *ret)
{
	_cleanup_json_ cJSON *json = json_parse(text, len);

	return cJSON_IsObject(json) ? read_number(json, name, ret) : -EBADMSG;
}
