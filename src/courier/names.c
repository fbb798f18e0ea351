// SPDX-License-Identifier: MIT
//
// nsswitch.conf(5), resolv.conf(5). A module whose daemon is not there, or may not be reached, says
// "unavailable", and the next one is asked.
#include "courier/names.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define RESOLVED_SOCKET "/run/systemd/resolve/io.systemd.Resolve"
#define AVAHI_SOCKET	"/run/avahi-daemon/socket"

// Modules and the socket that each needs. Any other may need anything.
static const struct {
	const char *name, *socket;
	bool local; // it knows names below .local alone
} modules[] = {
	{"files", NULL, false},
	{"dns", NULL, false},
	{"myhostname", NULL, false},
	{"mymachines", NULL, false}, // containers of this machine, and no token endpoints
	{"resolve", RESOLVED_SOCKET, false},
	{"mdns4_minimal", AVAHI_SOCKET, true},
	{"mdns6_minimal", AVAHI_SOCKET, true},
	{"mdns_minimal", AVAHI_SOCKET, true},
	{"mdns4", AVAHI_SOCKET, false},
	{"mdns6", AVAHI_SOCKET, false},
	{"mdns", AVAHI_SOCKET, false},
};

static bool exists(const char *path)
{
	return path && access(path, F_OK) == 0;
}

// The words behind the first word `key`, line by line, what stands in brackets left out.
static void read_words(const char *path, const char *key, char ***ret, size_t *ret_n)
{
	char line[1024], *rest;
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "#\n")] = '\0';
		char *word = strtok_r(line, " \t", &rest);
		if (!string_equal(word, key))
			continue;
		for (bool outside = true; (word = strtok_r(NULL, " \t", &rest));) {
			outside &= *word != '[';
			if (outside)
				*array_add(ret, ret_n) = xstrdup(word);
			outside |= strchr(word, ']') != NULL;
		}
	}
	if (file)
		fclose(file);
}

static bool module_needs_socket(const char *name, bool local_names)
{
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++)
		if (string_equal(modules[i].name, name))
			return exists(modules[i].socket) && (local_names || !modules[i].local);
	return true;
}

static void words_free(char **words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(words[i]);
	free(words);
}

// Then `dns` asks the very daemon that `resolve` asks.
static bool dns_is_resolved(void)
{
	char **servers = NULL;
	size_t n = 0, stubs = 0;

	read_words("/etc/resolv.conf", "nameserver", &servers, &n);
	for (size_t i = 0; i < n; i++)
		stubs += string_equal(servers[i], "127.0.0.53") ||
			 string_equal(servers[i], "127.0.0.54");
	words_free(servers, n);
	return n > 0 && stubs == n;
}

bool names_need_sockets(bool local_names)
{
	char **names = NULL;
	size_t n = 0;
	bool need = exists("/run/nscd/socket") || exists("/var/run/nscd/socket"), dns = false;

	read_words("/etc/nsswitch.conf", "hosts:", &names, &n);
	for (size_t i = n; i-- > 0;) {
		dns |= string_equal(names[i], "dns");
		if (!(string_equal(names[i], "resolve") && dns && dns_is_resolved()))
			need |= module_needs_socket(names[i], local_names);
	}
	words_free(names, n);
	return need;
}
