// SPDX-License-Identifier: MIT
//
// cJSON, with the edges taken off (facts that cost others their data):
//  - lookups are case-sensitive, and only ever through these helpers;
//  - text is parsed to its very end, without NUL bytes, and within `len`;
//  - integers are read from valuedouble with a range check (valueint saturates at 2^31), written as digits.
// cJSON reads the ledger strictly and what others wrote as JavaScript does, and writes our own documents. It never
// writes a store: stores are spliced (json/scan.h).
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include <cjson/cJSON.h>

#include "base/util.h"
#include "base/secret.h"

// Once, at the start of main: what cJSON frees is wiped first, for a token may have stood in it.
void json_wipe_memory(void);

void cleanup_json(cJSON **json);
#define _cleanup_json_ _cleanup_(cleanup_json)

// Parse all of `text`; NULL if it is not exactly one JSON value.
cJSON *json_parse(const char *text, size_t len);
// The same for what others wrote (answers, JWTs, lock files, openclaw.json), as JavaScript reads it: nothing that
// JSON.parse takes is refused, and what cJSON cannot hold is U+FFFD or null (json_foreign.c).
cJSON *json_parse_foreign(const char *text, size_t len);

const cJSON *json_get(const cJSON *object, const char *name);   // NULL if absent or not an object
const char *json_text(const cJSON *object, const char *name);   // NULL if absent or not a string
bool json_flag(const cJSON *object, const char *name);          // true only if it is `true`
// An integer with no fraction within ±2^53; `fallback` otherwise.
int64_t json_integer(const cJSON *object, const char *name, int64_t fallback);

void json_put_text(cJSON *object, const char *name, const char *value);       // NULL -> null
void json_put_integer(cJSON *object, const char *name, int64_t value);        // exact
void json_put_secret(cJSON *object, const char *name, const struct secret *s); // unset -> null
// Print, compact or over several lines, as a secret (it may hold one). Never fails.
struct secret json_print(const cJSON *json, bool pretty);

#endif
