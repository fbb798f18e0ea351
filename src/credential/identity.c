// SPDX-License-Identifier: MIT
//
// Who a credential belongs to, and whether two of them belong to the same.
//
// An id that is blank is an id nobody gave: a store that says `"email": ""` does not contradict one
// that says more.

#include "credential/credential.h"

// JSON stores are written by JavaScript, whose trim() this is for ASCII.
#define LONGEST_ID 1024

struct span {
	const char *start;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trim(const char *id)
{
	struct span s = {0};

	if (!id)
		return s;
	while (is_blank(*id))
		id++;
	s.start = id;
	s.len = strlen(id);
	while (s.len > 0 && is_blank(id[s.len - 1]))
		s.len--;
	return s;
}

static bool is_known(const char *id)
{
	while (id && is_blank(*id))
		id++;
	return id && *id;
}

// ASCII only: tolower() would ask the locale.
static char to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

enum agreement { ABSENT, AGREES, DISAGREES };

static enum agreement compare_id(const char *a, const char *b, bool any_case)
{
	struct span x, y;

	if (a && b && strcmp(a, b) == 0)
		return is_known(a) ? AGREES : ABSENT;
	x = trim(a);
	y = trim(b);
	if (x.len == 0 || y.len == 0)
		return ABSENT;
	if (x.len != y.len)
		return DISAGREES;
	for (size_t i = 0; i < x.len; i++) {
		char c = x.start[i], d = y.start[i];

		if (any_case ? to_lower(c) != to_lower(d) : c != d)
			return DISAGREES;
	}
	return AGREES;
}

enum identity_match identity_compare(const struct identity *a, const struct identity *b)
{
	enum agreement account = compare_id(a->account_id, b->account_id, false);
	enum agreement user = compare_id(a->user_id, b->user_id, false);
	enum agreement email = compare_id(a->email, b->email, true);

	if (user != ABSENT)
		email = user; // an attribute
	if (account == DISAGREES || email == DISAGREES)
		return IDENTITY_DIFFERENT;
	if (email == AGREES)
		return IDENTITY_SAME;
	return account == AGREES ? IDENTITY_WORKSPACE : IDENTITY_UNKNOWN;
}

bool id_is_sound(const char *id)
{
	size_t len = id ? strlen(id) : 0;

	if (len == 0 || len > LONGEST_ID || strstr(id, "\xef\xbf\xbd"))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)id[i] < ' ' || id[i] == 0x7f)
			return false;
	return true;
}

void identity_free(struct identity *identity)
{
	free(identity->account_id);
	free(identity->user_id);
	free(identity->email);
	*identity = (struct identity){0};
}

void identity_copy(struct identity *to, const struct identity *from)
{
	struct identity copy = {
		.account_id = xstrdup(from->account_id),
		.user_id = xstrdup(from->user_id),
		.email = xstrdup(from->email),
	};

	identity_free(to);
	*to = copy;
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
	return string_equal(a->account_id, b->account_id) && string_equal(a->user_id, b->user_id) &&
	       string_equal(a->email, b->email);
}

bool identity_empty(const struct identity *identity)
{
	return !is_known(identity->account_id) && !is_known(identity->user_id) &&
	       !is_known(identity->email);
}

static void complete_id(char **id, const char *more)
{
	if (is_known(*id) || !is_known(more))
		return;
	free(*id);
	*id = xstrdup(more);
}

void identity_complete(struct identity *identity, const struct identity *more)
{
	complete_id(&identity->account_id, more->account_id);
	complete_id(&identity->user_id, more->user_id);
	complete_id(&identity->email, more->email);
}

const char *identity_name(const struct identity *identity)
{
	if (is_known(identity->user_id))
		return identity->user_id;
	if (is_known(identity->email))
		return identity->email;
	return is_known(identity->account_id) ? identity->account_id : "";
}

const char *identity_label(const struct identity *identity)
{
	return is_known(identity->email) ? identity->email : identity_name(identity);
}
