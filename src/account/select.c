// SPDX-License-Identifier: MIT
//
// Which accounts a person means.
#include <fnmatch.h>
#include <strings.h>

#include "account/account.h"

#define KEY_DIGITS_LEAST 6 // of the ledger's id: fewer may be a word

static bool has_agent(const struct account *a, const char *agent)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (string_equal(a->members[i].store->agent, agent))
			return true;
	return false;
}

static bool is_named(const struct account *a, const struct account_record *r, const char *name)
{
	const char *email = r->identity.email;
	_cleanup_free_ char *full = xasprintf("%s/%s", r->provider, r->profile);
	_cleanup_free_ char *whose = email ? xasprintf("%s@%s", full, email) : NULL;
	_cleanup_free_ char *short_whose = email ? xasprintf("%s@%s", r->profile, email) : NULL;

	return fnmatch(name, r->profile, 0) == 0 || fnmatch(name, full, 0) == 0 ||
	       (email && (strcasecmp(name, whose) == 0 || strcasecmp(name, short_whose) == 0 ||
			  strcasecmp(name, email) == 0)) ||
	       (*name && string_equal(name, r->provider)) || string_equal(name, r->state_dir) ||
	       has_agent(a, name) ||
	       (strlen(name) >= KEY_DIGITS_LEAST && string_starts(r->key, name));
}

bool selection_matches(const struct selection *selection, const struct account *account,
		       const struct account_record *record)
{
	for (size_t i = 0; i < selection->n; i++)
		if (is_named(account, record, selection->patterns[i]))
			return true;
	return selection->n == 0;
}
