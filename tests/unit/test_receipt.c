// SPDX-License-Identifier: MIT
//
// Receipts: at most one claim per token whoever comes along, and no damage makes a token look less
// sent than it was.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "courier/answer.h"
#include "courier/message.h"
#include "ledger/ledger.h"
#include "ledger/mark.h"
#include "temporary.h"

#define KEY_A "00112233445566778899aabbccddeeff"
#define KEY_B "ffeeddccbbaa99887766554433221100"

static char *root;
static struct ledger ledger;
static char *const both_keys[] = {(char *)KEY_A, (char *)KEY_B};
static const struct process_id courier = {.pid = 4711, .starttime = 123456789};

static int setup(void **state)
{
	char *message, *fix;

	(void)state;
	root = temporary_directory("test-receipt");
	_cleanup_free_ char *directory = path_join(root, "ledger");
	assert_int_equal(ledger_open(directory, &ledger, &message, &fix), 0);
	assert_int_equal(ledger_create(&ledger), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ledger_free(&ledger);
	return remove_tree(root);
}

static struct fingerprint token_of(const char *token)
{
	return fingerprint_of_bytes(token, strlen(token));
}

static char *path_of(struct fingerprint token, const char *suffix)
{
	return xasprintf("%s/receipts/%s%s", ledger.directory, token.hex, suffix);
}

static char *mark_of(struct fingerprint token)
{
	return xasprintf("%s/settled/%.2s/%s", ledger.directory, token.hex, token.hex);
}

static bool is_there(struct fingerprint token, const char *suffix)
{
	_cleanup_free_ char *path = path_of(token, suffix);
	struct stat st;

	return lstat(path, &st) == 0;
}

static size_t count_files(void)
{
	_cleanup_free_ char *path = path_join(ledger.directory, "receipts");
	_cleanup_free_ char *command = xasprintf("ls -A '%s' | wc -l", path);
	size_t n = SIZE_MAX;
	FILE *pipe = popen(command, "r");

	assert_int_equal(fscanf(pipe, "%zu", &n), 1);
	pclose(pipe);
	return n;
}

// A new file each time: ext4 flushes one that was truncated and written again.
static void put_file(struct fingerprint token, const char *text, size_t len)
{
	_cleanup_free_ char *path = path_of(token, "");

	unlink(path);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, text, len), 0);
}

static struct receipt read_one(void)
{
	struct receipts receipts = {0};

	assert_int_equal(receipts_read(&ledger, &receipts), 0);
	assert_int_equal(receipts.n, 1);
	struct receipt receipt = receipts.list[0];
	receipts.list[0] = (struct receipt){0};
	receipts_free(&receipts);
	return receipt;
}

static void append_text(int fd, const char *text)
{
	assert_int_equal(write_full(fd, text, strlen(text)), 0);
}

static struct http_answer answer_with(const char *body)
{
	struct http_answer answer = {.status = 200, .retry_after_s = 7, .challenge = true};

	secret_set_string(&answer.body, body);
	return answer;
}

// A body that would fool a reader who looks for records in it.
static const char tricky_body[] =
	"{\"refresh_token\":\"FAKE-REFRESH-2\"}\nsending {\"at\":9}\nreceipt 1 {}\n";

// claim, sending, answered, sending, answered, and where each of them ends.
static struct secret full_text(const char *body, size_t ends[5])
{
	struct fingerprint token = token_of("FAKE-REFRESH-TEXT");
	struct http_answer first = answer_with(body), second = answer_with("{}");
	struct secret text = {0};
	struct stat st;
	int fd = -1;

	assert_int_equal(receipt_claim(&ledger, token, both_keys, 2, courier, &fd), 0);
	for (int i = 0; i < 5; i++) {
		if (i == 1 || i == 3)
			append_text(fd,
				    i == 1 ? "sending {\"at\":1000}\n" : "sending {\"at\":2000}\n");
		else if (i > 0)
			assert_int_equal(answer_append(fd, i == 2 ? &first : &second, 1500), 0);
		assert_int_equal(fstat(fd, &st), 0);
		ends[i] = (size_t)st.st_size;
	}
	assert_int_equal(secret_read(fd, 1 << 20, &text), 0);
	close(fd);
	secret_free(&first.body);
	secret_free(&second.body);
	assert_int_equal(receipt_remove(&ledger, token), 0);
	return text;
}

static void test_life(void **state)
{
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	struct http_answer answer = answer_with(tricky_body);
	_cleanup_free_ char *path = path_of(token, "");
	struct receipt receipt;
	struct stat st;
	int fd = -1;

	(void)state;
	mode_t mask = umask(0);
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 2, courier, &fd), 0);
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(count_files(), 1);		    // no temp file stays
	assert_true((off_t)st.st_blocks * 512 >= 64 << 10); // room for an answer
	assert_int_equal(fcntl(fd, F_GETFL) & (O_APPEND | O_ACCMODE), O_APPEND | O_RDWR);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);

	receipt = read_one();
	assert_string_equal(receipt.token.hex, token.hex);
	assert_int_equal(receipt.state, RECEIPT_CLAIMED);
	assert_int_equal(receipt.sends, 0);
	assert_true(receipt.held);
	assert_int_equal(receipt.n_accounts, 2);
	assert_string_equal(receipt.accounts[0], KEY_A);
	assert_string_equal(receipt.accounts[1], KEY_B);
	assert_int_equal(receipt.couriers[0].pid, courier.pid);
	assert_int_equal(receipt.couriers[0].starttime, courier.starttime);
	receipt_free(&receipt);

	append_text(fd, "sending {\"at\":1234567890123}\n");
	assert_int_equal(receipt_reread(fd, &receipt), 0);
	assert_int_equal(receipt.state, RECEIPT_SENDING);
	assert_int_equal(receipt.sends, 1);
	assert_int_equal(receipt.sent_ms, 1234567890123);
	assert_int_equal(receipt.n_accounts, 2);
	receipt_free(&receipt);

	assert_int_equal(receipt_append_answer(fd, &answer, 1234567890999), 0);
	close(fd);
	receipt = read_one();
	assert_int_equal(receipt.state, RECEIPT_ANSWERED);
	assert_int_equal(receipt.sends, 1);
	assert_false(receipt.held);
	assert_int_equal(receipt.received_ms, 1234567890999);
	assert_int_equal(receipt.answer.status, 200);
	assert_int_equal(receipt.answer.retry_after_s, 7);
	assert_true(receipt.answer.challenge);
	assert_string_equal(receipt.answer.body.text, tricky_body);
	receipt_free(&receipt);
	secret_free(&answer.body);
}

static void test_claim_only_once(void **state)
{
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	int fd = -1, other = -1;

	(void)state;
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 1, courier, &fd), 0);
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 1, courier, &other), -EEXIST);
	close(fd); // dead, but what it did counts
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 1, courier, &other), -EEXIST);
	assert_int_equal(other, -1);
	assert_int_equal(count_files(), 1);
	assert_int_equal(receipt_remove(&ledger, token), 0);
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 1, courier, &fd), 0);
	close(fd);
}

static void test_settled_never_claimed(void **state)
{
	struct fingerprint token = token_of("FAKE-REFRESH-1"), none = {0};
	_cleanup_free_ char *mark = mark_of(token);
	struct stat before, after;
	int fd = -1;

	(void)state;
	assert_false(receipt_is_settled(&ledger, token));
	assert_false(receipt_is_settled(&ledger, none));
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 1, courier, &fd), 0);
	assert_int_equal(receipt_settle(&ledger, token), 0);
	assert_int_equal(fstat(fd, &before), 0);
	assert_int_equal(before.st_nlink, 0); // what the courier looks at
	close(fd);
	assert_true(receipt_is_settled(&ledger, token));
	assert_false(is_there(token, ""));
	assert_int_equal(lstat(mark, &before), 0);
	assert_true(S_ISREG(before.st_mode) && before.st_size == 0 && before.st_blocks == 0);
	assert_int_equal(before.st_mode & 07777, 0600);
	assert_int_equal(receipt_settle(&ledger, token), 0);
	assert_int_equal(lstat(mark, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 1, courier, &fd), -EEXIST);
	assert_false(is_there(token, ""));
	assert_int_equal(count_files(), 0); // nothing that a look would list
}

// When list and mark have forgotten a token that was sent, it is never claimed again; one that was only displaced may be.
static void test_spent_for_good(void **state)
{
	struct fingerprint sent = token_of("FAKE-REFRESH-1"), kept = token_of("FAKE-REFRESH-2");
	_cleanup_free_ char *file = path_join(ledger.directory, "spent");
	struct stat st;
	int fd = -1;

	(void)state;
	for (int i = 0; i < 2000; i++) { // more than is read at a time
		_cleanup_free_ char *other = xasprintf("FAKE-REFRESH-other-%d", i);
		assert_int_equal(spent_note(&ledger, token_of(other)), 0);
	}
	assert_int_equal(truncate(file, 1999 * 8 + 3), 0); // cut: what comes now is whole again
	assert_int_equal(receipt_claim(&ledger, sent, both_keys, 1, courier, &fd), 0);
	close(fd);
	for (int i = 0; i < 3; i++)
		assert_int_equal(receipt_settle(&ledger, sent), 0);
	assert_int_equal(receipt_settle(&ledger, kept), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, 2001 * 8);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(spent_is_noted(&ledger, sent));
	assert_true(spent_is_noted(&ledger, token_of("FAKE-REFRESH-other-0")));
	assert_true(spent_is_noted(&ledger, token_of("FAKE-REFRESH-other-1998")));
	assert_false(spent_is_noted(&ledger, kept));
	assert_false(spent_is_noted(&ledger, token_of("FAKE-REFRESH-3")));

	for (int i = 0; i < 2; i++) {
		const char *hex = i ? kept.hex : sent.hex;
		_cleanup_free_ char *mark =
			xasprintf("%s/settled/%.2s/%s", ledger.directory, hex, hex);
		assert_int_equal(unlink(mark), 0);
	}
	assert_int_equal(receipt_claim(&ledger, sent, both_keys, 1, courier, &fd), -EEXIST);
	assert_false(is_there(sent, ""));
	assert_int_equal(receipt_claim(&ledger, kept, both_keys, 1, courier, &fd), 0);
	close(fd);
}

static void test_bad_token(void **state)
{
	struct fingerprint none = {0}, path = {"../accounts/x"};
	int fd = -1;

	(void)state;
	assert_int_equal(receipt_claim(&ledger, none, both_keys, 1, courier, &fd), -EINVAL);
	assert_int_equal(receipt_claim(&ledger, path, both_keys, 1, courier, &fd), -EINVAL);
	assert_int_equal(receipt_settle(&ledger, none), -EINVAL);
	assert_int_equal(receipt_remove(&ledger, none), -EINVAL);
}

// Cut at every byte: what the state may be is known exactly.
static void test_torn_everywhere(void **state)
{
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	size_t ends[5];
	_cleanup_secret_ struct secret text = full_text("FAKE\nBODY\n", ends);

	(void)state;
	assert_int_equal(text.len, ends[4]);
	for (size_t n = 0; n <= text.len; n++) {
		put_file(token, text.text, n);
		struct receipt receipt = read_one();
		unsigned sends = n <= ends[0] ? 0 : n <= ends[2] ? 1 : 2;
		enum receipt_state expected = n <= ends[0]		     ? RECEIPT_CLAIMED
					      : n == ends[2] || n == ends[4] ? RECEIPT_ANSWERED
									     : RECEIPT_SENDING;
		assert_int_equal(receipt.sends, sends);
		assert_int_equal(receipt.state, expected);
		assert_int_equal(receipt.n_accounts, n < ends[0] ? 0 : 2);
		if (expected == RECEIPT_ANSWERED)
			assert_string_equal(receipt.answer.body.text,
					    n == ends[2] ? "FAKE\nBODY\n" : "{}");
		else
			assert_null(receipt.answer.body.text);
		receipt_free(&receipt);
	}
}

// One bit wrong anywhere: never unsent, and an answer is the one that came or none.
static void test_flipped_everywhere(void **state)
{
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	size_t ends[5];
	_cleanup_secret_ struct secret text = full_text(tricky_body, ends);

	(void)state;
	for (int upto = 1; upto <= 2; upto++) {
		for (size_t bit = 0; bit < 8 * ends[upto]; bit++) {
			text.text[bit / 8] ^= (char)(1 << bit % 8);
			put_file(token, text.text, ends[upto]);
			text.text[bit / 8] ^= (char)(1 << bit % 8);
			struct receipt receipt = read_one();
			assert_int_not_equal(receipt.state, RECEIPT_CLAIMED);
			assert_true(receipt.sends >= 1);
			if (receipt.state == RECEIPT_ANSWERED)
				assert_string_equal(receipt.answer.body.text, tricky_body);
			receipt_free(&receipt);
		}
	}
}

static void test_rubbish_is_never_unsent(void **state)
{
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	size_t ends[5];
	_cleanup_secret_ struct secret text = full_text(tricky_body, ends);
	uint32_t random = 2463534242u; // xorshift32, fixed seed

	(void)state;
	for (int round = 0; round < 2000; round++) {
		char tail[64];
		size_t n = 1 + (size_t)round % sizeof(tail);
		for (size_t i = 0; i < n; i++) {
			random ^= random << 13, random ^= random >> 17, random ^= random << 5;
			tail[i] = (char)(random % 3 ? random >> 8 : '\n');
		}
		_cleanup_secret_ struct secret file = {0};
		secret_set(&file, text.text, round % 2 ? ends[0] : 0);
		secret_append(&file, tail, n);
		put_file(token, file.text, file.len);
		struct receipt receipt = read_one();
		assert_int_equal(receipt.state, RECEIPT_SENDING);
		assert_true(receipt.sends >= 1);
		receipt_free(&receipt);
	}
}

static void test_tails(void **state)
{
	static const struct {
		const char *text;
		enum receipt_state state;
		unsigned sends;
	} cases[] = {
		{"receipt 1 {}\n", RECEIPT_CLAIMED, 0},
		{"receipt 1 {broken\n", RECEIPT_CLAIMED, 0},
		{"receipt 1 {broken", RECEIPT_CLAIMED, 0},
		{"receipt 1 {brokensending {\"at\":1}\n", RECEIPT_SENDING, 1},
		{"receipt 2 {}\n", RECEIPT_SENDING,
		 2}, // a newer format: nobody knows, and it is not sent
		{"courier {\"pid\":2,\"starttime\":1}\n", RECEIPT_SENDING, 1}, // no claim before it
		{"receipt 1 {}\ncourier {\"pid\":2,\"starttime\":1}\n", RECEIPT_CLAIMED, 0},
		{"receipt 1 {}\n\n", RECEIPT_SENDING, 1},
		{"receipt 1 {}\nsending\n", RECEIPT_SENDING, 1},
		{"receipt 1 {}\nsending nonsense\n", RECEIPT_SENDING, 1},
		{"receipt 1 {}\nanswered {}\n", RECEIPT_SENDING, 1},
		{"receipt 1 {}\nsending {\"at\":1}\nanswered {}\nbody", RECEIPT_SENDING, 1},
		// A second send behind an answer that was torn.
		{"receipt 1 {}\nsending {\"at\":1}\nanswered {}\nbo\nsending {\"at\":2}\n",
		 RECEIPT_SENDING, 2},
		{"receipt 1 {}\nsending {\"at\":1}\nanswered {}\nbo\nsendi", RECEIPT_SENDING, 2},
		{"receipt 1 {}\nsending {\"at\":1}\nrubbish\nmore\n", RECEIPT_SENDING, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put_file(token_of("FAKE-REFRESH-1"), cases[i].text, strlen(cases[i].text));
		struct receipt receipt = read_one();
		assert_int_equal(receipt.state, cases[i].state);
		assert_int_equal(receipt.sends, cases[i].sends);
		receipt_free(&receipt);
	}
}

// The courier's disk write was torn; the keeper got the answer another way and keeps it.
static void test_answer_behind_torn_one(void **state)
{
	struct http_answer answer = answer_with(tricky_body);
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	struct receipt receipt;
	int fd = -1;

	(void)state;
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 1, courier, &fd), 0);
	append_text(fd, "sending {\"at\":1}\nanswered {\"status\":200,\"len");
	assert_int_equal(receipt_append_answer(fd, &answer, 5), 0);
	assert_int_equal(receipt_reread(fd, &receipt), 0);
	assert_int_equal(receipt.state, RECEIPT_ANSWERED);
	assert_int_equal(receipt.sends, 1);
	assert_string_equal(receipt.answer.body.text, tricky_body);
	receipt_free(&receipt);

	// And a torn repetition does not hide it.
	append_text(fd, "answered {\"status\":200,\"len");
	assert_int_equal(receipt_reread(fd, &receipt), 0);
	assert_int_equal(receipt.state, RECEIPT_ANSWERED);
	assert_int_equal(receipt.sends, 1);
	receipt_free(&receipt);
	close(fd);
	secret_free(&answer.body);
}

// Two answers of the largest size must still be readable.
static void test_largest_answers(void **state)
{
	struct http_answer answer = {.status = 200, .retry_after_s = -1};
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	_cleanup_free_ char *body = xcalloc(1, COURIER_ANSWER_MAX);
	struct receipt receipt;
	int fd = -1;

	(void)state;
	memset(body, 'x', COURIER_ANSWER_MAX);
	secret_set(&answer.body, body, COURIER_ANSWER_MAX);
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 1, courier, &fd), 0);
	for (int i = 0; i < 2; i++) {
		append_text(fd, "sending {\"at\":1}\n");
		assert_int_equal(receipt_append_answer(fd, &answer, 5), 0);
	}
	assert_int_equal(receipt_reread(fd, &receipt), 0);
	assert_int_equal(receipt.state, RECEIPT_ANSWERED);
	assert_int_equal(receipt.sends, 2);
	assert_int_equal(receipt.answer.body.len, COURIER_ANSWER_MAX);
	receipt_free(&receipt);
	close(fd);
	secret_free(&answer.body);
}

// However often the last one is named, those before it are not forgotten: they may stand in lock files.
static void test_couriers_named_often(void **state)
{
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	const struct process_id second = {.pid = 4712, .starttime = 1}, third = {4713, 2};
	struct receipt receipt;
	int fd = -1;

	(void)state;
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 1, courier, &fd), 0);
	append_text(fd, "sending {\"at\":1}\n");
	assert_int_equal(receipt_note_courier(fd, second), 0);
	for (int i = 0; i < 2 * RECEIPT_COURIERS; i++)
		assert_int_equal(receipt_note_courier(fd, third), 0);
	assert_int_equal(receipt_reread(fd, &receipt), 0);
	assert_int_equal(receipt.n_couriers, 3);
	assert_int_equal(receipt.couriers[0].pid, courier.pid);
	assert_int_equal(receipt.couriers[1].pid, second.pid);
	assert_int_equal(receipt.couriers[2].pid, third.pid);
	receipt_free(&receipt);
	close(fd);
}

// What stands in a receipt's place and cannot be read must not be taken for "not sent".
static void test_unreadable_is_spent(void **state)
{
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	_cleanup_free_ char *path = path_of(token, "");
	struct receipt receipt;
	int fd = -1;

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		if (kind == 0)
			assert_int_equal(mkdir(path, 0700), 0);
		else if (kind == 1)
			assert_int_equal(symlink("/dev/null", path), 0);
		else
			put_file(token, "receipt 1 {}\n", 13);
		if (kind == 2)
			assert_int_equal(chmod(path, 0644), 0);
		if (kind == 3)
			assert_int_equal(truncate(path, (4 << 20) + 1), 0);
		receipt = read_one();
		assert_int_equal(receipt.state, RECEIPT_SENDING);
		assert_true(receipt.sends >= 2);
		assert_string_equal(receipt.token.hex, token.hex);
		receipt_free(&receipt);
		assert_int_equal(receipt_claim(&ledger, token, both_keys, 1, courier, &fd),
				 -EEXIST);
		assert_int_equal(remove(path), 0);
	}
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

// Children start together when the pipe closes.
static void wait_for_start(int pipe_fds[2])
{
	char c;

	close(pipe_fds[1]);
	(void)!read(pipe_fds[0], &c, 1);
}

static void test_one_of_many_wins(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		_cleanup_free_ char *text = xasprintf("FAKE-REFRESH-RACE-%d", round);
		pid_t children[8];
		int start[2], won = 0;
		assert_int_equal(pipe(start), 0);
		for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
			children[i] = fork();
			if (children[i] == 0) {
				int fd = -1;
				wait_for_start(start);
				int r = receipt_claim(&ledger, token_of(text), both_keys, 2,
						      courier, &fd);
				_exit(r == 0 ? 1 : r == -EEXIST ? 0 : 2);
			}
		}
		close(start[0]);
		close(start[1]);
		for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
			int code = wait_for(children[i]);
			assert_in_range(code, 0, 1);
			won += code;
		}
		assert_int_equal(won, 1);
		assert_true(is_there(token_of(text), ""));
	}
	assert_int_equal(count_files(), 50);
}

// Whoever comes before, between or after: once settled, no open receipt is left.
static void test_settle_against_claims(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		_cleanup_free_ char *text = xasprintf("FAKE-REFRESH-RACE-%d", round);
		pid_t children[6];
		int start[2];
		assert_int_equal(pipe(start), 0);
		for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
			children[i] = fork();
			if (children[i] == 0) {
				int fd = -1, r;
				wait_for_start(start);
				if (i == 0)
					r = receipt_settle(&ledger, token_of(text));
				else
					r = receipt_claim(&ledger, token_of(text), both_keys, 2,
							  courier, &fd);
				_exit(r == 0 || r == -EEXIST ? 0 : 1);
			}
		}
		close(start[0]);
		close(start[1]);
		for (size_t i = 0; i < ARRAY_SIZE(children); i++)
			assert_int_equal(wait_for(children[i]), 0);
		assert_true(receipt_is_settled(&ledger, token_of(text)));
		assert_false(is_there(token_of(text), ""));
	}
}

// One open file description, passed on: held until the last of them is gone.
static void test_held_by_whoever_lives(void **state)
{
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	struct receipt receipt;
	int fd = -1, other = -1, end[2];

	(void)state;
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 1, courier, &fd), 0);
	assert_int_equal(pipe(end), 0);
	pid_t child = fork();
	if (child == 0) { // the courier: has the descriptor, outlives the keeper's
		wait_for_start(end);
		_exit(0);
	}
	close(end[0]);
	close(fd);
	receipt = read_one();
	assert_true(receipt.held);
	receipt_free(&receipt);
	assert_int_equal(receipt_reopen(&ledger, token, false, &other), -EBUSY);
	assert_int_equal(receipt_reopen(&ledger, token, true, &other), 0);
	close(other);

	close(end[1]);
	assert_int_equal(wait_for(child), 0);
	receipt = read_one();
	assert_false(receipt.held);
	receipt_free(&receipt);
	assert_int_equal(receipt_reopen(&ledger, token, false, &other), 0);
	assert_int_equal(fcntl(other, F_GETFL) & (O_APPEND | O_ACCMODE), O_APPEND | O_RDWR);
	receipt = read_one();
	assert_true(receipt.held); // reopening locks it again
	receipt_free(&receipt);
	close(other);
	assert_int_equal(receipt_reopen(&ledger, token_of("FAKE-REFRESH-NONE"), false, &other),
			 -ENOENT);
}

// ---- a disk that does not take it

static int syncs, fail_sync; // so many were asked for; which of them fails
static int files_synced, names_synced;
static const char *name_looked_for;

// Instead of the C library's, for all that is linked here.
int fsync(int fd)
{
	struct stat st;

	if (++syncs == fail_sync) {
		errno = EIO;
		return -1;
	}
	assert_int_equal(fstat(fd, &st), 0);
	if (S_ISREG(st.st_mode))
		files_synced++;
	else if (name_looked_for &&
		 faccessat(AT_FDCWD, name_looked_for, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		names_synced++;
	return (int)syscall(SYS_fsync, fd);
}

// "No receipt, no send" means one that outlives a power failure: its text, and then its name. If either cannot be made
// durable there is no claim, and nothing is left that would look like one to the next run.
static void test_claim_is_durable(void **state)
{
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	_cleanup_free_ char *path = path_of(token, "");
	int fd = -1, needed;

	(void)state;
	name_looked_for = path;
	syncs = fail_sync = files_synced = names_synced = 0;
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 2, courier, &fd), 0);
	assert_int_equal(files_synced, 1);
	assert_int_equal(names_synced, 1);
	assert_int_equal(close(TAKE_FD(fd)), 0);
	needed = syncs;
	assert_int_equal(receipt_remove(&ledger, token), 0);
	for (int n = 1; n <= needed; n++) {
		syncs = 0, fail_sync = n;
		assert_int_equal(receipt_claim(&ledger, token, both_keys, 2, courier, &fd), -EIO);
		assert_int_equal(fd, -1);
		assert_int_equal(count_files(), 0);
	}
	fail_sync = 0, name_looked_for = NULL;
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 2, courier, &fd), 0);
	close(fd);
}

// The mark before the receipt's end: if it cannot be made durable, the receipt stays.
static void test_mark_is_durable(void **state)
{
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	int fd = -1, needed;

	(void)state;
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 2, courier, &fd), 0);
	close(fd);
	_cleanup_free_ char *mark = mark_of(token);
	assert_int_equal(spent_note(&ledger, token),
			 0); // it takes the first sync, and is no reason to fail
	name_looked_for = mark;
	syncs = fail_sync = names_synced = 0;
	assert_int_equal(receipt_settle(&ledger, token_of("FAKE-REFRESH-2")), 0);
	needed = syncs;
	// its directory's name, that it is unsent, the mark, the directory again, the receipt's name
	assert_in_range(needed, 5, 5);
	for (int n = 1; n <= needed - 2; n++) {
		syncs = 0, fail_sync = 2; // a new directory; note and mark; mark and directory
		assert_int_equal(receipt_settle(&ledger, token), -EIO);
		assert_true(is_there(token, ""));
	}
	syncs = fail_sync = names_synced = 0;
	assert_int_equal(receipt_settle(&ledger, token), 0); // that it stands already is not enough
	assert_int_equal(names_synced, 3);
	assert_false(is_there(token, ""));
	name_looked_for = NULL;
}

// What was displaced without a receipt may come back, until it is sent. What was sent never may.
static void test_unsent(void **state)
{
	struct fingerprint unsent = token_of("FAKE-REFRESH-1"), sent = token_of("FAKE-REFRESH-2");
	_cleanup_free_ char *mark = mark_of(unsent);
	int fd = -1;

	(void)state;
	assert_true(receipt_never_was(&ledger, unsent));
	assert_int_equal(mark_take_back(&ledger, unsent), 0); // there is none
	assert_int_equal(receipt_settle(&ledger, unsent), 0);
	assert_int_equal(mark_look(&ledger, unsent), MARK_UNSENT);
	assert_true(receipt_is_settled(&ledger, unsent));
	assert_true(receipt_never_was(&ledger, unsent));
	assert_int_equal(receipt_claim(&ledger, unsent, both_keys, 1, courier, &fd), -EEXIST);
	assert_int_equal(mark_take_back(&ledger, unsent), 0);
	assert_false(receipt_is_settled(&ledger, unsent));

	// killed before it could say what it is: spent, to be safe
	assert_int_equal(receipt_settle(&ledger, unsent), 0);
	assert_int_equal(truncate(mark, 3), 0);
	assert_int_equal(mark_look(&ledger, unsent), MARK_SPENT);
	assert_int_equal(mark_take_back(&ledger, unsent), -EPERM);
	assert_int_equal(unlink(mark), 0);

	// settled as unsent under one name, and sent all the same: it gets no milder
	assert_int_equal(mark_publish(&ledger, unsent, MARK_UNSENT), 0);
	assert_int_equal(mark_publish(&ledger, unsent, MARK_SPENT), 0);
	assert_int_equal(mark_publish(&ledger, unsent, MARK_UNSENT), 0);
	assert_int_equal(mark_look(&ledger, unsent), MARK_SPENT);

	assert_int_equal(receipt_claim(&ledger, sent, both_keys, 1, courier, &fd), 0);
	close(fd);
	assert_false(receipt_never_was(&ledger, sent)); // under way
	assert_int_equal(receipt_settle(&ledger, sent), 0);
	assert_int_equal(mark_look(&ledger, sent), MARK_SPENT);
	_cleanup_free_ char *spent = mark_of(sent);
	assert_int_equal(unlink(spent), 0); // swept
	assert_false(receipt_never_was(&ledger, sent));
}

static bool no_links; // as on vfat

int link(const char *from, const char *to)
{
	if (no_links) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static void test_without_links(void **state)
{
	struct fingerprint token = token_of("FAKE-REFRESH-1");
	int fd = -1, other = -1;

	(void)state;
	no_links = true;
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 2, courier, &fd), 0);
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 2, courier, &other), -EEXIST);
	assert_int_equal(receipt_reopen(&ledger, token, false, &other), -EBUSY);
	close(fd);
	assert_int_equal(count_files(), 1);
	assert_int_equal(receipt_settle(&ledger, token), 0);
	assert_int_equal(receipt_claim(&ledger, token, both_keys, 2, courier, &fd), -EEXIST);
	assert_int_equal(count_files(), 0);
	no_links = false;
}

// ---- sweeping

static void touch(const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/receipts/%s", ledger.directory, name);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
}

static void test_sweep(void **state)
{
	struct fingerprint open_one = token_of("FAKE-REFRESH-1"),
			   settled = token_of("FAKE-REFRESH-2");
	struct process_id self;
	int64_t now_ms = clock_wall_ms();
	struct receipts receipts = {0};
	int fd = -1;

	(void)state;
	assert_int_equal(process_self(&self), 0);
	_cleanup_free_ char *live =
		xasprintf(".%d-%llu-900.tmp", (int)self.pid, (unsigned long long)self.starttime);
	_cleanup_free_ char *dead = xasprintf(".%d-%llu-900.tmp", (int)self.pid,
					      (unsigned long long)self.starttime + 1);
	touch(live);
	touch(dead);
	touch("somebody-elses.tmp");
	touch("README");
	assert_int_equal(receipt_claim(&ledger, open_one, both_keys, 1, courier, &fd), 0);
	close(fd);
	assert_int_equal(receipt_claim(&ledger, settled, both_keys, 1, courier, &fd), 0);
	close(fd);
	assert_int_equal(receipt_settle(&ledger, settled), 0);

	receipts_sweep(&ledger, now_ms + 179 * DAY_S * SECOND_MS);
	assert_true(receipt_is_settled(&ledger, settled));
	assert_int_equal(count_files(), 4); // the dead process's temp file went
	assert_int_equal(receipts_read(&ledger, &receipts), 0);
	assert_int_equal(receipts.n, 1);
	receipts_free(&receipts);

	receipts_sweep(&ledger, now_ms + 181 * DAY_S * SECOND_MS);
	assert_false(receipt_is_settled(&ledger, settled));
	assert_true(spent_is_noted(&ledger, settled)); // … but not what it said
	assert_true(is_there(open_one, ""));	       // open ones are never swept
	assert_int_equal(count_files(), 4);
}

static void set_age(const char *path, int64_t days)
{
	const struct timespec then = {.tv_sec = clock_wall_ms() / SECOND_MS - days * DAY_S};
	const struct timespec times[] = {then, then};

	assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

// A ledger of version 1 has its marks beside the receipts: they count, and move, with their age.
static void test_old_marks(void **state)
{
	struct fingerprint young = token_of("FAKE-REFRESH-1"), old = token_of("FAKE-REFRESH-2");
	_cleanup_free_ char *young_name = xasprintf("%s.settled", young.hex);
	_cleanup_free_ char *old_name = xasprintf("%s.settled", old.hex);
	_cleanup_free_ char *old_path = path_of(old, ".settled"), *mark = mark_of(old);
	struct stat st;
	int fd = -1;

	(void)state;
	touch(young_name);
	touch(old_name);
	set_age(old_path, 170);
	assert_true(receipt_is_settled(&ledger, young));
	assert_int_equal(receipt_claim(&ledger, young, both_keys, 1, courier, &fd), -EEXIST);
	receipts_sweep(&ledger, clock_wall_ms());
	assert_int_equal(count_files(), 0);
	assert_true(receipt_is_settled(&ledger, young) && receipt_is_settled(&ledger, old));
	assert_int_equal(lstat(mark, &st), 0);
	assert_in_range((clock_wall_ms() / SECOND_MS - st.st_mtim.tv_sec) / DAY_S, 169, 171);
	receipts_sweep(&ledger, clock_wall_ms() + 11 * DAY_S * SECOND_MS);
	assert_true(receipt_is_settled(&ledger, young));
	assert_false(receipt_is_settled(&ledger, old));
}

// No run looks at all marks, and none is forgotten: each directory has its turn.
static void test_sweep_is_bounded(void **state)
{
	enum { MARKS = 6000 };
	struct fingerprint last = token_of("FAKE-REFRESH-LAST");
	size_t left = MARKS, sweeps = 0;

	(void)state;
	for (int i = 0; i < MARKS; i++) {
		_cleanup_free_ char *text = xasprintf("FAKE-REFRESH-%d", i);
		_cleanup_free_ char *mark = mark_of(token_of(text));
		_cleanup_free_ char *in = path_dirname(mark);
		assert_true(mkdir(in, 0700) == 0 || errno == EEXIST);
		assert_int_equal(mknod(mark, S_IFREG | 0600, 0), 0);
		set_age(mark, 181);
	}
	assert_int_equal(receipt_settle(&ledger, last), 0);
	for (; left > 0 && sweeps < 1000; sweeps++) {
		receipts_sweep(&ledger, clock_wall_ms());
		left = 0;
		for (int i = 0; i < MARKS; i++) {
			_cleanup_free_ char *text = xasprintf("FAKE-REFRESH-%d", i);
			left += receipt_is_settled(&ledger, token_of(text));
		}
	}
	assert_in_range(sweeps, 2, 999);
	assert_true(receipt_is_settled(&ledger, last));
}

static void test_no_ledger(void **state)
{
	_cleanup_free_ char *directory = path_join(root, "none");
	struct ledger none = {.directory = directory};
	struct receipts receipts = {0};
	struct stat st;

	(void)state;
	assert_int_equal(receipts_read(&none, &receipts), 0);
	assert_int_equal(receipts.n, 0);
	assert_false(receipt_is_settled(&none, token_of("FAKE-REFRESH-1")));
	receipts_sweep(&none, clock_wall_ms());
	assert_int_equal(stat(directory, &st), -1);

	// But a ledger whose receipts cannot be listed is an error.
	_cleanup_free_ char *path = path_join(ledger.directory, "receipts");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(receipts_read(&ledger, &receipts), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_claim_only_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_settled_never_claimed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_spent_for_good, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_token, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn_everywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flipped_everywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rubbish_is_never_unsent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answer_behind_torn_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_largest_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_couriers_named_often, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable_is_spent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_of_many_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_settle_against_claims, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held_by_whoever_lives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_claim_is_durable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mark_is_durable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unsent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old_marks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sweep_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_ledger, setup, teardown),
	};

	return cmocka_run_group_tests_name("receipt", tests, NULL, NULL);
}
