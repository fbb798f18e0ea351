// SPDX-License-Identifier: MIT
//
// One look at everything: stores, ledger, receipts, grouped into accounts and decided about. No lock, no write.
#include <errno.h>
#include <unistd.h>

#include "account/judge.h"

static bool holds_key(const struct holdings *h, const char *key)
{
	for (size_t i = 0; h && i < h->n_keys; i++)
		if (string_equal(h->keys[i], key))
			return true;
	return false;
}

// Receipts that are our own are not somebody else's; an answer that no receipt could take is read from memory.
static void apply_holdings(struct receipts *receipts, const struct holdings *h)
{
	for (size_t i = 0; h && i < receipts->n; i++) {
		struct receipt *r = &receipts->list[i];
		if (fingerprint_listed(h->tokens, h->n_tokens, r->token))
			r->held = false;
		for (size_t k = 0; k < h->n_rescued; k++) {
			const struct receipt *rescued = &h->rescued[k];
			if (!fingerprint_equal(r->token, rescued->token))
				continue;
			free(TAKE_PTR(r->trouble));
			r->state = RECEIPT_ANSWERED;
			r->received_ms = rescued->received_ms;
			r->answer.status = rescued->answer.status;
			r->answer.cut = rescued->answer.cut;
			r->answer.challenge = rescued->answer.challenge;
			r->answer.date_ms = rescued->answer.date_ms;
			r->answer.retry_after_s = rescued->answer.retry_after_s;
			secret_copy(&r->answer.body, &rescued->answer.body);
		}
	}
}

static bool is_of_here(const struct observation *o, const struct account_record *r)
{
	return r->unreadable || string_equal(r->state_dir, o->stores.state_dir);
}

// Claimed for accounts of another state directory alone, one that is there: only a run there has their locks.
static bool is_elsewhere(const struct observation *o, const struct receipt *receipt)
{
	size_t n = 0;

	for (size_t i = 0; i < receipt->n_accounts; i++) {
		for (size_t k = 0; k < o->records.n; k++) {
			const struct account_record *r = &o->records.list[k];
			n += string_equal(r->key, receipt->accounts[i]) && !is_of_here(o, r) &&
			     (access(r->state_dir, F_OK) == 0 || errno != ENOENT);
		}
	}
	return n > 0 && n == receipt->n_accounts;
}

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
		for (size_t k = 0; !is_of_here(o, r) && !r->dead_code[0] && k < r->n_superseded;
		     k++)
			index_add(superseded, hash_token(r->superseded[k]), i);
	}
}

// The same login was copied to another state directory, and went past this token there.
static const struct generation *ahead_elsewhere(const struct observation *o,
						const struct config *config,
						const struct index *superseded,
						const struct account *a,
						const struct generation *live)
{
	for_each_found (found, superseded, hash_token(live->fingerprint)) {
		const struct account_record *r = &o->records.list[found->at];
		if (provider_same_family(config_provider(config, r->provider), a->provider) &&
		    is_ahead(r, live, &a->record.identity))
			return &r->live;
	}
	return NULL;
}

// Another name of the same login (openai beside openai-codex, `:default` beside `:email`) that went past an account's live
// token, and to which it must not be sent any more: for each account, in their order, or NULL. Free the list.
static const struct generation **siblings_ahead(const struct observation *o)
{
	const struct generation **ahead = xcalloc(o->n_accounts + 1, sizeof(*ahead));

	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *other = o->accounts[i];
		const struct account_record *r = &other->record;
		for (size_t k = 0; !other->skip && k < r->n_superseded; k++) {
			for_each_found (found, &o->ties, hash_token(r->superseded[k])) {
				const struct account *a = o->accounts[found->at];
				if (a != other && !ahead[found->at] &&
				    provider_same_family(other->provider, a->provider) &&
				    is_ahead(r, &a->record.live, &a->record.identity))
					ahead[found->at] = &r->live;
			}
		}
	}
	return ahead;
}

// … to the newest of them, through as many state directories as there are.
static const struct generation *find_ahead(const struct observation *o, const struct config *config,
					   const struct index *superseded, const struct account *a,
					   const struct generation *sibling)
{
	const struct generation *ahead = sibling, *next;

	for (size_t i = 0; i <= o->records.n; i++) {
		next = ahead_elsewhere(o, config, superseded, a, ahead ? ahead : &a->record.live);
		if (!next)
			break;
		ahead = next;
	}
	return ahead;
}

static void decide_each(struct observation *o, const struct config *config,
			const struct policy *policy)
{
	for (size_t i = 0; i < o->n_accounts; i++)
		decide(o->accounts[i], config, policy);
}

static bool is_chosen(const struct observation *o, const struct generation *live)
{
	for (size_t i = 0; i < o->n_accounts; i++)
		if (&o->accounts[i]->record.live == live)
			return o->accounts[i]->verdict.pinned;
	return false;
}

// Decided, an account may have gone past the live token of another name. Those are looked at again, knowing where to.
static bool find_followers(struct observation *o, const struct config *config)
{
	_cleanup_free_ const struct generation **siblings = siblings_ahead(o);
	_cleanup_index_ struct index superseded = {0};

	index_elsewhere(o, &superseded);
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		const struct generation *ahead =
			a->skip ? NULL : find_ahead(o, config, &superseded, a, siblings[i]);
		if (!ahead || a->verdict.pinned)
			continue;
		struct follower *f = array_add(&o->followers, &o->n_followers);
		memcpy(f->key, a->record.key, sizeof(f->key));
		f->chosen = is_chosen(o, ahead);
		generation_copy(&f->ahead, ahead);
	}
	return o->n_followers > 0;
}

// Logged out under this name, or left over in JSON beside the database that replaced it: whoever still has a copy gets the
// new token, or gets it once it is imported.
static bool is_past(const struct account *a)
{
	if (a->record.ended_ms)
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
	const struct account_record *r = &other->record;

	return !policy->force &&
	       fingerprint_equal(r->live.fingerprint, a->record.live.fingerprint) &&
	       r->error_code[0] &&
	       (r->rejections >= REJECTIONS_MAX || r->not_before_ms > policy->now_ms);
}

static void back_off_together(struct observation *o, const struct policy *policy)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		size_t n = 0;
		_cleanup_free_ struct account **others =
			a->verdict.send ? observation_connected(o, a, &n) : NULL;
		for (size_t k = 0; a->verdict.send && k < n; k++) {
			const struct account *other = others[k];
			bool refused = other->record.rejections >= REJECTIONS_MAX;
			if (!backs_off(other, a, policy))
				continue;
			a->verdict.send = a->verdict.resend = false;
			a->verdict.decision = refused ? DECISION_HOLD : DECISION_NONE;
			a->verdict.outcome = refused ? OUTCOME_HELD : OUTCOME_FAILED;
			a->verdict.code = other->record.error_code;
			free(a->verdict.reason);
			a->verdict.reason =
				xasprintf("%s has the same refresh token, and was refused (%s)",
					  other->record.profile, other->record.error_code);
		}
	}
}

// A grant is refreshed for all its names or for none: one that is held, or whose store cannot be read, would be left
// with the spent token.
static void hold_together(struct observation *o)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		size_t n = 0;
		_cleanup_free_ struct account **others =
			a->verdict.send ? observation_connected(o, a, &n) : NULL;
		for (size_t k = 0; a->verdict.send && k < n; k++) {
			const struct account *other = others[k];
			bool busy = other->verdict.outcome == OUTCOME_BUSY;
			// Both wait for the same lost answer, and this one must not: its fence.
			bool same_wait = a->verdict.resend &&
					 string_equal(other->verdict.code, "unknown_outcome");
			if (same_wait || !holds_back(other))
				continue;
			a->verdict.send = a->verdict.resend = false;
			a->verdict.decision = busy ? DECISION_NONE : DECISION_HOLD;
			a->verdict.outcome = busy ? OUTCOME_BUSY : OUTCOME_HELD;
			a->verdict.code = busy ? "in_flight" : "other_name";
			free(a->verdict.reason);
			a->verdict.reason =
				xasprintf("%s shares its refresh token and cannot be refreshed: %s",
					  other->record.profile,
					  other->verdict.reason ? other->verdict.reason : "held");
		}
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

// Seen before anything is claimed; what cannot be seen, the proof under the locks finds out (claim.c).
static void keep_unsavable(struct observation *o)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		const struct store *store = a->verdict.send ? unwritable_store(a) : NULL;
		size_t n = 0;
		_cleanup_free_ struct account **others =
			a->verdict.send ? observation_connected(o, a, &n) : NULL;
		for (size_t k = 0; !store && k < n; k++)
			store = unwritable_store(others[k]);
		if (!store)
			continue;
		a->verdict.send = a->verdict.resend = false;
		a->verdict.decision = DECISION_NONE;
		a->verdict.outcome = OUTCOME_FAILED;
		a->verdict.code = "store_not_writable";
		free(a->verdict.reason);
		a->verdict.reason = xasprintf("%s could not be written, so nothing is sent: %s",
					      store->path, obstacle_text(store->obstacle));
	}
}

// What one account's decision means for those that are one grant with it.
static void decide_together(struct observation *o, const struct policy *policy)
{
	observation_tie(o);
	back_off_together(o, policy);
	hold_together(o);
	keep_unsavable(o);
}

static void set_siblings(struct observation *o)
{
	for (size_t i = 0; i < o->n_followers; i++) {
		struct account *a = observation_account(o, o->followers[i].key);
		if (!a)
			continue;
		a->sibling = &o->followers[i].ahead;
		a->sibling_chosen = o->followers[i].chosen;
		// It may be on its way already, there.
		for (size_t k = 0; k < o->receipts.n; k++)
			if (o->receipts.list[k].elsewhere &&
			    fingerprint_equal(o->receipts.list[k].token, a->sibling->fingerprint))
				*array_add(&a->elsewhere, &a->n_elsewhere) = &o->receipts.list[k];
	}
}

// Another ledger at work on this state directory, or a lock directory that somebody else could turn: hands off.
// Returns an error only for a shortage, which says nothing.
static int bar_what_is_unsafe(struct observation *o, const struct policy *policy,
			      const struct ledger *ledger)
{
	_cleanup_free_ char *message = NULL, *fix = NULL;
	const char *code = "ledger_conflict", *reason = "another ledger owns this state directory";
	const struct problem *bar = policy->bar;
	int r;

	if (bar) { // whose state directory it is cannot be told without a ledger
		problem_add(&o->problems, bar->severity, bar->code, bar->store, NULL,
			    xstrdup(bar->message), xstrdup(bar->fix))
			->needs_person = true;
		return 0;
	}
	r = ledger_check_owner(ledger, o->stores.state_dir, &message, &fix);
	if (r != -EEXIST) {
		code = "lock_directory";
		reason = "the lock directory is not safe";
	}
	if (r >= 0)
		r = lock_directory_check(o->stores.state_dir, false, &message, &fix);
	if (error_is_shortage(r))
		return r;
	if (r >= 0 || r == -ENOENT)
		return 0;
	if (!message) {
		reason = "the lock directory cannot be looked at";
		message = xasprintf("%s: %s", reason, strerror(-r));
	}
	problem_add(&o->problems, SEVERITY_ERROR, code, NULL, NULL, TAKE_PTR(message),
		    TAKE_PTR(fix))
		->needs_person = true;
	free(o->barred);
	o->barred = xstrdup(reason);
	return 0;
}

// The timer would be silent for ever where a shell's environment knows another place.
static void say_nothing_found(struct observation *o)
{
	const char *directory = o->stores.state_dir;

	if (o->n_accounts || o->records.n || o->problems.n)
		return;
	problem_add(&o->problems, SEVERITY_WARNING, "no_accounts", directory, NULL,
		    directory ? xstrdup("no login was found in any store")
			      : xstrdup("no OpenClaw state directory was found, so there is "
					"nothing to keep alive"),
		    xstrdup("if OpenClaw keeps its state elsewhere, name it: `state_dir` in "
			    "oauth-keepalive.conf, or --state-dir"));
}

// Whose is what a person brings back? The account's that lost it, unless another person's login has its place now; then
// the account's of the same person under that profile.
static struct account *account_of_kept(struct observation *o, const struct keepsake *kept)
{
	const struct credential *c = &kept->credential;

	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		if (string_equal(a->record.key, kept->key) &&
		    identity_compare(&a->record.identity, &c->identity) != IDENTITY_DIFFERENT)
			return a;
	}
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		if (string_equal(a->record.provider, c->provider) &&
		    string_equal(a->record.profile, c->profile) &&
		    identity_compare(&a->record.identity, &c->identity) == IDENTITY_SAME)
			return a;
	}
	return NULL;
}

// What the ledger says of the login that a person decided about.
static void look_up_choice(struct observation *o, const struct policy *policy,
			   const struct ledger *ledger)
{
	const struct choice *choice = &policy->choice;
	struct account *back =
		choice->kind == CHOICE_RESTORE ? account_of_kept(o, choice->kept) : NULL;

	if (back) {
		back->restores = true;
		back->restored_sent =
			!receipt_never_was(ledger, displaced_id(&choice->kept->credential));
	}
	for (size_t i = 0; choice->kind == CHOICE_ADOPT && i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		for (size_t k = 0; k < a->n_members; k++) {
			struct member *m = &a->members[k];
			struct fingerprint token = m->copy->credential.fingerprint;
			if (m->copy->kind != COPY_OAUTH || !store_is_named(m->store, choice->store))
				continue;
			m->sent = ledger->exists && !receipt_never_was(ledger, token);
			m->kept = m->settled || displaced_holds(ledger, a->record.key, token);
		}
	}
}

static void group(struct observation *o, const struct config *config, const struct policy *policy,
		  const struct ledger *ledger, const struct holdings *holdings)
{
	group_accounts(o, config, ledger);
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		// An answered receipt whose keeper is gone may be recovered by whoever has the account's lock; in a look
		// without locks, nobody having it says the same.
		a->claimed = holds_key(holdings, a->record.key) ||
			     (a->n_receipts && !account_is_locked(ledger, a->record.key));
	}
	look_up_choice(o, policy, ledger);
}

static void say_receipts(struct observation *o, const struct ledger *ledger)
{
	for (size_t i = 0; i < o->receipts.n; i++) {
		const struct receipt *r = &o->receipts.list[i];
		if (!r->trouble)
			continue;
		_cleanup_free_ char *path =
			xasprintf("%s/receipts/%s", ledger->directory, r->token.hex);
		_cleanup_free_ char *quoted = shell_quoted(path);
		problem_add(&o->problems, SEVERITY_ERROR, "ledger_unreadable", path, NULL,
			    xstrdup(r->trouble),
			    xasprintf("make it a file that only you can read (chmod 600 %s); do "
				      "not remove it: it may hold an answer",
				      quoted))
			->needs_person = true;
	}
}

int observe(const struct config *config, const struct policy *policy, const struct ledger *ledger,
	    const struct holdings *holdings, struct observation *ret)
{
	struct observation o = {0};
	int r;

	r = discover_stores(config, &o.stores, &o.problems);
	if (r < 0) {
		observation_free(&o);
		return r;
	}
	if (ledger->exists) {
		r = account_records_read(ledger, &o.records, &o.problems);
		if (r >= 0)
			r = receipts_read(ledger, &o.receipts);
		if (error_is_shortage(r)) {
			observation_free(&o);
			return r;
		}
		if (r < 0) {
			problem_add(&o.problems, SEVERITY_ERROR, "ledger_unreadable",
				    ledger->directory, NULL,
				    xasprintf("the ledger cannot be read: %s", strerror(-r)), NULL)
				->needs_person = true;
			o.barred = xstrdup("the ledger cannot be read");
		}
	}
	o.clock_supported = clock_is_supported(&o.records, policy->now_ms);
	say_receipts(&o, ledger);
	apply_holdings(&o.receipts, holdings);
	*ret = o;
	if (!ret->stores.state_dir) {
		if (config->n_stores)
			problem_add(&ret->problems, SEVERITY_ERROR, "no_state_dir", NULL, NULL,
				    xstrdup("stores are configured, but there is no OpenClaw state "
					    "directory whose locks "
					    "would guard them"),
				    xstrdup("name it: `state_dir` in oauth-keepalive.conf, or "
					    "--state-dir"))
				->needs_person = true;
		say_nothing_found(ret);
		return 0;
	}
	for (size_t i = 0; i < ret->receipts.n; i++)
		ret->receipts.list[i].elsewhere = is_elsewhere(ret, &ret->receipts.list[i]);
	r = bar_what_is_unsafe(ret, policy, ledger);
	if (r < 0) {
		observation_free(ret);
		return r;
	}
	if (ret->stores.unlisted && !ret->barred)
		ret->barred = xstrdup("the agents' stores cannot all be found");
	struct policy ours = *policy;
	ours.clock_unsupported = !ret->clock_supported;
	if (ret->barred)
		ours.barred = ret->barred;
	group(ret, config, &ours, ledger, holdings);
	decide_each(ret, config, &ours);
	decide_together(ret, &ours);
	if (find_followers(ret, config)) {
		observation_free_accounts(ret);
		group(ret, config, &ours, ledger, holdings);
		set_siblings(ret);
		decide_each(ret, config, &ours);
		decide_together(ret, &ours);
	}
	say_problems(ret, policy);
	say_nothing_found(ret);
	return 0;
}
