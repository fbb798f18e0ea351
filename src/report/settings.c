// SPDX-License-Identifier: MIT
#include "report/settings.h"

#include "base/terminal.h"
#include "report/report.h"
#include "report/screen.h"

#define BUILT_IN    "built in"
#define DEFAULT	    "default"
#define VALUE_WIDTH 44 // beyond that a column would be mostly blanks

void shown_free(struct shown *shown)
{
	settings_free(&shown->settings);
	for (size_t i = 0; i < shown->n; i++)
		settings_free(&shown->list[i].settings);
	free(shown->list);
	*shown = (struct shown){0};
}

// ---- text

struct widths {
	int name, value;
};

static struct widths measure(const struct settings *settings)
{
	struct widths w = {0};

	for (size_t i = 0; i < settings->n; i++) {
		const struct setting *s = &settings->list[i];
		int name = text_columns(s->name), value = s->value ? text_columns(s->value) : 1;
		if (name > w.name)
			w.name = name;
		if (value > w.value && value <= VALUE_WIDTH)
			w.value = value;
	}
	return w;
}

static void print_setting(const struct setting *s, int indent, struct widths widths,
			  const char *unsaid, FILE *out)
{
	_cleanup_free_ char *value = s->value ? shown_path(s->value) : xstrdup("-");
	_cleanup_free_ char *from = s->from ? shown_path(s->from) : xstrdup(unsaid);
	int blanks = widths.value - text_columns(value);

	fprintf(out, "%*s%-*s  %s%s%s%*s  %s%s%s\n", indent, "", widths.name, s->name,
		s->from ? paint(BOLD) : "", value, s->from ? paint(PLAIN) : "",
		blanks > 0 ? blanks : 0, "", paint(DIM), from, paint(PLAIN));
}

static const char *find_value(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->n; i++)
		if (string_equal(settings->list[i].name, name))
			return settings->list[i].value;
	return NULL;
}

static const char *unsaid(const struct provider *p, const struct setting *s)
{
	return s->value && provider_preset(p->name) ? BUILT_IN : DEFAULT;
}

// "openai" of openai-codex: the same upstream, the same login, another name.
static char *aliases(const struct config *config, const struct provider *p)
{
	char *text = NULL;

	for (size_t i = 0; i < config->n_providers; i++) {
		const struct provider *other = &config->providers[i];
		if (string_equal(other->name, p->name) || !provider_same_family(other, p))
			continue;
		char *longer = xasprintf("%s%s%s", text ? text : "", text ? ", " : "", other->name);
		free(text);
		text = longer;
	}
	return text;
}

static void print_provider(const struct report *report, const struct provider_settings *shown,
			   FILE *out)
{
	const struct provider *p = shown->provider;
	_cleanup_free_ char *also = aliases(report->config, p);
	struct widths widths = measure(&shown->settings);

	fprintf(out, "%s%s%s%s%s%s\n", paint(BOLD), p->name, paint(PLAIN), also ? " (also " : "",
		also ? also : "", also ? ")" : "");
	if (p->no_refresh)
		fprintf(out, "    is not refreshed: %s\n", p->no_refresh);
	for (size_t i = 0; i < shown->settings.n; i++) {
		const struct setting *s = &shown->settings.list[i];
		if (string_equal(s->name, "name") || (!s->value && !report->verbose))
			continue;
		print_setting(s, 4, widths, unsaid(p, s), out);
	}
	if (!find_value(&shown->settings, "margin"))
		fprintf(out,
			"    %-*s  a third of the lifetime, or `margin` of the configuration\n",
			widths.name, "margin");
}

void report_shown_text(const struct report *report, FILE *out)
{
	const struct shown *shown = report->shown;
	struct widths widths = measure(&shown->settings);

	for (size_t i = 0; i < shown->settings.n; i++)
		print_setting(&shown->settings.list[i], 0, widths, DEFAULT, out);
	for (size_t i = 0; i < shown->n; i++)
		print_provider(report, &shown->list[i], out);
}

// ---- the document

// `p`: whose they are; NULL: the configuration's.
static void put_settings(cJSON *object, const struct settings *settings, const struct provider *p)
{
	cJSON *list = cJSON_AddArrayToObject(object, "settings");

	for (size_t i = 0; i < settings->n; i++) {
		const struct setting *s = &settings->list[i];
		_cleanup_free_ char *value = s->value ? string_printable(s->value, 4096) : NULL;
		_cleanup_free_ char *from = string_printable(s->from ? s->from
							     : p     ? unsaid(p, s)
								     : DEFAULT,
							     4096);
		cJSON *o = cJSON_CreateObject();
		cJSON_AddItemToArray(list, o);
		json_put_text(o, "setting", s->name);
		json_put_text(o, "value", value);
		json_put_text(o, "from", from);
	}
}

static void put_provider(cJSON *list, const struct report *report,
			 const struct provider_settings *shown)
{
	const struct config *config = report->config;
	const struct provider *p = shown->provider;
	cJSON *o = cJSON_CreateObject(), *also = cJSON_CreateArray();

	cJSON_AddItemToArray(list, o);
	json_put_text(o, "name", p->name);
	cJSON_AddItemToObject(o, "aliases", also);
	for (size_t i = 0; i < config->n_providers; i++)
		if (!string_equal(config->providers[i].name, p->name) &&
		    provider_same_family(&config->providers[i], p))
			cJSON_AddItemToArray(also, cJSON_CreateString(config->providers[i].name));
	json_put_text(o, "no_refresh", p->no_refresh);
	put_settings(o, &shown->settings, p);
}

void report_shown_json(const struct report *report, cJSON *document)
{
	const struct shown *shown = report->shown;

	if (!shown->providers) {
		put_settings(document, &shown->settings, NULL);
		return;
	}
	cJSON *list = cJSON_AddArrayToObject(document, "providers");
	for (size_t i = 0; i < shown->n; i++)
		put_provider(list, report, &shown->list[i]);
}
