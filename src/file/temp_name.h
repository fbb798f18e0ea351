// SPDX-License-Identifier: MIT
//
// Temp files stand beside what they are for, `<target>.<pid>-<starttime>.oauth-keepalive.tmp`, so that a later run can
// tell whose they are.
#ifndef FILE_TEMP_NAME_H
#define FILE_TEMP_NAME_H

#include "base/process.h"

char *temp_name(const char *target, struct process_id owner);
// Whose temp file for `target` (a name without its directory) is `name`? False if it is none.
bool temp_name_read(const char *name, const char *target, struct process_id *ret);
// The target of which `name` would be a temp file, or NULL.
char *temp_name_target(const char *name);
// `<pid>-<starttime>` at *text, which is moved behind it.
bool process_read(const char **text, struct process_id *ret);

#endif
