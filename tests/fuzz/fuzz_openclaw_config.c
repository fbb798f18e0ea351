// SPDX-License-Identifier: MIT
//
// An openclaw.json of any bytes: whatever it says, the agents' directories are absolute and their
// ids are OpenClaw's.
#include "fuzz.h"
#include "store/openclaw_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *path = path_join(fuzz_directory(), "openclaw.json");
	struct openclaw_agents agents = {0};
	struct problems problems = {0};

	fuzz_write(path, data, size);
	openclaw_config_agents(fuzz_directory(), "/home/fuzz", SEVERITY_WARNING, &agents,
			       &problems);
	for (size_t i = 0; i < agents.n; i++) {
		const char *id = agents.list[i].id;

		fuzz_check(agents.list[i].directory[0] == '/');
		fuzz_check(*id && strlen(id) <= 64 &&
			   !id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_-")]);
	}
	openclaw_agents_free(&agents);
	problems_free(&problems);
	return 0;
}
