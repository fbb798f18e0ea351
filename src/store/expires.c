// SPDX-License-Identifier: MIT
//
// The expiry that a store holds, and the true one.
#include "base/clock.h"
#include "store/store.h"

int64_t store_expires_written(const struct provider *provider, int64_t true_expires_ms,
			      int64_t now_ms)
{
	int64_t ms = true_expires_ms;

	if (provider) {
		ms -= provider->store_skew_ms;
		if (provider->store_least_ms > 0 && ms < now_ms + provider->store_least_ms)
			ms = now_ms + provider->store_least_ms;
	}
	return ms < STORE_EXPIRES_LEAST_MS ? STORE_EXPIRES_LEAST_MS
					   : ms; // else it reads back as none
}

bool store_expires_agree(const struct provider *provider, int64_t a_ms, int64_t b_ms,
			 int64_t now_ms)
{
	int64_t tolerance = MINUTE_S * SECOND_MS + (provider ? provider->store_skew_ms : 0);
	int64_t a = a_ms > now_ms ? a_ms : now_ms, b = b_ms > now_ms ? b_ms : now_ms;

	return a - b <= tolerance && b - a <= tolerance;
}
