// SPDX-License-Identifier: MIT
//
// What is wrong at present, and who has been told: log/open, which is there only while something is. So an alarm is
// given once, again after a day, and once more when it is over; and history has a line for a failure, not one every
// five minutes. Also what a hook has still to be told of (a refresh).
//
// And log/counts: how often each event happened to each account, for metrics.
//
//	conditions_lock     for the two: of several runs one at a time. Never for long; who waited in vain goes on
//	                    without it, and at worst something is told twice
#ifndef LEDGER_CONDITIONS_H
#define LEDGER_CONDITIONS_H

#include "json/json.h"
#include "ledger/history.h"

struct condition {
	char *account;    // key; NULL: a problem that is no single account's
	char *event;      // "failed" "needs_login"; to be told only: "refreshed" "recovered"
	char *code, *message;
	char *store;      // of a problem
	char *generation; // it is the same one only of the same generation
	int64_t since_ms;
	int64_t told_ms;  // 0: not yet
	int64_t failures; // tries at the provider that failed; one more is a new line in history
	int64_t tries;    // of the hook, in vain
	bool seen;        // not saved: it is still so in this run
};
struct conditions {
	struct condition *list;
	size_t n;
};
// Something is wrong, and it is not only left to be told of.
bool condition_is_trouble(const struct condition *condition);
void condition_free(struct condition *condition);
void conditions_free(struct conditions *conditions);
int conditions_read(const struct ledger *ledger, struct conditions *ret); // none is 0
int conditions_save(const struct ledger *ledger, const struct conditions *conditions);
int conditions_lock(const struct ledger *ledger, int *ret_fd);

// The whole document, new if there is none.
cJSON *counts_read(const struct ledger *ledger);
void counts_add(cJSON *counts, const char *account, const char *what);
int64_t counts_get(const cJSON *counts, const char *account, const char *what);
int counts_save(const struct ledger *ledger, const cJSON *counts);

#endif
