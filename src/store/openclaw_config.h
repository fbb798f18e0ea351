// SPDX-License-Identifier: MIT
//
// What a run wants from OpenClaw's openclaw.json: agents that keep their directory elsewhere,
// `agents.list[].agentDir`. (`doctor` looks at more of it.) The file is JSON, often with comments; JSON5 beyond that is said to be
// unread.
#ifndef STORE_OPENCLAW_CONFIG_H
#define STORE_OPENCLAW_CONFIG_H

#include "base/problem.h"
#include "json/json.h"

#define AGENTS_MAX 4096 // more than anybody has: what says so is no list of agents

struct openclaw_agent {
	char *id;	 // normalised as OpenClaw does
	char *directory; // absolute
};
struct openclaw_agents {
	struct openclaw_agent *list;
	size_t n;
	char *version; // of the OpenClaw that wrote the file last; NULL: it does not say
};
void openclaw_agents_free(struct openclaw_agents *agents);

// The whole document, comments blanked out. 0, and NULL where there is none; -EBADMSG: not understood; -errno. `ret_path`:
// where it is looked for; set in any case. Free both.
int openclaw_config_read(const char *state_dir, const char *home, char **ret_path, cJSON **ret);

// $OPENCLAW_CONFIG_PATH, else openclaw.json or clawdbot.json in the state directory; `home` is what
// "~" means. No file: no agents. One that cannot be read is a problem of `severity`.
void openclaw_config_agents(const char *state_dir, const char *home, enum severity severity,
			    struct openclaw_agents *ret, struct problems *problems);

#endif
