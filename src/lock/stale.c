// SPDX-License-Identifier: MIT
//
// What a lock file says, and whether that still holds. See stale.h.
#include "lock/stale.h"

#include <inttypes.h>
#include <limits.h>

#include "base/clock.h"
#include "json/json.h"

// `createdAt` is written a moment after the holder started; kernel ticks and the wall clock are not
// exact.
#define REUSE_SLACK_MS 2000

void lock_payload_read(const char *text, size_t len, struct lock_payload *ret)
{
	_cleanup_json_ cJSON *json = len <= LOCK_PAYLOAD_MAX ? json_parse_foreign(text, len) : NULL;
	struct lock_payload payload = {0};
	const char *created = json_text(json, "createdAt");
	int64_t pid = json_integer(json, "pid", 0);
	int64_t starttime = json_integer(json, "starttime", 0);

	if (created && time_parse(created, &payload.created_ms) < 0)
		payload.created_ms = 0;
	if (pid > 0 && pid <= INT_MAX) {
		payload.owner.pid = (pid_t)pid;
		payload.owner.starttime = starttime > 0 ? (uint64_t)starttime : 0;
	}
	*ret = payload;
}

// An unknown start time is left out: from 2026.6.1 on, a wrong one makes the lock stale at once.
char *lock_payload_write(struct process_id owner, int64_t now_ms)
{
	_cleanup_free_ char *created = time_format_ms(now_ms);

	if (owner.starttime == 0)
		return xasprintf("{\n  \"pid\": %d,\n  \"createdAt\": \"%s\"\n}\n", owner.pid,
				 created);
	return xasprintf("{\n  \"pid\": %d,\n  \"createdAt\": \"%s\",\n  \"starttime\": %" PRIu64
			 "\n}\n",
			 owner.pid, created, owner.starttime);
}

// 2026.4 writes no start time: then a process that started after the lock was made is not the one
// that made it.
static bool pid_was_reused(const struct lock_payload *payload)
{
	int64_t started_ms;

	if (payload->owner.starttime != 0 || payload->created_ms == 0)
		return false;
	if (process_started_ms(payload->owner.pid, &started_ms) < 0)
		return false;
	return started_ms > payload->created_ms + REUSE_SLACK_MS;
}

// Where /proc hides the processes of other users (hidepid, ProtectProc=invisible), one of those that got the pid after a
// reboot looks alive, and its start time cannot be asked for. But a file of our own user was not written by it, unless
// that process changed its user; not if the file is older than this boot, too.
static bool outlived_its_boot(const struct lock_payload *payload, bool own_file, int64_t mtime_ms,
			      int64_t now_ms)
{
	return own_file && process_is_hidden(payload->owner.pid) &&
	       mtime_ms < now_ms - clock_boot_ms() - REUSE_SLACK_MS;
}

bool lock_is_stale(const struct lock_payload *payload, bool own_file, int64_t mtime_ms,
		   int64_t now_ms, int64_t stale_ms)
{
	if (payload->owner.pid <= 0)
		return now_ms - mtime_ms > stale_ms;
	return !process_alive(payload->owner) || pid_was_reused(payload) ||
	       outlived_its_boot(payload, own_file, mtime_ms, now_ms);
}
