// SPDX-License-Identifier: MIT
//
// SQLite's WAL-reset bug, and what a writer may do with a library that has it (Debian 12's 3.40.1 does).
//
// The bug (sqlite.org/wal.html#walresetbug, all before 3.51.3 but 3.50.7 and 3.44.6): a checkpoint
// reads how long the log is, and then how much of it is in the database. If between the two another
// connection begins the log anew, which it does when all of it is in the database, the checkpoint
// goes by the length of the old log and notes as much of the new one as done. Commits that land there
// are never copied, and go away with the log. SQLite's own test/walrestart.test has a hook at that
// place, for which it has to be compiled. Here a VFS is the hook: when the header has changed since
// the connection saw it last, xUnfetch of the database file is called just there.
//
// So the harm is done by who checkpoints, with a library that has the bug, and by nobody else. What is
// shown is that a connection as SQLite makes it, doing what our write does, loses a commit of its
// neighbour; that our write at the same moment does not; and that ours never checkpoints at all: not
// when the log is long, not as the last one to close.

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/secret.h"
#include "store/openclaw_sqlite.h"
#include "store/sqlite_look.h"

#define CHECKPOINT_LOCK 1    // WAL_CKPT_LOCK of SQLite's wal.c: that lock alone is a checkpoint
#define LONG_LOG	1500 // frames; SQLite checkpoints of its own accord from 1000 on

// ---- a VFS that watches what is done to the database file, and lets others act meanwhile

typedef void moment(void);

static struct {
	bool armed;
	moment *before_checkpoint, *inside_checkpoint; // each once
	int checkpoints, writes, deletions;
} watch;

static int (*system_lock)(sqlite3_file *, int, int, int);
static int (*system_write)(sqlite3_file *, const void *, int, sqlite3_int64);
static int (*system_truncate)(sqlite3_file *, sqlite3_int64);
static int (*system_unfetch)(sqlite3_file *, sqlite3_int64, void *);

static void let(moment **moment_)
{
	moment *now = *moment_;

	if (!watch.armed || !now)
		return;
	*moment_ = NULL;
	watch.armed = false; // what the others do is not watched
	now();
	watch.armed = true;
}

static int watch_lock(sqlite3_file *file, int first, int n, int flags)
{
	if (watch.armed && first == CHECKPOINT_LOCK && n == 1 && flags & SQLITE_SHM_EXCLUSIVE &&
	    flags & SQLITE_SHM_LOCK) {
		watch.checkpoints++;
		let(&watch.before_checkpoint);
	}
	return system_lock(file, first, n, flags);
}

static int watch_unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
	if (!page && watch.checkpoints)
		let(&watch.inside_checkpoint);
	return system_unfetch(file, offset, page);
}

static int watch_write(sqlite3_file *file, const void *data, int n, sqlite3_int64 offset)
{
	watch.writes += watch.armed;
	return system_write(file, data, n, offset);
}

static int watch_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	watch.writes += watch.armed;
	return system_truncate(file, size);
}

// The file is the system's own; only its table of methods is another, if it is that of a database.
static int watch_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
		      int *ret_flags)
{
	static sqlite3_io_methods methods;
	sqlite3_vfs *system = vfs->pAppData;
	int r = system->xOpen(system, name, file, flags, ret_flags);

	if (r != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB))
		return r;
	methods = *file->pMethods;
	assert_true(methods.iVersion >= 3);
	system_lock = methods.xShmLock;
	system_write = methods.xWrite;
	system_truncate = methods.xTruncate;
	system_unfetch = methods.xUnfetch;
	methods.xShmLock = watch_lock;
	methods.xWrite = watch_write;
	methods.xTruncate = watch_truncate;
	methods.xUnfetch = watch_unfetch;
	file->pMethods = &methods;
	return r;
}

static int watch_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	sqlite3_vfs *system = vfs->pAppData;

	watch.deletions += watch.armed;
	return system->xDelete(system, name, sync);
}

static int register_watch(void **state)
{
	static sqlite3_vfs vfs;

	(void)state;
	vfs = *sqlite3_vfs_find(NULL);
	vfs.pAppData = sqlite3_vfs_find(NULL);
	vfs.pNext = NULL;
	vfs.zName = "watch";
	vfs.xOpen = watch_open;
	vfs.xDelete = watch_delete;
	return sqlite3_vfs_register(&vfs, 1) == SQLITE_OK ? 0 : -1;
}

static void start_watch(moment *before_checkpoint, moment *inside_checkpoint)
{
	memset(&watch, 0, sizeof(watch));
	watch.before_checkpoint = before_checkpoint;
	watch.inside_checkpoint = inside_checkpoint;
	watch.armed = true;
}

// ---- the database, and the gateway that has it open

static char *directory, *path;
static sqlite3 *gateway;

static void execute(sqlite3 *database, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(database, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
}

static sqlite3 *open_database(void)
{
	sqlite3 *database = NULL;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	return database;
}

static char *query(const char *sql)
{
	_cleanup_database_ sqlite3 *database = open_database();
	sqlite3_stmt *statement = NULL;
	char *text;

	assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	text = xstrdup((const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	return text;
}

static int setup(void **state)
{
	char template[] = "/tmp/test-wal.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(template));
	directory = xstrdup(template);
	path = path_join(directory, "openclaw-agent.sqlite");
	gateway = open_database();
	// As OpenClaw sets it up, but for its own checkpoints: here they are made when it is said.
	execute(gateway,
		"PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
		"CREATE TABLE auth_profile_store (store_key TEXT NOT NULL PRIMARY KEY, store_json "
		"TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT;"
		"CREATE TABLE counter (n INTEGER); INSERT INTO counter VALUES (0);"
		"CREATE TABLE pages (n INTEGER PRIMARY KEY, x);"
		"INSERT INTO auth_profile_store VALUES ('primary', '{\"version\":1,\"profiles\":{"
		"\"xai:default\":{\"type\":\"oauth\",\"provider\":\"xai\",\"access\":"
		"\"FAKE-ACCESS-1\",\"refresh\":\"FAKE-REFRESH-1\",\"expires\":1796073857000}}}', "
		"1);");
	return 0;
}

static int teardown(void **state)
{
	_cleanup_free_ char *command = xasprintf("rm -rf -- '%s'", directory);

	(void)state;
	sqlite3_close(gateway);
	assert_int_equal(system(command), 0);
	free(path);
	free(directory);
	return 0;
}

static void lengthen_log(void)
{
	for (int i = 0; i < 15; i++) // each time all hundred pages
		execute(gateway, "INSERT OR REPLACE INTO pages "
				 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
				 "WHERE i < 100) SELECT i, randomblob(4000) FROM n");
}

static void count_up(void)
{
	execute(gateway, "UPDATE counter SET n = n + 1");
}

static void count_up_and_checkpoint(void)
{
	count_up();
	execute(gateway, "PRAGMA wal_checkpoint");
}

// ---- who acts beside it

static bool may_overwrite(struct fingerprint standing, void *arg)
{
	(void)standing, (void)arg;
	return true;
}

static struct store our_store(void)
{
	return (struct store){
		.format = STORE_OPENCLAW_SQLITE, .role = ROLE_AGENT, .path = path, .target = path};
}

static void our_write(void)
{
	_cleanup_secret_ struct secret access = {}, refresh = {};
	struct store store = our_store();
	struct store_change change = {
		.profile = "xai:default",
		.provider = "xai",
		.access = &access,
		.refresh = &refresh,
		.expires_ms = 1796080000000,
		.may_overwrite = may_overwrite,
	};

	secret_set_string(&access, "FAKE-ACCESS-2");
	secret_set_string(&refresh, "FAKE-REFRESH-2");
	assert_int_equal(openclaw_sqlite_prove(&store), 0);
	assert_int_equal(openclaw_sqlite_write(&store, &change, 1), 0);
	assert_int_equal(change.result, STORE_WRITTEN);
}

// The same write by a connection as SQLite makes it.
static void careless_write(void)
{
	_cleanup_database_ sqlite3 *database = open_database();

	execute(database, "BEGIN IMMEDIATE; UPDATE auth_profile_store SET store_json = "
			  "replace(store_json, '-1\"', '-2\"'); COMMIT");
}

static void careless_checkpoint(void)
{
	_cleanup_database_ sqlite3 *database = open_database();

	execute(database, "SELECT * FROM counter; PRAGMA wal_checkpoint");
}

static bool is_sound(void)
{
	return openclaw_sqlite_is_sound(sqlite3_libversion_number());
}

static void assert_holds(const char *sql, const char *expected)
{
	_cleanup_free_ char *text = query(sql);

	assert_string_equal(text, expected);
}

static void assert_written(void)
{
	assert_holds("SELECT json_extract(store_json, '$.profiles.xai:default.refresh') FROM "
		     "auth_profile_store",
		     "FAKE-REFRESH-2");
}

// `act` is done beside a gateway that counts to three: once, with all then copied, before a checkpoint
// that `act` makes; once, which begins the log anew, inside it; once after it. If it makes none, all
// three come right after it. Then everybody ends.
static void play(moment *act, moment *inside)
{
	lengthen_log();
	start_watch(count_up_and_checkpoint, inside);
	act();
	let(&watch.before_checkpoint);
	let(&watch.inside_checkpoint);
	watch.armed = false;
	count_up();
	sqlite3_close(gateway);
	gateway = NULL;
}

// This shows the bug, and with it that what follows looks at the right moment.
static void test_a_checkpoint_loses_a_commit(void **state)
{
	moment *const careless[] = {careless_write, careless_checkpoint};

	for (size_t i = 0; i < ARRAY_SIZE(careless); i++) {
		play(careless[i], count_up);
		assert_int_equal(watch.checkpoints, 1);
		assert_holds("SELECT n FROM counter", is_sound() ? "3" : "2");
		teardown(state);
		setup(state);
	}
}

static void test_our_write_at_that_moment(void **state)
{
	(void)state;
	play(our_write, count_up);
	assert_holds("SELECT n FROM counter", "3");
	assert_int_equal(watch.checkpoints, 0);
	assert_holds("PRAGMA integrity_check", "ok");
	assert_written();
}

// Who checkpoints decides, not who begins the log anew: beside a gateway whose SQLite is sound (OpenClaw
// 2026.9.6 runs on no other) our write may do so at any moment.
static void test_our_write_inside_a_checkpoint(void **state)
{
	(void)state;
	play(careless_checkpoint, our_write);
	assert_int_equal(watch.checkpoints, 1);
	assert_holds("SELECT n FROM counter", is_sound() ? "2" : "1");
	assert_written();
}

// ---- no checkpoint at all

// A gateway that was killed: its log is long, and nobody has it open.
static void leave_long_log(void)
{
	int status;
	pid_t pid;

	sqlite3_close(gateway);
	gateway = NULL;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		gateway = open_database();
		execute(gateway, "PRAGMA wal_autocheckpoint = 0");
		lengthen_log();
		count_up();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

// Of a file beside the database: its inode, and the text of its first bytes, at most `len`.
static char *describe(const char *suffix, off_t len)
{
	_cleanup_free_ char *command =
		xasprintf("stat -c %%i '%s%s' 2>&1; head -c %lld '%s%s' 2>&1 | sha256sum", path,
			  suffix, (long long)len, path, suffix);
	char text[512] = "";
	FILE *pipe = popen(command, "re");

	assert_non_null(pipe);
	assert_true(fread(text, 1, sizeof(text) - 1, pipe) > 0);
	pclose(pipe);
	return xstrdup(text);
}

static off_t size_of(const char *suffix)
{
	_cleanup_free_ char *name = xasprintf("%s%s", path, suffix);
	struct stat st;

	return stat(name, &st) == 0 ? st.st_size : 0;
}

// The file stays as it is, to the byte; the log keeps all it had and grows; nothing is taken away.
static void test_our_write_copies_nothing_back(void **state)
{
	off_t log;

	(void)state;
	leave_long_log();
	log = size_of("-wal");
	assert_true(log > (off_t)LONG_LOG * 4096);
	_cleanup_free_ char *file = describe("", INT32_MAX), *head = describe("-wal", log),
			    *index = describe("-shm", 0);
	start_watch(NULL, NULL);
	our_write(); // its connections are the only ones: each is the last to close
	watch.armed = false;
	assert_int_equal(watch.checkpoints, 0);
	assert_int_equal(watch.writes, 0);
	assert_int_equal(watch.deletions, 0);
	_cleanup_free_ char *file_now = describe("", INT32_MAX), *head_now = describe("-wal", log),
			    *index_now = describe("-shm", 0);
	assert_string_equal(file, file_now);
	assert_string_equal(head, head_now);
	assert_string_equal(index, index_now);
	assert_true(size_of("-wal") > log);
	assert_written();
	assert_holds("SELECT n FROM counter", "1");
	assert_holds("PRAGMA integrity_check", "ok");
}

// What the one before would see if ours were a connection as SQLite makes it.
static void test_careless_write_copies_back(void **state)
{
	(void)state;
	leave_long_log();
	start_watch(NULL, NULL);
	careless_write();
	watch.armed = false;
	assert_true(watch.checkpoints > 0);
	assert_true(watch.writes > 0);
	assert_true(watch.deletions > 0);
	assert_int_equal(size_of("-wal"), 0);
}

// A database at rest has no log. Ours makes one, and leaves it with what it wrote to whoever comes next.
static void test_our_write_leaves_its_log(void **state)
{
	(void)state;
	sqlite3_close(gateway);
	gateway = NULL;
	assert_int_equal(size_of("-wal"), 0);
	_cleanup_free_ char *file = describe("", INT32_MAX);
	our_write();
	_cleanup_free_ char *file_now = describe("", INT32_MAX);
	assert_string_equal(file, file_now);
	assert_true(size_of("-wal") > 0 && size_of("-shm") > 0);
	assert_int_equal(openclaw_sqlite_agent(directory), SQLITE_HOLDS);
	assert_written();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_checkpoint_loses_a_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_our_write_at_that_moment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_our_write_inside_a_checkpoint, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_our_write_copies_nothing_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_careless_write_copies_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_our_write_leaves_its_log, setup, teardown),
	};

	return cmocka_run_group_tests(tests, register_watch, NULL);
}
