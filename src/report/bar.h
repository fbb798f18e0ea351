// SPDX-License-Identifier: MIT
//
// The time left as a bar: full when the token is new, the margin marked. Once it is shorter than the mark, it is due. Pure.
#ifndef REPORT_BAR_H
#define REPORT_BAR_H

#include "account/account.h"
#include "report/screen.h"

enum colour bar_colour(const struct schedule *schedule, int64_t left_s);
// In `width` columns, two of which are its ends; "" where no lifetime is known. `lines`: drawn, for a terminal that has
// Unicode; else in ASCII. With paint(). Free it.
char *bar_draw(const struct schedule *schedule, int64_t left_s, int width, bool lines);

#endif
