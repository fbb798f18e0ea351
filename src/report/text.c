// SPDX-License-Identifier: MIT
//
// Text for people: a line per account that can be read at a glance, what is wrong after it, a closing summary.
#include "base/clock.h"
#include "base/terminal.h"
#include "report/hooks.h"
#include "report/settings.h"
#include "report/text.h"

enum colour outcome_colour(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_FAILED:
	case OUTCOME_HELD:
	case OUTCOME_NEEDS_LOGIN:
		return RED;
	case OUTCOME_BUSY:
	case OUTCOME_PLANNED:
		return YELLOW;
	case OUTCOME_SKIPPED:
		return DIM;
	default:
		return GREEN;
	}
}

static bool is_status(const struct report *report)
{
	return string_equal(report->command, "status");
}

// `sync` sends nothing, whatever is due.
static bool is_left_due(const struct report *report, const struct account *a,
			const struct result *result)
{
	const struct schedule *s = &a->verdict.schedule;

	return string_equal(report->command, "sync") && result->outcome == OUTCOME_UNCHANGED &&
	       s->expires_ms && s->expires_ms - report->now_ms <= s->margin_s * SECOND_MS;
}

static const char *verb(const struct report *report, const struct account *a,
			const struct result *result)
{
	static const char *const planned[] = {
		[DECISION_REFRESH] = "would refresh",
		[DECISION_ADOPT] = "would adopt",
		[DECISION_MIRROR] = "would mirror",
		[DECISION_RECOVER] = "would recover",
	};
	static const char *const outcomes[] = {
		[OUTCOME_NEEDS_LOGIN] = "needs login",
		[OUTCOME_UNCHANGED] = "fresh",
	};

	if (is_left_due(report, a, result))
		return "due";
	if (report->dry_run && result->outcome == OUTCOME_PLANNED &&
	    result->decision < ARRAY_SIZE(planned) && planned[result->decision])
		return planned[result->decision];
	if (result->outcome < ARRAY_SIZE(outcomes) && outcomes[result->outcome])
		return outcomes[result->outcome];
	return outcome_name(result->outcome);
}

#define NAME_WIDTH_MIN 26
#define NAME_WIDTH_MAX 48

// "; 9f3a1c0b77de -> b9134fe39e9e", and where it was found: the journal is what people have of last week.
static char *generation_change(const struct account *a, const struct result *result)
{
	const struct fingerprint *before = &result->before,
				 *live = &a->verdict.record.live.fingerprint;
	_cleanup_free_ char *from = NULL;

	if (fingerprint_empty(*live) || fingerprint_equal(*before, *live))
		return xstrdup("");
	if (result->outcome == OUTCOME_ADOPTED && a->verdict.record.adopted_from)
		from = shown_path(a->verdict.record.adopted_from);
	return xasprintf("; %.*s%s%.*s%s%s", FINGERPRINT_SHOWN, before->hex,
			 fingerprint_empty(*before) ? "" : " -> ", FINGERPRINT_SHOWN, live->hex,
			 from ? " from " : "", from ? from : "");
}

// What stands behind the verb: the time left after a success, else why.
static char *remark(const struct report *report, const struct account *a,
		    const struct result *result)
{
	int64_t expires_ms = shown_expiry_ms(&a->verdict.schedule);
	int64_t left_s = (expires_ms - report->now_ms) / SECOND_MS;

	switch (result->outcome) {
	case OUTCOME_REFRESHED:
	case OUTCOME_RECOVERED:
	case OUTCOME_ADOPTED:
	case OUTCOME_MIRRORED: {
		_cleanup_free_ char *left = duration_format(left_s < 0 ? 0 : left_s), *why = NULL;
		if (result->copies_pending && result->error_message)
			why = string_printable(result->error_message, 300);
		_cleanup_free_ char *change = generation_change(a, result);
		bool timed = expires_ms;
		if (timed && !result->n_written && !result->copies_pending) // nor was any to be
			return xasprintf("expires in %s%s", left, change);
		return xasprintf("%s%s%s%zu of %zu copies written%s%s%s%s",
				 timed ? "expires in " : "", timed ? left : "", timed ? "; " : "",
				 result->n_written, a->n_members, why ? " (" : "", why ? why : "",
				 why ? ")" : "", change);
	}
	case OUTCOME_FAILED:
	case OUTCOME_BUSY:
	case OUTCOME_HELD:
	case OUTCOME_NEEDS_LOGIN:
		if (result->error_message)
			return string_printable(result->error_message, 300);
		break;
	default:
		break;
	}
	return string_printable(result->reason ? result->reason : "", 300);
}

static void print_copy(const struct report *report, const struct account *a,
		       const struct result *result, const struct member *m, FILE *out)
{
	_cleanup_free_ char *path = shown_path(m->store->path);
	const char *what = report_copy_written(result, m)	       ? "wrote"
			   : report_copy_planned(report, a, result, m) ? "write"
								       : "";

	if (is_status(report)) // which writes none
		fprintf(out, "    %-11s " TEXT_WHOLE "%s" TEXT_LOOSE "\n",
			copy_state_name(report_copy_state(report, a, result, m)), path);
	else
		fprintf(out, "    %-5s %-8s %-10s " TEXT_WHOLE "%s" TEXT_LOOSE "\n", what,
			store_role_name(m->store->role),
			copy_state_name(report_copy_state(report, a, result, m)), path);
	for (size_t i = 0; i < m->store->n_names && report->verbose; i++) {
		_cleanup_free_ char *name = shown_path(m->store->names[i]);
		if (!string_equal(m->store->names[i], m->store->path))
			fprintf(out, "%31s%s is a link to it\n", "", name);
	}
}

// In a preview every copy that would be written; in status what is not as it should be; with -v all.
static bool copy_is_shown(const struct report *report, const struct account *a,
			  const struct result *result, const struct member *m)
{
	enum copy_state state = report_copy_state(report, a, result, m);

	if (is_status(report))
		return report->verbose || state != COPY_CURRENT;
	return report->verbose || report_copy_planned(report, a, result, m) ||
	       (state != COPY_CURRENT && state != COPY_STATE_STATIC);
}

static void print_times(const struct report *report, const struct account *a, FILE *out)
{
	int64_t expires_ms = shown_expiry_ms(&a->verdict.schedule), next_ms = report_next_try_ms(a);
	_cleanup_free_ char *expires = time_format_local(expires_ms);
	_cleanup_free_ char *due = time_format_local(next_ms);
	_cleanup_free_ char *left = duration_format((next_ms - report->now_ms) / SECOND_MS);

	fprintf(out, "    expires     %s\n", expires_ms ? expires : "unknown");
	if (!next_ms)
		return;
	fprintf(out, "    due         ");
	if (next_ms > report->now_ms)
		fprintf(out, "%s, in %s%s\n", due, left,
			next_ms > report_due_ms(a) ? " (waiting after a failure)" : "");
	else
		fprintf(out, "now\n");
}

// "3h ago"; of a time that a clock which was wrong has stamped, the time.
static char *when(const struct report *report, int64_t at_ms)
{
	_cleanup_free_ char *ago = duration_format((report->now_ms - at_ms) / SECOND_MS);
	_cleanup_free_ char *at = time_format_local(at_ms);

	return at_ms > report->now_ms + SECOND_MS ? xasprintf("at %s", at)
						  : xasprintf("%s ago", ago);
}

// Who made the live generation: we, or whoever wrote the store that it was found in.
static void print_generation(const struct report *report, const struct account *a, FILE *out)
{
	const struct generation *live = &a->verdict.record.live;
	_cleanup_free_ char *at = when(report, live->at_ms);
	_cleanup_free_ char *from =
		a->verdict.record.adopted_from ? shown_path(a->verdict.record.adopted_from) : NULL;

	if (fingerprint_empty(live->fingerprint))
		return;
	fprintf(out, "    generation  %.*s, number %lld, ", FINGERPRINT_SHOWN,
		live->fingerprint.hex, (long long)a->verdict.record.number);
	if (!a->recorded)
		fprintf(out, "not refreshed by us yet\n");
	else if (live->answered)
		fprintf(out, "refreshed by us %s\n", at);
	else
		fprintf(out, "adopted %s%s%s\n", at, from ? " from " : "", from ? from : "");
}

// "9 of 12 current; 1 ended, 2 static"
static void print_copies(const struct report *report, const struct account *a,
			 const struct result *result, FILE *out)
{
	size_t counts[COPY_STATE_STATIC + 1] = {0};
	const char *separator = "; ";

	for (size_t i = 0; i < a->n_members; i++)
		counts[report_copy_state(report, a, result, &a->members[i])]++;
	fprintf(out, "    copies      %zu of %zu current", counts[COPY_CURRENT], a->n_members);
	for (enum copy_state state = COPY_CURRENT + 1; state <= COPY_STATE_STATIC; state++) {
		if (!counts[state])
			continue;
		fprintf(out, "%s%zu %s", separator, counts[state], copy_state_name(state));
		separator = ", ";
	}
	fputc('\n', out);
}

// Of a login that is not this host's to refresh.
static void print_owner(const struct report *report, const struct custody *custody, FILE *out)
{
	bool follows = custody->ownership == OWNERSHIP_FOLLOWS;
	_cleanup_free_ char *at = when(report, follows ? custody->heard_ms : custody->since_ms);

	if (custody->ownership != OWNERSHIP_OURS)
		fprintf(out, "    owner       %s, %s %s\n",
			follows ? custody->host : "another host", follows ? "heard" : "since", at);
}

static void print_details(const struct report *report, const struct account *a,
			  const struct result *result, FILE *out)
{
	struct process_id holder = report_lock_holder(report, a);
	_cleanup_free_ char *who =
		string_printable(identity_label(&a->verdict.record.identity), 60);

	if (*who)
		fprintf(out, "    identity    %s\n", who);
	print_times(report, a, out);
	print_owner(report, &a->verdict.custody, out);
	report_cluster_account_text(report, a, out);
	if (report->verbose || report->selected) {
		print_generation(report, a, out);
		print_copies(report, a, result, out);
	}
	if (holder.pid)
		fprintf(out, "    lock        held by process %d\n", (int)holder.pid);
}

// Is there another account of its name, in the same state directory or in another one?
static bool has_namesake(const struct report *report, const struct account *a, bool same_dir)
{
	const struct observation *o = &report->cycle->now;

	for (size_t i = 0; i < o->n_accounts; i++)
		if (o->accounts[i] != a && o->accounts[i]->verdict.outcome != OUTCOME_SKIPPED &&
		    (o->accounts[i]->dir == a->dir) == same_dir &&
		    string_equal(o->accounts[i]->record.profile, a->record.profile) &&
		    string_equal(o->accounts[i]->record.provider, a->record.provider))
			return true;
	return false;
}

// Takes both.
static char *joined(char *text, char *more)
{
	_cleanup_free_ char *a = text, *b = more;

	return !b || !*b ? TAKE_PTR(a) : !a ? TAKE_PTR(b) : xasprintf("%s, %s", a, b);
}

char *told_apart(const struct report *report, const struct account *a)
{
	const char *agent = a->n_members == 1 ? a->members[0].store->agent : NULL;
	char *text = NULL;

	if (has_namesake(report, a, true)) {
		text = joined(text,
			      string_printable(identity_label(&a->verdict.record.identity), 60));
		if (agent)
			text = joined(text, xasprintf("agent %s", agent));
	}
	if (has_namesake(report, a, false))
		text = joined(text, shown_path(a->dir->path));
	return text;
}

// Each of them can be taken back. A refresh of somebody else's cannot, and from here it looks like a login.
static void print_undo(const struct report *report, const struct result *result, FILE *out)
{
	for (size_t i = 0; i < result->n_displaced; i++) {
		const struct displacement *d = &result->displaced[i];
		_cleanup_free_ char *store = d->store ? shown_path(d->store) : NULL;
		const char *label = d->chosen ? "undo" : "to undo it, if it is an unwanted login";
		if (report->dry_run)
			fprintf(out, "    would displace %s, %s\n", d->id,
				store ? store : "which is live");
		else if (d->handed)
			fprintf(out, "    undo: oauth-keepalive restore %s (%s)\n", d->id, store);
		else if (store && d->chosen)
			fprintf(out,
				"    kept: oauth-keepalive restore %s makes it the live one (%s)\n",
				d->id, store);
		else if (!store) // the others are said as problems
			fprintf(out, "    %s: oauth-keepalive restore %s\n", label, d->id);
	}
}

static void print_hook(const struct report *report, const struct account *a,
		       const struct result *result, FILE *out)
{
	enum hook_event event = hook_planned(report, a, result);
	_cleanup_free_ char *command =
		event < HOOK_EVENTS ? string_printable(report->config->hooks.commands[event], 300)
				    : NULL;

	if (command)
		fprintf(out, "    then hook   %s: %s\n", hook_event_name(event), command);
}

// What holds it has a remedy of its own, and a new login would be held, too.
static bool login_helps(const char *code)
{
	static const char *const others[] = {
		"adopt_refused",  "barred",	    "courier",
		"export_refused", "forget_refused", "identity_conflict",
		"import_refused", "leader_silent",  "ledger_unreadable",
		"leave_refused",  "lock_directory", "main_store",
		"other_name",	  "own_refused",    "shared_token",
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (string_equal(code, others[i]))
			return false;
	return true;
}

void report_account(const struct report *report, const struct account *a,
		    const struct result *result, int width, FILE *out)
{
	_cleanup_free_ char *profile = string_printable(a->record.profile, 120);
	_cleanup_free_ char *said = remark(report, a, result);
	_cleanup_free_ char *who = told_apart(report, a);
	enum colour colour = outcome_colour(result->outcome);
	const char *priority = colour == RED ? PRIORITY_ERROR : "";
	int blanks = width - text_columns(profile);

	fprintf(out, "%s%s%*s %s%-14s%s %s%s%s%s\n", priority, profile, blanks > 0 ? blanks : 0, "",
		paint(colour), verb(report, a, result), paint(PLAIN), said, who ? " (" : "",
		who ? who : "", who ? ")" : "");
	if (is_status(report) && result->outcome != OUTCOME_SKIPPED)
		print_details(report, a, result, out);
	print_undo(report, result, out);
	print_hook(report, a, result, out);
	if (a->provider && a->provider->login_command) {
		if (result->outcome == OUTCOME_NEEDS_LOGIN)
			fprintf(out, "%s    log in with: " TEXT_WHOLE "%s" TEXT_LOOSE "\n",
				priority, a->provider->login_command);
		else if (result->outcome == OUTCOME_HELD && !a->verdict.record.barred &&
			 login_helps(result->error_code))
			fprintf(out, "%s    or log in again: " TEXT_WHOLE "%s" TEXT_LOOSE "\n",
				priority, a->provider->login_command);
	}
	if (result->outcome == OUTCOME_SKIPPED && !report->verbose)
		return;
	for (size_t i = 0; i < a->n_members; i++)
		if (copy_is_shown(report, a, result, &a->members[i]))
			print_copy(report, a, result, &a->members[i], out);
}

// A command that stands at the beginning stays in one piece: it is to be copied.
static void print_fix(const char *fix, const char *priority, FILE *out)
{
	static const char *const programs[] = {
		"oauth-keepalive ", "openclaw ", "sudo ",      "mv ",  "rm ",	  "chmod ",
		"chown ",	    "setfacl ",	 "systemctl ", "git ", "runuser "};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(programs) && !n; i++)
		if (string_starts(fix, programs[i]))
			n = strcspn(fix, "#(;");
	while (n > 0 && fix[n - 1] == ' ')
		n--;
	fprintf(out, "%s    fix: " TEXT_WHOLE "%.*s" TEXT_LOOSE "%s\n", priority, (int)n, fix,
		fix + n);
}

void report_problems(const struct report *report, FILE *out)
{
	static const char *const words[] = {"note", "warning", "error"};
	static const enum colour colours[] = {DIM, YELLOW, RED};
	static const char *const priorities[] = {PRIORITY_INFO, PRIORITY_WARNING, PRIORITY_ERROR};
	const struct problems *problems = &report->cycle->now.problems;

	for (size_t i = 0; i < problems->n; i++) {
		const struct problem *p = &problems->list[i];
		_cleanup_free_ char *message = string_printable(p->message, 2000);
		_cleanup_free_ char *fix = p->fix ? string_printable(p->fix, 2000) : NULL;
		bool named =
			p->store &&
			string_starts(p->message, p->store); // the message says where by itself
		_cleanup_free_ char *store = p->store && !named ? shown_path(p->store) : NULL;
		_cleanup_free_ char *profile =
			p->profile ? string_printable(p->profile, 120) : NULL;
		if ((p->severity == SEVERITY_INFO && report->quiet) ||
		    !report_problem_is_shown(report, p))
			continue;
		const char *priority = priorities[p->severity];
		fprintf(out, "%s%s%s%s [%s]%s%s%s%s: %s\n", priority, paint(colours[p->severity]),
			words[p->severity], paint(PLAIN), p->code, store ? " " : "",
			store ? store : "", profile ? " " : "", profile ? profile : "", message);
		if (fix)
			print_fix(fix, priority, out);
	}
}

static void print_errors(const struct report *report, FILE *out)
{
	const struct problems *problems = &report->cycle->now.problems;
	size_t n = 0;

	for (size_t i = 0; i < problems->n; i++)
		n += problems->list[i].severity == SEVERITY_ERROR &&
		     report_problem_is_shown(report, &problems->list[i]);
	if (n)
		fprintf(out, "; %zu error%s", n, n == 1 ? "" : "s");
}

void report_summary(const struct report *report, FILE *out)
{
	const struct cycle *cycle = report->cycle;
	const char *separator = "";
	size_t due = 0;

	for (size_t i = 0; i < cycle->results.n; i++) {
		const struct result *result = &cycle->results.list[i];
		const struct account *a = observation_account(&cycle->now, result->key);
		due += a && is_left_due(report, a, result);
	}
	if (!cycle->results.n) {
		if (cycle->now.stores.n_dirs)
			fprintf(out, "no OAuth account found under %s\n",
				cycle->now.stores.dirs[0]->path);
		else
			fprintf(out,
				"no OAuth account found: no state directory (~/.openclaw), and "
				"no `stores` are configured\n");
		return;
	}
	fprintf(out, "%zu account%s: ", cycle->results.n, cycle->results.n == 1 ? "" : "s");
	if (due) {
		fprintf(out, "%zu due", due);
		separator = ", ";
	}
	for (enum outcome o = OUTCOME_UNCHANGED; o <= OUTCOME_PLANNED; o++) {
		size_t n = 0;
		for (size_t i = 0; i < cycle->results.n; i++)
			n += cycle->results.list[i].outcome == o;
		if (o == OUTCOME_UNCHANGED)
			n -= due;
		if (!n)
			continue;
		fprintf(out, "%s%zu %s", separator, n,
			o == OUTCOME_UNCHANGED	   ? "fresh"
			: o == OUTCOME_NEEDS_LOGIN ? "needs login"
			: o == OUTCOME_PLANNED	   ? "to do"
						   : outcome_name(o));
		separator = ", ";
	}
	print_errors(report, out);
	fputc('\n', out);
}

// Another process has it, and its time has come.
static bool is_kept_from_refresh(const struct report *report, const struct account *a,
				 const struct result *result)
{
	return result->outcome == OUTCOME_BUSY &&
	       (!a->verdict.schedule.expires_ms ||
		a->verdict.schedule.expires_ms - report->now_ms <=
			a->verdict.schedule.margin_s * SECOND_MS);
}

bool account_is_shown(const struct report *report, const struct account *a,
		      const struct result *result)
{
	if (report->quiet)
		return outcome_colour(result->outcome) == RED || result->copies_pending ||
		       is_kept_from_refresh(report, a, result) ||
		       (!report->dry_run && outcome_colour(result->outcome) == GREEN &&
			result->outcome != OUTCOME_UNCHANGED);
	return result->outcome != OUTCOME_SKIPPED || report->verbose || report->selected ||
	       is_status(report);
}

// Of the column of names: the longest one's, within reason.
static int name_width(const struct report *report)
{
	const struct observation *o = &report->cycle->now;
	int width = NAME_WIDTH_MIN;

	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		const struct result *result = results_find(&report->cycle->results, a->record.key);
		_cleanup_free_ char *name = string_printable(a->record.profile, 120);
		int columns = text_columns(name);
		if (result && account_is_shown(report, a, result) && columns > width)
			width = columns;
	}
	return width < NAME_WIDTH_MAX ? width : NAME_WIDTH_MAX;
}

void report_text(const struct report *report, FILE *out)
{
	const struct observation *o = &report->cycle->now;
	int width = name_width(report);

	if (report->as_of_ms && !report->quiet) {
		_cleanup_free_ char *at = time_format_local(report->as_of_ms);
		_cleanup_free_ char *in = duration_format(
			(report->as_of_ms - report->now_ms + SECOND_MS - 1) / SECOND_MS);
		fprintf(out,
			report->dry_run ? "as of %s (in %s), if nothing is refreshed until then\n"
					: "what would be due at %s (in %s)\n",
			at, in);
	}
	if (report->doctor && report->cycle->results.n)
		report_health(report, out);
	if (report->doctor) { // the problems follow
		if (report->probes && !report->quiet)
			report_probes_text(report, out);
		if (report_exit_status(report) == STATUS_DONE && !report->quiet)
			fputs("nothing is wrong\n", out);
		return;
	}
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct result *result =
			results_find(&report->cycle->results, o->accounts[i]->record.key);
		if (result && account_is_shown(report, o->accounts[i], result))
			report_account(report, o->accounts[i], result, width, out);
	}
	if (report->kept)
		report_kept_text(report, out);
	else if (report->events)
		report_events_text(report, out);
	else if (report->shown)
		report_shown_text(report, out);
	else if (!report->quiet && !report->no_accounts)
		report_summary(report, out);
}
