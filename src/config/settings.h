// SPDX-License-Identifier: MIT
//
// What is in force, as one would write it, and where it comes from: by the very tables that settings are read by, so none is
// forgotten. A secret is in no setting; of a header, which might hold one, only the name is told.
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "config/config.h"

struct setting {
	char *name;  // "http.deadline"; of a list, once for each element
	char *value; // NULL: unset
	char *from;  // "FILE:LINE"; NULL: nobody said it
};
struct settings {
	struct setting *list;
	size_t n;
};
struct setting *settings_add(struct settings *settings, const char *name, char *value, const char *from);
void settings_free(struct settings *settings);

// Of the whole configuration, but for what its providers are.
void settings_of_config(const struct config *config, struct settings *ret);
// Of one provider: "client_id"; `from` of what the program brings: NULL.
void settings_of_provider(const struct config *config, const struct provider *provider, struct settings *ret);

#endif
