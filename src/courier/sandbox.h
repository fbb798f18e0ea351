// SPDX-License-Identifier: MIT
//
// What the courier gives up: it reads answers from the network, so it keeps no way to touch a file
// but the descriptors it was handed. Whatever the kernel cannot do is left out.
#ifndef COURIER_SANDBOX_H
#define COURIER_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

// No new privileges, no program, no process, no change of any name in the file system. Once libcurl
// is initialised. `local_names`: some will be asked for. 0, or -ENOMEM: then it must not go on.
int sandbox_calls(bool local_names);
// No file but certificates and the resolver's, for reading, and these (each may be NULL). Before the
// first transfer, because libcurl's resolver threads inherit it and others do not get it.
void sandbox_files(const char *const *more, size_t n);

#endif
