// SPDX-License-Identifier: MIT
//
// A store cannot be read, and a person has to see to it: it is STORE_UNREADABLE, and a problem says why.
#ifndef STORE_TROUBLE_H
#define STORE_TROUBLE_H

#include "json/scan.h"
#include "store/store.h"

// A store has some kilobytes. What is written may be somewhat longer than what was read.
#define STORE_TEXT_MAX (4u << 20)

// Takes `what`, which is said after the path.
void store_give_up(struct store *store, struct problems *problems, const char *code, char *what, const char *fix);
void store_give_up_error(struct store *store, struct problems *problems, int error);
// Its text is no JSON that can be spliced.
void store_give_up_text(struct store *store, struct problems *problems, const struct json_error *error);

#endif
