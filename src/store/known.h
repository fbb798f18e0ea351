// SPDX-License-Identifier: MIT
//
// What the stores of one look have in common. Agents hold the same logins, so most entries, and most documents, are byte
// for byte what another store had: those are not read into their parts, nor kept, once more. An entry is known by a hash of
// its bytes (128 bits, keyed: nobody who writes a store can aim at another's), of a document the bytes themselves are
// compared.
#ifndef STORE_KNOWN_H
#define STORE_KNOWN_H

#include "base/index.h"
#include "file/places.h"
#include "store/store.h"

#define KNOWN_DOCUMENTS 4 // the last different ones

struct known_entry {
	struct text_hash hash;
	struct copy *copy;
};
struct known_document {
	struct secret text;
	struct copy **copies;
	size_t n_copies;
};
struct known {
	struct known_entry *entries;
	size_t n_entries;
	struct index by_hash; // of the entries
	struct known_document documents[KNOWN_DOCUMENTS];
	size_t next; // the document that is forgotten first
	struct places places; // directories
};

// All of these may be called with NULL: then nothing is known.
// The copy that was read from the same bytes, or NULL.
struct copy *known_entry(const struct known *known, struct text_hash hash);
void known_add_entry(struct known *known, struct text_hash hash, struct copy *copy);
// Give the store the copies of an equal document. False: there was none.
bool known_document(const struct known *known, const struct secret *text, struct store *store);
void known_add_document(struct known *known, struct secret *text, const struct store *store); // takes the text
void known_free(struct known *known);

#endif
