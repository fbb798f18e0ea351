// SPDX-License-Identifier: MIT
//
// What others wrote, read as JavaScript reads it: the text is made safe for cJSON first. What cJSON would refuse or
// misread is changed to what says the same, or to what nobody can take for an id or a token:
//
//	\u0000, half of a surrogate pair, bytes that are no UTF-8	U+FFFD, as JavaScript writes the halves
//	a number of more characters than cJSON looks at			the double that it stands for
//	what lies deeper than cJSON goes				null
//	a byte order mark						nothing
//
// Whatever else is wrong with it stays, and is cJSON's to find.
#include <math.h>
#include <stdio.h>

#include "json/json.h"

#define DEPTH_MAX  500 // CJSON_NESTING_LIMIT is 1000, and each level is a stack frame
#define NUMBER_MAX 40  // cJSON looks at 63 characters
#define NUMBERS	   "0123456789+-.eE"

struct cleaner {
	const char *at; // NUL-terminated
	struct secret out;
	bool muted; // too deep
};

static void cleaner_free(struct cleaner *c)
{
	secret_free(&c->out);
}

static void add(struct cleaner *c, const char *text, size_t len)
{
	if (!c->muted)
		secret_append(&c->out, text, len);
}

static void keep(struct cleaner *c, size_t len)
{
	add(c, c->at, len);
	c->at += len;
}

static void replace(struct cleaner *c, size_t len)
{
	add(c, "\xef\xbf\xbd", 3);
	c->at += len;
}

// The code unit of a \uXXXX, or -1.
static int read_unit(const char *at)
{
	if (at[0] != '\\' || at[1] != 'u' || strspn(at + 2, "0123456789abcdefABCDEF") < 4)
		return -1;
	return (int)strtol((const char[]){at[2], at[3], at[4], at[5], '\0'}, NULL, 16);
}

static bool clean_escape(struct cleaner *c)
{
	int unit = read_unit(c->at);

	if (c->at[1] == 'u' && unit < 0) // cJSON would end the string there
		return false;
	if (c->at[1] != 'u')
		keep(c, c->at[1] ? 2 : 1);
	else if (unit >= 0xd800 && unit < 0xdc00 && (read_unit(c->at + 6) & ~0x3ff) == 0xdc00)
		keep(c, 12);
	else if (unit == 0 || (unit & ~0x7ff) == 0xd800)
		replace(c, 6);
	else
		keep(c, 6);
	return true;
}

// Bytes of a string that stay as they are: up to its end, an escape, or what is no text.
static size_t sound_bytes(const char *at)
{
	uint32_t code;
	size_t n = 0;

	while (at[n] && at[n] != '"' && at[n] != '\\' && (unsigned char)at[n] < 0x80)
		n++;
	return n || (unsigned char)at[0] < 0x80 ? n : utf8_decode(at, 4, &code);
}

// From quote to quote. A NUL before `end` is a byte of the text.
static bool clean_string(struct cleaner *c, const char *end)
{
	for (keep(c, 1); c->at < end && *c->at != '"';) {
		size_t n = sound_bytes(c->at);
		if (n)
			keep(c, n);
		else if (*c->at != '\\')
			replace(c, 1);
		else if (!clean_escape(c))
			return false;
	}
	if (c->at < end)
		keep(c, 1);
	return true;
}

static void clean_number(struct cleaner *c)
{
	size_t len = strspn(c->at, NUMBERS);
	char number[NUMBER_MAX], *end;
	double value;

	if (len > NUMBER_MAX && (value = strtod(c->at, &end), end == c->at + len)) {
		if (isfinite(value))
			snprintf(number, sizeof(number), "%.17g", value);
		else
			snprintf(number, sizeof(number), "%s", value < 0 ? "-1e999" : "1e999");
		add(c, number, strlen(number));
		c->at += len;
	} else {
		keep(c, len);
	}
}

static void clean_bracket(struct cleaner *c, size_t *depth)
{
	bool opens = *c->at == '[' || *c->at == '{';

	if (opens && (*depth)++ == DEPTH_MAX) {
		add(c, "null", 4);
		c->muted = true;
	}
	keep(c, 1);
	if (!opens && *depth && --*depth == DEPTH_MAX)
		c->muted = false;
}

static bool clean(struct cleaner *c, const char *end)
{
	for (size_t depth = 0; c->at < end;) {
		if (*c->at == '"') {
			if (!clean_string(c, end))
				return false;
		} else if (*c->at == '\0') {
			return false;
		} else if (strchr("[]{}", *c->at)) {
			clean_bracket(c, &depth);
		} else if (strchr("0123456789-", *c->at)) {
			clean_number(c);
		} else {
			keep(c, 1);
		}
	}
	return true;
}

cJSON *json_parse_foreign(const char *text, size_t len)
{
	_cleanup_secret_ struct secret copy = {0}; // NUL-terminated
	_cleanup_(cleaner_free) struct cleaner c = {0};

	if (!text || len == 0)
		return NULL;
	secret_set(&copy, text, len);
	c.at = copy.text;
	if (string_starts(c.at, "\xef\xbb\xbf"))
		c.at += 3;
	return clean(&c, copy.text + len) ? json_parse(c.out.text, c.out.len) : NULL;
}
