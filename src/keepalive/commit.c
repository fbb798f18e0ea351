// SPDX-License-Identifier: MIT
//
// See commit.h.
#include "keepalive/commit.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "keepalive/hosts.h"
#include "keepalive/mirror.h"
#include "keepalive/persist.h"

#define PAUSE_FIRST_MS	100
#define PAUSE_LAST_MS	1000
#define HOLD_RESERVE_MS 10000 // nothing more is written with refresh locks that are almost over

// ---- the stores

// It may go well a moment later: a lock, somebody else's write, a shortage.
static bool error_passes(int error)
{
	return error_is_shortage(error) || error == -EBUSY || error == -ESTALE || error == -EINTR ||
	       error == -EAGAIN;
}

// Which of the stores is behind, and for whom: a job for each, in the order of the stores.
static struct job *list_jobs(struct run *run, const struct observation *o)
{
	struct job *jobs = xcalloc(o->stores.n + 1, sizeof(*jobs));
	struct account *a;
	struct grant *g;

	for (size_t s = 0; s < o->stores.n; s++)
		jobs[s].store = &o->stores.list[s];
	for_each_grant (g, &run->grants) {
		if (!g->in_round || g->stage != GRANT_WRITING)
			continue;
		const struct change change = {
			.whose = g,
			.until_ms = g->locked_ms ? g->hold_until_ms - HOLD_RESERVE_MS : INT64_MAX,
		};
		for_each_account (a, g, o) {
			for (size_t k = 0; k < a->n_members; k++) {
				const struct member *m = &a->members[k];
				struct job *job = &jobs[m->store - o->stores.list];
				if (!verdict_of(a, m)->write)
					continue;
				*array_add(&job->changes, &job->n) = change;
				job->changes[job->n - 1].account = a;
				job->changes[job->n - 1].member = m;
			}
		}
	}
	return jobs;
}

static size_t drop_idle(struct job *jobs, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (jobs[i].n)
			jobs[kept++] = jobs[i];
	return kept;
}

static void note_job(struct run *run, const struct job *job)
{
	for (size_t i = 0; i < job->n; i++) {
		const struct change *change = &job->changes[i];
		struct grant *g = change->whose;
		struct result *result = results_find(run->results, change->account->record.key);
		if (change->written)
			result_note_written(result, change->account, job->store);
		if (job->error >= 0)
			continue;
		result_note_write_error(result, job->store, job->error);
		g->hopeless |= !error_passes(job->error);
	}
}

// Every store that is behind. A lock that is held is not waited for: what may pass is tried again in the next round, when all
// others had their turn; other errors are final for this run.
static void write_stores(struct run *run, const struct observation *o)
{
	_cleanup_free_ struct job *jobs = list_jobs(run, o);
	size_t n = drop_idle(jobs, o->stores.n);

	mirror_write(&run->mirror, jobs, n);
	for (size_t i = 0; i < n; i++) {
		note_job(run, &jobs[i]);
		free(jobs[i].changes);
	}
}

// ---- what a look says of a grant

// A main store that holds the token we have just spent is guarded for as long as it may be.
static bool guards_main(const struct grant *g, const struct observation *o)
{
	const struct account *a;

	if (g->guards && !g->hopeless)
		for_each_account (a, g, o)
			if (a->main && verdict_of(a, a->main)->write)
				return true;
	return false;
}

// Others are worth what is left of the run's patience: tried, put last, tried again.
static bool has_patience(const struct run *run, const struct grant *g, const struct observation *o)
{
	if (g->rounds == 0)
		return true;
	if (g->hopeless || (g->locked_ms && clock_boot_ms() >= g->hold_until_ms - HOLD_RESERVE_MS))
		return false;
	return run->mirror.patience_ms > 0 || guards_main(g, o);
}

// What became of the request?
static bool request_is_judged(const struct grant *g, const struct observation *o)
{
	const struct account *a;

	for_each_account (a, g, o)
		for (size_t i = 0; a->verdict.receipts_judged && i < a->n_receipts; i++)
			if (fingerprint_equal(a->receipts[i]->token, g->token) &&
			    !a->receipts[i]->trouble)
				return true;
	return false;
}

// Its state directory or a store has just been moved away. When the request was sent, all of it could be seen.
static bool is_out_of_sight(const struct grant *g, const struct observation *o,
			    const struct account *a)
{
	return observation_bars(o, a) ||
	       (g->exchanged && record_knows(&a->verdict.record, g->token) &&
		(a->main_trouble || a->skip || a->vanished));
}

// A look that says nothing of this grant: no descriptor was left for it, or all of it is out of sight. (Of several state
// directories one that can be seen is enough: its copies are not left with a spent token because of another one, which
// follows when it can be read again.)
static bool look_is_blind(const struct grant *g, const struct observation *o, bool seen)
{
	const struct account *a;
	bool in_sight = false;

	if (!seen || o->barred)
		return true;
	for_each_account (a, g, o)
		in_sight |= !is_out_of_sight(g, o, a);
	return !in_sight || (g->exchanged && !g->judged && !request_is_judged(g, o));
}

// Nothing was sent: that is what there is to say, whatever else was written.
static void note_refused(struct result *result, const struct grant *g, const struct account *a,
			 int64_t now_ms)
{
	_cleanup_free_ char *since = failing_since(&a->verdict.record, now_ms);

	if (!result)
		return;
	result_conclude(result, OUTCOME_FAILED, g->refusal, 0, xasprintf("%s%s", g->said, since));
	result->retry_at_ms = a->verdict.record.not_before_ms;
}

static void note_outcome(struct run *run, const struct grant *g, const struct account *a)
{
	struct result *result = results_find(run->results, a->record.key);

	if (g->refusal[0])
		return note_refused(result, g, a, run->policy.now_ms);
	// Not for an account that is in the grant because the ledger makes room for it.
	result_judge(result, a,
		     g->exchanged && record_knows(&a->verdict.record, g->token) ? &g->token : NULL,
		     g->said);
}

static void note_pending(struct run *run, const struct grant *g, const struct observation *o)
{
	const struct account *a;

	for_each_account (a, g, o)
		if (account_has_writes(a) || !g->saved)
			result_note_pending(results_find(run->results, a->record.key),
					    g->saved ? "copies_pending" : "ledger_not_writable");
}

static void persist_grant(struct run *run, struct grant *g, const struct observation *o)
{
	const struct account *a;
	int r = grant_persist(run, g, o);

	g->judged = true;
	g->saved = r >= 0;
	if (r < 0)
		log_error("the ledger cannot be written: %s", error_text(r));
	else
		hosts_publish(run, g, o);
	for_each_account (a, g, o)
		note_outcome(run, g, a);
}

// No look has shown anything of it. What the receipt holds is guarded until the next run takes it.
static void give_up_blind(struct run *run, struct grant *g, const struct observation *o)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		const struct account *a = observation_account(o, g->keys[i]);
		struct result *result = results_find(run->results, g->keys[i]);
		if (!result)
			continue;
		result_conclude(result, OUTCOME_FAILED, "stores", 0,
				xstrdup("the stores or the ledger cannot be read; the next run "
					"finishes it"));
		if (!a || a->verdict.outcome != OUTCOME_HELD)
			continue;
		result->outcome = a->verdict.outcome;
		result_explain(result, a);
	}
	grant_release(&run->grants, g);
}

static bool is_over(const struct run *run, const struct grant *g, const struct observation *o,
		    bool blind)
{
	return (!blind && grant_is_written(g, o) && !g->unpublished) || !has_patience(run, g, o);
}

// The receipts of all that are over are settled together, before their locks are let go.
static void end_round(struct run *run, const struct observation *o, bool seen)
{
	_cleanup_free_ struct fingerprint *closed = NULL;
	struct grant *g;
	size_t n = 0;

	for_each_grant (g, &run->grants) {
		g->over = g->in_round && is_over(run, g, o, look_is_blind(g, o, seen));
		if (!g->over || !g->judged)
			continue;
		note_pending(run, g, o);
		grant_add_closed(g, o, &closed, &n);
	}
	receipts_settle(run->ledger, closed, n);
	for_each_grant (g, &run->grants) {
		if (g->over && !g->judged)
			give_up_blind(run, g, o);
		else if (g->over) {
			g->guards = !g->saved;
			grant_release(&run->grants, g);
		}
		g->over = false;
	}
}

// ---- rounds

// Who waits for somebody's lock is left alone until then; answers that have just come are taken along.
static void begin_round(struct run *run, int64_t now)
{
	struct grant *g;

	for_each_grant (g, &run->grants)
		g->in_round = g->stage == GRANT_WRITING &&
			      ((!g->rounds && !g->yields) || g->try_at_ms <= now);
}

// The read-back is at once. Who has still something to write then waits for somebody, every time a little longer.
static void plan_next(struct run *run, int64_t began_ms)
{
	int64_t now = clock_boot_ms(), longest_ms = 0;
	struct grant *g;

	for_each_grant (g, &run->grants) {
		if (!g->in_round || g->stage != GRANT_WRITING)
			continue;
		if (g->rounds++ > 0)
			g->pause_ms = g->pause_ms ? 2 * g->pause_ms : PAUSE_FIRST_MS;
		else
			g->pause_ms = 0;
		if (g->pause_ms > PAUSE_LAST_MS)
			g->pause_ms = PAUSE_LAST_MS;
		if (g->pause_ms > longest_ms)
			longest_ms = g->pause_ms;
		g->try_at_ms = now + g->pause_ms;
	}
	run->mirror.patience_ms -= longest_ms;
	run->round_ms = now - began_ms;
	run->rounds++;
}

void commit_round(struct run *run)
{
	int64_t began_ms = clock_boot_ms();
	struct observation o = {0};
	bool seen = run_look(run, &o) >= 0;
	struct grant *g;

	begin_round(run, began_ms);
	for_each_grant (g, &run->grants) {
		if (!g->in_round)
			continue;
		grant_follow(g, &o);
		if (!look_is_blind(g, &o, seen))
			persist_grant(run, g, &o);
	}
	end_round(run, &o, seen);
	write_stores(run, &o);
	run->policy.choice.done = true;
	plan_next(run, began_ms);
	observation_free(&o);
}
