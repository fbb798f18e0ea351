// SPDX-License-Identifier: MIT
//
// The settings of `cluster`, for config.c.
#ifndef CONFIG_CLUSTER_H
#define CONFIG_CLUSTER_H

#include "config/reader.h"

int read_cluster(struct reader *reader, config_setting_t *setting, const struct rule *rule, void *target);
void cluster_settings_free(struct cluster_settings *settings);

#endif
