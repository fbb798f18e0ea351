// SPDX-License-Identifier: MIT
//
// See hosts.h.
#include "keepalive/hosts.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "cluster/cluster.h"
#include "cluster/publish.h"
#include "keepalive/locks.h"

static struct cluster *cluster_of(const struct run *run)
{
	return run->cluster && run->cluster->reached ? run->cluster : NULL;
}

void hosts_begin(struct run *run, struct cluster *cluster, bool may_begin)
{
	if (!run->config->cluster.n_endpoints)
		return;
	if (may_begin)
		ledger_create(
			run->ledger); // its uuid is who we are; if it cannot be, that is said later
	cluster_open(run->config, run->ledger->uuid, may_begin && run->ledger->exists, cluster);
	run->cluster = cluster;
	run->policy.cluster = cluster;
}

const struct cluster *hosts_ask(const struct config *config, const struct ledger *ledger,
				struct cluster *ret)
{
	if (!config->cluster.n_endpoints)
		return NULL;
	cluster_open(config, ledger->uuid, false, ret);
	courier_stop(&ret->etcd.courier);
	return ret;
}

void hosts_look_again(struct run *run)
{
	if (cluster_of(run))
		cluster_read_again(run->cluster);
}

// ---- the steps of a grant

static bool is_among(char (*ids)[33], size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (string_equal(ids[i], id))
			return true;
	return false;
}

// Each once: two state directories may have one login.
static char (*ids_of(const struct run *run, const struct grant *g, const struct observation *o,
		     size_t *ret_n))[33]
{
	char(*ids)[33] = xcalloc(g->n_keys, sizeof(*ids));
	const struct account *a;

	*ret_n = 0;
	for_each_account (a, g, o) {
		char *id = ids[*ret_n];
		cluster_account_id(run->cluster, &a->verdict.record, id);
		if (!is_among(ids, *ret_n,
			      id)) // a transaction that writes one key twice is refused
			++*ret_n;
	}
	return ids;
}

static void out_of_reach(struct run *run, struct grant *g)
{
	grant_conclude(&run->grants, g, OUTCOME_FAILED, "cluster_unreachable",
		       xasprintf("nothing was sent, because the cluster is out of reach: %s",
				 run->cluster->trouble ? run->cluster->trouble : "no answer"));
}

// What is locked in part, or intended in part, could be sent by two.
static void too_many(struct run *run, struct grant *g)
{
	grant_conclude(&run->grants, g, OUTCOME_HELD, "cluster_too_many",
		       xasprintf("%zu accounts share its refresh token, and etcd takes at most "
				 "%d at once, so nothing was sent: log in anew for some of them",
				 g->n_ids, CLUSTER_ACCOUNTS_MAX));
}

bool hosts_lock(struct run *run, struct grant *g, const struct observation *o)
{
	const struct account *sender = grant_sender(g, o);
	_cleanup_free_ char *host = NULL;

	g->cluster = CLUSTER_IDLE;
	if (!cluster_of(run) || !sender)
		return true;
	free(g->ids);
	g->ids = ids_of(run, g, o, &g->n_ids);
	if (g->n_ids > CLUSTER_ACCOUNTS_MAX) {
		too_many(run, g);
		return false;
	}
	int r = cluster_lock(run->cluster, g->ids, g->n_ids,
			     sender->verdict.record.live.fingerprint, &host);
	if (r == 0) {
		g->cluster = CLUSTER_LOCKED;
		return true;
	}
	if (r == -EBUSY) // the next look knows, and leaves the rest to do
		locks_try_later(run, g, "cluster_busy", xasprintf("%s is refreshing it", host));
	else if (run->config->cluster.refresh_alone) // if it is late enough for that
		locks_try_later(run, g, "cluster_unreachable", xstrdup(run->cluster->trouble));
	else
		out_of_reach(run, g);
	return false;
}

static int64_t hold_s(const struct run *run, const struct account *a)
{
	int64_t left_s = (a->verdict.schedule.expires_ms - run->policy.now_ms) / SECOND_MS -
			 last_resort_s(run->config);

	return left_s > CLUSTER_HOLD_LEAST_S ? left_s : CLUSTER_HOLD_LEAST_S;
}

int hosts_intend(struct run *run, struct grant *g, const struct account *sender)
{
	struct receipt receipt = {0};
	int64_t until_ms = 0;

	g->cluster = CLUSTER_CLAIMED;
	if (!sender->verdict.attempt || !run->cluster) // without a cluster, or alone
		return 0;
	if (!run->cluster->reached)
		return -ENETUNREACH;
	receipt_reread(g->receipt_fd, &receipt); // without its nonce it would prove nothing, later
	struct cluster_sending sending = {
		.ids = g->ids,
		.n = g->n_ids,
		.token = g->token,
		.sends = sender->verdict.attempt,
		.own = receipt.sends,
		.receipt = receipt.nonce,
		.hold_s = hold_s(run, sender),
	};
	int r = cluster_intend(run->cluster, &sending, &until_ms);
	receipt_free(&receipt);
	if (r < 0)
		return r;
	g->cluster = CLUSTER_INTENDED;
	if (until_ms < g->hold_until_ms) // a keeper that was stopped for that long sends nothing
		g->hold_until_ms = until_ms;
	return 0;
}

void hosts_put_off(struct run *run, struct grant *g, int error)
{
	if (error == -ESTALE)
		locks_try_later(run, g, "cluster_busy",
				xstrdup("its record in the cluster has just changed"));
	else
		out_of_reach(run, g);
}

static const struct cluster_claim *claim_of(const struct run *run, const struct receipt *receipt)
{
	const struct cluster_claim *claim =
		cluster_of(run) ? cluster_claim(run->cluster, receipt->token) : NULL;

	return claim && !claim->unreadable && cluster_is_ours(run->cluster, &claim->intent) &&
			       string_equal(claim->intent.receipt, receipt->nonce)
		       ? claim
		       : NULL;
}

bool hosts_withdraw(struct run *run, const struct receipt *receipt)
{
	const struct cluster_claim *claim = claim_of(run, receipt);

	if (!run->cluster)
		return true;
	bool gone = claim ? cluster_clear(run->cluster, claim) == 0 : run->cluster->reached;
	// Alone, it may be in doubt afterwards, rather than in the way now.
	return gone || run->config->cluster.refresh_alone;
}

// By another state directory's account, which has the same login.
static bool is_told(const struct cluster *c, const char *id, const struct generation *live)
{
	const struct cluster_account *there = cluster_account(c, id);

	return there && !there->unreadable &&
	       fingerprint_equal(there->record.live.fingerprint, live->fingerprint) &&
	       secret_equal(&there->record.live.access, &live->access);
}

bool hosts_publish(struct run *run, struct grant *g, const struct observation *o)
{
	const struct account *a;
	bool all = true;

	g->unpublished = false;
	for_each_account (a, g, o) {
		char id[33];
		if (!a->verdict.publish || !cluster_of(run))
			continue;
		cluster_account_id(run->cluster, &a->verdict.record, id);
		int r = cluster_publish(run->cluster, id, &a->verdict.record,
					a->verdict.publish_over, a->verdict.in_doubt);
		if (r == -ESTALE && is_told(run->cluster, id, &a->verdict.record.live))
			r = 0;
		struct result *result = results_find(run->results, a->record.key);
		if (result)
			result->told = r == 0;
		g->unpublished |= r == 0 || r == -ESTALE; // a look says what is agreed on now
		all &= r == 0;
		if (r < 0)
			log_debug("not in the cluster yet: %s",
				  r == -ESTALE ? "another host was faster" : run->cluster->trouble);
	}
	return all;
}

// Judged by a record that was read under the lock there: without it, another host could have sent the token, committed and
// cleared its intent since it was read.
bool hosts_may_send(struct run *run, struct grant *g, const struct observation *o)
{
	if (cluster_of(run) && g->cluster == CLUSTER_IDLE)
		return false;
	return hosts_publish(run, g, o);
}

// ---- the end

static const struct receipt *receipt_of(const struct observation *o, struct fingerprint token)
{
	for (size_t i = 0; i < o->receipts.n; i++)
		if (fingerprint_equal(o->receipts.list[i].token, token))
			return &o->receipts.list[i];
	return NULL;
}

// What would have been sent once more, and was not: its receipt stays. (That of a first try goes, after its intent: persist.c.)
static void clear_unsent(struct run *run, const struct observation *o)
{
	for (size_t i = 0; i < run->cluster->n_claims; i++) {
		const struct cluster_claim *claim = &run->cluster->claims[i];
		const struct receipt *receipt = receipt_of(o, claim->intent.token);
		if (!claim->revision || claim->unreadable || !receipt || receipt->held ||
		    !cluster_never_left(run->cluster, &claim->intent, receipt))
			continue;
		if (cluster_clear(run->cluster, claim) < 0)
			log_debug("an intent of ours stays until the next run");
	}
}

// Something has moved here, and the others go on with what was before: until they are told, that is no success.
static void note_untold(struct run *run, const struct observation *last)
{
	for (size_t i = 0; i < last->n_accounts; i++) {
		const struct account *a = last->accounts[i];
		const struct account_record *r = &a->verdict.record;
		struct result *result = results_find(run->results, a->record.key);
		bool behind = r->common_line[0] && !r->ended_ms &&
			      !fingerprint_equal(r->common, r->live.fingerprint);
		if (!result || result->told ||
		    (!behind && result->outcome != OUTCOME_REFRESHED &&
		     result->outcome != OUTCOME_RECOVERED))
			continue;
		result_note_pending(result, "cluster_unreachable");
		if (!result->error_message)
			result->error_message = xstrdup("the other hosts have not been told yet");
	}
}

void hosts_leave(struct run *run, const struct observation *last)
{
	_cleanup_free_ struct cluster_seen *seen = NULL;
	size_t n = 0;

	if (!run->cluster)
		return;
	if (last && cluster_of(run))
		clear_unsent(run, last);
	if (last && !cluster_of(run))
		note_untold(run, last);
	for (size_t i = 0; last && cluster_of(run) && i < last->n_accounts; i++) {
		const struct account_record *r = &last->accounts[i]->verdict.record;
		if (!r->common_number || r->ended_ms)
			continue;
		struct cluster_seen *s = array_add(&seen, &n);
		cluster_account_id(run->cluster, r, s->id);
		s->number = r->common_number;
	}
	cluster_leave(run->cluster, seen, n);
}

// ---- what a person should know

static void say_clock(const struct cluster *c, struct observation *o)
{
	int64_t ahead_ms = cluster_clock_ahead_ms(c);
	_cleanup_free_ char *off =
		duration_format((ahead_ms < 0 ? -ahead_ms : ahead_ms) / SECOND_MS);

	if (ahead_ms)
		problem_add(&o->problems, SEVERITY_WARNING, "cluster_clock", NULL, NULL,
			    xasprintf("this host's clock is %s %s etcd's, so it leaves it to other "
				      "hosts to send a token again whose answer was lost",
				      off, ahead_ms > 0 ? "ahead of" : "behind"),
			    xstrdup("timedatectl set-ntp true"));
}

static void say_damaged(struct observation *o, const struct account *a, const char *what,
			const char *key, int why, char *fix)
{
	const char *remedy = cluster_remedy(why);

	problem_add(&o->problems, SEVERITY_ERROR, "cluster_unreadable", NULL, a->record.profile,
		    xasprintf("its %s in the cluster, %s, %s", what, key,
			      why == -ENOKEY ? "is sealed with a key that this host does not have"
			      : why == -EPROTONOSUPPORT ? "was written by a newer version"
							: "is damaged"),
		    remedy ? xstrdup(remedy) : xstrdup(fix))
		->needs_person = true;
	free(fix);
}

// The record of an account is made anew of what the hosts have; an intent is all that says that its token may be spent.
static void say_unreadable(const struct cluster *c, struct observation *o)
{
	for (size_t i = 0; c->reached && i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		const char *prefix = c->config->cluster.prefix;
		char id[33];
		cluster_account_id(c, &a->record, id);
		const struct cluster_account *there = cluster_account(c, id);
		const struct cluster_claim *claim = cluster_claim(c, a->record.live.fingerprint);
		if (there && there->unreadable) {
			_cleanup_free_ char *key = xasprintf("%saccounts/%s", prefix, id);
			_cleanup_free_ char *quoted = shell_quoted(key);
			say_damaged(o, a, "record", key, there->unreadable,
				    xasprintf("etcdctl del %s # if no host can read it; the next "
					      "run of one that has the login writes it",
					      quoted));
		}
		if (claim && claim->unreadable) {
			_cleanup_free_ char *key = xasprintf("%sintents/%s", prefix, claim->name);
			say_damaged(o, a, "intent", key, claim->unreadable,
				    xstrdup(a->provider->login_command));
		}
	}
}

static void say_newer_key(const struct cluster *c, struct observation *o)
{
	const char *newer = cluster_newer_key(c);

	if (c->reached && newer)
		problem_add(&o->problems, SEVERITY_WARNING, "cluster_old_key", NULL, NULL,
			    xasprintf("the key in %s was replaced by that in %s, which is used "
				      "instead: this host's configuration has them the other way "
				      "round",
				      c->config->cluster.seal_key_file, newer),
			    xasprintf("name %s as `seal_key_file`, and the other one in "
				      "`old_seal_key_files`",
				      newer));
}

void hosts_say(const struct cluster *c, struct observation *o)
{
	if (!c->config)
		return;
	if (!c->reached)
		problem_add(&o->problems, c->wrong_key ? SEVERITY_ERROR : SEVERITY_WARNING,
			    c->wrong_key ? "cluster_unreadable" : "cluster_unreachable", NULL, NULL,
			    xasprintf("the cluster %s, so what is due is not refreshed here: %s",
				      c->wrong_key ? "cannot be read" : "is out of reach",
				      c->trouble),
			    c->remedy ? xstrdup(c->remedy) : NULL)
			->needs_person = c->wrong_key;
	say_unreadable(c, o);
	say_newer_key(c, o);
	size_t n_old_keys = cluster_count_old_keys(c);
	if (n_old_keys)
		problem_add(
			&o->problems, SEVERITY_INFO, "cluster_old_key", NULL, NULL,
			xasprintf("%zu of the values in the cluster are still sealed with an old "
				  "key: keep it in `old_seal_key_files` until there is none",
				  n_old_keys),
			NULL);
	say_clock(c, o);
}

void hosts_say_unasked(const struct config *config, struct observation *o)
{
	if (config->cluster.n_endpoints)
		problem_add(
			&o->problems, SEVERITY_INFO, "cluster_not_asked", NULL, NULL,
			xstrdup("this command does not ask the cluster, so it does not know what "
				"other hosts did since the last run here"),
			NULL);
}
