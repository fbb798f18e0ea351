// SPDX-License-Identifier: MIT
//
// See state_dirs.h.
#include <ctype.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/state_dirs.h"

#define PROFILE_DIRECTORY ".openclaw-"
#define PROFILE_MAX	  64 // characters of its name (facts, openclaw-json-store.md 1)

bool path_is_below(const char *path, const char *directory)
{
	return string_starts(path, directory) && path[strlen(directory)] == '/';
}

char *openclaw_home(void)
{
	_cleanup_free_ char *own = environment_home("OPENCLAW_HOME"), *home = home_directory();
	_cleanup_free_ char *expanded = own ? path_expand(own, home) : NULL;

	return expanded ? path_absolute(expanded) : TAKE_PTR(home);
}

// Takes the path, a real one.
static struct state_dir *add(struct stores *stores, char *path)
{
	struct state_dir *dir = stores_dir(stores, path);

	if (dir) {
		free(path);
		return dir;
	}
	dir = xcalloc(1, sizeof(*dir));
	dir->path = path;
	*array_add(&stores->dirs, &stores->n_dirs) = dir;
	return dir;
}

static int add_named(struct stores *stores, const char *name)
{
	_cleanup_free_ char *path = path_absolute(name), *real = NULL;
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	real = path_real(path);
	if (!real)
		return -errno;
	add(stores, TAKE_PTR(real));
	return 0;
}

// It is not there, and the ledger knows it: what stood in it has vanished, which is more to say than that a name is wrong.
static int add_named_or_gone(struct stores *stores, const char *name, const struct names *known)
{
	_cleanup_free_ char *path = path_absolute(name);
	int r = add_named(stores, name);

	if ((r != -ENOENT && r != -ENOTDIR) || !known || !names_hold(known, path))
		return r;
	add(stores, TAKE_PTR(path))->gone = true;
	return 0;
}

// One of several does not stop the others.
static void add_configured(struct stores *stores, const char *name, struct problems *problems)
{
	int r = add_named(stores, name);

	if (r == 0)
		return;
	_cleanup_free_ char *shown = string_printable(name, 1024);
	problem_add(problems, SEVERITY_ERROR, "state_dir_missing", name, NULL,
		    xasprintf("%s: %s", shown, strerror(-r)),
		    xstrdup("bring it back, or take it out of `state_dirs` in "
			    "oauth-keepalive.conf"))
		->needs_person = true;
}

static void add_default(struct stores *stores, const char *home)
{
	static const char *const names[] = {".openclaw", ".clawdbot"};

	for (size_t i = 0; home && i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = path_join(home, names[i]);
		char *real = path_real(path);

		// What cannot be looked at is unread, not absent.
		if (real || (errno != ENOENT && errno != ENOTDIR)) {
			add(stores, real ? real : TAKE_PTR(path));
			return;
		}
	}
}

// `--profile NAME` of OpenClaw's. Not `.openclaw-2026.bak`.
static bool is_profile(const char *name)
{
	const char *profile = name + strlen(PROFILE_DIRECTORY);

	if (!string_starts(name, PROFILE_DIRECTORY) || !isalnum((unsigned char)*profile) ||
	    strlen(profile) > PROFILE_MAX)
		return false;
	for (; *profile; profile++)
		if (!isalnum((unsigned char)*profile) && *profile != '-' && *profile != '_')
			return false;
	return true;
}

// Ours, and with something of OpenClaw's in it: anything may be called like that.
static bool is_state_dir(const char *path)
{
	static const char *const signs[] = {"agents", "state", "openclaw.json"};
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		_cleanup_free_ char *sign = path_join(path, signs[i]);
		if (access(sign, F_OK) == 0)
			return true;
	}
	return false;
}

static int compare_dirs(const void *a, const void *b)
{
	const struct state_dir *const *x = a, *const *y = b;

	return strcmp((*x)->path, (*y)->path);
}

static void add_profiles(struct stores *stores, const char *home)
{
	_cleanup_directory_ DIR *directory = home ? opendir(home) : NULL;
	size_t before = stores->n_dirs;

	for (const struct dirent *entry; directory && (entry = readdir(directory));) {
		_cleanup_free_ char *path = NULL;
		if (!is_profile(entry->d_name))
			continue;
		path = path_join(home, entry->d_name);
		char *real = is_state_dir(path) ? path_real(path) : NULL;
		if (real && !stores_dir(stores, real))
			add(stores, TAKE_PTR(real))->found = true;
		free(real);
	}
	if (stores->n_dirs > before)
		qsort(stores->dirs + before, stores->n_dirs - before, sizeof(*stores->dirs),
		      compare_dirs);
}

static int add_openclaws(struct stores *stores, const char *home, const struct names *known)
{
	_cleanup_free_ char *variable = environment("OPENCLAW_STATE_DIR");
	_cleanup_free_ char *expanded = variable ? path_expand(variable, home) : NULL;
	int r = expanded ? add_named_or_gone(stores, expanded, known) : 0;

	if (r < 0)
		return r;
	add_default(stores, home);
	add_profiles(stores, home);
	return 0;
}

// The ledger has real paths. One that is a link now has moved, and its stores are found where it leads.
static void add_known(struct stores *stores, const struct names *known)
{
	for (size_t i = 0; known && i < known->n; i++) {
		_cleanup_free_ char *real = path_real(known->list[i]);
		struct stat st;
		bool gone = !real && (errno == ENOENT || errno == ENOTDIR);
		struct state_dir *dir = add(stores, xstrdup(known->list[i]));
		dir->gone = gone || (real && (!string_equal(real, known->list[i]) ||
					      stat(real, &st) < 0 || !S_ISDIR(st.st_mode)));
	}
}

int state_dirs_find(const struct config *config, const char *home, const struct names *known,
		    struct stores *stores, struct problems *problems)
{
	int r = 0;

	if (config->state_dir)
		return add_named_or_gone(stores, config->state_dir, known);
	for (size_t i = 0; i < config->n_state_dirs; i++)
		add_configured(stores, config->state_dirs[i], problems);
	if (!config->n_state_dirs)
		r = add_openclaws(stores, home, known);
	add_known(stores, known);
	return r;
}
