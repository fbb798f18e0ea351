// SPDX-License-Identifier: MIT
//
// One look at everything: stores, ledger, receipts, grouped into accounts and decided about. No lock, no write.
#include <errno.h>
#include <unistd.h>

#include "account/judge.h"
#include "file/obstacle.h"
#include "file/filesystem.h"
#include "file/private_file.h"

#define LOOKS 3 // as often as one is overtaken by another run

static bool holds_key(const struct holdings *h, const struct index *keys, const char *key)
{
	for_each_found (found, keys, hash_string(key))
		if (string_equal(h->keys[found->at], key))
			return true;
	return false;
}

static bool holds_token(const struct holdings *h, const struct index *tokens,
			struct fingerprint token)
{
	for_each_found (found, tokens, hash_token(token))
		if (fingerprint_equal(h->tokens[found->at], token))
			return true;
	return false;
}

// Receipts that are our own are not somebody else's; an answer that no receipt could take is read from memory.
static void apply_holdings(struct receipts *receipts, const struct holdings *h)
{
	_cleanup_index_ struct index tokens = {0};

	for (size_t i = 0; h && i < h->n_tokens; i++)
		index_add(&tokens, hash_token(h->tokens[i]), i);
	for (size_t i = 0; h && i < receipts->n; i++) {
		struct receipt *r = &receipts->list[i];
		if (holds_token(h, &tokens, r->token))
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

// Claimed for accounts of another state directory alone, one that is there: only a run there has their locks.
static bool is_elsewhere(const struct observation *o, const struct index *by_key,
			 const struct receipt *receipt)
{
	size_t n = 0;

	for (size_t i = 0; i < receipt->n_accounts; i++) {
		for_each_found (found, by_key, hash_string(receipt->accounts[i])) {
			const struct account_record *r = &o->records.list[found->at];
			n += string_equal(r->key, receipt->accounts[i]) &&
			     !record_is_of_here(o, r) &&
			     (access(r->state_dir, F_OK) == 0 || errno != ENOENT);
		}
	}
	return n > 0 && n == receipt->n_accounts;
}

static void find_elsewhere(struct observation *o)
{
	_cleanup_index_ struct index by_key = {0};

	for (size_t i = 0; o->receipts.n && i < o->records.n; i++)
		index_add(&by_key, hash_string(o->records.list[i].key), i);
	for (size_t i = 0; i < o->receipts.n; i++)
		o->receipts.list[i].elsewhere = is_elsewhere(o, &by_key, &o->receipts.list[i]);
}

// Another ledger at work on this state directory, or a lock directory that somebody else could turn: hands off.
// Returns an error only for a shortage, which says nothing.
static int bar_directory(struct observation *o, const struct ledger *ledger, struct state_dir *dir)
{
	_cleanup_free_ char *message = NULL, *fix = NULL;
	const char *code = "ledger_conflict", *reason = "another ledger owns this state directory";
	int r = ledger_check_owner(ledger, dir->path, &message, &fix);

	if (r != -EEXIST) {
		code = "lock_directory";
		reason = "the lock directory is not safe";
	}
	if (r >= 0)
		r = lock_directory_check(dir->path, false, &message, &fix);
	if (r == -EACCES && message)
		reason = "no lock can be made in its state directory";
	if (error_is_shortage(r))
		return r;
	if (r >= 0 || r == -ENOENT)
		return 0;
	if (!message) {
		reason = "the lock directory cannot be looked at";
		message = xasprintf("%s: %s", reason, strerror(-r));
	}
	if (!fix) {
		_cleanup_free_ char *locks = path_join(dir->path, "locks");
		fix = unreadable_fix(access(dir->path, R_OK) < 0 ? dir->path : locks, r);
	}
	problem_add(&o->problems, SEVERITY_ERROR, code, NULL, NULL, TAKE_PTR(message),
		    TAKE_PTR(fix))
		->needs_person = true;
	dir->barred = xstrdup(reason);
	return 0;
}

static int bar_what_is_unsafe(struct observation *o, const struct policy *policy,
			      const struct ledger *ledger)
{
	const struct problem *bar = policy->bar;

	if (bar) // whose a state directory is cannot be told without a ledger
		problem_add(&o->problems, bar->severity, bar->code, bar->store, NULL,
			    xstrdup(bar->message), xstrdup(bar->fix))
			->needs_person = true;
	for (size_t i = 0; i < o->stores.n_dirs; i++) {
		struct state_dir *dir = o->stores.dirs[i];
		int r = bar || dir->gone ? 0 : bar_directory(o, ledger, dir);
		if (r < 0)
			return r;
		if (dir->unread && !dir->barred)
			dir->barred = xstrdup("the agents' stores cannot all be found");
	}
	return 0;
}

// Which OpenClaw had in the place of agents' stores once, or which somebody put there: it reads them no more.
static char *find_lone_store(const char *directory)
{
	static const char *const names[] = {"credentials/auth-profiles.json", "auth-profiles.json",
					    "agent/auth-profiles.json"};

	for (size_t i = 0; directory && i < ARRAY_SIZE(names); i++) {
		char *path = path_join(directory, names[i]);
		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static void say_lone_store(struct observation *o, const char *directory, const char *path)
{
	_cleanup_free_ char *agent = path_join(directory, "agents/main/agent"),
			    *to = shell_quoted(agent), *from = shell_quoted(path);

	problem_add(&o->problems, SEVERITY_WARNING, "no_accounts", path, NULL,
		    xstrdup("logins may stand there, where OpenClaw does not look for them; in its "
			    "own stores no login was found"),
		    xasprintf("log in anew: openclaw models auth login; or, if those logins are "
			      "this OpenClaw's own: mkdir -p %s && mv %s %s/auth-profiles.json",
			      to, from, to));
}

// The timer would be silent for ever where a shell's environment knows another place.
static void say_nothing_found(struct observation *o)
{
	const char *directory = o->stores.n_dirs ? o->stores.dirs[0]->path : NULL;
	_cleanup_free_ char *lone = NULL;

	if (o->n_accounts || o->records.n || o->problems.n)
		return;
	lone = find_lone_store(directory);
	if (lone)
		return say_lone_store(o, directory, lone);
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
			m->kept = m->settled || m->kept_until_ms ||
				  (a->live_settled &&
				   fingerprint_equal(token, a->record.live.fingerprint)) ||
				  displaced_holds(ledger, a->record.key, token);
		}
	}
}

static void group(struct observation *o, const struct config *config, const struct policy *policy,
		  const struct ledger *ledger, const struct holdings *holdings)
{
	_cleanup_index_ struct index keys = {0};

	group_accounts(o, config, ledger);
	for (size_t i = 0; holdings && i < holdings->n_keys; i++)
		index_add(&keys, hash_string(holdings->keys[i]), i);
	for (size_t i = 0; i < o->n_accounts; i++) {
		struct account *a = o->accounts[i];
		// An answered receipt whose keeper is gone may be recovered by whoever has the account's lock; in a look
		// without locks, nobody having it says the same.
		a->claimed = holds_key(holdings, &keys, a->record.key) ||
			     (a->n_receipts && !account_is_locked(ledger, a->record.key));
	}
	look_up_choice(o, policy, ledger);
	look_up_hosts(o, config, policy, ledger);
	hand_over(o, policy);
}

static void say_receipts(struct observation *o, const struct ledger *ledger)
{
	for (size_t i = 0; i < o->receipts.n; i++) {
		const struct receipt *r = &o->receipts.list[i];
		if (!r->trouble)
			continue;
		_cleanup_free_ char *path =
			xasprintf("%s/receipts/%s", ledger->directory, r->token.hex);
		problem_add(&o->problems, SEVERITY_ERROR,
			    r->newer ? "ledger_newer" : "ledger_unreadable", path, NULL,
			    xasprintf("%s: do not remove it, it may hold an answer", r->trouble),
			    r->newer ? xstrdup(INSTALL_AGAIN) : private_remedy(path))
			->needs_person = true;
	}
}

static int read_ledger(struct observation *o, const struct ledger *ledger)
{
	int r;

	if (!ledger->exists)
		return 0;
	r = account_records_read(ledger, &o->records, &o->problems);
	if (r >= 0)
		r = receipts_read(ledger, &o->receipts);
	if (r >= 0 || error_is_shortage(r))
		return r;
	problem_add(&o->problems, SEVERITY_ERROR, "ledger_unreadable", ledger->directory, NULL,
		    xasprintf("the ledger cannot be read: %s", strerror(-r)), NULL)
		->needs_person = true;
	o->barred = xstrdup("the ledger cannot be read");
	return 0;
}

// Where the ledger's logins stood. True if there is one that was not looked at.
static bool learn_places(const struct observation *o, struct names *known)
{
	size_t before = known->n;

	for (size_t i = 0; i < o->records.n; i++) {
		const char *place = o->records.list[i].state_dir;
		if (place && !stores_dir(&o->stores, place) && !names_hold(known, place))
			*array_add(&known->list, &known->n) = xstrdup(place);
	}
	return known->n > before;
}

// The stores before the ledger: what another run has done in between, the ledger tells. (Where it tells of places that
// were not looked at, both are looked at once more.)
static int look(const struct config *config, const struct ledger *ledger, struct seen *seen,
		struct observation *ret)
{
	_cleanup_names_ struct names known = {0};

	for (;;) {
		struct observation o = {0};
		int found = discover_stores(config, &known, seen, &o.stores, &o.problems);
		int r = read_ledger(&o, ledger);
		bool more = r >= 0 && (found < 0 || !config->state_dir) && learn_places(&o, &known);
		if (found >= 0 && r >= 0 && !more) {
			*ret = o;
			return 0;
		}
		observation_free(&o);
		if (!more)
			return found < 0 ? found : r;
	}
}

// That a receipt is there once, and durable, would be another machine's word.
static void say_ledger_shared(struct observation *o, const struct ledger *ledger)
{
	const struct filesystem *fs = filesystem_of(ledger->directory);

	if (!fs || !fs->is_shared)
		return;
	_cleanup_free_ char *shown = string_printable(ledger->directory, 1024);
	problem_add(&o->problems, SEVERITY_ERROR, "ledger_filesystem", ledger->directory, NULL,
		    xasprintf("the ledger %s lies on %s, where locks and fsync cannot be relied "
			      "on: a token could be spent twice",
			      shown, fs->name),
		    xstrdup("move it to a local disk while nothing runs, and name it: `ledger_dir` "
			    "in oauth-keepalive.conf"))
		->needs_person = true;
}

static bool any_directory(const struct observation *o)
{
	for (size_t i = 0; i < o->stores.n_dirs; i++)
		if (!o->stores.dirs[i]->gone)
			return true;
	return false;
}

static void say_no_state_dir(struct observation *o, const struct config *config)
{
	if (config->n_stores)
		problem_add(&o->problems, SEVERITY_ERROR, "no_state_dir", NULL, NULL,
			    xstrdup("stores are configured, but there is no OpenClaw state "
				    "directory whose locks would guard them"),
			    xstrdup("name it: `state_dir` in oauth-keepalive.conf, or --state-dir"))
			->needs_person = true;
}

// The marks are looked up after the records were read. What another run has sent and settled in between would be a live token
// that is spent, which only a person could mend.
static bool was_overtaken(const struct observation *o, const struct ledger *ledger)
{
	for (size_t i = 0; i < o->n_accounts; i++)
		if (o->accounts[i]->live_settled &&
		    account_record_moved(ledger, &o->accounts[i]->record))
			return true;
	return false;
}

// -ESTALE: overtaken, and there may be another try.
static int observe_once(const struct config *config, const struct policy *policy,
			const struct ledger *ledger, const struct holdings *holdings,
			bool may_try_again, struct observation *ret)
{
	struct policy ours = *policy;
	int r = look(config, ledger, holdings ? holdings->seen : NULL, ret);

	if (r < 0)
		return r;
	ret->clock_supported = clock_is_supported(&ret->records, policy->now_ms);
	ours.clock_unsupported = !ret->clock_supported;
	ours.clock_contradicted = clock_is_contradicted(&ret->records, policy->now_ms);
	say_receipts(ret, ledger);
	say_ledger_shared(ret, ledger);
	apply_holdings(&ret->receipts, holdings);
	find_elsewhere(ret);
	r = bar_what_is_unsafe(ret, policy, ledger);
	if (r < 0) {
		observation_free(ret);
		return r;
	}
	if (!any_directory(ret))
		say_no_state_dir(ret, config);
	group(ret, config, &ours, ledger, holdings);
	if (may_try_again && was_overtaken(ret, ledger)) {
		observation_free(ret);
		return -ESTALE;
	}
	decide_all(ret, config, &ours);
	say_problems(ret, policy);
	say_nothing_found(ret);
	return 0;
}

int observe(const struct config *config, const struct policy *policy, const struct ledger *ledger,
	    const struct holdings *holdings, struct observation *ret)
{
	int r = -ESTALE;

	for (int left = LOOKS - 1; r == -ESTALE && left >= 0; left--)
		r = observe_once(config, policy, ledger, holdings, left > 0, ret);
	return r;
}
