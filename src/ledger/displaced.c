// SPDX-License-Identifier: MIT
//
// displaced/<UTC time>-<key>-<first digits of the fingerprint>.json: a whole credential that was
// about to be overwritten, or to stop being live, without anybody knowing that it was spent. Kept
// for 30 days, so that no decision of ours is unrecoverable.
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "ledger/generation.h"
#include "ledger/ledger.h"
#include "ledger/private_file.h"

#define DISPLACED_VERSION 1
#define DISPLACED_KEEP_MS (30 * DAY_S * SECOND_MS)
#define NAME_DIGITS	  16 // of the fingerprint

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

int displaced_keep(struct ledger *ledger, const char *key, const struct credential *credential,
		   const char *store, const char *why, int64_t now_ms)
{
	_cleanup_free_ char *directory = path_join(ledger->directory, "displaced");
	_cleanup_free_ char *suffix = NULL, *name = NULL, *path = NULL;
	_cleanup_names_ struct names kept = {0};
	_cleanup_secret_ struct secret text = {0};
	struct fingerprint token = fingerprint_of(&credential->refresh);
	int r;

	if (!is_hex(key, 32))
		return -EINVAL;
	if (fingerprint_empty(token)) // a store may hold an access token alone
		token = fingerprint_of(&credential->access);
	if (fingerprint_empty(token))
		return 0; // nothing that could be lost
	r = ledger_create(ledger);
	if (r < 0)
		return r;
	suffix = xasprintf("-%s-%.*s.json", key, NAME_DIGITS, token.hex);
	r = private_list(directory, 0, suffix, &kept);
	if (r < 0 || kept.n > 0)
		return r;
	name = displaced_name(now_ms, suffix);
	path = path_join(directory, name);
	text = displaced_text(key, credential, store, why, now_ms);
	return private_publish(path, text.text, text.len);
}

void displaced_sweep(struct ledger *ledger, int64_t now_ms)
{
	_cleanup_free_ char *directory = path_join(ledger->directory, "displaced");
	_cleanup_names_ struct names names = {0};

	private_sweep(directory);
	if (private_list(directory, 0, ".json", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		int64_t at_ms = name_time_ms(names.list[i]);
		if (at_ms < 0 || now_ms - at_ms <= DISPLACED_KEEP_MS)
			continue;
		_cleanup_free_ char *path = path_join(directory, names.list[i]);
		unlink(path);
	}
}
