// SPDX-License-Identifier: MIT
//
// A lock file of any bytes. Whatever it says, its owner is a process or nobody; what we write reads
// back.
#include "base/clock.h"
#include "fuzz.h"
#include "lock/stale.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_secret_ struct secret text = {0};
	struct lock_payload payload = {.owner.pid = -1}, again;

	secret_set(&text, (const char *)data, size);
	lock_payload_read(text.text, text.len, &payload);
	fuzz_check(payload.owner.pid >= 0);
	fuzz_check(payload.owner.pid > 0 || payload.owner.starttime == 0);
	fuzz_check(size <= LOCK_PAYLOAD_MAX || payload.owner.pid == 0);
	// Nobody's lock is stale by its age alone, and stale it is.
	if (payload.owner.pid == 0) {
		fuzz_check(lock_is_stale(&payload, true, 0, LOCK_STALE_REFRESH_MS + 1,
					 LOCK_STALE_REFRESH_MS));
		fuzz_check(!lock_is_stale(&payload, true, 0, LOCK_STALE_REFRESH_MS,
					  LOCK_STALE_REFRESH_MS));
		return 0;
	}
	(void)lock_is_stale(&payload, true, 0, clock_wall_ms(), LOCK_STALE_REFRESH_MS);
	_cleanup_free_ char *written = lock_payload_write(payload.owner, 1763600000123);
	lock_payload_read(written, strlen(written), &again);
	fuzz_check(again.owner.pid == payload.owner.pid &&
		   again.owner.starttime == payload.owner.starttime);
	fuzz_check(again.created_ms == 1763600000123);
	return 0;
}
