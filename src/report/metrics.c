// SPDX-License-Identifier: MIT
//
// For node_exporter's textfile collector: the state after a run, in the Prometheus text format. A new file takes the old
// one's place, so that no scrape sees half of it; nothing is fsynced, for the next run writes it again.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "ledger/conditions.h"
#include "report/report.h"

#define TEMP_STALE_S 60

// ---- accounts

static enum outcome outcome_of(const struct report *report, const struct account *a)
{
	const struct result *result = results_find(&report->cycle->results, a->record.key);

	return result ? result->outcome : a->verdict.outcome;
}

static bool is_measured(const struct account *a)
{
	return a->record.key[0] && (!a->skip || a->unserved) &&
	       a->verdict.custody.ownership != OWNERSHIP_RELEASED;
}

static int64_t seconds(int64_t ms)
{
	return ms / SECOND_MS;
}

static int64_t needs_login(const struct report *report, const struct account *a)
{
	return outcome_of(report, a) == OUTCOME_NEEDS_LOGIN;
}

static int64_t held(const struct report *report, const struct account *a)
{
	return outcome_of(report, a) == OUTCOME_HELD;
}

static int64_t failures(const struct report *report, const struct account *a)
{
	(void)report;
	return a->verdict.record.failures;
}

static int64_t expires(const struct report *report, const struct account *a)
{
	(void)report;
	return seconds(shown_expiry_ms(&a->verdict.schedule));
}

static int64_t due(const struct report *report, const struct account *a)
{
	(void)report;
	return seconds(report_due_ms(a));
}

static int64_t grant_expires(const struct report *report, const struct account *a)
{
	(void)report;
	return seconds(a->verdict.record.grant_expires_ms);
}

static int64_t refreshed(const struct report *report, const struct account *a)
{
	(void)report;
	return seconds(a->verdict.record.refreshed_ms);
}

static int64_t proven(const struct report *report, const struct account *a)
{
	(void)report;
	return seconds(report_proven_ms(a));
}

static int64_t owner_heard(const struct report *report, const struct account *a)
{
	(void)report;
	return seconds(a->verdict.custody.heard_ms);
}

static int64_t lifetime(const struct report *report, const struct account *a)
{
	(void)report;
	return a->verdict.schedule.lifetime_s;
}

static int64_t cluster_version(const struct report *report, const struct account *a)
{
	return report->config->cluster.n_endpoints ? a->verdict.record.common_number : 0;
}

static int64_t margin(const struct report *report, const struct account *a)
{
	(void)report;
	return a->verdict.schedule.margin_s;
}

static const struct gauge {
	const char *name, *help;
	int64_t (*value)(const struct report *report, const struct account *a);
	bool unknown_is_0; // then it is left out
} gauges[] = {
	{"needs_login", "Whether only a new login helps.", needs_login},
	{"held", "Whether it is held until a person has looked.", held},
	{"failures", "Refreshes that failed, in a row.", failures},
	{"access_expiry_timestamp_seconds", "When the access token expires.", expires, true},
	{"due_timestamp_seconds", "When its margin begins, and it is refreshed.", due, true},
	{"grant_expiry_timestamp_seconds", "When the login itself ends.", grant_expires, true},
	{"last_refresh_timestamp_seconds", "The last refresh by this program.", refreshed, true},
	{"last_proven_timestamp_seconds",
	 "When the provider last answered with the login as it is now.", proven, true},
	{"owner_heard_timestamp_seconds", "When the host that it follows sent it last.",
	 owner_heard, true},
	{"cluster_version", "Which version of the cluster's record this host has.", cluster_version,
	 true},
	{"lifetime_seconds", "Lifetime of an access token.", lifetime, true},
	{"margin_seconds", "How long before its expiry it is refreshed.", margin, true},
};

static void print_label(FILE *out, const char *name, const char *value)
{
	_cleanup_free_ char *safe = string_printable(value, 200);

	fprintf(out, "%s=\"", name);
	for (const char *p = safe; *p; p++) {
		if (*p == '"' || *p == '\\')
			fputc('\\', out);
		fputc(*p, out);
	}
	fputc('"', out);
}

// `more`: another label's name, or NULL.
static void print_series(FILE *out, const char *name, const struct account *a, const char *more,
			 const char *value, int64_t n)
{
	fprintf(out, "oauth_keepalive_%s{id=\"%.12s\",", name, a->record.key);
	print_label(out, "provider", a->record.provider);
	fputc(',', out);
	print_label(out, "profile", a->record.profile);
	if (more) {
		fputc(',', out);
		print_label(out, more, value);
	}
	fprintf(out, "} %lld\n", (long long)n);
}

static void print_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP oauth_keepalive_%s %s\n# TYPE oauth_keepalive_%s %s\n", name, help,
		name, type);
}

static void print_gauge(FILE *out, const struct report *report, const struct gauge *gauge)
{
	const struct observation *o = &report->cycle->now;

	print_head(out, gauge->name, "gauge", gauge->help);
	for (size_t i = 0; i < o->n_accounts; i++) {
		int64_t n = gauge->value(report, o->accounts[i]);
		if (is_measured(o->accounts[i]) && (n || !gauge->unknown_is_0))
			print_series(out, gauge->name, o->accounts[i], NULL, NULL, n);
	}
}

static void print_copies(FILE *out, const struct report *report)
{
	const struct observation *o = &report->cycle->now;

	print_head(out, "copies", "gauge", "Copies of the login, by state.");
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		const struct result *result = results_find(&report->cycle->results, a->record.key);
		int64_t counts[COPY_STATE_STATIC + 1] = {0};
		for (size_t k = 0; k < a->n_members; k++)
			counts[report_copy_state(report, a, result, &a->members[k])]++;
		for (enum copy_state s = 0; is_measured(a) && s <= COPY_STATE_STATIC; s++)
			if (counts[s] || s == COPY_CURRENT)
				print_series(out, "copies", a, "state", copy_state_name(s),
					     counts[s]);
	}
}

static void print_ownership(FILE *out, const struct report *report)
{
	const struct observation *o = &report->cycle->now;

	print_head(out, "ownership", "gauge", "Who refreshes it: ours, follows or released.");
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		if (is_measured(a) || a->verdict.custody.ownership == OWNERSHIP_RELEASED)
			print_series(out, "ownership", a, "state",
				     ownership_name(a->verdict.custody.ownership), 1);
	}
}

// Every event from zero on, so that its first one is an increase.
static void print_counters(FILE *out, const struct report *report)
{
	static const char *const events[] = {"refreshed", "recovered", "adopted", "mirrored",
					     "displaced", "failed",    "held",	  "needs_login",
					     "pending",	  "cleared"};
	_cleanup_json_ cJSON *counts = counts_read(report->ledger);
	const struct observation *o = &report->cycle->now;

	print_head(out, "events_total", "counter", "What happened to the login.");
	for (size_t i = 0; i < o->n_accounts; i++)
		for (size_t k = 0; is_measured(o->accounts[i]) && k < ARRAY_SIZE(events); k++)
			print_series(out, "events_total", o->accounts[i], "event", events[k],
				     counts_get(counts, o->accounts[i]->record.key, events[k]));
	print_head(out, "foreign_rotations_total", "counter",
		   "Adoptions over a live login: refreshes or logins by somebody else.");
	for (size_t i = 0; i < o->n_accounts; i++)
		if (is_measured(o->accounts[i]))
			print_series(out, "foreign_rotations_total", o->accounts[i], NULL, NULL,
				     counts_get(counts, o->accounts[i]->record.key, "foreign"));
}

// ---- runs

static void print_runs(FILE *out, const char *name, const char *help,
		       const struct last_run runs[RUN_BY_N])
{
	print_head(out, name, "gauge", help);
	for (enum run_by by = 0; by < RUN_BY_N; by++) {
		int64_t n = string_starts(name, "last_success") ? seconds(runs[by].succeeded_ms)
			    : string_ends(name, "exit_code")	? runs[by].exit_code
								: seconds(runs[by].at_ms);
		if (runs[by].at_ms && (n || string_ends(name, "exit_code")))
			fprintf(out, "oauth_keepalive_%s{by=\"%s\"} %lld\n", name, run_by_name(by),
				(long long)n);
	}
}

static void print_problems(FILE *out, const struct report *report)
{
	static const char *const names[] = {"info", "warning", "error"};
	const struct problems *problems = &report->cycle->now.problems;
	int64_t counts[ARRAY_SIZE(names)] = {0};

	for (size_t i = 0; i < problems->n; i++)
		counts[problems->list[i].severity]++;
	print_head(out, "problems", "gauge", "What a person should know, by severity.");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		fprintf(out, "oauth_keepalive_problems{severity=\"%s\"} %lld\n", names[i],
			(long long)counts[i]);
}

static void print_build(FILE *out, const struct report *report)
{
	char host[65];

	report_host(report, host);
	print_head(out, "build_info", "gauge", "The version that wrote this file, and its host.");
	fputs("oauth_keepalive_build_info{version=\"" VERSION "\",", out);
	print_label(out, "host", host);
	fputs("} 1\n", out);
}

// Which version of a record this host has, the accounts' gauges say: where hosts differ, one is behind.
static void print_cluster(FILE *out, const struct report *report)
{
	const struct cluster *c = &report->cycle->cluster;

	if (!c->config)
		return;
	print_head(out, "cluster_reached", "gauge", "Whether the last run could read it.");
	fputs("oauth_keepalive_cluster_reached{", out);
	print_label(out, "host", c->name);
	fprintf(out, "} %d\n", c->reached);
}

void report_metrics(const struct report *report, FILE *out)
{
	struct last_run runs[RUN_BY_N] = {0};

	for (enum run_by by = 0; by < RUN_BY_N; by++)
		last_run_read(report->ledger, by, &runs[by]);
	print_build(out, report);
	print_cluster(out, report);
	print_runs(out, "last_run_timestamp_seconds", "The last refresh run.", runs);
	print_runs(out, "last_success_timestamp_seconds", "The last that ended with 0.", runs);
	print_runs(out, "last_run_exit_code", "Exit status of the last refresh run.", runs);
	print_problems(out, report);
	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++)
		print_gauge(out, report, &gauges[i]);
	print_copies(out, report);
	print_ownership(out, report);
	print_counters(out, report);
}

// ---- the file

// Of a run that is at work. A time to come is that of a killed one, before the clock was put back.
static bool is_young(const char *temp)
{
	struct stat st;
	int64_t age_s = lstat(temp, &st) == 0 ? clock_wall_ms() / SECOND_MS - st.st_mtime : -1;

	return age_s >= 0 && age_s < TEMP_STALE_S;
}

// One name: what a killed run left is replaced, and of two at once the second leaves it to the first.
static int open_temp(const char *temp)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd = open(temp, flags, 0644);

	if (fd >= 0 || errno != EEXIST)
		return fd < 0 ? -errno : fd;
	if (is_young(temp))
		return -EBUSY;
	unlink(temp);
	fd = open(temp, flags, 0644);
	return fd < 0 ? -errno : fd;
}

int report_write_metrics(const struct report *report)
{
	const char *path = report->config->metrics_file;
	_cleanup_free_ char *temp = path ? xasprintf("%s.tmp", path) : NULL, *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t len = 0;
	FILE *out;
	int r;

	if (!path)
		return 0;
	r = fd = open_temp(temp);
	if (r < 0)
		return r == -EBUSY ? 0 : r;
	out = xopen_memstream(&text, &len);
	report_metrics(report, out);
	fclose(out);
	r = write_full(fd, text, len);
	if (r >= 0 && fchmod(fd, 0644) < 0) // node_exporter is another user
		r = -errno;
	if (r >= 0 && rename(temp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temp);
	return r;
}
