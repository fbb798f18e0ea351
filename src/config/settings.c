// SPDX-License-Identifier: MIT
#include "config/settings.h"

#include "base/clock.h"
#include "config/providers.h"
#include "config/reader.h"
#include "config/stores.h"

struct setting *settings_add(struct settings *settings, const char *name, char *value,
			     const char *from)
{
	struct setting *s = array_add(&settings->list, &settings->n);

	*s = (struct setting){.name = xstrdup(name), .value = value, .from = xstrdup(from)};
	return s;
}

void settings_free(struct settings *settings)
{
	for (size_t i = 0; i < settings->n; i++) {
		free(settings->list[i].name);
		free(settings->list[i].value);
		free(settings->list[i].from);
	}
	free(settings->list);
	*settings = (struct settings){0};
}

// ---- values

static char *margin_text(const struct margin *margin)
{
	return margin->percent	 ? xasprintf("%d%%", margin->percent)
	       : margin->seconds ? duration_format(margin->seconds)
				 : NULL;
}

static char *header_names(const char *const *headers)
{
	char *text = NULL;

	for (size_t i = 0; headers && headers[i]; i++) {
		char *longer = xasprintf("%s%s%.*s", text ? text : "", text ? ", " : "",
					 (int)strcspn(headers[i], ":"), headers[i]);
		free(text);
		text = longer;
	}
	return text;
}

// What stands at `at` was read by rule->read.
static char *value_text(const struct rule *rule, const void *at)
{
	if (rule->read == read_duration) {
		int64_t seconds = *(const int64_t *)at;
		return seconds || rule->least == 0 ? duration_format(seconds) : NULL;
	}
	if (rule->read == read_margin)
		return margin_text(at);
	if (rule->read == read_bool)
		return xstrdup(*(const bool *)at ? "true" : "false");
	if (rule->read == read_choice)
		return xstrdup(rule->choices[*(const int *)at]);
	if (rule->choices) // of two: true is the first
		return xstrdup(rule->choices[*(const bool *)at ? 0 : 1]);
	return xstrdup(*(char *const *)at);
}

// ---- lists

static void add_texts(const struct config *config, const char *name, char *const *list, size_t n,
		      struct settings *out)
{
	for (size_t i = 0; i < n; i++)
		settings_add(out, name, xstrdup(list[i]), config_origin(config, name));
	if (!n)
		settings_add(out, name, NULL, NULL);
}

static void add_stores(const struct config *config, struct settings *out)
{
	for (size_t i = 0; i < config->n_stores; i++) {
		const struct config_store *s = &config->stores[i];
		_cleanup_free_ char *entry = xasprintf("stores[%zu].path", i);
		settings_add(out, "stores",
			     xasprintf("%s (%s%s%s)", s->path,
				       s->format ? s->format->name : "openclaw-json",
				       s->withhold ? ", withheld" : "",
				       s->in_place ? ", in place" : ""),
			     config_origin(config, entry));
	}
	if (!config->n_stores)
		settings_add(out, "stores", NULL, NULL);
}

static bool is_configured(const struct config *config, const struct provider *p)
{
	_cleanup_free_ char *name = xasprintf("providers.%s.name", p->name);

	return config_origin(config, name);
}

static void add_providers(const struct config *config, struct settings *out)
{
	bool any = false;

	for (size_t i = 0; i < config->n_providers; i++) {
		const struct provider *p = &config->providers[i];
		_cleanup_free_ char *name = xasprintf("providers.%s.name", p->name);
		if (!is_configured(config, p))
			continue;
		any = true;
		settings_add(out, "providers", xstrdup(p->name), config_origin(config, name));
	}
	if (!any)
		settings_add(out, "providers", NULL, NULL);
}

// A section whose values only its own reader knows: what is set in it, and where.
static void add_section(const struct config *config, const char *name, struct settings *out)
{
	_cleanup_free_ char *below = xasprintf("%s.", name);
	size_t before = out->n;

	for (size_t i = 0; i < config->n_origins; i++)
		if (string_starts(config->origins[i].setting, below))
			settings_add(out, config->origins[i].setting, xstrdup("set"),
				     config->origins[i].place);
	if (out->n == before)
		settings_add(out, name, NULL, NULL);
}

// ---- by the tables

static void add_rules(const struct config *config, const char *prefix, const struct rule *rules,
		      size_t n, const void *base, struct settings *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct rule *rule = &rules[i];
		_cleanup_free_ char *name = xasprintf("%s%s", prefix, rule->name);
		_cleanup_free_ char *below = xasprintf("%s.", name);
		if (rule->read == read_group)
			add_rules(config, below, rule->rules, rule->n_rules, base, out);
		else if (rule->read == read_stores)
			add_stores(config, out);
		else if (rule->read == read_providers)
			add_providers(config, out);
		else if (string_equal(name, "exclude"))
			add_texts(config, name, config->exclude, config->n_exclude, out);
		else if (string_equal(name, "state_dirs"))
			add_texts(config, name, config->state_dirs, config->n_state_dirs, out);
		else if (!rule->offset) // no value of the table's own
			add_section(config, name, out);
		else
			settings_add(out, name, value_text(rule, (const char *)base + rule->offset),
				     config_origin(config, name));
	}
}

void settings_of_config(const struct config *config, struct settings *ret)
{
	size_t n;
	const struct rule *rules = config_rules(&n);

	*ret = (struct settings){0};
	add_rules(config, "", rules, n, config, ret);
}

void settings_of_provider(const struct config *config, const struct provider *provider,
			  struct settings *ret)
{
	size_t n;
	const struct rule *rules = provider_rules_all(&n);

	*ret = (struct settings){0};
	for (size_t i = 0; i < n; i++) {
		const void *at = (const char *)provider + rules[i].offset;
		_cleanup_free_ char *full =
			xasprintf("providers.%s.%s", provider->name, rules[i].name);
		bool headers = string_equal(rules[i].name, "headers");
		bool unknown = rules[i].read == read_duration && !*(const int64_t *)at;
		settings_add(ret, rules[i].name,
			     headers   ? header_names(*(const char *const *const *)at)
			     : unknown ? NULL
				       : value_text(&rules[i], at),
			     config_origin(config, full));
	}
}
