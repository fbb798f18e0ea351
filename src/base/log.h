// SPDX-License-Identifier: MIT
//
// Messages for people, on standard error: one line each, "oauth-keepalive: …". When JOURNAL_STREAM says that
// standard error is the journal, a line starts with its <N> syslog priority instead of the name.
//
// The sink can be replaced, so that a test sees what would be said.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/util.h"

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

// Errors and warnings always; info unless quiet; debug only if verbose.
void log_setup(const char *program, enum log_level max);
void log_error(const char *format, ...) _printf_(1, 2);
void log_warning(const char *format, ...) _printf_(1, 2);
void log_info(const char *format, ...) _printf_(1, 2);
void log_debug(const char *format, ...) _printf_(1, 2);
// On a terminal, from here on, at its width: asked for once, for the courier may not ask once it is shut in.
void log_break_lines(void);
// How far a long work is, once log_show_progress was called: one line on a terminal that the next one, or a message, takes
// the place of, and log_progress_end wipes away. In a pipe, or on a terminal that cannot do that, nothing.
void log_show_progress(void);
void log_progress(const char *format, ...) _printf_(1, 2);
void log_progress_end(void);
// "<4>" and the like when the descriptor is the journal, else "": for text of several lines.
const char *log_journal_prefix(int fd, enum log_level level);
void log_set_sink(void (*sink)(enum log_level level, const char *line)); // NULL: standard error

#endif
