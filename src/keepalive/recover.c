// SPDX-License-Identifier: MIT
//
// Receipts: what became of a token that was sent, by the answer that was kept.
#include <stdio.h>

#include "keepalive/judge.h"

#include "base/clock.h"

// The answer's tokens become the live generation, if the token they were given for still is.
static void take_tokens(struct account *a, const struct receipt *receipt,
			const struct answer *answer)
{
	struct account_record *r = &a->record;
	struct generation *live = &r->live;
	bool rotated =
		!secret_empty(&answer->refresh) && !secret_equal(&answer->refresh, &live->refresh);

	// An earlier run came this far. (A provider may also give the same tokens again, with a later expiry.)
	if (!rotated && secret_equal(&answer->access, &live->access) &&
	    r->refreshed_ms == receipt->received_ms)
		return;
	if (rotated)
		record_supersede_live(r);
	secret_copy(&live->access, &answer->access);
	if (!secret_empty(&answer->refresh))
		secret_copy(&live->refresh, &answer->refresh);
	if (!secret_empty(&answer->id_token))
		secret_copy(&live->id_token, &answer->id_token);
	live->fingerprint = fingerprint_of(&live->refresh);
	live->expires_ms = answer_expires_ms(a->provider, answer, receipt->received_ms);
	struct jwt jwt = {0};
	live->issued_ms = jwt_read(&live->access, &jwt) == 0 ? jwt.issued_ms : 0;
	jwt_free(&jwt);
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
	a->live_settled = false;
	r->dead_code[0] = '\0';
	record_forgive(r);
	a->record_changed = true;
}

// An answer to a token that is live no more: known already, or kept for whoever misses it.
static void keep_answer(struct account *a, const struct receipt *receipt,
			const struct answer *answer)
{
	struct credential c = {
		.provider = a->record.provider,
		.profile = a->record.profile,
		.access = answer->access,
		.refresh = answer->refresh,
		.id_token = answer->id_token,
		.fingerprint = fingerprint_of(&answer->refresh),
		.expires_ms = answer_expires_ms(a->provider, answer, receipt->received_ms),
		.identity = answer->identity,
	};

	if (!secret_empty(&answer->refresh) && !account_knows(a, c.fingerprint))
		account_displace(a, &c, NULL,
				 "the answer came when another login had taken its place");
}

// An outcome that leaves the token unspent: it may be sent again, later. A second send has no such way back.
static void not_spent(struct account *a, const struct receipt *receipt, const struct answer *answer,
		      const struct policy *policy)
{
	fingerprint_list_add(&a->drop, &a->n_drop, receipt->token);
	if (answer->kind == ANSWER_REJECTED)
		a->record.rejections++;
	record_failure(&a->record, answer->code, answer->status, answer->retry_after_s,
		       policy->now_ms);
	a->record_changed = true;
}

// What an answered receipt says. Returns false if it says nothing that can be relied on: unknown outcome.
static bool recover_answer(struct account *a, const struct receipt *receipt,
			   const struct policy *policy)
{
	struct answer answer = {0};
	bool live = fingerprint_equal(receipt->token, a->record.live.fingerprint);
	bool once = receipt->sends <= 1 || !a->provider->rotates;
	bool settled = true; // the receipt says what became of the token

	provider_read_answer(a->provider, &receipt->answer, receipt->received_ms, &answer);
	switch (answer.kind) {
	case ANSWER_TOKENS:
		if (identity_compare(&a->record.identity, &answer.identity) == IDENTITY_DIFFERENT) {
			a->stranger_answer |= live;
			fingerprint_list_remove(a->settle, &a->n_settle,
						receipt->token); // the receipt keeps what came
			fingerprint_list_remove(a->close, &a->n_close, receipt->token);
			break;
		}
		a->decision = DECISION_RECOVER;
		if (live)
			take_tokens(a, receipt, &answer);
		else
			keep_answer(a, receipt, &answer);
		// An answer without a new refresh token proves the old one reusable.
		if (fingerprint_equal(receipt->token, a->record.live.fingerprint)) {
			a->live_proven = true;
			fingerprint_list_add(&a->drop, &a->n_drop, receipt->token);
		} else {
			fingerprint_list_add(&a->close, &a->n_close, receipt->token);
		}
		break;
	case ANSWER_DEAD:
		if (live && !a->record.dead_code[0]) {
			snprintf(a->record.dead_code, sizeof(a->record.dead_code), "%s",
				 answer.code);
			a->record.error_status = answer.status;
			a->record_changed = true;
		}
		fingerprint_list_add(&a->close, &a->n_close, receipt->token);
		break;
	case ANSWER_REJECTED:
	case ANSWER_NOT_SPENT:
		settled = once;
		if (!live)
			fingerprint_list_add(&a->close, &a->n_close,
					     receipt->token); // of no interest any more
		else if (once)
			not_spent(a, receipt, &answer, policy);
		break;
	case ANSWER_UNKNOWN:
		settled = !a->provider->rotates;
		if (settled)
			not_spent(a, receipt, &answer, policy);
		break;
	}
	answer_free(&answer);
	return settled;
}

// Returns the receipt of unknown outcome that concerns the live token, if any.
const struct receipt *recover_receipts(struct account *a, const struct policy *policy)
{
	const struct receipt *unknown = NULL;

	a->receipts_judged = true;
	for (size_t i = 0; i < a->n_receipts; i++) {
		const struct receipt *r = a->receipts[i];
		if (r->trouble) {
			a->unreadable_receipt |=
				fingerprint_equal(r->token, a->record.live.fingerprint);
			continue;
		}
		if (r->sends == 0 && r->state == RECEIPT_CLAIMED) {
			fingerprint_list_add(&a->drop, &a->n_drop, r->token);
			continue;
		}
		if (r->state == RECEIPT_ANSWERED && recover_answer(a, r, policy))
			continue;
		if (!fingerprint_equal(r->token, a->record.live.fingerprint))
			fingerprint_list_add(&a->close, &a->n_close, r->token);
		else if (a->provider->rotates)
			unknown = r;
		else
			fingerprint_list_add(&a->drop, &a->n_drop, r->token);
	}
	return unknown;
}
