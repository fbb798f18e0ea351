// SPDX-License-Identifier: MIT
//
// See persist.h.
#include "keepalive/persist.h"

#include "keepalive/hosts.h"
#include "ledger/mark.h"

// What could not be kept first is not overwritten.
static void spare_copies(struct account *a, struct fingerprint token)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (fingerprint_equal(a->members[i].copy->credential.fingerprint, token))
			a->verdict.copies[i].write = false;
}

static int keep_displaced(struct run *run, struct account *a)
{
	int result = 0;

	for (size_t i = 0; i < a->verdict.n_displaced; i++) {
		const struct displaced *d = &a->verdict.displaced[i];
		int r = d->key ? displaced_keep_of_copy(run->ledger, d->key, &d->credential,
							d->store, d->why, run->policy.now_ms)
			       : displaced_keep(run->ledger, a->record.key, &d->credential,
						d->store, d->why, run->policy.now_ms);
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

// One that was claimed alone may as well go in the next run; an answer must not be judged twice.
static int drop_receipt(struct run *run, const struct account *a, struct fingerprint token)
{
	for (size_t i = 0; i < a->n_receipts; i++) {
		const struct receipt *r = a->receipts[i];
		if (fingerprint_equal(r->token, token) && !hosts_withdraw(run, r) &&
		    r->state == RECEIPT_CLAIMED)
			return 0;
	}
	return receipt_remove(run->ledger, token);
}

static int account_persist(struct run *run, struct account *a)
{
	int64_t now = run->policy.now_ms;
	int r = keep_displaced(run, a);

	for (size_t i = 0; r >= 0 && i < a->verdict.n_take_back; i++)
		r = mark_take_back(run->ledger, a->verdict.take_back[i]);
	if (r >= 0 && a->verdict.record_changed)
		r = account_record_save(run->ledger, &a->verdict.record, now);
	for (size_t i = 0; r >= 0 && i < a->verdict.n_settle; i++)
		if (!receipt_cannot_be_read(a, a->verdict.settle[i]))
			r = receipt_settle(run->ledger, a->verdict.settle[i]);
	for (size_t i = 0; r >= 0 && i < a->verdict.n_drop; i++)
		r = drop_receipt(run, a, a->verdict.drop[i]);
	if (r >= 0)
		result_note_displaced(results_find(run->results, a->record.key), a, run->ledger);
	return r;
}

// In which order the accounts of a grant are saved: a record that moves to another key before its old place is taken,
// and who follows another name's generation after that one's.
static int turn_of(const struct account *a)
{
	return a->renamed_from[0] ? 0 : a->verdict.follows ? 2 : 1;
}

// Nothing was sent: back off.
static void note_refusal(struct run *run, struct grant *g, const struct observation *o)
{
	struct account *a;

	for_each_account (a, g, o) {
		record_failure(&a->verdict.record, g->refusal, 0, -1, run->policy.now_ms);
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

// Another account may still be waiting for what this receipt says; not one that no store holds any more, nor one in a state
// directory that cannot be read, which follows the others once it can.
static bool is_live_elsewhere(const struct observation *o, struct fingerprint token,
			      const struct account *but)
{
	for_each_found (found, &o->ties, hash_token(token)) {
		const struct account *a = o->accounts[found->at];
		if (a != but && !a->skip && !a->verdict.record.dead_code[0] &&
		    !observation_bars(o, a) &&
		    fingerprint_equal(a->verdict.record.live.fingerprint, token))
			return true;
	}
	return false;
}

void grant_add_closed(const struct grant *g, const struct observation *o,
		      struct fingerprint **tokens, size_t *n)
{
	const struct account *a;

	if (!g->saved)
		return;
	for_each_account (a, g, o)
		for (size_t i = 0; i < a->verdict.n_close; i++)
			if (!is_live_elsewhere(o, a->verdict.close[i], a))
				*array_add(tokens, n) = a->verdict.close[i];
}
