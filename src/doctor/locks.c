// SPDX-License-Identifier: MIT
//
// Lock files of OpenClaw's whose holder is dead: the refresh locks of each state directory, and those beside the stores.
// This program takes them over when it needs them; OpenClaw waits for some, up to minutes (lock/stale.h).
#include "doctor/doctor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "lock/stale.h"

static void check_lock(const struct report *report, const char *path, int64_t stale_ms,
		       struct problems *problems)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[LOCK_PAYLOAD_MAX];
	struct lock_payload payload;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > LOCK_PAYLOAD_MAX)
		return;
	n = read_full(fd, text, sizeof(text));
	if (n < 0)
		return;
	lock_payload_read(text, (size_t)n, &payload);
	int64_t mtime_ms = st.st_mtim.tv_sec * SECOND_MS + st.st_mtim.tv_nsec / 1000000;
	if (!lock_is_stale(&payload, st.st_uid == geteuid(), mtime_ms, report->now_ms, stale_ms))
		return;
	_cleanup_free_ char *word = shell_quoted(path);
	_cleanup_free_ char *age = duration_format((report->now_ms - mtime_ms) / SECOND_MS);
	_cleanup_free_ char *who = payload.owner.pid
					   ? xasprintf("process %d", (int)payload.owner.pid)
					   : xstrdup("an unknown process");
	problem_add(problems, SEVERITY_WARNING, "lock_orphaned", path, NULL,
		    xasprintf("this lock is %s old, and its holder has died (%s): OpenClaw may "
			      "wait for it",
			      age, who),
		    xasprintf("rm -- %s # while the gateway is stopped, so that nothing takes the "
			      "lock meanwhile",
			      word));
}

static void check_refresh_locks(const struct report *report, const struct state_dir *dir,
				struct problems *problems)
{
	_cleanup_free_ char *path = path_join(dir->path, "locks/oauth-refresh");
	_cleanup_directory_ DIR *directory = opendir(path);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		_cleanup_free_ char *lock = path_join(path, entry->d_name);
		if (entry->d_name[0] != '.')
			check_lock(report, lock, LOCK_STALE_REFRESH_MS, problems);
	}
}

void doctor_check_locks(const struct report *report, struct problems *problems)
{
	const struct stores *stores = &report->cycle->now.stores;

	for (size_t i = 0; i < stores->n_dirs; i++)
		check_refresh_locks(report, stores->dirs[i], problems);
	for (size_t i = 0; i < stores->n; i++)
		for (size_t k = 0; k < stores->list[i].n_names; k++) {
			_cleanup_free_ char *lock = xasprintf("%s.lock", stores->list[i].names[k]);
			check_lock(report, lock, LOCK_STALE_STORE_MS, problems);
		}
}
