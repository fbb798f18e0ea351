// SPDX-License-Identifier: MIT
//
// Generations, identities and lists of fingerprints as the ledger's JSON spells them. Reading is
// strict: what must be there and is not, or is of another type, makes the whole record unreadable.
// A field may be null only where the value may be unknown.
#ifndef LEDGER_GENERATION_H
#define LEDGER_GENERATION_H

#include "json/json.h"
#include "ledger/ledger.h"

#define EXACT_MAX (INT64_C(1) << 53) // what a JSON number holds exactly

// Each reads one member of `object` and sets `*ok` to false if it is missing or wrong.
int64_t read_integer(const cJSON *object, const char *name, int64_t least, int64_t most, bool *ok);
bool read_flag(const cJSON *object, const char *name, bool *ok);
// What fits into `size`, with its NUL, and `is_sound` (NULL: anything).
void read_short(const cJSON *object, const char *name, char *ret, size_t size, bool (*is_sound)(const char *),
		bool *ok);
char *record_text(const cJSON *object, const char *name, bool may_be_null, bool *ok);
struct fingerprint read_fingerprint(const cJSON *string, bool may_be_empty, bool *ok);

void tokens_write(cJSON *object, const char *name, const struct fingerprint *tokens, size_t n);
void tokens_read(const cJSON *object, const char *name, struct fingerprint **ret, size_t *ret_n, bool *ok);

void issue_write(cJSON *object, const char *name, const struct issue_time *time);
void issue_read(const cJSON *object, const char *name, struct issue_time *ret, bool *ok);

void identity_write(cJSON *object, const char *name, const struct identity *identity);
void identity_read(const cJSON *object, const char *name, struct identity *ret, bool *ok);
void generation_write(cJSON *object, const char *name, const struct generation *generation);
// The fingerprint must be that of the refresh token that stands beside it: a damaged token is never
// taken for one.
void generation_read(const cJSON *object, const char *name, struct generation *ret, bool *ok);

#endif
