// SPDX-License-Identifier: MIT
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/run.h"

#define GRACE_MS     1000 // between TERM and KILL
#define POLL_MOST_MS 50

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

static int spawn_descriptors(posix_spawn_file_actions_t *actions)
{
	int r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	return -r;
}

static int spawn_shell(const char *command, char *const environment[], pid_t *ret)
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
		r = spawn_descriptors(&actions);
	if (r == 0)
		r = -posix_spawn(ret, "/bin/sh", &actions, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

// True once it has ended. Ever less often: most take a few milliseconds.
static bool wait_for(pid_t pid, int64_t until_ms, int *ret_status)
{
	int64_t pause_ms = 1;

	for (;;) {
		pid_t r = waitpid(pid, ret_status, WNOHANG);
		if (r == pid || (r < 0 && errno != EINTR))
			return true;
		if (clock_boot_ms() >= until_ms)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = pause_ms * 1000000}, NULL);
		pause_ms = pause_ms * 2 < POLL_MOST_MS ? pause_ms * 2 : POLL_MOST_MS;
	}
}

int run_shell(const char *command, char *const environment[], int64_t timeout_ms)
{
	int status = 0, r;
	pid_t pid;

	r = spawn_shell(command, environment, &pid);
	if (r < 0)
		return r;
	if (wait_for(pid, clock_boot_ms() + timeout_ms, &status))
		return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	kill(-pid, SIGTERM);
	wait_for(pid, clock_boot_ms() + GRACE_MS, &status);
	kill(-pid, SIGKILL); // also what it has started
	waitpid(pid, &status, 0);
	return -ETIMEDOUT;
}
