// SPDX-License-Identifier: MIT
//
// What accounts mean for each other that are one login under several names, or under several state directories: each is
// decided for itself, who was left behind once more, and none sends what another one must not.
#include <stdio.h>

#include "account/judge.h"

static bool is_ahead(const struct account_record *other, const struct generation *live,
		     const struct identity *identity)
{
	return !fingerprint_empty(other->live.fingerprint) &&
	       record_superseded(other, live->fingerprint) &&
	       identity_compare(&other->identity, identity) != IDENTITY_DIFFERENT;
}

static void index_elsewhere(const struct observation *o, struct index *superseded)
{
	for (size_t i = 0; i < o->records.n; i++) {
		const struct account_record *r = &o->records.list[i];
		for (size_t k = 0;
		     !record_is_of_here(o, r) && !r->dead_code[0] && k < r->n_superseded; k++)
			index_add(superseded, hash_token(r->superseded[k]), i);
	}
}

// The same login was copied to another state directory, and went past this token there.
static const struct account_record *ahead_elsewhere(const struct observation *o,
						    const struct config *config,
						    const struct index *superseded,
						    const struct account *a,
						    const struct generation *live)
{
	for_each_found (found, superseded, hash_token(live->fingerprint)) {
		const struct account_record *r = &o->records.list[found->at];
		if (provider_same_family(config_provider(config, r->provider), a->provider) &&
		    is_ahead(r, live, &a->verdict.record.identity))
			return r;
	}
	return NULL;
}

// Another name of the same login (openai beside openai-codex, `:default` beside `:email`) that went past an account's live
// token, and to which it must not be sent any more: for each account, in their order, or NULL. Free the list.
static const struct account_record **siblings_ahead(const struct observation *o)
{
	const struct account_record **ahead = xcalloc(o->n_accounts + 1, sizeof(*ahead));

	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *other = o->accounts[i];
		const struct account_record *r = &other->verdict.record;
		for (size_t k = 0; !other->skip && k < r->n_superseded; k++) {
			for_each_found (found, &o->ties, hash_token(r->superseded[k])) {
				const struct account *a = o->accounts[found->at];
				if (a != other && !ahead[found->at] &&
				    provider_same_family(other->provider, a->provider) &&
				    is_ahead(r, &a->verdict.record.live,
					     &a->verdict.record.identity))
					ahead[found->at] = r;
			}
		}
	}
	return ahead;
}

// … to the newest of them, through as many state directories as there are.
static const struct account_record *
find_ahead(const struct observation *o, const struct config *config, const struct index *superseded,
	   const struct account *a, const struct account_record *sibling)
{
	const struct account_record *ahead = sibling, *next;

	for (size_t i = 0; i <= o->records.n; i++) {
		next = ahead_elsewhere(o, config, superseded, a,
				       ahead ? &ahead->live : &a->verdict.record.live);
		if (!next)
			break;
		ahead = next;
	}
	return ahead;
}

// An account that goes on with the live generation of a sibling.
struct follower {
	struct account *account;
	struct sibling sibling;
};

static bool is_chosen_live(const struct observation *o, const struct account_record *ahead,
			   const struct policy *policy)
{
	for (size_t i = 0; i < o->n_accounts; i++)
		if (&o->accounts[i]->verdict.record == ahead)
			return chose_live(&o->accounts[i]->verdict, policy);
	return false;
}

// A person chose a token that another name, or another state directory, had gone past: so the one there is past now, and
// who has it follows, as it would if both had been known under this name.
static void pass_by(struct account *a, const struct account_record *ahead)
{
	struct account_record *r = &a->verdict.record;

	if (fingerprint_equal(ahead->live.fingerprint, r->live.fingerprint) ||
	    record_superseded(r, ahead->live.fingerprint))
		return;
	record_supersede(r, ahead->live.fingerprint);
	record_supersede_fence(r, fence_digest(r->profile, r->provider, &ahead->live.refresh));
	a->verdict.record_changed = true;
}

static void pass_by_all(const struct observation *o, const struct config *config,
			const struct policy *policy, const struct index *superseded)
{
	_cleanup_free_ const struct account_record **siblings = siblings_ahead(o);

	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		const struct account_record *ahead =
			!a->skip && chose_live(&a->verdict, policy)
				? find_ahead(o, config, superseded, a, siblings[i])
				: NULL;
		if (ahead)
			pass_by(a, ahead);
	}
}

// Decided, an account may have gone past the live token of another name.
static struct follower *find_followers(const struct observation *o, const struct config *config,
				       const struct policy *policy, size_t *ret_n)
{
	_cleanup_free_ const struct account_record **siblings = NULL;
	_cleanup_index_ struct index superseded = {0};
	struct follower *followers = NULL;

	index_elsewhere(o, &superseded);
	if (policy->choice.kind != CHOICE_NONE)
		pass_by_all(o, config, policy, &superseded);
	siblings = siblings_ahead(o);
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		const struct account_record *ahead =
			a->skip ? NULL : find_ahead(o, config, &superseded, a, siblings[i]);
		if (!ahead || chose_live(&a->verdict, policy))
			continue;
		struct follower *f = array_add(&followers, ret_n);
		f->account = a;
		f->sibling.chosen = is_chosen_live(o, ahead, policy);
		f->sibling.custody = ahead->custody;
		generation_copy(&f->sibling.ahead, &ahead->live);
	}
	return followers;
}

// What they follow may be on its way already, there.
static void add_receipts_elsewhere(const struct observation *o, struct account *a,
				   struct fingerprint token)
{
	for (size_t i = 0; i < o->receipts.n; i++)
		if (o->receipts.list[i].elsewhere &&
		    fingerprint_equal(o->receipts.list[i].token, token))
			*array_add(&a->elsewhere, &a->n_elsewhere) = &o->receipts.list[i];
}

static void judge(struct observation *o, struct account *a, const struct sibling *sibling,
		  const struct config *config, const struct policy *policy)
{
	struct policy here = *policy;
	const char *bar = observation_bars(o, a);

	if (bar)
		here.barred = bar;
	verdict_free(&a->verdict);
	a->verdict = decide(a, sibling, config, &here);
	o->n_verdicts++;
}

// Those once more, knowing where to. True if there are any.
static bool decide_followers(struct observation *o, const struct config *config,
			     const struct policy *policy)
{
	size_t n = 0;
	_cleanup_free_ struct follower *followers = find_followers(o, config, policy, &n);

	for (size_t i = 0; i < n; i++) {
		struct account *a = followers[i].account;
		struct sibling *sibling = &followers[i].sibling;
		add_receipts_elsewhere(o, a, sibling->ahead.fingerprint);
		judge(o, a, sibling, config, policy);
		generation_free(&sibling->ahead);
	}
	return n > 0;
}

// ---- one grant

// Logged out under this name, or left over in JSON beside the database that replaced it: whoever still has a copy gets the
// new token, or gets it once it is imported.
static bool is_past(const struct account *a)
{
	if (a->verdict.record.ended_ms)
		return true;
	for (size_t i = 0; i < a->n_members; i++)
		if (a->members[i].state != COPY_RETIRED || !a->members[i].store->served)
			return false;
	return a->n_members > 0;
}

static bool holds_back(const struct account *a)
{
	return !a->skip && !is_past(a) &&
	       (a->verdict.outcome == OUTCOME_HELD || a->verdict.outcome == OUTCOME_NEEDS_LOGIN ||
		a->verdict.outcome == OUTCOME_BUSY);
}

// The provider has refused this very token, or asked for patience, when it was sent for another name (which may be past by
// now, as after a renaming).
static bool backs_off(const struct account *other, const struct account *a,
		      const struct policy *policy)
{
	const struct account_record *r = &other->verdict.record;

	return !policy->force && !(policy->last_try && a->verdict.resend) &&
	       fingerprint_equal(r->live.fingerprint, a->verdict.record.live.fingerprint) &&
	       r->error_code[0] &&
	       (r->rejections >= REJECTIONS_MAX || r->not_before_ms > policy->now_ms);
}

static void stop(struct account *a, enum decision decision, enum outcome outcome, const char *code,
		 char *reason)
{
	struct verdict *v = &a->verdict;

	v->send = v->resend = false;
	v->decision = decision;
	v->outcome = outcome;
	snprintf(v->code, sizeof(v->code), "%s", code);
	free(v->reason);
	v->reason = reason;
}

// Under the same name in another state directory, it is that which tells them apart.
static char *name_beside(const struct account *other, const struct account *a)
{
	if (other->dir == a->dir || !other->dir->path)
		return xstrdup(other->record.profile);
	return xasprintf("%s in %s", other->record.profile, other->dir->path);
}

static void back_off_with(struct account *a, const struct account *other,
			  const struct policy *policy)
{
	const struct account_record *r = &other->verdict.record;
	bool refused = r->barred || r->rejections >= REJECTIONS_MAX;
	_cleanup_free_ char *name = name_beside(other, a);

	if (backs_off(other, a, policy))
		stop(a, refused ? DECISION_HOLD : DECISION_NONE,
		     refused ? OUTCOME_HELD : OUTCOME_FAILED, r->error_code,
		     xasprintf("%s has the same refresh token, and was refused (%s)", name,
			       r->error_code));
}

// A grant is refreshed for all its names or for none: one that is held, or whose store cannot be read, would be left
// with the spent token.
static void hold_with(struct account *a, const struct account *other, const struct policy *policy)
{
	const struct verdict *theirs = &other->verdict;
	bool busy = theirs->outcome == OUTCOME_BUSY;
	_cleanup_free_ char *name = name_beside(other, a);
	// Both wait for the same lost answer, and this one must not: its fence.
	bool same_wait = a->verdict.resend && string_equal(theirs->code, "unknown_outcome");

	(void)policy;
	if (!same_wait && holds_back(other))
		stop(a, busy ? DECISION_NONE : DECISION_HOLD, busy ? OUTCOME_BUSY : OUTCOME_HELD,
		     busy ? "in_flight" : "other_name",
		     xasprintf("%s shares its refresh token and cannot be refreshed: %s", name,
			       theirs->reason ? theirs->reason : "held"));
}

// Of each that would send, what every other name of its grant says to it.
static void ask_others(struct observation *o, const struct policy *policy,
		       void (*answer)(struct account *a, const struct account *other,
				      const struct policy *policy))
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		size_t n = 0;
		_cleanup_free_ struct account **others =
			a->verdict.send ? observation_connected(o, a, &n) : NULL;
		for (size_t k = 0; a->verdict.send && k < n; k++)
			answer(a, others[k], policy);
	}
}

// The store that keeps the account from being refreshed, or NULL.
static const struct store *unwritable_store(const struct account *a)
{
	for (size_t i = 0; !a->skip && i < a->n_members; i++)
		if (member_is_vital(a, &a->members[i]) && a->members[i].store->obstacle)
			return a->members[i].store;
	return NULL;
}

static void fail_unsavable(struct account *a, const struct store *store)
{
	stop(a, DECISION_NONE, OUTCOME_FAILED, "store_not_writable",
	     xasprintf("%s could not be written, so nothing is sent: %s", store->path,
		       obstacle_text(store->obstacle)));
}

static void fail_with(struct account *a, const struct account *other, const struct policy *policy)
{
	const struct store *store = unwritable_store(other);

	(void)policy;
	if (store)
		fail_unsavable(a, store);
}

// Seen before anything is claimed; what cannot be seen, the proof under the locks finds out (claim.c).
static void keep_unsavable(struct observation *o, const struct policy *policy)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		const struct store *store = a->verdict.send ? unwritable_store(a) : NULL;
		if (store)
			fail_unsavable(a, store);
	}
	ask_others(o, policy, fail_with);
}

void decide_all(struct observation *o, const struct config *config, const struct policy *policy)
{
	for (size_t i = 0; i < o->n_accounts; i++)
		judge(o, o->accounts[i], NULL, config, policy);
	observation_tie(o);
	if (decide_followers(o, config, policy))
		observation_tie(o);
	ask_others(o, policy, back_off_with);
	ask_others(o, policy, hold_with);
	keep_unsavable(o, policy);
}
