// SPDX-License-Identifier: MIT
//
// Receipts: the whole at-most-once rule. `receipts/<sha256 of the refresh token>` exists, durably, before that token
// may be sent; no receipt, no send, whatever name, lock or process comes along.
//
// An open receipt is append-only text, published complete and OFD-locked by link(2):
//
//	receipt 1 {"accounts":["key",…],"keeper":{"pid","starttime"},"courier":{…},"nonce","at"}\n      claimed
//	sending {"at":…}\n                                     once per send, by the courier, before a byte leaves
//	answered {…}\n<body>\n                                 by the courier, before it says a word (courier/answer.h)
//	courier {"pid","starttime"}\n                         by a keeper whose courier takes over the guard of the answer
//
// It stays locked while keeper or courier lives (one open file description, passed on). Settled, it is replaced by
// a mark (ledger/mark.h), which holds no secret and says that this token is superseded or dead. A receipt never
// goes back: it is removed only while its count of sends is 0, or when the answer proves the token unspent.
//
// One with another number than 1 is a newer version's: it may hold an answer that only that one understands, so it counts
// as all that cannot be read (`trouble`), and is left to it.
#ifndef LEDGER_RECEIPT_H
#define LEDGER_RECEIPT_H

#include "lock/lock.h"
#include "provider/provider.h"

struct ledger;

#define RECEIPT_COURIERS 8

enum receipt_state { RECEIPT_CLAIMED, RECEIPT_SENDING, RECEIPT_ANSWERED };

struct receipt {
	struct fingerprint token;
	enum receipt_state state;
	bool held;          // by a keeper or courier that lives (another one than us)
	bool elsewhere;     // observed: claimed for accounts of another state directory alone, whose run will finish it
	char *trouble;      // why it cannot be opened or read; it may hold an answer, and nobody removes it. Or NULL
	bool newer;         // … a newer version of the program wrote it
	unsigned sends;
	char nonce[33];     // of its claim; ""
	int64_t claimed_ms; // 0 unknown
	int64_t sent_ms;    // last send
	char **accounts;    // keys
	size_t n_accounts;
	struct process_id couriers[RECEIPT_COURIERS]; // whose pid the lock files carried at first; who took over, the newest
	size_t n_couriers;
	int64_t received_ms;
	struct http_answer answer; // RECEIPT_ANSWERED
};
void receipt_free(struct receipt *receipt);

struct receipts {
	struct receipt *list;
	size_t n;
};
// All open ones, or a shortage's error. Torn claims that nobody holds count as RECEIPT_CLAIMED with no accounts.
int receipts_read(const struct ledger *ledger, struct receipts *ret);
void receipts_free(struct receipts *receipts);

// Claim: 0 with a locked descriptor; -EEXIST if there is one already, or the token is settled.
int receipt_claim(struct ledger *ledger, struct fingerprint token, char *const *accounts, size_t n_accounts,
		  struct process_id courier, int *ret_fd);
// Open one that exists, to send once more (its count stays) or to hold it. -EBUSY if another holds it, unless
// `even_if_held`.
int receipt_reopen(struct ledger *ledger, struct fingerprint token, bool even_if_held, int *ret_fd);
// Read again through its descriptor, after the courier's report.
int receipt_reread(int fd, struct receipt *ret);
// From now on this courier's pid may stand in the lock files, too. Durable before it does.
int receipt_note_courier(int fd, struct process_id courier);
// Keep an answer the courier could not save.
int receipt_append_answer(int fd, const struct http_answer *answer, int64_t received_ms);
int receipt_remove(struct ledger *ledger, struct fingerprint token);
// The token is superseded or dead: mark it durably, then unlink the open receipt if there is one. Idempotent.
int receipt_settle(struct ledger *ledger, struct fingerprint token);
// Many at once, for little more than the price of one. On error some may be left as they are.
int receipts_settle(struct ledger *ledger, const struct fingerprint *tokens, size_t n);
bool receipt_is_settled(const struct ledger *ledger, struct fingerprint token);
// As far as the ledger knows, the token was never sent, settled or not: what a person may bring back.
bool receipt_never_was(const struct ledger *ledger, struct fingerprint token);
// Drop marks older than 180 days, and what kills left. What the marks said stands in `spent`, for good (spent.c).
void receipts_sweep(struct ledger *ledger, int64_t now_ms);

int spent_note(struct ledger *ledger, struct fingerprint token);
int spent_note_all(struct ledger *ledger, const struct fingerprint *tokens, size_t n);
bool spent_is_noted(const struct ledger *ledger, struct fingerprint token);

#endif
