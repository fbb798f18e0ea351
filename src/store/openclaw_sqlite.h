// SPDX-License-Identifier: MIT
//
// The openclaw-sqlite format: OpenClaw's databases from 2026.6.5 on (facts: openclaw-sqlite-store.md).
//
// Which store is the truth is one question with one answer, openclaw_sqlite_survey: it looks at the state database and
// at an agent's, and says what each holds. JSON beside a database that holds credentials is dead.
#ifndef STORE_OPENCLAW_SQLITE_H
#define STORE_OPENCLAW_SQLITE_H

#include "store/store.h"

enum sqlite_verdict {
	SQLITE_ABSENT,     // no such database, or no credentials in it
	SQLITE_HOLDS,      // it holds credentials, in the shape we know
	SQLITE_UNREADABLE, // it is there and cannot be judged, or has another shape: as if it held them, and not to be written
};

// An agent directory's openclaw-agent.sqlite: a row in auth_profile_store.
enum sqlite_verdict openclaw_sqlite_agent(const char *agent_directory);
// The state directory's state/openclaw.sqlite: `authProfiles.store` in config_machine_state. The shared store is where
// OpenClaw's main profiles are if `auth.sharedStore` says {"location":"state-db"}; with legacy-main, or without that
// row, they are in agents/main. Also the directories of `agent_databases`, absolute, to be freed each and the list.
struct sqlite_survey {
	enum sqlite_verdict verdict;
	char **agent_directories;
	size_t n_agent_directories;
};
void openclaw_sqlite_survey(const char *state_directory, struct sqlite_survey *ret);
void sqlite_survey_free(struct sqlite_survey *survey);

// What store.c calls for a store of this format. The row is the shared one for ROLE_SHARED, else an agent's.
void openclaw_sqlite_read(struct store *store, const struct config *config, struct problems *problems);
// Is the row writable now? BEGIN IMMEDIATE, ROLLBACK; and there is room for it.
int openclaw_sqlite_prove(const struct store *store);
int openclaw_sqlite_write(const struct store *store, struct store_change *changes, size_t n);

#endif
