// SPDX-License-Identifier: MIT
//
// See places.h. A directory's own name is looked at in the real path of the one above it, so that each costs one call.
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "file/filesystem.h"
#include "file/places.h"
#include "file/safe_path.h"

#define WANTED                                                                                     \
	(STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_GID | STATX_SIZE | STATX_INO |  \
	 STATX_MTIME | STATX_CTIME | STATX_MNT_ID)
#define UNTOUCHABLE (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)

void places_free(struct places *places)
{
	for (size_t i = 0; i < places->n; i++) {
		free(places->list[i].path);
		free(places->list[i].real);
	}
	free(places->list);
	index_free(&places->by_path);
	if (places->near)
		close(places->near_fd);
	free(places->near);
	*places = (struct places){0};
}

void places_stay_near(struct places *places, const char *directory)
{
	int fd = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (places->near)
		close(places->near_fd);
	free(places->near);
	places->near = xstrdup(directory);
	places->near_len = strlen(directory);
	places->near_fd = fd;
}

int places_at(const struct places *places, const char *path, const char **ret_name)
{
	bool near = places && places->near && strncmp(path, places->near, places->near_len) == 0 &&
		    path[places->near_len] == '/' && path[places->near_len + 1];

	*ret_name = near ? path + places->near_len + 1 : path;
	return near ? places->near_fd : AT_FDCWD;
}

static struct timespec as_time(const struct statx_timestamp *from)
{
	return (struct timespec){.tv_sec = from->tv_sec, .tv_nsec = from->tv_nsec};
}

// What trust and safety are judged by, and whether it is what it was.
static struct stat as_stat(const struct statx *from)
{
	return (struct stat){.st_mode = from->stx_mode,
			     .st_nlink = from->stx_nlink,
			     .st_uid = from->stx_uid,
			     .st_gid = from->stx_gid,
			     .st_size = (off_t)from->stx_size,
			     .st_dev = makedev(from->stx_dev_major, from->stx_dev_minor),
			     .st_ino = from->stx_ino,
			     .st_mtim = as_time(&from->stx_mtime),
			     .st_ctim = as_time(&from->stx_ctime)};
}

static void judge_mount(struct place *place, const struct place *above)
{
	struct statfs fs;

	if (above && place->mount && place->mount == above->mount) {
		place->read_only = above->read_only;
		place->keeps_time = above->keeps_time;
	} else if (statfs(place->real, &fs) == 0) {
		place->read_only = fs.f_flags & ST_RDONLY;
		place->keeps_time = filesystem_keeps_time(&fs);
	}
}

// Our own directory with all its owner's bits is open to us, whatever else stands there. (It is opened, too: what took a
// place in it is made durable.)
static bool is_closed(const char *path, const struct stat *st, uid_t self)
{
	if (st->st_uid == self && (st->st_mode & 0700) == 0700)
		return false;
	return faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) < 0 && errno == EACCES;
}

static void judge(struct place *place, const struct statx *at, const struct place *above,
		  uid_t self)
{
	const struct stat st = as_stat(at);

	place->mount = at->stx_mask & STATX_MNT_ID ? at->stx_mnt_id : 0;
	place->safe = (!above || above->safe) && path_ancestor_is_safe(place->real, &st, self);
	place->untouchable = at->stx_attributes & UNTOUCHABLE;
	place->closed = is_closed(place->real, &st, self);
	judge_mount(place, above);
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
	const char *name;
	int at = places_at(places, place->path, &name);
	struct statx st;

	if (statx(at, name, AT_SYMLINK_NOFOLLOW, WANTED, &st) < 0)
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
	if (!places->asked) {
		places->asked = true;
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

static int look_with(int fd, const char *path, int flags, struct file_look *ret)
{
	struct statx st;

	if (statx(fd, path, flags, WANTED, &st) < 0)
		return -errno;
	*ret = (struct file_look){.st = as_stat(&st), .attributes = st.stx_attributes};
	return 0;
}

int file_look(int fd, struct file_look *ret)
{
	return look_with(fd, "", AT_EMPTY_PATH, ret);
}

int file_look_at(const struct places *places, const char *path, struct file_look *ret)
{
	const char *name;
	int at = places_at(places, path, &name);

	return look_with(at, name, AT_SYMLINK_NOFOLLOW, ret);
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
