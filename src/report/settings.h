// SPDX-License-Identifier: MIT
//
// config and providers: what is in force, and where it comes from, as text and in the document.
#ifndef REPORT_SETTINGS_H
#define REPORT_SETTINGS_H

#include "config/settings.h"
#include "json/json.h"

// One provider's.
struct provider_settings {
	const struct provider *provider;
	struct settings settings;
};

// What a verb shows instead of accounts.
struct shown {
	bool providers;
	struct settings settings;
	struct provider_settings *list;
	size_t n;
};
void shown_free(struct shown *shown);

struct report;
void report_shown_text(const struct report *report, FILE *out);
void report_shown_json(const struct report *report, cJSON *document);

#endif
