// SPDX-License-Identifier: MIT
//
// What all formats share: the safety of the path before any look or write, staging, names, and the
// way to the format's own code.
#include "file/obstacle.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/safe_path.h"
#include "file/trust.h"
#include "store/format.h"
#include "store/json_file.h"
#include "store/known.h"
#include "store/mapped_json.h"
#include "store/seen.h"

void stores_free(struct stores *stores)
{
	for (size_t i = 0; i < stores->n; i++) {
		struct store *store = &stores->list[i];

		copies_free(&store->copies, &store->n_copies);
		for (size_t k = 0; k < store->n_names; k++)
			free(store->names[k]);
		free(store->names);
		problems_free(&store->unsaid);
		free(store->dirs);
		free(store->agent);
		free(store->path);
		free(store->target);
		free(store->external);
	}
	free(stores->list);
	index_free(&stores->by_target);
	if (stores->known)
		known_free(stores->known);
	free(stores->known);
	for (size_t i = 0; i < stores->n_dirs; i++) {
		free(stores->dirs[i]->path);
		free(stores->dirs[i]->version);
		free(stores->dirs[i]->barred);
		free(stores->dirs[i]);
	}
	free(stores->dirs);
	*stores = (struct stores){};
}

const char *store_role_name(enum store_role role)
{
	static const char *const names[] = {
		[ROLE_MAIN] = "main",
		[ROLE_AGENT] = "agent",
		[ROLE_EXTERNAL] = "external",
		[ROLE_SHARED] = "shared",
	};

	return names[role];
}

const char *store_format_name(const struct store *store)
{
	return store->n_external ? store->external[0]->format->name
				 : store_format(store->format)->name;
}

void store_add_locks(const struct store *store, struct lock_set *set)
{
	const struct store_format *format = store_format(store->format);

	if (format->locks)
		format->locks(store, set);
}

void store_add_refresh_locks(const struct store *store, const struct config_store *external,
			     struct lock_set *set)
{
	if (external)
		mapped_json_refresh_locks(store, external, set);
}

bool store_is_cached(const struct store *store)
{
	return store_format(store->format)->is_cached;
}

// Is the store still the file it was when found?
static int check_target(const struct store *store)
{
	_cleanup_free_ char *target = path_real(store->path);

	if (!target)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? -ESTALE : -errno;
	return string_equal(target, store->target) ? 0 : -ESTALE;
}

// Its target is what its name says, in a directory that is safe all the way up: so nearly all are.
static bool is_plainly_safe(const struct store *store, struct places *places)
{
	_cleanup_free_ char *directory = path_dirname(store->target);
	const struct place *place = place_find(places, directory);
	struct file_look look;

	return string_equal(store->path, store->target) && string_equal(place->real, directory) &&
	       place->safe && file_look_at(places, store->target, &look) == 0 &&
	       path_file_is_safe(store->target, &look.st, places->self);
}

static int check_writable(const struct store *store, struct places *places)
{
	_cleanup_free_ char *message = NULL, *fix = NULL;
	int r;

	// What a killed process left half written is finished, and then read again.
	if (store->state != STORE_OK &&
	    !(store->state == STORE_UNREADABLE && store->interrupted && store->in_place))
		return -EPERM;
	if (places && is_plainly_safe(store, places))
		return 0;
	r = check_target(store);
	return r < 0 ? r : path_check_file(store->target, &message, &fix);
}

static void refuse(struct store *store, struct problems *problems, const char *code, char *message,
		   char *fix)
{
	store->state = STORE_REFUSED;
	problem_add(problems, SEVERITY_ERROR, code, store->path, NULL, message, fix)->needs_person =
		true;
}

// May a file that takes its place have the same group? In a user namespace most groups cannot be given, nor can others
// than one's own without privilege. The kernel knows, and is asked with a file that has no name.
static bool group_can_be_kept(const struct store *store)
{
	_cleanup_free_ char *directory = path_dirname(store->target);
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (store->group ==
	    (store->known && store->known->places.asked ? store->known->places.group : getegid()))
		return true;
	if (stat(directory, &st) == 0 && st.st_mode & S_ISGID && st.st_gid == store->group)
		return true; // it comes by itself
	fd = memfd_create("group", MFD_CLOEXEC);
	return fd < 0 || fchown(fd, (uid_t)-1, store->group) == 0;
}

// A token is not spent for a store that could not be written in the end.
static void check_group(struct store *store, struct problems *problems)
{
	_cleanup_free_ char *shown = NULL, *word = NULL;

	if (store->state != STORE_OK || group_can_be_kept(store))
		return;
	shown = string_printable(store->path, PATH_MAX);
	word = shell_quoted(store->path);
	copies_free(&store->copies, &store->n_copies);
	refuse(store, problems, "store_group",
	       xasprintf("%s: its group (gid %u) cannot be kept here by who replaces the file",
			 shown, (unsigned)store->group),
	       xasprintf("chgrp %u %s # or run this as a member of that group", (unsigned)getegid(),
			 word));
}

static void cannot_look(struct store *store, struct problems *problems, int error)
{
	_cleanup_free_ char *shown = string_printable(store->path, 1024);
	struct problem *problem;

	store->state = STORE_UNREADABLE;
	problem = problem_add(problems, SEVERITY_ERROR, "store_unreadable", store->path, NULL,
			      xasprintf("%s: %s", shown, strerror(-error)),
			      unreadable_fix(store->target, error));
	problem->needs_person = true;
}

// What stood there when SQLite took over is still worth showing; what is wrong with it is not.
static void read_retired(struct store *store, const struct config *config)
{
	_cleanup_(problems_free) struct problems unsaid = {};
	_cleanup_free_ char *message = NULL, *fix = NULL;

	if (path_check_file(store->target, &message, &fix) == 0)
		store_format(store->format)->read(store, config, &unsaid);
	store->state = STORE_RETIRED;
}

static bool can_be_reached(const char *path)
{
	_cleanup_free_ char *at = xstrdup(path);
	struct stat st;

	while (!string_equal(at, "/")) {
		char *up = path_dirname(at);
		free(at);
		at = up;
		if (stat(at, &st) == 0 && !(st.st_mode & (S_IXOTH | S_IXGRP)))
			return false;
	}
	return true;
}

// One of the names that find comes by is the store itself. It must be told from the others, though a home directory may be a
// link and a path look like a pattern: not every ln(1) refuses to put a link to itself in a file's place.
static char *mend_hard_links(const char *path)
{
	_cleanup_free_ char *pattern = xcalloc(2 * strlen(path) + 1, 1);
	char *to = pattern;

	for (const char *at = path; *at; at++) {
		if (strchr("*?[\\", *at))
			*to++ = '\\';
		*to++ = *at;
	}
	_cleanup_free_ char *word = shell_quoted(path), *not = shell_quoted(pattern);
	return xasprintf("find \"$(realpath ~)\" -xdev -samefile %s ! -path %s -exec ln -sf %s {} "
			 "\\; # makes the others symbolic links",
			 word, not, word);
}

// OpenClaw writes its stores 0600, and in one file; what somebody else has made of them is kept, and said.
static void check_manners(const struct store *store, const struct stat *st,
			  struct problems *problems)
{
	_cleanup_free_ char *shown = NULL, *word = NULL;
	bool open = store->state == STORE_OK && others_may_read(store->target, st) &&
		    can_be_reached(store->target);
	bool linked = store->state == STORE_OK && st->st_nlink > 1 &&
		      store_format(store->format)->is_file;

	if (!open && !linked)
		return;
	shown = string_printable(store->target, PATH_MAX);
	word = shell_quoted(store->target);
	if (open)
		problem_add(problems, SEVERITY_WARNING, "store_readable", store->path, NULL,
			    xasprintf("other users can read %s (mode %04o), which holds tokens",
				      shown, (unsigned)st->st_mode & 07777),
			    xasprintf("chmod go-r %s", word));
	if (linked)
		problem_add(problems, SEVERITY_WARNING, "store_hard_link", store->path, NULL,
			    xasprintf("%s has %u names (hard links): a write, OpenClaw's or ours, "
				      "makes it a file of its own, and the others keep the old "
				      "tokens",
				      shown, (unsigned)st->st_nlink),
			    mend_hard_links(store->target));
}

static bool may_be_taken(const struct store *store, const struct stat *st,
			 const struct place *directory)
{
	return directory->safe && store_format(store->format)->read_open &&
	       path_file_is_safe(store->target, st, store->known->places.self);
}

// One with anything wrong in it is read again at the next look, which says so again.
static void have_taken(struct store *store, const struct file_look *look,
		       const struct place *directory, struct seen *seen)
{
	bool sound = store->state == STORE_OK && !store->unsaid.n;

	store->was_read = true;
	if (sound && directory->keeps_time)
		seen_add(seen, &look->st, store->copies, store->n_copies);
	if (store->state == STORE_OK)
		store->obstacle = place_obstacle(directory, look->attributes);
	check_manners(store, &look->st, &store->unsaid);
}

bool store_take(struct store *store, int fd, const struct place *directory,
		const struct config *config, struct seen *seen)
{
	struct file_look look = {0};

	if (file_look(fd, &look) < 0 || !may_be_taken(store, &look.st, directory))
		return false;
	store_format(store->format)->read_open(store, fd, &look.st, config, &store->unsaid);
	have_taken(store, &look, directory, seen);
	return true;
}

bool store_take_seen(struct store *store, const struct seen_file *file,
		     const struct file_look *look, const struct place *directory, struct seen *seen)
{
	if (!may_be_taken(store, &look->st, directory))
		return false;
	json_file_describe(store, &look->st);
	store->state = STORE_OK;
	store->copies = copies_share(file->copies, file->n_copies);
	store->n_copies = file->n_copies;
	have_taken(store, look, directory, seen);
	return true;
}

// It was not known then whether a database has taken its place.
static void say_what_was_read(struct store *store, struct problems *problems)
{
	if (store->state == STORE_RETIRED) {
		problems_free(&store->unsaid);
		return;
	}
	problems_take(problems, &store->unsaid);
	check_group(store, problems);
}

static void read_store(struct store *store, const struct config *config, struct problems *problems)
{
	char *message = NULL, *fix = NULL;
	struct stat st;
	int r;

	if (store->was_read) {
		store->was_read = false;
		say_what_was_read(store, problems);
		return;
	}
	copies_free(&store->copies, &store->n_copies);
	store->obstacle = OBSTACLE_NONE;
	if (store->state == STORE_RETIRED) {
		read_retired(store, config);
		return;
	}
	r = path_check_file(store->target, &message, &fix);
	if (r == -EPERM && message) {
		refuse(store, problems, "store_unsafe", message, fix);
		return;
	}
	if (r == -ENOENT) {
		store->state = STORE_MISSING;
		return;
	}
	if (r < 0) {
		cannot_look(store, problems, r);
		return;
	}
	store_format(store->format)->read(store, config, problems);
	if (store_format(store->format)->is_file)
		check_group(store, problems);
	if (store->state == STORE_OK && !store->obstacle)
		store->obstacle =
			obstacle_find(store->target, store_format(store->format)->is_file);
	if (stat(store->target, &st) == 0)
		check_manners(store, &st, problems);
}

void store_read(struct store *store, const struct config *config, struct problems *problems)
{
	read_store(store, config, problems);
	if (store->in_place && store->obstacle == OBSTACLE_MOUNT_POINT)
		store->obstacle = OBSTACLE_NONE;
}

const char *store_error(int error)
{
	if (error == -EBUSY)
		return "it is locked by another process";
	if (error == -EPROTO)
		return "the layout of its tables is not known, so it cannot be written; is "
		       "OpenClaw newer than "
		       "this program?";
	if (error == -EMLINK)
		return "it is hard-linked: its program refuses to save in such a file, or splits "
		       "it";
	if (error == -ENODATA)
		return "its owner, group, ACL or extended attributes cannot be kept here";
	return error_text(error);
}

int store_stage(const struct store *store, struct atomic_stage *ret)
{
	int r = check_writable(store, NULL);

	if (r < 0)
		return r;
	*ret = ATOMIC_STAGE_NONE;
	return store_format(store->format)->stage(store, ret);
}

int store_fill(const struct store *store, struct store_change *changes, size_t n,
	       struct atomic_stage *stage, struct places *places)
{
	int r = check_writable(store, places);

	return r < 0 ? r : store_format(store->format)->write(store, changes, n, stage);
}

int store_write(const struct store *store, struct store_change *changes, size_t n,
		struct atomic_stage *stage)
{
	_cleanup_stage_ struct atomic_stage own = ATOMIC_STAGE_NONE;
	int r;

	if (!stage)
		stage = &own;
	r = store_fill(store, changes, n, stage, NULL);
	if (r == 0)
		atomic_place(&stage, 1, &r);
	return r;
}

void store_settle_mtime(const char *target)
{
	utimensat(AT_FDCWD, target, NULL, AT_SYMLINK_NOFOLLOW);
}
