// SPDX-License-Identifier: MIT
//
// Which process is it, and does it still run? A pid alone is reused; pid and start time are not
// (within a boot). All of it comes from one read of /proc/<pid>/stat, proc(5).
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

struct process_stat {
	char state;	    // field 3
	long threads;	    // field 20
	uint64_t starttime; // field 22, clock ticks since boot
};

// The command name (field 2) may hold spaces, newlines and parentheses: the fields begin after the
// *last* ')'.
static int parse_stat(const char *text, struct process_stat *ret)
{
	struct process_stat st;
	const char *fields = strrchr(text, ')');

	if (!fields)
		return -EBADMSG;
	if (sscanf(fields + 1,
		   " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld %*s "
		   "%" SCNu64,
		   &st.state, &st.threads, &st.starttime) != 3)
		return -EBADMSG;
	*ret = st;
	return 0;
}

static int read_stat(pid_t pid, struct process_stat *ret)
{
	char path[sizeof("/proc//stat") + 3 * sizeof(pid_t)], text[2048];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read_full(fd, text, sizeof(text) - 1);
	if (n < 0) // -ESRCH: it ended between open and read
		return (int)n;
	text[n] = '\0';
	return parse_stat(text, ret);
}

int process_identify(pid_t pid, struct process_id *ret)
{
	struct process_stat st;
	int r;

	if (pid <= 0)
		return -ESRCH;
	r = read_stat(pid, &st);
	if (r < 0)
		return r;
	*ret = (struct process_id){.pid = pid, .starttime = st.starttime};
	return 0;
}

// Asked for each lock and each temp file. A child has another pid.
int process_self(struct process_id *ret)
{
	static struct process_id self;
	int r = 0;

	if (self.pid != getpid())
		r = process_identify(getpid(), &self);
	if (r == 0)
		*ret = self;
	return r;
}

// EPERM is alive: a process of another user. (OpenClaw 2026.4 takes it for dead; we must not.)
static bool kernel_knows(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

static bool is_self(struct process_id id)
{
	struct process_id self;

	return id.pid == getpid() && process_self(&self) == 0 && id.starttime == self.starttime;
}

bool process_alive(struct process_id id)
{
	struct process_stat st;

	if (is_self(id))
		return true;
	if (id.pid <= 0 || !kernel_knows(id.pid))
		return false;
	// Without a readable /proc (not mounted, hidepid) the kernel's answer is all there is; ask
	// again, as the process may have ended meanwhile.
	if (read_stat(id.pid, &st) < 0)
		return kernel_knows(id.pid);
	// A thread group whose leader ended shows as Z while its other threads work on; OpenClaw
	// 2026.9.6 makes the same exception.
	if ((st.state == 'Z' || st.state == 'X') && st.threads <= 1)
		return false;
	return id.starttime == 0 || id.starttime == st.starttime;
}

bool process_is_hidden(pid_t pid)
{
	struct process_stat st;

	return kill(pid, 0) < 0 && errno == EPERM && read_stat(pid, &st) < 0;
}

bool process_is_stopped(pid_t pid)
{
	struct process_stat st;

	return pid > 0 && read_stat(pid, &st) == 0 && (st.state == 'T' || st.state == 't');
}

int process_started_ms(pid_t pid, int64_t *ret_ms)
{
	struct process_id id;
	int64_t ticks = sysconf(_SC_CLK_TCK);
	int r = process_identify(pid, &id);

	if (r < 0)
		return r;
	if (ticks <= 0 || id.starttime > INT64_MAX / SECOND_MS)
		return -ERANGE;
	// Wall minus boot time is the `btime` of /proc/stat, but with milliseconds.
	*ret_ms = clock_wall_ms() - clock_boot_ms() + (int64_t)id.starttime * SECOND_MS / ticks;
	return 0;
}

char *process_name(pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/comm", (int)pid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n = fd < 0 ? -1 : read_full(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return NULL;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return xstrdup(text);
}

char *process_own_unit(void)
{
	_cleanup_close_ int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t n = fd < 0 ? -1 : read_full(fd, text, sizeof(text) - 1);

	if (n < 0)
		return NULL;
	text[n] = '\0';
	text[strcspn(text, "\n")] =
		'\0'; // the unified hierarchy's line, which systemd names first or alone
	const char *name = path_basename(text);
	return string_starts(name, "oauth-keepalive") && string_ends(name, ".service")
		       ? xstrdup(name)
		       : NULL;
}

sigset_t signals_heeded(const int *signals, size_t n)
{
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	return set;
}
