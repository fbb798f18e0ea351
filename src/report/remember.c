// SPDX-License-Identifier: MIT
//
// What a run leaves in the ledger for people (ledger/history.h): an event for each thing done, one for a failure when it
// begins and for every try at the provider that fails, one when it is over; and that there was a run. One that found all
// well leaves the latter only.
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/conditions.h"
#include "report/report.h"

struct scribe {
	const struct report *report;
	const struct ledger *ledger;
	const struct hooks *hooks;
	char host[65];
	cJSON *counts; // NULL: none has changed
	struct conditions conditions;
	bool changed; // the conditions
	int error;
};

// ---- events

static void write_event(struct scribe *s, struct event *event)
{
	int r;

	event->at_ms = s->report->now_ms;
	event->by = xstrdup(run_by_name(s->report->by));
	event->command = xstrdup(s->report->command);
	event->host = xstrdup(s->host);
	r = history_append(s->ledger, event);
	if (r < 0)
		s->error = r;
	event_free(event);
}

static void count(struct scribe *s, const char *account, const char *what)
{
	if (!s->counts)
		s->counts = counts_read(s->ledger);
	counts_add(s->counts, account, what);
}

static char *shown_generation(struct fingerprint token)
{
	return fingerprint_empty(token) ? NULL : xstrndup(token.hex, FINGERPRINT_SHOWN);
}

static struct event event_of(struct scribe *s, const char *what, const struct account *a)
{
	const char *who = identity_label(&a->verdict.record.identity);

	count(s, a->record.key, what);
	return (struct event){
		.what = xstrdup(what),
		.account = xstrdup(a->record.key),
		.provider = xstrdup(a->record.provider),
		.profile = xstrdup(a->record.profile),
		.identity = *who ? xstrdup(who) : NULL,
	};
}

static void note_done(struct scribe *s, const struct account *a, const struct result *result,
		      const char *what)
{
	struct event event = event_of(s, what, a);

	event.from = shown_generation(result->before);
	event.to = shown_generation(a->verdict.record.live.fingerprint);
	event.copies = (int64_t)result->n_written;
	if (result->outcome == OUTCOME_ADOPTED) {
		event.store = xstrdup(a->verdict.record.adopted_from);
		event.message = xstrdup(s->report->decided);
		event.who = xstrdup(s->report->decided ? NULL : result->rival);
		if (!s->report->decided && event.from)
			count(s, a->record.key, "foreign");
	}
	write_event(s, &event);
}

static void note_displaced(struct scribe *s, const struct account *a,
			   const struct displacement *displaced)
{
	struct event event = event_of(s, "displaced", a);

	event.from = xstrdup(displaced->id);
	event.store = xstrdup(displaced->store);
	if (displaced->chosen)
		event.message = xstrdup(s->report->decided);
	write_event(s, &event);
}

static void note_put_back(struct scribe *s, const struct account *a,
			  const struct put_back *put_back)
{
	struct event event = event_of(s, "put_back", a);

	event.from = xstrdup(put_back->id);
	event.to = shown_generation(a->verdict.record.live.fingerprint);
	event.store = xstrdup(put_back->store);
	write_event(s, &event);
}

// ---- what is wrong

static struct condition *find_condition(struct scribe *s, const char *account, const char *code,
					const char *store)
{
	for (size_t i = 0; i < s->conditions.n; i++) {
		struct condition *c = &s->conditions.list[i];
		if (condition_is_trouble(c) && string_equal(c->account, account) &&
		    (account || (string_equal(c->code, code) && string_equal(c->store, store))))
			return c;
	}
	return NULL;
}

static struct condition *add_condition(struct scribe *s, const char *event, const char *account,
				       const char *generation)
{
	struct condition *c = array_add(&s->conditions.list, &s->conditions.n);

	*c = (struct condition){
		.event = xstrdup(event),
		.account = xstrdup(account),
		.generation = xstrdup(generation),
		.since_ms = s->report->now_ms,
		.seen = true,
	};
	s->changed = true;
	return c;
}

static void put_text(char **to, const char *text)
{
	free(*to);
	*to = xstrdup(text);
}

// An alarm of its own is only what is another event, or of another generation. True if there is something to write down.
static bool update_condition(struct scribe *s, const char *event, const char *account,
			     const char *generation, const char *code, const char *store,
			     const char *message, int64_t failures)
{
	struct condition *c = find_condition(s, account, code, store);
	bool news;

	if (c && (!string_equal(c->event, event) || !string_equal(c->generation, generation))) {
		put_text(&c->event, event);
		put_text(&c->generation, generation);
		c->since_ms = s->report->now_ms;
		c->told_ms = c->tries = c->failures = 0;
		put_text(&c->code, NULL);
	}
	if (!c)
		c = add_condition(s, event, account, generation);
	c->seen = true;
	news = !string_equal(c->code, code) || c->failures != failures;
	if (!news)
		return false;
	put_text(&c->code, code);
	put_text(&c->store, store);
	put_text(&c->message, message);
	c->failures = failures;
	s->changed = true;
	return true;
}

// What was begun and broken off, or is another process's, says nothing of the login.
static bool says_nothing(const struct result *result)
{
	return result->outcome == OUTCOME_BUSY || string_equal(result->error_code, "interrupted");
}

static const char *trouble_of(const struct result *result)
{
	if (result->outcome == OUTCOME_NEEDS_LOGIN)
		return "needs_login";
	return result->outcome == OUTCOME_FAILED || result->outcome == OUTCOME_HELD ||
			       result->copies_pending
		       ? "failed"
		       : NULL;
}

static void note_trouble(struct scribe *s, const struct account *a, const struct result *result)
{
	_cleanup_free_ char *generation = shown_generation(a->verdict.record.live.fingerprint);
	const char *code = result->error_code[0] ? result->error_code : "failed";
	bool done = result->outcome != OUTCOME_FAILED && result->outcome != OUTCOME_HELD &&
		    result->outcome != OUTCOME_NEEDS_LOGIN;
	const char *message = result->error_message ? result->error_message : result->reason;
	struct event event;

	if (!update_condition(s, trouble_of(result), a->record.key, generation, code, NULL, message,
			      a->verdict.record.failures))
		return;
	event = event_of(s, done ? "pending" : outcome_name(result->outcome), a);
	event.from = TAKE_PTR(generation);
	event.code = xstrdup(code);
	event.message = xstrdup(message);
	event.http_status = result->error_status;
	write_event(s, &event);
}

// Of an account that is in trouble itself it is said there.
static bool is_said_of_account(const struct scribe *s, const struct problem *problem)
{
	const struct cycle *cycle = s->report->cycle;

	for (size_t i = 0; problem->profile && i < cycle->results.n; i++) {
		const struct account *a =
			observation_account(&cycle->now, cycle->results.list[i].key);
		if (a && trouble_of(&cycle->results.list[i]) &&
		    string_equal(a->record.profile, problem->profile))
			return true;
	}
	return false;
}

static void note_problem(struct scribe *s, const struct problem *problem)
{
	struct event event;

	if (!problem->needs_person || is_said_of_account(s, problem) ||
	    !update_condition(s, "failed", NULL, NULL, problem->code, problem->store,
			      problem->message, 0))
		return;
	event = (struct event){
		.what = xstrdup("problem"),
		.profile = xstrdup(problem->profile),
		.store = xstrdup(problem->store),
		.code = xstrdup(problem->code),
		.message = xstrdup(problem->message),
	};
	write_event(s, &event);
}

// Did this run see whether it is over?
static bool was_judged(const struct scribe *s, const struct condition *c)
{
	const struct result *result =
		c->account ? results_find(&s->report->cycle->results, c->account) : NULL;

	return result ? !says_nothing(result) : !s->report->selected; // forgotten, or none's
}

static void note_over(struct scribe *s, const struct condition *c)
{
	const struct account *a =
		c->account ? observation_account(&s->report->cycle->now, c->account) : NULL;
	struct event event = {.what = xstrdup("cleared")};

	if (a) {
		event_free(&event);
		event = event_of(s, "cleared", a);
	}
	event.code = xstrdup(c->code);
	event.store = xstrdup(c->store);
	write_event(s, &event);
}

static bool is_to_be_told(const struct scribe *s, enum hook_event event)
{
	return s->hooks->commands[event];
}

// What is over goes; who was told of it is told so. A refresh that a hook could not be told of within a day is no news.
static void clear_conditions(struct scribe *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->conditions.n; i++) {
		struct condition *c = &s->conditions.list[i];
		bool over = condition_is_trouble(c)
				    ? !c->seen && was_judged(s, c)
				    : s->report->now_ms - c->since_ms > DAY_S * SECOND_MS;
		if (over && condition_is_trouble(c)) {
			note_over(s, c);
			if (c->told_ms && is_to_be_told(s, HOOK_RECOVERED)) {
				put_text(&c->event, hook_event_name(HOOK_RECOVERED));
				c->since_ms = s->report->now_ms;
				c->told_ms = c->tries = 0;
				over = false;
			}
			s->changed = true;
		}
		if (over)
			condition_free(c);
		else
			s->conditions.list[n++] = *c;
		s->changed |= over;
	}
	s->conditions.n = n;
}

// ---- a run

// What is wrong is judged by refreshes: another command may be refused, and nothing is wrong.
static bool is_round(const struct report *report)
{
	return string_equal(report->command, "refresh");
}

static bool result_is_news(const struct result *result)
{
	return (result->outcome != OUTCOME_UNCHANGED && result->outcome != OUTCOME_SKIPPED &&
		result->outcome != OUTCOME_BUSY && result->outcome != OUTCOME_PLANNED) ||
	       result->copies_pending || result->n_displaced || result->forgotten;
}

// What it came to be in this run; NULL: it has not changed hands.
static const char *new_ownership(const struct account *a, const struct result *result)
{
	static const char *const events[] = {
		[OWNERSHIP_OURS] = "owned",
		[OWNERSHIP_FOLLOWS] = "follows",
		[OWNERSHIP_RELEASED] = "released",
	};
	enum ownership now = a ? a->record.custody.ownership : result->ownership;

	return now != result->ownership ? events[now] : NULL;
}

static bool run_is_news(const struct scribe *s)
{
	const struct cycle *cycle = s->report->cycle;
	_cleanup_free_ char *open = NULL;

	for (size_t i = 0; i < cycle->results.n; i++) {
		const struct result *result = &cycle->results.list[i];
		if (result_is_news(result) ||
		    new_ownership(observation_account(&cycle->now, result->key), result))
			return true;
	}
	for (size_t i = 0; i < cycle->now.problems.n; i++)
		if (cycle->now.problems.list[i].needs_person)
			return true;
	return history_path(s->ledger, "open", false, &open) == 0 && access(open, F_OK) == 0;
}

static void note_hand_over(struct scribe *s, const struct account *a, const char *what)
{
	struct event event = event_of(s, what, a);

	event.to = shown_generation(a->verdict.record.live.fingerprint);
	event.message = xstrdup(s->report->decided);
	write_event(s, &event);
}

// A new generation, and how we came by it.
static void tell_news(struct scribe *s, const struct account *a, enum outcome outcome)
{
	enum hook_event event = outcome == OUTCOME_REFRESHED || outcome == OUTCOME_RECOVERED
					? HOOK_REFRESHED
				: outcome == OUTCOME_ADOPTED ? HOOK_ADOPTED
							     : HOOK_EVENTS;
	_cleanup_free_ char *generation = shown_generation(a->verdict.record.live.fingerprint);

	if (event < HOOK_EVENTS && is_to_be_told(s, event))
		add_condition(s, hook_event_name(event), a->record.key, generation);
}

static void note_result(struct scribe *s, const struct result *result)
{
	const struct account *a = observation_account(&s->report->cycle->now, result->key);
	enum outcome outcome = result->outcome;

	if (a && new_ownership(a, result))
		note_hand_over(s, a, new_ownership(a, result));
	if (!a || !result_is_news(result) || says_nothing(result))
		return;
	if (outcome == OUTCOME_REFRESHED || outcome == OUTCOME_RECOVERED ||
	    outcome == OUTCOME_ADOPTED || outcome == OUTCOME_MIRRORED)
		note_done(s, a, result, outcome_name(outcome));
	for (size_t i = 0; i < result->n_displaced; i++)
		note_displaced(s, a, &result->displaced[i]);
	for (size_t i = 0; i < result->n_put_back; i++)
		note_put_back(s, a, &result->put_back[i]);
	if (result->forgotten)
		note_done(s, a, result, "forgotten");
	if (trouble_of(result) && is_round(s->report))
		note_trouble(s, a, result);
	tell_news(s, a, outcome);
}

static bool judges_all(const struct report *report)
{
	return is_round(report) && !report->selected;
}

static void note_run(struct scribe *s)
{
	const struct cycle *cycle = s->report->cycle;
	_cleanup_close_ int lock = -1;

	conditions_lock(s->ledger, &lock);
	conditions_read(s->ledger, &s->conditions);
	for (size_t i = 0; i < cycle->results.n; i++)
		note_result(s, &cycle->results.list[i]);
	for (size_t i = 0; i < cycle->now.problems.n && judges_all(s->report); i++)
		note_problem(s, &cycle->now.problems.list[i]);
	if (is_round(s->report))
		clear_conditions(s);
	if (s->changed) {
		int r = conditions_save(s->ledger, &s->conditions);
		if (r < 0) {
			s->error = r;
			*s->report->conditions = s->conditions;
			s->conditions = (struct conditions){0};
		}
	}
	if (s->counts && s->error >= 0)
		s->error = counts_save(s->ledger, s->counts);
}

void report_remember_failure(const struct report *report, int exit_code)
{
	if (!report->dry_run && is_round(report))
		last_run_note(report->ledger, report->by, report->now_ms, exit_code);
}

int report_remember(const struct report *report)
{
	const struct ledger *ledger = report->ledger;
	struct scribe s = {.report = report, .ledger = ledger, .hooks = &report->config->hooks};
	int r = 0;

	if (!ledger->exists || report->dry_run || report->no_accounts)
		return 0;
	report_host(report, s.host);
	if (run_is_news(&s))
		note_run(&s);
	if (is_round(report)) {
		report_note_world(report);
		r = last_run_note(ledger, report->by, report->now_ms, report_exit_status(report));
	}
	conditions_free(&s.conditions);
	cJSON_Delete(s.counts);
	return s.error < 0 ? s.error : r;
}
