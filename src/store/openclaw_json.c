// SPDX-License-Identifier: MIT
//
// auth-profiles.json: a file with the document of openclaw_profiles.h. A write reads it again, has the document edited,
// and leaves it in the stage to replace the file at once, or not at all if nothing changed. Before all that it finishes what a killed process left.
#include "store/openclaw_json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "file/swap.h"
#include "store/openclaw_profiles.h"

// What a store may grow by: the three tokens of a credential, at the largest we take.
#define GROWTH_MAX (3u * TOKEN_MAX)

static int open_text(const char *target, struct stat *ret_st)
{
	_cleanup_close_ int fd =
		open(target, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, ret_st) < 0)
		return -errno;
	return S_ISREG(ret_st->st_mode) ? TAKE_FD(fd) : -EINVAL;
}

static int load_text(const char *target, struct secret *ret, struct stat *ret_st)
{
	_cleanup_close_ int fd = open_text(target, ret_st);

	return fd < 0 ? fd : secret_read_sized(fd, ret_st->st_size, STORE_TEXT_MAX, ret);
}

void openclaw_json_read_open(struct store *store, int fd, const struct stat *st,
			     const struct config *config, struct problems *problems)
{
	_cleanup_secret_ struct secret text = {};
	int r = secret_read_sized(fd, st->st_size, STORE_TEXT_MAX, &text);

	if (r < 0) {
		openclaw_give_up(store, problems, r);
		return;
	}
	store->mode = st->st_mode & 07777;
	store->group = st->st_gid;
	store->interrupted = swap_is_interrupted(store->target);
	openclaw_profiles_read(store, &text, config, problems);
}

void openclaw_json_read(struct store *store, const struct config *config, struct problems *problems)
{
	struct stat st;
	_cleanup_close_ int fd = open_text(store->target, &st);

	if (fd == -ENOENT)
		store->state = STORE_MISSING;
	else if (fd < 0)
		openclaw_give_up(store, problems, fd);
	else
		openclaw_json_read_open(store, fd, &st, config, problems);
}

int openclaw_json_stage(const struct store *store, struct atomic_stage *ret)
{
	struct stat st;

	if (stat(store->target, &st) < 0)
		return -errno;
	return atomic_stage(store->target, (size_t)st.st_size + GROWTH_MAX, ret);
}

void openclaw_json_locks(const struct store *store, struct lock_set *set)
{
	for (size_t i = 0; i < store->n_names; i++)
		lock_set_add_store(set, store->names[i]);
}

int openclaw_json_write(const struct store *store, struct store_change *changes, size_t n,
			struct atomic_stage *stage)
{
	_cleanup_secret_ struct secret text = {}, result = {};
	struct stat st;
	int r = swap_recover(store->target);

	if (r == 0)
		r = load_text(store->target, &text, &st);
	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	r = openclaw_profiles_edit(&text, changes, n, &result);
	if (r < 0 || !result.text)
		return r;
	if (!stage->temp) {
		atomic_abort(stage);
		r = atomic_stage(store->target, 0, stage);
	}
	if (r < 0)
		return r;
	atomic_expect(stage, &st, text.text, text.len);
	return atomic_fill(stage, result.text, result.len);
}
