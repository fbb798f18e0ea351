// SPDX-License-Identifier: MIT
//
// What every verb opens first: configuration, ledger, policy; and how it ends.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/closest.h"
#include "base/log.h"
#include "base/terminal.h"
#include "command/command.h"
#include "report/hooks.h"
#include "report/screen.h"
#include "courier/client.h"
#include "doctor/doctor.h"

#define WAIT_DEFAULT_S 10

int session_usage_error(const char *option, const char *value, const char *expected)
{
	_cleanup_free_ char *safe = string_printable(value, 80);

	log_error("%s %s: expected %s", option, safe, expected);
	return STATUS_USAGE;
}

static void override(char **setting, const char *value)
{
	if (!value)
		return;
	_cleanup_free_ char *home = home_directory();
	free(*setting);
	*setting = path_expand(value, home); // no shell expands the ~ of --state-dir=~/…
}

static int open_ledger(struct session *s)
{
	_cleanup_free_ char *directory = NULL, *message = NULL, *fix = NULL;
	int r = 0;

	if (s->config.ledger_dir)
		directory = xstrdup(s->config.ledger_dir);
	else
		r = ledger_default_directory(&directory);
	if (r < 0) {
		log_error("no home directory is known for this user: name the ledger with "
			  "--ledger-dir");
		return STATUS_USAGE;
	}
	r = ledger_open(directory, &s->ledger, &message, &fix);
	if (error_is_shortage(r)) {
		log_error("%s: %s", directory, error_text(r));
		return STATUS_FAILED;
	}
	if (r < 0) {
		struct problem *bar = problem_add(
			&s->problems, SEVERITY_ERROR,
			r == -EPROTONOSUPPORT ? "ledger_newer" : "ledger_unreadable", directory,
			NULL, message ? TAKE_PTR(message) : xstrdup(strerror(-r)), TAKE_PTR(fix));
		s->barred = xasprintf("the ledger %s cannot be used", directory);
		s->policy.bar = bar;
		s->ledger = (struct ledger){.directory = TAKE_PTR(directory)};
	}
	return 0;
}

static int read_policy(const struct invocation *i, struct session *s)
{
	struct policy *policy = &s->policy;

	policy->now_ms = policy->at_ms = clock_wall_ms();
	policy->force = i->given & OPTION_FORCE;
	policy->last_try = i->given & OPTION_LAST_TRY;
	policy->barred = s->barred;
	if (i->at && time_parse_when(i->at, policy->now_ms, &policy->at_ms) < 0)
		return session_usage_error(
			"--at", i->at, "a moment to come, like +2h, 02:30 or 2030-11-20T22:00:00Z");
	s->wait_s = WAIT_DEFAULT_S;
	if (i->wait && duration_parse(i->wait, &s->wait_s) < 0)
		return session_usage_error("--wait", i->wait, "a duration like 10s, 2m or 0");
	discover_set_patience(s->wait_s ? LOOK_PATIENCE_MS : 0);
	return 0;
}

int session_open(const struct invocation *invocation, struct session *ret)
{
	struct session s = {0};
	_cleanup_free_ char *error = NULL, *file = NULL;
	int status;

	override(&file, invocation->config);
	if (config_load(file, &s.config, &error) < 0) {
		log_error("%s", error);
		return STATUS_USAGE;
	}
	override(&s.config.state_dir, invocation->state_dir);
	override(&s.config.ledger_dir, invocation->ledger_dir);
	s.selection = (struct selection){invocation->accounts, invocation->n_accounts};
	status = open_ledger(&s);
	if (status == 0)
		status = read_policy(invocation, &s);
	if (status) {
		session_close(&s);
		return status;
	}
	*ret = s;
	return 0;
}

int session_stores(const struct session *session, struct stores *ret, struct problems *problems)
{
	_cleanup_names_ struct names known = {0};
	struct account_records records = {0};
	int r;

	if (session->ledger.exists &&
	    account_records_read(&session->ledger, &records, problems) >= 0)
		for (size_t i = 0; i < records.n; i++)
			if (records.list[i].state_dir &&
			    !names_hold(&known, records.list[i].state_dir))
				*array_add(&known.list, &known.n) =
					xstrdup(records.list[i].state_dir);
	r = discover_stores(&session->config, &known, NULL, ret, problems);
	account_records_free(&records);
	return r;
}

void session_close(struct session *session)
{
	config_free(&session->config);
	ledger_free(&session->ledger);
	free(session->barred);
	problems_free(&session->problems);
	free(session->store);
	free(session->why);
	probes_free(&session->probes);
	keepsakes_free(&session->kept);
	conditions_free(&session->conditions);
	free(session->said);
	*session = (struct session){0};
}

#define ACCOUNTS_SHOWN 20

// By all that ACCOUNT takes.
static char *account_meant(const struct observation *o, const char *name)
{
	_cleanup_names_ struct names full = {0};
	struct closest closest = {.wanted = name};

	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		const struct account_record *r = &a->verdict.record;
		closest_try(&closest, r->profile);
		closest_try(&closest, r->identity.email);
		closest_try(&closest, r->provider);
		for (size_t k = 0; k < a->n_members; k++)
			closest_try(&closest, a->members[k].store->agent);
		*array_add(&full.list, &full.n) = xasprintf("%s/%s", r->provider, r->profile);
		closest_try(&closest, full.list[i]);
	}
	return closest_said(&closest);
}

// … and which there are.
static int no_account_matches(const struct cycle *cycle)
{
	const struct observation *o = &cycle->now;
	_cleanup_free_ char *name = string_printable(cycle->unmatched, 120);
	_cleanup_free_ char *meant = account_meant(o, cycle->unmatched);

	log_error("no account matches %s%s", name, meant);
	if (o->n_accounts)
		log_error("there are:");
	for (size_t i = 0; i < o->n_accounts && i < ACCOUNTS_SHOWN; i++) {
		const struct account_record *r = &o->accounts[i]->verdict.record;
		_cleanup_free_ char *profile = string_printable(r->profile, 120);
		_cleanup_free_ char *who = string_printable(identity_label(&r->identity), 80);
		log_error("  %s%s%s", profile, *who ? "  " : "", who);
	}
	if (o->n_accounts > ACCOUNTS_SHOWN)
		log_error("  and %zu more: oauth-keepalive status", o->n_accounts - ACCOUNTS_SHOWN);
	return STATUS_USAGE;
}

const struct account *session_find_only(const struct cycle *cycle, const char *name)
{
	if (cycle->results.n == 1)
		return observation_account(&cycle->now, cycle->results.list[0].key);
	_cleanup_free_ char *safe = string_printable(name, 120);
	log_error("%s is not one account, but %zu; name one of them, by its id:", safe,
		  cycle->results.n);
	for (size_t i = 0; i < cycle->results.n; i++) {
		const struct account *a =
			observation_account(&cycle->now, cycle->results.list[i].key);
		const struct account_record *r = &a->verdict.record;
		_cleanup_free_ char *profile = string_printable(r->profile, 120);
		_cleanup_free_ char *who = string_printable(identity_label(&r->identity), 80);
		_cleanup_free_ char *dir = string_printable(r->state_dir ? r->state_dir : "", 300);
		log_error("  %.12s  %s/%s%s%s  %s", r->key, r->provider, profile, *who ? "  " : "",
			  who, dir);
	}
	return NULL;
}

// Before a token is due: what will send it is not there.
static void look_for_courier(struct problems *problems)
{
	_cleanup_free_ char *path = NULL;
	char *message;

	if (courier_program(&path, &message) < 0)
		problem_add(problems, SEVERITY_ERROR, "courier_missing", NULL, NULL, message,
			    xstrdup("install both programs again, from one build"))
			->needs_person = true;
}

void session_bar(const struct session *session, struct problems *problems)
{
	const struct problem *bar = session->policy.bar;

	if (bar)
		problem_add(problems, bar->severity, bar->code, bar->store, NULL,
			    xstrdup(bar->message), xstrdup(bar->fix))
			->needs_person = true;
}

struct report session_report(const struct invocation *invocation, struct session *session,
			     const struct cycle *cycle, bool dry_run)
{
	return (struct report){
		.command = invocation->command->name,
		.dry_run = dry_run,
		.check = invocation->given & OPTION_CHECK,
		.verbose = invocation->verbose,
		.quiet = invocation->quiet,
		.width = terminal_width(STDOUT_FILENO),
		.doctor = string_equal(invocation->command->name, "doctor"),
		.selected = session->selection.n > 0,
		.kept = session->lists_kept ? &session->kept : NULL,
		.events = session->events,
		.shown = session->shown,
		.probes = session->probed ? &session->probes : NULL,
		.no_accounts = session->no_accounts,
		.barred = session->barred,
		.by = run_by_whom(),
		.decided = session->policy.choice.why,
		.now_ms = clock_wall_ms(),
		.as_of_ms =
			session->policy.at_ms > session->policy.now_ms ? session->policy.at_ms : 0,
		.cycle = cycle,
		.last_runs = session->last_runs,
		.conditions = &session->conditions,
		.ledger = &session->ledger,
		.config = &session->config,
	};
}

// A timer that ran once and does no longer: nothing else would tell.
static void warn_of_silence(const struct report *report, struct problems *problems)
{
	enum run_by by;
	const struct last_run *run = report_last_timer(report, &by);
	_cleanup_free_ char *ago = NULL;

	if (!run || !report_timer_is_late(report, run))
		return;
	ago = duration_format((report->now_ms - run->at_ms) / SECOND_MS);
	problem_add(problems, SEVERITY_WARNING, "timer_silent", NULL, NULL,
		    xasprintf("the timer last ran %s ago: nothing has been kept alive since", ago),
		    xstrdup(by == BY_CRON ? "see whether cron runs, and has its line"
					  : "systemctl list-timers 'oauth-keepalive*' (for a "
					    "user's own: systemctl --user …)"));
}

static void remember(const struct report *report, struct problems *problems)
{
	_cleanup_free_ char *directory = path_join(report->ledger->directory, "log");
	int r = report_remember(report);

	if (r < 0)
		problem_add(
			problems, SEVERITY_WARNING, "history_unwritten", directory, NULL,
			xasprintf("what this run did cannot be written down: %s", error_text(r)),
			xstrdup("make room, or let this user write there; what is kept alive "
				"does not depend on it"));
}

static void write_metrics(const struct report *report, struct problems *problems)
{
	const char *path = report->config->metrics_file;
	int r = report->dry_run || report->no_accounts ? 0 : report_write_metrics(report);

	if (r < 0)
		problem_add(problems, SEVERITY_WARNING, "metrics_unwritten", path, NULL,
			    xasprintf("the metrics cannot be written: %s", error_text(r)),
			    xstrdup("let this user write in that directory (a unit's sandbox: "
				    "ReadWritePaths=), or remove `metrics_file`"));
}

int session_look_failed(const struct session *session, const struct cycle *cycle, int r)
{
	if (r >= 0)
		return 0;
	if (r == -ENOENT || r == -ENOTDIR || r == -ENAMETOOLONG || r == -ELOOP || r == -EACCES) {
		const char *named = session->config.state_dir ? session->config.state_dir
							      : getenv("OPENCLAW_STATE_DIR");
		log_error("%s: there is no such state directory (%s)", named ? named : "?",
			  strerror(-r));
		return STATUS_USAGE;
	}
	if (r == -ESRCH && cycle->unmatched)
		return no_account_matches(cycle);
	log_error("%s: %s",
		  r == -ESRCH ? "/proc does not show this process; is it mounted?"
			      : "the stores cannot be read",
		  error_text(r));
	return STATUS_FAILED;
}

// What the document and the text say besides the cycle.
static void look_around(const struct report *report, struct session *session, bool json,
			struct problems *problems)
{
	look_for_courier(problems);
	hooks_check(&session->config.hooks, problems);
	if (report->dry_run && hooks_any(&session->config.hooks))
		conditions_read(&session->ledger, &session->conditions);
	for (enum run_by by = 0; (report->dry_run || json) && by < RUN_BY_N; by++)
		last_run_read(&session->ledger, by, &session->last_runs[by]);
	if (report->doctor || string_equal(report->command, "status"))
		warn_of_silence(report, problems);
	report_say_world(report, problems);
	if (report->doctor)
		doctor_examine(report, problems);
}

int session_conclude(struct session *session, struct cycle *cycle, const struct report *report,
		     bool json, int r)
{
	int status = session_look_failed(session, cycle, r);

	if (status) {
		report_remember_failure(report, status);
		return status;
	}
	look_around(report, session, json, &cycle->now.problems);
	remember(report, &cycle->now.problems);
	report_say_rivals(report, &cycle->now.problems);
	write_metrics(report, &cycle->now.problems);
	return report_exit_status(report);
}

// What an earlier look of the same run has said is not said again.
static void say(struct session *session, const struct report *report,
		void (*print)(const struct report *, FILE *), FILE *to, int fd)
{
	_cleanup_free_ char *text = NULL, *before = session->said;
	size_t len = 0;
	FILE *out = xopen_memstream(&text, &len);

	screen_show(report, print, out, fd);
	fclose(out);
	session->said = before ? xasprintf("%s%s", before, text) : NULL;
	if (!before || !strstr(before, text))
		fputs(text, to);
}

int session_finish(const struct invocation *invocation, struct session *session,
		   struct cycle *cycle, int r, bool dry_run)
{
	struct report report = session_report(invocation, session, cycle, dry_run);
	int status = session_conclude(session, cycle, &report, invocation->json, r), error = 0;
	FILE *out = session->screen ? session->screen : stdout;

	if (r < 0)
		return status;
	if (invocation->json) {
		report_json(&report, out);
	} else {
		say(session, &report,
		    string_equal(report.command, "status") ? report_status : report_text, out,
		    STDOUT_FILENO);
		if (!dry_run && fflush(stdout) != 0)
			error = errno;
		say(session, &report, report_problems, dry_run ? out : stderr, // the answer there
		    dry_run ? STDOUT_FILENO : STDERR_FILENO);
	}
	if (fflush(stdout) != 0 && !error)
		error = errno;
	if (error || ferror(stdout)) {
		log_error("standard output: %s",
			  error ? strerror(error) : "not all of it was written");
		return status ? status : STATUS_FAILED;
	}
	return status;
}
