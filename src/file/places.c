// SPDX-License-Identifier: MIT
//
// See places.h. A directory's own name is looked at in the real path of the one above it, so that each costs one call.
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "file/places.h"
#include "file/safe_path.h"

#define WANTED                                                                                     \
	(STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_GID | STATX_SIZE | STATX_MNT_ID)
#define UNTOUCHABLE (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)

void places_free(struct places *places)
{
	for (size_t i = 0; i < places->n; i++) {
		free(places->list[i].path);
		free(places->list[i].real);
	}
	free(places->list);
	index_free(&places->by_path);
	*places = (struct places){0};
}

// What trust and safety are judged by.
static struct stat as_stat(const struct statx *from)
{
	return (struct stat){.st_mode = from->stx_mode,
			     .st_nlink = from->stx_nlink,
			     .st_uid = from->stx_uid,
			     .st_gid = from->stx_gid,
			     .st_size = (off_t)from->stx_size};
}

static bool is_read_only(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) == 0 && fs.f_flag & ST_RDONLY;
}

// Our own directory with all its owner's bits is open to us, whatever else stands there.
static bool is_closed(const char *path, const struct stat *st, uid_t self)
{
	if (st->st_uid == self && (st->st_mode & 0300) == 0300)
		return false;
	return faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0 && errno == EACCES;
}

static void judge(struct place *place, const struct statx *at, const struct place *above,
		  uid_t self)
{
	const struct stat st = as_stat(at);

	place->mount = at->stx_mask & STATX_MNT_ID ? at->stx_mnt_id : 0;
	place->safe = (!above || above->safe) && path_ancestor_is_safe(place->real, &st, self);
	place->untouchable = at->stx_attributes & UNTOUCHABLE;
	place->closed = is_closed(place->real, &st, self);
	place->read_only = above && place->mount && place->mount == above->mount
				   ? above->read_only
				   : is_read_only(place->real);
}

// Through a link, or by a path with steps in it that say nothing or go back: the long way.
static void take_other(struct places *places, struct place *place)
{
	_cleanup_free_ char *real = path_real(place->path);
	const struct place *other =
		real && !string_equal(real, place->path) ? place_find(places, real) : NULL;

	char *path = place->path;

	place->error = !real ? -errno : !other ? -ESTALE : other->error;
	if (place->error < 0)
		return;
	if (!string_equal(other->real, real)) { // it is being turned
		place->error = -ESTALE;
		return;
	}
	*place = *other;
	place->path = path;
	place->real = TAKE_PTR(real);
}

// A name in the directory `parent`, which path_join puts together again.
static bool is_plain(const char *path, const char *parent)
{
	const char *name = path_basename(path);
	_cleanup_free_ char *joined = path_join(parent, name);

	return path[0] == '/' && *name && !string_equal(name, ".") && !string_equal(name, "..") &&
	       string_equal(joined, path);
}

static void look_at_name(struct places *places, struct place *place, const struct place *above)
{
	struct statx st;

	if (statx(AT_FDCWD, place->path, AT_SYMLINK_NOFOLLOW, WANTED, &st) < 0)
		place->error = -errno;
	else if (S_ISLNK(st.stx_mode))
		take_other(places, place);
	else if (!S_ISDIR(st.stx_mode))
		place->error = -ENOTDIR;
	else {
		place->real = xstrdup(place->path);
		judge(place, &st, above, places->self);
	}
}

static void look_at(struct places *places, struct place *place)
{
	_cleanup_free_ char *parent = path_dirname(place->path);

	if (string_equal(place->path, "/")) {
		look_at_name(places, place, NULL);
	} else if (!is_plain(place->path, parent)) {
		take_other(places, place);
	} else {
		const struct place above = *place_find(places, parent);
		place->error = above.error;
		if (above.real && string_equal(above.real, above.path))
			look_at_name(places, place, &above);
		else if (above.real)
			take_other(places, place);
	}
}

const struct place *place_find(struct places *places, const char *path)
{
	uint64_t hash = hash_string(path);
	struct place place = {0};

	for_each_found (found, &places->by_path, hash)
		if (string_equal(places->list[found->at].path, path))
			return &places->list[found->at];
	if (!places->n) {
		places->self = geteuid();
		places->group = getegid();
	}
	place.path = xstrdup(path);
	look_at(places, &place);
	index_add(&places->by_path, hash, places->n);
	struct place *kept = array_add(&places->list, &places->n);
	*kept = place;
	return kept;
}

int file_look(int fd, struct stat *ret, uint64_t *ret_attributes)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, WANTED, &st) < 0)
		return -errno;
	*ret = as_stat(&st);
	*ret_attributes = st.stx_attributes;
	return 0;
}

enum obstacle place_obstacle(const struct place *directory, uint64_t attributes_of_file)
{
	if (attributes_of_file & STATX_ATTR_MOUNT_ROOT)
		return OBSTACLE_MOUNT_POINT;
	if (directory->read_only)
		return OBSTACLE_READ_ONLY;
	if (directory->untouchable || attributes_of_file & UNTOUCHABLE)
		return OBSTACLE_IMMUTABLE;
	return directory->closed ? OBSTACLE_DIRECTORY : OBSTACLE_NONE;
}
