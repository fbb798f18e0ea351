// SPDX-License-Identifier: MIT
//
// "did you mean": the name that a mistyped one is closest to, of all that could have been meant.
#ifndef BASE_CLOSEST_H
#define BASE_CLOSEST_H

#include "base/util.h"

struct closest {
	const char *wanted; // as it was typed
	const char *best;   // of those that were tried, and close enough to be meant; NULL: none is
	size_t distance;    // … of it
};

// Letters put in, left out, replaced, or two of them in each other's place, whatever their case; SIZE_MAX: too long to tell.
size_t typing_distance(const char *a, const char *b);
// Is it closer than those before? It has to live as long as `closest`. NULL is nothing.
void closest_try(struct closest *closest, const char *name);
// "; did you mean `xai:default`?", printable; "" where nothing is close. Free it.
char *closest_said(const struct closest *closest);

#endif
