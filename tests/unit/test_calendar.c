// SPDX-License-Identifier: MIT
//
// How often a timer runs, by what stands in its unit: every form of systemd.time(7). Where systemd-analyze is at hand it has
// to take what we take.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "doctor/calendar.h"

static const struct {
	const char *text; // several: joined by ";"
	int64_t gap_s;	  // -1: not understood
} gaps[] = {
	{"*:0/5", 300},
	{"*:0/20", 1200},
	{"*:0/25", 25 * MINUTE_S}, // 0, 25, 50, and 0 again
	{"*:0/45", 45 * MINUTE_S},
	{"*:*:0/2", MINUTE_S},
	{"*-*-* *:00/5:00", 300},
	{"*-*-* *:02,17,32,47:30.5", 15 * MINUTE_S},
	{"*:7", HOUR_S},
	{"0/2:30", 2 * HOUR_S},
	{"8..18/2:00", 14 * HOUR_S},
	{"9..17:0/10", 15 * HOUR_S + 10 * MINUTE_S},
	{"02:30", DAY_S},
	{"*-*-*", DAY_S},
	{"00:00 UTC", DAY_S},
	{"*-*-* 03:00:00 Europe/Berlin", DAY_S},
	{"Mon..Fri *:0/5", 2 * DAY_S + 300},
	{"Mon..Fri 09:00", 3 * DAY_S},
	{"mon,Wed 12:00", 5 * DAY_S},
	{"Monday", 7 * DAY_S},
	{"Sat,Sun,Mon *-*-* 00:00", 5 * DAY_S},
	{"Sat..Mon *-*-* 00:00", -1},
	{"*-*-01 00:00", 31 * DAY_S},
	{"*-02~01 00:00", 366 * DAY_S},
	{"*~01 12:00", 31 * DAY_S},
	{"*-*~01 12:00", 31 * DAY_S},
	{"*-1,7-1", 184 * DAY_S},
	{"minutely", MINUTE_S},
	{"hourly", HOUR_S},
	{"Daily", DAY_S},
	{"weekly", 7 * DAY_S},
	{"monthly", 31 * DAY_S},
	{"quarterly", 92 * DAY_S},
	{"yearly", 366 * DAY_S},
	{"*:0/10;*:5/10", 5 * MINUTE_S},
	{"Mon..Fri *:0/5;Sat,Sun *:0/30", 30 * MINUTE_S},
	{"hourly;daily", HOUR_S},
	{"", -1},
	{"whenever", -1},
	{"*:0/0", -1},
	{"*:60", -1},
	{"24:00", -1},
	{"*:5..3", -1},
	{"*:0/5 and more", -1},
	{"2030-*-* 00:00", -1}, // for a year alone: nobody can tell
	{"*-13-1", -1},
};

static int64_t gap_of(const char *text)
{
	struct calendar list[4];
	size_t n = 0;
	_cleanup_free_ char *copy = xstrdup(text);
	char *rest = copy, *one;

	while ((one = strsep(&rest, ";")))
		if (calendar_parse(one, &list[n++]) < 0)
			return -1;
	return calendar_longest_gap_s(list, n);
}

static void test_gaps(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(gaps); i++)
		if (gap_of(gaps[i].text) != gaps[i].gap_s)
			fail_msg("\"%s\": %lld, shall be %lld", gaps[i].text,
				 (long long)gap_of(gaps[i].text), (long long)gaps[i].gap_s);
}

static void test_as_systemd(void **state)
{
	(void)state;
	if (system("systemd-analyze calendar daily >/dev/null 2>&1") != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(gaps); i++) {
		_cleanup_free_ char *command =
			xasprintf("systemd-analyze calendar -- '%s' >/dev/null 2>&1", gaps[i].text);
		if (gaps[i].gap_s > 0 && !strchr(gaps[i].text, ';') && system(command) != 0)
			fail_msg("systemd does not take \"%s\"", gaps[i].text);
	}
}

static void test_timespans(void **state)
{
	static const struct {
		const char *text;
		int64_t s;
	} spans[] = {
		{"5min", 300},	      {"300", 300},	 {"5m", 300},	  {" 1h 30min ", 5400},
		{"1h30min", 5400},    {"2 hours", 7200}, {"1.5h", 5400},  {"20 sec", 20},
		{"1d", DAY_S},	      {"1w", 7 * DAY_S}, {"1M", 2629800}, {"90000ms", 90},
		{"1us", 0},	      {"0", 0},		 {"", -1},	  {"soon", -1},
		{"5 fortnights", -1}, {"m", -1},	 {"min5", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		int64_t s = -1;
		if (timespan_parse(spans[i].text, &s) < 0)
			s = -1;
		if (s != spans[i].s)
			fail_msg("\"%s\": %lld", spans[i].text, (long long)s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_as_systemd),
		cmocka_unit_test(test_timespans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
