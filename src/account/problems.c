// SPDX-License-Identifier: MIT
//
// What a person should know of the accounts as they were decided. (What is wrong with a store says who reads it.)
#include "account/judge.h"

#include "base/clock.h"

#define GRANT_WARNING_S (3 * DAY_S) // Claude Code warns as early

static void warn(struct observation *o, const struct account *a, const char *code,
		 const char *message, const char *fix)
{
	problem_add(&o->problems, SEVERITY_WARNING, code, NULL, a->record.profile, xstrdup(message),
		    xstrdup(fix));
}

// ---- its times

static void say_margins(struct observation *o, const struct account *a)
{
	if (a->verdict.schedule.timer_too_slow)
		warn(o, a, "timer_too_slow",
		     "the timer does not run often enough for tokens that expire so soon",
		     "shorten the timer and set `timer_period` in oauth-keepalive.conf");
	if (a->verdict.schedule.margin_too_long)
		warn(o, a, "margin_too_long",
		     "the margin is over 80 % of the token's lifetime: it is refreshed almost "
		     "always",
		     "choose a shorter `margin` in oauth-keepalive.conf");
	if (a->verdict.schedule.margin_raised && !a->skip) {
		_cleanup_free_ char *used = duration_format(a->verdict.schedule.margin_s);
		problem_add(&o->problems, SEVERITY_INFO, "margin_raised", NULL, a->record.profile,
			    xasprintf("the configured margin is so short that the next run, or "
				      "OpenClaw's own refresh, might come first; %s is used",
				      used),
			    xstrdup("choose a longer `margin` in oauth-keepalive.conf"));
	}
	if (a->verdict.schedule.margin_short && a->dir->fences && !a->skip &&
	    a->verdict.schedule.expires_ms)
		warn(o, a, "margin_short",
		     "`openclaw doctor --fix` refreshes everything that has less than 24 hours "
		     "left, and loses the login on any error",
		     "set `margin = \"25h\"` or more in oauth-keepalive.conf");
}

// Then it is not we who refresh, and what it spends behind us is adopted at best.
static void say_earlier(struct observation *o, const struct account *a)
{
	const struct format *format = a->verdict.schedule.earlier;

	if (!format || a->skip || a->verdict.record.ended_ms)
		return;
	_cleanup_free_ char *margin = duration_format(a->verdict.schedule.margin_s);
	_cleanup_free_ char *message = xasprintf("%s shares this login and refreshes it by itself, "
						 "earlier than this program does (margin %s)",
						 format->name, margin);
	warn(o, a, "margin_below_tool", message,
	     format->withhold == WITHHOLD_NEVER
		     ? "choose a longer `margin` in oauth-keepalive.conf"
		     : "choose a longer `margin` in oauth-keepalive.conf, or `refresh_token = "
		       "\"withhold\"` for its file");
}

static void say_ends(struct observation *o, const struct account *a, const struct policy *policy)
{
	int64_t ends_ms = a->verdict.record.grant_expires_ms;

	if (expiry_is_unknown(&a->verdict.schedule) && a->verdict.record.live.answered &&
	    !a->skip && !a->verdict.record.ended_ms)
		warn(o, a, "expiry_unknown",
		     "nothing tells when the access token expires, not even the provider's answer; "
		     "so it is not refreshed automatically",
		     "set `lifetime` for its provider, or run `oauth-keepalive refresh --force`");
	if (ends_ms && !a->skip && !a->verdict.record.dead_code[0] &&
	    ends_ms - policy->now_ms < GRANT_WARNING_S * SECOND_MS) {
		_cleanup_free_ char *when = time_format(ends_ms);
		_cleanup_free_ char *message = xasprintf(
			"the provider ends this login itself at %s; refreshing does not prolong it",
			when);
		warn(o, a, "login_ends_soon", message, a->provider->login_command);
	}
}

// By the ledger's word one of two is wrong, the clock now or the clock then, and no server has said which; by a server's
// word it was wrong when that answered.
static void say_clock(struct observation *o, const struct account *a, const struct policy *policy)
{
	int64_t ahead_s = a->verdict.clock_ahead_ms / SECOND_MS;
	_cleanup_free_ char *now = time_format(policy->now_ms);
	_cleanup_free_ char *known = time_format(a->verdict.record.updated_ms);
	_cleanup_free_ char *by = duration_format(ahead_s < 0 ? -ahead_s : ahead_s);
	char *message, *fix;

	if (a->skip || (!a->verdict.clock_wrong && !ahead_s))
		return;
	if (policy->now_ms < clock_build_ms() && a->verdict.clock_wrong) {
		message = xasprintf("the system clock says %s, before this program was built: "
				    "nothing is decided by time",
				    now);
		fix = xstrdup("set the clock (timedatectl)");
	} else if (a->verdict.clock_wrong) {
		message = xasprintf("the system clock says %s, but the ledger was written at %s: "
				    "nothing is decided by time",
				    now, known);
		fix = xstrdup("set the clock (timedatectl); only if it is right now, and was ahead "
			      "before: `oauth-keepalive refresh --force`");
	} else {
		message = xasprintf(
			"the system clock was %s %s the provider's at the provider's last answer",
			by, ahead_s > 0 ? "ahead of" : "behind");
		fix = xstrdup("set the clock (timedatectl), unless that has been done since; the "
			      "rest mends itself");
	}
	problem_add(&o->problems, SEVERITY_ERROR, "clock", NULL, a->record.profile, message, fix)
		->needs_person = true;
}

// The only copy that is left of it is the ledger's, and there is nowhere to save an answer.
static void say_vanished(struct observation *o, const struct account *a)
{
	const struct account_record *r = &a->record;

	if (!string_equal(a->verdict.code, "vanished"))
		return;
	_cleanup_free_ char *until = time_format(r->live.expires_ms);
	_cleanup_free_ char *directory = a->dir->gone ? string_printable(a->dir->path, 1024) : NULL;
	problem_add(
		&o->problems, SEVERITY_ERROR, "vanished", r->main_store, r->profile,
		xasprintf("%s%sno store holds this login any more, but nobody logged out: only the "
			  "ledger has it, and it is not refreshed; its access token expires at %s",
			  directory ? directory : "", directory ? " is gone: " : "",
			  until ? until : "an unknown time"),
		xasprintf("bring the store back (a mount, a backup); if it is gone for good: "
			  "oauth-keepalive forget %.12s",
			  r->key))
		->needs_person = true;
}

// Of its copies; 0: none says.
static int64_t newest_expiry(const struct account *a)
{
	int64_t newest_ms = 0;

	for (size_t i = 0; i < a->n_members; i++)
		if (a->members[i].copy->credential.expires_ms > newest_ms)
			newest_ms = a->members[i].copy->credential.expires_ms;
	return newest_ms;
}

// A login that nothing keeps alive must not be found out at night. (One that is excluded, or that needs no refresh, is
// nobody's problem.)
static void say_unserved(struct observation *o, const struct account *a,
			 const struct policy *policy)
{
	int64_t ends_ms = newest_expiry(a);
	bool ended = ends_ms && ends_ms <= policy->now_ms && !a->put_away;
	_cleanup_free_ char *at = ends_ms && !a->put_away ? time_format(ends_ms) : NULL;

	if (!a->verdict.unserved || a->verdict.outcome != OUTCOME_SKIPPED || !a->n_members)
		return;
	problem_add(&o->problems, ended ? SEVERITY_ERROR : SEVERITY_WARNING, "not_refreshed", NULL,
		    a->record.profile,
		    xasprintf("nothing refreshes this login: %s%s%s", a->verdict.reason,
			      ended ? "; it ended at "
			      : at  ? "; it ends at "
				    : "",
			      at ? at : ""),
		    a->put_away ? xasprintf("if it is in use, too, name both directories in "
					    "`state_dirs`; if not, call %s by another name "
					    "than .openclaw-*",
					    a->dir->path)
				: xstrdup("name it in `exclude`, if something else keeps it alive"))
		->needs_person = ended;
}

// How a person names this account and no other.
static char *account_selector(const struct observation *o, const struct account *a)
{
	const struct account_record *r = &a->verdict.record;
	const char *email = r->identity.email;
	_cleanup_free_ char *name =
		email ? xasprintf("%s/%s@%s", r->provider, r->profile, email) : NULL;
	const struct selection selection = {&name, 1};
	bool alone = name != NULL;

	for (size_t i = 0; alone && i < o->n_accounts; i++)
		alone = o->accounts[i] == a || !selection_matches(&selection, o->accounts[i],
								  &o->accounts[i]->verdict.record);
	return alone ? shell_quoted(name) : xstrndup(r->key, FINGERPRINT_SHOWN);
}

static void say_split(struct observation *o, const struct account *a)
{
	const struct account_record *r = &a->verdict.record;

	if (!r->split || !a->n_members)
		return;
	_cleanup_free_ char *who = string_printable(identity_label(&r->identity), 64);
	_cleanup_free_ char *selector = account_selector(o, a);
	problem_add(&o->problems, SEVERITY_WARNING, "identity_split", a->members[0].store->path,
		    r->profile,
		    xasprintf("main holds another identity now; the copies that still belong to "
			      "%s are kept alive as an account of their own: leave it so if both "
			      "are wanted",
			      who),
		    xasprintf("oauth-keepalive sync --follow all %s # gives them main's login; "
			      "with an agent's name in the place of `all`, that agent",
			      selector));
}

// The answer that is kept in the receipt: whose, and what to do if that is the same person.
static void say_mismatch(struct observation *o, const struct account *a)
{
	const struct account_record *r = &a->verdict.record;
	const char *login = a->provider ? a->provider->login_command : NULL;

	if (!string_equal(a->verdict.code, "identity_mismatch"))
		return;
	for (size_t i = 0; i < a->n_receipts; i++) {
		const struct receipt *receipt = a->receipts[i];
		_cleanup_(answer_free) struct answer answer = {0};
		if (receipt->state != RECEIPT_ANSWERED ||
		    !fingerprint_equal(receipt->token, r->live.fingerprint))
			continue;
		provider_read_answer(a->provider, &receipt->answer, receipt->received_ms, &answer);
		_cleanup_free_ char *ours = string_printable(identity_label(&r->identity), 64);
		_cleanup_free_ char *theirs =
			string_printable(identity_label(&answer.identity), 64);
		_cleanup_free_ char *selector = account_selector(o, a), *where = NULL;
		bool other = names_another_user(r, &answer) || !a->main;
		where = a->main ? shell_quoted(a->main->store->agent ? a->main->store->agent
								     : a->main->store->path)
				: NULL;
		problem_add(
			&o->problems, SEVERITY_ERROR, "identity_mismatch", NULL, r->profile,
			xasprintf("this login is %s's, and the provider's answer to its refresh is "
				  "for "
				  "%s: kept, and written nowhere",
				  ours, theirs),
			other ? xstrdup(login ? login : "log in again in the main store")
			      : xasprintf(
					"oauth-keepalive sync --adopt %s --force %s # if both are "
					"one person, whose address or plan has "
					"changed; else: %s",
					where, selector, login ? login : "log in again"))
			->needs_person = true;
	}
}

// ---- its copies

// The ids in which two identities disagree.
static void disagreement(const struct identity *a, const struct identity *b, const char **ret_a,
			 const char **ret_b)
{
	const struct identity pairs[][2] = {
		{{.user_id = a->user_id}, {.user_id = b->user_id}},
		{{.account_id = a->account_id}, {.account_id = b->account_id}},
		{{.email = a->email}, {.email = b->email}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		*ret_a = identity_name(&pairs[i][0]);
		*ret_b = identity_name(&pairs[i][1]);
		if (identity_compare(&pairs[i][0], &pairs[i][1]) == IDENTITY_DIFFERENT)
			return;
	}
}

static char *sync_command(const struct observation *o, const struct account *a,
			  const struct member *m, const char *option)
{
	_cleanup_free_ char *store = shell_quoted(m->store->path);
	_cleanup_free_ char *name =
		a->record.own_login ? account_selector(o, a) : shell_quoted(a->record.profile);

	return xasprintf("oauth-keepalive sync %s %s %s", option, store, name);
}

// Neither is sent or written until a person has said which is right.
static void say_conflict(struct observation *o, const struct account *a, const struct member *m)
{
	const char *login = a->provider ? a->provider->login_command : NULL, *account, *entry;

	if (!member_contradicts(a, &a->verdict.record, m))
		return;
	_cleanup_free_ char *correct = sync_command(o, a, m, "--follow");
	disagreement(&a->verdict.record.identity, &m->copy->credential.identity, &account, &entry);
	_cleanup_free_ char *x = string_printable(account, 64), *y = string_printable(entry, 64);
	problem_add(
		&o->problems, SEVERITY_ERROR, "identity_conflict", m->store->path,
		a->record.profile,
		xasprintf("this entry says that it is %s, but its refresh token is that of %s: it "
			  "is not sent for either",
			  y, x),
		xasprintf("%s # the entry shall say %s; if that is wrong, log in again there%s%s",
			  correct, x, login ? ": " : "", login ? login : ""))
		->needs_person = true;
}

// Not while it is repaired, recovered or tried again.
static bool fence_needs_person(const struct account *a, const struct member *m)
{
	if (verdict_of(a, m)->write || a->verdict.outcome == OUTCOME_BUSY)
		return false;
	return !record_knows_fence(&a->verdict.record, m->copy->fence.digest) ||
	       a->verdict.outcome == OUTCOME_NEEDS_LOGIN || a->verdict.outcome == OUTCOME_HELD;
}

// What displaces one copy goes before what displaces all others. To a shell the rest of the line is a comment.
static char *decide_command(const struct observation *o, const struct account *a,
			    const struct member *m)
{
	if (a->identity_conflict || a->shared_token) // nothing is adopted meanwhile
		return NULL;
	_cleanup_free_ char *adopt = sync_command(o, a, m, "--adopt");
	if (m == a->main)
		return TAKE_PTR(adopt);
	_cleanup_free_ char *follow = sync_command(o, a, m, "--follow");
	if (m->copy->external && !m->copy->external->withhold)
		return xasprintf(
			"%s # if it is this person's: its program may have made it of ours. "
			"If not: %s",
			adopt, follow);
	return xasprintf("%s # or, to take it instead: %s", follow, adopt);
}

// Logged out, and then the very login stands there again: a store was restored, or it was no logout.
static void say_ended_again(struct observation *o, const struct account *a)
{
	const struct member *m = a->main;

	if (!a->verdict.record.ended_ms || a->skip || !m || m->copy->kind != COPY_OAUTH ||
	    !fingerprint_equal(m->copy->credential.fingerprint, a->verdict.record.live.fingerprint))
		return;
	problem_add(&o->problems, SEVERITY_WARNING, "login_ended", m->store->path,
		    a->record.profile,
		    xstrdup("it was logged out there, and the same login stands there again: it is "
			    "not used until somebody says that it was no logout"),
		    sync_command(o, a, m, "--adopt"));
}

static void say_copy(struct observation *o, const struct account *a, const struct member *m)
{
	const struct copy_verdict *v = verdict_of(a, m);
	const char *login = a->provider ? a->provider->login_command : NULL;
	enum severity severity = SEVERITY_ERROR;
	_cleanup_free_ char *entry = NULL;
	const char *code, *what;
	char *fix = NULL;

	if (v->state == COPY_UNPROVEN) {
		severity = SEVERITY_WARNING;
		code = "copy_unproven";
		what = "nothing shows that this copy belongs to the account: it is neither written "
		       "nor sent";
		fix = !account_logged_out(a) ? decide_command(o, a, m)
		      : login		     ? xstrdup(login)
					     : xstrdup("log in again in the main store");
	} else if (v->state == COPY_FOREIGN) {
		severity = SEVERITY_WARNING;
		code = "copy_foreign";
		what = "this copy belongs to another identity: left alone";
		fix = xstrdup("take it out of `stores` of oauth-keepalive.conf, name its own "
			      "account there, or log in with it as this account's person");
	} else if (v->state == COPY_STATE_FENCED && fence_needs_person(a, m)) {
		code = "copy_fenced";
		what = "OpenClaw gave this login up after a failed refresh";
		fix = xstrdup(login ? login : "log in again");
	} else if (v->state == COPY_DIVERGED && !v->fixed && a->verdict.outcome != OUTCOME_BUSY) {
		// (while it is busy, not judged yet; fixed, say_conflict says it)
		code = "copy_diverged";
		what = "this copy holds a login that is neither provably newer nor provably older "
		       "than the live one: neither written nor sent";
		fix = a->verdict.record.ended_ms
			      ? xstrdup(login ? login : "log in again in the main store")
			      : decide_command(o, a, m);
	} else if (v->expiry_left) {
		severity = SEVERITY_INFO;
		code = "expiry_fight";
		what = "another program has made its expiry wrong again; it is corrected once an "
		       "hour";
	} else if (v->state == COPY_STATE_UNREADABLE) {
		code = "credential_unreadable";
		entry = xasprintf("bad entry: %s", m->copy->reason ? m->copy->reason : "?");
		what = entry;
		fix = xasprintf("%s # or correct the entry", login ? login : "log in again");
	} else {
		return;
	}
	problem_add(&o->problems, severity, code, m->store->path, a->record.profile, xstrdup(what),
		    fix)
		->needs_person = severity == SEVERITY_ERROR;
}

// Before anything is spent for it: main's bars the request, an agent's copy would stay behind.
static void say_obstacle(struct observation *o, const struct account *a, const struct member *m)
{
	const struct store *store = m->store;
	bool vital = member_is_vital(a, m);

	if (verdict_of(a, m)->fixed || !store->obstacle)
		return;
	_cleanup_free_ char *shown = string_printable(store->target, 1024);
	problem_add(&o->problems, vital ? SEVERITY_ERROR : SEVERITY_WARNING, "store_not_writable",
		    store->path, NULL,
		    xasprintf("%s cannot be written: %s; %s", shown, obstacle_text(store->obstacle),
			      vital ? "nothing is sent for its login until it can be"
				    : "its copy will fall behind"),
		    obstacle_fix(store->obstacle, store->target))
		->needs_person = vital && !obstacle_may_pass(store->obstacle);
}

static bool account_shows_live(const struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (fingerprint_equal(a->members[i].copy->credential.fingerprint,
				      a->verdict.record.live.fingerprint))
			return true;
	return false;
}

// Whose it is to refresh, where that is not as it always was.
static void say_hosts(struct observation *o, const struct account *a)
{
	const struct custody *c = &a->verdict.custody;
	_cleanup_free_ char *name = account_selector(o, a);
	const char *profile = a->record.profile;

	if (c->ownership == OWNERSHIP_RELEASED && account_shows_live(a))
		problem_add(&o->problems, SEVERITY_WARNING, "released", NULL, profile,
			    xstrdup("it was released to another host, and the agents here still "
				    "have it: once it expires, OpenClaw here sends its token by "
				    "itself"),
			    xasprintf("let this host follow; on the new owner: oauth-keepalive "
				      "export %s | ssh THIS-HOST oauth-keepalive import # or stop "
				      "the agents; where no host has imported it: oauth-keepalive "
				      "own %s",
				      name, name));
	else if (string_equal(a->verdict.code, "leader_silent"))
		problem_add(&o->problems,
			    a->verdict.outcome == OUTCOME_HELD ? SEVERITY_ERROR : SEVERITY_WARNING,
			    "leader_silent", NULL, profile,
			    xasprintf("%s has not sent its next generation: five minutes before it "
				      "expires, OpenClaw here sends a token that may be spent",
				      c->host),
			    xasprintf("see to the timer and the hook push-ssh on %s; if that host "
				      "is gone for good: oauth-keepalive own %s",
				      c->host, name));
	else if (c->ownership == OWNERSHIP_OURS && *c->ledger)
		problem_add(&o->problems, SEVERITY_WARNING, "left_leader", NULL, profile,
			    xasprintf("this host followed %s until a login was made here, or "
				      "OpenClaw here refreshed it: this host keeps that alive now, "
				      "and the token on %s may be spent",
				      c->host, c->host),
			    xasprintf("oauth-keepalive own %s # it shall be so; or, on %s: "
				      "oauth-keepalive export %s | ssh THIS-HOST oauth-keepalive "
				      "import --force",
				      name, c->host, name));
}

void say_problems(struct observation *o, const struct policy *policy)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		say_margins(o, a);
		say_earlier(o, a);
		say_ends(o, a, policy);
		say_clock(o, a, policy);
		say_mismatch(o, a);
		say_unserved(o, a, policy);
		say_vanished(o, a);
		if (a->verdict.custody.since_ms)
			say_hosts(o, a);
		say_split(o, a);
		say_ended_again(o, a);
		for (size_t k = 0; k < a->n_members; k++) {
			say_conflict(o, a, &a->members[k]);
			if (!a->skip)
				say_obstacle(o, a, &a->members[k]);
			say_copy(o, a, &a->members[k]);
		}
	}
}
