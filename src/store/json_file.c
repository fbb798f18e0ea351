// SPDX-License-Identifier: MIT
//
// See json_file.h.
#include "store/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "file/swap.h"
#include "store/known.h"
#include "store/trouble.h"

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

void json_file_describe(struct store *store, const struct stat *st)
{
	const char *name;
	int at = places_at(store->known ? &store->known->places : NULL, store->target, &name);

	store->interrupted = swap_is_interrupted(at, name);
	store->mode = st->st_mode & 07777;
	store->links = st->st_nlink;
	store->group = st->st_gid;
}

bool json_file_read_open(struct store *store, int fd, const struct stat *st, struct secret *ret,
			 struct problems *problems)
{
	int r = secret_read_sized(fd, st->st_size, STORE_TEXT_MAX, ret);

	json_file_describe(store, st);
	if (r < 0)
		store_give_up_error(store, problems, r);
	return r >= 0;
}

bool json_file_read(struct store *store, struct secret *ret, struct problems *problems)
{
	struct stat st;
	_cleanup_close_ int fd = open_text(store->target, &st);

	if (fd >= 0)
		return json_file_read_open(store, fd, &st, ret, problems);
	if (fd == -ENOENT)
		store->state = STORE_MISSING;
	else
		store_give_up_error(store, problems, fd);
	return false;
}

static int stage_for(const struct store *store, size_t size, struct atomic_stage *ret)
{
	return store->in_place ? atomic_stage_over(store->target, size, ret)
			       : atomic_stage(store->target, size, ret);
}

int json_file_stage(const struct store *store, struct atomic_stage *ret)
{
	struct stat st;

	if (stat(store->target, &st) < 0)
		return -errno;
	return stage_for(store, (size_t)st.st_size + GROWTH_MAX, ret);
}

int json_file_edit(const struct store *store, json_file_editor *edit, struct store_change *changes,
		   size_t n, struct secret *ret)
{
	_cleanup_secret_ struct secret text = {};
	struct stat st;
	int r = load_text(store->target, &text, &st);

	return r < 0 ? r : edit(store, &text, changes, n, ret);
}

int json_file_write(const struct store *store, json_file_editor *edit, struct store_change *changes,
		    size_t n, struct atomic_stage *stage)
{
	_cleanup_secret_ struct secret text = {}, result = {};
	struct stat st;
	int r = swap_recover(store->target);

	if (r == 0)
		r = load_text(store->target, &text, &st);
	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	r = edit(store, &text, changes, n, &result);
	if (r < 0 || !result.text)
		return r;
	if (!stage->temp) {
		atomic_abort(stage);
		r = stage_for(store, 0, stage);
	}
	if (r < 0)
		return r;
	atomic_expect(stage, &st, text.text, text.len);
	return atomic_fill(stage, result.text, result.len);
}
