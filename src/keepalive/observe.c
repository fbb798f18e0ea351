// SPDX-License-Identifier: MIT
//
// One look at everything: stores, ledger, receipts, grouped into accounts and decided about. No lock, no write.
#include <errno.h>

#include "keepalive/account.h"

#include "base/clock.h"

#define GRANT_WARNING_S (3 * DAY_S) // Claude Code warns as early

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
			r->state = RECEIPT_ANSWERED;
			r->received_ms = rescued->received_ms;
			r->answer.status = rescued->answer.status;
			r->answer.cut = rescued->answer.cut;
			r->answer.challenge = rescued->answer.challenge;
			r->answer.retry_after_s = rescued->answer.retry_after_s;
			secret_copy(&r->answer.body, &rescued->answer.body);
		}
	}
}

// Another name of the same login (openai beside openai-codex, `:default` beside `:email`) that went past this
// account's live token, and to which it must not be sent any more.
static const struct account *sibling_ahead(const struct observation *o, const struct account *a)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *other = &o->accounts[i];
		if (other != a && !other->skip && other->provider && a->provider &&
		    provider_same_family(other->provider, a->provider) &&
		    !fingerprint_empty(other->record.live.fingerprint) &&
		    record_superseded(&other->record, a->record.live.fingerprint) &&
		    identity_compare(&other->record.identity, &a->record.identity) !=
			    IDENTITY_DIFFERENT)
			return other;
	}
	return NULL;
}

static void decide_each(struct observation *o, const struct config *config,
			const struct policy *policy)
{
	for (size_t i = 0; i < o->n_accounts; i++)
		decide(&o->accounts[i], config, policy);
}

// Decided, an account may have gone past the live token of another name. Those are looked at again, knowing where to.
static bool find_followers(struct observation *o)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = &o->accounts[i];
		const struct account *ahead = a->skip ? NULL : sibling_ahead(o, a);
		if (!ahead)
			continue;
		struct follower *f = array_add(&o->followers, &o->n_followers);
		memcpy(f->key, a->record.key, sizeof(f->key));
		generation_copy(&f->ahead, &ahead->record.live);
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
	       (a->outcome == OUTCOME_HELD || a->outcome == OUTCOME_NEEDS_LOGIN ||
		a->outcome == OUTCOME_BUSY);
}

// A grant is refreshed for all its names or for none: one that is held, or whose store cannot be read, would be left
// with the spent token.
static void hold_together(struct observation *o)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = &o->accounts[i];
		for (size_t k = 0; a->send && k < o->n_accounts; k++) {
			const struct account *other = &o->accounts[k];
			bool busy = other->outcome == OUTCOME_BUSY;
			if (other == a || !holds_back(other) || !accounts_connected(a, other))
				continue;
			a->send = a->resend = false;
			a->decision = busy ? DECISION_NONE : DECISION_HOLD;
			a->outcome = busy ? OUTCOME_BUSY : OUTCOME_HELD;
			a->code = busy ? "in_flight" : "other_name";
			free(a->reason);
			a->reason = xasprintf(
				"%s shares its refresh token and cannot be refreshed: %s",
				other->record.profile, other->reason ? other->reason : "held");
		}
	}
}

static void set_siblings(struct observation *o)
{
	for (size_t i = 0; i < o->n_followers; i++) {
		struct account *a = observation_account(o, o->followers[i].key);
		if (a)
			a->sibling = &o->followers[i].ahead;
	}
}

// Not while it is repaired, recovered or tried again.
static bool fence_needs_person(const struct account *a, const struct member *m)
{
	if (m->write || a->outcome == OUTCOME_BUSY)
		return false;
	return !account_knows_fence(a, &m->copy->fence) || a->outcome == OUTCOME_NEEDS_LOGIN ||
	       a->outcome == OUTCOME_HELD;
}

static char *adopt_command(const struct account *a, const struct member *m)
{
	_cleanup_free_ char *store = shell_quoted(m->store->path),
			    *profile = shell_quoted(a->record.profile);

	return xasprintf("oauth-keepalive sync --adopt %s %s", store, profile);
}

static void report_accounts(struct observation *o, const struct policy *policy)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = &o->accounts[i];
		if (a->timer_too_slow)
			problem_add(&o->problems, SEVERITY_WARNING, "timer_too_slow", NULL,
				    a->record.profile,
				    xstrdup("the timer runs too rarely for tokens that live this "
					    "short"),
				    xstrdup("shorten the timer and set `timer_period` in "
					    "oauth-keepalive.conf"));
		if (a->margin_too_long)
			problem_add(&o->problems, SEVERITY_WARNING, "margin_too_long", NULL,
				    a->record.profile,
				    xstrdup("the margin is over 80 % of the token's lifetime: it "
					    "is refreshed almost always"),
				    xstrdup("choose a shorter `margin` in oauth-keepalive.conf"));
		if (a->margin_short && o->stores.fences && !a->skip && !a->expiry_unknown)
			problem_add(
				&o->problems, SEVERITY_WARNING, "margin_short", NULL,
				a->record.profile,
				xstrdup("`openclaw doctor --fix` refreshes by itself what has "
					"under 24 "
					"hours left, and loses the login on any error"),
				xstrdup("set `margin = \"25h\"` or more in oauth-keepalive.conf"));
		if (a->expiry_unknown && !a->skip)
			problem_add(&o->problems, SEVERITY_WARNING, "expiry_unknown", NULL,
				    a->record.profile,
				    xstrdup("nobody says when the access token expires; it is not "
					    "refreshed by itself"),
				    xstrdup("set `lifetime` for its provider, or run "
					    "`oauth-keepalive refresh --force`"));
		if (a->record.grant_expires_ms && !a->skip && !a->record.dead_code[0] &&
		    a->record.grant_expires_ms - policy->now_ms < GRANT_WARNING_S * SECOND_MS) {
			_cleanup_free_ char *when = time_format(a->record.grant_expires_ms);
			problem_add(&o->problems, SEVERITY_WARNING, "login_ends_soon", NULL,
				    a->record.profile,
				    xasprintf("this login itself ends at %s; refreshing does not "
					      "extend it",
					      when),
				    a->provider->login_command ? xstrdup(a->provider->login_command)
							       : NULL);
		}
		if (a->clock_wrong)
			problem_add(&o->problems, SEVERITY_ERROR, "clock", NULL, NULL,
				    xstrdup("the system clock is behind the ledger or this "
					    "program's build: nothing is "
					    "decided by time"),
				    xstrdup("set the clock (timedatectl), then run again"));
		if (a->record.split && a->n_members) {
			_cleanup_free_ char *who =
				string_printable(identity_name(&a->record.identity), 64);
			problem_add(&o->problems, SEVERITY_WARNING, "identity_split",
				    a->members[0].store->path, a->record.profile,
				    xasprintf("main holds another identity now; the copies that "
					      "still belong to %s are "
					      "kept alive as an account of their own",
					      who),
				    xstrdup("log in again for the agents that should follow; "
					    "ignore it if both are wanted"));
		}
		for (size_t k = 0; k < a->n_members; k++) {
			const struct member *m = &a->members[k];
			struct problem *p = NULL;
			if (m->state == COPY_UNPROVEN)
				p = problem_add(&o->problems, SEVERITY_WARNING, "copy_unproven",
						m->store->path, a->record.profile,
						xstrdup("it cannot be proven that this copy "
							"belongs to the account: "
							"it is neither written nor sent"),
						adopt_command(a, m));
			else if (m->state == COPY_FOREIGN)
				p = problem_add(&o->problems, SEVERITY_WARNING, "copy_foreign",
						m->store->path, a->record.profile,
						xstrdup("this copy belongs to another identity: "
							"left alone"),
						NULL);
			else if (m->state == COPY_STATE_FENCED && fence_needs_person(a, m))
				p = problem_add(&o->problems, SEVERITY_ERROR, "copy_fenced",
						m->store->path, a->record.profile,
						xstrdup("OpenClaw gave this login up after a "
							"failed refresh"),
						xstrdup(a->provider && a->provider->login_command
								? a->provider->login_command
								: "log in again"));
			else if (m->state == COPY_DIVERGED &&
				 a->outcome != OUTCOME_BUSY) // else not judged yet
				p = problem_add(&o->problems, SEVERITY_ERROR, "copy_diverged",
						m->store->path, a->record.profile,
						xstrdup("this copy's login is neither provably "
							"newer nor older than "
							"the live one: neither written nor sent"),
						adopt_command(a, m));
			else if (m->state == COPY_STATE_UNREADABLE)
				p = problem_add(&o->problems, SEVERITY_ERROR,
						"credential_unreadable", m->store->path,
						a->record.profile,
						xasprintf("bad entry: %s",
							  m->copy->reason ? m->copy->reason : "?"),
						xstrdup("log in again, or correct the entry"));
			if (p && p->severity == SEVERITY_ERROR)
				p->needs_person = true;
		}
	}
}

// Another ledger at work on this state directory, or a lock directory that somebody else could turn: hands off.
static void bar_what_is_unsafe(struct observation *o, const struct ledger *ledger)
{
	_cleanup_free_ char *message = NULL, *fix = NULL;
	const char *code = "ledger_conflict", *reason = "another ledger owns this state directory";
	int r = ledger_check_owner(ledger, o->stores.state_dir, &message, &fix);

	if (r >= 0) {
		code = "lock_directory";
		reason = "the lock directory is not safe";
		r = lock_directory_check(o->stores.state_dir, false, &message, &fix);
	}
	if (r >= 0 || r == -ENOENT)
		return;
	problem_add(&o->problems, SEVERITY_ERROR, code, NULL, NULL,
		    message ? TAKE_PTR(message) : xstrdup(strerror(-r)), TAKE_PTR(fix))
		->needs_person = true;
	free(o->barred);
	o->barred = xstrdup(reason);
}

static void group(struct observation *o, const struct config *config, const struct ledger *ledger,
		  const struct holdings *holdings)
{
	group_accounts(o, config, ledger);
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = &o->accounts[i];
		// An answered receipt whose keeper is gone may be recovered by whoever has the account's lock; in a look
		// without locks, nobody having it says the same.
		a->claimed = holds_key(holdings, a->record.key) ||
			     (a->n_receipts && !account_is_locked(ledger, a->record.key));
	}
}

static void accounts_free(struct observation *o)
{
	for (size_t i = 0; i < o->n_accounts; i++)
		account_free(&o->accounts[i]);
	free(TAKE_PTR(o->accounts));
	o->n_accounts = 0;
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
		if (r < 0) {
			problem_add(&o.problems, SEVERITY_ERROR, "ledger_unreadable",
				    ledger->directory, NULL,
				    xasprintf("the ledger cannot be read: %s", strerror(-r)), NULL)
				->needs_person = true;
			o.barred = xstrdup("the ledger cannot be read");
		}
	}
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
		return 0;
	}
	bar_what_is_unsafe(ret, ledger);
	struct policy ours = *policy;
	if (ret->barred)
		ours.barred = ret->barred;
	group(ret, config, ledger, holdings);
	decide_each(ret, config, &ours);
	hold_together(ret);
	if (find_followers(ret)) {
		accounts_free(ret);
		group(ret, config, ledger, holdings);
		set_siblings(ret);
		decide_each(ret, config, &ours);
		hold_together(ret);
	}
	report_accounts(ret, policy);
	return 0;
}

void observation_free(struct observation *observation)
{
	accounts_free(observation);
	for (size_t i = 0; i < observation->n_followers; i++)
		generation_free(&observation->followers[i].ahead);
	free(observation->followers);
	stores_free(&observation->stores);
	account_records_free(&observation->records);
	receipts_free(&observation->receipts);
	problems_free(&observation->problems);
	free(observation->barred);
	*observation = (struct observation){0};
}

struct account *observation_account(struct observation *observation, const char *key)
{
	for (size_t i = 0; i < observation->n_accounts; i++)
		if (string_equal(observation->accounts[i].record.key, key))
			return &observation->accounts[i];
	return NULL;
}
