// SPDX-License-Identifier: MIT
//
// How wide a text is, where it is cut and where it is broken; what a mistyped word meant; and the bar. Tables, and what holds for any text at any width.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/closest.h"
#include "base/terminal.h"
#include "report/bar.h"

static void test_columns(void **state)
{
	static const struct {
		const char *text;
		int columns;
	} cases[] = {
		{"", 0},
		{"xai:default", 11},
		{"é", 1},
		{"e\xcc\x81", 1}, // a combining accent has no width
		{"山田", 4},
		{"한글", 4},
		{"😀", 2},
		{"\033[31mred\033[0m", 3},
		{TEXT_WHOLE "ab" TEXT_LOOSE, 2},
		{"…", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(text_columns(cases[i].text), cases[i].columns);
}

static void test_cut(void **state)
{
	static const struct {
		const char *text;
		int columns;
		const char *cut;
	} cases[] = {
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"abcd", 1, "…"},
		{"山田太郎", 8, "山田太郎"},
		{"山田太郎", 7, "山田太…"},
		{"山田太郎", 6, "山田…"},
		{"", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *cut = text_cut(cases[i].text, cases[i].columns);
		assert_string_equal(cut, cases[i].cut);
	}
}

static char *wrapped(const char *text, int width)
{
	char *got = NULL;
	size_t len = 0;
	FILE *out = xopen_memstream(&got, &len);

	text_wrap(text, width, out);
	fclose(out);
	return got;
}

static void test_wrap(void **state)
{
	static const struct {
		const char *text;
		int width;
		const char *lines;
	} cases[] = {
		{"", 10, ""},
		{"one two three\n", 0, "one two three\n"},
		{"one two three\n", 13, "one two three\n"},
		{"one two three\n", 12, "one two\n    three\n"},
		{"one two three", 8, "one two\n    three"},
		{"  aaaa bb ccccc\n\nd\n", 13, "  aaaa bb\n      ccccc\n\nd\n"},
		// A word that is longer than the line is not taken apart: a terminal does that, and it can be copied.
		{"a /a/long/path/to/something b", 10, "a\n    /a/long/path/to/something\n    b"},
		{"run `a b c` now", 10, "run\n    `a b c`\n    now"},
		{"fix: " TEXT_WHOLE "mv a b" TEXT_LOOSE " and go", 9,
		 "fix:\n    mv a b\n    and\n    go"},
		{"an open ` is no command, says it", 20, "an open ` is no\n    command, says it"},
		{"\033[31merror\033[0m [x]: y", 12, "\033[31merror\033[0m [x]: y"},
		{"日本 日本 日本", 9, "日本 日本\n    日本"},
		{"blanks at the end   \n", 17, "blanks at the end\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *got = wrapped(cases[i].text, cases[i].width);
		assert_string_equal(got, cases[i].lines);
	}
}

// Nothing is lost or added but blanks and line ends, and no line is too wide that could be broken.
static void test_wrap_keeps_every_word(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		char text[120];
		size_t n = 0;
		int width = 12 + rand_r(&seed) % 30;
		while (n < sizeof(text) - 1)
			text[n++] = "abc  de `\n"[rand_r(&seed) % 10];
		text[n] = '\0';
		_cleanup_free_ char *got = wrapped(text, width);
		const char *a = text, *b = got;
		for (;; a++, b++) {
			a += strspn(a, " \n");
			b += strspn(b, " \n");
			assert_int_equal(*a, *b);
			if (!*a)
				break;
		}
		for (char *save = NULL, *line = strtok_r(got, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			if (!strchr(line, '`'))
				assert_true(text_columns(line) <= width ||
					    !strchr(line + strspn(line, " "), ' '));
	}
}

// ---- what was meant

static void test_typing_distance(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} cases[] = {
		{"", "", 0},
		{"status", "status", 0},
		{"Status", "sTATUS", 0},
		{"statsu", "status", 1},
		{"stats", "status", 1},
		{"sttatus", "status", 1},
		{"stadus", "status", 1},
		{"", "own", 3},
		{"ca", "abc", 3},
	};
	char longer[200] = {0};

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(typing_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(typing_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
	assert_true(typing_distance(longer, "x") == SIZE_MAX);
	assert_true(typing_distance("x", longer) == SIZE_MAX);
}

static void test_closest(void **state)
{
	static const char *const names[] = {"refresh", NULL, "", "restore", "status", "sync"};
	static const struct {
		const char *wanted, *best;
	} cases[] = {
		{"refesh", "refresh"}, {"restor", "restore"}, {"st", "status"}, {"sink", NULL},
		{"snyc", "sync"},      {"x", NULL},	      {"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct closest closest = {.wanted = cases[i].wanted};
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			closest_try(&closest, names[k]);
		assert_true(string_equal(closest.best, cases[i].best));
	}
}

// ---- the bar

static char *plain_bar(int64_t left_s, int64_t lifetime_s, int64_t margin_s, int width)
{
	struct schedule s = {.lifetime_s = lifetime_s, .margin_s = margin_s};
	_cleanup_free_ char *bar = bar_draw(&s, left_s, width, false);
	char *plain = xcalloc(strlen(bar) + 1, 1), *to = plain;

	for (const char *p = bar; *p;)
		if (*p == '\033')
			p += strcspn(p, "m") + 1;
		else
			*to++ = *p++;
	return plain;
}

static void test_bar(void **state)
{
	static const struct {
		int64_t left, lifetime, margin;
		const char *bar;
	} cases[] = {
		{6 * HOUR_S, 6 * HOUR_S, 2 * HOUR_S, "[===|======]"},
		{3 * HOUR_S, 6 * HOUR_S, 2 * HOUR_S, "[===|=     ]"},
		{1 * HOUR_S, 6 * HOUR_S, 2 * HOUR_S, "[== |      ]"},
		{1, 10 * DAY_S, DAY_S, "[=|        ]"}, // a little is more than nothing
		{0, 6 * HOUR_S, 2 * HOUR_S, "[   |      ]"},
		{-5, 6 * HOUR_S, 2 * HOUR_S, "[   |      ]"},
		{9 * HOUR_S, 6 * HOUR_S, 2 * HOUR_S, "[===|======]"}, // longer than it can be
		{HOUR_S, 0, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *bar =
			plain_bar(cases[i].left, cases[i].lifetime, cases[i].margin, 12);
		assert_string_equal(bar, cases[i].bar);
	}
}

// Of any width, whatever is left.
static void test_bar_is_as_wide_as_it_shall_be(void **state)
{
	(void)state;
	for (int width = 3; width < 60; width++)
		for (int64_t left = -HOUR_S; left < 8 * HOUR_S; left += 977) {
			struct schedule s = {.lifetime_s = 6 * HOUR_S, .margin_s = 2 * HOUR_S};
			for (int lines = 0; lines < 2; lines++) {
				_cleanup_free_ char *bar = bar_draw(&s, left, width, lines);
				assert_int_equal(text_columns(bar), width);
			}
		}
}

static void test_bar_colour(void **state)
{
	struct schedule s = {.lifetime_s = 6 * HOUR_S, .margin_s = 2 * HOUR_S};

	(void)state;
	assert_int_equal(bar_colour(&s, 2 * HOUR_S + 1), GREEN);
	assert_int_equal(bar_colour(&s, 2 * HOUR_S), YELLOW);
	assert_int_equal(bar_colour(&s, 0), RED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_wrap_keeps_every_word),
		cmocka_unit_test(test_typing_distance),
		cmocka_unit_test(test_closest),
		cmocka_unit_test(test_bar),
		cmocka_unit_test(test_bar_is_as_wide_as_it_shall_be),
		cmocka_unit_test(test_bar_colour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
