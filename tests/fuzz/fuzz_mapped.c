// SPDX-License-Identifier: MIT
//
// Another program's file of any bytes, by every row of the table (the first byte says which, and whether the refresh token is
// withheld): what is written reads back as what was asked for, and writing it again changes nothing.
#include "config/config.h"
#include "fuzz.h"
#include "store/mapped_json.h"

static bool allow(struct fingerprint standing, void *arg)
{
	(void)arg;
	return !fingerprint_empty(standing);
}

static struct store open_store(const char *path, const struct config_store *external)
{
	struct store store = {
		.format = STORE_MAPPED, .path = xstrdup(path), .target = xstrdup(path)};

	*array_add(&store.external, &store.n_external) = external;
	return store;
}

static void close_store(struct store *store)
{
	struct stores holder = {0};

	*array_add(&holder.list, &holder.n) = *store;
	stores_free(&holder);
}

static int write_change(const struct store *store, struct store_change *change)
{
	_cleanup_stage_ struct atomic_stage stage = ATOMIC_STAGE_NONE;
	struct atomic_stage *stages[] = {&stage};
	int r = mapped_json_write(store, change, 1, &stage);

	if (r == 0)
		atomic_place(stages, 1, &r);
	return r;
}

static void check_copy(const char *path, const struct config_store *external,
		       const struct secret *access)
{
	struct store store = open_store(path, external);
	struct problems problems = {0};

	mapped_json_read(&store, NULL, &problems);
	fuzz_check(store.state == STORE_OK && store.n_copies == 1);
	fuzz_check(store.copies[0]->kind == (external->withhold ? COPY_ACCESS : COPY_OAUTH));
	fuzz_check(secret_equal(&store.copies[0]->credential.access, access));
	close_store(&store);
	problems_free(&problems);
}

static void refresh_copy(const char *path, const struct config_store *external,
			 const struct store *store)
{
	_cleanup_secret_ struct secret access = {0}, refresh = {0}, id_token = {0};
	_cleanup_secret_ struct secret before = fuzz_read(path), after = {0}, again = {0};
	struct store_change change = {
		.profile = external->profile,
		.provider = external->provider,
		.access = &access,
		.refresh = &refresh,
		.id_token = &id_token,
		.expires_ms = 1900000000000,
		.lifetime_s = 3600,
		.login_ends_ms = 1950000000000,
		.may_overwrite = allow,
		.may_overwrite_access = allow,
	};

	secret_set_string(&access, "FAKE-ACCESS-fuzzed");
	secret_set_string(&refresh, "FAKE-REFRESH-fuzzed");
	secret_set_string(&id_token, "FAKE-ID-fuzzed");
	int r = write_change(store, &change);
	after = fuzz_read(path);
	if (r < 0 || change.result != STORE_WRITTEN) {
		fuzz_check(r == 0);
		fuzz_check(secret_equal(&before, &after));
		return;
	}
	check_copy(path, external, &access);
	fuzz_check(write_change(store, &change) == 0);
	fuzz_check(change.result == STORE_UNCHANGED);
	again = fuzz_read(path);
	fuzz_check(secret_equal(&after, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *path = path_join(fuzz_directory(), "auth.json");
	struct problems problems = {0};
	size_t n;
	const struct format *formats = format_list(&n);
	const struct format *format =
		size ? &formats[(data[0] >> 1) % (n - 1)] : NULL; // not "plain"

	if (!format)
		return 0;
	struct config_store external = {
		.format = format,
		.provider = (char[]){"openai-codex"},
		.profile = (char[]){"openai-codex:default"},
		.entry = format->by_client ? (char[]){"x::y"} : NULL,
		.withhold = format->withhold != WITHHOLD_NEVER && data[0] & 1,
	};
	struct store store = open_store(path, &external);
	fuzz_write(path, data + 1, size - 1);
	mapped_json_read(&store, NULL, &problems);
	fuzz_check(store.state == STORE_OK || problems.n > 0);
	if (store.state == STORE_OK) {
		const struct copy *copy = store.copies[0];
		fuzz_check((copy->kind == COPY_OAUTH) == !secret_empty(&copy->credential.refresh));
		fuzz_check(copy->kind != COPY_ACCESS || !secret_empty(&copy->credential.access));
		refresh_copy(path, &external, &store);
	}
	close_store(&store);
	problems_free(&problems);
	return 0;
}
