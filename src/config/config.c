// SPDX-License-Identifier: MIT
//
// The configuration file as a whole: where it is, whether it can be trusted, and the settings
// outside of `providers`.
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/cluster.h"
#include "config/providers.h"
#include "config/reader.h"
#include "config/stores.h"

#define TIMER_PERIOD_S	    (5 * MINUTE_S) // as in the timer unit
#define TIMER_JITTER_S	    (1 * MINUTE_S)
#define CONNECT_TIMEOUT_S   10
#define DEADLINE_MOST_S	    60 // refresh locks are held for 100 s at most (architecture: MUST)
#define HOOK_TIMEOUT_MOST_S 60 // the units give the whole run 150 s
#define HOOK_TIMEOUT_S	    30
#define SYSTEM_FILE	    "/etc/oauth-keepalive/oauth-keepalive.conf"
#define FILE_BELOW_XDG_HOME "oauth-keepalive/oauth-keepalive.conf"

#define _cleanup_libconfig_ _cleanup_(config_destroy)

// ---- single settings

static int read_fence(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		      void *target)
{
	int choice = 0;
	int r = read_choice(reader, setting, rule, &choice);

	if (r == 0)
		*(bool *)target = choice == 0;
	return r;
}

// A proxy's password would be a secret in the configuration.
static int read_proxy(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		      void *target)
{
	static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://",
					      "socks4a://"};
	const char *text = setting_text(reader, setting, "write it as text in quotes");
	bool known = false;

	if (!text)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		known |= string_starts(text, schemes[i]) && text[strlen(schemes[i])];
	if (*text && (!known || strpbrk(text, "@ \\")))
		return reader_fail(reader, setting, "is not a proxy's URL",
				   "write http://HOST:PORT (or https, socks5, socks5h, socks4a), "
				   "without user info");
	return read_text(reader, setting, rule, target);
}

static int read_exclude(struct reader *reader, config_setting_t *setting, const struct rule *rule,
			void *target)
{
	struct config *config = reader->config;

	(void)rule, (void)target;
	if (!config_setting_is_list(setting) && !config_setting_is_array(setting))
		return reader_fail(reader, setting, "must be a list", "write ( \"PROFILE\", … )");
	for (int i = 0; i < config_setting_length(setting); i++) {
		config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
		const char *text =
			setting_text(reader, element, "write a profile id or a pattern in quotes");

		if (!text)
			return -EINVAL;
		if (!*text)
			return reader_fail(reader, element, "is empty", "remove it");
		*array_add(&config->exclude, &config->n_exclude) = xstrdup(text);
	}
	return 0;
}

static int read_state_dirs(struct reader *reader, config_setting_t *setting,
			   const struct rule *rule, void *target)
{
	struct config *config = reader->config;

	(void)target;
	if (!config_setting_is_list(setting) && !config_setting_is_array(setting))
		return reader_fail(reader, setting, "must be a list",
				   "write ( \"~/.openclaw\", … )");
	for (int i = 0; i < config_setting_length(setting); i++) {
		config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
		char *path = NULL;
		int r = read_path(reader, element, rule, &path);
		if (r < 0)
			return r;
		if (!path)
			return reader_fail(reader, element, "is empty", "remove it");
		*array_add(&config->state_dirs, &config->n_state_dirs) = path;
	}
	return 0;
}

// ---- the tables

#define IN_CONFIG(member) offsetof(struct config, member)

static const char *const fence_choices[] = {"recover", "report", NULL};

static const struct rule http_rules[] = {
	{"connect_timeout", read_duration, IN_CONFIG(connect_timeout_s), 1, DEADLINE_MOST_S},
	{"deadline", read_duration, IN_CONFIG(deadline_s), 1, DEADLINE_MOST_S},
	{"ca_file", read_readable_file, IN_CONFIG(ca_file)},
	{"proxy", read_proxy, IN_CONFIG(proxy)},
};

static const char *const hook_names[] = {
	[HOOK_REFRESHED] = "refreshed",	    [HOOK_ADOPTED] = "adopted",
	[HOOK_NEEDS_LOGIN] = "needs_login", [HOOK_FAILED] = "failed",
	[HOOK_RECOVERED] = "recovered",
};

const char *hook_event_name(enum hook_event event)
{
	return hook_names[event];
}

static const struct rule hook_rules[] = {
	{"refreshed", read_text, IN_CONFIG(hooks.commands[HOOK_REFRESHED])},
	{"adopted", read_text, IN_CONFIG(hooks.commands[HOOK_ADOPTED])},
	{"needs_login", read_text, IN_CONFIG(hooks.commands[HOOK_NEEDS_LOGIN])},
	{"failed", read_text, IN_CONFIG(hooks.commands[HOOK_FAILED])},
	{"recovered", read_text, IN_CONFIG(hooks.commands[HOOK_RECOVERED])},
	{"timeout", read_duration, IN_CONFIG(hooks.timeout_s), 1, HOOK_TIMEOUT_MOST_S},
	{"stagger", read_duration, IN_CONFIG(hooks.stagger_s), 0, HOOK_TIMEOUT_MOST_S},
};

static const struct rule root_rules[] = {
	{"state_dir", read_path, IN_CONFIG(state_dir)},
	{"ledger_dir", read_path, IN_CONFIG(ledger_dir)},
	{"margin", read_margin, IN_CONFIG(margin)},
	{"timer_period", read_duration, IN_CONFIG(timer_period_s), 1, DAY_S},
	{"timer_jitter", read_duration, IN_CONFIG(timer_jitter_s), 0, DAY_S},
	{"fence", read_fence, IN_CONFIG(fence_recover), .choices = fence_choices},
	{"http", read_group, .rules = http_rules, .n_rules = ARRAY_SIZE(http_rules)},
	{"providers", read_providers},
	{"stores", read_stores},
	{"exclude", read_exclude},
	{"state_dirs", read_state_dirs},
	{"hooks", read_group, .rules = hook_rules, .n_rules = ARRAY_SIZE(hook_rules)},
	{"metrics_file", read_path, IN_CONFIG(metrics_file)},
	{"cluster", read_cluster},
};

const struct rule *config_rules(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(root_rules);
	return root_rules;
}

// ---- the file

static void set_defaults(struct config *config)
{
	size_t n;
	const struct provider *presets = provider_presets(&n);

	config->timer_period_s = TIMER_PERIOD_S;
	config->timer_jitter_s = TIMER_JITTER_S;
	config->fence_recover = true;
	config->deadline_s = DEADLINE_MOST_S;
	config->hooks.timeout_s = HOOK_TIMEOUT_S;
	for (size_t i = 0; i < n; i++)
		*array_add(&config->providers, &config->n_providers) = presets[i];
}

static char *user_file(const char *home)
{
	const char *xdg = getenv("XDG_CONFIG_HOME");
	_cleanup_free_ char *directory = NULL;

	if (xdg && *xdg == '/')
		return path_join(xdg, FILE_BELOW_XDG_HOME);
	if (!home)
		return NULL;
	directory = path_join(home, ".config");
	return path_join(directory, FILE_BELOW_XDG_HOME);
}

// One that is there but cannot be looked at is not passed over: opening it says why.
static bool is_absent(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

static char *find_file(const char *home)
{
	_cleanup_free_ char *mine = user_file(home);

	if (mine && !is_absent(mine))
		return TAKE_PTR(mine);
	return is_absent(SYSTEM_FILE) ? NULL : xstrdup(SYSTEM_FILE);
}

// What no single setting can tell.
static int check_whole(struct reader *reader, const config_t *tree)
{
	struct config *config = reader->config;

	if (config->connect_timeout_s == 0)
		config->connect_timeout_s = CONNECT_TIMEOUT_S < config->deadline_s
						    ? CONNECT_TIMEOUT_S
						    : config->deadline_s;
	if (config->connect_timeout_s > config->deadline_s)
		return reader_fail(reader, config_lookup(tree, "http.connect_timeout"),
				   "is longer than http.deadline", "shorten it");
	if (config->state_dir && config->n_state_dirs)
		return reader_fail(reader, config_lookup(tree, "state_dirs"),
				   "stands beside state_dir, which names the only one",
				   "remove one of them");
	return 0;
}

// What people write who know JSON, or forget the quotes; of no help with anything else.
static const char *syntax_hint(const char *error)
{
	return string_equal(error, "syntax error")
		       ? "; a duration stands in quotes (\"2h\"), no comma behind the last element"
		       : "";
}

static int read_config(struct reader *reader)
{
	_cleanup_libconfig_ config_t tree;
	int r;

	config_init(&tree);
	if (!config_read_string(&tree, reader->source->text)) {
		_cleanup_free_ char *place =
			source_place(reader->source, (unsigned)config_error_line(&tree));

		const char *error = config_error_text(&tree);

		reader->error = xasprintf("%s: %s%s; see oauth-keepalive.conf(5)", place, error,
					  syntax_hint(error));
		return -EINVAL;
	}
	r = read_settings(reader, config_root_setting(&tree), root_rules, ARRAY_SIZE(root_rules),
			  reader->config);
	return r < 0 ? r : check_whole(reader, &tree);
}

int config_load(const char *path, struct config *ret, char **ret_error)
{
	_cleanup_(config_free) struct config config = {0};
	_cleanup_(source_free) struct source source = {0};
	_cleanup_free_ char *home = home_directory();
	struct reader reader = {.config = &config, .source = &source, .home = home};
	int r;

	set_defaults(&config);
	config.connect_timeout_s = CONNECT_TIMEOUT_S;
	config.file = path ? xstrdup(path) : find_file(home);
	if (config.file) {
		config.connect_timeout_s = 0; // not said yet
		r = source_read(config.file, &source, &reader.error);
		if (r == 0)
			r = read_config(&reader);
		if (r < 0) {
			*ret_error = reader.error;
			return r;
		}
	}
	*ret = config;
	config = (struct config){0};
	return 0;
}

void config_free(struct config *config)
{
	for (size_t i = 0; i < config->n_stores; i++)
		config_store_free(&config->stores[i]);
	for (size_t i = 0; i < config->n_exclude; i++)
		free(config->exclude[i]);
	for (size_t i = 0; i < config->n_owned; i++)
		free(config->owned[i]);
	free(config->stores);
	free(config->exclude);
	free(config->owned);
	free(config->providers);
	free(config->file);
	free(config->state_dir);
	for (size_t i = 0; i < config->n_state_dirs; i++)
		free(config->state_dirs[i]);
	free(config->state_dirs);
	free(config->ledger_dir);
	free(config->ca_file);
	free(config->proxy);
	cluster_settings_free(&config->cluster);
	free(config->metrics_file);
	for (size_t i = 0; i < config->n_origins; i++) {
		free(config->origins[i].setting);
		free(config->origins[i].place);
	}
	free(config->origins);
	for (enum hook_event e = 0; e < HOOK_EVENTS; e++)
		free(config->hooks.commands[e]);
	*config = (struct config){0};
}

const char *config_origin(const struct config *config, const char *setting)
{
	for (size_t i = config->n_origins; i > 0; i--) // the last one counts
		if (string_equal(config->origins[i - 1].setting, setting))
			return config->origins[i - 1].place;
	return NULL;
}

const struct provider *config_provider(const struct config *config, const char *name)
{
	_cleanup_free_ char *normalised = string_normalised(name);

	for (size_t i = 0; i < config->n_providers; i++)
		if (string_equal(config->providers[i].name, normalised))
			return &config->providers[i];
	return NULL;
}

bool config_excludes(const struct config *config, const char *provider, const char *profile)
{
	_cleanup_free_ char *both = xasprintf("%s/%s", provider, profile);

	for (size_t i = 0; i < config->n_exclude; i++)
		if (fnmatch(config->exclude[i], profile, 0) == 0 ||
		    fnmatch(config->exclude[i], both, FNM_CASEFOLD) == 0)
			return true;
	return false;
}
