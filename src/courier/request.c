// SPDX-License-Identifier: MIT
//
// The keeper wrote the request, but parts of it come from a configuration and from a discovery
// document: what has the wrong shape is refused here, before anything is connected.
#include "courier/request.h"

#include <errno.h>

#include "base/clock.h"
#include "json/json.h"
#include "courier/message.h"

#define HEADERS_MAX 32
#define LOCKS_MAX   1024
// P3 e: the locks are given back at the end, so there is one, whatever the configuration says.
#define DEADLINE_MAX_MS (60 * SECOND_MS)

void request_free(struct request *request)
{
	free(request->url);
	free(request->method);
	for (size_t i = 0; i < request->n_headers; i++)
		free(request->headers[i]);
	free(request->headers);
	secret_free(&request->body);
	secret_free(&request->bearer);
	free(request->ca_file);
	free(request->cert_file);
	free(request->key_file);
	free(request->proxy);
	for (size_t i = 0; i < request->n_locks; i++)
		free(request->locks[i].path);
	free(request->locks);
	*request = (struct request){0};
}

static bool has_control(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	}
	return false;
}

// Null stays NULL; a control character, or anything but text, is refused.
static int read_line(const cJSON *json, const char *name, char **ret)
{
	const cJSON *item = json_get(json, name);

	if (!item || cJSON_IsNull(item))
		return 0;
	if (!cJSON_IsString(item) || has_control(item->valuestring))
		return -EBADMSG;
	*ret = xstrdup(item->valuestring);
	return 0;
}

static int read_headers(const cJSON *json, struct request *request)
{
	const cJSON *list = json_get(json, "headers"), *item;

	if (cJSON_GetArraySize(list) > HEADERS_MAX)
		return -EBADMSG;
	cJSON_ArrayForEach (item, list) {
		if (!cJSON_IsString(item) || has_control(item->valuestring) ||
		    !strchr(item->valuestring, ':'))
			return -EBADMSG;
		*array_add(&request->headers, &request->n_headers) = xstrdup(item->valuestring);
	}
	return 0;
}

// Device and inode are text: an inode of 64 bits is no JSON number.
static int read_number_text(const cJSON *json, const char *name, uint64_t *ret)
{
	const char *text = json_text(json, name);
	char *end;

	if (!text || *text < '0' || *text > '9')
		return -EBADMSG;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (errno || *end)
		return -EBADMSG;
	*ret = value;
	return 0;
}

static int read_locks(const cJSON *json, struct request *request)
{
	const cJSON *list = json_get(json, "locks"), *item;

	if (cJSON_GetArraySize(list) > LOCKS_MAX)
		return -EBADMSG;
	cJSON_ArrayForEach (item, list) {
		struct lock_name *lock = array_add(&request->locks, &request->n_locks);
		const char *path = json_text(item, "path");
		if (!path || read_number_text(item, "dev", &lock->dev) < 0 ||
		    read_number_text(item, "ino", &lock->ino) < 0)
			return -EBADMSG;
		lock->path = xstrdup(path);
	}
	return 0;
}

static int read_times(const cJSON *json, struct request *request)
{
	request->connect_timeout_ms = json_integer(json, "connect_timeout_ms", 0);
	request->deadline_ms = json_integer(json, "deadline_ms", 0);
	request->hold_until_ms = json_integer(json, "hold_until_boot_ms", 0);
	request->lines = json_integer(json, "lines", 0);
	if (request->connect_timeout_ms < 0 || request->deadline_ms < 0 ||
	    request->hold_until_ms < 0 || request->lines < 0)
		return -EBADMSG;
	if (request->deadline_ms == 0 || request->deadline_ms > DEADLINE_MAX_MS)
		request->deadline_ms = DEADLINE_MAX_MS;
	if (request->connect_timeout_ms == 0 || request->connect_timeout_ms > request->deadline_ms)
		request->connect_timeout_ms = request->deadline_ms;
	return 0;
}

static int read_all(const cJSON *json, struct request *request)
{
	if (!cJSON_IsObject(json) || read_line(json, "url", &request->url) < 0 ||
	    read_line(json, "method", &request->method) < 0 || read_headers(json, request) < 0 ||
	    read_line(json, "ca_file", &request->ca_file) < 0 ||
	    read_line(json, "cert_file", &request->cert_file) < 0 ||
	    read_line(json, "key_file", &request->key_file) < 0 ||
	    read_line(json, "proxy", &request->proxy) < 0 || read_locks(json, request) < 0)
		return -EBADMSG;
	secret_set_string(&request->body, json_text(json, "body"));
	secret_set_string(&request->bearer, json_text(json, "bearer"));
	if (request->bearer.text && has_control(request->bearer.text))
		return -EBADMSG;
	return read_times(json, request);
}

int request_read(int fd, struct request *ret)
{
	_cleanup_secret_ struct secret text = {0};
	_cleanup_(request_free) struct request request = {0};

	int r = secret_read(fd, COURIER_REQUEST_MAX, &text);
	if (r < 0)
		return r;
	_cleanup_json_ cJSON *json = json_parse(text.text, text.len);
	r = read_all(json, &request);
	if (r < 0)
		return r;
	*ret = request;
	request = (struct request){0};
	return 0;
}
