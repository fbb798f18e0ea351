// SPDX-License-Identifier: MIT
//
// Durations and dates, by table and against the C library's own calendar.

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"

#define UNTOUCHED INT64_C(-77)

static uint64_t seed = 0x2545f4914f6cdd1d;

static uint64_t next_random(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static void test_clocks(void **state)
{
	int64_t before = time(NULL), wall = clock_wall_ms(), after = time(NULL);
	int64_t boot = clock_boot_ms();

	(void)state;
	// Both tick in seconds, and time() may show the last one a little longer.
	assert_true(wall / SECOND_MS >= before && wall / SECOND_MS <= after + 1);
	assert_true(boot > 0);
	assert_true(clock_boot_ms() >= boot);
	assert_true(clock_build_ms() >= 0);
	assert_true(clock_build_ms() <= wall);
}

static void test_duration_parse(void **state)
{
	static const struct {
		const char *text;
		int result;
		int64_t seconds;
	} cases[] = {
		{"0", 0, 0},
		{"0s", 0, 0},
		{"90s", 0, 90},
		{"30m", 0, 1800},
		{"2h", 0, 7200},
		{"3d", 0, 259200},
		{"1h30m", 0, 5400},
		{"1d2h3m4s", 0, 93784},
		{"36525d", 0, 36525 * DAY_S},
		{"36525d1s", -ERANGE, 0},
		{"36526d", -ERANGE, 0},
		{"99999999999999999999999d", -ERANGE, 0},
		{"9223372036854775807s9223372036854775807s", -ERANGE, 0},
		{"99999999999999999999999x", -EINVAL, 0},
		{"", -EINVAL, 0},
		{NULL, -EINVAL, 0},
		{"5", -EINVAL, 0},
		{"00", -EINVAL, 0},
		{"h", -EINVAL, 0},
		{"-1h", -EINVAL, 0},
		{"+1h", -EINVAL, 0},
		{"1.5h", -EINVAL, 0},
		{"1h30", -EINVAL, 0},
		{"1 h", -EINVAL, 0},
		{" 1h", -EINVAL, 0},
		{"1h ", -EINVAL, 0},
		{"1H", -EINVAL, 0},
		{"1w", -EINVAL, 0},
		{"0x1h", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t seconds = UNTOUCHED;
		int r = duration_parse(cases[i].text, &seconds);

		if (r != cases[i].result)
			fail_msg("%s: %d", cases[i].text, r);
		assert_int_equal(seconds, r ? UNTOUCHED : cases[i].seconds);
	}
}

static void test_duration_format(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{0, "0s"},
		{1, "1s"},
		{59, "59s"},
		{60, "1m"},
		{61, "1m1s"},
		{3599, "59m59s"},
		{3600, "1h"},
		{3659, "1h"}, // the seconds are the third unit
		{4320, "1h12m"},
		{86400, "1d"},
		{86399, "23h59m"},
		{288000, "3d8h"},
		{86400 + 59 * 60, "1d"},
		{-1, "-1s"},
		{-4320, "-1h12m"},
		{INT64_MAX, "106751991167300d15h"},
		{INT64_MIN, "-106751991167300d15h"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = duration_format(cases[i].seconds);

		assert_string_equal(text, cases[i].text);
	}
}

// What is formatted can be parsed, and is less than its second unit away.
static void test_duration_round_trip(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t back, s = (int64_t)next_random(1 + (1ULL << next_random(31)));
		_cleanup_free_ char *text = duration_format(s);
		int64_t unit = s >= DAY_S ? HOUR_S : s >= HOUR_S ? MINUTE_S : 1;

		assert_int_equal(duration_parse(text, &back), 0);
		assert_true(back <= s && s - back < unit);
	}
}

static void test_time_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T00:00:00.001Z", 1},
		{"1969-12-31T23:59:59.999Z", -1},
		{"2026-11-20T22:00:00Z", 1795212000000},
		{"2026-11-20t22:00:00z", 1795212000000},
		{"2026-11-20 22:00:00Z", 1795212000000},
		{"2026-11-20T22:00:00+00:00", 1795212000000},
		{"2026-11-20T22:00:00.123+01:00", 1795208400123},
		{"2026-11-20T22:00:00.123-05:30", 1795231800123},
		{"2026-11-20T22:00:00.1Z", 1795212000100},
		{"2026-11-20T22:00:00.12Z", 1795212000120},
		{"2026-11-20T22:00:00.123456789012345678901234567890Z", 1795212000123},
		{"2026-11-20T22:00:00.0009999Z", 1795212000000},
		{"2024-02-29T00:00:00Z", 1709164800000},
		{"2000-02-29T12:00:00Z", 951825600000},
		{"0000-01-01T00:00:00Z", -62167219200000},
		{"9999-12-31T23:59:59.999Z", 253402300799999},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t ms = UNTOUCHED;

		if (time_parse(cases[i].text, &ms) != 0 || ms != cases[i].ms)
			fail_msg("%s: %" PRId64, cases[i].text, ms);
	}
}

static void test_time_parse_refuses(void **state)
{
	static const char *const cases[] = {
		NULL,
		"",
		"2026-11-20",
		"2026-11-20T22:00:00",
		"2026-11-20T22:00Z",
		"2026-11-20T22:00:00.Z",
		"2026-11-20T22:00:00,5Z",
		"2026-11-20T22:00:00Z ",
		" 2026-11-20T22:00:00Z",
		"2026-11-20T22:00:00Zjunk",
		"2026-11-20_22:00:00Z",
		"2026-00-20T22:00:00Z",
		"2026-13-20T22:00:00Z",
		"2026-11-00T22:00:00Z",
		"2026-11-31T22:00:00Z",
		"2026-02-29T22:00:00Z",
		"1900-02-29T22:00:00Z",
		"2026-11-20T24:00:00Z",
		"2026-11-20T22:60:00Z",
		"2026-11-20T22:00:60Z",
		"2026-11-20T22:00:00+24:00",
		"2026-11-20T22:00:00+01:60",
		"2026-11-20T22:00:00+0100",
		"2026-11-20T22:00:00+01",
		"2026-11-20T22:00:00 Z",
		"26-11-20T22:00:00Z",
		"+2026-11-20T22:00:00Z",
		"2026-1-20T22:00:00Z",
		"2026-11-20T2:00:00Z",
		"2026-11-20T-2:00:00Z",
		"1795212000",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t ms = UNTOUCHED;

		if (time_parse(cases[i], &ms) != -EINVAL || ms != UNTOUCHED)
			fail_msg("%s: %" PRId64, cases[i], ms);
	}
}

static void test_time_format(void **state)
{
	static const struct {
		int64_t ms;
		const char *seconds, *milliseconds;
	} cases[] = {
		{1795212000123, "2026-11-20T22:00:00Z", "2026-11-20T22:00:00.123Z"},
		{1795212000000, "2026-11-20T22:00:00Z", "2026-11-20T22:00:00.000Z"},
		{1, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.001Z"},
		{-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z"},
		{1709164800000, "2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"},
		// The ends of JavaScript's Date, as its toISOString gives them.
		{8640000000000000, "+275760-09-13T00:00:00Z", "+275760-09-13T00:00:00.000Z"},
		{-8640000000000000, "-271821-04-20T00:00:00Z", "-271821-04-20T00:00:00.000Z"},
		{-62167219200001, "-000001-12-31T23:59:59Z", "-000001-12-31T23:59:59.999Z"},
	};

	(void)state;
	assert_null(time_format(0));
	assert_null(time_format_ms(0));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *s = time_format(cases[i].ms);
		_cleanup_free_ char *ms = time_format_ms(cases[i].ms);

		assert_string_equal(s, cases[i].seconds);
		assert_string_equal(ms, cases[i].milliseconds);
	}
	for (int i = 0; i < 64; i++) { // nothing is too far
		_cleanup_free_ char *s = time_format((int64_t)(UINT64_MAX << i));
		_cleanup_free_ char *t = time_format((int64_t)(UINT64_MAX >> i));

		assert_non_null(s);
		assert_non_null(t);
	}
}

// Random moments of the years 0 to 9999: the same date as the C library's, and back.
static void test_time_round_trip(void **state)
{
	(void)state;
	for (int i = 0; i < 50000; i++) {
		int64_t ms = -62167219200000 + (int64_t)next_random(315569520000000), back, offset;
		time_t t = (time_t)((ms - (ms % 1000 + 1000) % 1000) / 1000);
		_cleanup_free_ char *text = time_format_ms(ms), *shifted = NULL;
		char expected[64];
		struct tm tm;

		gmtime_r(&t, &tm);
		snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
			 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			 tm.tm_sec, (int)(ms - t * 1000));
		assert_string_equal(text, expected);
		assert_int_equal(time_parse(text, &back), 0);
		assert_int_equal(back, ms);

		// The same digits in another zone are another moment.
		offset = (int64_t)next_random(24 * 60);
		shifted = xasprintf("%.*s-%02d:%02d", (int)strlen(text) - 1, text,
				    (int)(offset / 60), (int)(offset % 60));
		assert_int_equal(time_parse(shifted, &back), 0);
		assert_int_equal(back, ms + offset * 60000);
	}
}

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static void test_time_parse_when(void **state)
{
	static const int64_t now = 1795212000500; // 2026-11-20T22:00:00.5Z, a Friday
	static const struct {
		const char *text;
		int result;
		const char *when;
	} cases[] = {
		{"+2h", 0, "2026-11-21T00:00:00.500Z"},
		{"+1d30m", 0, "2026-11-21T22:30:00.500Z"},
		{"+0", -ERANGE, NULL},
		{"+", -EINVAL, NULL},
		{"+2x", -EINVAL, NULL},
		{"2h", -EINVAL, NULL},
		{"2026-11-21T02:30:00+01:00", 0, "2026-11-21T01:30:00.000Z"},
		{"2026-11-20T22:00:00Z", -ERANGE, NULL},
		{"2026-11-20", -EINVAL, NULL},
		{"02:30", 0, "2026-11-21T01:30:00.000Z"},
		{"23:30", 0, "2026-11-20T22:30:00.000Z"},
		{"23:00", 0, "2026-11-21T22:00:00.000Z"}, // half a second ago
		{"23:01", 0, "2026-11-20T22:01:00.000Z"},
		{"00:00", 0, "2026-11-20T23:00:00.000Z"},
		{"24:00", -EINVAL, NULL},
		{"12:60", -EINVAL, NULL},
		{"2:30", -EINVAL, NULL},
		{"02:30:00", -EINVAL, NULL},
		{"02:30 ", -EINVAL, NULL},
		{"", -EINVAL, NULL},
		{NULL, -EINVAL, NULL},
	};

	(void)state;
	set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t ms = UNTOUCHED;
		int r = time_parse_when(cases[i].text, now, &ms);
		_cleanup_free_ char *when = time_format_ms(ms);

		if (r != cases[i].result)
			fail_msg("%s: %d", cases[i].text, r);
		if (r < 0)
			assert_int_equal(ms, UNTOUCHED);
		else
			assert_string_equal(when, cases[i].when);
	}
}

// Around both jumps of summer time: always later than now, within a day and an hour, and reading
// that on the clock unless it is an hour that does not exist.
static void test_next_local_time(void **state)
{
	static const char *const starts[] = {"2027-03-26T00:00:00Z", "2026-10-23T00:00:00Z"};

	(void)state;
	set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	for (int i = 0; i < 20000; i++) {
		int64_t now, ms;
		int hour = (int)next_random(24), minute = (int)next_random(60);
		char text[16];
		struct tm tm;
		time_t t;

		assert_int_equal(time_parse(starts[i % 2], &now), 0);
		now += (int64_t)next_random(4 * 86400000);
		snprintf(text, sizeof(text), "%02d:%02d", hour, minute);
		assert_int_equal(time_parse_when(text, now, &ms), 0);
		assert_true(ms > now);
		assert_true(ms - now <= (DAY_S + 2 * HOUR_S) * SECOND_MS);
		t = (time_t)(ms / SECOND_MS);
		localtime_r(&t, &tm);
		assert_int_equal(tm.tm_min, minute);
		if (hour != 2)
			assert_int_equal(tm.tm_hour, hour);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),		cmocka_unit_test(test_duration_parse),
		cmocka_unit_test(test_duration_format), cmocka_unit_test(test_duration_round_trip),
		cmocka_unit_test(test_time_parse),	cmocka_unit_test(test_time_parse_refuses),
		cmocka_unit_test(test_time_format),	cmocka_unit_test(test_time_round_trip),
		cmocka_unit_test(test_time_parse_when), cmocka_unit_test(test_next_local_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
