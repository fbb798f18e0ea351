// SPDX-License-Identifier: MIT
//
// Who else renews a login, or puts a spent token back: by what the ledger remembers of it (ledger/history.h). It is said by
// the run that meets it, and by `status`; a run with nothing to do reads none of it.
#include <stdio.h>

#include "base/clock.h"
#include "base/index.h"
#include "report/report.h"

#define RENEWALS    5 // so many are looked at
#define FOREIGN_MIN 2 // of them
#define PUT_BACK_MIN                                                                               \
	3 // times within a day: no accident, but somebody who does not know that it is spent
#define WHO_MAX 3

struct past {
	struct events events;
	struct index by_account; // of them, the newest first
};

struct renewals {
	size_t n, foreign, n_who, unknown;
	const char *who[WHO_MAX];
	int64_t last_ms; // of the foreign ones
	const char *store;
};

// A login that a person adopted, or brought back, was decided about; and the hosts of a cluster are no rivals.
static bool is_foreign(const struct event *e)
{
	return string_equal(e->what, "adopted") && e->from && !e->message &&
	       !(e->store && string_starts(e->store, "the cluster ("));
}

static bool is_renewal(const struct event *e)
{
	return is_foreign(e) || string_equal(e->what, "refreshed") ||
	       string_equal(e->what, "recovered");
}

static void add_who(struct renewals *r, const char *who)
{
	if (!who)
		r->unknown++;
	for (size_t i = 0; who && i < r->n_who; i++)
		if (string_equal(r->who[i], who))
			return;
	if (who && r->n_who < WHO_MAX)
		r->who[r->n_who++] = who;
}

static struct renewals count_renewals(const struct past *past, const char *key)
{
	struct renewals r = {0};

	for_each_found (found, &past->by_account, hash_string(key)) {
		const struct event *e = &past->events.list[found->at];
		if (!string_equal(e->account, key) || !is_renewal(e))
			continue;
		if (r.n == RENEWALS)
			break;
		r.n++;
		if (!is_foreign(e))
			continue;
		add_who(&r, e->who);
		if (!r.foreign++) {
			r.last_ms = e->at_ms;
			r.store = e->store;
		}
	}
	return r;
}

static char *describe_who(const struct renewals *r)
{
	char *text = xstrdup(NULL);

	for (size_t i = 0; i < r->n_who; i++) {
		_cleanup_free_ char *so_far = text;
		text = xasprintf("%s%s%s", so_far ? so_far : "", so_far ? ", " : "", r->who[i]);
	}
	if (!text)
		return xstrdup(
			"by whom is not known (nobody was seen with OpenClaw's refresh lock)");
	_cleanup_free_ char *known = text;
	return xasprintf("%s held its refresh lock%s", known,
			 r->unknown ? "; by whom the others were made is not known" : "");
}

static void say_foreign(const struct past *past, const struct account *a, struct problems *problems)
{
	struct renewals r = count_renewals(past, a->record.key);
	_cleanup_free_ char *who = NULL, *at = NULL, *profile = NULL;

	if (r.foreign < FOREIGN_MIN)
		return;
	who = describe_who(&r);
	at = time_format(r.last_ms);
	profile = shell_quoted(a->record.profile);
	problem_add(problems, SEVERITY_WARNING, "foreign_refreshes", r.store, a->record.profile,
		    xasprintf("%zu of the last %zu refreshes of this login were made by somebody "
			      "else, the last one found at %s: %s",
			      r.foreign, r.n, at, who),
		    xasprintf("each login should be refreshed by one program only; oauth-keepalive "
			      "log %s shows what happened. If it is OpenClaw, let the timer run "
			      "and keep the margin long; if it is not known, look for another host "
			      "or program that has a copy",
			      profile));
}

// A spent token that comes back to one store.
struct fight {
	const struct event *last;
	size_t n; // times within a day, up to the last
};
struct fights {
	struct fight *list; // newest first
	size_t n;
	struct index by_store;
};

static struct fight *fight_at(struct fights *fights, const struct event *e)
{
	uint64_t hash = hash_string(e->store);

	for_each_found (found, &fights->by_store, hash)
		if (string_equal(fights->list[found->at].last->store, e->store))
			return &fights->list[found->at];
	index_add(&fights->by_store, hash, fights->n);
	struct fight *fight = array_add(&fights->list, &fights->n);
	fight->last = e;
	return fight;
}

static struct fights find_fights(const struct past *past, const char *key)
{
	struct fights fights = {0};

	for_each_found (found, &past->by_account, hash_string(key)) {
		const struct event *e = &past->events.list[found->at];
		if (!string_equal(e->account, key) || !string_equal(e->what, "put_back"))
			continue;
		struct fight *fight = fight_at(&fights, e);
		fight->n += string_equal(fight->last->from, e->from) &&
			    fight->last->at_ms - e->at_ms < DAY_S * SECOND_MS;
	}
	return fights;
}

static void say_fight(const struct fight *fight, const struct account *a, struct problems *problems)
{
	const struct event *e = fight->last;
	_cleanup_free_ char *store = shell_quoted(e->store ? e->store : "");

	problem_add(problems, SEVERITY_WARNING, "token_fight", e->store, a->record.profile,
		    xasprintf("the same old token (%s) was put back there %zu times within a "
			      "day, and replaced each time: another program keeps writing an old "
			      "copy, and may send that token before it is replaced",
			      e->from ? e->from : "?", fight->n),
		    xasprintf("restart the gateway, so that it reads its stores again; stop what "
			      "restores that file (a backup, a sync, a container that copies its "
			      "seed at every start); fuser -v %s says who has it open",
			      store));
}

static void say_fights(const struct past *past, const struct account *a, int64_t now_ms,
		       struct problems *problems)
{
	struct fights fights = find_fights(past, a->record.key);

	for (size_t i = fights.n; i-- > 0;)
		if (fights.list[i].n >= PUT_BACK_MIN &&
		    now_ms - fights.list[i].last->at_ms < DAY_S * SECOND_MS)
			say_fight(&fights.list[i], a, problems);
	free(fights.list);
	index_free(&fights.by_store);
}

// Something that this run met, or a person who looks.
static bool is_asked(const struct report *report)
{
	const struct results *results = &report->cycle->results;

	if (report->doctor || string_equal(report->command, "status"))
		return true;
	for (size_t i = 0; i < results->n && !report->dry_run; i++)
		if (results->list[i].n_put_back ||
		    (results->list[i].outcome == OUTCOME_ADOPTED && !report->decided))
			return true;
	return false;
}

void report_say_rivals(const struct report *report, struct problems *problems)
{
	const struct cycle *cycle = report->cycle;
	struct past past = {0};

	if (report->no_accounts || !is_asked(report) ||
	    history_read(report->ledger, &past.events) < 0)
		return;
	for (size_t i = past.events.n; i-- > 0;)
		index_add(&past.by_account, hash_string(past.events.list[i].account), i);
	for (size_t i = 0; i < cycle->results.n; i++) {
		const struct account *a =
			observation_account(&cycle->now, cycle->results.list[i].key);
		if (!a)
			continue;
		say_foreign(&past, a, problems);
		say_fights(&past, a, report->now_ms, problems);
	}
	events_free(&past.events);
	index_free(&past.by_account);
}
