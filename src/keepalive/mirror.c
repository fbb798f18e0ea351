// SPDX-License-Identifier: MIT
//
// See mirror.h.
#include "keepalive/mirror.h"

#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "file/places.h"
#include "ledger/mark.h"

#define STORES_AT_ONCE	    64	// whose locks are held together, …
#define STORES_AT_ONCE_MS   250 // … and how long before the last of them is taken
#define READER_STAT_TIME_MS 20	// store.h, store_settle_mtime
#define PROGRESS_FROM	    500 // stores: so many take as long as a person may wonder

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

// ---- one store

struct swap {
	const struct mirror *m;
	const struct account *account;
	const struct member *member;
};

static bool may_overwrite(struct fingerprint standing, void *arg)
{
	const struct swap *swap = arg;

	if (swap->member->taken_from) // another identity's: what was looked at, and nothing else
		return fingerprint_equal(standing, swap->member->copy->credential.fingerprint);
	return record_knows(&swap->account->verdict.record, standing) ||
	       receipt_is_settled(swap->m->ledger, standing) ||
	       spent_is_noted(swap->m->ledger, standing);
}

// A copy without a refresh token: what the look saw, and judged to be the account's.
static bool may_overwrite_access(struct fingerprint standing, void *arg)
{
	const struct swap *swap = arg;
	const struct secret *seen = &swap->member->copy->credential.access;

	return fingerprint_equal(fingerprint_of(seen), standing);
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
		.lifetime_s = record->lifetime_s,
		.login_ends_ms = record->grant_expires_ms,
		.identity = &record->identity,
		.whole = swap->member->taken_from != NULL,
		.client_id = swap->member->client_id,
		.may_overwrite = may_overwrite,
		.may_overwrite_access = may_overwrite_access,
		.may_replace_fence = may_replace_fence,
		.arg = swap,
	};
}

// A login that stands there leaves this host (leave.c).
static struct store_change end_of(struct swap *swap)
{
	static const struct secret nothing = {.text = (char *)""};

	return (struct store_change){
		.profile = swap->account->verdict.record.profile,
		.provider = swap->account->verdict.record.provider,
		.access = &nothing,
		.refresh = &nothing,
		.id_token = &nothing,
		.logs_out = true,
		.may_overwrite = may_overwrite,
		.may_overwrite_access = may_overwrite_access,
		.arg = swap,
	};
}

// Drafts of runs that were killed: of the text and, mostly beside it, of the locks.
static void sweep(const struct store *store, const struct lock_set *set)
{
	_cleanup_free_ char *directory = path_dirname(store->target);

	atomic_sweep_all(directory);
	for (size_t i = 0; i < set->n; i++) {
		_cleanup_free_ char *other = path_dirname(set->files[i].path);
		if (!string_equal(other, directory))
			atomic_sweep(set->files[i].path);
	}
}

static int lock_store(struct mirror *m, const struct store *store, const struct lock_set *like,
		      struct lock_set *set)
{
	store_add_locks(store, set);
	set->like = like;
	sweep(store, set);
	// One of our own is there if it could not be removed: no reason to wait.
	return lock_set_acquire(set, m->self, &m->self, 1);
}

// A store whose lock is held.
struct held {
	struct job *job; // until it is in its place
	char *target;	 // … if it has a second mtime to come
	struct lock_set locks;
	struct atomic_stage own, *stage; // the proof, or its own
};

// Its new text, beside it; a database is written.
static int fill(struct mirror *m, struct held *held, struct places *places)
{
	struct staged *staged = find_staged(m, held->job->store->target);
	struct job *job = held->job;
	_cleanup_free_ struct store_change *changes = xcalloc(job->n, sizeof(*changes));
	_cleanup_free_ struct swap *swaps = xcalloc(job->n, sizeof(*swaps));
	int r;

	for (size_t i = 0; i < job->n; i++) {
		swaps[i] = (struct swap){m, job->changes[i].account, job->changes[i].member};
		changes[i] = job->logs_out ? end_of(&swaps[i]) : change_of(&swaps[i]);
	}
	held->stage = staged && staged->stage.temp ? &staged->stage : &held->own;
	r = store_fill(job->store, changes, job->n, held->stage, places);
	for (size_t i = 0; r >= 0 && i < job->n; i++)
		job->changes[i].written = changes[i].result == STORE_WRITTEN;
	return r;
}

// ---- batches

struct batch {
	struct held list[STORES_AT_ONCE];
	size_t n;
	struct atomic_stage *stages[STORES_AT_ONCE];
	int errors[STORES_AT_ONCE];
	bool placed; // all of them, but their directories are still to be made durable
	int64_t first_ms, placed_ms; // when the first was locked, the last in its place
	struct places places;	     // as they were found since
};

static void let_go(struct held *held)
{
	lock_set_free(&held->locks);
	atomic_abort(&held->own);
	cleanup_free(&held->target);
}

static void note_error(struct mirror *m, struct job *job, int error, int64_t began_ms)
{
	log_debug("%s: %s", job->store->path, strerror(-error));
	for (size_t i = 0; i < job->n; i++)
		job->changes[i].written = false;
	job->error = error;
	m->patience_ms -= clock_boot_ms() - began_ms; // a database waits a little by itself
}

// Lock it, and make the new text. What changes no file is over with that.
static void begin(struct mirror *m, struct job *job, struct batch *batch)
{
	struct held *held = &batch->list[batch->n];
	int64_t began_ms = clock_boot_ms();
	int r;

	*held = (struct held){.job = job, .own = ATOMIC_STAGE_NONE};
	job->error = 0;
	if (!batch->n)
		places_free(&batch->places);
	r = lock_store(m, job->store, batch->n ? &batch->list[0].locks : NULL, &held->locks);
	if (r >= 0)
		r = fill(m, held, &batch->places);
	if (r < 0)
		note_error(m, job, r, began_ms);
	if (r < 0 || !held->stage->filled)
		return let_go(held);
	if (batch->n++ == 0)
		batch->first_ms = began_ms;
}

// Each has a lock file open, its temp file and its directory, and those of the batch before their locks and directories.
static size_t stores_at_once(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 8 >= STORES_AT_ONCE)
		return STORES_AT_ONCE;
	return limit.rlim_cur >= 8 ? limit.rlim_cur / 8 : 1;
}

// Which is alone.
static bool is_mains(const struct batch *batch)
{
	return batch->n && batch->list[0].job->store->role == ROLE_MAIN;
}

static bool is_full(const struct batch *batch, size_t at_once)
{
	return batch->n == at_once || is_mains(batch) ||
	       (batch->n && clock_boot_ms() >= batch->first_ms + STORES_AT_ONCE_MS);
}

static struct atomic_batch stages_of(struct batch *batch, bool wanted)
{
	return (struct atomic_batch){
		.stages = batch->stages, .errors = batch->errors, .n = wanted ? batch->n : 0};
}

static void note_errors(struct mirror *m, struct batch *batch, int64_t began_ms)
{
	for (size_t i = 0; i < batch->n; i++)
		if (batch->errors[i] < 0 && !batch->list[i].job->error)
			note_error(m, batch->list[i].job, batch->errors[i], began_ms);
}

// Its texts durable, and in their places; and with them what is still to be done for the batch before.
static void place(struct mirror *m, struct batch *batch, struct batch *before)
{
	const struct atomic_batch last = stages_of(before, before->placed);
	int64_t began_ms = clock_boot_ms();

	for (size_t i = 0; i < batch->n; i++) {
		batch->stages[i] = batch->list[i].stage;
		batch->errors[i] = 0;
	}
	const struct atomic_batch now = stages_of(batch, true);
	atomic_place_after(&now, &last);
	if (before->placed)
		note_errors(m, before, began_ms);
	before->placed = false;
	note_errors(m, batch, began_ms);
	for (size_t i = 0; i < batch->n; i++)
		if (!batch->errors[i] && store_is_cached(batch->list[i].job->store))
			batch->list[i].target = xstrdup(batch->list[i].job->store->target);
	batch->placed = true;
	batch->placed_ms = clock_boot_ms();
}

// … and of the last one.
static void make_durable(struct mirror *m, struct batch *batch)
{
	const struct atomic_batch last = stages_of(batch, batch->placed);
	int64_t began_ms = clock_boot_ms();

	if (!batch->placed)
		return;
	batch->placed = false;
	atomic_place_after(NULL, &last);
	note_errors(m, batch, began_ms);
}

static int64_t settle_at(const struct batch *batch)
{
	return batch->n ? batch->placed_ms + READER_STAT_TIME_MS + 1 : INT64_MAX;
}

// The second mtime, and let go.
static void settle(struct batch *batch)
{
	int64_t left_ms = settle_at(batch) - clock_boot_ms();

	if (batch->n && left_ms > 0)
		nanosleep(&(struct timespec){.tv_nsec = left_ms * 1000000}, NULL);
	for (size_t i = 0; i < batch->n; i++) {
		if (batch->list[i].target)
			store_settle_mtime(batch->list[i].target);
		let_go(&batch->list[i]);
	}
	places_free(&batch->places);
	batch->n = 0;
}

// Who has held refresh locks for almost as long as they may be held waits for the next run. False if nobody is left.
static bool drop_overdue(struct job *job)
{
	int64_t now = clock_boot_ms();
	size_t n = 0, before = job->n;

	for (size_t i = 0; i < job->n; i++)
		if (now < job->changes[i].until_ms)
			job->changes[n++] = job->changes[i];
	job->n = n;
	return n || !before;
}

void mirror_write(struct mirror *m, struct job *jobs, size_t n)
{
	const size_t at_once = stores_at_once();

	if (n && !m->batches)
		m->batches = xcalloc(2, sizeof(*m->batches));
	for (size_t i = 0; i < n; m->turn = !m->turn) {
		struct batch *batch = &m->batches[m->turn];
		for (; i < n && !is_full(batch, at_once); i++)
			if (drop_overdue(&jobs[i]))
				begin(m, &jobs[i], batch);
		place(m, batch, &m->batches[!m->turn]);
		settle(&m->batches[!m->turn]);
		if (i == n || is_mains(batch))
			make_durable(m, batch);
		if (n >= PROGRESS_FROM)
			log_progress("%zu of %zu stores written", i, n);
	}
	log_progress_end();
}

int64_t mirror_settle_at(const struct mirror *m)
{
	return m->batches ? settle_at(&m->batches[!m->turn]) : INT64_MAX;
}

void mirror_settle(struct mirror *m)
{
	if (m->batches)
		settle(&m->batches[!m->turn]);
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
	mirror_settle(m);
	free(TAKE_PTR(m->batches));
}
