// SPDX-License-Identifier: MIT
//
// The time left as a bar: full when the token is new, the margin marked. Once it is shorter than the mark, it is due.
#include <stdio.h>

#include "base/clock.h"
#include "report/paint.h"
#include "report/report.h"

#define WIDTH 40

static enum colour urgency(int64_t left_s, int64_t margin_s)
{
	return left_s <= 0 ? RED : left_s <= margin_s ? YELLOW : GREEN;
}

void report_bar(const struct report *report, const struct account *a, FILE *out)
{
	const struct schedule *s = &a->verdict.schedule;
	int64_t left_s = (s->expires_ms - report->now_ms) / SECOND_MS, full, mark;
	_cleanup_free_ char *left = duration_format(left_s > 0 ? left_s : 0);
	_cleanup_free_ char *whole = duration_format(s->lifetime_s);
	char bar[WIDTH + 1];

	if (!s->expires_ms || !s->lifetime_s)
		return;
	full = left_s >= s->lifetime_s ? WIDTH : left_s > 0 ? left_s * WIDTH / s->lifetime_s : 0;
	mark = s->margin_s * WIDTH / s->lifetime_s;
	for (int i = 0; i < WIDTH; i++)
		bar[i] = i == mark ? '|' : i < full ? '=' : ' ';
	bar[WIDTH] = '\0';
	fprintf(out, "    left        [%s%s%s] %s of %s\n",
		paint(out, urgency(left_s, s->margin_s)), bar, paint(out, PLAIN), left, whole);
}
