// SPDX-License-Identifier: MIT
//
// The table of cases beside the one pure decision function.
//
// A case is two lines of words: what is given, and what must be decided. Whatever a decision
// touches is put into words and compared as a whole, so a case also fails when something happens
// that it does not name. Beside the table stand the promises that hold for every case, checked for
// each line of the table and for thousands of random worlds: no token spent twice, no answer lost,
// no login overwritten.
//
// A token is a number: 3 was issued after 2. Its access token expires 3 h and 3 min from now
// (lifetime 6 h, so it is not due), unless a suffix says otherwise:
//
//	3?      nobody knows when it was issued     3=1h59m  expires then
//	3+ 3-   the same refresh token with a later or earlier access token
//	3!      settled: a mark says it was spent   3~       of unproven identity (3~~: foreign)
//	3#      what stands beside it is no expiry
//	3^      the ledger kept it, and no receipt was ever there
//
// A copy of the live token without a suffix has its expiry.
//
// Given:
//
//	main:3 agent:2 other:2 ext:1       what stands there; also `blank`, `fence2`: a failed fence
//	                                   that names 2, `pending2`: one in flight
//	live=3 sup=1,2 div=4               what the ledger says; without live: the first run
//	anchor=3 before=1                  newest adopted (live's, unless said), the one before
//	life=12h                           lifetime as last answered: all tokens are due then
//	dead ended=-1h updated=1h          … of the record: dead, logged out, last written
//	seen=-9m                           … the pending fence was first seen then
//	wait=10m failures=1 rejections=3   back-off
//	receipt=2:STATE:held:sends2:old    STATE: claimed, sending, answered=WHAT (see `answers`)
//	claimed                            the account's lock is ours
//	answered                           … the live token is of an answer of ours
//	reusable window noclient skew      xai, but: does not rotate; 120 s window; no client id; stored 5 minutes early
//	sibling=3 sibling-later=3           another name went past our live token, or did so since ours is live
//	force last-try offline at=10m adopt=STORE barred
//	follow=STORE|all
//	restore=3                          a person brings it back from displaced/ (restore=3! : it was sent)
//	owner=follows|released|left|ours   whose it is, of several hosts: `left`, it followed one before; all at term 3
//	beside=follows|released            … says the record of another name that has the live token
//	own release                        a person takes it over, or gives it away
//	import=3:WORD…                     … or takes what another host sent: release, other (no leader of this host),
//	                                   stale, sup1 (it replaced 1), term2, number6; bob's, nobody's; sent or kept here
//
// Decided: decision/outcome, send or resend, what changed in the record (#+1: its number), what is
// displaced (@ where it stood), settled, dropped and closed, and the copies to be written.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"
#include "account/account.h"
#include "ledger/handover.h"

#define NOW	     INT64_C(4102444800000) // 2100: after any build of this
#define FIRST_EXPIRY (NOW + 3 * HOUR_S * SECOND_MS)
#define TOKENS_MAX   100
#define COPIES	     4
#define LEADER	     "0f0e0d0c-0b0a-4908-8706-050403020100"
#define OTHER_HOST   "1f0e0d0c-0b0a-4908-8706-050403020100"
#define NONCE	     "0000000000000000000000000000000a"
#define RECEIPTS_MAX 3

struct world {
	struct config config;
	struct provider provider;
	struct policy policy;
	struct account account;
	struct account_record before;
	struct store stores[COPIES];
	struct copy copies[COPIES];
	bool bare[COPIES]; // of a suffix
	struct receipt receipts[RECEIPTS_MAX];
	size_t n_receipts;
	struct sibling sibling;
	bool has_sibling;
	struct keepsake kept;
	struct handover handover;
	struct account_record beside; // another name's
	const struct account_record *unowned;
};

static const char *const store_names[COPIES] = {"main", "agent", "other", "ext"};

// ---- tokens

struct token {
	int number;
	int64_t expires_ms;
	const char *access; // suffix of the access token
	bool settled, unproven, foreign, odd, kept;
};

static int64_t parse_span(const char *text)
{
	bool negative = *text == '-';
	int64_t span_s;

	if (duration_parse(text + negative, &span_s) < 0)
		fail_msg("not a duration: %s", text);
	return (negative ? -span_s : span_s) * SECOND_MS;
}

static struct token parse_token(const char *text)
{
	char *p;
	struct token t = {.number = (int)strtol(text, &p, 10), .access = ""};

	if (p == text || t.number < 0 || t.number >= TOKENS_MAX)
		fail_msg("not a token: %s", text);
	t.expires_ms = FIRST_EXPIRY + t.number * MINUTE_S * SECOND_MS;
	for (; *p && *p != '='; p++) {
		if (*p == '?')
			t.expires_ms = 0;
		else if (*p == '+')
			t.access = "-LATER", t.expires_ms += 30 * SECOND_MS;
		else if (*p == '-')
			t.access = "-EARLIER", t.expires_ms -= 30 * SECOND_MS;
		else if (*p == '!')
			t.settled = true;
		else if (*p == '^')
			t.kept = true;
		else if (*p == '#')
			t.odd = true, t.expires_ms = 0;
		else if (*p == '~')
			t.foreign = t.unproven, t.unproven = true;
		else
			fail_msg("not a token: %s", text);
	}
	if (*p)
		t.expires_ms = NOW + parse_span(p + 1);
	return t;
}

static void set_tokens(struct secret *access, struct secret *refresh, const struct token *t)
{
	char text[64];

	snprintf(text, sizeof(text), "FAKE-ACCESS-%d%s", t->number, t->access);
	secret_set_string(access, text);
	snprintf(text, sizeof(text), "FAKE-REFRESH-%d", t->number);
	secret_set_string(refresh, text);
}

static struct fingerprint fingerprint_of_number(int number)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "FAKE-REFRESH-%d", number);

	return fingerprint_of_bytes(text, (size_t)n);
}

static int number_of(struct fingerprint fingerprint)
{
	static struct fingerprint all[TOKENS_MAX];

	for (int i = 0; i < TOKENS_MAX; i++) {
		if (fingerprint_empty(all[i]))
			all[i] = fingerprint_of_number(i);
		if (fingerprint_equal(all[i], fingerprint))
			return i;
	}
	return -1;
}

static struct identity alice(void)
{
	return (struct identity){.email = xstrdup("alice@example.org")};
}

// ---- what is given

static const struct {
	const char *name;
	int status;
	int64_t retry_after_s;
	const char *body;
} answers[] = {
	{"3", 200, -1,
	 "{\"access_token\":\"FAKE-ACCESS-3\",\"refresh_token\":\"FAKE-REFRESH-3\",\"expires_in\":"
	 "21600}"},
	{"access", 200, -1, "{\"access_token\":\"FAKE-ACCESS-2-FRESH\",\"expires_in\":21600}"},
	{"same-refresh", 200, -1,
	 "{\"access_token\":\"FAKE-ACCESS-2-FRESH\",\"refresh_token\":\"FAKE-REFRESH-2\",\"expires_"
	 "in\":21600}"},
	{"same-access", 200, -1,
	 "{\"access_token\":\"FAKE-ACCESS-2\",\"refresh_token\":\"FAKE-REFRESH-3\",\"expires_in\":"
	 "21600}"},
	{"bob", 200, -1,
	 "{\"access_token\":\"FAKE-ACCESS-3\",\"refresh_token\":\"FAKE-REFRESH-3\",\"expires_in\":"
	 "21600,"
	 "\"account\":{\"email_address\":\"bob@example.org\"}}"},
	{"dead", 400, -1, "{\"error\":\"invalid_grant\"}"},
	{"rejected", 400, -1, "{\"error\":\"invalid_client\"}"},
	{"later", 429, 1800, "{}"},
	{"500", 500, -1, "{}"},
	{"cut", 200, -1, "{\"access_tok"},
};

static void give_answer(struct receipt *r, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		if (!string_equal(answers[i].name, name))
			continue;
		r->state = RECEIPT_ANSWERED;
		r->received_ms = NOW - MINUTE_S * SECOND_MS;
		r->answer.status = answers[i].status;
		r->answer.retry_after_s = answers[i].retry_after_s;
		secret_set_string(&r->answer.body, answers[i].body);
		return;
	}
	fail_msg("no such answer: %s", name);
}

static void give_receipt(struct world *w, const char *text)
{
	_cleanup_free_ char *words = xstrdup(text);
	char *rest = NULL, *word = strtok_r(words, ":", &rest);
	struct receipt *r = &w->receipts[w->n_receipts++];

	r->token = fingerprint_of_number(parse_token(word).number);
	while ((word = strtok_r(NULL, ":", &rest))) {
		if (string_equal(word, "claimed"))
			r->state = RECEIPT_CLAIMED;
		else if (string_equal(word, "sending"))
			r->state = RECEIPT_SENDING;
		else if (string_starts(word, "answered="))
			give_answer(r, word + strlen("answered="));
		else if (string_equal(word, "held"))
			r->held = true;
		else if (string_equal(word, "sends2"))
			r->sends = 2;
		else if (string_equal(word, "old"))
			r->sent_ms = NOW - HOUR_S * SECOND_MS;
		else
			fail_msg("%s?", word);
	}
	if (r->state != RECEIPT_CLAIMED && r->sends == 0)
		r->sends = 1;
	if (r->sends && !r->sent_ms)
		r->sent_ms = NOW - MINUTE_S * SECOND_MS;
	*array_add(&w->account.receipts, &w->account.n_receipts) = r;
}

#define CLAIM "00000000000000000000000000000002"

static struct fingerprint fence_digest_of_number(int number)
{
	_cleanup_secret_ struct secret access = {0}, refresh = {0};
	struct token t = {.number = number, .access = ""};

	set_tokens(&access, &refresh, &t);
	return fence_digest("xai:default", "xai", &refresh);
}

static struct fence fence_of_number(int number)
{
	return (struct fence){.claim = CLAIM, .digest = fence_digest_of_number(number)};
}

static void give_copy(struct world *w, size_t at, const char *text)
{
	struct copy *copy = &w->copies[at];
	struct credential *c = &copy->credential;
	struct member *m = array_add(&w->account.members, &w->account.n_members);

	m->store = &w->stores[at];
	m->copy = copy;
	c->provider = xstrdup("xai");
	c->profile = xstrdup("xai:default");
	if (string_equal(text, "blank")) {
		copy->kind = COPY_BLANK;
		return;
	}
	if (string_starts(text, "fence") || string_starts(text, "pending")) {
		copy->kind = COPY_FENCED;
		copy->fence = fence_of_number(atoi(text + strcspn(text, "0123456789")));
		copy->fence.failed = *text == 'f';
		return;
	}
	struct token t = parse_token(text);
	copy->kind = COPY_OAUTH;
	set_tokens(&c->access, &c->refresh, &t);
	c->fingerprint = fingerprint_of(&c->refresh);
	c->expires_ms = t.expires_ms;
	copy->expires_odd = t.odd;
	w->bare[at] = text[strspn(text, "0123456789!~")] == '\0';
	c->identity = t.unproven ? (struct identity){0} : alice();
	m->settled = t.settled;
	m->kept = t.kept;
	m->fixed = t.unproven;
	if (t.unproven)
		m->state = t.foreign ? COPY_FOREIGN : COPY_UNPROVEN;
}

static void give_tokens(struct fingerprint **list, size_t *n, const char *text)
{
	_cleanup_free_ char *words = xstrdup(text);
	char *rest = NULL;

	for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		*array_add(list, n) = fingerprint_of_number(parse_token(word).number);
}

static void give_superseded(struct account_record *r, const char *text)
{
	give_tokens(&r->superseded, &r->n_superseded, text);
	for (size_t i = 0; i < r->n_superseded; i++)
		record_supersede_fence(r, fence_digest_of_number(number_of(r->superseded[i])));
}

static void give_generation(struct generation *g, const char *text)
{
	struct token t = parse_token(text);

	set_tokens(&g->access, &g->refresh, &t);
	g->fingerprint = fingerprint_of(&g->refresh);
	g->expires_ms = t.expires_ms;
}

static void give_live(struct world *w, const char *text)
{
	struct account_record *r = &w->account.record;

	give_generation(&r->live, text);
	r->identity = alice();
	r->number = 7;
	r->main_store = xstrdup("main");
	r->anchor.expires_ms = r->live.expires_ms;
	r->first_seen_ms = NOW - DAY_S * SECOND_MS;
	w->account.recorded = true;
}

// Words without a value.
static bool give_flag(struct world *w, const char *word)
{
	struct account *a = &w->account;

	if (string_equal(word, "dead"))
		strcpy(a->record.dead_code, "invalid_grant");
	else if (string_equal(word, "claimed"))
		a->claimed = true;
	else if (string_equal(word, "settled"))
		a->live_settled = true;
	else if (string_equal(word, "answered"))
		a->record.live.answered = true;
	else if (string_equal(word, "skew"))
		w->provider.store_skew_ms = 5 * MINUTE_S * SECOND_MS;
	else if (string_equal(word, "purged")) // ended so long ago that the tokens are gone
		a->recorded = true, a->record.number = 7, a->record.identity = alice();
	else if (string_equal(word, "answered"))
		a->record.live.answered = true;
	else if (string_equal(word, "unreadable"))
		a->record.unreadable = a->recorded = true;
	else if (string_equal(word, "skip"))
		a->skip = xstrdup("excluded by the configuration");
	else if (string_equal(word, "shared"))
		a->shared_token = true;
	else if (string_equal(word, "conflict"))
		a->identity_conflict = true;
	else if (string_equal(word, "trouble"))
		a->main_trouble = "its main store cannot be read";
	else if (string_equal(word, "force"))
		w->policy.force = true;
	else if (string_equal(word, "last-try"))
		w->policy.last_try = true;
	else if (string_equal(word, "offline"))
		w->policy.offline = true;
	else if (string_equal(word, "barred"))
		w->policy.barred = "another ledger owns this state directory";
	else if (string_equal(word, "reusable"))
		w->provider.rotates = false;
	else if (string_equal(word, "window"))
		w->provider.reuse_window_s = 2 * MINUTE_S;
	else if (string_equal(word, "report"))
		w->config.fence_recover = false;
	else if (string_equal(word, "noclient"))
		w->provider.client_id = NULL;
	else if (string_equal(word, "own"))
		a->handed = true,
		w->policy.choice = (struct choice){.kind = CHOICE_OWN, .why = "owned"};
	else if (string_equal(word, "release"))
		a->handed = true,
		w->policy.choice =
			(struct choice){.kind = CHOICE_RELEASE, .nonce = NONCE, .why = "released"};
	else
		return false;
	return true;
}

static void give_restored(struct world *w, const char *text)
{
	struct token t = parse_token(text);
	struct credential *c = &w->kept.credential;

	set_tokens(&c->access, &c->refresh, &t);
	c->fingerprint = fingerprint_of_number(t.number);
	c->expires_ms = t.expires_ms;
	w->account.restores = true;
	w->account.restored_sent = t.settled;
	w->policy.choice =
		(struct choice){.kind = CHOICE_RESTORE, .kept = &w->kept, .why = "chosen"};
}

static void give_owner(struct custody *c, const char *text)
{
	bool left = string_equal(text, "left");

	*c = (struct custody){.since_ms = NOW - DAY_S * SECOND_MS, .term = 3};
	if (string_equal(text, "follows"))
		c->ownership = OWNERSHIP_FOLLOWS;
	else if (string_equal(text, "released"))
		c->ownership = OWNERSHIP_RELEASED;
	else if (!left && !string_equal(text, "ours"))
		fail_msg("owner=%s?", text);
	if (!left && c->ownership != OWNERSHIP_FOLLOWS)
		return;
	strcpy(c->ledger, LEADER);
	strcpy(c->host, "leader");
	c->number = 7;
	c->heard_ms = NOW - 5 * MINUTE_S * SECOND_MS;
}

static void give_handover_word(struct world *w, const char *word)
{
	struct handover *h = &w->handover;
	const char *digits = word + strcspn(word, "0123456789");

	if (string_equal(word, "release"))
		h->release = true;
	else if (string_equal(word, "other"))
		strcpy(h->ledger, OTHER_HOST), strcpy(h->host, "other");
	else if (string_equal(word, "stale"))
		h->made_ms = NOW - 2 * HOUR_S * SECOND_MS;
	else if (string_starts(word, "sup"))
		give_tokens(&h->superseded, &h->n_superseded, digits);
	else if (string_starts(word, "term"))
		h->term = atoi(digits);
	else if (string_starts(word, "number"))
		h->number = atoi(digits);
	else if (string_equal(word, "bob") || string_equal(word, "nobody"))
		identity_free(&h->identity),
			h->identity.email = *word == 'b' ? xstrdup("bob@example.org") : NULL;
	else if (string_equal(word, "sent"))
		w->account.import_sent = true;
	else if (string_equal(word, "kept"))
		w->account.import_kept = true;
	else
		fail_msg("import=…:%s?", word);
}

static void give_handover(struct world *w, const char *text)
{
	_cleanup_free_ char *words = xstrdup(text);
	char *rest = NULL, *word = strtok_r(words, ":", &rest);
	struct handover *h = &w->handover;

	*h = (struct handover){.made_ms = NOW, .term = 3, .number = 7, .identity = alice()};
	strcpy(h->ledger, LEADER);
	strcpy(h->host, "leader");
	give_generation(&h->live, word);
	while ((word = strtok_r(NULL, ":", &rest)))
		give_handover_word(w, word);
	fingerprint_list_remove(h->superseded, &h->n_superseded,
				h->live.fingerprint); // no document is so
	w->account.handed = true;
	w->policy.choice =
		(struct choice){.kind = CHOICE_IMPORT, .import = h, .why = "sent by leader"};
}

static void give_value(struct world *w, const char *name, const char *value)
{
	struct account_record *r = &w->account.record;

	if (string_equal(name, "owner"))
		give_owner(&r->custody, value);
	else if (string_equal(name, "beside"))
		give_owner(&w->beside.custody, value), w->unowned = &w->beside;
	else if (string_equal(name, "import"))
		give_handover(w, value);
	else if (string_equal(name, "live"))
		give_live(w, value);
	else if (string_equal(name, "sup"))
		give_superseded(r, value);
	else if (string_equal(name, "div"))
		give_tokens(&r->diverged, &r->n_diverged, value);
	else if (string_equal(name, "anchor"))
		r->anchor.expires_ms = parse_token(value).expires_ms;
	else if (string_equal(name, "before"))
		r->anchor_before.expires_ms = parse_token(value).expires_ms;
	else if (string_equal(name, "previous"))
		r->previous.expires_ms = parse_token(value).expires_ms;
	else if (string_equal(name, "ended"))
		r->ended_ms = NOW + parse_span(value);
	else if (string_equal(name, "seen"))
		*array_add(&r->sightings, &r->n_sightings) =
			(struct sighting){CLAIM, NOW + parse_span(value)};
	else if (string_equal(name, "wait"))
		r->not_before_ms = NOW + parse_span(value);
	else if (string_equal(name, "rejections"))
		r->rejections = atoi(value);
	else if (string_equal(name, "failures"))
		r->failures = atoi(value);
	else if (string_equal(name, "updated"))
		r->updated_ms = NOW + parse_span(value);
	else if (string_equal(name, "refreshed"))
		r->refreshed_ms = NOW + parse_span(value);
	else if (string_equal(name, "witness"))
		r->witness_ms = NOW + parse_span(value);
	else if (string_equal(name, "life"))
		r->lifetime_s = parse_span(value) / SECOND_MS;
	else if (string_equal(name, "receipt"))
		give_receipt(w, value);
	else if (string_equal(name, "sibling"))
		give_generation(&w->sibling.ahead, value), w->has_sibling = true;
	else if (string_equal(name, "sibling-later"))
		give_generation(&w->sibling.ahead, value), w->has_sibling = true,
							   w->sibling.ahead.at_ms = NOW;
	else if (string_equal(name, "at"))
		w->policy.at_ms = NOW + parse_span(value);
	else if (string_equal(name, "adopt"))
		w->policy.choice = (struct choice){
			.kind = CHOICE_ADOPT, .store = strdup(value), .why = "chosen"};
	else if (string_equal(name, "follow"))
		w->policy.choice =
			(struct choice){.kind = CHOICE_FOLLOW,
					.store = string_equal(value, "all") ? NULL : strdup(value),
					.why = "chosen"};
	else if (string_equal(name, "restore"))
		give_restored(w, value);
	else
		fail_msg("%s=%s?", name, value);
}

static void give_word(struct world *w, char *word)
{
	char *mark = word + strcspn(word, ":=");

	if (!*mark) {
		if (!give_flag(w, word))
			fail_msg("%s?", word);
		return;
	}
	bool copy = *mark == ':';
	*mark = '\0';
	if (!copy)
		return give_value(w, word, mark + 1);
	for (size_t i = 0; i < COPIES; i++)
		if (string_equal(store_names[i], word))
			return give_copy(w, i, mark + 1);
	fail_msg("no such store: %s", word);
}

static void lend_expiry(struct world *w)
{
	const struct generation *live = &w->account.record.live;

	for (size_t i = 0; i < COPIES; i++) {
		struct credential *c = &w->copies[i].credential;
		if (w->bare[i] && fingerprint_equal(c->fingerprint, live->fingerprint))
			c->expires_ms = live->expires_ms;
	}
}

static void world_build(struct world *w, const char *given)
{
	_cleanup_free_ char *words = xstrdup(given);
	char *rest = NULL;

	*w = (struct world){0};
	w->provider = *provider_preset("xai");
	w->account.provider = &w->provider;
	w->config.timer_period_s = 5 * MINUTE_S;
	w->config.timer_jitter_s = MINUTE_S;
	w->config.deadline_s = MINUTE_S;
	w->config.fence_recover = true;
	w->config.providers = &w->provider;
	w->config.n_providers = 1;
	w->policy.now_ms = w->policy.at_ms = NOW;
	w->account.record.provider = xstrdup("xai");
	w->account.record.profile = xstrdup("xai:default");
	for (size_t i = 0; i < COPIES; i++) {
		w->stores[i].path = xstrdup(store_names[i]);
		w->stores[i].role = i == 0 ? ROLE_MAIN : i == 3 ? ROLE_EXTERNAL : ROLE_AGENT;
	}
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		give_word(w, word);
	lend_expiry(w);
	if (w->account.n_members && w->account.members[0].store == &w->stores[0])
		w->account.main = &w->account.members[0];
	if (!w->account.recorded &&
	    w->account.main) // as group_accounts does: what stands in main will be live
		w->account.live_settled = w->account.main->settled;
	if (w->unowned) {
		strcpy(w->beside.key, "beside");
		w->beside.provider = xstrdup("xai");
		w->beside.live.fingerprint = w->account.record.live.fingerprint;
		w->account.unowned = &w->unowned;
		w->account.n_unowned = 1;
	}
	account_record_copy(&w->before, &w->account.record);
	struct account_records records = {.list = &w->account.record, .n = 1};
	w->policy.clock_contradicted = clock_is_contradicted(&records, NOW); // as observe does
}

static void decide_world(struct world *w)
{
	verdict_free(&w->account.verdict);
	w->account.verdict =
		decide(&w->account, w->has_sibling ? &w->sibling : NULL, &w->config, &w->policy);
}

// What was concluded is what the ledger says from now on.
static void world_save(struct world *w)
{
	account_record_copy(&w->account.record, &w->account.verdict.record);
	w->account.recorded |= w->account.verdict.record_changed;
	account_record_copy(&w->before, &w->account.record);
}

static void world_free(struct world *w)
{
	account_free(&w->account);
	account_record_free(&w->before);
	generation_free(&w->sibling.ahead);
	free((char *)w->policy.choice.store);
	credential_free(&w->kept.credential);
	handover_free(&w->handover);
	account_record_free(&w->beside);
	for (size_t i = 0; i < COPIES; i++) {
		free(w->stores[i].path);
		credential_free(&w->copies[i].credential);
	}
	for (size_t i = 0; i < w->n_receipts; i++)
		secret_free(&w->receipts[i].answer.body);
}

// ---- what was decided, in words

static void say_issue(FILE *out, const char *name, struct issue_time now, struct issue_time before)
{
	int64_t minutes = (now.expires_ms - FIRST_EXPIRY) / (MINUTE_S * SECOND_MS);

	if (now.expires_ms == before.expires_ms && now.issued_ms == before.issued_ms)
		return;
	if (!now.expires_ms && !now.issued_ms)
		fprintf(out, " %s=?", name);
	else if (minutes >= 0 && minutes < TOKENS_MAX)
		fprintf(out, " %s=%d", name, (int)minutes);
	else
		fprintf(out, " %s=*", name); // a token with a given expiry
}

static void say_added(FILE *out, const char *name, const struct fingerprint *list, size_t n,
		      size_t n_before)
{
	for (size_t i = n_before; i < n; i++)
		fprintf(out, "%s%d", i == n_before ? name : ",", number_of(list[i]));
}

static void say_record(FILE *out, const struct account_record *r,
		       const struct account_record *before)
{
	if (!fingerprint_empty(r->live.fingerprint) &&
	    !fingerprint_equal(r->live.fingerprint, before->live.fingerprint))
		fprintf(out, " live=%d", number_of(r->live.fingerprint));
	if (r->number != before->number)
		fprintf(out, " #+%d", (int)(r->number - before->number));
	say_added(out, " sup+", r->superseded, r->n_superseded, before->n_superseded);
	say_added(out, " div+", r->diverged, r->n_diverged, before->n_diverged);
	say_issue(out, "anchor", r->anchor, before->anchor);
	say_issue(out, "before", r->anchor_before, before->anchor_before);
	if (!string_equal(r->dead_code, before->dead_code))
		fprintf(out, " %s%s", *r->dead_code ? "dead=" : "undead", r->dead_code);
	if (r->ended_ms != before->ended_ms)
		fprintf(out, " %s", r->ended_ms ? "ended" : "unended");
	if (r->custody.ownership != before->custody.ownership ||
	    r->custody.term != before->custody.term)
		fprintf(out, " %s@%d", ownership_name(r->custody.ownership), (int)r->custody.term);
	if (fingerprint_empty(r->live.fingerprint) && !fingerprint_empty(before->live.fingerprint))
		fprintf(out, " purged");
	if (r->n_sightings != before->n_sightings ||
	    (r->n_sightings && r->sightings[0].seen_ms != before->sightings[0].seen_ms))
		fprintf(out, " sighted");
	if (r->failures != before->failures)
		fprintf(out, " failures=%d", r->failures);
	if (r->rejections != before->rejections)
		fprintf(out, " rejections=%d", r->rejections);
	if (r->not_before_ms != before->not_before_ms) {
		_cleanup_free_ char *wait = duration_format((r->not_before_ms - NOW) / SECOND_MS);
		fprintf(out, " wait=%s", r->not_before_ms ? wait : "none");
	}
}

static char *describe(const struct world *w)
{
	const struct account *a = &w->account;
	const char *separator = " write=";
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fprintf(out, "%s/%s", decision_name(a->verdict.decision), outcome_name(a->verdict.outcome));
	if (a->verdict.send)
		fprintf(out, a->verdict.resend ? " resend" : " send");
	say_record(out, &a->verdict.record, &w->before);
	for (size_t i = 0; i < a->verdict.n_displaced; i++)
		fprintf(out, "%s%d%s%s", i ? "," : " displaced=",
			number_of(a->verdict.displaced[i].credential.fingerprint),
			a->verdict.displaced[i].store ? "@" : "",
			a->verdict.displaced[i].store ? a->verdict.displaced[i].store : "");
	say_added(out, " back=", a->verdict.take_back, a->verdict.n_take_back, 0);
	say_added(out, " settle=", a->verdict.settle, a->verdict.n_settle, 0);
	say_added(out, " drop=", a->verdict.drop, a->verdict.n_drop, 0);
	say_added(out, " close=", a->verdict.close, a->verdict.n_close, 0);
	for (size_t i = 0; i < a->n_members; i++) {
		if (!a->verdict.copies[i].write)
			continue;
		fprintf(out, "%s%s", separator, a->members[i].store->path);
		separator = ",";
	}
	if (a->verdict.clock_wrong)
		fprintf(out, " clock");
	if (expiry_is_unknown(&a->verdict.schedule))
		fprintf(out, " no-expiry");
	fclose(out);
	return text;
}

// ---- promises that hold whatever was given

static bool listed(const struct fingerprint *list, size_t n, struct fingerprint token)
{
	for (size_t i = 0; i < n; i++)
		if (fingerprint_equal(list[i], token))
			return true;
	return false;
}

static bool is_displaced(const struct account *a, struct fingerprint token)
{
	for (size_t i = 0; i < a->verdict.n_displaced; i++)
		if (fingerprint_equal(a->verdict.displaced[i].credential.fingerprint, token))
			return true;
	return false;
}

static const struct receipt *receipt_of(const struct account *a, struct fingerprint token)
{
	for (size_t i = 0; i < a->n_receipts; i++)
		if (fingerprint_equal(a->receipts[i]->token, token))
			return a->receipts[i];
	return NULL;
}

// A mark is there for the token that is live by now.
static bool is_spent(const struct world *w)
{
	const struct account *a = &w->account;
	struct fingerprint seen = w->before.number ? w->before.live.fingerprint
				  : a->main	   ? a->main->copy->credential.fingerprint
						   : (struct fingerprint){0};

	return a->live_settled && fingerprint_equal(seen, a->verdict.record.live.fingerprint) &&
	       !listed(a->verdict.take_back, a->verdict.n_take_back, seen);
}

// No token is spent twice.
static const char *broken_by_sending(const struct world *w)
{
	const struct account *a = &w->account;
	struct fingerprint live = a->verdict.record.live.fingerprint;
	const struct receipt *r = receipt_of(a, live);
	bool gone = r && listed(a->verdict.drop, a->verdict.n_drop, live);

	if (a->verdict.resend && !a->verdict.send)
		return "a second send that is no send";
	if (!a->verdict.send)
		return NULL;
	if (w->policy.offline || w->policy.barred || a->skip)
		return "sent where nothing may be sent";
	if (a->verdict.custody.ownership != OWNERSHIP_OURS ||
	    a->verdict.record.custody.ownership != OWNERSHIP_OURS)
		return "sends what is another host's to send";
	if (secret_empty(&a->verdict.record.live.refresh) ||
	    record_superseded(&a->verdict.record, live) || a->verdict.record.dead_code[0] ||
	    (is_spent(w) && !a->verdict.resend) ||
	    listed(a->verdict.settle, a->verdict.n_settle, live) || a->verdict.record.ended_ms)
		return "sends a token that is superseded, dead, spent or logged out";
	if (r && r->held && !(a->claimed && r->state == RECEIPT_ANSWERED))
		return "sends what another process has in flight";
	if (a->verdict.resend != (r && !gone))
		return "a receipt is there and it is no second send, or the other way round";
	if (a->verdict.resend && r->sends >= 2)
		return "sends a third time";
	return NULL;
}

static const char *broken_by_unfencing(const struct world *w, const struct fence *fence)
{
	const struct account_record *before = &w->before;
	bool sighted =
		before->n_sightings && string_equal(fence->claim, before->sightings[0].claim);

	if (!record_knows_fence(&w->account.verdict.record, fence->digest))
		return "replaces a fence that names a token nobody knows";
	if (!fence->failed &&
	    (!sighted || NOW - before->sightings[0].seen_ms < 10 * MINUTE_S * SECOND_MS))
		return "replaces a fence whose maker may still be at work";
	return NULL;
}

// No login a person made is overwritten; nothing is written where it must not be.
static const char *broken_by_writing(const struct world *w)
{
	const struct account *a = &w->account;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		struct fingerprint token = m->copy->credential.fingerprint;
		if (!verdict_of(a, m)->write)
			continue;
		if (verdict_of(a, m)->fixed || m->copy->kind == COPY_BLANK)
			return "writes a copy that is not ours, or no login";
		if (m->copy->kind == COPY_FENCED) {
			const char *broken = broken_by_unfencing(w, &m->copy->fence);
			if (broken)
				return broken;
			continue;
		}
		if (!record_knows(&a->verdict.record, token) && !m->settled)
			return "overwrites a token that nobody knows";
		if (listed(w->before.diverged, w->before.n_diverged, token) &&
		    !record_knows(&a->verdict.record, token) && !m->settled)
			return "overwrites a diverged token";
		if (!m->settled && !record_superseded(&w->before, token) &&
		    !listed(a->verdict.close, a->verdict.n_close, token) &&
		    !fingerprint_equal(token, w->before.live.fingerprint) &&
		    !fingerprint_equal(token, a->verdict.record.live.fingerprint) &&
		    !is_displaced(a, token) && !handover_superseded(&w->handover, token))
			return "overwrites a token it did not keep";
		if (secret_empty(&a->verdict.record.live.refresh))
			return "writes nothing into a copy";
		if (m == a->main && a->verdict.record.ended_ms)
			return "resurrects a login in main";
		if (a->verdict.record.dead_code[0] && !a->verdict.record.ended_ms &&
		    !a->main_trouble)
			return "spreads a dead token";
	}
	return NULL;
}

// No token that was received is lost: not the live one, and no answer.
static const char *broken_by_forgetting(const struct world *w)
{
	const struct account *a = &w->account;
	struct fingerprint live = a->verdict.record.live.fingerprint,
			   old = w->before.live.fingerprint;

	if (record_superseded(&a->verdict.record, live))
		return "live is superseded";
	if (!fingerprint_empty(old) && !fingerprint_equal(live, old) &&
	    !record_superseded(&a->verdict.record, old))
		return "the old live token is forgotten";
	for (size_t i = 0; i < a->n_receipts; i++) {
		const struct receipt *r = a->receipts[i];
		struct answer answer = {0};
		bool removed = listed(a->verdict.drop, a->verdict.n_drop, r->token) ||
			       listed(a->verdict.close, a->verdict.n_close, r->token) ||
			       listed(a->verdict.settle, a->verdict.n_settle, r->token);
		if (removed && r->held && !a->claimed)
			return "removes a receipt that is somebody else's";
		if (r->state != RECEIPT_ANSWERED || !removed)
			continue;
		provider_read_answer(a->provider, &r->answer, r->received_ms, &answer);
		struct fingerprint answered = fingerprint_of(&answer.refresh);
		bool lost = !fingerprint_empty(answered) &&
			    !record_knows(&a->verdict.record, answered) &&
			    !is_displaced(a, answered);
		answer_free(&answer);
		if (lost)
			return "an answer is in no record, and its receipt goes";
	}
	return NULL;
}

// At any time one host owns it, or none.
static const char *broken_between_hosts(const struct world *w)
{
	const struct account *a = &w->account;
	const struct handover *h = &w->handover;
	const struct custody *custody = &a->verdict.record.custody;
	struct fingerprint live = a->verdict.record.live.fingerprint,
			   old = w->before.live.fingerprint;

	if (w->policy.choice.kind == CHOICE_OWN)
		return a->verdict.custody.ownership == OWNERSHIP_OURS ? NULL
								      : "owned, and is not ours";
	if (w->policy.choice.kind == CHOICE_RELEASE)
		return custody->ownership != OWNERSHIP_RELEASED ? "released, and is not"
		       : !string_equal(custody->nonce, NONCE)	? "released by another run"
		       : receipt_of(a, live) && !listed(a->verdict.drop, a->verdict.n_drop, live)
			       ? "released, and was perhaps sent"
		       : account_has_writes(a) ? "released, and is written"
					       : NULL;
	if (!fingerprint_equal(live, h->live.fingerprint) && !receipt_of(a, h->live.fingerprint))
		return "another login is live than the one that was sent";
	if (!h->release && !string_equal(custody->ledger, h->ledger))
		return "follows another host than the one that sent it";
	if (custody->ownership != (h->release ? OWNERSHIP_OURS : OWNERSHIP_FOLLOWS) ||
	    custody->term < h->term)
		return "imported, and not as it was exported";
	if (identity_compare(&w->before.identity, &h->identity) == IDENTITY_DIFFERENT)
		return "another person's login was taken";
	if (!fingerprint_empty(old) && !fingerprint_equal(live, old) && !w->before.dead_code[0] &&
	    !handover_superseded(h, old) && !is_displaced(a, old))
		return "the login that was here is not kept";
	return NULL;
}

// What a person decided is so: that login and no other, or nothing at all was done.
static const char *broken_by_disobeying(const struct world *w)
{
	const struct account *a = &w->account;
	struct fingerprint live = a->verdict.record.live.fingerprint, chosen = {0};

	if (string_equal(a->verdict.code, "adopt_refused") ||
	    string_equal(a->verdict.code, "import_refused"))
		return account_has_work(a) ? "refused, and does something" : NULL;
	if (!a->verdict.obeyed || w->policy.choice.kind == CHOICE_FOLLOW)
		return NULL;
	if (w->policy.choice.kind >= CHOICE_RELEASE)
		return broken_between_hosts(w);
	chosen = w->kept.credential.fingerprint;
	for (size_t i = 0; w->policy.choice.kind == CHOICE_ADOPT && i < a->n_members; i++)
		if (store_is_named(a->members[i].store, w->policy.choice.store))
			chosen = a->members[i].copy->credential.fingerprint;
	// An answer that had come already is what the provider made of it.
	if (!fingerprint_equal(live, chosen) && !receipt_of(a, chosen))
		return "another login is live than the one that was chosen";
	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *m = &a->members[i];
		if (!verdict_of(a, m)->fixed && m->copy->kind == COPY_OAUTH && !m->settled &&
		    !record_knows(&a->verdict.record, m->copy->credential.fingerprint))
			return "another copy is left as it was";
	}
	return NULL;
}

// What is not saved does not survive a kill.
static const char *broken_by_not_saving(const struct world *w)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	say_record(out, &w->account.verdict.record, &w->before);
	fclose(out);
	free(text);
	bool refused = string_equal(w->account.verdict.code, "adopt_refused") ||
		       string_equal(w->account.verdict.code,
				    "import_refused"); // learnt again another time
	if (len && !w->account.verdict.record_changed && !refused)
		return "the record changed and is not saved";
	return w->account.verdict.reason || w->account.record.unreadable ? NULL : "no reason";
}

// ---- what was seen stays as it was

_Static_assert(_Generic(&decide, struct verdict (*)(const struct account *, const struct sibling *,
						    const struct config *, const struct policy *)
			: true, default
			: false),
	       "decide is given nothing that it may change");

static bool same_tokens(const struct fingerprint *a, size_t n_a, const struct fingerprint *b,
			size_t n_b)
{
	return n_a == n_b && (!n_a || memcmp(a, b, n_a * sizeof(*a)) == 0);
}

static bool same_sightings(const struct sighting *a, size_t n_a, const struct sighting *b,
			   size_t n_b)
{
	return n_a == n_b && (!n_a || memcmp(a, b, n_a * sizeof(*a)) == 0);
}

// What the pointers of a record point to.
static bool same_contents(const struct account_record *a, const struct account_record *b)
{
	return same_tokens(a->superseded, a->n_superseded, b->superseded, b->n_superseded) &&
	       same_tokens(a->fences, a->n_fences, b->fences, b->n_fences) &&
	       same_tokens(a->diverged, a->n_diverged, b->diverged, b->n_diverged) &&
	       same_tokens(a->accesses, a->n_accesses, b->accesses, b->n_accesses) &&
	       same_sightings(a->sightings, a->n_sightings, b->sightings, b->n_sightings) &&
	       same_sightings(a->expiries, a->n_expiries, b->expiries, b->n_expiries) &&
	       secret_equal(&a->live.refresh, &b->live.refresh) &&
	       secret_equal(&a->live.access, &b->live.access) &&
	       secret_equal(&a->live.id_token, &b->live.id_token) &&
	       identity_equal(&a->identity, &b->identity) &&
	       string_equal(a->main_store, b->main_store) &&
	       string_equal(a->adopted_from, b->adopted_from);
}

// Whether the verdict on a world changes what it was concluded from. The account as such, with every pointer in it, its
// members, and the record with all that it points to.
static bool decide_meddles(struct world *w)
{
	struct account before = w->account;
	size_t size = w->account.n_members * sizeof(*before.members);
	_cleanup_free_ struct member *members = xcalloc(1, size + 1);

	if (size)
		memcpy(members, before.members, size);
	decide_world(w);
	return memcmp(&before, &w->account, offsetof(struct account, verdict)) != 0 ||
	       (size && memcmp(members, w->account.members, size) != 0) ||
	       !same_contents(&w->before, &w->account.record);
}

static const char *broken(const struct world *w)
{
	const char *(*const promises[])(const struct world *) = {
		broken_by_sending, broken_by_writing, broken_by_forgetting, broken_by_not_saving,
		broken_by_disobeying};

	for (size_t i = 0; i < ARRAY_SIZE(promises); i++) {
		const char *what = promises[i](w);
		if (what)
			return what;
	}
	return NULL;
}

// ---- the table

struct scene {
	const char *given, *decided;
	const char *states; // of the copies, where they are the point
};

static const struct scene first_run[] = {
	{"main:1", "none/unchanged live=1 #+1 anchor=1", "current"},
	{"main:1 agent:1 ext:1", "none/unchanged live=1 #+1 anchor=1", "current current current"},
	{"main:1=1h", "refresh/planned send live=1 #+1 anchor=*"},
	{"main:2 agent:1", "mirror/planned live=2 #+1 sup+1 anchor=2 displaced=1@agent write=agent",
	 "current superseded"},
	{"main:1 agent:2",
	 "adopt/planned live=2 #+2 sup+1 anchor=2 before=1 displaced=1 settle=1 write=main",
	 "superseded newer"},
	{"main:1 agent:2?", "none/unchanged live=1 #+1 div+2 anchor=1", "current diverged"},
	{"main:1? agent:2", "none/unchanged live=1 #+1 div+2 no-expiry"},
	{"main:1!", "login/needs_login live=1 #+1 anchor=1"}, // spent by somebody: the receipt
							      // outlives the record
	{"main:1! force", "login/needs_login live=1 #+1 anchor=1"},
	{"main:1=1h receipt=1:sending", "hold/held live=1 #+1 anchor=*"},
	{"main:blank agent:1", "login/needs_login"},
	{"agent:1", "login/needs_login"},
	{"main:1=1h trouble", "hold/held"},
};

static const struct scene due[] = {
	{"live=1=2h1m main:1", "none/unchanged"},
	{"live=1=2h main:1", "refresh/planned send"},
	{"live=1=1h59m main:1", "refresh/planned send"},
	{"live=1=-10m main:1", "refresh/planned send"},
	{"live=1=2h30m at=29m main:1", "none/unchanged"},
	{"live=1=2h30m at=31m main:1", "refresh/planned send"},
	{"live=1 main:1 force", "refresh/planned send"},
	{"live=1=1h offline main:1", "none/unchanged"},
	{"live=1 force offline main:1", "none/unchanged"},
	{"live=1=6h10m main:1", "none/unchanged"}, // the lifetime is 6 h: 10 minutes more may be
	{"live=1=6h10m1s main:1",
	 "refresh/planned send"}, // no more: what the store says is not believed
	{"live=1? main:1", "refresh/planned send no-expiry"}, // due to every runtime
	{"live=1? main:1 offline", "none/unchanged no-expiry"},
	{"live=1? answered main:1", "none/unchanged no-expiry"},      // the answer had none either
	{"live=1? main:1 agent:2", "none/unchanged div+2 no-expiry"}, // 2 may be its successor
	{"live=1? main:1 failures=1 wait=10m", "none/failed no-expiry"},
	{"live=1? answered main:1? force", "refresh/planned send no-expiry"},
	{"live=1=1h sup=0 main:1 agent:0", "refresh/planned send write=agent"},
};

// The expiry beside the live tokens is what the runtime decides by.
static const struct scene expiries[] = {
	{"live=1 main:1 agent:1=1h", "mirror/planned write=agent", "current superseded"},
	{"live=1 main:1=1h agent:1", "mirror/planned write=main"},
	{"live=1 main:1 agent:1=9h", "mirror/planned write=agent"},
	{"live=1=3h main:1 agent:1=3h1m other:1=2h59m", "none/unchanged"},
	{"live=1=3h main:1 agent:1=3h1m1s other:1=179m59s", "mirror/planned write=agent"},
	{"live=1=3h main:1 agent:1=178m59s", "mirror/planned write=agent"},
	{"live=1=3h skew main:1 agent:1=3h6m other:1=174m", "none/unchanged"},
	{"live=1=3h skew main:1 agent:1=3h6m1s", "mirror/planned write=agent"},
	{"live=1 main:1 agent:1#", "mirror/planned write=agent"},
	{"live=1 main:1# agent:1#", "mirror/planned write=main,agent"},
	{"live=1? answered main:1# agent:1=3h", "none/unchanged no-expiry"}, // nobody knows better
	{"live=1=-1h failures=1 wait=10m main:1=-3h agent:1=-1s", "none/failed"}, // past is past
	{"live=1=-1h failures=1 wait=10m main:1 agent:1=1h", "mirror/failed write=agent"},
	{"live=1=1h main:1#", "refresh/planned send write=main"},
	{"live=2 main:2 agent:2~=1h", "none/unchanged", "current unproven"},
	{"live=2 dead main:2 agent:2#", "login/needs_login"},
	{"live=2 sup=1 ended=-1h main:2# agent:2#", "login/needs_login"},
	{"main:1#", "refresh/planned send live=1 #+1 no-expiry"},
	{"main:1 agent:1#", "mirror/planned live=1 #+1 anchor=1 write=agent"},
	{"main:1 agent:1=1h", "mirror/planned live=1 #+1 anchor=1 write=agent"},
};

static const struct scene back_off[] = {
	{"live=1=1h failures=2 wait=10m main:1", "none/failed"},
	{"live=1=1h failures=2 wait=10m main:1 force", "refresh/planned send"},
	{"live=1=1h failures=2 wait=-1s main:1", "refresh/planned send"},
	{"live=1=1h failures=2 rejections=2 wait=10m main:1", "none/failed"},
	{"live=1=1h failures=3 rejections=3 wait=10m main:1", "hold/held"}, // after three a person
	{"live=1=1h failures=3 rejections=3 wait=-1s main:1", "hold/held"},
	{"live=1=1h failures=3 rejections=3 wait=-1s main:1 force", "refresh/planned send"},
	{"live=1 failures=3 rejections=3 wait=10m main:1", "none/unchanged"},
	{"live=1=1h sup=0 failures=2 wait=10m main:1 agent:0", "mirror/failed write=agent"},
	// a new login, or a copy that shows a peer was luckier, ends it
	{"live=1=1h failures=3 rejections=3 wait=10m main:2",
	 "adopt/planned live=2 #+1 sup+1 anchor=2 before=* failures=0 rejections=0 wait=none "
	 "displaced=1 settle=1"},
};

static const struct scene clock_wrong[] = {
	{"live=1=1h updated=59s main:1", "refresh/planned send"},
	{"live=1=1h updated=61s main:1", "refresh/planned send"},
	{"live=1=1h updated=11m main:1", "none/failed clock"},
	{"live=1=1h updated=11m main:1 force", "refresh/planned send clock"},
	{"live=1=1h updated=11m sup=0 main:1 agent:0", "mirror/planned write=agent clock"},
	// only our own stamp says so: it was ahead then, and what was waited for is no further away than it was
	{"live=1=1h refreshed=-5h witness=-5h updated=24h main:1", "refresh/planned send"},
	{"live=1=1h refreshed=-5h witness=-5h updated=3h wait=183m failures=1 main:1",
	 "none/failed wait=3m"},
	{"live=1=1h refreshed=-5h witness=11m updated=24h main:1", "none/failed clock"},
	// it was 200 days ahead when the server answered a minute ago, and has been put right: so is what was stamped by it
	{"live=1=4806h answered refreshed=4800h witness=-1m updated=-1m life=6h main:1=4806h",
	 "mirror/planned anchor=* write=main"},
	{"live=1=4801h answered refreshed=4800h witness=-1m updated=-1m life=6h main:1=4801h",
	 "refresh/planned send anchor=* write=main"},
	// not yet: its own times agree with one another
	{"live=1=6h answered refreshed=-1m witness=-4800h updated=-4800h life=6h main:1=6h",
	 "none/unchanged"},
	{"live=1=1h answered refreshed=-5h witness=-4805h updated=-4805h life=6h main:1=1h",
	 "refresh/planned send"},
	// it is behind, by the server's word and the ledger's
	{"live=1=30h answered refreshed=24h witness=24h updated=24h life=6h main:1=30h",
	 "none/failed clock"},
	{"live=1=5h answered refreshed=-1m witness=24h updated=24h life=6h main:1=5h",
	 "none/unchanged"},
	// nobody waits until next year
	{"live=1=1h wait=7h main:1", "refresh/planned send wait=none"},
	{"live=1=1h wait=6h failures=1 main:1", "none/failed"},
};

static const struct scene copies[] = {
	// newer: adopted, wherever it stands
	{"live=2 main:2 agent:3",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 displaced=2 settle=2 write=main",
	 "superseded newer"},
	{"live=2 main:3 agent:2",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 displaced=2 settle=2 write=agent",
	 "newer superseded"},
	{"live=2 main:2 ext:3",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 displaced=2 settle=2 write=main"},
	{"live=2 main:2 agent:3 other:4 ext:2", "adopt/planned live=4 #+1 sup+2 div+3 anchor=4 "
						"before=2 displaced=2 settle=2 write=main,ext"},
	{"live=2 life=12h main:2 agent:3",
	 "refresh/planned send live=3 #+1 sup+2 anchor=3 before=2 displaced=2 settle=2 write=main"},
	// the same refresh token with another access token: of a provider that keeps it
	{"live=2 main:2+ agent:2", "adopt/planned #+1 write=agent", "newer superseded"},
	{"live=2 main:2 agent:2+ reusable", "adopt/planned #+1 write=main"},
	{"live=2 main:2 agent:2-", "mirror/planned write=agent", "current superseded"},
	// superseded: repaired, whatever its `expires` says; never adopted, never sent
	{"live=2 sup=1 main:2 agent:1", "mirror/planned write=agent", "current superseded"},
	{"live=2 sup=1 main:1=5h agent:2", "mirror/planned write=main", "superseded current"},
	{"live=2 sup=1 main:1=5h agent:1=5h", "mirror/planned write=main,agent"},
	{"live=2 sup=1 main:2 agent:1=-5h", "mirror/planned write=agent"},
	{"live=2 sup=1 main:2 agent:1?", "mirror/planned write=agent"},
	{"live=2 main:2 agent:9!", "mirror/planned write=agent",
	 "current superseded"}, // another name spent it
	{"live=2 main:9!", "mirror/planned write=main"},
	// not ours to judge
	{"live=2 main:2 agent:9~", "none/unchanged", "current unproven"},
	{"live=2 main:2 ext:9~~", "none/unchanged", "current foreign"},
	{"live=2 sup=1 main:2 agent:1~", "none/unchanged", "current unproven"},
	{"live=2 main:2 agent:blank other:fence9", "none/unchanged", "current ended fenced"},
	{"live=2=1h main:fence9 agent:2", "login/needs_login", "fenced current"},
};

// By time of issue against the newest adopted generation, not against what was answered to us.
static const struct scene unknown_tokens[] = {
	{"live=4 anchor=1 main:4 agent:3",
	 "adopt/planned live=3 #+1 sup+4 anchor=3 before=1 displaced=4 settle=4 write=main"},
	{"live=4 anchor=3 before=1 main:4 agent:2", "none/unchanged div+2", "current diverged"},
	{"live=4 life=12h anchor=3 before=1 main:4 agent:2",
	 "refresh/planned send div+2"}, // an agent only itself
	{"live=4 anchor=3 before=1 main:4 agent:0",
	 "mirror/planned sup+0 displaced=0@agent write=agent"},
	{"live=4 anchor=3 before=1 main:0 agent:4",
	 "mirror/planned sup+0 displaced=0@main write=main"},
	{"live=4 anchor=3 main:4 agent:2", "mirror/planned sup+2 displaced=2@agent write=agent"},
	{"live=4 anchor=3 before=2 main:4 agent:2",
	 "none/unchanged div+2"}, // issued together: undecidable
	{"live=4 anchor=3 before=1 main:4 agent:3", "none/unchanged div+3"},
	{"live=4 main:4 agent:3?", "none/unchanged div+3"},
	{"live=4? anchor=3? main:4 agent:3", "none/unchanged div+3 no-expiry"},
	// an expiry that cannot be is none: it neither wins nor loses
	{"live=4 main:4 agent:3=7h", "none/unchanged div+3", "current diverged"},
	{"live=4 life=3h main:4 agent:3=7h", "none/unchanged div+3", "current diverged"},
	{"live=4 life=3h main:4 agent:3=6h",
	 "refresh/planned send live=3 #+1 sup+4 anchor=* before=4 displaced=4 settle=4 write=main"},
	{"live=4 main:3=7h agent:4", "hold/held div+3"},
	// a diverged main stops everything, but that who holds a spent token gets the live one
	{"live=4 anchor=3 before=1 main:2 agent:4", "hold/held div+2", "diverged current"},
	{"live=4 life=12h anchor=3 before=1 main:2 agent:4 force", "hold/held div+2"},
	{"live=4 anchor=3 before=1 sup=0 main:2 agent:0", "hold/held div+2 write=agent",
	 "diverged superseded"},
	{"live=4=-10m anchor=3=-1h before=1=-9h previous=3=-1h sup=0 main:2=-2h agent:0 dead",
	 "hold/held div+2"},
	{"live=2 main:3 agent:4",
	 "hold/held live=4 #+1 sup+2 div+3 anchor=4 before=2 displaced=2 settle=2"},
	// and stays so, although by now it looks later, or older
	{"live=4 anchor=1 div=3 main:4 agent:3", "none/unchanged", "current diverged"},
	{"live=4 anchor=3 div=1 main:4 agent:1", "none/unchanged", "current diverged"},
	{"live=4 anchor=3 div=1 main:1 agent:4", "hold/held"},
	{"live=4=1h div=9 main:4 agent:9 other:4", "refresh/planned send"},
	// until a person says so, or it is in the way no more
	{"live=4 anchor=3 before=1 div=2 main:2 agent:4 adopt=main",
	 "adopt/planned live=2 #+1 sup+4 anchor=2 before=3 displaced=4 settle=4 write=agent"},
	{"live=4 anchor=3 before=1 div=2 main:5 agent:4",
	 "adopt/planned live=5 #+1 sup+4 anchor=5 before=3 displaced=4 settle=4 write=agent"},
	{"live=4 main:4 agent:9?~ adopt=agent",
	 "refresh/planned send live=9 #+1 sup+4 anchor=? before=4 displaced=4 settle=4 write=main "
	 "no-expiry",
	 "superseded newer"},
	{"live=4 main:4 ext:9~~ adopt=ext", "hold/held"}, // somebody else's never
	{"live=4 main:4 agent:9~ adopt=other", "none/unchanged"},
	{"live=4 main:4 adopt=main", "none/unchanged"},
};

// What lists and marks have forgotten is older than `previous`: not adopted, neither now nor ever.
static const struct scene forgotten[] = {
	{"live=4 anchor=1=-9h previous=3=-1h main:4 agent:2=-2h", "none/unchanged div+2",
	 "current diverged"},
	{"live=4 anchor=1=-9h previous=3=-1h main:2=-2h agent:4", "hold/held div+2",
	 "diverged current"},
	{"live=4 anchor=1=-9h previous=3=-1h main:2=-2h agent:4 force", "hold/held div+2"},
	{"live=4=-10m anchor=1=-9h previous=3=-1h main:2=-1h agent:4=-10m", "hold/held div+2"},
	{"live=4 anchor=1=-9h before=0=-12h previous=3=-1h main:4 agent:2=-10h",
	 "none/unchanged div+2"},
	{"live=4 anchor=1=-9h before=0=-12h previous=3=-1h main:4 agent:2=-13h",
	 "mirror/planned sup+2 displaced=2@agent write=agent"},
	// though the live one is dead, or was logged out
	{"live=4=-10m anchor=1=-9h previous=3=-1h main:2=-2h dead", "hold/held div+2"},
	{"live=4=-10m anchor=1=-9h previous=3=-1h main:3=-1h dead", "hold/held div+3"},
	{"live=4=-10m anchor=1=-9h previous=3=-1h main:2=-2h ended=-1d", "login/needs_login div+2"},
	// a login lives; one that lives shorter than the ones before, too
	{"live=4=3h anchor=1=-9h previous=3=2h main:4=3h agent:2=1h",
	 "refresh/planned send live=2 #+1 sup+4 anchor=* before=* displaced=4 settle=4 write=main"},
	{"live=4=-10m anchor=1=-9h previous=3=-1h main:2=1h agent:4=-10m",
	 "refresh/planned send live=2 #+1 sup+4 anchor=* before=* displaced=4 settle=4 "
	 "write=agent"},
	{"live=4=-10m anchor=1=-9h previous=3=-1h main:2=1h dead",
	 "refresh/planned send live=2 #+1 sup+4 anchor=* before=* undead settle=4"},
	{"live=4=-10m anchor=1=-9h previous=3=-1h main:2? dead",
	 "refresh/planned send live=2 #+1 sup+4 anchor=? before=* undead settle=4 no-expiry"},
	{"live=4=-10m anchor=1=-9h previous=3=-1h main:2=1h ended=-1d",
	 "refresh/planned send live=2 #+1 sup+4 anchor=* before=* unended displaced=4 settle=4"},
	// issued while our request was under way, it looks earlier than the answer
	{"live=4=6h anchor=1=-9h previous=3=2h main:4=6h agent:2=5h",
	 "adopt/planned live=2 #+1 sup+4 anchor=* before=* displaced=4 settle=4 write=main"},
	// a person's word is asked for twice
	{"live=4 anchor=1=-9h div=2 previous=3=-1h main:4 agent:2=-2h adopt=agent", "hold/held"},
	{"live=4 anchor=1=-9h div=2 previous=3=-1h main:4 agent:2=-2h adopt=agent force offline",
	 "adopt/planned live=2 #+1 sup+4 anchor=* before=* displaced=4 settle=4 write=main"},
	{"live=4 anchor=1=-9h sup=2 main:4 agent:2=-2h adopt=agent force offline", "hold/held"},
	// expired or not, an older clock believes it to live
	{"live=4 anchor=1=-9h previous=3=2h main:4 agent:2=1h updated=2h",
	 "none/failed div+2 clock"},
};

static const struct scene receipts[] = {
	// never sent
	{"live=2 main:2 receipt=2:claimed", "none/unchanged drop=2"},
	{"live=2=1h main:2 receipt=2:claimed", "refresh/planned send drop=2"},
	// somebody has it: nothing at all is done, not even a newer login adopted
	{"live=2=1h main:2 receipt=2:claimed:held", "none/busy"},
	{"live=2=1h main:2 receipt=2:sending:held force", "none/busy"},
	{"live=2 main:2 receipt=2:answered=3:held", "none/busy"},
	{"live=2 main:2 claimed receipt=2:sending:held", "none/busy"},
	{"live=2 main:5 agent:1 sup=1 receipt=2:sending:held", "none/busy"},
	{"live=2 main:blank receipt=2:sending:held", "none/busy"},
	// answered: the commit point. Its courier may still hold it, if the account is ours
	{"live=2 main:2 agent:2 receipt=2:answered=3",
	 "recover/planned live=3 #+1 sup+2 close=2 write=main,agent"},
	{"live=2 main:2 claimed receipt=2:answered=3:held",
	 "recover/planned live=3 #+1 sup+2 close=2 write=main"},
	{"live=2=1h main:2 receipt=2:answered=3:sends2",
	 "recover/planned live=3 #+1 sup+2 close=2 write=main"},
	{"live=2 main:2 receipt=2:answered=3 offline",
	 "recover/planned live=3 #+1 sup+2 close=2 write=main"},
	{"live=2 failures=2 rejections=1 wait=10m main:2 receipt=2:answered=3",
	 "recover/planned live=3 #+1 sup+2 failures=0 rejections=0 wait=none close=2 write=main"},
	{"live=2 main:2 agent:1 sup=1 receipt=2:answered=3",
	 "recover/planned live=3 #+1 sup+2 close=2 write=main,agent"},
	{"trouble live=2 agent:2 receipt=2:answered=3",
	 "hold/held live=3 #+1 sup+2 close=2 write=agent"},
	// no new refresh token: the old one is proven reusable, nothing is superseded
	{"live=2 main:2 receipt=2:answered=access", "recover/planned #+1 drop=2 write=main"},
	{"live=2 main:2 receipt=2:answered=same-refresh", "recover/planned #+1 drop=2 write=main"},
	{"live=2 main:2 receipt=2:answered=access:sends2", "recover/planned #+1 drop=2 write=main"},
	// for somebody else: written nowhere, kept where it is, and spent
	{"live=2 main:2 receipt=2:answered=bob", "hold/held"},
	{"live=2=-1h main:2 receipt=2:answered=bob force", "hold/held"},
	{"live=2 main:2 agent:1 sup=1 receipt=2:answered=bob", "hold/held"},
	// dead
	{"live=2 main:2 receipt=2:answered=dead", "login/needs_login dead=invalid_grant close=2"},
	{"live=2=-1h main:2 receipt=2:answered=dead:sends2 force",
	 "login/needs_login dead=invalid_grant close=2"},
	// … but a peer was faster: it is adopted, although our own answers are later
	{"live=4 anchor=1 main:4 agent:3 receipt=4:answered=dead",
	 "adopt/planned live=3 #+1 sup+4 anchor=3 before=1 close=4 write=main"},
	{"live=2 main:2 agent:3 receipt=2:answered=dead",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 displaced=2 close=2 "
	 "write=main"},
	// not spent: again, but later
	{"live=2 main:2 receipt=2:answered=rejected",
	 "none/unchanged failures=1 rejections=1 wait=5m drop=2"},
	{"live=2=1h main:2 receipt=2:answered=rejected",
	 "none/failed failures=1 rejections=1 wait=5m drop=2"},
	{"live=2=1h failures=2 rejections=2 main:2 receipt=2:answered=rejected",
	 "hold/held failures=3 rejections=3 wait=15m drop=2"},
	{"live=2=1h main:2 receipt=2:answered=later", "none/failed failures=1 wait=30m drop=2"},
	// the second time there is no way back
	{"live=2 main:2 receipt=2:answered=rejected:sends2", "login/needs_login"},
	{"live=2 main:2 receipt=2:answered=later:sends2 force", "login/needs_login"},
	{"live=2=-1h main:2 receipt=2:answered=500:sends2 force", "login/needs_login"},
	// says nothing: unknown outcome
	{"live=2=1h main:2 receipt=2:answered=500", "hold/failed"},
	{"live=2=1h main:2 receipt=2:answered=cut", "hold/held"},
	{"live=2=10m main:2 receipt=2:answered=500", "refresh/planned resend"},
	// granted, but nobody can read what came: the token is spent, and never sent again
	{"live=2=1h main:2 receipt=2:answered=cut force", "hold/held"},
	{"live=2=1h main:2 receipt=2:answered=cut last-try", "hold/held"},
	{"live=2=10m main:2 receipt=2:answered=cut", "login/needs_login"},
	{"live=2=-1h main:2 receipt=2:answered=cut force", "login/needs_login"},
	// the token is live no more: the answer is known already, or kept
	{"live=3 sup=2 main:3 agent:2 receipt=2:answered=3", "recover/planned close=2 write=agent"},
	{"live=4 sup=2,3 main:4 receipt=2:answered=3", "recover/planned close=2"},
	{"live=5 sup=2 main:5 receipt=2:answered=3", "recover/planned displaced=3 close=2"},
	{"live=5 sup=2 main:5 receipt=2:answered=dead", "none/unchanged close=2"},
	{"live=5 sup=2 main:5 receipt=2:sending", "none/unchanged close=2"},
	{"live=5 sup=2 main:5 receipt=2:answered=500", "none/unchanged close=2"},
	// a login that is newer than live goes before an old answer
	{"live=2 main:5 agent:2 receipt=2:answered=3",
	 "recover/planned live=5 #+1 sup+2 anchor=5 before=2 displaced=2,3 close=2 "
	 "write=agent"},
	{"live=2 main:5 agent:2 receipt=2:sending",
	 "adopt/planned live=5 #+1 sup+2 anchor=5 before=2 displaced=2 close=2 "
	 "write=agent"},
	{"live=2 main:5 receipt=2:claimed",
	 "adopt/planned live=5 #+1 sup+2 anchor=5 before=2 displaced=2 settle=2 drop=2"},
};

// Unknown outcome: the access token is used up first. 11 minutes are the runtime's 5, the timer's
// 5, our deadline.
static const struct scene unknown_outcome[] = {
	{"live=2 main:2 receipt=2:sending", "hold/held"},
	{"live=2=1h main:2 receipt=2:sending", "hold/held"},
	{"live=2=11m main:2 receipt=2:sending", "hold/held"},
	{"live=2=10m59s main:2 receipt=2:sending", "refresh/planned resend"},
	{"live=2=-5m main:2 receipt=2:sending", "refresh/planned resend"},
	{"live=2 main:2 receipt=2:sending force", "hold/held"},
	{"live=2 main:2 receipt=2:sending last-try", "refresh/planned resend"},
	{"live=2 main:2 receipt=2:answered=500 last-try", "refresh/planned resend"},
	{"live=2 main:2 last-try", "none/unchanged"},
	{"live=2=-5m main:2 receipt=2:sending:sends2 last-try", "login/needs_login"},
	{"live=2 main:2 receipt=2:sending last-try offline", "hold/held"},
	{"live=2=-5m main:2 receipt=2:sending offline", "hold/held"},
	{"live=2 main:2 receipt=2:sending force offline", "hold/held"},
	{"live=2? main:2 receipt=2:sending", "hold/held no-expiry"},
	{"live=2=400d main:2 receipt=2:sending", "hold/held"}, // that cannot be: nobody knows
	{"live=2=-5m main:2 receipt=2:sending:sends2", "login/needs_login"},
	{"live=2=-5m main:2 receipt=2:sending:sends2 force", "login/needs_login"},
	{"live=2 main:2 agent:1 sup=1 receipt=2:sending", "hold/held write=agent"},
	{"live=2 main:2 agent:2+ receipt=2:sending", "hold/held #+1 write=main"},
	{"live=2=-5m main:9? receipt=2:sending last-try",
	 "hold/held div+9"}, // main is a login nobody can place
	{"live=2=-5m main:fence9 receipt=2:sending", "login/needs_login"},
	// a second send within the window is harmless; a third is not
	{"live=2 window main:2 receipt=2:sending", "refresh/planned resend"},
	{"live=2 window main:2 receipt=2:sending:old", "hold/held"},
	{"live=2 window main:2 receipt=2:sending:sends2", "login/needs_login"},
	{"live=2 window main:2 receipt=2:sending offline", "hold/held"},
	// nothing is spent where nothing rotates: retried freely
	{"live=2 reusable main:2 receipt=2:sending", "none/unchanged drop=2"},
	{"live=2=1h reusable main:2 receipt=2:sending:sends2", "refresh/planned send drop=2"},
	{"live=2=1h reusable main:2 receipt=2:answered=500",
	 "none/failed failures=1 wait=5m drop=2"},
	{"live=2=1h reusable main:2 receipt=2:answered=rejected:sends2",
	 "none/failed failures=1 rejections=1 wait=5m drop=2"},
};

// OpenClaw's fence in a token's place is a copy of the token that its digest names.
static const struct scene fences[] = {
	// failed, of the live token: the login is lost unless ours still works
	{"live=2 main:fence2", "refresh/planned send", "fenced"},
	{"live=2=-1h main:fence2 agent:2", "refresh/planned send", "fenced current"},
	{"live=2 main:2 agent:fence2", "refresh/planned send", "current fenced"},
	{"live=2 main:fence2 noclient", "skip/skipped"},
	{"live=2 main:fence2 report", "login/needs_login"},
	// … and until it is known whether it works, nobody else is given it
	{"live=2 sup=1 main:fence2 agent:1 report", "login/needs_login", "fenced superseded"},
	{"live=2 sup=1 main:fence2 agent:1 offline", "hold/held", "fenced superseded"},
	{"live=2 sup=1 main:fence2 agent:1 wait=10m failures=1", "none/failed"},
	{"live=2 main:fence2 offline", "hold/held"},
	{"live=2 main:fence2 wait=10m failures=1", "none/failed"},
	{"live=2 main:fence2 wait=10m failures=1 at=20m", "none/failed"},
	{"live=2 main:fence2 wait=10m failures=1 force", "refresh/planned send"},
	{"live=2 main:fence2 rejections=2", "refresh/planned send"},
	{"live=2 main:fence2 rejections=3 wait=-1s", "hold/held"},
	{"live=2 main:fence2 rejections=3 wait=-1s force", "refresh/planned send"},
	{"live=2 main:fence2 dead", "login/needs_login"},
	{"live=2 main:fence2 settled", "login/needs_login"},
	{"live=2 main:fence2 receipt=2:sending", "refresh/planned resend"},
	// … and nobody else gets the token while its outcome is unknown
	{"live=2 sup=1 main:fence2 agent:1 receipt=2:sending", "refresh/planned resend",
	 "fenced superseded"},
	{"live=2 main:fence2 receipt=2:sending:held", "none/busy"},
	{"live=2 main:fence2 receipt=2:sending:sends2", "login/needs_login"},
	{"live=2 main:fence2 receipt=2:sending:sends2 force", "login/needs_login"},
	{"live=2 main:fence2 receipt=1:sending:sends2", "refresh/planned send close=1"},
	// in flight: left alone until it is 10 minutes old by our own first sighting
	{"live=2=-5m main:pending2 agent:1 sup=1", "none/busy sighted", "fenced superseded"},
	{"live=2=-5m main:pending2 seen=-9m", "none/busy"},
	{"live=2=-5m main:pending2 seen=-9m force", "none/busy"},
	{"live=2 main:2 agent:pending2 seen=-9m", "none/busy"},
	{"live=2=-5m main:pending2 seen=-10m", "refresh/planned send"},
	{"live=2=-5m main:pending2 seen=1h", "none/busy sighted"}, // a clock was wrong
	{"live=2=-5m main:pending2 seen=-10m report", "login/needs_login"},
	// of a superseded one: repaired, nothing is sent
	{"live=2 sup=1 main:fence1", "mirror/planned write=main"},
	{"live=2 sup=1 main:fence1 report", "mirror/planned write=main"},
	{"live=2 sup=1 main:2 agent:fence1", "mirror/planned write=agent"},
	{"live=2 sup=1 main:pending1 seen=-9m", "none/busy"},
	{"live=2 sup=1 main:pending1 seen=-11m", "mirror/planned write=main"},
	// our own answer came in meanwhile
	{"live=2 main:fence2 receipt=2:answered=3",
	 "recover/planned live=3 #+1 sup+2 close=2 write=main"},
	{"live=2 main:fence2 reusable receipt=2:answered=access",
	 "recover/planned #+1 drop=2 write=main"},
	// a newer login elsewhere goes before it
	// An answer that made the token live proves nothing of what became of it since.
	{"live=3 sup=2 main:fence3 agent:2 receipt=2:answered=3",
	 "recover/planned close=2 write=agent", "fenced superseded"},
	{"live=2 main:fence2 agent:5",
	 "adopt/planned live=5 #+1 sup+2 anchor=5 before=2 displaced=2 settle=2 write=main"},
	// never ours
	{"live=2 main:fence9 agent:2", "login/needs_login"},
	{"live=2 main:fence9 agent:2 force", "login/needs_login"},
	{"live=2 main:2 agent:fence9", "none/unchanged", "current fenced"},
	{"live=2=1h main:2 agent:fence9", "refresh/planned send"},
	{"main:fence2", "login/needs_login"},
	{"main:fence2 agent:2", "login/needs_login"},
	{"main:pending2", "none/busy sighted"},
	{"purged sup=2 ended=-8d main:fence", "login/needs_login no-expiry"},
};

static const struct scene ended[] = {
	{"live=2 main:blank agent:2", "login/needs_login ended", "ended current"},
	{"live=2 agent:2", "login/needs_login ended"},
	{"live=2 agent:1 sup=1", "login/needs_login ended"}, // nothing is written
	{"live=2=-1h main:blank agent:2 force", "login/needs_login ended"},
	{"live=2", "skip/skipped ended"},
	{"live=2 main:blank agent:5",
	 "login/needs_login ended"}, // an agent's token does not end the end
	// remembered: an old copy put back into main is no login
	{"live=2 ended=-1h main:2", "login/needs_login"},
	{"live=2 ended=-1h main:2=1h force", "login/needs_login"},
	{"live=2 sup=1 ended=-1h main:1 agent:1", "login/needs_login"},
	{"live=2 ended=-1h main:9!", "login/needs_login"},
	{"live=2 ended=-1h main:blank agent:5", "login/needs_login"},
	{"live=2 ended=-1h main:2 agent:5", "login/needs_login"},
	{"live=2 sup=1 ended=-1h main:1 agent:5", "login/needs_login"},
	// a token in main that the ledger does not know
	{"live=2 ended=-1h main:5 agent:2", "adopt/planned live=5 #+1 sup+2 anchor=5 before=2 "
					    "unended displaced=2 settle=2 write=agent"},
	// … also one whose time says nothing
	{"live=2 ended=-1h main:5? agent:2",
	 "refresh/planned send live=5 #+1 sup+2 anchor=? before=2 "
	 "unended displaced=2 settle=2 write=agent no-expiry"},
	// a week later the tokens go
	{"live=2 ended=-6d main:blank agent:2", "login/needs_login"},
	{"live=2 ended=-8d main:blank agent:2",
	 "login/needs_login sup+2 purged displaced=2"}, // an agent still holds it, unspent
	{"live=2 ended=-8d main:blank agent:1 sup=1", "login/needs_login sup+2 purged"},
	{"purged sup=2 anchor=2 ended=-8d main:2", "login/needs_login no-expiry"},
	{"purged sup=2 anchor=2 ended=-8d main:5 agent:2",
	 "adopt/planned live=5 #+1 anchor=5 before=2 unended write=agent"},
	// a rotation under way is delivered to whoever held the spent token, but not to main
	{"live=2 main:blank agent:2 ext:2 receipt=2:answered=3",
	 "recover/needs_login live=3 #+1 sup+2 ended close=2 write=agent,ext",
	 "ended superseded superseded"},
	{"live=3 sup=2 ended=-1m main:2 agent:2 receipt=2:answered=3",
	 "recover/needs_login close=2 write=agent"},
	{"live=2=-1h main:blank receipt=2:sending force", "login/needs_login ended"},
	{"live=2 main:blank receipt=2:claimed", "login/needs_login ended drop=2"},
};

static const struct scene dead[] = {
	{"live=2=1h dead main:2", "login/needs_login"},
	{"live=2=-1h dead main:2 force", "login/needs_login"},
	{"live=2 dead sup=1 main:2 agent:1", "login/needs_login",
	 "current superseded"}, // not spread any further
	{"live=2 dead main:2 agent:2?", "login/needs_login"},
	{"live=2=-1h dead main:5 agent:2",
	 "adopt/planned live=5 #+1 sup+2 anchor=5 before=* undead settle=2 write=agent"},
	{"live=2 dead main:2 agent:5",
	 "adopt/planned live=5 #+1 sup+2 anchor=5 before=2 undead settle=2 write=main"},
	{"live=4 anchor=1 dead main:3",
	 "adopt/planned live=3 #+1 sup+4 anchor=3 before=1 undead settle=4"},
	// spent, says a mark that outlived its receipt
	{"live=2=1h settled main:2", "login/needs_login"},
	{"live=2=1h settled main:2 force", "login/needs_login"},
	{"live=2 settled main:5",
	 "adopt/planned live=5 #+1 sup+2 anchor=5 before=2 displaced=2 settle=2"},
};

// A person decided. Each kind of login that may be named, beside each that another copy may hold.
static const struct scene chosen[] = {
	{"live=4 anchor=3 before=1 offline main:4 agent:4 other:4 adopt=agent", "none/unchanged"},
	{"live=4 anchor=3 before=1 offline main:4 agent:4 other:7 adopt=agent",
	 "mirror/planned sup+7 displaced=7@other write=other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:4 other:0 adopt=agent",
	 "mirror/planned sup+0 displaced=0@other write=other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:4 other:3 adopt=agent",
	 "mirror/planned sup+3 displaced=3@other write=other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:6 other:4 adopt=agent",
	 "adopt/planned live=6 #+1 sup+4 anchor=6 before=3 displaced=4 settle=4 write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:6 other:7 adopt=agent",
	 "adopt/planned live=6 #+1 sup+4,7 anchor=6 before=3 displaced=4,7@other settle=4 "
	 "write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:6 other:0 adopt=agent",
	 "adopt/planned live=6 #+1 sup+4,0 anchor=6 before=3 displaced=4,0@other settle=4 "
	 "write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:6 other:3 adopt=agent",
	 "adopt/planned live=6 #+1 sup+4,3 anchor=6 before=3 displaced=4,3@other settle=4 "
	 "write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:2 other:4 adopt=agent",
	 "adopt/planned live=2 #+1 sup+4 anchor=2 before=3 displaced=4 settle=4 write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:2 other:7 adopt=agent",
	 "adopt/planned live=2 #+1 sup+4,7 anchor=2 before=3 displaced=4,7@other settle=4 "
	 "write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:2 other:0 adopt=agent",
	 "adopt/planned live=2 #+1 sup+4,0 anchor=2 before=3 displaced=4,0@other settle=4 "
	 "write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:2 other:3 adopt=agent",
	 "adopt/planned live=2 #+1 sup+4,3 anchor=2 before=3 displaced=4,3@other settle=4 "
	 "write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:9~ other:4 adopt=agent",
	 "adopt/planned live=9 #+1 sup+4 anchor=9 before=3 displaced=4 settle=4 write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:9~ other:7 adopt=agent",
	 "adopt/planned live=9 #+1 sup+4,7 anchor=9 before=3 displaced=4,7@other settle=4 "
	 "write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:9~ other:0 adopt=agent",
	 "adopt/planned live=9 #+1 sup+4,0 anchor=9 before=3 displaced=4,0@other settle=4 "
	 "write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:9~ other:3 adopt=agent",
	 "adopt/planned live=9 #+1 sup+4,3 anchor=9 before=3 displaced=4,3@other settle=4 "
	 "write=main,other"},
	{"live=4 sup=1 anchor=3 before=1 offline main:4 agent:1^ other:4 adopt=agent",
	 "adopt/planned live=1 #+1 anchor=1 before=3 displaced=4 back=1 settle=4 write=main,other"},
	{"live=4 sup=1 anchor=3 before=1 offline main:4 agent:1^ other:7 adopt=agent",
	 "adopt/planned live=1 #+1 sup+7 anchor=1 before=3 displaced=4,7@other back=1 settle=4 "
	 "write=main,other"},
	{"live=4 sup=1 anchor=3 before=1 offline main:4 agent:1^ other:0 adopt=agent",
	 "adopt/planned live=1 #+1 sup+0 anchor=1 before=3 displaced=4,0@other back=1 settle=4 "
	 "write=main,other"},
	{"live=4 sup=1 anchor=3 before=1 offline main:4 agent:1^ other:3 adopt=agent",
	 "adopt/planned live=1 #+1 sup+3 anchor=1 before=3 displaced=4,3@other back=1 settle=4 "
	 "write=main,other"},
	{"live=4 sup=1 anchor=3 before=1 offline main:4 agent:1 other:4 adopt=agent", "hold/held"},
	{"live=4 sup=1 anchor=3 before=1 offline main:4 agent:1 other:7 adopt=agent", "hold/held"},
	{"live=4 sup=1 anchor=3 before=1 offline main:4 agent:1 other:0 adopt=agent", "hold/held"},
	{"live=4 sup=1 anchor=3 before=1 offline main:4 agent:1 other:3 adopt=agent", "hold/held"},
	{"live=4 anchor=3 before=1 offline main:4 ext:9~~ other:4 adopt=ext", "hold/held"},
	{"live=4 anchor=3 before=1 offline main:4 ext:9~~ other:7 adopt=ext", "hold/held"},
	{"live=4 anchor=3 before=1 offline main:4 ext:9~~ other:0 adopt=ext", "hold/held"},
	{"live=4 anchor=3 before=1 offline main:4 ext:9~~ other:3 adopt=ext", "hold/held"},
	{"live=4 anchor=3 before=1 offline dead main:4 agent:4 other:4 adopt=agent", "hold/held"},
	{"live=4 anchor=3 before=1 offline dead main:4 agent:4 other:7 adopt=agent", "hold/held"},
	{"live=4 anchor=3 before=1 offline dead main:4 agent:4 other:0 adopt=agent", "hold/held"},
	{"live=4 anchor=3 before=1 offline dead main:4 agent:4 other:3 adopt=agent", "hold/held"},
	{"live=4 sup=1 anchor=3 before=1 main:2 agent:7 restore=1",
	 "adopt/planned live=1 #+1 sup+2,7 anchor=1 before=3 displaced=4,2@main,7@agent back=1 "
	 "settle=4 write=main,agent"},
	{"live=4 sup=1 main:4 restore=1!", "hold/held"},
	{"live=4 main:blank restore=1", "hold/held"},
	{"live=4 main:4 agent:5 restore=4", "mirror/planned sup+5 displaced=5@agent write=agent"},
	{"live=3 ended=-1h main:3 agent:0 receipt=3:answered=3 reusable restore=3",
	 "recover/planned #+1 sup+0 unended displaced=0@agent drop=3 write=main,agent"},
	{"live=2 sup=8 ended=-3d agent:6 ext:8 receipt=8:answered=same-refresh adopt=ext",
	 "hold/held"},
	{"live=4 main:4 restore=9",
	 "adopt/planned live=9 #+1 sup+4 anchor=9 before=4 displaced=4 back=9 settle=4 write=main"},
	{"live=4 main:4 agent:7 adopt=agent receipt=4:sending:held", "none/busy"},
	{"live=4 main:pending4 agent:7 adopt=agent seen=-1m", "none/busy"},
	{"live=4 main:4 agent:2 div=2 adopt=agent receipt=4:answered=3",
	 "recover/planned live=2 #+1 sup+4 anchor=2 before=4 displaced=4,3 close=4 write=main"},
	{"live=4 ended=-1h main:4 agent:4 adopt=main", "none/unchanged unended"},
	{"live=4 ended=-1h main:blank agent:4 adopt=agent", "hold/held"},
	{"live=4 main:4 agent:blank adopt=agent", "hold/held"},
	{"live=4 main:4 agent:fence4 adopt=agent", "hold/held"},
	{"live=4 main:4 agent:7 adopt=agent trouble", "hold/held"},
	{"live=4 sup=1 main:4 agent:1^ ext:1 adopt=agent",
	 "adopt/planned live=1 #+1 anchor=1 before=4 displaced=4 back=1 settle=4 write=main"},
};

// What stands there gives way, and nothing else changes.
static const struct scene followed[] = {
	{"live=4 anchor=3 before=1 offline main:4 agent:9~ follow=agent",
	 "mirror/planned sup+9 displaced=9@agent write=agent"},
	{"live=4 anchor=3 before=1 offline main:4 agent:2 follow=agent",
	 "mirror/planned sup+2 displaced=2@agent write=agent"},
	{"live=4 anchor=3 before=1 offline main:4 agent:6 follow=agent",
	 "mirror/planned sup+6 displaced=6@agent write=agent"},
	{"live=4 anchor=3 before=1 offline sup=1 main:4 agent:1 follow=agent",
	 "mirror/planned write=agent"},
	{"live=4 anchor=3 before=1 offline main:4 agent:4 follow=agent", "none/unchanged"},
	{"live=4 anchor=3 before=1 offline main:4 ext:9~~ follow=ext", "hold/held"},
	{"live=4 anchor=3 before=1 offline main:4 agent:blank follow=agent", "hold/held"},
	{"live=4 anchor=3 before=1 offline main:4 agent:fence4 follow=agent", "hold/held"},
	{"live=4 anchor=3 before=1 offline main:4 agent:9~ other:2 ext:9~~ follow=all",
	 "mirror/planned sup+9,2 displaced=9@agent,2@other write=agent,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:4 follow=all", "none/unchanged"},
	// All: not the one that somebody has refreshed meanwhile, which is to be the live one. What it leaves behind
	// follows.
	{"live=4 anchor=3 before=1 offline main:4 agent:6 other:4 follow=all",
	 "adopt/planned live=6 #+1 sup+4 anchor=6 before=3 displaced=4 settle=4 write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:6 other:9~ follow=all",
	 "adopt/planned live=6 #+1 sup+4,9 anchor=6 before=3 displaced=4,9@other settle=4 "
	 "write=main,other"},
	{"live=4 anchor=3 before=1 offline main:4 agent:4 follow=main", "hold/held"},
	{"live=4 anchor=3 before=1 offline main:blank agent:9~ follow=agent", "hold/held"},
	{"live=4 anchor=3 before=1 offline dead main:4 agent:9~ follow=agent", "hold/held"},
	{"live=4 anchor=3 before=1 offline main:4 agent:7 other:9~ follow=other",
	 "adopt/planned live=7 #+1 sup+4,9 anchor=7 before=3 displaced=4,9@other settle=4 "
	 "write=main,other"},
};

static const struct scene other_rules[] = {
	// another name of this login went past our live token
	{"live=2 sibling=3 main:2 agent:2",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 displaced=2 settle=2 write=main,agent"},
	{"live=2 life=12h sibling=3 main:2",
	 "refresh/planned send live=3 #+1 sup+2 anchor=3 before=2 displaced=2 settle=2 write=main"},
	{"live=4 sup=3 sibling=3 main:4", "none/unchanged"},
	{"live=4 sup=3 sibling-later=3 main:4", // a person brought it back there
	 "adopt/planned live=3 #+1 anchor=3 before=4 displaced=4 settle=4 write=main"},
	{"live=2 settled sibling=3 main:2",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 displaced=2 settle=2 write=main"},
	{"live=2=1h sibling=3 main:2 receipt=2:answered=3",
	 "recover/planned live=3 #+1 sup+2 anchor=3 before=* displaced=2 close=2 "
	 "write=main"},
	{"live=2 sibling=3 main:2 receipt=2:sending",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 displaced=2 close=2 "
	 "write=main"},
	// an obstacle bars sending, nothing else
	{"live=2=1h noclient main:2", "skip/skipped"},
	{"live=2=1h noclient main:2 force", "skip/skipped"},
	{"live=2=1h noclient sup=1 main:2 agent:1", "mirror/planned write=agent"},
	{"live=2 life=12h noclient main:3 agent:2",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 displaced=2 settle=2 write=agent"},
	{"live=2 noclient main:2 receipt=2:answered=3",
	 "recover/planned live=3 #+1 sup+2 close=2 write=main"},
	// hands off
	{"live=2=-1h barred main:2 agent:1 sup=1 force", "hold/held"},
	{"live=2=-1h barred main:5 receipt=2:answered=3", "hold/held"},
	{"live=2=-1h shared main:2 agent:1 sup=1 force", "hold/held"},
	{"live=2=-1h conflict main:2 agent:1 sup=1 force", "hold/held"},
	{"unreadable main:2=1h agent:1 force", "hold/held"},
	{"live=2=-1h skip main:5 agent:1 sup=1 force receipt=2:answered=3", "skip/skipped"},
	// main cannot be looked at: it is not logged out, and the others are served from the ledger
	{"trouble live=2=1h agent:2 force", "hold/held"},
	{"trouble live=2 sup=1 agent:1", "hold/held write=agent"},
	{"trouble live=2 agent:5", "hold/held"},
	{"trouble live=2=-1h agent:2 receipt=2:sending force", "hold/held"},
};

// One login, several hosts.
static const struct scene hosts[] = {
	// who follows mirrors, and sends nothing, whatever is due and whatever a person wants
	{"live=2=1h owner=follows main:2 agent:1 sup=1", "mirror/planned write=agent"},
	{"live=2=1h owner=follows force main:2", "none/unchanged"},
	{"live=2=5m owner=follows last-try main:2", "hold/held"},
	{"live=2=-1h owner=follows force last-try main:2", "hold/held"},
	{"live=2=1h owner=released force main:2 agent:1 sup=1", "skip/skipped"},
	{"live=2=1h beside=released force main:2 agent:2", "skip/skipped"},
	{"live=2=1h beside=follows force main:2 agent:2", "none/unchanged"},
	// a hand-over that the other name knows nothing of was later
	{"live=2=1h owner=ours beside=released main:2", "skip/skipped"},
	// a login that is made here, or OpenClaw's refresh, is ours
	{"live=2 owner=follows main:3",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 ours@3 displaced=2 settle=2"},
	{"live=2 owner=released main:3",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 ours@3 displaced=2 settle=2"},
	{"live=2=1h owner=left main:2", "refresh/planned send"},
	// own
	{"live=2=1h owner=follows own offline main:2", "none/unchanged ours@4"},
	{"live=2=1h owner=released own offline main:2", "none/unchanged ours@4"},
	{"live=2=1h beside=released own offline main:2", "none/unchanged ours@4"},
	{"live=2=1h owner=left own offline main:2", "none/unchanged"},
	{"live=2=1h own offline main:2", "none/unchanged"},
	// export --release
	{"live=2 release offline main:2 agent:1 sup=1", "none/unchanged released@1"},
	{"main:2 release offline", "none/unchanged live=2 #+1 anchor=2 released@1"},
	{"live=2 owner=ours release offline main:2", "none/unchanged released@4"},
	{"live=2 owner=follows release offline main:2", "hold/held"},
	{"live=2 owner=released release offline main:2", "hold/held"},
	{"live=2 beside=follows release offline main:2", "hold/held"},
	{"live=2 release offline main:3",
	 "none/unchanged live=3 #+1 sup+2 anchor=3 before=2 released@1 displaced=2 settle=2"},
	{"live=2 release offline main:2 receipt=2:sending", "hold/held"},
	{"live=2 release offline main:2 receipt=2:answered=3",
	 "hold/held live=3 #+1 sup+2 close=2 write=main"},
	{"live=2 release offline main:2 receipt=2:claimed", "none/unchanged released@1 drop=2"},
	{"live=2 release offline main:fence2", "hold/held"},
	{"live=2 release offline dead main:2", "login/needs_login"},
	{"live=2 release offline main:blank", "login/needs_login ended"},
	{"live=2 release offline settled main:2", "login/needs_login"},
	{"live=2 release offline barred main:2", "hold/held"},
	// import: the same login, or what came after it
	{"live=2 import=2 offline main:2", "none/unchanged follows@3"},
	{"main:2 import=2 offline", "none/unchanged live=2 #+1 anchor=2 follows@3"},
	{"live=2 import=3:sup2 offline main:2 agent:2",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 follows@3 back=3 settle=2 "
	 "write=main,agent"},
	{"live=2 owner=follows import=3:sup2:number8 offline main:2",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 back=3 settle=2 write=main"},
	{"live=2 owner=follows import=2+:number8 offline main:2",
	 "adopt/planned #+1 back=2 write=main"},
	{"live=2 owner=follows import=2 offline main:2", "none/unchanged"},
	{"live=2 owner=follows import=2:release:term4 offline main:2", "none/unchanged ours@4"},
	{"live=2 owner=released import=2 offline main:2", "none/unchanged follows@3"},
	{"live=2 owner=released import=3:sup2:release:term4 offline main:2",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 ours@4 back=3 settle=2 write=main"},
	// older ones, and those that were sent, whoever says so
	{"live=2 sup=1 import=1 offline force main:2", "hold/held"},
	{"live=2 owner=follows import=2:number6 offline force main:2", "hold/held"},
	{"live=2 owner=follows import=2- offline force main:2", "hold/held"},
	{"live=2 owner=ours import=2:term2 offline force main:2", "hold/held"},
	{"live=2 import=3:sup2:sent offline force main:2", "hold/held"},
	{"live=2 dead import=2 offline force main:2", "hold/held"},
	{"live=2 settled import=2:sent offline force main:2", "hold/held"},
	{"live=2 settled import=2 offline main:2",
	 "adopt/planned #+1 follows@3 back=2"}, // forgotten, and sent once more
	{"live=2 receipt=2:answered=3 import=3:sup2 offline force main:2", "hold/held"},
	{"live=2 receipt=2:sending import=3:sup2 offline main:2",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 follows@3 back=3 close=2 write=main"},
	// another person's, and nobody's
	{"live=2 import=3:sup2:bob offline force main:2", "hold/held"},
	{"live=2 import=3:nobody offline main:2", "hold/held"},
	{"live=2 import=3:nobody offline force main:2",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 follows@3 displaced=2 back=3 settle=2 "
	 "write=main"},
	{"live=2 import=3:sup2:nobody offline main:2",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 follows@3 back=3 settle=2 write=main"},
	// a login of its own stays, unless a person says so; then it is kept
	{"live=5 import=3:sup2 offline main:5", "hold/held"},
	{"live=5 import=3:sup2 offline force main:5 agent:5",
	 "adopt/planned live=3 #+1 sup+2,5 anchor=3 before=5 follows@3 displaced=5 back=3 settle=5 "
	 "write=main,agent"},
	{"live=2 import=2 offline main:2 agent:5", "hold/held"},
	{"live=2 import=2 offline force main:2 agent:5",
	 "mirror/planned sup+5 follows@3 displaced=5@agent write=agent"},
	{"live=5 sup=2 owner=left import=2:kept offline main:5", "hold/held"},
	{"live=5 sup=2 owner=left import=2:kept offline force main:5",
	 "adopt/planned live=2 #+1 anchor=2 before=5 follows@3 displaced=5 back=2 settle=5 "
	 "write=main"},
	{"live=5 sup=2 owner=left import=2 offline force main:5", "hold/held"},
	{"live=5 sup=2 owner=left import=2:kept:sent offline force main:5", "hold/held"},
	// a second leader; what gives it away is made for a pipe
	{"live=2 owner=follows import=2:other offline main:2", "hold/held"},
	{"live=2 owner=follows import=2:other offline force main:2", "none/unchanged"},
	{"live=2 owner=follows import=2:other:term4 offline main:2", "none/unchanged follows@4"},
	{"live=2 import=2:release:stale offline main:2", "hold/held"},
	{"live=2 import=2:release:stale offline force main:2", "none/unchanged ours@3"},
	{"live=2 import=2:stale offline main:2", "none/unchanged follows@3"},
	// logged out here: no push logs in
	{"live=2 import=3:sup2 offline force main:blank agent:2", "hold/held"},
	{"live=2 ended=-1h import=3:sup2 offline main:2", "hold/held"},
	{"live=2 ended=-1h import=3:sup2 offline force main:2",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 unended follows@3 back=3 settle=2 "
	 "write=main"},
	{"live=2 ended=-1h import=2 offline force main:2", "none/unchanged unended follows@3"},
	{"live=2 owner=follows import=2:other:term4:release offline main:2",
	 "none/unchanged ours@4"},
	{"live=2 owner=follows sibling=3 main:2",
	 "adopt/planned live=3 #+1 sup+2 anchor=3 before=2 ours@0 displaced=2 settle=2 write=main"},
};

// Found broken once.
static const struct scene regressions[] = {
	// An answer with a new refresh token beside an unchanged access token is an answer like any
	// other: the new
	// refresh token must not be lost, the old one not be sent again.
	{"live=2 main:2 receipt=2:answered=same-access",
	 "recover/planned live=3 #+1 sup+2 close=2 write=main"},
	// --adopt takes unproven and diverged copies, not one that the ledger knows as spent
	// (another profile of the
	// store named may just wait to be repaired).
	{"live=2 sup=1 main:2 agent:1 adopt=agent", "hold/held"},
	{"live=2 main:2 agent:9! adopt=agent", "hold/held"},
	// Only a token in main that the ledger does not know ends the end.
	{"live=2 ended=-1h sibling=3 main:2", "login/needs_login"},
	// … and one that is no newer login is no reason to write the old one back, or to send it.
	{"live=6 anchor=4 before=2 ended=-3d main:0 agent:6",
	 "login/needs_login sup+0 displaced=0@main"},
	{"live=6 life=12h anchor=4 before=2 ended=-3d main:0",
	 "login/needs_login sup+0 displaced=0@main"},
	// The tokens do not go while an answer is being delivered: nothing would be written into
	// the copies.
	{"live=2 ended=-8d main:blank agent:2 receipt=2:answered=3",
	 "recover/needs_login live=3 #+1 sup+2 close=2 write=agent"},
	// A mark says that it was spent: an open receipt beside it (killed between mark and
	// removal) says no less.
	{"live=2=-1h settled main:2 receipt=2:sending force", "login/needs_login"},
	// With a wrong clock nothing is decided by time: neither what is the last resort …
	{"live=2 updated=8760h main:2 receipt=2:sending", "hold/held clock"},
	{"live=2=9h updated=8760h main:2 receipt=2:sending", "hold/held clock"},
	{"live=2 window updated=8760h main:2 receipt=2:sending", "hold/held clock"},
	// … nor is anything diverged for good (seen from the wrong year no expiry is plausible).
	{"live=2=8760h updated=8760h main:3=8761h",
	 "adopt/planned live=3 #+1 sup+2 anchor=* before=* displaced=2 settle=2 clock"},
	// A main that cannot be looked at does not raise the dead, nor the ended.
	{"trouble live=2 sup=1 ended=-1d agent:1", "hold/held"},
	{"trouble live=2 sup=1 dead agent:1", "hold/held"},
	{"live=3 sup=2 dead agent:2 receipt=2:answered=3", "recover/needs_login ended close=2"},
	// The answer that came for somebody else is kept like any other, once a new login has made that token
	// superseded: nothing hangs on its receipt any more.
	{"live=2 main:5 receipt=2:answered=bob",
	 "recover/planned live=5 #+1 sup+2 anchor=5 before=2 displaced=2,3 close=2"},
	{"live=5 sup=2 main:5 receipt=2:answered=bob", "recover/planned displaced=3 close=2"},
	// An answer to a token that is live no more says nothing about the one that is: no failure
	// to back off for.
	{"live=5 sup=2 main:5 receipt=2:answered=rejected", "none/unchanged close=2"},
	{"live=5 sup=2 main:5 receipt=2:answered=later", "none/unchanged close=2"},
	// The first anchor is judged like any expiry: one that cannot be is none. (A login saved
	// while our own
	// request was in flight must not look older than it.)
	{"main:1=99h", "refresh/planned send live=1 #+1"},
	// A later moment to judge by is not --force: neither for the last resort, nor for the
	// back-off.
	{"live=2 main:2 receipt=2:sending at=3h", "hold/held"},
	{"live=2=1h main:2 failures=2 wait=10m at=20m", "none/failed"},
};

static void say_states(const struct account *a, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < a->n_members; i++) {
		size_t n = strlen(text);
		snprintf(text + n, size - n, "%s%s", i ? " " : "",
			 copy_state_name(a->verdict.copies[i].state));
	}
}

static bool scene_holds(const struct scene *scene)
{
	struct world w;
	char states[256];
	bool same;

	world_build(&w, scene->given);
	bool meddles = decide_meddles(&w);
	_cleanup_free_ char *decided = describe(&w);
	const char *what = meddles ? "what was seen has changed" : broken(&w);
	say_states(&w.account, states, sizeof(states));
	same = string_equal(decided, scene->decided);
	if (!same)
		print_error("given    %s\nexpected %s\ndecided  %s (%s)\n", scene->given,
			    scene->decided, decided, w.account.verdict.reason);
	if (what)
		print_error("given    %s\ndecided  %s\nbreaks   %s\n", scene->given, decided, what);
	if (scene->states && !string_equal(states, scene->states))
		print_error("given    %s\nexpected %s\nstates   %s\n", scene->given, scene->states,
			    states);
	same &= !what && (!scene->states || string_equal(states, scene->states));
	world_free(&w);
	return same;
}

static void expect_scenes(const struct scene *scenes, size_t n)
{
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++)
		wrong += !scene_holds(&scenes[i]);
	assert_int_equal(wrong, 0);
}

#define SCENE_TEST(name)                                                                           \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		expect_scenes(name, ARRAY_SIZE(name));                                             \
	}

SCENE_TEST(first_run)
SCENE_TEST(due)
SCENE_TEST(expiries)
SCENE_TEST(back_off)
SCENE_TEST(clock_wrong)
SCENE_TEST(copies)
SCENE_TEST(unknown_tokens)
SCENE_TEST(forgotten)
SCENE_TEST(receipts)
SCENE_TEST(unknown_outcome)
SCENE_TEST(fences)
SCENE_TEST(ended)
SCENE_TEST(dead)
SCENE_TEST(chosen)
SCENE_TEST(followed)
SCENE_TEST(other_rules)
SCENE_TEST(hosts)
SCENE_TEST(regressions)

// A runtime that puts its own expiry back is put right once an hour, whatever was tried meanwhile; another value, or
// another generation, at once.
static void test_expiry_fight(void **state)
{
	static const struct {
		const char *stands; // in the agent's copy; "=": what we wrote
		int64_t after_s;
		bool written;
	} steps[] = {
		{"0", 0, true},	    {"0", 300, true}, // not yet done: the store was locked
		{"=", 0, false},    {"0", 300, false},	 {"0", 3000, false}, {"null", 0, true},
		{"=", 0, false},    {"null", 60, false}, {"0", 300, true},   {"=", 0, false},
		{"0", 3599, false}, {"0", 1, true},
	};
	struct world w;

	(void)state;
	world_build(&w, "live=1=12h life=24h main:1 agent:1");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct copy *copy = &w.copies[1];
		copy->expires_odd = *steps[i].stands != '=';
		snprintf(copy->expires_start, sizeof(copy->expires_start), "%s", steps[i].stands);
		w.policy.now_ms = w.policy.at_ms += steps[i].after_s * SECOND_MS;
		decide_world(&w);
		if (w.account.verdict.copies[1].write != steps[i].written || w.account.verdict.send)
			fail_msg("step %zu", i);
		world_save(&w);
	}
	w.copies[1].expires_odd = true;
	for (int i = 0; i < 3; i++, w.policy.now_ms++) {
		w.account.record.live.expires_ms += MINUTE_S;
		decide_world(&w);
		assert_true(w.account.verdict.copies[1].write);
		world_save(&w);
	}
	world_free(&w);
}

// What scripts are told.
static void test_codes(void **state)
{
	static const struct {
		const char *given, *code;
	} cases[] = {
		{"live=2 main:2", NULL},
		{"live=2 main:2 receipt=2:answered=3", NULL},
		{"unreadable main:2", "ledger_unreadable"},
		{"live=2 main:2 barred", "barred"},
		{"live=2 main:2 shared", "shared_token"},
		{"live=2 main:2 conflict", "identity_conflict"},
		{"live=2 trouble", "main_store"},
		{"main:blank", "logged_out"},
		{"live=2 main:blank", "logged_out"},
		{"live=2 main:2 receipt=2:sending:held", "in_flight"},
		{"live=2 main:2 receipt=2:sending", "unknown_outcome"},
		{"live=2 main:2 receipt=2:sending:sends2", "sent_twice"},
		{"live=2 main:2 receipt=2:answered=bob", "identity_mismatch"},
		{"live=2 main:9?", "diverged"},
		{"live=2 main:2 dead", "invalid_grant"},
		{"live=2 main:2 settled", "spent"},
		{"live=2=1h main:2 receipt=2:answered=later", "http_429"},
		{"live=2=1h main:2 updated=2h", "clock"},
		{"live=2 owner=follows main:2", NULL},
		{"live=2=30m life=4h owner=follows main:2", "leader_silent"},
		{"live=2=5m owner=follows main:2", "leader_silent"},
		{"live=2 owner=follows release offline main:2", "export_refused"},
		{"live=2 import=3:bob offline main:2", "import_refused"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world w;
		world_build(&w, cases[i].given);
		decide_world(&w);
		if (!string_equal(w.account.verdict.code, cases[i].code ? cases[i].code : ""))
			fail_msg("%s: %s", cases[i].given, w.account.verdict.code);
		world_free(&w);
	}
}

// ---- time

static void make_jwt(struct secret *token, int64_t issued_ms, int64_t expires_ms)
{
	char claims[128], payload[256];
	int n = snprintf(claims, sizeof(claims), "{\"iat\":%lld,\"exp\":%lld}",
			 (long long)(issued_ms / SECOND_MS), (long long)(expires_ms / SECOND_MS));

	sodium_bin2base64(payload, sizeof(payload), (unsigned char *)claims, (size_t)n,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	secret_set_string(token, "e30.");
	secret_append(token, payload, strlen(payload));
	secret_append(token, ".", 1);
}

static void test_issue_compare(void **state)
{
	static const struct {
		struct issue_time a, b;
		int later;
	} cases[] = {
		{{1, 9}, {2, 8}, -1}, // both have an iat: the expiry does not matter
		{{2, 8}, {1, 9}, 1},  {{5, 8}, {5, 9}, 0},
		{{0, 8}, {9, 9}, -1}, // one has: the expiry decides
		{{9, 8}, {0, 9}, -1}, {{0, 9}, {0, 8}, 1},
		{{0, 9}, {0, 9}, 0},  {{9, 0}, {0, 9}, 0}, // no common measure
		{{0, 0}, {0, 9}, 0},  {{0, 9}, {0, 0}, 0},
		{{0, 0}, {0, 0}, 0},  {{3, 0}, {2, 0}, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (issue_compare(cases[i].a, cases[i].b) != cases[i].later)
			fail_msg("case %zu", i);
}

static void test_record_failure(void **state)
{
	static const struct {
		int failures;
		const char *left;
		int64_t retry_after_s;
		const char *wait;
	} cases[] = {
		{0, "8h", -1, "5m"},
		{1, "8h", -1, "10m"},
		{2, "8h", -1, "20m"},
		{4, "8h", -1, "1h20m"},
		{5, "8h", -1, "2h"}, // a quarter of the time left, not
				     // 2h40m
		{6, "10d", -1, "5h20m"},
		{7, "10d", -1, "6h"},
		{1000, "10d", -1, "6h"},
		{0, "12m", -1, "3m"},
		{9, "12m", -1, "3m"},
		{0, "8h", 1800, "30m"},
		{0, "12m", 1800, "30m"},
		{0, "10d", 36000, "6h"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct account_record r = {.failures = cases[i].failures};
		r.live.expires_ms = NOW + parse_span(cases[i].left);
		record_failure(&r, "server_error", 503, cases[i].retry_after_s, NOW);
		if (r.not_before_ms != NOW + parse_span(cases[i].wait) ||
		    r.failures != cases[i].failures + 1)
			fail_msg("case %zu: %lld s", i,
				 (long long)(r.not_before_ms - NOW) / SECOND_MS);
		assert_string_equal(r.error_code, "server_error");
		assert_int_equal(r.error_status, 503);
	}
}

// However little is left: there is a pause. And once it has expired, the pauses grow as they did at first.
static void test_record_failure_when_expired(void **state)
{
	static const struct {
		int status;
		const char *waits[7];
	} cases[] = {
		{503, {"5m", "10m", "20m", "40m", "1h20m", "2h", "2h"}},
		{429, {"15m", "30m", "1h", "2h", "2h", "2h", "2h"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct account_record r = {.live.expires_ms = NOW};
		int64_t now = NOW - 2 * HOUR_S * SECOND_MS, pause;
		for (; now < NOW; now = r.not_before_ms) { // the quarters of what is left
			record_failure(&r, "code", 503, -1, now);
			assert_true(r.not_before_ms >= now + MINUTE_S * SECOND_MS);
		}
		for (size_t k = 0; k < ARRAY_SIZE(cases[i].waits); k++, now += pause) {
			record_failure(&r, "code", cases[i].status, -1, now);
			pause = r.not_before_ms - now;
			if (pause != parse_span(cases[i].waits[k]))
				fail_msg("case %zu, failure %zu: %lld s", i, k,
					 (long long)pause / SECOND_MS);
		}
		record_failure(&r, "code", 429, 600, now);
		assert_int_equal(r.not_before_ms - now, 600 * SECOND_MS);
	}
}

// More than fit into the list, and none that could make room: at rest all the same.
static void test_many_diverged(void **state)
{
	struct world w;

	(void)state;
	world_build(&w, "live=4 anchor=3 before=1 main:4 agent:2");
	for (int i = 0; i < RECORD_DIVERGED_MAX; i++)
		*array_add(&w.account.record.diverged, &w.account.record.n_diverged) =
			fingerprint_of_number(2);
	w.account.record.diverged[0] = fingerprint_of_number(9);
	for (int i = 1; i < RECORD_DIVERGED_MAX; i++) // as if they stood in other copies
		w.account.record.diverged[i] = w.account.record.live.fingerprint;
	decide_world(&w);
	assert_true(w.account.verdict.record_changed); // what no copy shows has made room
	assert_int_equal(w.account.verdict.record.n_diverged, RECORD_DIVERGED_MAX);
	world_save(&w);
	w.account.record.diverged[RECORD_DIVERGED_MAX - 1] = w.account.record.live.fingerprint;
	decide_world(&w);
	assert_false(w.account.verdict.record_changed);
	assert_int_equal(w.account.verdict.copies[1].state, COPY_DIVERGED);
	world_free(&w);
}

static void test_margin(void **state)
{
	static const struct {
		const char *provider;
		int64_t answered_s; // lifetime as last answered
		struct margin config, own;
		int64_t jitter_s;
		const char *margin;
		bool slow, too_long, short_;
	} cases[] = {
		{"xai", 0, {0}, {0}, 60, "2h"},
		{"openai-codex", 0, {0}, {0}, 60, "3d8h"},
		// short of the 24 h from which `doctor --fix` refreshes, where the lifetime allows more
		{"openai-codex", 0, {.seconds = 12 * HOUR_S}, {0}, 60, "12h", .short_ = true},
		{"openai-codex", 0, {.seconds = 24 * HOUR_S}, {0}, 60, "1d", .short_ = true},
		{"openai-codex", 0, {.seconds = 25 * HOUR_S}, {0}, 60, "1d1h"},
		{"xai", 48 * HOUR_S, {0}, {0}, 60, "16h", .short_ = true},
		{"xai", 30 * HOUR_S, {0}, {0}, 60, "10h"},
		{"chutes", 0, {0}, {0}, 60, "20m"},
		{"xai", 3 * HOUR_S, {0}, {0}, 60, "1h"}, // what was answered goes before the preset
		{"xai", 0, {.percent = 50}, {0}, 60, "3h"},
		{"xai", 0, {.seconds = HOUR_S}, {0}, 60, "1h"},
		{"xai", 0, {.seconds = HOUR_S}, {.percent = 10}, 60, "36m"}, // the provider's goes
									     // before
		{"xai", 0, {.percent = 10}, {.seconds = HOUR_S}, 60, "1h"},
		// never below 5 min (runtime) + 5 min (timer) + jitter + 1 min
		{"xai", 0, {.seconds = MINUTE_S}, {0}, 60, "12m"},
		{"xai", 0, {.percent = 1}, {0}, 60, "12m"},
		{"xai", 0, {.seconds = MINUTE_S}, {0}, 300, "16m"},
		{"xai", 30 * MINUTE_S, {0}, {0}, 60, "12m"},
		// a configured one is taken as it is, unless it would refresh at every run
		{"kimi", 0, {0}, {0}, 60, "12m"},
		{"kimi", 0, {0}, {0}, 61, "12m", true},
		{"xai", 10 * MINUTE_S, {0}, {0}, 60, "8m", true},
		{"xai", 0, {.seconds = 5 * HOUR_S}, {0}, 60, "5h", false, true},
		{"xai", 0, {.seconds = 6 * HOUR_S}, {0}, 60, "4h48m", false, true},
		{"xai", 0, {.percent = 80}, {0}, 60, "4h48m"},
		{"xai", 0, {.percent = 90}, {0}, 60, "5h24m", false, true},
		// unknown lifetime: the floor, or what is configured
		{"github-copilot", 0, {0}, {0}, 60, "12m"},
		{"github-copilot", 0, {.percent = 50}, {0}, 60, "12m"},
		{"github-copilot", 0, {.seconds = HOUR_S}, {0}, 60, "1h"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world w;
		world_build(&w, "live=1 main:1");
		w.provider = *provider_preset(cases[i].provider);
		w.provider.margin = cases[i].own;
		w.config.margin = cases[i].config;
		w.config.timer_jitter_s = cases[i].jitter_s;
		w.account.record.lifetime_s = cases[i].answered_s;
		struct schedule s = reckon_schedule(&w.account.record, &w.provider, false,
						    &w.config, &w.policy);
		_cleanup_free_ char *margin = duration_format(s.margin_s);
		if (!string_equal(margin, cases[i].margin) || s.timer_too_slow != cases[i].slow ||
		    s.margin_too_long != cases[i].too_long || s.margin_short != cases[i].short_)
			fail_msg("case %zu: margin %s", i, margin);
		world_free(&w);
	}
}

static void test_expiry(void **state)
{
	static const struct {
		const char *stored;	      // "": not at all
		const char *issued, *expires; // of the JWT; NULL: opaque
		int64_t answered_s;
		const char *reckoned, *lifetime;
	} cases[] = {
		{"3h", NULL, NULL, 0, "3h", "6h"},
		{"3h", "-2h", "4h", 0, "3h", "6h"}, // what the store says, if it can be
		{"3h", "-1h", "8h", 0, "3h", "9h"}, // the JWT's lifetime goes before the preset's
		{"3h", "-1h", "8h", 7200, "0",
		 "2h"}, // … and the answer's before the JWT's: 3 h cannot be
		{"40d", NULL, NULL, 0, "0", "6h"},	// implausible: due
		{"40d", "-1h", "5h", 0, "5h", "6h"},	// the JWT knows
		{"40d", "-1h", "50d", 7200, "0", "2h"}, // the JWT cannot be either
		{"", NULL, NULL, 0, "", "6h"},
		{"-1h", NULL, NULL, 0, "-1h", "6h"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world w;
		world_build(&w, "live=1 main:1");
		struct account *a = &w.account;
		a->record.lifetime_s = cases[i].answered_s;
		a->record.live.expires_ms =
			*cases[i].stored ? NOW + parse_span(cases[i].stored) : 0;
		if (cases[i].issued)
			make_jwt(&a->record.live.access, NOW + parse_span(cases[i].issued),
				 NOW + parse_span(cases[i].expires));
		struct schedule s =
			reckon_schedule(&a->record, &w.provider, false, &w.config, &w.policy);
		int64_t expected = *cases[i].reckoned ? NOW + parse_span(cases[i].reckoned) : 0;
		if (s.expires_ms != expected ||
		    s.lifetime_s * SECOND_MS != parse_span(cases[i].lifetime))
			fail_msg("case %zu: left %lld s, lifetime %lld s", i,
				 (long long)(s.expires_ms - NOW) / SECOND_MS,
				 (long long)s.lifetime_s);
		world_free(&w);
	}
}

// A host whose clock is slow takes another host's answer for what it is, if etcd says so; else it cannot be told from an
// expiry that is wrong. But what is right by its own clock is not wrong because etcd's is slow.
static void test_expiry_by_slow_clock(void **state)
{
	static const struct {
		int64_t left_s, behind_s;
		bool asked, doubted;
	} cases[] = {
		{7 * HOUR_S, HOUR_S, true, false},  {7 * HOUR_S, HOUR_S, false, true},
		{7 * HOUR_S, 0, true, true},	    {7 * HOUR_S, -HOUR_S, true, true},
		{6 * HOUR_S, -HOUR_S, true, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world w;
		struct cluster cluster = {0};
		world_build(&w, "live=1 main:1");
		w.account.record.lifetime_s = 6 * HOUR_S;
		w.account.record.live.expires_ms = NOW + cases[i].left_s * SECOND_MS;
		cluster.etcd.our_date_ms = NOW;
		cluster.etcd.date_ms = NOW + cases[i].behind_s * SECOND_MS;
		w.policy.cluster = cases[i].asked ? &cluster : NULL;
		struct schedule s = reckon_schedule(&w.account.record, &w.provider, false,
						    &w.config, &w.policy);
		if (s.doubted != cases[i].doubted)
			fail_msg("case %zu", i);
		world_free(&w);
	}
}

// An expiry of main's that cannot be is replaced by the token's own, in the ledger and wherever it stands; without such a
// word it is due, and no other copy gets it.
static void test_expiry_is_corrected(void **state)
{
	const int64_t wrong_ms = NOW + parse_span("40d"), right_ms = NOW + parse_span("5h");

	(void)state;
	for (int jwt = 0; jwt < 2; jwt++) {
		struct world w;
		world_build(&w, "live=1 main:1 agent:1");
		struct account *a = &w.account;
		struct generation *live = &a->record.live;
		live->expires_ms = w.copies[0].credential.expires_ms = wrong_ms;
		w.copies[1].credential.expires_ms = right_ms;
		if (jwt)
			make_jwt(&live->access, NOW - parse_span("1h"), right_ms);
		for (int i = 0; i < 2; i++)
			secret_copy(&w.copies[i].credential.access, &live->access);
		decide_world(&w);
		assert_int_equal(a->verdict.send, !jwt);
		assert_int_equal(a->verdict.record_changed, jwt);
		assert_int_equal(a->verdict.record.live.expires_ms, jwt ? right_ms : wrong_ms);
		assert_int_equal(a->verdict.copies[0].write, jwt);
		assert_int_equal(a->verdict.decision, jwt ? DECISION_MIRROR : DECISION_REFRESH);
		assert_false(a->verdict.copies[1].write);
		world_free(&w);
	}
}

// JWTs say when they were issued; the expiry is then no measure (lifetimes change).
static void test_order_by_jwt(void **state)
{
	struct world w;

	(void)state;
	world_build(&w, "live=1 main:1 agent:2");
	w.account.record.live.issued_ms = w.account.record.anchor.issued_ms =
		NOW - HOUR_S * SECOND_MS;
	account_record_copy(&w.before, &w.account.record);
	w.copies[1].credential.issued_ms =
		NOW - 2 * HOUR_S * SECOND_MS; // expires later, was issued earlier
	decide_world(&w);
	_cleanup_free_ char *decided = describe(&w);
	assert_string_equal(decided, "mirror/planned sup+2 displaced=2@agent write=agent");
	world_free(&w);
}

static void test_clock_before_build(void **state)
{
	struct world w;

	(void)state;
	for (int behind = 0; behind < 2; behind++) {
		world_build(&w, "live=1 main:1");
		w.policy.now_ms = w.policy.at_ms =
			clock_build_ms() - (behind ? 61 : 59) * SECOND_MS;
		w.account.record.live.expires_ms = w.policy.now_ms + HOUR_S * SECOND_MS;
		decide_world(&w);
		assert_int_equal(w.account.verdict.clock_wrong, behind);
		assert_int_equal(w.account.verdict.send, !behind);
		world_free(&w);
	}
}

// What an answer leaves in the record.
static void test_recovered_record(void **state)
{
	struct world w;
	const struct account_record *r = &w.account.verdict.record;

	(void)state;
	world_build(&w, "live=2 main:2 receipt=2:answered=3");
	secret_set_string(
		&w.receipts[0].answer.body,
		"{\"access_token\":\"FAKE-ACCESS-3\",\"refresh_token\":\"FAKE-REFRESH-3\","
		"\"expires_in\":7200,"
		"\"refresh_token_expires_in\":86400,\"id_token\":\"FAKE-ID-3\","
		"\"account\":{\"uuid\":\"user-alice\",\"email_address\":\"alice@example.org\"}}");
	decide_world(&w);
	assert_string_equal(r->live.access.text, "FAKE-ACCESS-3");
	assert_string_equal(r->live.refresh.text, "FAKE-REFRESH-3");
	assert_string_equal(r->live.id_token.text, "FAKE-ID-3");
	assert_true(r->live.answered);
	assert_true(r->live.expires_ms == w.receipts[0].received_ms + 7200 * SECOND_MS);
	assert_true(r->refreshed_ms == w.receipts[0].received_ms);
	assert_true(r->grant_expires_ms == w.receipts[0].received_ms + DAY_S * SECOND_MS);
	assert_int_equal(r->lifetime_s, 7200);
	assert_string_equal(r->identity.user_id, "user-alice");
	world_free(&w);
}

// It works: whatever was thought of the token before.
static void test_recovered_record_is_alive(void **state)
{
	struct world w;

	(void)state;
	world_build(&w, "live=2 dead settled main:2 claimed receipt=2:answered=3");
	make_jwt(&w.account.record.live.access, NOW, NOW + HOUR_S * SECOND_MS);
	_cleanup_secret_ struct secret token = {0};
	make_jwt(&token, NOW - MINUTE_S * SECOND_MS, NOW + HOUR_S * SECOND_MS);
	_cleanup_free_ char *body = xasprintf(
		"{\"access_token\":\"%s\",\"refresh_token\":\"FAKE-REFRESH-3\"}", token.text);
	secret_set_string(&w.receipts[0].answer.body, body);
	decide_world(&w);
	assert_int_equal(w.account.verdict.decision, DECISION_RECOVER);
	assert_int_equal(w.account.verdict.outcome, OUTCOME_PLANNED);
	assert_string_equal(w.account.verdict.record.dead_code, "");
	assert_false(is_spent(&w));
	assert_true(w.account.verdict.record.live.issued_ms == NOW - MINUTE_S * SECOND_MS);
	assert_true(w.account.verdict.record.live.expires_ms == NOW + HOUR_S * SECOND_MS);
	assert_true(w.account.verdict.record.live.at_ms == w.receipts[0].received_ms);
	world_free(&w);
}

// A new login begins afresh; what a copy knows of its owner completes what the record knows.
static void test_adopted_record(void **state)
{
	struct world w;
	const struct account_record *r = &w.account.verdict.record;

	(void)state;
	for (int was_dead = 0; was_dead < 2; was_dead++) {
		world_build(&w, was_dead ? "live=2 dead main:5" : "live=2 failures=2 main:5");
		strcpy(w.account.record.error_code, "http_429");
		w.account.record.error_status = 429;
		w.copies[0].credential.identity.user_id = xstrdup("user-alice");
		decide_world(&w);
		assert_string_equal(r->live.refresh.text, "FAKE-REFRESH-5");
		assert_string_equal(r->live.access.text, "FAKE-ACCESS-5");
		assert_false(r->live.answered);
		assert_true(r->live.at_ms == NOW);
		assert_string_equal(r->error_code, "");
		assert_int_equal(r->error_status, 0);
		assert_string_equal(r->identity.user_id, "user-alice");
		assert_string_equal(r->identity.email, "alice@example.org");
		assert_int_equal(r->first_seen_ms == NOW, was_dead);
		world_free(&w);
	}
}

// Main moved, or a copy told more of its owner: that is to be saved even if nothing else is.
static void test_what_else_is_recorded(void **state)
{
	struct world w;

	(void)state;
	world_build(&w, "live=2 main:2 agent:2");
	decide_world(&w);
	assert_false(w.account.verdict.record_changed);
	world_free(&w);

	world_build(&w, "live=2 main:2 agent:2");
	w.copies[1].credential.identity.user_id = xstrdup("user-alice");
	decide_world(&w);
	assert_true(w.account.verdict.record_changed);
	assert_string_equal(w.account.verdict.record.identity.user_id, "user-alice");
	world_free(&w);

	world_build(&w,
		    "live=2 main:2 agent:9~"); // not from a copy of which nobody knows whose it is
	w.copies[1].credential.identity.user_id = xstrdup("user-bob");
	decide_world(&w);
	assert_false(w.account.verdict.record_changed);
	assert_null(w.account.verdict.record.identity.user_id);
	world_free(&w);

	world_build(&w, "live=2 main:2");
	free(w.account.record.main_store);
	w.account.record.main_store = xstrdup("elsewhere");
	decide_world(&w);
	assert_true(w.account.verdict.record_changed);
	assert_string_equal(w.account.verdict.record.main_store, "main");
	world_free(&w);
}

static void test_first_record(void **state)
{
	struct world w;
	const struct account_record *r = &w.account.verdict.record;

	(void)state;
	world_build(&w, "main:1");
	decide_world(&w);
	assert_string_equal(r->live.refresh.text, "FAKE-REFRESH-1");
	assert_string_equal(r->live.access.text, "FAKE-ACCESS-1");
	assert_false(r->live.answered);
	assert_string_equal(r->main_store, "main");
	assert_string_equal(r->identity.email, "alice@example.org");
	assert_true(r->first_seen_ms == NOW);
	world_free(&w);
}

// The whole credential is kept, not only its name.
static void test_displaced_is_whole(void **state)
{
	struct world w;

	(void)state;
	world_build(&w, "live=2 main:5 receipt=2:answered=3");
	decide_world(&w);
	assert_int_equal(w.account.verdict.n_displaced, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct credential *c = &w.account.verdict.displaced[i].credential;
		char access[32], refresh[32];
		snprintf(access, sizeof(access), "FAKE-ACCESS-%zu", i + 2);
		snprintf(refresh, sizeof(refresh), "FAKE-REFRESH-%zu", i + 2);
		assert_string_equal(c->access.text, access);
		assert_string_equal(c->refresh.text, refresh);
		assert_string_equal(c->provider, "xai");
		assert_string_equal(c->profile, "xai:default");
		assert_true(c->expires_ms > NOW);
		assert_non_null(w.account.verdict.displaced[i].why);
	}
	world_free(&w);
}

// ---- random worlds

static uint64_t random_state;

static unsigned random_below(unsigned n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % n;
}

static bool chance(unsigned percent)
{
	return random_below(100) < percent;
}

static void random_suffix(FILE *out, bool copy)
{
	static const char *const suffixes[] = {"?", "+", "-",  "=10m", "=1h", "=-1h", "=7h",
					       "!", "~", "~~", "#",    "^",   "!^"};

	if (chance(30))
		fprintf(out, "%s", suffixes[random_below(copy ? ARRAY_SIZE(suffixes) : 7)]);
}

static void random_receipt(FILE *out, unsigned token)
{
	static const char *const states[] = {
		"claimed",
		"sending",
		"answered=3",
		"answered=access",
		"answered=same-refresh",
		"answered=dead",
		"answered=rejected",
		"answered=later",
		"answered=500",
		"answered=cut",
	};
	unsigned state = random_below(ARRAY_SIZE(states));

	fprintf(out, " receipt=%u:%s", token, states[state]);
	if (chance(15))
		fprintf(out, ":held");
	if (state && chance(25))
		fprintf(out, ":sends2");
}

static void random_record(FILE *out, unsigned live, bool superseded)
{
	fprintf(out, "live=%u", live);
	random_suffix(out, false);
	fprintf(out, "%s%s anchor=%u", superseded ? " sup=7,8" : "", chance(30) ? " div=9" : "",
		random_below(7));
	if (chance(50))
		fprintf(out, " before=%u", random_below(7));
	if (chance(10))
		fprintf(out, " seen=-%um", 5 + random_below(10));
	if (chance(10))
		fprintf(out, " wait=10m failures=3 rejections=%u", random_below(5));
}

static void random_import(FILE *out)
{
	static const char *const words[] = {"release", "other",	  "stale",  "sup2",
					    "sup7,8",  "term2",	  "term4",  "bob",
					    "sent",    "number6", "nobody", "kept"};

	fprintf(out, " import=%u", random_below(10));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (chance(20))
			fprintf(out, ":%s", words[i]);
}

static void random_hosts(FILE *out, bool recorded)
{
	static const char *const owners[] = {"follows", "released", "left", "ours"};

	if (recorded && chance(30))
		fprintf(out, " owner=%s", owners[random_below(4)]);
	if (recorded && chance(10))
		fprintf(out, " beside=%s", owners[random_below(2)]);
	if (chance(20))
		random_import(out);
	else if (chance(20))
		fprintf(out, chance(50) ? " own" : " release");
}

// The ledger may know 7 and 8 as superseded, 9 as diverged; it sent what was live, 7 and 8.
static char *random_world(void)
{
	static const char *const flags[] = {"force",	"offline", "reusable", "window",
					    "noclient", "claimed", "life=12h", "at=1h"};
	bool recorded = chance(85), superseded = recorded && chance(60),
	     logged_out = recorded && chance(15);
	unsigned live = random_below(7);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (recorded)
		random_record(out, live, superseded);
	if (logged_out)
		fprintf(out, " ended=-%ud", random_below(7));
	else if (recorded && chance(15))
		fprintf(out, chance(30) ? " trouble" : " dead");
	for (size_t i = 0; i < COPIES; i++) {
		if (!chance(70))
			continue;
		fprintf(out, " %s:", store_names[i]);
		if (chance(8)) {
			fprintf(out, "blank");
			continue;
		}
		if (chance(8)) {
			fprintf(out, "%s%u", chance(60) ? "fence" : "pending", random_below(10));
			continue;
		}
		fprintf(out, "%u",
			chance(40) || ((logged_out || !recorded) && i == 0) ? live
									    : random_below(10));
		random_suffix(out, true);
	}
	if (chance(30))
		random_receipt(out, live);
	if (superseded && chance(15))
		random_receipt(out, 7 + random_below(2));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (chance(10))
			fprintf(out, " %s", flags[i]);
	random_hosts(out, recorded);
	if (chance(20))
		fprintf(out, " adopt=%s", store_names[random_below(COPIES)]);
	else if (chance(10))
		fprintf(out, " follow=%s", chance(30) ? "all" : store_names[random_below(COPIES)]);
	else if (recorded && chance(10))
		fprintf(out, " restore=%u%s", random_below(10), chance(30) ? "!" : "");
	fclose(out);
	return text;
}

static void write_copies(struct world *w)
{
	const struct generation *live = &w->account.verdict.record.live;

	for (size_t i = 0; i < w->account.n_members; i++) {
		struct copy *copy = &w->copies[w->account.members[i].store - w->stores];
		struct credential *c = &copy->credential;
		if (!w->account.verdict.copies[i].write)
			continue;
		copy->kind = COPY_OAUTH;
		secret_copy(&c->access, &live->access);
		secret_copy(&c->refresh, &live->refresh);
		c->fingerprint = live->fingerprint;
		c->expires_ms = live->expires_ms;
		copy->expires_odd = false;
	}
}

static bool is_marked(const struct account *a, struct fingerprint token)
{
	return listed(a->verdict.settle, a->verdict.n_settle, token) ||
	       listed(a->verdict.close, a->verdict.n_close, token);
}

static void close_receipts(struct world *w)
{
	struct account *a = &w->account;
	const struct verdict *v = &a->verdict;
	size_t n = 0;

	for (size_t i = 0; i < a->n_members; i++) {
		struct member *m = &a->members[i];
		struct fingerprint token = m->copy->credential.fingerprint;
		m->settled = (m->settled && !listed(v->take_back, v->n_take_back, token)) ||
			     is_marked(a, token);
	}
	a->live_settled = (is_spent(w) && v->decision != DECISION_RECOVER &&
			   !listed(v->take_back, v->n_take_back, v->record.live.fingerprint)) ||
			  is_marked(a, v->record.live.fingerprint);
	for (size_t i = 0; i < a->n_receipts; i++)
		if (!is_marked(a, a->receipts[i]->token) &&
		    !listed(v->drop, v->n_drop, a->receipts[i]->token))
			a->receipts[n++] = a->receipts[i];
	a->n_receipts = n;
}

// As if everything decided had been done, but for sending: what does the next look find?
static void world_go_on(struct world *w)
{
	struct account *a = &w->account;

	for (size_t i = 0; i < a->n_members; i++)
		a->members[i].fixed = a->verdict.copies[i].fixed;
	write_copies(w);
	close_receipts(w);
	world_save(w);
}

// The promises hold in every world, and three looks after nothing is left to write or to record (a
// token found dead, what stands in main after it, a login that is newer): that is the read-back which
// ends a run.
static void test_random_worlds(void **state)
{
	size_t seen[DECISION_SKIP + 1] = {0};

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct world w;
		random_state = i;
		_cleanup_free_ char *given = random_world();
		world_build(&w, given);
		for (int look = 0; look < 4; look++) {
			bool meddles = decide_meddles(&w);
			seen[w.account.verdict.decision]++;
			_cleanup_free_ char *decided = describe(&w);
			const char *what = meddles ? "what was seen has changed" : broken(&w);
			if (what)
				fail_msg("look %d of %s\ndecided %s\nbreaks: %s", look, given,
					 decided, what);
			if (look == 3 &&
			    (account_has_writes(&w.account) || w.account.verdict.record_changed))
				fail_msg("%s\nnever ends: %s", given, decided);
			world_go_on(&w);
		}
		world_free(&w);
	}
	for (size_t i = 0; i < DECISION_SKIP; i++)
		assert_true(seen[i] > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_run),
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_expiries),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_clock_wrong),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_unknown_tokens),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_receipts),
		cmocka_unit_test(test_unknown_outcome),
		cmocka_unit_test(test_fences),
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_dead),
		cmocka_unit_test(test_chosen),
		cmocka_unit_test(test_followed),
		cmocka_unit_test(test_other_rules),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_regressions),
		cmocka_unit_test(test_expiry_fight),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_issue_compare),
		cmocka_unit_test(test_record_failure),
		cmocka_unit_test(test_record_failure_when_expired),
		cmocka_unit_test(test_many_diverged),
		cmocka_unit_test(test_margin),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_expiry_by_slow_clock),
		cmocka_unit_test(test_expiry_is_corrected),
		cmocka_unit_test(test_order_by_jwt),
		cmocka_unit_test(test_clock_before_build),
		cmocka_unit_test(test_recovered_record),
		cmocka_unit_test(test_first_record),
		cmocka_unit_test(test_recovered_record_is_alive),
		cmocka_unit_test(test_adopted_record),
		cmocka_unit_test(test_what_else_is_recorded),
		cmocka_unit_test(test_displaced_is_whole),
		cmocka_unit_test(test_random_worlds),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
