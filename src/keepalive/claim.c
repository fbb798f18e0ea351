// SPDX-License-Identifier: MIT
//
// Claim: all the locks of a grant, or none; look again; make durable what was decided (steps 1 to 4).
//
// Our own account locks come first, so that of twenty runs started at once one starts a courier and the others wait
// without one. OpenClaw's lock files are only ever tried, never waited for while anything of OpenClaw's is held.
//
// All whose turn it is are claimed together: the account locks of all, one look; the refresh locks of all, one look. Who
// finds a lock held tries again without a look, first whether it still is.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "keepalive/run.h"

#define PAUSE_FIRST_MS 40
#define PAUSE_LAST_MS  1000

// Another grant of this run has it (two people's logins under one profile id have the same lock names). It is not waited
// for as others are: it ends by itself, within its hold limit.
static bool held_by_this_run(const struct run *run, const struct grant *g, pid_t owner)
{
	bool ours = owner && (owner == run->self.pid ||
			      (run->courier.fd >= 0 && owner == run->courier.process.pid));

	for (size_t i = 0; ours && i < run->n_grants; i++)
		if (run->grants[i].locked_ms && &run->grants[i] != g)
			return true;
	return false;
}

// Every time a little later, but not later than the last time.
static void put_off(struct grant *g)
{
	int64_t now = clock_boot_ms();

	g->pause_ms = g->pause_ms ? 2 * g->pause_ms : PAUSE_FIRST_MS;
	if (g->pause_ms > PAUSE_LAST_MS)
		g->pause_ms = PAUSE_LAST_MS;
	g->try_at_ms = now + g->pause_ms + (int64_t)g->id % 7; // not all in step
	if (g->wait_until_ms > now && g->try_at_ms > g->wait_until_ms)
		g->try_at_ms = g->wait_until_ms;
}

static void try_later(struct run *run, struct grant *g, const char *code, char *message)
{
	bool own = held_by_this_run(run, g, g->locks.busy_owner.pid);

	if (clock_boot_ms() >= g->wait_until_ms && !own) {
		grant_conclude(run, g, OUTCOME_BUSY, code, message);
		return;
	}
	free(message);
	grant_release(run, g);
	g->stage = GRANT_WAITING;
	if (own)
		g->pause_ms = 0;
	put_off(g);
}

static void give_up(struct run *run, struct grant *g, const char *code, int error, const char *what)
{
	grant_conclude(run, g, OUTCOME_FAILED, code, xasprintf("%s: %s", what, strerror(-error)));
}

static int lock_accounts(struct run *run, struct grant *g, char **ret_message)
{
	g->account_locks = xcalloc(g->n_keys, sizeof(int));
	for (size_t i = 0; i < g->n_keys; i++) {
		int r = account_lock(run->ledger, g->keys[i], &g->account_locks[i], ret_message);
		if (r < 0)
			return r;
		g->n_account_locks++;
	}
	return 0;
}

static bool grant_has_work(const struct grant *g, const struct observation *o, bool *ret_busy)
{
	const struct account *a;
	bool work = false;

	*ret_busy = false;
	for_each_account (a, g, o) {
		work |= account_has_work(a);
		*ret_busy |= a->verdict.outcome == OUTCOME_BUSY;
	}
	return work;
}

// Somebody else is at work.
static void wait_for_others(struct run *run, struct grant *g, const struct observation *o)
{
	const struct account *a;

	for_each_account (a, g, o)
		if (a->verdict.outcome == OUTCOME_BUSY)
			return try_later(run, g, a->verdict.code, xstrdup(a->verdict.reason));
}

static const struct receipt *answered_receipt(const struct grant *g, const struct observation *o)
{
	const struct account *a;

	for_each_account (a, g, o)
		for (size_t i = 0; i < a->n_receipts; i++)
			if (a->receipts[i]->state == RECEIPT_ANSWERED)
				return a->receipts[i];
	return NULL;
}

static void note_results(struct run *run, const struct grant *g, const struct observation *o)
{
	const struct account *a;

	for_each_account (a, g, o) {
		struct result *result = run_result(run, a->record.key);
		if (!result)
			continue;
		result->decision = a->verdict.decision;
		free(result->reason);
		result->reason = xstrdup(a->verdict.reason);
		result_conclude(result, a->verdict.outcome, NULL, 0, NULL);
		if (a->verdict.code)
			result_explain(result, a);
	}
}

// Where the token also stands under another state directory, its runtime must not send it beside us either.
static void add_locks_elsewhere(struct grant *g, const struct observation *o,
				const struct account *a)
{
	for (size_t i = 0; i < o->records.n; i++) {
		const struct account_record *r = &o->records.list[i];
		_cleanup_free_ char *message = NULL, *fix = NULL;
		if (!r->unreadable && !r->ended_ms &&
		    !string_equal(r->state_dir, o->stores.state_dir) &&
		    fingerprint_equal(r->live.fingerprint, a->record.live.fingerprint) &&
		    lock_directory_check(r->state_dir, false, &message, &fix) == 0)
			lock_set_add_refresh(&g->locks, r->state_dir, r->provider, r->profile);
	}
}

static int take_refresh_locks(struct grant *g, const struct observation *o, struct process_id owner,
			      const struct receipt *answered)
{
	_cleanup_free_ char *message = NULL, *fix = NULL;
	const struct account *a;
	int r = lock_directory_check(o->stores.state_dir, true, &message, &fix);

	if (r < 0)
		return r;
	for_each_account (a, g, o) {
		account_add_refresh_locks(a, o->stores.state_dir, &g->locks);
		if (a->verdict.send)
			add_locks_elsewhere(g, o, a);
	}
	for (size_t i = 0; i < g->locks.n; i++)
		atomic_sweep(g->locks.files[i].path); // drafts of runs that were killed
	r = lock_set_acquire(&g->locks, owner, answered ? answered->couriers : NULL,
			     answered ? answered->n_couriers : 0);
	if (r >= 0)
		g->locked_ms = clock_boot_ms();
	return r;
}

// The lock file of somebody who is at the store, or NULL.
static char *lock_of_another(const struct store *store)
{
	struct lock_set set = LOCK_SET_NONE;
	struct process_id holder;
	char *locked = NULL;

	store_add_locks(store, &set);
	for (size_t i = 0; i < set.n && !locked; i++)
		if (lock_file_holder(set.files[i].path, &holder) != -ENOENT)
			locked = xstrdup(set.files[i].path);
	lock_set_free(&set);
	return locked;
}

// 2026.4.5 has no refresh lock: it refreshes under the store's. A live one of anybody is waited for.
static char *locked_store(const struct grant *g, const struct observation *o)
{
	const struct account *a;

	for_each_account (a, g, o) {
		for (size_t i = 0; i < a->n_members; i++) {
			char *path = lock_of_another(a->members[i].store);
			if (path)
				return path;
		}
	}
	return NULL;
}

static char *describe_busy(const struct lock_set *set)
{
	if (set->busy_owner.pid)
		return xasprintf("process %d holds %s", (int)set->busy_owner.pid, set->busy_path);
	return xasprintf("somebody holds %s", set->busy_path ? set->busy_path : "a lock");
}

static int persist_all(struct run *run, struct grant *g, const struct observation *o)
{
	int r = ledger_create(run->ledger);

	if (r >= 0)
		r = ledger_claim_owner(run->ledger, o->stores.state_dir);
	if (r >= 0)
		r = grant_persist(run, g, o);
	g->saved = r >= 0;
	return r;
}

static bool prove_writable(struct run *run, struct grant *g, const struct observation *o)
{
	const struct account *a;

	for_each_account (a, g, o) {
		for (size_t i = 0; i < a->n_members; i++) {
			const struct member *m = &a->members[i];
			int r;
			if (!member_is_vital(a, m))
				continue;
			r = store_prove(run, m->store);
			if (r == -EBUSY) {
				try_later(run, g, "store_busy",
					  xasprintf("%s is locked by another process",
						    m->store->path));
				return false;
			}
			if (r < 0) {
				grant_conclude(
					run, g, OUTCOME_FAILED, "store_not_writable",
					xasprintf(
						"%s could not be written, so nothing was sent: %s",
						m->store->path, store_error(r)));
				return false;
			}
		}
	}
	return true;
}

static bool names_courier(const struct receipt *receipt, struct process_id courier)
{
	for (size_t i = 0; i < receipt->n_couriers; i++)
		if (receipt->couriers[i].pid == courier.pid &&
		    receipt->couriers[i].starttime == courier.starttime)
			return true;
	return false;
}

// An answer of a killed run: from now on our courier answers for the lock files, whatever happens to us.
static int hold_answer(struct run *run, struct grant *g, const struct receipt *answered)
{
	struct courier_request request = {
		.id = g->id,
		.config = run->config,
		.locks = &g->locks,
		.hold_until_boot_ms = g->hold_until_ms,
	};
	int r = 0;

	if (g->receipt_fd < 0)
		r = receipt_reopen(run->ledger, answered->token, true, &g->receipt_fd);
	if (r < 0)
		return r;
	g->token = answered->token;
	g->guards = true;
	request.receipt_fd = g->receipt_fd;
	if (!lock_set_is_held(&g->locks) && !names_courier(answered, run->courier.process) &&
	    (r = receipt_note_courier(g->receipt_fd, run->courier.process)) < 0)
		log_debug("the receipt cannot name its guard: %s", strerror(-r));
	return courier_hold(&run->courier, &request);
}

// Everything is locked and looked at: go on.
static void proceed(struct run *run, struct grant *g, const struct observation *o)
{
	const struct receipt *answered = answered_receipt(g, o);
	struct account *a = grant_sender(g, o);
	int r;

	note_results(run, g, o);
	if (answered && !a && run->courier.fd >= 0 && (r = hold_answer(run, g, answered)) < 0)
		log_debug("the courier cannot hold the receipt: %s", strerror(-r));
	r = persist_all(run, g, o);
	if (r < 0 && (a || !answered))
		return give_up(run, g, "ledger_not_writable", r,
			       "the ledger cannot be written, so nothing was sent");
	if (!a) {
		g->stage = GRANT_WRITING;
		g->try_at_ms = 0;
		return;
	}
	if (prove_writable(run, g, o))
		exchange_begin(run, g, o);
}

static bool courier_needed(const struct grant *g, const struct observation *o)
{
	return grant_sender(g, o) || answered_receipt(g, o);
}

// ---- the locks, all or none

static void wait_for_lock(struct run *run, struct grant *g, const char *code, const char *path,
			  char *message)
{
	free(g->busy_path);
	g->busy_path = xstrdup(path);
	try_later(run, g, code, message);
}

// The courier, whose pid the lock files will carry; then the endpoint, if nobody knows it yet: without a lock of OpenClaw's.
// True if the refresh locks are next.
static bool prepare(struct run *run, struct grant *g, const struct observation *o)
{
	const struct account *a = grant_sender(g, o);
	char *message;
	int r = 0;

	if (courier_needed(g, o) && run->courier.fd < 0)
		r = courier_start(run->config, &run->courier, &message);
	if (r < 0) { // an installation does not mend itself
		bool person = r == -ENOENT || r == -EBADMSG;
		grant_conclude(run, g, person ? OUTCOME_HELD : OUTCOME_FAILED, "courier", message);
		return false;
	}
	if (!a || a->provider->token_url || g->endpoint)
		return true;
	r = discovery_begin(run, g, a->provider);
	if (r < 0)
		give_up(run, g, "courier", r, "the courier takes no request");
	return false;
}

static void lock(struct run *run, struct grant *g, const struct observation *o)
{
	const struct receipt *answered = answered_receipt(g, o);
	const struct account *a = grant_sender(g, o);
	_cleanup_free_ char *store = NULL;
	int r;

	g->by_courier = courier_needed(g, o);
	g->hold_until_ms = clock_boot_ms() + HOLD_LIMIT_S * SECOND_MS;
	// First the receipt is handed over, only then the lock files come to name our courier.
	if (answered && !a && (r = hold_answer(run, g, answered)) < 0)
		return give_up(run, g, "courier", r, "the courier cannot hold the receipt");
	r = take_refresh_locks(g, o, g->by_courier ? run->courier.process : run->self, answered);
	if (r == -EBUSY)
		return wait_for_lock(run, g, "lock_busy", g->locks.busy_path,
				     describe_busy(&g->locks));
	if (r == -EPERM)
		return grant_conclude(run, g, OUTCOME_HELD, "lock_directory",
				      xstrdup("the lock directory is not safe"));
	if (r < 0)
		return give_up(run, g, "lock", r, "the refresh lock cannot be taken");
	store = a ? locked_store(g, o) : NULL;
	if (store)
		return wait_for_lock(run, g, "store_busy", store,
				     xasprintf("another process holds %s", store));
	g->stage = GRANT_CLAIMED;
}

// ---- the looks

// What a look leaves to do. False: nothing now, and the grant was concluded or put off.
static bool has_a_turn(struct run *run, struct grant *g, const struct observation *o)
{
	bool busy, work;

	if (!grant_complete(g, o)) {
		try_later(run, g, "changed", xstrdup("the accounts changed meanwhile"));
		return false;
	}
	work = grant_has_work(g, o, &busy);
	if (work && !busy)
		return true;
	if (work && g->stage != GRANT_CLAIMED)
		persist_all(run, g, o); // when a pending fence was first seen
	else
		note_results(run, g, o);
	if (busy)
		wait_for_others(run, g, o);
	else
		grant_release(run, g);
	return false;
}

static void look_and_lock(struct run *run, struct grant **grants, size_t n)
{
	struct observation o;
	int r = run_look(run, &o);

	for (size_t i = 0; i < n; i++) {
		struct grant *g = grants[i];
		if (r < 0)
			give_up(run, g, "stores", r, "the stores cannot be read again");
		else if (has_a_turn(run, g, &o) && prepare(run, g, &o))
			lock(run, g, &o);
	}
	if (r >= 0)
		observation_free(&o);
}

static void look_and_proceed(struct run *run, struct grant **grants, size_t n)
{
	struct observation o;
	int r = run_look(run, &o);

	for (size_t i = 0; i < n; i++) {
		struct grant *g = grants[i];
		if (g->stage != GRANT_CLAIMED)
			continue;
		if (r < 0)
			give_up(run, g, "stores", r, "the stores cannot be read again");
		else if (run_interrupted(run))
			grant_conclude(run, g, OUTCOME_FAILED, "interrupted",
				       xstrdup("interrupted before anything was sent"));
		else if (!has_a_turn(run, g, &o))
			continue;
		else if (courier_needed(g, &o) && !g->by_courier)
			try_later(run, g, "changed", xstrdup("the accounts changed meanwhile"));
		else
			proceed(run, g, &o);
	}
	if (r >= 0)
		observation_free(&o);
}

// ---- whose turn it is

// What was in the way still is. Once the time is over it is tried all the same: whoever holds it may be one of ours by now.
static bool still_busy(const struct run *run, const struct grant *g)
{
	struct process_id holder = {0};

	return g->busy_path && lock_file_holder(g->busy_path, &holder) != -ENOENT &&
	       (clock_boot_ms() < g->wait_until_ms || held_by_this_run(run, g, holder.pid));
}

// Our own locks. False: not now, or never.
static bool begin(struct run *run, struct grant *g)
{
	_cleanup_free_ char *message = NULL;
	int r;

	if (!g->wait_until_ms)
		g->wait_until_ms = clock_boot_ms() + run->wait_ms;
	if (still_busy(run, g)) {
		put_off(g);
		return false;
	}
	cleanup_free(&g->busy_path);
	r = g->account_locks ? 0 : lock_accounts(run, g, &message);
	if (r == -EBUSY)
		try_later(run, g, "account_busy", xstrdup("another run works on this account"));
	else if (r == -EPERM && message) // whoever may write it could keep us out
		grant_conclude(
			run, g, OUTCOME_HELD, "ledger_unreadable",
			xasprintf("%s: make it a file of your own: chown, chmod 600", message));
	else if (r < 0)
		give_up(run, g, "ledger_not_writable", r, "the account's lock cannot be taken");
	return r >= 0;
}

void claim_round(struct run *run, size_t room)
{
	_cleanup_free_ struct grant **grants = xcalloc(room, sizeof(*grants));
	bool locked = false;
	size_t n = 0;
	int r = ledger_create(run->ledger); // for its locks; a preview never comes here

	for (size_t i = 0; i < run->n_grants && n < room; i++) {
		struct grant *g = &run->grants[i];
		if (g->stage != GRANT_WAITING || g->try_at_ms > clock_boot_ms())
			continue;
		if (r < 0)
			give_up(run, g, "ledger_not_writable", r, run->ledger->directory);
		else if (begin(run, g))
			grants[n++] = g;
	}
	if (!n)
		return;
	run->cycle->cost.claims++;
	look_and_lock(run, grants, n);
	for (size_t i = 0; i < n; i++)
		locked |= grants[i]->stage == GRANT_CLAIMED;
	if (locked)
		look_and_proceed(run, grants, n);
}
