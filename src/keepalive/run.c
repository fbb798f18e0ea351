// SPDX-License-Identifier: MIT
//
// See run.h.
#include "keepalive/run.h"

#include "base/clock.h"

int run_look(struct run *run, struct observation *ret)
{
	_cleanup_free_ char **keys = NULL;
	_cleanup_free_ struct fingerprint *tokens = NULL;
	struct holdings holdings = {
		.rescued = run->rescued, .n_rescued = run->n_rescued, .seen = &run->seen};
	int64_t ahead = run->policy.at_ms - run->policy.now_ms;
	const struct grant *g;

	run->looks++;
	run->policy.now_ms = clock_wall_ms();
	run->policy.at_ms = run->policy.now_ms + ahead;
	for_each_grant (g, &run->grants) {
		for (size_t k = 0; g->account_locks && k < g->n_account_locks; k++)
			*array_add(&keys, &holdings.n_keys) = g->keys[k];
		if (g->receipt_fd >= 0 && g->stage != GRANT_EXCHANGING)
			*array_add(&tokens, &holdings.n_tokens) = g->token;
	}
	holdings.keys = keys;
	holdings.tokens = tokens;
	return observe(run->config, &run->policy, run->ledger, &holdings, ret);
}
