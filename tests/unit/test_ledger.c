// SPDX-License-Identifier: MIT
//
// The ledger: one truth, ours alone, read strictly. Damage holds an account; it is never "no
// ledger".
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "json/json.h"
#include "ledger/ledger.h"
#include "temporary.h"

#define NOW_MS INT64_C(1795000000123)
#define UUID   "0f0e0d0c-0b0a-4908-8706-050403020100"

static char *root;
static char *directory;
static struct ledger ledger;

static int setup(void **state)
{
	(void)state;
	root = temporary_directory("test ledger");
	directory = path_join(root, "state/sub/ledger");
	ledger = (struct ledger){.directory = xstrdup(directory)};
	return 0;
}

static int setup_created(void **state)
{
	setup(state);
	assert_int_equal(ledger_create(&ledger), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ledger_free(&ledger);
	free(TAKE_PTR(directory));
	return remove_tree(root);
}

static char *in_ledger(const char *name)
{
	return path_join(directory, name);
}

// A new file each time: ext4 flushes one that was truncated and written again.
static void put_text(const char *path, const char *text, size_t len)
{
	unlink(path);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, text, len), 0);
}

static struct secret get_text(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct secret text = {0};

	assert_int_equal(secret_read(fd, 1 << 20, &text), 0);
	return text;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static size_t count_files(const char *path)
{
	_cleanup_free_ char *command = xasprintf("ls -A '%s' | wc -l", path);
	size_t n = SIZE_MAX;
	FILE *pipe = popen(command, "r");

	assert_int_equal(fscanf(pipe, "%zu", &n), 1);
	pclose(pipe);
	return n;
}

// A command that is shown can be copied into a shell: each path is one word.
static void expect_words(const char *fix)
{
	for (const char *at = fix; (at = strstr(at, root)); at++)
		assert_true(at > fix && at[-1] == '\'');
}

// Open it and expect exactly this; what is refused comes with words for a person.
static void expect_open(int expected, bool exists)
{
	char *message = NULL, *fix = NULL;
	struct ledger other = {0};

	assert_int_equal(ledger_open(directory, &other, &message, &fix), expected);
	if (expected == 0) {
		assert_null(message);
		assert_int_equal(other.exists, exists);
		assert_string_equal(other.directory, directory);
	} else {
		assert_non_null(message);
		assert_non_null(fix);
		expect_words(fix);
		assert_null(other.directory);
	}
	ledger_free(&other);
	free(message);
	free(fix);
}

// ---- the directory

static void test_create(void **state)
{
	static const char *const directories[] = {"", "accounts", "receipts", "displaced",
						  "settled"};
	_cleanup_free_ char *file = in_ledger("ledger.json"), *parent = path_join(root, "state");
	char uuid[37];

	(void)state;
	expect_open(0, false);
	assert_int_equal(access(directory, F_OK), -1); // looking creates nothing
	mode_t mask = umask(0);
	assert_int_equal(ledger_create(&ledger), 0);
	umask(mask);
	assert_true(ledger.exists);
	assert_int_equal(strlen(ledger.uuid), 36);
	assert_int_equal(ledger.uuid[14], '4');
	assert_int_equal(mode_of(file), 0600);
	assert_int_equal(mode_of(parent), 0700);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		_cleanup_free_ char *path = in_ledger(directories[i]);
		assert_int_equal(mode_of(path), 0700);
	}
	assert_int_equal(count_files(directory), 5);
	expect_open(0, true);

	memcpy(uuid, ledger.uuid, sizeof(uuid));
	ledger.exists = false; // as a process that looked before
	assert_int_equal(ledger_create(&ledger), 0);
	assert_string_equal(ledger.uuid, uuid);
}

static void test_create_race(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		_cleanup_free_ char *name = xasprintf("%s/race-%d/ledger", root, round);
		pid_t children[8];
		char uuids[8][37] = {0};
		int start[2], result[2], status;
		assert_int_equal(pipe(start) | pipe(result), 0);
		for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
			children[i] = fork();
			if (children[i] == 0) {
				struct ledger own = {.directory = name};
				close(start[1]);
				(void)!read(start[0], uuids[0], 1);
				if (ledger_create(&own) < 0 || !own.exists)
					_exit(1);
				_exit(write(result[1], own.uuid, 37) == 37 ? 0 : 1);
			}
		}
		close(start[0]);
		close(start[1]);
		close(result[1]);
		for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
			assert_int_equal(waitpid(children[i], &status, 0), children[i]);
			assert_int_equal(status, 0);
			assert_int_equal(read_full(result[0], uuids[i], 37), 37);
			assert_string_equal(uuids[i], uuids[0]);
		}
		close(result[0]);
		assert_int_equal(count_files(name), 5); // no temp file stays
	}
}

static void test_open_refuses(void **state)
{
	_cleanup_free_ char *file = in_ledger("ledger.json"), *receipts = in_ledger("receipts");
	_cleanup_free_ char *aside = path_join(root, "aside");

	(void)state;
	assert_int_equal(chmod(directory, 0750), 0);
	expect_open(-EPERM, false);
	assert_int_equal(chmod(directory, 0700), 0);
	assert_int_equal(chmod(file, 0640), 0);
	expect_open(-EPERM, false);
	assert_int_equal(chmod(file, 0600), 0);
	assert_int_equal(chmod(receipts, 0777), 0);
	expect_open(-EPERM, false);
	assert_int_equal(chmod(receipts, 0700), 0);
	expect_open(0, true);

	assert_int_equal(rename(receipts, aside),
			 0); // forgetting the receipts would spend tokens twice
	expect_open(-EBADMSG, false);
	assert_int_equal(rename(aside, receipts), 0);
	assert_int_equal(rename(file, aside), 0);
	assert_int_equal(symlink(aside, file), 0);
	expect_open(-EPERM, false);
	assert_int_equal(unlink(file), 0);
	expect_open(0, false); // empty: as if never written
}

static void test_lost_ledger_json(void **state)
{
	static const char *const traces[] = {
		"accounts/00112233445566778899aabbccddeeff.json",
		"receipts/00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		"receipts/00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff.settled",
		"settled/00",
	};
	_cleanup_free_ char *file = in_ledger("ledger.json");

	(void)state;
	assert_int_equal(unlink(file), 0);
	for (size_t i = 0; i < ARRAY_SIZE(traces); i++) {
		_cleanup_free_ char *trace = in_ledger(traces[i]);
		put_text(trace, "", 0);
		expect_open(-EBADMSG, false);
		ledger.exists = false;
		assert_int_equal(ledger_create(&ledger), -EBADMSG); // nor is a new one made over it
		assert_int_equal(access(file, F_OK), -1);
		assert_int_equal(unlink(trace), 0);
	}
	expect_open(0, false);
}

// A ledger of version 1 is read as it is, and brought up to date before the first write.
static void test_older_ledger(void **state)
{
	static const char text[] =
		"{\"version\":1,\"uuid\":\"" UUID "\",\"machine\":\"\",\"created\":5}";
	_cleanup_free_ char *file = in_ledger("ledger.json"), *settled = in_ledger("settled");
	char *message, *fix;

	(void)state;
	put_text(file, text, strlen(text));
	assert_int_equal(rmdir(settled), 0);
	expect_open(0, true);
	ledger_free(&ledger);
	assert_int_equal(ledger_open(directory, &ledger, &message, &fix), 0);
	assert_int_equal(ledger.version, 1);
	assert_int_equal(access(settled, F_OK), -1); // looking changes nothing
	assert_int_equal(ledger_create(&ledger), 0);
	assert_int_equal(ledger.version, 2);
	expect_open(0, true);
	assert_string_equal(ledger.uuid, UUID);
	assert_int_equal(ledger.version, 2);
	assert_int_equal(mode_of(settled), 0700);
	assert_int_equal(mode_of(file), 0600);
	assert_int_equal(count_files(directory), 5);
	assert_int_equal(rmdir(settled), 0); // forgetting the marks would adopt what is spent
	expect_open(-EBADMSG, false);
}

static void test_ledger_json(void **state)
{
	static const struct {
		const char *text;
		int expected;
	} cases[] = {
		{"", -EBADMSG},
		{"{}", -EBADMSG},
		{"[1]", -EBADMSG},
		{"{\"version\":1,\"machine\":\"\"}", -EBADMSG},
		{"{\"version\":1,\"uuid\":\"" UUID "\"}", -EBADMSG},
		{"{\"version\":1,\"uuid\":\"" UUID "\",\"machine\":7}", -EBADMSG},
		{"{\"version\":1,\"uuid\":\"" UUID "\",\"machine\":\"abc\"}", -EBADMSG},
		{"{\"version\":1,\"uuid\":\"../../../../../../../../../../../../"
		 "\",\"machine\":\"\"}",
		 -EBADMSG},
		{"{\"version\":0,\"uuid\":\"" UUID "\",\"machine\":\"\"}", -EBADMSG},
		{"{\"version\":1,\"uuid\":\"" UUID "\",\"machine\":\"\"", -EBADMSG},
		{"{\"version\":3,\"new\":true}", -EPROTONOSUPPORT},
		{"{\"version\":2,\"uuid\":\"" UUID "\",\"machine\":\"\"}", 0},
		{"{\"version\":1,\"uuid\":\"" UUID "\",\"machine\":\"\"}", 0},
	};
	_cleanup_free_ char *file = in_ledger("ledger.json");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put_text(file, cases[i].text, strlen(cases[i].text));
		expect_open(cases[i].expected, true);
	}
}

static void test_other_machine(void **state)
{
	_cleanup_free_ char *file = in_ledger("ledger.json");
	_cleanup_secret_ struct secret text = get_text(file);
	char *machine = strstr(text.text, "\"machine\":");

	(void)state;
	assert_non_null(machine);
	machine = strchr(machine + strlen("\"machine\":"), '"') + 1;
	if (*machine == '"')
		skip(); // this machine has no id
	struct secret id = get_text("/etc/machine-id");
	assert_null(memmem(text.text, text.len, id.text, 32)); // not disclosed
	secret_free(&id);
	machine[5] = machine[5] == '0' ? '1' : '0';
	put_text(file, text.text, text.len);
	expect_open(-EUCLEAN, false);
	ledger.exists = false;
	assert_int_equal(ledger_create(&ledger), -EUCLEAN);
}

// ---- the owner file

static int check_owner(const struct ledger *who, char **ret_message)
{
	char *message, *fix;
	int r = ledger_check_owner(who, root, &message, &fix);

	assert_int_equal(r != 0, message && fix);
	if (fix)
		expect_words(fix);
	free(fix);
	if (ret_message)
		*ret_message = message;
	else
		free(message);
	return r;
}

static void test_owner(void **state)
{
	_cleanup_free_ char *locks = path_join(root, "locks"),
			    *elsewhere = path_join(root, "other");
	_cleanup_free_ char *file = path_join(locks, "oauth-keepalive");
	_cleanup_(ledger_free) struct ledger other = {.directory = xstrdup(elsewhere)};
	_cleanup_(ledger_free) struct ledger early = {.directory = xstrdup(directory)};
	char *message = NULL;

	(void)state;
	assert_int_equal(check_owner(&ledger, NULL), 0);
	assert_int_equal(access(locks, F_OK), -1); // looking creates nothing
	assert_int_equal(ledger_claim_owner(&ledger, root), 0);
	assert_int_equal(ledger_claim_owner(&ledger, root), 0);
	assert_int_equal(mode_of(locks), 0700);
	assert_int_equal(mode_of(file), 0600);
	assert_int_equal(count_files(locks), 1);
	assert_int_equal(check_owner(&ledger, NULL), 0);

	assert_int_equal(check_owner(&early, NULL), 0); // looked before another first run made it
	assert_int_equal(check_owner(&other, NULL), -EEXIST); // not even begun
	assert_int_equal(ledger_claim_owner(&other, root), -ENOENT);
	assert_int_equal(ledger_create(&other), 0);
	assert_int_equal(check_owner(&other, &message), -EEXIST);
	assert_non_null(strstr(message, directory));
	assert_non_null(strstr(message, ledger.uuid));
	free(message);
	assert_int_equal(ledger_claim_owner(&other, root), -EEXIST);
	assert_int_equal(check_owner(&ledger, NULL), 0); // what stood there stands
}

static void test_owner_hostile(void **state)
{
	_cleanup_free_ char *locks = path_join(root, "locks");
	_cleanup_free_ char *file = path_join(locks, "oauth-keepalive");
	_cleanup_free_ char *big = xcalloc(1, 100000),
			    *longer = xasprintf("%sx /somewhere\n", ledger.uuid);
	char *message = NULL;

	(void)state;
	memset(big, 'a', 99999);
	assert_int_equal(mkdir(locks, 0700), 0);
	const char *const texts[] = {"",  "\n",	 "x", "\033[2J\033]0; /tmp/\033[31mred\n",
				     big, longer};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put_text(file, texts[i], strlen(texts[i]));
		assert_int_equal(check_owner(&ledger, &message), -EEXIST);
		assert_null(strchr(message, '\033'));
		assert_true(strlen(message) < 8192);
		free(message);
		assert_int_equal(ledger_claim_owner(&ledger, root), -EEXIST);
	}
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink("/nowhere", file), 0);
	assert_int_equal(check_owner(&ledger, NULL), -EEXIST);
	assert_int_equal(ledger_claim_owner(&ledger, root), -EEXIST);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0); // does not wait for a writer
	assert_int_equal(check_owner(&ledger, NULL), -EEXIST);
	assert_int_equal(unlink(file), 0);

	assert_int_equal(chmod(locks, 0772), 0);
	assert_int_equal(check_owner(&ledger, NULL), -EPERM);
	assert_int_equal(rmdir(locks), 0);
	assert_int_equal(symlink(directory, locks), 0);
	assert_int_equal(check_owner(&ledger, NULL), -EPERM);
	assert_int_equal(ledger_claim_owner(&ledger, root), -EPERM);
}

// ---- accounts

static struct fingerprint numbered(int i)
{
	_cleanup_free_ char *text = xasprintf("FAKE-REFRESH-%d", i);

	return fingerprint_of_bytes(text, strlen(text));
}

static struct account_record full_record(void)
{
	struct account_record r = {
		.state_dir = xstrdup("/home/x/.openclaw"),
		.provider = xstrdup("openai-codex"),
		.profile = xstrdup("openai-codex:\"quoted\"\n\xc3\xa9"),
		.own_login = true,
		.identity = {xstrdup("acct-1"), xstrdup("user-1"), xstrdup("a@example.org")},
		.live = {.expires_ms = 11, .issued_ms = 12, .at_ms = 13, .answered = true},
		.number = 14,
		.anchor = {15, 16},
		.anchor_before = {17, 18},
		.previous = {19, 20},
		.lifetime_s = 19,
		.grant_expires_ms = 20,
		.first_seen_ms = 21,
		.refreshed_ms = 22,
		.witness_ms = 21,
		.not_before_ms = 23,
		.failures = 24,
		.rejections = 25,
		.error_code = "temporarily_unavailable",
		.error_status = 503,
		.said = "Not for this plan.",
		.barred = true,
		.failing_ms = 27,
		.dead_code = "invalid_grant",
		.ended_ms = 26,
		.main_store = xstrdup("/home/x/.openclaw/agents/main/agent/auth-profiles.json"),
		.adopted_from = xstrdup("/home/x/.openclaw/agents/coder/agent/auth-profiles.json"),
		.custody = {OWNERSHIP_OURS, 29, 30, UUID, "host-a", 31, 32, ""},
	};

	account_key(r.key, r.state_dir, r.provider, r.profile, &r.identity);
	secret_set_string(&r.live.access, "FAKE-ACCESS-1");
	secret_set_string(&r.live.refresh, "FAKE-REFRESH-1");
	secret_set_string(&r.live.id_token, "FAKE-ID-1");
	r.live.fingerprint = fingerprint_of(&r.live.refresh);
	for (int i = 2; i < 5; i++)
		record_supersede(&r, numbered(i));
	*array_add(&r.diverged, &r.n_diverged) = numbered(9);
	*array_add(&r.accesses, &r.n_accesses) = numbered(10);
	*array_add(&r.sightings, &r.n_sightings) = (struct sighting){"claim", 27};
	*array_add(&r.expiries, &r.n_expiries) = (struct sighting){"store and value", 28};
	return r;
}

static void assert_same_secret(const struct secret *a, const struct secret *b)
{
	assert_int_equal(a->len, b->len);
	assert_string_equal(a->text, b->text);
}

// Member by member: what lies between them is nobody's.
static void assert_same_sightings(const struct sighting *a, const struct sighting *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(a[i].claim, b[i].claim);
		assert_int_equal(a[i].seen_ms, b[i].seen_ms);
	}
}

static void assert_same_record(const struct account_record *a, const struct account_record *b)
{
	static const size_t texts[] = {
		offsetof(struct account_record, state_dir),
		offsetof(struct account_record, provider),
		offsetof(struct account_record, profile),
		offsetof(struct account_record, identity.account_id),
		offsetof(struct account_record, identity.user_id),
		offsetof(struct account_record, identity.email),
		offsetof(struct account_record, main_store),
		offsetof(struct account_record, adopted_from),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_string_equal(*(char *const *)((const char *)a + texts[i]),
				    *(char *const *)((const char *)b + texts[i]));
	assert_string_equal(a->key, b->key);
	assert_int_equal(a->own_login, b->own_login);
	assert_same_secret(&a->live.access, &b->live.access);
	assert_same_secret(&a->live.refresh, &b->live.refresh);
	assert_same_secret(&a->live.id_token, &b->live.id_token);
	assert_string_equal(a->live.fingerprint.hex, b->live.fingerprint.hex);
	assert_int_equal(a->live.expires_ms, b->live.expires_ms);
	assert_int_equal(a->live.issued_ms, b->live.issued_ms);
	assert_int_equal(a->live.at_ms, b->live.at_ms);
	assert_int_equal(a->live.answered, b->live.answered);
	assert_int_equal(a->number, b->number);
	assert_memory_equal(&a->anchor, &b->anchor, sizeof(a->anchor));
	assert_memory_equal(&a->anchor_before, &b->anchor_before, sizeof(a->anchor));
	assert_memory_equal(&a->previous, &b->previous, sizeof(a->previous));
	assert_int_equal(a->n_superseded, b->n_superseded);
	assert_memory_equal(a->superseded, b->superseded, a->n_superseded * sizeof(*a->superseded));
	assert_int_equal(a->n_diverged, b->n_diverged);
	assert_memory_equal(a->diverged, b->diverged, a->n_diverged * sizeof(*a->diverged));
	assert_int_equal(a->n_accesses, b->n_accesses);
	for (size_t i = 0; i < a->n_accesses; i++)
		assert_true(fingerprint_equal(a->accesses[i], b->accesses[i]));
	assert_int_equal(a->n_sightings, b->n_sightings);
	assert_same_sightings(a->sightings, b->sightings, a->n_sightings);
	assert_int_equal(a->n_expiries, b->n_expiries);
	assert_same_sightings(a->expiries, b->expiries, a->n_expiries);
	assert_int_equal(a->lifetime_s, b->lifetime_s);
	assert_int_equal(a->grant_expires_ms, b->grant_expires_ms);
	assert_int_equal(a->first_seen_ms, b->first_seen_ms);
	assert_int_equal(a->refreshed_ms, b->refreshed_ms);
	assert_int_equal(a->witness_ms, b->witness_ms);
	assert_int_equal(a->not_before_ms, b->not_before_ms);
	assert_int_equal(a->failures, b->failures);
	assert_int_equal(a->rejections, b->rejections);
	assert_string_equal(a->error_code, b->error_code);
	assert_int_equal(a->error_status, b->error_status);
	assert_string_equal(a->said, b->said);
	assert_int_equal(a->barred, b->barred);
	assert_int_equal(a->failing_ms, b->failing_ms);
	assert_string_equal(a->dead_code, b->dead_code);
	assert_int_equal(a->ended_ms, b->ended_ms);
	assert_int_equal(a->updated_ms, b->updated_ms);
}

static char *record_path(const struct account_record *record)
{
	return xasprintf("%s/accounts/%s.json", directory, record->key);
}

// Read the one record there is. An unreadable one is reported, with its file, as something for a
// person.
static struct account_record read_one(void)
{
	struct account_records records = {0};
	struct problems problems = {0};

	assert_int_equal(account_records_read(&ledger, &records, &problems), 0);
	assert_int_equal(records.n, 1);
	struct account_record record = records.list[0];
	records.list[0] = (struct account_record){0};
	account_records_free(&records);
	assert_int_equal(problems.n, record.unreadable);
	if (record.unreadable) {
		assert_int_equal(problems.list[0].severity, SEVERITY_ERROR);
		assert_true(problems.list[0].needs_person);
		assert_non_null(strstr(problems.list[0].message, record.key));
		assert_non_null(problems.list[0].fix);
		expect_words(problems.list[0].fix);
		assert_null(record.live.refresh.text);
		assert_null(record.provider);
	}
	problems_free(&problems);
	return record;
}

static void expect_unreadable(bool unreadable)
{
	struct account_record record = read_one();

	assert_int_equal(record.unreadable, unreadable);
	account_record_free(&record);
}

// In mid-run another one stands there, or none: nothing is written any more, no token may be sent.
static void test_taken_over(void **state)
{
	static const struct {
		const char *text; // NULL: moved away
		int expected;
	} cases[] = {
		{"{\"version\":3,\"new\":true}", -EPROTONOSUPPORT},
		{"{\"version\":2,\"uuid\":\"" UUID "\",\"machine\":\"\"}", -ESTALE},
		{"{", -EBADMSG},
		{NULL, -ENOENT},
	};
	_cleanup_free_ char *file = in_ledger("ledger.json"), *receipts = in_ledger("receipts");
	_cleanup_secret_ struct secret text = get_text(file);
	_cleanup_(account_record_free) struct account_record record = full_record();
	struct fingerprint token = fingerprint_of_bytes("t", 1);
	char *keys[] = {record.key};
	char *message, *fix;
	int fd;

	(void)state;
	ledger_free(&ledger);
	assert_int_equal(ledger_open(directory, &ledger, &message, &fix), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unlink(file);
		if (cases[i].text)
			put_text(file, cases[i].text, strlen(cases[i].text));
		assert_int_equal(ledger_create(&ledger), cases[i].expected);
		assert_int_equal(account_record_save(&ledger, &record, NOW_MS), cases[i].expected);
		assert_int_equal(receipt_settle(&ledger, token), cases[i].expected);
		assert_int_equal(
			receipt_claim(&ledger, token, keys, 1, (struct process_id){1, 1}, &fd),
			cases[i].expected);
		assert_int_equal(count_files(receipts), 0);
		put_text(file, text.text, text.len); // the same one again
		assert_int_equal(ledger_create(&ledger), 0);
	}
}

static void test_record_round_trip(void **state)
{
	_cleanup_(account_record_free) struct account_record record = full_record(), copy = {0},
							     again;
	_cleanup_free_ char *path = record_path(&record);

	(void)state;
	mode_t mask = umask(0);
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), 0);
	umask(mask);
	assert_int_equal(record.updated_ms, NOW_MS);
	assert_int_equal(mode_of(path), 0600);
	again = read_one();
	assert_same_record(&record, &again);
	account_record_copy(&copy, &again);
	account_record_free(&again);
	assert_same_record(&record, &copy);
	account_record_copy(&copy, &record); // over one that is set
	assert_same_record(&record, &copy);
	for (int i = 100; i < 110; i++) // a copied array grows like any other
		record_supersede(&copy, numbered(i));
	assert_int_equal(copy.n_superseded, record.n_superseded + 10);

	assert_int_equal(account_record_remove(&ledger, record.key), 0);
	assert_int_equal(account_record_remove(&ledger, record.key), 0);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_record_nearly_empty(void **state)
{
	_cleanup_(account_record_free) struct account_record record = {
		.state_dir = xstrdup("/s"),
		.provider = xstrdup("p"),
		.profile = xstrdup("p:x"),
		.live.fingerprint =
			numbered(1), // the tokens of an ended login are gone, its fingerprint stays
		.ended_ms = 5,
	};

	(void)state;
	account_key(record.key, "/s", "p", "p:x", NULL);
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), 0);
	struct account_record again = read_one();
	assert_false(again.unreadable);
	assert_null(again.live.refresh.text);
	assert_null(again.identity.email);
	assert_null(again.main_store);
	assert_string_equal(again.live.fingerprint.hex, numbered(1).hex);
	account_record_free(&again);
}

static void test_record_lists_are_bounded(void **state)
{
	_cleanup_(account_record_free) struct account_record record = full_record();
	struct fingerprint none = {0};

	(void)state;
	for (int i = 0; i < 300; i++) {
		record_supersede(&record, numbered(1000 + i));
		record_supersede(&record, numbered(1000 + i)); // once
		*array_add(&record.diverged, &record.n_diverged) = numbered(2000 + i);
	}
	record_supersede(&record, none);
	assert_int_equal(record.n_superseded, RECORD_SUPERSEDED_MAX);
	assert_true(record_superseded(&record, numbered(1299)));
	assert_true(record_superseded(&record, numbered(1300 - RECORD_SUPERSEDED_MAX)));
	assert_false(record_superseded(&record, numbered(1299 - RECORD_SUPERSEDED_MAX)));
	assert_false(record_superseded(&record, none));
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), 0);
	struct account_record again = read_one();
	assert_same_record(&record, &again);
	assert_int_equal(again.n_diverged, RECORD_DIVERGED_MAX);
	assert_string_equal(again.diverged[RECORD_DIVERGED_MAX - 1].hex, numbered(2299).hex);
	account_record_free(&again);
}

static void test_record_not_saved(void **state)
{
	_cleanup_(account_record_free) struct account_record record = full_record();
	_cleanup_free_ char *path = record_path(&record);

	(void)state;
	record.unreadable = true;
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), -EINVAL);
	record.unreadable = false;
	record.live.fingerprint = numbered(77);
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), -EINVAL);
	secret_set(&record.live.refresh, "FAKE\0REFRESH", 12); // would come back as another token
	record.live.fingerprint = fingerprint_of(&record.live.refresh);
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), -EINVAL);
	strcpy(record.key, "../ledger");
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), -EINVAL);
	assert_int_equal(access(path, F_OK), -1);
}

// One bit wrong anywhere: never another token.
static void test_record_flipped_everywhere(void **state)
{
	_cleanup_(account_record_free) struct account_record record = full_record();
	_cleanup_free_ char *path = record_path(&record);
	size_t unreadable = 0;

	(void)state;
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), 0);
	_cleanup_secret_ struct secret text = get_text(path);
	for (size_t bit = 0; bit < 8 * text.len; bit++) {
		text.text[bit / 8] ^= (char)(1 << bit % 8);
		put_text(path, text.text, text.len);
		text.text[bit / 8] ^= (char)(1 << bit % 8);
		struct account_record again = read_one();
		assert_string_equal(again.key, record.key);
		if (again.unreadable)
			unreadable++;
		else
			assert_same_secret(&again.live.refresh, &record.live.refresh);
		account_record_free(&again);
	}
	assert_true(unreadable > 4 * text.len); // most flips do show
}

static void test_record_cut_everywhere(void **state)
{
	_cleanup_(account_record_free) struct account_record record = full_record();
	_cleanup_free_ char *path = record_path(&record);

	(void)state;
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), 0);
	_cleanup_secret_ struct secret text = get_text(path);
	size_t whole = strrchr(text.text, '}') + 1 - text.text;
	for (size_t n = 0; n < whole; n++) {
		put_text(path, text.text, n);
		expect_unreadable(true);
	}
}

static void write_json(const char *path, const cJSON *json)
{
	_cleanup_secret_ struct secret text = json_print(json, false);

	put_text(path, text.text, text.len);
}

// Without member `i` of the record (or `k` of that, if it is an object) it is unreadable, and with
// another type there.
static void member_is_needed(const struct secret *text, int i, int k, const char *path)
{
	for (int odd = 0; odd < 2; odd++) {
		_cleanup_json_ cJSON *json = json_parse(text->text, text->len);
		cJSON *object = k < 0 ? json : cJSON_GetArrayItem(json, i);
		cJSON *member = cJSON_DetachItemFromArray(object, k < 0 ? i : k);
		cJSON *list = cJSON_CreateArray(); // no list of ours holds objects
		cJSON_AddItemToArray(list, cJSON_CreateObject());
		cJSON_AddItemToObject(object, odd ? member->string : "unknown", list);
		cJSON_Delete(member);
		write_json(path, json);
		expect_unreadable(true);
	}
}

// What version 0.1 did not write.
static bool is_newer_than_0_1(const char *member)
{
	return string_equal(member, "expiries") || string_equal(member, "previous") ||
	       string_equal(member, "witness_ms") || string_equal(member, "adopted_from") ||
	       string_equal(member, "failure") || string_equal(member, "accesses") ||
	       string_equal(member, "custody");
}

static void test_record_of_0_1(void **state)
{
	_cleanup_(account_record_free) struct account_record record = full_record();
	_cleanup_free_ char *path = record_path(&record);

	(void)state;
	for (int purged = 0; purged <= 1; purged++) {
		if (purged)
			generation_free(&record.live);
		record.ended_ms = 77;
		assert_int_equal(account_record_save(&ledger, &record, NOW_MS), 0);
		_cleanup_secret_ struct secret text = get_text(path);
		_cleanup_json_ cJSON *json = json_parse(text.text, text.len);
		cJSON_DeleteItemFromObject(json, "previous");
		write_json(path, json);
		struct account_record again = read_one();
		assert_false(again.unreadable);
		assert_int_equal(again.previous.issued_ms, purged ? 77 : record.live.issued_ms);
		assert_int_equal(again.previous.expires_ms, purged ? 77 : record.live.expires_ms);
		account_record_free(&again);
	}
}

// What a server's word contradicts is no time of ours to be kept.
static void test_record_stamps(void **state)
{
	static const struct {
		int64_t refreshed_ms, witness_ms, ahead_ms;
	} cases[] = {
		{NOW_MS, NOW_MS - 200 * DAY_S * SECOND_MS, 200 * DAY_S * SECOND_MS},
		{NOW_MS, NOW_MS + DAY_S * SECOND_MS, -DAY_S * SECOND_MS},
		{NOW_MS, NOW_MS - 10 * MINUTE_S * SECOND_MS, 0}, // a server's own
		{NOW_MS, 0, 0},
		{0, NOW_MS, 0},
	};
	_cleanup_(account_record_free) struct account_record record = full_record();
	_cleanup_free_ char *path = record_path(&record);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		record.refreshed_ms = cases[i].refreshed_ms;
		record.witness_ms = cases[i].witness_ms;
		assert_int_equal(account_record_save(&ledger, &record, NOW_MS), 0);
		struct account_record again = read_one();
		int64_t ahead_ms = cases[i].ahead_ms > 0 ? cases[i].ahead_ms : 0;
		assert_int_equal(again.updated_ms, NOW_MS - ahead_ms);
		assert_int_equal(record_clock_ahead(&again), cases[i].ahead_ms);
		account_record_free(&again);
	}
	// Version 0.1 stamped it by its own clock, and kept no witness but the token.
	record.refreshed_ms = NOW_MS;
	record.live.answered = true;
	record.live.issued_ms = NOW_MS - DAY_S * SECOND_MS;
	record.witness_ms = 0;
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), 0);
	_cleanup_secret_ struct secret text = get_text(path);
	_cleanup_json_ cJSON *json = json_parse(text.text, text.len);
	cJSON_DeleteItemFromObject(json, "witness_ms");
	write_json(path, json);
	struct account_record again = read_one();
	assert_int_equal(again.updated_ms, NOW_MS - DAY_S * SECOND_MS);
	account_record_free(&again);
}

static void test_record_is_complete(void **state)
{
	_cleanup_(account_record_free) struct account_record record = full_record();
	_cleanup_free_ char *path = record_path(&record);

	(void)state;
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), 0);
	_cleanup_secret_ struct secret text = get_text(path);
	_cleanup_json_ cJSON *json = json_parse(text.text, text.len);
	for (int i = 0; i < cJSON_GetArraySize(json); i++) {
		const cJSON *member = cJSON_GetArrayItem(json, i);
		if (!is_newer_than_0_1(member->string))
			member_is_needed(&text, i, -1, path);
		for (int k = 0; cJSON_IsObject(member) && k < cJSON_GetArraySize(member); k++)
			member_is_needed(&text, i, k, path);
	}
	cJSON_AddNullToObject(json, "unknown"); // what we do not know does no harm
	write_json(path, json);
	expect_unreadable(false);
}

static void test_record_file_refused(void **state)
{
	_cleanup_(account_record_free) struct account_record record = full_record();
	_cleanup_free_ char *path = record_path(&record), *aside = path_join(root, "aside");
	_cleanup_free_ char *other = in_ledger("accounts/00112233445566778899aabbccddeeff.json");
	_cleanup_free_ char *ignored = in_ledger("accounts/README.json");

	(void)state;
	put_text(ignored, "x", 1);
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), 0);
	expect_unreadable(false);
	assert_int_equal(chmod(path, 0640), 0);
	expect_unreadable(true);
	assert_int_equal(chmod(path, 0604), 0);
	expect_unreadable(true);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(rename(path, other), 0); // another account's name
	expect_unreadable(true);
	assert_int_equal(rename(other, aside), 0);
	assert_int_equal(symlink(aside, path), 0);
	expect_unreadable(true);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	expect_unreadable(true);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rename(aside, path), 0);
	expect_unreadable(false);
	assert_int_equal(truncate(path, (1 << 20) + 1), 0);
	expect_unreadable(true);
}

static void test_record_newer(void **state)
{
	_cleanup_(account_record_free) struct account_record record = full_record();
	_cleanup_free_ char *path = record_path(&record);
	struct account_records records = {0};
	struct problems problems = {0};

	(void)state;
	assert_int_equal(account_record_save(&ledger, &record, NOW_MS), 0);
	put_text(path, "{\"version\":3}", 13);
	assert_int_equal(account_records_read(&ledger, &records, &problems), 0);
	assert_true(records.list[0].unreadable);
	assert_string_equal(problems.list[0].code, "ledger_newer");
	account_records_free(&records);
	problems_free(&problems);
}

// A record that is another host's has a version that a program which knows of no other host does not read.
static void test_record_of_another_host(void **state)
{
	static const int versions[] = {
		[OWNERSHIP_OURS] = 1, [OWNERSHIP_FOLLOWS] = 2, [OWNERSHIP_RELEASED] = 2};
	_cleanup_(account_record_free) struct account_record record = full_record();
	_cleanup_free_ char *path = record_path(&record);

	(void)state;
	for (enum ownership o = OWNERSHIP_OURS; o <= OWNERSHIP_RELEASED; o++) {
		record.custody.ownership = o;
		assert_int_equal(account_record_save(&ledger, &record, NOW_MS), 0);
		struct account_record again = read_one();
		assert_false(again.unreadable);
		assert_memory_equal(&again.custody, &record.custody, sizeof(record.custody));
		account_record_free(&again);
		_cleanup_secret_ struct secret text = get_text(path);
		_cleanup_json_ cJSON *json = json_parse(text.text, text.len);
		assert_int_equal(json_integer(json, "version", 0), versions[o]);
		cJSON_SetIntValue(cJSON_GetObjectItem(json, "version"), 3 - versions[o]);
		write_json(path, json);
		expect_unreadable(true);
	}
}

static void test_key(void **state)
{
	struct identity a = {.user_id = (char *)"user-a"}, b = {.user_id = (char *)"user-b"};
	char key[33], other[33];

	(void)state;
	// printf '["/s","openai-codex","openai-codex:default"]' | sha256sum
	account_key(key, "/s", "openai-codex", "openai-codex:default", NULL);
	assert_string_equal(key, "1f4f0ca661cab538aa95e66e9337ca32");
	account_key(key, "/s", "openai-codex", "openai-codex:default", &a);
	assert_string_equal(key, "625e0f2cdd1750ec20377fc376060cd6"); // … ,"user-a",email,account]
	account_key(other, "/s", "openai-codex", "openai-codex:default", &b);
	assert_string_not_equal(key, other);
	// No two lists of names run together.
	account_key(key, "/s", "a\",\"b", "c", NULL);
	account_key(other, "/s", "a", "b\",\"c", NULL);
	assert_string_not_equal(key, other);
}

static void test_account_lock(void **state)
{
	static const char key[] = "00112233445566778899aabbccddeeff";
	_cleanup_free_ char *path = in_ledger("accounts/00112233445566778899aabbccddeeff.lock");
	int fd = -1, other = -1;

	(void)state;
	assert_false(account_is_locked(&ledger, key));
	assert_int_equal(account_lock(&ledger, key, &fd, NULL), 0);
	assert_int_equal(mode_of(path), 0600);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(account_is_locked(&ledger, key));
	assert_int_equal(account_lock(&ledger, key, &other, NULL), -EBUSY);
	assert_int_equal(account_record_remove(&ledger, key), 0);
	assert_true(account_is_locked(&ledger, key)); // the lock outlives the record
	close(fd);
	assert_false(account_is_locked(&ledger, key));
	assert_int_equal(account_lock(&ledger, key, &fd, NULL), 0);
	close(fd);
	assert_int_equal(account_lock(&ledger, "../x", &fd, NULL), -EINVAL);
}

// ---- displaced

static struct credential fake_credential(const char *refresh)
{
	struct credential c = {
		.provider = xstrdup("openai-codex"),
		.profile = xstrdup("openai-codex:default"),
		.expires_ms = 31,
		.issued_ms = 32,
		.lifetime_s = 33,
		.identity = {NULL, xstrdup("user-1"), NULL},
		.client_id = xstrdup("client-1"),
	};

	secret_set_string(&c.access, "FAKE-ACCESS-1");
	secret_set_string(&c.refresh, refresh);
	c.fingerprint = fingerprint_of(&c.refresh);
	return c;
}

static void test_displaced(void **state)
{
	static const char key[] = "00112233445566778899aabbccddeeff";
	_cleanup_(credential_free) struct credential one = fake_credential("FAKE-REFRESH-1");
	_cleanup_(credential_free) struct credential two = fake_credential("FAKE-REFRESH-2"),
						     empty = {0};
	_cleanup_free_ char *kept = in_ledger("displaced");
	_cleanup_free_ char *path =
		xasprintf("%s/20261118T110640-%s-%.16s.json", kept, key, one.fingerprint.hex);
	const int64_t day_ms = DAY_S * SECOND_MS;

	(void)state;
	assert_int_equal(displaced_keep(&ledger, key, &empty, "/store", "nothing", NOW_MS), 0);
	assert_int_equal(count_files(kept), 0);
	assert_int_equal(displaced_keep(&ledger, "../x", &one, "/store", "why", NOW_MS), -EINVAL);
	assert_int_equal(displaced_keep(&ledger, key, &one, "/store0", "first", NOW_MS - day_ms),
			 0);
	assert_int_equal(displaced_keep(&ledger, key, &one, "/store", "adopted", NOW_MS), 0);
	assert_int_equal(mode_of(path), 0600);
	assert_int_equal(count_files(kept), 1); // once, its days begun anew; …
	assert_int_equal(displaced_keep(&ledger, key, &one, "/store2", "back", NOW_MS - day_ms),
			 0); // … a clock that was put back takes none away
	assert_int_equal(count_files(kept), 1);
	assert_int_equal(displaced_keep(&ledger, key, &two, "/store", "adopted", NOW_MS + day_ms),
			 0);
	assert_int_equal(count_files(kept), 2);

	_cleanup_secret_ struct secret text = get_text(path);
	_cleanup_json_ cJSON *json = json_parse(text.text, text.len);
	const cJSON *tokens = json_get(json, "credential");
	assert_string_equal(json_text(tokens, "refresh"), "FAKE-REFRESH-1");
	assert_string_equal(json_text(tokens, "access"), "FAKE-ACCESS-1");
	assert_string_equal(json_text(tokens, "fingerprint"), one.fingerprint.hex);
	assert_int_equal(json_integer(tokens, "expires_ms", 0), 31);
	assert_string_equal(json_text(json_get(json, "identity"), "user_id"), "user-1");
	assert_string_equal(json_text(json, "store"), "/store");
	assert_string_equal(json_text(json, "why"), "adopted");
	assert_string_equal(json_text(json, "provider"), "openai-codex");
	assert_string_equal(json_text(json, "profile"), "openai-codex:default");
	assert_string_equal(json_text(json, "client_id"), "client-1");

	struct keepsakes all = {0};
	struct problems problems = {0};
	assert_int_equal(displaced_read(&ledger, &all, &problems), 0);
	assert_int_equal(all.n, 2);
	assert_string_equal(all.list[0].key, key);
	assert_string_equal(all.list[0].store, "/store");
	assert_string_equal(all.list[0].why, "adopted");
	assert_int_equal(all.list[0].at_ms, NOW_MS / SECOND_MS * SECOND_MS);
	assert_int_equal(all.list[0].until_ms - all.list[0].at_ms, 30 * day_ms);
	assert_true(all.list[0].may_come_back);
	assert_string_equal(displaced_id(&all.list[0].credential).hex, one.fingerprint.hex);
	assert_string_equal(all.list[0].credential.access.text, "FAKE-ACCESS-1");
	assert_string_equal(all.list[0].credential.identity.user_id, "user-1");
	keepsakes_free(&all);
	assert_true(displaced_holds(&ledger, key, one.fingerprint));
	assert_false(displaced_holds(&ledger, "ff112233445566778899aabbccddeeff", one.fingerprint));
	_cleanup_free_ char *damaged = xasprintf("%s/20261118T110640-%s-x.json", kept, key);
	put_text(damaged, "{}", 2);
	assert_int_equal(displaced_read(&ledger, &all, &problems), 0);
	assert_int_equal(all.n, 2);
	assert_int_equal(problems.n, 1);
	keepsakes_free(&all);
	problems_free(&problems);
	assert_int_equal(unlink(damaged), 0);

	_cleanup_free_ char *foreign = path_join(kept, "notes.json");
	put_text(foreign, "x", 1);
	displaced_sweep(&ledger, NOW_MS + 30 * day_ms - 1000);
	assert_int_equal(count_files(kept), 3);
	displaced_sweep(&ledger, NOW_MS + 30 * day_ms + 1000);
	assert_int_equal(access(path, F_OK), -1);
	assert_false(displaced_holds(&ledger, key, one.fingerprint));
	assert_true(displaced_holds(&ledger, key, two.fingerprint));
	const int64_t until_ms = NOW_MS / SECOND_MS * SECOND_MS + 30 * day_ms;
	assert_true(displaced_until(&ledger, key, one.fingerprint) == until_ms); // it was there
	assert_true(displaced_until(&ledger, key, two.fingerprint) == until_ms + day_ms);
	assert_true(displaced_until(&ledger, key, empty.fingerprint) == 0);
	assert_int_equal(count_files(kept), 3);
	displaced_sweep(&ledger, NOW_MS + 32 * day_ms);
	assert_false(displaced_holds(&ledger, key, two.fingerprint));
	assert_true(displaced_until(&ledger, key, two.fingerprint) == until_ms + day_ms);
	assert_int_equal(displaced_keep(&ledger, key, &one, NULL, "why", NOW_MS + 32 * day_ms), 0);
	assert_true(displaced_until(&ledger, key, one.fingerprint) == until_ms + 32 * day_ms);
	displaced_sweep(&ledger, NOW_MS + 397 * day_ms + 1000);
	assert_true(displaced_until(&ledger, key, one.fingerprint) == until_ms + 32 * day_ms);
	assert_true(displaced_until(&ledger, key, two.fingerprint) == 0);
	assert_int_equal(count_files(kept), 2); // what is not ours stays
	assert_int_equal(displaced_keep(&ledger, key, &two, NULL, "why", NOW_MS), 0);
	assert_int_equal(displaced_remove(&ledger, "ff112233445566778899aabbccddeeff"), 0);
	assert_int_equal(displaced_remove(&ledger, key), 1);
	assert_int_equal(count_files(kept), 1);
}

static void test_generation(void **state)
{
	_cleanup_(credential_free) struct credential one = fake_credential("FAKE-REFRESH-1");
	_cleanup_(generation_free) struct generation generation = {.answered = true};

	(void)state;
	secret_set_string(&generation.refresh, "FAKE-REFRESH-OLD");
	secret_set_string(&generation.id_token, "FAKE-ID-OLD");
	generation_of_credential(&generation, &one, NOW_MS);
	assert_string_equal(generation.refresh.text, "FAKE-REFRESH-1");
	assert_ptr_not_equal(generation.refresh.text, one.refresh.text);
	assert_null(generation.id_token.text); // nothing of the old pair stays
	assert_string_equal(generation.fingerprint.hex, one.fingerprint.hex);
	assert_int_equal(generation.expires_ms, 31);
	assert_int_equal(generation.issued_ms, 32);
	assert_int_equal(generation.at_ms, NOW_MS);
	assert_false(generation.answered);
}

static void test_default_directory(void **state)
{
	_cleanup_free_ char *path = NULL;

	(void)state;
	setenv("HOME", "/somewhere/else", 1);
	setenv("XDG_STATE_HOME", "/somewhere/else", 1);
	int r = ledger_default_directory(&path);
	if (r == -ENOENT)
		skip(); // a user without a passwd entry
	assert_int_equal(r, 0);
	assert_true(string_ends(path, "/.local/state/oauth-keepalive"));
	assert_false(string_starts(path, "/somewhere/else"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_create, setup, teardown),
		cmocka_unit_test_setup_teardown(test_create_race, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_refuses, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_lost_ledger_json, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_older_ledger, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_ledger_json, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_taken_over, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_other_machine, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_owner, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_owner_hostile, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_record_round_trip, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_record_nearly_empty, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_record_lists_are_bounded, setup_created,
						teardown),
		cmocka_unit_test_setup_teardown(test_record_not_saved, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_record_flipped_everywhere, setup_created,
						teardown),
		cmocka_unit_test_setup_teardown(test_record_cut_everywhere, setup_created,
						teardown),
		cmocka_unit_test_setup_teardown(test_record_of_0_1, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_record_stamps, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_record_is_complete, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_record_file_refused, setup_created, teardown),
		cmocka_unit_test_setup_teardown(test_record_of_another_host, setup_created,
						teardown),
		cmocka_unit_test_setup_teardown(test_record_newer, setup_created, teardown),
		cmocka_unit_test(test_key),
		cmocka_unit_test_setup_teardown(test_account_lock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_displaced, setup_created, teardown),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_default_directory),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
