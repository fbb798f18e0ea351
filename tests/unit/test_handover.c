// SPDX-License-Identifier: MIT
//
// A login on its way to another host: what is written is read again, and what is not whole, not of its type or not one
// person's is refused, with what is wrong and nothing of a token.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#include "json/json.h"
#include "ledger/custody.h"
#include "ledger/handover.h"

#define NOW_MS INT64_C(1795000000123)
#define UUID   "0f0e0d0c-0b0a-4908-8706-050403020100"

static struct fingerprint numbered(int number)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "FAKE-REFRESH-%d", number);

	return fingerprint_of_bytes(text, (size_t)n);
}

static struct account_record full_record(void)
{
	struct account_record r = {
		.provider = xstrdup("openai-codex"),
		.profile = xstrdup("openai-codex:\"quoted\"\x01\n\xc3\xa9"),
		.identity = {xstrdup("acct-1"), xstrdup("user-1"), xstrdup("a@example.org")},
		.live = {.expires_ms = 11, .issued_ms = 12, .at_ms = 13, .answered = true},
		.number = 14,
		.previous = {19, 20},
		.lifetime_s = 21,
		.grant_expires_ms = 22,
		.custody = {.since_ms = 23, .term = 24},
	};

	secret_set_string(&r.live.access, "FAKE-ACCESS-1");
	secret_set_string(&r.live.refresh, "FAKE-REFRESH-1");
	secret_set_string(&r.live.id_token, "FAKE-ID-1");
	r.live.fingerprint = numbered(1);
	for (int i = 2; i < 5; i++)
		record_supersede(&r, numbered(i));
	record_supersede_fence(&r, numbered(9));
	return r;
}

static struct secret written(const struct account_record *record, bool release)
{
	const struct ledger ledger = {.uuid = UUID};

	return handover_write(record, &ledger, release, NOW_MS);
}

static struct secret written_full(void)
{
	_cleanup_(account_record_free) struct account_record record = full_record();

	return written(&record, false);
}

// It is refused so, with a word that says why, and nothing is handed out.
static void expect_refused(const struct secret *text, int error, const char *why)
{
	struct handover h = {0};
	_cleanup_free_ char *message = NULL;
	int r = handover_read(text, &h, &message);

	if (r != error || !message || !strstr(message, why) || strstr(message, "FAKE"))
		fail_msg("%.*s\nis %d: %s\nshall: %d: %s", (int)(text->len < 200 ? text->len : 200),
			 text->len ? text->text : "", r, message ? message : "", error, why);
	assert_null(h.provider);
	assert_int_equal(h.n_superseded, 0);
}

static void expect_text_refused(const char *text, const char *why)
{
	_cleanup_secret_ struct secret secret = {0};

	secret_set_string(&secret, text);
	expect_refused(&secret, -EBADMSG, why);
}

static void test_written_is_read(void **state)
{
	(void)state;
	for (int release = 0; release <= 1; release++) {
		_cleanup_(account_record_free) struct account_record record = full_record();
		_cleanup_secret_ struct secret text = written(&record, release);
		_cleanup_(handover_free) struct handover h = {0};
		char *message = NULL, host[65];

		assert_ptr_equal(memchr(text.text, '\n', text.len), text.text + text.len - 1);
		assert_int_equal(handover_read(&text, &h, &message), 0);
		host_name_ours(host);
		assert_int_equal(h.release, release);
		assert_true(h.made_ms == NOW_MS && h.term == 24 && h.number == 14);
		assert_string_equal(h.ledger, UUID);
		assert_string_equal(h.host, host);
		assert_string_equal(h.provider, record.provider);
		assert_string_equal(h.profile, record.profile);
		assert_true(identity_equal(&h.identity, &record.identity));
		assert_true(h.lifetime_s == 21 && h.grant_expires_ms == 22);
		assert_true(h.previous.issued_ms == 19 && h.previous.expires_ms == 20);
		assert_true(h.live.expires_ms == 11 && h.live.issued_ms == 12);
		assert_true(secret_equal(&h.live.access, &record.live.access));
		assert_true(secret_equal(&h.live.refresh, &record.live.refresh));
		assert_true(secret_equal(&h.live.id_token, &record.live.id_token));
		assert_true(fingerprint_equal(h.live.fingerprint, numbered(1)));
		assert_int_equal(h.n_superseded, 3);
		assert_int_equal(h.n_fences, 1);
		for (int i = 1; i < 6; i++)
			assert_int_equal(handover_superseded(&h, numbered(i)), i >= 2 && i <= 4);
	}
}

// As much as a record may hold fits.
static void test_largest_is_read(void **state)
{
	_cleanup_(account_record_free) struct account_record record = full_record();
	_cleanup_(handover_free) struct handover h = {0};
	struct secret *const tokens[] = {&record.live.access, &record.live.refresh,
					 &record.live.id_token};
	char *message = NULL;
	static char token[64 << 10];

	(void)state;
	memset(token, 'x', sizeof(token));
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++)
		secret_set(tokens[i], token, sizeof(token));
	record.live.fingerprint = fingerprint_of(&record.live.refresh);
	for (int i = 10; i < 10 + 2 * RECORD_SUPERSEDED_MAX; i++) {
		record_supersede(&record, numbered(i));
		record_supersede_fence(&record, numbered(i));
	}
	_cleanup_secret_ struct secret text = written(&record, true);
	assert_true(text.len < HANDOVER_MAX);
	assert_int_equal(handover_read(&text, &h, &message), 0);
	assert_int_equal(h.n_superseded, RECORD_SUPERSEDED_MAX);
}

// What a broken pipe leaves is never taken for a document, wherever it broke.
static void test_cut_everywhere(void **state)
{
	_cleanup_secret_ struct secret text = written_full();

	(void)state;
	for (size_t n = 0; n + 1 < text.len; n++) {
		_cleanup_secret_ struct secret cut = {0};
		secret_set(&cut, text.text, n);
		expect_refused(&cut, -EBADMSG, n ? "cut short" : "nothing came");
	}
}

// A bit that flips is refused, or is no part of who it is and of what is live.
static void test_every_bit(void **state)
{
	_cleanup_secret_ struct secret text = written_full();
	size_t refused = 0;

	(void)state;
	for (size_t bit = 0; bit < 8 * text.len; bit++) {
		_cleanup_(handover_free) struct handover h = {0};
		_cleanup_free_ char *message = NULL;
		text.text[bit / 8] ^= (char)(1 << bit % 8);
		int r = handover_read(&text, &h, &message);
		text.text[bit / 8] ^= (char)(1 << bit % 8);
		if (r < 0)
			refused++;
		else
			assert_true(
				fingerprint_equal(fingerprint_of(&h.live.refresh), numbered(1)));
	}
	assert_true(refused > 4 * text.len);
}

// Every member must be there, and of its type; so must those of its members, but that an identity may be partly unknown.
static void test_is_complete(void **state)
{
	_cleanup_secret_ struct secret text = written_full();
	_cleanup_json_ cJSON *whole = json_parse(text.text, text.len);
	int n = cJSON_GetArraySize(whole);

	(void)state;
	assert_int_equal(n, 16);
	for (int i = 0; i < n; i++) {
		for (int odd = 0; odd < 2; odd++) {
			_cleanup_json_ cJSON *json = json_parse(text.text, text.len);
			cJSON *member = cJSON_DetachItemFromArray(json, i);
			bool version = string_equal(member->string, "oauth_keepalive_export");
			cJSON *list = cJSON_CreateArray();
			cJSON_AddItemToObject(list, "", cJSON_CreateObject());
			cJSON_AddItemToObject(json, odd ? member->string : "unknown", list);
			cJSON_Delete(member);
			_cleanup_secret_ struct secret less = json_print(json, false);
			expect_refused(&less, -EBADMSG, version ? "not what" : "a member");
		}
	}
	cJSON_AddNullToObject(whole, "unknown"); // what a later version may add
	_cleanup_secret_ struct secret more = json_print(whole, false);
	_cleanup_(handover_free) struct handover h = {0};
	char *message = NULL;
	assert_int_equal(handover_read(&more, &h, &message), 0);
}

// With this in its member's place.
static struct secret changed(const char *path, const char *value)
{
	_cleanup_secret_ struct secret text = written_full();
	_cleanup_json_ cJSON *json = json_parse(text.text, text.len);
	_cleanup_free_ char *name = xstrdup(path);
	char *rest = strchr(name, '.');
	cJSON *object = json;

	if (rest) {
		*rest++ = '\0';
		object = cJSON_GetObjectItem(json, name);
	}
	cJSON *item = cJSON_Parse(value);
	assert_non_null(item);
	assert_true(cJSON_ReplaceItemInObject(object, rest ? rest : name, item));
	return json_print(json, false);
}

static void test_members(void **state)
{
	static const struct {
		const char *path, *value, *why;
	} cases[] = {
		{"mode", "\"own\"", "a member"},
		{"mode", "\"Release\"", "a member"},
		{"made_ms", "0", "a member"},
		{"made_ms", "1.5", "a member"},
		{"term", "-1", "a member"},
		{"term", "1073741825", "a member"},
		{"term", "1e300", "a member"},
		{"number", "0", "a member"},
		{"lifetime_s", "-1", "a member"},
		{"host", "\"\"", "a member"},
		{"host", "\"a b\"", "a member"},
		{"host", "\"\\u001b[2J\"", "a member"},
		{"ledger", "\"\"", "a member"},
		{"ledger", "\"../../../../../../../../../etc/passwd\"", "a member"},
		{"provider", "\"\"", "a member"},
		{"profile", "\"\"", "a member"},
		{"superseded", "[\"x\"]", "a member"},
		{"superseded", "[null]", "a member"},
		{"live.refresh", "\"FAKE-REFRESH-2\"", "a member"}, // not of its fingerprint
		{"live.fingerprint", "\"\"", "a member"},
		{"live.access", "\"\"", "cannot be any"},
		{"live.access", "null", "cannot be any"},
		{"live.access", "\"a b\"", "cannot be any"},
		{"live.access", "\"a\\nb\"", "cannot be any"},
		{"identity.email", "\"a\\u0001b\"", "identity is none"},
		{"identity.user_id", "\"\\ufffd\"", "identity is none"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_secret_ struct secret text = changed(cases[i].path, cases[i].value);
		expect_refused(&text, -EBADMSG, cases[i].why);
	}
	for (int i = 0; i <= 1; i++) { // 256, and one more
		_cleanup_(account_record_free) struct account_record record = full_record();
		_cleanup_(handover_free) struct handover h = {0};
		char *message = NULL;
		for (int k = 0; k < RECORD_SUPERSEDED_MAX - 4 + i; k++)
			record_supersede(&record, numbered(20 + k));
		*array_add(&record.superseded, &record.n_superseded) = numbered(10);
		_cleanup_secret_ struct secret text = written(&record, false);
		if (i)
			expect_refused(&text, -EBADMSG, "a member");
		else
			assert_int_equal(handover_read(&text, &h, &message), 0);
	}
}

static void test_live_among_replaced(void **state)
{
	_cleanup_(account_record_free) struct account_record record = full_record();

	(void)state;
	record_supersede(&record, record.live.fingerprint);
	_cleanup_secret_ struct secret text = written(&record, false);
	expect_refused(&text, -EBADMSG, "among those that were replaced");
}

static void make_jwt(struct secret *token, const char *email)
{
	char payload[256];
	_cleanup_free_ char *claims =
		xasprintf("{\"email\":\"%s\",\"sub\":\"user-of-%s\"}", email, email);

	sodium_bin2base64(payload, sizeof(payload), (unsigned char *)claims, strlen(claims),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	secret_set_string(token, "e30.");
	secret_append(token, payload, strlen(payload));
	secret_append(token, ".", 1);
}

// Its tokens are their own witnesses.
static void test_whose_it_is(void **state)
{
	_cleanup_(account_record_free) struct account_record record = full_record();
	_cleanup_(handover_free) struct handover h = {0};
	char *message = NULL;

	(void)state;
	identity_free(&record.identity);
	record.identity.email = xstrdup("a@example.org");
	make_jwt(&record.live.id_token, "b@example.org");
	_cleanup_secret_ struct secret bobs = written(&record, false);
	expect_refused(&bobs, -EBADMSG, "another person's");
	make_jwt(&record.live.id_token, "a@example.org");
	_cleanup_secret_ struct secret hers = written(&record, false);
	assert_int_equal(handover_read(&hers, &h, &message), 0);
	assert_string_equal(h.identity.user_id, "user-of-a@example.org");
}

static void test_no_document(void **state)
{
	_cleanup_secret_ struct secret text = written_full(), twice = {0}, big = {0}, deep = {0};

	(void)state;
	expect_text_refused(" \n\t\r\n", "nothing came");
	expect_text_refused("{}", "not what `oauth-keepalive export` prints");
	expect_text_refused("[1]", "not what `oauth-keepalive export` prints");
	expect_text_refused("null", "not what `oauth-keepalive export` prints");
	expect_text_refused("{\"oauth_keepalive_export\":0}", "not what");
	expect_text_refused("{\"oauth_keepalive_export\":\"1\"}", "not what");
	expect_text_refused("{\"oauth_keepalive_export\":1}", "a member");
	expect_text_refused("oauth-keepalive: held\n", "no JSON");
	expect_text_refused("{\"a\":1,\"a\":1}", "duplicate");
	secret_append(&twice, text.text, text.len);
	secret_append(&twice, text.text, text.len);
	expect_refused(&twice, -EBADMSG, "no JSON");
	for (size_t i = 0; i <= HANDOVER_MAX / 64; i++)
		secret_append(&big,
			      "                                                                ",
			      64);
	expect_refused(&big, -EBADMSG, "longer than");
	for (int i = 0; i < 100000; i++)
		secret_append(&deep, "[", 1);
	expect_refused(&deep, -EBADMSG, "");
}

static void test_newer(void **state)
{
	_cleanup_secret_ struct secret text = changed("oauth_keepalive_export", "2"), bare = {0};

	(void)state;
	expect_refused(&text, -EPROTONOSUPPORT, "newer version");
	secret_set_string(&bare, "{\"oauth_keepalive_export\":2}"); // whatever else it holds
	expect_refused(&bare, -EPROTONOSUPPORT, "newer version");
}

// ---- custody

static bool same_custody(const struct custody *a, const struct custody *b)
{
	return a->ownership == b->ownership && a->since_ms == b->since_ms && a->term == b->term &&
	       string_equal(a->ledger, b->ledger) && string_equal(a->host, b->host) &&
	       a->heard_ms == b->heard_ms && a->number == b->number &&
	       string_equal(a->nonce, b->nonce);
}

// As it stands in a record.
static cJSON *custody_written(const struct custody *custody)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();

	custody_write(json, custody);
	_cleanup_secret_ struct secret text = json_print(json, false);
	return json_parse(text.text, text.len);
}

static bool custody_survives(const struct custody *custody)
{
	_cleanup_json_ cJSON *json = custody_written(custody);
	struct custody again = {0};
	bool ok = true;

	custody_read(json, &again, &ok);
	return ok && same_custody(custody, &again);
}

static void test_custody(void **state)
{
	struct custody c = {0};

	(void)state;
	assert_true(custody_survives(&c)); // it always was ours: nothing is written
	c = (struct custody){.since_ms = NOW_MS, .term = 1};
	assert_true(custody_survives(&c));
	c.ownership = OWNERSHIP_RELEASED;
	strcpy(c.nonce, "00112233445566778899aabbccddeeff");
	assert_true(custody_survives(&c));
	c = (struct custody){OWNERSHIP_FOLLOWS, NOW_MS,	    2, UUID,
			     "host-a.example",	NOW_MS + 1, 7, ""};
	assert_true(custody_survives(&c));
	c.ledger[0] = '\0'; // whom?
	assert_false(custody_survives(&c));
}

static void test_custody_refused(void **state)
{
	static const struct {
		const char *name, *value;
	} cases[] = {
		{"ownership", "\"theirs\""},
		{"ownership", "null"},
		{"ownership", "1"},
		{"since_ms", "0"},
		{"since_ms", "null"},
		{"term", "-1"},
		{"term", "\"1\""},
		{"heard_ms", "-1"},
		{"number", "0.5"},
		{"ledger", "\"x\""},
		{"ledger", "null"},
		{"host", "\"a b\""},
		{"host", "[]"},
		{"host", "\"\\u0007\""},
		{"nonce", "\"00\""},
		{"nonce", "null"},
	};
	const struct custody c = {OWNERSHIP_FOLLOWS, NOW_MS, 2, UUID, "host-a", NOW_MS, 7, ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ cJSON *json = custody_written(&c);
		struct custody again = {0};
		bool ok = true;
		assert_true(cJSON_ReplaceItemInObject(cJSON_GetObjectItem(json, "custody"),
						      cases[i].name, cJSON_Parse(cases[i].value)));
		custody_read(json, &again, &ok);
		if (ok)
			fail_msg("%s: %s", cases[i].name, cases[i].value);
	}
}

static void test_host_names(void **state)
{
	char name[66] = "", ours[65];

	(void)state;
	memset(name, 'x', 65);
	assert_false(host_name_is_sound(name));
	name[64] = '\0';
	assert_true(host_name_is_sound(name));
	assert_false(host_name_is_sound(""));
	assert_false(host_name_is_sound(NULL));
	assert_false(host_name_is_sound("a\tb"));
	assert_false(host_name_is_sound("\xc3\xa9"));
	host_name_ours(ours);
	assert_true(host_name_is_sound(ours));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_is_read),
		cmocka_unit_test(test_largest_is_read),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_is_complete),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_live_among_replaced),
		cmocka_unit_test(test_whose_it_is),
		cmocka_unit_test(test_no_document),
		cmocka_unit_test(test_newer),
		cmocka_unit_test(test_custody),
		cmocka_unit_test(test_custody_refused),
		cmocka_unit_test(test_host_names),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
