// SPDX-License-Identifier: MIT
//
// displaced/<UTC time>-<key>-<first digits of the fingerprint>[-<of the store's>].json: a whole credential that was
// about to be overwritten, or to stop being live, without anybody knowing that it was spent. Kept
// for 30 days, so that no decision of ours is unrecoverable: `restore` brings it back. Then an empty ….gone stands in its
// place for a year: saved again, it is not overwritten as if somebody still had it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "json/json.h"
#include "ledger/generation.h"
#include "ledger/ledger.h"
#include "file/private_file.h"

#define DISPLACED_VERSION 1
#define DISPLACED_KEEP_MS (30 * DAY_S * SECOND_MS)
#define GONE_KEEP_MS	  (DISPLACED_KEEP_MS + 366 * DAY_S * SECOND_MS)
#define DISPLACED_MAX	  (1u << 20)
#define NAME_DIGITS	  16 // of the fingerprint
#define KEY_DIGITS	  32

static char *displaced_directory(const struct ledger *ledger)
{
	return path_join(ledger->directory, "displaced");
}

static char *displaced_infix(const char *key, struct fingerprint token)
{
	return xasprintf("-%s-%.*s", key, NAME_DIGITS, token.hex);
}

struct fingerprint displaced_id(const struct credential *credential)
{
	struct fingerprint token = fingerprint_of(&credential->refresh);

	// a store may hold an access token alone
	return fingerprint_empty(token) ? fingerprint_of(&credential->access) : token;
}

static char *displaced_name(int64_t now_ms, const char *suffix)
{
	time_t now = now_ms / SECOND_MS;
	struct tm tm = {0};
	char text[64];

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y%m%dT%H%M%S", &tm);
	return xasprintf("%s%s", text, suffix);
}

// When was this file kept? -1 if the name is none of ours.
static int64_t name_time_ms(const char *name)
{
	struct tm tm = {0};
	const char *end = strptime(name, "%Y%m%dT%H%M%S", &tm);

	if (!end || end != name + strlen("yyyymmddThhmmss") || *end != '-')
		return -1;
	return (int64_t)timegm(&tm) * SECOND_MS;
}

static struct secret displaced_text(const char *key, const struct credential *credential,
				    const char *store, const char *why, int64_t now_ms)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	_cleanup_free_ char *at = time_format(now_ms);
	struct generation generation = {0};

	json_put_integer(json, "version", DISPLACED_VERSION);
	json_put_text(json, "at", at);
	json_put_text(json, "key", key);
	json_put_text(json, "store", store);
	json_put_text(json, "why", why);
	json_put_text(json, "provider", credential->provider);
	json_put_text(json, "profile", credential->profile);
	json_put_text(json, "client_id", credential->client_id);
	json_put_integer(json, "lifetime_s", credential->lifetime_s);
	identity_write(json, "identity", &credential->identity);
	generation_of_credential(&generation, credential, now_ms);
	generation_write(json, "credential", &generation);
	generation_free(&generation);
	return json_print(json, true);
}

static int keep(struct ledger *ledger, const char *suffix, const char *key,
		const struct credential *credential, const char *store, const char *why,
		int64_t now_ms)
{
	_cleanup_free_ char *directory = displaced_directory(ledger);
	_cleanup_free_ char *name = displaced_name(now_ms, suffix);
	_cleanup_free_ char *path = path_join(directory, name);
	_cleanup_names_ struct names kept = {0};
	_cleanup_secret_ struct secret text = {0};
	int r = ledger_create(ledger);

	if (r >= 0)
		r = private_list(directory, 0, suffix, &kept);
	if (r < 0 || (kept.n > 0 && strcmp(kept.list[kept.n - 1], name) >= 0))
		return r;
	text = displaced_text(key, credential, store, why, now_ms);
	r = private_publish(path, text.text, text.len);
	for (size_t i = 0; r == 0 && i < kept.n; i++) { // its days begin anew
		_cleanup_free_ char *older = path_join(directory, kept.list[i]);
		unlink(older);
	}
	return r;
}

int displaced_keep(struct ledger *ledger, const char *key, const struct credential *credential,
		   const char *store, const char *why, int64_t now_ms)
{
	struct fingerprint token = displaced_id(credential);

	if (!is_hex(key, KEY_DIGITS))
		return -EINVAL;
	if (fingerprint_empty(token))
		return 0; // nothing that could be lost
	_cleanup_free_ char *infix = displaced_infix(key, token);
	_cleanup_free_ char *suffix = xasprintf("%s.json", infix);
	return keep(ledger, suffix, key, credential, store, why, now_ms);
}

int displaced_keep_of_copy(struct ledger *ledger, const char *key,
			   const struct credential *credential, const char *store, const char *why,
			   int64_t now_ms)
{
	struct fingerprint place = fingerprint_of_bytes(store, strlen(store));

	if (!is_hex(key, KEY_DIGITS))
		return -EINVAL;
	_cleanup_free_ char *infix = displaced_infix(key, displaced_id(credential));
	_cleanup_free_ char *suffix = xasprintf("%s-%.8s.json", infix, place.hex);
	return keep(ledger, suffix, key, credential, store, why, now_ms);
}

// ---- what is kept

static void keepsake_free(struct keepsake *k)
{
	credential_free(&k->credential);
	free(k->store);
	free(k->why);
	*k = (struct keepsake){0};
}

void keepsakes_free(struct keepsakes *keepsakes)
{
	for (size_t i = 0; i < keepsakes->n; i++)
		keepsake_free(&keepsakes->list[i]);
	free(keepsakes->list);
	*keepsakes = (struct keepsakes){0};
}

static bool keepsake_of_json(const cJSON *json, struct keepsake *ret)
{
	struct credential *c = &ret->credential;
	struct generation generation = {0};
	bool ok = true;
	_cleanup_free_ char *key = record_text(json, "key", false, &ok);

	if (key && is_hex(key, KEY_DIGITS))
		memcpy(ret->key, key, sizeof(ret->key));
	else
		ok = false;
	ret->store = record_text(json, "store", true, &ok);
	ret->why = record_text(json, "why", false, &ok);
	c->provider = record_text(json, "provider", false, &ok);
	c->profile = record_text(json, "profile", false, &ok);
	c->client_id = record_text(json, "client_id", true, &ok);
	c->lifetime_s = read_integer(json, "lifetime_s", 0, INT64_C(1) << 53, &ok);
	identity_read(json, "identity", &c->identity, &ok);
	generation_read(json, "credential", &generation, &ok);
	c->access = secret_take(&generation.access);
	c->refresh = secret_take(&generation.refresh);
	c->id_token = secret_take(&generation.id_token);
	c->fingerprint = generation.fingerprint;
	c->expires_ms = generation.expires_ms;
	c->issued_ms = generation.issued_ms;
	return ok;
}

static int keepsake_read(const char *path, const char *name, struct keepsake *ret)
{
	_cleanup_secret_ struct secret text = {0};
	_cleanup_json_ cJSON *json = NULL;
	int r = private_read(path, DISPLACED_MAX, &text, NULL);

	if (r < 0)
		return r;
	json = json_parse(text.text, text.len);
	int64_t version = json_integer(json, "version", 0);
	if (version > DISPLACED_VERSION)
		return -EPROTONOSUPPORT;
	if (version != DISPLACED_VERSION || !keepsake_of_json(json, ret)) {
		keepsake_free(ret);
		return -EBADMSG;
	}
	ret->at_ms = name_time_ms(name);
	ret->until_ms = ret->at_ms + DISPLACED_KEEP_MS;
	return 0;
}

static void say_unreadable(struct problems *problems, const char *path, bool newer)
{
	problem_add(problems, SEVERITY_WARNING, "displaced_unreadable", path, NULL,
		    xasprintf(newer ? "%s was written by a newer version of this program, and only "
				      "that one can restore it"
				    : "%s cannot be read, so it cannot be restored",
			      path),
		    newer ? xstrdup(INSTALL_AGAIN) : NULL);
}

int displaced_read(const struct ledger *ledger, struct keepsakes *ret, struct problems *problems)
{
	_cleanup_free_ char *directory = displaced_directory(ledger);
	_cleanup_names_ struct names names = {0};
	struct keepsakes kept = {0};
	int r = ledger->exists ? private_list(directory, 0, ".json", &names) : 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < names.n; i++) { // the time leads: they are in order
		_cleanup_free_ char *path = path_join(directory, names.list[i]);
		struct keepsake one = {0};
		if (name_time_ms(names.list[i]) < 0)
			continue;
		r = keepsake_read(path, names.list[i], &one);
		if (r == -ENOENT) // swept since we looked
			continue;
		if (r < 0) {
			say_unreadable(problems, path, r == -EPROTONOSUPPORT);
			continue;
		}
		one.may_come_back = receipt_never_was(ledger, displaced_id(&one.credential));
		*array_add(&kept.list, &kept.n) = one;
	}
	*ret = kept;
	return 0;
}

// When the newest of these files was kept; -1: there is none.
static int64_t newest_ms(const struct ledger *ledger, const char *key, struct fingerprint token,
			 const char *suffix)
{
	_cleanup_names_ struct names names = {0};
	int64_t newest = -1;

	if (!ledger->exists || fingerprint_empty(token))
		return -1;
	_cleanup_free_ char *directory = displaced_directory(ledger);
	_cleanup_free_ char *infix = displaced_infix(key, token);
	if (private_list(directory, 0, suffix, &names) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) // in order
		if (strstr(names.list[i], infix))
			newest = name_time_ms(names.list[i]);
	return newest;
}

bool displaced_holds(const struct ledger *ledger, const char *key, struct fingerprint token)
{
	return newest_ms(ledger, key, token, ".json") >= 0;
}

int64_t displaced_until(const struct ledger *ledger, const char *key, struct fingerprint token)
{
	int64_t kept = newest_ms(ledger, key, token, ".json");
	int64_t at_ms = kept >= 0 ? kept : newest_ms(ledger, key, token, ".gone");

	return at_ms < 0 ? 0 : at_ms + DISPLACED_KEEP_MS;
}

// The number of those that went.
static int remove_files(const char *directory, const char *infix, const char *suffix)
{
	_cleanup_names_ struct names names = {0};
	int removed = 0;
	int r = private_list(directory, 0, suffix, &names);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		_cleanup_free_ char *path = path_join(directory, names.list[i]);
		if (name_time_ms(names.list[i]) < 0 || !strstr(names.list[i], infix))
			continue;
		if (unlink(path) < 0 && errno != ENOENT)
			return -errno;
		removed++;
	}
	return r < 0 ? r : removed;
}

int displaced_remove(struct ledger *ledger, const char *key)
{
	_cleanup_free_ char *directory = displaced_directory(ledger);
	_cleanup_free_ char *infix = xasprintf("-%s-", key);
	int removed = ledger->exists ? remove_files(directory, infix, ".json") : 0;
	int gone = ledger->exists && removed >= 0 ? remove_files(directory, infix, ".gone") : 0;
	int r = gone < 0 ? gone : 0;

	if (r == 0 && removed > 0)
		r = fsync_directory(directory);
	return r < 0 ? r : removed;
}

// One that cannot be remembered so stays as it is.
static void let_go(const char *directory, const char *name)
{
	_cleanup_free_ char *path = path_join(directory, name);
	_cleanup_free_ char *gone =
		xasprintf("%.*s.gone", (int)(strlen(path) - strlen(".json")), path);
	_cleanup_close_ int fd = open(gone, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0)
		unlink(path);
}

static void sweep_files(const char *directory, const char *suffix, int64_t before_ms, bool forever)
{
	_cleanup_names_ struct names names = {0};

	if (private_list(directory, 0, suffix, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		int64_t at_ms = name_time_ms(names.list[i]);
		_cleanup_free_ char *path = path_join(directory, names.list[i]);
		if (at_ms < 0 || at_ms >= before_ms)
			continue;
		if (forever)
			unlink(path);
		else
			let_go(directory, names.list[i]);
	}
}

void displaced_sweep(struct ledger *ledger, int64_t now_ms)
{
	_cleanup_free_ char *directory = displaced_directory(ledger);

	private_sweep(directory);
	sweep_files(directory, ".gone", now_ms - GONE_KEEP_MS, true);
	sweep_files(directory, ".json", now_ms - DISPLACED_KEEP_MS, false);
}
