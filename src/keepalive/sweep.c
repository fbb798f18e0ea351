// SPDX-License-Identifier: MIT
//
// See sweep.h.
#include "keepalive/sweep.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "file/atomic_file.h"

#define RECORD_KEEP_MS (30 * DAY_S * SECOND_MS)

static bool all_is_read(const struct observation *o)
{
	for (size_t i = 0; i < o->stores.n; i++)
		if (store_is_unread(&o->stores.list[i]))
			return false;
	return true;
}

// OpenClaw's main store, where it may have come back, is there to be looked at.
static bool main_is_seen(const struct observation *o, const struct account *a)
{
	for (size_t i = 0; i < o->stores.n; i++) {
		const struct store *store = &o->stores.list[i];
		if (store_is_of(store, a->dir) && store->state == STORE_OK && !store->served &&
		    (store->role == ROLE_MAIN || store->role == ROLE_SHARED))
			return true;
	}
	return false;
}

// When it was over; 0: it is not. Its tokens are gone then, or no use: dead, or those of another account, too.
static int64_t over_ms(const struct observation *o, const struct account *a)
{
	const struct account_record *r = &a->verdict.record;

	if (a->left && !r->ended_ms)
		return r->updated_ms;
	return secret_empty(&r->live.refresh) && secret_empty(&r->live.access) && main_is_seen(o, a)
		       ? r->ended_ms
		       : 0;
}

// (What vanished without a logout that was seen is no such account: that is kept until a person says `forget`.)
static bool is_long_gone(const struct observation *o, const struct account *a, int64_t now_ms)
{
	const struct account_record *r = &a->verdict.record;
	int64_t over = over_ms(o, a);

	return a->recorded && !r->unreadable && over && !a->verdict.clock_wrong &&
	       !a->main_trouble && !a->n_members && !a->n_receipts && !a->n_elsewhere &&
	       now_ms - over > RECORD_KEEP_MS && all_is_read(o) && !observation_bars(o, a);
}

static void forget_if_gone(const struct config *config, const struct policy *policy,
			   struct ledger *ledger, char *key)
{
	_cleanup_close_ int lock = -1;
	_cleanup_free_ char *message = NULL;
	struct holdings holdings = {.keys = &key, .n_keys = 1};
	struct observation o;

	if (account_lock(ledger, key, &lock, &message) < 0 ||
	    observe(config, policy, ledger, &holdings, &o) < 0)
		return;
	const struct account *a = observation_account(&o, key);
	if (a && is_long_gone(&o, a, policy->now_ms) && account_record_remove(ledger, key) >= 0)
		log_debug("forgotten: a login that was over 30 days ago, and that no store holds");
	observation_free(&o);
}

// One a run, since each takes a look of its own.
static void forget_one(const struct config *config, const struct policy *policy,
		       struct ledger *ledger, const struct observation *o)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		char key[sizeof(a->record.key)];
		if (!is_long_gone(o, a, policy->now_ms))
			continue;
		memcpy(key, a->record.key, sizeof(key));
		return forget_if_gone(config, policy, ledger, key);
	}
}

// A login that is held, dead, or made anew in this very store: it may be hours until something is written there.
static bool may_stay_unwritten(const struct account *a)
{
	enum decision decision = a->verdict.decision;

	return decision == DECISION_HOLD || decision == DECISION_LOGIN ||
	       decision == DECISION_ADOPT;
}

void sweep_drafts(const struct observation *o)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		if (!may_stay_unwritten(a) || observation_bars(o, a))
			continue;
		for (size_t k = 0; k < a->n_members; k++)
			atomic_sweep(a->members[k].store->target);
	}
}

void sweep_locks(const struct observation *o)
{
	for (size_t i = 0; i < o->stores.n; i++) {
		const struct store *store = &o->stores.list[i];
		struct lock_set set = LOCK_SET_NONE;
		for (size_t k = 0; k < store->n_external; k++)
			store_add_refresh_locks(store, store->external[k], &set);
		if (store->n_external)
			store_add_locks(store, &set);
		lock_set_drop_dead(&set);
		lock_set_free(&set);
	}
}

// Not by a clock that what the ledger knew before this run does not bear out.
static bool may_sweep(const struct ledger *ledger, const struct observation *o)
{
	return ledger->exists && o->clock_supported;
}

void sweep_records(const struct config *config, const struct policy *policy, struct ledger *ledger,
		   const struct observation *o)
{
	if (may_sweep(ledger, o))
		forget_one(config, policy, ledger, o);
}

void sweep(const struct config *config, const struct policy *policy, struct ledger *ledger,
	   const struct observation *o)
{
	if (!may_sweep(ledger, o))
		return;
	displaced_sweep(ledger, policy->now_ms);
	receipts_sweep(ledger, policy->now_ms);
	forget_one(config, policy, ledger, o);
}
