// SPDX-License-Identifier: MIT
//
// The verdict on databases as OpenClaw makes them, in every state a crash or a running gateway can
// leave them in; and that looking changes nothing on disk: not a byte, not a new file.

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

#include "base/secret.h"
#include "store/sqlite_guard.h"

#define AGENT_TABLE                                                                                \
	"CREATE TABLE auth_profile_store (store_key TEXT NOT NULL PRIMARY KEY, store_json TEXT "   \
	"NOT NULL, "                                                                               \
	"updated_at INTEGER NOT NULL) STRICT;"
#define AGENT_ROW                                                                                  \
	"INSERT INTO auth_profile_store VALUES ('primary', '{\"version\":1,\"profiles\":{}}', 1);"
#define STATE_TABLE                                                                                \
	"CREATE TABLE config_machine_state (state_key TEXT NOT NULL PRIMARY KEY, value_json TEXT " \
	"NOT NULL, "                                                                               \
	"updated_at_ms INTEGER NOT NULL) STRICT;"
#define STATE_OTHER "INSERT INTO config_machine_state VALUES ('auth.sharedStore', '{}', 1);"
#define STATE_ROW   "INSERT INTO config_machine_state VALUES ('authProfiles.store', '{}', 1);"

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

// What the guards say; that they leave no trace is part of every question.
static void assert_verdicts(enum sqlite_verdict agent, enum sqlite_verdict shared)
{
	_cleanup_free_ char *before = snapshot(), *after = NULL;

	assert_int_equal(sqlite_guard_agent(directory), agent);
	assert_int_equal(sqlite_guard_state(directory), shared);
	after = snapshot();
	assert_string_equal(before, after);
}

static void test_absent(void **state)
{
	_cleanup_free_ char *nowhere = path_join(directory, "nowhere");

	(void)state;
	assert_verdicts(SQLITE_ABSENT, SQLITE_ABSENT);
	assert_int_equal(sqlite_guard_agent(nowhere), SQLITE_ABSENT);
	make_file(nowhere, "a file");
	assert_int_equal(sqlite_guard_state(nowhere), SQLITE_ABSENT);
}

static void test_contents(void **state)
{
	static const struct {
		const char *sql;
		enum sqlite_verdict agent, shared;
	} cases[] = {
		{"CREATE TABLE other (x);", SQLITE_ABSENT, SQLITE_ABSENT},
		{AGENT_TABLE STATE_TABLE, SQLITE_ABSENT, SQLITE_ABSENT},
		{AGENT_TABLE AGENT_ROW STATE_TABLE STATE_OTHER, SQLITE_HOLDS, SQLITE_ABSENT},
		{STATE_TABLE STATE_OTHER STATE_ROW, SQLITE_ABSENT, SQLITE_HOLDS},
		{AGENT_TABLE AGENT_ROW STATE_TABLE STATE_ROW, SQLITE_HOLDS, SQLITE_HOLDS},
	};
	static const char *const modes[] = {"WAL", "DELETE"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(modes); i++) {
		const char *mode = modes[i % ARRAY_SIZE(modes)],
			   *sql = cases[i / ARRAY_SIZE(modes)].sql;

		unlink(agent_database);
		unlink(state_database);
		make_database(agent_database, mode, sql);
		make_database(state_database, mode, sql);
		assert_verdicts(cases[i / ARRAY_SIZE(modes)].agent,
				cases[i / ARRAY_SIZE(modes)].shared);
	}
}

static void test_empty_file(void **state)
{
	(void)state;
	make_file(agent_database, "");
	assert_verdicts(SQLITE_ABSENT, SQLITE_ABSENT);
}

static void test_unreadable(void **state)
{
	_cleanup_free_ char *elsewhere = path_join(directory, "elsewhere");

	(void)state;
	make_file(agent_database, "this is no database, however long it goes on; no database at "
				  "all, not a bit of it. "
				  "And it is more than a hundred bytes long.");
	assert_verdicts(SQLITE_UNREADABLE, SQLITE_ABSENT);
	make_database(state_database, "DELETE", STATE_TABLE STATE_ROW);
	assert_int_equal(truncate(state_database, 5000), 0);
	assert_verdicts(SQLITE_UNREADABLE, SQLITE_UNREADABLE);

	assert_int_equal(unlink(agent_database), 0);
	assert_int_equal(mkfifo(agent_database, 0600), 0);
	assert_int_equal(sqlite_guard_agent(directory), SQLITE_UNREADABLE);
	assert_int_equal(unlink(agent_database), 0);
	assert_int_equal(mkdir(agent_database, 0700), 0);
	assert_int_equal(sqlite_guard_agent(directory), SQLITE_UNREADABLE);
	assert_int_equal(rmdir(agent_database), 0);

	// Links are followed; one that leads nowhere is no database.
	assert_int_equal(symlink("elsewhere", agent_database), 0);
	assert_int_equal(sqlite_guard_agent(directory), SQLITE_ABSENT);
	make_database(elsewhere, "WAL", AGENT_TABLE AGENT_ROW);
	assert_int_equal(sqlite_guard_agent(directory), SQLITE_HOLDS);
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
	assert_verdicts(SQLITE_ABSENT, SQLITE_ABSENT);
	tell(&gateway, AGENT_ROW);
	assert_true(has_bytes("-wal"));
	assert_verdicts(SQLITE_HOLDS, SQLITE_ABSENT);

	tell(&gateway, "BEGIN IMMEDIATE; DELETE FROM auth_profile_store;");
	assert_verdicts(SQLITE_HOLDS, SQLITE_ABSENT);
	tell(&gateway, "COMMIT");
	assert_verdicts(SQLITE_ABSENT, SQLITE_ABSENT);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_absent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_contents, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_left_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hot_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_creates_no_log, setup, teardown),
	};

	return cmocka_run_group_tests_name("sqlite_guard", tests, NULL, NULL);
}
