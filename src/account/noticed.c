// SPDX-License-Identifier: MIT
//
// Logins of ours in files that nobody told us of: whoever has one refreshes it for himself, or sends a spent token.
#include "account/judge.h"
#include "store/notice.h"

enum found { FOUND_NOTHING, FOUND_SPENT, FOUND_LIVE, FOUND_SUCCESSOR };

// What it has of the account: its token, one that was, or what was made of it there.
struct finding {
	enum found found;
	struct fingerprint token;
};

static bool lost_by_reuse(const struct account *a)
{
	return a->verdict.outcome == OUTCOME_NEEDS_LOGIN &&
	       (a->verdict.record.dead_code[0] || string_equal(a->verdict.code, "spent"));
}

// Our token was spent by somebody. Who holds another login of the same person there will have been it.
static bool holds_successor(const struct account *a, const struct noticed *n,
			    const struct config *config, struct fingerprint *ret)
{
	const struct account_record *r = &a->verdict.record;
	struct copy *copy = NULL;
	bool same;

	if (!lost_by_reuse(a) || !noticed_login(n, r->provider, r->profile, config, &copy))
		return false;
	*ret = copy->credential.fingerprint;
	same = identity_compare(&r->identity, &copy->credential.identity) == IDENTITY_SAME &&
	       !record_knows(r, *ret);
	copy_unref(copy);
	return same;
}

static struct finding look_for(const struct account *a, const struct noticed *n,
			       const struct config *config)
{
	const struct account_record *r = &a->verdict.record;
	struct fingerprint access = fingerprint_of(&r->live.access);
	struct finding f = {FOUND_NOTHING};

	for (size_t i = 0; i < n->n_tokens; i++) {
		struct fingerprint token = n->tokens[i];
		if (fingerprint_equal(token, r->live.fingerprint))
			return (struct finding){FOUND_LIVE, token};
		if (record_superseded(r, token) ||
		    fingerprint_listed(r->accesses, r->n_accesses, token) ||
		    fingerprint_equal(token, access))
			f = (struct finding){FOUND_SPENT, token};
	}
	if (holds_successor(a, n, config, &f.token))
		f.found = FOUND_SUCCESSOR;
	return f;
}

static char *describe(const struct account *a, const struct noticed *n, enum found found)
{
	_cleanup_free_ char *path = string_printable(n->path, 1024),
			    *profile = string_printable(a->record.profile, 128);
	const char *who = n->format ? n->format->name : "whoever reads it";

	if (found == FOUND_SUCCESSOR)
		return xasprintf(
			"%s: %s has a login of the same person as %s, whose own token was "
			"spent: %s will have refreshed it. Named in `stores`, its login is "
			"taken over",
			path, who, profile, who);
	if (found == FOUND_LIVE)
		return xasprintf("%s has the refresh token of %s: %s refreshes by itself, too, and "
				 "whoever comes second fails%s",
				 path, profile, who,
				 lost_by_reuse(a) ? ", which is the likely cause of its end" : "");
	return xasprintf("%s has an old token of %s%s", path, profile,
			 lost_by_reuse(a) ? ": it was copied there, and the copy is the likely "
					    "cause of its end"
					  : ": whoever uses it is refused, or ends the login");
}

static void say(struct observation *o, const struct account *a, const struct noticed *n,
		const struct finding *f)
{
	const struct account_record *r = &a->verdict.record;

	problem_add(&o->problems, SEVERITY_WARNING, "shared_elsewhere", n->path, r->profile,
		    describe(a, n, f->found), noticed_line(n, r->provider, r->profile, f->token));
}

void say_noticed(struct observation *o, const struct config *config)
{
	_cleanup_(notices_free) struct notices notices = {};

	notices_find(&o->stores, &notices);
	for (size_t i = 0; i < notices.n; i++) {
		for (size_t k = 0; k < o->n_accounts; k++) {
			const struct account *a = o->accounts[k];
			struct finding f = {FOUND_NOTHING};
			if (!fingerprint_empty(a->verdict.record.live.fingerprint))
				f = look_for(a, &notices.list[i], config);
			if (f.found)
				say(o, a, &notices.list[i], &f);
		}
	}
}
