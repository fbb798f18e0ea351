// SPDX-License-Identifier: MIT
//
// A hash table with open addressing, of chains of equal hashes (see index.h).
#include "base/index.h"

#include <assert.h>
#include <sodium.h>

#define SLOTS_FIRST 64 // a power of two

// One for the life of the process, which nobody outside can know.
static const unsigned char *hash_key(void)
{
	static unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];
	static bool keyed;

	static_assert(sizeof(key) == crypto_shorthash_KEYBYTES, "one key for both hashes");
	if (!keyed)
		crypto_shorthash_keygen(key);
	keyed = true;
	return key;
}

static uint64_t keyed_hash(const void *data, size_t len)
{
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, data, len, hash_key());
	return hash;
}

struct text_hash hash_text(const void *data, size_t len)
{
	struct text_hash hash;

	crypto_shorthash_siphashx24((unsigned char *)hash.words, data, len, hash_key());
	return hash;
}

bool text_hash_equal(struct text_hash a, struct text_hash b)
{
	return a.words[0] == b.words[0] && a.words[1] == b.words[1];
}

uint64_t hash_string(const char *s)
{
	return keyed_hash(s ? s : "", s ? strlen(s) : 0);
}

uint64_t hash_pointer(const void *p)
{
	return keyed_hash(&p, sizeof(p));
}

uint64_t hash_strings(const char *a, const char *b)
{
	const uint64_t both[] = {hash_string(a), hash_string(b)};

	return keyed_hash(both, sizeof(both));
}

uint64_t hash_token(struct fingerprint token)
{
	return keyed_hash(token.hex, sizeof(token.hex));
}

// The slot of this hash, or the free one where it belongs.
static size_t *find_slot(const struct index *index, uint64_t hash)
{
	size_t at = hash & (index->n_slots - 1);

	while (index->slots[at] && index->entries[index->slots[at]].hash != hash)
		at = (at + 1) & (index->n_slots - 1);
	return &index->slots[at];
}

static void grow(struct index *index)
{
	free(index->slots);
	index->n_slots = index->n_slots ? 2 * index->n_slots : SLOTS_FIRST;
	index->slots = xcalloc(index->n_slots, sizeof(*index->slots));
	for (size_t i = 1; i < index->n; i++) {
		size_t *slot = find_slot(index, index->entries[i].hash);
		if (!*slot)
			*slot = i;
	}
}

void index_add(struct index *index, uint64_t hash, size_t at)
{
	if (!index->n)
		array_add(&index->entries, &index->n);
	if (index->n_slots < 2 * index->n + 2)
		grow(index);
	size_t *slot = find_slot(index, hash), number = index->n;
	*array_add(&index->entries, &index->n) = (struct index_entry){.hash = hash, .at = at};
	if (!*slot) {
		*slot = number;
		index->entries[number].last = number;
	} else {
		struct index_entry *first = &index->entries[*slot];
		index->entries[first->last].next = number;
		first->last = number;
	}
}

const struct index_entry *index_first(const struct index *index, uint64_t hash)
{
	size_t number = index->n_slots ? *find_slot(index, hash) : 0;

	return number ? &index->entries[number] : NULL;
}

const struct index_entry *index_next(const struct index *index, const struct index_entry *entry)
{
	return entry->next ? &index->entries[entry->next] : NULL;
}

void index_free(struct index *index)
{
	free(index->entries);
	free(index->slots);
	*index = (struct index){0};
}
