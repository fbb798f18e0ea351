// SPDX-License-Identifier: MIT
//
// Which copies are one account: a table over stores held in memory, and the identity gate as a
// property.
//
// A case is two lines of words. Given, the stores in their order, and what the ledger remembers:
//
//	main=3/alice a=3 b=blank        token 3 of alice; 3 without identity; blanked
//	a=static b=bad                  an api_key profile; an entry that cannot be read
//	main=unreadable a=missing       stores; also refused, empty, retired:3/alice
//	a=codex:3/alice                 another provider, under the profile id of that provider
//	rec=3/alice@main own=5/bob@b    records: the base account's, an agent's own login's
//	rec=3,1,2/alice@main            live token, those superseded, whose, where main was
//
// Identities: alice (user id and email), mail.alice, user.alice, team.alice (in a workspace), team
// (a workspace only).
//
// Found, the accounts in their order: base, own (an agent's own login), skip; <who>; the members,
// of which * is main and ? unproven, ! foreign, ~ in conflict, - otherwise not ours to judge.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>

#include "account/judge.h"
#include "keepalive/grant.h"

#include "base/clock.h"

#define NOW	  INT64_C(4102444800000) // 2100: after any build of this
#define STATE_DIR "/state"

static struct config config;
static const struct policy policy = {.now_ms = NOW, .at_ms = NOW};
static const struct ledger no_ledger;

static int setup(void **state)
{
	size_t n;
	const struct provider *presets = provider_presets(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		*array_add(&config.providers, &config.n_providers) = presets[i];
	config.timer_period_s = 5 * MINUTE_S;
	config.timer_jitter_s = config.deadline_s = MINUTE_S;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(config.providers);
	return 0;
}

// ---- what is given

static void set_tokens(struct secret *access, struct secret *refresh, int number)
{
	char text[64];

	snprintf(text, sizeof(text), "FAKE-ACCESS-%d", number);
	secret_set_string(access, text);
	snprintf(text, sizeof(text), "FAKE-REFRESH-%d", number);
	secret_set_string(refresh, text);
}

static struct fingerprint fingerprint_of_number(int number)
{
	_cleanup_secret_ struct secret access = {0}, refresh = {0};

	set_tokens(&access, &refresh, number);
	return fingerprint_of(&refresh);
}

static int64_t expiry_of(int number)
{
	return NOW + (3 * HOUR_S + number * MINUTE_S) * SECOND_MS;
}

static struct identity parse_identity(const char *text)
{
	struct identity who = {0};
	const char *name = strchr(text, '.') ? strchr(text, '.') + 1 : text;

	if (!*text)
		return who;
	if (string_starts(text, "team"))
		who.account_id = xstrdup("acct-team");
	if (string_equal(text, "team"))
		return who;
	if (!string_starts(text, "mail."))
		who.user_id = xasprintf("user-%s", name);
	if (!string_starts(text, "user."))
		who.email = xasprintf("%s@example.org", name);
	return who;
}

static const char *provider_of(const char *word)
{
	return string_equal(word, "codex") ? "openai-codex" : word;
}

static void set_place(struct credential *c, const char *provider)
{
	c->provider = xstrdup(provider_of(provider));
	c->profile = xasprintf("%s:default", provider_of(provider));
}

// "codex:3/alice"
static void add_copy(struct store *store, char *text)
{
	struct copy *copy = *array_add(&store->copies, &store->n_copies) = copy_new();
	char *colon = strchr(text, ':'), *slash = strchr(text, '/');
	struct credential *c = &copy->credential;

	if (colon)
		*colon = '\0';
	if (slash)
		*slash = '\0';
	set_place(c, colon ? text : "xai");
	text = colon ? colon + 1 : text;
	copy->kind = string_equal(text, "blank")    ? COPY_BLANK
		     : string_equal(text, "static") ? COPY_STATIC
		     : string_equal(text, "bad")    ? COPY_UNREADABLE
						    : COPY_OAUTH;
	if (copy->kind == COPY_UNREADABLE)
		copy->reason = xstrdup("a token is not a string");
	if (copy->kind != COPY_OAUTH)
		return;
	set_tokens(&c->access, &c->refresh, atoi(text));
	c->fingerprint = fingerprint_of(&c->refresh);
	c->expires_ms = expiry_of(atoi(text));
	c->identity = parse_identity(slash ? slash + 1 : "");
}

static void add_state_dir(struct stores *stores)
{
	struct state_dir *dir = xcalloc(1, sizeof(*dir));

	dir->path = xstrdup(STATE_DIR);
	*array_add(&stores->dirs, &stores->n_dirs) = dir;
}

static struct store *add_store(struct observation *o, const char *name)
{
	struct store *store = array_add(&o->stores.list, &o->stores.n);

	*array_add(&store->dirs, &store->n_dirs) = o->stores.dirs[0];

	store->role = string_equal(name, "main")  ? ROLE_MAIN
		      : string_equal(name, "ext") ? ROLE_EXTERNAL
						  : ROLE_AGENT;
	store->path = xstrdup(name);
	return store;
}

static void give_store(struct observation *o, const char *name, char *text)
{
	static const struct {
		const char *word;
		enum store_state state;
	} states[] = {
		{"unreadable", STORE_UNREADABLE},
		{"refused", STORE_REFUSED},
		{"missing", STORE_MISSING},
		{"retired", STORE_RETIRED},
	};
	struct store *store = add_store(o, name);
	char *rest = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (!string_starts(text, states[i].word))
			continue;
		store->state = states[i].state;
		text += strlen(states[i].word);
		text += *text == ':';
	}
	for (char *word = strtok_r(text, "+", &rest); word; word = strtok_r(NULL, "+", &rest))
		if (!string_equal(word, "empty"))
			add_copy(store, word);
}

// "codex:3,1,2/alice@main"
static void give_record(struct observation *o, char *text, bool own)
{
	struct account_record *r = array_add(&o->records.list, &o->records.n);
	char *at = strchr(text, '@'), *slash = strchr(text, '/'), *colon = strchr(text, ':'),
	     *rest = NULL;
	struct credential place = {0};

	*at = *slash = '\0';
	if (colon)
		*colon = '\0';
	set_place(&place, colon ? text : "xai");
	r->provider = place.provider;
	r->profile = place.profile;
	r->state_dir = xstrdup(STATE_DIR);
	r->main_store = xstrdup(at + 1);
	r->identity = parse_identity(slash + 1);
	r->own_login = own;
	r->number = 1;
	account_key(r->key, r->state_dir, r->provider, r->profile, own ? &r->identity : NULL);
	char *word = strtok_r(colon ? colon + 1 : text, ",", &rest);
	set_tokens(&r->live.access, &r->live.refresh, atoi(word));
	r->live.fingerprint = fingerprint_of(&r->live.refresh);
	r->live.expires_ms = r->anchor.expires_ms = expiry_of(atoi(word));
	while ((word = strtok_r(NULL, ",", &rest)))
		record_supersede(r, fingerprint_of_number(atoi(word)));
}

static void look(struct observation *o, const char *given)
{
	_cleanup_free_ char *words = xstrdup(given);
	char *rest = NULL;

	*o = (struct observation){0};
	add_state_dir(&o->stores);
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(word, '=');
		*value++ = '\0';
		if (string_equal(word, "rec") || string_equal(word, "own"))
			give_record(o, value, *word == 'o');
		else
			give_store(o, word, value);
	}
}

static void group(struct observation *o)
{
	group_accounts(o, &config, &no_ledger);
}

static void decide_each(struct observation *o)
{
	for (size_t i = 0; i < o->n_accounts; i++)
		o->accounts[i]->verdict = decide(o->accounts[i], NULL, &config, &policy);
	observation_tie(o);
}

// ---- what was found, in words

static char mark_of(const struct account *a, const struct member *m)
{
	if (m == a->main)
		return '*';
	if (!m->fixed)
		return ' ';
	return m->state == COPY_UNPROVEN   ? '?'
	       : m->state == COPY_FOREIGN  ? '!'
	       : m->state == COPY_DIVERGED ? '~'
					   : '-';
}

static void say_account(FILE *out, const struct account *a)
{
	const char *who = identity_name(&a->record.identity);

	fprintf(out, "%s",
		a->skip		      ? "skip"
		: a->vanished	      ? "gone"
		: a->record.own_login ? "own"
				      : "base");
	if (*who)
		fprintf(out, "<%s>", string_starts(who, "user-") ? who + 5 : who);
	if (a->main_trouble)
		fprintf(out, " trouble");
	if (a->identity_conflict)
		fprintf(out, " conflict");
	if (a->shared_token)
		fprintf(out, " shared");
	if (a->renamed_from[0])
		fprintf(out, " renamed");
	for (size_t i = 0; i < a->n_members; i++) {
		char mark = mark_of(a, &a->members[i]);
		fprintf(out, " %s%.*s", a->members[i].store->path, mark != ' ', &mark);
	}
}

static char *describe(const struct observation *o)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; i < o->n_accounts; i++) {
		if (i)
			fprintf(out, " | ");
		say_account(out, o->accounts[i]);
	}
	fclose(out);
	return text;
}

// ---- the table

struct scene {
	const char *given, *found;
};

static const struct scene identities[] = {
	{"main=1/alice a=1/alice b=2/alice ext=1/alice", "base<alice> main* a b ext"},
	{"main=1/alice a=1 ext=1", "base<alice> main* a ext"}, // an equal token proves it
	{"main=1 a=1/alice", "base<alice> main* a"},
	{"main=1/alice a=1/mail.alice b=2/user.alice", "base<alice> main* a b"},
	// another person: an agent's own login is an account of its own, an external file is
	// foreign
	{"main=1/alice a=2/bob", "base<alice> main* | own<bob> a*"},
	{"main=1/alice a=2/bob b=3/bob c=4/carol",
	 "base<alice> main* | own<bob> a* b | own<carol> c*"},
	{"main=1/alice a=2/bob b=2/mail.bob", "base<alice> main* | own<bob> a* b"},
	{"main=1/alice ext=2/bob", "base<alice> main* ext!"},
	{"main=1/alice a=2/bob ext=2/bob", "base<alice> main* | own<bob> a* ext"},
	{"main=1/alice a=2/bob ext=3/bob", "base<alice> main* ext! | own<bob> a*"},
	{"main=1/team.alice a=2/team.bob", "base<alice> main* | own<bob> a*"},
	// nobody says whose it is
	{"main=1/alice a=2", "base<alice> main* a?"},
	{"main=1/alice ext=2", "base<alice> main* ext?"},
	{"main=1 a=2/alice", "base main* a?"},
	{"main=1/mail.alice a=2/user.alice", "base<alice@example.org> main* a?"},
	{"main=1/team a=2/team", "base<acct-team> main* a?"}, // a workspace is no person
	{"main=1/team.alice a=2/team", "base<alice> main* a?"},
	{"main=1/team a=1/team ext=1/team", "base<acct-team> main* a ext"},
	{"rec=3,1/alice@main main=3/alice a=1 b=2 ext=1",
	 "base<alice> main* a b? ext"}, // known to the ledger
	// … and neither side could: then the place says it (OpenClaw's own rule), for its own
	// stores
	{"main=1 a=2", "base main* a"},
	{"main=1 ext=2", "base main* ext?"},
	{"main=1 ext=1", "base main* ext"},
	// a token of two persons
	{"main=1/alice a=1/bob", "base<alice> conflict main* a~"},
	{"main=1/alice ext=1/bob", "base<alice> conflict main* ext~"},
	{"rec=3,1/alice@main main=3/alice a=1/bob", "base<alice> conflict main* a~"},
	// what says nothing stays where it stands
	{"main=1/alice a=blank", "base<alice> main* a"},
	{"main=blank a=1/alice", "base main* a?"},
	{"rec=1/alice@main main=blank a=1/alice", "base<alice> main* a"},
};

static const struct scene own_logins[] = {
	// by token, also where it carries no identity
	{"own=5,4/bob@a main=1/alice a=5 b=4", "base<alice> main* | own<bob> a* b"},
	{"own=5/bob@a main=1/alice a=6/bob", "base<alice> main* | own<bob> a*"},
	{"own=5/bob@a main=1/alice a=6", "base<alice> main* a?"
					 " | own<bob>"},
	{"own=5/bob@b main=1/alice a=5/bob b=5/bob",
	 "base<alice> main* | own<bob> b* a"}, // main is where it was
	{"own=5/bob@a main=1/alice ext=5",
	 "base<alice> main* ext?"
	 " | skip<bob>"}, // an external file has no login of its own
	{"own=5/bob@a main=1/alice a=1/alice", "base<alice> main* a | own<bob>"},
	// the same person logs in to main: the agent keeps the login that its token is known by
	{"own=5/bob@a main=6/bob a=5/bob", "base<bob> main* | own<bob> a*"},
};

static const struct scene splits[] = {
	// another identity in main: the old login goes on under its own key, whoever still has it
	{"rec=1/alice@main main=2/bob a=1/alice b=2/bob",
	 "base<bob> main* b | own<alice> renamed a*"},
	{"rec=1/alice@main main=2/bob", "base<bob> main* | own<alice> renamed"},
	{"rec=1/alice@main main=2/bob a=3/carol",
	 "base<bob> main* | own<alice> renamed | own<carol> a*"},
	{"rec=1/mail.alice@main main=2/user.alice",
	 "base<alice> main*"}, // no id in common: not another
	{"rec=1/alice@main main=2", "base<alice> main*"},
	{"rec=2,1/alice@main main=1/bob",
	 "base<alice> conflict main*"},			      // a known token is no other login
	{"rec=1/alice@main main=blank", "base<alice> main*"}, // logged out
};

static const struct scene mains[] = {
	// main never had it: the first store of the list acts as main, never an external file
	{"main=empty a=1/alice b=1/alice", "base<alice> a* b"},
	{"main=missing a=1/alice b=1/alice", "base<alice> a* b"},
	{"main=empty ext=1/alice b=1/alice", "base<alice> b* ext"},
	{"main=empty a=blank b=1/alice", "base<alice> b* a"},
	{"main=empty ext=1/alice", "base ext?"},
	{"rec=1/alice@b main=empty a=1/alice b=1/alice",
	 "base<alice> b* a"}, // the ledger remembers which
	{"rec=1/alice@b main=empty a=1/alice b=missing", "base<alice> a*"},
	{"rec=1/alice@b main=empty a=1/alice", "base<alice> a*"},
	{"rec=1/alice@b main=empty a=1/alice b=unreadable", "base<alice> trouble a"},
	{"rec=1/alice@b main=empty a=1/alice b=empty",
	 "base<alice> a"}, // gone from there: logged out
	{"rec=1/alice@a main=1/alice a=1/alice", "base<alice> main* a"}, // main has it now
	// main had it, or may have it, and cannot be looked at: that is not a logout
	{"main=unreadable a=1/alice", "base<alice> trouble a*"},
	{"main=refused a=1/alice", "base<alice> trouble a*"},
	{"rec=1/alice@main main=unreadable a=1/alice", "base<alice> trouble a"},
	{"rec=1/alice@main main=refused a=1/alice", "base<alice> trouble a"},
	{"rec=1/alice@main main=missing a=1/alice", "base<alice> trouble a"},
	{"rec=1/alice@main main=retired:1/alice a=1/alice", "base<alice> trouble main- a"},
	{"main=retired:1/alice a=1/alice", "base trouble main- a?"},
	{"rec=1/alice@main main=empty a=1/alice", "base<alice> a"},
	// a retired agent store that shares the token: the runtime may spend it where we cannot
	// write
	{"main=1/alice a=retired:1/alice", "base<alice> trouble main* a-"},
	{"main=1/alice a=retired:2/bob", "base<alice> main* | own<bob> trouble a-"},
	// … nor may another's login be refreshed for an agent alone, unless the ledger knows it as its own
	{"rec=1/alice@main main=refused a=2/bob", "base<alice> trouble | own<bob> trouble a"},
	{"rec=1/alice@main main=bad a=2/bob", "base<alice> trouble main- | own<bob> trouble a"},
	{"rec=1/alice@main own=2/bob@a main=refused a=3/bob",
	 "base<alice> trouble | own<bob> trouble a"},
	{"rec=1/alice@main own=2/bob@a main=refused a=2/bob", "base<alice> trouble | own<bob> a*"},
	// nobody shows it
	{"rec=1/alice@main main=empty", "gone<alice>"},
	{"rec=1/alice@main main=unreadable", "base<alice> trouble"},
	{"rec=1/alice@main main=retired", "base<alice> trouble"},
	{"rec=1/alice@a main=empty", "gone<alice>"},
	{"own=5/bob@a main=1/alice a=missing", "base<alice> main* | gone<bob>"},
	{"own=5/bob@a main=1/alice a=empty", "base<alice> main* | gone<bob>"},
};

static const struct scene others[] = {
	{"main=static a=1/alice", "base<alice> a* | skip main-"},
	{"main=1/alice a=bad", "base<alice> main* a-"}, // the rest of the account is served
	{"main=bad", "skip main-"},
	{"main=github-copilot:1/alice", "skip<alice> main*"}, // nothing to refresh
	{"main=nobody:1/alice", "skip<alice> main*"},	      // an unknown provider
	// one token under two names: of one family one grant; of two providers somebody's mistake
	{"main=codex:1/alice+openai:1/alice", "base<alice> main* | base<alice> main*"},
	{"main=codex:1/alice+anthropic:1/alice",
	 "base<alice> shared main* | base<alice> shared main*"},
	{"main=codex:1/alice a=anthropic:1/alice b=anthropic:2/alice",
	 "base<alice> shared main* | base<alice> shared a* b"},
	{"main=codex:1/alice+anthropic:2/alice", "base<alice> main* | base<alice> main*"},
};

// Found broken once.
static const struct scene regressions[] = {
	// A bad entry in main is no logout (decide would end the account for good), and no licence
	// to spend what an
	// agent shares with it.
	{"rec=1/alice@main main=bad a=1/alice", "base<alice> trouble a main-"},
	{"rec=1/alice@main main=bad", "base<alice> trouble main-"},
	{"main=bad a=1/alice", "base trouble a? main-"},
	// An equal token proves whose a copy is in the first run too, and in the run that splits.
	{"main=1/alice a=2/bob b=2", "base<alice> main* | own<bob> a* b"},
	{"main=1/alice a=2 b=2/bob", "base<alice> main* | own<bob> b* a"},
	{"rec=1/alice@main main=2/bob a=1", "base<bob> main* | own<alice> renamed a*"},
	// One token under two persons is a conflict, whichever of the copies says so.
	{"main=1 a=1/alice b=1/bob", "base<alice> conflict main* a b~"},
	{"own=5/bob@a main=1/alice a=5/carol", "base<alice> main* | own<bob> conflict a~"},
	// One profile in many stores is one account.
	{"main=static a=static b=static", "skip main- a- b-"},
};

static bool scene_holds(const struct scene *scene)
{
	struct observation o;

	look(&o, scene->given);
	group(&o);
	_cleanup_free_ char *found = describe(&o);
	bool same = string_equal(found, scene->found);
	if (!same)
		print_error("given    %s\nexpected %s\nfound    %s\n", scene->given, scene->found,
			    found);
	observation_free(&o);
	return same;
}

static void expect_scenes(const struct scene *scenes, size_t n)
{
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++)
		wrong += !scene_holds(&scenes[i]);
	assert_int_equal(wrong, 0);
}

#define SCENE_TEST(name)                                                                           \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		expect_scenes(name, ARRAY_SIZE(name));                                             \
	}

SCENE_TEST(identities)
SCENE_TEST(own_logins)
SCENE_TEST(splits)
SCENE_TEST(mains)
SCENE_TEST(others)
SCENE_TEST(regressions)

// ---- what the words do not say

// The record moves, whole, and before its old place is taken: killed in between, nothing is
// forgotten.
static void test_split_keeps_the_record(void **state)
{
	struct observation o;
	char base_key[33], own_key[33];
	struct identity alice = parse_identity("alice");

	(void)state;
	account_key(base_key, STATE_DIR, "xai", "xai:default", NULL);
	account_key(own_key, STATE_DIR, "xai", "xai:default", &alice);
	look(&o, "rec=3,1/alice@main main=5/bob a=3/alice");
	group(&o);
	assert_int_equal(o.n_accounts, 2);
	struct account *base = o.accounts[0], *old = o.accounts[1];

	assert_string_equal(old->record.key, own_key);
	assert_string_equal(old->renamed_from, base_key);
	assert_true(old->recorded && old->record.own_login && old->record.split);
	assert_true(fingerprint_equal(old->record.live.fingerprint, fingerprint_of_number(3)));
	assert_string_equal(old->record.live.refresh.text, "FAKE-REFRESH-3");
	assert_true(record_superseded(&old->record, fingerprint_of_number(1)));
	assert_null(old->record.main_store);

	assert_string_equal(base->record.key, base_key);
	assert_false(base->recorded);
	assert_true(fingerprint_empty(base->record.live.fingerprint));
	assert_int_equal(base->record.n_superseded, 0);

	decide_each(&o);
	assert_true(old->verdict.record_changed); // it is saved even if there is nothing else to do
	assert_string_equal(base->verdict.record.live.refresh.text, "FAKE-REFRESH-5");
	assert_false(base->verdict.send || old->verdict.send || account_has_writes(base) ||
		     account_has_writes(old));

	struct grant g = {0}; // saved in one go
	*array_add(&g.keys, &g.n_keys) = xstrdup(base_key);
	assert_false(grant_complete(&g, &o));
	assert_int_equal(g.n_keys, 2);
	free(g.keys[0]), free(g.keys[1]), free(g.keys);
	identity_free(&alice);
	observation_free(&o);
}

// Each account is judged once, and who goes on with a sibling's generation once more.
static void expect_verdicts(const char *given, unsigned accounts, unsigned followers)
{
	struct observation o;
	unsigned follow = 0;

	look(&o, given);
	group(&o);
	decide_all(&o, &config, &policy);
	for (size_t i = 0; i < o.n_accounts; i++)
		follow += o.accounts[i]->verdict.follows;
	if (o.n_accounts != accounts || follow != followers || o.n_verdicts != accounts + followers)
		fail_msg("%s: %zu accounts, %u follow, %u verdicts", given, o.n_accounts, follow,
			 o.n_verdicts);
	observation_free(&o);
}

static void test_each_is_judged_once(void **state)
{
	(void)state;
	expect_verdicts("rec=3/alice@main main=3/alice a=3/alice", 1, 0);
	expect_verdicts("rec=3/alice@main main=3/alice a=5/bob", 2, 0);
	// openai's name went past the token that openai-codex' still has; xai's has nothing to do with it.
	expect_verdicts("rec=codex:3/alice@main rec=openai:4,3/alice@main "
			"main=codex:3/alice+openai:4/alice+xai:1/bob",
			3, 1);
	expect_verdicts("rec=codex:3/alice@main rec=openai:3/alice@main "
			"main=codex:3/alice+openai:4/alice",
			2, 1);
	expect_verdicts("rec=codex:4,3/alice@main rec=openai:4,3/alice@main "
			"main=codex:4/alice+openai:4/alice",
			2, 0);
}

// What is decided about each, when it comes to sending: "decision/outcome code", and what is to be saved or displaced.
static char *describe_verdicts(const struct observation *o)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct verdict *v = &o->accounts[i]->verdict;
		fprintf(out, "%s%s/%s", i ? " | " : "", decision_name(v->decision),
			outcome_name(v->outcome));
		if (v->code[0])
			fprintf(out, " %s", v->code);
		fprintf(out, "%s%s%s", v->send ? " send" : "", v->record_changed ? " save" : "",
			v->unserved ? " unserved" : "");
		for (size_t k = 0; k < v->n_displaced; k++)
			fprintf(out, " displaced=%s",
				v->displaced[k].credential.refresh.text + strlen("FAKE-REFRESH-"));
	}
	fclose(out);
	return text;
}

// `refused`: so often was the first record's token refused.
static void expect_decided(const char *given, int refused, const char *expected)
{
	const struct policy late = {.now_ms = NOW, .at_ms = expiry_of(0)}; // all are due
	struct observation o;

	look(&o, given);
	if (refused) {
		o.records.list[0].rejections = refused;
		o.records.list[0].not_before_ms = NOW + HOUR_S * SECOND_MS;
		strcpy(o.records.list[0].error_code, "invalid_client");
	}
	group(&o);
	decide_all(&o, &config, &late);
	_cleanup_free_ char *decided = describe_verdicts(&o);
	if (!string_equal(decided, expected))
		fail_msg("%s:\nexpected %s\ndecided  %s", given, expected, decided);
	observation_free(&o);
}

// One token under two names is sent for both or for none.
static void test_names_of_one_login(void **state)
{
	(void)state;
	expect_decided("rec=codex:3/alice@main rec=openai:3/alice@main "
		       "main=codex:3/alice+openai:3/alice",
		       0, "refresh/planned send | refresh/planned send");
	expect_decided("rec=codex:3/alice@b rec=openai:3/alice@main "
		       "b=unreadable main=openai:3/alice",
		       0, "hold/held other_name | hold/held main_store");
	expect_decided("rec=codex:4/alice@b rec=openai:3/alice@main "
		       "b=unreadable main=openai:3/alice",
		       0, "refresh/planned send | hold/held main_store");
	expect_decided("rec=codex:3/alice@main rec=openai:3/alice@main "
		       "main=codex:3/alice+openai:3/alice",
		       1, "none/failed invalid_client | none/failed invalid_client");
	expect_decided("rec=codex:3/alice@main rec=openai:3/alice@main "
		       "main=codex:3/alice+openai:3/alice",
		       3, "hold/held invalid_client | hold/held invalid_client");
	expect_decided("rec=codex:3/alice@main rec=openai:4/alice@main "
		       "main=codex:3/alice+openai:4/alice",
		       3, "hold/held invalid_client | refresh/planned send");
}

// What grouping itself has found out is saved, and kept, also where nothing else comes of it.
static void test_what_grouping_found_is_saved(void **state)
{
	(void)state;
	// A copy tells more of the owner than the record knew.
	expect_decided("rec=3/user.alice@main main=unreadable a=3/alice", 0,
		       "hold/held main_store save");
	expect_decided("rec=3/alice@main main=unreadable a=3/alice", 0, "hold/held main_store");
	// The old login of main moves to a key of its own, with no copy left …
	expect_decided("rec=3/alice@main main=5/bob", 0,
		       "refresh/planned send save | skip/skipped save");
	expect_decided("rec=3/alice@main main=5/bob a=3/alice b=3/carol", 0,
		       "hold/held other_name save | hold/held identity_conflict save");
	// … or makes way, where the same person has one of his own already.
	expect_decided("rec=3/alice@main own=4/alice@a main=5/bob a=4/alice", 0,
		       "refresh/planned send save displaced=3 | refresh/planned send");
	expect_decided("main=nobody:1/alice", 0, "skip/skipped unserved");
}

static size_t grant_size(const char *given)
{
	struct observation o;
	struct grant g = {0};

	look(&o, given);
	group(&o);
	decide_each(&o);
	*array_add(&g.keys, &g.n_keys) = xstrdup(o.accounts[0]->record.key);
	grant_complete(&g, &o);
	size_t n = g.n_keys;
	for (size_t i = 0; i < g.n_keys; i++)
		free(g.keys[i]);
	free(g.keys);
	observation_free(&o);
	return n;
}

// One token, one POST, all names' locks.
static void test_grants(void **state)
{
	(void)state;
	assert_int_equal(grant_size("main=codex:1/alice+openai:1/alice"), 2);
	assert_int_equal(grant_size("main=codex:1/alice a=openai:1/alice"), 2);
	assert_int_equal(grant_size("main=codex:1/alice+openai:2/alice"), 1);
	assert_int_equal(grant_size("main=codex:1/alice+xai:2/alice"), 1);
	assert_int_equal(grant_size("main=1/alice a=2/bob"), 1);
}

static bool any_send_or_write(const char *given)
{
	const struct policy forced = {.now_ms = NOW, .at_ms = NOW, .force = true};
	struct observation o;
	bool any = false;

	look(&o, given);
	group(&o);
	for (size_t i = 0; i < o.n_accounts; i++) {
		o.accounts[i]->verdict = decide(o.accounts[i], NULL, &config, &forced);
		any |= o.accounts[i]->verdict.send || account_has_writes(o.accounts[i]);
	}
	observation_free(&o);
	return any;
}

static void test_hands_off(void **state)
{
	static const char *const given[] = {
		"main=codex:1/alice+anthropic:1/alice",
		"rec=3,1/alice@main main=3/alice a=1/bob",
		"main=unreadable a=1/alice",
		"rec=3,1/alice@main main=refused a=3/alice",
		"main=1/alice a=retired:1/alice",
		"main=github-copilot:1/alice",
		"main=blank a=1/alice",
		"rec=1/alice@main main=blank a=1/alice",
		"rec=1/alice@main main=refused a=2/bob",
		"rec=1/alice@main own=2/bob@a main=refused a=3/bob",
	};

	(void)state;
	assert_true(any_send_or_write("main=1/alice")); // the question is a fair one
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		if (any_send_or_write(given[i]))
			fail_msg("%s: sent or written", given[i]);
}

static void give_receipt(struct observation *o, int token, const char *key)
{
	struct receipt *r = array_add(&o->receipts.list, &o->receipts.n);

	r->token = fingerprint_of_number(token);
	if (key)
		*array_add(&r->accounts, &r->n_accounts) = xstrdup(key);
}

// A receipt concerns whoever it names, and whoever holds its token as its own.
static void test_receipts_find_their_accounts(void **state)
{
	struct observation o;
	char key[33];

	(void)state;
	account_key(key, STATE_DIR, "xai", "xai:default", NULL);
	look(&o, "rec=3/alice@main main=2/alice a=5/bob b=6");
	give_receipt(&o, 9, key);  // by name
	give_receipt(&o, 3, NULL); // the live token
	give_receipt(&o, 2, NULL); // what main shows: another account's, as far as we know
	give_receipt(&o, 5, NULL); // bob's
	give_receipt(&o, 6, NULL); // unproven
	give_receipt(&o, 8, "somebody else"); // nobody's here
	group(&o);
	assert_int_equal(o.n_accounts, 2);
	assert_int_equal(o.accounts[0]->n_receipts, 2);
	for (size_t i = 0; i < 2; i++)
		assert_ptr_equal(o.accounts[0]->receipts[i], &o.receipts.list[i]);
	assert_int_equal(o.accounts[1]->n_receipts, 1);
	assert_ptr_equal(o.accounts[1]->receipts[0], &o.receipts.list[3]);
	observation_free(&o);
}

static void make_unreadable(struct account_records *records)
{
	for (size_t i = 0; i < records->n; i++) {
		struct account_record unreadable = {.unreadable = true};
		memcpy(unreadable.key, records->list[i].key, sizeof(unreadable.key));
		account_record_free(&records->list[i]);
		records->list[i] = unreadable;
	}
}

// A record that cannot be read holds its account. It is never "no record": that would begin one
// afresh, over it.
static void expect_held(const char *given)
{
	struct observation o;

	look(&o, given);
	make_unreadable(&o.records);
	group(&o);
	decide_each(&o);
	assert_true(o.n_accounts > 0);
	for (size_t i = 0; i < o.n_accounts; i++) {
		if (o.accounts[i]->verdict.decision != DECISION_HOLD ||
		    account_has_work(o.accounts[i]))
			fail_msg("%s: account %zu is not held", given, i);
	}
	observation_free(&o);
}

static void test_unreadable_records(void **state)
{
	(void)state;
	expect_held("rec=3,1/alice@main main=5/alice a=1/alice");
	expect_held("rec=3,1/alice@main main=empty");
}

// ---- properties

static uint64_t random_state;

static unsigned random_below(unsigned n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % n;
}

// What the copies of a random world say about themselves.
struct honesty {
	unsigned omitted; // of 100 ids, these are not there
	bool teams;	  // a person may have logins in two workspaces
	bool liars;	  // two copies of one token may name two persons
};

static char *random_id(const char *prefix, unsigned who, unsigned omitted)
{
	return random_below(100) < omitted ? NULL : xasprintf("%s-%u", prefix, who);
}

// Every token belongs to one login; a copy of it tells some of that login's ids.
static void random_copy(struct store *store, const struct honesty *honesty)
{
	unsigned token = random_below(12), team = token / 2 % 2, user = token % 2, email = user;
	char text[8];

	if (honesty->liars)
		user = random_below(2), email = random_below(2), team = random_below(2);
	snprintf(text, sizeof(text), "%u", token);
	add_copy(store, text);
	struct identity *who = &store->copies[0]->credential.identity;
	who->user_id = random_id("user", user, honesty->omitted);
	who->email = random_id("mail", email, honesty->omitted);
	if (honesty->teams)
		who->account_id = random_id("team", team, honesty->omitted);
}

static const char *const store_names[] = {"main", "a", "b", "c", "d", "ext"};

static void random_look(struct observation *o, const struct honesty *honesty)
{
	*o = (struct observation){0};
	add_state_dir(&o->stores);
	for (size_t i = 0; i < ARRAY_SIZE(store_names); i++) {
		struct store *store = add_store(o, store_names[i]);
		if (random_below(6))
			random_copy(store, honesty);
	}
}

static void save(struct account_records *records, const struct account *a)
{
	struct account_record *to = NULL;

	if (!a->verdict.record_changed)
		return;
	for (size_t i = 0; i < records->n; i++)
		if (string_equal(records->list[i].key, a->record.key))
			to = &records->list[i];
	if (!to)
		to = array_add(&records->list, &records->n);
	account_record_copy(to, &a->verdict.record);
}

// What is decided becomes what the ledger says; a record that moves goes first.
static void save_all(struct account_records *records, const struct observation *o)
{
	for (int moved = 1; moved >= 0; moved--)
		for (size_t i = 0; i < o->n_accounts; i++)
			if ((o->accounts[i]->renamed_from[0] != '\0') == moved)
				save(records, o->accounts[i]);
}

static void expect_gate(const struct observation *o, unsigned world)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		for (size_t k = 0; k < a->n_members; k++) {
			const struct member *m = &a->members[k];
			const struct identity *theirs = &m->copy->credential.identity;
			if (!verdict_of(a, m)->write)
				continue;
			if (verdict_of(a, m)->fixed)
				fail_msg("world %u: a copy that is not ours is written", world);
			if (identity_compare(&a->verdict.record.identity, theirs) ==
			    IDENTITY_DIFFERENT)
				fail_msg("world %u: %s is written with a credential of somebody "
					 "else",
					 world, m->store->path);
		}
		if (a->verdict.send && a->main && a->main->copy->kind == COPY_OAUTH &&
		    identity_compare(&a->verdict.record.identity,
				     &a->main->copy->credential.identity) == IDENTITY_DIFFERENT)
			fail_msg("world %u: a token of somebody else is sent", world);
	}
}

static void expect_placed_once(const struct observation *o, unsigned world)
{
	size_t members = 0, there = 0;

	for (size_t i = 0; i < o->n_accounts; i++)
		members += o->accounts[i]->n_members;
	for (size_t i = 0; i < o->stores.n; i++)
		there += o->stores.list[i].n_copies;
	if (members != there)
		fail_msg("world %u: %zu copies, %zu members", world, there, members);
}

// Three looks at a world that changes as it likes, with the ledger that each leaves to the next.
static size_t watch_gate(const struct honesty *honesty, unsigned worlds)
{
	size_t writes = 0;

	for (unsigned world = 0; world < worlds; world++) {
		struct account_records records = {0};
		random_state = world;
		for (int round = 0; round < 3; round++) {
			struct observation o;
			random_look(&o, honesty);
			o.records = records;
			group(&o);
			decide_each(&o);
			expect_placed_once(&o, world);
			expect_gate(&o, world);
			for (size_t i = 0; i < o.n_accounts; i++)
				writes += account_has_writes(o.accounts[i]);
			records = o.records;
			o.records = (struct account_records){0};
			save_all(&records, &o);
			observation_free(&o);
		}
		account_records_free(&records);
	}
	return writes;
}

// No credential of one account lands on another.
static void test_identity_gate(void **state)
{
	static const struct honesty complete = {.omitted = 0};

	(void)state;
	assert_true(watch_gate(&complete, 4000) >
		    600); // it stood open often enough to be worth watching
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

// The accounts as sorted text: who, and which stores, in whatever order they came.
static char *partition_of(const struct observation *o)
{
	char *lines[32], *text = xstrdup("");

	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		char found[64] = "";
		for (size_t s = 0; s < ARRAY_SIZE(store_names); s++) {
			for (size_t k = 0; k < a->n_members; k++) {
				const struct member *m = &a->members[k];
				if (string_equal(m->store->path, store_names[s]))
					snprintf(found + strlen(found),
						 sizeof(found) - strlen(found), " %s%s",
						 m->store->path,
						 m->fixed ? copy_state_name(m->state) : "");
			}
		}
		lines[i] = xasprintf("%s%s%s;", a->record.key,
				     a->identity_conflict ? " conflict" : "", found);
	}
	qsort(lines, o->n_accounts, sizeof(*lines), compare_text);
	for (size_t i = 0; i < o->n_accounts; i++) {
		char *longer = xasprintf("%s%s", text, lines[i]);
		free(text);
		free(lines[i]);
		text = longer;
	}
	return text;
}

static void shuffle_agents(struct stores *stores)
{
	for (size_t i = 4; i > 1; i--) { // main stays first, the external file last
		size_t k = 1 + random_below((unsigned)i);
		struct store store = stores->list[i];
		stores->list[i] = stores->list[k];
		stores->list[k] = store;
	}
}

// Whose a copy is does not hang on the order in which agents are listed. (Which one acts as main
// does: so main has the profile here.)
static void watch_order(const struct honesty *honesty, unsigned worlds)
{
	for (unsigned world = 0; world < worlds; world++) {
		_cleanup_free_ char *first = NULL;
		for (int order = 0; order < 4; order++) {
			struct observation o;
			random_state = world;
			random_look(&o, honesty);
			if (!o.stores.list[0].n_copies)
				random_copy(&o.stores.list[0], honesty);
			random_state += (uint64_t)order * 977;
			if (order)
				shuffle_agents(&o.stores);
			group(&o);
			_cleanup_free_ char *partition = partition_of(&o);
			observation_free(&o);
			if (first && !string_equal(first, partition))
				fail_msg("world %u:\n%s\n%s", world, first, partition);
			if (!first)
				first = TAKE_PTR(partition);
		}
	}
}

static void test_order_does_not_matter(void **state)
{
	static const struct honesty complete = {.omitted = 0};

	(void)state;
	watch_order(&complete, 3000);
}

// ---- found broken once

static void set_account_id(struct identity *who, const char *account_id)
{
	free(who->account_id);
	who->account_id = xstrdup(account_id);
}

// One person in two workspaces has two logins: the account ids tell them apart, and so must the
// keys (account_key hashes but one id, so that one record takes the other's place).
static void test_keys_tell_logins_apart(void **state)
{
	struct observation o;

	(void)state;
	look(&o, "main=1/alice a=2/team.bob b=3/bob");
	set_account_id(&o.stores.list[2].copies[0]->credential.identity, "acct-other");
	group(&o);
	assert_int_equal(o.n_accounts, 3);
	assert_string_not_equal(o.accounts[1]->record.key, o.accounts[2]->record.key);
	observation_free(&o);
}

static void test_more_unreadable_records(void **state)
{
	(void)state;
	// new_own_account does not look whether there is a record of that key
	expect_held("rec=1/alice@main own=5/bob@a main=1/alice a=5/bob");
	expect_held("rec=1/alice@main own=5/bob@a main=1/alice a=6/bob");
	// config_excludes is handed a profile that is NULL
	*array_add(&config.exclude, &config.n_exclude) = xstrdup("personal:*");
	expect_held("rec=3,1/alice@main main=5/alice a=1/alice");
	free(config.exclude[0]);
	free(TAKE_PTR(config.exclude));
	config.n_exclude = 0;
}

// A login that only names a workspace begins its record anew with every token it does not know, and
// forgets what it knew: identity_compare says WORKSPACE, which is not SAME, and the key is taken
// all the same.
static void test_more_workspace_login_keeps_its_record(void **state)
{
	struct observation o;

	(void)state;
	look(&o, "own=5,4/team@a main=1/alice a=6/team");
	set_account_id(&o.stores.list[0].copies[0]->credential.identity, "acct-other");
	group(&o);
	decide_each(&o);
	assert_int_equal(o.n_accounts, 2);
	assert_true(o.accounts[1]->recorded);
	assert_true(record_knows(&o.accounts[1]->verdict.record, fingerprint_of_number(4)));
	observation_free(&o);
}

// Copies that leave out some ids: what one of them adds to the account's identity
// (note_main_and_identity) another may contradict that was let in before.
static void test_more_identity_gate(void **state)
{
	static const struct honesty worlds[] = {
		{.omitted = 30},
		{.omitted = 60},
		{.teams = true},
		{.teams = true, .omitted = 40},
		{.liars = true, .omitted = 30},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(worlds); i++)
		watch_gate(&worlds[i], 2000);
}

static void test_more_order_does_not_matter(void **state)
{
	static const struct honesty teams = {.teams = true};

	(void)state;
	watch_order(&teams, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_own_logins),
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_mains),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_split_keeps_the_record),
		cmocka_unit_test(test_each_is_judged_once),
		cmocka_unit_test(test_names_of_one_login),
		cmocka_unit_test(test_what_grouping_found_is_saved),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_hands_off),
		cmocka_unit_test(test_receipts_find_their_accounts),
		cmocka_unit_test(test_unreadable_records),
		cmocka_unit_test(test_identity_gate),
		cmocka_unit_test(test_order_does_not_matter),
		cmocka_unit_test(test_regressions),
		cmocka_unit_test(test_keys_tell_logins_apart),
		cmocka_unit_test(test_more_unreadable_records),
		cmocka_unit_test(test_more_workspace_login_keeps_its_record),
		cmocka_unit_test(test_more_identity_gate),
		cmocka_unit_test(test_more_order_does_not_matter),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, setup, teardown);
}
