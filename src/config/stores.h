// SPDX-License-Identifier: MIT
//
// `stores` of the configuration: OpenClaw's files that are not found by themselves, and other programs' (format/format.h).
#ifndef CONFIG_STORES_H
#define CONFIG_STORES_H

#include "config/reader.h"

int read_stores(struct reader *reader, config_setting_t *setting, const struct rule *rule, void *target);
void config_store_free(struct config_store *store);

#endif
