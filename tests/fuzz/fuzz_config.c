// SPDX-License-Identifier: MIT
//
// A configuration of any bytes: it is refused with a message that a terminal can show, or every
// value is in range.
#include "base/clock.h"
#include "config/config.h"
#include "fuzz.h"

static void check_values(const struct config *config)
{
	fuzz_check(config->timer_period_s >= 1 && config->timer_period_s <= DAY_S);
	fuzz_check(config->timer_jitter_s >= 0 && config->timer_jitter_s <= DAY_S);
	fuzz_check(config->deadline_s >= 1 && config->deadline_s <= 60);
	fuzz_check(config->connect_timeout_s >= 1 &&
		   config->connect_timeout_s <= config->deadline_s);
	for (size_t i = 0; i < config->n_providers; i++) {
		const struct provider *p = &config->providers[i];

		fuzz_check(p->name && *p->name);
		fuzz_check(!p->token_url || url_is_safe(p->token_url));
		fuzz_check(!p->discovery_url || url_is_safe(p->discovery_url));
	}
	for (size_t i = 0; i < config->n_stores; i++)
		fuzz_check(config->stores[i].path && config->stores[i].path[0] == '/');
	(void)config_excludes(config, "xai", "xai:default");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *path = path_join(fuzz_directory(), "keeper.conf");
	_cleanup_free_ char *error = NULL;
	struct config config = {0};

	if (size > 1 << 16)
		return 0;
	fuzz_write(path, data, size);
	if (config_load(path, &config, &error) < 0) {
		fuzz_check(error && *error);
		return 0;
	}
	check_values(&config);
	config_free(&config);
	return 0;
}
