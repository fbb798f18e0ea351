// SPDX-License-Identifier: MIT
//
// Reading and writing auth-profiles.json: what each entry is taken for, and that a write changes
// the tokens of the one credential and not a byte more.

#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>
#include <cmocka.h>

#include "base/clock.h"
#include "config/config.h"
#include "store/known.h"
#include "store/openclaw_json.h"

#define DAY_2026_MS INT64_C(1796073857123) // 2026-11-30T21:24:17.123Z
#define NEW_MS	    INT64_C(1796160257456) // a day later
#define SKEW_MS	    INT64_C(300000)

// ---- a directory, a configuration, a store

static char *directory;
static struct provider providers[3];
static struct config config;

static int setup(void **state)
{
	char template[] = "/tmp/test_store.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(template));
	directory = xstrdup(template);
	providers[0] = *provider_preset("anthropic"); // OpenClaw stores its expiry 5 minutes early
	providers[1] = *provider_preset("xai");
	providers[2] = *provider_preset("chutes");
	config = (struct config){.providers = providers, .n_providers = ARRAY_SIZE(providers)};
	return 0;
}

static int teardown(void **state)
{
	_cleanup_free_ char *command = xasprintf("rm -rf -- %s", directory);

	(void)state;
	assert_int_equal(system(command), 0);
	free(directory);
	return 0;
}

static char *in_directory(const char *name)
{
	return path_join(directory, name);
}

static void write_file(const char *path, const char *text, size_t len, mode_t mode)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, text, len), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void assert_file(const char *path, const char *expected)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_secret_ struct secret text = {};

	assert_true(fd >= 0);
	assert_int_equal(secret_read(fd, 1 << 26, &text), 0);
	assert_string_equal(text.text, expected);
	assert_int_equal(text.len, strlen(expected));
}

// A store at `name`, as discovery would find it, not read yet.
static struct stores stores_at(const char *name)
{
	_cleanup_free_ char *path = in_directory(name);
	struct stores stores = {};
	struct store *store = array_add(&stores.list, &stores.n);

	store->role = ROLE_MAIN;
	store->path = TAKE_PTR(path);
	store->target = realpath(store->path, NULL);
	*array_add(&store->names, &store->n_names) = xstrdup(store->path);
	return stores;
}

#define _cleanup_stores_   _cleanup_(stores_free)
#define _cleanup_problems_ _cleanup_(problems_free)

static struct stores store_of(const char *text)
{
	_cleanup_free_ char *path = in_directory("auth-profiles.json");

	write_file(path, text, strlen(text), 0600);
	return stores_at("auth-profiles.json");
}

static struct stores read_text(const char *text, struct problems *problems)
{
	struct stores stores = store_of(text);

	store_read(stores.list, &config, problems);
	return stores;
}

// Read a text that must be in order.
static struct stores read_sound(const char *text)
{
	_cleanup_problems_ struct problems problems = {};
	struct stores stores = read_text(text, &problems);

	assert_int_equal(problems.n, 0);
	assert_int_equal(stores.list->state, STORE_OK);
	return stores;
}

static struct secret secret_of(const char *text)
{
	struct secret s = {};

	secret_set_string(&s, text);
	return s;
}

// ---- what an entry is

static const struct {
	const char *name, *key, *entry;
	enum copy_kind kind;
	const char *reason; // part of it
} entries[] = {
	{"oauth", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'R','expires':1796073857123}",
	 COPY_OAUTH, NULL},
	{"guide's spelling", "a:b",
	 "{'type':'oauth','provider':'a','access_token':'A','refresh_token':'R','expires_at':'2026-"
	 "11-30T21:24:17Z'}",
	 COPY_OAUTH, NULL},
	{"mode instead of type", "a:b",
	 "{'mode':'oauth','provider':'a','access':'A','refresh':'R'}", COPY_OAUTH, NULL},
	{"no expires", "a:b", "{'type':'oauth','provider':'a','access':'A','refresh':'R'}",
	 COPY_OAUTH, NULL},
	{"null expires", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'R','expires':null}", COPY_OAUTH,
	 NULL},
	{"blank access", "a:b", "{'type':'oauth','provider':'a','access':'','refresh':'R'}",
	 COPY_OAUTH, NULL},
	{"managedBy is history", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'R','managedBy':'codex-cli'}",
	 COPY_OAUTH, NULL},
	{"null oauthRef", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'R','oauthRef':null}", COPY_OAUTH,
	 NULL},

	{"api_key", "a:b", "{'type':'api_key','provider':'a','key':'FAKE'}", COPY_STATIC, NULL},
	{"token", "a:b", "{'type':'token','provider':'a','token':'FAKE'}", COPY_STATIC, NULL},

	{"blanked", "a:b", "{'type':'oauth','provider':'a','access':'','refresh':'','expires':0}",
	 COPY_BLANK, NULL},
	{"white", "a:b", "{'type':'oauth','provider':'a','access':'A','refresh':' '}", COPY_BLANK,
	 NULL},
	{"no tokens", "a:b", "{'type':'oauth','provider':'a'}", COPY_BLANK, NULL},
	{"no refresh", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','expires':1796073857123}", COPY_BLANK, NULL},
	{"null refresh", "a:b", "{'type':'oauth','provider':'a','access':'A','refresh':null}",
	 COPY_BLANK, NULL},

	{"fence", "a:b",
	 "{'type':'oauth','provider':'a','expires':1,"
	 "'access':'openclaw-oauth-refresh-fence:v1:0123456789abcdef0123456789abcdef:access:"
	 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',"
	 "'refresh':'openclaw-oauth-refresh-fence:v1:0123456789abcdef0123456789abcdef:refresh:"
	 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'}",
	 COPY_FENCED, NULL},

	{"oauthRef", "a:b", "{'type':'oauth','provider':'a','oauthRef':{'id':'x'}}", COPY_SKIPPED,
	 "oauthRef"},
	{"external cli", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'R','authFlow':'external-cli'}",
	 COPY_SKIPPED, "external-cli"},
	{"replacement", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'R','setup':{'replacement':{}}}",
	 COPY_SKIPPED, "setup"},
	{"retired id", "anthropic:claude-cli",
	 "{'type':'oauth','provider':'claude-cli','access':'A','refresh':'R'}", COPY_SKIPPED,
	 "retired"},
	{"personal", "personal:1:2", "{'type':'oauth','provider':'a','access':'A','refresh':'R'}",
	 COPY_SKIPPED, "person"},
	{"secret reference", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'${TOKEN}'}", COPY_SKIPPED,
	 "reference"},

	{"no object", "a:b", "'FAKE'", COPY_UNREADABLE, "object"},
	{"no type", "a:b", "{'provider':'a','access':'A','refresh':'R'}", COPY_UNREADABLE, "type"},
	{"odd type", "a:b", "{'type':'OAuth','provider':'a','access':'A','refresh':'R'}",
	 COPY_UNREADABLE, "type"},
	{"no provider", "a:b", "{'type':'oauth','access':'A','refresh':'R'}", COPY_UNREADABLE,
	 "provider"},
	{"blank provider", "a:b", "{'type':'oauth','provider':'  ','access':'A','refresh':'R'}",
	 COPY_UNREADABLE, "provider"},
	{"provider no string", "a:b", "{'type':'api_key','provider':1,'key':'FAKE'}",
	 COPY_UNREADABLE, "provider"},
	{"refresh twice", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'R','refresh_token':'R'}",
	 COPY_UNREADABLE, "both `refresh` and `refresh_token`"},
	{"account twice", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'R','accountId':'x','account_id':'"
	 "x'}",
	 COPY_UNREADABLE, "both `accountId` and `account_id`"},
	{"no access", "a:b", "{'type':'oauth','provider':'a','refresh':'R'}", COPY_UNREADABLE,
	 "no `access`"},
	{"no access_token", "a:b", "{'type':'oauth','provider':'a','refresh_token':'R'}",
	 COPY_UNREADABLE, "no `access_token`"},
	{"token a number", "a:b", "{'type':'oauth','provider':'a','access':'A','refresh':1}",
	 COPY_UNREADABLE, "string"},
	{"newline in a token", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'R\\nX'}", COPY_UNREADABLE,
	 "visible ASCII"},
	{"space in a token", "a:b", "{'type':'oauth','provider':'a','access':'A B','refresh':'R'}",
	 COPY_UNREADABLE, "visible ASCII"},
	{"space in an id token", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'R','idToken':'I I'}",
	 COPY_UNREADABLE, "visible ASCII"},
	{"expires in both spellings", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'R','expires':1796073857123,"
	 "'expires_at':'soon'}",
	 COPY_OAUTH, NULL},
	{"a token that is no ASCII", "a:b",
	 "{'type':'oauth','provider':'a','access':'A','refresh':'R\u00e9'}", COPY_UNREADABLE,
	 "visible ASCII"},
};

// The tables use ' for ".
static char *quoted(char *text)
{
	for (char *p = text; *p; p++) {
		if (*p == '\'')
			*p = '"';
	}
	return text;
}

static void test_entries(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		_cleanup_free_ char *text = quoted(xasprintf("{'version':1,'profiles':{'%s':%s}}",
							     entries[i].key, entries[i].entry));
		_cleanup_stores_ struct stores stores = read_sound(text);
		const struct copy *copy = stores.list->copies[0];

		if (stores.list->n_copies != 1 || copy->kind != entries[i].kind)
			fail_msg("%s: kind %d", entries[i].name, (int)copy->kind);
		assert_string_equal(copy->credential.profile, entries[i].key);
		assert_non_null(copy->credential.provider);
		if (entries[i].reason ? !copy->reason || !strstr(copy->reason, entries[i].reason)
				      : !!copy->reason)
			fail_msg("%s: reason %s", entries[i].name, copy->reason);
		// Only what may be refreshed is carried about.
		assert_int_equal(copy->credential.refresh.text != NULL, copy->kind == COPY_OAUTH);
		assert_int_equal(copy->credential.access.text != NULL, copy->kind == COPY_OAUTH);
	}
}

// What one store holds and another holds, too, is read once; and a single byte makes it another entry.
static void test_known(void **state)
{
	static const char form[] =
		"{'version':1,'profiles':{'xai:a':{'type':'oauth','provider':'xai','access':'A',"
		"'refresh':'R','expires':1796073857123,'email':'%s'},'xai:b':{'type':'api_key',"
		"'provider':'xai'}}%s}";
	static const struct {
		const char *email, *rest;
		bool same;
	} others[] = {{"a@example.com", "", true},
		      {"a@example.com", ",'more':[1]", true},
		      {"b@example.com", "", false}};
	_cleanup_problems_ struct problems problems = {};
	_cleanup_(known_free) struct known known = {};
	_cleanup_free_ char *text = quoted(xasprintf(form, "a@example.com", ""));
	_cleanup_stores_ struct stores first = store_of(text);

	(void)state;
	first.list->known = &known;
	store_read(first.list, &config, &problems);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		_cleanup_free_ char *other =
			quoted(xasprintf(form, others[i].email, others[i].rest));
		_cleanup_stores_ struct stores stores = store_of(other);
		store_read(stores.list, &config, &problems);
		assert_ptr_not_equal(stores.list->copies[0], first.list->copies[0]);
		stores.list->known = &known;
		store_read(stores.list, &config, &problems);
		assert_int_equal(stores.list->n_copies, 2);
		assert_string_equal(stores.list->copies[0]->credential.identity.email,
				    others[i].email);
		assert_int_equal(stores.list->copies[0] == first.list->copies[0], others[i].same);
		assert_ptr_equal(stores.list->copies[1], first.list->copies[1]);
	}
	assert_int_equal(problems.n, 0);
}

static void test_bad_entry_stops_nobody(void **state)
{
	_cleanup_free_ char *text =
		quoted(xstrdup("{'profiles':{'x':1,'a:b':{'type':'oauth','provider':'a','access':'"
			       "A','refresh':'R'},'y':[]}}"));
	_cleanup_stores_ struct stores stores = read_sound(text);

	(void)state;
	assert_int_equal(stores.list->n_copies, 3);
	assert_int_equal(stores.list->copies[0]->kind, COPY_UNREADABLE);
	assert_int_equal(stores.list->copies[1]->kind, COPY_OAUTH);
	assert_int_equal(stores.list->copies[2]->kind, COPY_UNREADABLE);
}

static void test_long_values(void **state)
{
	static const struct {
		size_t id, token;
		enum copy_kind kind;
	} cases[] = {
		{1024, 64 << 10, COPY_OAUTH},
		{1025, 10, COPY_UNREADABLE},
		{10240, 10, COPY_UNREADABLE},
		{10, (64 << 10) + 1, COPY_UNREADABLE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *id = xcalloc(cases[i].id + 1, 1),
				    *token = xcalloc(cases[i].token + 1, 1);
		_cleanup_free_ char *text = NULL;
		_cleanup_stores_ struct stores stores = {};

		memset(id, 'i', cases[i].id);
		memset(token, 't', cases[i].token);
		text = xasprintf("{\"profiles\":{\"%s\":{\"type\":\"oauth\",\"provider\":\"a\","
				 "\"access\":\"A\","
				 "\"refresh\":\"%s\"}}}",
				 id, token);
		stores = read_sound(text);
		assert_int_equal(stores.list->copies[0]->kind, cases[i].kind);
		if (cases[i].id > 1024)
			assert_true(strlen(stores.list->copies[0]->credential.profile) < 100);
	}
}

static void test_fields(void **state)
{
	static const char *const spellings[] = {
		"{'profiles':{'a:b':{'type':'oauth','provider':'Xai','access':'FAKE-ACCESS','"
		"refresh':'FAKE-REFRESH',"
		"'idToken':'FAKE-ID','accountId':'acc','userId':'usr','email':'U@example.com','"
		"clientId':'cli'}}}",
		"{'profiles':{'a:b':{'type':'oauth','provider':'Xai','access_token':'FAKE-ACCESS',"
		"'refresh_token':'FAKE-REFRESH','id_token':'FAKE-ID','account_id':'acc','user_id':'"
		"usr',"
		"'email':'U@example.com','client_id':'cli'}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		_cleanup_free_ char *text = quoted(xstrdup(spellings[i]));
		_cleanup_secret_ struct secret refresh = secret_of("FAKE-REFRESH");
		_cleanup_stores_ struct stores stores = read_sound(text);
		const struct credential *c = &stores.list->copies[0]->credential;

		assert_string_equal(c->provider, "xai");
		assert_string_equal(stores.list->copies[0]->spelt, "Xai"); // as it stands there
		assert_string_equal(c->access.text, "FAKE-ACCESS");
		assert_string_equal(c->refresh.text, "FAKE-REFRESH");
		assert_string_equal(c->id_token.text, "FAKE-ID");
		assert_string_equal(c->identity.account_id, "acc");
		assert_string_equal(c->identity.user_id, "usr");
		assert_string_equal(c->identity.email, "U@example.com");
		assert_string_equal(c->client_id, "cli");
		assert_true(fingerprint_equal(c->fingerprint, fingerprint_of(&refresh)));
	}
}

static void test_true_expiry(void **state)
{
	static const struct {
		const char *provider, *access, *member;
		int64_t ms;
	} cases[] = {
		{"xai", "A", "'expires':1796073857123", DAY_2026_MS},
		{"xai", "A", "'expires':1796073857123.75", DAY_2026_MS},
		{"anthropic", "A", "'expires':1796073857123", DAY_2026_MS + SKEW_MS},
		{"unheard-of", "A", "'expires':1796073857123", DAY_2026_MS},
		{"xai", "A", "'expires_at':1796073857123", DAY_2026_MS},
		{"xai", "A", "'expires_at':1796073857", 1796073857000},
		{"xai", "A", "'expires_at':1796073857.5", 1796073857500},
		{"xai", "A", "'expires_at':'1796073857'", 1796073857000},
		{"xai", "A", "'expires_at':'1796073857123'", DAY_2026_MS},
		{"xai", "A", "'expires_at':'2026-11-30T21:24:17.123Z'", DAY_2026_MS},
		{"xai", "A", "'expires_at':'2026-11-30T22:24:17+01:00'", 1796073857000},
		{"anthropic", "A", "'expires_at':'2026-11-30T21:24:17Z'", 1796073857000 + SKEW_MS},
		{"xai", "", "'expires':1796073857123", 0}, // there is no token that could last
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = quoted(xasprintf(
			"{'profiles':{'a:b':{'type':'oauth','provider':'%s','access':'%s',"
			"'refresh':'R',%s}}}",
			cases[i].provider, cases[i].access, cases[i].member));
		_cleanup_stores_ struct stores stores = read_sound(text);

		if (stores.list->copies[0]->credential.expires_ms != cases[i].ms)
			fail_msg("%s: %lld", cases[i].member,
				 (long long)stores.list->copies[0]->credential.expires_ms);
		// To OpenClaw, which reads `expires` alone, nothing stands there.
		assert_int_equal(stores.list->copies[0]->expires_odd,
				 strstr(cases[i].member, "expires_at") != NULL);
	}
}

// ---- shapes of the whole

static const struct {
	const char *text, *code, *message;
} shapes[] = {
	{"", "store_unreadable", "is empty"},
	{"not json", "store_unreadable", ":1:"},
	{"{'profiles':\n {'a':1,}}", "store_unreadable", ":2:"},
	{"{'profiles':{'a':1,'a':2}}", "store_unreadable", "duplicate"},
	{"[]", "store_wrong_shape", "not an object"},
	{"'x'", "store_wrong_shape", "not an object"},
	{"{}", "store_wrong_shape", "no `profiles`"},
	{"{'version':1,'Profiles':{}}", "store_wrong_shape", "no `profiles`"},
	{"{'profiles':[{'type':'oauth'}]}", "store_wrong_shape", "an array"},
	{"{'profiles':null}", "store_wrong_shape", "not an object"},
	{"{'profiles':{'profiles':{'a:b':{'type':'oauth'}}}}", "store_wrong_shape",
	 "`profiles.profiles`"},
	{"{'version':1,'auth':{'profiles':{}}}", "store_wrong_shape", "`auth.profiles`"},
};

static void test_shapes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		_cleanup_free_ char *text = quoted(xstrdup(shapes[i].text));
		_cleanup_problems_ struct problems problems = {};
		_cleanup_stores_ struct stores stores = read_text(text, &problems);

		if (problems.n != 1 || !string_equal(problems.list->code, shapes[i].code) ||
		    !strstr(problems.list->message, shapes[i].message))
			fail_msg("%s: %zu problems: %s", text, problems.n,
				 problems.n ? problems.list->message : "none");
		assert_int_equal(stores.list->state, STORE_UNREADABLE);
		assert_int_equal(stores.list->n_copies, 0);
		assert_int_equal(problems.list->severity, SEVERITY_ERROR);
		assert_true(problems.list->needs_person);
		assert_non_null(problems.list->fix);
		assert_non_null(strstr(problems.list->message, stores.list->path));
	}
}

static void test_empty_profiles_are_fine(void **state)
{
	_cleanup_stores_ struct stores stores = read_sound("{\"profiles\":{}}");
	// A profile may be called "profiles".
	_cleanup_stores_ struct stores odd = read_sound(
		"{\"profiles\":{\"profiles\":{\"type\":\"api_key\",\"provider\":\"a\"}}}");

	(void)state;
	assert_int_equal(stores.list->n_copies, 0);
	assert_int_equal(odd.list->n_copies, 1);
}

static void test_missing_and_refused(void **state)
{
	_cleanup_problems_ struct problems problems = {};
	_cleanup_stores_ struct stores stores = store_of("{\"profiles\":{}}");

	(void)state;
	assert_int_equal(chmod(stores.list->target, 0666), 0);
	store_read(stores.list, &config, &problems);
	assert_int_equal(stores.list->state, STORE_REFUSED);
	assert_int_equal(problems.n, 1);
	assert_string_equal(problems.list->code, "store_unsafe");
	assert_true(problems.list->needs_person);

	assert_int_equal(unlink(stores.list->target), 0);
	store_read(stores.list, &config, &problems);
	assert_int_equal(stores.list->state, STORE_MISSING);
	assert_int_equal(problems.n, 1);

	// A fifo neither blocks nor passes.
	assert_int_equal(mkfifo(stores.list->target, 0600), 0);
	store_read(stores.list, &config, &problems);
	assert_int_not_equal(stores.list->state, STORE_OK);
	assert_int_equal(problems.n, 2);
	assert_int_equal(unlink(stores.list->target), 0);
}

static void test_messages_hold_no_token(void **state)
{
	static const char *const texts[] = {
		"{'profiles':{'a:b':{'type':'oauth','provider':'a','access':'FAKE-A','refresh':'"
		"FAKE-R' 'FAKE-X'}}}",
		"{'profiles':['FAKE-R']}",
		"{'profiles':{'a:b':{'type':'FAKE-T','provider':'a','access':'FAKE-A','refresh':'"
		"FAKE-R'}}}",
		"{'profiles':{'a:b':{'type':'oauth','provider':'a','access':'FAKE-A','refresh':'"
		"FAKE R'}}}",
		"{'profiles':{'a:b':{'type':'oauth','provider':'a','access':'FAKE','refresh':'F','"
		"access_token':'FAKE'}}}",
		"{'profiles':{'a:b':{'type':'oauth','provider':'a','access':'F','refresh':'${FAKE}'"
		"}}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *text = quoted(xstrdup(texts[i]));
		_cleanup_problems_ struct problems problems = {};
		_cleanup_stores_ struct stores stores = read_text(text, &problems);

		if (stores.list->state == STORE_OK)
			assert_null(strstr(stores.list->copies[0]->reason, "FAKE"));
		else
			assert_null(strstr(problems.list->message, "FAKE"));
	}
}

// ---- writing

struct swapper {
	bool allow;
	int calls;
	struct fingerprint seen;
	struct fence fence;
};

static bool may_replace_fence(const struct fence *standing, void *arg)
{
	struct swapper *swapper = arg;

	swapper->calls++;
	swapper->fence = *standing;
	return swapper->allow;
}

static bool may_overwrite(struct fingerprint standing, void *arg)
{
	struct swapper *swapper = arg;

	swapper->calls++;
	swapper->seen = standing;
	return swapper->allow;
}

// One change of profile a:b, provider xai, unless said otherwise.
struct attempt {
	const char *profile, *provider, *access, *refresh, *id_token;
	const struct identity *identity;
	const char *client_id;
	int64_t expires_ms;
	bool refuse, ignorant; // of fences
	bool whole;
	// out
	int r;
	enum store_result result;
	struct swapper swapper;
};

static void attempt(struct attempt *a, const struct store *store, struct atomic_stage *stage)
{
	_cleanup_secret_ struct secret access = secret_of(a->access),
				       refresh = secret_of(a->refresh);
	_cleanup_secret_ struct secret id_token = secret_of(a->id_token);
	struct store_change change = {
		.profile = a->profile ?: "a:b",
		.provider = a->provider ?: "xai",
		.access = a->access ? &access : NULL,
		.refresh = a->refresh ? &refresh : NULL,
		.id_token = a->id_token ? &id_token : NULL,
		.identity = a->identity,
		.whole = a->whole,
		.client_id = a->client_id,
		.expires_ms = a->expires_ms,
		.may_overwrite = may_overwrite,
		.may_replace_fence = a->ignorant ? NULL : may_replace_fence,
		.arg = &a->swapper,
	};

	a->swapper.allow = !a->refuse;
	a->r = store_write(store, &change, 1, stage);
	a->result = change.result;
}

static const struct identity who = {
	.account_id = (char *)"acc-1", .user_id = (char *)"u-1", .email = (char *)"u@example.com"};

// before → after, with the standard change (access NEW-A, refresh NEW-R, id_token NEW-I, identity
// `who`, NEW_MS).
static const struct {
	const char *name, *before, *after;
	bool whole; // another identity's login takes its place
} writes[] = {
	{"OpenClaw's own form",
	 "{\n  'version': 1,\n  'profiles': {\n    'a:b': {\n      'type': 'oauth',\n      "
	 "'provider': 'xai',\n"
	 "      'access': 'OLD-A',\n      'refresh': 'OLD-R',\n      'expires': 1796073857123,\n"
	 "      'email': 'u@example.com'\n    }\n  }\n}\n",
	 "{\n  'version': 1,\n  'profiles': {\n    'a:b': {\n      'type': 'oauth',\n      "
	 "'provider': 'xai',\n"
	 "      'access': 'NEW-A',\n      'refresh': 'NEW-R',\n      'expires': 1796160257456,\n"
	 "      'email': 'u@example.com'\n    }\n  }\n}\n"},
	{"everything odd stays",
	 "\t{ 'n':[1e21,1E-7,-0,0.1,123456789012345678901234567890,1.7976931348623157e308], "
	 "'é\\u00e9☃':'\\/\\u2028',"
	 "'profiles' "
	 ":{'z':{'type':'token','provider':'z','token':'OLD-R'},\r\n\r\n'\\u0061:b':{'type':'oauth'"
	 ","
	 "'x':{'access':'OLD-A','refresh':'OLD-R'},'provider':'xai','refresh':'\\u004fLD-R','y':-0."
	 "0,"
	 "'access':'OLD-A' , "
	 "'email':'a@b','expires':1.796073857123e12,'w':[[]]}},'usageStats':{'a:b':{'lastUsed':1}}}"
	 " ",
	 "\t{ 'n':[1e21,1E-7,-0,0.1,123456789012345678901234567890,1.7976931348623157e308], "
	 "'é\\u00e9☃':'\\/\\u2028',"
	 "'profiles' "
	 ":{'z':{'type':'token','provider':'z','token':'OLD-R'},\r\n\r\n'\\u0061:b':{'type':'oauth'"
	 ","
	 "'x':{'access':'OLD-A','refresh':'OLD-R'},'provider':'xai','refresh':'NEW-R','y':-0.0,"
	 "'access':'NEW-A' , "
	 "'email':'a@b','expires':1796160257456,'w':[[]]}},'usageStats':{'a:b':{'lastUsed':1}}} "},
	{"the guide's spelling, ISO without fraction",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'OLD-A','refresh_"
	 "token':'OLD-R',"
	 "'expires_at':'2026-11-30T21:24:17Z','account_id':'x'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'NEW-A','refresh_"
	 "token':'NEW-R',"
	 "'expires_at':'2026-12-01T21:24:17Z','account_id':'x'}}}"},
	{"ISO with fraction",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'OLD-A','refresh_"
	 "token':'OLD-R',"
	 "'expires_at':'2026-11-30T22:24:17.5+01:00','email':'x'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'NEW-A','refresh_"
	 "token':'NEW-R',"
	 "'expires_at':'2026-12-01T21:24:17.456Z','email':'x'}}}"},
	{"seconds",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'OLD-A','refresh_"
	 "token':'OLD-R',"
	 "'expires_at':1796073857.5,'email':'x'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'NEW-A','refresh_"
	 "token':'NEW-R',"
	 "'expires_at':1796160257,'email':'x'}}}"},
	{"milliseconds in expires_at",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'OLD-A','refresh_"
	 "token':'OLD-R',"
	 "'expires_at':1796073857123,'email':'x'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'NEW-A','refresh_"
	 "token':'NEW-R',"
	 "'expires_at':1796160257456,'email':'x'}}}"},
	{"digits, seconds",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'OLD-A','refresh_"
	 "token':'OLD-R',"
	 "'expires_at':'1796073857','email':'x'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'NEW-A','refresh_"
	 "token':'NEW-R',"
	 "'expires_at':'1796160257','email':'x'}}}"},
	{"digits, milliseconds",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'OLD-A','refresh_"
	 "token':'OLD-R',"
	 "'expires_at':'1796073857123','email':'x'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'NEW-A','refresh_"
	 "token':'NEW-R',"
	 "'expires_at':'1796160257456','email':'x'}}}"},
	{"null expiries, mixed spelling",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'OLD-A','refresh_token':'"
	 "OLD-R',"
	 "'expires_at':null,'email':'x'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'NEW-A','refresh_token':'"
	 "NEW-R',"
	 "'expires_at':'2026-12-01T21:24:17Z','email':'x'}}}"},
	{"null expires",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':null,'refresh':'OLD-R','"
	 "expires':null,"
	 "'email':'x'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'NEW-A','refresh':'NEW-R',"
	 "'expires':1796160257456,'email':'x'}}}"},
	{"a missing expiry is added",
	 "{\r\n\t'profiles': {\r\n\t\t'a:b': {\r\n\t\t\t'type': 'oauth', 'provider' :'xai',\r\n"
	 "\t\t\t'access': 'OLD-A',\r\n\t\t\t'email': 'x',\r\n\t\t\t'refresh' : 'OLD-R'\r\n\t\t} } "
	 "}",
	 "{\r\n\t'profiles': {\r\n\t\t'a:b': {\r\n\t\t\t'type': 'oauth', 'provider' :'xai',\r\n"
	 "\t\t\t'access': 'NEW-A',\r\n\t\t\t'email': 'x',\r\n\t\t\t'refresh' : 'NEW-R',\r\n"
	 "\t\t\t'expires' : 1796160257456\r\n\t\t} } }"},
	{"… in the guide's spelling",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','email':'x','access_token':'OLD-A',"
	 "'refresh_token':'OLD-R'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','email':'x','access_token':'NEW-A',"
	 "'refresh_token':'NEW-R','expires_at':'2026-12-01T21:24:17Z'}}}"},
	{"… beside the guide's, which OpenClaw does not read",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'OLD-A','refresh':'OLD-R',"
	 "'expires_at':1796073857,'email':'x'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'NEW-A','refresh':'NEW-R',"
	 "'expires_at':1796160257,'email':'x','expires':1796160257456}}}"},
	{"odd expiries of the guide's",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'OLD-A','refresh_"
	 "token':'OLD-R','expires_at':'soon','expires':'soon','email':'x'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'NEW-A','refresh_"
	 "token':'NEW-R','expires_at':'2026-12-01T21:24:17Z','expires':1796160257456,"
	 "'email':'x'}}}"},
	{"never set",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'OLD-A','refresh_"
	 "token':'OLD-R','expires_at':'0001-01-01T00:00:00Z','email':'x'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'NEW-A','refresh_"
	 "token':'NEW-R','expires_at':'2026-12-01T21:24:17Z','email':'x'}}}"},
	{"digits without a time",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'OLD-A','refresh_"
	 "token':'OLD-R','expires_at':'0','email':'x'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'NEW-A','refresh_"
	 "token':'NEW-R','expires_at':'1796160257','email':'x'}}}"},
	{"id token where one is",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'OLD-A','refresh':'OLD-R','"
	 "idToken':'OLD-I',"
	 "'email':'x','expires':1796073857123}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'NEW-A','refresh':'NEW-R','"
	 "idToken':'NEW-I',"
	 "'email':'x','expires':1796160257456}}}"},
	{"identity and expiry where none is",
	 "{\n 'profiles': {\n  'a:b': {\n   'type': 'oauth',\n   'provider': 'xai',\n   'access': "
	 "'OLD-A',\n"
	 "   'refresh': 'OLD-R'\n  }\n }\n}",
	 "{\n 'profiles': {\n  'a:b': {\n   'type': 'oauth',\n   'provider': 'xai',\n   'access': "
	 "'NEW-A',\n"
	 "   'refresh': 'NEW-R',\n   'accountId': 'acc-1',\n   'email': 'u@example.com',\n"
	 "   'expires': 1796160257456\n  }\n }\n}"},
	{"identity in the guide's spelling, blank member",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','email':'','access_token':'OLD-A',"
	 "'refresh_token':'OLD-R'}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','email':'u@example.com','access_"
	 "token':'NEW-A',"
	 "'refresh_token':'NEW-R','account_id':'acc-1','expires_at':'2026-12-01T21:24:17Z'}}}"},
	{"any identity is identity",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'OLD-A','refresh':'OLD-R','"
	 "accountId':'z','expires':1796073857123}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'NEW-A','refresh':'NEW-R','"
	 "accountId':'z','expires':1796160257456}}}"},
	{"… a user id, too",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'OLD-A','refresh':'OLD-R','"
	 "userId':'z','expires':1796073857123}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'NEW-A','refresh':'NEW-R','"
	 "userId':'z','expires':1796160257456}}}"},
	{"another identity's, whole: what it names becomes who's, or blank",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'OLD-A','refresh':'OLD-R','"
	 "accountId':'z','userId':'z','clientId':'z','displayName':'Z','chatgptPlanType':7,'kept':"
	 "'z','expires':1796073857123}}}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'NEW-A','refresh':'NEW-R','"
	 "accountId':'acc-1','userId':'u-1','clientId':'','displayName':'','chatgptPlanType':7,"
	 "'kept':'z','expires':1796160257456,'idToken':'NEW-I','email':'u@example.com'}}}",
	 true},
	{"… in the guide's spelling",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'OLD-A',"
	 "'refresh_token':'OLD-R','id_token':'Z','email':'z','expires_at':'2026-11-30T21:24:17Z'}}"
	 "}",
	 "{'profiles':{'a:b':{'type':'oauth','provider':'xai','access_token':'NEW-A',"
	 "'refresh_token':'NEW-R','id_token':'NEW-I','email':'u@example.com','expires_at':"
	 "'2026-12-01T21:24:17Z','account_id':'acc-1'}}}",
	 true},
};

static void test_writes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
		_cleanup_free_ char *before = quoted(xstrdup(writes[i].before));
		_cleanup_free_ char *after = quoted(xstrdup(writes[i].after));
		_cleanup_stores_ struct stores stores = read_sound(before);
		_cleanup_secret_ struct secret old = secret_of("OLD-R");
		struct attempt a = {.access = "NEW-A",
				    .refresh = "NEW-R",
				    .id_token = "NEW-I",
				    .identity = &who,
				    .whole = writes[i].whole,
				    .expires_ms = NEW_MS};

		attempt(&a, stores.list, NULL);
		if (a.r != 0 || a.result != STORE_WRITTEN)
			fail_msg("%s: %d, %d", writes[i].name, a.r, (int)a.result);
		assert_file(stores.list->target, after);
		assert_true(fingerprint_equal(a.swapper.seen, fingerprint_of(&old)));

		// Done once, it is done.
		a.refuse = true;
		attempt(&a, stores.list, NULL);
		assert_int_equal(a.result, STORE_UNCHANGED);
		assert_file(stores.list->target, after);
	}
}

// What stands in an entry as its expiry and is none, and what it becomes. OpenClaw takes all of these for 0, due; so the
// login is served, by what its token says, and gets the right one.
static const struct {
	const char *standing, *becomes; // NULL: nothing stands
} odd_expiries[] = {
	{NULL, "'expires':1796160257456"},
	{"'expires':null", "'expires':1796160257456"},
	{"'expires':0", "'expires':1796160257456"},
	{"'expires':-0", "'expires':1796160257456"},
	{"'expires':-5", "'expires':1796160257456"},
	{"'expires':1", "'expires':1796160257456"},
	{"'expires':0.5", "'expires':1796160257456"},
	{"'expires':1796073857", "'expires':1796160257456"}, // seconds: 1970 to OpenClaw
	{"'expires':1796073857.5", "'expires':1796160257456"},
	{"'expires':8640000000000001", "'expires':1796160257456"},
	{"'expires':1e400", "'expires':1796160257456"},
	{"'expires':-1e400", "'expires':1796160257456"},
	{"'expires':'1796073857123'", "'expires':1796160257456"},
	{"'expires':'soon'", "'expires':1796160257456"},
	{"'expires':'2026-11-30T21:24:17Z'", "'expires':1796160257456"},
	{"'expires':true", "'expires':1796160257456"},
	{"'expires':{'x':[1]}", "'expires':1796160257456"},
	{"'expires':[]", "'expires':1796160257456"},
	{"'expiresAt':1796073857123", "'expiresAt':1796073857123,'expires':1796160257456"},
	{"'expires':0,'expires_at':0", "'expires':1796160257456,'expires_at':1796160257"},
};

static void test_odd_expiries(void **state)
{
	static const char form[] =
		"{'profiles':{'a:b':{'type':'oauth','provider':'xai','access':'A',"
		"'refresh':'R','email':'x'%s%s}}}";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd_expiries); i++) {
		const char *standing = odd_expiries[i].standing;
		_cleanup_free_ char *text =
			quoted(xasprintf(form, standing ? "," : "", standing ? standing : ""));
		_cleanup_free_ char *after = quoted(xasprintf(form, ",", odd_expiries[i].becomes));
		_cleanup_stores_ struct stores stores = read_sound(text);
		_cleanup_problems_ struct problems problems = {};
		const struct copy *copy = stores.list->copies[0];
		struct attempt a = {.access = "A", .refresh = "R", .expires_ms = NEW_MS};

		if (copy->kind != COPY_OAUTH || copy->credential.expires_ms != 0 ||
		    !copy->expires_odd)
			fail_msg("%s: %lld", standing, (long long)copy->credential.expires_ms);
		attempt(&a, stores.list, NULL);
		assert_int_equal(a.result, STORE_WRITTEN);
		assert_file(stores.list->target, after);
		store_read(stores.list, &config, &problems);
		assert_false(stores.list->copies[0]->expires_odd);
		assert_true(stores.list->copies[0]->credential.expires_ms == NEW_MS);
	}
}

static void test_skew_is_applied(void **state)
{
	_cleanup_free_ char *text =
		quoted(xstrdup("{'profiles':{'a:b':{'type':'oauth','provider':'anthropic',"
			       "'access':'A','refresh':'R','expires':5,'email':'x'}}}"));
	_cleanup_stores_ struct stores stores = read_sound(text);
	_cleanup_problems_ struct problems problems = {};
	struct attempt a = {.provider = "anthropic", .access = "NEW-A", .expires_ms = NEW_MS};

	(void)state;
	attempt(&a, stores.list, NULL);
	assert_int_equal(a.r, 0);
	free(text);
	text = quoted(xasprintf(
		"{'profiles':{'a:b':{'type':'oauth','provider':'anthropic','access':'NEW-A',"
		"'refresh':'R','expires':%lld,'email':'x'}}}",
		(long long)(NEW_MS - SKEW_MS)));
	assert_file(stores.list->target, text);
	store_read(stores.list, &config, &problems);
	assert_true(stores.list->copies[0]->credential.expires_ms == NEW_MS);
}

static void test_expires_written(void **state)
{
	const struct provider *chutes = provider_preset("chutes");
	const int64_t now = DAY_2026_MS;

	(void)state;
	assert_true(store_expires_written(NULL, NEW_MS, now) == NEW_MS);
	assert_true(store_expires_written(provider_preset("xai"), NEW_MS, now) == NEW_MS);
	assert_true(store_expires_written(provider_preset("anthropic"), NEW_MS, now) ==
		    NEW_MS - SKEW_MS);
	assert_true(store_expires_written(chutes, NEW_MS, now) == NEW_MS - SKEW_MS);
	assert_true(store_expires_written(chutes, now + SKEW_MS, now) == now + 30000);
	assert_true(store_expires_written(provider_preset("anthropic"), 1, now) ==
		    STORE_EXPIRES_LEAST_MS);
}

// ---- what is not written

static void assert_untouched(const struct store *store, const struct stat *before, const char *text)
{
	struct stat after;

	assert_int_equal(stat(store->target, &after), 0);
	assert_int_equal(after.st_ino, before->st_ino);
	assert_memory_equal(&after.st_mtim, &before->st_mtim, sizeof(after.st_mtim));
	assert_memory_equal(&after.st_ctim, &before->st_ctim, sizeof(after.st_ctim));
	assert_file(store->target, text);
}

static const struct {
	const char *name, *entry; // of a:b
	struct attempt change;
	enum store_result result;
	int calls;
} refusals[] = {
	{"conflict",
	 "{'type':'oauth','provider':'xai','access':'A','refresh':'OTHER','expires':5}",
	 {.access = "NEW-A", .refresh = "NEW-R", .refuse = true},
	 STORE_CONFLICT,
	 1},
	{"the same refresh token, another access token",
	 "{'type':'oauth','provider':'xai','access':'A','refresh':'R'}",
	 {.access = "NEW-A", .refresh = "R", .refuse = true},
	 STORE_CONFLICT,
	 1},
	{"identity alone asks too",
	 "{'type':'oauth','provider':'xai','access':'A','refresh':'R'}",
	 {.access = "A", .refresh = "R", .identity = &who, .refuse = true},
	 STORE_CONFLICT,
	 1},
	{"an expiry that is as good",
	 "{'type':'oauth','provider':'xai','access':'A','refresh':'R','expires':4102444800000}",
	 {.access = "A", .refresh = "R", .expires_ms = INT64_C(4102444860000)},
	 STORE_UNCHANGED,
	 0},
	{"early by the provider's skew, and a minute",
	 "{'type':'oauth','provider':'anthropic','access':'A','refresh':'R','expires':"
	 "4102444800000}",
	 {.provider = "anthropic",
	  .access = "A",
	  .refresh = "R",
	  .expires_ms = INT64_C(4102445460000)},
	 STORE_UNCHANGED,
	 0},
	{"an expiry that differs",
	 "{'type':'oauth','provider':'xai','access':'A','refresh':'R','expires':4102444800000}",
	 {.access = "A", .refresh = "R", .expires_ms = INT64_C(4102444860001), .refuse = true},
	 STORE_CONFLICT,
	 1},
	{"past is past",
	 "{'type':'oauth','provider':'xai','access':'A','refresh':'R','expires':1000000000000}",
	 {.access = "A", .refresh = "R", .expires_ms = INT64_C(1100000000000)},
	 STORE_UNCHANGED,
	 0},
	{"no expiry is known",
	 "{'type':'oauth','provider':'xai','access':'A','refresh':'R','expires':0}",
	 {.access = "A", .refresh = "R"},
	 STORE_UNCHANGED,
	 0},
	{"nothing asked",
	 "{'type':'oauth','provider':'xai','access':'A','refresh':'R'}",
	 {},
	 STORE_UNCHANGED,
	 0},
	{"an id token that is not there",
	 "{'type':'oauth','provider':'xai','access':'A','refresh':'R'}",
	 {.access = "A", .refresh = "R", .id_token = "I"},
	 STORE_UNCHANGED,
	 0},
	{"another provider",
	 "{'type':'oauth','provider':'openai','access':'A','refresh':'R'}",
	 {.access = "NEW-A", .refresh = "NEW-R"},
	 STORE_GONE,
	 0},
	{"no such profile",
	 "{'type':'oauth','provider':'xai','access':'A','refresh':'R'}",
	 {.profile = "a:c", .access = "NEW-A", .refresh = "NEW-R"},
	 STORE_GONE,
	 0},
	{"blanked",
	 "{'type':'oauth','provider':'xai','access':'','refresh':''}",
	 {.access = "NEW-A", .refresh = "NEW-R"},
	 STORE_GONE,
	 0},
	{"an api key now",
	 "{'type':'api_key','provider':'xai','refresh':'R','access':'A'}",
	 {.access = "NEW-A", .refresh = "NEW-R"},
	 STORE_GONE,
	 0},
	{"not ours",
	 "{'type':'oauth','provider':'xai','access':'A','refresh':'R','oauthRef':{}}",
	 {.access = "NEW-A", .refresh = "NEW-R"},
	 STORE_GONE,
	 0},
	{"unreadable",
	 "{'type':'oauth','provider':'xai','access':'A','refresh':'R','refresh_token':'R'}",
	 {.access = "NEW-A", .refresh = "NEW-R"},
	 STORE_GONE,
	 0},
	{"no object", "[]", {.access = "NEW-A", .refresh = "NEW-R"}, STORE_GONE, 0},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		_cleanup_free_ char *text =
			quoted(xasprintf("{'profiles': {'a:b':%s}}", refusals[i].entry));
		_cleanup_stores_ struct stores stores = store_of(text);
		struct attempt a = refusals[i].change;
		struct stat before;

		assert_int_equal(stat(stores.list->target, &before), 0);
		attempt(&a, stores.list, NULL);
		if (a.r != 0 || a.result != refusals[i].result ||
		    a.swapper.calls != refusals[i].calls)
			fail_msg("%s: %d, result %d, asked %d times", refusals[i].name, a.r,
				 (int)a.result, a.swapper.calls);
		assert_untouched(stores.list, &before, text);
	}
}

#define FENCE(kind)                                                                                \
	"openclaw-oauth-refresh-fence:v1:0123456789abcdef0123456789abcdef:failed:" kind            \
	":0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_fence_is_swapped_by_what_it_names(void **state)
{
	_cleanup_free_ char *text = quoted(
		xstrdup("{'profiles':{'a:b':{'type':'oauth','provider':'xai','expires':1,'email':'"
			"x','access':'" FENCE("access") "','refresh':'" FENCE("refresh") "'}}}"));
	_cleanup_free_ char *after =
		quoted(xstrdup("{'profiles':{'a:b':{'type':'oauth','provider':'xai',"
			       "'expires':1796160257456,'email':'x','access':'NEW-A',"
			       "'refresh':'NEW-R'}}}"));
	_cleanup_stores_ struct stores stores = store_of(text);
	struct attempt a = {
		.access = "NEW-A", .refresh = "NEW-R", .expires_ms = NEW_MS, .refuse = true};

	(void)state;
	attempt(&a, stores.list, NULL);
	assert_int_equal(a.result, STORE_CONFLICT);
	assert_int_equal(a.swapper.calls, 1);
	a.refuse = false, a.ignorant = true;
	attempt(&a, stores.list, NULL);
	assert_int_equal(a.result, STORE_CONFLICT);
	assert_file(stores.list->target, text);
	a.ignorant = false;
	attempt(&a, stores.list, NULL);
	assert_int_equal(a.result, STORE_WRITTEN);
	assert_true(a.swapper.fence.failed);
	assert_string_equal(a.swapper.fence.claim, "0123456789abcdef0123456789abcdef");
	assert_true(fingerprint_empty(a.swapper.seen)); // never asked as if it were a token
	assert_file(stores.list->target, after);
}

// OpenClaw leaves 1 there; one without gets the expiry of what takes its place, and is due no longer.
static void test_fence_without_expiry(void **state)
{
	static const char *const expiries[] = {"", "'expires':null,", "'expires':0,"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expiries); i++) {
		bool none = !*expiries[i];
		_cleanup_free_ char *text = quoted(xasprintf(
			"{'profiles':{'a:b':{'type':'oauth','provider':'xai',%s"
			"'access':'" FENCE("access") "','refresh':'" FENCE("refresh") "'}}}",
			expiries[i]));
		_cleanup_free_ char *after =
			quoted(xasprintf("{'profiles':{'a:b':{'type':'oauth','provider':'xai',%s"
					 "'access':'NEW-A','refresh':'NEW-R'%s}}}",
					 none ? "" : "'expires':1796160257456,",
					 none ? ",'expires':1796160257456" : ""));
		_cleanup_stores_ struct stores stores = store_of(text);
		struct attempt a = {.access = "NEW-A", .refresh = "NEW-R", .expires_ms = NEW_MS};

		attempt(&a, stores.list, NULL);
		assert_int_equal(a.result, STORE_WRITTEN);
		assert_file(stores.list->target, after);
	}
}

// Half a fence, or half a login, hinders nobody else's change.
static void test_each_change_for_itself(void **state)
{
	static const char rest[] =
		"'c:d':{'type':'oauth','provider':'xai','email':'x','access':'%s',"
		"'refresh':'%s','expires':%s}}}";
	static const char *const halves[] = {
		"'refresh':'" FENCE("refresh") "'",
		"'access':'" FENCE("access") "'",
		"'refresh':'R'",
		"'access':'A'",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(halves); i++) {
		_cleanup_free_ char *before = xasprintf(rest, "OLD-A", "OLD-R", "1796073857123");
		_cleanup_free_ char *after = xasprintf(rest, "NEW-A", "NEW-R", "1796160257456");
		_cleanup_free_ char *half = xasprintf(
			"{'profiles':{'a:b':{'type':'oauth','provider':'xai',%s},", halves[i]);
		_cleanup_free_ char *text = quoted(xasprintf("%s%s", half, before));
		_cleanup_free_ char *written = quoted(xasprintf("%s%s", half, after));
		_cleanup_stores_ struct stores stores = store_of(text);
		_cleanup_secret_ struct secret access = secret_of("NEW-A"),
					       refresh = secret_of("NEW-R");
		struct swapper yes = {.allow = true};
		struct store_change changes[2];

		for (int k = 0; k < 2; k++)
			changes[k] = (struct store_change){
				.profile = k == 0 ? "a:b" : "c:d",
				.provider = "xai",
				.access = &access,
				.refresh = &refresh,
				.expires_ms = NEW_MS,
				.may_overwrite = may_overwrite,
				.may_replace_fence = may_replace_fence,
				.arg = &yes,
			};
		assert_int_equal(store_write(stores.list, changes, 2, NULL), 0);
		assert_int_equal(changes[0].result, STORE_GONE);
		assert_int_equal(changes[1].result, STORE_WRITTEN);
		assert_file(stores.list->target, written);
	}
}

// The store as it is when the write comes, after it was found in order.
static void test_changed_meanwhile(void **state)
{
	static const char *const texts[] = {"", "{", "{\"profiles\":[]}",
					    "{\"profiles\":{\"a\":1,\"a\":1}}", "{}"};
	_cleanup_stores_ struct stores stores = store_of("{\"profiles\":{}}");
	struct attempt a = {.access = "NEW-A", .refresh = "NEW-R"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct stat before;

		write_file(stores.list->target, texts[i], strlen(texts[i]), 0600);
		assert_int_equal(stat(stores.list->target, &before), 0);
		attempt(&a, stores.list, NULL);
		assert_int_equal(a.r, -EBADMSG);
		assert_untouched(stores.list, &before, texts[i]);
	}
	assert_int_equal(chmod(stores.list->target, 0622), 0);
	attempt(&a, stores.list, NULL);
	assert_int_equal(a.r, -EPERM);
	assert_int_equal(unlink(stores.list->target), 0);
	attempt(&a, stores.list, NULL);
	assert_int_equal(a.r, -ESTALE);
	assert_int_equal(access(stores.list->target, F_OK), -1);
}

#define SOUND(access, refresh)                                                                     \
	"{\"profiles\":{\"a:b\":{\"type\":\"oauth\",\"provider\":\"xai\",\"access\":\"" access     \
	"\",\"refresh\":\"" refresh "\",\"email\":\"x\"}}}"

static void test_retired_is_dead(void **state)
{
	_cleanup_stores_ struct stores stores = store_of(SOUND("A", "R"));
	_cleanup_(atomic_abort) struct atomic_stage stage = ATOMIC_STAGE_NONE;
	_cleanup_problems_ struct problems problems = {};
	struct attempt a = {.access = "NEW-A", .refresh = "NEW-R"};

	(void)state;
	stores.list->state = STORE_RETIRED;
	store_read(stores.list, &config, &problems);
	assert_int_equal(stores.list->state, STORE_RETIRED);
	assert_int_equal(stores.list->n_copies, 1); // to be shown
	assert_int_equal(store_stage(stores.list, &stage), -EPERM);
	attempt(&a, stores.list, NULL);
	assert_int_equal(a.r, -EPERM);
	assert_file(stores.list->target, SOUND("A", "R"));
}

static void test_symlink_and_mode(void **state)
{
	_cleanup_free_ char *real = in_directory("real.json"),
			    *link = in_directory("auth-profiles.json");
	_cleanup_free_ char *other = in_directory("other.json");
	_cleanup_stores_ struct stores stores = {};
	struct attempt a = {.access = "NEW-A", .refresh = "NEW-R"};
	struct stat st;

	(void)state;
	unlink(link);
	write_file(real, SOUND("A", "R"), strlen(SOUND("A", "R")), 0640);
	write_file(other, SOUND("A", "R"), strlen(SOUND("A", "R")), 0600);
	assert_int_equal(symlink("real.json", link), 0);
	stores = stores_at("auth-profiles.json");
	assert_string_equal(stores.list->target, real);
	attempt(&a, stores.list, NULL);
	assert_int_equal(a.r, 0);
	assert_file(real, SOUND("NEW-A", "NEW-R"));
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(real, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);

	// The link is turned: neither the old target nor the new one is what was looked at.
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("other.json", link), 0);
	a.access = "NEWER-A";
	attempt(&a, stores.list, NULL);
	assert_int_equal(a.r, -ESTALE);
	assert_file(real, SOUND("NEW-A", "NEW-R"));
	assert_file(other, SOUND("A", "R"));
	assert_int_equal(unlink(link), 0);
}

// Whoever looks up a store has found it to be no link. One that becomes a link after that is not followed either.
static void test_link_is_not_followed(void **state)
{
	_cleanup_free_ char *real = in_directory("real.json"), *link = in_directory("link.json");
	_cleanup_stores_ struct stores stores = store_of(SOUND("A", "R"));
	_cleanup_problems_ struct problems problems = {};
	_cleanup_secret_ struct secret access = secret_of("NEW-A");
	struct swapper yes = {.allow = true};
	struct store_change change = {.profile = "a:b",
				      .provider = "xai",
				      .access = &access,
				      .may_overwrite = may_overwrite,
				      .arg = &yes};

	(void)state;
	write_file(real, SOUND("A", "R"), strlen(SOUND("A", "R")), 0600);
	assert_int_equal(symlink("real.json", link), 0);
	free(stores.list->target);
	stores.list->target = xstrdup(link);
	_cleanup_stage_ struct atomic_stage stage = ATOMIC_STAGE_NONE;
	assert_int_equal(openclaw_json_write(stores.list, &change, 1, &stage), -ELOOP);
	assert_file(real, SOUND("A", "R"));
	openclaw_json_read(stores.list, &config, &problems);
	assert_int_equal(stores.list->state, STORE_UNREADABLE);
	assert_int_equal(unlink(link), 0);
}

static void test_several_changes(void **state)
{
	_cleanup_free_ char *text = quoted(xstrdup(
		"{'profiles':{'a':{'type':'oauth','provider':'xai','access':'A1','refresh':'R1','"
		"email':'x'},"
		"'b':{'type':'oauth','provider':'xai','access':'A2','refresh':'R2','email':'x'},"
		"'c':{'type':'oauth','provider':'xai','access':'A3','refresh':'R3','email':'x'}}"
		"}"));
	_cleanup_free_ char *after = quoted(xstrdup(
		"{'profiles':{'a':{'type':'oauth','provider':'xai','access':'N1','refresh':'M1','"
		"email':'x'},"
		"'b':{'type':'oauth','provider':'xai','access':'A2','refresh':'R2','email':'x'},"
		"'c':{'type':'oauth','provider':'xai','access':'N3','refresh':'M3','email':'x'}}"
		"}"));
	_cleanup_secret_ struct secret n1 = secret_of("N1"), m1 = secret_of("M1");
	_cleanup_secret_ struct secret n3 = secret_of("N3"), m3 = secret_of("M3");
	struct swapper yes = {.allow = true}, no = {};
	struct store_change changes[] = {
		{.profile = "c",
		 .provider = "xai",
		 .access = &n3,
		 .refresh = &m3,
		 .may_overwrite = may_overwrite,
		 .arg = &yes},
		{.profile = "b",
		 .provider = "xai",
		 .access = &n1,
		 .refresh = &m1,
		 .may_overwrite = may_overwrite,
		 .arg = &no},
		{.profile = "a",
		 .provider = "xai",
		 .access = &n1,
		 .refresh = &m1,
		 .may_overwrite = may_overwrite,
		 .arg = &yes},
		{.profile = "d",
		 .provider = "xai",
		 .access = &n1,
		 .refresh = &m1,
		 .may_overwrite = may_overwrite,
		 .arg = &yes},
	};
	_cleanup_stores_ struct stores stores = store_of(text);

	(void)state;
	assert_int_equal(store_write(stores.list, changes, ARRAY_SIZE(changes), NULL), 0);
	assert_int_equal(changes[0].result, STORE_WRITTEN);
	assert_int_equal(changes[1].result, STORE_CONFLICT);
	assert_int_equal(changes[2].result, STORE_WRITTEN);
	assert_int_equal(changes[3].result, STORE_GONE);
	assert_file(stores.list->target, after);
}

static void test_stage(void **state)
{
	_cleanup_stores_ struct stores stores = store_of(SOUND("A", "R"));
	struct atomic_stage stage = ATOMIC_STAGE_NONE;
	struct attempt a = {.access = "NEW-A", .refresh = "NEW-R"};
	_cleanup_free_ char *temp = NULL;
	struct stat st, full;

	(void)state;
	assert_int_equal(store_stage(stores.list, &stage), 0);
	temp = xstrdup(stage.temp);
	assert_int_equal(stat(stores.list->target, &st), 0);
	assert_int_equal(stat(temp, &full), 0);
	assert_true(full.st_size >=
		    st.st_size + 3 * (64 << 10)); // room for any tokens, really written
	assert_true(full.st_blocks * 512 >= full.st_size);
	attempt(&a, stores.list, &stage);
	assert_int_equal(a.r, 0);
	atomic_abort(&stage);
	assert_file(stores.list->target, SOUND("NEW-A", "NEW-R"));
	assert_int_equal(access(temp, F_OK), -1);

	// Staged for nothing.
	stage = ATOMIC_STAGE_NONE;
	assert_int_equal(store_stage(stores.list, &stage), 0);
	free(temp);
	temp = xstrdup(stage.temp);
	attempt(&a, stores.list, &stage);
	assert_int_equal(a.result, STORE_UNCHANGED);
	atomic_abort(&stage);
	assert_int_equal(access(temp, F_OK), -1);
	assert_file(stores.list->target, SOUND("NEW-A", "NEW-R"));
}

// Whose group a new file cannot be given is not served: nothing is spent for what could not be written.
static void test_group(void **state)
{
	_cleanup_stores_ struct stores stores = store_of(SOUND("A", "R"));
	_cleanup_problems_ struct problems problems = {};
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (int setgid_directory = 0; setgid_directory < 2; setgid_directory++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (chown(directory, 12345, 23456) < 0 ||
			    chmod(directory, setgid_directory ? 02755 : 0755) < 0 ||
			    chown(stores.list->target, 12345, 23456) < 0 ||
			    setgroups(0, NULL) < 0 || setgid(12345) < 0 || setuid(12345) < 0)
				_exit(2);
			store_read(stores.list, &config, &problems);
			if (setgid_directory)
				_exit(stores.list->state == STORE_OK && problems.n == 0 ? 0 : 1);
			_exit(stores.list->state == STORE_REFUSED && problems.n == 1 &&
					      problems.list->needs_person &&
					      string_equal(problems.list->code, "store_group") &&
					      strstr(problems.list->message, "gid 23456") &&
					      string_starts(problems.list->fix, "chgrp 12345 /")
				      ? 0
				      : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	// Root may.
	assert_int_equal(chown(directory, 0, 0), 0);
	assert_int_equal(chown(stores.list->target, 0, 23456), 0);
	assert_int_equal(chmod(directory, 0700), 0);
	store_read(stores.list, &config, &problems);
	assert_int_equal(stores.list->state, STORE_OK);
}

static void test_settle(void **state)
{
	_cleanup_stores_ struct stores stores = store_of(SOUND("A", "R"));
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	struct stat st;

	(void)state;
	assert_int_equal(utimensat(AT_FDCWD, stores.list->target, old, 0), 0);
	store_settle_mtime(stores.list->target);
	assert_int_equal(stat(stores.list->target, &st), 0);
	assert_true(st.st_mtim.tv_sec > 1000);
	assert_file(stores.list->target, SOUND("A", "R"));
}

// ---- profile ids nobody in his right mind would choose

static void test_hostile_ids(void **state)
{
	static const struct {
		const char *json, *id;
	} ids[] = {
		{"", ""},
		{"..", ".."},
		{"../../etc/passwd", "../../etc/passwd"},
		{"a\\nb", "a\nb"},
		{"a\\u001b[31m", "a\x1b[31m"},
		{"__proto__", "__proto__"},
		{"quo\\\"te\\\\", "quo\"te\\"},
		{"\\ud83d\\ude00", "😀"},
		{"%s%n", "%s%n"},
		{"profiles", "profiles"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		const char *form = "{\"x\":[],\"profiles\":{\"%s\":{\"type\":\"oauth\","
				   "\"provider\":\"xai\",\"access\":\"%s\","
				   "\"refresh\":\"R\",\"email\":\"x\"},\"other\":{\"type\":"
				   "\"oauth\",\"provider\":\"xai\","
				   "\"access\":\"A\",\"refresh\":\"R\"}}}";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		_cleanup_free_ char *before = xasprintf(form, ids[i].json, "A");
		_cleanup_free_ char *after = xasprintf(form, ids[i].json, "NEW-A");
#pragma GCC diagnostic pop
		_cleanup_stores_ struct stores stores = read_sound(before);
		struct attempt a = {.profile = ids[i].id, .access = "NEW-A"};

		assert_int_equal(stores.list->n_copies, 2);
		assert_string_equal(stores.list->copies[0]->credential.profile, ids[i].id);
		assert_int_equal(stores.list->copies[0]->kind, COPY_OAUTH);
		attempt(&a, stores.list, NULL);
		assert_int_equal(a.r, 0);
		assert_int_equal(a.result, STORE_WRITTEN);
		assert_file(stores.list->target, after);
	}
}

// ---- property: whatever stands around the tokens, it stands there afterwards

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 33) % n;
}

static void add(struct secret *s, const char *text)
{
	secret_append(s, text, strlen(text));
}

static void add_space(struct secret *s)
{
	static const char *const spaces[] = {"", "", " ", "\n", "\t", "\r\n  ", "    "};

	add(s, spaces[random_below(ARRAY_SIZE(spaces))]);
}

static void add_junk(struct secret *s, int depth)
{
	static const char *const values[] = {
		"1e21",
		"-0",
		"0.30000000000000004",
		"9007199254740993",
		"5e-324",
		"true",
		"null",
		"\"\"",
		"\"\\u00e9\\/\\b\"",
		"\"ß☃😀\"",
		"\"OLD-R\"",
		"[]",
		"{}",
		"{\"refresh\":\"OLD-R\"}",
		"1.0",
		"100E+2",
	};

	if (depth < 3 && random_below(4) == 0) {
		add(s, "[");
		add_junk(s, depth + 1);
		add_space(s);
		add(s, ",");
		add_space(s);
		add_junk(s, depth + 1);
		add(s, "]");
		return;
	}
	add(s, values[random_below(ARRAY_SIZE(values))]);
}

static void add_member(struct secret *s, const char *key, const char *value)
{
	_cleanup_free_ char *number = NULL;
	static unsigned counter;

	add_space(s);
	add(s, ",");
	add_space(s);
	if (!key)
		key = number = xasprintf("junk%u", counter++ % 1000);
	add(s, "\"");
	add(s, key);
	add(s, "\"");
	add_space(s);
	add(s, ":");
	add_space(s);
	if (value)
		add(s, value);
	else
		add_junk(s, 0);
}

// The same seed gives the same document around these values.
static struct secret document(uint64_t seed, const char *access, const char *refresh,
			      const char *expires)
{
	struct secret s = {};
	uint32_t n, at;

	random_state = seed;
	n = 1 + random_below(5);
	at = random_below(n);
	add_space(&s);
	add(&s, "{\"version\":1");
	add_member(&s, "top", NULL);
	add_member(&s, "profiles", "{\"first\":0");
	for (uint32_t i = 0; i < n; i++) {
		_cleanup_free_ char *id = i == at ? xstrdup("a:b") : xasprintf("p:%u", i);

		add_member(&s, id, "{\"type\":\"oauth\",\"provider\":\"xai\",\"email\":\"u@x\"");
		add_member(&s, "j0", NULL);
		add_member(&s, "refresh", i == at ? refresh : "\"OLD-R\"");
		add_member(&s, "j1", NULL);
		add_member(&s, "expires", i == at ? expires : "1796073857123");
		add_member(&s, "j2", NULL);
		add_member(&s, "access", i == at ? access : "\"OLD-A\"");
		add_space(&s);
		add(&s, "}");
	}
	add(&s, "}");
	add_member(&s, "bottom", NULL);
	add_space(&s);
	add(&s, "}");
	add_space(&s);
	return s;
}

static void test_property_bytes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		_cleanup_secret_ struct secret before =
			document(seed, "\"OLD-A\"", "\"OLD-R\"", "17");
		_cleanup_secret_ struct secret after =
			document(seed, "\"NEW-A-longer\"", "\"N\\\"R\"", "1796160257456");
		_cleanup_stores_ struct stores stores = read_sound(before.text);
		struct attempt a = {.access = "NEW-A-longer",
				    .refresh = "N\"R",
				    .expires_ms = NEW_MS,
				    .identity = &who};

		attempt(&a, stores.list, NULL);
		assert_int_equal(a.r, 0);
		assert_int_equal(a.result, STORE_WRITTEN);
		assert_file(stores.list->target, after.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_bad_entry_stops_nobody),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_true_expiry),
		cmocka_unit_test(test_odd_expiries),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_empty_profiles_are_fine),
		cmocka_unit_test(test_missing_and_refused),
		cmocka_unit_test(test_messages_hold_no_token),
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_skew_is_applied),
		cmocka_unit_test(test_expires_written),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_fence_is_swapped_by_what_it_names),
		cmocka_unit_test(test_fence_without_expiry),
		cmocka_unit_test(test_each_change_for_itself),
		cmocka_unit_test(test_changed_meanwhile),
		cmocka_unit_test(test_retired_is_dead),
		cmocka_unit_test(test_symlink_and_mode),
		cmocka_unit_test(test_link_is_not_followed),
		cmocka_unit_test(test_several_changes),
		cmocka_unit_test(test_stage),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_hostile_ids),
		cmocka_unit_test(test_property_bytes),
	};

	return cmocka_run_group_tests_name("store", tests, setup, teardown);
}
