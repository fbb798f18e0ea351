// SPDX-License-Identifier: MIT
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/run.h"

#define GRACE_MS     1000 // between TERM and KILL
#define POLL_MOST_MS 50
#define OUTPUT_MOST  65536 // bytes: whoever keeps the output is not to be flooded

static int spawn_attributes(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	int r;

	sigfillset(&all);
	sigemptyset(&none);
	r = posix_spawnattr_setsigdefault(attributes, &all);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attributes, &none);
	if (r == 0)
		r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID |
								 POSIX_SPAWN_SETSIGDEF |
								 POSIX_SPAWN_SETSIGMASK);
	return -r;
}

static int spawn_descriptors(posix_spawn_file_actions_t *actions, int output)
{
	int r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	return -r;
}

static int spawn_shell(const char *command, char *const environment[], int output, pid_t *ret)
{
	char shell[] = "sh", option[] = "-c";
	char *const argv[] = {shell, option, (char *)command, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	r = spawn_attributes(&attributes);
	if (r == 0)
		r = spawn_descriptors(&actions, output);
	if (r == 0)
		r = -posix_spawn(ret, "/bin/sh", &actions, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

// ---- what it says

struct said {
	int fd;	     // -1: all has been said
	size_t left; // that is passed on
};

static void pass_on(struct said *said, const char *text, size_t n)
{
	static const char rest[] = "\n(the rest of its output is left out)\n";
	size_t most = n < said->left ? n : said->left;

	if (!said->left)
		return;
	write_full(STDERR_FILENO, text, most);
	said->left -= most;
	if (!said->left)
		write_full(STDERR_FILENO, rest, sizeof(rest) - 1);
}

// For so long at most. False: nothing came.
static bool listen_to(struct said *said, int timeout_ms)
{
	struct pollfd polled = {.fd = said->fd, .events = POLLIN};
	char text[65536];
	ssize_t n;

	if (poll(&polled, 1, timeout_ms) <= 0 || said->fd < 0)
		return false;
	n = read(said->fd, text, sizeof(text));
	if (n > 0)
		pass_on(said, text, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		cleanup_close(&said->fd);
	return n > 0;
}

// What it had said when it ended; what goes on without it is not waited for.
static void listen_to_the_end(struct said *said)
{
	while (said->left && listen_to(said, 0))
		;
	cleanup_close(&said->fd);
}

// ---- its end

// True once it has ended. Ever less often: most take a few milliseconds.
static bool wait_for(pid_t pid, int64_t until_ms, struct said *said, int *ret_status)
{
	int64_t pause_ms = 1;

	for (;;) {
		pid_t r = waitpid(pid, ret_status, WNOHANG);
		if (r == pid || (r < 0 && errno != EINTR))
			return true;
		if (clock_boot_ms() >= until_ms)
			return false;
		listen_to(said, (int)pause_ms);
		pause_ms = pause_ms * 2 < POLL_MOST_MS ? pause_ms * 2 : POLL_MOST_MS;
	}
}

static int wait_or_end(pid_t pid, int64_t timeout_ms, struct said *said)
{
	int status = 0;

	if (wait_for(pid, clock_boot_ms() + timeout_ms, said, &status))
		return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	kill(-pid, SIGTERM);
	wait_for(pid, clock_boot_ms() + GRACE_MS, said, &status);
	kill(-pid, SIGKILL); // also what it has started
	waitpid(pid, &status, 0);
	return -ETIMEDOUT;
}

int run_shell(const char *command, char *const environment[], int64_t timeout_ms)
{
	struct said said = {.left = OUTPUT_MOST};
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	said.fd = fds[0];
	r = spawn_shell(command, environment, fds[1], &pid);
	close(fds[1]);
	if (r == 0)
		r = wait_or_end(pid, timeout_ms, &said);
	listen_to_the_end(&said);
	return r;
}
