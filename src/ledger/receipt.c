// SPDX-License-Identifier: MIT
//
// Receipts (see receipt.h). Two directions, two attitudes.
//
// Writing: a receipt appears complete, locked and durable by link(2), with room for an answer set
// aside, or it does not appear; what goes wrong shows up before anything is spent.
//
// Reading: whatever the file holds, it must never look *less* sent than it was. `sending` lines are
// durable before a byte leaves, so a torn one was probably never followed by a send; still, what
// cannot be read counts as one. The only stretch that does not is a torn answer, because an answer
// stands behind a `sending` that was counted already.
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "json/json.h"
#include "courier/answer.h"
#include "courier/message.h"
#include "ledger/mark.h"
#include "file/ofd_lock.h"
#include "file/private_file.h"

#define CLAIM		 "receipt 1 "
#define ANY_CLAIM	 "receipt "
#define SENDING		 "sending "
#define COURIER		 "courier "
#define ANSWERED	 "answered "
#define RECEIPT_MAX	 (4u << 20) // two answers of the largest size, and a torn one
#define RECEIPT_ROOM	 (COURIER_ANSWER_MAX / 16)
#define ACCOUNTS_MAX	 1024
#define KEY_LENGTH	 32
#define SENDS_UNREADABLE 2 // as many as there may ever be: such a token is not sent again

static void forget_answer(struct receipt *receipt)
{
	secret_free(&receipt->answer.body);
	receipt->answer = (struct http_answer){0};
	receipt->received_ms = 0;
}

void receipt_free(struct receipt *receipt)
{
	forget_answer(receipt);
	for (size_t i = 0; i < receipt->n_accounts; i++)
		free(receipt->accounts[i]);
	free(receipt->accounts);
	free(receipt->trouble);
	*receipt = (struct receipt){0};
}

void receipts_free(struct receipts *receipts)
{
	for (size_t i = 0; i < receipts->n; i++)
		receipt_free(&receipts->list[i]);
	free(receipts->list);
	*receipts = (struct receipts){0};
}

static char *receipts_path(const struct ledger *ledger)
{
	return path_join(ledger->directory, "receipts");
}

static char *receipt_path(const struct ledger *ledger, struct fingerprint token)
{
	return xasprintf("%s/receipts/%s", ledger->directory, token.hex);
}

// ---- reading

static size_t line_length(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline ? (size_t)(newline - at) + 1 : (size_t)(end - at);
}

// Does the line start with `keyword`, or, being the unfinished last one, could it have become one
// that does?
static bool line_starts(const char *line, size_t n, const char *keyword)
{
	size_t length = strlen(keyword);

	if (n >= length)
		return memcmp(line, keyword, length) == 0;
	return line[n - 1] != '\n' && memcmp(line, keyword, n) == 0;
}

static void read_process(const cJSON *claim, const char *name, struct process_id *ret)
{
	const cJSON *json = json_get(claim, name);
	int64_t pid = json_integer(json, "pid", 0), starttime = json_integer(json, "starttime", 0);

	if (pid > 0 && pid <= INT32_MAX && starttime >= 0)
		*ret = (struct process_id){.pid = (pid_t)pid, .starttime = (uint64_t)starttime};
}

// A keeper that tries often names its courier often: that must not push out those who still stand in the lock files.
static void note_courier(struct receipt *receipt, struct process_id courier)
{
	for (size_t i = 0; i < receipt->n_couriers; i++)
		if (receipt->couriers[i].pid == courier.pid &&
		    receipt->couriers[i].starttime == courier.starttime)
			return;
	if (receipt->n_couriers == RECEIPT_COURIERS)
		memmove(&receipt->couriers[1], &receipt->couriers[2],
			--receipt->n_couriers * sizeof(courier) - sizeof(courier));
	receipt->couriers[receipt->n_couriers++] = courier;
}

static void read_accounts(const cJSON *claim, struct receipt *receipt)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, json_get(claim, "accounts")) {
		const char *key = cJSON_IsString(item) ? item->valuestring : NULL;
		if (key && is_hex(key, KEY_LENGTH) && receipt->n_accounts < ACCOUNTS_MAX)
			*array_add(&receipt->accounts, &receipt->n_accounts) = xstrdup(key);
	}
}

// The first line. Returns how much of the text it takes: nothing if it is no claim of ours, so that
// it is judged as what cannot be read.
static size_t read_claim(struct receipt *receipt, const char *text, size_t len)
{
	if (!text || len == 0)
		return 0;
	size_t n = line_length(text, text + len);
	if (!line_starts(text, n, CLAIM))
		return 0;
	if (text[n - 1] == '\n') {
		_cleanup_json_ cJSON *claim =
			json_parse(text + strlen(CLAIM), n - strlen(CLAIM) - 1);
		if (cJSON_IsObject(claim)) {
			read_accounts(claim, receipt);
			receipt->claimed_ms = json_integer(claim, "at", 0);
			snprintf(receipt->nonce, sizeof(receipt->nonce), "%s",
				 json_text(claim, "nonce") ? json_text(claim, "nonce") : "");
			struct process_id courier = {0};
			read_process(claim, "courier", &courier);
			note_courier(receipt, courier);
			return n;
		}
	}
	// Torn. If its end of line was lost rather than never written, the line goes on with what
	// came after.
	if (memmem(text, n, SENDING, strlen(SENDING)) ||
	    memmem(text, n, ANSWERED, strlen(ANSWERED)))
		return 0;
	return n;
}

// A line that says who guards: its length, also of a torn one at the end. It changes nothing else: it must never stand
// for a send, nor hide an answer before it.
static size_t read_courier(struct receipt *receipt, const char *at, size_t n)
{
	struct process_id courier = {0};
	size_t common = n < strlen(COURIER) ? n : strlen(COURIER);

	if (memcmp(at, COURIER, common) != 0 || (n < strlen(COURIER) && at[n - 1] == '\n'))
		return 0;
	if (n <= strlen(COURIER) || at[n - 1] != '\n')
		return n;
	_cleanup_json_ cJSON *json = json_parse(at + strlen(COURIER), n - strlen(COURIER) - 1);
	_cleanup_json_ cJSON *holder = cJSON_CreateObject();
	if (cJSON_IsObject(json)) {
		cJSON_AddItemToObject(holder, "courier", TAKE_PTR(json));
		read_process(holder, "courier", &courier);
	}
	if (courier.pid > 0)
		note_courier(receipt, courier);
	return n;
}

static void note_send(struct receipt *receipt)
{
	receipt->sends++;
	receipt->state = RECEIPT_SENDING;
	forget_answer(receipt);
}

// A complete `sending` line: its length, else 0.
static size_t read_sending(struct receipt *receipt, const char *at, size_t n)
{
	if (at[n - 1] != '\n' || !line_starts(at, n, SENDING))
		return 0;
	_cleanup_json_ cJSON *json = json_parse(at + strlen(SENDING), n - strlen(SENDING) - 1);
	note_send(receipt);
	receipt->sent_ms = json_integer(json, "at", receipt->sent_ms);
	return n;
}

// An answer that verifies: the length of the whole record, else 0.
static size_t read_answer(struct receipt *receipt, const char *at, size_t left, size_t line)
{
	struct http_answer answer = {0};
	int64_t received_ms;

	if (!line_starts(at, line, ANSWERED) || answer_parse(at, left, &answer, &received_ms) < 0)
		return 0;
	forget_answer(receipt);
	receipt->answer = answer;
	receipt->received_ms = received_ms;
	receipt->state = RECEIPT_ANSWERED;
	if (receipt->sends == 0)
		receipt->sends = 1;
	return line + answer.body.len + 1;
}

// What follows the claim. Every record starts a line (who appends ends a torn one first), so after
// something that cannot be read the next record is found at the start of some later line.
static void read_records(struct receipt *receipt, const char *at, const char *end)
{
	enum { TORN_NOTHING, TORN_ANSWER, TORN_OTHER } torn = TORN_NOTHING;

	while (at < end) {
		size_t line = line_length(at, end);
		size_t n = read_answer(receipt, at, (size_t)(end - at), line);
		if (n == 0)
			n = read_sending(receipt, at, line);
		if (n == 0)
			n = read_courier(receipt, at, line);
		if (n > 0) {
			torn = TORN_NOTHING;
			at += n;
			continue;
		}
		if (line_starts(at, line, ANSWERED)) {
			torn = TORN_ANSWER;
			if (receipt->sends == 0)
				note_send(receipt);
		} else if (torn == TORN_NOTHING ||
			   (torn == TORN_ANSWER && line_starts(at, line, SENDING))) {
			torn = TORN_OTHER;
			note_send(receipt);
		}
		at += line;
	}
}

static void receipt_parse(struct receipt *receipt, const struct secret *text)
{
	size_t claim = read_claim(receipt, text->text, text->len);

	if (text->len > claim)
		read_records(receipt, text->text + claim, text->text + text->len);
	// Without the claim before it, what says nothing about sending is no proof that nothing was sent.
	if (text->len > 0 && claim == 0 && receipt->state == RECEIPT_CLAIMED)
		note_send(receipt);
}

// Something stands there and cannot be read: all of its sends may have happened.
static void receipt_unreadable(struct receipt *receipt, char *trouble)
{
	receipt->state = RECEIPT_SENDING;
	receipt->sends = SENDS_UNREADABLE;
	receipt->trouble = trouble;
}

// Its first line says a number, and it is another than ours.
static bool is_newer(const struct secret *text)
{
	const char *number = text->text + strlen(ANY_CLAIM);

	if (text->len < strlen(CLAIM) || !string_starts(text->text, ANY_CLAIM))
		return false;
	size_t digits = strspn(number, "0123456789");
	return digits > 0 && number[digits] == ' ' && number[0] != '0' &&
	       !string_starts(text->text, CLAIM);
}

// -ENOENT if it is gone, or a shortage; everything else yields a receipt.
static int receipt_read(const struct ledger *ledger, const char *name, struct receipt *receipt)
{
	_cleanup_free_ char *path = xasprintf("%s/receipts/%s", ledger->directory, name);
	_cleanup_free_ char *trouble = NULL;
	_cleanup_secret_ struct secret text = {0};
	_cleanup_close_ int fd = -1;
	int r = private_open(path, O_RDONLY, &fd, &trouble);

	if (r == -ENOENT || error_is_shortage(r))
		return r;
	memcpy(receipt->token.hex, name, sizeof(receipt->token.hex));
	// First who holds it, then what it says: the other way round it could be sent in between,
	// and look as if neither.
	if (r == 0)
		receipt->held = ofd_is_locked(fd);
	if (r == 0)
		r = secret_read(fd, RECEIPT_MAX, &text);
	if (r == 0 && is_newer(&text)) {
		receipt->newer = true;
		r = -EPROTONOSUPPORT;
	}
	if (r < 0)
		receipt_unreadable(receipt,
				   trouble ? TAKE_PTR(trouble)
					   : xasprintf("cannot read %s: %s", path, error_text(r)));
	else
		receipt_parse(receipt, &text);
	return 0;
}

int receipts_read(const struct ledger *ledger, struct receipts *ret)
{
	_cleanup_free_ char *directory = receipts_path(ledger);
	_cleanup_names_ struct names names = {0};
	struct receipts receipts = {0};
	int r = ledger->exists ? private_list(directory, FINGERPRINT_LENGTH, "", &names) : 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < names.n; i++) {
		struct receipt receipt = {0};
		r = receipt_read(ledger, names.list[i], &receipt);
		if (r == 0)
			*array_add(&receipts.list, &receipts.n) = receipt;
		else if (r != -ENOENT) {
			receipts_free(&receipts);
			return r;
		}
	}
	*ret = receipts;
	return 0;
}

int receipt_reread(int fd, struct receipt *ret)
{
	_cleanup_secret_ struct secret text = {0};
	struct receipt receipt = {0};
	int r = secret_read(fd, RECEIPT_MAX, &text);

	if (r < 0)
		return r;
	receipt_parse(&receipt, &text);
	*ret = receipt;
	return 0;
}

// ---- writing

static void put_process(cJSON *object, const char *name, struct process_id process)
{
	cJSON *json = cJSON_AddObjectToObject(object, name);

	json_put_integer(json, "pid", process.pid);
	json_put_integer(json, "starttime", (int64_t)process.starttime);
}

static int write_claim(int fd, char *const *accounts, size_t n_accounts, struct process_id courier)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	_cleanup_secret_ struct secret object = {0}, line = {0};
	cJSON *keys = cJSON_AddArrayToObject(json, "accounts");
	unsigned char random[16];
	char nonce[2 * sizeof(random) + 1];
	struct process_id self;
	int r = process_self(&self);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n_accounts; i++)
		cJSON_AddItemToArray(keys, cJSON_CreateString(accounts[i]));
	put_process(json, "keeper", self);
	put_process(json, "courier", courier);
	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(nonce, sizeof(nonce), random, sizeof(random));
	json_put_text(json, "nonce", nonce);
	json_put_integer(json, "at", clock_wall_ms());
	object = json_print(json, false);
	secret_set_string(&line, CLAIM);
	secret_append(&line, object.text, object.len);
	secret_append(&line, "\n", 1);
	return write_full(fd, line.text, line.len);
}

// Locked, written, with room for an answer, durable: all before it has its name.
static int prepare_claim(int fd, char *const *accounts, size_t n_accounts,
			 struct process_id courier)
{
	int r = ofd_lock(fd);

	if (r == 0)
		r = write_claim(fd, accounts, n_accounts, courier);
	if (r == 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, RECEIPT_ROOM) < 0 &&
	    errno != EOPNOTSUPP)
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

// A settle beside us writes its mark first and unlinks then; whoever is late sees the mark.
static int check_not_settled(const struct ledger *ledger, struct fingerprint token)
{
	int r = mark_look(ledger, token);

	if (r == 0 && spent_is_noted(ledger, token))
		r = 1;
	return r > 0 ? -EEXIST : r;
}

int receipt_claim(struct ledger *ledger, struct fingerprint token, char *const *accounts,
		  size_t n_accounts, struct process_id courier, int *ret_fd)
{
	_cleanup_free_ char *directory = receipts_path(ledger), *temp = NULL;
	_cleanup_free_ char *path = receipt_path(ledger, token);
	_cleanup_close_ int fd = -1;
	int r;

	if (!is_hex(token.hex, FINGERPRINT_LENGTH))
		return -EINVAL;
	r = ledger_create(ledger);
	if (r == 0)
		r = private_temp_create(directory, &temp, &fd);
	if (r < 0)
		return r;
	r = prepare_claim(fd, accounts, n_accounts, courier);
	if (r < 0) {
		unlink(temp);
		return r;
	}
	r = private_temp_publish(temp, path);
	if (r < 0)
		return r;
	r = check_not_settled(ledger, token);
	if (r == 0)
		r = fsync_directory(directory);
	if (r < 0) {
		unlink(path);
		return r;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int receipt_reopen(struct ledger *ledger, struct fingerprint token, bool even_if_held, int *ret_fd)
{
	_cleanup_free_ char *path = receipt_path(ledger, token);
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (!is_hex(token.hex, FINGERPRINT_LENGTH))
		return -EINVAL;
	r = private_open(path, O_RDWR | O_APPEND, &fd, NULL);
	if (r < 0)
		return r;
	r = ofd_lock(fd);
	if (r < 0 && !(r == -EBUSY && even_if_held))
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0) // settled by the one who held it
		return -ENOENT;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int receipt_note_courier(int fd, struct process_id courier)
{
	_cleanup_free_ char *line =
		xasprintf(COURIER "{\"pid\":%d,\"starttime\":%llu}\n", (int)courier.pid,
			  (unsigned long long)courier.starttime);
	struct iovec piece = {.iov_base = line, .iov_len = strlen(line)};

	return append_durably(fd, &piece, 1);
}

int receipt_append_answer(int fd, const struct http_answer *answer, int64_t received_ms)
{
	return answer_append(fd, answer, received_ms);
}

static int unlink_durably(const char *path)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return fsync_parent(path);
}

int receipt_remove(struct ledger *ledger, struct fingerprint token)
{
	if (!is_hex(token.hex, FINGERPRINT_LENGTH))
		return -EINVAL;
	_cleanup_free_ char *path = receipt_path(ledger, token);
	return unlink_durably(path);
}

// Without a receipt it was merely displaced, and may come back.
static bool was_sent(const struct ledger *ledger, struct fingerprint token)
{
	_cleanup_free_ char *path = receipt_path(ledger, token);

	return access(path, F_OK) == 0 || errno != ENOENT;
}

// What is missed here, the sweep notes.
static void note_spent(struct ledger *ledger, const struct fingerprint *tokens, size_t n)
{
	_cleanup_free_ struct fingerprint *new = xcalloc(n, sizeof(*new));
	size_t n_new = 0;

	for (size_t i = 0; i < n; i++)
		if (was_sent(ledger, tokens[i]) && mark_look(ledger, tokens[i]) != MARK_SPENT)
			new[n_new++] = tokens[i];
	spent_note_all(ledger, new, n_new);
}

static int unlink_receipts(const struct ledger *ledger, const struct fingerprint *tokens, size_t n)
{
	_cleanup_free_ char *directory = receipts_path(ledger);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *path = receipt_path(ledger, tokens[i]);
		if (unlink(path) < 0 && errno != ENOENT)
			r = -errno;
	}
	return r < 0 ? r : fsync_directory(directory);
}

int receipts_settle(struct ledger *ledger, const struct fingerprint *tokens, size_t n)
{
	int r = n ? ledger_create(ledger) : 0;

	if (r < 0 || !n)
		return r;
	note_spent(ledger, tokens, n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = mark_make(ledger, tokens[i],
			      was_sent(ledger, tokens[i]) ? MARK_SPENT : MARK_UNSENT);
	if (r == 0)
		r = marks_sync(ledger, tokens, n);
	return r < 0 ? r : unlink_receipts(ledger, tokens, n);
}

int receipt_settle(struct ledger *ledger, struct fingerprint token)
{
	return is_hex(token.hex, FINGERPRINT_LENGTH) ? receipts_settle(ledger, &token, 1) : -EINVAL;
}

bool receipt_is_settled(const struct ledger *ledger, struct fingerprint token)
{
	return ledger->exists && !fingerprint_empty(token) && mark_look(ledger, token) > 0;
}

bool receipt_never_was(const struct ledger *ledger, struct fingerprint token)
{
	_cleanup_free_ char *path = receipt_path(ledger, token);

	if (!ledger->exists)
		return true;
	if (access(path, F_OK) == 0 || errno != ENOENT)
		return false;
	int mark = mark_look(ledger, token);
	return (mark == MARK_NONE || mark == MARK_UNSENT) && !spent_is_noted(ledger, token);
}

void receipts_sweep(struct ledger *ledger, int64_t now_ms)
{
	_cleanup_free_ char *directory = receipts_path(ledger);

	private_sweep(directory);
	if (ledger->exists && ledger_create(ledger) == 0)
		marks_sweep(ledger, now_ms);
}
