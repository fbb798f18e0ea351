// SPDX-License-Identifier: MIT
//
// What comes on import's standard input: any bytes. It is refused with one line of words that repeats nothing of it, or it
// is whole: a live token that fits its fingerprint, of one person, within bounds; and exported again it is read again as
// the same.
#include "fuzz.h"
#include "ledger/handover.h"

#define UUID "0f0e0d0c-0b0a-4908-8706-050403020100"

static void check_message(const char *message)
{
	fuzz_check(message && *message);
	for (const char *p = message; *p; p++)
		fuzz_check((*p >= ' ' && *p <= '~'));
	fuzz_check(strlen(message) < 200);
}

static void check_whole(const struct handover *h)
{
	fuzz_check(!string_empty(h->provider) && !string_empty(h->profile));
	fuzz_check(ledger_is_uuid(h->ledger) && *h->host);
	fuzz_check(h->made_ms > 0 && h->number > 0 && h->term >= 0);
	fuzz_check(fingerprint_equal(fingerprint_of(&h->live.refresh), h->live.fingerprint));
	fuzz_check(!secret_empty(&h->live.access));
	fuzz_check(!handover_superseded(h, h->live.fingerprint));
	fuzz_check(h->n_superseded <= RECORD_SUPERSEDED_MAX);
	fuzz_check(h->n_fences <= RECORD_SUPERSEDED_MAX);
}

// Whose record it would be.
static struct account_record record_of(const struct handover *h)
{
	return (struct account_record){
		.provider = h->provider,
		.profile = h->profile,
		.identity = h->identity,
		.live = h->live,
		.number = h->number,
		.previous = h->previous,
		.lifetime_s = h->lifetime_s,
		.grant_expires_ms = h->grant_expires_ms,
		.superseded = h->superseded,
		.n_superseded = h->n_superseded,
		.fences = h->fences,
		.n_fences = h->n_fences,
		.custody = {.since_ms = 1, .term = h->term},
	};
}

static void check_again(const struct handover *h)
{
	const struct ledger ledger = {.uuid = UUID};
	const struct account_record lent = record_of(h);
	_cleanup_secret_ struct secret text =
		handover_write(&lent, &ledger, h->release, h->made_ms);
	_cleanup_(handover_free) struct handover again = {0};
	char *message = NULL;

	if (text.len > HANDOVER_MAX) // escapes are longer than what they stand for
		return;
	fuzz_check(handover_read(&text, &again, &message) == 0);
	fuzz_check(again.release == h->release && again.term == h->term);
	fuzz_check(identity_equal(&again.identity, &h->identity));
	fuzz_check(secret_equal(&again.live.access, &h->live.access));
	fuzz_check(secret_equal(&again.live.refresh, &h->live.refresh));
	fuzz_check(again.n_superseded == h->n_superseded && again.n_fences == h->n_fences);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_secret_ struct secret text = {0};
	_cleanup_(handover_free) struct handover h = {0};
	_cleanup_free_ char *message = NULL;

	secret_set(&text, (const char *)data, size);
	int r = handover_read(&text, &h, &message);
	if (r < 0) {
		fuzz_check(h.provider == NULL && h.n_superseded == 0);
		check_message(message);
		return 0;
	}
	fuzz_check(message == NULL);
	check_whole(&h);
	check_again(&h);
	return 0;
}
