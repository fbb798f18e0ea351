// SPDX-License-Identifier: MIT
//
// Look into a SQLite database that others have open, read-only, creating nothing: no -wal, no -shm, no journal. A WAL
// database without its -wal file is opened immutable, and looked at again if it changed meanwhile.
#ifndef STORE_SQLITE_LOOK_H
#define STORE_SQLITE_LOOK_H

#include <sqlite3.h>

#include "base/util.h"

void cleanup_database(sqlite3 **database);
void cleanup_statement(sqlite3_stmt **statement);
#define _cleanup_database_  _cleanup_(cleanup_database)
#define _cleanup_statement_ _cleanup_(cleanup_statement)

// Called with the open database, more than once if it changed under the look: start afresh each time. 0 or -errno.
typedef int sqlite_looker(sqlite3 *database, void *arg);
// What the looker said; -ENOENT if there is no such file, another -errno if it cannot be looked into: -EROFS if it could
// be only by writing (a log or journal that was left behind), -EBADMSG if it is no sound database.
int sqlite_look(const char *path, sqlite_looker *looker, void *arg);
// A look never waits. Has one failed, since this was asked last, for what may be over in a moment: -EBUSY, a log that
// somebody is about to take away? Then look at everything again; who is slow is met last that way, and nobody is waited
// for while others are not even tried.
bool sqlite_look_may_pass(void);
int sqlite_errno(sqlite3 *database); // of the last call, as -errno
int sqlite_has_table(sqlite3 *database, const char *table); // 1, 0 or -errno
// `file:` URI of a path with a query; free it.
char *sqlite_uri(const char *path, const char *query);

#endif
