// SPDX-License-Identifier: MIT
#include "report/bar.h"

enum cell { CELL_FULL, CELL_EMPTY, CELL_MARK_FULL, CELL_MARK_EMPTY };

static const char *const drawn[] = {"━", "─", "╋", "┼"}, *const plain[] = {"=", " ", "|", "|"};

enum colour bar_colour(const struct schedule *schedule, int64_t left_s)
{
	return left_s <= 0 ? RED : left_s <= schedule->margin_s ? YELLOW : GREEN;
}

// How many of `cells` that is, to the nearest; but a little is more than nothing.
static int share(int64_t part_s, int64_t whole_s, int cells)
{
	int n = part_s >= whole_s ? cells
		: part_s > 0	  ? (int)((part_s * cells + whole_s / 2) / whole_s)
				  : 0;

	return part_s > 0 && n == 0 ? 1 : n;
}

char *bar_draw(const struct schedule *schedule, int64_t left_s, int width, bool lines)
{
	const char *const *glyphs = lines ? drawn : plain;
	int cells = width - 2, full, mark;
	size_t len = 0;
	char *text = NULL;
	FILE *out;

	if (schedule->lifetime_s <= 0 || cells < 1)
		return xstrdup("");
	full = share(left_s, schedule->lifetime_s, cells);
	mark = (int)(schedule->margin_s * cells / schedule->lifetime_s);
	out = xopen_memstream(&text, &len);
	fprintf(out, "%s%s", lines ? "╶" : "[", paint(bar_colour(schedule, left_s)));
	for (int i = 0; i < cells; i++) {
		bool in = i < full;
		if (i == full)
			fprintf(out, "%s%s", paint(PLAIN), paint(DIM));
		fputs(glyphs[i == mark ? (in ? CELL_MARK_FULL : CELL_MARK_EMPTY)
			     : in      ? CELL_FULL
				       : CELL_EMPTY],
		      out);
	}
	fprintf(out, "%s%s", paint(PLAIN), lines ? "╴" : "]");
	fclose(out);
	return text;
}
