// SPDX-License-Identifier: MIT
//
// Does anything run this program, and as often as its margins reckon with? Told by files, without D-Bus: the links that
// `systemctl enable` makes, the unit's own lines, what `loginctl enable-linger` leaves. Who is called by something else
// (cron, another scheduler) is known by the ledger to have been called.
#include "doctor/doctor.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define TIMER "oauth-keepalive.timer"

struct timers {
	char *user; // $XDG_CONFIG_HOME/systemd/user, or in ~/.config
	char *name; // of the user
	bool by_user; // enabled for the user's manager, which ends with the session if it does not linger
	bool by_system;
};

static void timers_free(struct timers *t)
{
	free(t->user);
	free(t->name);
}

static bool is_there(const char *directory, const char *name)
{
	_cleanup_free_ char *path = path_join(directory, name);

	return access(path, F_OK) == 0 ||
	       readlink(path, (char[1]){0}, 1) >= 0; // into a sandbox it may lead nowhere
}

static struct timers find_timers(void)
{
	_cleanup_free_ char *set = environment("XDG_CONFIG_HOME"), *home = home_directory();
	_cleanup_free_ char *base = set	   ? xstrdup(set)
				    : home ? path_join(home, ".config")
					   : xstrdup("/nonexistent");
	const struct passwd *entry = getpwuid(geteuid());
	struct timers t = {
		.user = path_join(base, "systemd/user"),
		.name = entry ? xstrdup(entry->pw_name) : xasprintf("%u", (unsigned)geteuid()),
	};
	_cleanup_free_ char *instance = xasprintf("oauth-keepalive@%s.timer", t.name);

	t.by_user = is_there(t.user, "timers.target.wants/" TIMER) ||
		    is_there("/etc/systemd/user/timers.target.wants", TIMER);
	t.by_system = is_there("/etc/systemd/system/timers.target.wants", instance);
	return t;
}

// ---- how often, as the shipped unit and its drop-ins spell it; 0: nobody can tell

static int64_t period_of_line(const char *line)
{
	unsigned int minutes;
	int64_t seconds;

	if (sscanf(line, "OnCalendar=*:0/%u", &minutes) == 1)
		return minutes * MINUTE_S;
	if (string_starts(line, "OnUnitActiveSec=") &&
	    duration_parse(strchr(line, '=') + 1, &seconds) == 0)
		return seconds;
	return 0;
}

// What a file says stands beside what others said before; a `whole` unit's is all there is.
static void read_period(const char *path, bool whole, int64_t *period_s)
{
	FILE *file = fopen(path, "re");
	char line[256];

	if (!file)
		return;
	if (whole)
		*period_s = 0;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (string_equal(line, "OnCalendar=") || string_equal(line, "OnUnitActiveSec="))
			*period_s = 0; // forget what stood before
		int64_t found_s = period_of_line(line);
		if (found_s && (!*period_s || found_s < *period_s))
			*period_s = found_s;
	}
	fclose(file);
}

// The unit of the last directory is the one that counts, with what `systemctl edit` adds.
static int64_t timer_period(const char *const directories[], size_t n, const char *unit)
{
	_cleanup_free_ char *edited = xasprintf("%s.d/override.conf", unit);
	int64_t period_s = 0;

	for (size_t i = 0; i < 2 * n; i++) {
		bool whole = i < n;
		_cleanup_free_ char *path = path_join(directories[i % n], whole ? unit : edited);
		read_period(path, whole, &period_s);
	}
	return period_s;
}

static int64_t enabled_period(const struct timers *t)
{
	const char *const users[] = {"/usr/lib/systemd/user", "/usr/local/lib/systemd/user",
				     "/etc/systemd/user", t->user};
	const char *const systems[] = {"/usr/lib/systemd/system", "/usr/local/lib/systemd/system",
				       "/etc/systemd/system"};

	return t->by_user     ? timer_period(users, ARRAY_SIZE(users), TIMER)
	       : t->by_system ? timer_period(systems, ARRAY_SIZE(systems), "oauth-keepalive@.timer")
			      : 0;
}

// ---- what is said

static void say_missing(const struct report *report, struct problems *problems)
{
	enum run_by by;
	const struct last_run *run = report_last_timer(report, &by);

	if (run) // timer_silent says if that is long ago
		return;
	problem_add(
		problems, SEVERITY_WARNING, "timer_missing", NULL, NULL,
		xstrdup("no timer of systemd is enabled, and neither that nor cron has ever run: "
			"nothing is kept alive but by hand"),
		xstrdup("systemctl --user enable --now " TIMER));
}

static void say_linger(const struct timers *t, struct problems *problems)
{
	if (!t->by_user || t->by_system || is_there("/var/lib/systemd/linger", t->name))
		return;
	problem_add(
		problems, SEVERITY_WARNING, "linger_off", NULL, NULL,
		xasprintf("the timer is %s's own, and ends with the last session: nothing is kept "
			  "alive while nobody is logged in",
			  t->name),
		xasprintf("loginctl enable-linger %s", t->name));
}

static void say_slow(const struct report *report, const struct timers *t, struct problems *problems)
{
	int64_t period_s = enabled_period(t);
	_cleanup_free_ char *is = duration_format(period_s);
	_cleanup_free_ char *shall = duration_format(report->config->timer_period_s);

	if (period_s > report->config->timer_period_s)
		problem_add(problems, SEVERITY_WARNING, "timer_slower", NULL, NULL,
			    xasprintf("the timer runs every %s, and the margins reckon with %s", is,
				      shall),
			    xasprintf("set `timer_period = \"%s\"` in oauth-keepalive.conf, or let "
				      "it run "
				      "more often",
				      is));
}

void doctor_check_timer(const struct report *report, struct problems *problems)
{
	_cleanup_(timers_free) struct timers timers = find_timers();

	if (!timers.by_user && !timers.by_system)
		say_missing(report, problems);
	say_linger(&timers, problems);
	say_slow(report, &timers, problems);
}
