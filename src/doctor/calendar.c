// SPDX-License-Identifier: MIT
//
// See calendar.h. The grammar is [weekdays] [[[year-]month-]day] [hour:minute[:second]] [zone], each part a list of numbers,
// ranges and repetitions.
#include "doctor/calendar.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "base/clock.h"

#define DAY_MINUTES 1440
#define DAYS_LOOKED 1827 // five years: from one leap day to behind the next

// ---- one part: "5", "1,15", "0/5", "9..17", "8..18/2", "*"

static int read_number(const char **at, unsigned *ret)
{
	char *end;

	if (!isdigit((unsigned char)**at))
		return -EINVAL;
	unsigned long n = strtoul(*at, &end, 10);
	if (n > 9999)
		return -EINVAL;
	*at = end;
	*ret = (unsigned)n;
	// A second may have a fraction.
	if (**at == '.' && isdigit((unsigned char)(*at)[1]))
		*at += 1 + strspn(*at + 1, "0123456789");
	return 0;
}

static int read_chain(const char **at, unsigned first, unsigned last, uint64_t *set)
{
	unsigned from, to, step;

	do {
		*at += **at == ',';
		if (read_number(at, &from) < 0)
			return -EINVAL;
		to = from;
		step = 0;
		if (strncmp(*at, "..", 2) == 0) {
			*at += 2;
			step = 1;
			if (read_number(at, &to) < 0)
				return -EINVAL;
		}
		if (**at == '/') {
			++*at;
			to = step ? to : last;
			if (read_number(at, &step) < 0 || step == 0)
				return -EINVAL;
		}
		if (from < first || to > last || from > to)
			return -EINVAL;
		for (unsigned n = from; n <= to; n += step ? step : 1)
			*set |= UINT64_C(1) << n;
	} while (**at == ',');
	return 0;
}

// `last` is at most 63.
static int read_part(const char **at, unsigned first, unsigned last, uint64_t *ret)
{
	*ret = 0;
	if (**at != '*')
		return read_chain(at, first, last, ret);
	++*at;
	for (unsigned n = first; n <= last; n++)
		*ret |= UINT64_C(1) << n;
	return 0;
}

// ---- the parts

static int read_weekday(const char **at, unsigned *ret)
{
	static const char *const names[] = {"monday", "tuesday",  "wednesday", "thursday",
					    "friday", "saturday", "sunday"};

	for (unsigned day = 0; day < ARRAY_SIZE(names); day++) {
		size_t n = strlen(names[day]);
		size_t take = strncasecmp(*at, names[day], n) == 0   ? n
			      : strncasecmp(*at, names[day], 3) == 0 ? 3
								     : 0;
		if (!take || isalpha((unsigned char)(*at)[take]))
			continue;
		*at += take;
		*ret = day;
		return 0;
	}
	return -EINVAL;
}

// "Mon,Wed", "Mon..Fri"
static int read_weekdays(const char **at, unsigned *ret)
{
	unsigned from, to;

	*ret = 0;
	do {
		*at += **at == ',';
		if (read_weekday(at, &from) < 0)
			return -EINVAL;
		to = from;
		if (strncmp(*at, "..", 2) == 0) {
			*at += 2;
			if (read_weekday(at, &to) < 0)
				return -EINVAL;
		}
		if (from > to)
			return -EINVAL;
		for (unsigned day = from; day <= to; day++)
			*ret |= 1u << day;
	} while (**at == ',' && (*at)[1] != ' ' && (*at)[1]);
	*at += **at == ',';
	return 0;
}

// The year can be any; a day is counted from the month's end behind a "~".
static int read_date(const char **at, struct calendar *c)
{
	uint64_t months, days;
	bool last = false;

	if (strncmp(*at, "*-", 2) == 0 && strpbrk(*at + 2, "-~") &&
	    strcspn(*at + 2, "-~") < strcspn(*at + 2, " :"))
		*at += 2;
	if (read_part(at, 1, 12, &months) < 0 || !**at || !strchr("-~", **at))
		return -EINVAL;
	last = *(*at)++ == '~';
	if (read_part(at, 1, 31, &days) < 0)
		return -EINVAL;
	c->months = (unsigned)months;
	c->days = last ? 0 : (unsigned)days;
	c->last_days = last ? (unsigned)days : 0;
	return 0;
}

static int read_time(const char **at, struct calendar *c)
{
	uint64_t hours, minutes, seconds;

	if (read_part(at, 0, 23, &hours) < 0 || *(*at)++ != ':' ||
	    read_part(at, 0, 59, &minutes) < 0)
		return -EINVAL;
	if (**at == ':') {
		++*at;
		if (read_part(at, 0, 59, &seconds) < 0)
			return -EINVAL;
	}
	c->hours = (unsigned)hours;
	c->minutes = minutes;
	return 0;
}

static const char *written_out(const char *text)
{
	static const char *const names[][2] = {
		{"minutely", "*-*-* *:*"},
		{"hourly", "*-*-* *:00"},
		{"daily", "*-*-* 00:00"},
		{"weekly", "Mon *-*-* 00:00"},
		{"monthly", "*-*-01 00:00"},
		{"quarterly", "*-01,04,07,10-01 00:00"},
		{"semiannually", "*-01,07-01 00:00"},
		{"semi-annually", "*-01,07-01 00:00"},
		{"biannually", "*-01,07-01 00:00"},
		{"bi-annually", "*-01,07-01 00:00"},
		{"yearly", "*-01-01 00:00"},
		{"annually", "*-01-01 00:00"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(text, names[i][0]) == 0)
			return names[i][1];
	return text;
}

static void skip_blanks(const char **at)
{
	*at += strspn(*at, " \t");
}

// "UTC", "Europe/Berlin": when in the day is all one here.
static void skip_zone(const char **at)
{
	if (isalpha((unsigned char)**at))
		*at += strcspn(*at, " \t");
	skip_blanks(at);
}

// Does a date come next, rather than a time of day?
static bool is_date(const char *at)
{
	size_t n = strcspn(at, "-~: \t");

	return at[n] == '-' || at[n] == '~';
}

int calendar_parse(const char *text, struct calendar *ret)
{
	const char *at = written_out(text);
	struct calendar c = {
		.weekdays = 0x7f, .months = 0x1ffe, .days = 0xfffffffe, .hours = 1, .minutes = 1};

	skip_blanks(&at);
	if (!*at)
		return -EINVAL;
	if (isalpha((unsigned char)*at) && read_weekdays(&at, &c.weekdays) < 0)
		return -EINVAL;
	skip_blanks(&at);
	if (*at && is_date(at) && read_date(&at, &c) < 0)
		return -EINVAL;
	skip_blanks(&at);
	if ((isdigit((unsigned char)*at) || *at == '*') && read_time(&at, &c) < 0)
		return -EINVAL;
	skip_blanks(&at);
	skip_zone(&at);
	if (*at)
		return -EINVAL;
	*ret = c;
	return 0;
}

// ---- how often

struct day {
	unsigned weekday, month, day, left; // left: 1 is the month's last
};

static struct day next_day(struct day d, unsigned *year)
{
	static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	d.weekday = (d.weekday + 1) % 7;
	d.day++;
	if (--d.left == 0) {
		*year += d.month == 12;
		d.month = d.month % 12 + 1;
		d.day = 1;
		d.left = lengths[d.month - 1] + (d.month == 2 && *year % 4 == 0);
	}
	return d;
}

static bool falls_on(const struct calendar *c, struct day d)
{
	return c->weekdays & 1u << d.weekday && c->months & 1u << d.month &&
	       (c->days & 1u << d.day || c->last_days & 1u << d.left);
}

static bool elapses(const struct calendar *list, const bool *today, size_t n, int minute)
{
	for (size_t i = 0; i < n; i++)
		if (today[i] && list[i].hours & 1u << minute / 60 &&
		    list[i].minutes & UINT64_C(1) << minute % 60)
			return true;
	return false;
}

int64_t calendar_longest_gap_s(const struct calendar *list, size_t n)
{
	struct day d = {.weekday = 5, .month = 1, .day = 1, .left = 31}; // a Saturday: 2028-01-01
	_cleanup_free_ bool *today = xcalloc(n + 1, sizeof(*today));
	int64_t last = -1, longest = 0;
	unsigned year = 2028;

	for (int64_t day = 0; day < DAYS_LOOKED; day++, d = next_day(d, &year)) {
		bool any = false;
		for (size_t i = 0; i < n; i++)
			any |= today[i] = falls_on(&list[i], d);
		for (int minute = 0; any && minute < DAY_MINUTES; minute++) {
			if (!elapses(list, today, n, minute))
				continue;
			int64_t now = day * DAY_MINUTES + minute;
			if (last >= 0 && now - last > longest)
				longest = now - last;
			last = now;
		}
	}
	return longest * MINUTE_S;
}

// ---- time spans

static int read_unit(const char **at, double *ret_s)
{
	static const struct {
		const char *names;
		double seconds;
	} units[] = {
		{"|seconds|second|sec|s|", 1},
		{"|minutes|minute|min|m|", MINUTE_S},
		{"|hours|hour|hr|h|", HOUR_S},
		{"|days|day|d|", DAY_S},
		{"|weeks|week|w|", 7 * DAY_S},
		{"|months|month|M|", 2629800},
		{"|years|year|y|", 31557600},
		{"|msec|ms|", 1e-3},
		{"|usec|us|\xc2\xb5s|\xce\xbcs|", 1e-6},
		{"||", 1},
	};
	size_t n = strcspn(*at, " \t0123456789.");
	_cleanup_free_ char *word = xasprintf("|%.*s|", (int)n, *at);

	*at += n;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strstr(units[i].names, word)) {
			*ret_s = units[i].seconds;
			return 0;
		}
	return -EINVAL;
}

int timespan_parse(const char *text, int64_t *ret_s)
{
	const char *at = text + strspn(text, " \t");
	double sum_s = 0, unit_s;

	if (!*at)
		return -EINVAL;
	while (*at) {
		size_t n = strspn(at, "0123456789.");
		_cleanup_free_ char *digits = xstrndup(at, n);
		if (n == 0 || n > 12)
			return -EINVAL;
		at += n;
		skip_blanks(&at);
		if (read_unit(&at, &unit_s) < 0)
			return -EINVAL;
		sum_s += strtod(digits, NULL) * unit_s;
		skip_blanks(&at);
	}
	if (sum_s > 1e12)
		return -EINVAL;
	*ret_s = (int64_t)(sum_s + 0.999);
	return 0;
}
