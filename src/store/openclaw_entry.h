// SPDX-License-Identifier: MIT
//
// One entry of `profiles` in an auth-profiles.json: what it is, where its fields stand, how its
// expiry is spelled. Reading and writing both start from here, so that what is written back is
// spelled as it was.
#ifndef STORE_OPENCLAW_ENTRY_H
#define STORE_OPENCLAW_ENTRY_H

#include "json/scan.h"
#include "store/store.h"

enum entry_field {
	FIELD_ACCESS,
	FIELD_REFRESH,
	FIELD_EXPIRES,
	FIELD_ID_TOKEN,
	FIELD_ACCOUNT,
	FIELD_USER,
	FIELD_EMAIL,
	FIELD_CLIENT,
	FIELD_COUNT,
};

struct entry {
	uint32_t object;
	uint32_t field[FIELD_COUNT]; // node of the value, 0: not there
	uint32_t expires_too;	     // an expiry in the other spelling, which nobody has to read
	bool snake;		     // refresh_token rather than refresh
};

// Judge the entry at `node` (whose key is the profile id). `ret_entry` is valid for COPY_OAUTH and
// COPY_FENCED. Without a configuration `expires_ms` stays as stored, with no skew taken into
// account.
void entry_read(const struct json_doc *doc, uint32_t node, const struct config *config,
		struct copy *ret, struct entry *ret_entry);
// Put a stored expiry in the type and unit that stands there; what is no time becomes one, and a
// missing member is added.
void entry_edit_expires(struct json_edits *edits, const struct json_doc *doc,
			const struct entry *entry, int64_t stored_ms);
// Blank what is said of the person whose login it was.
void entry_edit_about(struct json_edits *edits, const struct json_doc *doc,
		      const struct entry *entry);
// The name of an identity field in this entry's spelling.
const char *entry_spelling(const struct entry *entry, enum entry_field field);

#endif
