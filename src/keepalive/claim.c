// SPDX-License-Identifier: MIT
//
// See claim.h.
#include "keepalive/claim.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "keepalive/exchange.h"
#include "keepalive/hosts.h"
#include "keepalive/locks.h"
#include "keepalive/mirror.h"
#include "keepalive/persist.h"

#define ROUND_MS (10 * SECOND_MS) // that one part of a round of claims may take

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
			return locks_try_later(run, g, a->verdict.code, xstrdup(a->verdict.reason));
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

static bool courier_needed(const struct grant *g, const struct observation *o)
{
	return grant_sender(g, o) || answered_receipt(g, o);
}

static void note_decisions(struct run *run, const struct grant *g, const struct observation *o)
{
	const struct account *a;

	for_each_account (a, g, o)
		result_decide(results_find(run->results, a->record.key), a);
}

// ---- everything is locked and looked at: go on

static int persist_all(struct run *run, struct grant *g, const struct observation *o)
{
	const struct account *a;
	int r = ledger_create(run->ledger);

	for_each_account (a, g, o) {
		size_t n = 0;
		_cleanup_free_ const struct state_dir **dirs = account_dirs(a, &n);
		for (size_t i = 0; r >= 0 && i < n; i++)
			r = ledger_claim_owner(run->ledger, dirs[i]->path);
	}
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
			r = mirror_prove(&run->mirror, m->store);
			if (r == -EBUSY) {
				locks_try_later(run, g, "store_busy",
						xasprintf("%s is locked by another process",
							  m->store->path));
				return false;
			}
			if (r < 0) {
				grant_conclude(
					&run->grants, g, OUTCOME_FAILED, "store_not_writable",
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

static void proceed(struct run *run, struct grant *g, const struct observation *o)
{
	const struct receipt *answered = answered_receipt(g, o);
	struct account *a = grant_sender(g, o);
	int r;

	note_decisions(run, g, o);
	if (answered && !a && run->courier.fd >= 0 && (r = hold_answer(run, g, answered)) < 0)
		log_debug("the courier cannot hold the receipt: %s", strerror(-r));
	r = persist_all(run, g, o);
	if (r < 0 && (a || !answered))
		return grant_give_up(&run->grants, g, "ledger_not_writable", r,
				     "the ledger cannot be written, so nothing was sent");
	if (!a) {
		g->stage = GRANT_WRITING;
		g->try_at_ms = 0;
		return;
	}
	grant_keep_to(g, o, a);
	if (!hosts_may_send(run, g, o))
		return locks_try_later(run, g, "cluster_busy",
				       xstrdup("the cluster has to know it first"));
	if (prove_writable(run, g, o))
		exchange_begin(run, g, o);
}

// ---- the locks, all or none

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
		grant_conclude(&run->grants, g, person ? OUTCOME_HELD : OUTCOME_FAILED, "courier",
			       message);
		return false;
	}
	if (!hosts_lock(run, g, o))
		return false;
	if (!a || a->provider->token_url || g->endpoint)
		return true;
	r = exchange_discover(run, g, a->provider);
	if (r < 0)
		grant_give_up(&run->grants, g, "courier", r,
			      "the courier does not accept the request");
	return false;
}

static void lock(struct run *run, struct grant *g, const struct observation *o)
{
	const struct receipt *answered = answered_receipt(g, o);
	int r = 0;

	g->by_courier = courier_needed(g, o);
	g->hold_until_ms = clock_boot_ms() + HOLD_LIMIT_S * SECOND_MS;
	// First the receipt is handed over, only then the lock files come to name our courier.
	if (answered && !grant_sender(g, o))
		r = hold_answer(run, g, answered);
	if (r < 0)
		grant_give_up(&run->grants, g, "courier", r, "the courier cannot hold the receipt");
	else if (locks_take(run, g, o, answered))
		g->stage = GRANT_CLAIMED;
}

// ---- the looks

// What a look leaves to do. False: nothing now, and the grant was concluded or put off.
// Logins that are new to the ledger, with nothing to be sent, written, displaced or marked: our own lock is enough to note
// them, and a hundred people's logins under one profile id, which all have one lock of OpenClaw's, need not queue for it.
static bool is_only_noted(const struct grant *g, const struct observation *o)
{
	const struct account *a;

	for_each_account (a, g, o) {
		const struct verdict *v = &a->verdict;
		if (a->recorded || a->handed || v->send || v->publish || v->n_displaced ||
		    v->n_take_back || v->n_settle || v->n_drop || v->n_close ||
		    a->renamed_from[0] || a->n_receipts || account_has_writes(a))
			return false;
	}
	return true;
}

static void note_only(struct run *run, struct grant *g, const struct observation *o)
{
	int r = persist_all(run, g, o);

	note_decisions(run, g, o);
	if (r < 0)
		grant_give_up(&run->grants, g, "ledger_not_writable", r,
			      "the ledger cannot be written, so nothing was sent");
	else
		grant_release(&run->grants, g);
}

static bool has_a_turn(struct run *run, struct grant *g, const struct observation *o)
{
	bool busy, work;

	if (!grant_complete(g, o)) {
		locks_try_later(run, g, "changed", xstrdup("the accounts changed during the run"));
		return false;
	}
	work = grant_has_work(g, o, &busy);
	if (work && !busy && g->stage != GRANT_CLAIMED && is_only_noted(g, o)) {
		note_only(run, g, o);
		return false;
	}
	if (work && !busy)
		return true;
	if (work && g->stage != GRANT_CLAIMED)
		persist_all(run, g, o); // when a pending fence was first seen
	else
		note_decisions(run, g, o);
	if (busy)
		wait_for_others(run, g, o);
	else
		grant_release(&run->grants, g);
	return false;
}

// A slow disk, and hundreds that are due: who was locked first is not to wait for the last. The rest are claimed next time.
static bool takes_too_long(struct run *run, struct grant *g, int64_t began_ms)
{
	if (clock_boot_ms() < began_ms + ROUND_MS)
		return false;
	grant_release(&run->grants, g);
	g->stage = GRANT_WAITING;
	g->try_at_ms = 0;
	return true;
}

static void look_and_lock(struct run *run, struct grant **grants, size_t n)
{
	struct observation o;
	int r = run_look(run, &o);
	int64_t began_ms = clock_boot_ms();

	for (size_t i = 0; i < n; i++) {
		struct grant *g = grants[i];
		if (i > 0 && takes_too_long(run, g, began_ms))
			continue;
		if (r < 0)
			grant_give_up(&run->grants, g, "stores", r,
				      "the stores cannot be read again");
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
	int64_t began_ms = clock_boot_ms();

	for (size_t i = 0; i < n; i++) {
		struct grant *g = grants[i];
		if (g->stage != GRANT_CLAIMED || (i > 0 && takes_too_long(run, g, began_ms)))
			continue;
		if (r < 0)
			grant_give_up(&run->grants, g, "stores", r,
				      "the stores cannot be read again");
		else if (signals_came(run->signals))
			grant_conclude(&run->grants, g, OUTCOME_FAILED, "interrupted",
				       xstrdup("interrupted before anything was sent"));
		else if (!has_a_turn(run, g, &o))
			continue;
		else if (courier_needed(g, &o) && !g->by_courier)
			locks_try_later(run, g, "changed",
					xstrdup("the accounts changed during the run"));
		else
			proceed(run, g, &o);
	}
	if (r >= 0)
		observation_free(&o);
}

void claim_round(struct run *run, size_t room)
{
	_cleanup_free_ struct grant **grants = xcalloc(room, sizeof(*grants));
	bool locked = false;
	size_t n = 0;
	int r = ledger_create(run->ledger); // for its locks; a preview never comes here
	struct grant *g;

	for_each_grant (g, &run->grants) {
		if (n == room || g->stage != GRANT_WAITING || g->try_at_ms > clock_boot_ms())
			continue;
		if (r < 0)
			grant_give_up(&run->grants, g, "ledger_not_writable", r,
				      run->ledger->directory);
		else if (locks_begin(run, g))
			grants[n++] = g;
	}
	if (!n)
		return;
	run->claims++;
	hosts_look_again(run);
	look_and_lock(run, grants, n);
	for (size_t i = 0; i < n; i++)
		locked |= grants[i]->stage == GRANT_CLAIMED;
	if (locked)
		look_and_proceed(run, grants, n);
	grants_part(&run->grants);
}
