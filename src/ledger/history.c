// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "file/ofd_lock.h"
#include "file/private_file.h"
#include "json/json.h"
#include "ledger/history.h"

#define EVENT_VERSION 1

int history_path(const struct ledger *ledger, const char *name, bool create, char **ret)
{
	_cleanup_free_ char *directory = path_join(ledger->directory, "log");

	if (!ledger->exists)
		return -ENOENT;
	if (create && mkdir(directory, 0700) < 0 && errno != EEXIST)
		return -errno;
	*ret = path_join(directory, name);
	return 0;
}

// ---- an event as a line

static const struct {
	const char *name;
	size_t offset;
} texts[] = {
	{"by", offsetof(struct event, by)},
	{"command", offsetof(struct event, command)},
	{"host", offsetof(struct event, host)},
	{"event", offsetof(struct event, what)},
	{"account", offsetof(struct event, account)},
	{"provider", offsetof(struct event, provider)},
	{"profile", offsetof(struct event, profile)},
	{"identity", offsetof(struct event, identity)},
	{"from", offsetof(struct event, from)},
	{"to", offsetof(struct event, to)},
	{"store", offsetof(struct event, store)},
	{"who", offsetof(struct event, who)},
	{"code", offsetof(struct event, code)},
	{"message", offsetof(struct event, message)},
};

static char **text_at(struct event *event, size_t i)
{
	return (char **)((char *)event + texts[i].offset);
}

const size_t event_n_texts = ARRAY_SIZE(texts);

const char *event_text_name(size_t i)
{
	return texts[i].name;
}

const char *event_text(const struct event *event, size_t i)
{
	return *text_at((struct event *)event, i);
}

void event_free(struct event *event)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(*text_at(event, i));
	*event = (struct event){0};
}

void events_free(struct events *events)
{
	for (size_t i = 0; i < events->n; i++)
		event_free(&events->list[i]);
	free(events->list);
	*events = (struct events){0};
}

static struct secret event_line(const struct event *event)
{
	_cleanup_json_ cJSON *json = cJSON_CreateObject();
	_cleanup_free_ char *at = time_format(event->at_ms);

	json_put_integer(json, "v", EVENT_VERSION);
	json_put_text(json, "time", at);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *text = event_text(event, i);
		_cleanup_free_ char *safe = text ? string_printable(text, 2000) : NULL;
		if (safe)
			json_put_text(json, texts[i].name, safe);
	}
	if (event->http_status)
		json_put_integer(json, "http_status", event->http_status);
	if (event->copies)
		json_put_integer(json, "copies", event->copies);
	return json_print(json, false);
}

static void add_line(struct events *events, const char *line, size_t len)
{
	_cleanup_json_ cJSON *json = json_parse(line, len);
	int64_t version = json_integer(json, "v", 0);
	struct event event = {0};

	events->n_newer += version > EVENT_VERSION;
	if (version != EVENT_VERSION || !json_text(json, "event") ||
	    time_parse(json_text(json, "time"), &event.at_ms) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		*text_at(&event, i) = xstrdup(json_text(json, texts[i].name));
	event.http_status = json_integer(json, "http_status", 0);
	event.copies = json_integer(json, "copies", 0);
	*array_add(&events->list, &events->n) = event;
}

// ---- the file

// Full: it becomes the older half, in the place of the one before. Whoever has its lock does that, if it still stands
// there: of two at once the second would throw away what the first has kept.
static void rotate(const char *path)
{
	_cleanup_free_ char *older = xasprintf("%s.1", path);
	_cleanup_close_ int fd = -1;
	struct stat st, now;

	if (stat(path, &st) < 0 || st.st_size < HISTORY_MAX ||
	    private_open(path, O_RDWR, &fd, NULL) < 0 || ofd_lock(fd) < 0 || fstat(fd, &st) < 0)
		return;
	if (stat(path, &now) == 0 && now.st_ino == st.st_ino && now.st_dev == st.st_dev)
		rename(path, older);
}

static bool ends_torn(int fd)
{
	struct stat st;
	char last = '\n';

	return fstat(fd, &st) == 0 && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 &&
	       last != '\n';
}

int history_append(const struct ledger *ledger, const struct event *event)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	_cleanup_secret_ struct secret line = event_line(event);
	_cleanup_close_ int fd = -1;
	int r = history_path(ledger, "events", true, &path);

	if (r < 0)
		return r;
	rotate(path);
	r = private_open(path, O_RDWR | O_APPEND | O_CREAT, &fd, NULL);
	if (r < 0)
		return r;
	text = xasprintf("%s%s\n", ends_torn(fd) ? "\n" : "", line.text);
	return write_full(fd, text, strlen(text));
}

static int read_file(const struct ledger *ledger, const char *name, struct events *events)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_secret_ struct secret text = {0};
	int r = history_path(ledger, name, false, &path);

	if (r == 0)
		r = private_read(path, 2 * HISTORY_MAX, &text, NULL);
	if (r == -EFBIG) // none of ours is as long: the other half can still be read
		return log_warning("%s is too long, and is not read", path), 0;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (const char *line = text.text, *end = line + text.len; line < end;) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t len = (size_t)((stop ? stop : end) - line);
		add_line(events, line, len);
		line += len + 1;
	}
	return 0;
}

int history_read(const struct ledger *ledger, struct events *ret)
{
	struct events events = {0};
	int r = read_file(ledger, "events.1", &events);

	if (r == 0)
		r = read_file(ledger, "events", &events);
	if (r < 0) {
		events_free(&events);
		return r;
	}
	*ret = events;
	return 0;
}

// ---- the last runs

static const char *const by_names[] = {
	[BY_HAND] = "hand", [BY_TIMER] = "timer", [BY_CRON] = "cron",
	[BY_PATH] = "path", [BY_WATCH] = "watch",
};

const char *run_by_name(enum run_by by)
{
	return by_names[by];
}

enum run_by run_by_whom(void)
{
	const char *unit = getenv("TRIGGER_UNIT"), *said = getenv("OAUTH_KEEPALIVE_RUN");

	if (unit && string_ends(unit, ".path"))
		return BY_PATH;
	for (enum run_by by = 0; by < RUN_BY_N; by++)
		if (string_equal(said, by_names[by]))
			return by;
	return unit && string_ends(unit, ".timer") ? BY_TIMER : BY_HAND;
}

static int open_run(const struct ledger *ledger, enum run_by by, int flags, int *ret)
{
	_cleanup_free_ char *name = xasprintf("run.%s", by_names[by]), *path = NULL;
	int r = history_path(ledger, name, flags & O_CREAT, &path);

	return r < 0 ? r : private_open(path, flags, ret, NULL);
}

// As long as its text is the same, the file's time alone says that there was a run.
static int parse_run(int fd, struct last_run *ret)
{
	char text[64] = "";
	struct stat st;
	long long succeeded_ms;

	if (fstat(fd, &st) < 0 || pread(fd, text, sizeof(text) - 1, 0) < 0)
		return -errno;
	if (sscanf(text, "exit %d succeeded %lld\n", &ret->exit_code, &succeeded_ms) != 2)
		return -EBADMSG;
	ret->at_ms = st.st_mtim.tv_sec * SECOND_MS + st.st_mtim.tv_nsec / 1000000;
	ret->succeeded_ms = ret->exit_code ? succeeded_ms : ret->at_ms;
	return 0;
}

int last_run_read(const struct ledger *ledger, enum run_by by, struct last_run *ret)
{
	_cleanup_close_ int fd = -1;
	struct last_run run = {0};
	int r = open_run(ledger, by, O_RDONLY, &fd);

	if (r == 0)
		r = parse_run(fd, &run);
	if (r == 0)
		*ret = run;
	return r;
}

int last_run_note(const struct ledger *ledger, enum run_by by, int64_t now_ms, int exit_code)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	struct last_run run = {0};
	struct timespec times[2];
	int r = open_run(ledger, by, O_RDWR | O_CREAT, &fd);

	if (r < 0)
		return r;
	if (parse_run(fd, &run) < 0 || run.exit_code != exit_code) {
		text = xasprintf("exit %03d succeeded %015lld\n", exit_code,
				 (long long)run.succeeded_ms);
		if (pwrite(fd, text, strlen(text), 0) < 0)
			return -errno;
	}
	times[0].tv_sec = now_ms / SECOND_MS;
	times[0].tv_nsec = now_ms % SECOND_MS * 1000000;
	times[1] = times[0];
	return futimens(fd, times) < 0 ? -errno : 0;
}
