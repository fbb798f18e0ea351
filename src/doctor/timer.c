// SPDX-License-Identifier: MIT
//
// Does anything run this program, and as often as its margins reckon with? Told by files, without D-Bus: the unit's
// (unit.h), what `loginctl enable-linger` leaves. Who is called by something else (cron, another scheduler) is known by the
// ledger to have been called.
#include "doctor/doctor.h"

#include <pwd.h>
#include <unistd.h>

#include "base/clock.h"
#include "doctor/unit.h"

#define SYSTEMD_RUNS "/run/systemd/system"
#define LINGER	     "/var/lib/systemd/linger"
#define PERIOD_S     (5 * MINUTE_S) // the shipped unit's

struct timers {
	char *user; // its name
	struct timer_unit own, system;
};

static void timers_free(struct timers *t)
{
	free(t->user);
	timer_unit_free(&t->own);
	timer_unit_free(&t->system);
}

static struct timers find_timers(void)
{
	const struct passwd *entry = getpwuid(geteuid());
	struct timers t = {
		.user = entry ? xstrdup(entry->pw_name) : xasprintf("%u", (unsigned)geteuid()),
	};

	t.own = timer_unit_read(false, t.user);
	t.system = timer_unit_read(true, t.user);
	return t;
}

static bool is_active(const struct timer_unit *unit)
{
	return unit->enabled && !unit->masked;
}

// ---- nothing runs it

static char *enable(const struct timer_unit *unit, const char *manager)
{
	_cleanup_free_ char *unmask =
		unit->masked ? xasprintf("%s unmask %s && ", manager, unit->name) : xstrdup("");

	return xasprintf("%s%s enable --now %s", unmask, manager, unit->name);
}

// By what there is: the user's unit, the system's, cron.
static char *mend_missing(const struct timers *t)
{
	bool systemd = access(SYSTEMD_RUNS, F_OK) == 0;

	if (t->own.path && (systemd || !t->system.path))
		return enable(&t->own, "systemctl --user");
	if (t->system.path && systemd)
		return enable(&t->system, "sudo systemctl");
	return xstrdup("{ crontab -l 2>/dev/null; echo '*/5 * * * * OAUTH_KEEPALIVE_RUN=cron "
		       "oauth-keepalive refresh -q'; } | crontab - # or install the units");
}

static const char *what_is_there(const struct timers *t)
{
	if (t->own.masked || t->system.masked)
		return "its timer is masked";
	if (t->own.path || t->system.path)
		return "its timer is installed, but not enabled";
	return "no systemd timer is installed";
}

static void say_missing(const struct report *report, const struct timers *t,
			struct problems *problems)
{
	enum run_by by;
	const struct last_run *run = report_last_timer(report, &by);
	_cleanup_free_ char *ago =
		run ? duration_format((report->now_ms - run->at_ms) / SECOND_MS) : NULL;

	if (run && !report_timer_is_late(report, run)) // something else calls it
		return;
	problem_add(
		problems, SEVERITY_WARNING, "timer_missing", NULL, NULL,
		run ? xasprintf("%s, and nothing has called it for %s: nothing is kept alive but "
				"by hand",
				what_is_there(t), ago)
		    : xasprintf("%s, and neither a timer nor cron has ever run: logins are kept "
				"alive only by hand",
				what_is_there(t)),
		mend_missing(t));
}

// ---- it ends with the session

static void say_linger(const struct timers *t, struct problems *problems)
{
	_cleanup_free_ char *linger = path_join(LINGER, t->user);

	if (!is_active(&t->own) || is_active(&t->system) || access(linger, F_OK) == 0)
		return;
	problem_add(
		problems, SEVERITY_WARNING, "linger_off", NULL, NULL,
		xasprintf("the timer is %s's own, and ends with the last session: nothing is kept "
			  "alive while nobody is logged in",
			  t->user),
		xasprintf("loginctl enable-linger %s", t->user));
}

// ---- it runs too rarely

// A drop-in that sorts behind the others.
static char *mend_period(const struct timer_unit *unit, bool system, int64_t period_s)
{
	const char *dir = system ? "/etc/systemd/system"
				 : "\"${XDG_CONFIG_HOME:-$HOME/.config}\"/systemd/user";
	const char *every = period_s >= PERIOD_S ? "*:0/5" : "*:0/1";
	const char *sudo = system ? "sudo " : "";

	return xasprintf(
		"%smkdir -p %s/%s.d && printf '[Timer]\\nOnCalendar=\\nOnCalendar=%s\\n"
		"RandomizedDelaySec=0\\nAccuracySec=1s\\n' | %stee %s/%s.d/zz-often.conf && "
		"%ssystemctl %sdaemon-reload",
		sudo, dir, unit->name, every, sudo, dir, unit->name, sudo, system ? "" : "--user ");
}

static char *describe(const struct timer_unit *unit)
{
	_cleanup_free_ char *gap = duration_format(unit->gap_s);
	_cleanup_free_ char *delay = duration_format(unit->delay_s);

	if (!unit->gap_s)
		return xstrdup("the timer runs it once, and not again");
	return unit->delay_s > MINUTE_S
		       ? xasprintf("up to %s pass between two runs of the timer, each "
				   "of which may be %s late",
				   gap, delay)
		       : xasprintf("up to %s pass between two runs of the timer", gap);
}

// A minute of delay is in the margins anyway.
static bool is_slower(const struct timer_unit *unit, const struct config *config)
{
	return !unit->gap_s || unit->gap_s > config->timer_period_s ||
	       unit->delay_s > config->timer_jitter_s + MINUTE_S;
}

static void say_slow(const struct report *report, const struct timer_unit *unit, bool system,
		     struct problems *problems)
{
	const struct config *config = report->config;
	_cleanup_free_ char *shall = duration_format(config->timer_period_s);
	_cleanup_free_ char *is = describe(unit);

	if (!is_active(unit) || !unit->repeats || !is_slower(unit, config))
		return;
	_cleanup_free_ char *often = mend_period(unit, system, config->timer_period_s);
	problem_add(problems, SEVERITY_WARNING, "timer_slower", unit->path, NULL,
		    xasprintf("%s, but the margins assume %s", is, shall),
		    unit->gap_s && unit->gap_s <= DAY_S
			    ? xasprintf("%s # or, if that is meant: timer_period = \"%llds\"; "
					"timer_jitter = \"%llds\"; in oauth-keepalive.conf",
					often, (long long)unit->gap_s, (long long)unit->delay_s)
			    : TAKE_PTR(often));
}

void doctor_check_timer(const struct report *report, struct problems *problems)
{
	_cleanup_(timers_free) struct timers timers = find_timers();

	if (!is_active(&timers.own) && !is_active(&timers.system))
		say_missing(report, &timers, problems);
	say_linger(&timers, problems);
	// Of two that run, the one that runs more often is what counts.
	if (!is_active(&timers.system) || !timers.system.repeats ||
	    is_slower(&timers.system, report->config))
		say_slow(report, &timers.own, false, problems);
	if (!is_active(&timers.own) || !timers.own.repeats ||
	    is_slower(&timers.own, report->config))
		say_slow(report, &timers.system, true, problems);
}
