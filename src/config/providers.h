// SPDX-License-Identifier: MIT
//
// The `providers` list: presets overridden, and new ones.
#ifndef CONFIG_PROVIDERS_H
#define CONFIG_PROVIDERS_H

#include "config/reader.h"

int read_providers(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		   void *target);
const struct rule *provider_rules_all(size_t *ret_n); // in `struct provider`

#endif
