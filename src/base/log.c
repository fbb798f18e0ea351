// SPDX-License-Identifier: MIT
//
// Messages for people. Every line passes through string_printable here once more, so that no
// message, wherever its parts came from, can write a second line or drive a terminal.

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/terminal.h"

#define LONGEST_LINE 4096

static const char *program_name = "oauth-keepalive";
static enum log_level max_level = LOG_LEVEL_INFO;
static bool to_journal;
static int width; // of the terminal on standard error; 0: lines are not broken
static bool progress, progress_shown;
static void (*log_sink)(enum log_level level, const char *line);

// systemd.exec(5): JOURNAL_STREAM is "device:inode" of the stream, to be compared, for the variable
// is inherited by programs whose standard error is something else.
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_setup(const char *program, enum log_level max)
{
	program_name = program;
	max_level = max;
	to_journal = is_journal(STDERR_FILENO);
}

void log_break_lines(void)
{
	width = terminal_width(STDERR_FILENO);
}

const char *log_journal_prefix(int fd, enum log_level level)
{
	static const char *const prefixes[] = {"<0>", "<1>", "<2>", "<3>",
					       "<4>", "<5>", "<6>", "<7>"};

	return is_journal(fd) ? prefixes[level] : "";
}

void log_set_sink(void (*sink)(enum log_level level, const char *line))
{
	log_sink = sink;
}

void log_show_progress(void)
{
	progress = width > 0 && !string_equal(getenv("TERM"), "dumb");
}

#define LINE_START "\r\033[K"

void log_progress(const char *format, ...)
{
	_cleanup_free_ char *text = NULL, *cut = NULL, *line = NULL;
	va_list args;

	if (!progress)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (!text)
		return;
	cut = text_cut(text,
		       width - 1); // in the last column some terminals would begin the next line
	line = xasprintf(LINE_START "%s", cut);
	write_full(STDERR_FILENO, line, strlen(line));
	progress_shown = true;
}

void log_progress_end(void)
{
	if (progress_shown)
		write_full(STDERR_FILENO, LINE_START, strlen(LINE_START));
	progress_shown = false;
}

// One write a line, so that two programs on one standard error do not mix theirs.
static void write_line(enum log_level level, const char *line)
{
	_cleanup_free_ char *whole = to_journal ? xasprintf("<%d>%s\n", (int)level, line)
						: xasprintf("%s: %s\n", program_name, line);
	_cleanup_free_ char *shown = NULL;
	size_t len = 0;
	FILE *out = xopen_memstream(&shown, &len);

	text_wrap(whole, width, out);
	fclose(out);
	write_full(STDERR_FILENO, shown, len);
}

__attribute__((format(printf, 2, 0))) static void log_message(enum log_level level,
							      const char *format, va_list args)
{
	_cleanup_free_ char *text = NULL, *line = NULL;
	int saved = errno;

	if (level > max_level)
		return;
	if (vasprintf(&text, format, args) < 0)
		text = xstrdup(format);
	line = string_printable(text, LONGEST_LINE);
	log_progress_end();
	if (log_sink)
		log_sink(level, line);
	else
		write_line(level, line);
	errno = saved;
}

#define LOG_FUNCTION(name, level)                                                                  \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list args;                                                                      \
                                                                                                   \
		va_start(args, format);                                                            \
		log_message(level, format, args);                                                  \
		va_end(args);                                                                      \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
