// SPDX-License-Identifier: MIT
//
// See exchange.h.
#include "keepalive/exchange.h"

#include <sys/mman.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "courier/answer.h"
#include "keepalive/hosts.h"

#define CLIENT_SECRET_MAX 4096
#define DISCOVERY_GRACE_S 5
#define TOGETHER_FIRST_MS 20
#define TOGETHER_LAST_MS  1000
#define YIELD_MS	  2000 // codex commits within some milliseconds of its answer

static int read_client_secret(const struct provider *provider, struct secret *ret)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (!provider->client_secret_file)
		return 0;
	fd = open(provider->client_secret_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = secret_read(fd, CLIENT_SECRET_MAX, ret);
	while (r >= 0 && ret->len && strchr(" \t\r\n", ret->text[ret->len - 1]))
		ret->text[--ret->len] = '\0';
	return r;
}

static int open_receipt(struct run *run, struct grant *g, const struct account *a)
{
	int r;

	g->token = a->verdict.record.live.fingerprint;
	if (!a->verdict.resend)
		return receipt_claim(run->ledger, g->token, g->keys, g->n_keys,
				     run->courier.process, &g->receipt_fd);
	r = receipt_reopen(run->ledger, g->token, false, &g->receipt_fd);
	return r < 0 ? r : receipt_note_courier(g->receipt_fd, run->courier.process);
}

static int hand_over(struct run *run, struct grant *g, const struct account *a,
		     const struct secret *client_secret)
{
	const struct provider *p = a->provider;
	const struct credential *c = &a->main->copy->credential;
	const char *client_id = provider_client_id(p, c);
	struct http_request http = {0};
	struct courier_request request = {
		.id = g->id,
		.http = &http,
		.config = run->config,
		.locks = &g->locks,
		.hold_until_boot_ms = g->hold_until_ms,
		.receipt_fd = g->receipt_fd,
	};
	int r;

	provider_build_request(p, g->endpoint ? g->endpoint : p->token_url, client_id,
			       secret_empty(client_secret) ? NULL : client_secret,
			       &a->verdict.record.live.refresh, &http);
	r = lock_set_still_ours(&g->locks) ? courier_send(&run->courier, &request) : -ESTALE;
	http_request_free(&http);
	return r;
}

// Nothing leaves: what was made ready for it goes.
static void take_back(struct run *run, struct grant *g, const struct account *a)
{
	struct receipt receipt = {0};

	receipt_reread(g->receipt_fd, &receipt);
	receipt.token = g->token;
	if (hosts_withdraw(run, &receipt) && !a->verdict.resend)
		receipt_remove(run->ledger, g->token);
	receipt_free(&receipt);
}

void exchange_begin(struct run *run, struct grant *g, const struct observation *o)
{
	struct account *a = grant_sender(g, o);
	_cleanup_secret_ struct secret client_secret = {0};
	int r;

	r = read_client_secret(a->provider, &client_secret);
	if (r < 0)
		return grant_conclude(
			&run->grants, g, OUTCOME_FAILED, "client_secret_file",
			xasprintf("%s: %s", a->provider->client_secret_file, strerror(-r)));
	r = open_receipt(run, g, a);
	if (r == -EEXIST)
		return grant_conclude(&run->grants, g, OUTCOME_BUSY, "in_flight",
				      xstrdup("another run has just begun to refresh it"));
	if (r < 0)
		return grant_conclude(
			&run->grants, g, OUTCOME_FAILED, "ledger_not_writable",
			xasprintf("the receipt cannot be written, so nothing was sent: %s",
				  strerror(-r)));
	r = hosts_intend(run, g, a);
	if (r < 0) {
		take_back(run, g, a);
		return hosts_put_off(run, g, r);
	}
	r = hand_over(run, g, a, &client_secret);
	if (r < 0) {
		take_back(run, g, a);
		return grant_conclude(&run->grants, g, OUTCOME_FAILED, "courier",
				      xasprintf("nothing was sent: %s", strerror(-r)));
	}
	g->provider = a->provider;
	g->exchanged = g->guards = true;
	g->stage = GRANT_EXCHANGING;
	g->cluster = CLUSTER_EXCHANGING;
}

// ---- the courier's reports

// Answers that come together are written together: for as long as a round takes, others may still come. Each time a little
// longer, so that the rounds of a run are few, however many answers come in drops.
static int64_t write_soon(const struct run *run)
{
	int64_t patience_ms = TOGETHER_FIRST_MS << (run->rounds < 6 ? run->rounds : 6);
	const struct grant *g;

	if (patience_ms < run->round_ms)
		patience_ms = run->round_ms;
	if (patience_ms > TOGETHER_LAST_MS)
		patience_ms = TOGETHER_LAST_MS;
	for_each_grant (g, &run->grants)
		if (g->stage == GRANT_EXCHANGING)
			return clock_boot_ms() + patience_ms;
	return 0;
}

// Provably not sent: the look there backs off, and says so; the receipt goes, and what is behind is written all the same.
static void not_sent(const struct run *run, struct grant *g, const char *code, const char *text)
{
	snprintf(g->refusal, sizeof(g->refusal), "%s", code);
	free(g->said);
	g->said = xasprintf("nothing was sent: %s", text);
	g->exchanged = g->guards = false;
	g->stage = GRANT_WRITING;
	g->try_at_ms = write_soon(run);
}

static void rescue(struct run *run, struct grant *g, int fd)
{
	_cleanup_secret_ struct secret text = {0};
	struct receipt *rescued;
	struct http_answer answer = {0};
	int64_t received_ms;

	if (secret_read(fd, COURIER_ANSWER_MAX + 4096, &text) < 0 ||
	    answer_parse(text.text, text.len, &answer, &received_ms) < 0)
		return;
	if (receipt_append_answer(g->receipt_fd, &answer, received_ms) == 0) {
		secret_free(&answer.body);
		return;
	}
	rescued = array_add(&run->rescued, &run->n_rescued);
	rescued->token = g->token;
	rescued->received_ms = received_ms;
	rescued->answer = answer;
}

static bool is_dead(const struct grant *g, const struct receipt *receipt)
{
	_cleanup_(answer_free) struct answer answer = {0};

	provider_read_answer(g->provider, &receipt->answer, receipt->received_ms, &answer);
	return answer.kind == ANSWER_DEAD;
}

static void finish_exchange(struct run *run, struct grant *g, const char *code, const char *text)
{
	struct receipt receipt = {0};
	int r = receipt_reread(g->receipt_fd, &receipt);
	bool sent = r < 0 || receipt.sends > 0;
	bool answered = r >= 0 && receipt.state == RECEIPT_ANSWERED;

	// Who spent it stands at the lock with the answer in its hands, if it is a program that locks for the commit alone.
	g->yields = answered && is_dead(g, &receipt) && lock_set_yield(&g->locks);
	receipt_free(&receipt);
	for (size_t i = 0; i < run->n_rescued; i++)
		answered |= fingerprint_equal(run->rescued[i].token, g->token);
	if (!answered && !sent)
		return not_sent(run, g, code, text);
	if (answered)
		g->cluster = CLUSTER_ANSWERED;
	free(g->said);
	g->said = xstrdup(answered ? NULL : text);
	g->stage = GRANT_WRITING; // the look there sees what is to be done about it
	g->try_at_ms = g->yields ? clock_boot_ms() + YIELD_MS : write_soon(run);
}

int exchange_discover(struct run *run, struct grant *g, const struct provider *provider)
{
	struct http_request http = {0};
	struct courier_request request = {
		.id = g->id,
		.http = &http,
		.config = run->config,
	};
	int r;

	g->discovery_fd = memfd_create("discovery", MFD_CLOEXEC);
	if (g->discovery_fd < 0)
		return -errno;
	provider_build_discovery(provider, &http);
	request.receipt_fd = g->discovery_fd;
	r = courier_get(&run->courier, &request);
	http_request_free(&http);
	if (r < 0)
		return r;
	g->provider = provider;
	g->stage = GRANT_DISCOVERING;
	// The courier keeps to the deadline; this is for one that is stopped.
	g->hold_until_ms =
		clock_boot_ms() + (run->config->deadline_s + DISCOVERY_GRACE_S) * SECOND_MS;
	return 0;
}

static int read_discovery(struct grant *g, const struct courier_message *event)
{
	_cleanup_secret_ struct secret text = {0};
	struct http_answer answer = {0};
	int64_t received_ms;
	int r = -EBADMSG;

	if (event->result == COURIER_ANSWERED &&
	    secret_read(g->discovery_fd, COURIER_ANSWER_MAX + 4096, &text) >= 0 &&
	    answer_parse(text.text, text.len, &answer, &received_ms) >= 0 && answer.status == 200)
		r = provider_read_discovery(g->provider, answer.body.text, answer.body.len,
					    &g->endpoint);
	secret_free(&answer.body);
	return r;
}

static void discovered(struct run *run, struct grant *g, const struct courier_message *event)
{
	int r = read_discovery(g, event);

	cleanup_close(&g->discovery_fd);
	if (r == -EPERM)
		return grant_conclude(&run->grants, g, OUTCOME_HELD, "discovery",
				      xstrdup("the discovered token endpoint is not in the "
					      "provider's domain: not used"));
	if (r < 0)
		not_sent(run, g, event->code[0] ? event->code : "discovery",
			 event->text[0] ? event->text
					: "the token endpoint could not be discovered");
	g->stage = GRANT_WAITING; // for its refresh locks: to send, or to write what is behind
	g->try_at_ms = 0;
}

static struct grant *grant_by_id(struct run *run, uint32_t id)
{
	struct grant *g;

	for_each_grant (g, &run->grants)
		if (g->id == id)
			return g;
	return NULL;
}

static bool has_answer(const struct grant *g)
{
	struct receipt receipt = {0};
	bool answered =
		receipt_reread(g->receipt_fd, &receipt) == 0 && receipt.state == RECEIPT_ANSWERED;

	receipt_free(&receipt);
	return answered;
}

// It may send yet, or wait for an answer: its lock files stay (it looks at them before it sends).
static void leave_to_courier(struct run *run, struct grant *g, const char *why)
{
	struct receipt receipt = {0};
	int pid = run->courier.process.pid;
	bool unsent = receipt_reread(g->receipt_fd, &receipt) == 0 && receipt.sends == 0;

	receipt_free(&receipt);
	g->guards = true;
	if (unsent)
		grant_conclude(&run->grants, g, OUTCOME_FAILED, "in_flight",
			       xasprintf("%s (process %d); nothing was sent so far", why, pid));
	else
		grant_conclude(&run->grants, g, OUTCOME_HELD, "unknown_outcome",
			       xasprintf("%s (process %d)", why, pid));
}

static void courier_is_gone(struct run *run)
{
	bool ended = courier_lost(&run->courier);
	struct grant *g;

	for_each_grant (g, &run->grants) {
		if (g->stage == GRANT_EXCHANGING && !ended && !has_answer(g)) {
			leave_to_courier(run, g, "the courier no longer answers");
			continue;
		}
		// Its pid in the lock files is a dead one now: answer for them ourselves.
		if (lock_set_is_held(&g->locks) && lock_set_restamp(&g->locks, run->self) < 0)
			log_debug("a refresh lock was lost with the courier");
		if (g->stage == GRANT_EXCHANGING)
			finish_exchange(run, g, "courier", "the courier ended unexpectedly");
		else if (g->stage == GRANT_DISCOVERING)
			grant_conclude(&run->grants, g, OUTCOME_FAILED, "courier",
				       xstrdup("the courier ended unexpectedly"));
	}
}

void exchange_events(struct run *run)
{
	struct courier_message event;
	int fd = -1, r;

	while (run->courier.fd >= 0 && (r = courier_event(&run->courier, &event, &fd)) != -EAGAIN) {
		_cleanup_close_ int answer_fd = fd;
		struct grant *g = r < 0 ? NULL : grant_by_id(run, event.id);
		if (r < 0) {
			courier_is_gone(run);
			return;
		}
		if (!g)
			continue;
		if (event.result == COURIER_NOT_SAVED && answer_fd >= 0)
			rescue(run, g, answer_fd);
		if (g->stage == GRANT_DISCOVERING)
			discovered(run, g, &event);
		else if (g->stage == GRANT_EXCHANGING)
			finish_exchange(run, g, event.code, event.text);
	}
}

// A courier that is stopped or stuck.
void exchange_timeouts(struct run *run)
{
	struct grant *g;

	for_each_grant (g, &run->grants) {
		if (clock_boot_ms() < g->hold_until_ms)
			continue;
		if (g->stage == GRANT_EXCHANGING)
			leave_to_courier(run, g, "the courier does not answer");
		else if (g->stage == GRANT_DISCOVERING)
			grant_conclude(&run->grants, g, OUTCOME_FAILED, "courier",
				       xstrdup("nothing was sent: the courier does not answer"));
	}
}
