// SPDX-License-Identifier: MIT
//
// The real courier, started by the real client, against a server on 127.0.0.1 that does what
// servers do at their worst. The binary is $COURIER, else the one in the build directory. Because
// the client looks beside its own binary, the test copies itself next to a link to the courier and
// goes on from there.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "courier/answer.h"
#include "courier/client.h"

#define REQUEST_BODY "{\"refresh_token\":\"FAKE-REFRESH-1\"}"
#define RECEIPT_HEAD "receipt 1 {}\n"
#define OK_BODY	     "{\"refresh_token\":\"FAKE-REFRESH-2\"}"

// An event is waited for; how long it takes on a busy machine shows nothing. Where time itself has to pass, enough of it
// that the request is on its way long before.
#define PATIENCE_MS	 120000
#define SHORT_DEADLINE_S 4

// ---- the server

enum script {
	ANSWER_OK,
	REDIRECT,
	RATE_LIMIT,
	RATE_LIMIT_DATE,
	CHALLENGE,
	CLOSE_IN_BODY,
	CLOSE_AT_ONCE,
	STALL_IN_BODY,
	NEVER,
	BIG_BODY,
	WHEN_TOLD, // ANSWER_OK, once shared->go
	EARLY_HINTS,
	GARBAGE,
	KEEP_OPEN,	   // ANSWER_OK, and hang up on a second request
	TUNNEL_THEN_CLOSE, // as a proxy: CONNECT succeeds, then nothing
};

struct shared { // with the server's processes
	_Atomic int connections, requests, bytes, active, most_active;
	_Atomic bool go;
	char request[4096];
};

struct server {
	pid_t pid;
	int port;
	struct shared *shared;
};

static void say(int fd, const char *text)
{
	if (write_full(fd, text, strlen(text)) < 0)
		_exit(0);
}

// Read until the body is there; false if the client closed before.
static bool hear(int fd, struct shared *shared)
{
	char text[4096] = "";
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			return false;
		len += (size_t)n;
		text[len] = '\0';
		shared->bytes += (int)n;
		const char *end = strstr(text, "\r\n\r\n");
		if (end && (string_starts(text, "GET ") || string_starts(text, "CONNECT ") ||
			    strstr(end, REQUEST_BODY)))
			break;
	}
	memcpy(shared->request, text, sizeof(text));
	shared->requests++;
	return true;
}

static void say_ok(int fd)
{
	char text[256];

	snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(OK_BODY), OK_BODY);
	say(fd, text);
}

static void say_big_body(int fd)
{
	static char block[1 << 16];

	memset(block, 'x', sizeof(block));
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n");
	for (int i = 0; i < 1600; i++) {
		if (write_full(fd, block, sizeof(block)) < 0)
			_exit(0);
	}
}

static void say_rate_limit_date(int fd)
{
	char text[256], date[64];
	time_t at = time(NULL) + 120;
	struct tm tm;

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
	snprintf(text, sizeof(text),
		 "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", date);
	say(fd, text);
}

static void wait_for_close(int fd)
{
	char byte;

	while (read(fd, &byte, 1) > 0)
		;
}

static void play(int fd, enum script script, struct shared *shared)
{
	switch (script) {
	case WHEN_TOLD:
		while (!shared->go)
			usleep(1000);
		say_ok(fd);
		break;
	case EARLY_HINTS:
		say(fd, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
		break;
	case ANSWER_OK:
		say_ok(fd);
		break;
	case REDIRECT:
		say(fd, "HTTP/1.1 307 Over there\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n");
		break;
	case RATE_LIMIT:
		say(fd, "HTTP/1.1 429 Slow\r\nRetry-After: 999999\r\nContent-Length: 2\r\n\r\nno");
		break;
	case RATE_LIMIT_DATE:
		say_rate_limit_date(fd);
		break;
	case CHALLENGE:
		say(fd, "HTTP/1.1 403 No\r\nCF-Mitigated: challenge\r\nRetry-After: 7\r\n"
			"Content-Length: 0\r\n\r\n");
		break;
	case CLOSE_IN_BODY:
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"refresh_");
		break;
	case STALL_IN_BODY:
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"refresh_");
		wait_for_close(fd);
		break;
	case NEVER:
		wait_for_close(fd);
		break;
	case BIG_BODY:
		say_big_body(fd);
		break;
	case KEEP_OPEN:
		say_ok(fd);
		hear(fd, shared);
		break;
	case GARBAGE:
		say(fd, "FAKE-REFRESH-1 is not HTTP\r\n\r\n");
		break;
	case TUNNEL_THEN_CLOSE:
		say(fd, "HTTP/1.1 200 Connection established\r\n\r\n");
		break;
	case CLOSE_AT_ONCE:
		break;
	}
}

static void serve_one(int fd, enum script script, struct shared *shared)
{
	alarm(600); // in case the test ends without it
	shared->connections++;
	if (hear(fd, shared)) {
		int active = ++shared->active;
		if (active > shared->most_active)
			shared->most_active = active;
		play(fd, script, shared);
		shared->active--;
		shutdown(fd, SHUT_WR);
		wait_for_close(fd);
	}
	_exit(0);
}

static void serve(int listener, enum script script, struct shared *shared)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd >= 0 && fork() == 0)
			serve_one(fd, script, shared);
		close(fd);
	}
}

static int listen_anywhere(int *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static struct server server_start(enum script script)
{
	struct server server = {0};
	int fd = listen_anywhere(&server.port);

	server.shared = mmap(NULL, sizeof(*server.shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(server.shared != MAP_FAILED);
	assert_int_equal(listen(fd, 8), 0);
	server.pid = fork();
	assert_true(server.pid >= 0);
	if (server.pid == 0)
		serve(fd, script, server.shared);
	close(fd);
	return server;
}

static void server_stop(struct server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	munmap(server->shared, sizeof(*server->shared));
}

// ---- a keeper's belongings

struct stage {
	struct server server;
	struct courier courier;
	struct config config;
	struct http_request http;
	struct lock_set locks;
	struct lock_file lock;
	char directory[64];
	char *receipt_path, *lock_path;
	int receipt;
	int64_t hold_until_ms;
};

static struct lock_file make_lock(const char *path)
{
	struct stat st;
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	return (struct lock_file){.path = (char *)path, .dev = st.st_dev, .ino = st.st_ino};
}

static void make_http(struct stage *s, int port)
{
	s->http.url = xasprintf("http://127.0.0.1:%d/token", port);
	*array_add(&s->http.headers, &s->http.n_headers) =
		xstrdup("Content-Type: application/json");
	secret_set_string(&s->http.body, REQUEST_BODY);
}

static void begin(struct stage *s, enum script script)
{
	*s = (struct stage){.directory = "/tmp/test-courier-XXXXXX"};
	assert_non_null(mkdtemp(s->directory));
	s->server = server_start(script);
	s->receipt_path = path_join(s->directory, "receipt");
	s->lock_path = path_join(s->directory, "lock");
	s->receipt = open(s->receipt_path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	assert_true(s->receipt >= 0);
	assert_int_equal(write_full(s->receipt, RECEIPT_HEAD, strlen(RECEIPT_HEAD)), 0);
	s->lock = make_lock(s->lock_path);
	s->locks = (struct lock_set){.files = &s->lock, .n = 1};
	s->config = (struct config){.connect_timeout_s = 60, .deadline_s = 60};
	s->hold_until_ms = clock_boot_ms() + 5 * PATIENCE_MS;
	make_http(s, s->server.port);
	char *message = NULL;
	if (courier_start(&s->config, &s->courier, &message) < 0)
		fail_msg("%s", message);
	assert_null(message);
	assert_true(process_alive(s->courier.process));
	assert_true(s->courier.process.starttime > 0);
}

static void end(struct stage *s)
{
	pid_t pid = s->courier.process.pid;

	unlink(s->receipt_path); // nothing to guard any more
	unlink(s->lock_path);
	if (s->courier.fd >= 0) {
		courier_stop(&s->courier);
		waitpid(pid, NULL, 0);
	}
	server_stop(&s->server);
	rmdir(s->directory);
	free(s->receipt_path);
	free(s->lock_path);
	free(s->http.url);
	free(s->http.headers[0]);
	free(s->http.headers);
	secret_free(&s->http.body);
	cleanup_close(&s->receipt);
}

static struct courier_request request_of(struct stage *s)
{
	return (struct courier_request){
		.id = 42,
		.http = &s->http,
		.config = &s->config,
		.locks = &s->locks,
		.hold_until_boot_ms = s->hold_until_ms,
		.receipt_fd = s->receipt,
	};
}

static struct courier_message wait_event(struct stage *s, int *ret_fd)
{
	struct pollfd poller = {.fd = s->courier.fd, .events = POLLIN};
	struct courier_message event = {0};

	assert_int_equal(poll(&poller, 1, PATIENCE_MS), 1);
	assert_int_equal(courier_event(&s->courier, &event, ret_fd), 0);
	assert_int_equal(event.type, COURIER_DONE);
	return event;
}

static struct courier_message send_and_wait(struct stage *s)
{
	struct courier_request request = request_of(s);
	int fd = -1;

	assert_int_equal(courier_send(&s->courier, &request), 0);
	struct courier_message event = wait_event(s, &fd);
	assert_int_equal(event.id, 42);
	assert_int_equal(fd, -1);
	assert_null(strstr(event.text, "FAKE")); // never a byte of request or answer
	return event;
}

static struct secret receipt_text(struct stage *s)
{
	struct secret text = {0};

	assert_int_equal(secret_read(s->receipt, 4 << 20, &text), 0);
	return text;
}

static void assert_claimed_only(struct stage *s)
{
	_cleanup_secret_ struct secret text = receipt_text(s);

	assert_string_equal(text.text, RECEIPT_HEAD);
}

static unsigned count_of(const char *text, const char *part)
{
	unsigned n = 0;

	for (const char *p = strstr(text, part); p; p = strstr(p + 1, part))
		n++;
	return n;
}

// What stands after "sending"; -ENOENT for nothing.
static int receipt_answer(struct stage *s, struct http_answer *ret)
{
	_cleanup_secret_ struct secret text = receipt_text(s);
	int64_t received_ms = 0;

	assert_int_equal(count_of(text.text, "\nsending {\"at\":"), 1);
	const char *answered = strstr(text.text, "\nanswered ");
	if (!answered)
		return -ENOENT;
	int r = answer_parse(answered + 1, text.len - (size_t)(answered + 1 - text.text), ret,
			     &received_ms);
	if (r == 0)
		assert_true(llabs(received_ms - clock_wall_ms()) < 20000);
	return r;
}

static void assert_answer(struct stage *s, int status, const char *body)
{
	struct http_answer answer = {0};

	assert_int_equal(receipt_answer(s, &answer), 0);
	assert_int_equal(answer.status, status);
	assert_false(answer.cut);
	assert_string_equal(answer.body.text, body);
	secret_free(&answer.body);
}

static bool until(bool (*condition)(struct stage *), struct stage *s, int ms)
{
	for (; ms > 0; ms -= 5) {
		if (condition(s))
			return true;
		usleep(5000);
	}
	return condition(s);
}

static bool courier_ended(struct stage *s)
{
	siginfo_t info = {0};

	assert_int_equal(
		waitid(P_PID, (id_t)s->courier.process.pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	return info.si_pid != 0;
}

static bool request_arrived(struct stage *s)
{
	return s->server.shared->requests > 0;
}

static bool answer_saved(struct stage *s)
{
	struct http_answer answer = {0};
	bool saved = receipt_answer(s, &answer) == 0;

	secret_free(&answer.body);
	return saved;
}

// ---- what becomes of a request

static void test_answered(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, ANSWER_OK);
	struct courier_message event = send_and_wait(&s);
	assert_int_equal(event.result, COURIER_ANSWERED);
	assert_string_equal(event.code, "");
	assert_answer(&s, 200, OK_BODY);
	assert_int_equal(s.server.shared->requests, 1);
	const char *request = s.server.shared->request;
	assert_true(string_starts(request, "POST /token HTTP/1.1\r\n"));
	assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(request, "\r\nUser-Agent: oauth-keepalive/"));
	assert_null(strstr(request, "Expect:"));
	assert_null(strstr(request, "Accept-Encoding:"));
	end(&s);
}

// Measured: on a connection kept open, libcurl silently sends again what the server hung up on.
static void test_connection_not_reused(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, KEEP_OPEN);
	for (int i = 0; i < 2; i++)
		assert_int_equal(send_and_wait(&s).result, COURIER_ANSWERED);
	assert_int_equal(s.server.shared->connections, 2);
	assert_int_equal(s.server.shared->requests, 2);
	_cleanup_secret_ struct secret text = receipt_text(&s);
	assert_int_equal(count_of(text.text, "\nsending {\"at\":"), 2); // each one counted
	end(&s);
}

// A redirected POST would hand the token to somebody else (measured: libcurl posts the body again
// on a 307).
static void test_redirect_not_followed(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, REDIRECT);
	assert_int_equal(send_and_wait(&s).result, COURIER_ANSWERED);
	assert_answer(&s, 307, "");
	assert_int_equal(s.server.shared->requests, 1);
	end(&s);
}

static void test_answer_headers(void **state)
{
	static const struct {
		enum script script;
		int status;
		int64_t least_s, most_s;
		bool challenge;
	} cases[] = {
		{ANSWER_OK, 200, -1, -1, false},
		{RATE_LIMIT, 429, DAY_S, DAY_S, false},
		{RATE_LIMIT_DATE, 503, 110, 120, false},
		{CHALLENGE, 403, 7, 7, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_answer answer = {0};
		struct stage s;
		begin(&s, cases[i].script);
		assert_int_equal(send_and_wait(&s).result, COURIER_ANSWERED);
		assert_int_equal(receipt_answer(&s, &answer), 0);
		assert_int_equal(answer.status, cases[i].status);
		assert_in_range(answer.retry_after_s + 1, cases[i].least_s + 1,
				cases[i].most_s + 1);
		assert_int_equal(answer.challenge, cases[i].challenge);
		assert_false(answer.cut);
		secret_free(&answer.body);
		end(&s);
	}
}

static void test_cut_body(void **state)
{
	const enum script scripts[] = {CLOSE_IN_BODY, STALL_IN_BODY};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct http_answer answer = {0};
		struct stage s;
		begin(&s, scripts[i]);
		s.config.deadline_s = SHORT_DEADLINE_S;
		struct courier_message event = send_and_wait(&s);
		assert_int_equal(event.result, COURIER_ANSWERED);
		assert_string_equal(event.code, "cut");
		assert_int_equal(receipt_answer(&s, &answer), 0);
		assert_true(answer.cut);
		assert_string_equal(answer.body.text, "{\"refresh_");
		secret_free(&answer.body);
		end(&s);
	}
}

static void test_big_body(void **state)
{
	struct http_answer answer = {0};
	struct stage s;

	(void)state;
	begin(&s, BIG_BODY);
	assert_int_equal(send_and_wait(&s).result, COURIER_ANSWERED);
	assert_int_equal(receipt_answer(&s, &answer), 0);
	assert_true(answer.cut);
	assert_int_equal(answer.body.len, COURIER_ANSWER_MAX);
	secret_free(&answer.body);
	end(&s);
}

// It left, and nothing that is an answer came: that must never look like "not sent".
static void test_no_answer(void **state)
{
	static const struct {
		enum script script;
		const char *code;
	} cases[] = {
		{NEVER, "timeout"},
		{CLOSE_AT_ONCE, "cut"},
		{EARLY_HINTS, "cut"},
		{GARBAGE, "cut"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_answer answer = {0};
		struct stage s;
		begin(&s, cases[i].script);
		s.config.deadline_s = SHORT_DEADLINE_S;
		struct courier_message event = send_and_wait(&s);
		assert_int_equal(event.result, COURIER_NO_ANSWER);
		assert_string_equal(event.code, cases[i].code);
		assert_int_equal(receipt_answer(&s, &answer), -ENOENT);
		assert_int_equal(s.server.shared->requests, 1);
		end(&s);
	}
}

static void test_refused(void **state)
{
	struct stage s;
	int port;

	(void)state;
	begin(&s, ANSWER_OK);
	close(listen_anywhere(&port));
	free(s.http.url);
	s.http.url = xasprintf("http://127.0.0.1:%d/token", port);
	struct courier_message event = send_and_wait(&s);
	assert_int_equal(event.result, COURIER_NOT_SENT);
	assert_string_equal(event.code, "connect");
	assert_true(*event.text);
	assert_claimed_only(&s);
	end(&s);
}

// TLS with a server that speaks none: still not sent.
static void test_tls_fails(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, GARBAGE);
	free(s.http.url);
	s.http.url = xasprintf("https://127.0.0.1:%d/token", s.server.port);
	s.config.connect_timeout_s = 1; // neither side says a word
	struct courier_message event = send_and_wait(&s);
	assert_int_equal(event.result, COURIER_NOT_SENT);
	assert_claimed_only(&s);
	end(&s);
}

static void test_refused_requests(void **state)
{
	static const char *const urls[] = {
		"http://192.0.2.1/token",      "http://127.0.0.1.example.invalid/token",
		"ftp://127.0.0.1/token",       "file:///etc/passwd",
		"https://u:p@127.0.0.1/token", "127.0.0.1/token",
		"http://127.0.0.1\r\n/",       "",
	};
	struct stage s;

	(void)state;
	begin(&s, ANSWER_OK);
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		free(s.http.url);
		s.http.url = xstrdup(urls[i]);
		struct courier_message event = send_and_wait(&s);
		assert_int_equal(event.result, COURIER_NOT_SENT);
		assert_string_equal(event.code, "request");
	}
	assert_claimed_only(&s);
	end(&s);
}

static void test_header_injection(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, ANSWER_OK);
	free(s.http.headers[0]);
	s.http.headers[0] = xstrdup("X: y\r\nZ: w");
	struct courier_message event = send_and_wait(&s);
	assert_int_equal(event.result, COURIER_NOT_SENT);
	assert_string_equal(event.code, "request");
	assert_int_equal(s.server.shared->bytes, 0);
	end(&s);
}

// The answer to CONNECT is the proxy's, not the token endpoint's.
static void test_proxy_answer_is_no_answer(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, TUNNEL_THEN_CLOSE);
	free(s.http.url);
	s.http.url = xstrdup("https://provider.invalid/token");
	s.config.proxy = xasprintf("http://127.0.0.1:%d", s.server.port);
	struct courier_message event = send_and_wait(&s);
	assert_int_equal(event.result, COURIER_NOT_SENT);
	assert_true(string_starts(s.server.shared->request, "CONNECT provider.invalid:443 "));
	assert_claimed_only(&s);
	free(s.config.proxy);
	end(&s);
}

// ---- before the request leaves

enum lock_damage { REPLACED, REMOVED, SYMLINKED };

static void damage_lock(struct stage *s, enum lock_damage damage)
{
	_cleanup_free_ char *other = path_join(s->directory, "other");

	if (damage == REMOVED) {
		assert_int_equal(unlink(s->lock_path), 0);
		return;
	}
	if (damage == REPLACED) { // another file, while ours still has its inode
		make_lock(other);
		assert_int_equal(rename(other, s->lock_path), 0);
		return;
	}
	assert_int_equal(rename(s->lock_path, other), 0);
	assert_int_equal(symlink(other, s->lock_path), 0);
}

static void test_lock_lost(void **state)
{
	(void)state;
	for (enum lock_damage damage = REPLACED; damage <= SYMLINKED; damage++) {
		struct stage s;
		begin(&s, ANSWER_OK);
		damage_lock(&s, damage);
		struct courier_message event = send_and_wait(&s);
		assert_int_equal(event.result, COURIER_NOT_SENT);
		assert_string_equal(event.code, "lock_lost");
		assert_claimed_only(&s);
		assert_int_equal(s.server.shared->bytes, 0);
		_cleanup_free_ char *other = path_join(s.directory, "other");
		unlink(other);
		end(&s);
	}
}

static void test_late(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, ANSWER_OK);
	s.hold_until_ms = clock_boot_ms() + 50000; // the deadline is 60 s away
	struct courier_message event = send_and_wait(&s);
	assert_int_equal(event.result, COURIER_NOT_SENT);
	assert_string_equal(event.code, "late");
	assert_claimed_only(&s);
	assert_int_equal(s.server.shared->bytes, 0);
	end(&s);
}

// Nothing is sent that was not counted.
static void test_receipt_full(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, ANSWER_OK);
	struct courier_request request = request_of(&s);
	request.receipt_fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	int fd;
	assert_int_equal(courier_send(&s.courier, &request), 0);
	struct courier_message event = wait_event(&s, &fd);
	assert_int_equal(event.result, COURIER_NOT_SENT);
	assert_string_equal(event.code, "receipt");
	assert_int_equal(s.server.shared->bytes, 0);
	close(request.receipt_fd);
	end(&s);
}

// A torn answer before it must not swallow the count.
static void test_count_after_torn_answer(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, ANSWER_OK);
	assert_int_equal(write_full(s.receipt, "answered {\"st", 13), 0);
	assert_int_equal(send_and_wait(&s).result, COURIER_ANSWERED);
	_cleanup_secret_ struct secret text = receipt_text(&s);
	assert_non_null(strstr(text.text, "answered {\"st\nsending {\"at\":"));
	end(&s);
}

static void test_keeper_gone_before_sending(void **state)
{
	struct stage s;
	pid_t pid;
	int status;

	(void)state;
	begin(&s, ANSWER_OK);
	struct courier_request request = request_of(&s);
	// Stopped, so that it finds the request and the end of file at once.
	pid = s.courier.process.pid;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(courier_send(&s.courier, &request), 0);
	cleanup_close(&s.courier.fd);
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_true(until(courier_ended, &s, PATIENCE_MS));
	assert_claimed_only(&s);
	assert_int_equal(s.server.shared->requests, 0);
	waitpid(pid, NULL, 0);
	end(&s);
}

// ---- all at once

static bool both_wait(struct stage *s)
{
	return s->server.shared->most_active == 2;
}

static void test_parallel(void **state)
{
	struct stage s;
	int fd;

	(void)state;
	begin(&s, WHEN_TOLD);
	struct courier_request request = request_of(&s);
	assert_int_equal(courier_send(&s.courier, &request), 0);
	_cleanup_close_ int memory = memfd_create("other", MFD_CLOEXEC);
	request.id = 43;
	request.receipt_fd = memory;
	assert_int_equal(courier_send(&s.courier, &request), 0);
	assert_true(until(both_wait, &s, PATIENCE_MS)); // for their answers, at once
	s.server.shared->go = true;
	unsigned ids = wait_event(&s, &fd).id + wait_event(&s, &fd).id;
	assert_int_equal(ids, 42 + 43);
	assert_int_equal(s.server.shared->connections, 2);
	assert_answer(&s, 200, OK_BODY);
	end(&s);
}

static void test_get(void **state)
{
	struct http_answer answer = {0};
	struct secret text = {0};
	struct stage s;
	int64_t received_ms;
	int fd;

	(void)state;
	begin(&s, ANSWER_OK);
	_cleanup_close_ int memory = memfd_create("answer", MFD_CLOEXEC);
	secret_free(&s.http.body);
	struct courier_request request = request_of(&s);
	request.receipt_fd = memory;
	request.locks = NULL;
	assert_int_equal(courier_get(&s.courier, &request), 0);
	assert_int_equal(wait_event(&s, &fd).result, COURIER_ANSWERED);
	assert_true(string_starts(s.server.shared->request, "GET /token HTTP/1.1\r\n"));
	assert_int_equal(secret_read(memory, 1 << 20, &text), 0);
	assert_int_equal(answer_parse(text.text, text.len, &answer, &received_ms), 0);
	assert_string_equal(answer.body.text, OK_BODY);
	assert_claimed_only(&s);
	secret_free(&answer.body);
	secret_free(&text);
	end(&s);
}

// ---- an answer that cannot be saved

static bool sending_written(struct stage *s)
{
	struct stat st;

	return fstat(s->receipt, &st) == 0 && st.st_size > (off_t)strlen(RECEIPT_HEAD);
}

static void test_not_saved(void **state)
{
	struct http_answer answer = {0};
	struct secret text = {0};
	struct stage s;
	int64_t received_ms;
	int fd = -1;

	(void)state;
	begin(&s, WHEN_TOLD);
	// A memfd can be made to refuse growing, as a full disk does.
	cleanup_close(&s.receipt);
	s.receipt = memfd_create("receipt", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write_full(s.receipt, RECEIPT_HEAD, strlen(RECEIPT_HEAD)), 0);
	struct courier_request request = request_of(&s);
	assert_int_equal(courier_send(&s.courier, &request), 0);
	assert_true(until(request_arrived, &s, PATIENCE_MS));
	assert_true(sending_written(&s));
	assert_int_equal(fcntl(s.receipt, F_ADD_SEALS, F_SEAL_GROW), 0);
	s.server.shared->go = true;
	struct courier_message event = wait_event(&s, &fd);
	assert_int_equal(event.result, COURIER_NOT_SAVED);
	assert_true(fd >= 0);
	assert_int_equal(secret_read(fd, 1 << 20, &text), 0);
	assert_int_equal(answer_parse(text.text, text.len, &answer, &received_ms), 0);
	assert_string_equal(answer.body.text, OK_BODY);
	assert_int_equal(receipt_answer(&s, &answer), -ENOENT);
	secret_free(&answer.body);
	secret_free(&text);
	close(fd);
	end(&s);
}

static void limit_files(struct stage *s, rlim_t size)
{
	const struct rlimit limit = {.rlim_cur = size, .rlim_max = RLIM_INFINITY};

	assert_int_equal(prlimit(s->courier.process.pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

// The keeper is dead and the disk full: the courier keeps the answer and keeps trying.
static void test_saved_when_the_disk_has_room_again(void **state)
{
	struct stage s;
	struct stat st;

	(void)state;
	begin(&s, WHEN_TOLD);
	struct courier_request request = request_of(&s);
	assert_int_equal(courier_send(&s.courier, &request), 0);
	assert_true(until(request_arrived, &s, PATIENCE_MS));
	assert_int_equal(fstat(s.receipt, &st), 0);
	limit_files(&s, (rlim_t)st.st_size + 20);
	cleanup_close(&s.courier.fd);
	s.server.shared->go = true;
	assert_false(until(answer_saved, &s, 1500));
	assert_false(courier_ended(&s));
	limit_files(&s, RLIM_INFINITY);
	assert_true(until(answer_saved, &s, PATIENCE_MS));
	assert_answer(&s, 200, OK_BODY);
	unlink(s.receipt_path);
	assert_true(until(courier_ended, &s, PATIENCE_MS));
	waitpid(s.courier.process.pid, NULL, 0);
	end(&s);
}

// ---- after the keeper

static void orphan_with_answer(struct stage *s)
{
	begin(s, WHEN_TOLD);
	struct courier_request request = request_of(s);
	assert_int_equal(courier_send(&s->courier, &request), 0);
	assert_true(until(request_arrived, s, PATIENCE_MS));
	cleanup_close(&s->courier.fd);
	usleep(50000);
	s->server.shared->go = true;
	assert_true(until(answer_saved, s, PATIENCE_MS));
	assert_answer(s, 200, OK_BODY);
	usleep(600000);
	assert_false(courier_ended(s));
}

static void assert_ends(struct stage *s)
{
	int status;

	assert_true(until(courier_ended, s, PATIENCE_MS));
	assert_int_equal(waitpid(s->courier.process.pid, &status, 0), s->courier.process.pid);
	assert_int_equal(status, 0);
}

static void test_guards_until_settled(void **state)
{
	struct stage s;

	(void)state;
	orphan_with_answer(&s);
	assert_int_equal(unlink(s.receipt_path), 0);
	assert_ends(&s);
	assert_int_equal(access(s.lock_path, F_OK), 0); // not its to remove
	end(&s);
}

static void test_guards_until_taken_over(void **state)
{
	struct stage s;

	(void)state;
	orphan_with_answer(&s);
	damage_lock(&s, REPLACED);
	assert_ends(&s);
	assert_int_equal(access(s.receipt_path, F_OK), 0);
	end(&s);
}

// TERM is what systemd sends; it must not end a guard.
static void test_guards_through_signals(void **state)
{
	const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE, SIGXFSZ};
	struct stage s;

	(void)state;
	orphan_with_answer(&s);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		assert_int_equal(kill(s.courier.process.pid, signals[i]), 0);
	usleep(300000);
	assert_false(courier_ended(&s));
	unlink(s.receipt_path);
	assert_ends(&s);
	end(&s);
}

static void test_hold(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, ANSWER_OK);
	s.hold_until_ms = clock_boot_ms() + 1500;
	struct courier_request request = request_of(&s);
	request.http = NULL;
	request.config = NULL;
	assert_int_equal(courier_hold(&s.courier, &request), 0);
	cleanup_close(&s.courier.fd); // at once: the message must still be heard
	assert_ends(&s);
	assert_true(clock_boot_ms() >= s.hold_until_ms);
	assert_claimed_only(&s);
	end(&s);
}

// A second HOLD names the lock files as they became by the take-over.
static void test_hold_again(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, ANSWER_OK);
	struct courier_request request = request_of(&s);
	assert_int_equal(courier_hold(&s.courier, &request), 0);
	_cleanup_free_ char *other = path_join(s.directory, "other");
	struct lock_file newer = make_lock(other);
	assert_int_equal(rename(other, s.lock_path), 0);
	s.lock.ino = newer.ino;
	assert_int_equal(courier_hold(&s.courier, &request), 0);
	cleanup_close(&s.courier.fd);
	usleep(500000);
	assert_false(courier_ended(&s));
	unlink(s.lock_path);
	assert_ends(&s);
	end(&s);
}

// What it stays for it lets go once there is nothing to stay for: a HOLD that another replaces, an
// answer whose receipt has been settled. With room for 24 descriptors it serves 100 of each.
static void test_lets_go(void **state)
{
	const struct rlimit few = {.rlim_cur = 24, .rlim_max = 24};
	struct rlimit before;
	struct stage s;

	(void)state;
	begin(&s, KEEP_OPEN);
	assert_int_equal(prlimit(s.courier.process.pid, RLIMIT_NOFILE, &few, &before), 0);
	struct courier_request hold = request_of(&s);
	hold.http = NULL;
	hold.config = NULL;
	for (int i = 0; i < 100; i++)
		assert_int_equal(courier_hold(&s.courier, &hold), 0);
	assert_int_equal(send_and_wait(&s).result, COURIER_ANSWERED);
	for (int i = 0; i < 100; i++) {
		unlink(s.receipt_path);
		close(s.receipt);
		s.receipt = open(s.receipt_path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
				 0600);
		assert_int_equal(write_full(s.receipt, RECEIPT_HEAD, strlen(RECEIPT_HEAD)), 0);
		struct courier_message event = send_and_wait(&s);
		if (event.result != COURIER_ANSWERED)
			fail_msg("request %d: %s, %s", i, event.code, event.text);
	}
	// What it has not let go of is still guarded.
	cleanup_close(&s.courier.fd);
	usleep(300000);
	assert_false(courier_ended(&s));
	unlink(s.receipt_path);
	assert_ends(&s);
	end(&s);
}

// Nothing left, nothing saved, nothing guarded.
static void test_ends_when_nothing_is_left(void **state)
{
	const enum script scripts[] = {CLOSE_AT_ONCE, NEVER};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct stage s;
		begin(&s, scripts[i]);
		s.config.deadline_s = SHORT_DEADLINE_S;
		assert_int_equal(send_and_wait(&s).result, COURIER_NO_ANSWER);
		cleanup_close(&s.courier.fd);
		assert_ends(&s);
		end(&s);
	}
}

// ---- the process itself

static struct secret file_text(const char *format, pid_t pid)
{
	struct secret text = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, format);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(secret_read(fd, 1 << 16, &text), 0);
	return text;
}

static void test_confined(void **state)
{
	struct stage s;
	int fd;

	(void)state;
	begin(&s, WHEN_TOLD);
	struct courier_request request = request_of(&s);
	assert_int_equal(courier_send(&s.courier, &request), 0);
	assert_true(until(request_arrived, &s, PATIENCE_MS));
	_cleanup_secret_ struct secret status = file_text("status", s.courier.process.pid);
	assert_non_null(strstr(status.text, "\nSeccomp:\t2\n"));
	assert_non_null(strstr(status.text, "\nNoNewPrivs:\t1\n"));
	_cleanup_secret_ struct secret arguments = file_text("cmdline", s.courier.process.pid);
	assert_int_equal(arguments.len, strlen("oauth-keepalive-courier") + 1);
	assert_int_equal(getsid(s.courier.process.pid), s.courier.process.pid);
	s.server.shared->go = true;
	assert_int_equal(wait_event(&s, &fd).result, COURIER_ANSWERED);
	end(&s);
}

static void test_misuse(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		const char *stage = getenv("TEST_COURIER_STAGE");
		_cleanup_free_ char *path = path_join(stage, "oauth-keepalive-courier");
		close(STDERR_FILENO);
		close(COURIER_FD);
		execl(path, path, (char *)NULL);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 2);
}

static void test_gone_is_told(void **state)
{
	struct courier_message event;
	struct stage s;
	int fd;

	(void)state;
	begin(&s, ANSWER_OK);
	struct courier_request request = request_of(&s);
	assert_int_equal(kill(s.courier.process.pid, SIGKILL), 0);
	assert_true(until(courier_ended, &s, PATIENCE_MS));
	assert_int_equal(courier_event(&s.courier, &event, &fd), -EPIPE);
	assert_int_equal(courier_send(&s.courier, &request), -EPIPE);
	end(&s);
}

// What stands in the courier's place instead of it, and what is said of that.
static void test_bad_binary(void **state)
{
	static const struct {
		const char *text; // NULL: nothing at all
		mode_t mode;
		int error;
		const char *says;
	} rows[] = {
		{"#!/bin/sh\nexit 127\n", 0755, -EPIPE,
		 "ended at once with status 127; run it by hand to see why"},
		{"#!/bin/sh\nkill -9 $$\n", 0755, -EPIPE, "ended at once by signal 9"},
		{"#!/bin/sh\necho nonsense >&3\nexec sleep 100\n", 0755, -EBADMSG,
		 "of another version"},
		{"#!/bin/sh\nexec sleep 100 3>&-\n", 0755, -EPIPE, "does not come up"},
		{"#!/nonexistent/shell\n", 0755, -ENOENT, "cannot be started: No such file"},
		{"", 0644, -ENOENT, "is missing; looked for "},
		{NULL, 0, -ENOENT, "is missing; looked for "},
	};
	_cleanup_free_ char *path =
		path_join(getenv("TEST_COURIER_STAGE"), "oauth-keepalive-courier");
	_cleanup_free_ char *aside = xasprintf("%s.aside", path);
	_cleanup_free_ char *installed = NULL, *missing = NULL;

	(void)state;
	assert_int_equal(rename(path, aside), 0);
	if (courier_program(&installed, &missing) == 0) { // of an installation on this machine
		assert_int_equal(rename(aside, path), 0);
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct courier courier = COURIER_NONE;
		_cleanup_free_ char *message = NULL;

		if (rows[i].text) {
			FILE *file = fopen(path, "we");
			fputs(rows[i].text, file);
			fclose(file);
			chmod(path, rows[i].mode);
		}
		int r = courier_start(&(struct config){0}, &courier, &message);
		if (r != rows[i].error || !message || !strstr(message, rows[i].says))
			print_error("%s: %d, %s\n", rows[i].says, r, message);
		assert_int_equal(r, rows[i].error);
		assert_non_null(strstr(message, rows[i].says));
		assert_int_equal(courier.fd, -1);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // none is left
		unlink(path);
	}
	assert_int_equal(rename(aside, path), 0);
}

// Whether it will be asked for names below .local it must know before it shuts itself in.
static void test_local_names(void **state)
{
	struct provider providers[] = {{.token_url = "https://login.corp.example/local"},
				       {.discovery_url = "https://login.example/.local"}};
	struct config config = {.providers = providers, .n_providers = ARRAY_SIZE(providers)};
	static const struct {
		const char *discovery, *proxy;
		bool local;
	} rows[] = {
		{"https://login.example/.local", NULL, false},
		{"https://Login.Corp.LOCAL:8443/t", NULL, true},
		{"https://login.example/", "http://proxy.local:3128", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct courier courier = COURIER_NONE;
		char *message = NULL, text[256] = "";

		providers[1].discovery_url = rows[i].discovery;
		config.proxy = (char *)rows[i].proxy;
		assert_int_equal(courier_start(&config, &courier, &message), 0);
		_cleanup_free_ char *path = xasprintf("/proc/%d/cmdline", courier.process.pid);
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read_full(fd, text, sizeof(text) - 1);
		assert_true(n > 0);
		assert_int_equal(memmem(text, (size_t)n, COURIER_LOCAL_NAMES,
					strlen(COURIER_LOCAL_NAMES)) != NULL,
				 rows[i].local);
		courier_stop(&courier);
	}
}

// ---- getting beside the courier

static char *find_courier(const char *self)
{
	_cleanup_free_ char *directory = path_dirname(self);
	_cleanup_free_ char *above = path_dirname(directory);
	const char *named = getenv("COURIER");

	if (named)
		return realpath(named, NULL);
	return path_join(above, "oauth-keepalive-courier");
}

static int copy_file(const char *from, const char *to)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	static char block[1 << 16];
	ssize_t n;

	if (in < 0 || out < 0)
		return -errno;
	while ((n = read_full(in, block, sizeof(block))) > 0) {
		int r = write_full(out, block, (size_t)n);
		if (r < 0)
			return r;
	}
	return (int)n;
}

static int go_beside_courier(char **argv)
{
	char self[PATH_MAX] = "", stage[] = "/tmp/test-courier-stage-XXXXXX";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 || !mkdtemp(stage))
		return EXIT_FAILURE;
	_cleanup_free_ char *courier = find_courier(self);
	_cleanup_free_ char *link_path = path_join(stage, "oauth-keepalive-courier");
	_cleanup_free_ char *copy = path_join(stage, "test_courier");
	if (!courier || access(courier, X_OK) < 0) {
		fprintf(stderr, "no courier: build it, or set COURIER to its path\n");
		rmdir(stage);
		return EXIT_FAILURE;
	}
	if (symlink(courier, link_path) < 0 || copy_file(self, copy) < 0 ||
	    setenv("TEST_COURIER_STAGE", stage, 1) < 0)
		return EXIT_FAILURE;
	execv(copy, argv);
	return EXIT_FAILURE;
}

static int leave_stage(void **state)
{
	const char *stage = getenv("TEST_COURIER_STAGE");
	_cleanup_free_ char *link_path = path_join(stage, "oauth-keepalive-courier");
	_cleanup_free_ char *copy = path_join(stage, "test_courier");

	(void)state;
	unlink(link_path);
	unlink(copy);
	return rmdir(stage);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answered),
		cmocka_unit_test(test_connection_not_reused),
		cmocka_unit_test(test_redirect_not_followed),
		cmocka_unit_test(test_answer_headers),
		cmocka_unit_test(test_cut_body),
		cmocka_unit_test(test_big_body),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_tls_fails),
		cmocka_unit_test(test_refused_requests),
		cmocka_unit_test(test_header_injection),
		cmocka_unit_test(test_proxy_answer_is_no_answer),
		cmocka_unit_test(test_lock_lost),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_receipt_full),
		cmocka_unit_test(test_count_after_torn_answer),
		cmocka_unit_test(test_keeper_gone_before_sending),
		cmocka_unit_test(test_parallel),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_not_saved),
		cmocka_unit_test(test_saved_when_the_disk_has_room_again),
		cmocka_unit_test(test_guards_until_settled),
		cmocka_unit_test(test_guards_until_taken_over),
		cmocka_unit_test(test_guards_through_signals),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_hold_again),
		cmocka_unit_test(test_lets_go),
		cmocka_unit_test(test_ends_when_nothing_is_left),
		cmocka_unit_test(test_confined),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_gone_is_told),
		cmocka_unit_test(test_bad_binary),
		cmocka_unit_test(test_local_names),
	};

	(void)argc;
	if (!getenv("TEST_COURIER_STAGE"))
		return go_beside_courier(argv);
	return cmocka_run_group_tests(tests, NULL, leave_stage);
}
