// SPDX-License-Identifier: MIT
//
// A timer unit of this program's, as its files tell: those that systemd reads, in the order in which it does
// (systemd.unit(5)), without asking a manager, which may not run where this does.
#ifndef DOCTOR_UNIT_H
#define DOCTOR_UNIT_H

#include "base/util.h"

struct timer_unit {
	char *name;	// "oauth-keepalive.timer", "oauth-keepalive@alice.timer"
	char *path;	// its file; NULL: there is none
	bool masked;	// … and it leads to /dev/null
	bool enabled;	// something wants it
	bool repeats;	// its lines say how often; false: nobody can tell
	int64_t gap_s;	// the longest time between two elapses; 0, if it repeats: it elapses once
	int64_t delay_s; // by which each may be late, RandomizedDelaySec= and AccuracySec=
};

// `system`: the system manager's for that user, else one of the user's own manager.
struct timer_unit timer_unit_read(bool system, const char *user);
void timer_unit_free(struct timer_unit *unit);

#endif
