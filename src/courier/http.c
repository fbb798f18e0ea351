// SPDX-License-Identifier: MIT
//
// What libcurl must not do with a single-use token, measured on 7.88: send it again on a reused
// connection that was closed (so every connection is fresh and used once), post it to where a
// redirect points (none is followed), ask HTTP/2 to retry a refused stream (HTTP/1.1). The PREREQ
// callback runs when the connection and TLS stand and nothing of the request has left: it is the
// only place where "not sent" becomes "may have been sent".
#include "courier/http.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "courier/guard.h"

#define CERTIFICATES "/etc/ssl/certs"
#define TEXT_MAX     150 // of a message, with room for the mark of a cut

void errand_conclude(struct errand *errand, enum courier_result result, const char *code,
		     const char *text)
{
	_cleanup_free_ char *printable = string_printable(text ? text : "", TEXT_MAX);
	struct courier_message *event = &errand->event;

	*event = (struct courier_message){
		.protocol = COURIER_PROTOCOL,
		.type = COURIER_DONE,
		.id = errand->id,
		.result = result,
	};
	snprintf(event->code, sizeof(event->code), "%s", code);
	snprintf(event->text, sizeof(event->text), "%s", printable);
	errand->state = ERRAND_DONE;
	errand->unsaid = true;
}

// ---- before the request leaves

// NULL if the request may go, else the code of what forbids it.
static const char *find_obstacle(const struct errand *errand)
{
	if (!guard_all_locks_ours(&errand->request))
		return "lock_lost";
	if (clock_boot_ms() >= errand->deadline_ms ||
	    (errand->request.hold_until_ms > 0 &&
	     errand->deadline_ms > errand->request.hold_until_ms))
		return "late";
	return NULL;
}

static const char *raise_count(struct errand *errand)
{
	struct stat st;

	if (guard_count_send(errand->fd, clock_wall_ms()) < 0 || fstat(errand->fd, &st) < 0)
		return "receipt";
	errand->receipt_size = st.st_size;
	return NULL;
}

static int on_ready(void *data, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct errand *errand = data;

	(void)remote_ip, (void)local_ip, (void)remote_port, (void)local_port;
	if (errand->released || errand->refusal) // once, whatever libcurl thinks
		return CURL_PREREQFUNC_ABORT;
	if (errand->type == COURIER_SEND) {
		errand->refusal = guard_keeper_gone() ? "keeper_gone" : find_obstacle(errand);
		if (!errand->refusal)
			errand->refusal = raise_count(errand);
		// The disk may have taken its time. But a keeper that went since then is no reason
		// any more: not to send would leave an outcome that nobody can know.
		if (!errand->refusal)
			errand->refusal = find_obstacle(errand);
		if (errand->refusal)
			return CURL_PREREQFUNC_ABORT;
	}
	errand->released = true;
	return CURL_PREREQFUNC_OK;
}

// Of an answer that has no end.
static bool has_its_lines(const struct errand *errand)
{
	return errand->request.lines && errand->lines >= errand->request.lines;
}

static size_t on_body(char *data, size_t size, size_t n, void *context)
{
	struct errand *errand = context;
	struct secret *body = &errand->answer.body;
	size_t len = size * n, room = COURIER_ANSWER_MAX - body->len;

	secret_append(body, data, len < room ? len : room);
	for (size_t i = 0; i < len; i++)
		errand->lines += data[i] == '\n';
	return len <= room && !has_its_lines(errand) ? len : 0; // 0 ends the transfer
}

// ---- setting it up

static bool host_is_loopback(const char *host)
{
	struct in_addr address;

	if (strcasecmp(host, "localhost") == 0 || string_equal(host, "[::1]"))
		return true;
	return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

// The scheme to allow: https, or http to this machine; NULL: neither.
static const char *scheme_of(const char *url)
{
	char *scheme = NULL, *host = NULL, *user = NULL;
	const char *allowed = NULL;
	CURLU *parsed = curl_url();

	if (parsed && url && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(parsed, CURLUPART_USER, &user, 0) != CURLUE_OK) {
		if (string_equal(scheme, "https"))
			allowed = "https";
		else if (string_equal(scheme, "http") && host_is_loopback(host))
			allowed = "http";
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(parsed);
	return allowed;
}

static bool has_hash_links(const char *directory)
{
	DIR *dir = opendir(directory);
	bool found = false;

	if (!dir)
		return false;
	for (struct dirent *entry; !found && (entry = readdir(dir));)
		found = string_ends(entry->d_name, ".0");
	closedir(dir);
	return found;
}

// An option that is not set must not be found out by what was sent without it.
#define SET(errand, option, value)                                                                 \
	((errand)->half_set |= curl_easy_setopt((errand)->easy, option, value) != CURLE_OK)

// The hashed directory costs 10 ms where the bundle costs 33 (measured): only the one certificate
// that is needed is read.
static void set_certificates(struct errand *errand)
{
	const struct request *request = &errand->request;

	SET(errand, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(errand, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(errand, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (request->cert_file)
		SET(errand, CURLOPT_SSLCERT, request->cert_file);
	if (request->key_file)
		SET(errand, CURLOPT_SSLKEY, request->key_file);
	if (request->ca_file) {
		SET(errand, CURLOPT_CAINFO, request->ca_file);
		SET(errand, CURLOPT_CAPATH, NULL);
	} else if (has_hash_links(CERTIFICATES)) {
		SET(errand, CURLOPT_CAINFO, NULL);
		SET(errand, CURLOPT_CAPATH, CERTIFICATES);
	}
}

// Once, and only where it is meant to go.
static void set_rules(struct errand *errand, const char *scheme)
{
	const struct request *request = &errand->request;
	const char *proxy = request->proxy && string_equal(scheme, "https") ? request->proxy : "";

	SET(errand, CURLOPT_PROTOCOLS_STR, scheme);
	SET(errand, CURLOPT_FOLLOWLOCATION, 0L);
	SET(errand, CURLOPT_FRESH_CONNECT, 1L);
	SET(errand, CURLOPT_FORBID_REUSE, 1L);
	SET(errand, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(errand, CURLOPT_NOSIGNAL, 1L);
	SET(errand, CURLOPT_QUICK_EXIT, 1L); // never wait for a resolver thread
	SET(errand, CURLOPT_PROXY, proxy);   // the environment has no say
	SET(errand, CURLOPT_NOPROXY, "");
	SET(errand, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(errand, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
	SET(errand, CURLOPT_TIMEOUT_MS, (long)request->deadline_ms);
	SET(errand, CURLOPT_USERAGENT, "oauth-keepalive/" VERSION);
}

static void add_header(struct errand *errand, const char *header)
{
	struct curl_slist *longer = curl_slist_append(errand->headers, header);

	errand->half_set |= !longer;
	if (longer)
		errand->headers = longer;
}

static void set_request(struct errand *errand)
{
	struct request *request = &errand->request;

	for (size_t i = 0; i < request->n_headers; i++)
		add_header(errand, request->headers[i]);
	// "Expect: 100-continue" is a second chance to send, and some servers fail on it.
	add_header(errand, "Expect:");
	SET(errand, CURLOPT_HTTPHEADER, errand->headers);
	SET(errand, CURLOPT_URL, request->url);
	if (request->bearer.text) {
		SET(errand, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		SET(errand, CURLOPT_XOAUTH2_BEARER, request->bearer.text);
	}
	if (!string_equal(request->method, "POST"))
		return;
	SET(errand, CURLOPT_POST, 1L);
	SET(errand, CURLOPT_POSTFIELDS, request->body.text ? request->body.text : "");
	SET(errand, CURLOPT_POSTFIELDSIZE, (long)request->body.len);
}

static void set_callbacks(struct errand *errand)
{
	SET(errand, CURLOPT_PREREQFUNCTION, on_ready);
	SET(errand, CURLOPT_PREREQDATA, errand);
	SET(errand, CURLOPT_WRITEFUNCTION, on_body);
	SET(errand, CURLOPT_WRITEDATA, errand);
	SET(errand, CURLOPT_ERRORBUFFER, errand->error);
	SET(errand, CURLOPT_PRIVATE, errand);
}

static void release_handle(CURLM *multi, struct errand *errand)
{
	curl_multi_remove_handle(multi, errand->easy);
	curl_easy_cleanup(errand->easy);
	curl_slist_free_all(errand->headers);
	errand->easy = NULL;
	errand->headers = NULL;
}

void http_start(CURLM *multi, struct errand *errand)
{
	const struct request *request = &errand->request;
	const char *scheme = scheme_of(request->url);

	if (!scheme) {
		errand_conclude(errand, COURIER_NOT_SENT, "request",
				"neither https nor http to this machine");
		return;
	}
	errand->easy = curl_easy_init();
	if (!errand->easy) {
		errand_conclude(errand, COURIER_NOT_SENT, "request", "out of memory");
		return;
	}
	errand->deadline_ms = clock_boot_ms() + request->deadline_ms;
	set_rules(errand, scheme);
	set_certificates(errand);
	set_request(errand);
	set_callbacks(errand);
	if (errand->half_set || curl_multi_add_handle(multi, errand->easy) != CURLM_OK) {
		errand_conclude(errand, COURIER_NOT_SENT, "request", "out of memory");
		release_handle(multi, errand);
	}
}

// ---- after it

static int64_t read_date_ms(CURL *easy)
{
	struct curl_header *header;

	if (curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return 0;
	time_t at = curl_getdate(header->value, NULL);
	return at > 0 ? (int64_t)at * SECOND_MS : 0;
}

// A moment is one by the server's clock.
static int64_t read_retry_after(CURL *easy)
{
	struct curl_header *header;
	char *end;

	if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return -1;
	errno = 0;
	long long seconds = strtoll(header->value, &end, 10);
	if (end == header->value || *end) {
		time_t at = curl_getdate(header->value, NULL);
		if (at < 0)
			return -1;
		int64_t date_ms = read_date_ms(easy);
		seconds = at - (date_ms ? date_ms : clock_wall_ms()) / SECOND_MS;
	}
	if (seconds < 0)
		return 0;
	return seconds < DAY_S ? seconds : DAY_S;
}

static bool is_challenge(CURL *easy)
{
	struct curl_header *header;

	return curl_easy_header(easy, "cf-mitigated", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
	       strcasecmp(header->value, "challenge") == 0;
}

static const char *code_of(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return "dns";
	case CURLE_COULDNT_CONNECT:
		return "connect";
	case CURLE_OPERATION_TIMEDOUT:
		return "timeout";
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return "tls";
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return "request";
	default:
		return NULL;
	}
}

static const char *text_of_refusal(const char *refusal)
{
	static const struct {
		const char *code, *text;
	} texts[] = {
		{"keeper_gone", "the keeper has gone"},
		{"lock_lost", "a lock file is no longer ours"},
		{"late", "too late for the time the locks may be held"},
		{"receipt", "the receipt cannot be written"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (string_equal(texts[i].code, refusal))
			return texts[i].text;
	}
	return NULL;
}

static void conclude_not_sent(struct errand *errand, CURLcode code)
{
	const char *name = code_of(code);

	if (code == CURLE_ABORTED_BY_CALLBACK && !errand->refusal)
		errand->refusal = "keeper_gone";
	if (errand->refusal) {
		errand_conclude(errand, COURIER_NOT_SENT, errand->refusal,
				text_of_refusal(errand->refusal));
		return;
	}
	if (!name)
		name = errand->request.proxy ? "proxy" : "connect";
	errand_conclude(errand, COURIER_NOT_SENT, name,
			*errand->error ? errand->error : curl_easy_strerror(code));
}

// From here on libcurl's own words may quote the server: only its fixed ones are used.
static void conclude_no_answer(struct errand *errand, CURLcode code)
{
	errand_conclude(errand, COURIER_NO_ANSWER,
			code == CURLE_OPERATION_TIMEDOUT ? "timeout" : "cut",
			code == CURLE_OK ? "no HTTP answer" : curl_easy_strerror(code));
}

void http_end(CURLM *multi, struct errand *errand, CURLcode code)
{
	struct http_answer *answer = &errand->answer;
	long status = 0;

	curl_easy_getinfo(errand->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!errand->released) {
		conclude_not_sent(errand, code);
	} else if (status < 200 || status > 999) {
		conclude_no_answer(errand, code);
	} else {
		answer->status = (int)status;
		answer->retry_after_s = read_retry_after(errand->easy);
		answer->date_ms = read_date_ms(errand->easy);
		answer->challenge = is_challenge(errand->easy);
		answer->cut = code != CURLE_OK && !has_its_lines(errand);
		errand->received_ms = clock_wall_ms();
		errand->state = ERRAND_SAVING;
	}
	release_handle(multi, errand);
	// The token is needed no more.
	secret_free(&errand->request.body);
	secret_free(&errand->request.bearer);
}
