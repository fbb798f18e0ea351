// SPDX-License-Identifier: MIT
#include "report/screen.h"

#include "base/log.h"
#include "base/terminal.h"

const char *paint(enum colour colour)
{
	static const char *const codes[] = {"\033[0m",	"\033[32m", "\033[33m",
					    "\033[31m", "\033[2m",  "\033[1m"};

	return codes[colour];
}

// What paint() may have said. Nothing else drives a terminal: an escape that came some other way is no colour.
static size_t colour_length(const char *s)
{
	for (enum colour c = PLAIN; c <= BOLD; c++)
		if (string_starts(s, paint(c)))
			return strlen(paint(c));
	return 0;
}

static void resolve(const char *s, int fd, FILE *out)
{
	bool colours = terminal_has_colours(fd);

	while (*s) {
		size_t n = colour_length(s);
		if (n > 0) {
			fwrite(s, 1, colours ? n : 0, out);
		} else if (*s == *PRIORITY_ERROR && s[1]) {
			fputs(log_journal_prefix(fd, (enum log_level)(s[1] - '0')), out);
			n = 2;
		} else if (*s != '\033') {
			fputc(*s, out);
		}
		s += n ? n : 1;
	}
}

void screen_show(const struct report *report, void (*print)(const struct report *, FILE *),
		 FILE *to, int fd)
{
	_cleanup_free_ char *text = NULL, *shown = NULL;
	size_t len = 0;
	FILE *out = xopen_memstream(&text, &len);

	print(report, out);
	fclose(out);
	out = xopen_memstream(&shown, &len);
	resolve(text, fd, out);
	fclose(out);
	text_wrap(shown, terminal_width(fd), to);
}

char *shown_path(const char *path)
{
	_cleanup_free_ char *home = home_directory();
	size_t n = home ? strlen(home) : 0;
	_cleanup_free_ char *safe = string_printable(path, 512);

	if (n > 1 && strncmp(safe, home, n) == 0 && safe[n] == '/')
		return xasprintf("~%s", safe + n);
	return TAKE_PTR(safe);
}
