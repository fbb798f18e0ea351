// SPDX-License-Identifier: MIT
//
// See mapped_json.h. What the table cannot say stands here: hermes-agent's pool of further copies.
#include "store/mapped_json.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "file/link.h"
#include "store/json_file.h"
#include "store/mapped_entry.h"
#include "store/trouble.h"

#define _cleanup_doc_	_cleanup_(json_doc_free)
#define _cleanup_edits_ _cleanup_(json_edits_free)
#define _cleanup_entry_ _cleanup_(mapped_entry_free)

// ---- reading

void mapped_json_read(struct store *store, const struct config *config, struct problems *problems)
{
	_cleanup_secret_ struct secret text = {};
	_cleanup_doc_ struct json_doc doc = {};
	struct json_error error;
	int r;

	if (!json_file_read(store, &text, problems))
		return;
	r = json_scan(text.text, text.len, &doc, &error);
	if (r == -EBADMSG)
		store_give_up_text(store, problems, &error);
	else if (r < 0)
		store_give_up_error(store, problems, r);
	if (r < 0)
		return;
	store->state = STORE_OK;
	store->obstacle = store->links > 1	     ? OBSTACLE_HARD_LINKS
			  : !(store->mode & S_IWUSR) ? OBSTACLE_FILE
						     : OBSTACLE_NONE;
	for (size_t i = 0; i < store->n_external; i++) {
		_cleanup_entry_ struct mapped_entry entry = {};
		struct copy *copy = copy_new();
		*array_add(&store->copies, &store->n_copies) = copy;
		mapped_entry_read(&doc, store->external[i], config, copy, &entry);
	}
}

// ---- writing

static bool stands(const struct json_doc *doc, const struct spot *spot, const struct secret *wanted)
{
	_cleanup_secret_ struct secret standing = {};

	if (spot->node)
		standing = json_node_string(doc, spot->node);
	return secret_equal(&standing, wanted);
}

// A member that is something else here than it is to this program's releases that we know is left alone.
static bool is_scalar(const struct json_doc *doc, const struct spot *spot)
{
	enum json_type type = spot->node ? doc->nodes[spot->node].type : JSON_NULL;

	return type != JSON_OBJECT && type != JSON_ARRAY;
}

static void edit_refresh(struct json_edits *edits, const struct json_doc *doc,
			 const struct mapped_entry *entry, const struct config_store *external,
			 const struct store_change *change)
{
	static const struct secret nothing = {};
	_cleanup_secret_ struct secret blank = {};
	const struct spot *spot = &entry->refresh;

	secret_set_string(&blank, "");
	if (!external->withhold)
		mapped_edit_text(edits, doc, spot, change->refresh);
	else if (entry->format->withhold == WITHHOLD_BLANK)
		mapped_edit_text(edits, doc, spot, &blank);
	else if (spot->node && entry->format->withhold == WITHHOLD_NULL)
		mapped_edit_text(edits, doc, spot, &nothing);
	else if (spot->node)
		json_edit_remove(edits, doc, spot->object, spot->name);
}

// The member that says which kind of login it is. Another kind (an API key) is its person's choice, and stays.
static void edit_mode(struct json_edits *edits, const struct json_doc *doc,
		      const struct mapped_entry *entry, bool withhold)
{
	const struct format *format = entry->format;
	_cleanup_spot_ struct spot spot = {};
	_cleanup_secret_ struct secret shared = {}, withheld = {};

	if (!format->mode)
		return;
	mapped_find(doc, entry->object, format->mode, &spot);
	secret_set_string(&shared, format->mode_shared);
	secret_set_string(&withheld, format->mode_withheld);
	if (!spot.node || stands(doc, &spot, withhold ? &shared : &withheld))
		mapped_edit_text(edits, doc, &spot, withhold ? &withheld : &shared);
}

static void edit_expiry(struct json_edits *edits, const struct json_doc *doc,
			const struct mapped_entry *entry, bool withhold,
			const struct store_change *change)
{
	if (!entry->expires.name)
		return;
	if (withhold && entry->format->withheld_never_expires)
		mapped_edit_integer(edits, doc, &entry->expires, 0);
	else if (change->expires_ms)
		mapped_edit_time(edits, doc, &entry->expires, entry->format->time,
				 change->expires_ms);
}

static void edit_also(struct json_edits *edits, const struct json_doc *doc,
		      const struct mapped_entry *entry, const struct store_change *change)
{
	for (size_t i = 0; i < FORMAT_ALSO_MAX && entry->format->also[i].pointer; i++) {
		const struct format_also *also = &entry->format->also[i];
		_cleanup_spot_ struct spot spot = {};
		double standing = 0;

		mapped_find(doc, entry->object, also->pointer, &spot);
		if ((!spot.node && !also->needed) || !is_scalar(doc, &spot))
			continue;
		if (also->is == ALSO_NOW)
			mapped_edit_time(edits, doc, &spot, also->time, clock_wall_ms());
		else if (also->is == ALSO_LIFETIME && change->lifetime_s)
			mapped_edit_integer(edits, doc, &spot, change->lifetime_s);
		else if (also->is == ALSO_LEAST_END && change->login_ends_ms &&
			 json_node_number(doc, spot.node, &standing) &&
			 standing > (double)change->login_ends_ms)
			mapped_edit_time(edits, doc, &spot, also->time, change->login_ends_ms);
	}
}

// Every element that holds the same login follows; others do not.
static void edit_pool(struct json_edits *edits, const struct json_doc *doc,
		      const struct mapped_entry *entry, const struct store_change *change)
{
	_cleanup_secret_ struct secret access = json_node_string(doc, entry->access.node),
				       refresh = json_node_string(doc, entry->refresh.node);
	_cleanup_spot_ struct spot pool = {};

	mapped_find(doc, entry->object, entry->format->pool, &pool);
	if (!pool.node || doc->nodes[pool.node].type != JSON_OBJECT)
		return;
	json_for_each (doc, list, pool.node) {
		json_for_each (doc, element, list) {
			_cleanup_spot_ struct spot a = {}, r = {}, when = {};

			mapped_find(doc, element, "access_token", &a);
			mapped_find(doc, element, "refresh_token", &r);
			mapped_find(doc, element, "last_refresh", &when);
			if (!a.node || !r.node ||
			    (!stands(doc, &r, &refresh) && !stands(doc, &a, &access)))
				continue;
			mapped_edit_text(edits, doc, &a, change->access);
			mapped_edit_text(edits, doc, &r, change->refresh);
			if (when.node)
				mapped_edit_time(edits, doc, &when, TIME_ISO, clock_wall_ms());
		}
	}
}

// What stands there is what shall: the tokens, their expiry, and whether there is a refresh token at all.
static bool is_current(const struct copy *standing, const struct config_store *external,
		       const struct store_change *change)
{
	const struct credential *c = &standing->credential;

	if (!secret_equal(&c->access, change->access))
		return false;
	if (external->withhold ? standing->kind != COPY_ACCESS
			       : !secret_equal(&c->refresh, change->refresh))
		return false;
	return standing->expires_implied || !change->expires_ms ||
	       (!standing->expires_odd &&
		store_expires_agree(NULL, c->expires_ms, change->expires_ms, clock_wall_ms()));
}

static bool may_overwrite(const struct copy *standing, const struct store_change *change)
{
	if (standing->kind == COPY_OAUTH)
		return change->may_overwrite(standing->credential.fingerprint, change->arg);
	return change->may_overwrite_access &&
	       change->may_overwrite_access(fingerprint_of(&standing->credential.access),
					    change->arg);
}

// Compare and swap one login: its result, and the edits if that is STORE_WRITTEN.
static enum store_result swap(const struct json_doc *doc, const struct config_store *external,
			      const struct store_change *change, const struct copy *standing,
			      const struct mapped_entry *entry, struct json_edits *edits)
{
	if (standing->kind != COPY_OAUTH && standing->kind != COPY_ACCESS)
		return STORE_GONE;
	if (is_current(standing, external, change))
		return STORE_UNCHANGED;
	if (!may_overwrite(standing, change))
		return STORE_CONFLICT;
	if (entry->format->pool)
		edit_pool(edits, doc, entry, change);
	edit_refresh(edits, doc, entry, external, change);
	if (!stands(doc, &entry->access, change->access))
		mapped_edit_text(edits, doc, &entry->access, change->access);
	if (!secret_empty(&standing->credential.id_token) && change->id_token)
		mapped_edit_text(edits, doc, &entry->id_token, change->id_token);
	edit_mode(edits, doc, entry, external->withhold);
	edit_expiry(edits, doc, entry, external->withhold, change);
	edit_also(edits, doc, entry, change);
	return STORE_WRITTEN;
}

static const struct config_store *find_external(const struct store *store,
						const struct store_change *change)
{
	for (size_t i = 0; i < store->n_external; i++)
		if (string_equal(store->external[i]->profile, change->profile) &&
		    string_equal(store->external[i]->provider, change->provider))
			return store->external[i];
	return NULL;
}

static enum store_result apply_change(const struct store *store, const struct json_doc *doc,
				      const struct store_change *change, struct json_edits *edits)
{
	const struct config_store *external = find_external(store, change);
	_cleanup_entry_ struct mapped_entry entry = {};
	enum store_result result;
	struct copy *standing;

	if (!external)
		return STORE_GONE;
	standing = copy_new();
	mapped_entry_read(doc, external, store->config, standing, &entry);
	result = swap(doc, external, change, standing, &entry, edits);
	copy_unref(standing);
	return result;
}

static int edit(const struct store *store, const struct secret *text, struct store_change *changes,
		size_t n, struct secret *ret)
{
	_cleanup_doc_ struct json_doc doc = {};
	_cleanup_edits_ struct json_edits edits = {};
	struct json_error error;

	if (json_scan(text->text, text->len, &doc, &error) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++)
		changes[i].result = apply_change(store, &doc, &changes[i], &edits);
	return edits.n > 0 ? json_splice(&doc, &edits, ret) : 0;
}

static int check_writable(const struct store *store)
{
	struct stat st;

	if (stat(store->target, &st) < 0)
		return -errno;
	return st.st_nlink > 1 ? -EMLINK : st.st_mode & S_IWUSR ? 0 : -EACCES;
}

// Some programs read through a link, and put a file of their own in its place when they write.
static bool replaces_link(const struct store *store)
{
	struct stat st;

	return store->external[0]->format->replaces_links && lstat(store->path, &st) == 0 &&
	       S_ISLNK(st.st_mode);
}

static int write_over_link(const struct store *store, struct store_change *changes, size_t n)
{
	_cleanup_secret_ struct secret result = {};
	int r = json_file_edit(store, edit, changes, n, &result);

	if (r < 0 || !result.text)
		return r;
	r = link_replace(store->path, &result, store->mode & 0777);
	if (r == 0)
		log_warning("%s was a link, in whose place %s puts a file, and so do we: %s keeps "
			    "the old tokens",
			    store->path, store->external[0]->format->name, store->target);
	return r;
}

int mapped_json_stage(const struct store *store, struct atomic_stage *ret)
{
	int r = check_writable(store);

	return r < 0 ? r : json_file_stage(store, ret);
}

int mapped_json_write(const struct store *store, struct store_change *changes, size_t n,
		      struct atomic_stage *stage)
{
	int r = check_writable(store);

	if (r < 0)
		return r;
	return replaces_link(store) ? write_over_link(store, changes, n)
				    : json_file_write(store, edit, changes, n, stage);
}

// ---- locks

// The file's own name without ".json", for locks that are called after it.
static char *stem_of(const char *path)
{
	const char *name = path_basename(path);

	return xstrndup(name, strlen(name) - (string_ends(name, ".json") ? strlen(".json") : 0));
}

// As the program would find it, whatever links lead there. NULL: its directory is not there.
static char *lock_path(const struct store *store, const struct format_lock *lock)
{
	_cleanup_free_ char *directory = path_dirname(store->path), *real = path_real(directory);
	_cleanup_free_ char *stem = stem_of(store->path), *above = NULL, *name = NULL;
	const char *gap = strstr(lock->name, "%s");

	if (!real)
		return NULL;
	switch (lock->place) {
	case PLACE_BESIDE:
		return path_join(real, lock->name);
	case PLACE_PATH:
		return xasprintf("%s/%s%s", real, path_basename(store->path), lock->name);
	case PLACE_TARGET:
		return xasprintf("%s%s", store->target, lock->name);
	case PLACE_DIRECTORY:
		return xasprintf("%s%s", real, lock->name);
	case PLACE_ABOVE:
		above = path_dirname(real);
		name = gap ? xasprintf("%.*s%s%s", (int)(gap - lock->name), lock->name, stem,
				       gap + strlen("%s"))
			   : xstrdup(lock->name);
		return path_join(above, name);
	case PLACE_NAMED:
		return xstrdup(lock->name);
	}
	return NULL;
}

static void add_locks(const struct store *store, const struct config_store *external, bool write,
		      struct lock_set *set)
{
	for (size_t i = 0; i < FORMAT_LOCKS_MAX && external->format->locks[i].name; i++) {
		const struct format_lock *lock = &external->format->locks[i];
		char *path = (write ? lock->write : lock->refresh) ? lock_path(store, lock) : NULL;
		if (path)
			lock_set_add_foreign(set, path, lock);
	}
}

void mapped_json_locks(const struct store *store, struct lock_set *set)
{
	for (size_t i = 0; i < store->n_external; i++)
		add_locks(store, store->external[i], true, set);
}

void mapped_json_refresh_locks(const struct store *store, const struct config_store *external,
			       struct lock_set *set)
{
	add_locks(store, external, false, set);
}
