// SPDX-License-Identifier: MIT
//
// oauth-keepalive-courier: the only program here that touches the network, and it touches no store.
// The keeper starts it and talks to it over descriptor 3 (courier/message.h); all requests run at
// once, in one loop.
//
// It outlives the keeper on purpose. A request that has left is seen to its end and its answer
// written into the receipt; then the process stays, doing nothing, because its pid stands in the
// lock files and so keeps the runtime from spending a token that may be gone, until the next run
// takes over.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "courier/guard.h"
#include "courier/http.h"
#include "courier/sandbox.h"
#include "courier/save.h"
#include "json/json.h"

#define TICK_MS		200   // while something is under way or guarded
#define IDLE_MS		60000 // a message wakes us anyway
#define SANDBOX_LIMIT_S 5
#define OVERRUN_MS	500 // libcurl's own deadline comes first, unless the machine slept

struct service {
	CURLM *multi;
	struct errand **errands;
	size_t n_errands;
	bool keeper_gone;
	bool confined;
};

// ---- requests

static struct errand *errand_add(struct service *service, const struct courier_message *message,
				 struct request *request, int fd)
{
	struct errand *errand = xcalloc(1, sizeof(*errand));

	*array_add(&service->errands, &service->n_errands) = errand;
	errand->id = message->id;
	errand->type = message->type;
	errand->request = *request;
	errand->fd = fd;
	errand->event_fd = -1;
	return errand;
}

static void errand_free(struct errand *errand)
{
	cleanup_close(&errand->fd);
	cleanup_close(&errand->event_fd);
	secret_free(&errand->answer.body);
	request_free(&errand->request);
	free(errand);
}

// Said, and nothing is left to stay for.
static bool is_over(const struct errand *errand)
{
	return errand->state == ERRAND_DONE && !errand->unsaid && !errand->unsaved &&
	       !(errand->kept && guard_receipt_open(errand->fd));
}

static void forget_what_is_over(struct service *service)
{
	size_t n = 0;

	for (size_t i = 0; i < service->n_errands; i++) {
		if (is_over(service->errands[i]))
			errand_free(service->errands[i]);
		else
			service->errands[n++] = service->errands[i];
	}
	service->n_errands = n;
}

// A HOLD said again names the lock files as they are now.
static void replace_hold(struct service *service, uint32_t id)
{
	for (size_t i = 0; i < service->n_errands; i++) {
		struct errand *errand = service->errands[i];
		if (errand->type == COURIER_HOLD && errand->id == id)
			errand->kept = false;
	}
	forget_what_is_over(service);
}

static void start_errand(struct service *service, struct errand *errand)
{
	if (errand->type == COURIER_HOLD) {
		replace_hold(service, errand->id);
		errand->kept = true;
		errand->state = ERRAND_DONE;
		return;
	}
	const struct request *request = &errand->request;
	const char *const files[] = {request->ca_file, request->cert_file, request->key_file};
	if (!service->confined)
		sandbox_files(files, ARRAY_SIZE(files));
	service->confined = true;
	http_start(service->multi, errand);
}

static void take_request(struct service *service, const struct courier_message *message,
			 int request_fd, int fd)
{
	struct request request = {0};

	if (request_fd >= 0 && fd >= 0 && request_read(request_fd, &request) == 0) {
		start_errand(service, errand_add(service, message, &request, fd));
		return;
	}
	errand_conclude(errand_add(service, message, &request, fd), COURIER_NOT_SENT, "request",
			"the request cannot be read");
}

static void take_requests(struct service *service)
{
	struct courier_message message;

	while (!service->keeper_gone) {
		int fds[2] = {-1, -1};
		int r = courier_message_receive(COURIER_FD, &message, fds);
		if (r == -EAGAIN)
			return;
		// Without its descriptors it is refused; the others are none the worse for it.
		if ((r == 0 || r == -EMFILE) && message.type < COURIER_DONE) {
			take_request(service, &message, fds[0], fds[1]);
			cleanup_close(&fds[0]);
			continue;
		}
		// Gone, or of another version: it will see the end of file and know that nothing
		// was sent.
		shutdown(COURIER_FD, SHUT_RDWR);
		service->keeper_gone = true;
	}
}

// ---- transfers

static void end_finished(struct service *service)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(service->multi, &left))) {
		struct errand *errand;
		CURLcode code = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&errand);
		http_end(service->multi, errand, code);
	}
}

// libcurl's clock stops while the machine sleeps; the locks' does not.
static void end_overdue(struct service *service)
{
	int64_t now = clock_boot_ms();

	for (size_t i = 0; i < service->n_errands; i++) {
		struct errand *errand = service->errands[i];
		if (errand->state != ERRAND_RUNNING)
			continue;
		// What has no end is not waited for when nobody wants it any more.
		if (service->keeper_gone && (!errand->released || errand->request.lines))
			http_end(service->multi, errand, CURLE_ABORTED_BY_CALLBACK);
		else if (now > errand->deadline_ms + OVERRUN_MS)
			http_end(service->multi, errand, CURLE_OPERATION_TIMEDOUT);
	}
}

static void save_answers(struct service *service)
{
	for (size_t i = 0; i < service->n_errands; i++) {
		struct errand *errand = service->errands[i];
		if (service->keeper_gone)
			save_resume(errand);
		if (errand->state == ERRAND_SAVING)
			save_attempt(errand, service->keeper_gone);
	}
}

// ---- results

static void say_result(struct errand *errand)
{
	int r = courier_message_send(COURIER_FD, &errand->event, &errand->event_fd,
				     errand->event_fd >= 0 ? 1 : 0);

	if (r == -EAGAIN)
		return;
	// A keeper that has gone is noticed where its requests are read.
	errand->unsaid = false;
	cleanup_close(&errand->event_fd);
}

static void say_results(struct service *service)
{
	for (size_t i = 0; i < service->n_errands; i++) {
		if (service->errands[i]->unsaid)
			say_result(service->errands[i]);
	}
}

static bool is_guarded(const struct errand *errand)
{
	// A HOLD that names no lock files yet is said before they are taken over, so that they never
	// name a courier that has nothing to stay for.
	return errand->kept && clock_boot_ms() < errand->request.hold_until_ms &&
	       guard_receipt_open(errand->fd) &&
	       (errand->request.n_locks == 0 || guard_any_lock_ours(&errand->request));
}

// Something is under way, or (when the keeper has gone) guarded.
static bool is_busy(const struct service *service)
{
	for (size_t i = 0; i < service->n_errands; i++) {
		const struct errand *errand = service->errands[i];
		if (errand->state != ERRAND_DONE)
			return true;
		if (service->keeper_gone ? is_guarded(errand) : errand->unsaid)
			return true;
	}
	return false;
}

static void serve(struct service *service)
{
	struct curl_waitfd keeper = {.fd = COURIER_FD, .events = CURL_WAIT_POLLIN};
	int running;

	for (;;) {
		take_requests(service);
		curl_multi_perform(service->multi, &running);
		end_finished(service);
		end_overdue(service);
		save_answers(service);
		say_results(service);
		forget_what_is_over(service);
		bool busy = is_busy(service);
		if (service->keeper_gone && !busy)
			return;
		curl_multi_poll(service->multi, &keeper, service->keeper_gone ? 0 : 1,
				busy ? TICK_MS : IDLE_MS, NULL);
	}
}

// ---- the process

// Its end must come from what it does, never from outside half-way (architecture: held back in both
// programs).
static void hold_signals(void)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGHUP);
	sigaddset(&held, SIGQUIT);
	sigaddset(&held, SIGTSTP);
	sigprocmask(SIG_BLOCK, &held, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static bool started_by_keeper(void)
{
	int domain = 0, type = 0;
	socklen_t size = sizeof(domain);

	return getsockopt(COURIER_FD, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	       getsockopt(COURIER_FD, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
	       domain == AF_UNIX && type == SOCK_SEQPACKET &&
	       fcntl(COURIER_FD, F_SETFD, FD_CLOEXEC) == 0;
}

// Of what happens before this the keeper hears by our end.
static void say_ready(void)
{
	struct process_id self = {0};
	struct courier_message message = {.protocol = COURIER_PROTOCOL, .type = COURIER_READY};

	process_self(&self);
	snprintf(message.text, sizeof(message.text), "%" PRIu64 " " VERSION, self.starttime);
	courier_message_send(COURIER_FD, &message, NULL, 0);
}

int main(int argc, char **argv)
{
	struct service service = {0};

	secret_harden_process();
	json_wipe_memory();
	hold_signals();
	if (!started_by_keeper()) {
		fputs("usage: oauth-keepalive-courier is started by oauth-keepalive(1), not by "
		      "hand\n",
		      stderr);
		return 2;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(service.multi = curl_multi_init()))
		return EXIT_FAILURE;
	// With no memory left libseccomp may fail, or try for ever. Nothing was asked of us yet.
	alarm(SANDBOX_LIMIT_S);
	if (sandbox_calls(argc > 1 && string_equal(argv[1], COURIER_LOCAL_NAMES)) < 0)
		return EXIT_FAILURE;
	alarm(0);
	say_ready();
	serve(&service);
	// Without libcurl's and OpenSSL's clean-up, which would wait for a resolver that does not
	// answer. The kernel wipes what we leave.
	_exit(EXIT_SUCCESS);
}
