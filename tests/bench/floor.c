// SPDX-License-Identifier: MIT
//
// floor LIST: the least that looking at files can cost: open, read and close each file whose name stands in LIST, a line
// each. It checks nothing and keeps nothing. The yardstick of tests/bench/idle, no part of the product.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char text[4 << 20];

static ssize_t read_whole(const char *path, char *to, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	while ((n = read(fd, to + len, room - len)) > 0)
		len += (size_t)n;
	close(fd);
	return n < 0 ? n : (ssize_t)len;
}

int main(int argc, char **argv)
{
	static char list[16 << 20];
	ssize_t n = argc == 2 ? read_whole(argv[1], list, sizeof(list) - 1) : -1;

	if (n < 0)
		return 2;
	for (char *path = strtok(list, "\n"); path; path = strtok(NULL, "\n"))
		if (read_whole(path, text, sizeof(text)) < 0)
			return 1;
	return 0;
}
