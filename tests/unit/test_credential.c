// SPDX-License-Identifier: MIT
//
// Identity is tested against an oracle that knows what each spelling stands for; tokens by tables,
// and by thousands of broken ones.

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <cmocka.h>

#include "base/clock.h"
#include "credential/credential.h"

static unsigned decoded; // payloads, so far

int sodium_base642bin(unsigned char *bin, size_t bin_max, const char *text, size_t len,
		      const char *ignore, size_t *ret_len, const char **ret_end, int variant)
{
	int (*real)(unsigned char *, size_t, const char *, size_t, const char *, size_t *,
		    const char **, int) = dlsym(RTLD_NEXT, "sodium_base642bin");

	decoded++;
	return real(bin, bin_max, text, len, ignore, ret_len, ret_end, variant);
}

static uint64_t seed = 0xda942042e4dd58b5;

static uint64_t next_random(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

// ---- identity

// The spellings of one kind of id, and which id each of them is; -1 is none.
struct spelling {
	const char *text;
	int id;
};

static const struct spelling exact[] = {
	{NULL, -1},    {"", -1},	{" \t\r\n", -1}, {"id-1", 1},	 {" id-1", 1},
	{"id-1\n", 1}, {"\tid-1  ", 1}, {"ID-1", 2},	 {"id-2", 3},	 {"id-", 4},
	{"id 1", 5},   {" id 1 ", 5},	{"id-11", 6},	 {"i\u00e9", 7}, {"i\u00c9", 8},
};
static const struct spelling any_case[] = {
	{NULL, -1},
	{"", -1},
	{"  ", -1},
	{"one@example.com", 1},
	{"One@Example.COM", 1},
	{" one@example.com ", 1},
	{"ONE@EXAMPLE.COM\n", 1},
	{"two@example.com", 2},
	{"one@example.co", 3},
	{"one@example.com.", 4},
	{"one[example.com", 5}, // '[' and '{' differ in the bit that is a letter's case
	{"one{example.com", 6},
	{"\u00c9@example.com", 7}, // without regard to case is an ASCII rule
	{"\u00e9@example.com", 8},
};

struct sample {
	struct identity identity;
	int account, user, email;
};

static struct sample random_sample(void)
{
	const struct spelling *account = &exact[next_random(ARRAY_SIZE(exact))];
	const struct spelling *user = &exact[next_random(ARRAY_SIZE(exact))];
	const struct spelling *email = &any_case[next_random(ARRAY_SIZE(any_case))];

	return (struct sample){
		.identity = {xstrdup(account->text), xstrdup(user->text), xstrdup(email->text)},
		.account = account->id,
		.user = user->id,
		.email = email->id,
	};
}

// Random pairs seldom agree: half of the time, b takes ids of a.
static void random_pair(struct sample *a, struct sample *b)
{
	*a = random_sample();
	*b = random_sample();
	if (next_random(2)) {
		free(b->identity.account_id);
		b->identity.account_id = xstrdup(a->identity.account_id);
		b->account = a->account;
	}
	if (next_random(2)) {
		free(b->identity.user_id);
		b->identity.user_id = xstrdup(a->identity.user_id);
		b->user = a->user;
	}
	if (next_random(2)) {
		free(b->identity.email);
		b->identity.email = xstrdup(a->identity.email);
		b->email = a->email;
	}
}

static bool is_common(int a, int b)
{
	return a >= 0 && b >= 0;
}

static enum identity_match expected_match(const struct sample *a, const struct sample *b)
{
	bool account = is_common(a->account, b->account), user = is_common(a->user, b->user);
	bool email = is_common(a->email, b->email);

	if ((account && a->account != b->account) || (user && a->user != b->user) ||
	    (!user && email && a->email != b->email)) // an address is an attribute of a user
		return IDENTITY_DIFFERENT;
	if (user || email)
		return IDENTITY_SAME;
	return account ? IDENTITY_WORKSPACE : IDENTITY_UNKNOWN;
}

static void test_identity_compare(void **state)
{
	int seen[4] = {0};

	(void)state;
	for (int i = 0; i < 50000; i++) {
		struct sample a, b;
		enum identity_match match;

		random_pair(&a, &b);
		match = identity_compare(&a.identity, &b.identity);
		assert_int_equal(match, expected_match(&a, &b));
		assert_int_equal(match, identity_compare(&b.identity, &a.identity));
		seen[match]++;
		identity_free(&a.identity);
		identity_free(&b.identity);
	}
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		assert_true(seen[i] > 100); // the samples reach every answer
}

// `after` is what completing `before` with `more` may give: what was known is untouched to the
// byte.
static void check_completed(const char *after, const char *before, int before_id, const char *more,
			    int more_id)
{
	if (before_id >= 0)
		assert_string_equal(after, before);
	else if (more_id >= 0)
		assert_string_equal(after, more);
	else
		assert_true(string_equal(after, before));
}

static void test_identity_complete(void **state)
{
	(void)state;
	for (int i = 0; i < 50000; i++) {
		struct sample a, b;
		struct identity c = {0};

		random_pair(&a, &b);
		identity_copy(&c, &a.identity);
		identity_complete(&c, &b.identity);
		check_completed(c.account_id, a.identity.account_id, a.account,
				b.identity.account_id, b.account);
		check_completed(c.user_id, a.identity.user_id, a.user, b.identity.user_id, b.user);
		check_completed(c.email, a.identity.email, a.email, b.identity.email, b.email);
		assert_int_not_equal(identity_compare(&c, &a.identity), IDENTITY_DIFFERENT);
		// Whom an id tells to be somebody else stays somebody else.
		if ((is_common(a.user, b.user) && a.user != b.user) ||
		    (is_common(a.account, b.account) && a.account != b.account))
			assert_int_equal(identity_compare(&c, &b.identity), IDENTITY_DIFFERENT);
		assert_int_equal(identity_empty(&c),
				 identity_empty(&a.identity) && identity_empty(&b.identity));
		identity_free(&a.identity);
		identity_free(&b.identity);
		identity_free(&c);
	}
}

static void test_identity_values(void **state)
{
	struct identity none = {0}, blank = {.account_id = xstrdup(" "), .email = xstrdup("")};
	struct identity all = {xstrdup("account"), xstrdup("user"), xstrdup("email")};

	(void)state;
	assert_true(identity_empty(&none) && identity_empty(&blank));
	assert_false(identity_empty(&all));
	assert_string_equal(identity_name(&none), "");
	assert_string_equal(identity_name(&blank), "");
	assert_string_equal(identity_name(&all), "user");
	strcpy(all.user_id, " ");
	assert_string_equal(identity_name(&all), "email");
	strcpy(all.email, "");
	assert_string_equal(identity_name(&all), "account");
	identity_copy(&all, &all);
	assert_string_equal(all.account_id, "account");
	identity_copy(&all, &none);
	assert_null(all.account_id);
	identity_free(&blank);
	identity_free(&all);
	assert_null(all.email);
}

// ---- tokens

static void append_base64(struct secret *s, const char *text)
{
	size_t len = strlen(text);
	size_t size = sodium_base64_encoded_len(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	_cleanup_free_ char *encoded = xcalloc(size, 1);

	sodium_bin2base64(encoded, size, (const unsigned char *)text, len,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	secret_append(s, encoded, strlen(encoded));
}

static struct secret make_jwt(const char *payload)
{
	struct secret s = {0};

	append_base64(&s, "{\"alg\":\"none\"}");
	secret_append(&s, ".", 1);
	append_base64(&s, payload);
	secret_append(&s, ".FAKE", 5);
	return s;
}

#define OPENAI(auth)   "\"https://api.openai.com/auth\":{" auth "}"
#define PROFILE(email) "\"https://api.openai.com/profile\":{\"email\":\"" email "\"}"

static void test_jwt_claims(void **state)
{
	static const struct {
		const char *payload;
		int64_t issued_ms, expires_ms;
		const char *account, *user, *email;
		bool user_is_subject;
	} cases[] = {
		{"{}", 0, 0, NULL, NULL, NULL, false},
		{"{\"iat\":1795212000,\"exp\":1796076000,\"sub\":\"s\",\"email\":\"e@x\"}",
		 1795212000000, 1796076000000, NULL, "s", "e@x", true},
		{"{\"sub\":\"s\"," OPENAI("\"chatgpt_account_id\":\"a\",\"chatgpt_user_id\":\"u\","
					  "\"user_id\":\"v\"") "," PROFILE("p@x") "}",
		 0, 0, "a", "u", "p@x", false},
		{"{\"sub\":\"s\",\"email\":\"e@x\"," OPENAI("\"user_id\":\"v\"") "," PROFILE(
			 "p@x") "}",
		 0, 0, NULL, "v", "e@x", false},
		{"{\"sub\":\"s\"," OPENAI("\"chatgpt_user_id\":\" \",\"user_id\":7") "}", 0, 0,
		 NULL, "s", NULL, true},
		{"{\"iat\":1.5,\"exp\":2.0005}", 1500, 2001, NULL, NULL, NULL, false},
		{"{\"iat\":8.64e12,\"exp\":8640000000000}", 8640000000000000, 8640000000000000,
		 NULL, NULL, NULL, false},
		{"{\"iat\":8640000000001,\"exp\":8.65e12}", 0, 0, NULL, NULL, NULL, false},
		{"{\"iat\":0,\"exp\":-1}", 0, 0, NULL, NULL, NULL, false},
		{"{\"iat\":\"1795212000\",\"exp\":true}", 0, 0, NULL, NULL, NULL, false},
		{"{\"iat\":1e400,\"exp\":null}", 0, 0, NULL, NULL, NULL, false},
		{"{\"SUB\":\"s\",\"Email\":\"e\",\"Exp\":5}", 0, 0, NULL, NULL, NULL, false},
		{"{\"sub\":7,\"email\":[\"e\"],\"https://api.openai.com/auth\":\"a\","
		 "\"https://api.openai.com/profile\":null}",
		 0, 0, NULL, NULL, NULL, false},
		{"{\"chatgpt_account_id\":\"a\",\"chatgpt_user_id\":\"u\"}", 0, 0, NULL, NULL, NULL,
		 false},
		// A fault in one claim is no fault of the others; an id that is not whole is none.
		{"{\"exp\":1796076000,\"sub\":\"a\\u0000b\",\"email\":\"e@x\",\"name\":\"Ann "
		 "\\ud83d\"}",
		 0, 1796076000000, NULL, NULL, "e@x", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_secret_ struct secret token = make_jwt(cases[i].payload);
		struct jwt jwt;

		if (jwt_read(&token, &jwt) != 0)
			fail_msg("%s", cases[i].payload);
		if (jwt.issued_ms != cases[i].issued_ms || jwt.expires_ms != cases[i].expires_ms ||
		    jwt.user_is_subject != cases[i].user_is_subject ||
		    !string_equal(jwt.identity.account_id, cases[i].account) ||
		    !string_equal(jwt.identity.user_id, cases[i].user) ||
		    !string_equal(jwt.identity.email, cases[i].email))
			fail_msg("%s", cases[i].payload);
		for (int again = 0; again < 2; again++) {
			struct jwt_times times = jwt_times(&token);
			assert_true(times.issued_ms == jwt.issued_ms);
			assert_true(times.expires_ms == jwt.expires_ms);
		}
		jwt_free(&jwt);
		assert_null(jwt.identity.user_id);
	}
}

// By whoever asks for whatever; and what one says is never taken for what another does.
static void test_jwt_is_decoded_once(void **state)
{
	unsigned before = decoded;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20; i++) {
			_cleanup_free_ char *payload = xasprintf(
				"{\"iat\":%d,\"exp\":9000,\"sub\":\"once-%d\"}", 100 + i, i);
			_cleanup_free_ char *user = xasprintf("once-%d", i);
			struct credential c = {.access = make_jwt(payload)};
			credential_complete(&c);
			assert_int_equal(jwt_times(&c.access).issued_ms, (100 + i) * 1000);
			assert_int_equal(c.lifetime_s, 8900 - i);
			assert_string_equal(c.identity.user_id, user);
			credential_free(&c);
		}
	}
	assert_in_range(decoded - before, 20,
			40); // two may have one place, and push each other out
	for (int i = 0; i < 5000; i++) {
		_cleanup_free_ char *payload = xasprintf("{\"iat\":%d}", 1 + i % 2500);
		_cleanup_secret_ struct secret token = make_jwt(payload);
		assert_int_equal(jwt_times(&token).issued_ms, (1 + i % 2500) * 1000);
	}
}

static void test_jwt_refuses(void **state)
{
	static const char *const cases[] = {
		NULL,
		"",
		"FAKE-ACCESS-1",
		"sk-ant-oat01-FAKE",
		".",
		"..",
		"...",
		"a.e30",		  // two parts
		"a.e30.s.t",		  // four
		"a.e30.s.t.u",		  // five: encrypted
		".e30.s",		  // no header
		"a..s",			  // no payload
		"a.e30=.s",		  // padded
		"a.e3 0.s",		  // a blank in it
		"a.e31.s",		  // bits left over
		"a.e.s",		  // half a byte
		"a.W10.s",		  // []
		"a.bnVsbA.s",		  // null
		"a.IngI.s",		  // "x"
		"a.e30KeA.s",		  // {}\nx
		"a.eyJzdWIiOg.s",	  // {"sub":
		"a.e30A.s",		  // {} and a NUL
		"a.eyJzdWIiOiI/Pz4ifQ.s", // not the URL-safe alphabet
	};
	struct jwt untouched = {.issued_ms = -5};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_secret_ struct secret token = {0};

		secret_set_string(&token, cases[i]);
		if (jwt_read(&token, &untouched) != -EBADMSG || untouched.issued_ms != -5)
			fail_msg("%s", cases[i]);
		assert_true(jwt_times(&token).issued_ms == 0 && jwt_times(&token).expires_ms == 0);
	}
	for (int signed_ = 0; signed_ <= 1; signed_++) { // an empty signature is one
		_cleanup_secret_ struct secret token = {0};

		secret_set_string(&token, signed_ ? "a.e30.s" : "a.e30.");
		assert_int_equal(jwt_read(&token, &untouched), 0);
		jwt_free(&untouched);
	}
}

static void test_jwt_bounds(void **state)
{
	_cleanup_secret_ struct secret token = make_jwt("{\"sub\":\"s\"}");
	_cleanup_free_ char *payload = xcalloc(2000, 1);
	struct jwt jwt;

	(void)state;
	while (token.len < 64 * 1024)
		secret_append(&token, "x", 1);
	assert_int_equal(jwt_read(&token, &jwt), 0);
	jwt_free(&jwt);
	secret_append(&token, "x", 1);
	assert_int_equal(jwt_read(&token, &jwt), -EBADMSG);
	secret_free(&token);

	// What is longer than any id is none.
	memset(payload, 'x', 1100);
	memcpy(payload, "{\"sub\":\"", 8);
	strcpy(payload + 1100, "\",\"email\":\"e\"}");
	token = make_jwt(payload);
	assert_int_equal(jwt_read(&token, &jwt), 0);
	assert_null(jwt.identity.user_id);
	assert_string_equal(jwt.identity.email, "e");
	jwt_free(&jwt);
}

// Broken tokens are read or refused, within their bounds (a sanitizer watches) and touching nothing
// else.
static void test_jwt_mutations(void **state)
{
	_cleanup_secret_ struct secret good =
		make_jwt("{\"iat\":1795212000,\"exp\":1796076000,\"sub\":\"s\"," OPENAI(
			"\"chatgpt_account_id\":\"a\"") "," PROFILE("p@x") "}");
	int refused = 0;

	(void)state;
	for (int i = 0; i < 30000; i++) {
		_cleanup_secret_ struct secret token = {0};
		struct jwt jwt = {.issued_ms = -5};

		secret_set(&token, good.text, next_random(good.len) + 1);
		for (uint64_t n = next_random(4); n > 0; n--)
			token.text[next_random(token.len)] = (char)next_random(256);
		if (jwt_read(&token, &jwt) < 0) {
			refused++;
			assert_int_equal(jwt.issued_ms, -5);
			continue;
		}
		assert_true(jwt.issued_ms >= 0 && jwt.expires_ms >= 0);
		jwt_free(&jwt);
	}
	assert_in_range(refused, 1000, 29999);
}

// ---- credentials

static void test_complete_from_tokens(void **state)
{
	struct credential c = {0};

	(void)state;
	secret_set_string(&c.refresh, "FAKE-REFRESH-1");
	c.identity.account_id = xstrdup("store-account");
	c.identity.email = xstrdup(" "); // blank: nobody said
	c.access = make_jwt("{\"iat\":1795212000,\"exp\":1796076000,\"email\":\"access@x\"," OPENAI(
		"\"chatgpt_account_id\":\"access-account\",\"chatgpt_user_id\":\"access-"
		"user\"") "}");
	c.id_token = make_jwt("{\"iat\":1,\"exp\":2,\"email\":\"id@x\"," OPENAI(
		"\"chatgpt_account_id\":\"id-account\"") "}");
	credential_complete(&c);
	assert_string_equal(c.identity.account_id, "store-account");
	assert_string_equal(c.identity.email, "id@x");
	assert_string_equal(c.identity.user_id, "access-user");
	assert_int_equal(c.issued_ms, 1795212000000);
	assert_int_equal(c.expires_ms, 1796076000000);
	assert_int_equal(c.lifetime_s, 864000);
	assert_true(fingerprint_equal(c.fingerprint, fingerprint_of(&c.refresh)));

	c.expires_ms = 1234; // what the store says stands
	secret_set_string(&c.refresh, "FAKE-REFRESH-2");
	credential_complete(&c);
	assert_int_equal(c.expires_ms, 1234);
	assert_true(fingerprint_equal(c.fingerprint, fingerprint_of(&c.refresh)));

	free(c.identity.email);
	free(c.identity.account_id);
	c.identity.email = xstrdup("ann\xef\xbf\xbd@x"); // of whom there may be two
	c.identity.account_id = xstrdup("\xef\xbf\xbd");
	credential_complete(&c);
	assert_string_equal(c.identity.email, "id@x");
	assert_string_equal(c.identity.account_id, "id-account");
	credential_free(&c);
}

static void test_complete_opaque(void **state)
{
	struct credential c = {.issued_ms = 5, .lifetime_s = 5};

	(void)state;
	secret_set_string(&c.access, "sk-ant-oat01-FAKE");
	credential_complete(&c);
	assert_int_equal(c.issued_ms, 0);
	assert_int_equal(c.lifetime_s, 0);
	assert_int_equal(c.expires_ms, 0);
	assert_true(identity_empty(&c.identity));
	assert_true(fingerprint_empty(c.fingerprint));
	credential_free(&c);
}

static void test_complete_odd_times(void **state)
{
	static const char *const payloads[] = {
		"{\"exp\":1796076000}",
		"{\"iat\":1796076000,\"exp\":1796076000}",
		"{\"iat\":1796076001,\"exp\":1796076000}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
		struct credential c = {.access = make_jwt(payloads[i])};

		credential_complete(&c);
		assert_int_equal(c.lifetime_s, 0);
		assert_int_equal(c.expires_ms, 1796076000000);
		credential_free(&c);
	}
}

// The name of a login in one token must not hide the user's id in the other.
static void test_complete_prefers_user_id(void **state)
{
	static const char with_user[] =
		"{\"sub\":\"google|1\"," OPENAI("\"chatgpt_user_id\":\"u\"") "}";
	static const char with_other[] =
		"{\"sub\":\"google|1\"," OPENAI("\"chatgpt_user_id\":\"v\"") "}";
	static const char without[] = "{\"sub\":\"google|1\"}";
	static const char other_subject[] = "{\"sub\":\"auth0|2\"}";
	static const struct {
		const char *stored, *id_token, *access, *user;
	} cases[] = {
		{NULL, without, with_user, "u"},
		{NULL, with_user, without, "u"},
		{NULL, with_user, with_other, "u"},
		{NULL, without, other_subject, "auth0|2"}, // every copy has the access token
		{NULL, without, "{}", "google|1"},
		{NULL, "{}", without, "google|1"},
		{"stored", without, with_user, "stored"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct credential c = {
			.identity = {.user_id = xstrdup(cases[i].stored)},
			.id_token = make_jwt(cases[i].id_token),
			.access = make_jwt(cases[i].access),
		};

		credential_complete(&c);
		assert_string_equal(c.identity.user_id, cases[i].user);
		credential_free(&c);
	}
}

// An answer to our own request: a token is compared with the one of its kind that was there before.
static void test_compare_tokens(void **state)
{
	static const struct {
		const char *before, *after;
		enum identity_match match;
	} cases[] = {
		{NULL, "{\"sub\":\"a\"}", IDENTITY_UNKNOWN},
		{"{\"sub\":\"a\"}", NULL, IDENTITY_UNKNOWN},
		{"{}", "{\"sub\":\"a\"}", IDENTITY_UNKNOWN},
		{"{\"sub\":\"a\"}", "{\"sub\":\"a\"}", IDENTITY_SAME},
		{"{\"sub\":\"a\"}", "{\"sub\":\"b\"}", IDENTITY_DIFFERENT},
		{"{\"sub\":\"a\",\"email\":\"e@x\"}", "{\"sub\":\"a\",\"email\":\"f@x\"}",
		 IDENTITY_SAME},
		{"{\"email\":\"e@x\"}", "{\"sub\":\"a\",\"email\":\"f@x\"}", IDENTITY_UNKNOWN},
		{"{\"email\":\"e@x\"}", "{\"email\":\"E@x\"}", IDENTITY_SAME},
		{"{" OPENAI("\"chatgpt_user_id\":\"u\"") ",\"sub\":\"a\"}", "{\"sub\":\"a\"}",
		 IDENTITY_SAME},
		{"{" OPENAI("\"chatgpt_user_id\":\"u\"") ",\"sub\":\"a\"}", "{\"sub\":\"b\"}",
		 IDENTITY_DIFFERENT},
		// a user's name is not compared with that of a login, but a subject with a subject
		{"{\"sub\":\"a\"}", "{\"sub\":\"a\"," OPENAI("\"chatgpt_user_id\":\"u\"") "}",
		 IDENTITY_SAME},
		{"{" OPENAI("\"chatgpt_user_id\":\"u\",\"chatgpt_account_id\":\"w\"") "}",
		 "{" OPENAI("\"chatgpt_user_id\":\"u\",\"chatgpt_account_id\":\"w\"") "}",
		 IDENTITY_SAME},
		{"{\"sub\":\"a\"}", "{" OPENAI("\"chatgpt_user_id\":\"u\"") "}", IDENTITY_UNKNOWN},
		{"{" OPENAI("\"chatgpt_user_id\":\"u\"") "}",
		 "{" OPENAI("\"chatgpt_user_id\":\"v\"") "}", IDENTITY_DIFFERENT},
		{"{" OPENAI("\"chatgpt_account_id\":\"w\"") "}",
		 "{" OPENAI("\"chatgpt_account_id\":\"w\"") "}", IDENTITY_WORKSPACE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_secret_ struct secret before = {0}, after = {0};

		if (cases[i].before)
			before = make_jwt(cases[i].before);
		if (cases[i].after)
			after = make_jwt(cases[i].after);
		if (identity_compare_tokens(&before, &after) != cases[i].match)
			fail_msg("case %zu", i);
	}
}

static void test_ids(void **state)
{
	_cleanup_free_ char *longest = xcalloc(1026, 1);

	(void)state;
	assert_true(id_is_sound("user-1") && id_is_sound("\u00e9 \u4e2d"));
	assert_false(id_is_sound(NULL) || id_is_sound("") || id_is_sound("a\nb"));
	assert_false(id_is_sound("a\x7f") || id_is_sound("a\xef\xbf\xbd"));
	memset(longest, 'x', 1024);
	assert_true(id_is_sound(longest));
	longest[1024] = 'x';
	assert_false(id_is_sound(longest));
}

static void test_credential_copy(void **state)
{
	struct credential c = {0}, copy = {.provider = xstrdup("old")};

	(void)state;
	c.provider = xstrdup("openai");
	c.profile = xstrdup("openai:default");
	c.client_id = xstrdup("client");
	c.identity = (struct identity){xstrdup("a"), xstrdup("u"), xstrdup("e")};
	secret_set_string(&c.access, "FAKE-ACCESS-1");
	secret_set_string(&c.refresh, "FAKE-REFRESH-1");
	secret_set_string(&c.id_token, "FAKE-ID-1");
	c.fingerprint = fingerprint_of(&c.refresh);
	c.expires_ms = 1;
	c.issued_ms = 2;
	c.lifetime_s = 3;
	credential_copy(&copy, &c);
	assert_true(secret_equal(&copy.access, &c.access));
	credential_copy(&copy, &copy);
	credential_free(&c);
	assert_null(c.refresh.text);
	assert_string_equal(copy.provider, "openai");
	assert_string_equal(copy.profile, "openai:default");
	assert_string_equal(copy.client_id, "client");
	assert_string_equal(copy.identity.account_id, "a");
	assert_string_equal(copy.identity.user_id, "u");
	assert_string_equal(copy.identity.email, "e");
	assert_string_equal(copy.access.text, "FAKE-ACCESS-1");
	assert_string_equal(copy.refresh.text, "FAKE-REFRESH-1");
	assert_string_equal(copy.id_token.text, "FAKE-ID-1");
	assert_true(fingerprint_equal(copy.fingerprint, fingerprint_of(&copy.refresh)));
	assert_int_equal(copy.expires_ms, 1);
	assert_int_equal(copy.issued_ms, 2);
	assert_int_equal(copy.lifetime_s, 3);
	credential_free(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity_compare),
		cmocka_unit_test(test_identity_complete),
		cmocka_unit_test(test_identity_values),
		cmocka_unit_test(test_jwt_claims),
		cmocka_unit_test(test_jwt_refuses),
		cmocka_unit_test(test_jwt_bounds),
		cmocka_unit_test(test_jwt_mutations),
		cmocka_unit_test(test_complete_from_tokens),
		cmocka_unit_test(test_complete_opaque),
		cmocka_unit_test(test_jwt_is_decoded_once),
		cmocka_unit_test(test_complete_odd_times),
		cmocka_unit_test(test_complete_prefers_user_id),
		cmocka_unit_test(test_compare_tokens),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_credential_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
