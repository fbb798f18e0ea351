// SPDX-License-Identifier: MIT
//
// The poll loop over all grants, and the results it leaves.
//
// Signals that would end or stop us are held back as long as any grant is between its claim and its settling, and until
// it has been told what became of it. They are read from a descriptor in the loop: what is still waiting for its locks
// is given up then, what is under way is finished, and once that is reported we die of the signal.
#include <sys/signalfd.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "keepalive/run.h"

#define IDLE_POLL_MS   1000
#define WINDOW	       16   // grants between their claim and their settling
#define PATIENCE_MS    5000 // for stores that somebody else has locked, in all
#define CLAIM_PAUSE_MS 500  // between two claims of less than half of them

// ---- results

const struct result *cycle_result(const struct cycle *cycle, const char *key)
{
	for_each_found (found, &cycle->by_key, hash_string(key))
		if (string_equal(cycle->results[found->at].key, key))
			return &cycle->results[found->at];
	return NULL;
}

struct result *run_result(struct run *run, const char *key)
{
	return (struct result *)cycle_result(run->cycle, key);
}

void result_conclude(struct result *result, enum outcome outcome, const char *code, int status,
		     char *message)
{
	result->outcome = outcome;
	snprintf(result->error_code, sizeof(result->error_code), "%s", code ? code : "");
	result->error_status = status;
	free(result->error_message);
	result->error_message = message;
}

void result_explain(struct result *result, const struct account *a)
{
	bool provider_said = string_equal(a->verdict.code, a->record.error_code) ||
			     string_equal(a->verdict.code, a->record.dead_code);

	result_conclude(result, result->outcome, a->verdict.code,
			provider_said ? a->record.error_status : 0, xstrdup(a->verdict.reason));
	result->retry_at_ms = result->outcome == OUTCOME_FAILED ? a->record.not_before_ms : 0;
}

static bool is_noted(const struct result *result, const char *id, const char *store)
{
	for (size_t i = 0; i < result->n_displaced; i++)
		if (string_equal(result->displaced[i].id, id) &&
		    string_equal(result->displaced[i].store, store))
			return true;
	return false;
}

void result_note_displaced(struct result *result, const struct account *a)
{
	for (size_t i = 0; i < a->verdict.n_displaced; i++) {
		const struct displaced *d = &a->verdict.displaced[i];
		struct displacement note = {.chosen = a->verdict.obeyed};
		memcpy(note.id, displaced_id(&d->credential).hex, FINGERPRINT_SHOWN);
		if (is_noted(result, note.id, d->store))
			continue;
		note.store = xstrdup(d->store);
		*array_add(&result->displaced, &result->n_displaced) = note;
	}
}

// A pattern that matches nothing is a mistake, also beside others that do.
static int check_patterns(struct cycle *cycle, const struct selection *selection)
{
	for (size_t i = 0; i < selection->n; i++) {
		struct selection one = {&selection->patterns[i], 1};
		bool matched = false;
		for (size_t k = 0; k < cycle->now.n_accounts; k++)
			matched |= selection_matches(&one, cycle->now.accounts[k]);
		if (matched)
			continue;
		cycle->unmatched = selection->patterns[i];
		return -ESRCH;
	}
	return 0;
}

static void results_from(struct cycle *cycle, const struct observation *o,
			 const struct policy *policy, const struct selection *selection)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		struct result *result;
		if (!selection_matches(selection, a) ||
		    (policy->choice.kind == CHOICE_RESTORE && !a->restores))
			continue;
		index_add(&cycle->by_key, hash_string(a->record.key), cycle->n_results);
		result = array_add(&cycle->results, &cycle->n_results);
		memcpy(result->key, a->record.key, sizeof(result->key));
		result->decision = a->verdict.decision;
		result->outcome = a->verdict.outcome;
		result->reason = xstrdup(a->verdict.reason);
		if (a->verdict.code)
			result_explain(result, a);
	}
}

void cycle_free(struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->n_results; i++) {
		struct result *result = &cycle->results[i];
		for (size_t k = 0; k < result->n_written; k++)
			free(result->written[k]);
		free(result->written);
		for (size_t k = 0; k < result->n_displaced; k++)
			free(result->displaced[k].store);
		free(result->displaced);
		free(result->reason);
		free(result->error_message);
		free(result->write_error);
	}
	free(cycle->results);
	index_free(&cycle->by_key);
	observation_free(&cycle->now);
	*cycle = (struct cycle){0};
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

// A person decided about a login of no account at all: then nothing is done, for nobody. True if so.
static bool refuse_unless_chosen(struct cycle *cycle, const struct policy *policy)
{
	const struct choice *choice = &policy->choice;
	_cleanup_free_ char *held = NULL;

	if (!choice->kind || cycle->now.barred || policy->barred)
		return false;
	for (size_t i = 0; i < cycle->now.n_accounts; i++)
		if (account_is_chosen(cycle->now.accounts[i], policy))
			return false;
	if (choice->kind == CHOICE_FOLLOW && !choice->store)
		return false; // all follow already
	if (choice->kind != CHOICE_RESTORE)
		held = list_profiles(&cycle->now, choice->store);
	for (size_t i = 0; i < cycle->n_results; i++)
		result_conclude(&cycle->results[i], OUTCOME_HELD, "adopt_refused", 0,
				xasprintf("%s holds no login of it; it holds: %s", choice->store,
					  held && *held ? held : "none"));
	problem_add(&cycle->now.problems, SEVERITY_ERROR, "adopt_refused", choice->store, NULL,
		    choice->kind != CHOICE_RESTORE
			    ? xasprintf("no login of the account stands there, but: %s",
					held && *held ? held : "none")
			    : xstrdup("the account that this login was of is no more"),
		    NULL)
		->needs_person = true;
	return true;
}

int cycle_preview(const struct config *config, const struct policy *policy,
		  const struct ledger *ledger, const struct selection *selection, struct cycle *ret)
{
	struct cycle cycle = {0};
	int r = observe(config, policy, ledger, NULL, &cycle.now);

	if (r >= 0)
		r = check_patterns(&cycle, selection);
	if (r < 0) {
		*ret = cycle;
		return r;
	}
	results_from(&cycle, &cycle.now, policy, selection);
	refuse_unless_chosen(&cycle, policy);
	for (size_t i = 0; i < cycle.n_results; i++) {
		struct account *a = observation_account(&cycle.now, cycle.results[i].key);
		if (a)
			result_note_displaced(&cycle.results[i], a);
	}
	judge_busy(&cycle, config, policy, ledger);
	*ret = cycle;
	return 0;
}

// ---- looks

int run_look(struct run *run, struct observation *ret)
{
	_cleanup_free_ char **keys = NULL;
	_cleanup_free_ struct fingerprint *tokens = NULL;
	struct holdings holdings = {.rescued = run->rescued, .n_rescued = run->n_rescued};
	int64_t ahead = run->policy.at_ms - run->policy.now_ms;

	run->cycle->cost.looks++;
	run->policy.now_ms = clock_wall_ms();
	run->policy.at_ms = run->policy.now_ms + ahead;
	for (size_t i = 0; i < run->n_grants; i++) {
		const struct grant *g = &run->grants[i];
		for (size_t k = 0; g->account_locks && k < g->n_account_locks; k++)
			*array_add(&keys, &holdings.n_keys) = g->keys[k];
		if (g->receipt_fd >= 0 && g->stage != GRANT_EXCHANGING)
			*array_add(&tokens, &holdings.n_tokens) = g->token;
	}
	holdings.keys = keys;
	holdings.tokens = tokens;
	return observe(run->config, &run->policy, run->ledger, &holdings, ret);
}

// ---- the loop

static int hold_signals(struct cycle *cycle)
{
	static const int held[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP};
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	// What is ignored (nohup, a script's background) stays so: held back, it would be read all the same.
	for (size_t i = 0; i < ARRAY_SIZE(held); i++)
		if (sigaction(held[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&set, held[i]);
	sigprocmask(SIG_BLOCK, &set, &cycle->signals_before);
	cycle->signals_held = true;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigdelset(&set, SIGTSTP); // stopping waits, it does not end the run
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool run_interrupted(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signal_fd, &info, sizeof(info)) == sizeof(info))
		run->cycle->interrupted = (int)info.ssi_signo;
	return run->cycle->interrupted;
}

static void give_up_waiting(struct run *run)
{
	for (size_t i = 0; i < run->n_grants; i++)
		if (run->grants[i].stage == GRANT_WAITING ||
		    run->grants[i].stage == GRANT_DISCOVERING)
			grant_conclude(run, &run->grants[i], OUTCOME_FAILED, "interrupted",
				       xstrdup("interrupted before anything was sent"));
}

void cycle_let_signals_go(struct cycle *cycle)
{
	if (cycle->signals_held)
		sigprocmask(SIG_SETMASK, &cycle->signals_before, NULL);
	cycle->signals_held = false;
	if (!cycle->interrupted)
		return;
	signal(cycle->interrupted, SIG_DFL);
	raise(cycle->interrupted);
}

// How many grants may be claimed now; 0: `ret_at` says when to ask again. Those in the window are settled before their
// locks' time is over, however many others are due, and their descriptors are bounded (four each, in either program).
// A claim looks twice, be it for one or for all: when places become free one by one, it waits for half of them, or a while.
static size_t room_for_claims(const struct run *run, int64_t *ret_at)
{
	int64_t now = clock_boot_ms(), next = INT64_MAX;
	size_t room = WINDOW, due = 0;

	for (size_t i = 0; i < run->n_grants; i++) {
		const struct grant *g = &run->grants[i];
		if (g->stage == GRANT_WAITING && g->try_at_ms < next)
			next = g->try_at_ms;
		due += g->stage == GRANT_WAITING && g->try_at_ms <= now;
		room -= g->stage != GRANT_WAITING && g->stage != GRANT_DONE;
	}
	*ret_at = room ? next : INT64_MAX;
	if (!room || !due)
		return 0;
	if (due <= room || room >= WINDOW / 2 || now >= run->claimed_ms + CLAIM_PAUSE_MS)
		return room;
	*ret_at = run->claimed_ms + CLAIM_PAUSE_MS;
	return 0;
}

static int64_t write_due_ms(const struct run *run)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < run->n_grants; i++)
		if (run->grants[i].stage == GRANT_WRITING && run->grants[i].try_at_ms < due)
			due = run->grants[i].try_at_ms;
	return due;
}

// -1: all is done.
static int next_timeout(const struct run *run)
{
	int64_t now = clock_boot_ms(), next = now + IDLE_POLL_MS, claim;
	bool open = false;

	for (size_t i = 0; i < run->n_grants; i++)
		open |= run->grants[i].stage != GRANT_DONE;
	if (!open)
		return -1;
	if (room_for_claims(run, &claim))
		return 0;
	if (write_due_ms(run) < next)
		next = write_due_ms(run);
	if (claim < next)
		next = claim;
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
		write_round(run);
	if (run_interrupted(run))
		give_up_waiting(run);
	room = room_for_claims(run, &at);
	if (!room)
		return;
	claim_round(run, room);
	run->claimed_ms = clock_boot_ms();
}

static void run_loop(struct run *run)
{
	int timeout;

	run->signal_fd = hold_signals(run->cycle);
	while ((timeout = next_timeout(run)) >= 0) {
		struct pollfd fds[2] = {
			{.fd = run->signal_fd, .events = POLLIN},
			{.fd = run->courier.fd, .events = POLLIN},
		};
		poll(fds, ARRAY_SIZE(fds), timeout);
		step(run);
	}
	courier_stop(&run->courier);
	cleanup_close(&run->signal_fd);
}

// Nothing was written after all: somebody else did, or what was to be written is left.
static void note_mirrored(struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->n_results; i++) {
		struct result *result = &cycle->results[i];
		if (result->outcome == OUTCOME_MIRRORED && !result->n_written)
			result->outcome =
				result->copies_pending ? OUTCOME_FAILED : OUTCOME_UNCHANGED;
	}
}

// The last look is the judge: one in between may have been blind (no descriptor left to list the stores with), and have
// found nothing left to do.
static void note_unfinished(struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->now.n_accounts; i++) {
		const struct account *a = cycle->now.accounts[i];
		struct result *result = (struct result *)cycle_result(cycle, a->record.key);
		if (!result ||
		    result->outcome == OUTCOME_BUSY) // what is left is another's, or waits for it
			continue;
		if (result->outcome == OUTCOME_PLANNED ||
		    (result->outcome == OUTCOME_SKIPPED && a->verdict.send))
			result_conclude(result, OUTCOME_FAILED, "stores", 0,
					xstrdup("the stores could not be looked at in between; "
						"finished by the next run"));
		if (!account_has_writes(a))
			continue;
		result->copies_pending = true;
		if (!result->error_code[0])
			snprintf(result->error_code, sizeof(result->error_code), "copies_pending");
		if (!result->error_message)
			result->error_message = xstrdup(result->write_error);
	}
}

// The state directory is gone, or cannot be opened: what was done stands, and nobody can say more.
static void note_unseen(struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->n_results; i++)
		if (cycle->results[i].outcome == OUTCOME_PLANNED)
			result_conclude(&cycle->results[i], OUTCOME_FAILED, "stores", 0, NULL);
	problem_add(&cycle->now.problems, SEVERITY_ERROR, "stores_unseen", NULL, NULL,
		    xstrdup("the stores could not be looked at when all was done"),
		    xstrdup("run `oauth-keepalive status`"))
		->needs_person = true;
}

// A running gateway looks at its stores again when a token nears its end, but not at one it holds to be lost.
static void note_unfenced(struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->n_results; i++)
		if (cycle->results[i].unfenced)
			problem_add(&cycle->now.problems, SEVERITY_INFO, "gateway_notice", NULL,
				    NULL,
				    xstrdup("a login that OpenClaw had given up works again; a "
					    "running gateway does not "
					    "know yet"),
				    xstrdup("openclaw gateway call models.authRefresh --params "
					    "'{\"operation\":\"update\"}'"));
}

static void sweep(struct run *run)
{
	// Not by a clock that what the ledger knew before this run does not bear out.
	if (!run->ledger->exists || !run->cycle->now.clock_supported)
		return;
	displaced_sweep(run->ledger, run->policy.now_ms);
	receipts_sweep(run->ledger, run->policy.now_ms);
	forget_one_ended(run->config, &run->policy, run->ledger, &run->cycle->now);
}

static void finish(struct run *run)
{
	struct cycle *cycle = run->cycle;

	observation_free(&cycle->now);
	grants_free(run);
	if (run_look(run, &cycle->now) >= 0)
		note_unfinished(cycle);
	else
		note_unseen(cycle);
	log_debug("%u looks, %u rounds of claims; the oldest refresh lock was held %" PRId64 " ms",
		  cycle->cost.looks, cycle->cost.claims, cycle->cost.oldest_lock_ms);
}

// A login that nobody decided about was overwritten, since it is older than the live one: its person should know.
static void note_displaced(struct cycle *cycle)
{
	for (size_t i = 0; i < cycle->n_results; i++) {
		const struct result *result = &cycle->results[i];
		const struct account *a = observation_account(&cycle->now, result->key);
		for (size_t k = 0; a && k < result->n_displaced; k++) {
			const struct displacement *d = &result->displaced[k];
			if (d->store && !d->chosen)
				problem_add(
					&cycle->now.problems, SEVERITY_WARNING, "login_displaced",
					d->store, a->record.profile,
					xstrdup("a login that was saved there is older than the "
						"live one and gave way to it; it is kept for 30 "
						"days"),
					xasprintf("oauth-keepalive restore %s", d->id));
		}
	}
}

int cycle_run(const struct config *config, const struct policy *policy, struct ledger *ledger,
	      const struct selection *selection, int64_t wait_s, struct cycle *ret)
{
	struct cycle cycle = {0};
	struct run run = {
		.config = config,
		.policy = *policy,
		.ledger = ledger,
		.cycle = &cycle,
		.wait_ms = wait_s * SECOND_MS,
		.patience_ms = wait_s * SECOND_MS < PATIENCE_MS ? wait_s * SECOND_MS : PATIENCE_MS,
		.signal_fd = -1,
		.courier = COURIER_NONE,
	};
	// A wall clock that is put right in mid-run makes no lock older.
	const int64_t clock_ahead_ms = clock_wall_ms() - clock_boot_ms();
	int r = process_self(&run.self);

	if (r >= 0)
		r = run_look(&run, &cycle.now);
	if (r >= 0 && finish_stores(&run, &cycle.now)) {
		observation_free(&cycle.now);
		r = run_look(&run, &cycle.now);
	}
	if (r >= 0)
		r = check_patterns(&cycle, selection);
	if (r < 0) {
		*ret = cycle;
		return r;
	}
	results_from(&cycle, &cycle.now, policy, selection);
	if (!refuse_unless_chosen(&cycle, policy))
		grants_collect(&run, &cycle.now);
	if (run.n_grants) {
		run_loop(&run);
		staged_abort(&run);
		sweep(&run);
		finish(&run);
	}
	for (size_t i = 0; i < run.n_rescued; i++)
		receipt_free(&run.rescued[i]);
	free(run.rescued);
	note_mirrored(&cycle);
	run.policy.now_ms = clock_ahead_ms + clock_boot_ms();
	judge_busy(&cycle, config, &run.policy, ledger);
	note_unfenced(&cycle);
	note_displaced(&cycle);
	*ret = cycle;
	return 0;
}
