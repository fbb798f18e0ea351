// SPDX-License-Identifier: MIT
//
// What a person decided (`sync --adopt STORE`, `restore ID`): that login and no other, or a reason why not. Or that a copy
// follows (`sync --follow STORE`).
//
// It is pinned for the run: nothing newer, older or diverged is adopted over it, and what the other copies hold that
// nobody knows is displaced. A token comes back only where something shows that it was never sent.
#include "account/judge.h"

#include "base/clock.h"

#define SCRAP_BYTES 12 // no provider's token is as short

static const struct member *named_member(const struct account *a, const struct policy *policy)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (!a->members[i].given_away &&
		    store_is_named(a->members[i].store, policy->choice.store))
			return &a->members[i];
	return NULL;
}

// A copy that goes its own way, by a login that is not the account's. One that all others are about to follow does not.
static bool goes_its_own_way(const struct judgement *j, const struct member *m)
{
	return m != j->account->main && m->copy->kind == COPY_OAUTH &&
	       (m->taken_from || m->state == COPY_UNPROVEN ||
		(member_is_fresh(j, m) && !member_leads(j, m)));
}

static bool any_to_follow(const struct judgement *j)
{
	const struct account *a = j->account;

	for (size_t i = 0; i < a->n_members; i++)
		if (goes_its_own_way(j, &a->members[i]))
			return true;
	return false;
}

bool account_takes_copies(const struct account *a)
{
	for (size_t i = 0; i < a->n_members; i++)
		if (a->members[i].taken_from)
			return true;
	return false;
}

bool account_is_chosen(const struct account *a, const struct account_record *record,
		       const struct policy *policy)
{
	const struct choice *choice = &policy->choice;

	if (choice->accounts && !a->handed && !selection_matches(choice->accounts, a, record) &&
	    !account_takes_copies(a))
		return false;
	switch (choice->kind) {
	case CHOICE_NONE:
		return false;
	case CHOICE_RESTORE:
		return a->restores;
	case CHOICE_ADOPT:
	case CHOICE_FOLLOW:
		return !choice->store || named_member(a, policy);
	case CHOICE_RELEASE:
	case CHOICE_OWN:
	case CHOICE_IMPORT:
		return a->handed;
	}
	return false;
}

bool is_chosen(const struct judgement *j)
{
	const struct choice *choice = &j->policy->choice;

	return account_is_chosen(j->account, &j->verdict->record, j->policy) &&
	       (choice->kind != CHOICE_FOLLOW || choice->store || any_to_follow(j));
}

// ---- why not

void refuse(struct judgement *j, char *reason)
{
	struct verdict *v = j->verdict;

	write_nothing(j);
	v->record_changed = false;
	object(j, DECISION_HOLD, OUTCOME_HELD, choice_refused(j->policy->choice.kind), reason);
}

static const char *wrong_kind(const struct member *m)
{
	if (m->state == COPY_RETIRED)
		return "SQLite has replaced that store: OpenClaw no longer reads it";
	if (m->copy->kind == COPY_BLANK)
		return "it is logged out there";
	if (m->copy->kind == COPY_FENCED)
		return "OpenClaw fenced it off there: no token is left";
	if (m->copy->kind != COPY_OAUTH)
		return "the entry there is not an OAuth login that can be read";
	return NULL;
}

static const char of_another[] = "the login there belongs to another identity";

static const char *wrong_copy(const struct judgement *j, const struct member *m)
{
	const struct account_record *r = &j->verdict->record;
	const char *no = wrong_kind(m);

	if (no)
		return no;
	if (identity_compare(&r->identity, &m->copy->credential.identity) == IDENTITY_DIFFERENT)
		return of_another;
	return m->state == COPY_FOREIGN
		       ? "the login there is an account of its own, and is live in that"
		       : NULL;
}

// … and whose it is.
static char *in_words(const char *no, const struct member *m)
{
	if (no != of_another)
		return no ? xstrdup(no) : NULL;
	_cleanup_free_ char *who =
		string_printable(identity_label(&m->copy->credential.identity), 64);
	return xasprintf("%s, %s", no, who);
}

static bool is_scrap(const struct secret *token)
{
	return !secret_empty(token) && token->len < SCRAP_BYTES;
}

// Guides show a wrong spelling beside the right one; what stands there then is often a scrap. And where lists and marks
// were lost, age alone says that it may have been spent.
static const char *what_looks_wrong(const struct judgement *j, const struct member *m,
				    const struct credential *c)
{
	if (is_scrap(&c->refresh) || is_scrap(&c->access))
		return "its tokens are too short to be real";
	if (m && !m->kept && is_not_later_than_previous(j, c))
		return "it is older than the generation before the live one, so it may be spent";
	return NULL;
}

static char *likely_mistake(const struct judgement *j, const struct member *m,
			    const struct credential *c)
{
	const struct account_record *r = &j->verdict->record;
	const char *wrong = what_looks_wrong(j, m, c);
	_cleanup_free_ char *left = wrong ? expiry_describe(j) : NULL;

	return wrong ? xasprintf("%s, and it would replace the live login %.*s, which %s; --force "
				 "takes it anyway",
				 wrong, FINGERPRINT_SHOWN, r->live.fingerprint.hex, left)
		     : NULL;
}

static char *spent_token(const struct judgement *j, const struct member *m,
			 const struct credential *c)
{
	const struct account *a = j->account;
	bool known = record_knows(&j->verdict->record, c->fingerprint) || (m && m->settled);
	bool sent = m ? m->sent : a->restored_sent, kept = m ? m->kept : true;

	for (size_t i = 0; i < a->n_receipts; i++) {
		const struct receipt *r = a->receipts[i];
		_cleanup_free_ char *when = time_format(r->sent_ms);
		if (fingerprint_equal(r->token, c->fingerprint) && r->state != RECEIPT_CLAIMED)
			return xasprintf("its refresh token was sent%s%s: it is spent",
					 when ? " at " : "", when ? when : "");
	}
	if (sent || (known && !kept))
		return xstrdup(sent ? "its refresh token was sent before: it is spent"
				    : "its refresh token was replaced before, and nothing shows "
				      "that it was never sent");
	return NULL;
}

const char *wrong_account(const struct judgement *j)
{
	const struct account *a = j->account;

	if (a->main_trouble)
		return a->main_trouble;
	return account_logged_out(a)
		       ? "it is logged out of its main store, which is where to log in"
		       : NULL;
}

static bool is_of_live(const struct judgement *j, const struct credential *c)
{
	return fingerprint_equal(c->fingerprint, j->verdict->record.live.fingerprint);
}

// … unless a decision in another state directory has marked it since as live no more.
static bool is_live(const struct judgement *j, const struct credential *c)
{
	return is_of_live(j, c) && !j->live_settled;
}

static char *why_not(const struct judgement *j, const struct member *m, const struct credential *c)
{
	const struct account_record *r = &j->verdict->record;
	bool live = is_live(j, c);
	const char *no = m ? wrong_copy(j, m) : NULL;

	if (!no)
		no = wrong_account(j);
	if (!no && is_of_live(j, c) && r->dead_code[0])
		no = "its refresh token is dead";
	if (!no && secret_empty(&c->refresh))
		no = "it holds no refresh token";
	if (no || live)
		return in_words(no, m);
	char *spent = spent_token(j, m, c);
	return spent || j->policy->force ? spent : likely_mistake(j, m, c);
}

// ---- it is done

void bring_back(struct judgement *j, const struct credential *c)
{
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;

	record_take_back(r, c->fingerprint, fence_digest(r->profile, r->provider, &c->refresh));
	fingerprint_list_add(&v->take_back, &v->n_take_back, c->fingerprint);
}

static void make_live(struct judgement *j, const struct member *m, const struct credential *c)
{
	if (record_knows(&j->verdict->record, c->fingerprint) || !m || m->settled)
		bring_back(j, c);
	if (m) {
		on_copy(j, m)->fixed = false;
		on_copy(j, m)->adopted = true;
	}
	adopt_credential(j, c);
	j->live_settled = false;
}

// ---- what stands there gives way

// The login there is another identity's, and its copy changes hands; or it is the account's own, and the entry belies it.
static const char *why_not_taken(const struct judgement *j, const struct member *m)
{
	if (m->taken_from == j->account)
		return wrong_kind(m);
	if (m->taken_from->n_receipts || m->taken_from->n_elsewhere)
		return "a refresh of the login there is not finished: run `oauth-keepalive "
		       "refresh` first";
	if (m->copy->bound)
		return "the entry there has more fields that belong to its login (a project, an "
		       "enterprise): log in there instead";
	return wrong_kind(m);
}

static const char *why_not_follow(const struct judgement *j, const struct member *m)
{
	const struct account *a = j->account;
	const struct account_record *r = &j->verdict->record;
	const char *no = m->taken_from ? why_not_taken(j, m) : wrong_copy(j, m);

	if (no)
		return no;
	if (m == a->main && !m->taken_from && main_may_follow(j))
		return NULL;
	if (m == a->main && !m->taken_from)
		return r->own_login ? "it is a login of its own, of another identity than main's, "
				      "and main has none that it could follow"
				    : "it is the main copy, which the others follow";
	if (wrong_account(j))
		return wrong_account(j);
	if (r->ended_ms || r->dead_code[0] || j->live_settled)
		return "the live login, which it would follow, does not work";
	return NULL;
}

static char *follow(struct judgement *j)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		const char *store = j->policy->choice.store;
		bool named = store ? store_is_named(m->store, store) : goes_its_own_way(j, m);
		named &= !j->policy->choice.done || m != a->main || m->taken_from;
		const char *no = named ? why_not_follow(j, m) : NULL;
		if (no && store)
			return in_words(no, m);
		if (!named || no)
			continue;
		on_copy(j, m)->fixed = false;
		on_copy(j, m)->follows = v->obeyed = true;
	}
	return NULL;
}

// What is restored goes back to where it stood.
static char *take_copies(struct judgement *j)
{
	const struct account *a = j->account;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		const char *no = m->taken_from ? why_not_taken(j, m) : NULL;
		if (no)
			return xstrdup(no);
		if (!m->taken_from)
			continue;
		on_copy(j, m)->follows = true;
		on_copy(j, m)->fixed = false;
	}
	return NULL;
}

// The live generation is the answer to it, as a person vouched (recover.c), and is on its way into that store.
static bool became_live(const struct judgement *j, const struct credential *c)
{
	const struct account *a = j->account;
	bool became = false;

	if (fingerprint_equal(c->fingerprint, j->verdict->record.live.fingerprint))
		return false;
	for (size_t i = 0; i < a->n_receipts && !became; i++) {
		const struct receipt *r = a->receipts[i];
		_cleanup_(answer_free) struct answer answer = {0};
		if (r->state != RECEIPT_ANSWERED || !fingerprint_equal(r->token, c->fingerprint))
			continue;
		provider_read_answer(a->provider, &r->answer, r->received_ms, &answer);
		became = fingerprint_equal(fingerprint_of(&answer.refresh),
					   j->verdict->record.live.fingerprint);
	}
	return became;
}

char *choose(struct judgement *j)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;

	if (j->policy->choice.kind == CHOICE_FOLLOW)
		return follow(j);
	const struct member *m =
		j->policy->choice.kind == CHOICE_ADOPT ? named_member(a, j->policy) : NULL;
	const struct credential *c = m ? &m->copy->credential : &j->policy->choice.kept->credential;
	bool became = became_live(j, c);
	char *no = became ? in_words(wrong_account(j), m) : why_not(j, m, c);

	if (!no)
		no = take_copies(j);
	if (no)
		return no;
	v->obeyed = true;
	if (!became && !is_live(j, c)) {
		make_live(j, m, c);
	} else if (r->ended_ms) { // a person says that it is none
		r->ended_ms = 0;
		v->record_changed = true;
	}
	return NULL;
}

// It is kept as that account's, which goes on with its other copies, or ends. (What is main's stands there, too.)
static void displace_taken(struct judgement *j, const struct member *m, const char *why)
{
	const struct account *from = m->taken_from;
	struct fingerprint token = m->copy->credential.fingerprint;
	struct verdict *v = j->verdict;

	if (from == j->account || !from->record.own_login ||
	    record_superseded(&from->record, token) || from->record.dead_code[0] ||
	    from->live_settled)
		return;
	displace(j, &m->copy->credential, m->store->path, why);
	v->displaced[v->n_displaced - 1].key = from->record.key;
}

void displace_others(struct judgement *j)
{
	const struct account *a = j->account;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		if (m->taken_from && on_copy(j, m)->follows)
			displace_taken(j, m, j->policy->choice.why);
		if ((on_copy(j, m)->follows || live_is_chosen(j)) && member_is_unknown(j, m))
			displace_member(j, m, j->policy->choice.why);
	}
}
