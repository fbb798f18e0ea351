// SPDX-License-Identifier: MIT
//
// One login as a document, on its way to another host: what `export` prints and `import` reads, over a pipe. It holds
// tokens, and is nobody's to keep: neither program writes it to a file, nor shows it on a terminal.
//
//	{"oauth_keepalive_export": 1, "mode": "follow", "made_ms": …, "host": …, "ledger": …, "term": …,
//	 "provider": …, "profile": …, "identity": {…}, "number": …, "lifetime_s": …, "grant_expires_ms": …,
//	 "previous": {…}, "live": {…}, "superseded": […], "fences": […]}
//
// What is read is hostile: bounded, strict JSON without two equal keys, each member of the type it must have, a live token
// that fits its own fingerprint and is not among those that it replaced. A newer version is refused, never guessed at.
#ifndef LEDGER_HANDOVER_H
#define LEDGER_HANDOVER_H

#include "ledger/ledger.h"

#define HANDOVER_MAX (512u << 10) // three tokens of 64 KiB, and two lists of 256 fingerprints

struct handover {
	bool release;   // the ownership comes with it; else who imports it follows
	int64_t made_ms;
	char ledger[37], host[65]; // whose it was
	int64_t term;   // struct custody
	int64_t number; // of the generation, where it was
	char *provider, *profile;
	struct identity identity; // with what its tokens say
	int64_t lifetime_s, grant_expires_ms;
	struct issue_time previous;
	struct generation live;
	struct fingerprint *superseded, *fences;
	size_t n_superseded, n_fences;
};
void handover_free(struct handover *handover);

// One line, with its end. `record` is the account's as it was saved; `ledger` whose it is.
struct secret handover_write(const struct account_record *record, const struct ledger *ledger, bool release,
			     int64_t now_ms);
// 0; -EPROTONOSUPPORT (newer), -EBADMSG: with a message to be freed.
int handover_read(const struct secret *text, struct handover *ret, char **ret_message);
// It replaced this token, there.
bool handover_superseded(const struct handover *handover, struct fingerprint token);

#endif
