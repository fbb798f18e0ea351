// SPDX-License-Identifier: MIT
//
// What etcd is given says nothing, cannot be changed or moved, and outlives a change of keys; what etcd's gateway says is
// read as it means it, and whatever else comes is refused as a whole.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cluster/cluster.h"

static struct secret secret_of(const char *text)
{
	struct secret s = {0};

	secret_set_string(&s, text);
	return s;
}

static struct seal seal_of(size_t n, const struct secret *keys[])
{
	struct seal seal = {0};

	for (size_t i = 0; i < n; i++)
		seal_add_key(&seal, keys[i]);
	return seal;
}

static int open_with(const struct seal *seal, const char *name, const struct secret *sealed,
		     struct secret *ret)
{
	bool old;

	secret_free(ret);
	return seal_open(seal, name, sealed, ret, &old);
}

static void test_seal(void **state)
{
	_cleanup_secret_ struct secret key = seal_random(SEAL_KEY_BYTES), text, sealed, again,
				       out = {0};
	struct seal seal = seal_of(1, (const struct secret *[]){&key});

	(void)state;
	text = secret_of("FAKE-REFRESH-of-alice@example.org");
	sealed = seal_text(&seal, "/p/accounts/1", &text);
	again = seal_text(&seal, "/p/accounts/1", &text);
	assert_int_equal(open_with(&seal, "/p/accounts/1", &sealed, &out), 0);
	assert_true(secret_equal(&out, &text));
	assert_false(secret_equal(&sealed, &again)); // nobody sees that it is the same
	assert_null(memmem(sealed.text, sealed.len, "FAKE", 4));
	// Moved: to another account, another kind, another prefix.
	assert_int_equal(open_with(&seal, "/p/accounts/2", &sealed, &out), -EBADMSG);
	assert_int_equal(open_with(&seal, "/p/intents/1", &sealed, &out), -EBADMSG);
	assert_int_equal(open_with(&seal, "/q/accounts/1", &sealed, &out), -EBADMSG);
	secret_free(&text);
	seal_free(&seal);
}

// Any bit of it.
static void test_seal_changed(void **state)
{
	_cleanup_secret_ struct secret key = seal_random(SEAL_KEY_BYTES), text, sealed, out = {0};
	struct seal seal = seal_of(1, (const struct secret *[]){&key});

	(void)state;
	text = secret_of("FAKE");
	sealed = seal_text(&seal, "name", &text);
	for (size_t i = 0; i < 8 * sealed.len; i++) {
		sealed.text[i / 8] ^= (char)(1 << i % 8);
		int r = open_with(&seal, "name", &sealed, &out);
		assert_int_equal(r, i < 8 ? -EPROTONOSUPPORT : i < 40 ? -ENOKEY : -EBADMSG);
		sealed.text[i / 8] ^= (char)(1 << i % 8);
	}
	for (size_t len = 0; len < sealed.len; len++) {
		_cleanup_secret_ struct secret cut = {0};
		secret_set(&cut, sealed.text, len);
		assert_true(open_with(&seal, "name", &cut, &out) < 0);
	}
	secret_free(&text);
	seal_free(&seal);
}

// Host by host: first all can open with the new one, then all seal with it, then the old one goes.
static void test_seal_rotated(void **state)
{
	_cleanup_secret_ struct secret old_key = seal_random(SEAL_KEY_BYTES),
				       new_key = seal_random(SEAL_KEY_BYTES), text, by_old, by_new,
				       out = {0};
	struct seal before = seal_of(1, (const struct secret *[]){&old_key});
	struct seal first = seal_of(2, (const struct secret *[]){&old_key, &new_key});
	struct seal second = seal_of(2, (const struct secret *[]){&new_key, &old_key});
	struct seal after = seal_of(1, (const struct secret *[]){&new_key});
	bool old;

	(void)state;
	text = secret_of("FAKE");
	by_old = seal_text(&before, "name", &text);
	by_new = seal_text(&second, "name", &text);
	assert_int_equal(seal_open(&first, "name", &by_new, &out, &old), 0);
	assert_true(old); // not the one it would seal with
	secret_free(&out);
	assert_int_equal(seal_open(&second, "name", &by_old, &out, &old), 0);
	assert_true(old);
	secret_free(&out);
	assert_int_equal(seal_open(&after, "name", &by_new, &out, &old), 0);
	assert_false(old);
	assert_int_equal(open_with(&after, "name", &by_old, &out), -ENOKEY);
	secret_free(&text);
	seal_free(&before);
	seal_free(&first);
	seal_free(&second);
	seal_free(&after);
}

static int load_key(const char *bytes, size_t len, struct seal *seal)
{
	char path[] = "/tmp/oauth-keepalive-test.seal.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, bytes, len), 0);
	close(fd);
	int r = seal_add_key_file(seal, path);
	unlink(path);
	return r;
}

static void test_key_files(void **state)
{
	static const char text[33] = "0123456789abcdef0123456789abcdef";
	static const char base64_of_text[] = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";
	static const char raw[33] = "0123456789abcdef0123456789abcde\xef";
	static const char base64[] = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZe8=\n";
	struct seal seal = {0};

	(void)state;
	assert_int_equal(load_key(raw, 32, &seal), 0);
	assert_int_equal(load_key(base64, strlen(base64), &seal), 0);
	assert_true(secret_equal(&seal.keys[0].bytes, &seal.keys[1].bytes));
	assert_int_equal(load_key(raw, 31, &seal), -EBADMSG);
	assert_int_equal(load_key("", 0, &seal), -EBADMSG);
	assert_int_equal(load_key("MDEyMw==", 8, &seal), -EBADMSG);
	assert_int_equal(load_key(text, 32, &seal), -EDOM); // a password, or hex digits
	assert_int_equal(load_key("thirty-one characters, and line\n", 32, &seal), -EDOM);
	assert_int_equal(load_key(base64_of_text, strlen(base64_of_text), &seal), -EDOM);
	assert_int_equal(seal_add_key_file(&seal, "/nonexistent/key"), -ENOENT);
	assert_int_equal(seal.n, 2);
	seal_free(&seal);
}

// ---- records

static void test_records(void **state)
{
	struct cluster_record record = {.number = 7, .host = xstrdup("a")}, read;
	struct cluster_intent intent = {.owner = xstrdup("u"), .host = xstrdup("a"), .sends = 2},
			      intent_read;
	_cleanup_secret_ struct secret text = {0}, intent_text = {0}, cut = {0};

	(void)state;
	secret_set_string(&record.live.refresh, "FAKE-REFRESH-1");
	secret_set_string(&record.live.access, "FAKE-ACCESS-1");
	record.live.fingerprint = fingerprint_of(&record.live.refresh);
	fingerprint_list_add(&record.superseded, &record.n_superseded,
			     fingerprint_of_bytes("0", 1));
	text = cluster_record_text(&record);
	assert_int_equal(cluster_record_read(&text, &read), 0);
	assert_true(secret_equal(&read.live.refresh, &record.live.refresh));
	assert_int_equal(read.number, 7);
	assert_int_equal(read.n_superseded, 1);
	cluster_record_free(&read);
	for (size_t len = 0; len < text.len; len++) {
		secret_set(&cut, text.text, len);
		assert_int_equal(cluster_record_read(&cut, &read), -EBADMSG);
	}
	intent.token = record.live.fingerprint;
	intent_text = cluster_intent_text(&intent);
	assert_int_equal(cluster_intent_read(&intent_text, &intent_read), 0);
	assert_int_equal(intent_read.sends, 2);
	cluster_intent_free(&intent_read);
	assert_int_equal(cluster_intent_read(&text, &intent_read), -EBADMSG); // the other kind
	assert_int_equal(cluster_record_read(&intent_text, &read), -EBADMSG);
	cluster_record_free(&record);
	cluster_intent_free(&intent);
}

// ---- replies

static int parse_txn(const char *text, struct etcd_reply *ret)
{
	return etcd_parse_txn(text, strlen(text), ret);
}

static int parse_range(const char *text, struct etcd_entries *ret, bool *more)
{
	return etcd_parse_range(text, strlen(text), ret, more);
}

// proto3 leaves zeroes out: refused is no `succeeded`, nothing found is no `kvs`.
static void test_replies(void **state)
{
	struct etcd_reply reply;
	struct etcd_entries entries;
	bool more;

	(void)state;
	assert_int_equal(
		parse_txn("{\"header\":{\"revision\":\"9\"},\"succeeded\":true,\"responses\":["
			  "{\"response_put\":{}},{\"response_range\":{\"kvs\":[{\"key\":\"YQ==\","
			  "\"mod_revision\":\"8\",\"value\":\"Yg==\",\"lease\":"
			  "\"2324035506430077702\"}],\"count\":\"1\"}}]}",
			  &reply),
		0);
	assert_true(reply.done);
	assert_int_equal(reply.revision, 9);
	assert_int_equal(reply.found.n, 1);
	const struct etcd_entry *entry = etcd_find(&reply.found, "a");
	assert_non_null(entry);
	assert_int_equal(entry->revision, 8);
	assert_true(entry->lease == INT64_C(2324035506430077702)); // which no double holds
	etcd_reply_free(&reply);
	assert_int_equal(parse_txn("{\"header\":{\"revision\":\"9\"}}", &reply), 0);
	assert_false(reply.done);
	assert_int_equal(parse_range("{\"header\":{}}", &entries, &more), 0);
	assert_int_equal(entries.n, 0);
	assert_false(more);
}

static void test_bad_replies(void **state)
{
	static const char *const bad[] = {
		"",
		"Not Found",
		"[]",
		"{}",
		"{\"error\":\"etcdserver: request timed out\",\"code\":14}",
		"{\"header\":{\"revision\":9}}",
		"{\"header\":{\"revision\":\"-9\"}}",
		"{\"header\":{\"revision\":\"99999999999999999999\"}}",
		"{\"header\":{\"revision\":\"9\"},\"responses\":[{\"response_range\":{\"kvs\":1}}]"
		"}",
		"{\"header\":{\"revision\":\"9\"},\"responses\":[{\"response_range\":{\"kvs\":["
		"1]}}]}",
		"{\"header\":{\"revision\":\"9\"},\"responses\":[{\"response_range\":{\"kvs\":["
		"{\"key\":\"!\"}]}}]}",
		"{\"header\":{\"revision\":\"9\"},\"responses\":[{\"response_range\":{\"kvs\":["
		"{\"value\":\"Yg==\"}]}}]}",
		"{\"header\":{\"revision\":\"9\"},\"responses\":[{\"response_range\":{\"kvs\":["
		"{\"key\":\"YQBi\"}]}}]}",
		"{\"header\":{\"revision\":\"9\"}} {}",
	};
	struct etcd_reply reply;
	int64_t number;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_txn(bad[i], &reply), -EBADMSG);
	// A dead lease that is asked for its time says nothing of it: 0.
	assert_int_equal(etcd_parse_number("{\"ID\":\"7\"}", 10, "TTL", &number), 0);
	assert_int_equal(number, 0);
	assert_int_equal(etcd_parse_number("{\"TTL\":7}", 9, "TTL", &number), -EBADMSG);
}

static int watch_reply(const char *text)
{
	return etcd_parse_watch(text, strlen(text));
}

// What has no end is read as far as it came.
static void test_watch_replies(void **state)
{
	static const char stands[] =
		"{\"result\":{\"header\":{\"revision\":\"6\"},\"created\":true}}\n";
	static const struct {
		const char *then;
		int r;
	} cases[] = {
		{"", 0},
		{"\n", -EBADMSG},
		{"{\"result\":{\"events\":[{\"kv\":{\"key\":\"YQ==\"}}]}}\n", 1},
		{"{\"result\":{\"events\":[{\"kv\":{\"ke", 1}, // the rest did not fit
		{"{\"result\":{\"canceled\":true,\"compact_revision\":\"5\"}}\n", 1},
		{"{\"result\":{\"canceled\":true,\"cancel_reason\":\"permission denied\"}}\n",
		 -EACCES},
		{"{\"error\":{\"message\":\"no\"}}\n", -EBADMSG},
		{"<html>\n", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = xasprintf("%s%s", stands, cases[i].then);
		assert_int_equal(watch_reply(text), cases[i].r);
	}
	assert_int_equal(watch_reply(""), 0);
	assert_int_equal(watch_reply("{\"result\":7}\n"), -EBADMSG);
}

static int changed_reply(const char *text, int64_t *changed, int64_t *now)
{
	return etcd_parse_changed(text, strlen(text), changed, now);
}

static void test_changed_replies(void **state)
{
	int64_t changed = -1, now = -1;

	(void)state;
	assert_int_equal(changed_reply("{\"header\":{\"revision\":\"9\"}}", &changed, &now), 0);
	assert_int_equal(changed, 0);
	assert_int_equal(now, 9);
	assert_int_equal(changed_reply("{\"header\":{\"revision\":\"9\"},\"kvs\":[{\"key\":\"YQ=="
				       "\",\"mod_revision\":\"7\"}],"
				       "\"more\":true}",
				       &changed, &now),
			 0);
	assert_int_equal(changed, 7);
	assert_int_equal(changed_reply("{}", &changed, &now), -EBADMSG);
	assert_int_equal(changed_reply("{\"header\":{}}", &changed, &now), -EBADMSG);
	assert_int_equal(changed_reply("{\"header\":{\"revision\":9}}", &changed, &now), -EBADMSG);
	assert_int_equal(changed_reply("{\"header\":{\"revision\":\"9223372036854775807\"}}",
				       &changed, &now),
			 -EBADMSG);
	assert_int_equal(changed_reply("{\"header\":{\"revision\":\"9\"},\"kvs\":[{\"key\":\"YQ=="
				       "\"},{\"key\":\"Yg==\"}]}",
				       &changed, &now),
			 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_seal_changed),
		cmocka_unit_test(test_seal_rotated),
		cmocka_unit_test(test_key_files),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_bad_replies),
		cmocka_unit_test(test_watch_replies),
		cmocka_unit_test(test_changed_replies),
	};

	secret_harden_process();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
