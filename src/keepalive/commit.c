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

#define STORE_PATIENCE_MS   5000 // how long a store lock of somebody else is waited for, at least
#define STORE_TRY_AGAIN_MS  100
#define READER_STAT_TIME_NS (20 * 1000 * 1000) // store.h, store_settle_mtime

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

	for (size_t i = 0; i < a->n_displaced; i++) {
		const struct displaced *d = &a->displaced[i];
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

int account_persist(struct run *run, struct account *a)
{
	int64_t now = run->policy.now_ms;
	int r = keep_displaced(run, a);

	if (r >= 0 && a->record_changed)
		r = account_record_save(run->ledger, &a->record, now);
	for (size_t i = 0; r >= 0 && i < a->n_settle; i++)
		if (!receipt_cannot_be_read(a, a->settle[i]))
			r = receipt_settle(run->ledger, a->settle[i]);
	for (size_t i = 0; r >= 0 && i < a->n_drop; i++)
		r = receipt_remove(run->ledger, a->drop[i]);
	return r;
}

// In which order the accounts of a grant are saved: a record that moves to another key before its old place is taken,
// and who follows another name's generation after that one's.
static int turn_of(const struct account *a)
{
	return a->renamed_from[0] ? 0 : a->sibling ? 2 : 1;
}

int grant_persist(struct run *run, const struct grant *g, struct observation *o)
{
	int result = 0;

	for (int turn = 0; turn <= 2; turn++) {
		for (size_t i = 0; i < g->n_keys; i++) {
			struct account *a = observation_account(o, g->keys[i]);
			int r = a && turn_of(a) == turn ? account_persist(run, a) : 0;
			if (r < 0)
				result = r;
		}
	}
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

static int write_under_lock(struct run *run, const struct store *store,
			    const struct pending *pending, size_t n)
{
	struct staged *staged = find_staged(run, store->target);
	struct store_change *changes = xcalloc(n, sizeof(*changes));
	struct swap *swaps = xcalloc(n, sizeof(*swaps));
	bool written = false;
	int r;

	for (size_t i = 0; i < n; i++) {
		const struct account_record *record = &pending[i].account->record;
		swaps[i] = (struct swap){run, pending[i].account};
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
	r = store_write(store, changes, n, staged && staged->stage.temp ? &staged->stage : NULL);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		if (changes[i].result == STORE_WRITTEN)
			note_written(run, pending[i].account, store);
		written |= changes[i].result == STORE_WRITTEN;
	}
	if (written && store->format == STORE_OPENCLAW_JSON) {
		nanosleep(&(struct timespec){.tv_nsec = READER_STAT_TIME_NS}, NULL);
		store_settle_mtime(store);
	}
	free(changes);
	free(swaps);
	return r;
}

static int write_store(struct run *run, const struct store *store, const struct pending *pending,
		       size_t n)
{
	struct lock_set set = LOCK_SET_NONE;
	int r;

	for (size_t i = 0; i < store->n_names; i++)
		lock_set_add_store(&set, store->names[i]);
	for (size_t i = 0; i < set.n; i++)
		atomic_sweep(set.files[i].path); // drafts of runs that were killed
	// One of our own is there if it could not be removed: no reason to wait.
	r = lock_set_acquire(&set, run->self, &run->self, 1);
	if (r >= 0)
		r = write_under_lock(run, store, pending, n);
	lock_set_free(&set);
	if (r < 0)
		log_debug("%s: %s", store->path, strerror(-r));
	return r;
}

bool finish_stores(struct run *run, const struct observation *o)
{
	bool any = false;

	for (size_t i = 0; !o->barred && i < o->stores.n; i++)
		if (o->stores.list[i].interrupted && o->stores.list[i].state == STORE_OK)
			any |= write_store(run, &o->stores.list[i], NULL, 0) >= 0;
	return any;
}

static bool wants_write(const struct account *a, const struct store *store)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (a->members[i].write && a->members[i].store == store)
			return true;
	return false;
}

// It may go well a moment later: a lock, somebody else's write, a shortage.
static bool error_passes(int error)
{
	return error_is_shortage(error) || error == -EBUSY || error == -ESTALE || error == -EINTR ||
	       error == -EAGAIN;
}

// Every store that is behind, main first (the stores are in that order). What may pass is tried again in the next round;
// other errors are final for this run.
static void write_stores(struct run *run, struct observation *o)
{
	for (size_t s = 0; s < o->stores.n; s++) {
		const struct store *store = &o->stores.list[s];
		_cleanup_free_ struct pending *pending = NULL;
		size_t n = 0;
		for (size_t i = 0; i < run->n_grants; i++) {
			struct grant *g = &run->grants[i];
			for (size_t k = 0; g->stage == GRANT_WRITING && k < g->n_keys; k++) {
				struct account *a = observation_account(o, g->keys[k]);
				if (a && wants_write(a, store))
					*array_add(&pending, &n) = (struct pending){g, a};
			}
		}
		if (!n)
			continue;
		int r = write_store(run, store, pending, n);
		for (size_t i = 0; r < 0 && i < n; i++) {
			struct result *result = run_result(run, pending[i].account->record.key);
			if (!error_passes(r))
				pending[i].grant->wait_until_ms = 0; // no use in waiting
			if (!result)
				continue;
			free(result->write_error);
			result->write_error = xasprintf("%s: %s", store->path, store_error(r));
		}
	}
}

// ---- outcome

// What this look adds to the result. Later rounds find less and less to do; the first word stays.
static enum outcome outcome_of(const struct grant *g, const struct account *a,
			       const struct result *result)
{
	bool undecided = result->outcome == OUTCOME_PLANNED || result->outcome == OUTCOME_UNCHANGED;
	// Not for an account that is in the grant because the ledger makes room for it.
	bool exchanged = g->exchanged && account_knows(a, g->token);

	if (a->outcome == OUTCOME_NEEDS_LOGIN)
		return a->outcome;
	if (a->decision == DECISION_RECOVER)
		return exchanged ? OUTCOME_REFRESHED : OUTCOME_RECOVERED;
	if (exchanged && a->send) // with --force, or at the last resort: not in this run
		return result->outcome == OUTCOME_REFRESHED ? OUTCOME_REFRESHED
		       : a->resend			    ? OUTCOME_HELD
							    : OUTCOME_FAILED;
	if (a->outcome == OUTCOME_HELD || a->outcome == OUTCOME_NEEDS_LOGIN ||
	    a->outcome == OUTCOME_FAILED)
		return a->outcome;
	if (!undecided)
		return result->outcome;
	if (a->outcome == OUTCOME_SKIPPED)
		return a->outcome;
	if (a->decision == DECISION_ADOPT || result->decision == DECISION_ADOPT)
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
	result->outcome = outcome_of(g, a, result);
	if (result->outcome != OUTCOME_FAILED && result->outcome != OUTCOME_HELD &&
	    result->outcome != OUTCOME_NEEDS_LOGIN) {
		result_conclude(result, result->outcome, NULL, 0, NULL);
		return;
	}
	free(result->reason);
	result->reason = xstrdup(a->reason);
	if (a->decision != DECISION_NONE)
		result->decision = a->decision;
	if (a->code)
		result_explain(result, a);
	else // --force would send again at once; what the record says stands
		result_conclude(result, result->outcome,
				a->record.error_code[0] ? a->record.error_code : "unknown_outcome",
				a->record.error_status, xstrdup(a->reason));
	if (g->failure_text && result->outcome == OUTCOME_HELD) {
		free(result->error_message);
		result->error_message = xasprintf("%s (%s)", a->reason, g->failure_text);
	}
}

static bool grant_written(const struct grant *g, struct observation *o)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		struct account *a = observation_account(o, g->keys[i]);
		if (a && account_has_writes(a))
			return false;
	}
	return true;
}

// Another account may still be waiting for what this receipt says; not one that no store holds any more.
static bool is_live_elsewhere(const struct observation *o, struct fingerprint token,
			      const struct account *but)
{
	for (size_t i = 0; i < o->n_accounts; i++)
		if (&o->accounts[i] != but && !o->accounts[i].skip &&
		    fingerprint_equal(o->accounts[i].record.live.fingerprint, token) &&
		    !o->accounts[i].record.dead_code[0])
			return true;
	return false;
}

// The ledger has it, every copy that could be written is: nothing hangs on the receipts any more.
static void close_receipts(struct run *run, const struct grant *g, struct observation *o)
{
	for (size_t i = 0; g->saved && i < g->n_keys; i++) {
		struct account *a = observation_account(o, g->keys[i]);
		for (size_t k = 0; a && k < a->n_close; k++) {
			if (is_live_elsewhere(o, a->close[k], a))
				continue;
			receipt_settle(run->ledger, a->close[k]);
		}
	}
}

// Locks guard a main store that still holds a spent token for as long as they may; other copies are not worth that.
static int64_t patience(const struct grant *g, struct observation *o)
{
	for (size_t i = 0; g->wait_until_ms && i < g->n_keys; i++) {
		const struct account *a = observation_account(o, g->keys[i]);
		if (a && a->main && a->main->write)
			return g->hold_until_ms;
	}
	return g->wait_until_ms;
}

static void note_pending(struct run *run, const struct grant *g, struct observation *o)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		struct account *a = observation_account(o, g->keys[i]);
		struct result *result = run_result(run, g->keys[i]);
		for (size_t k = 0; a && result && k < a->n_members; k++)
			result->copies_pending |= a->members[k].write;
		if (!result || (!result->copies_pending && g->saved))
			continue;
		if (!result->error_code[0])
			snprintf(result->error_code, sizeof(result->error_code), "%s",
				 g->saved ? "copies_pending" : "ledger_not_writable");
		if (!g->saved)
			result->copies_pending = true;
	}
}

// What became of the request?
static bool request_is_judged(const struct grant *g, struct observation *o)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		const struct account *a = observation_account(o, g->keys[i]);
		for (size_t k = 0; a && a->receipts_judged && k < a->n_receipts; k++)
			if (fingerprint_equal(a->receipts[k]->token, g->token) &&
			    !a->receipts[k]->trouble)
				return true;
	}
	return false;
}

// A look that says nothing of this grant: no descriptor was left for it, the state directory or a store has just been
// moved away. When the request was sent, all of it could be seen.
static bool look_is_blind(const struct grant *g, struct observation *o, bool seen)
{
	if (!seen || o->barred)
		return true;
	for (size_t i = 0; g->exchanged && i < g->n_keys; i++) {
		const struct account *a = observation_account(o, g->keys[i]);
		if (a && account_knows(a, g->token) && (a->main_trouble || a->skip))
			return true;
	}
	return g->exchanged && !g->judged && !request_is_judged(g, o);
}

static void persist_grant(struct run *run, struct grant *g, struct observation *o)
{
	int r = grant_persist(run, g, o);

	g->judged = true;
	g->saved = r >= 0;
	if (r < 0)
		log_error("the ledger cannot be written: %s", strerror(-r));
	for (size_t i = 0; i < g->n_keys; i++) {
		const struct account *a = observation_account(o, g->keys[i]);
		if (a)
			note_outcome(run, g, a);
	}
}

// How long this grant is worked at, from its first round on.
static void set_patience(struct grant *g)
{
	int64_t now = clock_boot_ms();

	if (!g->try_at_ms && g->wait_until_ms < now + STORE_PATIENCE_MS)
		g->wait_until_ms = now + STORE_PATIENCE_MS;
	if (g->hold_until_ms && g->wait_until_ms > g->hold_until_ms)
		g->wait_until_ms = g->hold_until_ms;
}

static void round_over(struct grant *g)
{
	g->try_at_ms = g->try_at_ms ? clock_boot_ms() + STORE_TRY_AGAIN_MS : 1;
}

// No look has shown anything of it. What the receipt holds is guarded until the next run takes it.
static void give_up_blind(struct run *run, struct grant *g, struct observation *o)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		const struct account *a = observation_account(o, g->keys[i]);
		struct result *result = run_result(run, g->keys[i]);
		if (!result)
			continue;
		result_conclude(result, OUTCOME_FAILED, "stores", 0,
				xstrdup("the stores or the ledger cannot be looked at; finished by "
					"the next run"));
		if (!a || a->outcome != OUTCOME_HELD)
			continue;
		result->outcome = a->outcome;
		result_explain(result, a);
	}
	grant_release(g);
}

static void end_round(struct run *run, struct grant *g, struct observation *o, bool blind)
{
	int64_t now = clock_boot_ms();

	set_patience(g);
	if ((blind || !grant_written(g, o)) && (!g->try_at_ms || now < patience(g, o)))
		return;
	if (!g->judged)
		return give_up_blind(run, g, o);
	note_pending(run, g, o);
	close_receipts(run, g, o);
	g->guards = !g->saved;
	grant_release(g);
}

void write_round(struct run *run)
{
	struct observation o = {0};
	bool seen = run_look(run, &o) >= 0;

	for (size_t i = 0; i < run->n_grants; i++) {
		struct grant *g = &run->grants[i];
		if (g->stage != GRANT_WRITING)
			continue;
		grant_follow(g, &o);
		if (!look_is_blind(g, &o, seen))
			persist_grant(run, g, &o);
	}
	for (size_t i = 0; i < run->n_grants; i++)
		if (run->grants[i].stage == GRANT_WRITING)
			end_round(run, &run->grants[i], &o,
				  look_is_blind(&run->grants[i], &o, seen));
	write_stores(run, &o);
	for (size_t i = 0; i < run->n_grants; i++)
		if (run->grants[i].stage == GRANT_WRITING)
			round_over(&run->grants[i]);
	observation_free(&o);
}
