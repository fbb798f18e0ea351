// SPDX-License-Identifier: MIT
//
// stepper: runs oauth-keepalive and the courier it starts under ptrace, numbers the syscalls of
// both that change anything, by one counter, and breaks something at number N:
//
//	stepper [-o TRACE] [-c KINDS] [-p PART] [-n N (-k WHOM | -e ERRNO | -s | -w PATH) [-a]] COMMAND ARG…
//
//	-c KINDS  count only these (comma-separated names of `kinds` below; all but open-read, fd and close)
//	-p PART   count only those whose path holds PART
//	-k WHOM   SIGKILL of keeper, courier or both, before syscall N is executed
//	-e        syscall N is not executed and fails with this errno (a close is executed: the kernel always closes)
//	-s        write N writes half of what it was asked to
//	-w        before syscall N both stand still, until PATH, which is made then, is gone
//	-a        … and so does every later one that counts, until the keeper has ended
//
// Without -n it only counts. TRACE gets one line for each syscall counted:
//
//	number process kind syscall target [receipt|sending|answered] [HIT action]
//
// (those words, with number 0, of every record of a receipt, whether it counts or not)
// and at last "end exit CODE" or "end signal NUMBER", of the keeper. Never a byte of what is
// written but those words, with which the records of a receipt start. What outlives the keeper
// runs on, untraced.
//
// ptrace and not strace: `inject=…:when=N` counts per syscall and per process, so it cannot
// enumerate the moments of two processes. ptrace and not LD_PRELOAD: what is killed and failed is
// what the kernel sees, whoever calls it. The two programs are not dumpable (PR_SET_DUMPABLE),
// which a tracer that was there before does not mind; only to read the paths one has to be root
// then, so an unprivileged run shows and filters none.
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))
#define TASKS_MAX     64
#define NO_ARGUMENT   -1

// ---- the syscalls

enum kind {
	KIND_OPEN, // for writing, or creating
	KIND_WRITE,
	KIND_SYNC,
	KIND_RENAME,
	KIND_LINK,
	KIND_UNLINK,
	KIND_MKDIR,
	KIND_ATTRIBUTE,
	KIND_SIZE,
	KIND_LOCK,
	KIND_CONNECT,
	KIND_SEND,
	KIND_MEMFD,
	KIND_OUTPUT, // standard output and error
	KIND_PROCESS,
	KIND_OPEN_READ,
	KIND_FD,    // what needs a free descriptor besides open
	KIND_CLOSE, // of a file that was open for writing
	KIND_NONE,
};

static const char *const kinds[] = {
	[KIND_OPEN] = "open",	    [KIND_WRITE] = "write",
	[KIND_SYNC] = "sync",	    [KIND_RENAME] = "rename",
	[KIND_LINK] = "link",	    [KIND_UNLINK] = "unlink",
	[KIND_MKDIR] = "mkdir",	    [KIND_ATTRIBUTE] = "attribute",
	[KIND_SIZE] = "size",	    [KIND_LOCK] = "lock",
	[KIND_CONNECT] = "connect", [KIND_SEND] = "send",
	[KIND_MEMFD] = "memfd",	    [KIND_OUTPUT] = "output",
	[KIND_PROCESS] = "process", [KIND_OPEN_READ] = "open-read",
	[KIND_FD] = "fd",	    [KIND_CLOSE] = "close",
};
#define KINDS_DEFAULT ((1u << KIND_OPEN_READ) - 1)

struct call {
	long number;
	const char *name;
	enum kind kind;
	int path; // which argument is the path that is shown; NO_ARGUMENT
	int fd;	  // … or the descriptor
};

#define PATH(name, kind, n)                                                                        \
	{                                                                                          \
		SYS_##name, #name, kind, n, NO_ARGUMENT                                            \
	}
#define FD(name, kind, n)                                                                          \
	{                                                                                          \
		SYS_##name, #name, kind, NO_ARGUMENT, n                                            \
	}
#define BARE(name, kind)                                                                           \
	{                                                                                          \
		SYS_##name, #name, kind, NO_ARGUMENT, NO_ARGUMENT                                  \
	}

static const struct call calls[] = {
	PATH(openat, KIND_OPEN, 1),
	FD(write, KIND_WRITE, 0),
	FD(pwrite64, KIND_WRITE, 0),
	FD(writev, KIND_WRITE, 0),
	FD(pwritev, KIND_WRITE, 0),
	FD(pwritev2, KIND_WRITE, 0),
	FD(fsync, KIND_SYNC, 0),
	FD(fdatasync, KIND_SYNC, 0),
	PATH(renameat, KIND_RENAME, 3),
	PATH(renameat2, KIND_RENAME, 3),
	PATH(linkat, KIND_LINK, 3),
	PATH(symlinkat, KIND_LINK, 2),
	PATH(unlinkat, KIND_UNLINK, 1),
	PATH(mkdirat, KIND_MKDIR, 1),
	FD(fchmod, KIND_ATTRIBUTE, 0),
	PATH(fchmodat, KIND_ATTRIBUTE, 1),
	FD(fchown, KIND_ATTRIBUTE, 0),
	PATH(fchownat, KIND_ATTRIBUTE, 1),
	FD(utimensat, KIND_ATTRIBUTE, 0),
	FD(ftruncate, KIND_SIZE, 0),
	PATH(truncate, KIND_SIZE, 0),
	FD(fallocate, KIND_SIZE, 0),
	FD(flock, KIND_LOCK, 0),
	FD(fcntl, KIND_LOCK, 0),
	FD(connect, KIND_CONNECT, 0),
	FD(sendto, KIND_SEND, 0),
	FD(sendmsg, KIND_SEND, 0),
	FD(sendmmsg, KIND_SEND, 0),
	FD(shutdown, KIND_SEND, 0),
	BARE(memfd_create, KIND_MEMFD),
	BARE(clone, KIND_PROCESS),
	BARE(clone3, KIND_PROCESS),
	PATH(execve, KIND_PROCESS, 0),
	BARE(exit_group, KIND_PROCESS),
	BARE(socket, KIND_FD),
	BARE(socketpair, KIND_FD),
	BARE(pipe2, KIND_FD),
	BARE(epoll_create1, KIND_FD),
	BARE(eventfd2, KIND_FD),
	BARE(signalfd4, KIND_FD),
	FD(dup, KIND_FD, 0),
	FD(dup3, KIND_FD, 0),
	FD(close, KIND_CLOSE, 0),
#ifdef __x86_64__ // the older names
	PATH(open, KIND_OPEN, 0),
	PATH(creat, KIND_OPEN, 0),
	PATH(rename, KIND_RENAME, 1),
	PATH(link, KIND_LINK, 1),
	PATH(symlink, KIND_LINK, 1),
	PATH(unlink, KIND_UNLINK, 0),
	PATH(rmdir, KIND_UNLINK, 0),
	PATH(mkdir, KIND_MKDIR, 0),
	PATH(chmod, KIND_ATTRIBUTE, 0),
	PATH(chown, KIND_ATTRIBUTE, 0),
	BARE(fork, KIND_PROCESS),
	BARE(vfork, KIND_PROCESS),
	BARE(pipe, KIND_FD),
	BARE(epoll_create, KIND_FD),
	FD(dup2, KIND_FD, 0),
#endif
};

static const struct call *find_call(uint64_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if ((uint64_t)calls[i].number == number)
			return &calls[i];
	return NULL;
}

// ---- what is asked for

enum { VICTIM_KEEPER = 1, VICTIM_COURIER = 2 };

static struct {
	unsigned kinds;
	const char *part;
	long at;
	int victims;
	int error;
	bool halve, later_too;
	const char *stop; // a path
	FILE *trace;
} wanted = {.kinds = KINDS_DEFAULT};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "stepper: %s: %s\n", what, strerror(errno));
	exit(125);
}

// ---- the processes

struct task {
	pid_t tid, tgid; // 0: a free place
	int error;	 // to be returned when the syscall in progress ends
	bool doomed;	 // SIGKILL is on its way
};

static struct task tasks[TASKS_MAX];
static pid_t keeper;
static long count;
static bool done; // nothing is counted or broken any more, everybody is let go

static pid_t group_of(pid_t tid)
{
	char path[64], line[256];
	int tgid = tid;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	FILE *status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	if (status)
		fclose(status);
	return tgid;
}

static struct task *find_task(pid_t tid)
{
	for (size_t i = 0; i < TASKS_MAX; i++)
		if (tasks[i].tid == tid)
			return &tasks[i];
	return NULL;
}

static struct task *task_of(pid_t tid)
{
	struct task *task = find_task(tid);

	if (task)
		return task;
	task = find_task(0);
	if (!task)
		die("too many threads");
	*task = (struct task){.tid = tid, .tgid = group_of(tid)};
	return task;
}

static bool is_victim(const struct task *task)
{
	return task->tid &&
	       wanted.victims & (task->tgid == keeper ? VICTIM_KEEPER : VICTIM_COURIER);
}

static bool any_doomed(void)
{
	for (size_t i = 0; i < TASKS_MAX; i++)
		if (tasks[i].tid && tasks[i].doomed)
			return true;
	return false;
}

static bool any_task(void)
{
	for (size_t i = 0; i < TASKS_MAX; i++)
		if (tasks[i].tid)
			return true;
	return false;
}

static bool courier_lives(void)
{
	for (size_t i = 0; i < TASKS_MAX; i++)
		if (tasks[i].tid && tasks[i].tgid != keeper)
			return true;
	return false;
}

// ---- looking at a syscall

static void read_memory(const struct task *task, uint64_t address, char *text, size_t size)
{
	const size_t page = 4096,
		     to_page_end =
			     page - address % page; // never across a page that may not be there
	struct iovec here = {text, size - 1 < to_page_end ? size - 1 : to_page_end};
	struct iovec there = {(void *)(uintptr_t)address, here.iov_len};
	ssize_t n = process_vm_readv(task->tid, &here, 1, &there, 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	if (n == (ssize_t)to_page_end && !memchr(text, '\0', (size_t)n) && (size_t)n < size - 1)
		read_memory(task, address + (uint64_t)n, text + n, size - (size_t)n);
}

static void read_fd_name(const struct task *task, int fd, char name[PATH_MAX])
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", task->tid, fd);
	ssize_t n = readlink(link, name, PATH_MAX - 1);
	name[n < 0 ? 0 : n] = '\0';
}

static bool fd_is_writable(const struct task *task, int fd)
{
	char path[64], line[128];
	unsigned flags = 0;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", task->tid, fd);
	FILE *info = fopen(path, "re");
	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	if (info)
		fclose(info);
	return (flags & O_ACCMODE) != O_RDONLY;
}

static bool is_file(const char *name)
{
	bool device = strncmp(name, "/dev/", 5) == 0 && strncmp(name, "/dev/shm/", 9) != 0;

	return name[0] == '/' && strncmp(name, "/memfd:", 7) != 0 && !device;
}

// What it is in truth, going by its arguments and by what its descriptor is open on.
static enum kind kind_of(const struct task *task, const struct call *call, const uint64_t *args,
			 const char *target)
{
	uint64_t flags = call->number == SYS_openat ? args[2] : args[1];

	if (call->fd != NO_ARGUMENT && call->kind != KIND_CLOSE &&
	    strncmp(target, "/memfd:", 7) == 0)
		return KIND_MEMFD;
	switch (call->kind) {
	case KIND_OPEN:
#ifdef __x86_64__
		if (call->number == SYS_creat)
			return KIND_OPEN;
#endif
		return flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC) ? KIND_OPEN : KIND_OPEN_READ;
	case KIND_WRITE:
		if (args[0] == STDOUT_FILENO || args[0] == STDERR_FILENO)
			return KIND_OUTPUT;
		return target[0] && target[0] != '/' ? KIND_SEND : KIND_WRITE;
	case KIND_LOCK:
		if (call->number == SYS_flock || args[1] == F_OFD_SETLK)
			return KIND_LOCK;
		if (args[1] == F_SETLK) // SQLite's: of those who only read there are too many
			return fd_is_writable(task, (int)args[0]) ? KIND_LOCK : KIND_NONE;
		return args[1] == F_DUPFD_CLOEXEC ? KIND_FD : KIND_NONE;
	case KIND_CLOSE:
		return is_file(target) && fd_is_writable(task, (int)args[0]) ? KIND_CLOSE
									     : KIND_NONE;
	default:
		return call->kind;
	}
}

// The first word of a receipt's record: nothing else of what is written is looked at.
static const char *mark_of(const struct task *task, const struct call *call, const uint64_t *args)
{
	static const char *const words[] = {"receipt", "sending", "answered"};
	struct iovec piece = {0};
	char text[16];
	const char *at = text;
	uint64_t address = args[1];

	if (call->kind != KIND_WRITE)
		return NULL;
	if (call->number != SYS_write && call->number != SYS_pwrite64) {
		struct iovec here = {&piece, sizeof(piece)};
		struct iovec there = {(void *)(uintptr_t)address, sizeof(piece)};
		if (process_vm_readv(task->tid, &here, 1, &there, 1, 0) != sizeof(piece))
			return NULL;
		address = (uint64_t)(uintptr_t)piece.iov_base;
	}
	read_memory(task, address, text, sizeof(text));
	at += *at == '\n';
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strncmp(at, words[i], strlen(words[i])) == 0)
			return words[i];
	return NULL;
}

// ---- breaking it

static void set_call(const struct task *task, long number)
{
#if defined(__x86_64__)
	if (ptrace(PTRACE_POKEUSER, task->tid, offsetof(struct user_regs_struct, orig_rax),
		   number) < 0)
		die("replacing a syscall");
#elif defined(__aarch64__)
	int nr = (int)number;
	struct iovec io = {&nr, sizeof(nr)};
	if (ptrace(PTRACE_SETREGSET, task->tid, NT_ARM_SYSTEM_CALL, &io) < 0)
		die("replacing a syscall");
#else
#error "stepper knows x86_64 and aarch64"
#endif
}

static void set_register(const struct task *task, bool result, uint64_t value)
{
	struct user_regs_struct regs;
	struct iovec io = {&regs, sizeof(regs)};

	if (ptrace(PTRACE_GETREGSET, task->tid, NT_PRSTATUS, &io) < 0)
		die("reading registers");
#if defined(__x86_64__)
	*(result ? &regs.rax : &regs.rdx) = value;
#elif defined(__aarch64__)
	regs.regs[result ? 0 : 2] = value;
#endif
	if (ptrace(PTRACE_SETREGSET, task->tid, NT_PRSTATUS, &io) < 0)
		die("setting registers");
}

// The third argument is the number of bytes, or of pieces.
static const char *halve(const struct task *task, const struct call *call, const uint64_t *args)
{
	if ((call->kind != KIND_WRITE && call->number != SYS_sendto) || args[2] < 2)
		return "HIT whole";
	set_register(task, false, args[2] / 2);
	return "HIT short";
}

static const char *fail(struct task *task, const struct call *call)
{
	task->error = wanted.error;
	if (call->kind != KIND_CLOSE)
		set_call(task,
			 SYS_getpid); // harmless, and the courier's seccomp filter lets it pass
	return "HIT error";
}

static const char *kill_victims(void)
{
	if ((wanted.victims & VICTIM_COURIER) && !courier_lives())
		return "HIT nobody";
	for (size_t i = 0; i < TASKS_MAX; i++) {
		tasks[i].doomed = is_victim(&tasks[i]);
		if (tasks[i].doomed)
			kill(tasks[i].tgid, SIGKILL);
	}
	return "HIT kill";
}

// Whoever is not at this call is at the next one that it makes: nobody lets it go on.
static const char *stand_still(void)
{
	const struct timespec moment = {.tv_nsec = 10 * 1000000};
	int fd = open(wanted.stop, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		die(wanted.stop);
	close(fd);
	while (access(wanted.stop, F_OK) == 0)
		nanosleep(&moment, NULL);
	return "HIT stop";
}

static const char *break_it(struct task *task, const struct call *call, const uint64_t *args)
{
	if (!wanted.victims && !wanted.stop)
		return wanted.halve ? halve(task, call, args) : fail(task, call);
	done = true;
	return wanted.stop ? stand_still() : kill_victims();
}

static bool counts(enum kind kind, const char *target)
{
	return wanted.kinds & 1u << kind && (!wanted.part || strstr(target, wanted.part));
}

static void show(long number, const struct task *task, enum kind kind, const struct call *call,
		 const char *target, const char *mark, const char *action)
{
	if (!wanted.trace)
		return;
	fprintf(wanted.trace, "%ld %s %s %s %s%s%s%s%s\n", number,
		task->tgid == keeper ? "keeper" : "courier", kinds[kind], call->name,
		target[0] ? target : "-", mark ? " " : "", mark ? mark : "", *action ? " " : "",
		action);
}

// In the *at calls a path is looked up in the directory whose descriptor comes just before it.
static void read_path(const struct task *task, const struct call *call, const uint64_t *args,
		      char target[PATH_MAX])
{
	char name[PATH_MAX] = "", directory[PATH_MAX] = "";

	read_memory(task, args[call->path], name, sizeof(name));
	if (call->path > 0 && name[0] && name[0] != '/' && strstr(call->name, "at"))
		read_fd_name(task, (int)args[call->path - 1], directory);
	if (directory[0] == '/')
		snprintf(target, PATH_MAX, "%.*s/%s", PATH_MAX / 2, directory, name);
	else
		snprintf(target, PATH_MAX, "%s", name);
}

static void at_entry(struct task *task, const struct __ptrace_syscall_info *info)
{
	const struct call *call = find_call(info->entry.nr);
	const uint64_t *args = info->entry.args;
	char target[PATH_MAX] = "";
	const char *action = "";

	if (!call || done)
		return;
	if (call->path != NO_ARGUMENT)
		read_path(task, call, args, target);
	else if (call->fd != NO_ARGUMENT)
		read_fd_name(task, (int)args[call->fd], target);
	const char *mark = mark_of(task, call, args);
	enum kind kind = kind_of(task, call, args, target);
	if (counts(kind, target)) {
		count++;
		if (wanted.at && (count == wanted.at || (count > wanted.at && wanted.later_too)))
			action = break_it(task, call, args);
		show(count, task, kind, call, target, mark, action);
	} else if (mark) {
		show(0, task, kind, call, target, mark, "");
	}
}

static void at_syscall(struct task *task)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(info), &info) < 0)
		return; // it was killed in the meantime
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		at_entry(task, &info);
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && task->error) {
		set_register(task, true, (uint64_t)-task->error);
		task->error = 0;
	}
}

// ---- the loop

static int keeper_status = -1; // as waitpid gave it, once the keeper has ended

// Let go when there is nothing left to do; who has a result to be replaced, not before.
static void go_on(struct task *task, int signal)
{
	bool let_go = done && !task->error;

	ptrace(let_go ? PTRACE_DETACH : PTRACE_SYSCALL, task->tid, NULL, (void *)(intptr_t)signal);
	if (let_go)
		task->tid = 0;
}

// One stop or end of anybody.
static void step(void)
{
	int status, signal = 0;
	pid_t tid = waitpid(-1, &status, __WALL);

	if (tid < 0)
		die("waiting");
	struct task *task = find_task(tid);
	if (WIFEXITED(status) || WIFSIGNALED(status)) {
		if (task)
			task->tid = 0;
		if (tid == keeper)
			keeper_status = status;
		return;
	}
	task = task_of(tid);
	if (WSTOPSIG(status) == (SIGTRAP | 0x80))
		at_syscall(task);
	else if (status >> 16 == 0)
		signal = WSTOPSIG(status);
	// Who is stopped before syscall N goes on into it when the killed are dead, or is one of
	// them.
	while (!task->doomed && any_doomed())
		step();
	if (!task->doomed)
		go_on(task, signal);
}

// The keeper has ended: let go of what outlives it.
static void let_go_of_the_rest(void)
{
	done = true;
	for (size_t i = 0; i < TASKS_MAX; i++)
		if (tasks[i].tid)
			ptrace(PTRACE_INTERRUPT, tasks[i].tid, NULL, NULL);
	while (any_task())
		step();
}

static int run(char **command)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
	int gate[2];
	char byte = 0;

	if (pipe2(gate, O_CLOEXEC) < 0)
		die("pipe");
	keeper = fork();
	if (keeper < 0)
		die("fork");
	if (keeper == 0) {
		if (read(gate[0], &byte, 1) == 1)
			execv(command[0], command);
		die(command[0]);
	}
	// Seized, it runs on untraced until its exec stops it.
	if (ptrace(PTRACE_SEIZE, keeper, NULL, options) < 0)
		die("ptrace");
	task_of(keeper);
	if (write(gate[1], &byte, 1) != 1)
		die("pipe");
	while (keeper_status < 0)
		step();
	let_go_of_the_rest();
	return keeper_status;
}

// ---- the command line

static unsigned parse_kinds(char *list)
{
	unsigned result = 0;

	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		size_t i = 0;
		while (i < ARRAY_SIZE(kinds) && strcmp(kinds[i], name) != 0)
			i++;
		if (i == ARRAY_SIZE(kinds)) {
			errno = EINVAL;
			die(name);
		}
		result |= 1u << i;
	}
	return result;
}

static int parse_error(const char *name)
{
	for (int error = 1; error < 134; error++) {
		const char *known = strerrorname_np(error);
		if (known && strcmp(known, name) == 0)
			return error;
	}
	errno = EINVAL;
	die(name);
}

static int parse_victims(const char *name)
{
	if (strcmp(name, "both") == 0)
		return VICTIM_KEEPER | VICTIM_COURIER;
	return strcmp(name, "courier") == 0 ? VICTIM_COURIER : VICTIM_KEEPER;
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+o:c:p:n:k:e:w:sa")) != -1) {
		switch (option) {
		case 'o':
			wanted.trace = fopen(optarg, "we");
			if (!wanted.trace)
				die(optarg);
			break;
		case 'c':
			wanted.kinds = parse_kinds(optarg);
			break;
		case 'p':
			wanted.part = optarg;
			break;
		case 'n':
			wanted.at = strtol(optarg, NULL, 10);
			break;
		case 'k':
			wanted.victims = parse_victims(optarg);
			break;
		case 'e':
			wanted.error = parse_error(optarg);
			break;
		case 'w':
			wanted.stop = optarg;
			break;
		case 's':
			wanted.halve = true;
			break;
		case 'a':
			wanted.later_too = true;
			break;
		default:
			return 125;
		}
	}
	if (optind == argc ||
	    (wanted.at && !wanted.victims && !wanted.error && !wanted.halve && !wanted.stop)) {
		fprintf(stderr, "usage: see the top of stepper.c\n");
		return 125;
	}
	int status = run(argv + optind);
	if (wanted.trace) {
		fprintf(wanted.trace, WIFEXITED(status) ? "end exit %d\n" : "end signal %d\n",
			WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		fclose(wanted.trace);
	}
	return 0;
}
