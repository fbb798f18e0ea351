// SPDX-License-Identifier: MIT
//
// See holder.h. The text: `<where> <pid>-<starttime>`, where pids are told apart by machine and pid namespace.
#include "lock/holder.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/secret.h"
#include "file/temp_name.h"

#define ATTRIBUTE "user.oauth-keepalive.holder"
#define TEXT_MAX  256

static void read_word(const char *path, char *ret, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read_full(fd, ret, size - 1);

	ret[n < 0 ? 0 : n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

// A machine without an id of its own (many containers) has that of its kernel's boot. Hashed, since machine-id(5) is not
// to be shown. Empty: this cannot be told.
static struct fingerprint whereabouts(void)
{
	char id[64], namespace[64] = "";
	struct utsname host;

	read_word("/etc/machine-id", id, sizeof(id));
	if (!*id)
		read_word("/proc/sys/kernel/random/boot_id", id, sizeof(id));
	if (!*id || readlink("/proc/self/ns/pid", namespace, sizeof(namespace) - 1) <= 0 ||
	    uname(&host) < 0)
		return (struct fingerprint){};
	_cleanup_free_ char *text =
		xasprintf("oauth-keepalive:%s:%s:%s", id, host.nodename, namespace);
	return fingerprint_of_bytes(text, strlen(text));
}

void holder_write(const char *lock, struct process_id owner)
{
	struct fingerprint here = whereabouts();
	_cleanup_free_ char *text =
		xasprintf("%s %d-%" PRIu64, here.hex, (int)owner.pid, owner.starttime);

	if (!fingerprint_empty(here) && owner.starttime)
		lsetxattr(lock, ATTRIBUTE, text, strlen(text), 0);
}

bool holder_read(const char *lock, struct process_id *ret)
{
	char text[TEXT_MAX];
	ssize_t n = lgetxattr(lock, ATTRIBUTE, text, sizeof(text) - 1);
	struct fingerprint here = n > 0 ? whereabouts() : (struct fingerprint){};
	const char *owner = text;

	if (fingerprint_empty(here))
		return false;
	text[n] = '\0';
	if (!string_starts(text, here.hex) || text[strlen(here.hex)] != ' ')
		return false;
	owner += strlen(here.hex) + 1;
	return process_read(&owner, ret) && !*owner && ret->starttime;
}
