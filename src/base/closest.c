// SPDX-License-Identifier: MIT
#include "base/closest.h"

#include <ctype.h>
#include <strings.h>

#define LONGEST 128

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

// Optimal string alignment; of the table, three rows at a time.
size_t typing_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), rows[3][LONGEST + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	if (n > LONGEST || m > LONGEST)
		return SIZE_MAX;
	for (size_t k = 0; k <= m; k++)
		last[k] = k;
	for (size_t i = 1; i <= n; i++) {
		size_t *oldest = before;
		row[0] = i;
		for (size_t k = 1; k <= m; k++) {
			row[k] = least(least(last[k], row[k - 1]) + 1,
				       last[k - 1] + !same(a[i - 1], b[k - 1]));
			if (i > 1 && k > 1 && same(a[i - 1], b[k - 2]) && same(a[i - 2], b[k - 1]))
				row[k] = least(row[k], before[k - 2] + 1);
		}
		before = last;
		last = row;
		row = oldest;
	}
	return last[m];
}

// What begins with the word is nearly typed; else one letter in three may be wrong.
static size_t distance(const char *wanted, const char *name)
{
	size_t n = strlen(wanted), d = typing_distance(wanted, name);

	if (n >= 2 && strncasecmp(wanted, name, n) == 0)
		return 1;
	return d <= (n + 1) / 3 ? d : SIZE_MAX;
}

void closest_try(struct closest *closest, const char *name)
{
	size_t d = string_empty(name) ? SIZE_MAX : distance(closest->wanted, name);

	if (d == SIZE_MAX || (closest->best && d >= closest->distance))
		return;
	closest->best = name;
	closest->distance = d;
}

char *closest_said(const struct closest *closest)
{
	_cleanup_free_ char *safe = closest->best ? string_printable(closest->best, 120) : NULL;

	return safe ? xasprintf("; did you mean `%s`?", safe) : xstrdup("");
}
