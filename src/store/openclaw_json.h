// SPDX-License-Identifier: MIT
//
// The openclaw-json format, auth-profiles.json up to 2026.6.1: what store.c calls for it. See store.h.
#ifndef STORE_OPENCLAW_JSON_H
#define STORE_OPENCLAW_JSON_H

#include "store/store.h"

// Both work on store->target, which the caller has found to be its real path and safe. Reading sets `state` and the
// copies.
void openclaw_json_read(struct store *store, const struct config *config, struct problems *problems);
int openclaw_json_write(const struct store *store, struct store_change *changes, size_t n, struct atomic_stage *stage);

#endif
