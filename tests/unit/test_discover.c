// SPDX-License-Identifier: MIT
//
// Which files are the stores: state directory, agents, openclaw.json, configuration; links of every
// kind; and stores that SQLite has replaced. Every test has a home of its own.

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/config.h"
#include "store/seen.h"
#include "store/store.h"

// ---- a file system that fails, whose clock stands still, or that is another one

static struct {
	int entries;	      // so many are listed, then EIO; -1: all
	const char *unopened; // what ends so cannot be opened: no descriptor is left
	const char *unseen;   // … or looked at
	bool stopped;	      // no write changes a file's times any more
	struct statx_timestamp time;
	unsigned magic; // of all file systems; 0: what they are
} fault = {.entries = -1};

static unsigned opened; // stores, so far

struct dirent *readdir(DIR *directory)
{
	// With 64 bits for inodes this is the call, whatever it is called here.
	struct dirent *(*real)(DIR *) = (struct dirent * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir64");

	if (fault.entries < 0)
		return real(directory);
	if (fault.entries-- > 0)
		return real(directory);
	fault.entries = 0;
	errno = EIO;
	return NULL;
}

static int open_at(int at, const char *path, int flags, mode_t mode)
{
	if (fault.unopened && string_ends(path, fault.unopened)) {
		errno = EMFILE;
		return -1;
	}
	opened += (flags & O_ACCMODE) == O_RDONLY && string_ends(path, "auth-profiles.json");
	return (int)syscall(SYS_openat, at, path, flags, mode);
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & O_CREAT ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	int fd = open_at(AT_FDCWD, path, flags, mode_of(flags, args));
	va_end(args);
	return fd;
}

int openat(int at, const char *path, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	int fd = open_at(at, path, flags, mode_of(flags, args));
	va_end(args);
	return fd;
}

int statx(int fd, const char *path, int flags, unsigned mask, struct statx *ret)
{
	if (fault.unseen && string_ends(path, fault.unseen)) {
		errno = EIO;
		return -1;
	}
	int r = (int)syscall(SYS_statx, fd, path, flags, mask, ret);
	if (fault.stopped)
		ret->stx_mtime = ret->stx_ctime = fault.time;
	return r;
}

int statfs(const char *path, struct statfs *ret)
{
	int r = (int)syscall(SYS_statfs, path, ret);

	if (fault.magic)
		ret->f_type = fault.magic;
	return r;
}

#define EMPTY_STORE "{\"version\":1,\"profiles\":{}}\n"
#define ONE_LOGIN                                                                                  \
	"{\"version\":1,\"profiles\":{\"xai:default\":{\"type\":\"oauth\",\"provider\":\"xai\","   \
	"\"access\":\"FAKE-ACCESS\",\"refresh\":\"FAKE-REFRESH\"}}}\n"

static char *home;
static struct config config;
static struct stores stores;
static struct problems problems;
static struct seen seen;

static void clear_environment(void)
{
	static const char *const names[] = {"OPENCLAW_HOME", "OPENCLAW_STATE_DIR",
					    "OPENCLAW_CONFIG_PATH", "OPENCLAW_AGENT_DIR",
					    "PI_CODING_AGENT_DIR"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
}

static int setup(void **state)
{
	char template[] = "/tmp/test_discover.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(template));
	home = xstrdup(template);
	clear_environment();
	setenv("HOME", home, 1);
	config = (struct config){};
	return 0;
}

static void forget(void)
{
	stores_free(&stores);
	problems_free(&problems);
}

static int teardown(void **state)
{
	_cleanup_free_ char *command = xasprintf("rm -rf -- %s", home);

	(void)state;
	forget();
	seen_free(&seen);
	seen = (struct seen){0};
	fault.stopped = false;
	fault.magic = 0;
	assert_int_equal(system(command), 0);
	free(home);
	return 0;
}

// ---- making files; paths are relative to the home

static void make_parents(const char *path)
{
	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		_cleanup_free_ char *directory = xstrndup(path, (size_t)(p - path));

		if (mkdir(directory, 0700) < 0)
			assert_int_equal(errno, EEXIST);
	}
}

static char *make_file(const char *name, const char *text)
{
	char *path = path_join(home, name);
	_cleanup_close_ int fd = -1;

	make_parents(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, text, strlen(text)), 0);
	return path;
}

static void make(const char *name, const char *text)
{
	free(make_file(name, text));
}

static void make_link(const char *name, const char *to)
{
	_cleanup_free_ char *path = path_join(home, name);

	make_parents(path);
	assert_int_equal(symlink(to, path), 0);
}

static void make_database(const char *name, const char *sql)
{
	_cleanup_free_ char *path = path_join(home, name);
	sqlite3 *database = NULL;

	make_parents(path);
	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

#define AGENT_DATABASE(rows)                                                                       \
	"CREATE TABLE auth_profile_store (store_key TEXT PRIMARY KEY, store_json TEXT NOT NULL, "  \
	"updated_at INTEGER);" rows
#define AGENT_ROW                                                                                  \
	"INSERT INTO auth_profile_store VALUES ('primary', '{\"version\":1,\"profiles\":{}}', 1);"
#define STATE_DATABASE                                                                             \
	"CREATE TABLE config_machine_state (state_key TEXT PRIMARY KEY, value_json TEXT, "         \
	"updated_at_ms INTEGER);"                                                                  \
	"INSERT INTO config_machine_state VALUES ('auth.sharedStore', "                            \
	"'{\"location\":\"state-db\"}', 1), "                                                      \
	"('authProfiles.store', '{\"version\":1,\"profiles\":{}}', 1);"

// ---- asking

static void discover(void)
{
	forget();
	assert_int_equal(discover_stores(&config, NULL, NULL, &stores, &problems), 0);
}

// All stores as "role agent path(state) name name …; ", with the home left out.
static char *describe(void)
{
	char *all = xstrdup("");
	size_t skip = strlen(home) + 1;

	for (size_t i = 0; i < stores.n; i++) {
		const struct store *store = &stores.list[i];
		char *longer = xasprintf("%s%s %s %s", all, store_role_name(store->role),
					 store->agent ?: "-", store->path + skip);

		free(all);
		all = longer;
		for (size_t k = 0; k < store->n_names; k++) {
			longer = xasprintf("%s, %s", all, store->names[k] + skip);
			free(all);
			all = longer;
		}
		longer = xasprintf("%s; ", all);
		free(all);
		all = longer;
	}
	return all;
}

static void assert_stores(const char *expected)
{
	_cleanup_free_ char *all = NULL;

	discover();
	all = describe();
	assert_string_equal(all, expected);
}

static void assert_no_problem(void)
{
	if (problems.n > 0)
		fail_msg("%s: %s", problems.list->code, problems.list->message);
}

static void assert_problem(const char *code, enum severity severity, const char *part)
{
	assert_int_equal(problems.n, 1);
	assert_string_equal(problems.list->code, code);
	assert_int_equal(problems.list->severity, severity);
	assert_int_equal(problems.list->needs_person, severity == SEVERITY_ERROR);
	assert_non_null(problems.list->fix);
	if (!strstr(problems.list->message, part))
		fail_msg("%s", problems.list->message);
}

// ---- the state directory

static void make_states(void)
{
	make(".openclaw/agents/main/agent/auth-profiles.json", EMPTY_STORE);
	make("own/.openclaw/agents/main/agent/auth-profiles.json", EMPTY_STORE);
	make("legacy/.clawdbot/agents/main/agent/auth-profiles.json", EMPTY_STORE);
	make("named/agents/main/agent/auth-profiles.json", EMPTY_STORE);
}

static const struct {
	const char *home, *openclaw_home, *state_dir,
		*configured; // "H/" stands for the test's home
	const char *found;   // NULL: none
} state_dirs[] = {
	{"H/", NULL, NULL, NULL, ".openclaw"},
	{"H/", "", "  ", NULL, ".openclaw"},
	{"H/legacy", NULL, NULL, NULL, "legacy/.clawdbot"},
	{"H/nowhere", NULL, NULL, NULL, NULL},
	{"H/", "H/own", NULL, NULL, "own/.openclaw"},
	{"H/", " ~/own ", NULL, NULL, "own/.openclaw"},
	{"H/", "undefined", NULL, NULL, ".openclaw"},
	{"H/", "null", NULL, NULL, ".openclaw"},
	{"H/", NULL, "H/named", NULL, "named"},
	{"H/", NULL, " ~/named\n", NULL, "named"},
	{"H/", "H/own", "~/.openclaw", NULL, "own/.openclaw"},
	{"H/", "H/own", "H/named", "H/.openclaw", ".openclaw"},
	{"H/", NULL, "H/nowhere", "H/named", "named"},
};

static char *in_home(const char *path)
{
	if (!path || !string_starts(path, "H/"))
		return xstrdup(path);
	return path[2] ? path_join(home, path + 2) : xstrdup(home);
}

static void set(const char *name, const char *value)
{
	_cleanup_free_ char *path = in_home(value);

	if (path)
		setenv(name, path, 1);
	else
		unsetenv(name);
}

static const char *first_dir(void)
{
	return stores.n_dirs ? stores.dirs[0]->path : NULL;
}

static void test_state_dir(void **state)
{
	(void)state;
	make_states();
	for (size_t i = 0; i < ARRAY_SIZE(state_dirs); i++) {
		_cleanup_free_ char *configured = in_home(state_dirs[i].configured), *found = NULL;

		set("HOME", state_dirs[i].home);
		set("OPENCLAW_HOME", state_dirs[i].openclaw_home);
		set("OPENCLAW_STATE_DIR", state_dirs[i].state_dir);
		config.state_dir = configured;
		discover();
		found = state_dirs[i].found ? path_join(home, state_dirs[i].found) : NULL;
		if (!string_equal(first_dir(), found))
			fail_msg("%zu: %s rather than %s", i, first_dir(), found);
		assert_int_equal(stores.n, stores.n_dirs);
		assert_true(stores.n_dirs == 1 || (stores.n_dirs == 2 && state_dirs[i].state_dir) ||
			    !found);
		assert_no_problem();
	}
}

static void test_named_state_dir_is_missed(void **state)
{
	_cleanup_free_ char *nowhere = path_join(home, "nowhere"), *file = make_file("file", "");

	(void)state;
	make_states();
	setenv("OPENCLAW_STATE_DIR", nowhere, 1);
	assert_int_equal(discover_stores(&config, NULL, NULL, &stores, &problems), -ENOENT);
	unsetenv("OPENCLAW_STATE_DIR");
	config.state_dir = nowhere;
	assert_int_equal(discover_stores(&config, NULL, NULL, &stores, &problems), -ENOENT);
	config.state_dir = file;
	assert_int_equal(discover_stores(&config, NULL, NULL, &stores, &problems), -ENOTDIR);
	assert_int_equal(stores.n, 0);
}

static void test_state_dir_is_a_link(void **state)
{
	_cleanup_free_ char *real = path_join(home, "elsewhere");

	(void)state;
	make("elsewhere/agents/main/agent/auth-profiles.json", EMPTY_STORE);
	make_link(".openclaw", "elsewhere");
	assert_stores("main main elsewhere/agents/main/agent/auth-profiles.json, "
		      "elsewhere/agents/main/agent/auth-profiles.json; ");
	assert_string_equal(first_dir(), real);
}

static void test_state_dir_is_unsafe(void **state)
{
	_cleanup_free_ char *state_dir = path_join(home, ".openclaw");

	(void)state;
	make_states();
	assert_int_equal(chmod(state_dir, 0777), 0);
	assert_stores("");
	assert_problem("state_dir_unsafe", SEVERITY_ERROR, "writable");
	assert_string_equal(problems.list->store, state_dir);
}

// ---- agents

static void test_agents(void **state)
{
	(void)state;
	make(".openclaw/agents/zoe/agent/auth-profiles.json", ONE_LOGIN);
	make(".openclaw/agents/Adam/agent/auth-profiles.json", EMPTY_STORE);
	make(".openclaw/agents/main/agent/auth-profiles.json", EMPTY_STORE);
	make(".openclaw/agents/none/agent/auth-state.json", "{}");
	make(".openclaw/agents/.hidden/agent/auth-profiles.json", EMPTY_STORE);
	make(".openclaw/agents/a-file", "");
	make(".openclaw/auth-profiles.json", EMPTY_STORE);
	assert_stores("main main .openclaw/agents/main/agent/auth-profiles.json, "
		      ".openclaw/agents/main/agent/auth-profiles.json; "
		      "agent Adam .openclaw/agents/Adam/agent/auth-profiles.json, "
		      ".openclaw/agents/Adam/agent/auth-profiles.json; "
		      "agent zoe .openclaw/agents/zoe/agent/auth-profiles.json, "
		      ".openclaw/agents/zoe/agent/auth-profiles.json; ");
	assert_no_problem();
	// They have been read.
	assert_int_equal(stores.list[2].state, STORE_OK);
	assert_int_equal(stores.list[2].n_copies, 1);
	assert_int_equal(stores.list[2].mode, 0600);
}

// A listing that breaks off is unread, not short: none of what was seen may take main's place.
static void test_listing_breaks_off(void **state)
{
	(void)state;
	make(".openclaw/agents/main/agent/auth-profiles.json", EMPTY_STORE);
	make(".openclaw/agents/work/agent/auth-profiles.json", EMPTY_STORE);
	make(".openclaw/agents/home/agent/auth-profiles.json", EMPTY_STORE);
	for (int entries = 0; entries <= 5; entries++) { // "." and ".." among them
		fault.entries = entries;
		discover();
		fault.entries = -1;
		assert_true(stores.dirs[0]->unread);
		assert_problem("store_unreadable", SEVERITY_ERROR, "agents: Input/output error");
	}
	discover();
	assert_false(stores.dirs[0]->unread);
	assert_int_equal(stores.n, 3);
	assert_no_problem();
	_cleanup_free_ char *agents = path_join(home, ".openclaw/agents"),
			    *away = path_join(home, ".openclaw/away");
	assert_int_equal(rename(agents, away), 0);
	discover();
	assert_false(stores.dirs[0]->unread); // nobody is there yet
	assert_no_problem();
	assert_int_equal(symlink("agents", agents), 0);
	discover();
	assert_true(stores.dirs[0]->unread);
	assert_problem("store_unreadable", SEVERITY_ERROR, "agents: Too many levels");
	assert_int_equal(unlink(agents), 0);
}

// OpenClaw's main agent is where these variables say; agents/main is one like any other then.
static void test_moved_main(void **state)
{
	static const struct {
		const char *own, *shared, *main;
	} rows[] = {
		{NULL, NULL, "main main .openclaw/agents/main/agent"},
		{"H/own", NULL, "main main own"},
		{" ~/own ", "H/pi", "main main own"},
		{NULL, "H/pi", "main main pi"},
		{"", "H/pi", "main main pi"},
		{"H/nothing-in-it", NULL, "main main .openclaw/agents/main/agent"},
		{"H/own", "H/nothing-in-it", "main main own"},
		{"H/.openclaw/agents/main/agent", NULL, "main main .openclaw/agents/main/agent"},
	};

	(void)state;
	make(".openclaw/agents/main/agent/auth-profiles.json", EMPTY_STORE);
	make(".openclaw/agents/work/agent/auth-profiles.json", EMPTY_STORE);
	make("own/auth-profiles.json", EMPTY_STORE);
	make("pi/auth-profiles.json", EMPTY_STORE);
	make("nothing-in-it/auth.json", "{}");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *all = NULL;
		bool moved = !strstr(rows[i].main, "agents/main");

		set("OPENCLAW_AGENT_DIR", rows[i].own);
		set("PI_CODING_AGENT_DIR", rows[i].shared);
		discover();
		all = describe();
		if (!string_starts(all, rows[i].main))
			fail_msg("row %zu: %s", i, all);
		assert_int_equal(stores.n, moved ? 3 : 2);
		for (size_t k = 1; k < stores.n; k++)
			assert_int_equal(stores.list[k].role, ROLE_AGENT);
		assert_no_problem();
	}
	// With SQLite, too.
	set("PI_CODING_AGENT_DIR", NULL);
	set("OPENCLAW_AGENT_DIR", "H/database");
	make_database("database/openclaw-agent.sqlite", AGENT_DATABASE(AGENT_ROW));
	discover();
	assert_int_equal(stores.list[0].role, ROLE_MAIN);
	assert_int_equal(stores.list[0].format, STORE_OPENCLAW_SQLITE);
	assert_string_equal(stores.list[0].agent, "main");
	clear_environment();
}

// Where the timer does not have the variable it is said, and the configuration can say it.
static void test_main_is_missed(void **state)
{
	_cleanup_free_ char *outside = make_file("own/auth-profiles.json", EMPTY_STORE);
	struct config_store named = {.path = outside, .role = ROLE_MAIN};

	(void)state;
	make(".openclaw/agents/work/agent/auth-profiles.json", EMPTY_STORE);
	make(".openclaw/agents/home/agent/auth-profiles.json", EMPTY_STORE);
	discover();
	assert_problem("main_missing", SEVERITY_WARNING, "main has none");
	assert_non_null(strstr(problems.list->fix, "role = \"main\""));
	config.stores = &named;
	config.n_stores = 1;
	assert_stores("main main own/auth-profiles.json, own/auth-profiles.json; "
		      "agent home .openclaw/agents/home/agent/auth-profiles.json, "
		      ".openclaw/agents/home/agent/auth-profiles.json; "
		      "agent work .openclaw/agents/work/agent/auth-profiles.json, "
		      ".openclaw/agents/work/agent/auth-profiles.json; ");
	assert_no_problem();
	// An agent like any other, beside it.
	make(".openclaw/agents/main/agent/auth-profiles.json", EMPTY_STORE);
	discover();
	assert_int_equal(stores.n, 4);
	for (size_t i = 0; i < stores.n; i++)
		assert_int_equal(stores.list[i].role, i == 0 ? ROLE_MAIN : ROLE_AGENT);
}

static void test_bad_store_stops_nobody(void **state)
{
	(void)state;
	make(".openclaw/agents/main/agent/auth-profiles.json", "{");
	make(".openclaw/agents/a/agent/auth-profiles.json", ONE_LOGIN);
	discover();
	assert_int_equal(stores.n, 2);
	assert_int_equal(stores.list[0].state, STORE_UNREADABLE);
	assert_int_equal(stores.list[1].state, STORE_OK);
	assert_problem("store_unreadable", SEVERITY_ERROR,
		       "agents/main/agent/auth-profiles.json:1:");
}

// The operators' workaround: every agent's file is a link to main's. One file, and a lock for each
// name.
static void test_links_to_main(void **state)
{
	(void)state;
	make(".openclaw/agents/main/agent/auth-profiles.json", ONE_LOGIN);
	make_link(".openclaw/agents/a/agent/auth-profiles.json",
		  "../../main/agent/auth-profiles.json");
	make_link(".openclaw/agents/b/agent/auth-profiles.json",
		  "../../a/agent/auth-profiles.json");
	make_link(".openclaw/agents/c", "main"); // a directory: the same lexical name
	assert_stores("main main .openclaw/agents/main/agent/auth-profiles.json, "
		      ".openclaw/agents/a/agent/auth-profiles.json, "
		      ".openclaw/agents/b/agent/auth-profiles.json, "
		      ".openclaw/agents/main/agent/auth-profiles.json; ");
	assert_no_problem();
}

static void test_link_out_of_the_state_dir(void **state)
{
	(void)state;
	make("shared/tokens.json", ONE_LOGIN);
	make_link(".openclaw/agents/main/agent/auth-profiles.json",
		  "../../../../shared/tokens.json");
	make_link(".openclaw/agents/a/agent/auth-profiles.json", "../../../../shared/tokens.json");
	assert_stores("main main .openclaw/agents/main/agent/auth-profiles.json, "
		      ".openclaw/agents/a/agent/auth-profiles.json, "
		      ".openclaw/agents/main/agent/auth-profiles.json, "
		      "shared/tokens.json; ");
	assert_true(string_ends(stores.list->target, "/shared/tokens.json"));
}

static void test_hard_links_are_two(void **state)
{
	_cleanup_free_ char *from =
		make_file(".openclaw/agents/main/agent/auth-profiles.json", ONE_LOGIN);
	_cleanup_free_ char *to = path_join(home, ".openclaw/agents/a/agent/auth-profiles.json");

	(void)state;
	make_parents(to);
	assert_int_equal(link(from, to), 0);
	discover();
	assert_int_equal(stores.n, 2);
	assert_string_equal(stores.list[0].target, from);
	assert_string_equal(stores.list[1].target, to);
}

static void test_links_that_lead_nowhere(void **state)
{
	static const char *const targets[] = {"nowhere.json", "auth-profiles.json"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		_cleanup_free_ char *link =
			path_join(home, ".openclaw/agents/a/agent/auth-profiles.json");

		make_link(".openclaw/agents/a/agent/auth-profiles.json", targets[i]);
		assert_stores("");
		assert_problem("store_dangling_link", SEVERITY_WARNING, "leads nowhere");
		assert_string_equal(problems.list->store, link);
		assert_int_equal(unlink(link), 0);
	}
}

// Where what it leads to is merely out of reach, nobody is told to remove it.
static void test_a_link_that_cannot_be_followed(void **state)
{
	char target[301];

	(void)state;
	memset(target, 'x', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	make_link(".openclaw/agents/a/agent/auth-profiles.json", target);
	assert_stores("");
	assert_problem("store_unreadable", SEVERITY_ERROR, strerror(ENAMETOOLONG));
	assert_true(!problems.list->fix || !string_starts(problems.list->fix, "rm "));
}

static void test_hostile_agent_name(void **state)
{
	(void)state;
	make(".openclaw/agents/main/agent/auth-profiles.json", EMPTY_STORE);
	make(".openclaw/agents/a\n\x1b[31m/agent/auth-profiles.json", "{");
	discover();
	assert_int_equal(stores.n, 2);
	assert_problem("store_unreadable", SEVERITY_ERROR, "agents/a\\x0A\\x1B[31m/agent");
	assert_null(strchr(problems.list->message, '\n'));
}

// ---- openclaw.json

static const struct {
	const char *name, *text;
	const char *agents;  // directories found, in order, or ""
	const char *problem; // part of the message of openclaw_config_unread
} openclaw_configs[] = {
	{"plain",
	 "{\"agents\":{\"list\":[{\"id\":\"b\",\"agentDir\":\"~/"
	 "dir-b\"},{\"id\":\"a\",\"agentDir\":\" ~/dir-a \"}]}}",
	 "agent a dir-a; agent b dir-b; ", NULL},
	{"ids as OpenClaw makes them",
	 "{\"agents\":{\"list\":[{\"id\":\" --Code & "
	 "Review!\",\"agentDir\":\"~/dir-a\"},{\"agentDir\":\"~/dir-b\"}]}}",
	 "agent code-review dir-a; agent main dir-b; ", NULL},
	{"dashes that stood there",
	 "{\"agents\":{\"list\":[{\"id\":\"a-!?b\",\"agentDir\":\"~/dir-a\"},"
	 "{\"id\":\"!--c -_!\",\"agentDir\":\"~/dir-b\"}]}}",
	 "agent a--b dir-a; agent c--_ dir-b; ", NULL},
	{"comments",
	 "// \"agents\": {\n{ /* \" */ \"url\": \"https://x/*y\\\"//\", \"agents\" /**/ : "
	 "{\"list\":[ // here\n"
	 "{\"id\":\"a\",\"agentDir\":\"~/dir-a\"/*,*/}]}}// end",
	 "agent a dir-a; ", NULL},
	{"no directory",
	 "{\"agents\":{\"list\":[{\"id\":\"a\"},{\"id\":\"b\",\"agentDir\":\"\"},7,{\"agentDir\":7}"
	 "]}}",
	 "", NULL},
	{"no list", "{\"agents\":[]}", "", NULL},
	{"not an object", "[]", "", NULL},
	{"JSON5", "{agents:{list:[{id:'a',agentDir:'~/dir-a'}]}}", "", "not JSON"},
	{"open comment", "{} /* ", "", NULL},
	{"cut", "{\"agents\":\"\\", "", "not JSON"},
	{"empty", "", "", "not JSON"},
	{"relative",
	 "{\"agents\":{\"list\":[{\"agentDir\":\"dir-a\"},{\"id\":\"b\",\"agentDir\":\"~/"
	 "dir-b\"}]}}",
	 "agent b dir-b; ", "relative"},
	{"include",
	 "{\"$include\":\"./x.json\",\"agents\":{\"list\":[{\"id\":\"b\",\"agentDir\":\"~/"
	 "dir-b\"}]}}",
	 "agent b dir-b; ", "$include"},
};

static char *describe_agents(void)
{
	char *all = xstrdup("");

	for (size_t i = 0; i < stores.n; i++) {
		_cleanup_free_ char *directory = path_dirname(stores.list[i].path), *before = NULL;

		if (stores.list[i].role == ROLE_MAIN)
			continue;
		before = all;
		all = xasprintf("%s%s %s %s; ", before, store_role_name(stores.list[i].role),
				stores.list[i].agent, directory + strlen(home) + 1);
	}
	return all;
}

#define MAIN_STORE ".openclaw/agents/main/agent/auth-profiles.json"

static void test_openclaw_config(void **state)
{
	(void)state;
	make(MAIN_STORE, EMPTY_STORE);
	make("dir-a/auth-profiles.json", EMPTY_STORE);
	make("dir-b/auth-profiles.json", EMPTY_STORE);
	for (size_t i = 0; i < ARRAY_SIZE(openclaw_configs); i++) {
		_cleanup_free_ char *agents = NULL;

		make(".openclaw/openclaw.json", openclaw_configs[i].text);
		discover();
		agents = describe_agents();
		if (!string_equal(agents, openclaw_configs[i].agents))
			fail_msg("%s: %s", openclaw_configs[i].name, agents);
		if (openclaw_configs[i].problem)
			assert_problem("openclaw_config_unread", SEVERITY_WARNING,
				       openclaw_configs[i].problem);
		else
			assert_no_problem();
	}
}

static void test_openclaw_config_path(void **state)
{
	_cleanup_free_ char *agents = NULL, *more = NULL;

	(void)state;
	make(MAIN_STORE, EMPTY_STORE);
	make("dir-a/auth-profiles.json", EMPTY_STORE);
	make("dir-b/auth-profiles.json", EMPTY_STORE);
	make(".openclaw/clawdbot.json",
	     "{\"agents\":{\"list\":[{\"id\":\"a\",\"agentDir\":\"~/dir-a\"}]}}");
	discover();
	agents = describe_agents();
	assert_string_equal(agents, "agent a dir-a; ");
	make("other.json", "{\"agents\":{\"list\":[{\"id\":\"b\",\"agentDir\":\"~/dir-b\"}]}}");
	setenv("OPENCLAW_CONFIG_PATH", " ~/other.json", 1);
	discover();
	more = describe_agents();
	assert_string_equal(more, "agent b dir-b; ");
	assert_no_problem();
	setenv("OPENCLAW_CONFIG_PATH", "~/nowhere.json", 1);
	assert_stores("main main " MAIN_STORE ", " MAIN_STORE "; ");
	assert_no_problem();
}

static void test_openclaw_config_too_large(void **state)
{
	_cleanup_free_ char *text = xcalloc((1 << 20) + 2, 1);

	(void)state;
	memset(text, ' ', (1 << 20) + 1);
	make(".openclaw/openclaw.json", text);
	assert_stores("");
	assert_int_equal(problems.n, 1);
	assert_string_equal(problems.list->code, "openclaw_config_unread");
}

// ---- the configuration's stores

static void test_configured(void **state)
{
	_cleanup_free_ char *main_store =
		make_file(".openclaw/agents/main/agent/auth-profiles.json", EMPTY_STORE);
	_cleanup_free_ char *outside = make_file("work/auth-profiles.json", ONE_LOGIN);
	_cleanup_free_ char *agent =
		make_file("other/agents/Bob/agent/auth-profiles.json", EMPTY_STORE);
	_cleanup_free_ char *missing = path_join(home, "gone/auth-profiles.json");
	struct config_store named[] = {
		{.path = main_store, .role = ROLE_EXTERNAL}, // known already, and main
		{.path = outside, .role = ROLE_EXTERNAL},    {.path = agent, .role = ROLE_AGENT},
		{.path = outside, .role = ROLE_AGENT}, // the stronger role counts
		{.path = missing, .role = ROLE_EXTERNAL},
	};

	(void)state;
	make(".openclaw/openclaw.json", "{json5:1}");
	config.stores = named;
	config.n_stores = ARRAY_SIZE(named);
	assert_stores("main main .openclaw/agents/main/agent/auth-profiles.json, "
		      ".openclaw/agents/main/agent/auth-profiles.json; "
		      "agent work work/auth-profiles.json, work/auth-profiles.json; "
		      "agent Bob other/agents/Bob/agent/auth-profiles.json, "
		      "other/agents/Bob/agent/auth-profiles.json; ");
	assert_int_equal(problems.n, 2);
	// Who names stores has followed the advice: no warning any more.
	assert_string_equal(problems.list[0].code, "openclaw_config_unread");
	assert_int_equal(problems.list[0].severity, SEVERITY_INFO);
	assert_string_equal(problems.list[1].code, "store_missing");
	assert_int_equal(problems.list[1].severity, SEVERITY_WARNING);
	assert_string_equal(problems.list[1].store, missing);
	assert_int_equal(stores.list[1].n_copies, 1);
}

static void test_configured_alone(void **state)
{
	_cleanup_free_ char *outside = make_file("work/auth-profiles.json", ONE_LOGIN);
	struct config_store named = {.path = outside, .role = ROLE_EXTERNAL};

	(void)state;
	config.stores = &named;
	config.n_stores = 1;
	assert_stores("external - work/auth-profiles.json, work/auth-profiles.json; ");
	assert_null(first_dir());
	assert_no_problem();
}

// ---- retired

static void make_three_agents(void)
{
	make(".openclaw/agents/main/agent/auth-profiles.json", ONE_LOGIN);
	make(".openclaw/agents/a/agent/auth-profiles.json", ONE_LOGIN);
	make("shared/auth-profiles.json", ONE_LOGIN);
	make_link(".openclaw/agents/b/agent/auth-profiles.json",
		  "../../../../shared/auth-profiles.json");
}

static const struct store *store_named(const char *end)
{
	for (size_t i = 0; i < stores.n; i++)
		if (string_ends(stores.list[i].path, end))
			return &stores.list[i];
	fail_msg("no store %s", end);
	return NULL;
}

static void assert_states(enum store_state main_state, enum store_state a, enum store_state b)
{
	static const char *const names[] = {"main/agent/auth-profiles.json",
					    "a/agent/auth-profiles.json",
					    "b/agent/auth-profiles.json"};
	const enum store_state states[] = {main_state, a, b};

	discover();
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(store_named(names[i])->state, states[i]);
		assert_int_equal(store_named(names[i])->n_copies, 1); // shown, if retired
	}
}

static void assert_database(const char *name, enum store_role role, const char *agent,
			    enum store_state is)
{
	const struct store *store = store_named(name);

	assert_int_equal(store->format, STORE_OPENCLAW_SQLITE);
	assert_int_equal(store->role, role);
	assert_int_equal(store->state, is);
	assert_true(string_equal(store->agent, agent));
	assert_int_equal(store->n_names, 0); // no lock files
}

static void test_retired_agent(void **state)
{
	(void)state;
	make_three_agents();
	make_database(".openclaw/agents/a/agent/openclaw-agent.sqlite", "CREATE TABLE board (x)");
	assert_states(STORE_OK, STORE_OK, STORE_OK);
	assert_int_equal(stores.n, 3);
	assert_no_problem();
	// Nothing in it yet, but whoever made it reads no JSON.
	make_database(".openclaw/agents/a/agent/openclaw-agent.sqlite", AGENT_DATABASE(""));
	assert_states(STORE_OK, STORE_RETIRED, STORE_OK);
	assert_int_equal(stores.n, 3);
	assert_problem("store_retired", SEVERITY_WARNING,
		       "a/agent/auth-profiles.json: OpenClaw now keeps");
	assert_non_null(strstr(problems.list->fix, "openclaw doctor --fix"));
	make_database(".openclaw/agents/a/agent/openclaw-agent.sqlite", AGENT_ROW);
	assert_states(STORE_OK, STORE_RETIRED, STORE_OK);
	assert_database("a/agent/openclaw-agent.sqlite", ROLE_AGENT, "a", STORE_OK);
	assert_true(store_named("a/agent/auth-profiles.json")->served);
}

// No descriptor left to look for its database: it may have replaced the file.
static void test_blind(void **state)
{
	(void)state;
	make_three_agents();
	fault.unseen = "a/agent";
	discover();
	fault.unseen = NULL;
	assert_int_equal(store_named("main/agent/auth-profiles.json")->state, STORE_RETIRED);
	assert_false(store_named("main/agent/auth-profiles.json")->served);
	assert_states(STORE_OK, STORE_OK, STORE_OK);
}

// The user's own affair, so its database is none of ours; but beside it the file is dead.
static void test_external_beside_a_database(void **state)
{
	_cleanup_free_ char *outside = make_file("work/auth-profiles.json", ONE_LOGIN);
	struct config_store named = {.path = outside, .role = ROLE_EXTERNAL};

	(void)state;
	make_three_agents();
	make_database("work/openclaw-agent.sqlite", AGENT_DATABASE(AGENT_ROW));
	config.stores = &named;
	config.n_stores = 1;
	discover();
	for (size_t i = 0; i < stores.n; i++)
		assert_int_equal(stores.list[i].format, STORE_OPENCLAW_JSON);
	assert_int_equal(store_named("work/auth-profiles.json")->state, STORE_RETIRED);
	assert_int_equal(stores.n, 4);
}

static void test_retired_by_any_name(void **state)
{
	(void)state;
	make_three_agents();
	make_database(".openclaw/agents/b/agent/openclaw-agent.sqlite", AGENT_DATABASE(AGENT_ROW));
	assert_states(STORE_OK, STORE_OK, STORE_RETIRED);
	// Without a byte it is one that was cut off, and what it held is not known.
	make(".openclaw/agents/b/agent/openclaw-agent.sqlite", "");
	assert_states(STORE_OK, STORE_OK, STORE_RETIRED);
	assert_false(store_named("b/agent/auth-profiles.json")->served);
}

static void test_retired_state(void **state)
{
	_cleanup_free_ char *outside = make_file("work/auth-profiles.json", ONE_LOGIN);
	_cleanup_free_ char *agent = make_file("bob/auth-profiles.json", ONE_LOGIN);
	struct config_store named[] = {{.path = agent, .role = ROLE_AGENT},
				       {.path = outside, .role = ROLE_EXTERNAL}};

	(void)state;
	make_three_agents();
	make_database(".openclaw/agents/main/agent/openclaw-agent.sqlite",
		      AGENT_DATABASE(AGENT_ROW));
	make_database(".openclaw/state/openclaw.sqlite", STATE_DATABASE);
	assert_states(STORE_RETIRED, STORE_RETIRED, STORE_RETIRED);
	assert_database("state/openclaw.sqlite", ROLE_SHARED, NULL, STORE_OK);
	assert_ptr_equal(store_named("state/openclaw.sqlite"), stores.list);
	assert_database("main/agent/openclaw-agent.sqlite", ROLE_AGENT, "main", STORE_OK);

	config.stores = named;
	config.n_stores = ARRAY_SIZE(named);
	discover();
	assert_int_equal(store_named("bob/auth-profiles.json")->state, STORE_RETIRED);
	assert_int_equal(store_named("work/auth-profiles.json")->state, STORE_OK);
}

// What is wrong in a dead file concerns nobody.
static void test_retired_and_broken(void **state)
{
	(void)state;
	make(".openclaw/agents/main/agent/auth-profiles.json", "{");
	make_database(".openclaw/state/openclaw.sqlite", STATE_DATABASE);
	discover();
	assert_int_equal(store_named("auth-profiles.json")->state, STORE_RETIRED);
	assert_problem("store_retired", SEVERITY_WARNING, "auth-profiles.json: OpenClaw now keeps");
}

static void test_unreadable_database_retires(void **state)
{
	(void)state;
	make_three_agents();
	make(".openclaw/agents/main/agent/openclaw-agent.sqlite",
	     "no database at all, but there it is, and nobody knows");
	assert_states(STORE_RETIRED, STORE_OK, STORE_OK);
	assert_database("main/agent/openclaw-agent.sqlite", ROLE_MAIN, "main", STORE_UNREADABLE);
	assert_false(store_named("main/agent/auth-profiles.json")->served);
}

// A state database that cannot be judged may be where everything is.
static void test_unreadable_state(void **state)
{
	(void)state;
	make_three_agents();
	make_database(".openclaw/agents/main/agent/openclaw-agent.sqlite",
		      AGENT_DATABASE(AGENT_ROW));
	make_database(".openclaw/state/openclaw.sqlite", STATE_DATABASE
		      "ALTER TABLE config_machine_state RENAME COLUMN value_json TO value");
	assert_states(STORE_RETIRED, STORE_RETIRED, STORE_RETIRED);
	assert_database("state/openclaw.sqlite", ROLE_SHARED, NULL, STORE_UNREADABLE);
	assert_database("main/agent/openclaw-agent.sqlite", ROLE_AGENT, "main", STORE_OK);
	assert_false(store_named("main/agent/auth-profiles.json")->served);
}

// After a migration up to 2026.7: main is agents/main's database.
static void test_migrated(void **state)
{
	(void)state;
	make_database(".openclaw/agents/main/agent/openclaw-agent.sqlite",
		      AGENT_DATABASE(AGENT_ROW));
	discover();
	assert_int_equal(stores.n, 1);
	assert_database("main/agent/openclaw-agent.sqlite", ROLE_MAIN, "main", STORE_OK);
	assert_no_problem();
}

// ---- look after look of one run

#define STORE(agent) ".openclaw/agents/" agent "/agent/auth-profiles.json"
#define LOGIN(token)                                                                               \
	"{\"version\":1,\"profiles\":{\"xai:default\":{\"type\":\"oauth\",\"provider\":\"xai\","   \
	"\"access\":\"FAKE-ACCESS\",\"refresh\":\"" token "\"}}}\n"

static void pass_time(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 80 * 1000 * 1000}, NULL);
}

static void make_two(void)
{
	fault.magic = 0xef53; // ext4
	make(STORE("main"), LOGIN("FAKE-REFRESH-1"));
	make(STORE("work"), LOGIN("FAKE-REFRESH-2"));
}

// How many stores were opened for it.
static unsigned look_again(void)
{
	unsigned before = opened;

	forget();
	assert_int_equal(discover_stores(&config, NULL, &seen, &stores, &problems), 0);
	return opened - before;
}

static void assert_token(size_t store, const char *token)
{
	assert_int_equal(stores.list[store].state, STORE_OK);
	assert_int_equal(stores.list[store].n_copies, 1);
	assert_string_equal(stores.list[store].copies[0]->credential.refresh.text, token);
}

static void test_unchanged_is_read_once(void **state)
{
	(void)state;
	make_two();
	pass_time();
	assert_int_equal(look_again(), 2);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(look_again(), 0);
		assert_token(0, "FAKE-REFRESH-1");
		assert_token(1, "FAKE-REFRESH-2");
		assert_int_equal(stores.list[1].mode, 0600);
		assert_int_equal(stores.list[1].links, 1);
		assert_no_problem();
	}
}

static void write_in_place(const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, LOGIN("FAKE-REFRESH-3"), strlen(LOGIN("FAKE-REFRESH-3"))),
			 0);
}

static void replace(const char *path)
{
	_cleanup_free_ char *other = make_file("other", LOGIN("FAKE-REFRESH-3"));

	assert_int_equal(rename(other, path), 0);
}

// As long, and as old by the time that anybody can set.
static void test_changed_is_read(void **state)
{
	void (*const ways[])(const char *path) = {write_in_place, replace};
	struct stat before;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		_cleanup_free_ char *path = path_join(home, STORE("work"));
		make_two();
		pass_time();
		assert_int_equal(look_again(), 2);
		assert_int_equal(stat(path, &before), 0);
		ways[i](path);
		const struct timespec times[] = {before.st_atim, before.st_mtim};
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
		assert_int_equal(look_again(), 1);
		assert_token(0, "FAKE-REFRESH-1");
		assert_token(1, "FAKE-REFRESH-3");
	}
}

// Written within the same tick before the look and after it: nothing but the text differs.
static void test_racy_write_is_read(void **state)
{
	struct timespec now;

	(void)state;
	make_two();
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	fault.stopped = true;
	// A little ahead, so that it is no older however long the next lines take.
	fault.time = (struct statx_timestamp){.tv_sec = now.tv_sec + 60, .tv_nsec = 1};
	assert_int_equal(look_again(), 2);
	make(STORE("work"), LOGIN("FAKE-REFRESH-3"));
	assert_int_equal(look_again(), 2);
	assert_token(1, "FAKE-REFRESH-3");
	fault.time.tv_sec = now.tv_sec - 1; // what is read now has been there for longer than that
	assert_int_equal(look_again(), 2);
	assert_int_equal(look_again(), 0);
}

// It keeps whole seconds, or is another machine's.
static void test_odd_clock_is_not_believed(void **state)
{
	(void)state;
	make_two();
	fault.stopped = true;
	fault.time = (struct statx_timestamp){.tv_sec = time(NULL) - 3600};
	for (int i = 0; i < 3; i++)
		assert_int_equal(look_again(), 2);
	fault.stopped = false;
	fault.magic = 0x6969; // NFS
	pass_time();
	for (int i = 0; i < 3; i++)
		assert_int_equal(look_again(), 2);
}

// What is asked of a store's place is asked at every look; what is wrong with it is said at every look.
static void test_unchanged_is_judged_anew(void **state)
{
	_cleanup_free_ char *directory = path_join(home, ".openclaw/agents/work/agent");
	_cleanup_free_ char *readable = make_file(STORE("main"), LOGIN("FAKE-REFRESH-1"));

	(void)state;
	make(STORE("work"), LOGIN("FAKE-REFRESH-2"));
	fault.magic = 0xef53;
	make(STORE("torn"), "{\"version\":1,");
	assert_int_equal(chmod(home, 0755), 0);
	assert_int_equal(chmod(readable, 0644), 0);
	pass_time();
	assert_int_equal(look_again(), 3);
	assert_int_equal(problems.n, 1);
	assert_int_equal(look_again(), 1); // the torn one
	assert_int_equal(problems.n, 1);
	assert_int_equal(chmod(directory, 0777), 0);
	look_again();
	assert_int_equal(stores.list[2].state, STORE_REFUSED);
	assert_int_equal(stores.list[2].n_copies, 0);
	assert_int_equal(chmod(directory, 0700), 0);
	assert_int_equal(look_again(), 2);
	assert_token(2, "FAKE-REFRESH-2");
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_state_dir),
		test(test_named_state_dir_is_missed),
		test(test_state_dir_is_a_link),
		test(test_state_dir_is_unsafe),
		test(test_agents),
		test(test_listing_breaks_off),
		test(test_moved_main),
		test(test_main_is_missed),
		test(test_bad_store_stops_nobody),
		test(test_links_to_main),
		test(test_link_out_of_the_state_dir),
		test(test_hard_links_are_two),
		test(test_links_that_lead_nowhere),
		test(test_a_link_that_cannot_be_followed),
		test(test_hostile_agent_name),
		test(test_openclaw_config),
		test(test_openclaw_config_path),
		test(test_openclaw_config_too_large),
		test(test_configured),
		test(test_configured_alone),
		test(test_retired_agent),
		test(test_blind),
		test(test_external_beside_a_database),
		test(test_retired_by_any_name),
		test(test_retired_state),
		test(test_retired_and_broken),
		test(test_unreadable_database_retires),
		test(test_unreadable_state),
		test(test_migrated),
		test(test_unchanged_is_read_once),
		test(test_changed_is_read),
		test(test_racy_write_is_read),
		test(test_odd_clock_is_not_believed),
		test(test_unchanged_is_judged_anew),
	};

	return cmocka_run_group_tests_name("discover", tests, NULL, NULL);
}
