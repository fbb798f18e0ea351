// SPDX-License-Identifier: MIT
//
// The verdict on databases as OpenClaw's releases make them, in every state a crash or a running gateway can leave them
// in; that looking changes nothing on disk, not a byte, not a new file; and that a write changes one text in one row.

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/secret.h"
#include "store/openclaw_sqlite.h"
#include "store/sqlite_look.h"

#define AGENT_TABLE                                                                                \
	"CREATE TABLE auth_profile_store (store_key TEXT NOT NULL PRIMARY KEY, store_json TEXT "   \
	"NOT NULL, "                                                                               \
	"updated_at INTEGER NOT NULL) STRICT;"
#define AGENT_TABLE_6_5                                                                            \
	"CREATE TABLE auth_profile_store (store_key TEXT NOT NULL PRIMARY KEY, store_json TEXT "   \
	"NOT NULL, "                                                                               \
	"updated_at INTEGER NOT NULL);"
#define AGENT_ROW                                                                                  \
	"INSERT INTO auth_profile_store VALUES ('primary', '{\"version\":1,\"profiles\":{}}', 1);"
#define STATE_TABLE                                                                                \
	"CREATE TABLE config_machine_state (state_key TEXT NOT NULL PRIMARY KEY, value_json TEXT " \
	"NOT NULL, "                                                                               \
	"updated_at_ms INTEGER NOT NULL) STRICT;"
#define STATE_ROW "INSERT INTO config_machine_state VALUES ('authProfiles.store', '{}', 1);"
#define LOCATION(json)                                                                             \
	"INSERT INTO config_machine_state VALUES ('auth.sharedStore', '" json "', 1);"
#define STATE_DB    LOCATION("{\"location\":\"state-db\"}")
#define LEGACY_MAIN LOCATION("{\"location\":\"legacy-main\"}")
#define OLD_SHARED                                                                                 \
	"CREATE TABLE auth_profile_stores (store_key TEXT NOT NULL PRIMARY KEY, store_json TEXT "  \
	"NOT NULL, "                                                                               \
	"updated_at INTEGER NOT NULL);"

static char *directory, *agent_database, *state_database;

static int run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int setup(void **state)
{
	// A name that would end the path of a URI, or begin an escape.
	char template[] = "/tmp/test guard?#%41.XXXXXX";
	_cleanup_free_ char *sub = NULL;

	(void)state;
	assert_non_null(mkdtemp(template));
	directory = xstrdup(template);
	sub = path_join(directory, "state");
	assert_int_equal(mkdir(sub, 0700), 0);
	agent_database = path_join(directory, "openclaw-agent.sqlite");
	state_database = path_join(directory, "state/openclaw.sqlite");
	return 0;
}

static int teardown(void **state)
{
	_cleanup_free_ char *command = xasprintf("rm -rf -- '%s'", directory);

	(void)state;
	assert_int_equal(run(command), 0);
	free(directory);
	free(agent_database);
	free(state_database);
	return 0;
}

static sqlite3 *open_database(const char *path, const char *journal_mode)
{
	_cleanup_free_ char *pragma = xasprintf("PRAGMA journal_mode = %s", journal_mode);
	sqlite3 *database = NULL;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, pragma, NULL, NULL, NULL), SQLITE_OK);
	return database;
}

static void execute(sqlite3 *database, const char *sql)
{
	assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void make_database(const char *path, const char *journal_mode, const char *sql)
{
	sqlite3 *database = open_database(path, journal_mode);

	execute(database, sql);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static char *query(const char *path, const char *sql)
{
	sqlite3 *database = NULL;
	sqlite3_stmt *statement = NULL;
	char *text;

	assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	text = xstrdup((const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	sqlite3_close(database);
	return text;
}

static void assert_query(const char *path, const char *sql, const char *shall)
{
	_cleanup_free_ char *is = query(path, sql);

	assert_string_equal(is, shall);
}

static void make_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, text, strlen(text)), 0);
}

// Names, sizes, modes, owners, times and contents of everything there, as one string. (Not the time
// of change: as root SQLite sets a log's owner to what it is.)
static char *snapshot(void)
{
	_cleanup_free_ char *command = xasprintf("cd '%s' && find . -type f -printf '%%p %%s %%m "
						 "%%u %%g %%i %%T@\\n' -exec sha256sum {} + "
						 "| sort | sha256sum",
						 directory);
	FILE *pipe = popen(command, "r");
	char line[128] = "";

	assert_non_null(pipe);
	assert_non_null(fgets(line, sizeof(line), pipe));
	pclose(pipe);
	return xstrdup(line);
}

static enum sqlite_verdict survey(const char *state_directory)
{
	struct sqlite_survey survey;
	enum sqlite_verdict shared;

	openclaw_sqlite_survey(state_directory, &survey);
	shared = survey.shared;
	sqlite_survey_free(&survey);
	return shared;
}

// What is said of both; that looking leaves no trace is part of every question.
static void assert_verdicts(enum sqlite_verdict agent, enum sqlite_verdict shared)
{
	_cleanup_free_ char *before = snapshot(), *after = NULL;

	assert_int_equal(openclaw_sqlite_agent(directory), agent);
	assert_int_equal(survey(directory), shared);
	after = snapshot();
	assert_string_equal(before, after);
}

static void test_absent(void **state)
{
	_cleanup_free_ char *nowhere = path_join(directory, "nowhere");

	(void)state;
	assert_verdicts(SQLITE_ABSENT, SQLITE_ABSENT);
	assert_int_equal(openclaw_sqlite_agent(nowhere), SQLITE_ABSENT);
	make_file(nowhere, "a file");
	assert_int_equal(survey(nowhere), SQLITE_ABSENT);
}

static const char *const modes[] = {"WAL", "DELETE"};

// Agents' databases over the releases (facts 0).
static void test_agents_over_the_versions(void **state)
{
	static const struct {
		const char *sql;
		enum sqlite_verdict verdict;
	} cases[] = {
		{"CREATE TABLE board (x);", SQLITE_ABSENT}, // up to 2026.6.1
		{AGENT_TABLE, SQLITE_VACANT},
		{AGENT_TABLE AGENT_ROW, SQLITE_HOLDS},
		{AGENT_TABLE_6_5 AGENT_ROW "PRAGMA user_version = 1;", SQLITE_HOLDS},
		{AGENT_TABLE AGENT_ROW "PRAGMA user_version = 23;", SQLITE_HOLDS},
		{AGENT_TABLE AGENT_ROW "PRAGMA user_version = 4711;", SQLITE_HOLDS},
		{AGENT_TABLE AGENT_ROW
		 "ALTER TABLE auth_profile_store ADD COLUMN revision INTEGER;",
		 SQLITE_HOLDS},
		{AGENT_TABLE AGENT_ROW
		 "ALTER TABLE auth_profile_store RENAME COLUMN store_json TO document;",
		 SQLITE_UNREADABLE},
		{AGENT_TABLE AGENT_ROW "ALTER TABLE auth_profile_store DROP COLUMN updated_at;",
		 SQLITE_UNREADABLE},
		{AGENT_TABLE AGENT_ROW "ALTER TABLE auth_profile_store RENAME TO credentials;",
		 SQLITE_ABSENT},
		{"CREATE TABLE auth_profile_store (store_key, store_json, updated_at);"
		 "INSERT INTO auth_profile_store VALUES ('primary', x'7b7d', 1);",
		 SQLITE_UNREADABLE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(modes); i++) {
		unlink(agent_database);
		make_database(agent_database, modes[i % ARRAY_SIZE(modes)],
			      cases[i / ARRAY_SIZE(modes)].sql);
		assert_verdicts(cases[i / ARRAY_SIZE(modes)].verdict, SQLITE_ABSENT);
	}
}

// Where are the main profiles, and is JSON read at all? The state database over the releases.
static void test_state_over_the_versions(void **state)
{
	static const struct {
		const char *sql;
		enum sqlite_verdict shared;
		bool json_is_dead;
	} cases[] = {
		{OLD_SHARED "CREATE TABLE state_leases (x);", SQLITE_ABSENT,
		 false}, // 2026.6.1 to 2026.7.35
		{STATE_TABLE, SQLITE_ABSENT,
		 true}, // 2026.8.1 on: legacy-main is what nothing means
		{STATE_TABLE STATE_ROW, SQLITE_ABSENT, true},
		{STATE_TABLE LEGACY_MAIN STATE_ROW, SQLITE_ABSENT, true},
		{STATE_TABLE STATE_DB, SQLITE_VACANT, true},
		{STATE_TABLE STATE_DB STATE_ROW, SQLITE_HOLDS, true},
		{STATE_TABLE STATE_DB STATE_ROW OLD_SHARED, SQLITE_HOLDS, true},
		{STATE_TABLE STATE_DB STATE_ROW "PRAGMA user_version = 4711;", SQLITE_HOLDS, true},
		{STATE_TABLE LOCATION("{\"location\":\"elsewhere\"}") STATE_ROW, SQLITE_UNREADABLE,
		 true},
		{STATE_TABLE LOCATION("[") STATE_ROW, SQLITE_UNREADABLE, true},
		{STATE_TABLE LOCATION("{}") STATE_ROW, SQLITE_UNREADABLE, true},
		{STATE_TABLE STATE_DB STATE_ROW
		 "ALTER TABLE config_machine_state RENAME COLUMN value_json TO value;",
		 SQLITE_UNREADABLE, true},
		{STATE_TABLE STATE_DB STATE_ROW
		 "ALTER TABLE config_machine_state RENAME TO state_of_machine;"
		 "PRAGMA user_version = 4711;",
		 SQLITE_UNREADABLE, true},
		{"CREATE TABLE state_leases (x); PRAGMA user_version = 1;", SQLITE_ABSENT,
		 false}, // 2026.7.1
		{OLD_SHARED "INSERT INTO auth_profile_stores VALUES ('shared', '{}', 1);",
		 SQLITE_UNREADABLE, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(modes); i++) {
		struct sqlite_survey survey;

		unlink(state_database);
		make_database(state_database, modes[i % ARRAY_SIZE(modes)],
			      cases[i / ARRAY_SIZE(modes)].sql);
		assert_verdicts(SQLITE_ABSENT, cases[i / ARRAY_SIZE(modes)].shared);
		openclaw_sqlite_survey(directory, &survey);
		assert_int_equal(survey.json_is_dead, cases[i / ARRAY_SIZE(modes)].json_is_dead);
		sqlite_survey_free(&survey);
	}
}

static void test_registry(void **state)
{
	struct sqlite_survey survey;
	_cleanup_free_ char *relative = path_join(directory, "agents/a/agent");

	(void)state;
	make_database(state_database, "WAL",
		      "CREATE TABLE agent_databases (agent_id TEXT NOT NULL, path TEXT NOT NULL, "
		      "schema_version INTEGER "
		      "NOT NULL, last_seen_at INTEGER NOT NULL, size_bytes INTEGER, PRIMARY KEY "
		      "(agent_id, path)) STRICT;"
		      "INSERT INTO agent_databases VALUES ('a', "
		      "'agents/a/agent/openclaw-agent.sqlite', 23, 1, NULL),"
		      "('b', '/srv/b/openclaw-agent.sqlite', 23, 1, 4096), ('c', '/etc/passwd', 1, "
		      "1, 1), ('', '', 1, 1, 1);");
	openclaw_sqlite_survey(directory, &survey);
	assert_int_equal(survey.shared, SQLITE_ABSENT);
	assert_int_equal(survey.n_agents, 2);
	assert_string_equal(survey.agents[0].id, "a");
	assert_string_equal(survey.agents[0].directory, relative);
	assert_string_equal(survey.agents[1].id, "b");
	assert_string_equal(survey.agents[1].directory, "/srv/b");
	sqlite_survey_free(&survey);
}

// Not to know who is registered is not to know that nobody is.
static void test_registry_unread(void **state)
{
	static const char registered[] = STATE_TABLE STATE_DB STATE_ROW
		"CREATE TABLE agent_databases (agent_id TEXT NOT NULL, path TEXT NOT NULL);";
	_cleanup_free_ char *many = xasprintf(
		"%s WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
		"INSERT INTO agent_databases SELECT i, i || '/openclaw-agent.sqlite' FROM n;",
		registered);
	char junk[4096];

	(void)state;
	make_database(state_database, "WAL", many);
	assert_int_equal(survey(directory), SQLITE_UNREADABLE);
	unlink(state_database);
	make_database(state_database, "WAL", registered);
	assert_int_equal(survey(directory), SQLITE_HOLDS);
	_cleanup_free_ char *page = query(state_database, "SELECT rootpage FROM sqlite_master "
							  "WHERE name = 'agent_databases'");
	_cleanup_close_ int fd = open(state_database, O_RDWR | O_CLOEXEC);
	memset(junk, 0x77, sizeof(junk));
	assert_int_equal(pwrite(fd, junk, sizeof(junk), (atoi(page) - 1) * 4096),
			 (ssize_t)sizeof(junk));
	assert_int_equal(survey(directory), SQLITE_UNREADABLE);
}

static void test_library(void **state)
{
	static const struct {
		int version;
		bool sound;
	} cases[] = {
		{3040001, false}, {3044005, false}, {3044006, true},  {3045003, false},
		{3050006, false}, {3050007, true},  {3051000, false}, {3051002, false},
		{3051003, true},  {3053004, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(openclaw_sqlite_is_sound(cases[i].version), cases[i].sound);
}

static void test_empty_file(void **state)
{
	(void)state;
	make_file(agent_database, "");
	assert_verdicts(SQLITE_UNREADABLE, SQLITE_ABSENT);
}

static void test_unreadable(void **state)
{
	_cleanup_free_ char *elsewhere = path_join(directory, "elsewhere");

	(void)state;
	make_file(agent_database, "this is no database, however long it goes on; no database at "
				  "all, not a bit of it. "
				  "And it is more than a hundred bytes long.");
	assert_verdicts(SQLITE_UNREADABLE, SQLITE_ABSENT);
	make_database(state_database, "DELETE", STATE_TABLE STATE_DB STATE_ROW);
	assert_int_equal(truncate(state_database, 5000), 0);
	assert_verdicts(SQLITE_UNREADABLE, SQLITE_UNREADABLE);

	assert_int_equal(unlink(agent_database), 0);
	assert_int_equal(mkfifo(agent_database, 0600), 0);
	assert_int_equal(openclaw_sqlite_agent(directory), SQLITE_UNREADABLE);
	assert_int_equal(unlink(agent_database), 0);
	assert_int_equal(mkdir(agent_database, 0700), 0);
	assert_int_equal(openclaw_sqlite_agent(directory), SQLITE_UNREADABLE);
	assert_int_equal(rmdir(agent_database), 0);

	// Links are followed; one that leads nowhere is no database.
	assert_int_equal(symlink("elsewhere", agent_database), 0);
	assert_int_equal(openclaw_sqlite_agent(directory), SQLITE_ABSENT);
	make_database(elsewhere, "WAL", AGENT_TABLE AGENT_ROW);
	assert_int_equal(openclaw_sqlite_agent(directory), SQLITE_HOLDS);
}

// Another process that has the database open: what it is told to do, it does.
struct gateway {
	pid_t pid;
	int to, from;
};

static void serve(int from, int to, const char *mode)
{
	sqlite3 *database = open_database(agent_database, mode);
	char sql[4096];
	ssize_t n;

	while ((n = read(from, sql, sizeof(sql) - 1)) > 0) {
		sql[n] = '\0';
		if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK ||
		    write(to, "k", 1) != 1)
			_exit(1);
	}
	_exit(0); // as a kill would leave it: nothing closed, nothing checkpointed
}

static struct gateway start_gateway(const char *mode)
{
	struct gateway gateway;
	int there[2], back[2];

	assert_int_equal(pipe(there), 0);
	assert_int_equal(pipe(back), 0);
	gateway.pid = fork();
	assert_true(gateway.pid >= 0);
	if (gateway.pid == 0) {
		close(there[1]);
		close(back[0]);
		serve(there[0], back[1], mode);
	}
	close(there[0]);
	close(back[1]);
	gateway.to = there[1];
	gateway.from = back[0];
	return gateway;
}

static void tell(const struct gateway *gateway, const char *sql)
{
	char byte;

	assert_int_equal(write_full(gateway->to, sql, strlen(sql)), 0);
	assert_int_equal(read(gateway->from, &byte, 1), 1);
}

static void kill_gateway(struct gateway *gateway)
{
	int status;

	close(gateway->to);
	close(gateway->from);
	assert_int_equal(waitpid(gateway->pid, &status, 0), gateway->pid);
	assert_int_equal(status, 0);
}

static bool has_bytes(const char *suffix)
{
	_cleanup_free_ char *path = xasprintf("%s%s", agent_database, suffix);
	struct stat st;

	return stat(path, &st) == 0 && st.st_size > 0;
}

// A gateway has it open: the row is in the log only, and must be seen there.
static void test_open_elsewhere(void **state)
{
	struct gateway gateway = start_gateway("WAL");

	(void)state;
	tell(&gateway, AGENT_TABLE);
	tell(&gateway, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 0;");
	assert_false(has_bytes("-wal"));
	assert_verdicts(SQLITE_VACANT, SQLITE_ABSENT);
	tell(&gateway, AGENT_ROW);
	assert_true(has_bytes("-wal"));
	assert_verdicts(SQLITE_HOLDS, SQLITE_ABSENT);

	tell(&gateway, "BEGIN IMMEDIATE; DELETE FROM auth_profile_store;");
	assert_verdicts(SQLITE_HOLDS, SQLITE_ABSENT);
	tell(&gateway, "COMMIT");
	assert_verdicts(SQLITE_VACANT, SQLITE_ABSENT);
	kill_gateway(&gateway);
}

static void test_log_left_behind(void **state)
{
	_cleanup_free_ char *log = xasprintf("%s-wal", agent_database);
	_cleanup_free_ char *shared = xasprintf("%s-shm", agent_database);
	struct gateway gateway = start_gateway("WAL");

	(void)state;
	tell(&gateway, AGENT_TABLE AGENT_ROW);
	kill_gateway(&gateway);
	assert_true(has_bytes("-wal"));
	assert_verdicts(SQLITE_HOLDS, SQLITE_ABSENT);

	// Without the shared index the log cannot be read unless one is made: not by us.
	assert_int_equal(unlink(shared), 0);
	assert_verdicts(SQLITE_UNREADABLE, SQLITE_ABSENT);

	// An empty log says nothing, so the file alone does.
	assert_int_equal(truncate(log, 0), 0);
	assert_verdicts(SQLITE_ABSENT, SQLITE_ABSENT);
}

// What SQLite asked to sleep for: how long that takes on a busy machine is another matter.
static int (*system_sleep)(sqlite3_vfs *vfs, int us);
static int64_t slept_us;

static int counted_sleep(sqlite3_vfs *vfs, int us)
{
	slept_us += us;
	return system_sleep(vfs, us);
}

// A writer was killed when it had begun a log, and no frame was in it: SQLite alone would try for ten seconds, and fail.
// One that is spoilt it cannot read either, but that must not hold us up.
static void test_log_begun(void **state)
{
	_cleanup_free_ char *log = xasprintf("%s-wal", agent_database);
	_cleanup_free_ char *shared = xasprintf("%s-shm", agent_database);
	sqlite3_vfs *system = sqlite3_vfs_find(NULL);

	(void)state;
	system_sleep = system->xSleep;
	system->xSleep = counted_sleep;
	make_database(agent_database, "WAL", AGENT_TABLE AGENT_ROW);
	make_file(log, "7\177\006\202....one header, and nothing..");
	make_file(shared, "");
	assert_int_equal(truncate(log, 32), 0);
	assert_int_equal(truncate(shared, 32768), 0);
	slept_us = 0;
	assert_verdicts(SQLITE_HOLDS, SQLITE_ABSENT);
	assert_int_equal(truncate(log, 4000), 0);
	assert_verdicts(SQLITE_UNREADABLE, SQLITE_ABSENT);
	assert_int_equal(slept_us, 0); // whoever wants to wait waits between looks
	system->xSleep = system_sleep;
}

// A transaction so large that it went to the file before the commit that never came. The file alone
// then says that there is no row.
static void test_hot_journal(void **state)
{
	struct gateway gateway = start_gateway("DELETE");

	(void)state;
	tell(&gateway, "PRAGMA cache_size = 1; PRAGMA cache_spill = 1;"
		       "CREATE TABLE filler (x); " AGENT_TABLE AGENT_ROW);
	tell(&gateway,
	     "BEGIN; DELETE FROM auth_profile_store; "
	     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) "
	     "INSERT INTO filler SELECT hex(zeroblob(2000)) FROM n;");
	// A writer is at it: nothing can be told without waiting for ever.
	assert_verdicts(SQLITE_UNREADABLE, SQLITE_ABSENT);
	kill_gateway(&gateway);
	assert_true(has_bytes("-journal"));
	assert_verdicts(SQLITE_UNREADABLE, SQLITE_ABSENT);
}

// A WAL database without its log, seen as one that does not stand alone: SQLite would make the log.
static void test_creates_no_log(void **state)
{
	_cleanup_free_ char *journal = xasprintf("%s-journal", agent_database);

	(void)state;
	make_database(agent_database, "WAL", AGENT_TABLE AGENT_ROW);
	make_file(journal, "");
	assert_int_equal(truncate(journal, 512), 0); // a journal that is over: zeros
	assert_verdicts(SQLITE_UNREADABLE, SQLITE_ABSENT);
}

// ---- changed under the look

#define UPDATED "UPDATE auth_profile_store SET store_json = 'new'"

static sqlite3 *left_open;

static void age(const char *path) // two files made in one tick of the clock look alike
{
	const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void change_in_place(void)
{
	make_database(agent_database, "DELETE", UPDATED);
}

static void change_by_rename(void)
{
	_cleanup_free_ char *other = path_join(directory, "restored");
	_cleanup_free_ char *copy = xasprintf("cp '%s' '%s'", agent_database, other);

	assert_int_equal(run(copy), 0);
	make_database(other, "DELETE", UPDATED);
	age(other);
	assert_int_equal(rename(other, agent_database), 0);
}

static void change_in_log(void)
{
	left_open = open_database(agent_database, "WAL");
	execute(left_open, UPDATED);
}

static void change_and_settle(void) // the log has come and gone, and the size is the same
{
	change_in_log();
	assert_int_equal(sqlite3_close(TAKE_PTR(left_open)), SQLITE_OK);
}

struct changed_look {
	void (*change)(void); // once, after this look has read
	int looks;
	char text[16];
};

static int look_and_change(sqlite3 *database, void *arg)
{
	struct changed_look *look = arg;
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_prepare_v2(database, "SELECT store_json FROM auth_profile_store",
					    -1, &statement, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	snprintf(look->text, sizeof(look->text), "%s", sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	if (look->looks++ == 0)
		look->change();
	return 0;
}

// A look without locks is good only if the file stayed what it was from before it to after it: else what it told may be
// half of one state and half of the next.
static void test_changed_under_the_look(void **state)
{
	static const struct {
		const char *mode;
		void (*change)(void);
	} cases[] = {
		{"DELETE", change_in_place},
		{"DELETE", change_by_rename},
		{"WAL", change_in_log},
		{"WAL", change_and_settle},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct changed_look look = {.change = cases[i].change};
		unlink(agent_database);
		make_database(agent_database, cases[i].mode,
			      AGENT_TABLE
			      "INSERT INTO auth_profile_store VALUES ('primary', 'old', 1)");
		age(agent_database);
		assert_int_equal(sqlite_look(agent_database, look_and_change, &look), 0);
		assert_string_equal(look.text, "new");
		assert_int_equal(look.looks, 2);
		sqlite3_close(TAKE_PTR(left_open));
	}
}

// ---- reading and writing

#define LOGIN(refresh)                                                                             \
	"{\"version\":1, "                                                                         \
	"\"profiles\":{\"xai:default\":{\"type\":\"oauth\",\"provider\":\"xai\",\"note\":1e2,"     \
	"\"access\":\"FAKE-ACCESS-1\",\"refresh\":\"" refresh                                      \
	"\",\"expires\":1796073857000}},\"more\":[1.50]}"

// Its neighbour in 2026.9.6, which an untrusting SQLite 3.40 takes for malformed.
#define NEIGHBOUR                                                                                  \
	"CREATE TABLE transcript_events (json TEXT, CHECK (json IS NULL OR json_valid(json))) "    \
	"STRICT;"

static void make_login(const char *path, const char *journal_mode)
{
	make_database(
		path, journal_mode,
		path == state_database ? STATE_TABLE STATE_DB
			"INSERT INTO config_machine_state VALUES ('authProfiles.store', '" LOGIN(
				"FAKE-REFRESH-1") "', 1);"
				       : AGENT_TABLE NEIGHBOUR
			"INSERT INTO auth_profile_store VALUES ('primary', '" LOGIN(
				"FAKE-REFRESH-1") "', 1);");
}

static struct store store_at(char *path, enum store_role role)
{
	return (struct store){
		.format = STORE_OPENCLAW_SQLITE, .role = role, .path = path, .target = path};
}

static bool is_first(struct fingerprint standing, void *arg)
{
	struct secret first = {};
	bool same;

	(*(int *)arg)++;
	secret_set_string(&first, "FAKE-REFRESH-1");
	same = fingerprint_equal(standing, fingerprint_of(&first));
	secret_free(&first);
	return same;
}

static int write_second(const struct store *store, enum store_result *ret_result)
{
	_cleanup_secret_ struct secret access = {}, refresh = {};
	int asked = 0;
	struct store_change change = {
		.profile = "xai:default",
		.provider = "xai",
		.access = &access,
		.refresh = &refresh,
		.expires_ms = 1796080000000,
		.may_overwrite = is_first,
		.arg = &asked,
	};
	int r;

	secret_set_string(&access, "FAKE-ACCESS-2");
	secret_set_string(&refresh, "FAKE-REFRESH-2");
	r = openclaw_sqlite_write(store, &change, 1, NULL);
	*ret_result = change.result;
	return r;
}

static void assert_written(const struct store *store)
{
	enum store_result result;

	assert_int_equal(write_second(store, &result), 0);
	assert_int_equal(result, STORE_WRITTEN);
}

// Three values are spliced into the text of one row; its time is in milliseconds; everything else is what it was.
static void test_write(void **state)
{
	const struct {
		char *path;
		enum store_role role;
		const char *text, *time, *others;
	} cases[] = {
		{agent_database, ROLE_AGENT,
		 "SELECT store_json FROM auth_profile_store WHERE store_key = 'primary'",
		 "SELECT updated_at FROM auth_profile_store",
		 "SELECT count(*) FROM auth_profile_store"},
		{state_database, ROLE_SHARED,
		 "SELECT value_json FROM config_machine_state WHERE state_key = "
		 "'authProfiles.store'",
		 "SELECT updated_at_ms FROM config_machine_state WHERE state_key = "
		 "'authProfiles.store'",
		 "SELECT count(*) FROM config_machine_state WHERE updated_at_ms = 1 AND state_key "
		 "= 'auth.sharedStore'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(modes); i++) {
		size_t k = i / ARRAY_SIZE(modes);
		struct store store = store_at(cases[k].path, cases[k].role);
		_cleanup_free_ char *time = NULL;
		int64_t before = clock_wall_ms();

		unlink(cases[k].path);
		make_login(cases[k].path, modes[i % ARRAY_SIZE(modes)]);
		assert_int_equal(openclaw_sqlite_stage(&store, NULL), 0);
		assert_written(&store);
		assert_query(
			cases[k].path, cases[k].text,
			"{\"version\":1, "
			"\"profiles\":{\"xai:default\":{\"type\":\"oauth\",\"provider\":\"xai\","
			"\"note\":1e2,\"access\":\"FAKE-ACCESS-2\",\"refresh\":\"FAKE-REFRESH-2\","
			"\"expires\":1796080000000}},\"more\":[1.50]}");
		time = query(cases[k].path, cases[k].time);
		assert_true(atoll(time) >= before && atoll(time) <= clock_wall_ms());
		assert_query(cases[k].path, cases[k].others, "1");
		assert_query(cases[k].path, "PRAGMA journal_mode",
			     i % ARRAY_SIZE(modes) ? "delete" : "wal");
		assert_query(cases[k].path, "PRAGMA integrity_check", "ok");
	}
}

static off_t size_of(const char *suffix)
{
	_cleanup_free_ char *path = xasprintf("%s%s", agent_database, suffix);
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

// The WAL-reset bug sits in the checkpoint of SQLite before 3.51.3, which is what Debian 12 links: one that goes on
// while another connection restarts the log marks pages as copied that are not. So ours copies nothing back, neither
// after the thousand pages of the default nor at close: the file stays as it was to the byte, all is in the log.
#define LARGE ((4 << 20) - 4096)

static void test_no_checkpoint(void **state)
{
	struct store store = store_at(agent_database, ROLE_AGENT);
	_cleanup_free_ char *sum = xasprintf("sha256sum '%s' >'%s.sum'", agent_database, directory);
	_cleanup_free_ char *check =
		xasprintf("sha256sum --quiet -c '%s.sum' && rm '%s.sum'", directory, directory);
	_cleanup_free_ char *filler = xcalloc(LARGE, 1), *sql = NULL;
	sqlite3 *database;

	(void)state;
	memset(filler, 'x', LARGE - 1);
	make_login(agent_database, "WAL");
	// As large a document as is read: over a thousand pages in one commit of ours, where SQLite would checkpoint.
	sql = xasprintf(
		"UPDATE auth_profile_store SET store_json = json_set(store_json, '$.filler', '%s')",
		filler);
	database = open_database(agent_database, "WAL");
	execute(database, sql);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
	assert_int_equal(size_of("-wal"), -1);

	assert_int_equal(run(sum), 0);
	assert_written(&store);
	assert_true(size_of("-wal") > LARGE);
	assert_int_equal(run(check), 0);
	assert_query(agent_database,
		     "SELECT json_extract(store_json, '$.profiles.\"xai:default\".refresh') FROM "
		     "auth_profile_store",
		     "FAKE-REFRESH-2");
}

static void test_compare_and_swap(void **state)
{
	struct store store = store_at(agent_database, ROLE_AGENT);
	enum store_result result;
	sqlite3 *database;
	_cleanup_free_ char *before = NULL, *after = NULL;

	(void)state;
	make_login(agent_database, "DELETE");
	database = open_database(agent_database, "DELETE");
	execute(database, "UPDATE auth_profile_store SET store_json = '" LOGIN(
				  "FAKE-REFRESH-9") "', updated_at = 2");
	sqlite3_close(database);
	before = snapshot();
	assert_int_equal(write_second(&store, &result), 0);
	assert_int_equal(result, STORE_CONFLICT);
	after = snapshot();
	assert_string_equal(before, after);

	database = open_database(agent_database, "DELETE");
	execute(database,
		"UPDATE auth_profile_store SET store_json = '{\"version\":1,\"profiles\":{}}'");
	sqlite3_close(database);
	assert_int_equal(write_second(&store, &result), 0);
	assert_int_equal(result, STORE_GONE);

	database = open_database(agent_database, "DELETE");
	execute(database, "DELETE FROM auth_profile_store");
	sqlite3_close(database);
	assert_int_equal(write_second(&store, &result), -ESTALE);
	assert_query(agent_database, "SELECT count(*) FROM auth_profile_store",
		     "0"); // no row is made
}

static void test_write_refused(void **state)
{
	struct store store = store_at(agent_database, ROLE_AGENT);
	enum store_result result;
	sqlite3 *database;

	(void)state;
	assert_true(openclaw_sqlite_stage(&store, NULL) < 0);
	assert_int_equal(access(agent_database, F_OK), -1); // none is made
	assert_true(write_second(&store, &result) < 0);
	assert_int_equal(access(agent_database, F_OK), -1);

	make_login(agent_database, "WAL");
	database = open_database(agent_database, "WAL");
	execute(database, "ALTER TABLE auth_profile_store RENAME COLUMN store_json TO document");
	sqlite3_close(database);
	assert_int_equal(openclaw_sqlite_stage(&store, NULL), -EPROTO);
	assert_int_equal(write_second(&store, &result), -EPROTO);
}

// What a schema hangs on to the row does not run.
static void test_no_triggers(void **state)
{
	struct store store = store_at(agent_database, ROLE_AGENT);
	sqlite3 *database;

	(void)state;
	make_login(agent_database, "WAL");
	database = open_database(agent_database, "WAL");
	execute(database, "CREATE TABLE copies (store_json TEXT);"
			  "CREATE TRIGGER keep AFTER UPDATE ON auth_profile_store BEGIN "
			  "INSERT INTO copies VALUES (new.store_json); END");
	sqlite3_close(database);
	assert_int_equal(openclaw_sqlite_stage(&store, NULL), 0);
	assert_written(&store);
	assert_query(agent_database, "SELECT count(*) FROM copies", "0");
}

// What reading it comes to; its problem is checked.
static enum store_state state_read(void)
{
	struct store store = store_at(agent_database, ROLE_AGENT);
	struct problems problems = {};

	openclaw_sqlite_read(&store, NULL, &problems);
	assert_int_equal(store.n_copies, store.state == STORE_OK);
	assert_int_equal(problems.n, store.state != STORE_OK);
	for (size_t i = 0; i < problems.n; i++) {
		assert_string_equal(problems.list[i].code, "store_busy");
		assert_true(problems.list[i].passes && !problems.list[i].needs_person);
	}
	copies_free(&store.copies, &store.n_copies);
	problems_free(&problems);
	return store.state;
}

// A look does not wait: it says that it may go well the next time.
static void test_look_while_locked(void **state)
{
	struct gateway gateway;

	(void)state;
	make_login(agent_database, "DELETE");
	gateway = start_gateway("DELETE");
	sqlite_look_may_pass();
	assert_int_equal(state_read(), STORE_OK);
	assert_false(sqlite_look_may_pass());
	tell(&gateway, "BEGIN EXCLUSIVE; UPDATE auth_profile_store SET updated_at = 3;");
	assert_verdicts(SQLITE_UNREADABLE, SQLITE_ABSENT);
	assert_int_equal(state_read(), STORE_BUSY);
	assert_true(sqlite_look_may_pass());
	assert_false(sqlite_look_may_pass()); // until there is another
	tell(&gateway, "COMMIT");
	assert_int_equal(state_read(), STORE_OK);
	assert_false(sqlite_look_may_pass());
	kill_gateway(&gateway);
}

static void test_write_while_locked(void **state)
{
	struct store store = store_at(agent_database, ROLE_AGENT);
	struct gateway gateway;
	enum store_result result;

	(void)state;
	make_login(agent_database, "WAL");
	gateway = start_gateway("WAL");
	tell(&gateway, "BEGIN IMMEDIATE; UPDATE auth_profile_store SET updated_at = 3;");
	assert_int_equal(openclaw_sqlite_stage(&store, NULL), -EBUSY);
	tell(&gateway, "COMMIT");
	// With the gateway's connection open and its commit in the log.
	assert_written(&store);
	assert_verdicts(SQLITE_HOLDS, SQLITE_ABSENT);
	assert_int_equal(write_second(&store, &result), 0);
	assert_int_equal(result, STORE_UNCHANGED);
	kill_gateway(&gateway);
	assert_query(agent_database, "PRAGMA integrity_check", "ok");
}

// Another file was put in its place (doctor, a restore) while we were writing: what was written is nobody's.
static bool replace_meanwhile(struct fingerprint standing, void *arg)
{
	_cleanup_free_ char *other = xasprintf("%s.restored", agent_database);

	(void)standing, (void)arg;
	rename(other, agent_database);
	return true;
}

static void test_write_into_replaced_file(void **state)
{
	_cleanup_free_ char *other = xasprintf("%s.restored", agent_database);
	_cleanup_secret_ struct secret refresh = {};
	struct store store = store_at(agent_database, ROLE_AGENT);
	struct store_change change = {.profile = "xai:default",
				      .provider = "xai",
				      .refresh = &refresh,
				      .may_overwrite = replace_meanwhile};

	(void)state;
	secret_set_string(&refresh, "FAKE-REFRESH-2");
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		unlink(agent_database);
		make_login(agent_database, modes[i]);
		// Of another layout: pages of ours, taken for its own, would destroy it.
		make_database(other, modes[i],
			      "CREATE TABLE chat (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
			      "SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO chat SELECT i FROM "
			      "n;");
		make_login(other, modes[i]);
		assert_int_equal(openclaw_sqlite_write(&store, &change, 1, NULL), -ESTALE);
		assert_query(agent_database, "PRAGMA integrity_check", "ok");
		assert_int_equal(openclaw_sqlite_write(&store, &change, 1, NULL), 0);
		assert_int_equal(change.result, STORE_WRITTEN);
		assert_query(agent_database,
			     "SELECT json_extract(store_json, "
			     "'$.profiles.\"xai:default\".refresh') FROM auth_profile_store",
			     "FAKE-REFRESH-2");
		assert_query(agent_database, "PRAGMA integrity_check", "ok");
		assert_query(agent_database, "SELECT count(*) FROM chat", "2000");
	}
}

// One that became a link after it was looked at.
static void test_write_follows_no_link(void **state)
{
	_cleanup_free_ char *link = xasprintf("%s.link", agent_database);
	struct store store = store_at(link, ROLE_AGENT);
	enum store_result result;

	(void)state;
	make_login(agent_database, modes[0]);
	assert_int_equal(symlink(agent_database, link), 0);
	assert_true(openclaw_sqlite_stage(&store, NULL) < 0);
	assert_true(write_second(&store, &result) < 0);
	assert_query(agent_database,
		     "SELECT store_json LIKE '%FAKE-REFRESH-2%' FROM auth_profile_store", "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_absent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_agents_over_the_versions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state_over_the_versions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registry_unread, setup, teardown),
		cmocka_unit_test(test_library),
		cmocka_unit_test_setup_teardown(test_empty_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_left_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_begun, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hot_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_creates_no_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed_under_the_look, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_checkpoint, setup, teardown),
		cmocka_unit_test_setup_teardown(test_compare_and_swap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_triggers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_look_while_locked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_while_locked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_into_replaced_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_follows_no_link, setup, teardown),
	};

	return cmocka_run_group_tests_name("openclaw_sqlite", tests, NULL, NULL);
}
