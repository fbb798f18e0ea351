// SPDX-License-Identifier: MIT
//
// Claim: all the locks of a grant, or none; look again; make durable what was decided (steps 1 to 4).
//
// Our own account locks come first, so that of twenty runs started at once one starts a courier and the others wait
// without one. OpenClaw's lock files are only ever tried, never waited for while anything of OpenClaw's is held.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "keepalive/run.h"

#define TRY_AGAIN_MS 40

// Another grant of this run has it (two people's logins under one profile id have the same lock names). It is not waited
// for as others are: it ends by itself, within its hold limit.
static bool held_by_this_run(const struct run *run, const struct grant *g)
{
	pid_t owner = g->locks.busy_owner.pid;
	bool ours = owner && (owner == run->self.pid ||
			      (run->courier.fd >= 0 && owner == run->courier.process.pid));

	for (size_t i = 0; ours && i < run->n_grants; i++)
		if (run->grants[i].stage == GRANT_EXCHANGING ||
		    run->grants[i].stage == GRANT_WRITING)
			return true;
	return false;
}

static void try_later(struct run *run, struct grant *g, const char *code, char *message)
{
	int64_t now = clock_boot_ms();

	if (now >= g->wait_until_ms && !held_by_this_run(run, g)) {
		grant_conclude(run, g, OUTCOME_BUSY, code, message);
		return;
	}
	free(message);
	grant_release(g);
	g->stage = GRANT_WAITING;
	g->try_at_ms = now + TRY_AGAIN_MS + (int64_t)g->id % 7; // not all in step
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

static bool grant_has_work(const struct grant *g, struct observation *o, bool *ret_busy)
{
	bool work = false;

	*ret_busy = false;
	for (size_t i = 0; i < g->n_keys; i++) {
		struct account *a = observation_account(o, g->keys[i]);
		if (!a)
			continue;
		work |= account_has_work(a);
		*ret_busy |= a->outcome == OUTCOME_BUSY;
	}
	return work;
}

// Somebody else is at work.
static void wait_for_others(struct run *run, struct grant *g, struct observation *o)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		const struct account *a = observation_account(o, g->keys[i]);
		if (a && a->outcome == OUTCOME_BUSY)
			return try_later(run, g, a->code, xstrdup(a->reason));
	}
}

// The account whose token is to be sent; any of the grant's will do, they share it.
static struct account *sender(const struct grant *g, struct observation *o)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		struct account *a = observation_account(o, g->keys[i]);
		if (a && a->send)
			return a;
	}
	return NULL;
}

static const struct receipt *answered_receipt(const struct grant *g, struct observation *o)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		struct account *a = observation_account(o, g->keys[i]);
		for (size_t k = 0; a && k < a->n_receipts; k++)
			if (a->receipts[k]->state == RECEIPT_ANSWERED)
				return a->receipts[k];
	}
	return NULL;
}

static void note_results(struct run *run, const struct grant *g, struct observation *o)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		struct account *a = observation_account(o, g->keys[i]);
		struct result *result = run_result(run, g->keys[i]);
		if (!a || !result)
			continue;
		result->decision = a->decision;
		free(result->reason);
		result->reason = xstrdup(a->reason);
		result_conclude(result, a->outcome, NULL, 0, NULL);
		if (a->code)
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

static int take_refresh_locks(struct grant *g, struct observation *o, struct process_id owner,
			      const struct receipt *answered)
{
	_cleanup_free_ char *message = NULL, *fix = NULL;
	int r = lock_directory_check(o->stores.state_dir, true, &message, &fix);

	if (r < 0)
		return r;
	for (size_t i = 0; i < g->n_keys; i++) {
		const struct account *a = observation_account(o, g->keys[i]);
		if (a)
			account_add_refresh_locks(a, o->stores.state_dir, &g->locks);
		if (a && a->send)
			add_locks_elsewhere(g, o, a);
	}
	for (size_t i = 0; i < g->locks.n; i++)
		atomic_sweep(g->locks.files[i].path); // drafts of runs that were killed
	return lock_set_acquire(&g->locks, owner, answered ? answered->couriers : NULL,
				answered ? answered->n_couriers : 0);
}

// 2026.4.5 has no refresh lock: it refreshes under the store's. A live one of anybody is waited for.
static bool store_is_locked(const struct grant *g, struct observation *o, const char **ret_store)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		const struct account *a = observation_account(o, g->keys[i]);
		for (size_t k = 0; a && k < a->n_members; k++) {
			const struct store *store = a->members[k].store;
			for (size_t n = 0; n < store->n_names; n++) {
				_cleanup_free_ char *path = xasprintf("%s.lock", store->names[n]);
				struct process_id holder;
				if (lock_file_holder(path, &holder) != -ENOENT) {
					*ret_store = store->path;
					return true;
				}
			}
		}
	}
	return false;
}

static char *describe_busy(const struct lock_set *set)
{
	if (set->busy_owner.pid)
		return xasprintf("process %d holds %s", (int)set->busy_owner.pid, set->busy_path);
	return xasprintf("somebody holds %s", set->busy_path ? set->busy_path : "a lock");
}

static int persist_all(struct run *run, struct grant *g, struct observation *o)
{
	int r = ledger_create(run->ledger);

	if (r >= 0)
		r = ledger_claim_owner(run->ledger, o->stores.state_dir);
	if (r >= 0)
		r = grant_persist(run, g, o);
	g->saved = r >= 0;
	return r;
}

static bool prove_writable(struct run *run, struct grant *g, struct observation *o)
{
	for (size_t i = 0; i < g->n_keys; i++) {
		const struct account *a = observation_account(o, g->keys[i]);
		for (size_t k = 0; a && k < a->n_members; k++) {
			const struct member *m = &a->members[k];
			int r;
			if (m->fixed || (m != a->main && m->store->role != ROLE_EXTERNAL))
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
static void proceed(struct run *run, struct grant *g, struct observation *o)
{
	const struct receipt *answered = answered_receipt(g, o);
	struct account *a = sender(g, o);
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

static bool courier_needed(const struct grant *g, struct observation *o)
{
	return sender(g, o) || answered_receipt(g, o);
}

static void claim_locked(struct run *run, struct grant *g, struct observation *o)
{
	const struct receipt *answered = answered_receipt(g, o);
	const struct account *a = sender(g, o);
	struct process_id owner = run->self;
	const char *store;
	int r;

	if (courier_needed(g, o)) {
		char *message;
		if (run->courier.fd < 0 && courier_start(run->config, &run->courier, &message) < 0)
			return grant_conclude(run, g, OUTCOME_FAILED, "courier", message);
		owner = run->courier.process;
	}
	if (a && !a->provider->token_url && !g->endpoint) {
		r = discovery_begin(run, g, a->provider);
		if (r < 0)
			give_up(run, g, "courier", r, "the courier takes no request");
		return;
	}
	g->hold_until_ms = clock_boot_ms() + HOLD_LIMIT_S * SECOND_MS;
	// First the receipt is handed over, only then the lock files come to name our courier.
	if (answered && !a && (r = hold_answer(run, g, answered)) < 0)
		return give_up(run, g, "courier", r, "the courier cannot hold the receipt");
	r = take_refresh_locks(g, o, owner, answered);
	if (r == -EBUSY)
		return try_later(run, g, "lock_busy", describe_busy(&g->locks));
	if (r == -EPERM)
		return grant_conclude(run, g, OUTCOME_HELD, "lock_directory",
				      xstrdup("the lock directory is not safe"));
	if (r < 0)
		return give_up(run, g, "lock", r, "the refresh lock cannot be taken");
	if (a && store_is_locked(g, o, &store))
		return try_later(run, g, "store_busy",
				 xasprintf("%s is locked by another process", store));

	struct observation again;
	bool busy;
	r = run_look(run, &again);
	if (r < 0)
		return give_up(run, g, "stores", r, "the stores cannot be read again");
	if (!grant_complete(g, &again)) {
		try_later(run, g, "changed", xstrdup("the accounts changed meanwhile"));
	} else if (!grant_has_work(g, &again, &busy) || busy) {
		note_results(run, g, &again);
		if (busy)
			wait_for_others(run, g, &again);
		else
			grant_release(g);
	} else if (courier_needed(g, &again) && owner.pid == run->self.pid) {
		try_later(run, g, "changed", xstrdup("the accounts changed meanwhile"));
	} else {
		proceed(run, g, &again);
	}
	observation_free(&again);
}

void grant_claim(struct run *run, struct grant *g)
{
	_cleanup_free_ char *message = NULL;
	struct observation o;
	bool busy;
	int r;

	// The ledger's directory must be there for its locks; a preview never comes here.
	r = ledger_create(run->ledger);
	if (r < 0)
		return give_up(run, g, "ledger_not_writable", r, run->ledger->directory);
	if (!g->account_locks) {
		r = lock_accounts(run, g, &message);
		if (r == -EBUSY)
			return try_later(run, g, "account_busy",
					 xstrdup("another run works on this account"));
		if (r == -EPERM && message) // whoever may write it could keep us out
			return grant_conclude(
				run, g, OUTCOME_HELD, "ledger_unreadable",
				xasprintf("%s: make it a file of your own: chown, chmod 600",
					  message));
		if (r < 0)
			return give_up(run, g, "ledger_not_writable", r,
				       "the account's lock cannot be taken");
	}
	r = run_look(run, &o);
	if (r < 0)
		return give_up(run, g, "stores", r, "the stores cannot be read again");
	if (!grant_complete(g, &o)) {
		try_later(run, g, "changed", xstrdup("the accounts changed meanwhile"));
	} else if (!grant_has_work(g, &o, &busy)) {
		note_results(run, g, &o);
		if (busy)
			wait_for_others(run, g, &o);
		else
			grant_release(g);
	} else if (busy) {
		persist_all(run, g, &o); // when a pending fence was first seen
		wait_for_others(run, g, &o);
	} else {
		claim_locked(run, g, &o);
	}
	observation_free(&o);
}
