// SPDX-License-Identifier: MIT
//
// Make many files durable together.
//
// An fsync waits for the disk and for the file system's journal, and the journal takes along all who wait at that moment:
// sixteen at a time, a thousand files need a tenth of the time that one after the other takes. So they wait in threads, the
// only ones of this program: they call fsync and nothing else, have no signal, touch no memory but two numbers, and are gone
// when the call returns. (syncfs would be one call, but it waits for whatever anybody has written to that file system, and
// locks are held here; the kernel's AIO runs fsync one by one unless there are hundreds.)
#ifndef FILE_SYNC_H
#define FILE_SYNC_H

#include <stddef.h>

// fsync of each; -1 is left out. Errors (-errno) are noted, what is there already stays.
void sync_together(const int *fds, size_t n, int *errors);

#endif
