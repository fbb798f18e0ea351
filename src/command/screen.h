// SPDX-License-Identifier: MIT
//
// A screen that shows the same again and again. On a terminal: a screen of its own, drawn over in one write, without a
// flicker; a new size is taken up at once; q ends it, and so do the signals that end a program, and the terminal is then what it
// was, also while it is stopped. Elsewhere, and on a dumb terminal: one text after the other.
#ifndef COMMAND_SCREEN_H
#define COMMAND_SCREEN_H

#include "command/command.h"

// `show` writes one screen and returns an exit status; STATUS_USAGE ends it. So does an output that nobody reads.
int screen_watch(int (*show)(const struct invocation *invocation, FILE *out), const struct invocation *invocation);

#endif
