// SPDX-License-Identifier: MIT
//
// Memory for what must never be shown: tokens, whole store documents, request bodies, answers.
//
// A `struct secret` is wiped before it is freed and when it is overwritten, and no printf-like function
// takes one. The fingerprint is the only thing that ever leaves the program, but for stores, requests and
// what the verb `token` prints. The text is always
// NUL-terminated, but `len` counts: a document may hold anything.
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/util.h"

#define FINGERPRINT_LENGTH 64 // SHA-256 in hex
#define FINGERPRINT_SHOWN  12 // of these, what a person sees

struct secret {
	char *text; // NULL when unset
	size_t len;
	size_t capacity; // of what was allocated for `text`
};

// The hex SHA-256 of a token; "" for none. Compare with string functions, show 12 digits.
struct fingerprint {
	char hex[FINGERPRINT_LENGTH + 1];
};

void secret_free(struct secret *s); // wipes, frees, leaves it unset
#define _cleanup_secret_ _cleanup_(secret_free)

void secret_set(struct secret *s, const char *text, size_t len); // copies
void secret_set_string(struct secret *s, const char *text);      // NULL unsets
void secret_copy(struct secret *to, const struct secret *from);
void secret_append(struct secret *s, const char *text, size_t len);
struct secret secret_take(struct secret *s); // the value; `s` becomes unset
bool secret_equal(const struct secret *a, const struct secret *b);
bool secret_empty(const struct secret *s); // unset or ""

struct fingerprint fingerprint_of(const struct secret *s);
struct fingerprint fingerprint_of_bytes(const void *data, size_t len);
bool fingerprint_equal(struct fingerprint a, struct fingerprint b); // two empty ones are not equal
bool fingerprint_empty(struct fingerprint f);
// Lists of them, none twice. `*list` grows as by array_add.
bool fingerprint_listed(const struct fingerprint *list, size_t n, struct fingerprint token);
void fingerprint_list_add(struct fingerprint **list, size_t *n, struct fingerprint token);
void fingerprint_list_remove(struct fingerprint *list, size_t *n, struct fingerprint token);

// Read the file behind `fd` from its start, at most `max` bytes (-EFBIG beyond).
int secret_read(int fd, size_t max, struct secret *ret);
// … which has, or had a moment ago, that size.
int secret_read_sized(int fd, off_t size, size_t max, struct secret *ret);

// For what is no struct secret and held one all the same. NULL is fine.
void wipe_and_free(void *p, size_t size);

// Once, first thing in main: no core dumps, not ptraceable by others of the same user, descriptors 0 to 2
// open.
void secret_harden_process(void);

// Once, last thing in main: what functions that have returned left on the stack. A register that holds some characters of
// a token is saved there by whatever is called just then.
void secret_wipe_stack(void);

#endif
