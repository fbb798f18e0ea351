// SPDX-License-Identifier: MIT
//
// A library for LD_PRELOAD that puts the program under test into situations which are hard to come
// by. What it does is chosen by environment variables:
//
//	PRELOAD_FAIL=N      the N-th allocation fails, whoever asked for it (libcurl, cJSON, SQLite,
//libconfig, glibc) 	PRELOAD_FAIL=N+     … and every one after it 	PRELOAD_COUNT=FILE  how many
//allocations there were, eight bytes, right at any moment: the courier's end lets nothing be written
//	PRELOAD_DUMP=FILE   at the end, all memory the process could write:
//heap (freed or not), stack, data 	PRELOAD_TRY=FILE    on the first connect(2), that is within the
//courier's sandbox, try to read, write and remove 	                    FILE, to run a program, to look into another
//process; append what came of it to PRELOAD_LOG
//
// Nothing here allocates.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static unsigned long fail_at, count_here, *count = &count_here;
static bool fail_on, counting;
static int log_fd = -1;

static int create(const char *variable)
{
	const char *path = getenv(variable);

	return path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
}

static void share_count(void)
{
	int fd = create("PRELOAD_COUNT");

	if (fd < 0)
		return;
	if (ftruncate(fd, sizeof(*count)) == 0)
		count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (count == MAP_FAILED)
		_exit(99);
	close(fd);
}

__attribute__((constructor)) static void start(void)
{
	const char *fail = getenv("PRELOAD_FAIL"), *log = getenv("PRELOAD_LOG");
	char *end;

	if (fail) {
		fail_at = strtoul(fail, &end, 10);
		fail_on = *end == '+';
	}
	if (log)
		log_fd = open(log, O_WRONLY | O_APPEND | O_CLOEXEC);
	share_count();
	counting = true;
}

static bool fails(void)
{
	if (!counting || ++*count < fail_at || fail_at == 0 || (*count > fail_at && !fail_on))
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

void *memalign(size_t alignment, size_t size)
{
	return fails() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	void *p = memalign(alignment, size);

	if (!p)
		return ENOMEM;
	*ret = p;
	return 0;
}

// ---- at the end

// Straight from memory to the file: a buffer of our own would only show up in the dump.
static void dump_memory(int out)
{
	static char maps[1 << 17];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, maps + len, sizeof(maps) - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	for (char *line = maps; *line; line = strchrnul(line, '\n') + 1) {
		unsigned long from, to;
		char mode[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3)
			break;
		const char *end = strchrnul(line, '\n');
		bool stack = end - line > 7 && memcmp(end - 7, "[stack]", 7) == 0;
		if (mode[0] == 'r' && mode[1] == 'w' && !(stack && getenv("PRELOAD_NO_STACK")))
			for (; from < to && (n = write(out, (void *)from, to - from)) > 0;
			     from += (size_t)n)
				;
	}
}

__attribute__((destructor)) static void finish(void)
{
	counting = false;
	int fd = create("PRELOAD_DUMP");
	if (fd >= 0)
		dump_memory(fd);
}

// ---- in the sandbox

static void say(const char *what, long result)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "%s %s\n", what,
			 result < 0 ? strerrorname_np(errno) : "done");

	if (write(log_fd, line, (size_t)n) != n)
		_exit(99);
}

// A name with @ in front is abstract. Of datagrams, one end of a pair is tried: it can be connected elsewhere.
static long try_socket(const char *name, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = name ? strlen(name) : 0;
	int fds[2] = {-1, -1};

	if (len == 0 || len >= sizeof(address.sun_path))
		return 0;
	memcpy(address.sun_path, name, len);
	if (*name == '@')
		*address.sun_path = '\0';
	if (type == SOCK_DGRAM ? socketpair(AF_UNIX, type, 0, fds) < 0
			       : (fds[0] = socket(AF_UNIX, type, 0)) < 0)
		return -1;
	long r = syscall(SYS_connect, fds[0], &address,
			 offsetof(struct sockaddr_un, sun_path) + len + (*name != '@'));
	int error = errno;
	close(fds[0]);
	close(fds[1]);
	errno = error;
	return r;
}

static void try_all(const char *path)
{
	char *const arguments[] = {(char *)"true", NULL};
	char byte = 'x';
	struct rlimit limit;
	struct iovec ours = {&byte, 1}, theirs = {(void *)0x1000, 1};

	say("open", open(path, O_RDONLY | O_CLOEXEC));
	say("write", open(path, O_WRONLY | O_CLOEXEC));
	say("openat2", syscall(SYS_openat2, AT_FDCWD, path, &(uint64_t[3]){O_RDONLY}, 24));
	say("unlink", unlink(path));
	say("rename", rename(path, "/tmp/FAKE-stolen"));
	say("link", link(path, "/tmp/FAKE-stolen"));
	say("chmod", chmod(path, 0666));
	say("truncate", truncate(path, 0));
	say("create", open("/tmp/FAKE-created", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	say("execve", execve("/bin/true", arguments, arguments + 1));
	say("fork", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	say("ptrace", ptrace(PTRACE_ATTACH, getppid(), 0, 0));
	say("readv", process_vm_readv(getppid(), &ours, 1, &theirs, 1, 0));
	say("kill", kill(getppid(), 0));
	say("limits", prlimit(getppid(), RLIMIT_CORE, NULL, &limit));
	say("own_limits", prlimit(0, RLIMIT_CORE, NULL, &limit));
	say("type", ioctl(STDERR_FILENO, TIOCSTI, &byte));
	say("unix", try_socket(getenv("PRELOAD_SOCKET"), SOCK_STREAM));
	say("abstract", try_socket("@FAKE-abstract", SOCK_STREAM));
	say("datagram", try_socket(getenv("PRELOAD_SOCKET"), SOCK_DGRAM));
	say("packet", socket(AF_PACKET, SOCK_RAW, 0));
	say("executable", mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0) == MAP_FAILED
				  ? -1
				  : 0);
	say("certificates", open("/etc/ssl/certs", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	static bool tried;
	const char *path = getenv("PRELOAD_TRY");

	if (path && log_fd >= 0 && !tried && address->sa_family == AF_INET) {
		tried = true;
		try_all(path);
	}
	return (int)syscall(SYS_connect, fd, address, len);
}
