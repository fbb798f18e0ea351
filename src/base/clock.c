// SPDX-License-Identifier: MIT
//
// Time, durations and their notations. Dates are computed here (the proleptic Gregorian calendar,
// in days since the epoch) rather than by strftime and its kin: no locale, no time zone, no limit
// on the year. Only a bare "02:30" asks the C library, for that is local time.

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"

#ifndef BUILD_EPOCH
#define BUILD_EPOCH 0
#endif

#define LONGEST_DURATION_S (36525 * DAY_S) // 100 years

static int64_t read_clock_ms(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		abort(); // only for a clock that does not exist
	return ts.tv_sec * SECOND_MS + ts.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
	return read_clock_ms(CLOCK_REALTIME);
}
int64_t clock_boot_ms(void)
{
	return read_clock_ms(CLOCK_BOOTTIME);
}
int64_t clock_build_ms(void)
{
	return (int64_t)BUILD_EPOCH * SECOND_MS;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int64_t unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return MINUTE_S;
	case 'h':
		return HOUR_S;
	case 'd':
		return DAY_S;
	default:
		return 0;
	}
}

int duration_parse(const char *text, int64_t *ret_s)
{
	int64_t sum = 0;

	if (string_empty(text))
		return -EINVAL;
	if (strcmp(text, "0") == 0) {
		*ret_s = 0;
		return 0;
	}
	// Numbers stop growing beyond the limit, so that nothing overflows and a wrong letter is
	// still found.
	for (const char *p = text; *p; p++) {
		int64_t n = 0;

		if (!is_digit(*p))
			return -EINVAL;
		for (; is_digit(*p); p++)
			n = n > LONGEST_DURATION_S ? n : n * 10 + (*p - '0');
		if (!unit_seconds(*p))
			return -EINVAL;
		sum = sum > LONGEST_DURATION_S ? sum : sum + n * unit_seconds(*p);
	}
	if (sum > LONGEST_DURATION_S)
		return -ERANGE;
	*ret_s = sum;
	return 0;
}

char *duration_format(int64_t seconds)
{
	static const struct {
		uint64_t seconds;
		char letter, next;
		uint64_t next_seconds;
	} units[] = {
		{DAY_S, 'd', 'h', HOUR_S},
		{HOUR_S, 'h', 'm', MINUTE_S},
		{MINUTE_S, 'm', 's', 1},
	};
	uint64_t s = seconds < 0 ? 0 - (uint64_t)seconds : (uint64_t)seconds;
	const char *sign = seconds < 0 ? "-" : "";

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		uint64_t n = s / units[i].seconds,
			 rest = s % units[i].seconds / units[i].next_seconds;

		if (n == 0)
			continue;
		if (rest == 0)
			return xasprintf("%s%" PRIu64 "%c", sign, n, units[i].letter);
		return xasprintf("%s%" PRIu64 "%c%" PRIu64 "%c", sign, n, units[i].letter, rest,
				 units[i].next);
	}
	return xasprintf("%s%" PRIu64 "s", sign, s);
}

// ---- dates

struct date {
	int64_t year;
	int month, day; // from 1
};

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static int64_t divide_floor(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

// Days from 1970-01-01. The year is counted from March, so that a leap day is its last.
static int64_t days_of_date(struct date d)
{
	int64_t year = d.month <= 2 ? d.year - 1 : d.year;
	int64_t era = divide_floor(year, 400), year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (d.month > 2 ? d.month - 3 : d.month + 9) + 2) / 5 + d.day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static struct date date_of_days(int64_t days)
{
	int64_t shifted = days + 719468, era = divide_floor(shifted, 146097);
	int64_t day = shifted - era * 146097;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
	int month = (int)((5 * day_of_year + 2) / 153); // from March

	return (struct date){
		.year = era * 400 + year + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
	};
}

// Exactly `n` digits at *p, between low and high; moves *p behind them.
static bool take_number(const char **p, int n, int low, int high, int *ret)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (!is_digit((*p)[i]))
			return false;
		value = value * 10 + ((*p)[i] - '0');
	}
	if (value < low || value > high)
		return false;
	*p += n;
	*ret = value;
	return true;
}

static bool take_char(const char **p, const char *one_of)
{
	if (!**p || !strchr(one_of, **p))
		return false;
	(*p)++;
	return true;
}

static bool take_date(const char **p, int64_t *ret_days)
{
	struct date d;
	int year;

	if (!take_number(p, 4, 0, 9999, &year) || !take_char(p, "-") ||
	    !take_number(p, 2, 1, 12, &d.month) || !take_char(p, "-") ||
	    !take_number(p, 2, 1, days_in_month(year, d.month), &d.day))
		return false;
	d.year = year;
	*ret_days = days_of_date(d);
	return true;
}

// A second 60 is refused, as JavaScript does.
static bool take_time(const char **p, int64_t *ret_ms)
{
	int hour, minute, second, ms = 0;

	if (!take_number(p, 2, 0, 23, &hour) || !take_char(p, ":") ||
	    !take_number(p, 2, 0, 59, &minute) || !take_char(p, ":") ||
	    !take_number(p, 2, 0, 59, &second))
		return false;
	if (take_char(p, ".")) {
		if (!is_digit(**p))
			return false;
		for (int weight = 100; is_digit(**p); weight /= 10, (*p)++)
			ms += weight * (**p - '0');
	}
	*ret_ms = (hour * HOUR_S + minute * MINUTE_S + second) * SECOND_MS + ms;
	return true;
}

static bool take_zone(const char **p, int64_t *ret_offset_s)
{
	int hour, minute;
	int64_t sign;

	if (take_char(p, "Zz")) {
		*ret_offset_s = 0;
		return true;
	}
	sign = **p == '-' ? -1 : 1;
	if (!take_char(p, "+-") || !take_number(p, 2, 0, 23, &hour) || !take_char(p, ":") ||
	    !take_number(p, 2, 0, 59, &minute))
		return false;
	*ret_offset_s = sign * (hour * HOUR_S + minute * MINUTE_S);
	return true;
}

int time_parse(const char *text, int64_t *ret_ms)
{
	int64_t days, ms, offset_s;
	const char *p = text;

	if (!text || !take_date(&p, &days) || !take_char(&p, "Tt ") || !take_time(&p, &ms) ||
	    !take_zone(&p, &offset_s) || *p)
		return -EINVAL;
	*ret_ms = (days * DAY_S - offset_s) * SECOND_MS + ms;
	return 0;
}

static char *format_time(int64_t ms, bool with_ms)
{
	int64_t day_ms = DAY_S * SECOND_MS, rest = (ms % day_ms + day_ms) % day_ms;
	struct date d = date_of_days(divide_floor(ms, day_ms));
	int s = (int)(rest / SECOND_MS), n = (int)(rest % SECOND_MS);
	_cleanup_free_ char *year = NULL, *fraction = NULL;

	if (ms == 0)
		return NULL;
	// ECMA-262's expanded years: a sign and six digits.
	if (d.year >= 0 && d.year <= 9999)
		year = xasprintf("%04" PRId64, d.year);
	else
		year = xasprintf("%+07" PRId64, d.year);
	fraction = with_ms ? xasprintf(".%03d", n) : xstrdup("");
	return xasprintf("%s-%02d-%02dT%02d:%02d:%02d%sZ", year, d.month, d.day, s / 3600,
			 s / 60 % 60, s % 60, fraction);
}

char *time_format(int64_t ms)
{
	return format_time(ms, false);
}
char *time_format_ms(int64_t ms)
{
	return format_time(ms, true);
}

char *time_format_local(int64_t ms)
{
	time_t t = (time_t)divide_floor(ms, SECOND_MS);
	char text[64];
	struct tm tm;

	if (!ms || !localtime_r(&t, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm))
		return xstrdup("never");
	return xstrdup(text);
}

// The day is tried three times: today's may be over, and a summer-time jump may move tomorrow's
// before now.
static int next_local_time(int hour, int minute, int64_t now_ms, int64_t *ret_ms)
{
	time_t now = (time_t)divide_floor(now_ms, SECOND_MS);
	struct tm today;

	if (!localtime_r(&now, &today))
		return -ERANGE;
	for (int day = 0; day <= 2; day++) {
		struct tm tm = {
			.tm_year = today.tm_year,
			.tm_mon = today.tm_mon,
			.tm_mday = today.tm_mday + day,
			.tm_hour = hour,
			.tm_min = minute,
			.tm_isdst = -1,
		};
		time_t t = mktime(&tm);

		if (t != (time_t)-1 && t * SECOND_MS > now_ms) {
			*ret_ms = t * SECOND_MS;
			return 0;
		}
	}
	return -ERANGE;
}

int time_parse_when(const char *text, int64_t now_ms, int64_t *ret_ms)
{
	int hour, minute, r;
	int64_t seconds, ms;
	const char *p = text;

	if (string_starts(text, "+")) {
		r = duration_parse(text + 1, &seconds);
		if (r < 0)
			return r;
		ms = now_ms + seconds * SECOND_MS;
	} else if (text && take_number(&p, 2, 0, 23, &hour) && take_char(&p, ":") &&
		   take_number(&p, 2, 0, 59, &minute) && !*p) {
		return next_local_time(hour, minute, now_ms, ret_ms);
	} else {
		r = time_parse(text, &ms);
		if (r < 0)
			return r;
	}
	if (ms <= now_ms)
		return -ERANGE;
	*ret_ms = ms;
	return 0;
}

static int local_midnight(const char *text, int64_t *ret_ms)
{
	struct tm tm = {.tm_isdst = -1};
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	time_t t;

	if (!end || *end)
		return -EINVAL;
	tm.tm_isdst = -1;
	t = mktime(&tm);
	if (t == (time_t)-1)
		return -ERANGE;
	*ret_ms = t * SECOND_MS;
	return 0;
}

int time_parse_since(const char *text, int64_t now_ms, int64_t *ret_ms)
{
	int hour, minute, r = 0;
	int64_t seconds, ms;
	const char *p = text;

	if (duration_parse(text, &seconds) == 0)
		ms = now_ms - seconds * SECOND_MS;
	else if (take_number(&p, 2, 0, 23, &hour) && take_char(&p, ":") &&
		 take_number(&p, 2, 0, 59, &minute) && !*p)
		r = next_local_time(hour, minute, now_ms - DAY_S * SECOND_MS, &ms);
	else if (time_parse(text, &ms) < 0)
		r = local_midnight(text, &ms);
	if (r < 0)
		return r;
	if (ms > now_ms)
		return -ERANGE;
	*ret_ms = ms;
	return 0;
}
