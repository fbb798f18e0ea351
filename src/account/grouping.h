// SPDX-License-Identifier: MIT
//
// The steps of `group_accounts`, a file each; nobody else's business but group.c's and theirs. All of it works on the
// observation in memory.
#ifndef ACCOUNT_GROUPING_H
#define ACCOUNT_GROUPING_H

#include "account/account.h"

struct seat { // a copy and where it stands
	const struct store *store;
	const struct copy *copy;
	uint64_t name;	// provider and profile id, hashed
	bool again;	// an earlier one is of this very copy
	bool placed;
};

struct grouping {
	struct observation *o;
	const struct config *config;
	const struct ledger *ledger;
	const struct state_dir *dir; // the one whose copies are grouped; NULL: all, once they are
	struct seat *seats;
	size_t n_seats;
	size_t first_of_dir;		// of the accounts
	size_t first;			// of the profile that is being grouped: its base account; its own logins follow
	const struct store *main;	// OpenClaw's main store, or NULL
	struct index seats_by_name;	// provider and profile
	struct index seats_by_copy;	// the first of each
	struct index bad_entries;	// stores with an entry that cannot be read, by its profile id
	struct index records_by_key, records_by_name;
	struct index own_by_token;	// records of own logins, by the live one
	struct index stores_by_path;
};

static inline bool copy_is_of_account(const struct copy *copy)
{
	return copy->kind == COPY_OAUTH || copy->kind == COPY_BLANK || copy->kind == COPY_FENCED ||
	       copy->kind == COPY_ACCESS;
}

// ---- grouping.c: what all of them work with

void grouping_begin(struct grouping *g);
void grouping_end(struct grouping *g);
const struct store *grouping_store(const struct grouping *g, const char *path); // NULL: it is not among those looked at
struct account *grouping_add_account(struct grouping *g, const char *provider, const char *profile);
struct account_record *grouping_find_record(struct grouping *g, const char *key);
// From now on the account is the one that the ledger has (a copy of it).
void grouping_take_record(struct account *a, const struct account_record *record);
struct member *grouping_add_member(struct account *a, struct seat *seat);
// … whose state is none of decide's business.
void grouping_add_fixed(struct account *a, struct seat *seat, enum copy_state state);

// ---- main_copy.c

void main_is_unread(struct account *a, const struct store *store);
// Sound but for the entry of this profile. `store` may be NULL.
bool store_has_bad_entry(const struct grouping *g, const struct store *store, const char *profile);
// The main copy among these: in OpenClaw's main store; else where the ledger says main was; else the first. NULL: there
// is none, and `main_trouble` says why if that is no logout.
struct seat *main_copy_find(struct grouping *g, struct account *a, struct seat **seats, size_t n);
// Once all are placed: main comes first. That of an own login is where the ledger says, else the first.
void main_copy_settle(const struct grouping *g, struct account *a);

// ---- own_login.c: an agent's copy that is somebody else's under the same profile id is an account of its own

// How a copy is known for an agent's own login.
enum known_by { BY_TOKEN, BY_FENCE, BY_IDENTITY };

// The account that this copy belongs to: of the ledger, or just made. Or NULL.
struct account *own_login_find(struct grouping *g, const struct copy *copy, enum known_by by);
// For another program's file, once the agents have their places: the own login that this token is known for, which renews
// it. A file alone keeps no login alive.
struct account *own_login_of_agents(const struct grouping *g, const struct copy *copy);
// The account of its own that a copy's identity has, for now or in the ledger; made if there is none.
struct account *own_login_add(struct grouping *g, const struct copy *copy);
// One that nobody knows: an account of its own, unless an account id alone makes it look like a known one.
void own_login_place_new(struct grouping *g, struct seat *seat);
// The main store now holds somebody else than the record says: from now on the old login is an account of its own,
// whoever still has a copy of it. Adds that account; `base` starts afresh.
void own_login_split(struct grouping *g, struct account *base);

// ---- evidence.c: what the ledger and the other copies know of an account's tokens

// An equal token under two providers is somebody's mistake, and under a profile that must not be touched it cannot be
// kept in step: sent for neither.
void evidence_of_sharing(struct grouping *g);
// Of all accounts: the token behind a fence that nobody has seen before, their receipts, their settled marks.
void evidence_of_accounts(struct grouping *g);

#endif
