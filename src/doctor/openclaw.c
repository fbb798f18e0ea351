// SPDX-License-Identifier: MIT
//
// What openclaw.json makes of the logins: which of several profiles of one provider is used (auth.order), which model is
// tried after which (agents.defaults.model), and which version wrote it (meta.lastTouchedVersion).
#include "doctor/doctor.h"

#include <stdio.h>

#include "json/json.h"
#include "store/openclaw_config.h"

#define TESTED 20260906 // 2026.9.6: docs/testing.md

// ---- an API key beside a login

// Of two profiles, by their provider's order: >0 the first is used, <0 the second, 0 nobody says.
static int compare_by_order(const cJSON *order, const char *a, const char *b)
{
	const cJSON *entry;

	cJSON_ArrayForEach (entry, order) {
		if (!cJSON_IsString(entry))
			continue;
		if (string_equal(entry->valuestring, a))
			return 1;
		if (string_equal(entry->valuestring, b))
			return -1;
	}
	return 0;
}

// Both as a JSON array, which is one word for a shell.
static char *order_word(const char *first, const char *second)
{
	_cleanup_json_ cJSON *list = cJSON_CreateArray();
	_cleanup_secret_ struct secret text = {0};

	cJSON_AddItemToArray(list, cJSON_CreateString(first));
	cJSON_AddItemToArray(list, cJSON_CreateString(second));
	text = json_print(list, false);
	return shell_quoted(text.text);
}

// Once for all stores of a state directory, whose problems begin at `first`.
static bool is_said(const struct problems *problems, size_t first, const char *code,
		    const char *profile, const char *message)
{
	for (size_t i = first; i < problems->n; i++)
		if (string_equal(problems->list[i].code, code) &&
		    string_equal(problems->list[i].profile, profile) &&
		    string_equal(problems->list[i].message, message))
			return true;
	return false;
}

static void say_shadow(const struct store *store, const cJSON *order, const struct copy *login,
		       const struct copy *key, size_t first, struct problems *problems)
{
	const char *code = "api_key_shadows_oauth", *oauth = login->credential.profile;
	const char *other = key->credential.profile;
	int who = compare_by_order(order, oauth, other);

	if (who > 0)
		return;
	_cleanup_free_ char *shown = string_printable(other, 120), *word = order_word(oauth, other);
	_cleanup_free_ char *path = xasprintf("auth.order.%s", login->credential.provider);
	_cleanup_free_ char *setting = shell_quoted(path);
	_cleanup_free_ char *message = xasprintf(
		"%s, an API key or fixed token of the same provider, stands beside it, and %s: "
		"OpenClaw may use it without a word, at a metered price",
		shown,
		who < 0 ? "openclaw.json's order prefers that"
			: "no order in openclaw.json says which is used");
	if (!is_said(problems, first, code, oauth, message))
		problem_add(problems, SEVERITY_WARNING, code, store->path, oauth, TAKE_PTR(message),
			    xasprintf("openclaw config set %s %s", setting, word));
}

static void check_keys(const struct store *store, const cJSON *orders, size_t first,
		       struct problems *problems)
{
	for (size_t i = 0; i < store->n_copies; i++)
		for (size_t k = 0; k < store->n_copies; k++) {
			const struct copy *login = store->copies[i], *key = store->copies[k];
			if (login->kind == COPY_OAUTH && key->kind == COPY_STATIC &&
			    string_equal(login->credential.provider, key->credential.provider))
				say_shadow(store, json_get(orders, login->credential.provider),
					   login, key, first, problems);
		}
}

// ---- the order of models

// Is every login of this provider in this state directory lost, with no key beside it? Of one that has none here nobody
// knows.
static const struct account *find_lost(const struct report *report, const struct state_dir *dir,
				       const char *provider)
{
	const struct cycle *cycle = report->cycle;
	const struct account *lost = NULL;

	for (size_t i = 0; i < cycle->results.n; i++) {
		const struct result *result = &cycle->results.list[i];
		const struct account *a = observation_account(&cycle->now, result->key);
		if (!a || a->dir != dir || !string_equal(a->record.provider, provider))
			continue;
		if (result->outcome != OUTCOME_NEEDS_LOGIN)
			return NULL;
		lost = a;
	}
	return lost;
}

static const char *primary_model(const cJSON *model)
{
	return cJSON_IsString(model) ? model->valuestring : json_text(model, "primary");
}

static void say_lost_model(const char *path, const struct account *lost, const char *model,
			   const char *next, struct problems *problems)
{
	_cleanup_free_ char *first = string_printable(model, 120),
			    *then = string_printable(next, 120);

	problem_add(
		problems, SEVERITY_WARNING, "fallback_in_use", path, lost->record.profile,
		xasprintf(
			"%s has no working login, so that OpenClaw uses %s in its place without "
			"a word; a 402 at the end of such a chain is a rate limit more often than "
			"a bill",
			first, then),
		xstrdup(lost->provider->login_command));
}

static void check_models(const struct report *report, const struct state_dir *dir, const char *path,
			 const cJSON *root, struct problems *problems)
{
	const cJSON *defaults = json_get(json_get(root, "agents"), "defaults");
	const cJSON *setting = json_get(defaults, "model"), *entry;
	const char *model = primary_model(setting);

	cJSON_ArrayForEach (entry, json_get(setting, "fallbacks")) {
		const char *slash = model ? strchr(model, '/') : NULL;
		_cleanup_free_ char *provider =
			slash ? xstrndup(model, (size_t)(slash - model)) : NULL;
		const struct account *lost = provider ? find_lost(report, dir, provider) : NULL;
		if (!cJSON_IsString(entry))
			return;
		if (lost)
			say_lost_model(path, lost, model, entry->valuestring, problems);
		model = entry->valuestring;
	}
}

// ---- its version

static void check_version(const char *path, const cJSON *root, struct problems *problems)
{
	const char *version = json_text(json_get(root, "meta"), "lastTouchedVersion");
	unsigned int year, month, patch;

	if (!version || sscanf(version, "%4u.%2u.%2u", &year, &month, &patch) != 3 ||
	    year * 10000 + month * 100 + patch <= TESTED)
		return;
	_cleanup_free_ char *shown = string_printable(version, 40);
	problem_add(
		problems, SEVERITY_INFO, "openclaw_untested", path, NULL,
		xasprintf("OpenClaw %s is newer than what this version was tested with (2026.9.6)",
			  shown),
		NULL);
}

static void check_dir(const struct report *report, const struct state_dir *dir, const char *home,
		      struct problems *problems)
{
	const struct stores *stores = &report->cycle->now.stores;
	_cleanup_free_ char *path = NULL;
	_cleanup_json_ cJSON *root = NULL;
	const size_t first = problems->n;

	openclaw_config_read(dir->path, home, &path, &root); // what cannot be read is said
	const cJSON *orders = json_get(json_get(root, "auth"), "order");
	for (size_t i = 0; i < stores->n; i++)
		if (stores->list[i].state == STORE_OK && store_is_of(&stores->list[i], dir))
			check_keys(&stores->list[i], orders, first, problems);
	check_models(report, dir, path, root, problems);
	check_version(path, root, problems);
}

void doctor_check_openclaw(const struct report *report, struct problems *problems)
{
	const struct stores *stores = &report->cycle->now.stores;
	_cleanup_free_ char *home = home_directory();

	for (size_t i = 0; home && i < stores->n_dirs; i++)
		check_dir(report, stores->dirs[i], home, problems);
}
