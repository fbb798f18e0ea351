// SPDX-License-Identifier: MIT
//
// The list of problems of a run. It is short, so the search for one that was said already is
// linear.

#include "base/problem.h"

static struct problem *find_same(const struct problems *problems, const char *code,
				 const char *store, const char *profile, const char *message)
{
	for (size_t i = 0; i < problems->n; i++) {
		struct problem *p = &problems->list[i];

		if (string_equal(p->code, code) && string_equal(p->store, store) &&
		    string_equal(p->profile, profile) && string_equal(p->message, message))
			return p;
	}
	return NULL;
}

struct problem *problem_add(struct problems *problems, enum severity severity, const char *code,
			    const char *store, const char *profile, char *message, char *fix)
{
	struct problem *p = find_same(problems, code, store, profile, message);

	if (p) {
		free(message);
		free(fix);
		if (severity > p->severity)
			p->severity = severity;
		return p;
	}
	p = array_add(&problems->list, &problems->n);
	p->severity = severity;
	p->code = code;
	p->store = xstrdup(store);
	p->profile = xstrdup(profile);
	p->message = message;
	p->fix = fix;
	return p;
}

void problems_take(struct problems *to, struct problems *from)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct problem *p = &from->list[i];
		struct problem *taken = problem_add(to, p->severity, p->code, p->store, p->profile,
						    xstrdup(p->message), xstrdup(p->fix));
		taken->needs_person |= p->needs_person;
		taken->passes |= p->passes;
	}
	problems_free(from);
}

static void problem_free(struct problem *p)
{
	free(p->store);
	free(p->profile);
	free(p->message);
	free(p->fix);
}

void problems_drop(struct problems *problems, const char *code, const char *profile)
{
	size_t n = 0;

	for (size_t i = 0; i < problems->n; i++) {
		struct problem *p = &problems->list[i];
		if (string_equal(p->code, code) && string_equal(p->profile, profile))
			problem_free(p);
		else
			problems->list[n++] = *p;
	}
	problems->n = n;
}

void problems_forget(struct problems *problems, size_t keep)
{
	while (problems->n > keep)
		problem_free(&problems->list[--problems->n]);
}

void problems_free(struct problems *problems)
{
	problems_forget(problems, 0);
	free(problems->list);
	*problems = (struct problems){0};
}
