// SPDX-License-Identifier: MIT
//
// What may a connection with this SQLite do beside OpenClaw's? SQLite before 3.51.3 (Debian 12 has 3.40.1) has the
// WAL-reset bug (sqlite.org/wal.html): a checkpoint that goes on while another connection restarts the log marks pages as
// copied that are not, and they are lost. So:
//  - the bug is provoked, by letting a writer in at the one moment that matters (as SQLite's walrestart.test does): a
//    library that is said to be sound must not lose anything, and one that is said not to be must lose something, or the
//    provocation misses its moment and proves nothing;
//  - our write is broken into at each of its steps in turn by a writer that also checkpoints and restarts the log: it must
//    not lose anything, sound or not, because it never checkpoints itself;
//  - and what our write calls written has been synced, into the file that has the name.
// A VFS in front of the system's gives the steps.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/secret.h"
#include "store/openclaw_sqlite.h"

#define PROFILES(token)                                                                            \
	"{\"version\":1,\"profiles\":{\"xai:default\":{\"type\":\"oauth\",\"provider\":\"xai\","   \
	"\"access\":\"FAKE-ACCESS\",\"refresh\":\"" token "\",\"expires\":1}}}"

static char *directory, *path;

static int setup(void **state)
{
	char template[] = "/tmp/oauth-keepalive-wal.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(template));
	directory = xstrdup(template);
	path = path_join(directory, "openclaw-agent.sqlite");
	return 0;
}

static void remove_database(void)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_free_ char *file = xasprintf("%s%s", path, suffixes[i]);
		unlink(file);
	}
}

static int teardown(void **state)
{
	(void)state;
	remove_database();
	assert_int_equal(rmdir(directory), 0);
	free(TAKE_PTR(path));
	free(TAKE_PTR(directory));
	return 0;
}

// ---- steps: the calls of the connections opened while `armed`

enum { DATABASE, LOG }; // the kinds of file, each with its own methods
static const sqlite3_io_methods *system_methods[2];
static sqlite3_io_methods stepping_methods[2];
static bool armed;
static int step, step_at; // the step before which the intruder comes
static void (*intruder)(void);

#define CHECKPOINT_LOCK                                                                            \
	1 // of the log's shared memory; alone, it is a checkpoint's (sqlite.org/walformat.html)
static int checkpoints;
static int unsynced[2];		  // writes to the kind's file that no sync has followed
static void (*at_sync)(void);	  // comes once, at the next sync
static int removed, removed_sync; // files; those of them whose directory was to be synced, too

static void take_step(void)
{
	if (!armed || ++step != step_at)
		return;
	armed = false;
	intruder();
	armed = true;
}

static int kind_of(const sqlite3_file *file)
{
	return file->pMethods == &stepping_methods[LOG] ? LOG : DATABASE;
}

static const sqlite3_io_methods *system_of(const sqlite3_file *file)
{
	return system_methods[kind_of(file)];
}

static int step_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
	take_step();
	return system_of(file)->xRead(file, to, n, at);
}

static int step_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
	take_step();
	unsynced[kind_of(file)]++;
	return system_of(file)->xWrite(file, from, n, at);
}

static int step_sync(sqlite3_file *file, int flags)
{
	void (*come)(void) = armed ? TAKE_PTR(at_sync) : NULL;

	take_step();
	if (come)
		come();
	unsynced[kind_of(file)] = 0;
	return system_of(file)->xSync(file, flags);
}

static int step_lock(sqlite3_file *file, int lock)
{
	take_step();
	return system_of(file)->xLock(file, lock);
}

static int step_unlock(sqlite3_file *file, int lock)
{
	take_step();
	return system_of(file)->xUnlock(file, lock);
}

static int step_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
	if (armed && at == CHECKPOINT_LOCK && n == 1 && (flags & SQLITE_SHM_EXCLUSIVE))
		checkpoints++;
	take_step();
	return system_of(file)->xShmLock(file, at, n, flags);
}

static void step_shm_barrier(sqlite3_file *file)
{
	take_step();
	system_of(file)->xShmBarrier(file);
}

// Called within a checkpoint after it has read the log's header, and before it looks how much is copied already.
static int step_unfetch(sqlite3_file *file, sqlite3_int64 at, void *page)
{
	take_step();
	return system_of(file)->xUnfetch(file, at, page);
}

static void make_stepping(sqlite3_file *file, int kind)
{
	sqlite3_io_methods *methods = &stepping_methods[kind];

	if (!system_methods[kind]) {
		system_methods[kind] = file->pMethods;
		*methods = *file->pMethods;
		methods->xRead = step_read;
		methods->xWrite = step_write;
		methods->xSync = step_sync;
		methods->xLock = step_lock;
		methods->xUnlock = step_unlock;
		methods->xShmLock = step_shm_lock;
		methods->xShmBarrier = step_shm_barrier;
		methods->xUnfetch = step_unfetch;
	}
	assert_ptr_equal(system_methods[kind], file->pMethods);
	file->pMethods = methods;
}

static int open_stepping(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
			 int *ret_flags)
{
	sqlite3_vfs *system = vfs->pAppData;
	int r = system->xOpen(system, name, file, flags, ret_flags);

	if (r == SQLITE_OK && armed && (flags & SQLITE_OPEN_MAIN_DB))
		make_stepping(file, DATABASE);
	else if (r == SQLITE_OK && armed && (flags & SQLITE_OPEN_WAL))
		make_stepping(file, LOG);
	return r;
}

static int delete_counted(sqlite3_vfs *vfs, const char *name, int sync)
{
	sqlite3_vfs *system = vfs->pAppData;

	if (armed) {
		removed++;
		removed_sync += sync != 0;
	}
	return system->xDelete(system, name, sync);
}

// Who waits for what the interrupted one holds waits in vain.
static int sleep_never(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int register_stepping(void **state)
{
	static sqlite3_vfs vfs;
	sqlite3_vfs *system = sqlite3_vfs_find(NULL);

	(void)state;
	vfs = *system;
	vfs.pNext = NULL;
	vfs.zName = "stepping";
	vfs.pAppData = system;
	vfs.xOpen = open_stepping;
	vfs.xDelete = delete_counted;
	vfs.xSleep = sleep_never;
	return sqlite3_vfs_register(&vfs, true) == SQLITE_OK ? 0 : -1;
}

// ---- the others

static sqlite3 *others;
static int commits; // of theirs, that SQLite said are done

static sqlite3 *open_database(void)
{
	sqlite3 *database;

	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, "PRAGMA wal_autocheckpoint = 0", NULL, NULL, NULL),
			 SQLITE_OK);
	return database;
}

static void commit_usage(int times)
{
	for (int i = 0; i < times; i++)
		commits += sqlite3_exec(others,
					"UPDATE auth_profile_state SET updated_at = updated_at + 1",
					NULL, NULL, NULL) == SQLITE_OK;
}

static void checkpoint(sqlite3 *database)
{
	sqlite3_wal_checkpoint_v2(database, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

static void make_database(const char *journal_mode)
{
	_cleanup_free_ char *pragma = xasprintf("PRAGMA journal_mode = %s", journal_mode);

	remove_database();
	commits = 0;
	others = open_database();
	assert_int_equal(sqlite3_exec(others, pragma, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(
			others,
			"CREATE TABLE auth_profile_store (store_key TEXT NOT NULL PRIMARY KEY, "
			"store_json TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT;"
			"CREATE TABLE auth_profile_state (state_key TEXT NOT NULL PRIMARY KEY, "
			"state_json TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT;"
			"INSERT INTO auth_profile_state VALUES ('primary', '{}', 0);"
			"INSERT INTO auth_profile_store VALUES ('primary', '" PROFILES(
				"FAKE-REFRESH-1") "', 1)",
			NULL, NULL, NULL),
		SQLITE_OK);
}

static char *query(const char *sql)
{
	sqlite3 *database = open_database();
	sqlite3_stmt *statement;

	assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	char *text = xstrdup((const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	sqlite3_close(database);
	return text;
}

static int usage_seen(void)
{
	_cleanup_free_ char *text = query("SELECT updated_at FROM auth_profile_state");

	return atoi(text);
}

// ---- the bug

static void restart_log(void)
{
	commit_usage(1);
}

// All of the log is copied; a checkpoint reads its header; the log is restarted; the checkpoint goes on.
static void test_reset_during_checkpoint(void **state)
{
	const int frames = 6;
	int lost = 0;

	(void)state;
	// Which of its steps is the moment depends on the version: one of them is, or none.
	for (step_at = 1; step_at <= 40; step_at++) {
		make_database("WAL");
		checkpoint(others);
		armed = true, step = INT16_MIN;
		sqlite3 *checkpointing = open_database();
		assert_int_equal(sqlite3_exec(checkpointing, "SELECT * FROM auth_profile_state",
					      NULL, NULL, NULL),
				 SQLITE_OK);
		armed = false;
		commit_usage(frames); // the first of them restarts the log
		checkpoint(others);
		intruder = restart_log;
		armed = true, step = 0;
		checkpoint(checkpointing);
		armed = false;
		commit_usage(frames - 1);
		if (usage_seen() != commits)
			lost++;
		sqlite3_close(checkpointing);
		sqlite3_close(others);
	}
	assert_true(checkpoints > 0); // the lock is seen
	print_message("SQLite %s: %s\n", sqlite3_libversion(),
		      lost ? "a checkpoint may lose what others commit" : "nothing is lost");
	if (openclaw_sqlite_is_sound(sqlite3_libversion_number()))
		assert_int_equal(lost, 0);
	else
		assert_true(lost > 0);
}

// ---- what we do

static void write_and_restart(void)
{
	commit_usage(2);
	checkpoint(others);
	commit_usage(1);
}

static bool is_first(struct fingerprint standing, void *arg)
{
	(void)arg;
	return fingerprint_equal(standing, fingerprint_of_bytes("FAKE-REFRESH-1", 14));
}

static int try_to_write_ours(enum store_result *ret_result)
{
	_cleanup_secret_ struct secret access = {}, refresh = {};
	struct store store = {
		.format = STORE_OPENCLAW_SQLITE, .role = ROLE_AGENT, .path = path, .target = path};
	struct store_change change = {.profile = "xai:default",
				      .provider = "xai",
				      .access = &access,
				      .refresh = &refresh,
				      .expires_ms = 4102444800000,
				      .may_overwrite = is_first};
	int r;

	secret_set_string(&access, "FAKE-ACCESS-2");
	secret_set_string(&refresh, "FAKE-REFRESH-2");
	// Who comes in between makes it busy, and the next round tries again.
	while ((r = openclaw_sqlite_stage(&store, NULL)) == -EBUSY)
		;
	assert_int_equal(r, 0);
	while ((r = openclaw_sqlite_write(&store, &change, 1, NULL)) == -EBUSY)
		;
	*ret_result = change.result;
	return r;
}

static void write_ours(void)
{
	enum store_result result;

	assert_int_equal(try_to_write_ours(&result), 0);
	assert_int_equal(result, STORE_WRITTEN);
}

#define REFRESH                                                                                    \
	"SELECT json_extract(store_json, '$.profiles.\"xai:default\".refresh') "                   \
	"FROM auth_profile_store"

static void test_intruder_at_every_step_of_ours(void **state)
{
	int intruded = 0;

	(void)state;
	intruder = write_and_restart;
	checkpoints = 0;
	for (step_at = 1, step = step_at; step >= step_at; step_at++) {
		make_database("WAL");
		commit_usage(3);
		checkpoint(others);
		int before = commits;
		armed = true, step = 0;
		write_ours();
		armed = false;
		intruded += commits - before;
		_cleanup_free_ char *token = query(REFRESH);
		assert_string_equal(token, "FAKE-REFRESH-2");
		// A log that is taken for copied further than it is loses what comes next, when it is as long.
		for (int i = 0; i < 8; i++) {
			commit_usage(1);
			assert_int_equal(usage_seen(), commits);
		}
		checkpoint(others);
		assert_int_equal(usage_seen(), commits);
		_cleanup_free_ char *again = query(REFRESH);
		assert_string_equal(again, "FAKE-REFRESH-2");
		_cleanup_free_ char *sound = query("PRAGMA integrity_check");
		assert_string_equal(sound, "ok");
		sqlite3_close(others);
	}
	assert_int_equal(checkpoints, 0);
	print_message("%d steps, %d commits between them\n", step_at, intruded);
	assert_true(step_at > 30);
	assert_true(intruded > step_at); // most of the time they get in
}

static const char *const journal_modes[] = {"WAL", "DELETE"};

// A login is saved when it outlives a power failure: nothing we wrote is unsynced, and with no log the journal that would
// undo it is gone for good. (With NORMAL a commit to the log is not synced, and FULL leaves the journal's removal open.)
static void test_saved_is_synced(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(journal_modes); i++) {
		make_database(journal_modes[i]);
		sqlite3_close(others);
		unsynced[DATABASE] = unsynced[LOG] = removed = removed_sync = 0;
		armed = true, step = INT16_MIN;
		write_ours();
		armed = false;
		assert_int_equal(unsynced[DATABASE], 0);
		assert_int_equal(unsynced[LOG], 0);
		assert_int_equal(removed_sync, removed);
		assert_true(i == 0 || removed > 0);
	}
}

// A restore puts another file there, with nothing of ours beside it.
static void restore_another(void)
{
	_cleanup_free_ char *other = xasprintf("%s.restored", path);

	remove_database();
	assert_int_equal(rename(other, path), 0);
}

// The file is replaced in the middle of our COMMIT, when the last look at the name is long done: SQLite says written, and
// it is, into a file that nobody will read. That must not count as saved, and the next try must find the one that is there.
static void test_replaced_within_commit(void **state)
{
	_cleanup_free_ char *other = xasprintf("%s.restored", path);
	enum store_result result;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(journal_modes); i++) {
		make_database(journal_modes[i]);
		sqlite3_close(others);
		assert_int_equal(rename(path, other), 0);
		make_database(journal_modes[i]);
		sqlite3_close(others);
		at_sync = restore_another;
		armed = true, step = INT16_MIN;
		assert_int_equal(try_to_write_ours(&result), -ESTALE);
		armed = false;
		assert_null(at_sync); // it came
		_cleanup_free_ char *old = query(REFRESH);
		assert_string_equal(old, "FAKE-REFRESH-1");
		write_ours();
		_cleanup_free_ char *new = query(REFRESH);
		assert_string_equal(new, "FAKE-REFRESH-2");
		_cleanup_free_ char *sound = query("PRAGMA integrity_check");
		assert_string_equal(sound, "ok");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reset_during_checkpoint, setup, teardown),
		cmocka_unit_test_setup_teardown(test_intruder_at_every_step_of_ours, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_saved_is_synced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replaced_within_commit, setup, teardown),
	};

	return cmocka_run_group_tests_name("wal", tests, register_stepping, NULL);
}
