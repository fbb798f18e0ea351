// SPDX-License-Identifier: MIT
//
// The courier is spawned, not forked: nothing of the keeper's memory goes with it. It keeps none of
// the keeper's descriptors either, standard ones included: it may outlive the keeper, and must not
// keep a shell waiting for the end of a pipe.
#include "courier/client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "json/json.h"

#define PROGRAM "oauth-keepalive-courier"
#define PLACES	3
// A member that hangs is given up for the next; one without a quorum says so after 7 s (measured).
#define CLUSTER_CONNECT_MS  2000
#define CLUSTER_DEADLINE_MS 8000
#define START_LIMIT_MS	    10000 // its own limit for its sandbox is half of that

// ---- start and stop

// Where our own program is, links resolved; NULL without /proc.
static char *own_directory(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	return path_dirname(self);
}

// `relative` begins with as many "../" as it goes up.
static char *place_from(const char *directory, const char *relative)
{
	_cleanup_free_ char *top = xstrdup(directory);

	for (; string_starts(relative, "../"); relative += 3) {
		char *up = path_dirname(top);
		free(top);
		top = up;
	}
	_cleanup_free_ char *place = path_join(top, relative);
	return path_join(place, PROGRAM);
}

// The nth place to look at: beside us, as in the build tree; where it is from an installed program, which may have been
// moved as a whole; where this one was to be installed (its directory may be a link, or /proc not there). NULL: unknown.
static char *place(const char *here, int n)
{
	if (n == 2)
		return xstrdup(LIBEXECDIR "/" PROGRAM);
	if (!here)
		return NULL;
	return n == 0 ? path_join(here, PROGRAM) : place_from(here, LIBEXEC_FROM_BIN);
}

int courier_program(char **ret_path, char **ret_message)
{
	_cleanup_free_ char *here = own_directory();
	_cleanup_free_ char *message = xstrdup(PROGRAM " is missing; looked for");

	for (int n = 0; n < PLACES; n++) {
		_cleanup_free_ char *path = place(here, n), *so_far = TAKE_PTR(message);
		if (path && access(path, X_OK) == 0) {
			*ret_path = TAKE_PTR(path);
			return 0;
		}
		bool said = !path || strstr(so_far, path);
		message =
			said ? TAKE_PTR(so_far) : xasprintf("%s%s %s", so_far, n ? "," : "", path);
	}
	*ret_message = TAKE_PTR(message);
	return -ENOENT;
}

// Held back from its first instruction on; it keeps them so.
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGHUP);
	sigaddset(&held, SIGQUIT);
	sigaddset(&held, SIGTSTP);
	int r = posix_spawnattr_setsigmask(attributes, &held);
	if (r == 0)
		r = posix_spawnattr_setflags(attributes,
					     POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	return -r;
}

static int set_descriptors(posix_spawn_file_actions_t *actions, int pair_end)
{
	int r = posix_spawn_file_actions_adddup2(actions, pair_end, COURIER_FD);

	for (int fd = STDIN_FILENO; r == 0 && fd <= STDERR_FILENO; fd++)
		r = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, COURIER_FD + 1);
	return -r;
}

static bool is_local(const char *url)
{
	_cleanup_free_ char *host = url ? url_host(url) : NULL;

	return string_ends(host, ".local");
}

// Does anything that may be asked for have a name that is found by multicast (RFC 6762)?
static bool has_local_names(const struct config *config)
{
	for (size_t i = 0; i < config->n_providers; i++) {
		const struct provider *provider = &config->providers[i];
		if (is_local(provider->token_url) || is_local(provider->discovery_url) ||
		    is_local(provider->probe_url))
			return true;
	}
	for (size_t i = 0; i < config->cluster.n_endpoints; i++) {
		_cleanup_free_ char *host = url_host(config->cluster.endpoints[i]);
		if (string_ends(host, ".local"))
			return true;
	}
	return config->proxy && strstr(config->proxy, ".local");
}

static int spawn(const char *path, bool local_names, int pair_end, pid_t *ret)
{
	// The request passes through buffers of libcurl and OpenSSL, which free them as they are,
	// and an orphan lives on for a while: glibc overwrites what is freed if it is told to from
	// the start (and keeps no cache in front of that).
	char name[] = PROGRAM;
	char wipe[] = "GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0";
	char local[] = COURIER_LOCAL_NAMES;
	char *const arguments[] = {name, local_names ? local : NULL, NULL};
	char *const environment[] = {wipe, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;

	posix_spawn_file_actions_init(&actions); // glibc: these two cannot fail
	posix_spawnattr_init(&attributes);
	int r = set_descriptors(&actions, pair_end);
	if (r == 0)
		r = set_attributes(&attributes);
	if (r == 0)
		r = -posix_spawn(ret, path, &actions, &attributes, arguments, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

// -ENOENT if that is not our child (any more).
static int wait_for_end(pid_t pid, int within_ms, int *ret_status)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	for (int i = 0; i < within_ms; i++) {
		pid_t ended = waitpid(pid, ret_status, WNOHANG);
		if (ended != 0)
			return ended < 0 ? -ENOENT : 0;
		nanosleep(&moment, NULL);
	}
	return -ETIMEDOUT;
}

static bool has_ended(const struct courier *courier, int within_ms)
{
	int status;

	return wait_for_end(courier->process.pid, within_ms, &status) != -ETIMEDOUT;
}

// The first thing it says: that it is ready, since when it runs, and of which version it is.
static int hear_ready(struct courier *courier)
{
	struct pollfd pair = {.fd = courier->fd, .events = POLLIN};
	const int64_t until = clock_boot_ms() + START_LIMIT_MS;
	struct courier_message message = {0};
	int fds[2] = {-1, -1}, r = -EAGAIN;

	while (r == -EAGAIN) {
		int64_t left = until - clock_boot_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&pair, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
		r = courier_message_receive(courier->fd, &message, fds);
	}
	cleanup_close(&fds[0]);
	cleanup_close(&fds[1]);
	if (r < 0)
		return r;
	char *version = NULL;
	courier->process.starttime = strtoull(message.text, &version, 10);
	return message.type == COURIER_READY && string_equal(version, " " VERSION) ? 0 : -EBADMSG;
}

// It was asked for nothing yet, so it may be ended by force. What it had to say went to /dev/null.
static char *bury(struct courier *courier, const char *path, int error)
{
	_cleanup_free_ char *word = shell_quoted(path);
	int status;

	cleanup_close(&courier->fd);
	int r = error == -EPIPE ? wait_for_end(courier->process.pid, 500, &status) : error;
	if (r == 0 && WIFEXITED(status))
		return xasprintf("%s ended at once with status %d; run it by hand to see why", word,
				 WEXITSTATUS(status));
	if (r == 0 && WIFSIGNALED(status))
		return xasprintf("%s ended at once by signal %d; run it by hand to see why", word,
				 WTERMSIG(status));
	if (r != -ENOENT && kill(courier->process.pid, SIGKILL) == 0)
		waitpid(courier->process.pid, NULL, 0);
	if (error == -EBADMSG)
		return xasprintf("%s is of another version than this program (" VERSION
				 "); install both from one build",
				 word);
	return xasprintf("%s does not come up: %s", word, strerror(-error));
}

int courier_start(const struct config *config, struct courier *ret, char **ret_message)
{
	_cleanup_free_ char *path = NULL;
	struct courier courier = COURIER_NONE;
	int pair[2], r;

	r = courier_program(&path, ret_message);
	if (r < 0)
		return r;
	signal(SIGCHLD, SIG_DFL); // if it is ignored, nobody learns how a child ended
	r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
	if (r == 0) {
		courier.fd = pair[0];
		r = spawn(path, has_local_names(config), pair[1], &courier.process.pid);
		close(pair[1]);
	}
	if (r < 0) {
		cleanup_close(&courier.fd);
		*ret_message = xasprintf(PROGRAM " cannot be started: %s", strerror(-r));
		return r;
	}
	r = hear_ready(&courier);
	if (r < 0) {
		*ret_message = bury(&courier, path, r);
		return r;
	}
	*ret = courier;
	return 0;
}

void courier_dismiss(struct courier *courier)
{
	cleanup_close(&courier->fd);
}

void courier_stop(struct courier *courier)
{
	if (courier->process.pid == 0)
		return;
	courier_dismiss(courier);
	// An idle one ends within a millisecond or two. One that guards something is left alone:
	// init reaps it.
	has_ended(courier, 5);
	*courier = COURIER_NONE;
}

bool courier_lost(struct courier *courier)
{
	cleanup_close(&courier->fd);
	// A process that is being killed closes its descriptors a moment before it ends.
	bool ended = has_ended(courier, 500);
	*courier = COURIER_NONE;
	return ended;
}

// ---- requests

static void put_http(cJSON *json, const struct http_request *http)
{
	cJSON *headers = cJSON_AddArrayToObject(json, "headers");

	for (size_t i = 0; i < http->n_headers; i++)
		cJSON_AddItemToArray(headers, cJSON_CreateString(http->headers[i]));
	json_put_text(json, "url", http->url);
	json_put_text(json, "method", http->body.text ? "POST" : "GET");
	json_put_secret(json, "body", &http->body);
	json_put_secret(json, "bearer", &http->bearer);
}

static void put_cluster(cJSON *json, const struct cluster_settings *cluster,
			const struct courier_request *request)
{
	json_put_integer(json, "connect_timeout_ms", CLUSTER_CONNECT_MS);
	json_put_integer(json, "deadline_ms",
			 request->lines ? request->wait_ms : CLUSTER_DEADLINE_MS);
	json_put_integer(json, "lines", request->lines);
	json_put_text(json, "ca_file", cluster->ca_file);
	json_put_text(json, "cert_file", cluster->cert_file);
	json_put_text(json, "key_file", cluster->key_file);
}

static void put_config(cJSON *json, const struct config *config)
{
	json_put_integer(json, "connect_timeout_ms", config->connect_timeout_s * SECOND_MS);
	json_put_integer(json, "deadline_ms", config->deadline_s * SECOND_MS);
	json_put_text(json, "ca_file", config->ca_file);
	json_put_text(json, "proxy", config->proxy);
}

// As text: not every inode is a JSON number.
static void put_number_text(cJSON *json, const char *name, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	json_put_text(json, name, digits);
}

static void put_locks(cJSON *json, const struct lock_set *locks)
{
	cJSON *list = cJSON_AddArrayToObject(json, "locks");

	for (size_t i = 0; i < locks->n; i++) {
		const struct format_lock *foreign = locks->files[i].foreign;
		if (foreign && foreign->kind == FORMAT_LOCK_FLOCK) // stays there when nobody has it
			continue;
		cJSON *lock = cJSON_CreateObject();
		json_put_text(lock, "path", locks->files[i].path);
		put_number_text(lock, "dev", locks->files[i].dev);
		put_number_text(lock, "ino", locks->files[i].ino);
		cJSON_AddItemToArray(list, lock);
	}
}

static int write_sealed(const struct secret *text, int *ret_fd)
{
	_cleanup_close_ int fd = memfd_create("request", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (text->len > COURIER_REQUEST_MAX)
		return -EFBIG;
	int r = write_full(fd, text->text, text->len);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int write_request(const struct courier_request *request, int *ret_fd)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();

	if (request->http)
		put_http(json, request->http);
	if (request->to_cluster)
		put_cluster(json, &request->config->cluster, request);
	else if (request->config)
		put_config(json, request->config);
	if (request->locks)
		put_locks(json, request->locks);
	json_put_integer(json, "hold_until_boot_ms", request->hold_until_boot_ms);
	_cleanup_secret_ struct secret text = json_print(json, false);
	return write_sealed(&text, ret_fd);
}

static int send_request(struct courier *courier, enum courier_type type,
			const struct courier_request *request)
{
	struct courier_message message = {
		.protocol = COURIER_PROTOCOL,
		.type = type,
		.id = request->id,
	};
	_cleanup_close_ int fd = -1;

	if (courier->fd < 0)
		return -EPIPE;
	int r = write_request(request, &fd);
	if (r < 0)
		return r;
	const int fds[] = {fd, request->receipt_fd};
	return courier_message_send(courier->fd, &message, fds, ARRAY_SIZE(fds));
}

int courier_send(struct courier *courier, const struct courier_request *request)
{
	return send_request(courier, COURIER_SEND, request);
}

int courier_get(struct courier *courier, const struct courier_request *request)
{
	return send_request(courier, COURIER_GET, request);
}

int courier_hold(struct courier *courier, const struct courier_request *request)
{
	return send_request(courier, COURIER_HOLD, request);
}

int courier_event(struct courier *courier, struct courier_message *ret, int *ret_fd)
{
	struct courier_message message;
	int fds[2] = {-1, -1};

	if (courier->fd < 0)
		return -EPIPE;
	int r = courier_message_receive(courier->fd, &message, fds);
	if (r < 0 && r != -EMFILE) // an answer that did not come through stays with the courier
		return r;
	_cleanup_close_ int first = fds[0];
	_cleanup_close_ int second = fds[1];
	if (message.type != COURIER_DONE || second >= 0)
		return -EBADMSG;
	*ret = message;
	*ret_fd = TAKE_FD(first);
	return 0;
}
