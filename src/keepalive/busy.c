// SPDX-License-Identifier: MIT
//
// See busy.h.
#include "keepalive/busy.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"

#define BUSY_LONG_S 180 // OpenClaw waits 142 s for a refresh lock, our own runs hold one for 100 s

// Who is at work on an account, with what, and since when.
struct holder {
	bool found;
	bool ours;	  // of this program
	bool answered;	  // … whose request was answered: about to end
	bool database;	  // it is no lock file that stands there, but a lock on one
	const char *what; // "… has held WHAT"
	char *path; // … which is this file; NULL: there is none that a person should look at
	const char *state_dir;	   // another one, which a run there has to finish; else NULL
	struct process_id process; // pid 0: unknown
	int64_t since_ms;	   // 0 unknown
};

// 0: it is not there.
static int64_t file_since_ms(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? 0 : (int64_t)st.st_mtim.tv_sec * SECOND_MS;
}

// ---- finding him

static struct process_id newest_living(const struct receipt *r)
{
	for (size_t i = r->n_couriers; i > 0; i--)
		if (process_alive(r->couriers[i - 1]))
			return r->couriers[i - 1];
	return (struct process_id){0};
}

static int64_t receipt_since_ms(const struct receipt *r)
{
	return r->state == RECEIPT_CLAIMED   ? r->claimed_ms
	       : r->state == RECEIPT_SENDING ? r->sent_ms
					     : r->received_ms;
}

// Where must a run finish it?
static const char *state_dir_of(const struct observation *o, const struct receipt *r)
{
	for (size_t i = 0; i < o->records.n; i++)
		if (r->n_accounts && string_equal(o->records.list[i].key, r->accounts[0]))
			return o->records.list[i].state_dir;
	return NULL;
}

static void find_run(const struct observation *o, const struct ledger *ledger,
		     const struct account *a, struct holder *ret)
{
	const struct receipt *r = account_elsewhere(a, a->verdict.record.live.fingerprint);
	struct process_id keeper = {0};
	int64_t since_ms = 0;

	if (r)
		ret->state_dir = state_dir_of(o, r);
	for (size_t i = 0; i < a->n_receipts && !r; i++)
		r = a->receipts[i]->held ? a->receipts[i] : NULL;
	if (r) {
		ret->found = true;
		ret->process = newest_living(r);
		ret->since_ms = receipt_since_ms(r);
		ret->answered = r->state == RECEIPT_ANSWERED;
	}
	if (account_lock_holder(ledger, a->record.key, &keeper, &since_ms) == 0) {
		if (since_ms > ret->since_ms) // he may just now finish what another left behind
			ret->since_ms = since_ms;
		if (!ret->process.pid)
			ret->process = keeper;
		ret->found = true;
	}
	ret->ours = ret->found;
	ret->what = "its refresh in hand";
}

static void find_lock(const struct lock_set *set, const char *what, struct holder *ret)
{
	for (size_t i = 0; i < set->n && !ret->found; i++) {
		struct process_id process = {0};
		if (set->files[i].foreign || // which does not say whose it is
		    lock_file_holder(set->files[i].path, &process) == -ENOENT)
			continue;
		int64_t since_ms = file_since_ms(set->files[i].path);
		if (!since_ms) // given back meanwhile
			continue;
		*ret = (struct holder){
			.found = true,
			.what = what,
			.path = xstrdup(set->files[i].path),
			.process = process,
			.since_ms = since_ms,
		};
	}
}

static void find_refresh_lock(const struct observation *o, const struct account *a,
			      struct holder *ret)
{
	struct lock_set set = LOCK_SET_NONE;

	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *other = o->accounts[i];
		if (other == a || (!other->skip && accounts_connected(a, other)))
			account_add_refresh_locks(other, &set);
	}
	find_lock(&set, "its refresh lock", ret);
	lock_set_free(&set);
}

static void find_store_lock(const struct account *a, struct holder *ret)
{
	struct lock_set set = LOCK_SET_NONE;

	for (size_t i = 0; i < a->n_members; i++)
		store_add_locks(a->members[i].store, &set);
	find_lock(&set, "the lock of a store", ret);
	lock_set_free(&set);
}

static void find_fence(const struct account *a, const struct policy *policy, struct holder *ret)
{
	if (ret->found || !account_has_young_fence(a, &a->verdict.record, policy))
		return;
	*ret = (struct holder){
		.found = true,
		.what = "a refresh of OpenClaw's in flight",
		.since_ms = policy->now_ms,
	};
	for (size_t i = 0; i < a->verdict.record.n_sightings; i++)
		if (a->verdict.record.sightings[i].seen_ms < ret->since_ms)
			ret->since_ms = a->verdict.record.sightings[i].seen_ms;
}

static void find_database(const struct account *a, const struct result *result, struct holder *ret)
{
	bool unwritable = string_equal(result->error_code, "store_busy") && a->main &&
			  a->main->store->format == STORE_OPENCLAW_SQLITE;

	if (!a->main_busy && !unwritable)
		return;
	*ret = (struct holder){
		.found = true,
		.database = true,
		.what = "its main database locked",
		.path = xstrdup(unwritable ? a->main->store->path : a->verdict.record.main_store),
	};
}

static struct holder find_holder(const struct observation *o, const struct ledger *ledger,
				 const struct account *a, const struct result *result,
				 const struct policy *policy)
{
	struct holder h = {0};

	find_run(o, ledger, a, &h);
	if (!h.found)
		find_refresh_lock(o, a, &h);
	if (!h.found)
		find_store_lock(a, &h);
	if (!h.found)
		find_fence(a, policy, &h);
	if (!h.found)
		find_database(a, result, &h);
	return h;
}

// ---- judging, and saying it

static char *describe_holder(const struct holder *h, int64_t now_ms)
{
	_cleanup_free_ char *age = h->since_ms && h->since_ms <= now_ms
					   ? duration_format((now_ms - h->since_ms) / SECOND_MS)
					   : NULL;
	_cleanup_free_ char *who =
		h->process.pid ? xasprintf("process %d", (int)h->process.pid) : xstrdup("somebody");
	bool stopped = process_is_stopped(h->process.pid);

	if (h->state_dir && !h->process.pid) {
		free(TAKE_PTR(who));
		who = xasprintf("a run on %s", h->state_dir);
	}
	return xasprintf("%s%s has%s %s%s%s", who, stopped ? ", which is stopped," : "",
			 h->path ? " held" : " had", h->what, age ? " for " : "", age ? age : "");
}

// The harmless step first.
static char *describe_remedy(const struct holder *h)
{
	int pid = (int)h->process.pid;
	_cleanup_free_ char *path = h->path ? shell_quoted(h->path) : NULL;

	if (pid && process_is_stopped(pid))
		return xasprintf("ps -o pid,stat,etime,args -p %d # see what it is; then let it go "
				 "on: kill -CONT %d",
				 pid, pid);
	if (pid)
		return xasprintf("ps -o pid,stat,etime,args -p %d # see what it does; if it hangs, "
				 "end it: kill %d",
				 pid, pid);
	if (h->state_dir) {
		_cleanup_free_ char *word = shell_quoted(h->state_dir);
		return xasprintf("oauth-keepalive refresh --state-dir %s # finishes what was cut "
				 "short there",
				 word);
	}
	if (h->database)
		return xasprintf("fuser -v %s # see who has it open", path ? path : "…");
	if (path)
		return xasprintf("ls -ld %s # no process stands in it: if none of OpenClaw's runs, "
				 "remove it",
				 path);
	return xstrdup("oauth-keepalive status # see what is running");
}

static void say_holder(struct observation *o, const struct account *a, const struct holder *h,
		       int64_t now_ms)
{
	_cleanup_free_ char *who = describe_holder(h, now_ms);
	int64_t expires_ms = shown_expiry_ms(&a->verdict.schedule);
	bool expired = expires_ms && expires_ms <= now_ms;

	problem_add(&o->problems, expired ? SEVERITY_ERROR : SEVERITY_WARNING,
		    h->path ? "lock_held" : "in_flight", h->path, a->record.profile,
		    xasprintf("%s; nothing is refreshed meanwhile", who), describe_remedy(h))
		->needs_person = expired;
}

static void fail_busy(const struct account *a, struct result *result, const struct holder *h,
		      int64_t now_ms)
{
	int64_t expires_ms = shown_expiry_ms(&a->verdict.schedule);
	int64_t left_s = (expires_ms - now_ms) / SECOND_MS;
	_cleanup_free_ char *who = describe_holder(h, now_ms);
	_cleanup_free_ char *left = duration_format(left_s < 0 ? -left_s : left_s);

	result_conclude(result, OUTCOME_FAILED, h->path ? "lock_held" : "in_flight", 0,
			!expires_ms   ? xstrdup(who)
			: left_s <= 0 ? xasprintf("expired %s ago; %s", left, who)
				      : xasprintf("expires in %s; %s", left, who));
}

// Held for so long that it will not pass; or longer than a request may take, with so little time left that no other run
// may come before the end. (A lock that was taken a moment ago is what a refresh looks like, whatever is left.)
static bool is_failure(const struct account *a, const struct holder *h, const struct config *config,
		       int64_t now_ms)
{
	// A time yet to come is of a clock that was wrong, and says nothing.
	bool known = h->since_ms && h->since_ms <= now_ms + MINUTE_S * SECOND_MS;
	int64_t held_s = known ? (now_ms - h->since_ms) / SECOND_MS : config->deadline_s;
	int64_t expires_ms = shown_expiry_ms(&a->verdict.schedule);
	bool presses = expires_ms && !a->verdict.clock_wrong && !a->verdict.record.ended_ms &&
		       expires_ms - now_ms < last_resort_s(config) * SECOND_MS;

	return h->found && (held_s > BUSY_LONG_S || (presses && held_s >= config->deadline_s));
}

void judge_busy(struct results *results, struct observation *o, const struct config *config,
		const struct policy *policy, const struct ledger *ledger)
{
	for (size_t i = 0; i < results->n; i++) {
		struct result *result = &results->list[i];
		const struct account *a = observation_account(o, result->key);
		bool busy = result->outcome == OUTCOME_BUSY;
		bool planned =
			result->outcome == OUTCOME_PLANNED && a && a->verdict.send; // a preview
		bool stuck = string_equal(result->error_code, "unknown_outcome") ||
			     string_equal(result->error_code, "in_flight");
		struct holder h = {0};
		if (a && (busy || planned || stuck))
			h = find_holder(o, ledger, a, result, policy);
		else if (a && result->copies_pending)
			find_store_lock(a, &h);
		else
			continue;
		bool fails = is_failure(a, &h, config, policy->now_ms);
		if (busy && fails)
			fail_busy(a, result, &h, policy->now_ms);
		if (fails || (stuck && h.ours && !h.answered))
			say_holder(o, a, &h, policy->now_ms);
		free(h.path);
	}
}
