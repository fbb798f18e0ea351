// SPDX-License-Identifier: MIT
//
// SQLite's own allocator, with a wipe in front of its free. (sqlite.org/c3ref/mem_methods.html)
#include "store/sqlite_memory.h"

#include <sodium.h>
#include <sqlite3.h>
#include <string.h>

static sqlite3_mem_methods system_memory;

static void wipe_and_release(void *p)
{
	if (p)
		sodium_memzero(p, (size_t)system_memory.xSize(p));
	system_memory.xFree(p);
}

// Never in place: what is left behind would be freed by somebody else.
static void *wipe_and_move(void *old, int size)
{
	int kept = system_memory.xSize(old);
	void *p = system_memory.xMalloc(size);

	if (!p)
		return NULL;
	memcpy(p, old, (size_t)(kept < size ? kept : size));
	wipe_and_release(old);
	return p;
}

void sqlite_wipe_freed(void)
{
	sqlite3_mem_methods memory;

	if (system_memory.xFree || sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) != SQLITE_OK)
		return;
	system_memory = memory;
	memory.xFree = wipe_and_release;
	memory.xRealloc = wipe_and_move;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
}
