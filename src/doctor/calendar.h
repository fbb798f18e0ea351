// SPDX-License-Identifier: MIT
//
// systemd.time(7), as far as it says how often a timer elapses: OnCalendar= and time spans. Told by what stands in the unit,
// so that nothing is to be asked of a manager that may not run.
#ifndef DOCTOR_CALENDAR_H
#define DOCTOR_CALENDAR_H

#include "base/util.h"

// The minutes in which an expression elapses: bit sets. (What it says of seconds is finer than anybody asks here.)
struct calendar {
	unsigned weekdays; // bit 0: Monday
	unsigned months, days; // bit 1: the first
	unsigned last_days; // bit 1: a month's last
	unsigned hours;
	uint64_t minutes;
};

// -EINVAL: not understood, or for certain years alone.
int calendar_parse(const char *text, struct calendar *ret);
// The longest time between two elapses, if they elapse by any of these; 0: never.
int64_t calendar_longest_gap_s(const struct calendar *list, size_t n);
// "5min", "1h 30min", "90" (seconds). -EINVAL.
int timespan_parse(const char *text, int64_t *ret_s);

#endif
