// SPDX-License-Identifier: MIT
//
// One login in another program's document: where its row says the fields are, and what stands there. Reading and writing
// both start from here, so that what is written back is spelled as it was.
#ifndef STORE_MAPPED_ENTRY_H
#define STORE_MAPPED_ENTRY_H

#include "json/scan.h"
#include "store/store.h"

struct spot {         // of a value
	uint32_t node;   // 0: not there
	uint32_t object; // that has it, or would
	bool has_object; // (the root is node 0)
	char *name;      // of its member
};
void spot_free(struct spot *spot);
#define _cleanup_spot_ _cleanup_(spot_free)

struct mapped_entry {
	const struct format *format;
	uint32_t object;
	struct spot access, refresh, id_token, expires; // name NULL: the format has none
};
void mapped_entry_free(struct mapped_entry *entry);

// Judge the login that `external` names. `ret_entry` is valid for COPY_OAUTH and COPY_ACCESS.
void mapped_entry_read(const struct json_doc *doc, const struct config_store *external, const struct config *config,
		       struct copy *ret, struct mapped_entry *ret_entry);
// By a pointer of the format's, from the document or from the entry.
void mapped_find(const struct json_doc *doc, uint32_t entry, const char *pointer, struct spot *ret);
// An expiry, or another time, in the spelling that the format has, or that stands there.
void mapped_edit_time(struct json_edits *edits, const struct json_doc *doc, const struct spot *spot,
		      enum format_time time, int64_t ms);
// Replace, or add where it is missing.
void mapped_edit_text(struct json_edits *edits, const struct json_doc *doc, const struct spot *spot,
		      const struct secret *value);
void mapped_edit_integer(struct json_edits *edits, const struct json_doc *doc, const struct spot *spot, int64_t value);

#endif
