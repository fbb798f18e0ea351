// SPDX-License-Identifier: MIT
//
// One row, one document. Reading looks without a trace (sqlite_look.h). Writing opens the file that is there, begins an
// immediate transaction, reads the row again, has the document edited by compare-and-swap, and updates that one row.
//
// What a writer beside OpenClaw must not do (facts 1.3): change the journal mode, VACUUM, touch -wal or -shm, checkpoint
// with a SQLite that has the WAL-reset bug (before 3.51.3: Debian 12's 3.40.1 has it; tests/unit/test_wal.c provokes it,
// and shows that it is who checkpoints that does the harm). So automatic checkpoints are off, also on close: OpenClaw's
// own connections do them. Tables or columns of another shape than the known one are not
// written, whatever user_version says. (Not done is TRUSTED_SCHEMA off: SQLite 3.40 then calls the schema of 2026.9.6
// malformed, for a CHECK with json_valid() in a table that is none of our business.) Nor is a database waited for that
// others have locked: there may be many, and their writers are waited for together, by whoever calls again.
#include "store/openclaw_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "json/json.h"
#include "json/scan.h"
#include "store/openclaw_config.h"
#include "store/openclaw_profiles.h"
#include "store/sqlite_look.h"
#include "store/sqlite_memory.h"
#include "store/trouble.h"

#define ROOM_LEAST   (4u << 20) // a write-ahead log may grow by some pages for every change
#define STATE_SHARED 15		// user_version of the state database of 2026.8.1 (of 2026.7.1: 1)
#define STATE_FENCES 17		// … of 2026.9.4

struct row {
	const char *table;
	const char *shape;  // compiles only if table and columns are what we know
	const char *select; // the text
	const char *update; // ?1 text, ?2 now in ms
};

static const struct row agent_row = {
	.table = "auth_profile_store",
	.shape = "SELECT store_key, store_json, updated_at FROM auth_profile_store LIMIT 0",
	.select = "SELECT store_json FROM auth_profile_store WHERE store_key = 'primary'",
	.update = "UPDATE auth_profile_store SET store_json = ?1, updated_at = ?2 WHERE store_key "
		  "= 'primary'",
};
static const struct row shared_row = {
	.table = "config_machine_state",
	.shape = "SELECT state_key, value_json, updated_at_ms FROM config_machine_state LIMIT 0",
	.select = "SELECT value_json FROM config_machine_state WHERE state_key = "
		  "'authProfiles.store'",
	.update = "UPDATE config_machine_state SET value_json = ?1, updated_at_ms = ?2 "
		  "WHERE state_key = 'authProfiles.store'",
};

static const struct row *row_of(const struct store *store)
{
	return store->role == ROLE_SHARED ? &shared_row : &agent_row;
}

// The text a statement yields: 0, -ENODATA for no row, -EBADMSG if it is no text, -EFBIG if it is none of a bearable size.
static int read_text(sqlite3 *database, const char *sql, struct secret *ret)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int r;

	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
		return sqlite_errno(database);
	r = sqlite3_step(statement);
	if (r == SQLITE_DONE)
		return -ENODATA;
	if (r != SQLITE_ROW)
		return sqlite_errno(database);
	if (sqlite3_column_type(statement, 0) != SQLITE_TEXT)
		return -EBADMSG;
	if (sqlite3_column_bytes(statement, 0) > (int)STORE_TEXT_MAX)
		return -EFBIG;
	secret_set(ret, (const char *)sqlite3_column_text(statement, 0),
		   (size_t)sqlite3_column_bytes(statement, 0));
	return 0;
}

static bool has_shape(sqlite3 *database, const struct row *row)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;

	return sqlite3_prepare_v2(database, row->shape, -1, &statement, NULL) == SQLITE_OK;
}

// ---- which store is the truth

// What cannot be judged for good is a verdict; what may pass is an error, and looked at again.
static int judge(sqlite3 *database, const struct row *row, enum sqlite_verdict *ret)
{
	_cleanup_secret_ struct secret text = {};
	int r = sqlite_has_table(database, row->table);

	if (r < 0)
		return r;
	*ret = SQLITE_ABSENT;
	if (r == 0)
		return 0;
	*ret = SQLITE_UNREADABLE;
	if (!has_shape(database, row))
		return 0;
	r = read_text(database, row->select, &text);
	if (r < 0 && r != -ENODATA && r != -EBADMSG && r != -EFBIG)
		return r;
	if (r == 0 || r == -ENODATA)
		*ret = r == 0 ? SQLITE_HOLDS : SQLITE_VACANT;
	return 0;
}

static int judge_agent(sqlite3 *database, void *arg)
{
	return judge(database, &agent_row, arg);
}

enum sqlite_verdict openclaw_sqlite_agent(const char *agent_directory)
{
	_cleanup_free_ char *path = path_join(agent_directory, "openclaw-agent.sqlite");
	enum sqlite_verdict verdict = SQLITE_UNREADABLE;
	int r = sqlite_look(path, judge_agent, &verdict);

	return r == -ENOENT ? SQLITE_ABSENT : r < 0 ? SQLITE_UNREADABLE : verdict;
}

// {"location":"state-db"} or "legacy-main"; absent is legacy-main, anything else an error to OpenClaw, too.
static int read_location(sqlite3 *database, bool *ret_state_db)
{
	_cleanup_secret_ struct secret text = {};
	_cleanup_json_ cJSON *json = NULL;
	const char *location;
	int r = read_text(
		database,
		"SELECT value_json FROM config_machine_state WHERE state_key = 'auth.sharedStore'",
		&text);

	*ret_state_db = false;
	if (r == -ENODATA)
		return 0;
	if (r < 0)
		return r;
	json = json_parse(text.text, text.len);
	location = json_text(json, "location");
	*ret_state_db = string_equal(location, "state-db");
	return *ret_state_db || string_equal(location, "legacy-main") ? 0 : -EBADMSG;
}

struct surveyor {
	const char *state_directory;
	struct sqlite_survey *survey;
};

void sqlite_survey_free(struct sqlite_survey *survey)
{
	for (size_t i = 0; i < survey->n_agents; i++) {
		free(survey->agents[i].id);
		free(survey->agents[i].directory);
	}
	free(survey->agents);
	*survey = (struct sqlite_survey){};
}

// Paths are relative to the state directory, or absolute. A registry of another shape registers nothing for us.
static int list_agents(sqlite3 *database, const struct surveyor *surveyor)
{
	static const char list[] = "SELECT agent_id, path FROM agent_databases";
	struct sqlite_survey *survey = surveyor->survey;
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int r = sqlite_has_table(database, "agent_databases");

	if (r <= 0)
		return r;
	if (sqlite3_prepare_v2(database, list, -1, &statement, NULL) != SQLITE_OK)
		return sqlite3_errcode(database) == SQLITE_ERROR ? 0 : sqlite_errno(database);
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *id = (const char *)sqlite3_column_text(statement, 0);
		const char *path = (const char *)sqlite3_column_text(statement, 1);
		struct sqlite_agent *agent;

		if (survey->n_agents == AGENTS_MAX)
			return -EBADMSG;
		if (string_empty(id) || string_empty(path) ||
		    !string_equal(path_basename(path), "openclaw-agent.sqlite"))
			continue;
		_cleanup_free_ char *full =
			path[0] == '/' ? xstrdup(path) : path_join(surveyor->state_directory, path);
		agent = array_add(&survey->agents, &survey->n_agents);
		agent->id = xstrdup(id);
		agent->directory = path_dirname(full);
	}
	return r == SQLITE_DONE ? 0 : sqlite_errno(database);
}

// 2026.7 makes a table of its own for a shared store, and no release ever used it: not to be guessed at.
static bool has_unreleased_shared_store(sqlite3 *database)
{
	_cleanup_secret_ struct secret text = {};

	return sqlite_has_table(database, "auth_profile_stores") == 1 &&
	       read_text(database,
			 "SELECT store_key FROM auth_profile_stores WHERE store_key = 'shared'",
			 &text) != -ENODATA;
}

static int user_version(sqlite3 *database)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(database, "PRAGMA user_version", -1, &statement, NULL) !=
		    SQLITE_OK ||
	    sqlite3_step(statement) != SQLITE_ROW)
		return 0;
	return sqlite3_column_int(statement, 0);
}

// A release that keeps the main profiles here has the table from the start. Without it they have gone where we do not
// know, and what agents/main still holds may be long spent.
static int judge_shared(sqlite3 *database, enum sqlite_verdict *ret)
{
	bool state_db = true;
	int r = judge(database, &shared_row, ret);

	if (r >= 0 && *ret == SQLITE_ABSENT && user_version(database) >= STATE_SHARED)
		*ret = SQLITE_UNREADABLE;
	if (r >= 0 && (*ret == SQLITE_HOLDS || *ret == SQLITE_VACANT))
		r = read_location(database, &state_db);
	if (r < 0 && r != -EBADMSG)
		return r;
	if (r == -EBADMSG || has_unreleased_shared_store(database))
		*ret = SQLITE_UNREADABLE;
	else if (!state_db)
		*ret = SQLITE_ABSENT; // a row that nobody reads
	return 0;
}

static int survey_state(sqlite3 *database, void *arg)
{
	struct surveyor *surveyor = arg;
	struct sqlite_survey *survey = surveyor->survey;
	int r;

	sqlite_survey_free(survey);
	r = judge_shared(database, &survey->shared);
	if (r < 0)
		return r;
	survey->json_is_dead = sqlite_has_table(database, shared_row.table) != 0 ||
			       user_version(database) >= STATE_SHARED;
	survey->fences = user_version(database) >= STATE_FENCES;
	return list_agents(database, surveyor);
}

void openclaw_sqlite_survey(const char *state_directory, struct sqlite_survey *ret)
{
	_cleanup_free_ char *path = path_join(state_directory, "state/openclaw.sqlite");
	struct sqlite_survey survey = {};
	struct surveyor surveyor = {state_directory, &survey};
	int r = sqlite_look(path, survey_state, &surveyor);

	if (r < 0) {
		sqlite_survey_free(&survey);
		survey.shared = r == -ENOENT ? SQLITE_ABSENT : SQLITE_UNREADABLE;
		survey.json_is_dead = r != -ENOENT;
	}
	*ret = survey;
}

bool openclaw_sqlite_is_sound(int version)
{
	int branch = version / 1000;

	return version >= 3051003 || (branch == 3050 && version >= 3050007) ||
	       (branch == 3044 && version >= 3044006);
}

// ---- reading

struct reader {
	const struct row *row;
	struct secret text;
};

static int read_row(sqlite3 *database, void *arg)
{
	struct reader *reader = arg;
	int r = sqlite_has_table(database, reader->row->table);

	if (r < 0)
		return r;
	return has_shape(database, reader->row)
		       ? read_text(database, reader->row->select, &reader->text)
		       : -EPROTO;
}

static bool is_main_elsewhere(sqlite3 *database)
{
	bool state_db;

	return has_unreleased_shared_store(database) || read_location(database, &state_db) < 0 ||
	       !state_db;
}

static int read_shared_row(sqlite3 *database, void *arg)
{
	int r = read_row(database, arg);

	return r >= 0 && is_main_elsewhere(database) ? -EPROTO : r;
}

static void say_unreadable(struct store *store, struct problems *problems, int error)
{
	static const struct {
		int error;
		const char *code, *what, *fix;
	} words[] = {
		{EPROTO, "store_wrong_shape",
		 "this version does not know the layout of its tables, so it is neither read nor "
		 "written",
		 "upgrade oauth-keepalive; OpenClaw itself is not affected"},
		{EBADMSG, "store_unreadable",
		 "it is not an intact SQLite database, or its row is not text",
		 "let OpenClaw look at it: openclaw doctor --lint"},
		{EROFS, "store_unreadable",
		 "a log was left behind in it that cannot be read without changing something",
		 "run `openclaw models auth list`: it settles the log"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (error != -words[i].error)
			continue;
		_cleanup_free_ char *shown = string_printable(store->path, 1024);
		store->state = STORE_UNREADABLE;
		problem_add(problems, SEVERITY_ERROR, words[i].code, store->path, NULL,
			    xasprintf("%s: %s", shown, words[i].what), xstrdup(words[i].fix))
			->needs_person = true;
		return;
	}
	store_give_up_error(store, problems, error);
}

static void say_busy(struct store *store, struct problems *problems)
{
	_cleanup_free_ char *shown = string_printable(store->path, 1024),
			    *word = shell_quoted(store->path);

	store->state = STORE_BUSY;
	problem_add(problems, SEVERITY_WARNING, "store_busy", store->path, NULL,
		    xasprintf("%s: another process has locked it, so it cannot be read", shown),
		    xasprintf("fuser -v %s # if it stays so, see who has it open", word))
		->passes = true;
}

void openclaw_sqlite_read(struct store *store, const struct config *config,
			  struct problems *problems)
{
	struct reader reader = {.row = row_of(store)};
	int r = sqlite_look(store->target, store->role == ROLE_SHARED ? read_shared_row : read_row,
			    &reader);

	if (r == -ENOENT || r == -ENODATA)
		store->state = STORE_MISSING;
	else if (r == -EBUSY)
		say_busy(store, problems);
	else if (r < 0)
		say_unreadable(store, problems, r);
	else
		openclaw_profiles_read(store, &reader.text, config, problems);
	secret_free(&reader.text);
}

// ---- writing

// Another process may have put another file in this one's place (doctor, a restore): then what we hold is nobody's, and
// our log, committed, would be taken for the other file's.
static bool is_still_open_file(sqlite3 *database, const char *path)
{
	struct stat standing;
	int has_moved = 1;

	return sqlite3_file_control(database, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved) ==
		       SQLITE_OK &&
	       !has_moved && stat(path, &standing) == 0;
}

static int run(sqlite3 *database, const char *sql)
{
	return sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
									  : sqlite_errno(database);
}

static int open_for_writing(const struct store *store, const char *begin, sqlite3 **ret)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOFOLLOW;
	sqlite3 *database = NULL;
	int r = 0;

	sqlite_wipe_freed();
	if (sqlite3_open_v2(store->target, &database, flags, NULL) != SQLITE_OK)
		r = database ? sqlite_errno(database) : -ENOMEM;
	if (r >= 0 && sqlite3_db_readonly(database, "main") != 0)
		r = -EROFS;
	if (r >= 0) {
		sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		// The one row changes, and nothing that a schema would hang on to it.
		sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
		sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
		// EXTRA is FULL, and without a log makes the journal's removal durable, too.
		r = run(database, "PRAGMA synchronous = EXTRA; PRAGMA wal_autocheckpoint = 0");
	}
	if (r >= 0)
		r = run(database, begin);
	if (r >= 0 && !has_shape(database, row_of(store)))
		r = -EPROTO;
	if (r < 0) {
		sqlite3_close(database);
		return r;
	}
	*ret = database;
	return 0;
}

static int update_row(sqlite3 *database, const struct row *row, const struct secret *text)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(database, row->update, -1, &statement, NULL) != SQLITE_OK)
		return sqlite3_errcode(database) == SQLITE_ERROR ? -EPROTO : sqlite_errno(database);
	sqlite3_bind_text(statement, 1, text->text, (int)text->len, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, clock_wall_ms());
	if (sqlite3_step(statement) != SQLITE_DONE)
		return sqlite_errno(database);
	return sqlite3_changes(database) == 1 ? 0 : -ESTALE;
}

// Everything but the COMMIT: what a later release's schema has to say about an UPDATE is found out here, and in a database
// without a log a reader that would hinder the COMMIT hinders the EXCLUSIVE.
int openclaw_sqlite_stage(const struct store *store, struct atomic_stage *ret)
{
	_cleanup_database_ sqlite3 *database = NULL;
	_cleanup_secret_ struct secret text = {};
	struct statvfs room;
	int r;

	(void)ret; // nothing of it is kept
	if (statvfs(store->target, &room) < 0)
		return -errno;
	r = open_for_writing(store, "BEGIN EXCLUSIVE", &database);
	if (r < 0)
		return r;
	r = read_text(database, row_of(store)->select, &text);
	if (r >= 0 && (uint64_t)room.f_bavail * room.f_frsize < ROOM_LEAST + 2 * text.len)
		r = -ENOSPC;
	if (r >= 0)
		r = update_row(database, row_of(store), &text);
	run(database, "ROLLBACK");
	return r == -ESTALE ? -EPROTO : r; // more rows of that key than one
}

static int swap_row(sqlite3 *database, const struct store *store, struct store_change *changes,
		    size_t n)
{
	_cleanup_secret_ struct secret text = {}, result = {};
	int r = read_text(database, row_of(store)->select, &text);

	if (r >= 0)
		r = openclaw_profiles_edit(&text, changes, n, &result);
	if (r >= 0 && result.text)
		r = update_row(database, row_of(store), &result);
	if (r < 0 || !result.text) {
		run(database, "ROLLBACK");
		return r == -ENODATA ? -ESTALE : r;
	}
	r = is_still_open_file(database, store->target) ? run(database, "COMMIT") : -ESTALE;
	if (r < 0)
		run(database, "ROLLBACK");
	return r;
}

int openclaw_sqlite_write(const struct store *store, struct store_change *changes, size_t n,
			  struct atomic_stage *stage)
{
	_cleanup_database_ sqlite3 *database = NULL;
	int r = open_for_writing(store, "BEGIN IMMEDIATE", &database);

	(void)stage;
	if (r >= 0)
		r = swap_row(database, store, changes, n);
	if (r >= 0 && !is_still_open_file(database, store->target))
		r = -ESTALE; // written into a file that nobody will read: again, into the one that stands there
	return r;
}
