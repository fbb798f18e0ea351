// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/closest.h"
#include "config/reader.h"
#include "file/safe_path.h"

#define MARGIN_PERCENT_MOST 90

static const char in_quotes[] = "write it as text in quotes";

// "providers[1].token_url"
static char *setting_path(const config_setting_t *setting)
{
	_cleanup_free_ char *parent = NULL;

	if (config_setting_is_root(setting))
		return xstrdup("");
	parent = setting_path(config_setting_parent(setting));
	if (!config_setting_name(setting))
		return xasprintf("%s[%d]", parent, config_setting_index(setting));
	return xasprintf("%s%s%s", parent, *parent ? "." : "", config_setting_name(setting));
}

// The same, but that an entry of `providers` goes by its name.
static char *origin_name(const config_setting_t *setting)
{
	const config_setting_t *parent = config_setting_parent(setting);
	_cleanup_free_ char *before = setting_path(parent), *normalised = NULL;
	const char *name = NULL;

	if (string_starts(before, "providers[") &&
	    config_setting_lookup_string(parent, "name", &name)) {
		normalised = string_normalised(name);
		return xasprintf("providers.%s.%s", normalised, config_setting_name(setting));
	}
	return setting_path(setting);
}

static void note_origin(struct reader *reader, const config_setting_t *setting)
{
	struct config *config = reader->config;

	*array_add(&config->origins, &config->n_origins) = (struct origin){
		.setting = origin_name(setting),
		.place = source_place(reader->source, config_setting_source_line(setting)),
	};
}

int reader_fail(struct reader *reader, const config_setting_t *setting, const char *what,
		const char *remedy)
{
	_cleanup_free_ char *path = setting_path(setting);
	_cleanup_free_ char *place =
		source_place(reader->source, config_setting_source_line(setting));

	if (!reader->error)
		reader->error = xasprintf("%s: `%s`: %s; %s", place, path, what, remedy);
	return -EINVAL;
}

const char *reader_own(struct reader *reader, char *text)
{
	*array_add(&reader->config->owned, &reader->config->n_owned) = text;
	return text;
}

// ---- groups

static bool is_secret_name(const char *name)
{
	static const char *const names[] = {"client_secret", "password", "access_token",
					    "refresh_token", "api_key",	 "secret",
					    "token"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (string_equal(names[i], name))
			return true;
	return false;
}

static int fail_unknown(struct reader *reader, const config_setting_t *setting,
			const struct rule *rules, size_t n)
{
	_cleanup_free_ char *known = NULL, *what = NULL;
	struct closest closest = {.wanted = config_setting_name(setting)};

	if (is_secret_name(config_setting_name(setting)))
		return reader_fail(reader, setting,
				   "a secret is never written in the configuration",
				   "save it in a file only you can read and name that as "
				   "`client_secret_file`");
	for (size_t i = 0; i < n; i++) {
		char *longer = xasprintf(
			"%s%s%s", known ? known : "known here: ", known ? ", " : "", rules[i].name);

		free(known);
		known = longer;
		closest_try(&closest, rules[i].name);
	}
	if (closest.best)
		what = xasprintf("unknown setting (did you mean `%s`?)", closest.best);
	return reader_fail(reader, setting, what ? what : "unknown setting",
			   known ? known : "remove it");
}

int read_settings(struct reader *reader, config_setting_t *group, const struct rule *rules,
		  size_t n, void *base)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		const struct rule *rule = NULL;
		int r;

		for (size_t k = 0; k < n && !rule; k++)
			if (string_equal(rules[k].name, config_setting_name(setting)))
				rule = &rules[k];
		if (!rule)
			return fail_unknown(reader, setting, rules, n);
		r = rule->read(reader, setting, rule, (char *)base + rule->offset);
		if (r < 0)
			return r;
		note_origin(reader, setting);
	}
	return 0;
}

// A group in place: its settings' offsets count from the same base as the group's.
int read_group(struct reader *reader, config_setting_t *setting, const struct rule *rule,
	       void *base)
{
	if (!config_setting_is_group(setting))
		return reader_fail(reader, setting, "must be a group", "write { … }");
	return read_settings(reader, setting, rule->rules, rule->n_rules, base);
}

// ---- values

const char *setting_text(struct reader *reader, const config_setting_t *setting, const char *remedy)
{
	const char *text = config_setting_get_string(setting);

	if (config_setting_type(setting) != CONFIG_TYPE_STRING || !text) {
		reader_fail(reader, setting, "must be a string", remedy);
		return NULL;
	}
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			reader_fail(reader, setting, "contains a control character", "remove it");
			return NULL;
		}
	}
	return text;
}

const char *member_text(const config_setting_t *group, const char *name)
{
	const char *text = NULL;

	return config_setting_lookup_string(group, name, &text) == CONFIG_TRUE && *text ? text
											: NULL;
}

// `target` is a `char *` or, in what points into config->owned, a `const char *`.
static void put_text(struct reader *reader, void *target, char *text)
{
	const char *value = reader->owns ? reader_own(reader, text) : text;

	memcpy(target, &value, sizeof(value));
}

int read_text(struct reader *reader, config_setting_t *setting, const struct rule *rule,
	      void *target)
{
	const char *text = setting_text(reader, setting, in_quotes);

	(void)rule;
	if (!text)
		return -EINVAL;
	if (*text)
		put_text(reader, target, xstrdup(text));
	return 0;
}

// NULL: an error was said, or (with *ret_empty) the string is empty.
static char *expand_path(struct reader *reader, config_setting_t *setting, bool *ret_empty)
{
	const char *text = setting_text(reader, setting, in_quotes);
	_cleanup_free_ char *path = NULL;

	*ret_empty = text && !*text;
	if (string_empty(text))
		return NULL;
	path = path_expand(text, reader->home);
	if (*path == '/')
		return TAKE_PTR(path);
	reader_fail(reader, setting, "is not an absolute path", "start it with \"/\" or \"~/\"");
	return NULL;
}

int read_path(struct reader *reader, config_setting_t *setting, const struct rule *rule,
	      void *target)
{
	bool empty;
	char *path = expand_path(reader, setting, &empty);

	(void)rule;
	if (path)
		put_text(reader, target, path);
	return path || empty ? 0 : -EINVAL;
}

int read_url(struct reader *reader, config_setting_t *setting, const struct rule *rule,
	     void *target)
{
	const char *text = setting_text(reader, setting, in_quotes);

	if (!text)
		return -EINVAL;
	if (*text && !url_is_safe(text))
		return reader_fail(reader, setting, "is not a URL that a token may be sent to",
				   "write https://HOST/PATH (http only to 127.0.0.1, [::1] or "
				   "localhost), without "
				   "user info or fragment");
	return read_text(reader, setting, rule, target);
}

// What is named in the configuration has to be as safe as that is: who can write a client's secret or
// a certificate says to whom tokens are sent.
static int check_named(struct reader *reader, const config_setting_t *setting, const char *path)
{
	_cleanup_free_ char *message = NULL, *fix = NULL, *what = NULL;
	int r = path_check_trusted(path, &message, &fix);

	if (message)
		return reader_fail(reader, setting, message, fix);
	if (r == 0 && access(path, R_OK) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	what = xasprintf("%s: %s", path, strerror(-r));
	return reader_fail(reader, setting, what, "name a file that you can read");
}

static int check_closed(struct reader *reader, const config_setting_t *setting, const char *path)
{
	_cleanup_free_ char *what = NULL, *remedy = NULL, *word = NULL;
	struct stat st;

	if (stat(path, &st) < 0 || !(st.st_mode & 077))
		return 0;
	word = shell_quoted(path);
	what = xasprintf("%s is open to group or others (mode %04o)", path,
			 (unsigned)st.st_mode & 07777);
	remedy = xasprintf("chmod 600 %s", word);
	return reader_fail(reader, setting, what, remedy);
}

static int read_file(struct reader *reader, config_setting_t *setting, void *target,
		     bool is_private)
{
	_cleanup_free_ char *path = NULL;
	bool empty;
	int r;

	path = expand_path(reader, setting, &empty);
	if (!path)
		return empty ? 0 : -EINVAL;
	r = check_named(reader, setting, path);
	if (r == 0 && is_private)
		r = check_closed(reader, setting, path);
	if (r == 0)
		put_text(reader, target, TAKE_PTR(path));
	return r;
}

int read_readable_file(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		       void *target)
{
	(void)rule;
	return read_file(reader, setting, target, false);
}

int read_private_file(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		      void *target)
{
	(void)rule;
	return read_file(reader, setting, target, true);
}

int read_duration(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		  void *target)
{
	const char *text =
		setting_text(reader, setting, "write a duration in quotes, such as \"90s\"");
	int64_t seconds;

	if (!text)
		return -EINVAL;
	if (duration_parse(text, &seconds) < 0)
		return reader_fail(reader, setting, "is not a duration",
				   "write \"90s\", \"30m\", \"2h\" or \"3d\"");
	if (seconds < rule->least || seconds > rule->most) {
		_cleanup_free_ char *least = duration_format(rule->least),
				    *most = duration_format(rule->most);
		_cleanup_free_ char *remedy =
			xasprintf("write a duration from \"%s\" to \"%s\"", least, most);

		return reader_fail(reader, setting, "is out of range", remedy);
	}
	*(int64_t *)target = seconds;
	return 0;
}

int margin_parse(const char *text, struct margin *ret)
{
	size_t digits = strspn(text, "0123456789");
	struct margin margin = {0};
	int r;

	if (digits > 0 && string_equal(text + digits, "%")) {
		margin.percent = digits <= 2 ? atoi(text) : 0;
		if (margin.percent < 1 || margin.percent > MARGIN_PERCENT_MOST)
			return -ERANGE;
	} else {
		r = duration_parse(text, &margin.seconds);
		if (r < 0)
			return r;
		if (margin.seconds <= 0)
			return -ERANGE; // would read as "unset"
	}
	*ret = margin;
	return 0;
}

int read_margin(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		void *target)
{
	const char *text =
		setting_text(reader, setting, "write it in quotes, such as \"2h\" or \"33%\"");
	int r;

	(void)rule;
	if (!text)
		return -EINVAL;
	r = margin_parse(text, target);
	if (r < 0)
		return reader_fail(reader, setting,
				   r == -ERANGE ? "is out of range" : "is not a margin",
				   "write a duration such as \"2h\", or a share of the lifetime "
				   "from \"1%\" to "
				   "\"90%\"");
	return 0;
}

int read_bool(struct reader *reader, config_setting_t *setting, const struct rule *rule,
	      void *target)
{
	(void)rule;
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		return reader_fail(reader, setting, "must be true or false",
				   "write it without quotes");
	*(bool *)target = config_setting_get_bool(setting);
	return 0;
}

int read_choice(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		void *target)
{
	const char *text = setting_text(reader, setting, in_quotes);
	_cleanup_free_ char *remedy = xstrdup("write one of:");

	if (!text)
		return -EINVAL;
	for (int i = 0; rule->choices[i]; i++) {
		char *longer;

		if (string_equal(rule->choices[i], text)) {
			*(int *)target = i;
			return 0;
		}
		longer = xasprintf("%s \"%s\"", remedy, rule->choices[i]);
		free(remedy);
		remedy = longer;
	}
	return reader_fail(reader, setting, "is not one of the possible words", remedy);
}
