// SPDX-License-Identifier: MIT
//
// The accounts: what they end with, as a problem; and their copies.
#include "doctor/doctor.h"

void doctor_examine(const struct report *report, struct problems *problems)
{
	doctor_check_logins(report, problems);
	doctor_check_openclaw(report, problems);
	doctor_check_git(report, problems);
	doctor_check_locks(report, problems);
	doctor_check_programs(report, problems);
	doctor_check_timer(report, problems);
	doctor_check_cluster(report, problems);
	doctor_check_probes(report, problems);
}

// An error of that login, or this very thing.
static bool is_said(const struct problems *problems, const char *profile, const char *code)
{
	for (size_t i = 0; i < problems->n; i++) {
		const struct problem *p = &problems->list[i];
		if (string_equal(p->profile, profile) &&
		    (p->severity == SEVERITY_ERROR || string_equal(p->code, code)))
			return true;
	}
	return false;
}

static bool is_lost(const struct result *result)
{
	return result->outcome == OUTCOME_NEEDS_LOGIN || result->outcome == OUTCOME_HELD;
}

// What holds an account, or ended it, where no problem says it already.
static void say_outcome(const struct account *a, const struct result *result,
			struct problems *problems)
{
	const char *login = a->provider ? a->provider->login_command : NULL;
	bool lost = is_lost(result);
	_cleanup_free_ char *word = shell_quoted(a->record.profile);

	if ((!lost && result->outcome != OUTCOME_FAILED) || !result->error_code[0] ||
	    is_said(problems, a->record.profile, result->error_code))
		return;
	problem_add(problems, lost ? SEVERITY_ERROR : SEVERITY_WARNING, result->error_code,
		    a->main ? a->main->store->path : NULL, a->record.profile,
		    xstrdup(result->reason ? result->reason : "it is not kept alive"),
		    string_equal(result->error_code, "unknown_outcome")
			    ? xasprintf("%s%soauth-keepalive refresh --last-try %s",
					login ? login : "",
					login ? " # or, if that is too late: " : "", word)
		    : lost ? xstrdup(login)
			   : xasprintf("oauth-keepalive refresh %s", word));
}

// By its fingerprint it has drifted from the live login: whoever uses it is refused.
static void say_behind(const struct report *report, const struct account *a,
		       const struct result *result, const struct member *m,
		       struct problems *problems)
{
	enum copy_state state = report_copy_state(report, a, result, m);
	struct fingerprint stands = m->copy->credential.fingerprint;
	struct fingerprint live = a->verdict.record.live.fingerprint;
	_cleanup_free_ char *word = shell_quoted(a->record.profile);
	bool same = fingerprint_equal(stands, live);

	if (state != COPY_SUPERSEDED && state != COPY_PENDING && state != COPY_NEWER)
		return;
	problem_add(problems, SEVERITY_WARNING, "copy_behind", m->store->path, a->record.profile,
		    same ? xstrdup("its expiry differs from the live login's")
			 : xasprintf("it holds %.12s, but %.12s is live: %s", stands.hex, live.hex,
				     state == COPY_NEWER
					     ? "a newer login, which every copy should have"
					     : "whoever uses it is refused"),
		    xasprintf("oauth-keepalive sync %s", word));
}

// What one logout, or one replay, stops.
static void say_blast_radius(const struct account *a, struct problems *problems)
{
	size_t agents = 0, equal = 0;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		agents += m->store->agent && verdict_of(a, m)->state != COPY_FOREIGN;
		equal += m != a->main && m->store->agent && a->main &&
			 fingerprint_equal(m->copy->credential.fingerprint,
					   a->main->copy->credential.fingerprint);
	}
	if (agents < 2)
		return;
	problem_add(problems, SEVERITY_INFO, "blast_radius", NULL, a->record.profile,
		    xasprintf("%zu agents depend on this login; %zu hold a copy that equals "
			      "main's, which they would inherit without it",
			      agents, equal),
		    NULL);
}

void doctor_check_logins(const struct report *report, struct problems *problems)
{
	const struct cycle *cycle = report->cycle;

	for (size_t i = 0; i < cycle->results.n; i++) {
		const struct result *result = &cycle->results.list[i];
		const struct account *a = observation_account(&cycle->now, result->key);
		if (!a || result->outcome == OUTCOME_SKIPPED)
			continue;
		say_outcome(a, result, problems);
		for (size_t k = 0; k < a->n_members && !is_lost(result); k++)
			say_behind(report, a, result, &a->members[k], problems);
		say_blast_radius(a, problems);
	}
}
