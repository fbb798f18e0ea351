// SPDX-License-Identifier: MIT
//
// measure ROUNDS COMMAND… [, COMMAND…]…: run each in turn, ROUNDS times over, so that whatever else the machine does
// meets all alike; then a line for each: median wall time (µs), least wall time (µs), median CPU time (µs), largest
// memory (KiB). Their output goes nowhere; one that fails ends it. (A shell's `time` cannot tell milliseconds, and an
// interpreter's own memory would be counted as the child's.)
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 16

struct command {
	char **argv;
	long *wall, *cpu; // µs, one a round
	long memory;	  // KiB
};

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static long microseconds(struct timeval t)
{
	return t.tv_sec * 1000000 + t.tv_usec;
}

static void run(struct command *command, long round)
{
	struct rusage usage;
	int status;
	long began = now_us();
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		execvp(command->argv[0], command->argv);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0 || !WIFEXITED(status) ||
	    WEXITSTATUS(status)) {
		fprintf(stderr, "%s failed\n", command->argv[0]);
		exit(1);
	}
	command->wall[round] = now_us() - began;
	command->cpu[round] = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
	if (usage.ru_maxrss > command->memory)
		command->memory = usage.ru_maxrss;
}

static int compare(const void *left, const void *right)
{
	long a = *(const long *)left, b = *(const long *)right;

	return a < b ? -1 : a > b;
}

int main(int argc, char **argv)
{
	struct command commands[COMMANDS_MAX] = {0};
	long rounds = argc > 2 ? atol(argv[1]) : 0;
	int n = 0;

	for (int i = 2; i < argc && n < COMMANDS_MAX; i++) {
		if (i == 2 || !argv[i - 1])
			commands[n++].argv = argv + i;
		if (strcmp(argv[i], ",") == 0)
			argv[i] = NULL;
	}
	if (rounds < 1)
		return 2;
	for (int i = 0; i < n; i++) {
		commands[i].wall = calloc((size_t)rounds, sizeof(long));
		commands[i].cpu = calloc((size_t)rounds, sizeof(long));
	}
	for (long round = 0; round < rounds; round++)
		for (int i = 0; i < n; i++)
			run(&commands[i], round);
	for (int i = 0; i < n; i++) {
		qsort(commands[i].wall, (size_t)rounds, sizeof(long), compare);
		qsort(commands[i].cpu, (size_t)rounds, sizeof(long), compare);
		printf("%ld %ld %ld %ld\n", commands[i].wall[rounds / 2], commands[i].wall[0],
		       commands[i].cpu[rounds / 2], commands[i].memory);
	}
	return 0;
}
