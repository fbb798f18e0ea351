// SPDX-License-Identifier: MIT
//
// Several hosts, one login: what the cluster's record means for the account here, and what its intents forbid.
//
// Three generations are compared: ours, the record's, and the one on which both agreed last (`common`, in the ledger). Who
// moved since then goes before; where both did, or they never agreed, neither is taken for the other by guess: a person is
// asked. A record behind our own is etcd's past (a restored snapshot, or a commit of ours that did not get there).
#include <stdio.h>

#include "account/judge.h"

#include "base/clock.h"
#include "cluster/claims.h"

enum standing {
	ALONE,	// no cluster, nothing of it is known, or this account has no part in it
	EQUAL,	// the same refresh token
	BEHIND, // the record goes before
	AHEAD,	// ours does
	BESIDE, // neither
};

static const struct cluster *cluster_of(const struct judgement *j)
{
	const struct cluster *c = j->policy->cluster;

	return c && c->reached ? c : NULL;
}

static const struct cluster_account *record_there(const struct judgement *j)
{
	char id[33];

	if (!cluster_of(j))
		return NULL;
	cluster_account_id(cluster_of(j), &j->verdict->record, id);
	return cluster_account(cluster_of(j), id);
}

static bool is_ours_to_share(const struct judgement *j)
{
	const struct account *a = j->account;
	const struct account_record *r = &j->verdict->record;

	return r->number && !r->ended_ms && !fingerprint_empty(r->live.fingerprint) && !a->skip &&
	       !account_logged_out(a) && !elsewhere(j);
}

static enum standing stand(const struct judgement *j)
{
	const struct account_record *r = &j->verdict->record;
	const struct cluster_account *there = record_there(j);

	if (!there || there->unreadable || !is_ours_to_share(j))
		return ALONE;
	const struct cluster_record *c = &there->record;
	struct fingerprint theirs = c->live.fingerprint, ours = r->live.fingerprint;
	if (fingerprint_equal(theirs, ours))
		return EQUAL;
	if (identity_compare(&c->identity, &r->identity) == IDENTITY_DIFFERENT)
		return BESIDE;
	if (record_superseded(r, theirs))
		return AHEAD;
	if (fingerprint_listed(c->superseded, c->n_superseded, ours) ||
	    (fingerprint_equal(r->common, ours) && string_equal(r->common_line, c->line)))
		return BEHIND;
	return fingerprint_equal(r->common, theirs) ? AHEAD : BESIDE;
}

// The record is another person's; or nobody can tell which of two logins here it would stand for.
static bool is_stranger(const struct judgement *j)
{
	const struct cluster_account *there = record_there(j);

	return there && (j->account->twin ||
			 identity_compare(&there->record.identity, &j->verdict->record.identity) ==
				 IDENTITY_DIFFERENT);
}

bool is_beside_cluster(const struct judgement *j)
{
	return stand(j) == BESIDE && (!live_is_chosen(j) || is_stranger(j));
}

// ---- the record goes before

static void agree(struct judgement *j, const struct cluster_record *c)
{
	struct account_record *r = &j->verdict->record;

	if (string_equal(r->common_line, c->line) && r->common_number == c->number &&
	    fingerprint_equal(r->common, c->live.fingerprint))
		return;
	memcpy(r->common_line, c->line, sizeof(r->common_line));
	r->common_number = c->number;
	r->common = c->live.fingerprint;
	j->verdict->record_changed = true;
}

static void take_record(struct judgement *j, const struct cluster_record *c)
{
	struct account_record *r = &j->verdict->record;
	const struct generation *live = &c->live;
	const struct credential credential = {
		.access = live->access,
		.refresh = live->refresh,
		.id_token = live->id_token,
		.fingerprint = live->fingerprint,
		.expires_ms = live->expires_ms,
		.issued_ms = live->issued_ms,
		.identity = c->identity,
	};

	adopt_credential(j, &credential);
	r->live.answered = live->answered;
	r->lifetime_s = c->lifetime_s ? c->lifetime_s : r->lifetime_s;
	free(r->adopted_from);
	r->adopted_from = xasprintf("the cluster (%s)", c->host);
}

// It may have another access token (of a provider that keeps its refresh token), or know that the token is dead.
static bool is_newer_access(const struct generation *a, const struct generation *b)
{
	const struct issue_time ours = {a->issued_ms, a->expires_ms},
				theirs = {b->issued_ms, b->expires_ms};

	return !secret_equal(&a->access, &b->access) && issue_compare(ours, theirs) > 0;
}

static void take_news(struct judgement *j, const struct cluster_record *c)
{
	struct account_record *r = &j->verdict->record;

	if (is_newer_access(&c->live, &r->live))
		take_record(j, c);
	if (!c->dead_code[0] || r->dead_code[0])
		return;
	snprintf(r->dead_code, sizeof(r->dead_code), "%s", c->dead_code);
	j->verdict->record_changed = true;
}

bool main_may_follow(const struct judgement *j)
{
	const struct credential *c = &j->account->main->copy->credential;
	enum standing standing = stand(j);

	return (standing == BESIDE && !is_stranger(j)) ||
	       (standing == EQUAL &&
		!fingerprint_equal(c->fingerprint, j->verdict->record.live.fingerprint));
}

static bool takes_cluster(const struct judgement *j)
{
	const struct account *a = j->account;

	return j->policy->choice.kind == CHOICE_FOLLOW && a->main && on_copy(j, a->main)->follows;
}

void join_cluster(struct judgement *j)
{
	const struct cluster_account *there = record_there(j);
	enum standing standing = stand(j);

	if (standing == ALONE || live_is_chosen(j) || others_at_work(j) || refresh_in_flight(j))
		return;
	if (standing == EQUAL)
		take_news(j, &there->record);
	else if (standing == BEHIND || (standing == BESIDE && takes_cluster(j)))
		take_record(j, &there->record);
	standing = stand(j);
	// Also with what it was when it was first published, if that has gone on since.
	if (standing == EQUAL || (standing == AHEAD && !j->verdict->record.common_line[0]))
		agree(j, &there->record);
}

void object_beside_cluster(struct judgement *j)
{
	const struct cluster_record *c = &record_there(j)->record;
	_cleanup_free_ char *host = string_printable(c->host, 64);

	if (j->account->twin)
		return object(j, DECISION_HOLD, OUTCOME_HELD, "cluster_beside",
			      xasprintf("another state directory here has a login of its own "
					"under this profile id, and the cluster (of %s) keeps one "
					"for each: give one of them a profile id of its own",
					host));
	if (is_stranger(j))
		return object(j, DECISION_HOLD, OUTCOME_HELD, "cluster_beside",
			      xasprintf("the cluster has another person's login under this profile "
					"id (of %s): log in here with that one, give this one a "
					"profile id of its own, or this host another `prefix`",
					host));
	object(j, DECISION_HOLD, OUTCOME_HELD, "cluster_beside",
	       xasprintf("this host has another login than the cluster, which has %.*s (of %s): "
			 "`oauth-keepalive sync --follow main` takes the cluster's and keeps this "
			 "one for 30 days; `sync --adopt main` makes this one the cluster's",
			 FINGERPRINT_SHOWN, c->live.fingerprint.hex, host));
}

// ---- the record has to learn

static bool has_news(const struct judgement *j, const struct cluster_account *there)
{
	const struct account_record *r = &j->verdict->record;

	return there->old_key || is_newer_access(&r->live, &there->record.live) ||
	       (r->dead_code[0] && !there->record.dead_code[0]);
}

static void judge_publishing(struct judgement *j)
{
	struct verdict *v = j->verdict;
	const struct account_record *r = &v->record;
	const struct cluster_account *there = record_there(j);

	if (!cluster_of(j) || !is_ours_to_share(j) || others_at_work(j) ||
	    (there && there->unreadable) || v->outcome == OUTCOME_SKIPPED || j->policy->barred)
		return;
	switch (there ? stand(j) : AHEAD) {
	case EQUAL:
		v->publish = has_news(j, there);
		break;
	case AHEAD:
		v->publish = there || !r->dead_code[0];
		break;
	case BESIDE:
		v->publish = live_is_chosen(j) && !is_stranger(j);
		break;
	default:
		break;
	}
	v->publish_over = there ? there->revision : 0;
	// It was further than it is.
	v->in_doubt = v->publish && r->common_number &&
		      (!there || (string_equal(there->record.line, r->common_line) &&
				  there->record.number < r->common_number));
}

// ---- may it be sent?

static void stop_sending(struct judgement *j)
{
	j->verdict->send = j->verdict->resend = false;
}

// Another host is at it; what is behind here is written all the same.
static void stand_back(struct judgement *j, char *reason)
{
	bool writes = writes_any(j);

	stop_sending(j);
	conclude(j, writes ? DECISION_MIRROR : DECISION_NONE,
		 writes ? OUTCOME_PLANNED : OUTCOME_UNCHANGED, reason);
}

static bool is_late(const struct judgement *j)
{
	const struct verdict *v = j->verdict;
	int64_t left_ms = v->schedule.expires_ms - j->policy->now_ms;

	// An expiry that is not believed makes it due, and is no reason for what cannot be undone.
	return !v->clock_wrong && v->schedule.expires_ms && !v->schedule.doubted &&
	       left_ms < last_resort_s(j->config) * SECOND_MS;
}

static void wait_for_cluster(struct judgement *j)
{
	const struct cluster *c = j->policy->cluster;
	bool alone = j->config->cluster.refresh_alone && !c->wrong_key && is_late(j);

	if (alone)
		return;
	stop_sending(j);
	object(j, DECISION_HOLD, c->wrong_key ? OUTCOME_HELD : OUTCOME_FAILED,
	       c->wrong_key ? "cluster_unreadable" : "cluster_unreachable",
	       xasprintf("it is due, but the cluster %s, and only the cluster says which host may "
			 "refresh it: %s",
			 c->wrong_key ? "cannot be read" : "is out of reach", c->trouble));
}

// Somebody's answer was lost, or is on its way to the cluster: one more try, at the end, if at all.
static void ask_doubtful(struct judgement *j, const struct cluster_claim *claim)
{
	struct verdict *v = j->verdict;
	const struct cluster_intent *intent = &claim->intent;
	bool never = j->config->cluster.never_again;
	bool skewed = cluster_clock_ahead_ms(j->policy->cluster) != 0;
	_cleanup_free_ char *host = string_printable(intent->host, 64);
	_cleanup_free_ char *at = time_format(intent->at_ms);

	if (intent->sends >= 2 || never) {
		stop_sending(j);
		object(j, DECISION_LOGIN, OUTCOME_NEEDS_LOGIN,
		       never ? "unknown_outcome" : "sent_twice",
		       xasprintf("%s sent the refresh token at %s, and its answer is lost%s", host,
				 at ? at : "?",
				 never ? " (`retry` is \"never\")" : ": the last try failed"));
	} else if (j->policy->last_try || (is_late(j) && !skewed)) {
		v->attempt = intent->sends + 1;
	} else {
		stop_sending(j);
		object(j, DECISION_HOLD, OUTCOME_HELD, "unknown_outcome",
		       xasprintf("%s sent the refresh token at %s, and its answer is not in the "
				 "cluster; it is sent once more when the access token is "
				 "about to expire, or now with --last-try",
				 host, at ? at : "?"));
	}
}

// What an orphan of ours is about to send, others_at_work knows.
static bool was_sent(const struct judgement *j, const struct cluster_claim *claim)
{
	const struct account *a = j->account;

	for (size_t i = 0; i < a->n_receipts; i++)
		if (cluster_never_left(j->policy->cluster, &claim->intent, a->receipts[i]))
			return false;
	return true;
}

static bool is_drained(const struct judgement *j, const struct cluster_claim *claim)
{
	int64_t age_ms = j->policy->now_ms - claim->intent.at_ms;

	return cluster_is_ours(j->policy->cluster, &claim->intent) &&
	       age_ms > CLUSTER_HOLD_LEAST_S * SECOND_MS;
}

static void ask_intent(struct judgement *j, const struct cluster_claim *claim)
{
	struct verdict *v = j->verdict;
	_cleanup_free_ char *host = string_printable(claim->intent.host, 64);

	if (claim->unreadable) {
		stop_sending(j);
		object(j, DECISION_HOLD, OUTCOME_HELD, "cluster_unreadable",
		       xstrdup("what the cluster says of its refresh token (the intent) cannot be "
			       "read, so it may be spent"));
	} else if (!was_sent(j, claim)) {
		v->attempt = claim->intent.sends;
	} else if (claim->held && !is_drained(j, claim)) {
		stand_back(j, xasprintf("%s is refreshing it", host));
	} else {
		ask_doubtful(j, claim);
	}
}

static void ask_cluster(struct judgement *j)
{
	struct verdict *v = j->verdict;
	const struct cluster_account *there = record_there(j);
	const struct cluster_claim *claim;
	char id[33];

	if (!cluster_of(j))
		return wait_for_cluster(j);
	if (there && there->unreadable) {
		stop_sending(j);
		return object(j, DECISION_HOLD, OUTCOME_HELD, "cluster_unreadable",
			      xstrdup("its record in the cluster cannot be read"));
	}
	cluster_account_id(cluster_of(j), &v->record, id);
	const struct cluster_lock *lock = cluster_lock_of_others(cluster_of(j), id);
	if (lock) {
		_cleanup_free_ char *host = string_printable(lock->host, 64);
		return stand_back(j, xasprintf("%s is refreshing it", host));
	}
	claim = cluster_claim(cluster_of(j), v->record.live.fingerprint);
	v->attempt = 1;
	if (claim)
		return ask_intent(j, claim);
	// An answer of ours was lost without an intent: sent alone, or before there was a cluster.
	v->attempt += v->resend;
	if (!v->in_doubt || is_late(j) || j->policy->last_try)
		return;
	stop_sending(j);
	object(j, DECISION_HOLD, OUTCOME_HELD, "unknown_outcome",
	       xstrdup("etcd was put back to an older state, so another host may have spent the "
		       "refresh token; it is sent when the access token is about to expire, or "
		       "now with --last-try"));
}

void judge_cluster(struct judgement *j)
{
	if (!j->policy->cluster)
		return;
	judge_publishing(j);
	if (j->verdict->send)
		ask_cluster(j);
}
