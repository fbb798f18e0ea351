// SPDX-License-Identifier: MIT
//
// A store of any bytes, read, and each credential in it refreshed: only the fields of that
// credential may change, what is written reads back, and writing it again changes nothing.
#include "config/config.h"
#include "fuzz.h"
#include "json/scan.h"
#include "store/openclaw_json.h"

static const char *const fields[] = {"access",	"access_token", "refresh", "refresh_token",
				     "expires", "expires_at",	"idToken", "id_token"};

struct span {
	size_t start, end;
};

static bool allow(struct fingerprint standing, void *arg)
{
	(void)standing, (void)arg;
	return true;
}

// The credential fields of one profile, in the order of the text.
static size_t find_spans(const struct json_doc *doc, const char *profile, struct span ret[8])
{
	uint32_t object = json_member(doc, json_member(doc, 0, "profiles"), profile);
	size_t n = 0;

	fuzz_check(object);
	json_for_each (doc, child, object) {
		_cleanup_secret_ struct secret key = json_key(doc, child);
		for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
			if (string_equal(key.text, fields[i]) && n < 8)
				ret[n++] = (struct span){doc->nodes[child].start,
							 doc->nodes[child].end};
	}
	return n;
}

// What was added: an expiry behind the last member, with what stands between.
static void cut_added_expiry(struct secret *text, const char *profile)
{
	_cleanup_secret_ struct secret rest = {0};
	struct json_doc doc;
	struct json_error error;
	uint32_t last = 0, before = 0;

	fuzz_check(json_scan(text->text, text->len, &doc, &error) == 0);
	json_for_each (&doc, child, json_member(&doc, json_member(&doc, 0, "profiles"), profile))
		before = last, last = child;
	_cleanup_secret_ struct secret key = json_key(&doc, last);
	fuzz_check(before && string_starts(key.text, "expires"));
	size_t start = doc.nodes[before].end, end = doc.nodes[last].end;
	secret_append(&rest, text->text, start);
	secret_append(&rest, text->text + end, text->len - end);
	json_doc_free(&doc);
	secret_free(text);
	*text = secret_take(&rest);
}

static void check_rest(const struct secret *before, const struct secret *after, const char *profile)
{
	struct json_doc a, b;
	struct json_error error;
	struct span old[8], new[8];
	size_t from = 0, at = 0;

	fuzz_check(json_scan(before->text, before->len, &a, &error) == 0);
	fuzz_check(json_scan(after->text, after->len, &b, &error) == 0);
	size_t n = find_spans(&a, profile, old), added = find_spans(&b, profile, new) - n;
	fuzz_check(added <= 1);
	if (added) {
		_cleanup_secret_ struct secret rest = {0};
		secret_copy(&rest, after);
		json_doc_free(&a), json_doc_free(&b);
		cut_added_expiry(&rest, profile);
		check_rest(before, &rest, profile);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		fuzz_check(old[i].start - from == new[i].start - at);
		fuzz_check(fuzz_same(before->text + from, after->text + at, old[i].start - from));
		from = old[i].end;
		at = new[i].end;
	}
	fuzz_check(before->len - from == after->len - at);
	fuzz_check(fuzz_same(before->text + from, after->text + at, before->len - from));
	json_doc_free(&a);
	json_doc_free(&b);
}

static struct copy *find_copy(struct store *store, const char *profile)
{
	for (size_t i = 0; i < store->n_copies; i++)
		if (string_equal(store->copies[i]->credential.profile, profile))
			return store->copies[i];
	return NULL;
}

static void read_again(struct store *store, const char *path)
{
	struct config config = {0};
	struct problems problems = {0};
	struct stores holder = {0};

	// store_read would look at the path's safety first, which is not the subject.
	*array_add(&holder.list, &holder.n) = *store;
	stores_free(&holder);
	*store = (struct store){.path = xstrdup(path), .target = xstrdup(path)};
	openclaw_json_read(store, &config, &problems);
	problems_free(&problems);
}

static int write_change(const struct store *target, struct store_change *change)
{
	_cleanup_stage_ struct atomic_stage stage = ATOMIC_STAGE_NONE;
	struct atomic_stage *stages[] = {&stage};
	int r = openclaw_json_write(target, change, 1, &stage);

	if (r == 0)
		atomic_place(stages, 1, &r);
	return r;
}

static void refresh_copy(const char *path, const char *profile, const char *provider)
{
	_cleanup_secret_ struct secret access = {0}, refresh = {0}, id_token = {0};
	_cleanup_secret_ struct secret before = fuzz_read(path), after = {0}, again = {0};
	struct store target = {.target = (char *)path, .path = (char *)path};
	struct store_change change = {
		.profile = profile,
		.provider = provider,
		.access = &access,
		.refresh = &refresh,
		.id_token = &id_token,
		.expires_ms = 1900000000000,
		.may_overwrite = allow,
	};

	secret_set_string(&access, "FAKE-ACCESS-fuzzed");
	secret_set_string(&refresh, "FAKE-REFRESH-fuzzed");
	secret_set_string(&id_token, "FAKE-ID-fuzzed");
	int r = write_change(&target, &change);
	after = fuzz_read(path);
	if (r < 0 || change.result != STORE_WRITTEN) {
		fuzz_check(r == 0);
		fuzz_check(secret_equal(&before, &after));
		return;
	}
	check_rest(&before, &after, profile);
	fuzz_check(write_change(&target, &change) == 0);
	fuzz_check(change.result == STORE_UNCHANGED);
	again = fuzz_read(path);
	fuzz_check(secret_equal(&after, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *path = path_join(fuzz_directory(), "auth-profiles.json");
	struct store store = {.path = xstrdup(path), .target = xstrdup(path)};
	struct config config = {0};
	struct problems problems = {0};
	struct stores holder = {0};

	fuzz_write(path, data, size);
	openclaw_json_read(&store, &config, &problems);
	fuzz_check(store.state == STORE_OK || problems.n > 0);
	for (size_t i = 0; i < store.n_copies && i < 4; i++) {
		const struct copy *copy = store.copies[i];
		_cleanup_free_ char *profile = xstrdup(copy->credential.profile);
		_cleanup_free_ char *provider = xstrdup(copy->credential.provider);

		fuzz_check((copy->kind == COPY_OAUTH) == !secret_empty(&copy->credential.refresh));
		fuzz_check(copy->kind != COPY_OAUTH ||
			   !fingerprint_empty(copy->credential.fingerprint));
		if (copy->kind != COPY_OAUTH && copy->kind != COPY_FENCED)
			continue;
		refresh_copy(path, profile, provider);
		read_again(&store, path);
		fuzz_check(store.state == STORE_OK && find_copy(&store, profile));
	}
	*array_add(&holder.list, &holder.n) = store;
	stores_free(&holder);
	problems_free(&problems);
	return 0;
}
