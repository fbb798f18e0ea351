// SPDX-License-Identifier: MIT
//
// See unit.h.
#include "doctor/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "doctor/calendar.h"
#include "file/private_file.h"

#define NAME		   "oauth-keepalive"
#define ACCURACY_DEFAULT_S MINUTE_S
#define FILES_MOST	   64

static void add_name(struct names *names, char *name)
{
	*array_add(&names->list, &names->n) = name;
}

// ---- where systemd looks, what counts most first

static void add_home(struct names *dirs, const char *variable, const char *below)
{
	_cleanup_free_ char *set = environment(variable), *home = home_directory();

	if (set)
		add_name(dirs, path_join(set, "systemd/user"));
	else if (home && below)
		add_name(dirs, path_join(home, below));
}

static struct names search_path(bool system)
{
	static const char *const systems[] = {"/etc/systemd/system", "/run/systemd/system",
					      "/usr/local/lib/systemd/system",
					      "/usr/lib/systemd/system", "/lib/systemd/system"};
	static const char *const users[] = {"/usr/local/share/systemd/user",
					    "/usr/share/systemd/user",
					    "/usr/local/lib/systemd/user", "/usr/lib/systemd/user"};
	struct names dirs = {0};

	for (size_t i = 0; system && i < ARRAY_SIZE(systems); i++)
		add_name(&dirs, xstrdup(systems[i]));
	if (system)
		return dirs;
	add_home(&dirs, "XDG_CONFIG_HOME", ".config/systemd/user");
	add_name(&dirs, xstrdup("/etc/systemd/user"));
	add_home(&dirs, "XDG_RUNTIME_DIR", NULL);
	add_name(&dirs, xstrdup("/run/systemd/user"));
	add_home(&dirs, "XDG_DATA_HOME", ".local/share/systemd/user");
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		add_name(&dirs, xstrdup(users[i]));
	return dirs;
}

// Also a link that leads nowhere: in a sandbox what it leads to may be hidden.
static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static bool is_empty(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (S_ISCHR(st.st_mode) || st.st_size == 0);
}

static void find_file(struct timer_unit *unit, const struct names *dirs, const char *name)
{
	for (size_t i = 0; i < dirs->n && !unit->path; i++) {
		_cleanup_free_ char *path = path_join(dirs->list[i], name);
		if (!is_there(path))
			continue;
		unit->masked = is_empty(path);
		unit->path = TAKE_PTR(path);
	}
}

// "timers.target.wants/…", and whatever else may want it.
static bool is_wanted_in(const char *dir, const char *name)
{
	_cleanup_directory_ DIR *directory = opendir(dir);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		if (!string_ends(entry->d_name, ".wants") &&
		    !string_ends(entry->d_name, ".requires"))
			continue;
		_cleanup_free_ char *below = path_join(dir, entry->d_name);
		_cleanup_free_ char *link = path_join(below, name);
		if (is_there(link))
			return true;
	}
	return false;
}

// ---- drop-ins

static bool is_listed(const struct names *files, const char *name)
{
	for (size_t i = 0; i < files->n; i++)
		if (string_equal(strrchr(files->list[i], '/') + 1, name))
			return true;
	return false;
}

static void add_drop_ins(struct names *files, const char *dir, const char *unit)
{
	_cleanup_free_ char *path = xasprintf("%s/%s.d", dir, unit);
	_cleanup_directory_ DIR *directory = opendir(path);
	const struct dirent *entry;

	while (directory && files->n < FILES_MOST && (entry = readdir(directory)))
		if (string_ends(entry->d_name, ".conf") && !is_listed(files, entry->d_name))
			add_name(files, path_join(path, entry->d_name));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(strrchr(*(char *const *)a, '/'), strrchr(*(char *const *)b, '/'));
}

// Of one name the first counts, and they are read in the order of their names.
static struct names find_drop_ins(const struct names *dirs, const char *name, const char *template)
{
	const char *const units[] = {name, template, NAME "-.timer", "timer"};
	struct names files = {0};

	for (size_t i = 0; i < dirs->n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(units); k++)
			if (units[k])
				add_drop_ins(&files, dirs->list[i], units[k]);
	if (files.n)
		qsort(files.list, files.n, sizeof(*files.list), by_name);
	return files;
}

// ---- what they say

struct timing {
	struct calendar *calendars;
	size_t n;
	int64_t every_s; // OnUnitActiveSec=, OnUnitInactiveSec=; 0: none
	bool odd;	 // some line is beyond us
	int64_t delay_s, accuracy_s;
	bool fixed; // the delay is the same every time, so that the period is kept
};

static void read_span(const char *value, int64_t *ret_s, bool *odd)
{
	if (timespan_parse(value, ret_s) < 0)
		*odd = true;
}

static void read_calendar(struct timing *t, const char *value)
{
	struct calendar calendar;

	if (calendar_parse(value, &calendar) < 0)
		t->odd = true;
	else
		*array_add(&t->calendars, &t->n) = calendar;
}

// An empty value takes back all that was said of when, by whatever name (systemd.timer(5)).
static bool takes_back(struct timing *t, const char *key, const char *value)
{
	if (!string_starts(key, "On") || *value)
		return false;
	t->n = 0;
	t->every_s = 0;
	t->odd = false;
	return true;
}

static void read_setting(struct timing *t, const char *key, const char *value)
{
	int64_t every_s = 0;

	if (takes_back(t, key, value))
		return;
	if (string_equal(key, "OnCalendar"))
		read_calendar(t, value);
	else if (string_equal(key, "OnUnitActiveSec") || string_equal(key, "OnUnitInactiveSec"))
		read_span(value, &every_s, &t->odd);
	else if (string_equal(key, "RandomizedDelaySec"))
		read_span(value, &t->delay_s, &t->odd);
	else if (string_equal(key, "AccuracySec"))
		read_span(value, &t->accuracy_s, &t->odd);
	else if (string_equal(key, "FixedRandomDelay"))
		t->fixed = strchr("1yYtT", *value) || strcasecmp(value, "on") == 0;
	if (every_s && (!t->every_s || every_s < t->every_s))
		t->every_s = every_s;
}

static char *trimmed(char *text)
{
	size_t n;

	text += strspn(text, " \t");
	for (n = strlen(text); n && strchr(" \t\r\n", text[n - 1]); n--)
		text[n - 1] = '\0';
	return text;
}

static void read_file(struct timing *t, const char *path)
{
	FILE *file = fopen(path, "re");
	bool ours = false;
	char line[1024];

	while (file && fgets(line, sizeof(line), file)) {
		char *text = trimmed(line), *value = strchr(text, '=');
		if (*text == '[')
			ours = string_equal(text, "[Timer]");
		if (!ours || !value || strchr("#;[", *text))
			continue;
		*value++ = '\0';
		read_setting(t, trimmed(text), trimmed(value));
	}
	if (file)
		fclose(file);
}

static void settle(struct timer_unit *unit, const struct timing *t)
{
	int64_t gap_s = t->n ? calendar_longest_gap_s(t->calendars, t->n) : 0;

	if (t->every_s && (!gap_s || t->every_s < gap_s))
		gap_s = t->every_s;
	unit->repeats = !t->odd;
	unit->gap_s = gap_s;
	unit->delay_s = t->accuracy_s + (t->fixed ? 0 : t->delay_s);
}

static char *template_of(const char *name)
{
	const char *at = strchr(name, '@');

	return at ? xasprintf("%.*s@.timer", (int)(at - name), name) : NULL;
}

struct timer_unit timer_unit_read(bool system, const char *user)
{
	struct timer_unit unit = {
		.name = system ? xasprintf(NAME "@%s.timer", user) : xstrdup(NAME ".timer"),
	};
	_cleanup_free_ char *template = template_of(unit.name);
	_cleanup_names_ struct names dirs = search_path(system);
	_cleanup_names_ struct names drop_ins = find_drop_ins(&dirs, unit.name, template);
	struct timing t = {.accuracy_s = ACCURACY_DEFAULT_S};

	find_file(&unit, &dirs, unit.name);
	if (template)
		find_file(&unit, &dirs, template);
	for (size_t i = 0; i < dirs.n; i++)
		unit.enabled |= is_wanted_in(dirs.list[i], unit.name);
	if (unit.path)
		read_file(&t, unit.path);
	for (size_t i = 0; i < drop_ins.n; i++)
		read_file(&t, drop_ins.list[i]);
	settle(&unit, &t);
	free(t.calendars);
	return unit;
}

void timer_unit_free(struct timer_unit *unit)
{
	free(unit->name);
	free(unit->path);
	*unit = (struct timer_unit){0};
}
