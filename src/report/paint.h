// SPDX-License-Identifier: MIT
//
// Colour, only on a terminal, and not with NO_COLOR (no-color.org) or on a dumb one.
#ifndef REPORT_PAINT_H
#define REPORT_PAINT_H

#include <stdio.h>

enum colour { PLAIN, GREEN, YELLOW, RED, DIM };
const char *paint(FILE *out, enum colour colour);

#endif
