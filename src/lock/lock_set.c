// SPDX-License-Identifier: MIT
//
// Several lock files as one: all or none. Always taken in the order of their paths, and never
// waited for while one is held, so that two sets cannot block each other.
#include "lock/lock.h"

#include <errno.h>

#include "lock/foreign.h"
#include "lock/lock_file.h"

// Takes `path`. One that is in the set already would find itself busy.
void lock_set_add_foreign(struct lock_set *set, char *path, const struct format_lock *lock)
{
	for (size_t i = 0; i < set->n; i++) {
		if (string_equal(set->files[i].path, path)) {
			free(path);
			return;
		}
	}

	struct lock_file *file = array_add(&set->files, &set->n);

	file->path = path;
	file->foreign = lock;
	file->fd = -1;
}

static void add_path(struct lock_set *set, char *path)
{
	lock_set_add_foreign(set, path, NULL);
}

void lock_set_add_refresh(struct lock_set *set, const char *state_dir, const char *provider,
			  const char *profile)
{
	_cleanup_free_ char *sha256 = lock_name_sha256(provider, profile);
	_cleanup_free_ char *fnv = lock_name_fnv(provider, profile);

	add_path(set, xasprintf("%s/locks/oauth-refresh/%s.lock", state_dir, sha256));
	add_path(set, xasprintf("%s/locks/oauth-refresh/%s.lock", state_dir, fnv));
}

void lock_set_add_store(struct lock_set *set, const char *store_name)
{
	add_path(set, xasprintf("%s.lock", store_name));
}

static int compare_paths(const void *a, const void *b)
{
	const struct lock_file *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static void forget_busy(struct lock_set *set)
{
	cleanup_free(&set->busy_path);
	set->busy_owner = (struct process_id){0};
}

// Taken over from a courier, they guard an answer. From ourselves, they are what a failed unlink left.
static bool guards_answer(struct process_id owner, const struct process_id *takeover, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (takeover[i].pid != owner.pid || takeover[i].starttime != owner.starttime)
			return true;
	return false;
}

bool lock_set_is_held(const struct lock_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].ino != 0)
			return true;
	return false;
}

int lock_set_acquire(struct lock_set *set, struct process_id owner,
		     const struct process_id *takeover, size_t n_takeover)
{
	if (lock_set_is_held(set))
		return -EALREADY;
	if (owner.pid <= 0)
		return -EINVAL;
	forget_busy(set);
	if (set->n > 1)
		qsort(set->files, set->n, sizeof(*set->files), compare_paths);
	for (size_t i = 0; i < set->n; i++) {
		const struct lock_set *like = set->like;
		int r = lock_file_take(&set->files[i], owner, takeover, n_takeover,
				       like && like->n ? &like->files[0] : NULL, &set->busy_owner);

		if (r < 0) {
			// Never let an answer go unguarded.
			if (guards_answer(owner, takeover, n_takeover))
				lock_set_leave(set);
			lock_set_release(set);
			if (r == -EBUSY)
				set->busy_path = xstrdup(set->files[i].path);
			set->busy_foreign = set->files[i].foreign;
			return r;
		}
	}
	return 0;
}

bool lock_set_still_ours(const struct lock_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (!lock_file_is_ours(&set->files[i]))
			return false;
	return true;
}

// A file that was lost is let go, so the set is no longer ours; the others go on answering for
// somebody who lives.
int lock_set_restamp(struct lock_set *set, struct process_id owner)
{
	int result = 0;

	if (!lock_set_is_held(set) || owner.pid <= 0)
		return -EINVAL;
	for (size_t i = 0; i < set->n; i++) {
		struct lock_file *file = &set->files[i];
		int r = file->ino ? lock_file_restamp(file, owner) : -ESTALE;

		if (r < 0 && result != -ESTALE)
			result = r;
	}
	return result;
}

void lock_set_release(struct lock_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		lock_file_release(&set->files[i]);
}

bool lock_set_yield(struct lock_set *set)
{
	bool any = false;

	for (size_t i = 0; i < set->n; i++) {
		if (!set->files[i].foreign || !set->files[i].foreign->yields)
			continue;
		lock_file_release(&set->files[i]);
		any = true;
	}
	return any;
}

void lock_set_drop_dead(const struct lock_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].foreign)
			foreign_lock_drop_dead(set->files[i].path, set->files[i].foreign);
}

void lock_set_leave(struct lock_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		lock_file_leave(&set->files[i]);
}

void lock_set_free(struct lock_set *set)
{
	lock_set_release(set);
	for (size_t i = 0; i < set->n; i++)
		free(set->files[i].path);
	free(set->files);
	free(set->busy_path);
	*set = LOCK_SET_NONE;
}
