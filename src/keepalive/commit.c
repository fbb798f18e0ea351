// SPDX-License-Identifier: MIT
//
// Commit, mirror, settle (steps 7 to 9).
//
// A round looks, makes durable what the look decided (the answer in the receipt becomes the ledger's live
// generation), writes every copy that is behind, store by store, and is repeated until a look finds nothing left:
// that is the read-back. Only then the receipts are settled and the locks released.
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "keepalive/run.h"
#include "ledger/mark.h"

#define STORES_AT_ONCE	    16	// whose locks are held together,
#define STORES_AT_ONCE_MS   250 // and how long before the last of them is taken
#define READER_STAT_TIME_MS 20	// store.h, store_settle_mtime
#define PAUSE_FIRST_MS	    100
#define PAUSE_LAST_MS	    1000
#define HOLD_RESERVE_MS	    10000 // nothing more is written with refresh locks that are almost over

// What could not be kept first is not overwritten.
static void spare_copies(struct account *a, struct fingerprint token)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (fingerprint_equal(a->members[i].copy->credential.fingerprint, token))
			a->members[i].write = false;
}

static int keep_displaced(struct run *run, struct account *a)
{
	int result = 0;

	for (size_t i = 0; i < a->verdict.n_displaced; i++) {
		const struct displaced *d = &a->verdict.displaced[i];
		int r = displaced_keep(run->ledger, a->record.key, &d->credential, d->store, d->why,
				       run->policy.now_ms);
		if (r < 0) {
			spare_copies(a, d->credential.fingerprint);
			result = r;
		}
	}
	return result;
}

// It may hold an answer that nobody has seen.
static bool receipt_cannot_be_read(const struct account *a, struct fingerprint token)
{
	for (size_t i = 0; i < a->n_receipts; i++)
		if (a->receipts[i]->trouble && fingerprint_equal(a->receipts[i]->token, token))
			return true;
	return false;
}

static int account_persist(struct run *run, struct account *a)
{
	int64_t now = run->policy.now_ms;
	int r = keep_displaced(run, a);

	for (size_t i = 0; r >= 0 && i < a->verdict.n_take_back; i++)
		r = mark_take_back(run->ledger, a->verdict.take_back[i]);
	if (r >= 0 && a->verdict.record_changed)
		r = account_record_save(run->ledger, &a->record, now);
	for (size_t i = 0; r >= 0 && i < a->verdict.n_settle; i++)
		if (!receipt_cannot_be_read(a, a->verdict.settle[i]))
			r = receipt_settle(run->ledger, a->verdict.settle[i]);
	for (size_t i = 0; r >= 0 && i < a->verdict.n_drop; i++)
		r = receipt_remove(run->ledger, a->verdict.drop[i]);
	if (r >= 0 && run_result(run, a->record.key))
		result_note_displaced(run_result(run, a->record.key), a);
	return r;
}

// In which order the accounts of a grant are saved: a record that moves to another key before its old place is taken,
// and who follows another name's generation after that one's.
static int turn_of(const struct account *a)
{
	return a->renamed_from[0] ? 0 : a->sibling ? 2 : 1;
}

// Nothing was sent: back off.
static void note_refusal(struct run *run, struct grant *g, const struct observation *o)
{
	struct account *a;

	for_each_account (a, g, o) {
		record_failure(&a->record, g->refusal, 0, -1, run->policy.now_ms);
		a->verdict.record_changed = true;
	}
}

int grant_persist(struct run *run, struct grant *g, const struct observation *o)
{
	struct account *a;
	int result = 0;

	if (g->refusal[0] && !g->refusal_noted)
		note_refusal(run, g, o);
	for (int turn = 0; turn <= 2; turn++) {
		for_each_account (a, g, o) {
			int r = turn_of(a) == turn ? account_persist(run, a) : 0;
			if (r < 0)
				result = r;
		}
	}
	g->refusal_noted |= g->refusal[0] && result >= 0;
	return result;
}

// ---- proofs

static struct staged *find_staged(struct run *run, const char *target)
{
	for (size_t i = 0; i < run->n_staged; i++)
		if (string_equal(run->staged[i].target, target))
			return &run->staged[i];
	return NULL;
}

int store_prove(struct run *run, const struct store *store)
{
	struct staged *staged = find_staged(run, store->target);
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	int r;

	if (staged && staged->stage.temp)
		return 0;
	atomic_sweep(store->target);
	r = store_stage(store, &stage);
	if (r < 0)
		return r;
	if (!staged) {
		staged = array_add(&run->staged, &run->n_staged);
		staged->target = xstrdup(store->target);
		staged->stage = ATOMIC_STAGE_NONE;
	}
	atomic_abort(&staged->stage);
	staged->stage = stage;
	return 0;
}

void staged_abort(struct run *run)
{
	for (size_t i = 0; i < run->n_staged; i++) {
		atomic_abort(&run->staged[i].stage);
		free(run->staged[i].target);
	}
	free(run->staged);
	run->staged = NULL;
	run->n_staged = 0;
}

// ---- writing one store, for all grants that changed

struct pending {
	struct grant *grant;
	struct account *account;
};

struct swap {
	struct run *run;
	const struct account *account;
};

static bool may_overwrite(struct fingerprint standing, void *arg)
{
	const struct swap *swap = arg;

	return account_knows(swap->account, standing) ||
	       receipt_is_settled(swap->run->ledger, standing) ||
	       spent_is_noted(swap->run->ledger, standing);
}

static bool may_replace_fence(const struct fence *standing, void *arg)
{
	const struct swap *swap = arg;

	return account_knows_fence(swap->account, standing) &&
	       !fence_is_young(swap->account, standing, &swap->run->policy);
}

static void note_written(struct run *run, const struct account *a, const struct store *store)
{
	struct result *result = run_result(run, a->record.key);

	if (!result)
		return;
	*array_add(&result->written, &result->n_written) = xstrdup(store->path);
	for (size_t i = 0; i < a->n_members; i++)
		result->unfenced |=
			a->members[i].store == store && a->members[i].copy->kind == COPY_FENCED;
}

// What stands on one store's list.
struct pendings {
	struct pending *list;
	size_t n;
};

static int write_under_lock(struct run *run, const struct store *store,
			    const struct pendings *pending, bool *ret_written)
{
	struct staged *staged = find_staged(run, store->target);
	_cleanup_free_ struct store_change *changes = xcalloc(pending->n, sizeof(*changes));
	_cleanup_free_ struct swap *swaps = xcalloc(pending->n, sizeof(*swaps));
	int r;

	for (size_t i = 0; i < pending->n; i++) {
		const struct account_record *record = &pending->list[i].account->record;
		swaps[i] = (struct swap){run, pending->list[i].account};
		changes[i] = (struct store_change){
			.profile = record->profile,
			.provider = record->provider,
			.access = &record->live.access,
			.refresh = &record->live.refresh,
			.id_token = secret_empty(&record->live.id_token) ? NULL
									 : &record->live.id_token,
			.expires_ms = record->live.expires_ms,
			.identity = &record->identity,
			.may_overwrite = may_overwrite,
			.may_replace_fence = may_replace_fence,
			.arg = &swaps[i],
		};
	}
	if (!staged || !staged->stage.temp)
		atomic_sweep(store->target);
	r = store_write(store, changes, pending->n,
			staged && staged->stage.temp ? &staged->stage : NULL);
	for (size_t i = 0; r >= 0 && i < pending->n; i++) {
		if (changes[i].result != STORE_WRITTEN)
			continue;
		note_written(run, pending->list[i].account, store);
		*ret_written = true;
	}
	return r;
}

static int lock_store(struct run *run, const struct store *store, struct lock_set *set)
{
	store_add_locks(store, set);
	for (size_t i = 0; i < set->n; i++)
		atomic_sweep(set->files[i].path); // drafts of runs that were killed
	// One of our own is there if it could not be removed: no reason to wait.
	return lock_set_acquire(set, run->self, &run->self, 1);
}

// ---- several stores, with one wait for the second mtime of all (store.h, store_settle_mtime)
//
// OpenClaw must not get a store's lock before that: a process that has the old text cached under the first mtime would
// write it back. So the locks of some stores are held together. Each is only tried, so nobody waits for anybody here; and
// they are few, and soon over: OpenClaw waits 43 s for such a lock, and takes it away after 30 s.

struct written {
	const struct store *store;
	struct lock_set locks;
};

struct batch {
	struct written list[STORES_AT_ONCE];
	size_t n;
	int64_t first_ms, last_ms; // when the first was locked, the last written
};

static void settle_batch(struct batch *batch)
{
	int64_t left_ms = batch->last_ms + READER_STAT_TIME_MS + 1 - clock_boot_ms();

	if (!batch->n)
		return;
	if (left_ms > 0)
		nanosleep(&(struct timespec){.tv_nsec = left_ms * 1000000}, NULL);
	for (size_t i = 0; i < batch->n; i++) {
		store_settle_mtime(batch->list[i].store);
		lock_set_free(&batch->list[i].locks);
	}
	batch->n = 0;
}

static bool batch_is_full(const struct batch *batch)
{
	const struct store *last = batch->n ? batch->list[batch->n - 1].store : NULL;

	return batch->n == STORES_AT_ONCE || (last && last->role == ROLE_MAIN) ||
	       (last && clock_boot_ms() >= batch->first_ms + STORES_AT_ONCE_MS);
}

static int write_store(struct run *run, const struct store *store, const struct pendings *pending,
		       struct batch *batch)
{
	struct lock_set set = LOCK_SET_NONE;
	int64_t locked_ms = clock_boot_ms();
	bool written = false;
	int r = lock_store(run, store, &set);

	if (r >= 0)
		r = write_under_lock(run, store, pending, &written);
	if (r < 0) { // a database waits a little by itself
		log_debug("%s: %s", store->path, strerror(-r));
		run->patience_ms -= clock_boot_ms() - locked_ms;
	}
	if (!written || !store_is_cached(store)) {
		lock_set_free(&set);
		return r;
	}
	if (!batch->n)
		batch->first_ms = locked_ms;
	batch->last_ms = clock_boot_ms();
	batch->list[batch->n++] = (struct written){store, set};
	if (batch_is_full(batch))
		settle_batch(batch);
	return r;
}

bool finish_stores(struct run *run, const struct observation *o)
{
	const struct pendings nothing = {0};
	struct batch batch = {0};
	bool any = false;

	for (size_t i = 0; !o->barred && i < o->stores.n; i++)
		if (o->stores.list[i].interrupted && o->stores.list[i].state == STORE_OK)
			any |= write_store(run, &o->stores.list[i], &nothing, &batch) >= 0;
	return any;
}

// It may go well a moment later: a lock, somebody else's write, a shortage.
static bool error_passes(int error)
{
	return error_is_shortage(error) || error == -EBUSY || error == -ESTALE || error == -EINTR ||
	       error == -EAGAIN;
}

static void note_write_error(struct run *run, const struct store *store,
			     const struct pending *pending, int error)
{
	struct result *result = run_result(run, pending->account->record.key);

	if (!error_passes(error))
		pending->grant->hopeless = true;
	if (!result)
		return;
	free(result->write_error);
	result->write_error = xasprintf("%s: %s", store->path, store_error(error));
}

// Which of the stores is behind, and for whom: a list for each.
static struct pendings *list_pending(struct run *run, const struct observation *o)
{
	struct pendings *lists = xcalloc(o->stores.n + 1, sizeof(*lists));
	struct account *a;

	for (size_t i = 0; i < run->n_grants; i++) {
		struct grant *g = &run->grants[i];
		if (!g->in_round || g->stage != GRANT_WRITING)
			continue;
		for_each_account (a, g, o) {
			for (size_t k = 0; k < a->n_members; k++) {
				const struct member *m = &a->members[k];
				struct pendings *of = &lists[m->store - o->stores.list];
				if (m->write)
					*array_add(&of->list, &of->n) = (struct pending){g, a};
			}
		}
	}
	return lists;
}

// Who has held refresh locks for almost as long as they may be held waits for the next run.
static void drop_overdue(struct pendings *pending)
{
	int64_t now = clock_boot_ms();
	size_t n = 0;

	for (size_t i = 0; i < pending->n; i++) {
		const struct grant *g = pending->list[i].grant;
		if (!g->locked_ms || now < g->hold_until_ms - HOLD_RESERVE_MS)
			pending->list[n++] = pending->list[i];
	}
	pending->n = n;
}

// Every store that is behind, main first (the stores are in that order). A lock that is held is not waited for: what may pass
// is tried again in the next round, when all others had their turn; other errors are final for this run.
static void write_stores(struct run *run, const struct observation *o)
{
	struct pendings *lists = list_pending(run, o);
	struct batch batch = {0};

	for (size_t s = 0; s < o->stores.n; s++) {
		const struct store *store = &o->stores.list[s];
		drop_overdue(&lists[s]);
		int r = lists[s].n ? write_store(run, store, &lists[s], &batch) : 0;
		for (size_t i = 0; r < 0 && i < lists[s].n; i++)
			note_write_error(run, store, &lists[s].list[i], r);
		free(lists[s].list);
	}
	settle_batch(&batch);
	free(lists);
}

// ---- outcome

// What this look adds to the result. Later rounds find less and less to do; the first word stays.
static enum outcome outcome_of(const struct grant *g, const struct account *a,
			       const struct result *result)
{
	bool undecided = result->outcome == OUTCOME_PLANNED || result->outcome == OUTCOME_UNCHANGED;
	// Not for an account that is in the grant because the ledger makes room for it.
	bool exchanged = g->exchanged && account_knows(a, g->token);

	if (a->verdict.outcome == OUTCOME_NEEDS_LOGIN)
		return a->verdict.outcome;
	if (a->verdict.decision == DECISION_RECOVER)
		return exchanged ? OUTCOME_REFRESHED : OUTCOME_RECOVERED;
	if (exchanged && a->verdict.send) // with --force, or at the last resort: not in this run
		return result->outcome == OUTCOME_REFRESHED ? OUTCOME_REFRESHED
		       : a->verdict.resend		    ? OUTCOME_HELD
							    : OUTCOME_FAILED;
	if (a->verdict.outcome == OUTCOME_HELD || a->verdict.outcome == OUTCOME_NEEDS_LOGIN ||
	    a->verdict.outcome == OUTCOME_FAILED)
		return a->verdict.outcome;
	if (!undecided)
		return result->outcome;
	if (a->verdict.outcome == OUTCOME_SKIPPED)
		return a->verdict.outcome;
	if (a->verdict.decision == DECISION_ADOPT || result->decision == DECISION_ADOPT)
		return OUTCOME_ADOPTED;
	if (exchanged)
		return OUTCOME_FAILED; // an answer that says: later
	if (result->decision == DECISION_RECOVER)
		return OUTCOME_RECOVERED;
	return result->decision == DECISION_MIRROR ? OUTCOME_MIRRORED : OUTCOME_UNCHANGED;
}

static void note_outcome(struct run *run, const struct grant *g, const struct account *a)
{
	struct result *result = run_result(run, a->record.key);

	if (!result)
		return;
	if (g->refusal[0]) {
		result_conclude(result, OUTCOME_FAILED, g->refusal, 0, xstrdup(g->said));
		result->retry_at_ms = a->record.not_before_ms;
		return;
	}
	result->outcome = outcome_of(g, a, result);
	if (result->outcome != OUTCOME_FAILED && result->outcome != OUTCOME_HELD &&
	    result->outcome != OUTCOME_NEEDS_LOGIN) {
		result_conclude(result, result->outcome, NULL, 0, NULL);
		return;
	}
	free(result->reason);
	result->reason = xstrdup(a->verdict.reason);
	if (a->verdict.decision != DECISION_NONE)
		result->decision = a->verdict.decision;
	if (a->verdict.code)
		result_explain(result, a);
	else // --force would send again at once; what the record says stands
		result_conclude(result, result->outcome,
				a->record.error_code[0] ? a->record.error_code : "unknown_outcome",
				a->record.error_status, xstrdup(a->verdict.reason));
	if (g->said && result->outcome == OUTCOME_HELD) {
		free(result->error_message);
		result->error_message = xasprintf("%s (%s)", a->verdict.reason, g->said);
	}
}

static bool grant_written(const struct grant *g, const struct observation *o)
{
	const struct account *a;

	for_each_account (a, g, o)
		if (account_has_writes(a))
			return false;
	return true;
}

// Another account may still be waiting for what this receipt says; not one that no store holds any more.
static bool is_live_elsewhere(const struct observation *o, struct fingerprint token,
			      const struct account *but)
{
	for_each_found (found, &o->ties, hash_token(token)) {
		const struct account *a = o->accounts[found->at];
		if (a != but && !a->skip && !a->record.dead_code[0] &&
		    fingerprint_equal(a->record.live.fingerprint, token))
			return true;
	}
	return false;
}

// The ledger has it, every copy that could be written is: nothing hangs on the receipts any more.
static void close_receipts(struct run *run, const struct grant *g, const struct observation *o)
{
	struct account *a;

	if (!g->saved)
		return;
	for_each_account (a, g, o) {
		for (size_t i = 0; i < a->verdict.n_close; i++) {
			if (!is_live_elsewhere(o, a->verdict.close[i], a))
				receipt_settle(run->ledger, a->verdict.close[i]);
		}
	}
}

// A main store that holds the token we have just spent is guarded for as long as it may be.
static bool guards_main(const struct grant *g, const struct observation *o)
{
	const struct account *a;

	if (g->guards && !g->hopeless)
		for_each_account (a, g, o)
			if (a->main && a->main->write)
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
	return run->patience_ms > 0 || guards_main(g, o);
}

static void note_pending(struct run *run, const struct grant *g, const struct observation *o)
{
	const struct account *a;

	for_each_account (a, g, o) {
		struct result *result = run_result(run, a->record.key);
		if (!result)
			continue;
		result->copies_pending |= account_has_writes(a) || !g->saved;
		if (result->copies_pending && !result->error_code[0])
			snprintf(result->error_code, sizeof(result->error_code), "%s",
				 g->saved ? "copies_pending" : "ledger_not_writable");
	}
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

// A look that says nothing of this grant: no descriptor was left for it, the state directory or a store has just been
// moved away. When the request was sent, all of it could be seen.
static bool look_is_blind(const struct grant *g, const struct observation *o, bool seen)
{
	const struct account *a;

	if (!seen || o->barred)
		return true;
	if (!g->exchanged)
		return false;
	for_each_account (a, g, o)
		if (account_knows(a, g->token) && (a->main_trouble || a->skip))
			return true;
	return !g->judged && !request_is_judged(g, o);
}

static void persist_grant(struct run *run, struct grant *g, const struct observation *o)
{
	const struct account *a;
	int r = grant_persist(run, g, o);

	g->judged = true;
	g->saved = r >= 0;
	if (r < 0)
		log_error("the ledger cannot be written: %s", strerror(-r));
	for_each_account (a, g, o)
		note_outcome(run, g, a);
}

// No look has shown anything of it. What the receipt holds is guarded until the next run takes it.
static void give_up_blind(struct run *run, struct grant *g, const struct observation *o)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		const struct account *a = observation_account(o, g->keys[i]);
		struct result *result = run_result(run, g->keys[i]);
		if (!result)
			continue;
		result_conclude(result, OUTCOME_FAILED, "stores", 0,
				xstrdup("the stores or the ledger cannot be looked at; finished by "
					"the next run"));
		if (!a || a->verdict.outcome != OUTCOME_HELD)
			continue;
		result->outcome = a->verdict.outcome;
		result_explain(result, a);
	}
	grant_release(run, g);
}

static void end_round(struct run *run, struct grant *g, const struct observation *o, bool blind)
{
	if ((blind || !grant_written(g, o)) && has_patience(run, g, o))
		return;
	if (!g->judged)
		return give_up_blind(run, g, o);
	note_pending(run, g, o);
	close_receipts(run, g, o);
	g->guards = !g->saved;
	grant_release(run, g);
}

// Who waits for somebody's lock is left alone until then; answers that have just come are taken along.
static void begin_round(struct run *run, int64_t now)
{
	for (size_t i = 0; i < run->n_grants; i++) {
		struct grant *g = &run->grants[i];
		g->in_round = g->stage == GRANT_WRITING && (!g->rounds || g->try_at_ms <= now);
	}
}

// The read-back is at once. Who has still something to write then waits for somebody, every time a little longer.
static void plan_next(struct run *run, int64_t began_ms)
{
	int64_t now = clock_boot_ms(), longest_ms = 0;

	for (size_t i = 0; i < run->n_grants; i++) {
		struct grant *g = &run->grants[i];
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
	run->patience_ms -= longest_ms;
	run->round_ms = now - began_ms;
}

void write_round(struct run *run)
{
	int64_t began_ms = clock_boot_ms();
	struct observation o = {0};
	bool seen = run_look(run, &o) >= 0;

	begin_round(run, began_ms);
	for (size_t i = 0; i < run->n_grants; i++) {
		struct grant *g = &run->grants[i];
		if (!g->in_round)
			continue;
		grant_follow(g, &o);
		if (!look_is_blind(g, &o, seen))
			persist_grant(run, g, &o);
	}
	for (size_t i = 0; i < run->n_grants; i++)
		if (run->grants[i].in_round)
			end_round(run, &run->grants[i], &o,
				  look_is_blind(&run->grants[i], &o, seen));
	write_stores(run, &o);
	plan_next(run, began_ms);
	observation_free(&o);
}
