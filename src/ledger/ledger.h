// SPDX-License-Identifier: MIT
//
// The program's own record, one directory per user (default .local/state/oauth-keepalive of the passwd home, never
// from an environment variable, so that timer, shell and unit see the same one):
//
//	ledger.json                 its uuid, the machine it belongs to, its version
//	accounts/<key>.json         an account: the live generation with its tokens, and what led to it; version 2 if
//	                            it is another host's to refresh, so that an older program keeps its hands off it
//	accounts/<key>.lock         OFD-locked while a run works on the account
//	receipts/…                  ledger/receipt.h
//	settled/…                   ledger/mark.h
//	spent                       every token that was settled, eight bytes of each: no list and no mark lasts as long
//	displaced/<time>-<key>-….json  a credential that was about to be overwritten or stop being live; 30 days.
//	                            Then ….gone, empty, for a year
//	log/                        ledger/history.h, ledger/conditions.h
//
// and <state dir>/locks/oauth-keepalive, which names the ledger by uuid: another ledger at work there is an error,
// not a second truth. Directories 0700, files 0600, every write atomic and durable.
//
// An unreadable or newer ledger, or another machine's, is an error that holds its accounts. It is never "no ledger".
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include <sys/types.h>
#include <time.h>

#include "base/problem.h"
#include "ledger/receipt.h"

// The remedy for a file that a newer version of the program wrote.
#define INSTALL_AGAIN "install that version again"

struct ledger {
	char *directory;
	bool exists;      // false: nothing was ever written; reading yields nothing
	char uuid[37];
	bool swept;       // what killed runs left of its accounts' files
	int version;      // as it stands there; an older one is brought up to date before anything is written
	ino_t inode;      // of the ledger.json that said so
	struct timespec changed;
};

// Only look: creates nothing. -EBADMSG, -EPERM, -EUCLEAN (another machine's), -EPROTONOSUPPORT (newer), each with a
// message and a remedy to be freed.
int ledger_open(const char *directory, struct ledger *ret, char **ret_message, char **ret_fix);
// Before anything is written: make it exist, durably. A newer version of the program may have taken it over since we looked:
// -EPROTONOSUPPORT; or it was moved away: -ENOENT, or -ESTALE if another one stands there.
int ledger_create(struct ledger *ledger);
void ledger_free(struct ledger *ledger);
bool ledger_is_uuid(const char *text);
// The default directory. -ENOENT if the user has no passwd entry.
int ledger_default_directory(char **ret);

// Who works on <state_dir>? 0 if nobody or we; -EEXIST if another ledger does (its uuid and directory in the message).
int ledger_check_owner(const struct ledger *ledger, const char *state_dir, char **ret_message, char **ret_fix);
int ledger_claim_owner(const struct ledger *ledger, const char *state_dir);

// A ledger that came from another machine is this one's from now on. -EALREADY if it is, -ENOENT if there is none, else
// as ledger_open.
int ledger_take_over(const char *directory, char **ret_message, char **ret_fix);
// Where the owner file names this ledger, but by the place it had elsewhere.
int ledger_move_owner(const char *directory, const char *state_dir);

// A pair of tokens, and where it came from.
struct generation {
	struct secret access, refresh, id_token;
	struct fingerprint fingerprint;  // of the refresh token
	int64_t expires_ms, issued_ms;   // as in struct credential
	int64_t at_ms;                   // when we learnt of it
	bool answered;                   // answered to us; else adopted from a copy
};
void generation_free(struct generation *generation);
void generation_copy(struct generation *to, const struct generation *from);
void generation_of_credential(struct generation *to, const struct credential *from, int64_t now_ms);

// When a credential was issued, as far as it can be ordered: the JWT's iat if both have it, else the true expiry.
struct issue_time {
	int64_t issued_ms, expires_ms;
};

#define RECORD_SUPERSEDED_MAX 256
#define RECORD_SIGHTINGS_MAX  64
#define RECORD_DIVERGED_MAX   256
#define RECORD_ACCESSES_MAX   8

// Something that may still change by itself, and when we saw it: a pending fence of OpenClaw's (by its claim), a wrong
// expiry (account/copy_expiry.c).
struct sighting {
	char claim[33];
	int64_t seen_ms;
};

// Several hosts may have one login; one of them owns it, and only that one sends its token (ledger/custody.h).
enum ownership {
	OWNERSHIP_OURS,
	OWNERSHIP_FOLLOWS,  // another host refreshes it, and sends us what it got (export --follow)
	OWNERSHIP_RELEASED, // given up to whoever imports it (export --release)
};
struct custody {
	enum ownership ownership;
	int64_t since_ms;  // 0: it always was ours
	int64_t term;      // how often it changed hands: who has a later one knows better
	char ledger[37];   // of the owner that it follows, or followed last; "": it never did
	char host[65];     // … as that calls itself
	int64_t heard_ms;  // … and when that was heard last
	int64_t number;    // … of the generation that came then, where it is the owner's
	char nonce[33];    // OWNERSHIP_RELEASED: of the one document that gives it away
};
const char *ownership_name(enum ownership ownership); // "ours", "follows", "released"

struct account_record {
	char key[33]; // "" : not recorded yet
	bool unreadable; // the file is there and cannot be read: the account is held
	char *state_dir, *provider, *profile;
	bool split;                 // was main's login until another identity logged in there
	bool own_login;             // an agent's own login under a shared profile id: `identity` is part of the key
	struct identity identity;
	struct generation live;
	int64_t number;             // of the live generation
	struct issue_time anchor, anchor_before; // newest adopted generation, and the one before it; zero: none
	struct issue_time previous; // the newest of those that are live no more: lists and marks forget them, this does not
	struct fingerprint *superseded; // newest last, at most RECORD_SUPERSEDED_MAX
	size_t n_superseded;
	struct fingerprint *fences; // how OpenClaw's fences name the superseded tokens (fence_digest), likewise
	size_t n_fences;
	struct sighting *sightings; // of the pending fences that stand there
	size_t n_sightings;
	struct sighting *expiries;  // wrong ones that we put right, newest last, at most RECORD_SIGHTINGS_MAX
	size_t n_expiries;
	struct fingerprint *diverged; // tokens neither later nor provably earlier: once diverged, always
	size_t n_diverged;
	struct fingerprint *accesses; // access tokens that were live, newest last: a copy without a refresh token is known by them
	size_t n_accesses;
	int64_t lifetime_s;         // as last answered; 0 unknown
	int64_t grant_expires_ms;   // the login's own end, where the provider said; 0 unknown
	int64_t first_seen_ms;      // of this login
	int64_t refreshed_ms;       // last answer, by our clock; 0 never
	int64_t witness_ms;         // … by the server's; 0: it did not say
	int64_t not_before_ms;      // back off until; 0
	int failures;               // in a row
	int rejections;             // in a row
	char error_code[64];        // of the last failure; ""
	char said[SAID_MAX];        // what the provider said of it, for people; ""
	bool barred;                // … and it needs a person: the account may not
	int64_t failing_ms;         // the first of those in a row; 0
	int error_status;           // HTTP status, 0 none
	char dead_code[64];         // the live token is dead; ""
	int64_t ended_ms;           // a person logged out; 0
	char common_line[33];       // with a cluster: which record of it, in which version and with which token, was
	int64_t common_number;      // … the last one that this account agreed with; "" and 0: none yet
	struct fingerprint common;
	char *main_store;           // path of the store that was main
	char *adopted_from;         // … of that which the live login was adopted from, unless it was answered to us; NULL
	struct custody custody;
	int64_t updated_ms;         // by our clock, put right by what the server said of it
};
void account_record_free(struct account_record *record);
void account_record_copy(struct account_record *to, const struct account_record *from);
// hash(state directory, provider, profile id[, who]) as 32 hex digits.
void account_key(char ret[33], const char *state_dir, const char *provider, const char *profile,
		 const struct identity *own_login);
bool record_superseded(const struct account_record *record, struct fingerprint token);
// How far our clock was ahead of the server's at the last answer; 0: not worth naming, or nobody knows.
int64_t record_clock_ahead(const struct account_record *record);
// It may be the live one again: not superseded, nor diverged, and `fence` no superseded copy.
void record_take_back(struct account_record *record, struct fingerprint token, struct fingerprint fence);
void record_supersede(struct account_record *record, struct fingerprint token);
// The access token that is live is about to be replaced.
void record_note_access(struct account_record *record);
bool record_superseded_fence(const struct account_record *record, struct fingerprint digest); // it names such a token
// Does the account hold this token as live or superseded? The compare in every compare-and-swap.
bool record_knows(const struct account_record *record, struct fingerprint token);
bool record_live_is_fenced(const struct account_record *record, struct fingerprint digest); // it names the live token
bool record_knows_fence(const struct account_record *record, struct fingerprint digest);
void record_supersede_fence(struct account_record *record, struct fingerprint digest);

struct account_records {
	struct account_record *list;
	size_t n;
};
// All of them. An unreadable one is a problem (error, needs_person) and comes back with `key` and `unreadable` only.
// What fails for a shortage (error_is_shortage) is the reading as a whole.
int account_records_read(const struct ledger *ledger, struct account_records *ret, struct problems *problems);
void account_records_free(struct account_records *records);
// Is another token live by now than in this record, which was read a while ago (or than none, if it was not there)?
bool account_record_moved(const struct ledger *ledger, const struct account_record *record);
int account_record_save(struct ledger *ledger, struct account_record *record, int64_t now_ms);
int account_record_remove(struct ledger *ledger, const char *key);

// OFD lock on accounts/<key>.lock: the descriptor, or -EBUSY. What is wrong with the file goes to ret_message (free it).
int account_lock(struct ledger *ledger, const char *key, int *ret_fd, char **ret_message);
bool account_is_locked(const struct ledger *ledger, const char *key);
// Who has it, as far as the file says (pid 0: it does not), and since when (0 unknown). -ENOENT if nobody.
int account_lock_holder(const struct ledger *ledger, const char *key, struct process_id *ret,
			int64_t *ret_since_ms);

// Keep a credential that is about to be lost to view. Durable before it returns. The same token is kept once, from the last time on.
int displaced_keep(struct ledger *ledger, const char *key, const struct credential *credential, const char *store,
		   const char *why, int64_t now_ms);
// The same, of one copy among others that hold it: each goes back to where it stood.
int displaced_keep_of_copy(struct ledger *ledger, const char *key, const struct credential *credential,
			   const char *store, const char *why, int64_t now_ms);
void displaced_sweep(struct ledger *ledger, int64_t now_ms); // 30 days
// By what it is called: the fingerprint of its refresh token, or of an access token that stood alone.
struct fingerprint displaced_id(const struct credential *credential);

// A credential that is kept.
struct keepsake {
	struct credential credential;
	char key[33]; // of its account
	char *store;  // where it stood; NULL: it was live
	char *why;
	int64_t at_ms, until_ms;
	bool may_come_back; // no receipt says that it was sent
};
struct keepsakes {
	struct keepsake *list; // oldest first
	size_t n;
};
// All of them. One that cannot be read is a problem (warning).
int displaced_read(const struct ledger *ledger, struct keepsakes *ret, struct problems *problems);
void keepsakes_free(struct keepsakes *keepsakes);
// Is this token kept for the account?
bool displaced_holds(const struct ledger *ledger, const char *key, struct fingerprint token);
// Until when it is kept, or was, within the last year; 0: it was not.
int64_t displaced_until(const struct ledger *ledger, const char *key, struct fingerprint token);
// All that is kept for the account. The number of them, or -errno. Durable.
int displaced_remove(struct ledger *ledger, const char *key);

#endif
