// SPDX-License-Identifier: MIT
//
// See mirror.h.
#include "keepalive/mirror.h"

#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "ledger/mark.h"

#define STORES_AT_ONCE_MS   250 // how long they are held before the last of them is taken
#define READER_STAT_TIME_MS 20	// store.h, store_settle_mtime

// ---- proofs

struct staged {
	char *target;
	struct atomic_stage stage;
};

static struct staged *find_staged(struct mirror *m, const char *target)
{
	for (size_t i = 0; i < m->n_staged; i++)
		if (string_equal(m->staged[i].target, target))
			return &m->staged[i];
	return NULL;
}

int mirror_prove(struct mirror *m, const struct store *store)
{
	struct staged *staged = find_staged(m, store->target);
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	int r;

	if (staged && staged->stage.temp)
		return 0;
	atomic_sweep(store->target);
	r = store_stage(store, &stage);
	if (r < 0)
		return r;
	if (!staged) {
		staged = array_add(&m->staged, &m->n_staged);
		staged->target = xstrdup(store->target);
		staged->stage = ATOMIC_STAGE_NONE;
	}
	atomic_abort(&staged->stage);
	staged->stage = stage;
	return 0;
}

void mirror_free(struct mirror *m)
{
	for (size_t i = 0; i < m->n_staged; i++) {
		atomic_abort(&m->staged[i].stage);
		free(m->staged[i].target);
	}
	free(m->staged);
	m->staged = NULL;
	m->n_staged = 0;
}

// ---- one store

struct swap {
	const struct mirror *m;
	const struct account *account;
};

static bool may_overwrite(struct fingerprint standing, void *arg)
{
	const struct swap *swap = arg;

	return record_knows(&swap->account->verdict.record, standing) ||
	       receipt_is_settled(swap->m->ledger, standing) ||
	       spent_is_noted(swap->m->ledger, standing);
}

static bool may_replace_fence(const struct fence *standing, void *arg)
{
	const struct swap *swap = arg;

	return record_knows_fence(&swap->account->verdict.record, standing->digest) &&
	       !fence_is_young(&swap->account->verdict.record, standing, swap->m->policy);
}

static struct store_change change_of(struct swap *swap)
{
	const struct account_record *record = &swap->account->verdict.record;

	return (struct store_change){
		.profile = record->profile,
		.provider = record->provider,
		.access = &record->live.access,
		.refresh = &record->live.refresh,
		.id_token = secret_empty(&record->live.id_token) ? NULL : &record->live.id_token,
		.expires_ms = record->live.expires_ms,
		.identity = &record->identity,
		.may_overwrite = may_overwrite,
		.may_replace_fence = may_replace_fence,
		.arg = swap,
	};
}

static int write_under_lock(struct mirror *m, const struct job *job, bool *ret_written)
{
	struct staged *staged = find_staged(m, job->store->target);
	_cleanup_free_ struct store_change *changes = xcalloc(job->n, sizeof(*changes));
	_cleanup_free_ struct swap *swaps = xcalloc(job->n, sizeof(*swaps));
	int r;

	for (size_t i = 0; i < job->n; i++) {
		swaps[i] = (struct swap){m, job->changes[i].account};
		changes[i] = change_of(&swaps[i]);
	}
	if (!staged || !staged->stage.temp)
		atomic_sweep(job->store->target);
	r = store_write(job->store, changes, job->n,
			staged && staged->stage.temp ? &staged->stage : NULL);
	for (size_t i = 0; r >= 0 && i < job->n; i++)
		*ret_written |= job->changes[i].written = changes[i].result == STORE_WRITTEN;
	return r;
}

static int lock_store(struct mirror *m, const struct store *store, struct lock_set *set)
{
	store_add_locks(store, set);
	for (size_t i = 0; i < set->n; i++)
		atomic_sweep(set->files[i].path); // drafts of runs that were killed
	// One of our own is there if it could not be removed: no reason to wait.
	return lock_set_acquire(set, m->self, &m->self, 1);
}

// ---- several, with one wait

void mirror_settle(struct batch *batch)
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

int mirror_write(struct mirror *m, const struct job *job, struct batch *batch)
{
	const struct store *store = job->store;
	struct lock_set set = LOCK_SET_NONE;
	int64_t locked_ms = clock_boot_ms();
	bool written = false;
	int r = lock_store(m, store, &set);

	if (r >= 0)
		r = write_under_lock(m, job, &written);
	if (r < 0) { // a database waits a little by itself
		log_debug("%s: %s", store->path, strerror(-r));
		m->patience_ms -= clock_boot_ms() - locked_ms;
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
		mirror_settle(batch);
	return r;
}

bool mirror_finish_interrupted(struct mirror *m, const struct observation *o)
{
	struct batch batch = {0};
	bool any = false;

	for (size_t i = 0; !o->barred && i < o->stores.n; i++) {
		const struct job nothing = {.store = &o->stores.list[i]};
		if (nothing.store->interrupted && nothing.store->state == STORE_OK)
			any |= mirror_write(m, &nothing, &batch) >= 0;
	}
	return any;
}
