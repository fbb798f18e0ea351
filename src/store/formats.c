// SPDX-License-Identifier: MIT
//
// See format.h.
#include "store/format.h"

#include "store/json_file.h"
#include "store/mapped_json.h"
#include "store/openclaw_json.h"
#include "store/openclaw_sqlite.h"

const struct store_format *store_format(enum format_id id)
{
	static const struct store_format formats[] = {
		[STORE_OPENCLAW_JSON] =
			{
				.name = "openclaw-json",
				.read = openclaw_json_read,
				.read_open = openclaw_json_read_open,
				.stage = json_file_stage,
				.write = openclaw_json_write,
				.locks = openclaw_json_locks,
				.is_file = true,
				.is_cached = true,
			},
		[STORE_OPENCLAW_SQLITE] =
			{
				.name = "openclaw-sqlite",
				.read = openclaw_sqlite_read,
				.stage = openclaw_sqlite_stage,
				.write = openclaw_sqlite_write,
			},
		[STORE_MAPPED] =
			{
				.name = "mapped",
				.read = mapped_json_read,
				.stage = mapped_json_stage,
				.write = mapped_json_write,
				.locks = mapped_json_locks,
				.is_file = true,
			},
	};

	return &formats[id];
}
