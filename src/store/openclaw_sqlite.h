// SPDX-License-Identifier: MIT
//
// The openclaw-sqlite format: OpenClaw's databases from 2026.6.5 on (facts: openclaw-sqlite-store.md).
//
// Which store is the truth is one question with one answer, openclaw_sqlite_survey: it looks at the state database, and
// with openclaw_sqlite_agent at an agent's, and says what each holds. JSON beside a database of these is dead.
#ifndef STORE_OPENCLAW_SQLITE_H
#define STORE_OPENCLAW_SQLITE_H

#include "store/store.h"

enum sqlite_verdict {
	SQLITE_ABSENT,     // no such database, or one in which no OpenClaw keeps credentials
	SQLITE_VACANT,      // an OpenClaw that keeps credentials here made it, and there are none (yet): it ignores the JSON
	SQLITE_HOLDS,      // it holds credentials, in the shape we know
	SQLITE_UNREADABLE, // it is there and cannot be judged, or has another shape: as if it held them, and not to be written
};

// An agent directory's openclaw-agent.sqlite: a row in auth_profile_store.
enum sqlite_verdict openclaw_sqlite_agent(const char *agent_directory);

// The state directory's state/openclaw.sqlite. The main profiles are its row `authProfiles.store` if `auth.sharedStore`
// says {"location":"state-db"}; with legacy-main, or without that row, they are in agents/main's database, or still in
// its JSON, and the verdict is SQLITE_ABSENT.
struct sqlite_survey {
	enum sqlite_verdict shared;
	bool json_is_dead; // it is of 2026.8.1 or later, which never reads JSON, in no agent
	bool fences;       // it is of 2026.9.4 or later: a refresh of its own that fails loses the login
	struct sqlite_agent {
		char *id, *directory; // of `agent_databases`; the directory is absolute
	} *agents;
	size_t n_agents;
};
void openclaw_sqlite_survey(const char *state_directory, struct sqlite_survey *ret);
void sqlite_survey_free(struct sqlite_survey *survey);

// Is this SQLite (sqlite3_libversion_number()) free of the WAL-reset bug? (sqlite.org/wal.html; OpenClaw asks the same.)
bool openclaw_sqlite_is_sound(int version);

// Its row of the table (store/format.h). The database's row is the shared one for ROLE_SHARED, else an agent's.
void openclaw_sqlite_read(struct store *store, const struct config *config, struct problems *problems);
// Is the row writable now? Everything that a write does but the COMMIT; and there is room for it. -EPROTO: not by us.
int openclaw_sqlite_stage(const struct store *store, struct atomic_stage *ret);
int openclaw_sqlite_write(const struct store *store, struct store_change *changes, size_t n, struct atomic_stage *stage);

#endif
