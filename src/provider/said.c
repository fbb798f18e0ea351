// SPDX-License-Identifier: MIT
//
// What a server says for people, so that a person can be told why. It may quote anything, a token above all, so what is
// kept is words that look like nothing else, and short numbers; all the rest is "…".
#include <ctype.h>

#include "json/json.h"
#include "provider/provider.h"

#define WORD_MAX   32 // of small letters, as in a code: oauth_org_not_allowed
#define PROPER_MAX 12 // with others: a name
#define DIGITS_MAX 3
#define SHOWS_MIN  8 // so many bytes of a token in a row show it; of a shorter one all

// Letters. With a sign in between only small ones: "plan's", "sign-in", "billing_error".
static bool is_word(const char *text, size_t n)
{
	bool small = true, joined = false;

	for (size_t i = 0; i < n; i++) {
		bool letter = isalpha((unsigned char)text[i]);
		bool joint = strchr("-'_/.", text[i]) && i > 0 && i + 1 < n;
		if (!letter && !joint)
			return false;
		joined |= joint;
		small &= joint || islower((unsigned char)text[i]) || i == 0;
	}
	return n > 0 && (small ? n <= WORD_MAX : n <= PROPER_MAX && !joined);
}

static bool is_short_number(const char *text, size_t n)
{
	return n > 0 && n <= DIGITS_MAX && strspn(text, "0123456789") >= n;
}

// Without what stands around it.
static bool is_plain(const char *text, size_t n)
{
	while (n && strchr("(\"'[", *text))
		text++, n--;
	while (n && strchr(".,;:!?+%)\"']", text[n - 1]))
		n--;
	return is_word(text, n) || is_short_number(text, n);
}

// As much as there is room for; a character of several bytes is not cut.
static void append(char ret[SAID_MAX], size_t *used, const char *text, size_t n)
{
	size_t room = SAID_MAX - 1 - *used;

	if (n > room)
		for (n = room; n && ((unsigned char)text[n] & 0xc0) == 0x80;)
			n--;
	memcpy(ret + *used, text, n);
	ret[ *used += n] = '\0';
}

void said_plainly(const char *text, char ret[SAID_MAX])
{
	static const char dots[] = "…";
	bool dotted = false, spaced = true;
	size_t used = 0;

	ret[0] = '\0';
	while (*text && used < SAID_MAX - 4) {
		bool ascii = (unsigned char)*text < 0x80;
		size_t n = 1;
		if (ascii && (*text <= ' ' || *text == 0x7f)) {
			spaced = true;
			text++;
			continue;
		}
		while (text[n] && (ascii ? text[n] > ' ' && text[n] < 0x7f : text[n] & 0x80))
			n++;
		bool plain = !ascii || is_plain(text, n);
		if (plain || !dotted) {
			if (spaced && used)
				append(ret, &used, " ", 1);
			append(ret, &used, plain ? text : dots, plain ? n : strlen(dots));
		}
		dotted = !plain;
		spaced = false;
		text += n;
	}
	if (string_equal(ret, dots))
		ret[0] = '\0';
}

// The place differs from one server to the next; the longest names first.
void said_in_answer(const cJSON *json, char ret[SAID_MAX])
{
	const cJSON *error = json_get(json, "error"), *detail = json_get(json, "detail");
	const char *texts[] = {
		json_text(json, "error_description"),
		json_text(error, "message"),
		json_text(error, "error_description"),
		json_text(json, "message"),
		json_text(json, "detail"),
		json_text(detail, "message"),
		json_text(json_get(json, "base_resp"), "status_msg"),
		json_text(json, "error_message"),
	};

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(texts) && !ret[0]; i++)
		if (texts[i])
			said_plainly(texts[i], ret);
}

bool said_shows(const char *said, const struct secret *token)
{
	size_t n = strlen(said), part = token->len < SHOWS_MIN ? token->len : SHOWS_MIN;

	for (size_t i = 0; part && i + part <= n; i++)
		if (memmem(token->text, token->len, said + i, part))
			return true;
	return false;
}
