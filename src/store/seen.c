// SPDX-License-Identifier: MIT
//
// See seen.h.
#include "store/seen.h"

#include <time.h>

#define TICK_MS 50 // the kernel's clock for files ticks each 10 ms at the slowest

static struct text_hash hash_state(const struct stat *st)
{
	const uint64_t state[] = {
		st->st_dev,
		st->st_ino,
		(uint64_t)st->st_size,
		(uint64_t)st->st_mtim.tv_sec,
		(uint64_t)st->st_mtim.tv_nsec,
		(uint64_t)st->st_ctim.tv_sec,
		(uint64_t)st->st_ctim.tv_nsec,
		st->st_mode,
		st->st_uid,
		st->st_gid,
	};

	return hash_text(state, sizeof(state));
}

// Whole seconds are what a file system writes that keeps no more of a time.
static bool is_older(const struct timespec *time, const struct timespec *began)
{
	int64_t ms = (int64_t)(began->tv_sec - time->tv_sec) * 1000 +
		     (began->tv_nsec - time->tv_nsec) / 1000000;

	return ms > TICK_MS && time->tv_nsec != 0;
}

static void files_free(struct seen_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		copies_free(&files->list[i].copies, &files->list[i].n_copies);
	free(files->list);
	index_free(&files->by_state);
	*files = (struct seen_files){0};
}

void seen_begin_look(struct seen *seen)
{
	if (!seen)
		return;
	files_free(&seen->before);
	seen->before = seen->now;
	seen->now = (struct seen_files){0};
	clock_gettime(CLOCK_REALTIME_COARSE, &seen->began);
}

// By the change time, which every write sets, and nobody can set back as they can the other.
void seen_add(struct seen *seen, const struct stat *st, struct copy *const *copies, size_t n)
{
	if (!seen || !is_older(&st->st_ctim, &seen->began))
		return;
	struct text_hash state = hash_state(st);
	index_add(&seen->now.by_state, state.words[0], seen->now.n);
	*array_add(&seen->now.list, &seen->now.n) = (struct seen_file){
		.state = state, .copies = copies_share(copies, n), .n_copies = n};
}

const struct seen_file *seen_find(const struct seen *seen, const struct stat *st)
{
	if (!seen)
		return NULL;
	struct text_hash state = hash_state(st);
	for_each_found (found, &seen->before.by_state, state.words[0])
		if (text_hash_equal(seen->before.list[found->at].state, state))
			return &seen->before.list[found->at];
	return NULL;
}

void seen_free(struct seen *seen)
{
	files_free(&seen->before);
	files_free(&seen->now);
}
