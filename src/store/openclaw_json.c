// SPDX-License-Identifier: MIT
//
// auth-profiles.json: a file with the document of openclaw_profiles.h.
#include "store/openclaw_json.h"

#include "store/json_file.h"
#include "store/openclaw_profiles.h"

void openclaw_json_read_open(struct store *store, int fd, const struct stat *st,
			     const struct config *config, struct problems *problems)
{
	_cleanup_secret_ struct secret text = {};

	if (json_file_read_open(store, fd, st, &text, problems))
		openclaw_profiles_read(store, &text, config, problems);
}

void openclaw_json_read(struct store *store, const struct config *config, struct problems *problems)
{
	_cleanup_secret_ struct secret text = {};

	if (json_file_read(store, &text, problems))
		openclaw_profiles_read(store, &text, config, problems);
}

static int edit(const struct store *store, const struct secret *text, struct store_change *changes,
		size_t n, struct secret *ret)
{
	(void)store;
	return openclaw_profiles_edit(text, changes, n, ret);
}

int openclaw_json_write(const struct store *store, struct store_change *changes, size_t n,
			struct atomic_stage *stage)
{
	return json_file_write(store, edit, changes, n, stage);
}

void openclaw_json_locks(const struct store *store, struct lock_set *set)
{
	for (size_t i = 0; i < store->n_names; i++)
		lock_set_add_store(set, store->names[i]);
}
