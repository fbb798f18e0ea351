// SPDX-License-Identifier: MIT
//
// Small things every module needs: cleanup attributes, allocation, strings, files.
//
// Error convention of the whole program: a function that can fail returns 0 or -errno and hands its
// results out through ret_… parameters, which it touches only on success. What happened to a grant is
// an enum, not an errno.
//
// Allocation never returns NULL: out of memory ends the program with a message and status 1, as a kill
// would. That is safe by design, because a refresh survives a kill at any instruction (see
// keepalive/cycle.h); an error path per allocation would be code that nobody has ever run.
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <dirent.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))

void cleanup_free(void *pointer_to_pointer);
void cleanup_close(int *fd);

void cleanup_directory(DIR **directory);

#define _cleanup_free_  _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_directory_ _cleanup_(cleanup_directory)

// Take the value out of a variable that has a cleanup attribute.
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) *_p = &(p);                                                          \
		__typeof__(p) _v = *_p;                                                            \
		*_p = NULL;                                                                        \
		_v;                                                                                \
	})
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *_p = &(fd);                                                                   \
		int _v = *_p;                                                                      \
		*_p = -1;                                                                          \
		_v;                                                                                \
	})

void *xcalloc(size_t n, size_t size);
FILE *xopen_memstream(char **text, size_t *len); // for fclose; then free *text
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);         // NULL stays NULL
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *format, ...) _printf_(1, 2);

// Append one zeroed element to a growing array and return a pointer to it:
//	struct copy *c = array_add(&a->copies, &a->n_copies);
// The array is reallocated in powers of two, so pointers into it do not survive the call.
#define array_add(array, count)                                                                    \
	((__typeof__(*(array)))array_add_((void **)(array), (count), sizeof(**(array))))
void *array_add_(void **array, size_t *count, size_t size);
// A copy of such an array, which array_add may go on with; NULL if there is nothing in it. Free it.
#define array_copy(array, count) ((__typeof__(array))array_copy_((array), (count), sizeof(*(array))))
void *array_copy_(const void *array, size_t count, size_t size);

bool string_equal(const char *a, const char *b); // NULL equals only NULL
bool string_empty(const char *s);                // NULL or ""
bool string_starts(const char *s, const char *prefix);
bool string_ends(const char *s, const char *suffix);
char *string_trimmed(const char *s);             // without white space at its ends

// The bytes of the UTF-8 sequence at `s`, of which `left` bytes are there, and its code point; 0 if it is not valid
// (RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF). A NUL ends every sequence.
size_t utf8_decode(const char *s, size_t left, uint32_t *ret_code);

size_t hex_digits(const char *s); // lower-case ones that `s` begins with

// A name as OpenClaw compares it: trimmed, ASCII letters in lower case. Free it.
char *string_normalised(const char *s);

// Copy of `s` fit for a terminal or a log line: control characters, what nobody sees (format
// characters, bidirectional controls, no-width spaces) and bytes that are not valid UTF-8 become \xNN, and
// what is over `max` bytes is cut with "…". Everything that comes from a store,
// a lock file or the network passes through here before a person sees it.
char *string_printable(const char *s, size_t max);
#define PATH_SHOWN 1024 // of a path in a message

// -EMFILE, -ENFILE, -ENOMEM: says nothing of what was looked at, and may pass.
bool error_is_shortage(int error);
// strerror for people: what a shortage wants of them.
const char *error_text(int error);

// Read or write all bytes, through short counts and EINTR. 0 or -errno; read_full returns the count.
ssize_t read_full(int fd, void *buffer, size_t size);
int write_full(int fd, const void *buffer, size_t size);

// Give a finished file the name `path`, should nobody have it: -EEXIST. Where the file system has no links (vfat, exFAT, some of
// FUSE and CIFS), `temp` is renamed instead of linked: unlink it in any case.
int file_publish(const char *temp, const char *path);
int directory_sync(int fd);                      // fsync an open directory, where the file system can
int fsync_directory(const char *path);           // … the directory `path`
int fsync_parent(const char *path);              // … the directory that holds `path`
char *path_join(const char *directory, const char *name);
char *path_dirname(const char *path);            // "/a/b" -> "/a", "b" -> "."
const char *path_basename(const char *path);
// `word` as one word for a shell, printable, and still exactly that word: for the commands that messages suggest. Free it.
char *shell_quoted(const char *word);
// `text` as a string of the configuration, with its quotes, just as faithfully. Free it.
char *setting_quoted(const char *text);
// realpath(3) in three system calls instead of one per component; NULL with errno. Free it.
char *path_real(const char *path);
char *path_absolute(const char *path);           // from where we are, if it is relative
// An environment variable, trimmed; NULL if it is unset or empty.
char *environment(const char *name);
// The user's home: $HOME, unless a careless script made "undefined" or "null" of it, made absolute (as OpenClaw reads
// it: facts, openclaw-json-store.md 1), else passwd's; NULL if there is none at all.
char *home_directory(void);
char *home_of_user(void); // passwd's, whatever the environment says; NULL
// As environment(), for a variable that names a home.
char *environment_home(const char *name);
// "~" and "~/x" and a leading "$HOME" become `home`; anything else is copied.
char *path_expand(const char *path, const char *home);

// Is this uid, as stat shows it, root's? In a user namespace that does not map uid 0 (a systemd user unit's sandbox)
// everything of root's shows as the overflow uid, and nobody can tell more.
bool uid_is_root(uid_t uid);

#endif
