// SPDX-License-Identifier: MIT
//
// libconfig -> struct config. Everything has a default; with no file at all the program finds
// OpenClaw's stores.
//
// Strict: an unknown setting, a wrong type, a value out of range, a number that libconfig 1.5 would
// wrap around silently (it reads 3000000000 as -1294967296: durations are therefore strings) is an
// error that names file, line, setting and remedy. The settings are those of
// oauth-keepalive.conf(5).
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "format/format.h"
#include "provider/provider.h"

// What a store is (store/store.h).
enum store_role { ROLE_MAIN, ROLE_AGENT, ROLE_EXTERNAL, ROLE_SHARED };

struct config_store {
	char *path;                  // expanded, absolute
	enum store_role role;        // agent, external or main
	const struct format *format; // NULL: OpenClaw's own, auth-profiles.json; else its copy is of one account:
	char *provider, *profile;
	char *entry;   // which of its logins: a member's name, or a pointer; NULL: the format says
	bool withhold; // it gets no refresh token
	bool in_place; // written where it stands, for a file that cannot be replaced
	struct format plain; // what `format` is, where it is described here
};

// What is run when something happened: command lines for /bin/sh -c.
enum hook_event { HOOK_REFRESHED, HOOK_ADOPTED, HOOK_NEEDS_LOGIN, HOOK_FAILED, HOOK_RECOVERED, HOOK_EVENTS };
const char *hook_event_name(enum hook_event event); // "refreshed"
struct hooks {
	char *commands[HOOK_EVENTS]; // NULL: none
	int64_t timeout_s, stagger_s;
};

// A setting that stands in the file, and where: "http.deadline", "providers.xai.margin"; "FILE:LINE".
struct origin {
	char *setting, *place;
};

// One login on several hosts, by etcd (cluster/cluster.h). No endpoints: no cluster.
struct cluster_settings {
	char **endpoints;
	size_t n_endpoints;
	char *prefix;
	char *host; // what the others call us; NULL: the host name
	char *seal_key_file, **old_seal_key_files;
	size_t n_old_seal_key_files;
	char *ca_file, *cert_file, *key_file; // NULL: unset
	char *user, *password_file;           // NULL: no user
	bool refresh_alone; // partition = "refresh"
	bool never_again;   // retry = "never"
};

struct config {
	char *file;	  // what was read, NULL for none
	char *state_dir;  // expanded: this one and no other; NULL: `state_dirs`, or as OpenClaw resolves it
	char **state_dirs;
	size_t n_state_dirs;
	char *ledger_dir; // expanded; NULL: .local/state/oauth-keepalive in the user's passwd home
	struct margin margin;
	int64_t timer_period_s, timer_jitter_s;
	bool fence_recover;
	int64_t connect_timeout_s, deadline_s;
	char *ca_file, *proxy;	    // NULL: unset
	struct provider *providers; // presets with the configuration's changes, and its own
	size_t n_providers;
	struct config_store *stores;
	size_t n_stores;
	struct hooks hooks;
	struct cluster_settings cluster;
	char *metrics_file; // for node_exporter's textfile collector; NULL: none
	char **exclude; // shell patterns over profile id and provider/profile-id
	size_t n_exclude;
	char **owned; // strings the providers point to
	size_t n_owned;
	struct origin *origins;
	size_t n_origins;
};

// Read `path`; NULL: the first of $XDG_CONFIG_HOME/oauth-keepalive/oauth-keepalive.conf
// (~/.config/…) and /etc/oauth-keepalive/oauth-keepalive.conf that exists, or none. -EINVAL (or
// what opening said) with one message for people, to be freed: "FILE:LINE: setting: what is wrong;
// what to write".
int config_load(const char *path, struct config *ret, char **ret_error);
void config_free(struct config *config);
// Where it is set; NULL: not in the file.
const char *config_origin(const struct config *config, const char *setting);
const struct provider *config_provider(const struct config *config,
				       const char *name); // NULL: unknown
bool config_excludes(const struct config *config, const char *provider, const char *profile);
// "33%" or a duration; also for tests and the command line.
int margin_parse(const char *text, struct margin *ret);

#endif
