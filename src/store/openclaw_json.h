// SPDX-License-Identifier: MIT
//
// The openclaw-json format, auth-profiles.json up to 2026.6.1: its row of the table (store/format.h).
#ifndef STORE_OPENCLAW_JSON_H
#define STORE_OPENCLAW_JSON_H

#include <sys/stat.h>

#include "store/store.h"

void openclaw_json_read(struct store *store, const struct config *config, struct problems *problems);
void openclaw_json_read_open(struct store *store, int fd, const struct stat *st, const struct config *config,
			     struct problems *problems);
int openclaw_json_write(const struct store *store, struct store_change *changes, size_t n, struct atomic_stage *stage);
// One for each name.
void openclaw_json_locks(const struct store *store, struct lock_set *set);

#endif
