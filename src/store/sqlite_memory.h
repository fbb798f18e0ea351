// SPDX-License-Identifier: MIT
//
// Rows hold tokens, and SQLite keeps them in pages, statements and buffers of its own: from now on all that it frees is
// wiped first. Before the first use of SQLite in the process; after that it does nothing.
#ifndef STORE_SQLITE_MEMORY_H
#define STORE_SQLITE_MEMORY_H

void sqlite_wipe_freed(void);

#endif
