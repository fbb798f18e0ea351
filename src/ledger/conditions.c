// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "file/atomic_file.h"
#include "file/ofd_lock.h"
#include "file/private_file.h"
#include "ledger/conditions.h"

#define FILE_VERSION 1
#define FILE_MAX     (4u << 20)
#define LOCK_TRIES   100
#define LOCK_WAIT_NS 10000000

int conditions_lock(const struct ledger *ledger, int *ret_fd)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	int r = history_path(ledger, "lock", true, &path);

	if (r == 0)
		r = private_open(path, O_RDWR | O_CREAT, &fd, NULL);
	for (int i = 0; r == 0 && i < LOCK_TRIES; i++) {
		r = ofd_lock(fd);
		if (r != -EBUSY)
			break;
		nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT_NS}, NULL);
		r = i + 1 < LOCK_TRIES ? 0 : r;
	}
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

static cJSON *read_any(const struct ledger *ledger, const char *name)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_secret_ struct secret text = {0};

	if (history_path(ledger, name, false, &path) < 0 ||
	    private_read(path, FILE_MAX, &text, NULL) < 0)
		return NULL;
	return json_parse(text.text, text.len);
}

static cJSON *read_document(const struct ledger *ledger, const char *name)
{
	_cleanup_json_ cJSON *json = read_any(ledger, name);

	return json_integer(json, "version", 0) == FILE_VERSION ? TAKE_PTR(json) : NULL;
}

// What a newer version of the program remembers there is not ours to replace, or to remove.
static int check_not_newer(const struct ledger *ledger, const char *name)
{
	_cleanup_json_ cJSON *json = read_any(ledger, name);

	return json_integer(json, "version", 0) > FILE_VERSION ? -EPROTONOSUPPORT : 0;
}

static int save_document(const struct ledger *ledger, const char *name, const cJSON *json)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_secret_ struct secret text = json_print(json, false);
	int r = check_not_newer(ledger, name);

	if (r == 0)
		r = history_path(ledger, name, true, &path);
	if (r < 0)
		return r;
	atomic_sweep(path); // what a killed run left
	return atomic_replace(path, text.text, text.len, 0600);
}

// ---- what is wrong

static const struct {
	const char *name;
	size_t offset;
} texts[] =
	{
		{"account", offsetof(struct condition, account)},
		{"event", offsetof(struct condition, event)},
		{"code", offsetof(struct condition, code)},
		{"message", offsetof(struct condition, message)},
		{"store", offsetof(struct condition, store)},
		{"generation", offsetof(struct condition, generation)},
},
  numbers[] = {
	  {"since_ms", offsetof(struct condition, since_ms)},
	  {"told_ms", offsetof(struct condition, told_ms)},
	  {"failures", offsetof(struct condition, failures)},
	  {"tries", offsetof(struct condition, tries)},
};

#define TEXT_AT(c, i)	((char **)((char *)(c) + texts[i].offset))
#define NUMBER_AT(c, i) ((int64_t *)((char *)(c) + numbers[i].offset))

void condition_free(struct condition *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(*TEXT_AT(c, i));
	*c = (struct condition){0};
}

bool condition_is_trouble(const struct condition *c)
{
	return string_equal(c->event, "failed") || string_equal(c->event, "needs_login");
}

void conditions_free(struct conditions *conditions)
{
	for (size_t i = 0; i < conditions->n; i++)
		condition_free(&conditions->list[i]);
	free(conditions->list);
	*conditions = (struct conditions){0};
}

static void condition_of_json(const cJSON *json, struct conditions *ret)
{
	struct condition *c;

	if (!json_text(json, "event"))
		return;
	c = array_add(&ret->list, &ret->n);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		*TEXT_AT(c, i) = xstrdup(json_text(json, texts[i].name));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		*NUMBER_AT(c, i) = json_integer(json, numbers[i].name, 0);
}

int conditions_read(const struct ledger *ledger, struct conditions *ret)
{
	_cleanup_json_ cJSON *json = read_document(ledger, "open");
	const cJSON *item;

	*ret = (struct conditions){0};
	cJSON_ArrayForEach (item, json_get(json, "conditions")) {
		condition_of_json(item, ret);
	}
	return 0;
}

static void condition_to_json(cJSON *list, const struct condition *c)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddItemToArray(list, json);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		json_put_text(json, texts[i].name, *TEXT_AT(c, i));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_put_integer(json, numbers[i].name, *NUMBER_AT(c, i));
}

int conditions_save(const struct ledger *ledger, const struct conditions *conditions)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	_cleanup_free_ char *path = NULL;
	cJSON *list;

	if (!conditions->n) {
		int r = check_not_newer(ledger, "open");
		if (r == 0)
			r = history_path(ledger, "open", false, &path);
		return r == 0 && unlink(path) < 0 && errno != ENOENT ? -errno : r;
	}
	json_put_integer(json, "version", FILE_VERSION);
	list = cJSON_AddArrayToObject(json, "conditions");
	for (size_t i = 0; i < conditions->n; i++)
		condition_to_json(list, &conditions->list[i]);
	return save_document(ledger, "open", json);
}

// ---- how often

cJSON *counts_read(const struct ledger *ledger)
{
	cJSON *json = read_document(ledger, "counts");

	if (json)
		return json;
	json = cJSON_CreateObject();
	json_put_integer(json, "version", FILE_VERSION);
	cJSON_AddObjectToObject(json, "accounts");
	return json;
}

int64_t counts_get(const cJSON *counts, const char *account, const char *what)
{
	return json_integer(json_get(json_get(counts, "accounts"), account), what, 0);
}

void counts_add(cJSON *counts, const char *account, const char *what)
{
	cJSON *accounts = (cJSON *)json_get(counts, "accounts");
	cJSON *of = (cJSON *)json_get(accounts, account);
	int64_t n = counts_get(counts, account, what);

	if (!of)
		of = cJSON_AddObjectToObject(accounts, account);
	cJSON_DeleteItemFromObjectCaseSensitive(of, what);
	json_put_integer(of, what, n + 1);
}

int counts_save(const struct ledger *ledger, const cJSON *counts)
{
	return save_document(ledger, "counts", counts);
}
