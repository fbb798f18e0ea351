// SPDX-License-Identifier: MIT
//
// The document {"version":1,"profiles":{…}}: the same in auth-profiles.json and in the SQLite rows that replaced it.
// Pure but for the clock. See store.h.
#ifndef STORE_OPENCLAW_PROFILES_H
#define STORE_OPENCLAW_PROFILES_H

#include "store/store.h"

// Sets the store's `state` and copies, or says what is wrong with the text, which may be kept (and is then unset).
void openclaw_profiles_read(struct store *store, struct secret *text, const struct config *config,
			    struct problems *problems);
// The text with every change applied that may be; each change's `result` is set. `ret` is unset when nothing changes.
// -EBADMSG if the text is not what it should be.
int openclaw_profiles_edit(const struct secret *text, struct store_change *changes, size_t n, struct secret *ret);

#endif
