// SPDX-License-Identifier: MIT
//
// See record.h. Read strictly, as the ledger is: what lacks something is unreadable, and never patched up.
#include "cluster/record.h"

#include <errno.h>

#include "ledger/generation.h"

#define VERSION_OF_RECORD 1

static cJSON *begin(void)
{
	cJSON *json = cJSON_CreateObject();

	json_put_integer(json, "version", VERSION_OF_RECORD);
	return json;
}

static struct secret end(cJSON *json)
{
	struct secret text = json_print(json, false);

	cJSON_Delete(json);
	return text;
}

// NULL: not JSON, or of a newer version (-EPROTONOSUPPORT).
static cJSON *parse(const struct secret *text, int *ret_error)
{
	cJSON *json = json_parse(text->text, text->len);
	int64_t version = cJSON_IsObject(json) ? json_integer(json, "version", 0) : 0;

	*ret_error = version > VERSION_OF_RECORD ? -EPROTONOSUPPORT : -EBADMSG;
	if (version == VERSION_OF_RECORD)
		return json;
	cJSON_Delete(json);
	return NULL;
}

// ---- an account

void cluster_record_free(struct cluster_record *record)
{
	generation_free(&record->live);
	identity_free(&record->identity);
	free(record->superseded);
	free(record->host);
	*record = (struct cluster_record){0};
}

struct secret cluster_record_text(const struct cluster_record *record)
{
	cJSON *json = begin(), *list;

	json_put_text(json, "line", record->line);
	json_put_text(json, "nonce", record->nonce);
	json_put_integer(json, "number", record->number);
	generation_write(json, "live", &record->live);
	identity_write(json, "identity", &record->identity);
	json_put_integer(json, "lifetime_s", record->lifetime_s);
	json_put_integer(json, "refreshed_ms", record->refreshed_ms);
	json_put_text(json, "dead_code", record->dead_code);
	json_put_text(json, "host", record->host);
	list = cJSON_AddArrayToObject(json, "superseded");
	for (size_t i = 0; i < record->n_superseded; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(record->superseded[i].hex));
	return end(json);
}

int cluster_record_read(const struct secret *text, struct cluster_record *ret)
{
	int error;
	_cleanup_json_ cJSON *json = parse(text, &error);
	struct cluster_record record = {0};
	const cJSON *list = json_get(json, "superseded"), *item;
	bool ok = json && cJSON_IsArray(list) && cJSON_GetArraySize(list) <= CLUSTER_SUPERSEDED_MAX;

	if (ok) {
		read_short(json, "line", record.line, sizeof(record.line), NULL, &ok);
		read_short(json, "nonce", record.nonce, sizeof(record.nonce), NULL, &ok);
		read_short(json, "dead_code", record.dead_code, sizeof(record.dead_code), NULL,
			   &ok);
		record.number = read_integer(json, "number", 1, EXACT_MAX, &ok);
		generation_read(json, "live", &record.live, &ok);
		identity_read(json, "identity", &record.identity, &ok);
		record.lifetime_s = read_integer(json, "lifetime_s", 0, EXACT_MAX, &ok);
		record.refreshed_ms = read_integer(json, "refreshed_ms", 0, EXACT_MAX, &ok);
		record.host = record_text(json, "host", false, &ok);
		cJSON_ArrayForEach (item, list)
			*array_add(&record.superseded, &record.n_superseded) =
				read_fingerprint(item, false, &ok);
	}
	if (!ok || fingerprint_empty(record.live.fingerprint)) {
		cluster_record_free(&record);
		return error;
	}
	*ret = record;
	return 0;
}

// ---- an intent

void cluster_intent_free(struct cluster_intent *intent)
{
	free(intent->owner);
	free(intent->host);
	*intent = (struct cluster_intent){0};
}

struct secret cluster_intent_text(const struct cluster_intent *intent)
{
	cJSON *json = begin();

	json_put_text(json, "token", intent->token.hex);
	json_put_text(json, "owner", intent->owner);
	json_put_text(json, "host", intent->host);
	json_put_text(json, "nonce", intent->nonce);
	json_put_integer(json, "sends", intent->sends);
	json_put_integer(json, "own", intent->own);
	json_put_text(json, "receipt", intent->receipt);
	json_put_integer(json, "at_ms", intent->at_ms);
	return end(json);
}

int cluster_intent_read(const struct secret *text, struct cluster_intent *ret)
{
	int error;
	_cleanup_json_ cJSON *json = parse(text, &error);
	struct cluster_intent intent = {0};
	bool ok = json;

	if (ok) {
		intent.token = read_fingerprint(json_get(json, "token"), false, &ok);
		intent.owner = record_text(json, "owner", false, &ok);
		intent.host = record_text(json, "host", false, &ok);
		read_short(json, "nonce", intent.nonce, sizeof(intent.nonce), NULL, &ok);
		intent.sends = read_integer(json, "sends", 1, 2, &ok);
		intent.own = read_integer(json, "own", 0, 2, &ok);
		read_short(json, "receipt", intent.receipt, sizeof(intent.receipt), NULL, &ok);
		intent.at_ms = read_integer(json, "at_ms", 0, EXACT_MAX, &ok);
	}
	if (!ok) {
		cluster_intent_free(&intent);
		return error;
	}
	*ret = intent;
	return 0;
}

// ---- a host

void cluster_host_free(struct cluster_host *host)
{
	free(host->uuid);
	free(host->name);
	free(host->seen);
	*host = (struct cluster_host){0};
}

struct secret cluster_host_text(const struct cluster_host *host)
{
	cJSON *json = begin(), *seen = cJSON_AddObjectToObject(json, "seen");

	json_put_text(json, "uuid", host->uuid);
	json_put_text(json, "name", host->name);
	json_put_integer(json, "at_ms", host->at_ms);
	for (size_t i = 0; i < host->n_seen; i++)
		json_put_integer(seen, host->seen[i].id, host->seen[i].number);
	return end(json);
}

int cluster_host_read(const struct secret *text, struct cluster_host *ret)
{
	int error;
	_cleanup_json_ cJSON *json = parse(text, &error);
	struct cluster_host host = {0};
	const cJSON *item;
	bool ok = json;

	if (ok) {
		host.uuid = record_text(json, "uuid", false, &ok);
		host.name = record_text(json, "name", false, &ok);
		host.at_ms = read_integer(json, "at_ms", 0, EXACT_MAX, &ok);
	}
	cJSON_ArrayForEach (item, json_get(json, "seen")) {
		struct cluster_seen *seen = array_add(&host.seen, &host.n_seen);
		snprintf(seen->id, sizeof(seen->id), "%s", item->string ? item->string : "");
		seen->number = cJSON_IsNumber(item) && item->valuedouble > 0 &&
					       item->valuedouble < (double)EXACT_MAX
				       ? (int64_t)item->valuedouble
				       : 0;
	}
	if (!ok) {
		cluster_host_free(&host);
		return error;
	}
	*ret = host;
	return 0;
}
