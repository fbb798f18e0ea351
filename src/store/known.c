// SPDX-License-Identifier: MIT
//
// See known.h.
#include "store/known.h"

#define DOCUMENT_MAX (512u << 10) // a longer one is read each time, rather than kept

struct copy *known_entry(const struct known *known, struct text_hash hash)
{
	if (!known)
		return NULL;
	for_each_found (found, &known->by_hash, hash.words[0])
		if (text_hash_equal(known->entries[found->at].hash, hash))
			return known->entries[found->at].copy;
	return NULL;
}

void known_add_entry(struct known *known, struct text_hash hash, struct copy *copy)
{
	if (!known)
		return;
	index_add(&known->by_hash, hash.words[0], known->n_entries);
	*array_add(&known->entries, &known->n_entries) =
		(struct known_entry){.hash = hash, .copy = copy_ref(copy)};
}

static bool is_of(const struct known_document *document, const struct secret *text)
{
	return document->text.text && document->text.len == text->len &&
	       memcmp(document->text.text, text->text, text->len) == 0;
}

bool known_document(const struct known *known, const struct secret *text, struct store *store)
{
	for (size_t i = 0; known && i < KNOWN_DOCUMENTS; i++) {
		const struct known_document *document = &known->documents[i];
		if (!is_of(document, text))
			continue;
		store->copies = copies_share(document->copies, document->n_copies);
		store->n_copies = document->n_copies;
		return true;
	}
	return false;
}

static void document_free(struct known_document *document)
{
	secret_free(&document->text);
	copies_free(&document->copies, &document->n_copies);
}

void known_add_document(struct known *known, struct secret *text, const struct store *store)
{
	if (!known || text->len > DOCUMENT_MAX)
		return;
	struct known_document *document = &known->documents[known->next++ % KNOWN_DOCUMENTS];
	document_free(document);
	document->text = secret_take(text);
	document->copies = copies_share(store->copies, store->n_copies);
	document->n_copies = store->n_copies;
}

void known_free(struct known *known)
{
	for (size_t i = 0; i < known->n_entries; i++)
		copy_unref(known->entries[i].copy);
	free(known->entries);
	index_free(&known->by_hash);
	for (size_t i = 0; i < KNOWN_DOCUMENTS; i++)
		document_free(&known->documents[i]);
	places_free(&known->places);
	*known = (struct known){0};
}
