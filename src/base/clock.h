// SPDX-License-Identifier: MIT
//
// Time. Wall-clock times are int64_t milliseconds since the epoch (`…_ms`), as OpenClaw keeps them; durations
// are seconds (`…_s`) or milliseconds (`…_ms`). Deadlines run on CLOCK_BOOTTIME, which neither jumps nor stops
// in suspend. Zero means unknown. Formatting never depends on locale or time zone.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/util.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_S  INT64_C(60)
#define HOUR_S    INT64_C(3600)
#define DAY_S     INT64_C(86400)

int64_t clock_wall_ms(void);
int64_t clock_boot_ms(void);
int64_t clock_build_ms(void); // when this program was built: a wall clock before that is wrong

// "90s" "30m" "2h" "3d", and sums like "1h30m"; a bare "0" is zero. -EINVAL for anything else, -ERANGE over
// 100 years. Seconds.
int duration_parse(const char *text, int64_t *ret_s);
// The two largest units: "3d8h", "1h12m", "59s", "0s"; a negative one starts with "-". Free it.
char *duration_format(int64_t seconds);

// RFC 3339 ("2026-11-20T22:00:00.123+01:00", also "Z", also a space for the T). -EINVAL otherwise.
int time_parse(const char *text, int64_t *ret_ms);
char *time_format(int64_t ms);    // "2026-11-20T22:00:00Z"; NULL for 0
char *time_format_ms(int64_t ms); // "2026-11-20T22:00:00.123Z", as JavaScript's toISOString
// A later moment as a person gives it: "+2h", "02:30" (the next such local time), RFC 3339. -ERANGE if it is
// not later than now.
int time_parse_when(const char *text, int64_t now_ms, int64_t *ret_ms);
// An earlier one: "2h" (ago), "02:30" (the last such local time), "2026-11-20" (its local midnight), RFC 3339.
int time_parse_since(const char *text, int64_t now_ms, int64_t *ret_ms);
char *time_format_local(int64_t ms); // "2026-11-20 23:00:00 +0100", for people; "never" for 0

#endif
