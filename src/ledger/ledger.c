// SPDX-License-Identifier: MIT
//
// The ledger as a whole: is it there, is it ours, is it this machine's, and is it the only one at
// work.
//
// `ledger.json` is published last and by link(2), so that two first runs at once end with one uuid,
// and so that a ledger that has it has its directories too. From then on, anything missing is
// damage and not "no ledger": to start afresh would forget which tokens were spent.
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "json/json.h"
#include "file/trust.h"
#include "ledger/ledger.h"
#include "file/private_file.h"
#include "file/atomic_file.h"

#define LEDGER_VERSION	2 // 1: marks stood in receipts/, there was no settled/
#define LEDGER_FILE	"ledger.json"
#define LEDGER_FILE_MAX (64u << 10)
#define OWNER_FILE	"oauth-keepalive"
#define OWNER_FILE_MAX	(8u << 10) // a uuid and a path

static const char *const subdirectories[] = {"accounts", "receipts", "displaced", "settled"};

void ledger_free(struct ledger *ledger)
{
	free(ledger->directory);
	*ledger = (struct ledger){0};
}

int ledger_default_directory(char **ret)
{
	_cleanup_free_ char *home = home_of_user();

	if (!home || home[0] != '/')
		return -ENOENT;
	*ret = path_join(home, ".local/state/oauth-keepalive");
	return 0;
}

// Which machine is this? machine-id(5) asks not to disclose the id itself but a hash keyed by the
// application. Empty if it has none: then nothing can be told, and nothing is checked.
static struct fingerprint machine_digest(void)
{
	static const char prefix[] = "oauth-keepalive:";
	char text[sizeof(prefix) + 33];
	_cleanup_close_ int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC | O_NOCTTY);

	memcpy(text, prefix, sizeof(prefix));
	char *id = text + strlen(prefix);
	ssize_t n = fd < 0 ? -1 : read_full(fd, id, 33);
	id[n < 0 ? 0 : n] = '\0';
	id[strcspn(id, "\n")] = '\0';
	if (!is_hex(id, 32)) // "uninitialized" during first boot
		return (struct fingerprint){0};
	return fingerprint_of_bytes(text, strlen(text));
}

bool ledger_is_uuid(const char *text)
{
	if (string_empty(text) || strlen(text) != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? text[i] != '-' : !strchr("0123456789abcdef", text[i]))
			return false;
	}
	return true;
}

static void make_uuid(char ret[37]) // version 4, RFC 9562
{
	unsigned char b[16];

	randombytes_buf(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		 b[13], b[14], b[15]);
}

static int damaged(const char *directory, char *message, char **ret_message, char **ret_fix)
{
	_cleanup_free_ char *word = shell_quoted(directory);

	*ret_message = message;
	*ret_fix = xasprintf(
		"restore %s from a backup; only if there is none: mv %s %s.damaged # tokens are "
		"then adopted from the stores, and what only the ledger knew is lost",
		word, word, word);
	return -EBADMSG;
}

// Is what ledger.json says valid, and about this machine? Fills in the uuid.
static int check_ledger_json(struct ledger *ledger, const cJSON *json, char **ret_message,
			     char **ret_fix)
{
	struct fingerprint here = machine_digest();
	const char *uuid = json_text(json, "uuid"), *machine = json_text(json, "machine");
	int64_t version = json_integer(json, "version", 0);

	if (version > LEDGER_VERSION) {
		*ret_message =
			xasprintf("the ledger %s was written by a newer version of this program",
				  ledger->directory);
		*ret_fix = xstrdup(INSTALL_AGAIN);
		return -EPROTONOSUPPORT;
	}
	if (version < 1 || !ledger_is_uuid(uuid) || !machine ||
	    (*machine && !is_hex(machine, FINGERPRINT_LENGTH)))
		return damaged(ledger->directory,
			       xasprintf("%s/" LEDGER_FILE " is damaged", ledger->directory),
			       ret_message, ret_fix);
	if (*machine && !fingerprint_empty(here) && !string_equal(machine, here.hex)) {
		*ret_message = xasprintf(
			"the ledger %s belongs to another machine: both would spend the same "
			"tokens",
			ledger->directory);
		_cleanup_free_ char *word = shell_quoted(ledger->directory);
		*ret_fix = xasprintf("oauth-keepalive --ledger-dir %s own # only if no other "
				     "machine uses these logins any more",
				     word);
		return -EUCLEAN;
	}
	memcpy(ledger->uuid, uuid, sizeof(ledger->uuid));
	ledger->version = (int)version;
	ledger->exists = true;
	return 0;
}

// -ENOENT without a message if there is no ledger.json.
static int read_ledger_json(struct ledger *ledger, char **ret_message, char **ret_fix)
{
	_cleanup_free_ char *path = path_join(ledger->directory, LEDGER_FILE);
	_cleanup_secret_ struct secret text = {0};
	_cleanup_json_ cJSON *json = NULL;
	struct stat st = {0};

	lstat(path, &st); // before it is read: if it changes in between, it is read again
	int r = private_read(path, LEDGER_FILE_MAX, &text, ret_message);
	if (r == -EPERM)
		*ret_fix = private_remedy(path);
	if (r < 0)
		return r;
	ledger->inode = st.st_ino;
	ledger->changed = st.st_ctim;
	json = json_parse(text.text, text.len);
	return check_ledger_json(ledger, json, ret_message, ret_fix);
}

// Does the directory hold anything that only a ledger at work writes? What cannot be looked at
// counts.
static bool has_records(const char *directory)
{
	static const struct {
		const char *subdirectory;
		size_t digits;
		const char *suffix;
	} records[] = {
		{"accounts", 32, ".json"},
		{"receipts", FINGERPRINT_LENGTH, ""},
		{"receipts", FINGERPRINT_LENGTH, ".settled"}, // of version 1
		{"settled", 2, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		_cleanup_free_ char *path = path_join(directory, records[i].subdirectory);
		_cleanup_names_ struct names names = {0};
		int r = private_list(path, records[i].digits, records[i].suffix, &names);
		if (names.n > 0 || (r < 0 && r != -ENOENT))
			return true;
	}
	return false;
}

static int check_subdirectories(const struct ledger *ledger, char **ret_message, char **ret_fix)
{
	for (size_t i = 0; i < ARRAY_SIZE(subdirectories); i++) {
		_cleanup_free_ char *path = path_join(ledger->directory, subdirectories[i]);
		int r = private_check_directory(path, ret_message, ret_fix);
		if (r == -ENOENT && ledger->version < LEDGER_VERSION)
			continue; // made when it is brought up to date
		if (r == -ENOENT)
			return damaged(ledger->directory, xasprintf("%s is missing", path),
				       ret_message, ret_fix);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_directory(struct ledger *ledger, char **ret_message, char **ret_fix)
{
	int r = private_check_directory(ledger->directory, ret_message, ret_fix);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = read_ledger_json(ledger, ret_message, ret_fix);
	if (r == -ENOENT) {
		if (!has_records(ledger->directory))
			return 0;
		// Another process may have created the ledger, and used it, between these two
		// looks.
		r = read_ledger_json(ledger, ret_message, ret_fix);
		if (r == -ENOENT)
			return damaged(ledger->directory,
				       xasprintf("%s/" LEDGER_FILE
						 " is missing, but its records are there",
						 ledger->directory),
				       ret_message, ret_fix);
	}
	if (r == 0)
		r = check_subdirectories(ledger, ret_message, ret_fix);
	if (r < 0)
		ledger->exists = false;
	return r;
}

int ledger_open(const char *directory, struct ledger *ret, char **ret_message, char **ret_fix)
{
	_cleanup_(ledger_free) struct ledger ledger = {.directory = xstrdup(directory)};
	int r;

	*ret_message = *ret_fix = NULL;
	r = open_directory(&ledger, ret_message, ret_fix);
	if (r < 0)
		return r;
	*ret = ledger;
	ledger = (struct ledger){0};
	return 0;
}

static int publish_ledger_json(const char *directory)
{
	_cleanup_free_ char *path = path_join(directory, LEDGER_FILE);
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	_cleanup_secret_ struct secret text = {0};
	char uuid[37];

	make_uuid(uuid);
	json_put_integer(json, "version", LEDGER_VERSION);
	json_put_text(json, "uuid", uuid);
	json_put_text(json, "machine", machine_digest().hex);
	json_put_integer(json, "created", clock_wall_ms());
	text = json_print(json, true);
	private_sweep(directory);
	int r = private_publish(path, text.text, text.len);
	return r == -EEXIST ? 0 : r; // another process was faster: its uuid is the one
}

static int make_subdirectories(const struct ledger *ledger)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(subdirectories) && r == 0; i++) {
		_cleanup_free_ char *path = path_join(ledger->directory, subdirectories[i]);
		r = private_make_directory(path);
	}
	return r;
}

static int read_again(const char *directory, cJSON **ret)
{
	_cleanup_free_ char *path = path_join(directory, LEDGER_FILE);
	_cleanup_secret_ struct secret text = {0};
	int r = private_read(path, LEDGER_FILE_MAX, &text, NULL);

	if (r < 0)
		return r;
	*ret = json_parse(text.text, text.len);
	return *ret ? 0 : -EBADMSG;
}

static int replace_ledger_json(const char *directory, const cJSON *json)
{
	_cleanup_free_ char *path = path_join(directory, LEDGER_FILE);
	_cleanup_secret_ struct secret text = json_print(json, true);

	atomic_sweep(path);
	return atomic_replace(path, text.text, text.len, 0600);
}

// As long as it is the file that was read, it says what it said: nobody writes into it, it is replaced.
static int read_if_replaced(struct ledger *ledger)
{
	_cleanup_free_ char *path = path_join(ledger->directory, LEDGER_FILE);
	_cleanup_free_ char *message = NULL, *fix = NULL;
	struct ledger now = {.directory = ledger->directory};
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_ino == ledger->inode &&
	    st.st_ctim.tv_sec == ledger->changed.tv_sec &&
	    st.st_ctim.tv_nsec == ledger->changed.tv_nsec)
		return 0;
	int r = read_ledger_json(&now, &message, &fix);
	if (r < 0)
		return r;
	if (!string_equal(now.uuid, ledger->uuid))
		return -ESTALE;
	now.swept = ledger->swept;
	*ledger = now;
	return 0;
}

// An older version of the program must not work on what it would not understand: it would miss marks.
static int bring_up_to_date(struct ledger *ledger)
{
	_cleanup_json_ cJSON *json = NULL;
	int r = make_subdirectories(ledger);

	if (r == 0)
		r = read_again(ledger->directory, &json);
	if (r < 0)
		return r;
	json_put_integer(json, "version", LEDGER_VERSION);
	r = replace_ledger_json(ledger->directory, json);
	return r < 0 ? r : read_if_replaced(ledger);
}

int ledger_take_over(const char *directory, char **ret_message, char **ret_fix)
{
	_cleanup_(ledger_free) struct ledger ledger = {0};
	_cleanup_json_ cJSON *json = NULL;
	int r = ledger_open(directory, &ledger, ret_message, ret_fix);

	if (r == 0)
		return ledger.exists ? -EALREADY : -ENOENT;
	if (r != -EUCLEAN)
		return r;
	r = read_again(directory, &json);
	if (r < 0)
		return r;
	cJSON_DeleteItemFromObjectCaseSensitive(json, "machine");
	json_put_text(json, "machine", machine_digest().hex);
	return replace_ledger_json(directory, json);
}

int ledger_create(struct ledger *ledger)
{
	_cleanup_free_ char *message = NULL, *fix = NULL;
	int r;

	if (ledger->exists) {
		r = read_if_replaced(ledger);
		return r == 0 && ledger->version < LEDGER_VERSION ? bring_up_to_date(ledger) : r;
	}
	r = private_make_directory(ledger->directory);
	if (r == 0) // never over a ledger that is damaged
		r = open_directory(ledger, &message, &fix);
	if (r < 0 || ledger->exists)
		return r;
	if (r == 0)
		r = make_subdirectories(ledger);
	if (r == 0)
		r = publish_ledger_json(ledger->directory);
	if (r < 0)
		return r;
	return read_ledger_json(ledger, &message, &fix);
}

// <state_dir>/locks: a directory nobody else can write, or the owner file in it says nothing.
static int check_locks(const char *locks, char **ret_message, char **ret_fix)
{
	struct stat st;

	if (lstat(locks, &st) < 0) {
		int r = -errno;
		if (r != -ENOENT)
			*ret_message = xasprintf("cannot look at %s: %s", locks, strerror(-r));
		return r;
	}
	if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !others_may_write(locks, &st))
		return 0;
	*ret_message = xasprintf("%s is not a directory that only you can write", locks);
	*ret_fix = directory_remedy(locks);
	return -EPERM;
}

// The owner file's one line, cut to what one may be. -ENOENT if there is none.
static int read_owner(const char *path, char **ret)
{
	_cleanup_close_ int fd =
		open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *line = xcalloc(1, OWNER_FILE_MAX + 1);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	ssize_t n = read_full(fd, line, OWNER_FILE_MAX);
	if (n < 0)
		return (int)n;
	line[strcspn(line, "\n")] = '\0';
	*ret = TAKE_PTR(line);
	return 0;
}

// The ledger that the owner file names is not there any more, or is another one by now.
static bool is_gone(const char *directory, const char *line)
{
	_cleanup_free_ char *message = NULL, *fix = NULL;
	struct ledger other;
	bool gone;

	if (ledger_open(directory, &other, &message, &fix) < 0)
		return false;
	gone = !other.exists || !string_starts(line, other.uuid);
	ledger_free(&other);
	return gone;
}

// Another ledger's, or nobody can tell whose: the person decides.
static int foreign_owner(const char *path, const char *line, char **ret_message, char **ret_fix)
{
	_cleanup_free_ char *shown = string_printable(line ? line : "", 300);
	_cleanup_free_ char *word = shell_quoted(path);
	const char *directory = strchr(shown, ' ');

	if (!directory || !directory[1]) {
		*ret_message = xasprintf(
			"%s names no ledger: another one may work on these accounts", path);
		*ret_fix = xasprintf("rm %s # if no other ledger does", word);
		return -EEXIST;
	}
	const char *named = strchr(line, ' ') + 1;
	_cleanup_free_ char *other = shell_quoted(named);
	bool gone = is_gone(named, line);
	*ret_message = xasprintf("%s: another ledger works on these accounts: %s (%.*s)%s", path,
				 directory + 1, (int)(directory - shown), shown,
				 gone ? ", and is not there any more" : "");
	*ret_fix =
		gone ? xasprintf("rm %s # unless that ledger was moved, and is still at work", word)
		     : xasprintf("oauth-keepalive --ledger-dir %s status # use that one; or, if "
				 "it is gone for good, remove %s",
				 other, word);
	return -EEXIST;
}

static bool owner_is(const char *line, const char *uuid)
{
	return line && string_starts(line, uuid) && (line[36] == ' ' || line[36] == '\0');
}

// Ours is a copy of the one that is named, which is still there: either may know of tokens that the other does not.
static bool is_copy(const struct ledger *ledger, const char *line)
{
	const char *named = strchr(line, ' ');
	struct stat ours, theirs;

	if (!named || string_equal(named + 1, ledger->directory) || stat(named + 1, &theirs) < 0 ||
	    stat(ledger->directory, &ours) < 0)
		return false;
	return (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino) &&
	       !is_gone(named + 1, line);
}

// Of several first runs at once another one has made the ledger since we looked: it is ours, too.
static bool made_meanwhile(const struct ledger *ledger, const char *line)
{
	_cleanup_free_ char *message = NULL, *fix = NULL;
	struct ledger now;
	bool ours;

	if (ledger->exists || ledger_open(ledger->directory, &now, &message, &fix) < 0)
		return false;
	ours = now.exists && owner_is(line, now.uuid);
	ledger_free(&now);
	return ours;
}

int ledger_check_owner(const struct ledger *ledger, const char *state_dir, char **ret_message,
		       char **ret_fix)
{
	_cleanup_free_ char *locks = path_join(state_dir, "locks");
	_cleanup_free_ char *path = path_join(locks, OWNER_FILE);
	_cleanup_free_ char *line = NULL;
	int r;

	*ret_message = *ret_fix = NULL;
	r = check_locks(locks, ret_message, ret_fix);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = read_owner(path, &line);
	if (r == -ENOENT)
		return 0;
	if (error_is_shortage(r)) // says nothing of whose it is
		return r;
	if (ledger->exists && owner_is(line, ledger->uuid) ? !is_copy(ledger, line)
							   : made_meanwhile(ledger, line))
		return 0;
	return foreign_owner(path, line, ret_message, ret_fix);
}

int ledger_move_owner(const char *directory, const char *state_dir)
{
	_cleanup_(ledger_free) struct ledger ledger = {0};
	_cleanup_free_ char *message = NULL, *fix = NULL, *line = NULL, *now = NULL;
	_cleanup_free_ char *path = xasprintf("%s/locks/" OWNER_FILE, state_dir);
	_cleanup_free_ char *real = realpath(directory, NULL);
	int r = ledger_open(directory, &ledger, &message, &fix);

	if (r == 0)
		r = ledger_check_owner(&ledger, state_dir, &message, &fix);
	if (r == 0)
		r = read_owner(path, &line);
	if (r < 0 || !real)
		return r;
	now = xasprintf("%s %s\n", ledger.uuid, real);
	return atomic_replace(path, now, strlen(now), 0600);
}

int ledger_claim_owner(const struct ledger *ledger, const char *state_dir)
{
	_cleanup_free_ char *message = NULL, *fix = NULL, *directory = NULL, *text = NULL;
	_cleanup_free_ char *locks = path_join(state_dir, "locks");
	_cleanup_free_ char *path = path_join(locks, OWNER_FILE);
	int r;

	if (!ledger->exists)
		return -ENOENT;
	r = mkdir(locks, 0700) < 0 ? -errno : fsync_parent(locks);
	if (r < 0 && r != -EEXIST)
		return r;
	r = check_locks(locks, &message, &fix);
	if (r < 0)
		return r;
	directory = realpath(ledger->directory, NULL);
	if (!directory)
		return -errno;
	// What a kill left, also between the name a file got and the end of its temporary one.
	private_sweep(ledger->directory);
	private_sweep(locks);
	if (access(path, F_OK) < 0) {
		text = xasprintf("%s %s\n", ledger->uuid, directory);
		r = private_publish(path, text, strlen(text));
		if (r < 0 && r != -EEXIST)
			return r;
	}
	free(TAKE_PTR(message));
	free(TAKE_PTR(fix));
	return ledger_check_owner(ledger, state_dir, &message, &fix);
}
