// SPDX-License-Identifier: MIT
//
// One login, several hosts: which of them sends its token (ledger/custody.h), and how that changes hands. Only the owner
// does; a host that follows writes what it is sent to its copies, and one that has released a login leaves it alone.
//
// A login that a person makes here, or that the runtime here has refreshed behind the owner's back, is nobody else's: this
// host owns it from then on (adopt.c), and says so.
#include "account/judge.h"

#include "base/clock.h"
#include "ledger/custody.h"
#include "ledger/handover.h"

// A document that gives a login away is made for a pipe and used at once. Nobody can tell here that another host has taken it
// already: the shorter it is good for, the less a copy of it that was kept can make of it.
#define STALE_S (10 * MINUTE_S)

// ---- own

char *own_again(struct judgement *j)
{
	const struct custody *theirs = elsewhere(j);
	const struct custody *is = theirs ? theirs : &j->verdict->record.custody;
	struct custody ours = {.term = theirs ? is->term + 1 : is->term};

	if (is->since_ms)
		set_custody(j, &ours);
	j->verdict->obeyed = true;
	return NULL;
}

// ---- export --release

static char *why_not_released(const struct judgement *j)
{
	const struct verdict *v = j->verdict;
	const struct account_record *r = &v->record;
	const struct custody *theirs = elsewhere(j);

	if (theirs)
		return xstrdup(custody_objection(theirs));
	if (j->config->cluster.n_endpoints && r->common_line[0])
		return xstrdup("the hosts of a cluster share it, and all of them would go on with "
			       "it: have the other host join them");
	if (v->decision == DECISION_RECOVER)
		return xstrdup("an answer is still to be delivered: run `oauth-keepalive refresh` "
			       "first");
	if (j->recovered.unknown)
		return describe_unknown(j->account->provider, &r->live, j->recovered.unknown);
	if (fences_name_live(j))
		return xstrdup("OpenClaw fenced it off: whether its token is spent, nobody knows");
	if (secret_empty(&r->live.refresh) || secret_empty(&r->live.access))
		return xstrdup("it has no tokens to give away");
	if (r->custody.term >= CUSTODY_TERM_MAX)
		return xstrdup("it has changed hands too often");
	return NULL;
}

static bool is_released_by(const struct account_record *r, const struct policy *policy)
{
	return r->custody.ownership == OWNERSHIP_RELEASED &&
	       string_equal(r->custody.nonce, policy->choice.nonce);
}

bool decide_release(struct judgement *j)
{
	struct verdict *v = j->verdict;
	struct account_record *r = &v->record;
	const struct choice *choice = &j->policy->choice;

	if (choice->kind != CHOICE_RELEASE || !is_chosen(j))
		return false;
	if (!is_released_by(r, j->policy)) {
		char *no = why_not_released(j);
		if (no) {
			object(j, DECISION_HOLD, OUTCOME_HELD, "export_refused", no);
			return true; // what was adopted stands
		}
		struct custody released = {
			.ownership = OWNERSHIP_RELEASED,
			.term = r->custody.term + 1,
		};
		memcpy(released.nonce, choice->nonce, sizeof(released.nonce));
		set_custody(j, &released);
	}
	v->obeyed = true;
	write_nothing(j);
	conclude(j, DECISION_NONE, OUTCOME_UNCHANGED, xstrdup("released to another host"));
	return true;
}

bool account_is_released(const struct account *a, const struct policy *policy)
{
	return is_released_by(&a->record, policy);
}

// ---- import

// Of one line: what is live here is what came, or was replaced by it there.
static bool is_one_line(const struct account_record *r, const struct handover *h)
{
	return fingerprint_equal(r->live.fingerprint, h->live.fingerprint) ||
	       handover_superseded(h, r->live.fingerprint);
}

static bool follows(const struct account_record *r, const struct handover *h)
{
	return r->custody.ownership == OWNERSHIP_FOLLOWS &&
	       string_equal(r->custody.ledger, h->ledger);
}

static const char *wrong_person(const struct judgement *j, const struct handover *h)
{
	const struct account_record *r = &j->verdict->record;

	switch (identity_compare(&r->identity, &h->identity)) {
	case IDENTITY_DIFFERENT:
		return "it is another person's (or workspace's) login than the one here";
	case IDENTITY_SAME:
		return NULL;
	default:
		return is_one_line(r, h) || j->policy->force
			       ? NULL
			       : "nothing shows that it is the same person's login as the one "
				 "here; --force takes it all the same";
	}
}

// The token here is the same, and perhaps the access token beside it is not.
static bool is_older_access(const struct judgement *j, const struct handover *h)
{
	const struct account_record *r = &j->verdict->record;
	const struct issue_time theirs = {h->live.issued_ms, h->live.expires_ms};

	return fingerprint_equal(r->live.fingerprint, h->live.fingerprint) &&
	       !secret_equal(&r->live.access, &h->live.access) &&
	       issue_compare(theirs, issue_of_live(j)) < 0;
}

static const char *too_late(const struct judgement *j, const struct handover *h)
{
	const struct account_record *r = &j->verdict->record;
	bool live = fingerprint_equal(r->live.fingerprint, h->live.fingerprint);

	if (live && r->dead_code[0])
		return "its refresh token is dead";
	if (j->account->import_sent && (!live || j->live_settled))
		return "its refresh token was sent from this host before: it is spent";
	if ((!live && !j->account->import_kept && record_superseded(r, h->live.fingerprint)) ||
	    is_older_access(j, h) || (follows(r, h) && h->number < r->custody.number))
		return "it is older than what this host has";
	if (is_one_line(r, h) && h->term < r->custody.term)
		return "the login has changed hands since that was exported";
	int64_t age_ms = j->policy->now_ms - h->made_ms, most_ms = STALE_S * SECOND_MS;
	if (h->release && !j->policy->force && (age_ms > most_ms || age_ms < -most_ms))
		return "it was not exported within the last ten minutes (by this host's clock), "
		       "and "
		       "may have been imported elsewhere; --force takes it all the same";
	return NULL;
}

static bool is_unfinished(const struct account *a)
{
	for (size_t i = 0; i < a->n_receipts; i++)
		if (a->receipts[i]->trouble || receipt_holds_success(a->receipts[i]))
			return true;
	return a->n_elsewhere > 0;
}

static bool is_alive(const struct judgement *j)
{
	const struct account_record *r = &j->verdict->record;

	return !r->dead_code[0] && !j->live_settled && !secret_empty(&r->live.refresh);
}

// Two hosts that both send what they have: one of them does not own it.
static bool is_second_leader(const struct account_record *r, const struct handover *h)
{
	return r->custody.ownership == OWNERSHIP_FOLLOWS && !follows(r, h) &&
	       h->term <= r->custody.term;
}

static struct credential lend(const struct handover *h)
{
	struct credential c = credential_lent(&h->live);

	c.identity = h->identity;
	return c;
}

// Later than what is live here, or than what came: the next look would adopt it.
static bool is_newer_here(const struct judgement *j, const struct member *m,
			  const struct handover *h)
{
	struct credential theirs = lend(h);

	return !fingerprint_equal(m->copy->credential.fingerprint, h->live.fingerprint) &&
	       !handover_superseded(h, m->copy->credential.fingerprint) &&
	       (member_leads(j, m) || member_leads_past(j, m, issue_of_live(j)) ||
		member_leads_past(j, m, issue_of_copy(j, &theirs)));
}

// What stands here that the other host knows nothing of is a person's, or the runtime's, and stays without their word.
static char *in_the_way(const struct judgement *j, const struct handover *h)
{
	const struct account *a = j->account;
	const struct account_record *r = &j->verdict->record;

	for (size_t i = 0; i < a->n_members; i++)
		if (is_newer_here(j, &a->members[i], h))
			return xasprintf("%s holds a newer login that was made on this host, and "
					 "stays; --force displaces it",
					 a->members[i].store->path);
	if (r->ended_ms)
		return xstrdup("it was logged out here, and no login followed; --force brings it "
			       "back");
	if (is_second_leader(r, h))
		return xasprintf("this host follows %s, not %s: one of them must be told to stop; "
				 "--force follows the new one",
				 r->custody.host, h->host);
	if (!is_one_line(r, h) && !follows(r, h) && is_alive(j))
		return xstrdup("this host has a login of its own, which stays; --force displaces "
			       "it");
	return NULL;
}

static char *why_not_import(const struct judgement *j, const struct handover *h)
{
	const char *no = wrong_account(j);

	if (!no)
		no = wrong_person(j, h);
	if (!no)
		no = too_late(j, h);
	if (!no && is_unfinished(j->account))
		no = "a refresh of the login here is not finished: run `oauth-keepalive refresh` "
		     "first";
	if (no)
		return xstrdup(no);
	return j->policy->force ? NULL : in_the_way(j, h);
}

// What was replaced there is replaced here, too.
static void take_history(struct judgement *j, const struct handover *h)
{
	struct account_record *r = &j->verdict->record;

	for (size_t i = 0; i < h->n_superseded; i++) {
		j->verdict->record_changed |= !record_superseded(r, h->superseded[i]);
		record_supersede(r, h->superseded[i]);
	}
	for (size_t i = 0; i < h->n_fences; i++)
		record_supersede_fence(r, h->fences[i]);
	r->previous.issued_ms = later_of(r->previous.issued_ms, h->previous.issued_ms);
	r->previous.expires_ms = later_of(r->previous.expires_ms, h->previous.expires_ms);
	if (h->lifetime_s)
		r->lifetime_s = h->lifetime_s;
}

static void take_generation(struct judgement *j, const struct handover *h)
{
	struct account_record *r = &j->verdict->record;
	struct credential c = lend(h);

	if (r->ended_ms) { // a person says that it is none
		r->ended_ms = 0;
		j->verdict->record_changed = true;
	}
	take_history(j, h);
	if (fingerprint_equal(r->live.fingerprint, h->live.fingerprint) &&
	    secret_equal(&r->live.access, &h->live.access) && !j->live_settled)
		return;
	bring_back(j, &c); // where a login made here had taken its place, or it was forgotten
	j->live_settled = false;
	adopt_credential(j, &c);
	free(TAKE_PTR(r->adopted_from));
	r->grant_expires_ms = h->grant_expires_ms;
}

char *take_import(struct judgement *j)
{
	const struct handover *h = j->policy->choice.import;
	const struct custody *is = &j->verdict->record.custody;
	bool ours = is->ownership == OWNERSHIP_OURS && is->term == h->term;
	struct custody to = {.term = h->term};
	char *no = why_not_import(j, h);

	if (no)
		return no;
	j->verdict->obeyed = true;
	take_generation(j, h);
	if (!h->release) {
		to.ownership = OWNERSHIP_FOLLOWS;
		to.number = h->number;
		to.heard_ms = j->policy->now_ms;
		memcpy(to.ledger, h->ledger, sizeof(to.ledger));
		memcpy(to.host, h->host, sizeof(to.host));
	}
	if (!h->release || !ours)
		set_custody(j, &to);
	return NULL;
}

// ---- in every run

// Whether it is silent is judged by now, also if the run is to look ahead (`token --min-life`, `refresh --at`).
static void decide_followed(struct judgement *j, const struct custody *leader)
{
	struct verdict *v = j->verdict;
	int64_t expires_ms = shown_expiry_ms(&v->schedule);
	int64_t left_s = (expires_ms - j->policy->now_ms) / SECOND_MS;
	bool timed = expires_ms && !v->clock_wrong;
	bool late = timed && left_s < v->schedule.margin_s / 2;
	bool lost = timed && left_s < last_resort_s(j->config);
	_cleanup_free_ char *time = expiry_describe(j), *heard = NULL;

	heard = duration_format((j->policy->now_ms - leader->heard_ms) / SECOND_MS);
	char *reason = xasprintf("follows %s, heard %s ago; %s", leader->host, heard, time);
	if (v->decision == DECISION_NONE && writes_any(j))
		v->decision = DECISION_MIRROR;
	if (lost)
		object(j, DECISION_HOLD, OUTCOME_HELD, "leader_silent", reason);
	else if (late)
		object(j, v->decision, OUTCOME_FAILED, "leader_silent", reason);
	else
		conclude(j, v->decision,
			 v->decision == DECISION_NONE ? OUTCOME_UNCHANGED : OUTCOME_PLANNED,
			 reason);
}

static void leave_released(struct judgement *j, const struct custody *custody)
{
	_cleanup_free_ char *since = time_format(custody->since_ms);

	write_nothing(j);
	conclude(j, DECISION_SKIP, OUTCOME_SKIPPED,
		 xasprintf("released to another host at %s, and not refreshed here any more",
			   since));
}

bool skip_released(struct judgement *j)
{
	const struct custody *custody = &j->verdict->record.custody;

	if (custody->ownership != OWNERSHIP_RELEASED)
		return false;
	leave_released(j, custody);
	return true;
}

bool decide_unowned(struct judgement *j)
{
	const struct custody *theirs = elsewhere(j);

	if (!theirs)
		return false;
	if (theirs->ownership == OWNERSHIP_FOLLOWS)
		decide_followed(j, theirs);
	else
		leave_released(j, theirs);
	return true;
}

// ---- which accounts are meant, and by whose records they are bound

static struct fingerprint token_of(const struct account *a)
{
	return a->recorded || !a->main ? a->record.live.fingerprint
				       : a->main->copy->credential.fingerprint;
}

static bool is_one_login(const struct account *a, const struct account *b)
{
	return provider_same_family(a->provider, b->provider) &&
	       fingerprint_equal(token_of(a), token_of(b));
}

static void mark_named(struct observation *o, const struct selection *selection)
{
	for (size_t i = 0; i < o->n_accounts; i++)
		o->accounts[i]->handed =
			selection_matches(selection, o->accounts[i], &o->accounts[i]->record);
}

// The same login under other names, which would spend the same token.
static void mark_other_names(struct observation *o)
{
	for (size_t i = 0; i < o->n_accounts; i++)
		for (size_t k = 0; k < o->n_accounts && !o->accounts[i]->handed; k++)
			o->accounts[i]->handed = o->accounts[k]->handed &&
						 is_one_login(o->accounts[i], o->accounts[k]);
}

static bool is_named_so(const struct account *a, const struct handover *h)
{
	return string_equal(a->record.provider, h->provider) &&
	       string_equal(a->record.profile, h->profile);
}

// How well what came fits an account: 0, not at all. By name and person; else by its tokens, which an upgrade of OpenClaw
// may have given another name; else by name alone, which is refused with a reason.
static int fit(const struct config *config, const struct account *a, const struct handover *h)
{
	const struct provider *theirs = config_provider(config, h->provider);
	enum identity_match match = identity_compare(&a->record.identity, &h->identity);

	if (a->skip || !a->n_members)
		return 0;
	if (is_named_so(a, h))
		return match == IDENTITY_SAME ? 4 : match == IDENTITY_DIFFERENT ? 1 : 3;
	return match != IDENTITY_DIFFERENT && provider_same_family(theirs, a->provider) &&
			       (fingerprint_equal(token_of(a), h->live.fingerprint) ||
				handover_superseded(h, token_of(a)))
		       ? 2
		       : 0;
}

static void mark_import(struct observation *o, const struct config *config,
			const struct handover *h)
{
	struct account *best = NULL;

	for (size_t i = 0; i < o->n_accounts; i++)
		if (!best ? fit(config, o->accounts[i], h) > 0
			  : fit(config, o->accounts[i], h) > fit(config, best, h))
			best = o->accounts[i];
	if (best)
		best->handed = true;
}

static void look_up_import(struct account *a, const struct handover *h, const struct ledger *ledger)
{
	struct fingerprint token = h->live.fingerprint;

	a->import_sent = ledger->exists && !receipt_never_was(ledger, token);
	a->import_kept = ledger->exists && displaced_holds(ledger, a->record.key, token);
}

// The cluster has one login for a profile id, and this host has two, in two state directories.
static bool has_one_place(const struct account *a, const struct account *b)
{
	return !a->record.own_login && !b->record.own_login &&
	       string_equal(a->record.profile, b->record.profile) &&
	       string_equal(a->record.provider, b->record.provider) &&
	       !fingerprint_equal(token_of(a), token_of(b));
}

static void mark_twins(struct observation *o)
{
	for (size_t i = 0; i < o->n_accounts; i++)
		for (size_t k = 0; k < i; k++)
			if (has_one_place(o->accounts[i], o->accounts[k]))
				o->accounts[i]->twin = o->accounts[k]->twin = true;
}

void look_up_hosts(struct observation *o, const struct config *config, const struct policy *policy,
		   const struct ledger *ledger)
{
	const struct choice *choice = &policy->choice;

	for (size_t i = 0; i < o->records.n; i++)
		if (o->records.list[i].custody.ownership != OWNERSHIP_OURS)
			*array_add(&o->unowned, &o->n_unowned) = &o->records.list[i];
	for (size_t i = 0; i < o->n_accounts; i++) {
		o->accounts[i]->unowned = o->unowned;
		o->accounts[i]->n_unowned = o->n_unowned;
	}
	if (config->cluster.n_endpoints)
		mark_twins(o);
	if (choice->kind == CHOICE_IMPORT)
		mark_import(o, config, choice->import);
	else if (choice->kind == CHOICE_RELEASE || choice->kind == CHOICE_OWN)
		mark_named(o, choice->accounts);
	else
		return;
	mark_other_names(o);
	for (size_t i = 0; i < o->n_accounts && choice->kind == CHOICE_IMPORT; i++)
		if (o->accounts[i]->handed)
			look_up_import(o->accounts[i], choice->import, ledger);
}
