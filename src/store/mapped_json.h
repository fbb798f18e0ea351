// SPDX-License-Identifier: MIT
//
// Another program's credential file, by its row of the table (format/format.h): a row of store/format.h.
#ifndef STORE_MAPPED_JSON_H
#define STORE_MAPPED_JSON_H

#include "lock/lock.h"
#include "store/store.h"

void mapped_json_read(struct store *store, const struct config *config, struct problems *problems);
// -EMLINK for a file with several names, -EACCES for one that its owner made read-only: the program itself would lose what it
// writes there, or others would go on with what was spent.
int mapped_json_stage(const struct store *store, struct atomic_stage *ret);
int mapped_json_write(const struct store *store, struct store_change *changes, size_t n, struct atomic_stage *stage);
// What it takes for a write.
void mapped_json_locks(const struct store *store, struct lock_set *set);
// What it holds while it refreshes, or commits what it refreshed: of one login.
void mapped_json_refresh_locks(const struct store *store, const struct config_store *external, struct lock_set *set);

#endif
