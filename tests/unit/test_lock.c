// SPDX-License-Identifier: MIT
//
// Locks, one process at a time: names, payloads, when a lock is stale, lock sets, the directory,
// OFD locks. Real pids stand behind every verdict. Several processes at once are in
// test_lock_race.c.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "file/ofd_lock.h"
#include "lock/foreign.h"
#include "lock/holder.h"
#include "lock/lock.h"
#include "lock/lock_file.h"
#include "lock/reclaim_guard.h"
#include "lock/stale.h"

// ---- a state directory, and processes to name in locks

struct fixture {
	char *state, *locks; // <state>/locks/oauth-refresh
	pid_t live, dead, zombie;
};

static pid_t start_sleeper(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static pid_t make_zombie(void)
{
	pid_t pid = fork();
	siginfo_t info;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	return pid;
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	const char *tmp = getenv("TMPDIR");
	char *template = path_join(tmp ? tmp : "/tmp", "test-lock-XXXXXX"), *message, *fix;

	assert_non_null(mkdtemp(template));
	f->state = template;
	f->locks = path_join(f->state, "locks/oauth-refresh");
	assert_int_equal(lock_directory_check(f->state, true, &message, &fix), 0);
	f->live = start_sleeper();
	f->dead = make_zombie();
	waitpid(f->dead, NULL, 0);
	f->zombie = make_zombie();
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *command = xasprintf("rm -rf '%s'", f->state);

	stop(f->live);
	waitpid(f->zombie, NULL, 0);
	assert_int_equal(system(command), 0);
	free(f->locks);
	free(f->state);
	free(f);
	return 0;
}

static struct process_id identify(pid_t pid)
{
	struct process_id id = {0};

	assert_int_equal(process_identify(pid, &id), 0);
	return id;
}

static struct process_id self(void)
{
	return identify(getpid());
}

static void write_file(const char *path, const char *text, int64_t age_s)
{
	struct timespec times[2] = {0};
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, text, strlen(text)), 0);
	times[0].tv_sec = times[1].tv_sec = time(NULL) - age_s;
	assert_int_equal(futimens(fd, times), 0);
}

static char *read_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = xcalloc(1, 8192);

	assert_true(fd >= 0);
	assert_true(read_full(fd, text, 8191) >= 0);
	return text;
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_ino;
}

static void assert_only_locks(const char *directory, size_t expected)
{
	_cleanup_free_ char *command = xasprintf("exit $(ls -A '%s' | wc -l)", directory);

	assert_int_equal(WEXITSTATUS(system(command)), (int)expected);
}

// ---- names

// The first five rows of each are OpenClaw's own answers (facts); the others were computed with its
// JavaScript.
static void test_names(void **state)
{
	static const struct {
		const char *provider, *profile, *sha256, *fnv;
	} cases[] = {
		{"openai-codex", "openai-codex:default",
		 "sha256-cee1bbaed8073aace8170859a25616882c288ceeaa1119df363bf01cc0cdab65",
		 "lock-7b9da1f0ba485a46aaec13e8c09ceb27"},
		{"anthropic", "anthropic:default",
		 "sha256-3ca41129fe4df4051f8cd238745d9783c6bef528402e728a4e7c5f3485af52a5",
		 "lock-d86ff71f0416cea6738a705bf801262d"},
		{"openai", "openai:default",
		 "sha256-5745659ffbfd6177a09e335e5c3da5e6bc0c2ed19b67af51f537ea171e03ccd0",
		 "lock-5440fa0b86d2697ef1152f7cb32a8157"},
		{"xai", "xai:default",
		 "sha256-0346ad3016f8e82287e5d6d0d09722251affc9de4961290761d31d907c2bbe53",
		 "lock-8df5b23c6c62935aed51c69da1ce2f9d"},
		{"anthropic", "anthropic:claude-cli",
		 "sha256-6b194332421be66064404d053ddb2d881c25698f21e18b1cb4938ff865711bc2",
		 "lock-b9177c9e48ffa95a4c2e837b40be614e"},
		{"openai-codex", "openai-codex:user@example.com",
		 "sha256-dd3e9d10c74b3f7b673e26964fa2f4b7fb01a51508d46d4ca7288ac39ab97f41", NULL},
		{"openai", "openai:fake@example.com",
		 "sha256-509f6a15c616831db82685a185c9ef5e99d2343688fc623021b314be5a6e658b",
		 "lock-8031fc5045e51d2f00ab91fb140742d5"},
		{"a", "../../../etc/passwd",
		 "sha256-6dcefd25a9c3b658a7fdfe89a7ab1bc2216ccc886fd05a1a6b041b17dcf4d29f",
		 "lock-b0b575d8cc9e8ed07ca21e9447a538ad"},
		{"a", "\"\\/\b\t\n\f\r\x01\x0b\x1f\x7f\x10\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		 "sha256-b25c60c2758eb1399d74d02494cb1bd91bc41c8fc9aed07e48d0bfce716b7c37",
		 "lock-16993f306acc6f10e0d851c17ce5f6ef"},
		{"", "", "sha256-6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		 "lock-f3933dba1e878965d04b9a7098533222"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *sha256 = lock_name_sha256(cases[i].provider, cases[i].profile);
		_cleanup_free_ char *fnv = lock_name_fnv(cases[i].provider, cases[i].profile);

		assert_string_equal(sha256, cases[i].sha256);
		if (cases[i].fnv)
			assert_string_equal(fnv, cases[i].fnv);
	}
}

static void test_long_name(void **state)
{
	char profile[10002] = "\"";

	(void)state;
	memset(profile + 1, 'x', 10000);

	_cleanup_free_ char *sha256 = lock_name_sha256("a", profile);
	_cleanup_free_ char *fnv = lock_name_fnv("a", profile);

	assert_string_equal(
		sha256, "sha256-3a45ac163be5d6da216e11707649b67826570a96afc947badfecb356764a25b5");
	assert_string_equal(fnv, "lock-82095d5dad7101328f547e2e9eb757c4");
}

// ---- payloads

static void test_payload_read(void **state)
{
	static const struct {
		const char *text;
		pid_t pid;
		uint64_t starttime;
		int64_t created_ms;
	} cases[] = {
		{"{\n  \"pid\": 3058,\n  \"createdAt\": \"2026-11-20T21:38:45.448Z\"\n}", 3058, 0,
		 1795210725448},
		{"{\"pid\":7,\"createdAt\":\"2026-11-20T21:38:45.448Z\",\"starttime\":99}\n", 7, 99,
		 1795210725448},
		// 2026.9.6 appends a line of tabs and blanks
		{"{\"pid\":7,\"starttime\":99}\n\t\t\t\t\t\t\t\t \t \t  \t \t\n", 7, 99, 0},
		{"{\"pid\":7,\"starttime\":99} x", 0, 0, 0},
		{"", 0, 0, 0},
		{"garbage", 0, 0, 0},
		{"null", 0, 0, 0},
		{"[7]", 0, 0, 0},
		{"{\"pid\":\"7\"}", 0, 0, 0},
		{"{\"pid\":true}", 0, 0, 0},
		{"{\"PID\":7}", 0, 0, 0},
		{"{\"pid\":0,\"starttime\":99}", 0, 0, 0},
		{"{\"pid\":-1}", 0, 0, 0},
		{"{\"pid\":1.5}", 0, 0, 0},
		{"{\"pid\":2147483647}", INT_MAX, 0, 0},
		{"{\"pid\":2147483648}", 0, 0, 0},
		{"{\"pid\":4294967303}", 0, 0, 0},
		{"{\"pid\":1e300}", 0, 0, 0},
		{"{\"pid\":7,\"starttime\":-1}", 7, 0, 0},
		{"{\"pid\":7,\"starttime\":\"99\"}", 7, 0, 0},
		{"{\"pid\":7,\"createdAt\":\"yesterday\"}", 7, 0, 0},
		{"{\"pid\":7,\"createdAt\":1795210725448}", 7, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lock_payload payload = {.owner.pid = -99};

		lock_payload_read(cases[i].text, strlen(cases[i].text), &payload);
		assert_int_equal(payload.owner.pid, cases[i].pid);
		assert_int_equal(payload.owner.starttime, cases[i].starttime);
		assert_int_equal(payload.created_ms, cases[i].created_ms);
	}
}

static void test_payload_bounds(void **state)
{
	char text[LOCK_PAYLOAD_MAX + 1];
	struct lock_payload payload;

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "{\"pid\":7}", 9);
	lock_payload_read(text, LOCK_PAYLOAD_MAX, &payload);
	assert_int_equal(payload.owner.pid, 7);
	lock_payload_read(text, LOCK_PAYLOAD_MAX + 1, &payload);
	assert_int_equal(payload.owner.pid, 0);
	memset(text, '[', sizeof(text));
	lock_payload_read(text, LOCK_PAYLOAD_MAX, &payload);
	assert_int_equal(payload.owner.pid, 0);
	lock_payload_read("{\"pid\":7}\0", 10, &payload);
	assert_int_equal(payload.owner.pid, 0);
	// Whose it is stands there, whatever else does.
	lock_payload_read("{\"pid\":7,\"a\":\"\0\"}", 17, &payload);
	assert_int_equal(payload.owner.pid, 7);
	lock_payload_read("{\"pid\":7,\"host\":\"\\ud83d\"}", 25, &payload);
	assert_int_equal(payload.owner.pid, 7);
}

static void test_payload_write(void **state)
{
	_cleanup_free_ char *full = lock_payload_write((struct process_id){12, 34}, 1795210725448);
	_cleanup_free_ char *bare = lock_payload_write((struct process_id){12, 0}, 1795210725448);

	(void)state;
	assert_string_equal(full,
			    "{\n  \"pid\": 12,\n  \"createdAt\": \"2026-11-20T21:38:45.448Z\",\n"
			    "  \"starttime\": 34\n}\n");
	// a start time of 0 would be a wrong one, and the lock stale at once
	assert_string_equal(
		bare, "{\n  \"pid\": 12,\n  \"createdAt\": \"2026-11-20T21:38:45.448Z\"\n}\n");
}

// ---- processes

static void test_process_identify(void **state)
{
	struct fixture *f = *state;
	struct process_id id = {0};
	int64_t started_ms = 0;

	assert_int_equal(process_self(&id), 0);
	assert_int_equal(id.pid, getpid());
	assert_true(id.starttime > 0);
	assert_int_equal(process_identify(f->dead, &id), -ESRCH);
	assert_int_equal(process_identify(0, &id), -ESRCH);
	assert_int_equal(process_identify(-1, &id), -ESRCH);
	assert_int_equal(process_identify(f->live, &id), 0);
	assert_int_equal(process_started_ms(f->live, &started_ms), 0);
	assert_true(clock_wall_ms() - started_ms >= -20 && clock_wall_ms() - started_ms < 60000);
	assert_int_equal(process_started_ms(f->dead, &started_ms), -ESRCH);
}

// A name is free to look like the fields that follow it.
static void test_process_hostile_name(void **state)
{
	struct process_id before = self();
	char name[16];

	(void)state;
	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	assert_int_equal(prctl(PR_SET_NAME, "x) Z 1 2) (\n"), 0);
	assert_int_equal(self().starttime, before.starttime);
	assert_true(process_alive(before));
	assert_int_equal(prctl(PR_SET_NAME, name), 0);
}

static void test_process_alive(void **state)
{
	struct fixture *f = *state;
	struct process_id live = identify(f->live), zombie = identify(f->zombie);

	assert_true(process_alive(live));
	assert_true(process_alive((struct process_id){f->live, 0}));
	assert_false(process_alive((struct process_id){f->live, live.starttime + 1}));
	assert_false(process_alive((struct process_id){f->dead, 0}));
	assert_false(process_alive(zombie));
	assert_false(process_alive((struct process_id){f->zombie, 0}));
	assert_true(process_alive((struct process_id){1, 0})); // EPERM unless we are root
	assert_false(process_alive((struct process_id){0, 0}));
	assert_false(process_alive((struct process_id){-1, 0})); // kill(-1, 0) would succeed
	assert_false(process_alive((struct process_id){INT_MAX, 0}));
}

// A process of another user is alive, although we may not signal it.
static void test_process_of_another_user(void **state)
{
	struct fixture *f = *state;
	struct process_id theirs = {.pid = 1};
	pid_t child;
	int status;

	if (geteuid() == 0)
		theirs = identify(f->live);
	child = fork();
	if (child == 0) {
		if (geteuid() == 0 && setuid(65534) < 0)
			_exit(1);
		if (kill(theirs.pid, 0) == 0 || errno != EPERM || !process_alive(theirs))
			_exit(2);
		theirs.starttime++;
		_exit(theirs.starttime > 1 && process_alive(theirs) ? 3 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void *sleep_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static bool stat_shows_zombie(pid_t pid)
{
	_cleanup_free_ char *path = xasprintf("/proc/%d/stat", pid);
	_cleanup_free_ char *text = read_file(path);

	return strstr(text, ") Z ") != NULL;
}

// The leader of a thread group ended, the group works on: it shows as Z, and lives.
static void test_process_leader_gone(void **state)
{
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		pthread_t thread;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&thread, NULL, sleep_for_ever, NULL) == 0)
			syscall(SYS_exit, 0);
		_exit(1);
	}
	for (int i = 0; i < 120000 && !stat_shows_zombie(pid); i++)
		usleep(1000);
	assert_true(stat_shows_zombie(pid));
	assert_true(process_alive((struct process_id){pid, 0}));
	stop(pid);
}

// ---- stale or held: what both the holder's question and an acquisition make of a file

enum who { NOBODY, LIVE, DEAD, ZOMBIE, INIT };
enum start { START_NONE, START_RIGHT, START_WRONG };
#define NO_DATE	 INT64_MIN
#define BAD_DATE INT64_MAX

struct stale_case {
	const char *name;
	enum who who;
	enum start start;
	int64_t created_age_s; // or NO_DATE, BAD_DATE
	int64_t mtime_age_s;
	bool stale;
	const char *text; // NOBODY: the file as it is
};

static const struct stale_case stale_cases[] = {
	{"live", LIVE, START_RIGHT, 0, 0, false},
	{"live, however old", LIVE, START_RIGHT, 3600, 3600, false},
	{"live, date missing", LIVE, START_RIGHT, NO_DATE, 3600, false},
	{"live, another start time", LIVE, START_WRONG, 0, 0, true},
	{"live, 2026.4", LIVE, START_NONE, 0, 0, false},
	{"live, 2026.4, old mtime", LIVE, START_NONE, 0, 3600, false},
	{"live, 2026.4, locked before it started", LIVE, START_NONE, 3600, 0, true},
	{"live, 2026.4, date in the future", LIVE, START_NONE, -3600, 0, false},
	{"live, 2026.4, garbage date", LIVE, START_NONE, BAD_DATE, 3600, false},
	{"another user's (if we are not root)", INIT, START_NONE, 0, 0, false},
	{"dead", DEAD, START_NONE, 0, 0, true},
	{"dead, start time", DEAD, START_WRONG, 0, 0, true},
	{"zombie", ZOMBIE, START_NONE, 0, 0, true},
	{"zombie, right start time", ZOMBIE, START_RIGHT, 0, 0, true},
	{"empty, fresh", NOBODY, .text = ""},
	{"empty, 100 s", NOBODY, .text = "", .mtime_age_s = 100},
	{"empty, 200 s", NOBODY, .text = "", .mtime_age_s = 200, .stale = true},
	{"empty, from the future", NOBODY, .text = "", .mtime_age_s = -3600},
	{"garbage, fresh", NOBODY, .text = "{\"pid\":"},
	{"garbage, 200 s", NOBODY, .text = "{\"pid\":", .mtime_age_s = 200, .stale = true},
	{"pid a string, fresh", NOBODY, .text = "{\"pid\":\"1\"}"},
	{"pid a string, 200 s", NOBODY, .text = "{\"pid\":\"1\"}", .mtime_age_s = 200,
	 .stale = true},
	{"pid 0, fresh", NOBODY, .text = "{\"pid\":0}"},
	{"pid 0, 200 s", NOBODY, .text = "{\"pid\":0}", .mtime_age_s = 200, .stale = true},
	{"pid negative, fresh", NOBODY, .text = "{\"pid\":-1}"},
	{"pid negative, 200 s", NOBODY, .text = "{\"pid\":-1}", .mtime_age_s = 200, .stale = true},
	{"pid huge, fresh", NOBODY, .text = "{\"pid\":99999999999}"},
	{"pid huge, 200 s", NOBODY, .text = "{\"pid\":99999999999}", .mtime_age_s = 200,
	 .stale = true},
};

static pid_t pid_of(const struct fixture *f, enum who who)
{
	const pid_t pids[] = {0, f->live, f->dead, f->zombie, 1};

	return pids[who];
}

static char *text_of(const struct fixture *f, const struct stale_case *c)
{
	pid_t pid = pid_of(f, c->who);
	_cleanup_free_ char *iso = NULL, *start = NULL, *created = NULL;
	struct process_id id = {0};

	if (c->who == NOBODY)
		return xstrdup(c->text);
	if (c->start != START_NONE) {
		process_identify(pid, &id);
		start = xasprintf(",\"starttime\":%" PRIu64,
				  id.starttime + (c->start == START_WRONG));
	}
	if (c->created_age_s == BAD_DATE)
		iso = xstrdup("not a date");
	else if (c->created_age_s != NO_DATE)
		iso = time_format_ms(clock_wall_ms() - c->created_age_s * SECOND_MS);
	created = iso ? xasprintf(",\"createdAt\":\"%s\"", iso) : xstrdup("");
	return xasprintf("{\"pid\":%d%s%s}", pid, created, start ? start : "");
}

static void check_stale_case(const struct fixture *f, const struct stale_case *c, const char *path,
			     struct lock_set *set)
{
	_cleanup_free_ char *text = text_of(f, c);
	struct process_id holder = {.pid = -99};
	int r;

	write_file(path, text, c->mtime_age_s);
	r = lock_file_holder(path, &holder);
	if (r != (c->stale ? -ENOENT : 0))
		fail_msg("holder of \"%s\": %d", c->name, r);
	if (!c->stale)
		assert_int_equal(holder.pid, pid_of(f, c->who));
	r = lock_set_acquire(set, self(), NULL, 0);
	if (r != (c->stale ? 0 : -EBUSY))
		fail_msg("acquiring \"%s\": %d", c->name, r);
	if (!c->stale) {
		_cleanup_free_ char *left = read_file(path);

		assert_string_equal(left, text);
		assert_string_equal(set->busy_path, path);
		assert_int_equal(set->busy_owner.pid, pid_of(f, c->who));
		assert_int_equal(unlink(path), 0);
	}
	lock_set_release(set);
	assert_false(exists(path));
	assert_only_locks(f->locks, 0);
}

static void test_stale_matrix(void **state)
{
	struct fixture *f = *state;
	struct lock_set set = LOCK_SET_NONE;

	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	for (size_t i = 0; i < ARRAY_SIZE(stale_cases); i++)
		for (size_t k = 0; k < set.n; k++) {
			_cleanup_free_ char *path = xstrdup(set.files[k].path);

			check_stale_case(f, &stale_cases[i], path, &set);
		}
	lock_set_free(&set);
}

// A store's lock without a pid goes stale after 30 s, a refresh lock's after 180 s.
static void test_stale_store(void **state)
{
	static const struct stale_case cases[] = {
		{"empty, 20 s", NOBODY, .text = "", .mtime_age_s = 20},
		{"empty, 40 s", NOBODY, .text = "", .mtime_age_s = 40, .stale = true},
		{"live, 40 s", LIVE, START_RIGHT, 40, 40, false},
	};
	struct fixture *f = *state;
	_cleanup_free_ char *store = path_join(f->state, "auth-profiles.json");
	struct lock_set set = LOCK_SET_NONE;

	lock_set_add_store(&set, store);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_stale_case(f, &cases[i], set.files[0].path, &set);
	lock_set_free(&set);
}

static void make_old(const char *path)
{
	struct timespec times[2] = {{.tv_sec = time(NULL) - 3600}, {.tv_sec = time(NULL) - 3600}};

	assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

// What is no file is never removed, however old, and never followed.
static void test_stale_not_a_file(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *store = path_join(f->state, "auth-profiles.json");
	_cleanup_free_ char *target = path_join(f->state, "target");
	_cleanup_free_ char *dead = xasprintf("{\"pid\":%d}", f->dead);
	struct lock_set set = LOCK_SET_NONE;
	const char *path;

	lock_set_add_store(&set, store);
	path = set.files[0].path;
	write_file(target, dead, 3600);
	for (int kind = 0; kind < 3; kind++) {
		struct process_id holder = {.pid = -99};
		ino_t inode;

		assert_int_equal(kind == 0   ? mkdir(path, 0700)
				 : kind == 1 ? symlink(target, path)
					     : mkfifo(path, 0600),
				 0);
		make_old(path);
		inode = inode_of(path);
		assert_int_equal(lock_file_holder(path, &holder), 0);
		assert_int_equal(holder.pid, 0);
		assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), -EBUSY);
		assert_int_equal(set.busy_owner.pid, 0);
		assert_int_equal(inode_of(path), inode);
		assert_int_equal(kind == 0 ? rmdir(path) : unlink(path), 0);
	}
	assert_true(exists(target));
	lock_set_free(&set);
}

// Too long to be read: whose it is cannot be known, however old it is.
static void test_stale_too_long(void **state)
{
	struct fixture *f = *state;
	struct lock_set set = LOCK_SET_NONE;
	struct process_id holder = {.pid = -99};

	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	for (int longer = 0; longer < 2; longer++) {
		_cleanup_free_ char *text =
			xasprintf("%*s{\"pid\":0}", LOCK_PAYLOAD_MAX - 9 + longer, "");

		assert_int_equal(strlen(text), LOCK_PAYLOAD_MAX + longer);
		write_file(set.files[0].path, text, 3600);
		assert_int_equal(lock_file_holder(set.files[0].path, &holder),
				 longer ? 0 : -ENOENT);
		assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), longer ? -EBUSY : 0);
		assert_true(exists(set.files[0].path));
		lock_set_release(&set);
	}
	assert_int_equal(holder.pid, 0);
	lock_set_free(&set);
}

// ---- lock sets

static void test_set_life(void **state)
{
	struct fixture *f = *state;
	struct lock_set set = LOCK_SET_NONE;
	struct process_id holder = {0};
	struct stat st;

	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	assert_int_equal(set.n, 2);
	assert_false(lock_set_still_ours(&set));
	assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), 0);
	assert_true(lock_set_is_held(&set));
	assert_true(lock_set_still_ours(&set));
	assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), -EALREADY);
	assert_only_locks(f->locks, 2);
	assert_true(string_ends(set.files[0].path, "/lock-8df5b23c6c62935aed51c69da1ce2f9d.lock"));
	assert_true(string_ends(
		set.files[1].path,
		"/sha256-0346ad3016f8e82287e5d6d0d09722251affc9de4961290761d31d907c2bbe53.lock"));
	for (size_t i = 0; i < set.n; i++) {
		assert_int_equal(lock_file_holder(set.files[i].path, &holder), 0);
		assert_int_equal(holder.pid, getpid());
		assert_int_equal(holder.starttime, self().starttime);
		assert_int_equal(stat(set.files[i].path, &st), 0);
		assert_int_equal(st.st_mode, S_IFREG | 0600);
		assert_int_equal(st.st_nlink, 1);
	}
	lock_set_release(&set);
	assert_false(lock_set_is_held(&set));
	assert_false(lock_set_still_ours(&set));
	assert_only_locks(f->locks, 0);
	lock_set_release(&set);
	lock_set_free(&set);
	lock_set_free(&set);
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

int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
	if (no_links) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_linkat, from_at, from, to_at, to, flags);
}

static void hold_like(struct lock_set *set, const struct fixture *f, const char *agent,
		      struct process_id owner, const struct lock_set *like)
{
	_cleanup_free_ char *directory = path_join(f->state, agent);
	_cleanup_free_ char *store = path_join(directory, "auth-profiles.json");

	mkdir(directory, 0700);
	*set = LOCK_SET_NONE;
	lock_set_add_store(set, store);
	set->like = like;
	assert_int_equal(lock_set_acquire(set, owner, NULL, 0), 0);
	assert_true(lock_set_still_ours(set));
	assert_only_locks(directory, 1);
}

static void assert_names(const struct lock_set *set, struct process_id owner)
{
	struct process_id holder = {0};

	assert_int_equal(lock_file_holder(set->files[0].path, &holder), 0);
	assert_int_equal(holder.pid, owner.pid);
	assert_int_equal(holder.starttime, owner.starttime);
}

// Many of one owner's are one file by many names; each is given back, or lost, for itself.
static void test_set_like(void **state)
{
	struct fixture *f = *state;
	struct lock_set a, b, c, other, alone;

	hold_like(&a, f, "a", self(), NULL);
	hold_like(&b, f, "b", self(), &a);
	hold_like(&c, f, "c", self(), &a);
	hold_like(&other, f, "other", identify(f->live), &a); // another's is never ours
	assert_int_equal(a.files[0].ino, b.files[0].ino);
	assert_int_equal(a.files[0].ino, c.files[0].ino);
	assert_int_not_equal(a.files[0].ino, other.files[0].ino);
	assert_names(&c, self());
	assert_names(&other, identify(f->live));
	assert_int_equal(unlink(a.files[0].path), 0); // somebody takes one away
	assert_false(lock_set_still_ours(&a));
	assert_true(lock_set_still_ours(&b));
	lock_set_release(&b);
	assert_false(exists(b.files[0].path));
	assert_true(lock_set_still_ours(&c));
	lock_set_release(&c); // the last name: there is nothing left to link, though `a` is open
	hold_like(&alone, f, "d", self(), &a);
	assert_int_not_equal(alone.files[0].ino, a.files[0].ino);
	assert_names(&alone, self());
	lock_set_free(&alone);
	hold_like(&alone, f, "d", self(), &c); // given back
	assert_names(&alone, self());
	lock_set_free(&a);
	lock_set_free(&b);
	lock_set_free(&c);
	lock_set_free(&other);
	lock_set_free(&alone);
}

static void test_set_like_busy(void **state)
{
	struct fixture *f = *state;
	struct lock_set ours, theirs, same = LOCK_SET_NONE;

	hold_like(&ours, f, "a", self(), NULL);
	hold_like(&theirs, f, "b", identify(f->live), NULL);
	lock_set_add_store(&same, "/nowhere/at/all");
	same.like = &ours;
	assert_int_equal(lock_set_acquire(&same, self(), NULL, 0), -ENOENT);
	lock_set_free(&same);
	same = LOCK_SET_NONE;
	same.like = &ours;
	_cleanup_free_ char *store = path_join(f->state, "b/auth-profiles.json");
	lock_set_add_store(&same, store);
	assert_int_equal(lock_set_acquire(&same, self(), NULL, 0), -EBUSY);
	assert_int_equal(same.busy_owner.pid, f->live);
	assert_names(&theirs, identify(f->live));
	lock_set_free(&same);
	lock_set_free(&ours);
	lock_set_free(&theirs);
}

static void test_set_without_links(void **state)
{
	struct fixture *f = *state;
	struct lock_set set = LOCK_SET_NONE, other = LOCK_SET_NONE;

	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	lock_set_add_refresh(&other, f->state, "xai", "xai:default");
	no_links = true;
	assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), 0);
	assert_true(lock_set_still_ours(&set));
	assert_int_equal(lock_set_acquire(&other, identify(f->live), NULL, 0), -EBUSY);
	assert_true(lock_set_still_ours(&set));
	assert_only_locks(f->locks, 2);
	lock_set_release(&set);
	assert_only_locks(f->locks, 0);
	no_links = false;
	lock_set_free(&set);
	lock_set_free(&other);
}

static void test_set_empty(void **state)
{
	struct lock_set set = LOCK_SET_NONE;

	(void)state;
	assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), 0);
	assert_true(lock_set_still_ours(&set));
	lock_set_free(&set);
}

static void hold_for(struct lock_set *set, const struct fixture *f, const char *profile,
		     struct process_id owner)
{
	*set = LOCK_SET_NONE;
	lock_set_add_refresh(set, f->state, "xai", profile);
	assert_int_equal(lock_set_acquire(set, owner, NULL, 0), 0);
}

// All or none: the name that comes last is taken, so nothing is.
static void test_set_all_or_none(void **state)
{
	struct fixture *f = *state;
	struct lock_set one = LOCK_SET_NONE, two = LOCK_SET_NONE;
	_cleanup_free_ char *first = path_join(f->state, "a/auth-profiles.json");
	_cleanup_free_ char *last = path_join(f->state, "b/auth-profiles.json");
	_cleanup_free_ char *a = path_dirname(first), *b = path_dirname(last);

	assert_int_equal(mkdir(a, 0700), 0);
	assert_int_equal(mkdir(b, 0700), 0);
	lock_set_add_store(&one, last);
	assert_int_equal(lock_set_acquire(&one, identify(f->live), NULL, 0), 0);
	lock_set_add_store(&two, last); // sorted when taken
	lock_set_add_store(&two, first);
	assert_int_equal(lock_set_acquire(&two, self(), NULL, 0), -EBUSY);
	assert_string_equal(two.busy_path, one.files[0].path);
	assert_int_equal(two.busy_owner.pid, f->live);
	assert_int_equal(two.busy_owner.starttime, identify(f->live).starttime);
	assert_false(lock_set_is_held(&two));
	assert_only_locks(a, 0);
	assert_only_locks(b, 1);
	lock_set_release(&one);
	assert_int_equal(lock_set_acquire(&two, self(), NULL, 0), 0);
	assert_null(two.busy_path);
	assert_int_equal(two.busy_owner.pid, 0);
	lock_set_free(&two);
	lock_set_free(&one);
}

static void test_set_errors(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *missing = path_join(f->state, "missing/auth-profiles.json");
	_cleanup_free_ char *shut = path_join(f->state, "shut"),
			    *store = path_join(shut, "auth-profiles.json");
	struct lock_set set = LOCK_SET_NONE;

	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	assert_int_equal(lock_set_acquire(&set, (struct process_id){0}, NULL, 0), -EINVAL);
	lock_set_add_store(&set, missing);
	assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), -ENOENT);
	assert_only_locks(f->locks, 0);
	lock_set_free(&set);
	assert_int_equal(mkdir(shut, 0500), 0);
	if (geteuid() != 0) {
		lock_set_add_store(&set, store);
		assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), -EACCES);
		lock_set_free(&set);
	}
}

// OpenClaw 2026.4 may remove our lock and make its own. The new file must not be taken for ours,
// not even where the file system gives the inode number again at once.
static void test_set_stolen(void **state)
{
	struct fixture *f = *state;
	struct lock_set set;

	hold_for(&set, f, "xai:default", self());
	for (size_t i = 0; i < set.n; i++) {
		assert_int_equal(unlink(set.files[i].path), 0);
		assert_false(lock_set_still_ours(&set));
		write_file(set.files[i].path, "{\"pid\":1}", 0);
	}
	assert_false(lock_set_still_ours(&set));
	lock_set_release(&set);
	for (size_t i = 0; i < set.n; i++)
		assert_true(exists(set.files[i].path));
	lock_set_free(&set);
	assert_only_locks(f->locks, 2);
}

static void test_set_restamp(void **state)
{
	struct fixture *f = *state;
	struct process_id holder = {0}, courier = identify(f->live);
	struct lock_set set;
	ino_t before;

	hold_for(&set, f, "xai:default", self());
	before = set.files[0].ino;
	assert_int_equal(lock_set_restamp(&set, courier), 0);
	assert_true(lock_set_still_ours(&set));
	assert_int_not_equal(set.files[0].ino, before);
	for (size_t i = 0; i < set.n; i++) {
		assert_int_equal(lock_file_holder(set.files[i].path, &holder), 0);
		assert_int_equal(holder.pid, courier.pid);
		assert_int_equal(holder.starttime, courier.starttime);
	}
	assert_only_locks(f->locks, 2);
	lock_set_release(&set);
	assert_only_locks(f->locks, 0);
	assert_int_equal(lock_set_restamp(&set, courier), -EINVAL);
	lock_set_free(&set);
}

// One of two was stolen: that one is left alone, the other is restamped, and the set is no longer
// ours.
static void test_set_restamp_stolen(void **state)
{
	struct fixture *f = *state;
	struct process_id holder = {0};
	struct lock_set set;

	for (size_t stolen = 0; stolen < 2; stolen++) {
		hold_for(&set, f, "xai:default", self());
		assert_int_equal(unlink(set.files[stolen].path), 0);
		write_file(set.files[stolen].path, "{\"pid\":1}", 0);
		assert_int_equal(lock_set_restamp(&set, identify(f->live)), -ESTALE);
		assert_false(lock_set_still_ours(&set));
		assert_int_equal(lock_file_holder(set.files[1 - stolen].path, &holder), 0);
		assert_int_equal(holder.pid, f->live);
		assert_int_equal(lock_file_holder(set.files[stolen].path, &holder), 0);
		assert_int_equal(holder.pid, 1);
		assert_int_equal(lock_set_restamp(&set, self()), -ESTALE);
		lock_set_release(&set);
		assert_false(exists(set.files[1 - stolen].path));
		assert_int_equal(unlink(set.files[stolen].path), 0);
		lock_set_free(&set);
	}
	assert_only_locks(f->locks, 0);
}

// The courier died; its keeper still holds the set and gives it back, or takes it over by
// restamping.
static void test_set_owner_died(void **state)
{
	struct fixture *f = *state;
	struct lock_set set, rival = LOCK_SET_NONE;

	for (int restamp = 0; restamp < 2; restamp++) {
		pid_t courier = start_sleeper();

		hold_for(&set, f, "xai:default", identify(courier));
		stop(courier);
		assert_true(lock_set_still_ours(&set));
		if (restamp) {
			lock_set_add_refresh(&rival, f->state, "xai", "xai:default");
			assert_int_equal(lock_set_restamp(&set, self()), 0);
			assert_int_equal(lock_set_acquire(&rival, self(), NULL, 0), -EBUSY);
		}
		assert_only_locks(f->locks, 2);
		lock_set_free(&set);
		assert_only_locks(f->locks, 0);
	}
	lock_set_free(&rival);
}

static void test_set_takeover(void **state)
{
	struct fixture *f = *state;
	struct process_id old = identify(f->live), other = old, holder = {0};
	struct lock_set orphaned, set = LOCK_SET_NONE;

	hold_for(&orphaned, f, "xai:default", old);
	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	other.starttime++;
	assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), -EBUSY);
	assert_int_equal(lock_set_acquire(&set, self(), &other, 1), -EBUSY);
	assert_true(lock_set_still_ours(&orphaned));
	assert_int_equal(lock_set_acquire(&set, self(), &old, 1), 0);
	assert_true(lock_set_still_ours(&set));
	assert_false(lock_set_still_ours(&orphaned));
	assert_int_equal(lock_file_holder(set.files[0].path, &holder), 0);
	assert_int_equal(holder.pid, getpid());
	lock_set_free(&orphaned); // does not hurt the new one
	assert_true(lock_set_still_ours(&set));
	assert_only_locks(f->locks, 2);
	lock_set_free(&set);
	assert_only_locks(f->locks, 0);
}

// Two locks of a dead keeper's courier guard an answer, and one of them is another's by now: the other goes on guarding.
static void test_set_takeover_in_part(void **state)
{
	struct fixture *f = *state;
	struct process_id courier = identify(f->live), me = self(), holder = {0};
	_cleanup_free_ char *init = xasprintf("{\"pid\":1}");
	struct lock_set orphaned, set = LOCK_SET_NONE;

	hold_for(&orphaned, f, "xai:default", courier);
	lock_set_leave(&orphaned);
	assert_int_equal(unlink(orphaned.files[1].path), 0);
	write_file(orphaned.files[1].path, init, 0);
	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	assert_int_equal(lock_set_acquire(&set, me, &courier, 1), -EBUSY);
	assert_int_equal(set.busy_owner.pid, 1);
	assert_string_equal(set.busy_path, orphaned.files[1].path);
	assert_false(lock_set_is_held(&set));
	assert_int_equal(lock_file_holder(orphaned.files[0].path, &holder), 0);
	assert_int_equal(holder.pid, me.pid);
	lock_set_free(&set);
	assert_only_locks(f->locks, 2);
	lock_set_free(&orphaned);
}

// A process without a name cannot be taken over: garbage is not "the courier with pid 0".
static void test_set_takeover_nobody(void **state)
{
	struct fixture *f = *state;
	struct process_id nobody = {0};
	struct lock_set set = LOCK_SET_NONE;

	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	write_file(set.files[0].path, "", 0);
	assert_int_equal(lock_set_acquire(&set, self(), &nobody, 1), -EBUSY);
	lock_set_free(&set);
}

// A lock of our own that we could not remove is still ours. It guards no answer, so nothing is left behind on error.
static void test_set_takeover_own(void **state)
{
	struct fixture *f = *state;
	struct process_id me = self();
	struct lock_set left, set = LOCK_SET_NONE;

	hold_for(&left, f, "xai:default", me);
	lock_set_leave(&left);
	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	assert_int_equal(lock_set_acquire(&set, me, NULL, 0), -EBUSY);
	assert_int_equal(lock_set_acquire(&set, me, &me, 1), 0);
	assert_true(lock_set_still_ours(&set));
	lock_set_release(&set);
	assert_only_locks(f->locks, 0);
	lock_set_free(&left);

	hold_for(&left, f, "xai:default", me);
	assert_int_equal(lock_file_restamp(&left.files[1], identify(f->live)), 0);
	lock_set_leave(&left);
	assert_int_equal(lock_set_acquire(&set, me, &me, 1), -EBUSY);
	assert_only_locks(f->locks, 1);
	lock_set_free(&left);
	lock_set_free(&set);
}

// ---- the reclaim guard

static void test_guard(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *dead = xasprintf("{\"pid\":%d}", f->dead);
	struct lock_set set = LOCK_SET_NONE;

	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	for (int stale = 0; stale < 2; stale++) {
		_cleanup_free_ char *guard = xasprintf("%s.reclaim", set.files[0].path);

		if (stale)
			write_file(set.files[0].path, dead, 0);
		assert_int_equal(mkdir(guard, 0700), 0);
		assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), -EBUSY);
		assert_int_equal(set.busy_owner.pid, 0);
		assert_int_equal(exists(set.files[0].path), stale);
		assert_true(exists(guard));
		make_old(guard); // of a reclaimer that crashed
		assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), 0);
		assert_false(exists(guard));
		lock_set_release(&set);
	}
	assert_only_locks(f->locks, 0);
	lock_set_free(&set);
}

// How old a guard is says the clock of the file system it stands on, not ours: they may differ.
static void test_guard_of_another_clock(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *lock = path_join(f->locks, "s.lock"), *path = NULL;
	_cleanup_reclaim_guard_ struct reclaim_guard guard = RECLAIM_GUARD_NONE;
	struct stat st;
	int64_t made_ms;

	path = xasprintf("%s.reclaim", lock);
	assert_int_equal(mkdir(path, 0700), 0);
	make_old(path);
	assert_int_equal(stat(path, &st), 0);
	made_ms = st.st_mtim.tv_sec * SECOND_MS;
	assert_int_equal(reclaim_guard_absent(lock, made_ms + 25000), -EBUSY);
	assert_int_equal(reclaim_guard_enter(lock, made_ms - 3600000, &guard), -EBUSY);
	assert_int_equal(reclaim_guard_enter(lock, 0, &guard), -EBUSY);
	assert_int_equal(reclaim_guard_enter(lock, made_ms + 35000, &guard), 0);
}

// Append what happened in the watched directory: "+name" created, "-name" removed, ">name" moved
// there.
static char *read_events(int fd)
{
	_Alignas(struct inotify_event) char buffer[8192];
	char *all = xstrdup("");
	ssize_t n = read(fd, buffer, sizeof(buffer));

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const void *)(buffer + at);
		char sign = event->mask & IN_CREATE ? '+' : event->mask & IN_DELETE ? '-' : '>';
		char *longer = xasprintf("%s%c%s ", all, sign, event->name);

		free(all);
		all = longer;
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	return all;
}

// OpenClaw from 2026.6.1 on looks for the guard: a lock that is not ours goes, and a new one comes,
// only inside it. A live lock that is taken over never goes.
static void test_guard_is_used(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *store = path_join(f->locks, "s"),
			    *dead = xasprintf("{\"pid\":%d}", f->dead);
	_cleanup_free_ char *temp =
		xasprintf("s.lock.%d-%" PRIu64 ".oauth-keepalive.tmp", getpid(), self().starttime);
	_cleanup_free_ char *reclaimed = NULL, *taken_over = NULL, *expected = NULL,
			    *expected_too = NULL;
	_cleanup_close_ int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct lock_set set = LOCK_SET_NONE, next = LOCK_SET_NONE;
	struct process_id me = self();

	lock_set_add_store(&set, store);
	lock_set_add_store(&next, store);
	write_file(set.files[0].path, dead, 0);
	assert_true(inotify_add_watch(fd, f->locks, IN_CREATE | IN_DELETE | IN_MOVED_TO) >= 0);
	assert_int_equal(lock_set_acquire(&set, me, NULL, 0), 0);
	reclaimed = read_events(fd);
	expected =
		xasprintf("+%s +s.lock.reclaim -s.lock +s.lock -s.lock.reclaim -%s ", temp, temp);
	assert_string_equal(reclaimed, expected);
	assert_int_equal(lock_set_acquire(&next, identify(f->live), &me, 1), 0);
	taken_over = read_events(fd);
	expected_too = xasprintf("+%s +s.lock.reclaim >s.lock -s.lock.reclaim ", temp);
	assert_string_equal(taken_over, expected_too);
	lock_set_free(&set);
	lock_set_free(&next);
}

// One of ours was stopped inside a guard that now looks abandoned: his flock keeps it his.
static void test_guard_of_a_sleeper(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *dead = xasprintf("{\"pid\":%d}", f->dead), *guard = NULL, *lock = NULL;
	int sleeper = open(f->locks, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct lock_set set = LOCK_SET_NONE;

	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	lock = xstrdup(set.files[0].path); // acquiring sorts
	write_file(lock, dead, 0);
	guard = xasprintf("%s.reclaim", lock);
	assert_int_equal(mkdir(guard, 0700), 0);
	make_old(guard);
	assert_int_equal(flock(sleeper, LOCK_EX), 0);
	assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), -EBUSY);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), -EBUSY);
	assert_true(exists(guard));
	close(sleeper);
	assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), 0);
	assert_false(exists(guard));
	lock_set_free(&set);
}

// What is not an empty directory is not ours to understand.
static void test_guard_strange(void **state)
{
	struct fixture *f = *state;
	struct lock_set set = LOCK_SET_NONE;
	_cleanup_free_ char *guard = NULL;

	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	guard = xasprintf("%s.reclaim", set.files[1].path);
	write_file(guard, "{\"pid\":1}", 3600);
	assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), -EBUSY);
	assert_true(exists(guard));
	assert_only_locks(f->locks, 1);
	lock_set_free(&set);
}

// A draft left by a kill is nobody's lock, and one that has our own name is overwritten.
static void test_draft_left(void **state)
{
	struct fixture *f = *state;
	struct lock_set set = LOCK_SET_NONE;
	_cleanup_free_ char *draft = NULL, *text = NULL;

	lock_set_add_refresh(&set, f->state, "xai", "xai:default");
	draft = xasprintf("%s.%d-%" PRIu64 ".oauth-keepalive.tmp", set.files[0].path, getpid(),
			  self().starttime);
	write_file(draft, "half", 0);
	assert_int_equal(lock_set_acquire(&set, self(), NULL, 0), 0);
	assert_only_locks(f->locks, 2);
	text = read_file(set.files[0].path);
	assert_null(strstr(text, "half"));
	lock_set_free(&set);
}

// ---- the directory

static void test_directory_made(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *fresh = path_join(f->state, "fresh"),
			    *locks = path_join(fresh, "locks");
	_cleanup_free_ char *inner = path_join(locks, "oauth-refresh");
	char *message = NULL, *fix = NULL;
	struct stat st;

	assert_int_equal(lock_directory_check(fresh, true, &message, &fix), -ENOENT);
	assert_int_equal(mkdir(fresh, 0700), 0);
	assert_int_equal(lock_directory_check(fresh, false, &message, &fix), -ENOENT);
	assert_false(exists(locks));
	assert_int_equal(lock_directory_check(fresh, true, &message, &fix), 0);
	assert_int_equal(stat(locks, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(stat(inner, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(lock_directory_check(fresh, true, &message, &fix), 0);
	assert_int_equal(chmod(locks, 0755), 0); // as OpenClaw makes it
	assert_int_equal(lock_directory_check(fresh, false, &message, &fix), 0);
	assert_null(message);
	assert_null(fix);
}

static void assert_refused(const char *state_dir, const char *path, const char *why)
{
	for (int create = 0; create < 2; create++) {
		_cleanup_free_ char *message = NULL, *fix = NULL;

		assert_int_equal(lock_directory_check(state_dir, create, &message, &fix), -EPERM);
		assert_non_null(strstr(message, path));
		assert_non_null(strstr(message, why));
		assert_non_null(strstr(fix, path));
	}
}

static void test_directory_refused(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *locks = path_join(f->state, "locks"),
			    *away = path_join(f->state, "away");

	for (int i = 0; i < 2; i++) { // each level
		const char *level = i == 0 ? locks : f->locks;

		if (chown(level, (uid_t)-1, 12345) == 0) { // a group that is not our private one
			assert_int_equal(chmod(level, 0770), 0);
			assert_refused(f->state, level, "written by other users");
		}
		assert_int_equal(chmod(level, 0702), 0);
		assert_refused(f->state, level, "written by other users");
		assert_int_equal(chmod(level, 0700), 0);
		if (geteuid() == 0) {
			assert_int_equal(chown(level, 65534, (gid_t)-1), 0);
			assert_refused(f->state, level, "another user");
			assert_int_equal(chown(level, 0, (gid_t)-1), 0);
		}
		assert_int_equal(rename(level, away), 0);
		assert_int_equal(symlink(away, level), 0);
		assert_refused(f->state, level, "symbolic link");
		assert_int_equal(unlink(level), 0);
		write_file(level, "", 0);
		assert_refused(f->state, level, "not a directory");
		assert_int_equal(unlink(level), 0);
		assert_int_equal(rename(away, level), 0);
	}
}

// ---- OFD locks

static void test_ofd(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *path = path_join(f->state, "ofd");
	_cleanup_close_ int two = -1, read_only = -1;
	int one, copy;

	write_file(path, "", 0);
	one = open(path, O_RDWR | O_CLOEXEC);
	two = open(path, O_RDWR | O_CLOEXEC);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(one >= 0 && two >= 0 && read_only >= 0);
	assert_false(ofd_is_locked(two));
	assert_int_equal(ofd_lock(one), 0);
	assert_int_equal(ofd_lock(one), 0);
	assert_false(ofd_is_locked(one)); // not by another
	assert_true(ofd_is_locked(two));
	assert_true(ofd_is_locked(read_only));
	assert_int_equal(ofd_lock(two), -EBUSY);
	copy = dup(one); // the description, as it is passed to the courier
	close(one);
	assert_int_equal(ofd_lock(two), -EBUSY);
	close(copy);
	assert_false(ofd_is_locked(two));
	assert_int_equal(ofd_lock(two), 0);
	assert_int_equal(ofd_lock(-1), -EBADF);
	assert_false(ofd_is_locked(-1));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

// ---- other programs' locks

struct foreign_case {
	pid_t pid; // 0: its program's own
	bool elsewhere, takeover;
	int age_s, r;
};

// False: the file system keeps no holder.
static bool put_foreign(const char *path, const struct format_lock *kind,
			const struct foreign_case *c, struct process_id holder)
{
	struct timespec then = {.tv_sec = time(NULL) - c->age_s};
	struct process_id found;

	if (kind->kind == FORMAT_LOCK_DIRECTORY)
		assert_int_equal(mkdir(path, 0700), 0);
	else
		write_file(path, "theirs", 0);
	if (c->pid)
		holder_write(path, holder);
	if (c->pid && !holder_read(path, &found))
		return false;
	if (c->elsewhere) // another machine's
		assert_int_equal(lsetxattr(path, "user.oauth-keepalive.holder", "00 1-7", 6, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){then, then}, 0), 0);
	return true;
}

static void check_foreign(const char *path, const struct format_lock *kind,
			  const struct foreign_case *c, struct process_id holder)
{
	struct lock_taker taker = {self(), &holder, c->takeover};
	struct process_id busy = {}, found = {};
	struct stat before, now;

	assert_int_equal(lstat(path, &before), 0);
	assert_int_equal(foreign_lock_take(path, kind, &taker, &now, &busy), c->r);
	assert_int_equal(busy.pid, c->r && !c->elsewhere ? c->pid : 0);
	if (c->r == 0) {
		assert_int_not_equal(now.st_ino, before.st_ino);
		assert_true(!c->pid || (holder_read(path, &found) && found.pid == getpid()));
		foreign_lock_release(path);
		assert_false(exists(path));
	} else {
		assert_int_equal(lstat(path, &now), 0);
		assert_int_equal(now.st_ino, before.st_ino);
		assert_int_equal(remove(path), 0);
	}
}

// What stands there already, and whether it may be taken: by its age, and by whom of ours it names.
static void test_foreign_holders(void **state)
{
	static const struct format_lock kinds[] = {
		{.kind = FORMAT_LOCK_DIRECTORY, .stale_s = 60, .heartbeat_s = 4},
		{.kind = FORMAT_LOCK_FILE, .stale_s = 60, .heartbeat_s = 4},
	};
	const struct fixture *f = *state;
	const struct foreign_case cases[] = {
		{0, .r = -EBUSY},
		{0, .age_s = 55, .r = -EBUSY},
		{0, .age_s = 65, .r = 0},
		{f->live, .r = -EBUSY},
		{f->live, .takeover = true, .r = 0},
		{f->live, .age_s = 65, .r = 0}, // its program would take it, too
		{f->dead, .r = 0},
		{f->dead, .elsewhere = true, .r = -EBUSY},
		{f->dead, .elsewhere = true, .takeover = true, .r = -EBUSY},
	};
	_cleanup_free_ char *path = path_join(f->state, "theirs.lock");
	_cleanup_free_ char *left = xasprintf("ls '%s' | grep theirs", f->state);

	for (size_t i = 0; i < ARRAY_SIZE(kinds) * ARRAY_SIZE(cases); i++) {
		const struct format_lock *kind = &kinds[i % ARRAY_SIZE(kinds)];
		const struct foreign_case *c = &cases[i / ARRAY_SIZE(kinds)];
		struct process_id holder =
			c->pid == f->live ? identify(f->live) : (struct process_id){c->pid, 7};
		if (put_foreign(path, kind, c, holder))
			check_foreign(path, kind, c, holder);
		else
			remove(path);
		assert_int_not_equal(system(left), 0);
	}
}

// A killed run's goes, whoever else's stays.
static void test_foreign_drop_dead(void **state)
{
	static const struct format_lock kind = {.kind = FORMAT_LOCK_DIRECTORY, .stale_s = 60};
	const struct fixture *f = *state;
	_cleanup_free_ char *path = path_join(f->state, "theirs.lock");
	struct process_id found;

	foreign_lock_drop_dead(path, &kind);
	assert_int_equal(mkdir(path, 0700), 0);
	foreign_lock_drop_dead(path, &kind);
	assert_true(exists(path));
	holder_write(path, identify(f->live));
	foreign_lock_drop_dead(path, &kind);
	assert_true(exists(path));
	holder_write(path, (struct process_id){f->dead, 7});
	if (holder_read(path, &found)) {
		foreign_lock_drop_dead(path, &kind);
		assert_false(exists(path));
	}
	rmdir(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_payload_read),
		cmocka_unit_test(test_payload_bounds),
		cmocka_unit_test(test_payload_write),
		T(test_process_identify),
		cmocka_unit_test(test_process_hostile_name),
		T(test_process_alive),
		T(test_process_of_another_user),
		cmocka_unit_test(test_process_leader_gone),
		T(test_stale_matrix),
		T(test_stale_store),
		T(test_stale_not_a_file),
		T(test_stale_too_long),
		T(test_set_life),
		T(test_set_like),
		T(test_set_like_busy),
		T(test_set_without_links),
		cmocka_unit_test(test_set_empty),
		T(test_set_all_or_none),
		T(test_set_errors),
		T(test_set_stolen),
		T(test_set_restamp),
		T(test_set_restamp_stolen),
		T(test_set_owner_died),
		T(test_set_takeover),
		T(test_set_takeover_in_part),
		T(test_set_takeover_nobody),
		T(test_set_takeover_own),
		T(test_guard_of_another_clock),
		T(test_guard),
		T(test_guard_is_used),
		T(test_guard_of_a_sleeper),
		T(test_guard_strange),
		T(test_draft_left),
		T(test_foreign_holders),
		T(test_foreign_drop_dead),
		T(test_directory_made),
		T(test_directory_refused),
		T(test_ofd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
