// SPDX-License-Identifier: MIT
//
// An entry of `providers` changes the preset of its name field by field, or makes a new provider of
// which the least is assumed: a public client that speaks forms and whose refresh tokens are
// single-use.
#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "base/clock.h"
#include "base/closest.h"
#include "config/providers.h"

#define LIFETIME_MOST_S	    (10 * 365 * DAY_S)
#define REUSE_WINDOW_MOST_S DAY_S
#define HEADERS_MOST	    32
#define HEADER_MAX	    4096

static const char *const encodings[] = {"form", "json", NULL}; // as enum encoding counts
_Static_assert(sizeof(enum encoding) == sizeof(int) && ENCODING_FORM == 0 && ENCODING_JSON == 1,
	       "read_choice stores an index");

// ---- headers

static bool is_token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c)); // RFC 9110, 5.6.2
}

static size_t header_name_length(const char *header)
{
	size_t n = 0;

	while (is_token_char(header[n]))
		n++;
	return n;
}

// These decide how the message is framed or read, which is ours or libcurl's to say.
static bool header_is_ours(const char *header)
{
	static const char *const names[] = {
		"Host",	  "Content-Length", "Content-Type", "Transfer-Encoding",
		"Expect", "Connection",	    "Upgrade",	    "Trailer",
		"TE"};
	size_t n = header_name_length(header);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (n == strlen(names[i]) && strncasecmp(header, names[i], n) == 0)
			return true;
	return false;
}

static int check_header(struct reader *reader, const config_setting_t *setting, const char *header)
{
	size_t n = header_name_length(header);
	const char *value = header + n;

	if (n == 0 || *value != ':' || strlen(header) > HEADER_MAX)
		return reader_fail(reader, setting, "is not a header", "write \"Name: value\"");
	value += 1 + strspn(value + 1, " ");
	if (!*value)
		return reader_fail(reader, setting, "has no value", "write \"Name: value\"");
	for (; *value; value++)
		if (*value < ' ' || *value >= 0x7f)
			return reader_fail(reader, setting, "has a byte that is not ASCII",
					   "remove it");
	if (header_is_ours(header))
		return reader_fail(reader, setting, "sets a header that the program sets itself",
				   "remove it");
	return 0;
}

static bool same_header(const char *a, const char *b)
{
	size_t n = header_name_length(a);

	return n == header_name_length(b) && strncasecmp(a, b, n) == 0;
}

static bool is_overridden(const char *preset, const config_setting_t *setting)
{
	for (int i = 0; i < config_setting_length(setting); i++)
		if (same_header(preset, config_setting_get_string_elem(setting, i)))
			return true;
	return false;
}

// The preset's headers stay, but for those that are named here.
static int read_headers(struct reader *reader, config_setting_t *setting, const struct rule *rule,
			void *target)
{
	const char *const **headers = target;
	const char **merged;
	int n_read = config_setting_length(setting);
	size_t n_preset = 0, n = 0;

	(void)rule;
	if ((!config_setting_is_list(setting) && !config_setting_is_array(setting)) ||
	    n_read > HEADERS_MOST)
		return reader_fail(reader, setting, "must be a list of at most 32 headers",
				   "write ( \"Name: value\", … )");
	for (int i = 0; i < n_read; i++) {
		config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
		const char *text = setting_text(reader, element, "write \"Name: value\"");

		if (!text || check_header(reader, element, text) < 0)
			return -EINVAL;
	}
	while (*headers && (*headers)[n_preset])
		n_preset++;
	merged = xcalloc(n_preset + (size_t)n_read + 1, sizeof(*merged));
	for (size_t i = 0; i < n_preset; i++)
		if (!is_overridden((*headers)[i], setting))
			merged[n++] = (*headers)[i];
	for (int i = 0; i < n_read; i++)
		merged[n++] =
			reader_own(reader, xstrdup(config_setting_get_string_elem(setting, i)));
	reader_own(reader, (char *)merged);
	*headers = merged;
	return 0;
}

// ---- entries

#define IN_PROVIDER(member) offsetof(struct provider, member)

static const struct rule provider_rules[] = {
	{"name", read_text, IN_PROVIDER(name)},
	{"token_url", read_url, IN_PROVIDER(token_url)},
	{"discovery_url", read_url, IN_PROVIDER(discovery_url)},
	{"client_id", read_text, IN_PROVIDER(client_id)},
	{"client_secret_file", read_private_file, IN_PROVIDER(client_secret_file)},
	{"encoding", read_choice, IN_PROVIDER(encoding), .choices = encodings},
	{"scope", read_text, IN_PROVIDER(scope)},
	{"headers", read_headers, IN_PROVIDER(headers)},
	{"rotates", read_bool, IN_PROVIDER(rotates)},
	{"reuse_window", read_duration, IN_PROVIDER(reuse_window_s), 0, REUSE_WINDOW_MOST_S},
	{"lifetime", read_duration, IN_PROVIDER(lifetime_s), 0, LIFETIME_MOST_S},
	{"grant_lifetime", read_duration, IN_PROVIDER(grant_lifetime_s), 0, LIFETIME_MOST_S},
	{"margin", read_margin, IN_PROVIDER(margin)},
	{"probe_url", read_url, IN_PROVIDER(probe_url)},
	{"login_command", read_text, IN_PROVIDER(login_command)},
};

const struct rule *provider_rules_all(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(provider_rules);
	return provider_rules;
}

static bool name_is_valid(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-:@", *p))
			return false;
	return true;
}

static int check_name(struct reader *reader, config_setting_t *entry, const char *name)
{
	config_setting_t *list = config_setting_parent(entry);

	if (!name)
		return reader_fail(reader, entry, "has no name", "add `name`");
	if (!name_is_valid(name))
		return reader_fail(reader, config_setting_get_member(entry, "name"),
				   "is not a provider's name", "use letters, digits and . _ - : @");
	for (int i = 0; i < config_setting_index(entry); i++) {
		const char *other = member_text(config_setting_get_elem(list, (unsigned)i), "name");

		if (other && strcasecmp(other, name) == 0)
			return reader_fail(reader, config_setting_get_member(entry, "name"),
					   "names a provider for the second time",
					   "put both entries into one");
	}
	return 0;
}

static struct provider *find_or_add(struct reader *reader, const char *name, bool *ret_new)
{
	struct config *config = reader->config;
	struct provider *provider;

	for (size_t i = 0; i < config->n_providers; i++)
		if (string_equal(config->providers[i].name, name))
			return &config->providers[i];
	provider = array_add(&config->providers, &config->n_providers);
	provider->name = provider->family = reader_own(reader, xstrdup(name));
	provider->rotates = true;
	provider->login_command =
		reader_own(reader, xasprintf("openclaw models auth login --provider %s", name));
	*ret_new = true;
	return provider;
}

// An endpoint of one kind takes the place of the preset's, of whatever kind that is.
static int settle_endpoint(struct reader *reader, config_setting_t *entry,
			   struct provider *provider)
{
	bool direct = member_text(entry, "token_url"),
	     discovered = member_text(entry, "discovery_url");

	if (direct && discovered)
		return reader_fail(reader, config_setting_get_member(entry, "discovery_url"),
				   "stands beside token_url", "keep one of the two");
	if (direct)
		provider->discovery_url = provider->endpoint_domain = NULL;
	if (discovered) {
		provider->token_url = NULL;
		provider->endpoint_domain = reader_own(reader, url_host(provider->discovery_url));
	}
	if (direct || discovered) {
		provider->no_refresh = NULL;
		// Somebody else issues the tokens then: the preset's API is not to see them.
		if (string_empty(member_text(entry, "probe_url")))
			provider->probe_url = NULL;
	}
	return 0;
}

static int fail_no_endpoint(struct reader *reader, const config_setting_t *entry, const char *name)
{
	struct closest closest = {.wanted = name};
	_cleanup_free_ char *remedy = NULL;
	size_t n;
	const struct provider *presets = provider_presets(&n);

	for (size_t i = 0; i < n; i++)
		closest_try(&closest, presets[i].name);
	remedy = xasprintf("add `token_url` or `discovery_url`, or correct the name%s%s%s",
			   closest.best ? " (did you mean `" : "", closest.best ? closest.best : "",
			   closest.best ? "`?)" : "");
	return reader_fail(reader, entry, "is no built-in provider and has no endpoint", remedy);
}

static int read_provider(struct reader *reader, config_setting_t *entry)
{
	struct provider *provider;
	const char *name;
	bool is_new = false;
	int r;

	if (!config_setting_is_group(entry))
		return reader_fail(reader, entry, "must be a group", "write { name = …; }");
	name = member_text(entry, "name");
	r = check_name(reader, entry, name);
	if (r < 0)
		return r;
	name = reader_own(reader, string_normalised(name));
	provider = find_or_add(reader, name, &is_new);
	r = read_settings(reader, entry, provider_rules, ARRAY_SIZE(provider_rules), provider);
	provider->name = name;
	if (r < 0)
		return r;
	r = settle_endpoint(reader, entry, provider);
	if (r < 0)
		return r;
	if (is_new && !provider->token_url && !provider->discovery_url)
		return fail_no_endpoint(reader, entry, name);
	if (is_new && !provider->client_id)
		return reader_fail(reader, entry, "has no client id", "add `client_id`");
	return 0;
}

int read_providers(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		   void *target)
{
	int r = 0;

	(void)rule, (void)target;
	if (!config_setting_is_list(setting))
		return reader_fail(reader, setting, "must be a list of groups",
				   "write ( { name = …; }, … )");
	reader->owns = true;
	for (int i = 0; r == 0 && i < config_setting_length(setting); i++)
		r = read_provider(reader, config_setting_get_elem(setting, (unsigned)i));
	reader->owns = false;
	return r;
}
