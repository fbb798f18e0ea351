// SPDX-License-Identifier: MIT
//
// replace LIST THREADS: the least that replacing files can cost: for each file whose name stands in LIST, a line each, a temp
// file of its size beside it; fsync of them all, by so many threads; rename. It locks nothing, reads nothing and compares
// nothing. The yardstick of tests/bench/mirror, no part of the product.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 100000

static char list[16 << 20], text[4 << 20];
static char *paths[FILES_MAX], *temps[FILES_MAX];
static int fds[FILES_MAX];
static size_t n;
static atomic_size_t next;

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	perror(what);
	exit(1);
}

static void *sync_some(void *unused)
{
	for (size_t i; (i = atomic_fetch_add(&next, 1)) < n;)
		check(fsync(fds[i]), "fsync");
	return unused;
}

static void write_temp(size_t i)
{
	struct stat st;

	check(asprintf(&temps[i], "%s.bench.tmp", paths[i]), "asprintf");
	check(stat(paths[i], &st), paths[i]);
	fds[i] = open(temps[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	check(fds[i], temps[i]);
	check((int)write(fds[i], text, (size_t)st.st_size), temps[i]);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	pthread_t threads[64];
	size_t others = argc == 3 ? (size_t)atoi(argv[2]) - 1 : 64;
	int fd = argc == 3 && others < 64 ? open(argv[1], O_RDONLY) : -1;

	if (fd < 0 || read(fd, list, sizeof(list) - 1) < 0)
		return 2;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	memset(text, 'x', sizeof(text));
	for (char *path = strtok(list, "\n"); path && n < FILES_MAX; path = strtok(NULL, "\n"))
		paths[n++] = path;
	for (size_t i = 0; i < n; i++)
		write_temp(i);
	for (size_t i = 0; i < others; i++)
		pthread_create(&threads[i], NULL, sync_some, NULL);
	sync_some(NULL);
	for (size_t i = 0; i < others; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < n; i++)
		check(rename(temps[i], paths[i]), paths[i]);
	return 0;
}
