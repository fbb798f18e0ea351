// SPDX-License-Identifier: MIT
//
// config: what is in force and where it comes from: the file and line, the environment, an option, or nobody. providers: the
// same of each provider. Neither asks the network or looks at a login.
#include "base/closest.h"
#include "base/log.h"
#include "command/command.h"
#include "report/settings.h"

static struct setting *find(struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->n; i++)
		if (string_equal(settings->list[i].name, name))
			return &settings->list[i];
	return NULL;
}

static void say(struct settings *settings, const char *name, const char *value, const char *from)
{
	struct setting *s = find(settings, name);

	if (!s)
		return;
	free(s->value);
	free(s->from);
	s->value = xstrdup(value);
	s->from = xstrdup(from);
}

static bool is_in_environment(const char *variable)
{
	_cleanup_free_ char *value = environment(variable);

	return value;
}

// The configuration itself: which file, and who named it.
static void add_file(const struct invocation *invocation, const struct config *config,
		     struct settings *settings)
{
	const char *xdg = getenv("XDG_CONFIG_HOME");
	bool by_xdg = !string_empty(xdg) && config->file && string_starts(config->file, xdg);

	settings_add(settings, "config", xstrdup(config->file),
		     invocation->config ? "option --config"
		     : by_xdg		? "environment XDG_CONFIG_HOME"
					: NULL);
}

// Where nobody says it, what is found.
static void add_found(const struct session *session, struct settings *settings)
{
	struct problems problems = {0};
	struct stores stores = {0};
	const char *from = is_in_environment("OPENCLAW_STATE_DIR")
				   ? "environment OPENCLAW_STATE_DIR"
			   : is_in_environment("OPENCLAW_HOME") ? "environment OPENCLAW_HOME"
								: NULL;

	if (session_stores(session, &stores, &problems) >= 0 && stores.n_dirs) {
		say(settings, "state_dirs", stores.dirs[0]->path, from);
		for (size_t i = 1; i < stores.n_dirs; i++)
			settings_add(settings, "state_dirs", xstrdup(stores.dirs[i]->path), NULL);
	}
	stores_free(&stores);
	problems_free(&problems);
}

static int compare(const void *left, const void *right)
{
	const struct setting *a = left, *b = right;

	return strcmp(a->name, b->name);
}

static void describe(const struct invocation *invocation, const struct session *session,
		     struct settings *ret)
{
	const struct config *config = &session->config;

	settings_of_config(config, ret);
	add_file(invocation, config, ret);
	if (invocation->state_dir)
		say(ret, "state_dir", config->state_dir, "option --state-dir");
	else if (!config->state_dir && !config->n_state_dirs)
		add_found(session, ret);
	if (invocation->ledger_dir || !config->ledger_dir)
		say(ret, "ledger_dir", session->ledger.directory,
		    invocation->ledger_dir ? "option --ledger-dir" : NULL);
	qsort(ret->list, ret->n, sizeof(*ret->list), compare);
}

// ---- names that were given

static bool is_named(const struct invocation *i, const char *name)
{
	bool named = !i->n_accounts;

	for (size_t k = 0; k < i->n_accounts; k++) {
		size_t n = strlen(i->accounts[k]); // "http" is its whole section
		named |= strncmp(name, i->accounts[k], n) == 0 && (!name[n] || name[n] == '.');
	}
	return named;
}

static int unknown(const char *what, const struct closest *closest)
{
	_cleanup_free_ char *safe = string_printable(closest->wanted, 80);
	_cleanup_free_ char *meant = closest_said(closest);

	log_error("no %s is called %s%s", what, safe, meant);
	return STATUS_USAGE;
}

// Each of the names is a setting's, or the beginning of some.
static int keep_named(const struct invocation *i, struct settings *settings)
{
	struct settings kept = {0};

	for (size_t k = 0; k < i->n_accounts; k++) {
		struct invocation one = {.accounts = &i->accounts[k], .n_accounts = 1};
		struct closest closest = {.wanted = i->accounts[k]};
		_cleanup_names_ struct names sections = {0};
		bool found = false;
		for (size_t s = 0; s < settings->n; s++) {
			const char *name = settings->list[s].name;
			*array_add(&sections.list, &sections.n) =
				xstrndup(name, strcspn(name, "."));
			found |= is_named(&one, name);
			closest_try(&closest, name);
			closest_try(&closest, sections.list[s]);
		}
		if (!found)
			return unknown("setting", &closest);
	}
	for (size_t s = 0; s < settings->n; s++)
		if (is_named(i, settings->list[s].name))
			settings_add(&kept, settings->list[s].name,
				     xstrdup(settings->list[s].value), settings->list[s].from);
	settings_free(settings);
	*settings = kept;
	return 0;
}

static int check_providers(const struct invocation *i, const struct config *config)
{
	for (size_t k = 0; k < i->n_accounts; k++) {
		struct closest closest = {.wanted = i->accounts[k]};
		if (config_provider(config, i->accounts[k]))
			continue;
		for (size_t p = 0; p < config->n_providers; p++)
			closest_try(&closest, config->providers[p].name);
		return unknown("provider", &closest);
	}
	return 0;
}

static void add_providers(const struct invocation *i, const struct config *config,
			  struct shown *shown)
{
	for (size_t p = 0; p < config->n_providers; p++) {
		const struct provider *provider = &config->providers[p];
		bool named = !i->n_accounts;
		for (size_t k = 0; k < i->n_accounts; k++)
			named |= config_provider(config, i->accounts[k]) == provider;
		if (!named)
			continue;
		struct provider_settings *s = array_add(&shown->list, &shown->n);
		s->provider = provider;
		settings_of_provider(config, provider, &s->settings);
	}
}

// ----

static int show(const struct invocation *invocation, bool providers)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_(shown_free) struct shown shown = {.providers = providers};
	struct cycle nothing = {0};
	int status = session_open(invocation, &session);

	if (status)
		return status;
	if (providers) {
		status = check_providers(invocation, &session.config);
		add_providers(invocation, &session.config, &shown);
	} else {
		describe(invocation, &session, &shown.settings);
		status = keep_named(invocation, &shown.settings);
	}
	if (status)
		return status;
	session.shown = &shown;
	session.selection.n = 0; // they are no accounts
	session_bar(&session, &nothing.now.problems);
	status = session_finish(invocation, &session, &nothing, 0, true);
	cycle_free(&nothing);
	return status;
}

int command_config(const struct invocation *invocation)
{
	return show(invocation, false);
}

int command_providers(const struct invocation *invocation)
{
	return show(invocation, true);
}
