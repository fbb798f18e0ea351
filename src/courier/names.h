// SPDX-License-Identifier: MIT
//
// How does this machine find the address of a name? Only where that takes a daemon behind a Unix
// socket may the courier open one.
#ifndef COURIER_NAMES_H
#define COURIER_NAMES_H

#include <stdbool.h>

// By nsswitch.conf, and by which of the daemons' sockets are there. `local_names`: names below .local
// (RFC 6762) will be asked for, too.
bool names_need_sockets(bool local_names);

#endif
