// SPDX-License-Identifier: MIT
//
// Where in an array something stands, by what it is called: so that nothing is found by asking everybody.
//
//	index_add(&index, hash_string(name), i);
//	for_each_found (found, &index, hash_string(name))
//		if (string_equal(list[found->at].name, name)) …
//
// Equal hashes are likely equal names, no more: who looks compares. Names may repeat; they are found in the order in which
// they were added. The hash is keyed (SipHash), because names come from stores.
#ifndef BASE_INDEX_H
#define BASE_INDEX_H

#include "base/secret.h"

struct index_entry {
	uint64_t hash;
	size_t at;
	size_t next, last; // number of the next entry with this hash, of the last one (in the first); 0: none
};

struct index {
	struct index_entry *entries; // the first is none
	size_t n;
	size_t *slots; // number of the first entry with a hash; 0: free
	size_t n_slots;
};

uint64_t hash_string(const char *s); // NULL is as good as any
uint64_t hash_pointer(const void *p); // of what lives meanwhile
uint64_t hash_strings(const char *a, const char *b);
uint64_t hash_token(struct fingerprint token);

// For bytes that nobody compares any more because nobody keeps them: twice as long.
struct text_hash {
	uint64_t words[2];
};
struct text_hash hash_text(const void *data, size_t len);
bool text_hash_equal(struct text_hash a, struct text_hash b);

void index_add(struct index *index, uint64_t hash, size_t at);
const struct index_entry *index_first(const struct index *index, uint64_t hash); // NULL
const struct index_entry *index_next(const struct index *index, const struct index_entry *entry);
void index_free(struct index *index);
#define _cleanup_index_ _cleanup_(index_free)

#define for_each_found(entry, index, hash)                                                         \
	for (const struct index_entry *entry = index_first(index, hash); entry;                    \
	     entry = index_next(index, entry))

#endif
