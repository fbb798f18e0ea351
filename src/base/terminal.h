// SPDX-License-Identifier: MIT
//
// The terminal a person sits at: how wide it is, how wide a text is in it, and where that is cut or broken. Texts are
// UTF-8 that was made printable (string_printable); colours in them ("\033[…m") take no room.
#ifndef BASE_TERMINAL_H
#define BASE_TERMINAL_H

#include "base/util.h"

// Columns of the terminal behind the descriptor: $COLUMNS, else what the kernel says, else 80. 0: it is no terminal, and
// nothing is broken or cut for it.
int terminal_width(int fd);
int terminal_height(int fd); // the same, of its lines and $LINES; 24
bool terminal_has_colours(int fd); // a terminal, no NO_COLOR (no-color.org), not a dumb one
bool terminal_has_unicode(void); // by the locale, and the terminal is not a dumb one

int text_columns(const char *text);
// The text, or as much of its beginning as leaves room for "…" within that many columns. Free it.
char *text_cut(const char *text, int columns);
// Print it with every line broken at spaces to be at most `width` columns wide (0: as it is). What follows a break is
// indented by four more than the line was. What stands in `backquotes`, and what stands between TEXT_WHOLE and TEXT_LOOSE, is a
// command to be copied: it is broken nowhere, but begins a line of its own where it does not fit.
void text_wrap(const char *text, int width, FILE *out);
#define TEXT_WHOLE "\002"
#define TEXT_LOOSE "\003"

#endif
