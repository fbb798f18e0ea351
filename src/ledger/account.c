// SPDX-License-Identifier: MIT
//
// accounts/<key>.json: what is known about one account.
//
// A record is read strictly. One that lacks something, or whose live token does not match its own
// fingerprint, is unreadable and holds the account; it is never patched up, because a guess here
// would spend a token twice. What is about to be written is read back in memory first: a record we
// could not read again is not written over one we can.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "json/json.h"
#include "base/log.h"
#include "ledger/custody.h"
#include "ledger/generation.h"
#include "ledger/ledger.h"
#include "file/ofd_lock.h"
#include "file/private_file.h"
#include "lock/stale.h"
#include "file/atomic_file.h"

#define RECORD_VERSION 1 // of a login that is ours to refresh; of another's, CUSTODY_VERSION
#define RECORD_MAX     (1u << 20)
#define KEY_LENGTH     32
#define CLOCK_AHEAD_MS (10 * MINUTE_S * SECOND_MS) // what is less may be a server's
#define SIGN_MOMENTS   20			   // of these, to sign a lock
#define SIGN_MOMENT_MS 50

static const struct {
	const char *name;
	size_t offset;
} integers[] = {
	{"number", offsetof(struct account_record, number)},
	{"lifetime_s", offsetof(struct account_record, lifetime_s)},
	{"grant_expires_ms", offsetof(struct account_record, grant_expires_ms)},
	{"first_seen_ms", offsetof(struct account_record, first_seen_ms)},
	{"refreshed_ms", offsetof(struct account_record, refreshed_ms)},
	{"not_before_ms", offsetof(struct account_record, not_before_ms)},
	{"ended_ms", offsetof(struct account_record, ended_ms)},
	{"updated_ms", offsetof(struct account_record, updated_ms)},
};

static int64_t *integer_at(struct account_record *record, size_t i)
{
	return (int64_t *)((char *)record + integers[i].offset);
}

void account_record_free(struct account_record *record)
{
	free(record->state_dir);
	free(record->provider);
	free(record->profile);
	identity_free(&record->identity);
	generation_free(&record->live);
	free(record->superseded);
	free(record->fences);
	free(record->sightings);
	free(record->expiries);
	free(record->diverged);
	free(record->accesses);
	free(record->main_store);
	free(record->adopted_from);
	*record = (struct account_record){0};
}

// Drop the oldest, which stand first.
static void tokens_trim(struct fingerprint *tokens, size_t *n, size_t max)
{
	if (*n <= max)
		return;
	memmove(tokens, tokens + (*n - max), max * sizeof(*tokens));
	*n = max;
}

void account_record_copy(struct account_record *to, const struct account_record *from)
{
	struct account_record copy = *from;

	copy.state_dir = xstrdup(from->state_dir);
	copy.provider = xstrdup(from->provider);
	copy.profile = xstrdup(from->profile);
	copy.main_store = xstrdup(from->main_store);
	copy.adopted_from = xstrdup(from->adopted_from);
	copy.identity = (struct identity){0};
	identity_copy(&copy.identity, &from->identity);
	copy.live = (struct generation){0};
	generation_copy(&copy.live, &from->live);
	copy.superseded = array_copy(from->superseded, from->n_superseded);
	copy.fences = array_copy(from->fences, from->n_fences);
	copy.diverged = array_copy(from->diverged, from->n_diverged);
	copy.accesses = array_copy(from->accesses, from->n_accesses);
	copy.sightings = array_copy(from->sightings, from->n_sightings);
	copy.expiries = array_copy(from->expiries, from->n_expiries);
	account_record_free(to);
	*to = copy;
}

void account_key(char ret[33], const char *state_dir, const char *provider, const char *profile,
		 const struct identity *own_login)
{
	_cleanup_json_ cJSON *array = cJSON_CreateArray();
	_cleanup_secret_ struct secret text = {0};
	struct fingerprint digest;

	cJSON_AddItemToArray(array, cJSON_CreateString(state_dir));
	cJSON_AddItemToArray(array, cJSON_CreateString(provider));
	cJSON_AddItemToArray(array, cJSON_CreateString(profile));
	if (own_login) {
		const char *const ids[] = {own_login->user_id, own_login->email,
					   own_login->account_id};
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
			cJSON_AddItemToArray(array, cJSON_CreateString(ids[i] ? ids[i] : ""));
	}
	text = json_print(array, false);
	digest = fingerprint_of_bytes(text.text, text.len);
	memcpy(ret, digest.hex, KEY_LENGTH);
	ret[KEY_LENGTH] = '\0';
}

int64_t record_clock_ahead(const struct account_record *record)
{
	int64_t ahead_ms = record->refreshed_ms - record->witness_ms;

	if (!record->refreshed_ms || !record->witness_ms)
		return 0;
	return ahead_ms > CLOCK_AHEAD_MS || ahead_ms < -CLOCK_AHEAD_MS ? ahead_ms : 0;
}

void record_supersede(struct account_record *record, struct fingerprint token)
{
	if (fingerprint_empty(token) || record_superseded(record, token))
		return;
	tokens_trim(record->superseded, &record->n_superseded, RECORD_SUPERSEDED_MAX - 1);
	*array_add(&record->superseded, &record->n_superseded) = token;
}

void record_note_access(struct account_record *record)
{
	struct fingerprint access = fingerprint_of(&record->live.access);

	if (fingerprint_empty(access) ||
	    fingerprint_listed(record->accesses, record->n_accesses, access))
		return;
	tokens_trim(record->accesses, &record->n_accesses, RECORD_ACCESSES_MAX - 1);
	*array_add(&record->accesses, &record->n_accesses) = access;
}

void record_take_back(struct account_record *record, struct fingerprint token,
		      struct fingerprint fence)
{
	fingerprint_list_remove(record->superseded, &record->n_superseded, token);
	fingerprint_list_remove(record->diverged, &record->n_diverged, token);
	fingerprint_list_remove(record->fences, &record->n_fences, fence);
}

bool record_superseded(const struct account_record *record, struct fingerprint token)
{
	return fingerprint_listed(record->superseded, record->n_superseded, token);
}

bool record_superseded_fence(const struct account_record *record, struct fingerprint digest)
{
	return fingerprint_listed(record->fences, record->n_fences, digest);
}

bool record_knows(const struct account_record *record, struct fingerprint token)
{
	return fingerprint_equal(token, record->live.fingerprint) ||
	       record_superseded(record, token);
}

bool record_live_is_fenced(const struct account_record *record, struct fingerprint digest)
{
	return fingerprint_equal(
		digest, fence_digest(record->profile, record->provider, &record->live.refresh));
}

bool record_knows_fence(const struct account_record *record, struct fingerprint digest)
{
	return record_live_is_fenced(record, digest) || record_superseded_fence(record, digest);
}

void record_supersede_fence(struct account_record *record, struct fingerprint digest)
{
	if (fingerprint_empty(digest) || record_superseded_fence(record, digest))
		return;
	tokens_trim(record->fences, &record->n_fences, RECORD_SUPERSEDED_MAX - 1);
	*array_add(&record->fences, &record->n_fences) = digest;
}

// ---- JSON

// Version 0.1 kept none, and stamped what it saved by its own clock: the token's time of issue is the server's word.
static void witness_read(const cJSON *object, struct account_record *ret, bool *ok)
{
	if (json_get(object, "witness_ms")) {
		ret->witness_ms = read_integer(object, "witness_ms", 0, EXACT_MAX, ok);
	} else {
		ret->witness_ms = ret->live.answered ? ret->live.issued_ms : 0;
		ret->updated_ms -= record_clock_ahead(ret);
	}
}

// Version 0.1 kept none. Whatever it rotated away is older than what was live when it saved the record, or than the end of
// a login that has given its tokens up.
static void previous_read(const cJSON *object, struct account_record *ret, bool *ok)
{
	const struct generation *live = &ret->live;

	if (json_get(object, "previous"))
		issue_read(object, "previous", &ret->previous, ok);
	else if (!fingerprint_empty(live->fingerprint))
		ret->previous = (struct issue_time){live->issued_ms, live->expires_ms};
	else
		ret->previous = (struct issue_time){ret->ended_ms, ret->ended_ms};
}

static void sightings_write(cJSON *object, const char *name, const struct sighting *sightings,
			    size_t n)
{
	cJSON *json = cJSON_AddArrayToObject(object, name);

	for (size_t i = 0; i < n; i++) {
		cJSON *item = cJSON_CreateObject();
		json_put_text(item, "claim", sightings[i].claim);
		json_put_integer(item, "seen_ms", sightings[i].seen_ms);
		cJSON_AddItemToArray(json, item);
	}
}

static void sightings_read(const cJSON *json, struct sighting **ret, size_t *ret_n, bool *ok)
{
	const cJSON *item;

	if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) > RECORD_SIGHTINGS_MAX) {
		*ok = false;
		return;
	}
	cJSON_ArrayForEach (item, json) {
		struct sighting *s = array_add(ret, ret_n);
		s->seen_ms = read_integer(item, "seen_ms", -EXACT_MAX, EXACT_MAX, ok);
		read_short(item, "claim", s->claim, sizeof(s->claim), NULL, ok);
	}
}

static void failure_write(cJSON *object, const struct account_record *record)
{
	cJSON *json = cJSON_AddObjectToObject(object, "failure");

	json_put_text(json, "said", record->said);
	cJSON_AddBoolToObject(json, "barred", record->barred);
	json_put_integer(json, "since_ms", record->failing_ms);
}

static void failure_read(const cJSON *object, struct account_record *ret, bool *ok)
{
	const cJSON *json = json_get(object, "failure");

	if (!json) // not in 0.1.0
		return;
	read_short(json, "said", ret->said, sizeof(ret->said), NULL, ok);
	ret->barred = read_flag(json, "barred", ok);
	ret->failing_ms = read_integer(json, "since_ms", -EXACT_MAX, EXACT_MAX, ok);
}

// Only where there is a cluster, or was.
static void common_write(cJSON *object, const struct account_record *record)
{
	if (!record->common_line[0])
		return;
	cJSON *json = cJSON_AddObjectToObject(object, "cluster");
	json_put_text(json, "line", record->common_line);
	json_put_integer(json, "number", record->common_number);
	json_put_text(json, "token", record->common.hex);
}

static void common_read(const cJSON *object, struct account_record *ret, bool *ok)
{
	const cJSON *json = json_get(object, "cluster");

	if (!json)
		return;
	read_short(json, "line", ret->common_line, sizeof(ret->common_line), NULL, ok);
	ret->common_number = read_integer(json, "number", 1, EXACT_MAX, ok);
	ret->common = read_fingerprint(json_get(json, "token"), false, ok);
}

// To a program that knows of no other host every record is its own to send: such a one must not read it.
static int record_version(const struct account_record *record)
{
	return record->custody.ownership == OWNERSHIP_OURS ? RECORD_VERSION : CUSTODY_VERSION;
}

static cJSON *record_to_json(struct account_record *record)
{
	cJSON *json = cJSON_CreateObject();

	json_put_integer(json, "version", record_version(record));
	json_put_text(json, "key", record->key);
	json_put_text(json, "state_dir", record->state_dir);
	json_put_text(json, "provider", record->provider);
	json_put_text(json, "profile", record->profile);
	cJSON_AddBoolToObject(json, "own_login", record->own_login);
	cJSON_AddBoolToObject(json, "split", record->split);
	identity_write(json, "identity", &record->identity);
	generation_write(json, "live", &record->live);
	issue_write(json, "anchor", &record->anchor);
	issue_write(json, "anchor_before", &record->anchor_before);
	issue_write(json, "previous", &record->previous);
	json_put_integer(json, "witness_ms", record->witness_ms);
	for (size_t i = 0; i < ARRAY_SIZE(integers); i++)
		json_put_integer(json, integers[i].name, *integer_at(record, i));
	json_put_integer(json, "failures", record->failures);
	json_put_integer(json, "rejections", record->rejections);
	json_put_text(json, "error_code", record->error_code);
	json_put_integer(json, "error_status", record->error_status);
	failure_write(json, record);
	json_put_text(json, "dead_code", record->dead_code);
	common_write(json, record);
	json_put_text(json, "main_store", record->main_store);
	json_put_text(json, "adopted_from", record->adopted_from);
	custody_write(json, &record->custody);
	tokens_write(json, "superseded", record->superseded, record->n_superseded);
	tokens_write(json, "fences", record->fences, record->n_fences);
	sightings_write(json, "sightings", record->sightings, record->n_sightings);
	sightings_write(json, "expiries", record->expiries, record->n_expiries);
	tokens_write(json, "diverged", record->diverged, record->n_diverged);
	tokens_write(json, "accesses", record->accesses, record->n_accesses);
	return json;
}

static bool record_of_json(const cJSON *json, struct account_record *ret)
{
	bool ok = true;
	_cleanup_free_ char *key = record_text(json, "key", false, &ok);

	if (key && is_hex(key, KEY_LENGTH))
		memcpy(ret->key, key, sizeof(ret->key));
	else
		ok = false;
	ret->state_dir = record_text(json, "state_dir", false, &ok);
	ret->provider = record_text(json, "provider", false, &ok);
	ret->profile = record_text(json, "profile", false, &ok);
	ret->own_login = read_flag(json, "own_login", &ok);
	ret->split = read_flag(json, "split", &ok);
	identity_read(json, "identity", &ret->identity, &ok);
	generation_read(json, "live", &ret->live, &ok);
	issue_read(json, "anchor", &ret->anchor, &ok);
	issue_read(json, "anchor_before", &ret->anchor_before, &ok);
	for (size_t i = 0; i < ARRAY_SIZE(integers); i++)
		*integer_at(ret, i) =
			read_integer(json, integers[i].name, -EXACT_MAX, EXACT_MAX, &ok);
	previous_read(json, ret, &ok);
	witness_read(json, ret, &ok);
	ret->failures = (int)read_integer(json, "failures", 0, INT_MAX, &ok);
	ret->rejections = (int)read_integer(json, "rejections", 0, INT_MAX, &ok);
	read_short(json, "error_code", ret->error_code, sizeof(ret->error_code), NULL, &ok);
	ret->error_status = (int)read_integer(json, "error_status", 0, INT_MAX, &ok);
	failure_read(json, ret, &ok);
	read_short(json, "dead_code", ret->dead_code, sizeof(ret->dead_code), NULL, &ok);
	common_read(json, ret, &ok);
	ret->main_store = record_text(json, "main_store", true, &ok);
	if (json_get(json, "adopted_from")) // not in 0.1.0
		ret->adopted_from = record_text(json, "adopted_from", true, &ok);
	tokens_read(json, "superseded", &ret->superseded, &ret->n_superseded, &ok);
	tokens_read(json, "fences", &ret->fences, &ret->n_fences, &ok);
	sightings_read(json_get(json, "sightings"), &ret->sightings, &ret->n_sightings, &ok);
	if (json_get(json, "expiries")) // not in 0.1.0
		sightings_read(json_get(json, "expiries"), &ret->expiries, &ret->n_expiries, &ok);
	tokens_read(json, "diverged", &ret->diverged, &ret->n_diverged, &ok);
	if (json_get(json, "accesses")) // not in 0.1.0
		tokens_read(json, "accesses", &ret->accesses, &ret->n_accesses, &ok);
	custody_read(json, &ret->custody, &ok);
	return ok;
}

// 0, -EPROTONOSUPPORT (newer), -EBADMSG.
static int record_of_text(const struct secret *text, const char *key, struct account_record *ret)
{
	_cleanup_json_ cJSON *json = json_parse(text->text, text->len);
	_cleanup_(account_record_free) struct account_record record = {0};
	int64_t version = json_integer(json, "version", 0);

	if (version > CUSTODY_VERSION)
		return -EPROTONOSUPPORT;
	if (!record_of_json(json, &record) || version != record_version(&record) ||
	    !string_equal(record.key, key))
		return -EBADMSG;
	*ret = record;
	record = (struct account_record){0};
	return 0;
}

// ---- files

static char *account_path(const struct ledger *ledger, const char *key, const char *suffix)
{
	return xasprintf("%s/accounts/%s%s", ledger->directory, key, suffix);
}

static int record_read(const struct ledger *ledger, const char *key, struct account_record *ret,
		       char **ret_message)
{
	_cleanup_free_ char *path = account_path(ledger, key, ".json");
	_cleanup_secret_ struct secret text = {0};
	int r = private_read(path, RECORD_MAX, &text, ret_message);

	if (r < 0)
		return r;
	r = record_of_text(&text, key, ret);
	if (r == -EPROTONOSUPPORT)
		*ret_message = xasprintf("%s was written by a newer version of this program", path);
	else if (r < 0)
		*ret_message = xasprintf("%s is damaged", path);
	return r;
}

static void report_unreadable(const struct ledger *ledger, const char *key, int error,
			      char *message, struct problems *problems)
{
	_cleanup_free_ char *path = account_path(ledger, key, ".json"), *word = shell_quoted(path);
	bool newer = error == -EPROTONOSUPPORT;
	char *fix;

	if (newer)
		fix = xstrdup(INSTALL_AGAIN);
	else if (error == -EPERM)
		fix = private_remedy(path);
	else
		fix = xasprintf("restore %s from a backup; only if there is none: mv %s %s.damaged "
				"# the account is then adopted from the stores",
				word, word, word);
	problem_add(problems, SEVERITY_ERROR, newer ? "ledger_newer" : "ledger_unreadable", path,
		    NULL, message, fix)
		->needs_person = true;
}

int account_records_read(const struct ledger *ledger, struct account_records *ret,
			 struct problems *problems)
{
	_cleanup_free_ char *directory = path_join(ledger->directory, "accounts");
	_cleanup_names_ struct names names = {0};
	struct account_records records = {0};
	int r;

	if (!ledger->exists) {
		*ret = records;
		return 0;
	}
	r = private_list(directory, KEY_LENGTH, ".json", &names);
	if (r < 0)
		return r;
	for (size_t i = 0; i < names.n; i++) {
		char *message = NULL;
		struct account_record record = {0};
		_cleanup_free_ char *key = xstrndup(names.list[i], KEY_LENGTH);
		r = record_read(ledger, key, &record, &message);
		if (r == -ENOENT) // forgotten since we looked
			continue;
		if (error_is_shortage(r)) { // no damage
			free(message);
			account_records_free(&records);
			return r;
		}
		if (r < 0) {
			record.unreadable = true;
			memcpy(record.key, key, sizeof(record.key));
			report_unreadable(ledger, key, r, message, problems);
		}
		*array_add(&records.list, &records.n) = record;
	}
	*ret = records;
	return 0;
}

bool account_record_moved(const struct ledger *ledger, const struct account_record *record)
{
	struct account_record now = {0};
	_cleanup_free_ char *message = NULL;
	int r = record_read(ledger, record->key, &now, &message);
	bool moved = r >= 0 && !fingerprint_equal(now.live.fingerprint, record->live.fingerprint);

	account_record_free(&now);
	return moved;
}

void account_records_free(struct account_records *records)
{
	for (size_t i = 0; i < records->n; i++)
		account_record_free(&records->list[i]);
	free(records->list);
	*records = (struct account_records){0};
}

static bool same_bytes(const struct secret *a, const struct secret *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->text, b->text, a->len) == 0);
}

// Would this text come back as the record it was made of? (A token with a NUL byte would not.)
static bool reads_back(const struct secret *text, const struct account_record *record)
{
	_cleanup_(account_record_free) struct account_record again = {0};

	return text->len <= RECORD_MAX && record_of_text(text, record->key, &again) == 0 &&
	       same_bytes(&again.live.access, &record->live.access) &&
	       same_bytes(&again.live.refresh, &record->live.refresh) &&
	       same_bytes(&again.live.id_token, &record->live.id_token) &&
	       string_equal(again.live.fingerprint.hex, record->live.fingerprint.hex);
}

int account_record_save(struct ledger *ledger, struct account_record *record, int64_t now_ms)
{
	_cleanup_json_ cJSON *json = NULL;
	_cleanup_secret_ struct secret text = {0};
	_cleanup_free_ char *path = NULL;
	int r;

	if (record->unreadable || !is_hex(record->key, KEY_LENGTH))
		return -EINVAL;
	r = ledger_create(ledger);
	if (r < 0)
		return r;
	tokens_trim(record->superseded, &record->n_superseded, RECORD_SUPERSEDED_MAX);
	tokens_trim(record->fences, &record->n_fences, RECORD_SUPERSEDED_MAX);
	tokens_trim(record->diverged, &record->n_diverged, RECORD_DIVERGED_MAX);
	int64_t ahead_ms = record_clock_ahead(record);
	record->updated_ms = now_ms - (ahead_ms > 0 ? ahead_ms : 0);
	json = record_to_json(record);
	text = json_print(json, true);
	if (!reads_back(&text, record))
		return -EINVAL;
	path = account_path(ledger, record->key, ".json");
	if (!ledger->swept) {
		_cleanup_free_ char *accounts = path_dirname(path);
		atomic_sweep_all(accounts);
		ledger->swept = true;
	}
	return atomic_replace(path, text.text, text.len, 0600);
}

int account_record_remove(struct ledger *ledger, const char *key)
{
	if (!is_hex(key, KEY_LENGTH))
		return -EINVAL;
	_cleanup_free_ char *path = account_path(ledger, key, ".json");
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : -errno;
	return fsync_parent(path);
}

// Who has it: for a person, should it be held for ever. The lock itself is the kernel's, so a text that cannot be
// written is no error.
static void sign_lock(int fd)
{
	struct process_id self;
	_cleanup_free_ char *text = NULL;

	if (process_self(&self) < 0 || ftruncate(fd, 0) < 0)
		return;
	text = lock_payload_write(self, clock_wall_ms());
	if (write_full(fd, text, strlen(text)) < 0)
		log_debug("an account's lock cannot say whose it is");
}

int account_lock(struct ledger *ledger, const char *key, int *ret_fd, char **ret_message)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (!is_hex(key, KEY_LENGTH))
		return -EINVAL;
	r = ledger_create(ledger);
	if (r < 0)
		return r;
	// Never unlinked, not even with the record: a lock on a name that is gone excludes nobody.
	_cleanup_free_ char *path = account_path(ledger, key, ".lock"), *trouble = NULL;
	r = private_open(path, O_RDWR | O_CREAT, &fd, &trouble);
	if (trouble) {
		_cleanup_free_ char *remedy = private_remedy(path);
		*ret_message = xasprintf("%s: %s", trouble, remedy);
	}
	if (r == 0)
		r = ofd_lock(fd);
	if (r < 0)
		return r;
	sign_lock(fd);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

bool account_is_locked(const struct ledger *ledger, const char *key)
{
	_cleanup_close_ int fd = -1;

	if (!ledger->exists || !is_hex(key, KEY_LENGTH))
		return false;
	_cleanup_free_ char *path = account_path(ledger, key, ".lock");
	return private_open(path, O_RDONLY, &fd, NULL) == 0 && ofd_is_locked(fd);
}

// Who took a lock this moment has not signed it yet: nothing stands in it, or the one before does, who has gone.
static void read_signature(int fd, struct lock_payload *ret)
{
	const struct timespec moment = {.tv_nsec = SIGN_MOMENT_MS * 1000000};
	char text[LOCK_PAYLOAD_MAX];

	for (int tries = 0; tries < SIGN_MOMENTS; tries++) {
		ssize_t n = pread(fd, text, sizeof(text), 0);
		*ret = (struct lock_payload){0};
		if (n > 0)
			lock_payload_read(text, (size_t)n, ret);
		if (process_alive(ret->owner))
			return;
		nanosleep(&moment, NULL);
	}
}

int account_lock_holder(const struct ledger *ledger, const char *key, struct process_id *ret,
			int64_t *ret_since_ms)
{
	_cleanup_free_ char *path = account_path(ledger, key, ".lock");
	_cleanup_close_ int fd = -1;
	struct lock_payload payload;
	struct stat st;

	if (!account_is_locked(ledger, key) || private_open(path, O_RDONLY, &fd, NULL) < 0)
		return -ENOENT;
	read_signature(fd, &payload);
	if (!ofd_is_locked(fd) || fstat(fd, &st) < 0) // given back meanwhile
		return -ENOENT;
	*ret = process_alive(payload.owner) ? payload.owner : (struct process_id){0};
	// Empty is a new one, or one that could not be signed: it was emptied when it was taken.
	*ret_since_ms = payload.created_ms ? payload.created_ms : st.st_mtim.tv_sec * SECOND_MS;
	return 0;
}
