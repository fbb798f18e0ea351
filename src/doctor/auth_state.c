// SPDX-License-Identifier: MIT
//
// auth-state.json of an agent, or a row of its database, also where its logins are in the shared one (facts: openclaw-json-store.md 3,
// openclaw-sqlite-store.md 1). Looked at without a trace.
#include "doctor/openclaw.h"

#include <errno.h>
#include <fcntl.h>

#include "store/sqlite_look.h"

#define STATE_MAX (8u << 20)

struct row {
	const char *sql;
	cJSON *document;
};

static int read_row(sqlite3 *database, void *arg)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	struct row *row = arg;

	cJSON_Delete(row->document);
	row->document = NULL;
	if (sqlite3_prepare_v2(database, row->sql, -1, &statement, NULL) != SQLITE_OK)
		return 0; // a database without that table
	if (sqlite3_step(statement) == SQLITE_ROW &&
	    sqlite3_column_type(statement, 0) == SQLITE_TEXT)
		row->document = json_parse_foreign((const char *)sqlite3_column_text(statement, 0),
						   (size_t)sqlite3_column_bytes(statement, 0));
	return 0;
}

static cJSON *read_database(const char *path, const char *sql)
{
	struct row row = {.sql = sql};

	if (sqlite_look(path, read_row, &row) < 0) {
		cJSON_Delete(row.document);
		return NULL;
	}
	return row.document;
}

cJSON *auth_state_shared(const char *database)
{
	return read_database(database, "SELECT value_json FROM config_machine_state "
				       "WHERE state_key = 'authProfiles.state'");
}

static cJSON *read_file(const char *directory)
{
	_cleanup_free_ char *path = path_join(directory, "auth-state.json");
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_secret_ struct secret text = {0};

	if (fd < 0 || secret_read(fd, STATE_MAX, &text) < 0)
		return NULL;
	return json_parse_foreign(text.text, text.len);
}

cJSON *auth_state_of_agent(const char *directory)
{
	_cleanup_free_ char *path = path_join(directory, "openclaw-agent.sqlite");
	cJSON *state = read_database(
		path, "SELECT state_json FROM auth_profile_state WHERE state_key = 'primary'");

	return state ? state : read_file(directory);
}
