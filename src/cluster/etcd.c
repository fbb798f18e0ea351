// SPDX-License-Identifier: MIT
//
// See etcd.h.
#include "cluster/etcd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "courier/answer.h"
#include "json/json.h"

#define PAGE_FIRST    64 // entries of a few KiB each; an answer may be 1 MiB
#define PAGE_SHRINKS  4
#define ANSWER_MS     12000 // the courier's own deadline is 8 s
#define PATIENCE_MS   25000
#define PASSWORD_MAX  1024
#define WATCH_LINES   2	    // that it stands, and what has changed
#define ENTRIES_MAX   65536 // below a prefix
#define GRPC_CODE_MAX 16

static int fail(struct etcd *etcd, int error, char *trouble)
{
	free(etcd->trouble);
	etcd->trouble = trouble;
	return error;
}

void etcd_stop(struct etcd *etcd)
{
	courier_stop(&etcd->courier);
	secret_free(&etcd->token);
	free(etcd->trouble);
	*etcd = ETCD_NONE;
}

// ---- JSON, as the gateway reads it

static void put_bytes(cJSON *json, const char *name, const char *bytes, size_t len)
{
	size_t room = sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);
	_cleanup_free_ char *text = xcalloc(room, 1);

	sodium_bin2base64(text, room, (const unsigned char *)bytes, len,
			  sodium_base64_VARIANT_ORIGINAL);
	json_put_text(json, name, text);
}

static void put_key(cJSON *json, const char *key)
{
	put_bytes(json, "key", key, strlen(key));
}

static void put_number(cJSON *json, const char *name, int64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRId64, value);
	json_put_text(json, name, digits);
}

// ---- one request to one endpoint

struct exchange {
	enum courier_result result;
	struct http_answer answer;
	bool woken;
};
struct waiting { // for an answer that has no end
	int64_t most_ms;
	int wake_fd;
};

static int start_courier(struct etcd *etcd)
{
	char *message;
	int r = etcd->courier.fd >= 0 ? 0 : courier_start(etcd->config, &etcd->courier, &message);

	return r < 0 ? fail(etcd, -ENETUNREACH, message) : 0;
}

static int await(struct etcd *etcd, uint32_t id, const struct waiting *waiting,
		 struct courier_message *ret)
{
	struct pollfd polled[] = {{.fd = etcd->courier.fd, .events = POLLIN},
				  {.fd = waiting ? waiting->wake_fd : -1, .events = POLLIN}};
	int64_t until_ms = clock_boot_ms() + ANSWER_MS + (waiting ? waiting->most_ms : 0);
	int fd = -1;

	for (;;) {
		int64_t left_ms = until_ms - clock_boot_ms();
		if (left_ms <= 0 ||
		    (poll(polled, ARRAY_SIZE(polled), (int)left_ms) < 0 && errno != EINTR))
			return -ETIMEDOUT;
		if (polled[1].revents)
			return -ECANCELED;
		int r = courier_event(&etcd->courier, ret, &fd);
		cleanup_close(&fd);
		if (r == 0 && ret->id == id)
			return 0;
		if (r < 0 && r != -EAGAIN)
			return r;
	}
}

static void note_time(struct etcd *etcd, const struct http_answer *answer)
{
	if (!answer->date_ms)
		return;
	etcd->date_ms = answer->date_ms;
	etcd->our_date_ms = clock_wall_ms();
}

static int read_answer(struct etcd *etcd, int fd, struct http_answer *ret)
{
	_cleanup_secret_ struct secret text = {0};
	int64_t received_ms;
	int r = secret_read(fd, COURIER_ANSWER_MAX + 4096, &text);

	if (r >= 0)
		r = answer_parse(text.text, text.len, ret, &received_ms);
	if (r >= 0)
		note_time(etcd, ret);
	return r < 0 ? r : 0;
}

// Empty: there is no token.
static struct secret authorization_of(const struct etcd *etcd)
{
	struct secret header = {0};

	if (secret_empty(&etcd->token))
		return header;
	secret_set_string(&header, "Authorization: ");
	secret_append(&header, etcd->token.text, etcd->token.len);
	return header;
}

// -ETIMEDOUT and the like: it may have been sent.
static int ask_endpoint(struct etcd *etcd, const char *endpoint, const char *path,
			const struct secret *body, const struct waiting *waiting,
			struct exchange *ret)
{
	_cleanup_free_ char *url = xasprintf("%s%s", endpoint, path);
	_cleanup_secret_ struct secret authorization = authorization_of(etcd);
	_cleanup_close_ int fd = memfd_create("etcd", MFD_CLOEXEC);
	char type[] = "Content-Type: application/json";
	char *headers[] = {type, authorization.text};
	struct http_request http = {
		.url = url,
		.headers = headers,
		.n_headers = secret_empty(&authorization) ? 1 : 2,
		.body = *body,
	};
	struct courier_request request = {
		.id = ++etcd->last_id,
		.http = &http,
		.config = etcd->config,
		.to_cluster = true,
		.lines = waiting ? WATCH_LINES : 0,
		.wait_ms = waiting ? waiting->most_ms : 0,
		.receipt_fd = fd,
	};
	struct courier_message event = {0};
	int r = fd < 0 ? -errno : 0;

	ret->result = COURIER_NOT_SENT;
	if (r == 0 && start_courier(etcd) < 0) // with why
		return 0;
	if (r == 0)
		r = courier_get(&etcd->courier, &request);
	if (r < 0) { // has it ended while it was idle? The next request has one of its own
		courier_stop(&etcd->courier);
		return fail(etcd, 0, xasprintf("%s: %s", endpoint, strerror(-r)));
	}
	r = await(etcd, request.id, waiting, &event);
	ret->woken = r == -ECANCELED;
	if (r < 0) { // stuck, or gone: the next request has a courier of its own
		courier_stop(&etcd->courier);
		ret->result = COURIER_NO_ANSWER;
		return fail(etcd, 0, xasprintf("%s: the courier does not answer", endpoint));
	}
	ret->result = event.result;
	if (event.result != COURIER_ANSWERED)
		return fail(etcd, 0, xasprintf("%s: %s", endpoint, event.text));
	if (read_answer(etcd, fd, &ret->answer) < 0 || (ret->answer.cut && !waiting)) {
		etcd->too_long |= ret->answer.body.len == COURIER_ANSWER_MAX;
		secret_free(&ret->answer.body);
		ret->result = COURIER_NO_ANSWER;
		return fail(etcd, 0, xasprintf("%s: its answer was cut off", endpoint));
	}
	return 0;
}

// ---- what it said

// As it is, or as JSON spells it: what quotes a request quotes that.
static bool holds(const char *text, const struct secret *secret)
{
	if (!secret || secret_empty(secret))
		return false;
	_cleanup_json_ cJSON *json = cJSON_CreateString(secret->text);
	_cleanup_secret_ struct secret spelled = json_print(json, false);
	spelled.text[spelled.len - 1] = '\0'; // its quotes are not in it
	return strstr(text, secret->text) || strstr(text, spelled.text + 1);
}

// Its own words: {"error":"etcdserver: …","code":3}, from 3.6 on without the first, with a code of gRPC's. What else answers
// there speaks for itself alone. What it was asked may come back in them.
static char *words_of(const struct etcd *etcd, const struct http_answer *answer)
{
	_cleanup_json_ cJSON *json = json_parse(answer->body.text, answer->body.len);
	int64_t code = json_integer(json, "code", 0);
	const char *text = json_text(json, "error");

	if (!text)
		text = json_text(json, "message");
	if (!text || code < 1 || code > GRPC_CODE_MAX)
		return NULL;
	return holds(text, &etcd->token) || holds(text, etcd->password)
		       ? xstrdup("and what it says holds a secret")
		       : string_printable(text, 160);
}

// -EAGAIN: the token is no good any more; -EACCES, -ENOENT: refused by all that is etcd; -EHOSTUNREACH: by this member, and not
// applied; -EIO: nobody knows.
static int judge_refusal(int status)
{
	switch (status) {
	case 401:
		return -EAGAIN;
	case 404:
		return -ENOENT;
	case 400:
	case 403:
		return -EACCES;
	case 429:
		return -EHOSTUNREACH;
	default:
		return -EIO;
	}
}

static int judge_status(struct etcd *etcd, const char *endpoint, const struct http_answer *answer)
{
	if (answer->status == 200)
		return 0;
	_cleanup_free_ char *words = words_of(etcd, answer);
	return fail(etcd, words ? judge_refusal(answer->status) : -EIO,
		    xasprintf("%s: HTTP %d, %s", endpoint, answer->status,
			      words ? words : "no word of etcd's"));
}

static int authenticate(struct etcd *etcd, const char *endpoint);

// One endpoint, with a new token of the user's if the old one is no good. -EHOSTUNREACH: not sent; -EIO: nobody knows.
static int ask_one(struct etcd *etcd, const char *endpoint, const char *path,
		   const struct secret *body, struct secret *ret)
{
	for (int again = 0; again < 2; again++) {
		struct exchange exchange = {0};
		bool user = etcd->config->cluster.user && !string_ends(path, "/authenticate");
		int r = user && secret_empty(&etcd->token) ? authenticate(etcd, endpoint) : 0;
		if (r < 0)
			return r == -EIO ? -EHOSTUNREACH : r;
		ask_endpoint(etcd, endpoint, path, body, NULL, &exchange);
		if (exchange.result != COURIER_ANSWERED)
			return exchange.result == COURIER_NOT_SENT ? -EHOSTUNREACH : -EIO;
		r = judge_status(etcd, endpoint, &exchange.answer);
		if (r == 0) {
			*ret = secret_take(&exchange.answer.body);
			return 0;
		}
		secret_free(&exchange.answer.body);
		if (r != -EAGAIN)
			return r;
		if (!user)
			return -EACCES;
		secret_free(&etcd->token);
	}
	return -EACCES;
}

static int read_password(struct etcd *etcd, struct secret *ret)
{
	const char *path = etcd->config->cluster.password_file;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r = fd < 0 ? -errno : secret_read(fd, PASSWORD_MAX, ret);

	while (r >= 0 && ret->len && strchr("\r\n", ret->text[ret->len - 1]))
		ret->text[--ret->len] = '\0';
	return r < 0 ? fail(etcd, -EACCES, xasprintf("%s: %s", path, strerror(-r))) : 0;
}

static bool is_plain(const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return *text;
}

static int authenticate(struct etcd *etcd, const char *endpoint)
{
	_cleanup_secret_ struct secret password = {0}, body = {0}, text = {0};
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	int r = read_password(etcd, &password);

	if (r < 0)
		return r;
	json_put_text(json, "name", etcd->config->cluster.user);
	json_put_secret(json, "password", &password);
	body = json_print(json, false);
	etcd->password = &password;
	r = ask_one(etcd, endpoint, "/v3/auth/authenticate", &body, &text);
	etcd->password = NULL;
	if (r < 0)
		return r;
	_cleanup_json_ cJSON *reply = json_parse(text.text, text.len);
	const char *token = json_text(reply, "token");
	if (!token || !is_plain(token))
		return fail(etcd, -EACCES, xasprintf("%s gives no token", endpoint));
	secret_set_string(&etcd->token, token);
	return 0;
}

// ---- one endpoint after the other

struct question {
	const char *path;
	bool is_write;
	int (*read)(const char *text, size_t len, void *ret); // what is no answer of etcd's is none
	void *ret;
};

static int not_etcds(struct etcd *etcd, const char *endpoint, int error)
{
	return fail(etcd, error, xasprintf("%s: this is no answer of etcd's", endpoint));
}

static int ask_and_read(struct etcd *etcd, const char *endpoint, const struct question *question,
			const struct secret *body)
{
	_cleanup_secret_ struct secret text = {0};
	int r = ask_one(etcd, endpoint, question->path, body, &text);

	return r == 0 && question->read(text.text, text.len, question->ret) < 0
		       ? not_etcds(etcd, endpoint, -EIO)
		       : r;
}

static int ask(struct etcd *etcd, const struct question *question, const cJSON *json)
{
	const struct cluster_settings *settings = &etcd->config->cluster;
	_cleanup_secret_ struct secret body = json_print(json, false);

	for (size_t i = 0; i < settings->n_endpoints; i++) {
		size_t at = (etcd->at + i) % settings->n_endpoints;
		int64_t began_ms = clock_boot_ms();
		if (etcd->patience_ms <= 0)
			return fail(etcd, -ENETUNREACH,
				    xstrdup(etcd->trouble ? etcd->trouble : "no endpoint answers"));
		int r = ask_and_read(etcd, settings->endpoints[at], question, &body);
		if (r == 0) {
			etcd->at = at;
			return 0;
		}
		etcd->patience_ms -= clock_boot_ms() - began_ms;
		if (r == -EACCES || r == -ENOENT)
			return r;
		if (r == -EIO && question->is_write) {
			etcd->at = (at + 1) % settings->n_endpoints;
			return -EINPROGRESS;
		}
	}
	return -ENETUNREACH;
}

// ---- reading

struct page {
	struct etcd_entries entries;
	bool more;
};

static int read_range(const char *text, size_t len, void *ret)
{
	struct page *page = ret;

	return etcd_parse_range(text, len, &page->entries, &page->more);
}

static int read_page(struct etcd *etcd, const char *from, const char *end, struct page *ret)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	const struct question question = {
		.path = "/v3/kv/range",
		.read = read_range,
		.ret = ret,
	};

	put_key(json, from);
	put_bytes(json, "range_end", end, strlen(end));
	put_number(json, "limit", etcd->page);
	etcd->too_long = false;
	return ask(etcd, &question, json);
}

// Tokens may have 64 KiB: what does not go into an answer is asked for in smaller pieces, from then on.
static int read_fitting_page(struct etcd *etcd, const char *from, const char *end, struct page *ret)
{
	int r = read_page(etcd, from, end, ret);

	while (r == -ENETUNREACH && etcd->too_long && etcd->page > 1) {
		etcd->page /= PAGE_SHRINKS;
		r = read_page(etcd, from, end, ret);
	}
	return r;
}

// As it was asked for: below the prefix, each after the one before, and an end to it.
static int add_page(struct etcd *etcd, const char *prefix, struct etcd_entries *page,
		    struct etcd_entries *all)
{
	bool sound = true;

	for (size_t i = 0; i < page->n; i++) {
		const char *before = all->n ? all->list[all->n - 1].key : "";
		sound &= string_starts(page->list[i].key, prefix) &&
			 strcmp(before, page->list[i].key) < 0 && all->n < ENTRIES_MAX;
		*array_add(&all->list, &all->n) = page->list[i];
	}
	free(page->list);
	return sound ? 0
		     : fail(etcd, -EBADMSG,
			    xasprintf("%s: it answers with keys that were not asked for",
				      etcd->config->cluster.endpoints[etcd->at]));
}

int etcd_read_all(struct etcd *etcd, const char *prefix, struct etcd_entries *ret)
{
	_cleanup_free_ char *end = xstrdup(prefix), *from = xstrdup(prefix);
	struct etcd_entries all = {0};
	bool more = true;
	int r = 0;

	if (!etcd->patience_ms)
		etcd->patience_ms = PATIENCE_MS;
	if (!etcd->page)
		etcd->page = PAGE_FIRST;
	end[strlen(end) - 1]++; // "/" and the next
	while (r == 0 && more) {
		struct page page = {0};
		r = read_fitting_page(etcd, from, end, &page);
		more = page.more && page.entries.n > 0;
		if (r == 0)
			r = add_page(etcd, prefix, &page.entries, &all);
		if (r < 0 || !more)
			break;
		free(from);
		from = xasprintf("%s\x01",
				 all.list[all.n - 1].key); // nothing of ours is in between
	}
	if (r < 0)
		etcd_entries_free(&all);
	else
		*ret = all;
	return r;
}

// ---- waiting

static void put_range(cJSON *json, const char *prefix)
{
	_cleanup_free_ char *end = xstrdup(prefix);

	end[strlen(end) - 1]++; // "/" and the next
	put_key(json, prefix);
	put_bytes(json, "range_end", end, strlen(end));
}

struct change {
	int64_t changed, now;
};

static int read_change(const char *text, size_t len, void *ret)
{
	struct change *change = ret;

	return etcd_parse_changed(text, len, &change->changed, &change->now);
}

int etcd_last_change(struct etcd *etcd, const char *prefix, int64_t *ret_changed, int64_t *ret_now)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	struct change change = {0};
	const struct question question = {
		.path = "/v3/kv/range",
		.read = read_change,
		.ret = &change,
	};

	etcd->patience_ms = PATIENCE_MS;
	put_range(json, prefix);
	json_put_text(json, "sort_order", "DESCEND");
	json_put_text(json, "sort_target", "MOD");
	put_number(json, "limit", 1);
	cJSON_AddTrueToObject(json, "keys_only");
	int r = ask(etcd, &question, json);
	if (r == 0) {
		*ret_changed = change.changed;
		*ret_now = change.now;
	}
	return r;
}

static int hear_watch(struct etcd *etcd, const char *endpoint, const struct exchange *exchange)
{
	const struct http_answer *answer = &exchange->answer;

	if (exchange->woken)
		return -ECANCELED;
	if (exchange->result != COURIER_ANSWERED) // with why
		return -ENETUNREACH;
	if (judge_status(etcd, endpoint, answer) < 0)
		return -ENETUNREACH;
	int r = etcd_parse_watch(answer->body.text, answer->body.len);
	if (r == -EACCES)
		fail(etcd, r, xasprintf("%s: it refuses the watch", endpoint));
	return r == -EBADMSG ? not_etcds(etcd, endpoint, r) : r;
}

int etcd_wait(struct etcd *etcd, const char *prefix, int64_t after, int64_t most_ms, int wake_fd)
{
	const char *endpoint = etcd->config->cluster.endpoints[etcd->at];
	const struct waiting waiting = {most_ms, wake_fd};
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	cJSON *create = cJSON_AddObjectToObject(json, "create_request");
	struct exchange exchange = {0};

	put_range(create, prefix);
	put_number(create, "start_revision", after + 1);
	_cleanup_secret_ struct secret body = json_print(json, false);
	ask_endpoint(etcd, endpoint, "/v3/watch", &body, &waiting, &exchange);
	int r = hear_watch(etcd, endpoint, &exchange);
	secret_free(&exchange.answer.body);
	if (r < 0)
		etcd->at = (etcd->at + 1) % etcd->config->cluster.n_endpoints;
	return r;
}

// ---- one member

static int ask_member(struct etcd *etcd, const char *endpoint, const char *path, const cJSON *json,
		      struct etcd_member *ret)
{
	_cleanup_secret_ struct secret body = json_print(json, false), text = {0};
	int r = ask_one(etcd, endpoint, path, &body, &text);

	if (r == 0 && etcd_parse_member(text.text, text.len, ret) < 0)
		r = fail(etcd, -EBADMSG, xasprintf("%s: this is no answer of etcd's", endpoint));
	return r;
}

// The list of members is what it has itself; a read is the whole cluster's.
int etcd_ask_member(struct etcd *etcd, size_t i, struct etcd_member *ret)
{
	const char *endpoint = etcd->config->cluster.endpoints[i];
	_cleanup_json_ cJSON *read = cJSON_CreateObject(), *none = cJSON_CreateObject();
	struct etcd_member listed = {0};

	put_range(read, etcd->config->cluster.prefix);
	cJSON_AddTrueToObject(read, "count_only");
	int r = ask_member(etcd, endpoint, "/v3/kv/range", read, ret);
	if (r == 0 && ask_member(etcd, endpoint, "/v3/cluster/member/list", none, &listed) == 0)
		ret->n_all = listed.n_all;
	return r;
}

// ---- transactions

void etcd_guard_add(struct etcd_txn *txn, const char *key, enum etcd_target target,
		    int64_t revision)
{
	*array_add(&txn->guards, &txn->n_guards) = (struct etcd_guard){key, target, revision};
}

void etcd_put_add(struct etcd_txn *txn, const char *key, const struct secret *value, int64_t lease)
{
	*array_add(&txn->puts, &txn->n_puts) = (struct etcd_put){key, value, lease};
}

void etcd_read_add(struct etcd_txn *txn, const char *key)
{
	*array_add(&txn->reads, &txn->n_reads) = key;
}

void etcd_txn_free(struct etcd_txn *txn)
{
	free(txn->guards);
	free(txn->puts);
	free(txn->reads);
	*txn = (struct etcd_txn){0};
}

static void put_guards(cJSON *json, const struct etcd_txn *txn)
{
	cJSON *list = cJSON_AddArrayToObject(json, "compare");

	for (size_t i = 0; i < txn->n_guards; i++) {
		const struct etcd_guard *guard = &txn->guards[i];
		bool created = guard->target == ETCD_CREATED;
		cJSON *item = cJSON_CreateObject();
		cJSON_AddItemToArray(list, item);
		put_key(item, guard->key);
		json_put_text(item, "result", "EQUAL");
		json_put_text(item, "target", created ? "CREATE" : "MOD");
		put_number(item, created ? "create_revision" : "mod_revision", guard->revision);
	}
}

static void put_operation(cJSON *list, const struct etcd_put *put)
{
	cJSON *item = cJSON_CreateObject(), *operation;

	cJSON_AddItemToArray(list, item);
	operation =
		cJSON_AddObjectToObject(item, put->value ? "request_put" : "request_delete_range");
	put_key(operation, put->key);
	if (!put->value)
		return;
	put_bytes(operation, "value", put->value->text, put->value->len);
	if (put->lease)
		put_number(operation, "lease", put->lease);
}

static void put_reads(cJSON *list, const struct etcd_txn *txn)
{
	for (size_t i = 0; i < txn->n_reads; i++) {
		cJSON *item = cJSON_CreateObject();
		cJSON_AddItemToArray(list, item);
		put_key(cJSON_AddObjectToObject(item, "request_range"), txn->reads[i]);
	}
}

static int read_reply(const char *text, size_t len, void *ret)
{
	return etcd_parse_txn(text, len, ret);
}

int etcd_commit(struct etcd *etcd, const struct etcd_txn *txn, struct etcd_reply *ret)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	const struct question question = {
		.path = "/v3/kv/txn",
		.is_write = txn->n_puts > 0,
		.read = read_reply,
		.ret = ret,
	};
	cJSON *success, *failure;

	put_guards(json, txn);
	success = cJSON_AddArrayToObject(json, "success");
	for (size_t i = 0; i < txn->n_puts; i++)
		put_operation(success, &txn->puts[i]);
	put_reads(success, txn);
	failure = cJSON_AddArrayToObject(json, "failure");
	put_reads(failure, txn);
	return ask(etcd, &question, json);
}

// ---- leases

struct lease {
	int64_t id, wanted_s;
};

static int read_lease(const char *text, size_t len, void *ret)
{
	struct lease *lease = ret;
	int64_t ttl_s;

	if (etcd_parse_number(text, len, "ID", &lease->id) < 0 ||
	    etcd_parse_number(text, len, "TTL", &ttl_s) < 0)
		return -EBADMSG;
	return lease->id && ttl_s >= lease->wanted_s ? 0 : -EBADMSG;
}

int etcd_lease_grant(struct etcd *etcd, int64_t ttl_s, int64_t *ret)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	struct lease lease = {.wanted_s = ttl_s};
	// One that nobody knows of runs out by itself: it is no write that has to be read back.
	const struct question question = {
		.path = "/v3/lease/grant",
		.read = read_lease,
		.ret = &lease,
	};

	put_number(json, "TTL", ttl_s);
	int r = ask(etcd, &question, json);
	*ret = r == 0 ? lease.id : 0;
	return r;
}

static int read_nothing(const char *text, size_t len, void *ret)
{
	(void)text, (void)len, (void)ret;
	return 0;
}

int etcd_lease_revoke(struct etcd *etcd, int64_t lease)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	const struct question question = {.path = "/v3/lease/revoke", .read = read_nothing};

	put_number(json, "ID", lease);
	return ask(etcd, &question, json);
}
