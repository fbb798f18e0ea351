// SPDX-License-Identifier: MIT
//
// Look into OpenClaw's databases without leaving a trace. (facts: openclaw-sqlite-store.md 1)
//
// SQLite likes to create -shm and -wal files and to checkpoint on close; a running OpenClaw kills
// itself when those change under it, so nothing here may write:
//  - With no write-ahead log and no rollback journal beside it, the file alone is the whole truth.
//    It is opened `immutable` (no locks, no side files), and looked at again if it changed
//    meanwhile.
//  - Else `mode=ro` with `readonly_shm`: SQLite uses the -shm that is there or fails, and a log or
//    hot journal that cannot be read without writing ends as SQLITE_UNREADABLE, which is the
//    careful answer.
//  - Underneath is a VFS that opens nothing for writing and deletes nothing, since `mode=ro` alone
//    still opens the log with O_CREAT.
#include "store/sqlite_look.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite_memory.h"

#define LOOKS_MAX  3 // at a file that changes under them
#define WAL_HEADER 32

#define VFS_NAME "oauth-keepalive-readonly"

static int open_readonly(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
			 int *ret_flags)
{
	sqlite3_vfs *system = sqlite3_vfs_find(NULL);

	(void)vfs;
	flags &= ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_DELETEONCLOSE);
	return system->xOpen(system, name, file, flags | SQLITE_OPEN_READONLY, ret_flags);
}

static int delete_nothing(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs, (void)name, (void)sync;
	return SQLITE_IOERR_DELETE;
}

// SQLite tries a log whose index is not to be trusted a hundred times, with naps that add up to ten seconds. Who waits
// here waits between looks, for all databases at once.
static int do_not_nap(sqlite3_vfs *vfs, int microseconds)
{
	(void)vfs;
	return microseconds;
}

static int register_vfs(void)
{
	static sqlite3_vfs vfs;
	const sqlite3_vfs *system;

	sqlite_wipe_freed();
	if (sqlite3_vfs_find(VFS_NAME))
		return SQLITE_OK;
	system = sqlite3_vfs_find(NULL);
	if (!system)
		return SQLITE_ERROR;
	vfs = *system;
	vfs.pNext = NULL;
	vfs.zName = VFS_NAME;
	vfs.xOpen = open_readonly;
	vfs.xDelete = delete_nothing;
	vfs.xSleep = do_not_nap;
	return sqlite3_vfs_register(&vfs, 0);
}

void cleanup_database(sqlite3 **database)
{
	sqlite3_close(*database);
}

void cleanup_statement(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

int sqlite_errno(sqlite3 *database)
{
	if (sqlite3_extended_errcode(database) == SQLITE_READONLY_DBMOVED)
		return -ESTALE;
	switch (sqlite3_errcode(database) & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL: // after a hundred tries
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_CANTOPEN:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	default:
		return -EIO;
	}
}

// A file: URI for SQLite: what means something in a URI (and anything unusual) percent-encoded.
char *sqlite_uri(const char *path, const char *query)
{
	static const char hex[] = "0123456789ABCDEF";
	_cleanup_free_ char *encoded = xcalloc(strlen(path) * 3 + 1, 1);
	char *out = encoded;

	for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
		if (*p > ' ' && *p < 0x7f && !strchr("%?#", *p)) {
			*out++ = (char)*p;
			continue;
		}
		*out++ = '%';
		*out++ = hex[*p >> 4];
		*out++ = hex[*p & 15];
	}
	return xasprintf("file:%s?%s", encoded, query);
}

static int look_once(const char *path, const char *query, sqlite_looker *looker, void *arg)
{
	const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_PRIVATECACHE;
	_cleanup_free_ char *uri = sqlite_uri(path, query);
	_cleanup_database_ sqlite3 *database = NULL;

	if (register_vfs() != SQLITE_OK)
		return -EIO;
	if (sqlite3_open_v2(uri, &database, flags, VFS_NAME) != SQLITE_OK)
		return database ? sqlite_errno(database) : -ENOMEM;
	sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	// One snapshot, however many statements.
	if (sqlite3_exec(database, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return sqlite_errno(database);
	return looker(database, arg);
}

// Is there a log or journal with something in it, beyond `empty` bytes? One that cannot be looked at counts.
static bool has_side_file(const char *path, const char *suffix, off_t empty)
{
	_cleanup_free_ char *name = xasprintf("%s%s", path, suffix);
	struct stat st;

	if (stat(name, &st) < 0)
		return errno != ENOENT;
	return st.st_size > empty;
}

// A log that is a header and no frame says nothing, but SQLite cannot read it without an index that it may write: it
// takes a salt it never read for a changed one, and tries again and again. That is what a kill between the two leaves.
static bool stands_alone(const char *path)
{
	return !has_side_file(path, "-wal", WAL_HEADER) && !has_side_file(path, "-journal", 0);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

// What may be over at the next look: others come and go, and the last one to close takes the log away with it.
static bool may_pass(int r)
{
	return r == -EROFS || r == -EBUSY || r == -EIO;
}

static bool passing;

bool sqlite_look_may_pass(void)
{
	bool met = passing;

	passing = false;
	return met;
}

static int look(const char *name, sqlite_looker *looker, void *arg)
{
	_cleanup_free_ char *path = path_real(name); // a link's log stands beside what it leads to
	int r = -EBUSY;

	if (!path)
		return errno == ENOTDIR ? -ENOENT : -errno;
	for (int i = 0; i < LOOKS_MAX; i++) {
		struct stat before, after;

		if (stat(path, &before) < 0)
			return errno == ENOTDIR ? -ENOENT : -errno;
		if (!S_ISREG(before.st_mode))
			return -EINVAL;
		// OpenClaw makes its tables at once: one that stays empty was cut off. To SQLite it is a sound
		// database without a table.
		if (before.st_size == 0 && stands_alone(path)) {
			passing = true;
			return -EBADMSG;
		}
		if (!stands_alone(path)) {
			r = look_once(path, "mode=ro&readonly_shm=1", looker, arg);
			if (r == -EACCES && access(path, R_OK) == 0)
				r = -EROFS; // SQLite would have to write
			if (!may_pass(r))
				return r;
			continue;
		}
		r = look_once(path, "immutable=1", looker, arg);
		if (stat(path, &after) == 0 && same_file(&before, &after) && stands_alone(path))
			return r;
		r = -EBUSY;
	}
	return r;
}

int sqlite_look(const char *path, sqlite_looker *looker, void *arg)
{
	int r = look(path, looker, arg);

	passing |= may_pass(r);
	return r;
}

int sqlite_has_table(sqlite3 *database, const char *table)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int r;

	if (sqlite3_prepare_v2(database,
			       "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1", -1,
			       &statement, NULL) != SQLITE_OK)
		return sqlite_errno(database);
	sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
	r = sqlite3_step(statement);
	return r == SQLITE_ROW ? 1 : r == SQLITE_DONE ? 0 : sqlite_errno(database);
}
