// SPDX-License-Identifier: MIT
//
// The `cluster` section: where etcd is, and what it takes to be let in and to read what stands there.
#include "config/cluster.h"

#include <errno.h>
#include <unistd.h>

#define HOST_MAX	 64
#define PREFIX_MAX	 128
#define CREDENTIALS	 "CREDENTIALS_DIRECTORY"
#define CREDENTIALS_MARK "$" CREDENTIALS "/"

#define IN_SETTINGS(member) offsetof(struct cluster_settings, member)

// scheme://host[:port], as far as url_is_safe has not said so already.
static bool is_endpoint(const char *url)
{
	const char *host = strstr(url, "://");

	return url_is_safe(url) && host && !host[3 + strcspn(host + 3, "/?#")];
}

static int read_endpoints(struct reader *reader, config_setting_t *setting, const struct rule *rule,
			  void *target)
{
	struct cluster_settings *settings = &reader->config->cluster;

	(void)rule, (void)target;
	if (!config_setting_is_list(setting) && !config_setting_is_array(setting))
		return reader_fail(reader, setting, "must be a list",
				   "write ( \"https://HOST:2379\", … )");
	for (int i = 0; i < config_setting_length(setting); i++) {
		config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
		const char *url = setting_text(reader, element, "write it as text in quotes");
		if (!url)
			return -EINVAL;
		if (!is_endpoint(url))
			return reader_fail(reader, element, "is no endpoint of etcd's",
					   "write https://HOST:PORT (http only to this machine), "
					   "without a path or user info");
		*array_add(&settings->endpoints, &settings->n_endpoints) = xstrdup(url);
	}
	return 0;
}

static int read_prefix(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		       void *target)
{
	const char *text = setting_text(reader, setting, "write it as text in quotes");
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return -EINVAL;
	if (len && (len < 2 || len > PREFIX_MAX || text[0] != '/' || text[len - 1] != '/'))
		return reader_fail(reader, setting, "does not begin and end with \"/\"",
				   "write \"/oauth-keepalive/\"");
	return read_text(reader, setting, rule, target);
}

static int read_host(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		     void *target)
{
	const char *text = setting_text(reader, setting, "write it as text in quotes");

	if (!text)
		return -EINVAL;
	if (strlen(text) > HOST_MAX)
		return reader_fail(reader, setting, "is too long", "write a short name");
	return read_text(reader, setting, rule, target);
}

// A file that only we can read; or one that systemd made for the unit (LoadCredential=), whose mode is systemd's business.
static int read_secret_file(struct reader *reader, config_setting_t *setting,
			    const struct rule *rule, void *target)
{
	const char *text = setting_text(reader, setting, "write a path in quotes");
	const char *directory = getenv(CREDENTIALS);

	if (!text)
		return -EINVAL;
	if (!string_starts(text, CREDENTIALS_MARK))
		return read_private_file(reader, setting, rule, target);
	if (!directory || *directory != '/')
		return reader_fail(reader, setting,
				   "is a credential of the unit, and no unit runs this",
				   "run it by the unit, or name a file");
	_cleanup_free_ char *path = path_join(directory, text + strlen(CREDENTIALS_MARK));
	if (access(path, R_OK) < 0)
		return reader_fail(reader, setting, "cannot be read",
				   "give it to the unit: LoadCredential=NAME:FILE");
	*(char **)target = TAKE_PTR(path);
	return 0;
}

static int read_old_keys(struct reader *reader, config_setting_t *setting, const struct rule *rule,
			 void *target)
{
	struct cluster_settings *settings = &reader->config->cluster;

	(void)target;
	if (!config_setting_is_list(setting) && !config_setting_is_array(setting))
		return reader_fail(reader, setting, "must be a list", "write ( \"FILE\", … )");
	for (int i = 0; i < config_setting_length(setting); i++) {
		char *path = NULL;
		int r = read_secret_file(reader, config_setting_get_elem(setting, (unsigned)i),
					 rule, &path);
		if (r < 0)
			return r;
		if (path)
			*array_add(&settings->old_seal_key_files, &settings->n_old_seal_key_files) =
				path;
	}
	return 0;
}

static const char *const partition_choices[] = {"wait", "refresh", NULL};
static const char *const retry_choices[] = {"once", "never", NULL};

static int read_second_choice(struct reader *reader, config_setting_t *setting,
			      const struct rule *rule, void *target)
{
	int choice = 0;
	int r = read_choice(reader, setting, rule, &choice);

	if (r == 0)
		*(bool *)target = choice == 1;
	return r;
}

static const struct rule rules[] = {
	{"endpoints", read_endpoints},
	{"prefix", read_prefix, IN_SETTINGS(prefix)},
	{"host", read_host, IN_SETTINGS(host)},
	{"seal_key_file", read_secret_file, IN_SETTINGS(seal_key_file)},
	{"old_seal_key_files", read_old_keys},
	{"ca_file", read_readable_file, IN_SETTINGS(ca_file)},
	{"cert_file", read_readable_file, IN_SETTINGS(cert_file)},
	{"key_file", read_secret_file, IN_SETTINGS(key_file)},
	{"user", read_text, IN_SETTINGS(user)},
	{"password_file", read_secret_file, IN_SETTINGS(password_file)},
	{"partition", read_second_choice, IN_SETTINGS(refresh_alone), .choices = partition_choices},
	{"retry", read_second_choice, IN_SETTINGS(never_again), .choices = retry_choices},
};

static int check_whole(struct reader *reader, config_setting_t *setting,
		       const struct cluster_settings *s)
{
	if (!s->n_endpoints)
		return reader_fail(reader, setting, "names no endpoints",
				   "write endpoints = ( \"https://HOST:2379\" );");
	if (!s->seal_key_file)
		return reader_fail(reader, setting, "names no seal_key_file",
				   "make one: (umask 077; head -c 32 /dev/urandom >FILE), and give "
				   "every host the same");
	if (!s->cert_file != !s->key_file)
		return reader_fail(reader, setting, "names one of cert_file and key_file",
				   "name both");
	if (!s->user != !s->password_file)
		return reader_fail(reader, setting, "names one of user and password_file",
				   "name both");
	return 0;
}

int read_cluster(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		 void *target)
{
	struct cluster_settings *settings = &reader->config->cluster;

	(void)rule, (void)target;
	if (!config_setting_is_group(setting))
		return reader_fail(reader, setting, "must be a group", "write { … }");
	if (config_setting_length(setting) == 0)
		return 0;
	int r = read_settings(reader, setting, rules, ARRAY_SIZE(rules), settings);
	if (r == 0)
		r = check_whole(reader, setting, settings);
	if (r == 0 && !settings->prefix)
		settings->prefix = xstrdup("/oauth-keepalive/");
	return r;
}

void cluster_settings_free(struct cluster_settings *s)
{
	for (size_t i = 0; i < s->n_endpoints; i++)
		free(s->endpoints[i]);
	for (size_t i = 0; i < s->n_old_seal_key_files; i++)
		free(s->old_seal_key_files[i]);
	free(s->endpoints);
	free(s->old_seal_key_files);
	free(s->prefix);
	free(s->host);
	free(s->seal_key_file);
	free(s->ca_file);
	free(s->cert_file);
	free(s->key_file);
	free(s->user);
	free(s->password_file);
	*s = (struct cluster_settings){0};
}
