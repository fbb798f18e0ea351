// SPDX-License-Identifier: MIT
//
// What a person should know: collected during a run, shown by report/. Codes are stable, lower_snake_case and
// listed in oauth-keepalive(1); messages name the file, the place and, in `fix`, the remedy.
#ifndef BASE_PROBLEM_H
#define BASE_PROBLEM_H

#include "base/util.h"

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR };

struct problem {
	enum severity severity;
	const char *code; // a string literal
	char *store;      // path, or NULL
	char *profile;    // profile id, or NULL
	char *message;
	char *fix; // or NULL
	bool needs_person; // exit status 3 rather than 0
	bool passes;       // … 4
};

struct problems {
	struct problem *list;
	size_t n;
};

// Copies `store` and `profile`, takes `message` and `fix`. The same problem said twice is kept once. The
// returned pointer lives until the next call.
struct problem *problem_add(struct problems *problems, enum severity severity, const char *code,
			    const char *store, const char *profile, char *message, char *fix);
void problems_take(struct problems *to, struct problems *from); // and leaves none behind
void problems_forget(struct problems *problems, size_t keep); // all but the first `keep`
void problems_drop(struct problems *problems, const char *code, const char *profile); // it is over
void problems_free(struct problems *problems);

#endif
