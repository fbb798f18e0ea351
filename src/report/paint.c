// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "base/util.h"
#include "report/paint.h"

const char *paint(FILE *out, enum colour colour)
{
	static const char *const codes[] = {"\033[0m", "\033[32m", "\033[33m", "\033[31m",
					    "\033[2m"};
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (!isatty(fileno(out)) || (no_color && *no_color) || string_equal(term, "dumb"))
		return "";
	return codes[colour];
}
