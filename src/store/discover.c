// SPDX-License-Identifier: MIT
//
// Find the stores, in steps:
//  - the state directories (store/state_dirs.h); then for each:
//  - candidates: main, agents/*, agents.list of openclaw.json, the configuration;
//  - databases: the shared store, and those of the agents;
//  - one store per target, with all the names it goes by;
//  - JSON that a database replaced is retired;
//  - read.
// (facts: openclaw-json-store.md 1; openclaw-sqlite-store.md 1.4)
#include "file/obstacle.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "config/config.h"
#include "store/known.h"
#include "store/openclaw_config.h"
#include "file/safe_path.h"
#include "store/openclaw_sqlite.h"
#include "store/seen.h"
#include "store/sqlite_look.h"
#include "store/state_dirs.h"

#define STORE_FILE     "auth-profiles.json"
#define AGENT_DATABASE "openclaw-agent.sqlite"
#define STATE_DATABASE "state/openclaw.sqlite"
#define LOOK_PAUSE_MS  20

// A path where a store may be.
struct candidate {
	char *path;
	char *agent;
	enum store_role role;
	const struct config_store
		*configured; // named by a person, who wants to know if it is not there
};
struct candidates {
	struct candidate *list;
	size_t n;
};

static bool is_foreign(const struct candidate *candidate)
{
	return candidate->configured && candidate->configured->format;
}

static void candidates_free(struct candidates *candidates)
{
	for (size_t i = 0; i < candidates->n; i++) {
		free(candidates->list[i].path);
		free(candidates->list[i].agent);
	}
	free(candidates->list);
}

// A directory whose database was looked at.
struct database {
	char *directory; // real path
	enum sqlite_verdict verdict;
};
struct databases {
	struct database *list;
	size_t n;
	struct index by_directory;
	struct sqlite_survey state;
	bool blind; // some directory could not be looked into
};

static void databases_free(struct databases *databases)
{
	for (size_t i = 0; i < databases->n; i++)
		free(databases->list[i].directory);
	free(databases->list);
	index_free(&databases->by_directory);
	sqlite_survey_free(&databases->state);
}

// Takes `rest`, what is said after the path.
static void complain(struct problems *problems, enum severity severity, const char *code,
		     const char *path, char *rest, const char *fix)
{
	_cleanup_free_ char *shown = string_printable(path, PATH_SHOWN), *owned = rest;
	struct problem *problem = problem_add(problems, severity, code, path, NULL,
					      xasprintf("%s%s", shown, owned), xstrdup(fix));

	problem->needs_person = severity == SEVERITY_ERROR;
}

// ---- a state directory

// What is done for one of them. `dir` NULL: there is none, only the configuration's stores.
struct search {
	struct stores *stores;
	struct seen *seen;
	struct state_dir *dir;
	size_t first; // of the stores that it adds
	const struct config *config;
	const char *home;
	struct problems *problems;
	struct candidates candidates;
	struct databases databases;
};

static bool state_dir_is_safe(const struct search *s)
{
	char *message = NULL, *fix = NULL;
	int r = path_check_directory(s->dir->path, &message, &fix);

	s->dir->unread = r != 0;
	if (r == 0)
		return true;
	if (r == -EPERM && message)
		problem_add(s->problems, SEVERITY_ERROR, "state_dir_unsafe", s->dir->path, NULL,
			    message, fix)
			->needs_person = true;
	if (r == -EPERM && message)
		return false;
	_cleanup_free_ char *remedy = unreadable_fix(s->dir->path, r);
	complain(s->problems, SEVERITY_ERROR, "state_dir_unsafe", s->dir->path,
		 xasprintf(": %s", strerror(-r)), remedy);
	return false;
}

// ---- candidates

static void add_candidate(struct candidates *candidates, enum store_role role,
			  const char *agent_directory, const char *agent)
{
	struct candidate *candidate = array_add(&candidates->list, &candidates->n);

	candidate->path = path_join(agent_directory, STORE_FILE);
	candidate->agent = xstrdup(agent);
	candidate->role = role;
}

// What cannot be listed is unread, not empty.
static void say_unlisted(const char *agents, int error, const struct search *s)
{
	_cleanup_free_ char *fix = unreadable_fix(agents, -error);

	s->dir->unread = true;
	complain(s->problems, SEVERITY_ERROR, "store_unreadable", agents,
		 xasprintf(": %s", strerror(error)), fix);
}

static void add_agent_directories(struct search *s, enum store_role role_of_main)
{
	_cleanup_free_ char *agents = path_join(s->dir->path, "agents");
	_cleanup_directory_ DIR *directory = opendir(agents);
	struct places *places = &s->stores->known->places;

	if (!directory) {
		if (errno != ENOENT)
			say_unlisted(agents, errno, s);
		return;
	}
	places_stay_near(places, agents);
	for (;;) {
		_cleanup_free_ char *agent = NULL, *path = NULL;
		const struct dirent *entry;

		errno = 0;
		entry = readdir(directory);
		if (!entry && errno)
			say_unlisted(agents, errno, s);
		if (!entry)
			return;
		if (entry->d_name[0] == '.')
			continue;
		agent = path_join(agents, entry->d_name);
		path = path_join(agent, "agent");
		add_candidate(&s->candidates,
			      string_equal(entry->d_name, "main") ? role_of_main : ROLE_AGENT, path,
			      entry->d_name);
	}
}

static bool holds(const char *directory, const char *name)
{
	_cleanup_free_ char *path = path_join(directory, name);
	struct stat st;

	return stat(path, &st) == 0;
}

// Where OpenClaw's main agent is, if not in agents/main. 2026.6.1 does not ask these variables, and the second is another
// program's, too: an empty directory says nothing.
static char *find_moved_main(const char *home)
{
	_cleanup_free_ char *own = environment("OPENCLAW_AGENT_DIR"),
			    *shared = environment("PI_CODING_AGENT_DIR");
	_cleanup_free_ char *expanded = own || shared ? path_expand(own ?: shared, home) : NULL;
	_cleanup_free_ char *directory = expanded ? path_absolute(expanded) : NULL;

	return directory && (holds(directory, STORE_FILE) || holds(directory, AGENT_DATABASE))
		       ? TAKE_PTR(directory)
		       : NULL;
}

static void add_listed_agents(struct search *s)
{
	// Naming them in `stores` is the remedy we offer: who has stores there need not be warned
	// again.
	enum severity severity = s->config->n_stores > 0 ? SEVERITY_INFO : SEVERITY_WARNING;
	_cleanup_(openclaw_agents_free) struct openclaw_agents agents = {};

	openclaw_config_agents(s->dir->path, s->home, severity, &agents, s->problems);
	s->dir->version = TAKE_PTR(agents.version);
	for (size_t i = 0; i < agents.n; i++)
		add_candidate(&s->candidates, ROLE_AGENT, agents.list[i].directory,
			      agents.list[i].id);
}

static int compare_candidates(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;
	int r;

	if (a->role != b->role)
		return a->role < b->role ? -1 : 1;
	r = strcmp(a->agent, b->agent);
	return r != 0 ? r : strcmp(a->path, b->path);
}

// The agent a configured store belongs to, from OpenClaw's layout <id>/agent/auth-profiles.json.
static char *guess_agent(const char *path)
{
	_cleanup_free_ char *directory = path_dirname(path), *above = path_dirname(directory);

	return xstrdup(
		path_basename(string_equal(path_basename(directory), "agent") ? above : directory));
}

// Where it lies, else the first.
static bool is_configured_here(const struct search *s, const char *path)
{
	for (size_t i = 0; i < s->stores->n_dirs; i++)
		if (path_is_below(path, s->stores->dirs[i]->path))
			return s->stores->dirs[i] == s->dir;
	return !s->dir || s->dir == s->stores->dirs[0];
}

// Main's, or all others, which come after those that were found.
static void add_configured(struct search *s, bool mains)
{
	for (size_t i = 0; i < s->config->n_stores; i++) {
		const struct config_store *named = &s->config->stores[i];
		struct candidate *candidate;

		if ((named->role == ROLE_MAIN) != mains || !is_configured_here(s, named->path))
			continue;
		candidate = array_add(&s->candidates.list, &s->candidates.n);
		candidate->path = xstrdup(named->path);
		candidate->role = named->role;
		candidate->agent = named->role == ROLE_EXTERNAL ? NULL
				   : mains			? xstrdup("main")
								: guess_agent(named->path);
		candidate->configured = named;
	}
}

static void find_candidates(struct search *s)
{
	struct candidates *candidates = &s->candidates;

	add_configured(s, true);
	if (s->dir) {
		_cleanup_free_ char *main =
			s->dir == s->stores->dirs[0] ? find_moved_main(s->home) : NULL;
		if (main)
			add_candidate(candidates, ROLE_MAIN, main, "main");
		add_agent_directories(s, candidates->n > 0 ? ROLE_AGENT : ROLE_MAIN);
		add_listed_agents(s);
		if (candidates->n > 0)
			qsort(candidates->list, candidates->n, sizeof(*candidates->list),
			      compare_candidates);
	}
	add_configured(s, false);
}

// ---- stores

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void add_name(struct store *store, const char *name)
{
	for (size_t i = 0; i < store->n_names; i++) {
		if (string_equal(store->names[i], name))
			return;
	}
	*array_add(&store->names, &store->n_names) = xstrdup(name);
	qsort(store->names, store->n_names, sizeof(*store->names), compare_names);
}

static void add_dir(struct store *store, const struct state_dir *dir)
{
	for (size_t i = 0; i < store->n_dirs; i++)
		if (store->dirs[i] == dir)
			return;
	if (dir)
		*array_add(&store->dirs, &store->n_dirs) = dir;
}

static struct store *find_target(const struct stores *stores, const char *target)
{
	for_each_found (found, &stores->by_target, hash_string(target))
		if (string_equal(stores->list[found->at].target, target))
			return &stores->list[found->at];
	return NULL;
}

static struct store *new_store(struct search *s, enum format_id format, enum store_role role,
			       const char *agent, const char *path, char *target)
{
	struct stores *stores = s->stores;
	struct store *store;

	index_add(&stores->by_target, hash_string(target), stores->n);
	store = array_add(&stores->list, &stores->n);
	store->format = format;
	store->role = role;
	store->agent = xstrdup(agent);
	store->path = xstrdup(path);
	store->target = target;
	store->known = stores->known;
	add_dir(store, s->dir);
	return store;
}

static bool is_link(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static void say_missing(const struct candidate *candidate, struct problems *problems)
{
	if (is_foreign(candidate))
		complain(problems, SEVERITY_WARNING, "store_missing", candidate->path,
			 xasprintf(" does not exist: %s is taken for logged out, and the file is "
				   "not created",
				   candidate->configured->format->name),
			 "log in with it, or take it out of `stores` of oauth-keepalive.conf");
	else if (candidate->configured)
		complain(problems, SEVERITY_WARNING, "store_missing", candidate->path,
			 xstrdup(", a configured store, does not exist"),
			 "correct its path in `stores` of oauth-keepalive.conf, or take it out");
}

static void say_dangling(const char *path, struct problems *problems)
{
	_cleanup_free_ char *word = shell_quoted(path);
	_cleanup_free_ char *fix = xasprintf("rm %s # or point it at a store", word);

	complain(problems, SEVERITY_WARNING, "store_dangling_link", path,
		 xstrdup(" is a link that leads nowhere"), fix);
}

static void say_unresolved(const struct candidate *candidate, int error, struct problems *problems)
{
	bool nowhere = error == ENOENT || error == ENOTDIR;

	if (error == ELOOP || (nowhere && is_link(candidate->path)))
		return say_dangling(candidate->path, problems);
	if (nowhere)
		return say_missing(candidate, problems);
	_cleanup_free_ char *fix = unreadable_fix(candidate->path, -error);
	complain(problems, SEVERITY_ERROR, "store_unreadable", candidate->path,
		 xasprintf(": %s", strerror(error)), fix);
}

// Several logins of one file are one store. It has one format: what was said first.
static void add_external(struct store *store, const struct config *config,
			 const struct config_store *named, struct problems *problems)
{
	if (store->n_external ? store->external[0]->format != named->format
			      : store->format != STORE_MAPPED) {
		complain(problems, SEVERITY_ERROR, "store_twice", named->path,
			 xasprintf(
				 " is named in `stores` with two formats; the one as %s is ignored",
				 named->format->name),
			 "keep the one that its program writes");
		return;
	}
	store->config = config;
	*array_add(&store->external, &store->n_external) = named;
}

// Its target is what `name` stands for, which is a name in a real directory.
static struct store *take_store(struct search *s, const struct candidate *candidate,
				const char *name, const char *target)
{
	struct store *store = find_target(s->stores, target);

	if (!store) {
		store = new_store(s, is_foreign(candidate) ? STORE_MAPPED : STORE_OPENCLAW_JSON,
				  candidate->role, candidate->agent, candidate->path,
				  xstrdup(target));
		// Whoever uses the target under its own name has the lock of that name.
		add_name(store, target);
	}
	add_dir(store, s->dir);
	store->in_place |= candidate->configured && candidate->configured->in_place;
	// What it is to another state directory's agents, which have it too, changes nothing.
	if (candidate->role < store->role && store - s->stores->list >= (ptrdiff_t)s->first) {
		store->role = candidate->role;
		free(store->agent);
		store->agent = xstrdup(candidate->agent);
	}
	add_name(store, name);
	if (is_foreign(candidate))
		add_external(store, s->config, candidate->configured, s->problems);
	return store;
}

// Only a plain file is read as we come by. What it is to be trusted with is seen when it is read.
static int open_plain(const struct places *places, const char *path)
{
	const char *name;
	int at = places_at(places, path, &name);
	_cleanup_close_ int fd =
		openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	return fd < 0 ? -errno : TAKE_FD(fd);
}

// What an earlier look read, and nobody has touched since, is not opened again.
static bool take_seen(struct search *s, const struct candidate *candidate, const char *name,
		      const struct place *place)
{
	struct file_look look = {0};
	const struct seen_file *file = NULL;

	if (seen_any(s->seen) && !is_foreign(candidate) && place->keeps_time &&
	    file_look_at(&s->stores->known->places, name, &look) == 0)
		file = seen_find(s->seen, &look.st);
	if (!file)
		return false;
	struct store *store = take_store(s, candidate, name, name);
	return store->was_read || store_take_seen(store, file, &look, place, s->seen);
}

// OpenClaw locks a name as it stands in the resolved directory; the last component is not resolved (facts 3). A store is
// not written under fewer locks than it has names.
static void add_store(struct search *s, const struct candidate *candidate)
{
	_cleanup_free_ char *directory = path_dirname(candidate->path);
	const struct place *place = place_find(&s->stores->known->places, directory);
	_cleanup_free_ char *name =
		place->real ? path_join(place->real, path_basename(candidate->path)) : NULL;
	if (name && take_seen(s, candidate, name, place))
		return;
	_cleanup_close_ int fd = name ? open_plain(&s->stores->known->places, name) : place->error;

	if (fd == -ENOENT && name) {
		say_missing(candidate, s->problems);
	} else if (!name) {
		say_unresolved(candidate, -place->error, s->problems);
	} else if (fd >= 0) {
		struct store *store = take_store(s, candidate, name, name);
		if (!store->was_read)
			store_take(store, fd, place, s->config, s->seen);
	} else {
		_cleanup_free_ char *target = path_real(name);
		if (target)
			take_store(s, candidate, name, target);
		else
			say_unresolved(candidate, errno, s->problems);
	}
}

// ---- databases

// One that cannot be judged is a store, too: what it may hold is not to be spent elsewhere. Reading it says what is wrong.
static void add_database_store(struct search *s, const char *path, enum store_role role,
			       const char *agent)
{
	char *target = path_real(path);
	struct store *store;

	if (!target)
		target = xstrdup(path);
	store = find_target(s->stores, target);
	if (store) {
		add_dir(store, s->dir);
		free(target);
		return;
	}
	new_store(s, STORE_OPENCLAW_SQLITE, role, agent, path, target);
}

static bool is_store(enum sqlite_verdict verdict)
{
	return verdict == SQLITE_HOLDS || verdict == SQLITE_UNREADABLE;
}

// No descriptor or no memory left to look is no proof that there is none.
static bool proves_absence(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EACCES;
}

static const struct database *find_database(const struct databases *databases,
					    const char *directory)
{
	for_each_found (found, &databases->by_directory, hash_string(directory))
		if (string_equal(databases->list[found->at].directory, directory))
			return &databases->list[found->at];
	return NULL;
}

// Nearly everywhere there is none, and one call says so.
static enum sqlite_verdict judge_database(const struct places *places, const char *directory)
{
	_cleanup_free_ char *path = path_join(directory, AGENT_DATABASE);
	const char *name;
	int at = places_at(places, path, &name);
	struct stat st;

	return fstatat(at, name, &st, 0) < 0 && errno == ENOENT ? SQLITE_ABSENT
								: openclaw_sqlite_agent(directory);
}

// An external store is the user's own affair, but it, too, is dead beside a database.
static void add_agent_database(struct search *s, const char *lexical, enum store_role role,
			       const char *agent)
{
	const struct place *place = place_find(&s->stores->known->places, lexical);
	struct databases *databases = &s->databases;
	struct database *database;

	if (!place->real) {
		databases->blind |= !proves_absence(-place->error);
		return;
	}
	if (find_database(databases, place->real))
		return;
	index_add(&databases->by_directory, hash_string(place->real), databases->n);
	database = array_add(&databases->list, &databases->n);
	database->directory = xstrdup(place->real);
	database->verdict = judge_database(&s->stores->known->places, database->directory);
	if (is_store(database->verdict) && role != ROLE_EXTERNAL) {
		_cleanup_free_ char *path = path_join(lexical, AGENT_DATABASE);
		add_database_store(s, path, role, agent);
	}
}

// From 2026.8.1 the main profiles are the shared row, where it says so; agents/main then is an agent like any other.
static void add_databases(struct search *s)
{
	struct sqlite_survey *state = &s->databases.state;

	if (s->dir) {
		_cleanup_free_ char *path = path_join(s->dir->path, STATE_DATABASE);
		openclaw_sqlite_survey(s->dir->path, state);
		s->dir->fences = state->fences;
		if (is_store(state->shared))
			add_database_store(s, path, ROLE_SHARED, NULL);
	}
	for (size_t i = 0; i < s->candidates.n; i++) {
		const struct candidate *c = &s->candidates.list[i];
		_cleanup_free_ char *directory = path_dirname(c->path);
		bool main = c->role == ROLE_MAIN && state->shared == SQLITE_ABSENT;
		if (!is_foreign(c))
			add_agent_database(s, directory,
					   main			      ? ROLE_MAIN
					   : c->role == ROLE_EXTERNAL ? ROLE_EXTERNAL
								      : ROLE_AGENT,
					   c->agent);
	}
	for (size_t i = 0; i < state->n_agents; i++)
		add_agent_database(s, state->agents[i].directory, ROLE_AGENT, state->agents[i].id);
}

// ---- retired

static enum sqlite_verdict verdict_beside(const struct databases *databases,
					  const struct store *store)
{
	enum sqlite_verdict verdict = databases->blind ? SQLITE_UNREADABLE : SQLITE_ABSENT;

	for (size_t n = 0; n < store->n_names; n++) {
		_cleanup_free_ char *directory = path_dirname(store->names[n]);
		const struct database *database = find_database(databases, directory);

		if (database && database->verdict > verdict)
			verdict = database->verdict;
	}
	return verdict;
}

// Nothing is ever written to a JSON store that SQLite replaced, nor is its token spent for its own sake.
static void retire_store(struct store *store, const struct databases *databases,
			 struct problems *problems)
{
	enum sqlite_verdict shared = databases->state.shared,
			    beside = verdict_beside(databases, store);
	bool dead = databases->state.json_is_dead && store->role != ROLE_EXTERNAL;

	if (store->format != STORE_OPENCLAW_JSON || (!dead && beside == SQLITE_ABSENT))
		return;
	store->state = STORE_RETIRED;
	store->served = beside != SQLITE_UNREADABLE && (!dead || shared != SQLITE_UNREADABLE);
	complain(problems, SEVERITY_WARNING, "store_retired", store->path,
		 xstrdup(": OpenClaw now keeps credentials in SQLite and no longer reads this "
			 "file, so it is left alone"),
		 "openclaw doctor --fix # imports what has not been imported yet, and clears the "
		 "file away");
}

// Agents, and no main: there may be none, or it is where only OpenClaw's environment says. Then it would be left with a
// token that was spent for the agents' sake.
static void say_no_main(const struct search *s)
{
	bool agents = false;

	for (size_t i = 0; s->dir && i < s->stores->n; i++) {
		const struct store *store = &s->stores->list[i];
		if (!store_is_of(store, s->dir))
			continue;
		if (store->role == ROLE_MAIN || store->role == ROLE_SHARED)
			return;
		agents |= store->role == ROLE_AGENT;
	}
	if (!agents || s->dir->unread || s->config->n_stores > 0)
		return;
	complain(s->problems, SEVERITY_WARNING, "main_missing", s->dir->path,
		 xstrdup(": agents have stores here, but main has none: either nobody has logged "
			 "in to main, or OpenClaw keeps its store elsewhere (OPENCLAW_AGENT_DIR), "
			 "and would be left with a spent token"),
		 "openclaw models auth login # in main; or, if it is elsewhere, name it in "
		 "oauth-keepalive.conf: stores = ( { path = \"/…/auth-profiles.json\"; role = "
		 "\"main\"; } );");
}

static void search(struct search *s)
{
	if (s->dir && !state_dir_is_safe(s)) {
		s->dir->unread = true;
		return;
	}
	find_candidates(s);
	add_databases(s);
	for (size_t i = 0; i < s->candidates.n; i++)
		add_store(s, &s->candidates.list[i]);
	say_no_main(s);
	for (size_t i = s->first; i < s->stores->n; i++)
		retire_store(&s->stores->list[i], &s->databases, s->problems);
	candidates_free(&s->candidates);
	databases_free(&s->databases);
}

static int discover_once(const struct config *config, const struct names *known, struct seen *seen,
			 struct stores *ret, struct problems *problems)
{
	_cleanup_free_ char *home = openclaw_home();
	struct stores stores = {};
	int r = state_dirs_find(config, home, known, &stores, problems);

	if (r < 0) {
		stores_free(&stores);
		return r;
	}
	seen_begin_look(seen);
	stores.known = xcalloc(1, sizeof(*stores.known));
	for (size_t i = 0; i < stores.n_dirs || i == 0; i++) {
		struct search s = {
			.stores = &stores,
			.seen = seen,
			.dir = stores.n_dirs ? stores.dirs[i] : NULL,
			.first = stores.n,
			.config = config,
			.home = home,
			.problems = problems,
		};
		if (!s.dir || !s.dir->gone)
			search(&s);
	}
	for (size_t i = 0; i < stores.n; i++)
		store_read(&stores.list[i], config, problems);
	*ret = stores;
	return 0;
}

static int64_t patience_ms = LOOK_PATIENCE_MS;

void discover_set_patience(int64_t ms)
{
	patience_ms = ms;
}

int discover_stores(const struct config *config, const struct names *known, struct seen *seen,
		    struct stores *ret, struct problems *problems)
{
	size_t before = problems->n;

	sqlite_look_may_pass();
	for (int64_t waited_ms = 0;; waited_ms = LOOK_PAUSE_MS) {
		int64_t began_ms = clock_boot_ms();
		int r = discover_once(config, known, seen, ret, problems);

		if (waited_ms)
			patience_ms -= waited_ms + clock_boot_ms() - began_ms;
		if (r < 0 || !sqlite_look_may_pass() || patience_ms <= 0)
			return r;
		stores_free(ret);
		problems_forget(problems, before);
		nanosleep(&(struct timespec){.tv_nsec = LOOK_PAUSE_MS * 1000 * 1000}, NULL);
	}
}
