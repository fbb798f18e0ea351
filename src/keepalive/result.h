// SPDX-License-Identifier: MIT
//
// What became of each account in one run: begun with what the first look decided, ended with what the last one shows.
// Whoever knows something of an account says it here at once; so a result is right whenever the run ends.
#ifndef KEEPALIVE_RESULT_H
#define KEEPALIVE_RESULT_H

#include "account/account.h"

// A login that is kept in the ledger because it was overwritten, or is live no more: `restore` takes its id.
struct displacement {
	char id[FINGERPRINT_SHOWN + 1];
	char *store; // where it stood; NULL: it was live
	bool chosen; // a person decided
	bool handed; // … that another identity's login takes its place
};

// A store that held a token which had been live no more before this run, and was written over: somebody put it back.
struct put_back {
	char id[FINGERPRINT_SHOWN + 1]; // of the token
	struct fingerprint token;
	char *store;
};

struct result {
	char key[33];
	struct fingerprint before; // the live token before this run; empty: none
	enum ownership ownership; // … and whose it was
	enum decision decision;
	char *reason;
	enum outcome outcome;
	enum outcome first; // … before it was begun anew; OUTCOME_UNCHANGED: it was not
	char error_code[64]; // "" none
	char *error_message;
	int error_status;    // HTTP, 0 none
	int64_t retry_at_ms; // 0 unknown
	char **written;      // paths of the stores written
	size_t n_written;
	bool copies_pending; // some copy is left to write, or the cluster's record
	bool told;           // … which this run wrote, as it is now
	char *write_error;   // … the last reason why one could not be; NULL
	bool forgotten;      // cycle_forget: what the ledger had of it is gone
	bool unfenced;       // one of OpenClaw's fences was replaced by a working login
	struct displacement *displaced;
	size_t n_displaced;
	struct put_back *put_back;
	size_t n_put_back;
	char *rival; // who held its refresh lock meanwhile: "process 4242 (node)"; NULL
};

struct results {
	struct result *list; // of the accounts selected
	size_t n;
	struct index by_key;
};

// What a look decided about the accounts selected.
void results_begin(struct results *results, const struct observation *o, const struct policy *policy,
		   const struct selection *selection);
void results_free(struct results *results);
struct result *results_find(const struct results *results, const char *key); // NULL if not selected
// What a look leaves to do …
bool result_has_work(const struct result *result, const struct account *a);
// … and what the last one has found to write, that was not there as long as the run was at it. Such an account is begun anew,
// once; a token that was refreshed before is what is told of it.
bool result_is_outdated(const struct result *result, const struct account *last);
void results_begin_anew(struct results *results, const struct observation *last);
// The last look is the judge: one in between may have been blind, and have found nothing left to do. NULL: there is none,
// and nobody can say more than what was done.
void results_finish(struct results *results, const struct observation *last);

// These take NULL for an account that is not selected, but for the first.
void result_conclude(struct result *result, enum outcome outcome, const char *code, int status, char *message);
// The account's code, reason, retry time.
void result_explain(struct result *result, const struct account *a);
// A look before anything is sent: the decision as it is now.
void result_decide(struct result *result, const struct account *a);
// A look after that. `sent`: its token that went to the provider in this run, or NULL; `said`: what the courier said of an
// exchange without an answer, or NULL. Later looks find less and less to do; the first word stays.
void result_judge(struct result *result, const struct account *a, const struct fingerprint *sent, const char *said);
// What the account displaces, or in a preview would; the same is noted once.
// (Of what was sent, as under another state directory, there is nothing to bring back.)
void result_note_displaced(struct result *result, const struct account *a,
			   const struct ledger *ledger);
void result_note_written(struct result *result, const struct account *a, const struct store *store);
void result_note_write_error(struct result *result, const struct store *store, int error);
// Somebody else has its refresh lock.
void result_note_rival(struct result *result, pid_t pid);
// Something is left to be written. The code stands where there is none yet.
void result_note_pending(struct result *result, const char *code);

#endif
