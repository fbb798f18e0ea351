// SPDX-License-Identifier: MIT
//
// A store is a file that holds credentials; a copy is one credential in one store.
//
//	discover_stores(&config, &known, &stores, &problems)    find them, check that they are safe, read them; no lock, no write
//	stores.list[i].copies[k]                       what stands there
//	store_stage(store, &stage)                     prove that a write will succeed (before a token is spent)
//	store_fill, or store_write(store, changes, n, stage)   under the store's own locks, which the caller holds:
//	                                               read again, compare and swap each change, splice, replace
//
// What a write may do: change the fields of the one credential, and nothing else. It follows symlinks to the
// target and leaves the link; keeps owner, mode, ACL and attributes; never creates a store or a profile; never writes what it
// cannot read in full. A copy is overwritten only if the refresh token that stands there at that moment is one
// the caller's `may_overwrite` allows.
//
// Formats: openclaw-json, OpenClaw's auth-profiles.json up to 2026.6.1 (facts: openclaw-json-store.md), in both
// spellings: access/refresh/expires (ms) and access_token/refresh_token/expires_at (ISO 8601, or epoch seconds
// or milliseconds). What was there is what is written back: spelling, type, unit.
// Other programs' files, each a row of format/format.h: one login, or one of several, as `stores` of the configuration says
// whose it is and whether it gets the refresh token.
// openclaw-sqlite, its databases from 2026.6.5 on (facts: openclaw-sqlite-store.md): the same document in one row of an
// agent's openclaw-agent.sqlite (main, agent) or of the state directory's state/openclaw.sqlite (shared). No lock file:
// the database's own lock, taken within the write; names is empty.
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/index.h"
#include "base/problem.h"
#include "config/config.h"
#include "file/atomic_file.h"
#include "file/obstacle.h"
#include "file/private_file.h"
#include "lock/lock.h"

enum format_id { STORE_OPENCLAW_JSON, STORE_OPENCLAW_SQLITE, STORE_MAPPED };

enum store_state {
	STORE_OK,
	STORE_MISSING,    // no such file; not an error
	STORE_UNREADABLE, // wrong shape, I/O error: reported, left alone, stops nobody else
	STORE_BUSY,       // another process has it locked: not read this time; reported, and nothing is concluded from it
	STORE_REFUSED,    // not safe to use: owner, mode, a directory others can write; or its group could not be kept
	STORE_RETIRED,    // SQLite took its place: nothing in it is written, nor spent for its sake
};

enum copy_kind {
	COPY_OAUTH,      // has a refresh token: ours to keep
	COPY_BLANK,      // an oauth profile whose tokens were blanked: logged out
	COPY_STATIC,     // api_key or token: shown, never touched
	COPY_FENCED,     // OpenClaw's fence stands in the place of the token
	COPY_SKIPPED,    // an oauth profile that is not ours to refresh; `reason` says why
	COPY_UNREADABLE, // a bad entry in a sound store; `reason` says what is wrong
	COPY_ACCESS,     // another program's: an access token and, as we withhold it, no refresh token
};

struct copy {
	enum copy_kind kind;
	struct credential credential; // provider and profile always; the rest for COPY_OAUTH
	char *spelt;                  // its provider as it stands there, if that is not how it is normalised; else NULL
	bool expires_odd;             // COPY_OAUTH: what stands there as its expiry is none, or nothing does
	char expires_start[24];       // … how it begins, to know it again
	bool bound;                   // COPY_OAUTH: it has more that belongs to this login alone, and that we know nothing of
	struct fence fence;           // COPY_FENCED
	char *reason;                 // COPY_SKIPPED, COPY_UNREADABLE; else NULL
	unsigned refs;                // a copy that stands so in many stores is one
	const struct config_store *external; // another program's: what the configuration says of it; else NULL
	bool expires_implied;         // … which has no place for an expiry, or wants none
};
struct copy *copy_new(void);
struct copy *copy_ref(struct copy *copy);
void copy_unref(struct copy *copy);
void copies_free(struct copy ***list, size_t *n);
struct copy **copies_share(struct copy *const *copies, size_t n);

// A state directory of OpenClaw's (store/state_dirs.h).
struct state_dir {
	char *path;   // real path
	bool found;   // by its name alone: nobody named it, so it may be a copy that somebody put away
	bool gone;    // the ledger knows it, and it is not there any more
	bool unread;  // not all could be found in it: there may be stores, main's among them, that are not here
	bool fences;  // its OpenClaw is of 2026.9.4 or later: a refresh of its own that fails loses the login
	char *version; // of the OpenClaw that wrote its openclaw.json last; NULL: unknown
	char *barred; // observed: nothing may be spent or written there, and why
};

struct store {
	const struct state_dir **dirs; // from which it was found: the first one's, but the others' runtimes use it, too
	size_t n_dirs;
	enum format_id format; // a row of the table of formats (store/format.h)
	enum store_role role;
	enum store_state state;
	bool served;   // STORE_RETIRED: the database that took its place is a store of ours
	char *agent;   // agent id for main and agents, else NULL
	char *path;    // the name shown to people: the first one found
	char *target;  // its real path: what is read and replaced
	char **names;  // (JSON) every lexical name (real path of the directory + last component), sorted: each has a lock
	size_t n_names;
	mode_t mode;   // (JSON)
	nlink_t links;
	gid_t group;
	const struct config_store **external; // STORE_MAPPED: its logins, as the configuration says
	size_t n_external;
	const struct config *config; // … of which they are
	bool interrupted; // a process was killed while it replaced it (file/swap.h): any write, of no change too, mends that
	bool in_place;    // by the configuration: written where it stands, not replaced
	enum obstacle obstacle; // for STORE_OK: why it could not be written, as far as a look can tell
	struct copy **copies; // for STORE_OK; what is left to see for STORE_RETIRED. Shared, and not to be changed
	size_t n_copies;
	bool was_read;       // in passing, as discovery came by (store_take)
	struct problems unsaid; // … and what is wrong with it
	struct known *known; // what other stores of this look hold (store/known.h), or NULL
};

struct stores {
	struct state_dir **dirs;
	size_t n_dirs; // 0: there is none
	struct known *known;
	struct index by_target; // of the list
	struct store *list; // of each in turn: the shared one and the agents' databases, then JSON: main first, then agents by name, then those of the configuration
	size_t n;
};
void stores_free(struct stores *stores);
static inline struct state_dir *stores_dir(const struct stores *stores, const char *path) // NULL: it is not looked at
{
	for (size_t i = 0; i < stores->n_dirs; i++)
		if (string_equal(stores->dirs[i]->path, path))
			return stores->dirs[i];
	return NULL;
}
static inline bool store_is_of(const struct store *store, const struct state_dir *dir)
{
	for (size_t i = 0; i < store->n_dirs; i++)
		if (store->dirs[i] == dir)
			return true;
	return false;
}
const char *store_role_name(enum store_role role);     // "main" "agent" "external" "shared"
const char *store_format_name(const struct store *store); // "openclaw-json"

// Find the stores: in each of OpenClaw's state directories (store/state_dirs.h; `known` to the ledger, may be NULL) main's
// (agents/main, or what OPENCLAW_AGENT_DIR, else PI_CODING_AGENT_DIR, or the configuration says), agents/*,
// agents.list[].agentDir of openclaw.json; and the configuration's `stores`. Names of one target count once. Every store
// is read; what is wrong with one is a problem, never an error. -ENOENT if a state directory was named and is not there.
// Where a database is locked, all of them are looked at again after a moment, and again: until the patience is used up,
// which is one for all databases and all looks of a run.
#define LOOK_PATIENCE_MS 500
void discover_set_patience(int64_t ms);
// `seen` is what earlier looks of the run read (store/seen.h), or NULL: then every store is opened.
struct seen;
int discover_stores(const struct config *config, const struct names *known, struct seen *seen,
		    struct stores *ret, struct problems *problems);

// Read one store again (its copies are replaced). Used by discover_stores and for a fresh look under a lock.
void store_read(struct store *store, const struct config *config, struct problems *problems);

// Read a store from its file, which discovery has open: a plain one in a directory of ours, as nearly all are. False: it is
// none of ours to trust, or not to be read like that; store_read says what is wrong. What else is wrong is kept in `unsaid`.
struct place;
bool store_take(struct store *store, int fd, const struct place *directory, const struct config *config,
		struct seen *seen);
// … or from what was read before of a file that is still the same.
struct file_look;
struct seen_file;
bool store_take_seen(struct store *store, const struct seen_file *file, const struct file_look *look,
		     const struct place *directory, struct seen *seen);

// What one copy shall become. Unset fields are left as they are.
struct store_change {
	const char *profile;
	const char *provider;             // must be what stands there
	const struct secret *access, *refresh, *id_token; // id_token only where the copy has one already
	int64_t expires_ms;               // true expiry; the provider's skew is applied when written; 0: left alone. One that
	                                  // stands wrong beside the right tokens is a reason to write (store_expires_agree)
	int64_t lifetime_s;               // of the access token; 0: unknown
	int64_t login_ends_ms;            // the login's own end; 0: unknown
	const struct identity *identity;  // a copy without identity may receive one; none ever loses one
	bool whole;                       // … unless a person lets another identity's login take the place of what stands
	                                  // there: ids, client, id token and all that belongs to a login
	const char *client_id;            // for that; NULL: unknown
	bool logs_out;                    // "" takes the place of all its tokens, as OpenClaw leaves a login that was logged out
	// May a copy with this refresh token be overwritten? (Compare and swap.)
	bool (*may_overwrite)(struct fingerprint standing, void *arg);
	// … and one that stands without a refresh token, by its access token? NULL: none may.
	bool (*may_overwrite_access)(struct fingerprint standing, void *arg);
	// May this fence be replaced? NULL: none may.
	bool (*may_replace_fence)(const struct fence *standing, void *arg);
	void *arg;
	enum store_result {
		STORE_UNCHANGED, // it holds exactly that already
		STORE_WRITTEN,
		STORE_CONFLICT, // another token stands there: left alone, to be decided anew
		STORE_GONE,     // no such profile any more, another provider's, or blanked: left alone
	} result;       // out
};

// Step 3 of the transaction: a temp file as large as the store may become, beside it, durable; of a database, everything
// that a write does but the COMMIT.
int store_stage(const struct store *store, struct atomic_stage *ret);
// What such an error (-EPROTO, -ENOSPC …) means to a person. Static.
const char *store_error(int error);
// The lock files that guard a write of it.
void store_add_locks(const struct store *store, struct lock_set *set);
// … and those that another program holds while it refreshes that login there.
void store_add_refresh_locks(const struct store *store, const struct config_store *external, struct lock_set *set);
// Its readers go by its mtime (store_settle_mtime).
bool store_is_cached(const struct store *store);
// The caller holds its locks. -ESTALE if the target is no longer the file it was when found (a link was turned), -EBADMSG if
// it cannot be read any more, or what writing says. `stage` is the proof, or ATOMIC_STAGE_NONE; what is left to be done, for
// a file that changes, is atomic_place: then it is `filled`, and the results say what that will have done.
// `places`: what this batch of writes has found of the directories, or NULL.
struct places;
int store_fill(const struct store *store, struct store_change *changes, size_t n, struct atomic_stage *stage,
	       struct places *places);
// Both, for one store. `stage` may be NULL.
int store_write(const struct store *store, struct store_change *changes, size_t n, struct atomic_stage *stage);
// At least 20 ms after the write and still under the locks: a second mtime, so that an OpenClaw process which read
// the old text just before the rename does not keep it cached under the new time (facts 4, measured).
void store_settle_mtime(const char *target);

// What stands in a store is OpenClaw's view: some providers' `expires` is 5 minutes early (facts 6).
int64_t store_expires_written(const struct provider *provider, int64_t true_expires_ms, int64_t now_ms);
// An expiry before that (1973) is none: zero, seconds in the place of milliseconds, a date that was never set.
#define STORE_EXPIRES_LEAST_MS INT64_C(100000000000)
// Are these two true expiries one and the same to a runtime? Within a minute, and the provider's skew: whoever wrote it
// may not have known of that. What is past is past.
bool store_expires_agree(const struct provider *provider, int64_t a_ms, int64_t b_ms, int64_t now_ms);

#endif
