// SPDX-License-Identifier: MIT
//
// See probe.h.
#include "keepalive/probe.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "courier/answer.h"
#include "courier/client.h"

#define TOGETHER 64 // requests under way
#define GRACE_S	 5  // for a courier that is stopped

struct prober {
	const struct config *config;
	struct courier courier;
	struct probes *probes;
	uint32_t last_id;
};

// ---- what to ask

static struct probe *add_probe(struct probes *probes, const struct provider *provider,
			       const struct account *account, const char *url)
{
	struct probe *probe = array_add(&probes->list, &probes->n);

	*probe = (struct probe){
		.provider = provider,
		.account = account,
		.url = xstrdup(url),
		.fd = -1,
	};
	return probe;
}

static bool is_listed(const struct probes *probes, const char *url)
{
	for (size_t i = 0; i < probes->n; i++)
		if (!probes->list[i].account && string_equal(probes->list[i].url, url))
			return true;
	return false;
}

static void add_endpoint(struct probes *probes, const struct provider *provider)
{
	const char *url = provider->token_url ? provider->token_url : provider->discovery_url;

	if (url && !provider->no_refresh && !is_listed(probes, url))
		add_probe(probes, provider, NULL, url);
}

// NULL: its access token may ask. (Where the times were not even reckoned, something keeps hands off the account.)
static char *why_not(const struct observation *o, const struct account *a,
		     const struct result *result, int64_t now_ms)
{
	const struct verdict *v = &a->verdict;
	const struct secret *access = &v->record.live.access;

	if (result->outcome == OUTCOME_SKIPPED || !a->provider)
		return xstrdup("it is not kept alive");
	if (!a->provider->probe_url)
		return xasprintf(
			"it is not known what to ask %s; set `probe_url` in oauth-keepalive.conf",
			a->provider->name);
	if (v->record.ended_ms || !v->schedule.margin_s)
		return xstrdup(v->reason ? v->reason : "it is not kept alive");
	if (secret_empty(access) || account_access_is_refresh(a, o))
		return xstrdup("it has no access token of its own");
	int64_t expires_ms = shown_expiry_ms(&v->schedule);
	if (expires_ms && expires_ms <= now_ms)
		return xstrdup("its access token has expired");
	return NULL;
}

static void add_login(struct probes *probes, const struct observation *o, const struct account *a,
		      const struct result *result, int64_t now_ms)
{
	_cleanup_free_ char *why = why_not(o, a, result, now_ms);

	if (why)
		add_probe(probes, a->provider, a, NULL)->why = TAKE_PTR(why);
	else if (!probes_find(probes, a))
		add_probe(probes, a->provider, a, a->provider->probe_url);
}

static void choose(const struct cycle *cycle, struct probes *probes)
{
	const int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < cycle->results.n; i++) {
		const struct result *result = &cycle->results.list[i];
		const struct account *a = observation_account(&cycle->now, result->key);
		if (!a)
			continue;
		if (a->provider && result->outcome != OUTCOME_SKIPPED)
			add_endpoint(probes, a->provider);
		add_login(probes, &cycle->now, a, result, now_ms);
	}
}

// ---- asking

static void fail(struct probe *probe, const char *code, const char *text)
{
	snprintf(probe->code, sizeof(probe->code), "%s", code);
	free(probe->text);
	probe->text = xstrdup(text);
	cleanup_close(&probe->fd);
	probe->id = 0;
}

static void ask(struct prober *p, struct probe *probe)
{
	struct http_request http = {0};
	struct courier_request request = {.http = &http, .config = p->config};
	int r;

	if (probe->account)
		provider_build_probe(probe->provider,
				     probe->account->verdict.record.identity.account_id,
				     &probe->account->verdict.record.live.access, &http);
	else
		provider_build_knock(probe->url, &http);
	request.id = probe->id = ++p->last_id;
	request.receipt_fd = probe->fd = memfd_create("answer", MFD_CLOEXEC);
	probe->at_ms = clock_boot_ms();
	r = probe->fd < 0 ? -errno : courier_get(&p->courier, &request);
	http_request_free(&http);
	if (r < 0)
		fail(probe, "courier", strerror(-r));
}

// The endpoint itself is asked for once the document has named it.
static void read_discovery(struct probe *probe, const struct http_answer *http)
{
	const struct provider *provider = probe->provider;

	if (probe->account || !string_equal(probe->url, provider->discovery_url))
		return;
	probe->answered = http->status == 200 &&
			  provider_read_discovery(provider, http->body.text, http->body.len,
						  &probe->discovered) == 0;
	if (!probe->answered)
		fail(probe, "discovery", "it names no token endpoint in the provider's domain");
}

static void take_answer(struct probe *probe)
{
	_cleanup_secret_ struct secret text = {0};
	struct http_answer http = {0};
	int64_t received_ms;

	if (secret_read(probe->fd, COURIER_ANSWER_MAX + 4096, &text) < 0 ||
	    answer_parse(text.text, text.len, &http, &received_ms) < 0)
		return fail(probe, "courier", "its answer cannot be read");
	cleanup_close(&probe->fd);
	probe->id = 0;
	probe->took_ms = clock_boot_ms() - probe->at_ms;
	probe->answered = true;
	probe->at_ms = received_ms;
	probe->date_ms = http.date_ms;
	if (probe->account)
		provider_read_probe(probe->provider, &http,
				    &probe->account->verdict.record.live.access, &probe->answer);
	else
		probe->answer = (struct probe_answer){
			.kind = http.challenge ? PROBE_EDGE : PROBE_ALIVE,
			.status = http.status,
			.retry_after_s = -1,
		};
	read_discovery(probe, &http);
	secret_free(&http.body);
}

static struct probe *find_by_id(const struct prober *p, uint32_t id)
{
	for (size_t i = 0; i < p->probes->n; i++)
		if (p->probes->list[i].id == id)
			return &p->probes->list[i];
	return NULL;
}

static size_t count_under_way(const struct prober *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->probes->n; i++)
		n += p->probes->list[i].id != 0;
	return n;
}

static void fail_all(struct prober *p, const char *text)
{
	for (size_t i = 0; i < p->probes->n; i++)
		if (p->probes->list[i].id)
			fail(&p->probes->list[i], "courier", text);
}

static void hear(struct prober *p)
{
	struct courier_message event;

	for (;;) {
		_cleanup_close_ int unsaved = -1;
		int r = courier_event(&p->courier, &event, &unsaved);
		if (r == -EAGAIN)
			return;
		if (r < 0) {
			courier_lost(&p->courier);
			return fail_all(p, "the courier ended unexpectedly");
		}
		struct probe *probe = find_by_id(p, event.id);
		if (!probe || !event.id)
			continue;
		if (event.result == COURIER_ANSWERED)
			take_answer(probe);
		else
			fail(probe, event.code[0] ? event.code : "courier", event.text);
	}
}

// All from the `first` on, a few at a time.
static void ask_from(struct prober *p, size_t first)
{
	const int64_t patience_ms = (p->config->deadline_s + GRACE_S) * SECOND_MS;
	int64_t until_ms = clock_boot_ms() + patience_ms;
	size_t next = first;

	for (;;) {
		size_t under_way = count_under_way(p);
		for (; next < p->probes->n && under_way < TOGETHER; next++) {
			struct probe *probe = &p->probes->list[next];
			if (probe->url)
				ask(p, probe);
			under_way += probe->id != 0;
			until_ms = clock_boot_ms() + patience_ms;
		}
		int64_t left_ms = until_ms - clock_boot_ms();
		if (!under_way)
			return;
		if (left_ms <= 0)
			return fail_all(p, "the courier does not answer");
		struct pollfd pair = {.fd = p->courier.fd, .events = POLLIN};
		poll(&pair, 1, (int)left_ms);
		hear(p);
	}
}

static size_t add_discovered(struct probes *probes)
{
	const size_t n = probes->n;

	for (size_t i = 0; i < n; i++) {
		struct probe found = probes->list[i]; // the list moves as it grows
		if (found.discovered && !is_listed(probes, found.discovered))
			add_probe(probes, found.provider, NULL, found.discovered);
	}
	return n;
}

void probe_all(const struct config *config, const struct cycle *cycle, struct probes *ret)
{
	struct prober p = {.config = config, .probes = ret};

	*ret = (struct probes){0};
	choose(cycle, ret);
	if (ret->n == 0)
		return;
	if (courier_start(config, &p.courier, &ret->trouble) < 0) {
		for (size_t i = 0; i < ret->n; i++)
			if (ret->list[i].url)
				fail(&ret->list[i], "courier", ret->trouble);
		return;
	}
	ask_from(&p, 0);
	ask_from(&p, add_discovered(ret));
	courier_stop(&p.courier);
}

// ---- what came of it

void probes_free(struct probes *probes)
{
	for (size_t i = 0; i < probes->n; i++) {
		free(probes->list[i].url);
		free(probes->list[i].why);
		free(probes->list[i].text);
		free(probes->list[i].discovered);
		cleanup_close(&probes->list[i].fd);
	}
	free(probes->list);
	free(probes->trouble);
	*probes = (struct probes){0};
}

// Several names of one login have one token.
const struct probe *probes_find(const struct probes *probes, const struct account *account)
{
	const struct probe *found = NULL;

	for (size_t i = 0; i < probes->n; i++) {
		const struct probe *probe = &probes->list[i];
		if (probe->account == account)
			return probe;
		if (probe->account && probe->url && account->provider &&
		    string_equal(probe->url, account->provider->probe_url) &&
		    secret_equal(&probe->account->verdict.record.live.access,
				 &account->verdict.record.live.access))
			found = probe;
	}
	return found;
}
