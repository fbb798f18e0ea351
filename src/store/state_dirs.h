// SPDX-License-Identifier: MIT
//
// Which state directories of OpenClaw's there are. A user has several (`openclaw --profile dev` keeps its own in
// ~/.openclaw-dev), and a login may have been copied from one to another; so a run looks at all of them:
//
//	named      --state-dir, or `state_dir` of the configuration: that one, and no other
//	else       `state_dirs` of the configuration; without them OpenClaw's own (OPENCLAW_STATE_DIR, ~/.openclaw,
//	           ~/.clawdbot: facts, openclaw-json-store.md 1) and those of its profiles, ~/.openclaw-*
//	and        those that the ledger knows: what was kept alive once is not let die because a variable is not set here
//
// The first is the one that the environment speaks of, and has the stores of the configuration that lie in none.
#ifndef STORE_STATE_DIRS_H
#define STORE_STATE_DIRS_H

#include "store/store.h"

// OpenClaw's home; NULL if there is none at all.
char *openclaw_home(void);
// Into stores->dirs. -ENOENT, -ENOTDIR … if the one that is named is not there.
int state_dirs_find(const struct config *config, const char *home, const struct names *known, struct stores *stores,
		    struct problems *problems);
bool path_is_below(const char *path, const char *directory);

#endif
