// SPDX-License-Identifier: MIT
//
// The world as a timer sees it, and as this shell does. A unit has not the shell's environment, and may be shut in a sandbox;
// what it cannot see or write can be told in the shell only by what its last run has noted: log/world.<who>, the stores it
// found and what kept it from writing them. (A file that is not whole says nothing. It is written when it changes.) Before
// a timer has run at all, a preview says which environment variable alone leads to a store.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "file/private_file.h"
#include "report/report.h"
#include "store/state_dirs.h"

#define WORLD_MAX (1u << 20)
#define WORLD_END "end\n"

static int world_path(const struct report *report, enum run_by by, bool create, char **ret)
{
	_cleanup_free_ char *name = xasprintf("world.%s", run_by_name(by));

	return history_path(report->ledger, name, create, ret);
}

// ---- by the timer

static char *describe(const struct stores *stores)
{
	_cleanup_free_ char *unit = process_own_unit();
	char *text = NULL;
	size_t size;
	FILE *out = xopen_memstream(&text, &size);

	fprintf(out, "unit %s\n", unit ? unit : "-");
	for (size_t i = 0; i < stores->n; i++)
		if (!strchr(stores->list[i].target, '\n'))
			fprintf(out, "store %d %s\n", (int)stores->list[i].obstacle,
				stores->list[i].target);
	fputs(WORLD_END, out);
	fclose(out);
	return text;
}

void report_note_world(const struct report *report)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	_cleanup_secret_ struct secret before = {0};
	_cleanup_close_ int fd = -1;

	if (report->by == BY_HAND || report->selected ||
	    world_path(report, report->by, true, &path) < 0)
		return;
	text = describe(&report->cycle->now.stores);
	if (private_read(path, WORLD_MAX, &before, NULL) == 0 && string_equal(before.text, text))
		return;
	if (private_open(path, O_RDWR | O_CREAT | O_TRUNC, &fd, NULL) == 0)
		write_full(fd, text, strlen(text));
}

// ---- in a shell

struct world {
	bool known;
	int64_t at_ms; // of the run that noted it
	struct secret text;
};

static void world_read(const struct report *report, struct world *ret)
{
	_cleanup_free_ char *path = NULL;
	enum run_by by;
	const struct last_run *run = report_last_timer(report, &by);

	if (!run || world_path(report, by, false, &path) < 0 ||
	    private_read(path, WORLD_MAX, &ret->text, NULL) < 0)
		return;
	ret->known = string_ends(ret->text.text, WORLD_END);
	ret->at_ms = run->at_ms;
}

// What kept it from writing the store; -1: it did not see it.
static int world_obstacle(const struct world *world, const char *target)
{
	for (const char *line = world->text.text; line && *line;) {
		size_t n = strcspn(line, "\n");
		_cleanup_free_ char *text = xstrndup(line, n);
		int obstacle, at = 0;
		if (sscanf(text, "store %d %n", &obstacle, &at) == 1 && at &&
		    string_equal(text + at, target))
			return obstacle;
		line += n + (line[n] == '\n');
	}
	return -1;
}

static char *world_unit(const struct world *world)
{
	char unit[256] = "";

	return sscanf(world->text.text, "unit %255s", unit) == 1 && unit[0] != '-' ? xstrdup(unit)
										   : NULL;
}

// Its directory was there when that run looked. (The file itself is a new one after every write.)
static bool was_there(const struct store *store, int64_t at_ms)
{
	_cleanup_free_ char *directory = path_dirname(store->target);
	struct statx st;

	return statx(AT_FDCWD, directory, 0, STATX_BTIME, &st) < 0 ||
	       !(st.stx_mask & STATX_BTIME) || st.stx_btime.tv_sec * SECOND_MS < at_ms;
}

static bool leads_to(const char *variable, const char *path)
{
	_cleanup_free_ char *value = environment(variable), *home = openclaw_home();
	_cleanup_free_ char *expanded = value ? path_expand(value, home) : NULL;
	_cleanup_free_ char *real = expanded ? path_real(expanded) : NULL;

	return string_equal(real, path);
}

static bool is_recorded(const struct observation *o, const char *state_dir)
{
	for (size_t i = 0; i < o->records.n; i++)
		if (string_equal(o->records.list[i].state_dir, state_dir))
			return true;
	return false;
}

// The environment variable without which a run would not come to this store; NULL: there is none. What the ledger knows of
// a state directory leads there, too.
static const char *needed_variable(const struct report *report, const struct store *store)
{
	static const char *const agents[] = {"OPENCLAW_AGENT_DIR", "PI_CODING_AGENT_DIR"};
	const char *dir = store->n_dirs ? store->dirs[0]->path : "/";
	_cleanup_free_ char *directory = path_dirname(store->target), *home = home_of_user();
	_cleanup_free_ char *real_home = home ? path_real(home) : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(agents) && !report->config->n_stores; i++)
		if (leads_to(agents[i], directory) && !path_is_below(directory, dir))
			return agents[i];
	if (report->config->state_dir || report->config->n_state_dirs ||
	    is_recorded(&report->cycle->now, dir))
		return NULL;
	if (real_home && path_is_below(dir, real_home) &&
	    string_starts(dir + strlen(real_home), "/.openclaw"))
		return NULL;
	return leads_to("OPENCLAW_STATE_DIR", dir) ? "OPENCLAW_STATE_DIR"
	       : getenv("OPENCLAW_HOME")	   ? "OPENCLAW_HOME"
						   : "HOME";
}

static char *name_directories(const struct stores *stores)
{
	char *text = xstrdup("name all: state_dirs = (");

	for (size_t i = 0; i < stores->n_dirs; i++) {
		_cleanup_free_ char *word = setting_quoted(stores->dirs[i]->path);
		char *longer = xasprintf("%s%s %s", text, i ? "," : "", word);
		free(text);
		text = longer;
	}
	char *whole = xasprintf("%s ); in oauth-keepalive.conf", text);
	free(text);
	return whole;
}

static char *name_what_is_missing(const struct report *report, const struct store *store,
				  const char *variable)
{
	if (variable && string_ends(variable, "AGENT_DIR")) {
		_cleanup_free_ char *word = setting_quoted(store->path);
		return xasprintf("name it: stores = ( { path = %s; role = \"main\"; } ); in "
				 "oauth-keepalive.conf",
				 word);
	}
	return name_directories(&report->cycle->now.stores);
}

static void say_unseen(const struct report *report, const struct world *world,
		       const struct store *store, struct problems *problems)
{
	bool preview = string_equal(report->command,
				    "preview"); // there may be no timer, and need not be one
	const char *variable = needed_variable(report, store);
	_cleanup_free_ char *shown = string_printable(store->path, 1024);

	if (world->known ? !was_there(store, world->at_ms) : !variable || !preview)
		return;
	problem_add(problems, SEVERITY_WARNING, "unit_unseen", store->path, NULL,
		    xasprintf("%s: %s%s%s%s", shown,
			      world->known ? "the timer's last run did not see it"
					   : "a timer will not see it",
			      variable ? "; only " : "", variable ? variable : "",
			      variable ? " leads to it here, and a unit does not have that" : ""),
		    name_what_is_missing(report, store, variable));
}

static void say_unwritable(const struct world *world, const struct store *store, int obstacle,
			   struct problems *problems)
{
	_cleanup_free_ char *shown = string_printable(store->target, 1024), *unit = NULL;
	_cleanup_free_ char *directory = path_dirname(store->target), *word = NULL;

	word = shell_quoted(directory);
	unit = world_unit(world);
	problem_add(problems, SEVERITY_WARNING, "unit_not_writable", store->path, NULL,
		    xasprintf("%s: the timer's last run could not have written it: %s", shown,
			      obstacle_text((enum obstacle)obstacle)),
		    unit ? xasprintf("systemctl edit %s, and write there: [Service] "
				     "ReadWritePaths=%s",
				     unit, word)
			 : obstacle_fix((enum obstacle)obstacle, store->target));
}

static bool is_served(const struct observation *o, const struct store *store)
{
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct account *a = o->accounts[i];
		for (size_t k = 0; !a->skip && k < a->n_members; k++)
			if (a->members[k].store == store && !a->members[k].fixed)
				return true;
	}
	return false;
}

void report_say_world(const struct report *report, struct problems *problems)
{
	const struct observation *o = &report->cycle->now;
	struct world world = {0};

	if (report->by != BY_HAND || !report->dry_run)
		return;
	world_read(report, &world);
	for (size_t i = 0; i < o->stores.n; i++) {
		const struct store *store = &o->stores.list[i];
		int obstacle = world.known ? world_obstacle(&world, store->target) : -1;
		if (!is_served(o, store))
			continue;
		if (obstacle < 0)
			say_unseen(report, &world, store, problems);
		else if (obstacle != OBSTACLE_NONE && obstacle <= OBSTACLE_FILE && !store->obstacle)
			say_unwritable(&world, store, obstacle, problems);
	}
	secret_free(&world.text);
}
