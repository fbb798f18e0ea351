// SPDX-License-Identifier: MIT
//
// What the ledger remembers for people: no line that was torn, foreign or newer hides another one, whatever is in a text
// is one line, and the runs, conditions and counts are what was noted of them.
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
#include "ledger/conditions.h"
#include "temporary.h"

#define NOW_MS INT64_C(1795000000000)

static char *root;
static struct ledger ledger;

static int setup(void **state)
{
	(void)state;
	root = temporary_directory("test history");
	ledger = (struct ledger){.directory = path_join(root, "ledger")};
	assert_int_equal(ledger_create(&ledger), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ledger_free(&ledger);
	return remove_tree(root);
}

static char *path_of(const char *name)
{
	char *path = NULL;

	assert_int_equal(history_path(&ledger, name, true, &path), 0);
	return path;
}

static void put(const char *name, const char *text, size_t len)
{
	_cleanup_free_ char *path = path_of(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, text, len), 0);
	close(fd);
}

static char *get(const char *name, size_t *ret_len)
{
	_cleanup_free_ char *path = path_of(name);
	FILE *file = fopen(path, "r");
	char *text = xcalloc(1, 2 * HISTORY_MAX + 1);

	assert_non_null(file);
	*ret_len = fread(text, 1, 2 * HISTORY_MAX, file);
	fclose(file);
	return text;
}

static bool is_there(const char *name)
{
	_cleanup_free_ char *path = path_of(name);

	return access(path, F_OK) == 0;
}

static void append(const char *what, int64_t copies)
{
	const struct event event = {.at_ms = NOW_MS, .what = (char *)what, .copies = copies};

	assert_int_equal(history_append(&ledger, &event), 0);
}

static struct events read_all(void)
{
	struct events events = {0};

	assert_int_equal(history_read(&ledger, &events), 0);
	return events;
}

// ---- events

// Every text of an event comes back as a person may see it, in one line, whatever is in it.
static void test_texts(void **state)
{
	static const char *const hostile[] = {
		"plain",
		"",
		"a \"quoted\" \\ back\\slash",
		"two\nlines",
		"\033[2Jcleared",
		"\xff\xfe no UTF-8",
		"gr\xc3\xbc\xc3\x9f",
		"{\"v\":1,\"event\":\"forged\"}\n{\"v\":1}",
	};

	(void)state;
	for (size_t i = 0; i < event_n_texts; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(hostile); k++) {
			struct event event = {.at_ms = NOW_MS, .http_status = 400 + (int64_t)k};
			struct event *last;
			_cleanup_free_ char *seen = string_printable(hostile[k], 2000);
			struct events events;

			event.what = (char *)"failed";
			// The i-th text, by its name in the file.
			char **texts[] = {&event.by,	  &event.command,  &event.host,
					  &event.what,	  &event.account,  &event.provider,
					  &event.profile, &event.identity, &event.from,
					  &event.to,	  &event.store,	   &event.who,
					  &event.code,	  &event.message};
			assert_int_equal(ARRAY_SIZE(texts), event_n_texts);
			*texts[i] = (char *)hostile[k];
			assert_int_equal(history_append(&ledger, &event), 0);
			events = read_all();
			assert_int_equal(events.n, i * ARRAY_SIZE(hostile) + k + 1);
			last = &events.list[events.n - 1];
			assert_string_equal(event_text(last, i), seen);
			assert_int_equal(last->http_status, 400 + (int64_t)k);
			assert_int_equal(last->at_ms, NOW_MS);
			for (size_t other = 0; other < event_n_texts; other++)
				if (other != i && other != 3)
					assert_null(event_text(last, other));
			events_free(&events);
		}
	}
}

static void test_long_text(void **state)
{
	_cleanup_free_ char *text = xcalloc(1, 100001);
	struct event event = {.at_ms = NOW_MS, .what = (char *)"failed", .message = text};
	struct events events;

	(void)state;
	memset(text, 'x', 100000);
	assert_int_equal(history_append(&ledger, &event), 0);
	append("refreshed", 1);
	events = read_all();
	assert_int_equal(events.n, 2);
	assert_true(strlen(events.list[0].message) <= 2000 + strlen("…"));
	assert_string_equal(events.list[1].what, "refreshed");
	events_free(&events);
}

// The last line torn at each of its bytes: what stood before it is read, and what comes after it.
static void test_torn(void **state)
{
	size_t len, first;
	_cleanup_free_ char *text = NULL;

	(void)state;
	append("refreshed", 1);
	append("adopted", 2);
	text = get("events", &len);
	first = (size_t)(strchr(text, '\n') - text) + 1;
	for (size_t cut = first; cut <= len; cut++) {
		struct events events;
		size_t whole = cut >= len - 1; // its line end may be missing
		put("events", text, cut);
		append("failed", 3);
		events = read_all();
		assert_int_equal(events.n, 2 + whole);
		assert_string_equal(events.list[0].what, "refreshed");
		if (whole)
			assert_string_equal(events.list[1].what, "adopted");
		assert_string_equal(events.list[events.n - 1].what, "failed");
		events_free(&events);
	}
}

static void test_lines_of_others(void **state)
{
	static const struct {
		const char *line;
		size_t n, newer;
	} table[] = {
		{"{\"v\":1,\"time\":\"2026-11-20T10:00:00Z\",\"event\":\"failed\"}", 1, 0},
		{"{\"v\":2,\"time\":\"2026-11-20T10:00:00Z\",\"event\":\"failed\"}", 0, 1},
		{"{\"v\":2}", 0, 1},
		{"{\"v\":0,\"time\":\"2026-11-20T10:00:00Z\",\"event\":\"failed\"}", 0, 0},
		{"{\"time\":\"2026-11-20T10:00:00Z\",\"event\":\"failed\"}", 0, 0},
		{"{\"v\":1,\"time\":\"2026-11-20T10:00:00Z\"}", 0, 0},
		{"{\"v\":1,\"time\":\"2026-11-20T10:00:00Z\",\"event\":7}", 0, 0},
		{"{\"v\":1,\"time\":\"yesterday\",\"event\":\"failed\"}", 0, 0},
		{"{\"v\":1,\"event\":\"failed\"}", 0, 0},
		{"[1]", 0, 0},
		{"not JSON", 0, 0},
		{"", 0, 0},
		{"\xff\xff", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_free_ char *text = xasprintf("%s\n", table[i].line);
		struct events events;
		put("events", text, strlen(text));
		append("refreshed", 1);
		events = read_all();
		assert_int_equal(events.n, table[i].n + 1);
		assert_int_equal(events.n_newer, table[i].newer);
		assert_string_equal(events.list[events.n - 1].what, "refreshed");
		events_free(&events);
	}
	// A NUL byte is no end.
	put("events", "x\0y\n", 4);
	append("refreshed", 1);
	struct events events = read_all();
	assert_int_equal(events.n, 1);
	events_free(&events);
}

// A file that is full becomes the older half: each event is read once, oldest first, and there are never more than two files.
static void test_rotated(void **state)
{
	_cleanup_free_ char *filler = xcalloc(1, HISTORY_MAX);
	struct events events;

	(void)state;
	memset(filler, '\n', HISTORY_MAX);
	for (int64_t round = 1; round <= 4; round++) {
		append("refreshed", 10 * round);
		_cleanup_free_ char *path = path_of("events");
		int fd = open(path, O_WRONLY | O_APPEND);
		assert_int_equal(write_full(fd, filler, HISTORY_MAX), 0);
		close(fd);
	}
	append("failed", 41);
	append("failed", 42);
	events = read_all();
	assert_int_equal(events.n, 3); // the last that was full, and what came since
	assert_int_equal(events.list[0].copies, 40);
	assert_int_equal(events.list[1].copies, 41);
	assert_int_equal(events.list[2].copies, 42);
	assert_false(is_there("events.2"));
	events_free(&events);
}

static void test_not_full(void **state)
{
	_cleanup_free_ char *filler = xcalloc(1, HISTORY_MAX);

	(void)state;
	memset(filler, '\n', HISTORY_MAX);
	put("events", filler, HISTORY_MAX - 1);
	append("refreshed", 1);
	assert_false(is_there("events.1"));
	append("refreshed", 2); // it is full now
	assert_true(is_there("events.1"));
}

static void test_too_long(void **state)
{
	_cleanup_free_ char *path = path_of("events.1");
	struct events events;

	(void)state;
	append("refreshed", 1);
	put("events.1", "", 0);
	assert_int_equal(truncate(path, 3 * (off_t)HISTORY_MAX), 0);
	events = read_all();
	assert_int_equal(events.n, 1);
	events_free(&events);
}

// Several runs append at once, and fill the file meanwhile: no line is torn, and none is there twice.
static void test_at_once(void **state)
{
	enum { WRITERS = 4, EACH = 100 };
	static bool seen[WRITERS * EACH];
	struct events events;
	int status;

	(void)state;
	memset(seen, 0, sizeof(seen));
	for (int writer = 0; writer < WRITERS; writer++) {
		pid_t pid = fork();
		assert_true(pid >= 0);
		for (int i = 0; pid == 0 && i < EACH; i++)
			append("refreshed", 1 + writer * EACH + i);
		if (pid == 0)
			_exit(0);
	}
	for (int writer = 0; writer < WRITERS; writer++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	events = read_all();
	assert_int_equal(events.n, WRITERS * EACH);
	for (size_t i = 0; i < events.n; i++) {
		assert_in_range(events.list[i].copies, 1, WRITERS * EACH);
		assert_false(seen[events.list[i].copies - 1]);
		seen[events.list[i].copies - 1] = true;
	}
	events_free(&events);
}

static void test_no_ledger(void **state)
{
	const struct ledger none = {.directory = ledger.directory};
	const struct event event = {.at_ms = NOW_MS, .what = (char *)"failed"};
	struct conditions conditions;
	struct events events;
	struct last_run run;
	int fd;

	(void)state;
	assert_int_equal(history_append(&none, &event), -ENOENT);
	assert_int_equal(history_read(&none, &events), 0);
	assert_int_equal(events.n, 0);
	assert_int_equal(last_run_read(&none, BY_HAND, &run), -ENOENT);
	assert_int_equal(last_run_note(&none, BY_HAND, NOW_MS, 0), -ENOENT);
	assert_int_equal(conditions_lock(&none, &fd), -ENOENT);
	assert_int_equal(conditions_read(&none, &conditions), 0);
	assert_int_equal(conditions.n, 0);
}

// ---- runs

// After any runs: when the last one was, how it ended, and when one succeeded last; and nobody else's is touched.
static void test_runs(void **state)
{
	static const int codes[] = {0, 1, 0, 0, 3, 3, 1, 4, 0, 2, 255, 0};
	int64_t succeeded_ms = 0;
	struct last_run run;

	(void)state;
	assert_int_equal(last_run_note(&ledger, BY_HAND, 7000, 3), 0);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		int64_t now_ms = NOW_MS + (int64_t)i * 300123;
		if (codes[i] == 0)
			succeeded_ms = now_ms;
		assert_int_equal(last_run_note(&ledger, BY_TIMER, now_ms, codes[i]), 0);
		assert_int_equal(last_run_read(&ledger, BY_TIMER, &run), 0);
		assert_int_equal(run.at_ms, now_ms);
		assert_int_equal(run.exit_code, codes[i]);
		assert_int_equal(run.succeeded_ms, succeeded_ms);
	}
	assert_int_equal(last_run_read(&ledger, BY_CRON, &run), -ENOENT);
	assert_int_equal(last_run_read(&ledger, BY_HAND, &run), 0);
	assert_int_equal(run.at_ms, 7000);
	assert_int_equal(run.exit_code, 3);
	assert_int_equal(run.succeeded_ms, 0);
}

static void test_damaged_run(void **state)
{
	static const char *const table[] = {"", "exit", "exit x succeeded 1\n",
					    "succeeded 1 exit 0\n", "\xff"};
	struct last_run run = {.exit_code = 77};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		put("run.cron", table[i], strlen(table[i]));
		assert_int_equal(last_run_read(&ledger, BY_CRON, &run), -EBADMSG);
		assert_int_equal(run.exit_code, 77); // results only on success
		assert_int_equal(last_run_note(&ledger, BY_CRON, NOW_MS, 0), 0);
		assert_int_equal(last_run_read(&ledger, BY_CRON, &(struct last_run){0}), 0);
	}
}

static void test_by_whom(void **state)
{
	static const struct {
		const char *unit, *said;
		enum run_by by;
	} table[] = {
		{NULL, NULL, BY_HAND},
		{NULL, "timer", BY_TIMER},
		{NULL, "cron", BY_CRON},
		{NULL, "path", BY_PATH},
		{NULL, "hand", BY_HAND},
		{NULL, "Timer", BY_HAND},
		{NULL, "", BY_HAND},
		{"oauth-keepalive.timer", NULL, BY_TIMER},
		{"oauth-keepalive@alice.timer", "nobody", BY_TIMER},
		{"oauth-keepalive.path", "timer",
		 BY_PATH}, // the unit's Environment= says timer of both
		{"oauth-keepalive.service", NULL, BY_HAND},
		{"", "cron", BY_CRON},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		unsetenv("TRIGGER_UNIT");
		unsetenv("OAUTH_KEEPALIVE_RUN");
		if (table[i].unit)
			setenv("TRIGGER_UNIT", table[i].unit, 1);
		if (table[i].said)
			setenv("OAUTH_KEEPALIVE_RUN", table[i].said, 1);
		assert_int_equal(run_by_whom(), table[i].by);
	}
	unsetenv("TRIGGER_UNIT");
	unsetenv("OAUTH_KEEPALIVE_RUN");
}

// ---- conditions

static void test_conditions(void **state)
{
	struct condition list[] = {
		{.account = (char *)"k1",
		 .event = (char *)"failed",
		 .code = (char *)"timeout",
		 .message = (char *)"a \"b\"\n",
		 .generation = (char *)"f00",
		 .since_ms = NOW_MS,
		 .told_ms = 1,
		 .failures = INT64_C(1) << 40,
		 .tries = 2},
		{.event = (char *)"needs_login",
		 .code = (char *)"store_unsafe",
		 .store = (char *)"/gr\xc3\xbc\xc3\x9f e",
		 .seen = true},
		{.account = (char *)"", .event = (char *)"refreshed"},
	};
	const struct conditions saved = {list, ARRAY_SIZE(list)};
	struct conditions read;

	(void)state;
	assert_int_equal(conditions_save(&ledger, &saved), 0);
	assert_int_equal(conditions_read(&ledger, &read), 0);
	assert_int_equal(read.n, saved.n);
	for (size_t i = 0; i < read.n; i++) {
		const struct condition *is = &read.list[i], *shall = &list[i];
		assert_true(string_equal(is->account, shall->account));
		assert_true(string_equal(is->event, shall->event));
		assert_true(string_equal(is->code, shall->code));
		assert_true(string_equal(is->message, shall->message));
		assert_true(string_equal(is->store, shall->store));
		assert_true(string_equal(is->generation, shall->generation));
		assert_int_equal(is->since_ms, shall->since_ms);
		assert_int_equal(is->told_ms, shall->told_ms);
		assert_int_equal(is->failures, shall->failures);
		assert_int_equal(is->tries, shall->tries);
		assert_false(is->seen); // that is of one run only
	}
	conditions_free(&read);
	// Nothing is wrong: nothing is there.
	assert_int_equal(conditions_save(&ledger, &(struct conditions){0}), 0);
	assert_false(is_there("open"));
	assert_int_equal(conditions_save(&ledger, &(struct conditions){0}), 0);
	assert_int_equal(conditions_read(&ledger, &read), 0);
	assert_int_equal(read.n, 0);
}

static void test_trouble(void **state)
{
	static const struct {
		const char *event;
		bool trouble;
	} table[] = {{"failed", true},	   {"needs_login", true}, {"refreshed", false},
		     {"recovered", false}, {"adopted", false},	  {NULL, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(
			condition_is_trouble(&(struct condition){.event = (char *)table[i].event}),
			table[i].trouble);
}

// What cannot be read is none, and is replaced; what is newer is none, and stays as it is.
static void test_foreign_documents(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		bool newer;
	} table[] = {
		{"{\"version\":1,\"conditions\":[{\"event\":\"failed\"},{\"code\":\"x\"},7,null]}",
		 1, false},
		{"{\"version\":1,\"conditions\":{}}", 0, false},
		{"{\"version\":1}", 0, false},
		{"{\"version\":2,\"conditions\":[{\"event\":\"failed\"}]}", 0, true},
		{"{\"version\":\"2\",\"conditions\":[{\"event\":\"failed\"}]}", 0, false},
		{"{}", 0, false},
		{"[]", 0, false},
		{"{\"version\":1,\"condi", 0, false},
		{"", 0, false},
	};
	struct condition one = {.event = (char *)"failed"};
	const struct conditions some = {&one, 1}, none = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct conditions read;
		size_t len;
		put("open", table[i].text, strlen(table[i].text));
		assert_int_equal(conditions_read(&ledger, &read), 0);
		assert_int_equal(read.n, table[i].n);
		conditions_free(&read);
		int shall = table[i].newer ? -EPROTONOSUPPORT : 0;
		assert_int_equal(conditions_save(&ledger, &some), shall);
		if (!table[i].newer) {
			assert_int_equal(conditions_read(&ledger, &read), 0);
			assert_int_equal(read.n, 1);
			conditions_free(&read);
		}
		assert_int_equal(conditions_save(&ledger, &none), shall);
		assert_int_equal(is_there("open"), table[i].newer);
		if (table[i].newer) {
			_cleanup_free_ char *text = get("open", &len);
			assert_string_equal(text, table[i].text);
		}
	}
}

// Two cannot have it; when one lets go, the other gets it.
static void test_lock(void **state)
{
	int fd = -1, other = -1;

	(void)state;
	assert_int_equal(conditions_lock(&ledger, &fd), 0);
	assert_int_equal(conditions_lock(&ledger, &other), -EBUSY);
	assert_int_equal(other, -1);
	close(fd);
	assert_int_equal(conditions_lock(&ledger, &other), 0);
	close(other);
}

// ---- counts

static void test_counts(void **state)
{
	static const char *const accounts[] = {"k1", "k2", "", "gr\xc3\xbc\xc3\x9f", "accounts"};
	static const char *const events[] = {"refreshed", "failed", "version"};
	cJSON *counts = counts_read(&ledger);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accounts); i++)
		for (size_t k = 0; k < ARRAY_SIZE(events); k++)
			for (size_t n = 0; n < i * 10 + k; n++) {
				assert_int_equal(counts_get(counts, accounts[i], events[k]), n);
				counts_add(counts, accounts[i], events[k]);
			}
	assert_int_equal(counts_save(&ledger, counts), 0);
	cJSON_Delete(counts);
	counts = counts_read(&ledger);
	for (size_t i = 0; i < ARRAY_SIZE(accounts); i++)
		for (size_t k = 0; k < ARRAY_SIZE(events); k++)
			assert_int_equal(counts_get(counts, accounts[i], events[k]), i * 10 + k);
	assert_int_equal(counts_get(counts, "k3", "refreshed"), 0);
	assert_int_equal(counts_get(counts, "k1", "nothing"), 0);
	cJSON_Delete(counts);
}

static void test_newer_counts(void **state)
{
	static const char newer[] = "{\"version\":2,\"accounts\":{\"k1\":{\"refreshed\":9}}}";
	size_t len;

	(void)state;
	put("counts", newer, strlen(newer));
	cJSON *counts = counts_read(&ledger);
	assert_int_equal(counts_get(counts, "k1", "refreshed"), 0);
	counts_add(counts, "k1", "refreshed");
	assert_int_equal(counts_save(&ledger, counts), -EPROTONOSUPPORT);
	cJSON_Delete(counts);
	_cleanup_free_ char *text = get("counts", &len);
	assert_string_equal(text, newer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_texts),
		TEST(test_long_text),
		TEST(test_torn),
		TEST(test_lines_of_others),
		TEST(test_rotated),
		TEST(test_not_full),
		TEST(test_too_long),
		TEST(test_at_once),
		TEST(test_no_ledger),
		TEST(test_runs),
		TEST(test_damaged_run),
		TEST(test_by_whom),
		TEST(test_conditions),
		TEST(test_trouble),
		TEST(test_foreign_documents),
		TEST(test_lock),
		TEST(test_counts),
		TEST(test_newer_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
