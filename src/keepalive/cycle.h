// SPDX-License-Identifier: MIT
//
// One cycle: the transaction over every account that has something to do. This header is its manual.
//
//	look      observe + decide, without a lock (account/account.h)
//	claim     the accounts' own locks; look again; the courier is started, if a token shall be sent, because the lock
//	          files carry its pid; OpenClaw's refresh locks of every name, all or none; look again; what was decided
//	          is made durable in the ledger; prove that main can be written; the receipt
//	exchange  the courier connects, marks the receipt and sends, once
//	commit    look again: the answer in the receipt is recovered by the very code that recovers it after a crash;
//	          ledger, then main, then every other copy, each by compare-and-swap under its own store lock
//	settle    look again (the read-back): nothing left to do -> receipt settled, locks released
//
// At the end all accounts are looked at once more. What is left to be written by then, and was not when its account was let go,
// is begun anew, once: a person has logged in meanwhile, or another run has taken it up, and is waited for.
//
// So there is one path, not a normal one and a recovery: killed anywhere, the next run's first look finds what the
// killed one's next look would have found. What was durable before the kill is in the receipt, the ledger or the
// stores; everything else never happened.
//
// Each account (or grant: accounts that share a refresh token) goes its own way through these stages, in one poll loop.
// All are due at once after a night off, and no refresh lock may grow old because others are due as well, too. So
//	- a window bounds how many grants are between claim and settling, the most urgent first. Who waits for a busy lock
//	  is not in it; who waits for a slow provider is, until the deadline;
//	- what the grants of a window do they do together, with one look for all: claimed in one round, written in one;
//	- what was answered is written before anything else is claimed;
//	- nothing waits for a lock while it holds one. A lock that somebody holds is tried again, ever less often, without a
//	  look as long as its file stands; a store that is locked is put last, and all of them together get the run's patience;
//	- a signal is looked for before each token that is sent: after it nothing new is begun.
// A look itself costs what there is to see, once: whatever is looked up is looked up by hash (base/index.h).
//
// The stores of one round are written in the order main, then all others, and a few are held at a time: see mirror.h.
//
// Where it stands, from the top; what stands below calls nobody above:
//	cycle                    the loop, the window, what is said at the end
//	claim, commit            a round each: one look for all grants that are at that stage
//	exchange, locks          what a claim needs: the courier's part, the locks of a grant
//	persist, mirror          what a commit does: the ledger, the stores
//	hosts                    … and with several hosts, what is told and asked there
//	run, grant, result       the state: of the run, of one refresh token, of one account
#ifndef KEEPALIVE_CYCLE_H
#define KEEPALIVE_CYCLE_H

#include "keepalive/result.h"
#include "keepalive/signals.h"

struct cycle {
	struct observation now; // the last look
	int64_t looked_ms;      // … when it began, by the wall clock; 0: nothing was looked at
	struct results results;
	const char *unmatched; // -ESRCH: the pattern that no account matches; nothing was done
	struct cluster cluster; // as it was read, and written; `config` NULL: there is none
	struct signals signals; // held since the first claim; once it is reported what was done: signals_let_go
};

// Look only. 0, what observe says, or -ESRCH: a pattern matches no account.
int cycle_preview(const struct config *config, const struct policy *policy, const struct ledger *ledger,
		  const struct selection *selection, struct cycle *ret);
// The whole. `wait_s`: how long to wait for a lock. Returns what observe says; everything else is in the results.
int cycle_run(const struct config *config, const struct policy *policy, struct ledger *ledger,
	      const struct selection *selection, int64_t wait_s, struct cycle *ret);
// Was a store of main's, where a person logs in, written since the last look?
bool cycle_outdated(const struct cycle *cycle);
void cycle_free(struct cycle *cycle);

#endif
