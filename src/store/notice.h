// SPDX-License-Identifier: MIT
//
// Credential files where a login of ours may stand without anybody having said so: other programs' well-known ones, and
// auth-profiles.json below a state directory that is no store. Only looked at: read if they are plain files of our own, by no
// lock and with no word about what is wrong with them.
#ifndef STORE_NOTICE_H
#define STORE_NOTICE_H

#include "json/scan.h"
#include "store/store.h"

struct noticed {
	char *path;
	const struct format *format; // NULL: auth-profiles.json
	struct secret text;
	struct json_doc doc;        // of it
	struct fingerprint *tokens; // of whatever there may be a token
	size_t n_tokens;
};
struct notices {
	struct noticed *list;
	size_t n;
};

// Those that are none of the stores.
void notices_find(const struct stores *stores, struct notices *ret);
void notices_free(struct notices *notices);
// The login there of that provider and profile; false if there is none. Unref the copy.
bool noticed_login(const struct noticed *noticed, const char *provider, const char *profile,
		   const struct config *config, struct copy **ret);
// The line for `stores` of the configuration, ready to paste. `token` (which it has) tells which entry. Free it.
char *noticed_line(const struct noticed *noticed, const char *provider, const char *profile, struct fingerprint token);

#endif
