// SPDX-License-Identifier: MIT
//
// The profiles of a state directory, as openclaw.json speaks of them.
#include "doctor/openclaw.h"

// ---- who is there

static const struct copy *find_copy(const struct openclaw_view *view, const char *provider,
				    enum copy_kind kind)
{
	const struct stores *stores = &view->report->cycle->now.stores;

	for (size_t i = 0; i < stores->n; i++) {
		const struct store *store = &stores->list[i];
		if (store->state != STORE_OK || store->format == STORE_MAPPED ||
		    !store_is_of(store, view->dir))
			continue;
		for (size_t k = 0; k < store->n_copies; k++)
			if (store->copies[k]->kind == kind &&
			    string_equal(store->copies[k]->credential.provider, provider))
				return store->copies[k];
	}
	return NULL;
}

const struct copy *openclaw_login(const struct openclaw_view *view, const char *provider)
{
	return find_copy(view, provider, COPY_OAUTH);
}

const struct copy *openclaw_key(const struct openclaw_view *view, const char *provider)
{
	return find_copy(view, provider, COPY_STATIC);
}

// ---- names that an upgrade has changed, in the stores alone

static const char *new_name(const char *provider)
{
	static const char *const renamed[][2] = {{"openai-codex", "openai"}, {"codex", "openai"}};

	for (size_t i = 0; i < ARRAY_SIZE(renamed); i++)
		if (string_equal(provider, renamed[i][0]))
			return renamed[i][1];
	return NULL;
}

const struct copy *openclaw_renamed_login(const struct openclaw_view *view, const char *provider)
{
	const char *name = new_name(provider);

	return name && !openclaw_login(view, provider) && !openclaw_key(view, provider)
		       ? openclaw_login(view, name)
		       : NULL;
}

const cJSON *openclaw_by_provider(const cJSON *orders, const char *provider)
{
	const cJSON *entry;

	cJSON_ArrayForEach (entry, orders) {
		_cleanup_free_ char *name = string_normalised(entry->string ? entry->string : "");
		if (cJSON_IsArray(entry) && string_equal(name, provider))
			return entry;
	}
	return NULL;
}

char *openclaw_word(const cJSON *list)
{
	_cleanup_secret_ struct secret text = json_print(list, false);

	return shell_quoted(text.text);
}
