// SPDX-License-Identifier: MIT
//
// Credential files of other programs, as rows of a table: where the tokens stand, how an expiry is spelled, what else
// changes with a refresh, how a refresh token is withheld, what an end looks like, which locks the program takes, what it
// does to links, and how early it refreshes by itself. Pure data (facts: clis.md, part 7, run with the real programs).
// store/mapped_json.c reads and writes by it, lock/ takes the locks. A new program is a row here, or, described in the
// configuration, the format "plain": no code.
//
// A pointer is a JSON pointer (RFC 6901): from the document when it starts with "/", else from the entry, whose own
// pointer is `entry` ("" is the document itself). NULL: the format has no such field.
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

#include "base/util.h"

enum format_time {
	TIME_MS,   // integers of milliseconds
	TIME_S,    // … of seconds
	TIME_ISO,  // "2026-11-28T17:38:13Z"
	TIME_ISO9, // "2026-11-28T17:38:13.785000000Z"
	TIME_JWT,  // the access token says it: there is no place to write it
};

// What changes together with the tokens.
enum format_also_is {
	ALSO_NOW,       // when it was refreshed
	ALSO_LIFETIME,  // seconds that the access token lives
	ALSO_LEAST_END, // the login's own end: only ever earlier
};
struct format_also {
	const char *pointer;
	enum format_also_is is;
	enum format_time time;
	bool needed; // it is added where it is missing; else only what is there changes
};

// How a copy is spelled that gets the access token and no refresh token. The program then sends none, and its logout ends
// nothing.
enum format_withhold {
	WITHHOLD_NEVER, // it takes such a file for no login
	WITHHOLD_NULL,
	WITHHOLD_BLANK,
	WITHHOLD_REMOVE,
};

// What the program leaves when a login has ended.
enum format_end {
	END_UNMARKED,
	END_BLANK, // no access token, no refresh token
	END_GONE,  // no entry
};

enum format_lock_kind {
	FORMAT_LOCK_FLOCK,     // flock(2) of a file that stays
	FORMAT_LOCK_DIRECTORY, // a directory while it is held (proper-lockfile): its mtime says that the holder lives
	FORMAT_LOCK_FILE,      // the same with a file (O_EXCL)
};
enum format_lock_place {
	PLACE_BESIDE,    // `name` in the directory of the file, as it is called
	PLACE_PATH,      // "<file><name>", as it is called
	PLACE_TARGET,    // "<file><name>", the one that links lead to
	PLACE_DIRECTORY, // "<real path of the file's directory><name>"
	PLACE_ABOVE,     // `name` in the directory above the file's
	PLACE_NAMED,     // `name` is a path
};
struct format_lock {
	enum format_lock_place place;
	const char *name; // in which %s is the file's own name without ".json"; NULL: no more locks
	enum format_lock_kind kind;
	bool refresh;    // the program holds it over its own request, or its commit: we over ours, where a copy is shared
	bool write;      // … for a write: we for ours
	bool yields;     // its own request is sent without it: held by us, it keeps an answer from being saved
	int stale_s;     // by mtime, to the program
	int heartbeat_s; // so often we touch it
};
#define FORMAT_LOCKS_MAX 3
#define FORMAT_ALSO_MAX	 3

struct format {
	const char *name;
	const char *path;         // below the home; NULL: none is known
	bool many;                // … of a directory: each file in it is a login
	const char *variables[3]; // what moves it, the first that is set; NULL: no more
	const char *moved;        // its path below what a variable names
	// Which entry: a pointer; with `keys`, one member of it, by provider or as configured; with `by_client`, the member
	// whose issuer and client id fit.
	const char *entry;
	const struct format_key {
		const char *provider, *key;
	} *keys;
	bool by_client;
	const char *type; // the entry's `type`, where it must have one
	const char *access, *refresh, *id_token, *account_id, *user_id, *email, *client;
	const char *user_id_too; // what others call it
	const char *expires;
	enum format_time time;
	struct format_also also[FORMAT_ALSO_MAX];
	enum format_withhold withhold;
	const char *mode;                           // pointer of a member that says which
	const char *mode_shared, *mode_withheld;    // … what it says
	bool withheld_never_expires;                // … and its expiry is 0
	bool shares;                                // by default; else withholds
	enum format_end end;
	const char *pool; // arrays of further copies of the same login (hermes-agent)
	bool replaces_links; // its own write puts a file in a link's place
	struct format_lock locks[FORMAT_LOCKS_MAX];
	// It refreshes by itself with so much left: by provider, of tokens that live longer than `beyond_s`; else …
	const struct format_margin {
		const char *provider;
		int64_t margin_s, beyond_s;
	} *margins;
	int64_t margin_s;
	int margin_percent; // … or with this share of the lifetime left, if that is more
	bool raises_margin; // and we go before it
};

// NULL: there is no such format. "openclaw-json" is none of these.
const struct format *format_find(const char *name);
const struct format *format_list(size_t *ret_n);
// The member's key for a provider's login; NULL: it must be configured, or the format has none.
const char *format_key_of(const struct format *format, const char *provider);
// With how much left of a token of that lifetime (0: not known) it refreshes by itself.
int64_t format_margin_s(const struct format *format, const char *provider, int64_t lifetime_s);
// Where its file is for this user: by its variables, else below the home. NULL: none is known. Free it.
char *format_default_path(const struct format *format, const char *home);

#endif
