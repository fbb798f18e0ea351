// SPDX-License-Identifier: MIT
//
// A store that is one JSON file: read as a whole, and replaced as a whole, or not at all if nothing changes.
#ifndef STORE_JSON_FILE_H
#define STORE_JSON_FILE_H

#include "store/store.h"

// Its text, and with it the store's mode and group. Without one, `state` says so, and a problem why.
bool json_file_read(struct store *store, struct secret *ret, struct problems *problems);
bool json_file_read_open(struct store *store, int fd, const struct stat *st, struct secret *ret,
			 struct problems *problems); // … of the open file
void json_file_describe(struct store *store, const struct stat *st); // … the rest, without the text
int json_file_stage(const struct store *store, struct atomic_stage *ret);
// The text with every change applied that may be; each change's `result` is set. `ret` stays unset when nothing changes.
// -EBADMSG if the text is not what it should be.
typedef int json_file_editor(const struct store *store, const struct secret *text, struct store_change *changes,
			     size_t n, struct secret *ret);
// Read again, edit, and leave the new text in `stage`, to be put in its place. Before all that it finishes what a killed process left.
int json_file_write(const struct store *store, json_file_editor *edit, struct store_change *changes, size_t n,
		    struct atomic_stage *stage);
// The edit alone.
int json_file_edit(const struct store *store, json_file_editor *edit, struct store_change *changes, size_t n,
		   struct secret *ret);

#endif
