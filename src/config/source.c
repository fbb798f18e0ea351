// SPDX-License-Identifier: MIT
//
// The scanner knows as much of libconfig's grammar as tells where an @include stands: strings and
// comments. As there, it counts at the beginning of a line only, and a name that is not absolute is
// below the directory of the configuration file.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "config/source.h"
#include "file/safe_path.h"

#define TEXT_MAX  ((size_t)1 << 20) // of all files together
#define DEPTH_MAX 10		    // as in libconfig

enum within { NOTHING, A_STRING, A_COMMENT, A_LINE };

struct reading {
	struct source *source;
	char *directory; // of the configuration file: where included ones are
	unsigned depth;
	char *error;
};

// Where one file is being read.
struct position {
	size_t file;
	unsigned line;
	enum within within;
	unsigned opened; // the line where it began
};

static int add_file(struct reading *reading, const char *path, const struct position *from);

static _printf_(3, 4) int fail(struct reading *reading, const struct position *at,
			       const char *format, ...)
{
	_cleanup_free_ char *what = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&what, format, args) < 0)
		what = NULL;
	va_end(args);
	if (!reading->error)
		reading->error = xasprintf("%s:%u: %s", reading->source->files[at->file], at->line,
					   what ? what : "");
	return -EINVAL;
}

// ---- a file

// Who can write the file decides where tokens are sent.
static int check_file(const char *path, char **ret_error)
{
	_cleanup_free_ char *message = NULL, *fix = NULL;
	int r = path_check_trusted(path, &message, &fix);

	if (message)
		*ret_error = xasprintf("%s; %s", message, fix);
	else if (r < 0)
		*ret_error =
			xasprintf("%s: %s; check the name and its permissions", path, strerror(-r));
	return message ? -EINVAL : r;
}

static int read_text(int fd, const char *name, char **ret, char **ret_error)
{
	_cleanup_free_ char *text = xcalloc(TEXT_MAX + 2, 1);
	ssize_t n = read_full(fd, text, TEXT_MAX + 1);

	if (n < 0)
		*ret_error = xasprintf("%s: %s; try again", name, strerror((int)-n));
	else if ((size_t)n > TEXT_MAX)
		*ret_error =
			xasprintf("%s: is larger than 1 MiB, too large for a configuration", name);
	else if (memchr(text, '\0', (size_t)n))
		*ret_error = xasprintf("%s: holds a NUL byte; that is no configuration", name);
	if (*ret_error)
		return n < 0 ? (int)n : -EINVAL;
	*ret = TAKE_PTR(text);
	return 0;
}

static int load(const char *path, char **ret, char **ret_error)
{
	_cleanup_close_ int fd = -1;
	int r = check_file(path, ret_error);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		r = -errno;
		*ret_error = xasprintf("%s: %s; let the user of this program read it", path,
				       strerror(-r));
		return r;
	}
	return read_text(fd, path, ret, ret_error);
}

// ---- the text

static void put(struct reading *reading, const struct position *at, const char *text, size_t n)
{
	struct source *source = reading->source;

	for (size_t i = 0; i < n; i++) {
		if (source->len == 0 || source->text[source->len - 1] == '\n')
			*array_add(&source->lines, &source->n_lines) =
				(struct source_line){at->file, at->line};
		*array_add(&source->text, &source->len) = text[i];
	}
}

// The name in `@include "NAME"` at the beginning of a line; NULL: it is none. All that libconfig would
// take for an include is one here, so that it never opens a file itself.
static const char *include_at(const char *line)
{
	static const char word[] = "@include";
	const char *p = line + strspn(line, " \t");
	size_t blanks;

	if (!string_starts(p, word))
		return NULL;
	p += strlen(word);
	blanks = strspn(p, " \t");
	return blanks > 0 && p[blanks] == '"' ? p + blanks + 1 : NULL;
}

// *ret_end: behind the closing quote.
static int include(struct reading *reading, const struct position *at, const char *text,
		   const char **ret_end)
{
	size_t n = strcspn(text, "\"\\\n");
	_cleanup_free_ char *name = xstrndup(text, n), *path = NULL;

	if (n == 0 || text[n] != '"')
		return fail(reading, at,
			    "the name in @include has a backslash, or no end; "
			    "write @include \"FILE\"");
	if (reading->depth >= DEPTH_MAX)
		return fail(reading, at, "includes files more than %d deep; is it a circle?",
			    DEPTH_MAX);
	path = *name == '/' ? TAKE_PTR(name) : path_join(reading->directory, name);
	*ret_end = text + n + 1;
	return add_file(reading, path, at);
}

// What the next byte is, or the next two: 1 or 2, and what it opens or closes.
static size_t step(struct position *at, const char *p)
{
	static const struct {
		enum within in;
		const char *text;
		enum within then;
	} marks[] = {
		{NOTHING, "\"", A_STRING},    {NOTHING, "/*", A_COMMENT},
		{NOTHING, "//", A_LINE},      {NOTHING, "#", A_LINE},
		{A_STRING, "\\\\", A_STRING}, {A_STRING, "\\\"", A_STRING},
		{A_STRING, "\"", NOTHING},    {A_COMMENT, "*/", NOTHING},
		{A_LINE, "\n", NOTHING},
	};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (marks[i].in != at->within || !string_starts(p, marks[i].text))
			continue;
		if (marks[i].in == NOTHING)
			at->opened = at->line;
		at->within = marks[i].then;
		return strlen(marks[i].text);
	}
	return 1;
}

static int add_text(struct reading *reading, struct position *at, const char *text)
{
	bool line_starts = true;

	for (const char *p = text; *p;) {
		const char *name = line_starts && at->within == NOTHING ? include_at(p) : NULL;

		if (name) { // and the next line starts behind it
			int r = include(reading, at, name, &p);
			if (r < 0)
				return r;
			continue;
		}
		size_t n = step(at, p);
		put(reading, at, p, n);
		if (reading->source->len > TEXT_MAX)
			return fail(reading, at,
				    "with what it includes it is larger than 1 MiB; "
				    "that is no configuration");
		line_starts = p[n - 1] == '\n';
		at->line += line_starts;
		p += n;
	}
	return 0;
}

// What a file opens it closes, the last line too.
static int end_text(struct reading *reading, struct position *at)
{
	unsigned opened = at->opened;

	if (at->within == A_STRING || at->within == A_COMMENT) {
		at->line = opened;
		return at->within == A_STRING
			       ? fail(reading, at, "a string begins here and never ends; add \"")
			       : fail(reading, at, "a comment begins here and never ends; add */");
	}
	if (reading->source->len > 0 && reading->source->text[reading->source->len - 1] != '\n')
		put(reading, at, "\n", 1);
	return 0;
}

static int add_file(struct reading *reading, const char *path, const struct position *from)
{
	struct source *source = reading->source;
	struct position at = {.file = source->n_files, .line = 1};
	_cleanup_free_ char *text = NULL, *why = NULL;

	int r = load(path, &text, &why);
	if (r < 0) {
		if (from)
			return fail(reading, from, "@include: %s", why);
		reading->error = TAKE_PTR(why);
		return r;
	}
	*array_add(&source->files, &source->n_files) = xstrdup(path);
	reading->depth++;
	r = add_text(reading, &at, text);
	if (r == 0)
		r = end_text(reading, &at);
	reading->depth--;
	return r;
}

int source_read(const char *path, struct source *ret, char **ret_error)
{
	_cleanup_(source_free) struct source source = {0};
	_cleanup_free_ char *real = realpath(path, NULL);
	_cleanup_free_ char *directory = path_dirname(real ? real : path);
	struct reading reading = {.source = &source, .directory = directory};

	int r = add_file(&reading, path, NULL);
	if (r < 0) {
		*ret_error = reading.error;
		return r;
	}
	*array_add(&source.text, &source.len) = '\0';
	*ret = source;
	source = (struct source){0};
	return 0;
}

char *source_place(const struct source *source, unsigned line)
{
	struct source_line at = {.line = line};

	if (line > 0 && source->n_lines > 0)
		at = source->lines[line <= source->n_lines ? line - 1 : source->n_lines - 1];
	return xasprintf("%s:%u", source->files[at.file], at.line);
}

void source_free(struct source *source)
{
	for (size_t i = 0; i < source->n_files; i++)
		free(source->files[i]);
	free(source->files);
	free(source->lines);
	free(source->text);
	*source = (struct source){0};
}
