// SPDX-License-Identifier: MIT
//
// See locks.h.
#include "keepalive/locks.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

#define PAUSE_FIRST_MS 40
#define PAUSE_LAST_MS  1000

// ---- not now

// Another grant of this run has it (two people's logins under one profile id have the same lock names). It is not waited
// for as others are: it ends by itself, within its hold limit.
static bool held_by_this_run(const struct run *run, const struct grant *g, pid_t owner)
{
	bool ours = owner && (owner == run->self.pid ||
			      (run->courier.fd >= 0 && owner == run->courier.process.pid));
	const struct grant *other;

	for_each_grant (other, &run->grants)
		if (ours && other->locked_ms && other != g)
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

void locks_try_later(struct run *run, struct grant *g, const char *code, char *message)
{
	bool own = held_by_this_run(run, g, g->locks.busy_owner.pid);

	if (clock_boot_ms() >= g->wait_until_ms && !own) {
		grant_conclude(&run->grants, g, OUTCOME_BUSY, code, message);
		return;
	}
	if (!own && !g->pause_ms)
		log_debug("waits: %s", message);
	free(message);
	grant_release(&run->grants, g);
	g->stage = GRANT_WAITING;
	if (own)
		g->pause_ms = 0;
	put_off(g);
}

static void wait_for_lock(struct run *run, struct grant *g, const char *code, const char *path,
			  char *message)
{
	free(g->busy_path);
	g->busy_path = xstrdup(path);
	locks_try_later(run, g, code, message);
}

// ---- our own

// What was in the way still is. Once the time is over it is tried all the same: whoever holds it may be one of ours by now.
static bool still_busy(const struct run *run, const struct grant *g)
{
	struct process_id holder = {0};

	return g->busy_path && lock_file_holder(g->busy_path, &holder) != -ENOENT &&
	       (clock_boot_ms() < g->wait_until_ms || held_by_this_run(run, g, holder.pid));
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

bool locks_begin(struct run *run, struct grant *g)
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
		locks_try_later(run, g, "account_busy",
				xstrdup("another run works on this account"));
	else if (r == -EPERM && message) // whoever may write it could keep us out
		grant_conclude(&run->grants, g, OUTCOME_HELD, "ledger_unreadable",
			       xstrdup(message));
	else if (r < 0)
		grant_give_up(&run->grants, g, "ledger_not_writable", r,
			      "the account's lock cannot be taken");
	return r >= 0;
}

// ---- OpenClaw's, and other programs'

// Where the token also stands under another state directory, its runtime must not send it beside us either.
static void add_locks_elsewhere(struct grant *g, const struct observation *o,
				const struct account *a)
{
	for (size_t i = 0; i < o->records.n; i++) {
		const struct account_record *r = &o->records.list[i];
		_cleanup_free_ char *message = NULL, *fix = NULL;
		if (!r->unreadable && !r->ended_ms && !stores_dir(&o->stores, r->state_dir) &&
		    fingerprint_equal(r->live.fingerprint, a->verdict.record.live.fingerprint) &&
		    lock_directory_check(r->state_dir, false, &message, &fix) == 0)
			lock_set_add_refresh(&g->locks, r->state_dir, r->provider, r->profile);
	}
}

static int check_lock_directories(const struct account *a)
{
	size_t n = 0;
	_cleanup_free_ const struct state_dir **dirs = account_dirs(a, &n);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		_cleanup_free_ char *message = NULL, *fix = NULL;
		r = lock_directory_check(dirs[i]->path, true, &message, &fix);
	}
	return r;
}

// … nor another program that has the refresh token in a file of its own.
static void add_locks_of_programs(struct grant *g, const struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (member_is_shared(&a->members[i]))
			store_add_refresh_locks(a->members[i].store, a->members[i].copy->external,
						&g->locks);
}

// Drafts of runs that were killed: once for each directory, of which there are few, with a lock for each account.
static void sweep_directories(struct run *run, const struct lock_set *locks)
{
	for (size_t i = 0; i < locks->n; i++) {
		_cleanup_free_ char *directory = path_dirname(locks->files[i].path);
		bool swept = false;
		for (size_t k = 0; k < run->n_swept; k++)
			swept |= string_equal(run->swept[k], directory);
		if (swept)
			continue;
		atomic_sweep_all(directory);
		*array_add(&run->swept, &run->n_swept) = TAKE_PTR(directory);
	}
}

static int take_refresh_locks(struct run *run, struct grant *g, const struct observation *o,
			      struct process_id owner, const struct receipt *answered)
{
	const struct account *a;
	int r = 0;

	for_each_account (a, g, o) {
		r = check_lock_directories(a);
		if (r < 0)
			return r;
		account_add_refresh_locks(a, &g->locks);
		add_locks_of_programs(g, a);
		if (a->verdict.send)
			add_locks_elsewhere(g, o, a);
	}
	sweep_directories(run, &g->locks);
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
		if (!set.files[i].foreign && // that one we hold, or it is for the write alone
		    lock_file_holder(set.files[i].path, &holder) != -ENOENT)
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

bool locks_take(struct run *run, struct grant *g, const struct observation *o,
		const struct receipt *answered)
{
	struct process_id owner = g->by_courier ? run->courier.process : run->self;
	int r = take_refresh_locks(run, g, o, owner, answered);

	for (size_t i = 0; r == -EBUSY && g->locks.busy_owner.pid && i < g->n_keys; i++)
		result_note_rival(results_find(run->results, g->keys[i]), g->locks.busy_owner.pid);
	if (r == -EBUSY)
		wait_for_lock(run, g, "lock_busy",
			      g->locks.busy_foreign ? NULL : g->locks.busy_path,
			      describe_busy(&g->locks));
	else if (r == -EPERM)
		grant_conclude(&run->grants, g, OUTCOME_HELD, "lock_directory",
			       xstrdup("the lock directory is not safe"));
	else if (r < 0)
		grant_give_up(&run->grants, g, "lock", r, "the refresh lock cannot be taken");
	if (r < 0)
		return false;
	_cleanup_free_ char *store = grant_sender(g, o) ? locked_store(g, o) : NULL;
	if (store)
		wait_for_lock(run, g, "store_busy", store,
			      xasprintf("another process holds %s", store));
	return !store;
}
