// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/run.h"
#include "file/safe_path.h"
#include "report/hooks.h"

#define TELL_AGAIN_MS (DAY_S * SECOND_MS)
#define TRIES_MOST    3
#define TRY_AGAIN     75    // EX_TEMPFAIL of a hook: not now, but later, as often as it takes
#define BUDGET_MS     60000 // of all hooks of a run; what is left is told by the next
#define STORES_MOST   65536 // bytes of names; the kernel takes 128 KiB in one variable
#define BLANK	      " \t\n"

enum hook_event hook_event_of_name(const char *name)
{
	enum hook_event event = 0;

	while (event < HOOK_EVENTS && !string_equal(hook_event_name(event), name))
		event++;
	return event;
}

bool hooks_any(const struct hooks *hooks)
{
	for (enum hook_event event = 0; event < HOOK_EVENTS; event++)
		if (hooks->commands[event])
			return true;
	return false;
}

// ---- whose program it is

static bool is_assignment(const char *word, size_t len)
{
	size_t n = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && n < len && word[n] == '=';
}

// The first word of a command line that is no assignment, without quotes; NULL: there is none.
static char *program_word(const char *command)
{
	for (const char *p = command + strspn(command, BLANK); *p; p += strspn(p, BLANK)) {
		char quote = *p == '"' || *p == '\'' ? *p : 0;
		size_t len =
			quote ? strcspn(p + 1, (char[]){quote, '\0'}) : strcspn(p, BLANK ";|&<>()");
		if (quote)
			return xstrndup(p + 1, len);
		if (!is_assignment(p, len))
			return len ? xstrndup(p, len) : NULL;
		p += len;
	}
	return NULL;
}

// As the shell finds it. NULL: it is built in, or not there, which the shell says.
static char *find_program(const char *word)
{
	_cleanup_free_ char *path = xstrdup(getenv("PATH")), *home = home_directory();
	char *rest = path, *directory;

	if (strchr(word, '/'))
		return *word == '~' && home ? path_expand(word, home) : path_absolute(word);
	while ((directory = strsep(&rest, ":"))) {
		_cleanup_free_ char *file = path_join(*directory ? directory : ".", word);
		if (access(file, X_OK) == 0)
			return path_absolute(file);
	}
	return NULL;
}

int hook_check(const char *command, char **ret_message, char **ret_fix)
{
	_cleanup_free_ char *word = program_word(command);
	_cleanup_free_ char *path = word ? find_program(word) : NULL;
	int r = path ? path_check_trusted(path, ret_message, ret_fix) : 0;

	if (r < 0 && !*ret_message) { // it cannot be looked at
		*ret_message = xasprintf("%s: %s", path, strerror(-r));
		*ret_fix = xstrdup("name a program that is there");
	}
	return r;
}

void hooks_check(const struct hooks *hooks, struct problems *problems)
{
	for (enum hook_event event = 0; event < HOOK_EVENTS; event++) {
		char *message = NULL, *fix = NULL;
		if (hooks->commands[event] &&
		    hook_check(hooks->commands[event], &message, &fix) < 0)
			problem_add(problems, SEVERITY_WARNING, "hook_unsafe", NULL, NULL,
				    xasprintf("the hook `%s` is not run: %s",
					      hook_event_name(event), message),
				    fix);
		free(message);
	}
}

// ---- what it is told

struct variables {
	char **list;
	size_t n;
};

static void set(struct variables *v, const char *name, const char *value)
{
	_cleanup_free_ char *safe = string_printable(value ? value : "", 4096);

	*array_add(&v->list, &v->n) = xasprintf("OAUTH_KEEPALIVE_%s=%s", name, safe);
}

// One a line, which is why it does not go through set(). As many as fit: with a longer variable no program can be started,
// and COPIES says how many there are.
static void set_stores(struct variables *v, const struct account *a, const char *store)
{
	_cleanup_free_ char *list = NULL;
	size_t len = 0, n = a ? a->n_members : 1;
	FILE *out = xopen_memstream(&list, &len);

	for (size_t i = 0, sum = 0; i < n; i++) {
		const char *path = a ? a->members[i].store->path : store;
		_cleanup_free_ char *safe = string_printable(path ? path : "", 4096);
		sum += strlen(safe) + 1;
		if (sum > STORES_MOST)
			break;
		fprintf(out, "%s%s", i ? "\n" : "", safe);
	}
	fclose(out);
	*array_add(&v->list, &v->n) = xasprintf("OAUTH_KEEPALIVE_STORES=%s", list);
}

static void set_account(struct variables *v, const struct account *a)
{
	_cleanup_free_ char *expires = time_format(shown_expiry_ms(&a->verdict.schedule)),
			    *copies = NULL;

	copies = xasprintf("%zu", a->n_members);
	set(v, "ACCOUNT", a->record.key);
	set(v, "STATE_DIR", a->record.state_dir);
	set(v, "PROVIDER", a->record.provider);
	set(v, "PROFILE", a->record.profile);
	set(v, "IDENTITY", identity_label(&a->verdict.record.identity));
	set(v, "EXPIRES_AT", expires);
	set(v, "COPIES", copies);
	set(v, "LOGIN_COMMAND", a->provider ? a->provider->login_command : NULL);
	set(v, "OWNERSHIP", ownership_name(a->verdict.custody.ownership));
}

static void set_event(struct variables *v, enum hook_event event, const struct condition *c,
		      bool test)
{
	_cleanup_free_ char *since = time_format(c->since_ms);
	char host[65] = "";

	gethostname(host, sizeof(host) - 1);
	set(v, "EVENT", hook_event_name(event));
	set(v, "GENERATION", c->generation);
	set(v, "CODE", c->code);
	set(v, "MESSAGE", c->message);
	set(v, "SINCE", since);
	set(v, "HOST", host);
	if (test)
		set(v, "TEST", "1");
}

// For a hook that asks this program about the account: the same program, and where it looks.
static void set_ourselves(struct variables *v, const struct report *report)
{
	_cleanup_free_ char *program = path_real("/proc/self/exe");

	set(v, "PROGRAM", program);
	set(v, "CONFIG", report->config->file);
	set(v, "LEDGER_DIR", report->ledger->directory);
}

int hook_run(const struct report *report, enum hook_event event, const struct condition *condition,
	     const struct account *account, bool test)
{
	const struct hooks *hooks = &report->config->hooks;
	struct variables v = {0};
	size_t own;
	int r;

	set_event(&v, event, condition, test);
	set_ourselves(&v, report);
	if (account)
		set_account(&v, account);
	set_stores(&v, account, condition->store);
	own = v.n;
	for (char **e = environ; *e; e++)
		if (!string_starts(*e, "OAUTH_KEEPALIVE_"))
			*array_add(&v.list, &v.n) = *e;
	*array_add(&v.list, &v.n) = NULL;
	r = run_shell(hooks->commands[event], v.list, hooks->timeout_s * SECOND_MS);
	for (size_t i = 0; i < own; i++)
		free(v.list[i]);
	free(v.list);
	return r;
}

// ---- whom to tell what, and when

static bool is_due(const struct condition *c, int64_t now_ms)
{
	if (!c->told_ms)
		return true;
	// A clock that was put back must not silence it.
	return condition_is_trouble(c) &&
	       (now_ms - c->told_ms >= TELL_AGAIN_MS || c->told_ms > now_ms + TELL_AGAIN_MS);
}

static const struct account *account_of(const struct report *report, const struct condition *c)
{
	return c->account ? observation_account(&report->cycle->now, c->account) : NULL;
}

// Not what this run knows nothing of: another one's account, or a condition that it did not look at.
static bool is_to_be_told(const struct report *report, const struct condition *c)
{
	enum hook_event event = hook_event_of_name(c->event);

	return event < HOOK_EVENTS && report->config->hooks.commands[event] &&
	       is_due(c, report->now_ms) && (!c->account || account_of(report, c));
}

static void condition_copy(struct condition *to, const struct condition *from)
{
	*to = *from;
	to->account = xstrdup(from->account);
	to->event = xstrdup(from->event);
	to->code = xstrdup(from->code);
	to->message = xstrdup(from->message);
	to->store = xstrdup(from->store);
	to->generation = xstrdup(from->generation);
}

static bool is_same(const struct condition *a, const struct condition *b)
{
	return string_equal(a->account, b->account) && string_equal(a->event, b->event) &&
	       string_equal(a->generation, b->generation) &&
	       (a->account || (string_equal(a->code, b->code) && string_equal(a->store, b->store)));
}

// Taken before they are told: of two runs at once one tells, and who is killed in between has told it for a day.
static struct conditions take_due(const struct report *report)
{
	struct conditions all = {0}, due = {0};
	_cleanup_close_ int lock = -1;

	conditions_lock(report->ledger, &lock);
	if (report->conditions->n) {
		all = *report->conditions;
		*report->conditions = (struct conditions){0};
	} else {
		conditions_read(report->ledger, &all);
	}
	for (size_t i = 0; i < all.n; i++) {
		if (!is_to_be_told(report, &all.list[i]))
			continue;
		all.list[i].told_ms = report->now_ms;
		condition_copy(array_add(&due.list, &due.n), &all.list[i]);
	}
	if (due.n)
		conditions_save(report->ledger, &all);
	conditions_free(&all);
	return due;
}

// What could not be told is told again, but not for ever, unless the hook asks for it; what is not wrong is done with once it
// is told.
static void note_told(const struct report *report, const struct condition *told, int ended)
{
	struct conditions all = {0};
	_cleanup_close_ int lock = -1;
	size_t n = 0;

	conditions_lock(report->ledger, &lock);
	conditions_read(report->ledger, &all);
	for (size_t i = 0; i < all.n; i++) {
		struct condition *c = &all.list[i];
		bool again = ended == TRY_AGAIN || (ended && c->tries + 1 < TRIES_MOST);
		if (is_same(c, told)) {
			c->tries = ended == TRY_AGAIN ? c->tries : ended ? c->tries + 1 : 0;
			c->told_ms = again ? 0 : c->told_ms;
			if (!again && !condition_is_trouble(c)) {
				condition_free(c);
				continue;
			}
		}
		all.list[n++] = *c;
	}
	all.n = n;
	conditions_save(report->ledger, &all);
	conditions_free(&all);
}

// 0, its exit status, or -errno.
static int tell(const struct report *report, const struct condition *c)
{
	enum hook_event event = hook_event_of_name(c->event);
	const char *command = report->config->hooks.commands[event];
	_cleanup_free_ char *message = NULL, *fix = NULL;
	int r = hook_check(command, &message, &fix);

	if (r == 0)
		r = hook_run(report, event, c, account_of(report, c), false);
	if (r == -ETIMEDOUT)
		log_warning("the hook `%s` was ended: it took longer than %llds", c->event,
			    (long long)report->config->hooks.timeout_s);
	else if (r < 0)
		log_warning("the hook `%s` was not run: %s", c->event,
			    message ? message : strerror(-r));
	else if (r == TRY_AGAIN)
		log_info("the hook `%s` is to be run again (exit status %d)", c->event, r);
	else if (r > 0)
		log_warning("the hook `%s` failed with exit status %d", c->event, r);
	return r;
}

void report_tell(const struct report *report)
{
	const struct hooks *hooks = &report->config->hooks;
	int64_t until_ms = clock_boot_ms() + BUDGET_MS;
	_cleanup_free_ char *open = NULL;
	struct conditions due;

	if (!hooks_any(hooks) || history_path(report->ledger, "open", false, &open) < 0 ||
	    (access(open, F_OK) < 0 && !report->conditions->n))
		return;
	due = take_due(report);
	for (size_t i = 0; i < due.n; i++) {
		if (i && hooks->stagger_s)
			nanosleep(&(struct timespec){.tv_sec = hooks->stagger_s}, NULL);
		note_told(report, &due.list[i],
			  clock_boot_ms() < until_ms ? tell(report, &due.list[i]) : -ETIME);
	}
	conditions_free(&due);
}

// ---- preview

static const struct condition *open_condition(const struct report *report, const struct account *a)
{
	for (size_t i = 0; report->conditions && i < report->conditions->n; i++) {
		const struct condition *c = &report->conditions->list[i];
		if (condition_is_trouble(c) && string_equal(c->account, a->record.key))
			return c;
	}
	return NULL;
}

static enum hook_event event_of_outcome(const struct account *a, const struct result *result,
					const struct condition *open)
{
	switch (result->outcome) {
	case OUTCOME_PLANNED:
		return a->verdict.decision == DECISION_REFRESH ||
				       a->verdict.decision == DECISION_RECOVER
			       ? HOOK_REFRESHED
		       : a->verdict.decision == DECISION_ADOPT ? HOOK_ADOPTED
							       : HOOK_EVENTS;
	case OUTCOME_NEEDS_LOGIN:
		return HOOK_NEEDS_LOGIN;
	case OUTCOME_FAILED:
	case OUTCOME_HELD:
		return HOOK_FAILED;
	case OUTCOME_UNCHANGED:
		return open && open->told_ms ? HOOK_RECOVERED : HOOK_EVENTS;
	default:
		return HOOK_EVENTS;
	}
}

enum hook_event hook_planned(const struct report *report, const struct account *a,
			     const struct result *result)
{
	const struct condition *open = open_condition(report, a);
	enum hook_event event = event_of_outcome(a, result, open);

	if (!report->dry_run || string_equal(report->command, "status") || event == HOOK_EVENTS ||
	    !report->config->hooks.commands[event])
		return HOOK_EVENTS;
	if (open && string_equal(open->event, hook_event_name(event)) &&
	    !is_due(open, report->now_ms))
		return HOOK_EVENTS; // it was told
	return event;
}
