// SPDX-License-Identifier: MIT
//
// Which of several profiles of one provider OpenClaw uses: the order that is stored beside the profiles, else auth.order of
// openclaw.json, else those that auth.profiles names, else all that there are, logins before keys until one has a hiccup.
#include "doctor/openclaw.h"

#include <dirent.h>

#include "base/clock.h"

#define TIME_MAX_MS 8.64e15 // JavaScript's

// All of one provider that an agent can use: its own, and main's that it inherits.
struct choice_of_profiles {
	const struct store *store;
	const char *provider;
	const struct copy **logins, **keys;
	size_t n_logins, n_keys;
	const cJSON *order;  // NULL: none is said
	const char *ordered; // … for this agent, beside its profiles; NULL: in openclaw.json
};

static bool is_listed(const cJSON *list, const char *profile)
{
	const cJSON *entry;

	cJSON_ArrayForEach (entry, list)
		if (cJSON_IsString(entry) && string_equal(entry->valuestring, profile))
			return true;
	return false;
}

static size_t place_in(const cJSON *order, const struct copy *const *copies, size_t n)
{
	const cJSON *entry;
	size_t place = 0;

	cJSON_ArrayForEach (entry, order) {
		for (size_t i = 0; cJSON_IsString(entry) && i < n; i++)
			if (string_equal(entry->valuestring, copies[i]->credential.profile))
				return place;
		place++;
	}
	return SIZE_MAX;
}

static bool holds_profile(const struct store *store, const char *profile)
{
	for (size_t i = 0; i < store->n_copies; i++)
		if (string_equal(store->copies[i]->credential.profile, profile))
			return true;
	return false;
}

static void take_copies(struct choice_of_profiles *c, const struct store *from)
{
	for (size_t i = 0; i < from->n_copies; i++) {
		const struct copy *copy = from->copies[i];
		if (!string_equal(copy->credential.provider, c->provider) ||
		    (from != c->store && holds_profile(c->store, copy->credential.profile)))
			continue;
		if (copy->kind == COPY_OAUTH)
			*array_add(&c->logins, &c->n_logins) = copy;
		else if (copy->kind == COPY_STATIC)
			*array_add(&c->keys, &c->n_keys) = copy;
	}
}

static void choice_free(struct choice_of_profiles *c)
{
	free(c->logins);
	free(c->keys);
}

// ---- what is said of them

// The logins first, as they stand in the order already; keys that somebody listed, behind them.
static cJSON *better_order(const struct choice_of_profiles *c)
{
	cJSON *list = cJSON_CreateArray();

	for (int listed = 1; listed >= 0; listed--)
		for (size_t i = 0; i < c->n_logins; i++) {
			const char *profile = c->logins[i]->credential.profile;
			if (is_listed(c->order, profile) == listed && !is_listed(list, profile))
				cJSON_AddItemToArray(list, cJSON_CreateString(profile));
		}
	for (size_t i = 0; i < c->n_keys; i++)
		if (is_listed(c->order, c->keys[i]->credential.profile))
			cJSON_AddItemToArray(list,
					     cJSON_CreateString(c->keys[i]->credential.profile));
	return list;
}

static char *order_command(const struct choice_of_profiles *c, const cJSON *list)
{
	_cleanup_free_ char *word = openclaw_word(list);
	const char *spelt = c->order && !c->ordered ? c->order->string : c->provider;
	_cleanup_free_ char *path = xasprintf("auth.order.%s", spelt);
	_cleanup_free_ char *setting = shell_quoted(path);
	_cleanup_free_ char *provider = shell_quoted(c->provider);
	_cleanup_free_ char *agent = shell_quoted(c->ordered ? c->ordered : "main");
	const cJSON *entry;

	if (!c->ordered)
		return xasprintf("openclaw config set %s %s", setting, word);
	char *command = xasprintf("openclaw models auth order set --agent %s --provider %s", agent,
				  provider);
	cJSON_ArrayForEach (entry, list) {
		_cleanup_free_ char *so_far = command, *one = shell_quoted(entry->valuestring);
		command = xasprintf("%s %s", so_far, one);
	}
	return command;
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

static void say(const struct choice_of_profiles *c, const char *code, char *message, size_t first,
		struct problems *problems)
{
	_cleanup_free_ char *said = message;
	_cleanup_json_ cJSON *list = better_order(c);
	const char *profile = c->logins[0]->credential.profile;

	if (!is_said(problems, first, code, profile, said))
		problem_add(problems, SEVERITY_WARNING, code, c->store->path, profile,
			    TAKE_PTR(said), order_command(c, list));
}

static const char *where(const struct choice_of_profiles *c)
{
	return c->ordered ? "the order that is stored beside the profiles"
			  : "openclaw.json's order";
}

static void judge(const struct choice_of_profiles *c, size_t first, struct problems *problems)
{
	size_t login = place_in(c->order, c->logins, c->n_logins);
	size_t key = place_in(c->order, c->keys, c->n_keys);

	if (c->n_logins == 0 || (c->order && login < key))
		return;
	if (c->n_keys && (!c->order || key < login)) {
		_cleanup_free_ char *shown = string_printable(c->keys[0]->credential.profile, 120);
		say(c, "api_key_shadows_oauth",
		    xasprintf("%s, an API key or fixed token of the same provider, stands beside "
			      "it, and %s%s: OpenClaw may silently use that, at a metered price",
			      shown,
			      c->order ? where(c) : "no order in openclaw.json says which is used",
			      c->order ? " prefers that" : ""),
		    first, problems);
	} else if (c->order && cJSON_GetArraySize(c->order) > 0)
		say(c, "login_unused",
		    xasprintf("%s names only other profiles, so OpenClaw never uses this login",
			      where(c)),
		    first, problems);
}

// ---- the order that counts

// What one agent has: its own store, and main's, from which it inherits; what OpenClaw remembers for it, and for all.
struct shelf {
	const char *agent;
	const struct store *own, *main; // the same, for main and for who has none
	cJSON *own_state, *main_state;
};

static const cJSON *stored_order(const struct shelf *shelf, const char *provider,
				 const char **ret_agent)
{
	const cJSON *own = openclaw_by_provider(json_get(shelf->own_state, "order"), provider);
	const cJSON *main = openclaw_by_provider(json_get(shelf->main_state, "order"), provider);

	*ret_agent = own ? shelf->agent : main ? "main" : NULL;
	return own ? own : main;
}

static void check_provider(const struct openclaw_view *view, const struct shelf *shelf,
			   const char *provider, size_t first, struct problems *problems)
{
	_cleanup_(choice_free) struct choice_of_profiles c = {.store = shelf->own,
							      .provider = provider};

	take_copies(&c, shelf->own);
	if (shelf->main && shelf->main != shelf->own)
		take_copies(&c, shelf->main);
	c.order = stored_order(shelf, provider, &c.ordered);
	if (!c.order)
		c.order = openclaw_by_provider(json_get(json_get(view->root, "auth"), "order"),
					       provider);
	judge(&c, first, problems);
}

static bool holds_provider(const struct store *store, size_t n, const char *provider)
{
	for (size_t i = 0; i < n; i++)
		if (string_equal(store->copies[i]->credential.provider, provider))
			return true;
	return false;
}

// Each provider of one store once, unless `before` has it.
static void check_providers(const struct openclaw_view *view, const struct shelf *shelf,
			    const struct store *store, const struct store *before, size_t first,
			    struct problems *problems)
{
	for (size_t i = 0; i < store->n_copies; i++) {
		const char *provider = store->copies[i]->credential.provider;
		if (provider && !holds_provider(store, i, provider) &&
		    !(before && holds_provider(before, before->n_copies, provider)))
			check_provider(view, shelf, provider, first, problems);
	}
}

// What OpenClaw does not use for now because somebody answered 402.
static void say_unpaid(const struct openclaw_view *view, const struct store *store,
		       const cJSON *state, struct problems *problems)
{
	const cJSON *entry;

	cJSON_ArrayForEach (entry, json_get(state, "usageStats")) {
		const cJSON *until = json_get(entry, "disabledUntil");
		if (!string_equal(json_text(entry, "disabledReason"), "billing") ||
		    !cJSON_IsNumber(until) || until->valuedouble <= (double)view->report->now_ms ||
		    until->valuedouble > TIME_MAX_MS || !holds_profile(store, entry->string))
			continue;
		_cleanup_free_ char *when = time_format((int64_t)until->valuedouble);
		problem_add(problems, SEVERITY_INFO, "billing_cooldown", store->path, entry->string,
			    xasprintf("OpenClaw does not use it until %s, because it got the "
				      "answer 402 (payment required): at the end of a chain of "
				      "fallbacks that is more often a rate limit than a bill, so "
				      "look at the limits before paying",
				      when),
			    NULL);
	}
}

static void check_agent(const struct openclaw_view *view, struct shelf *shelf,
			const char *directory, size_t first, struct problems *problems)
{
	shelf->own_state = directory ? auth_state_of_agent(directory) : NULL;
	check_providers(view, shelf, shelf->own, NULL, first, problems);
	say_unpaid(view, shelf->own, shelf->own_state, problems);
	if (shelf->main && shelf->main != shelf->own)
		check_providers(view, shelf, shelf->main, shelf->own, first, problems);
	cJSON_Delete(shelf->own_state);
}

// ---- the agents

// Other programs' files, and those that the configuration says are no agent's, are not read by OpenClaw.
static bool is_read_by_openclaw(const struct openclaw_view *view, const struct store *store)
{
	return store->state == STORE_OK && store->format != STORE_MAPPED &&
	       store->role != ROLE_EXTERNAL && store_is_of(store, view->dir);
}

static const struct store *find_store(const struct openclaw_view *view, enum store_role role,
				      const char *agent)
{
	const struct stores *stores = &view->report->cycle->now.stores;

	for (size_t i = 0; i < stores->n; i++)
		if (is_read_by_openclaw(view, &stores->list[i]) && stores->list[i].role == role &&
		    (!agent || string_equal(stores->list[i].agent, agent)))
			return &stores->list[i];
	return NULL;
}

// Those with a store of their own, wherever that is.
static void check_stores(const struct openclaw_view *view, struct shelf *shelf, size_t first,
			 struct problems *problems)
{
	const struct stores *stores = &view->report->cycle->now.stores;

	for (size_t i = 0; i < stores->n; i++) {
		const struct store *store = &stores->list[i];
		if (!is_read_by_openclaw(view, store))
			continue;
		_cleanup_free_ char *directory =
			store->role == ROLE_SHARED ? NULL : path_dirname(store->path);
		shelf->own = store;
		shelf->agent = store->agent ? store->agent : "main";
		check_agent(view, shelf, directory, first, problems);
	}
}

// … and those that have an order of their own alone.
static void check_others(const struct openclaw_view *view, struct shelf *shelf, size_t first,
			 struct problems *problems)
{
	_cleanup_free_ char *path = path_join(view->dir->path, "agents");
	_cleanup_directory_ DIR *agents = opendir(path);
	const struct dirent *entry;

	shelf->own = shelf->main;
	while (shelf->main && agents && (entry = readdir(agents))) {
		_cleanup_free_ char *directory = xasprintf("%s/%s/agent", path, entry->d_name);
		if (entry->d_name[0] == '.' || find_store(view, ROLE_AGENT, entry->d_name) ||
		    find_store(view, ROLE_MAIN, entry->d_name))
			continue;
		shelf->agent = entry->d_name;
		check_agent(view, shelf, directory, first, problems);
	}
}

void doctor_check_orders(const struct openclaw_view *view, struct problems *problems)
{
	const struct store *shared = find_store(view, ROLE_SHARED, NULL);
	struct shelf shelf = {.main = shared ? shared : find_store(view, ROLE_MAIN, NULL)};
	const size_t first = problems->n;

	if (shared)
		shelf.main_state = auth_state_shared(shared->target);
	else if (shelf.main) {
		_cleanup_free_ char *directory = path_dirname(shelf.main->path);
		shelf.main_state = auth_state_of_agent(directory);
	}
	if (shelf.main)
		say_unpaid(view, shelf.main, shelf.main_state, problems);
	check_stores(view, &shelf, first, problems);
	check_others(view, &shelf, first, problems);
	cJSON_Delete(shelf.main_state);
}
