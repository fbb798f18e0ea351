// SPDX-License-Identifier: MIT
//
// See leave.h.
#include "keepalive/leave.h"

#include <errno.h>

#include "base/log.h"
#include "cluster/cluster.h"
#include "keepalive/forget.h"
#include "keepalive/mirror.h"

#define PATIENCE_MS 5000 // for stores that somebody else has locked

// Also one that the ledger here does not know (any more), but the cluster: a gateway, or a backup, has put it back.
static bool is_shared(const struct account *a)
{
	return a->verdict.record.common_line[0] || (a->recorded && a->record.common_line[0]);
}

// ---- may it leave?

static bool is_intended(const struct cluster *c, struct fingerprint token)
{
	const struct cluster_claim *claim = cluster_claim(c, token);

	return claim && (claim->unreadable || cluster_is_ours(c, &claim->intent));
}

static bool is_under_way(const struct cluster *c, const struct account *a)
{
	for (size_t i = 0; i < a->n_receipts; i++)
		if (a->receipts[i]->trouble || a->receipts[i]->state != RECEIPT_CLAIMED)
			return true;
	return a->n_elsewhere || is_intended(c, a->record.live.fingerprint) ||
	       is_intended(c, a->verdict.record.live.fingerprint);
}

// What can be lost: it is alive, and no longer, or not yet, what the others go on with.
static bool is_only_here(const struct cluster *c, const struct account *a)
{
	const struct account_record *r = &a->verdict.record;
	bool logged_out = a->main && a->main->copy->kind == COPY_BLANK;
	char id[33];

	if (r->dead_code[0] || r->ended_ms || logged_out)
		return false;
	cluster_account_id(c, r, id);
	const struct cluster_account *there = cluster_account(c, id);
	const struct cluster_record *theirs = there ? &there->record : NULL;
	return !there || there->unreadable ||
	       !(fingerprint_equal(theirs->live.fingerprint, r->live.fingerprint) ||
		 fingerprint_listed(theirs->superseded, theirs->n_superseded, r->live.fingerprint));
}

static char *why_not(const struct observation *o, const struct account *a, const struct cluster *c)
{
	if (is_under_way(c, a))
		return xstrdup("this host has sent its token, and the outcome is not known or not "
			       "delivered yet: run `oauth-keepalive refresh` first");
	if (a->verdict.publish)
		return xstrdup("the other hosts do not have it yet as it is here: run "
			       "`oauth-keepalive refresh` first");
	if (is_only_here(c, a))
		return xstrdup("what this host has of it is not what the other hosts have, and "
			       "would be lost: `oauth-keepalive status` says what to do about it");
	for (size_t i = 0; i < o->stores.n; i++)
		if (store_is_unread(&o->stores.list[i]))
			return xasprintf("%s cannot be read, and may hold it",
					 o->stores.list[i].path);
	return NULL;
}

// ---- out of the stores

static bool is_to_go(const struct account *a, const struct member *m)
{
	if (m->store->state != STORE_OK)
		return false;
	// One that was never given the refresh token goes, too: it would be a login that nobody renews.
	return m->copy->kind == COPY_ACCESS ||
	       (m->copy->kind == COPY_OAUTH &&
		record_knows(&a->verdict.record, m->copy->credential.fingerprint));
}

// Every copy of it that can be spent. NULL, or the path of one that could not be written.
static const char *log_out(struct mirror *m, const struct account *a, struct result *result)
{
	_cleanup_free_ struct job *jobs = xcalloc(a->n_members, sizeof(*jobs));
	_cleanup_free_ struct change *changes = xcalloc(a->n_members, sizeof(*changes));
	const char *left = NULL;
	size_t n = 0;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *member = &a->members[i];
		if (!is_to_go(a, member))
			continue;
		changes[n] = (struct change){.account = a, .member = member, .until_ms = INT64_MAX};
		jobs[n] = (struct job){
			.store = member->store, .changes = &changes[n], .n = 1, .logs_out = true};
		n++;
	}
	mirror_write(m, jobs, n);
	for (size_t i = 0; i < n; i++) {
		if (changes[i].written)
			result_note_written(result, a, jobs[i].store);
		else
			left = jobs[i].store->path;
	}
	return left;
}

static void leave_locked(struct ledger *ledger, const struct observation *o,
			 const struct account *a, const struct config *config,
			 const struct policy *policy, struct result *result)
{
	struct mirror mirror = {.ledger = ledger, .policy = policy, .patience_ms = PATIENCE_MS};
	char *no = why_not(o, a, policy->cluster);
	const char *left;
	int n;

	(void)config;
	if (account_others_at_work(a, a->verdict.record.live.fingerprint)) {
		free(no);
		return forget_conclude(result, OUTCOME_BUSY, "in_flight",
				       xstrdup("another run is refreshing it"));
	}
	if (a->verdict.outcome == OUTCOME_BUSY) { // OpenClaw's
		free(no);
		return forget_conclude(result, OUTCOME_BUSY, a->verdict.code,
				       xstrdup(a->verdict.reason));
	}
	if (no)
		return forget_conclude(result, OUTCOME_HELD, "leave_refused", no);
	n = process_self(&mirror.self);
	left = n < 0 ? "/proc" : log_out(&mirror, a, result);
	mirror_free(&mirror);
	if (left)
		return forget_conclude(
			result, OUTCOME_FAILED, "copies_pending",
			xasprintf("%s could not be written, and still holds it: run this again",
				  left));
	n = forget_drop(ledger, a);
	if (n < 0)
		return forget_conclude(result, OUTCOME_FAILED, "ledger_not_writable",
				       xasprintf("the ledger cannot be written: %s", strerror(-n)));
	result->forgotten = true;
	forget_conclude(result, OUTCOME_SKIPPED, NULL,
			xstrdup("logged out on this host; the other hosts keep it"));
}

// ---- one after the other

// The key opens what stands in etcd, and the next login here would join again.
static void say_what_is_left(const struct config *config, struct cycle *cycle)
{
	_cleanup_free_ char *key = shell_quoted(config->cluster.seal_key_file);
	int r = cluster_resign(&cycle->cluster);

	if (r < 0)
		log_debug("the others are not told that this host has left: %s",
			  cycle->cluster.etcd.trouble);
	problem_add(
		&cycle->now.problems, SEVERITY_INFO, "cluster_left", NULL, NULL,
		xstrdup("this host holds no login of the cluster any more, but still has the "
			"key to what stands there"),
		xasprintf("remove the `cluster` section from the configuration, and: rm %s", key));
}

int cycle_leave(const struct config *config, const struct policy *policy, struct ledger *ledger,
		const struct selection *selection, struct cycle *ret)
{
	struct policy asked = *policy;
	size_t n_left = 0, n_shared = 0;
	int r;

	asked.asks = true;
	r = cycle_preview(config, &asked, ledger, selection, ret);
	if (r < 0 || policy->barred)
		return r;
	asked.cluster = &ret->cluster;
	if (ret->cluster.reached)
		ledger_create(ledger); // for its locks; if it cannot be, that is said of each
	for (size_t i = 0; i < ret->results.n; i++) {
		struct result *result = &ret->results.list[i];
		const struct account *a = observation_account(&ret->now, result->key);
		if (!a || observation_bars(&ret->now, a))
			continue;
		if (is_shared(a) && ret->cluster.reached)
			forget_under_lock(config, &asked, ledger, result, leave_locked);
		else if (is_shared(a))
			forget_conclude(result, OUTCOME_FAILED, "cluster_unreachable",
					xstrdup("whether the other hosts have it as it is here, "
						"only the cluster can say"));
		else if (!a->skip)
			forget_conclude(result, OUTCOME_SKIPPED, NULL,
					xstrdup("this host alone has it: it stays as it is"));
		n_left += result->forgotten;
	}
	for (size_t i = 0; i < ret->now.n_accounts; i++)
		n_shared += is_shared(ret->now.accounts[i]);
	if (ret->cluster.reached && n_left == n_shared)
		say_what_is_left(config, ret);
	return 0;
}
