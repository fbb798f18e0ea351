// SPDX-License-Identifier: MIT
//
// Which model OpenClaw tries after which (agents.defaults.model, and an agent's own): in the order of the list, without a
// word when the first ones cannot be used.
#include "doctor/openclaw.h"

// One list: the primary model, then its fallbacks. `path`: of the setting.
struct chain {
	const struct openclaw_view *view;
	char *path;
	const cJSON *setting;
	const char **models;
	size_t n;
};

static void chain_free(struct chain *chain)
{
	free(chain->path);
	free(chain->models);
}
#define _cleanup_chain_ _cleanup_(chain_free)

static struct chain chain_read(const struct openclaw_view *view, char *path, const cJSON *setting)
{
	struct chain chain = {.view = view, .path = path, .setting = setting};
	const char *primary =
		cJSON_IsString(setting) ? setting->valuestring : json_text(setting, "primary");
	const cJSON *entry;

	if (primary)
		*array_add(&chain.models, &chain.n) = primary;
	cJSON_ArrayForEach (entry, json_get(setting, "fallbacks"))
		if (primary && cJSON_IsString(entry))
			*array_add(&chain.models, &chain.n) = entry->valuestring;
	return chain;
}

// "xai/grok-4": normalised "xai"; NULL: it names none.
static char *provider_of(const char *model)
{
	const char *slash = strchr(model, '/');
	_cleanup_free_ char *name = slash ? xstrndup(model, (size_t)(slash - model)) : NULL;

	return name ? string_normalised(name) : NULL;
}

// ---- a model whose login is lost

// Is every login of this provider in this state directory lost, with no key beside it? Of one that has none here nobody
// knows.
static const struct account *find_lost(const struct openclaw_view *view, const char *provider)
{
	const struct cycle *cycle = view->report->cycle;
	const struct account *lost = NULL;

	for (size_t i = 0; i < cycle->results.n; i++) {
		const struct result *result = &cycle->results.list[i];
		const struct account *a = observation_account(&cycle->now, result->key);
		if (!a || a->dir != view->dir || !string_equal(a->record.provider, provider))
			continue;
		if (result->outcome != OUTCOME_NEEDS_LOGIN)
			return NULL;
		lost = a;
	}
	return openclaw_key(view, provider) ? NULL : lost;
}

static void say_lost(const struct chain *chain, size_t i, struct problems *problems)
{
	_cleanup_free_ char *provider = provider_of(chain->models[i]);
	const struct account *lost = provider ? find_lost(chain->view, provider) : NULL;

	if (!lost || i + 1 == chain->n)
		return;
	_cleanup_free_ char *first = string_printable(chain->models[i], 120),
			    *then = string_printable(chain->models[i + 1], 120);
	problem_add(problems, SEVERITY_WARNING, "fallback_in_use", chain->view->path,
		    lost->record.profile,
		    xasprintf("%s has no working login, so OpenClaw silently uses %s in its place; "
			      "a 402 at the end of such a chain is more often a rate limit than "
			      "a bill",
			      first, then),
		    xstrdup(lost->provider->login_command));
}

// ---- a provider's old name

static void say_renamed(const struct chain *chain, size_t i, struct problems *problems)
{
	_cleanup_free_ char *provider = provider_of(chain->models[i]);
	const struct copy *login = provider ? openclaw_renamed_login(chain->view, provider) : NULL;

	if (!login)
		return;
	_cleanup_free_ char *shown = string_printable(chain->models[i], 120);
	_cleanup_free_ char *renamed =
		xasprintf("%s%s", login->credential.provider, strchr(chain->models[i], '/'));
	_cleanup_free_ char *place = cJSON_IsString(chain->setting) ? xstrdup(chain->path)
				     : i == 0 ? xasprintf("%s.primary", chain->path)
					      : xasprintf("%s.fallbacks[%zu]", chain->path, i - 1);
	_cleanup_free_ char *setting = shell_quoted(place), *word = shell_quoted(renamed);
	problem_add(problems, SEVERITY_WARNING, "provider_renamed", chain->view->path,
		    login->credential.profile,
		    xasprintf("%s names a provider by the name it had before an upgrade; its "
			      "logins are now under %s, so OpenClaw skips this model without a "
			      "word",
			      shown, login->credential.provider),
		    xasprintf("openclaw config set %s %s", setting, word));
}

// ---- what is paid for by use stands before what a login pays for

static bool has_login(const struct chain *chain, size_t i)
{
	_cleanup_free_ char *provider = provider_of(chain->models[i]);

	return provider && openclaw_login(chain->view, provider);
}

static bool is_metered(const struct chain *chain, size_t i)
{
	_cleanup_free_ char *provider = provider_of(chain->models[i]);

	return provider && !openclaw_login(chain->view, provider) &&
	       openclaw_key(chain->view, provider);
}

static cJSON *logins_first(const struct chain *chain)
{
	cJSON *setting = cJSON_Duplicate(chain->setting, true), *list = cJSON_CreateArray();

	for (int login = 1; login >= 0; login--)
		for (size_t i = 0; i < chain->n; i++)
			if (has_login(chain, i) == login)
				cJSON_AddItemToArray(list, cJSON_CreateString(chain->models[i]));
	cJSON_ReplaceItemInObjectCaseSensitive(setting, "primary",
					       cJSON_DetachItemFromArray(list, 0));
	cJSON_ReplaceItemInObjectCaseSensitive(setting, "fallbacks", list);
	return setting;
}

static void say_order(const struct chain *chain, struct problems *problems)
{
	size_t metered = SIZE_MAX;

	for (size_t i = 0; i < chain->n; i++) {
		if (metered == SIZE_MAX && is_metered(chain, i))
			metered = i;
		if (metered == SIZE_MAX || !has_login(chain, i))
			continue;
		_cleanup_json_ cJSON *better = logins_first(chain);
		_cleanup_free_ char *word = openclaw_word(better),
				    *setting = shell_quoted(chain->path);
		_cleanup_free_ char *first = string_printable(chain->models[metered], 120),
				    *then = string_printable(chain->models[i], 120);
		problem_add(problems, SEVERITY_INFO, "fallback_order", chain->view->path, NULL,
			    xasprintf("%s: %s, which has only an API key, is tried before %s, "
				      "which has a login: OpenClaw uses the list in its order, and "
				      "does not report a wrong one",
				      chain->path, first, then),
			    xasprintf("openclaw config set %s %s", setting, word));
		return;
	}
}

// ---- each list

static void check_chain(const struct openclaw_view *view, char *path, const cJSON *setting,
			struct problems *problems)
{
	_cleanup_chain_ struct chain chain = chain_read(view, path, setting);

	for (size_t i = 0; i < chain.n; i++) {
		say_lost(&chain, i, problems);
		say_renamed(&chain, i, problems);
	}
	say_order(&chain, problems);
}

void doctor_check_models(const struct openclaw_view *view, struct problems *problems)
{
	const cJSON *agents = json_get(view->root, "agents"), *entry;
	size_t i = 0;

	check_chain(view, xstrdup("agents.defaults.model"),
		    json_get(json_get(agents, "defaults"), "model"), problems);
	cJSON_ArrayForEach (entry, json_get(agents, "list")) {
		check_chain(view, xasprintf("agents.list[%zu].model", i++),
			    json_get(entry, "model"), problems);
	}
	cJSON_ArrayForEach (entry, json_get(agents, "entries")) {
		if (entry->string)
			check_chain(view, xasprintf("agents.entries.%s.model", entry->string),
				    json_get(entry, "model"), problems);
	}
}
