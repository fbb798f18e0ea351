// SPDX-License-Identifier: MIT
//
// What the checks of openclaw.json share.
#ifndef DOCTOR_OPENCLAW_H
#define DOCTOR_OPENCLAW_H

#include "doctor/doctor.h"
#include "json/json.h"

struct openclaw_view {
	const struct report *report;
	const struct state_dir *dir;
	const char *path;  // openclaw.json
	const cJSON *root; // NULL: there is none
};

// profiles.c has what both of them need. orders.c: which of several profiles of one provider is used.
void doctor_check_orders(const struct openclaw_view *view, struct problems *problems);
// models.c: which model is tried after which.
void doctor_check_models(const struct openclaw_view *view, struct problems *problems);

// The member of `orders` for this provider, however it is spelt there; NULL.
const cJSON *openclaw_by_provider(const cJSON *orders, const char *provider);
// A login of this provider in the state directory; of another name of its family; a key of it. NULL: there is none.
const struct copy *openclaw_login(const struct openclaw_view *view, const char *provider);
const struct copy *openclaw_renamed_login(const struct openclaw_view *view, const char *provider);
const struct copy *openclaw_key(const struct openclaw_view *view, const char *provider);
// Profile ids as a JSON array, which is one word for a shell.
char *openclaw_word(const cJSON *list);

// What OpenClaw remembers of profiles besides them: `order`, `usageStats`. For all agents, in its shared database; for one
// agent, in its directory. NULL: nothing. The caller's.
cJSON *auth_state_shared(const char *database);
cJSON *auth_state_of_agent(const char *directory);

#endif
