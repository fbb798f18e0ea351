// SPDX-License-Identifier: MIT
//
// See trouble.h.
#include "file/obstacle.h"
#include "store/trouble.h"

#include <errno.h>

#define PATH_SHOWN 1024

void store_give_up(struct store *store, struct problems *problems, const char *code, char *what,
		   const char *fix)
{
	_cleanup_free_ char *owned = what, *shown = string_printable(store->path, PATH_SHOWN);
	struct problem *problem;

	store->state = STORE_UNREADABLE;
	problem = problem_add(problems, SEVERITY_ERROR, code, store->path, NULL,
			      xasprintf("%s%s", shown, owned), xstrdup(fix));
	problem->needs_person = true;
}

void store_give_up_error(struct store *store, struct problems *problems, int error)
{
	if (error == -EFBIG)
		return store_give_up(store, problems, "store_unreadable",
				     xstrdup(": larger than 4 MiB"),
				     "look at what fills it; a credential file has some kilobytes");
	_cleanup_free_ char *fix = unreadable_fix(store->target, error);
	store_give_up(store, problems, "store_unreadable", xasprintf(": %s", strerror(-error)),
		      fix);
}

// OpenClaw reads no JSON as Windows editors and PowerShell write it. The copy is nobody else's to read, and the file keeps
// its mode and its owner.
static char *fix_of_encoding(const struct store *store, const struct json_error *error)
{
	_cleanup_free_ char *word = shell_quoted(store->path);

	if (string_equal(error->what, JSON_ERROR_BOM))
		return xasprintf(
			"LC_ALL=C sed -i --follow-symlinks '1s/^\\(\\xEF\\xBB\\xBF\\)*//' %s",
			word);
	if (string_equal(error->what, JSON_ERROR_UTF16))
		return xasprintf("(umask 077; iconv -f UTF-16 -t UTF-8 %s >%s.utf8 && "
				 "cat %s.utf8 >%s && rm %s.utf8)",
				 word, word, word, word, word);
	return NULL;
}

void store_give_up_text(struct store *store, struct problems *problems,
			const struct json_error *error)
{
	_cleanup_free_ char *encoded = fix_of_encoding(store, error);
	_cleanup_free_ char *word = shell_quoted(store->path);
	bool empty = string_equal(error->what, JSON_ERROR_EMPTY);
	// An agent that has no store reads main's.
	_cleanup_free_ char *away =
		store->role == ROLE_AGENT && store->agent
			? xasprintf("; or, for the agent to use main's logins: mv %s %s.broken",
				    word, word)
			: xstrdup("");
	_cleanup_free_ char *correct =
		xasprintf("correct that place by hand; until then nothing is "
			  "written to the file%s",
			  away);

	// To OpenClaw it is no store then, and a login makes one.
	_cleanup_free_ char *fill = xasprintf("put it back from a backup, or log in again%s", away);

	store_give_up(store, problems, "store_unreadable",
		      empty ? xstrdup(" is empty")
			    : xasprintf(":%zu:%zu: %s", error->line, error->column, error->what),
		      encoded ? encoded
		      : empty ? fill
			      : correct);
}
