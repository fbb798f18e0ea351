// SPDX-License-Identifier: MIT
//
// What the ledger remembers for people, below log/. Nothing that is decided about a token hangs on it: it may be lost
// or removed, and is not fsynced. Never a token; of one no more than its fingerprint.
//
//	events, events.1    what happened, one JSON object a line, newest last; at HISTORY_MAX the older half goes
//	world.<who>         what the last run by the timer … could see and write (report/world.c)
//	run.<who>           the last run by the timer, by hand …: its mtime is when, its text how it ended
//
// Several runs may append at once (O_APPEND, one write a line). A line that is torn (a kill, a full disk) or of a newer
// version is passed over. A run that finds nothing to do touches run.<who>, and writes nothing.
#ifndef LEDGER_HISTORY_H
#define LEDGER_HISTORY_H

#include "ledger/ledger.h"

#define HISTORY_MAX (2u << 20) // bytes of each of the two: some 5000 events

struct event {
	int64_t at_ms;
	char *by, *command, *host;          // the run
	char *what;                         // "refreshed" "adopted" "failed" …
	char *account, *provider, *profile, *identity; // key of the account and who it is; NULL: none's
	char *from, *to;                    // generations
	char *store;                        // where it came from, or what it is about
	char *who;                          // adopted: who held the refresh lock meanwhile; NULL unknown
	char *code, *message;               // why
	int64_t http_status, copies;        // 0: none
};
struct events {
	struct event *list; // oldest first
	size_t n;
	size_t n_newer;     // lines of a newer version, which are passed over
};
int history_append(const struct ledger *ledger, const struct event *event);
int history_read(const struct ledger *ledger, struct events *ret);
// All its texts, by their names in the file.
extern const size_t event_n_texts;
const char *event_text_name(size_t i);
const char *event_text(const struct event *event, size_t i);
void event_free(struct event *event);
void events_free(struct events *events);

// Who started a run.
enum run_by { BY_HAND, BY_TIMER, BY_CRON, BY_PATH, BY_WATCH, RUN_BY_N };
const char *run_by_name(enum run_by by);
// By what systemd says of the unit that triggered it, else by $OAUTH_KEEPALIVE_RUN, which units and cron lines set.
enum run_by run_by_whom(void);

struct last_run {
	int64_t at_ms, succeeded_ms; // 0: never
	int exit_code;
};
int last_run_note(const struct ledger *ledger, enum run_by by, int64_t now_ms, int exit_code);
int last_run_read(const struct ledger *ledger, enum run_by by, struct last_run *ret); // -ENOENT: never

// log/<name>, or -errno; makes the directory if `create`.
int history_path(const struct ledger *ledger, const char *name, bool create, char **ret);

#endif
