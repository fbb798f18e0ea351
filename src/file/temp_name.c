// SPDX-License-Identifier: MIT
//
// See temp_name.h. What is read here comes from a directory listing, so it may be anything.
#include "file/temp_name.h"

#include <inttypes.h>
#include <limits.h>

#define TEMP_SUFFIX ".oauth-keepalive.tmp"

char *temp_name(const char *target, struct process_id owner)
{
	return xasprintf("%s.%d-%" PRIu64 TEMP_SUFFIX, target, (int)owner.pid, owner.starttime);
}

// Digits and nothing else: strtoull would also take white space and signs.
static bool parse_digits(const char **text, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;
	const char *p = *text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value) || value > max)
			return false;
	if (p == *text)
		return false;
	*text = p;
	*ret = value;
	return true;
}

bool process_read(const char **text, struct process_id *ret)
{
	const char *p = *text;
	uint64_t pid, starttime;

	if (!parse_digits(&p, INT_MAX, &pid) || pid == 0 || *p++ != '-' ||
	    !parse_digits(&p, UINT64_MAX, &starttime))
		return false;
	*text = p;
	*ret = (struct process_id){.pid = (pid_t)pid, .starttime = starttime};
	return true;
}

bool temp_name_read(const char *name, const char *target, struct process_id *ret)
{
	if (!string_starts(name, target) || name[strlen(target)] != '.')
		return false;
	const char *p = name + strlen(target) + 1;
	struct process_id owner;

	if (!process_read(&p, &owner) || !string_equal(p, TEMP_SUFFIX))
		return false;
	*ret = owner;
	return true;
}

char *temp_name_target(const char *name)
{
	size_t n = strlen(name);

	if (!string_ends(name, TEMP_SUFFIX))
		return NULL;
	const char *dot = memrchr(name, '.', n - strlen(TEMP_SUFFIX));
	return dot ? xstrndup(name, (size_t)(dot - name)) : NULL;
}
