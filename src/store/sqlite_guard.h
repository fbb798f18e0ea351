// SPDX-License-Identifier: MIT
//
// Has SQLite taken the place of the JSON stores? (facts: openclaw-sqlite-store.md 1)
// From 2026.6.5 an agent directory's openclaw-agent.sqlite with a row in auth_profile_store is the truth, from
// 2026.8.1 the state directory's state/openclaw.sqlite with `authProfiles.store`; the JSON beside them is dead,
// and spending a token found there would burn the one that is alive.
#ifndef STORE_SQLITE_GUARD_H
#define STORE_SQLITE_GUARD_H

#include "base/util.h"

enum sqlite_verdict {
	SQLITE_ABSENT,     // no such database, or no credentials in it
	SQLITE_HOLDS,      // it holds the credentials
	SQLITE_UNREADABLE, // it is there and cannot be judged: to be treated as if it held them
};
// Read-only, and creates nothing: a WAL database without its -wal file is opened immutable, and looked at again
// if it changed meanwhile.
enum sqlite_verdict sqlite_guard_agent(const char *agent_directory);
enum sqlite_verdict sqlite_guard_state(const char *state_directory);

#endif
