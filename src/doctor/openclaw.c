// SPDX-License-Identifier: MIT
//
// What openclaw.json makes of the logins: which of several profiles of one provider is used (orders.c), which model is tried
// after which (models.c), by which names, and which version wrote it.
#include "doctor/openclaw.h"

#include <stdio.h>

#include "store/openclaw_config.h"

#define TESTED 20260906 // 2026.9.6: docs/testing.md

// ---- names that an upgrade has changed, in the stores alone

// An order under the old name says nothing of the logins under the new one.
static void check_order_names(const struct openclaw_view *view, struct problems *problems)
{
	const cJSON *orders = json_get(json_get(view->root, "auth"), "order"), *order;

	cJSON_ArrayForEach (order, orders) {
		_cleanup_free_ char *name = string_normalised(order->string ? order->string : "");
		const struct copy *login = openclaw_renamed_login(view, name);
		if (!login)
			continue;
		const char *provider = login->credential.provider;
		_cleanup_free_ char *path = xasprintf("auth.order.%s", order->string);
		_cleanup_free_ char *setting = shell_quoted(path);
		_cleanup_json_ cJSON *list = cJSON_CreateArray();
		cJSON_AddItemToArray(list, cJSON_CreateString(login->credential.profile));
		_cleanup_free_ char *word = openclaw_word(list);
		_cleanup_free_ char *set =
			openclaw_by_provider(orders, provider)
				? xstrdup("")
				: xasprintf("openclaw config set auth.order.%s %s && ", provider,
					    word);
		problem_add(problems, SEVERITY_WARNING, "provider_renamed", view->path,
			    login->credential.profile,
			    xasprintf("%s says which profiles of %s are used, but since an upgrade "
				      "the logins are under %s: it has no effect any more",
				      path, name, provider),
			    xasprintf("%sopenclaw config unset %s", set, setting));
	}
}

// ---- its version

static void check_version(const struct openclaw_view *view, struct problems *problems)
{
	const char *version = view->dir->version;
	unsigned int year, month, patch;

	if (!version || sscanf(version, "%4u.%2u.%2u", &year, &month, &patch) != 3 ||
	    year * 10000 + month * 100 + patch <= TESTED)
		return;
	_cleanup_free_ char *shown = string_printable(version, 40);
	problem_add(
		problems, SEVERITY_INFO, "openclaw_untested", view->path, NULL,
		xasprintf("OpenClaw %s is newer than what this version was tested with (2026.9.6)",
			  shown),
		NULL);
}

static void check_dir(const struct report *report, const struct state_dir *dir, const char *home,
		      struct problems *problems)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_json_ cJSON *root = NULL;

	openclaw_config_read(dir->path, home, &path, &root); // what cannot be read is said
	const struct openclaw_view view = {report, dir, path, root};
	doctor_check_orders(&view, problems);
	check_order_names(&view, problems);
	doctor_check_models(&view, problems);
	check_version(&view, problems);
}

void doctor_check_openclaw(const struct report *report, struct problems *problems)
{
	const struct stores *stores = &report->cycle->now.stores;
	_cleanup_free_ char *home = home_directory();

	for (size_t i = 0; home && i < stores->n_dirs; i++)
		check_dir(report, stores->dirs[i], home, problems);
}
