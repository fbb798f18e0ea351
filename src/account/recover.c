// SPDX-License-Identifier: MIT
//
// Receipts: what became of a token that was sent, by the answer that was kept.
#include <stdio.h>
#include <stdlib.h>

#include "account/judge.h"

#include "base/clock.h"

#define WITNESSES_AGREE_MS (10 * MINUTE_S * SECOND_MS)
#define FRESH_WITHIN_MS	   (10 * SECOND_MS) // `exp` may be reckoned a moment after `iat`

static bool is_live(const struct judgement *j, const struct receipt *receipt)
{
	const struct account_record *r = &j->verdict->record;

	return fingerprint_equal(receipt->token, r->live.fingerprint);
}

static bool shows_token(const char *text, const struct generation *live)
{
	return said_shows(text, &live->refresh) || said_shows(text, &live->access) ||
	       said_shows(text, &live->id_token);
}

// Neither what it says for people nor its code is kept where that should quote one of the tokens.
static void read_answer(const struct provider *provider, const struct generation *live,
			const struct receipt *receipt, struct answer *ret)
{
	provider_read_answer(provider, &receipt->answer, receipt->received_ms, ret);
	if (shows_token(ret->said, live))
		ret->said[0] = '\0';
	if (shows_token(ret->code, live))
		snprintf(ret->code, sizeof(ret->code), "http_%d", ret->status);
}

static bool is_near(int64_t a_ms, int64_t b_ms)
{
	return a_ms < b_ms + WITNESSES_AGREE_MS && b_ms < a_ms + WITNESSES_AGREE_MS;
}

// The server's time when it answered: as it says, or as a token says that was made for this answer. Where these two
// contradict each other, the one that our own clock bears out.
static int64_t witness_of(const struct receipt *receipt, const struct answer *answer,
			  const struct generation *live)
{
	int64_t lifetime_ms = 0;
	const struct jwt_times jwt = jwt_times(&live->access);

	if (live->issued_ms && jwt.issued_ms)
		lifetime_ms = jwt.expires_ms - jwt.issued_ms;
	bool fresh = lifetime_ms > 0 && answer->lifetime_s > 0 &&
		     llabs(lifetime_ms - answer->lifetime_s * SECOND_MS) <= FRESH_WITHIN_MS;
	int64_t date_ms = receipt->answer.date_ms;
	if (fresh && (!date_ms || (!is_near(date_ms, live->issued_ms) &&
				   is_near(live->issued_ms, receipt->received_ms))))
		return live->issued_ms;
	return date_ms;
}

// The answer's tokens become the live generation, if the token they were given for still is.
static void take_tokens(struct judgement *j, const struct receipt *receipt,
			const struct answer *answer)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;
	struct generation *live = &r->live;
	bool rotated =
		!secret_empty(&answer->refresh) && !secret_equal(&answer->refresh, &live->refresh);

	// An earlier run came this far. (A provider may also give the same tokens again, with a later expiry.)
	if (!rotated && secret_equal(&answer->access, &live->access) &&
	    r->refreshed_ms == receipt->received_ms)
		return;
	if (rotated)
		record_supersede_live(r);
	record_note_access(r);
	secret_copy(&live->access, &answer->access);
	if (!secret_empty(&answer->refresh))
		secret_copy(&live->refresh, &answer->refresh);
	if (!secret_empty(&answer->id_token))
		secret_copy(&live->id_token, &answer->id_token);
	live->fingerprint = fingerprint_of(&live->refresh);
	live->expires_ms = answer_expires_ms(a->provider, answer, receipt->received_ms);
	live->issued_ms = jwt_times(&live->access).issued_ms;
	live->at_ms = receipt->received_ms;
	live->answered = true;
	r->number++;
	if (answer->lifetime_s)
		r->lifetime_s = answer->lifetime_s;
	if (answer->grant_lifetime_s)
		r->grant_expires_ms = receipt->received_ms + answer->grant_lifetime_s * SECOND_MS;
	else if (a->provider->grant_lifetime_s && !r->grant_expires_ms)
		r->grant_expires_ms = r->first_seen_ms + a->provider->grant_lifetime_s * SECOND_MS;
	identity_complete(&r->identity, &answer->identity);
	r->refreshed_ms = receipt->received_ms;
	r->witness_ms = witness_of(receipt, answer, live);
	j->live_settled = false;
	r->dead_code[0] = '\0';
	record_forgive(r);
	v->record_changed = true;
}

// An answer to a token that is live no more: known already, or kept for whoever misses it.
static void keep_answer(struct judgement *j, const struct receipt *receipt,
			const struct answer *answer)
{
	const struct account *a = j->account;
	struct account_record *r = &j->verdict->record;
	struct credential c = {
		.provider = r->provider,
		.profile = r->profile,
		.access = answer->access,
		.refresh = answer->refresh,
		.id_token = answer->id_token,
		.fingerprint = fingerprint_of(&answer->refresh),
		.expires_ms = answer_expires_ms(a->provider, answer, receipt->received_ms),
		.identity = answer->identity,
	};

	if (!secret_empty(&answer->refresh) && !record_knows(r, c.fingerprint))
		displace(j, &c, NULL, "the answer came when another login had taken its place");
}

// An outcome that leaves the token unspent: it may be sent again, later. A second send has no such way back.
static void not_spent(struct judgement *j, const struct receipt *receipt,
		      const struct answer *answer)
{
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;

	fingerprint_list_add(&v->drop, &v->n_drop, receipt->token);
	if (answer->kind == ANSWER_REJECTED)
		r->rejections++;
	r->barred = answer->kind == ANSWER_BARRED;
	snprintf(r->said, sizeof(r->said), "%s", answer->said);
	record_failure(r, answer->code, answer->status, answer->retry_after_s, j->policy->now_ms);
	v->record_changed = true;
}

// Like is compared with like: an id token may call the same person by another name than the access token does, and what a
// store says of an e-mail address may be of last year. Only where neither token says the same as before does the account
// as a whole have to agree.
static bool is_strangers(const struct account_record *r, const struct answer *answer)
{
	const enum identity_match match[] = {
		identity_compare_tokens(&r->live.access, &answer->access),
		identity_compare_tokens(&r->live.id_token, &answer->id_token),
	};
	bool same = false;

	for (size_t i = 0; i < ARRAY_SIZE(match); i++) {
		if (match[i] == IDENTITY_DIFFERENT)
			return true;
		same |= match[i] == IDENTITY_SAME;
	}
	return !same && identity_compare(&r->identity, &answer->identity) == IDENTITY_DIFFERENT;
}

bool names_another_user(const struct account_record *record, const struct answer *answer)
{
	const char *ours = record->identity.user_id, *theirs = answer->identity.user_id;

	return ours && theirs && !string_equal(ours, theirs);
}

// A person says that who answered is who he was, by another address or in another workspace: the login in that store is
// his, whatever its provider calls him now. Not where it says that it is another user.
static bool is_vouched_for(const struct judgement *j, const struct answer *answer)
{
	return live_is_chosen(j) && j->policy->choice.kind == CHOICE_ADOPT && j->policy->force &&
	       !names_another_user(&j->verdict->record, answer);
}

static void recover_tokens(struct judgement *j, const struct receipt *receipt,
			   const struct answer *answer)
{
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;

	if (!is_live(j, receipt)) {
		keep_answer(j, receipt, answer);
	} else if (is_strangers(r, answer) && !is_vouched_for(j, answer)) {
		j->recovered.stranger = true; // the receipt keeps what came
		return;
	} else {
		take_tokens(j, receipt, answer);
	}
	v->decision = DECISION_RECOVER;
	// An answer without a new refresh token proves the old one reusable.
	j->recovered.proven |= is_live(j, receipt);
	if (is_live(j, receipt))
		fingerprint_list_add(&v->drop, &v->n_drop, receipt->token);
	else
		fingerprint_list_add(&v->close, &v->n_close, receipt->token);
}

// What an answered receipt says. Returns false if it says nothing that can be relied on: unknown outcome.
static bool recover_answer(struct judgement *j, const struct receipt *receipt)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;
	struct account_record *r = &j->verdict->record;
	_cleanup_(answer_free) struct answer answer = {0};
	bool live = is_live(j, receipt);
	bool once = receipt->sends <= 1 || !a->provider->rotates;

	read_answer(a->provider, &r->live, receipt, &answer);
	switch (answer.kind) {
	case ANSWER_TOKENS:
		recover_tokens(j, receipt, &answer);
		return true;
	case ANSWER_DEAD:
		if (live && !r->dead_code[0]) {
			snprintf(r->dead_code, sizeof(r->dead_code), "%s", answer.code);
			r->error_status = answer.status;
			snprintf(r->said, sizeof(r->said), "%s", answer.said);
			v->record_changed = true;
		}
		fingerprint_list_add(&v->close, &v->n_close, receipt->token);
		return true;
	case ANSWER_REJECTED:
	case ANSWER_BARRED:
	case ANSWER_NOT_SPENT:
		if (!live)
			fingerprint_list_add(&v->close, &v->n_close,
					     receipt->token); // of no interest any more
		else if (once)
			not_spent(j, receipt, &answer);
		return once;
	case ANSWER_UNKNOWN:
		if (!a->provider->rotates)
			not_spent(j, receipt, &answer);
		return !a->provider->rotates;
	}
	return false;
}

void recover_receipts(struct judgement *j)
{
	const struct account *a = j->account;
	struct verdict *v = j->verdict;

	v->receipts_judged = true;
	for (size_t i = 0; i < a->n_receipts; i++) {
		const struct receipt *r = a->receipts[i];
		if (r->trouble) {
			j->recovered.unreadable |= is_live(j, r);
			continue;
		}
		if (r->sends == 0 && r->state == RECEIPT_CLAIMED) {
			fingerprint_list_add(&v->drop, &v->n_drop, r->token);
			continue;
		}
		if (r->state == RECEIPT_ANSWERED && recover_answer(j, r))
			continue;
		if (!is_live(j, r))
			fingerprint_list_add(&v->close, &v->n_close, r->token);
		else if (a->provider->rotates)
			j->recovered.unknown = r;
		else
			fingerprint_list_add(&v->drop, &v->n_drop, r->token);
	}
}

bool receipt_holds_success(const struct receipt *receipt)
{
	const struct http_answer *answer = &receipt->answer;

	return receipt->state == RECEIPT_ANSWERED && answer->status >= 200 &&
	       answer->status <= 299 && answer->body.text &&
	       answer->body.text[strspn(answer->body.text, " \t\r\n")];
}

char *describe_unknown(const struct provider *provider, const struct generation *live,
		       const struct receipt *unknown)
{
	_cleanup_(answer_free) struct answer answer = {0};
	bool answered = unknown->state == RECEIPT_ANSWERED;
	_cleanup_free_ char *at = time_format(answered ? unknown->received_ms : unknown->sent_ms);

	if (!answered)
		return xasprintf("the last refresh was sent%s%s, and its answer was lost",
				 at ? " at " : "", at ? at : "");
	read_answer(provider, live, unknown, &answer);
	bool coded = !string_starts(answer.code, "http_");
	return xasprintf("the provider answered HTTP %d%s%s%s%s at %s; whether it spent the "
			 "refresh token is unknown",
			 answer.status, coded ? " (" : "", coded ? answer.code : "",
			 coded ? ")" : "", unknown->answer.cut ? ", cut short," : "", at);
}
