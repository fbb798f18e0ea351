// SPDX-License-Identifier: MIT
#include <locale.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/terminal.h"

#define WIDTH_DEFAULT  80
#define HEIGHT_DEFAULT 24
#define SIZE_MOST      10000 // more is a mistake
#define INDENT_MORE    4

static int size_said(const char *variable)
{
	const char *text = getenv(variable);
	long n = text ? strtol(text, NULL, 10) : 0;

	return n > 0 && n <= SIZE_MOST ? (int)n : 0;
}

int terminal_width(int fd)
{
	struct winsize size = {0};
	int said = size_said("COLUMNS");

	if (!isatty(fd))
		return 0;
	if (said)
		return said;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : WIDTH_DEFAULT;
}

int terminal_height(int fd)
{
	struct winsize size = {0};
	int said = size_said("LINES");

	if (said)
		return said;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : HEIGHT_DEFAULT;
}

bool terminal_has_colours(int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && string_empty(no_color) && !string_equal(term, "dumb");
}

bool terminal_has_unicode(void)
{
	static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		const char *said = getenv(variables[i]);
		if (said && *said)
			return (strcasestr(said, "UTF-8") || strcasestr(said, "utf8")) &&
			       !string_equal(getenv("TERM"), "dumb");
	}
	return false;
}

// The C library knows it in a UTF-8 locale, which ours is not: nothing else here depends on one.
static int code_columns(uint32_t code)
{
	static locale_t utf8;
	locale_t before;
	int columns;

	if (code < 0x300) // where the first of no width are
		return 1;
	if (!utf8)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!utf8)
		return 1;
	before = uselocale(utf8);
	columns = wcwidth((wchar_t)code);
	uselocale(before);
	return columns < 0 ? 1 : columns;
}

// What stands at `s`: how many bytes, and how many columns they take.
static size_t step(const char *s, int *ret_columns)
{
	uint32_t code = 0;
	size_t n;

	*ret_columns = 0;
	if (string_starts(s, "\033[")) {
		n = 2 + strspn(s + 2, "0123456789;");
		return n + (s[n] == 'm');
	}
	if (*s == *TEXT_WHOLE || *s == *TEXT_LOOSE)
		return 1;
	n = utf8_decode(s, strnlen(s, 4), &code);
	*ret_columns = n ? code_columns(code) : 1;
	return n ? n : 1;
}

int text_columns(const char *text)
{
	int columns = 0, more;

	for (; *text; columns += more)
		text += step(text, &more);
	return columns;
}

char *text_cut(const char *text, int columns)
{
	int used = 0, more;
	size_t n = 0;

	if (text_columns(text) <= columns)
		return xstrdup(text);
	for (size_t next; text[n]; n += next, used += more) {
		next = step(text + n, &more);
		if (used + more > columns - 1)
			break;
	}
	return xasprintf("%.*s…", (int)n, text);
}

// A word to its end: to the next space that is in no command. Its bytes, and its columns.
static size_t word_length(const char *s, int *ret_columns)
{
	const char *start = s;
	bool whole = false;
	int columns = 0, more;

	for (; *s && *s != '\n' && (whole || *s != ' '); columns += more) {
		if (*s == '`')
			whole = !whole && strcspn(s + 1, "`") < strcspn(s + 1, "\n");
		else if (*s == *TEXT_WHOLE || *s == *TEXT_LOOSE)
			whole = *s == *TEXT_WHOLE;
		s += step(s, &more);
	}
	*ret_columns = columns;
	return (size_t)(s - start);
}

static void put_word(const char *word, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++)
		if (word[i] != *TEXT_WHOLE && word[i] != *TEXT_LOOSE)
			fputc(word[i], out);
}

// One line; where it ends.
static const char *wrap_line(const char *s, int width, FILE *out)
{
	int deeper = (int)strspn(s, " ") + INDENT_MORE, at = 0;

	if (deeper > width / 2)
		deeper = width / 2;
	while (*s && *s != '\n') {
		int blanks = (int)strspn(s, " "), columns;
		const char *word = s + blanks;
		size_t n = word_length(word, &columns);

		if (width && n == 0)
			blanks = 0; // at the end
		if (width && at > 0 && at + blanks + columns > width) {
			fprintf(out, "\n%*s", deeper, "");
			at = deeper + columns;
		} else {
			fprintf(out, "%*s", blanks, "");
			at += blanks + columns;
		}
		put_word(word, n, out);
		s = word + n;
	}
	return s;
}

void text_wrap(const char *text, int width, FILE *out)
{
	while (*text) {
		text = wrap_line(text, width, out);
		if (*text == '\n') {
			fputc('\n', out);
			text++;
		}
	}
}
