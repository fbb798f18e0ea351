// SPDX-License-Identifier: MIT
//
// The poll loop over all grants, and the results it leaves.
#include "keepalive/cycle.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "cluster/cluster.h"
#include "keepalive/busy.h"
#include "keepalive/claim.h"
#include "keepalive/commit.h"
#include "keepalive/exchange.h"
#include "keepalive/hosts.h"
#include "keepalive/mirror.h"
#include "keepalive/run.h"
#include "keepalive/sweep.h"
#include "ledger/handover.h"

#define IDLE_POLL_MS 1000
#define WINDOW	     512 // grants between their claim and their settling
#define FILES_EACH                                                                                 \
	16 // descriptors that a grant of the window may need, with all that is written for it
#define PATIENCE_MS    5000 // for stores that somebody else has locked, in all
#define CLAIM_PAUSE_MS 500  // between two claims of less than half of them

// A pattern that matches nothing is a mistake, also beside others that do.
static int check_patterns(struct cycle *cycle, const struct selection *selection)
{
	for (size_t i = 0; i < selection->n; i++) {
		struct selection one = {&selection->patterns[i], 1};
		bool matched = false;
		for (size_t k = 0; k < cycle->now.n_accounts; k++)
			matched |= selection_matches(&one, cycle->now.accounts[k],
						     &cycle->now.accounts[k]->verdict.record);
		if (matched)
			continue;
		cycle->unmatched = selection->patterns[i];
		return -ESRCH;
	}
	return 0;
}

#define KERNEL_CLOCK_MS                                                                            \
	10 // by which the time of a file may be behind: a tick of the slowest kernel

// By the time of a change, not of a write: what was ready before may have got the name since. One that is still to come was
// set by another clock, or by this one before it was put right, and would be later than every look.
static bool was_changed(const char *path, int64_t from_ms, int64_t to_ms)
{
	struct stat st;
	int64_t ms;

	if (stat(path, &st) < 0)
		return false;
	ms = st.st_ctim.tv_sec * SECOND_MS + st.st_ctim.tv_nsec / 1000000;
	return ms + KERNEL_CLOCK_MS >= from_ms && ms <= to_ms;
}

bool cycle_outdated(const struct cycle *cycle)
{
	int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < cycle->now.stores.n; i++) {
		const struct store *store = &cycle->now.stores.list[i];

		if (store->role != ROLE_MAIN && store->role != ROLE_SHARED)
			continue;
		_cleanup_free_ char *log = xasprintf("%s-wal", store->path);
		if (was_changed(store->path, cycle->looked_ms, now_ms) ||
		    was_changed(log, cycle->looked_ms, now_ms))
			return true;
	}
	return false;
}

void cycle_free(struct cycle *cycle)
{
	results_free(&cycle->results);
	observation_free(&cycle->now);
	cluster_close(&cycle->cluster);
	*cycle = (struct cycle){.signals = SIGNALS_NONE};
}

// What STORE does hold.
static char *list_profiles(const struct observation *o, const char *store)
{
	char *list = xstrdup("");

	for (size_t i = 0; i < o->stores.n; i++) {
		const struct store *s = &o->stores.list[i];
		for (size_t k = 0; store_is_named(s, store) && k < s->n_copies; k++) {
			char *longer = xasprintf("%s%s%s", list, *list ? ", " : "",
						 s->copies[k]->credential.profile);
			free(list);
			list = longer;
		}
	}
	return list;
}

static bool is_barred(const struct observation *o)
{
	for (size_t i = 0; i < o->stores.n_dirs; i++)
		if (o->stores.dirs[i]->barred)
			return true;
	return o->barred;
}

static bool cannot_be_read(const struct observation *o, const char *store)
{
	for (size_t i = 0; i < o->stores.n; i++)
		if (store_is_named(&o->stores.list[i], store) &&
		    store_is_unread(&o->stores.list[i]))
			return true;
	return false;
}

// Of one account, for which the store that is named has nothing.
static char *not_there(const struct observation *o, const char *store, const char *held)
{
	if (cannot_be_read(o, store))
		return xasprintf("%s cannot be read", store);
	return xasprintf("%s holds no login of it; it holds: %s", store, *held ? held : "none");
}

static char *why_none(const struct choice *choice, const char *held)
{
	if (held)
		return xasprintf("no login of the account stands there, but: %s",
				 *held ? held : "none");
	if (choice->kind == CHOICE_IMPORT)
		return xasprintf("no store here has %s: a profile is never made, so OpenClaw must "
				 "have had it once (copy its entry, or log in), then import again",
				 choice->import->profile);
	return xstrdup("the account that this login belonged to no longer exists");
}

// A person decided about a login of no account at all: then nothing is done, for nobody. True if so.
static bool refuse_unless_chosen(struct cycle *cycle, const struct policy *policy)
{
	const struct choice *choice = &policy->choice;
	_cleanup_free_ char *held = NULL;

	if (!choice->kind || is_barred(&cycle->now) || policy->barred)
		return false;
	for (size_t i = 0; i < cycle->now.n_accounts; i++)
		if (account_is_chosen(cycle->now.accounts[i],
				      &cycle->now.accounts[i]->verdict.record, policy))
			return false;
	if (choice->kind == CHOICE_FOLLOW && !choice->store)
		return false; // all follow already
	if (choice->store)
		held = list_profiles(&cycle->now, choice->store);
	for (size_t i = 0; held && i < cycle->results.n; i++)
		result_conclude(&cycle->results.list[i], OUTCOME_HELD, "adopt_refused", 0,
				not_there(&cycle->now, choice->store, held));
	if (!held ||
	    !cannot_be_read(&cycle->now, choice->store)) // that is said already, with what helps
		problem_add(&cycle->now.problems, SEVERITY_ERROR, choice_refused(choice->kind),
			    choice->store, NULL, why_none(choice, held), NULL)
			->needs_person = true;
	return true;
}

int cycle_preview(const struct config *config, const struct policy *policy,
		  const struct ledger *ledger, const struct selection *selection, struct cycle *ret)
{
	struct cycle cycle = {.signals = SIGNALS_NONE};
	struct policy asked = *policy;
	if (policy->asks)
		asked.cluster = hosts_ask(config, ledger, &cycle.cluster);
	int r = observe(config, &asked, ledger, NULL, &cycle.now);

	policy = &asked;
	if (r >= 0)
		r = check_patterns(&cycle, selection);
	if (r < 0) {
		*ret = cycle;
		return r;
	}
	results_begin(&cycle.results, &cycle.now, policy, selection);
	refuse_unless_chosen(&cycle, policy);
	for (size_t i = 0; i < cycle.results.n; i++) {
		struct account *a = observation_account(&cycle.now, cycle.results.list[i].key);
		if (a)
			result_note_displaced(&cycle.results.list[i], a, ledger);
	}
	judge_busy(&cycle.results, &cycle.now, config, policy, ledger);
	say_noticed(&cycle.now, config);
	hosts_say(&cycle.cluster, &cycle.now);
	if (!policy->asks)
		hosts_say_unasked(config, &cycle.now);
	*ret = cycle;
	return 0;
}

// ---- the loop

static void give_up_waiting(struct run *run)
{
	struct grant *g;

	for_each_grant (g, &run->grants)
		if (g->stage == GRANT_WAITING || g->stage == GRANT_DISCOVERING)
			grant_conclude(&run->grants, g, OUTCOME_FAILED, "interrupted",
				       xstrdup("interrupted before anything was sent"));
}

// How many may be under way at once: all that are due, so that the looks are the same few for one and for hundreds. What
// bounds it is the descriptors, and the time that a round of claims takes (claim.c).
static size_t window_size(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur / FILES_EACH >= WINDOW)
		return WINDOW;
	return files.rlim_cur >= FILES_EACH ? files.rlim_cur / FILES_EACH : 1;
}

// How many grants may be claimed now; 0: `ret_at` says when to ask again. Those in the window are settled before their
// locks' time is over, however many others are due, and their descriptors are bounded (four each, in either program).
// One whose provider hangs keeps its place until the deadline. A claim looks twice, be it for one or for all: when places
// become free one by one, it waits for half of them, or a while.
static size_t room_for_claims(const struct run *run, int64_t *ret_at)
{
	int64_t now = clock_boot_ms(), next = INT64_MAX;
	size_t room = run->window, due = 0;
	const struct grant *g;

	for_each_grant (g, &run->grants) {
		if (g->stage == GRANT_WAITING && g->try_at_ms < next)
			next = g->try_at_ms;
		due += g->stage == GRANT_WAITING && g->try_at_ms <= now;
		room -= g->stage != GRANT_WAITING && g->stage != GRANT_DONE;
	}
	*ret_at = room ? next : INT64_MAX;
	if (!room || !due)
		return 0;
	if (due <= room || 2 * room >= run->window || now >= run->claimed_ms + CLAIM_PAUSE_MS)
		return room;
	*ret_at = run->claimed_ms + CLAIM_PAUSE_MS;
	return 0;
}

static int64_t write_due_ms(const struct run *run)
{
	int64_t due = INT64_MAX;
	const struct grant *g;

	for_each_grant (g, &run->grants)
		if (g->stage == GRANT_WRITING && g->try_at_ms < due)
			due = g->try_at_ms;
	return due;
}

// -1: all is done.
static int next_timeout(const struct run *run)
{
	int64_t now = clock_boot_ms(), next = now + IDLE_POLL_MS, claim;
	const struct grant *g;
	bool open = false;

	for_each_grant (g, &run->grants)
		open |= g->stage != GRANT_DONE;
	if (!open)
		return -1;
	if (room_for_claims(run, &claim))
		return 0;
	if (write_due_ms(run) < next)
		next = write_due_ms(run);
	if (claim < next)
		next = claim;
	if (mirror_settle_at(&run->mirror) < next)
		next = mirror_settle_at(&run->mirror);
	return next > now ? (int)(next - now) : 0;
}

// What was answered is written before anything else is begun.
static void step(struct run *run)
{
	int64_t at;
	size_t room;

	exchange_events(run);
	exchange_timeouts(run);
	if (write_due_ms(run) <= clock_boot_ms())
		commit_round(run);
	if (mirror_settle_at(&run->mirror) <= clock_boot_ms())
		mirror_settle(&run->mirror);
	if (signals_came(run->signals))
		give_up_waiting(run);
	room = room_for_claims(run, &at);
	if (!room)
		return;
	mirror_settle(&run->mirror); // a claim looks for who has locked a store
	claim_round(run, room);
	run->claimed_ms = clock_boot_ms();
}

static void run_loop(struct run *run)
{
	int timeout;

	signals_hold(run->signals);
	while ((timeout = next_timeout(run)) >= 0) {
		struct pollfd fds[2] = {
			{.fd = run->signals->fd, .events = POLLIN},
			{.fd = run->courier.fd, .events = POLLIN},
		};
		poll(fds, ARRAY_SIZE(fds), timeout);
		step(run);
	}
	courier_dismiss(&run->courier); // it ends while we go on
	signals_unread(run->signals);
}

// A running gateway looks at its stores again when a token nears its end, but not at one it holds to be lost.
static void note_unfenced(struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->results.n; i++)
		if (cycle->results.list[i].unfenced)
			problem_add(&cycle->now.problems, SEVERITY_INFO, "gateway_notice", NULL,
				    NULL,
				    xstrdup("a login that OpenClaw had given up works again, but a "
					    "running gateway does not "
					    "know yet"),
				    xstrdup("openclaw gateway call models.authRefresh --params "
					    "'{\"operation\":\"update\"}'"));
}

static void note_unseen(struct cycle *cycle)
{
	problem_add(&cycle->now.problems, SEVERITY_ERROR, "stores_unseen", NULL, NULL,
		    xstrdup("the stores could not be read again at the end of the run"),
		    xstrdup("oauth-keepalive status"))
		->needs_person = true;
}

static size_t count_gone(const struct observation *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->stores.n_dirs; i++)
		n += o->stores.dirs[i]->gone;
	return n;
}

// A state directory may be gone by then, or cannot be opened.
static bool look_last(struct run *run, struct cycle *cycle, size_t gone)
{
	observation_free(&cycle->now);
	grants_free(&run->grants);
	bool seen = run_look(run, &cycle->now) >= 0;
	if (seen && count_gone(&cycle->now) > gone) {
		observation_free(&cycle->now);
		seen = false;
	}
	return seen;
}

// What moved once its account was let go: a person has logged in, or another run is in the middle of it, and is waited for. No
// token is forced for that.
static bool go_again(struct run *run, const struct cycle *cycle)
{
	if (run->signals->came)
		return false;
	grants_collect(&run->grants, &cycle->now, result_is_outdated);
	if (!run->grants.n)
		return false;
	results_begin_anew(run->results, &cycle->now);
	courier_stop(&run->courier);
	run->policy.force = run->policy.last_try = false;
	run->policy.choice.done = true;
	run_loop(run);
	return true;
}

// The last look is the judge.
static void finish(struct run *run, struct cycle *cycle)
{
	size_t gone = count_gone(&cycle->now);
	bool seen = look_last(run, cycle, gone);

	if (seen && go_again(run, cycle))
		seen = look_last(run, cycle, gone);
	results_finish(run->results, seen ? &cycle->now : NULL);
	if (!seen)
		note_unseen(cycle);
	log_debug("%u looks, %u rounds of claims; the oldest refresh lock was held %" PRId64 " ms",
		  run->looks, run->claims, run->grants.oldest_lock_ms);
}

static void say_displaced(struct cycle *cycle, const struct account *a, const char *store,
			  const char *id, const char *what)
{
	problem_add(&cycle->now.problems, SEVERITY_WARNING, "login_displaced", store,
		    a->record.profile, xstrdup(what), xasprintf("oauth-keepalive restore %s", id));
}

// A login that nobody decided about was overwritten, since it is older than the live one: its person should know. Also one
// who saved it once more: what was never sent may be what is wanted.
static void note_displaced(struct cycle *cycle, const struct ledger *ledger)
{
	for (size_t i = 0; i < cycle->results.n; i++) {
		const struct result *result = &cycle->results.list[i];
		const struct account *a = observation_account(&cycle->now, result->key);
		for (size_t k = 0; a && k < result->n_displaced; k++) {
			const struct displacement *d = &result->displaced[k];
			if (d->store && !d->chosen)
				say_displaced(
					cycle, a, d->store, d->id,
					"a login that was saved there is older than the live "
					"one, and was replaced by it; it is kept for 30 days");
		}
		for (size_t k = 0; a && k < result->n_put_back; k++) {
			const struct put_back *p = &result->put_back[k];
			if (displaced_holds(ledger, a->record.key, p->token) &&
			    receipt_never_was(ledger, p->token))
				say_displaced(cycle, a, p->store, p->id,
					      "a login that had been replaced before stood there "
					      "again, and was replaced again; it is still kept");
		}
	}
}

static void run_grants(struct run *run, struct cycle *cycle)
{
	run_loop(run);
	sweep(run->config, &run->policy, run->ledger, &cycle->now);
	finish(run, cycle);
}

static void kept_free(struct run *run)
{
	for (size_t i = 0; i < run->n_rescued; i++)
		receipt_free(&run->rescued[i]);
	free(run->rescued);
	for (size_t i = 0; i < run->n_swept; i++)
		free(run->swept[i]);
	free(run->swept);
	seen_free(&run->seen);
}

// Finish what a run did that was killed while it replaced a store. True if there was any, and the look is out of date.
static bool finish_interrupted(struct run *run, const struct observation *o)
{
	_cleanup_free_ struct job *jobs = xcalloc(o->stores.n + 1, sizeof(*jobs));
	size_t n = 0;

	for (size_t i = 0; i < o->stores.n; i++) {
		const struct store *store = &o->stores.list[i];
		bool torn = store->in_place && store->state == STORE_UNREADABLE;
		if (store->interrupted && (torn || store->state == STORE_OK) &&
		    !observation_bars_store(o, store))
			jobs[n++].store = store;
	}
	mirror_write(&run->mirror, jobs, n);
	for (size_t i = 0; i < n; i++)
		if (jobs[i].error == 0)
			return true;
	return false;
}

// Look, and look again if a store had to be mended first.
static int first_look(struct run *run, struct cycle *cycle, const struct selection *selection)
{
	int r = run_look(run, &cycle->now);

	if (r >= 0 && finish_interrupted(run, &cycle->now)) {
		observation_free(&cycle->now);
		r = run_look(run, &cycle->now);
	}
	return r < 0 ? r : check_patterns(cycle, selection);
}

int cycle_run(const struct config *config, const struct policy *policy, struct ledger *ledger,
	      const struct selection *selection, int64_t wait_s, struct cycle *ret)
{
	// A wall clock that is put right in mid-run makes no lock older.
	const int64_t clock_ahead_ms = clock_wall_ms() - clock_boot_ms();
	const int64_t wait_ms = wait_s * SECOND_MS;
	struct cycle cycle = {.signals = SIGNALS_NONE};
	struct run run = {
		.config = config,
		.policy = *policy,
		.ledger = ledger,
		.signals = &cycle.signals,
		.results = &cycle.results,
		.grants.results = &cycle.results,
		.mirror = {.ledger = ledger, .policy = &run.policy},
		.window = window_size(),
		.wait_ms = wait_ms,
		.courier = COURIER_NONE,
	};
	int r = process_self(&run.self);

	run.mirror.self = run.self;
	run.mirror.patience_ms = wait_ms < PATIENCE_MS ? wait_ms : PATIENCE_MS;
	hosts_begin(&run, &cycle.cluster, true);
	if (r >= 0)
		r = first_look(&run, &cycle, selection);
	if (r >= 0) {
		results_begin(&cycle.results, &cycle.now, policy, selection);
		sweep_drafts(&cycle.now);
		if (!refuse_unless_chosen(&cycle, policy))
			grants_collect(&run.grants, &cycle.now, result_has_work);
		if (run.grants.n)
			run_grants(&run, &cycle);
		else
			sweep_records(config, policy, ledger, &cycle.now);
		sweep_locks(&cycle.now);
		mirror_settle(&run.mirror);
		cycle.looked_ms = run.policy.now_ms;
		run.policy.now_ms = clock_ahead_ms + clock_boot_ms();
		judge_busy(&cycle.results, &cycle.now, config, &run.policy, ledger);
		note_unfenced(&cycle);
		note_displaced(&cycle, ledger);
		say_noticed(&cycle.now, config);
		hosts_leave(&run, &cycle.now);
		hosts_say(&cycle.cluster, &cycle.now);
	}
	mirror_free(&run.mirror);
	courier_stop(&run.courier);
	kept_free(&run);
	*ret = cycle;
	return r;
}
