// SPDX-License-Identifier: MIT
//
// The scanner: one pass over the bytes, an explicit stack instead of recursion, a flat array of
// nodes in the order in which they start. Time is linear but for the search for equal keys, which
// sorts the keys of each object; a hostile document can make neither the stack nor the clock run
// out.
#include <errno.h>

#include "json/scan.h"

struct frame {
	uint32_t node; // an object or array that is still open
	uint32_t last; // its newest child, 0 for none
};

struct scanner {
	const char *text;
	size_t len, at;
	struct json_doc doc;
	struct frame stack[JSON_DEPTH_MAX];
	unsigned depth;
	const char *what; // of the error, and where
	size_t what_at;
};

static int fail_at(struct scanner *s, size_t offset, const char *what)
{
	s->what = what;
	s->what_at = offset;
	return -EBADMSG;
}

static int byte_at(const struct scanner *s, size_t offset)
{
	return offset < s->len ? (unsigned char)s->text[offset] : -1;
}

static int peek(const struct scanner *s)
{
	return byte_at(s, s->at);
}

// The byte here is not what the grammar wants.
static int fail_here(struct scanner *s, const char *what)
{
	int c = peek(s);
	return fail_at(s, s->at, c < 0 ? "unexpected end" : c == 0 ? "NUL byte" : what);
}

static void skip_space(struct scanner *s)
{
	// RFC 8259, section 2: these four and no other.
	for (int c = peek(s); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = peek(s))
		s->at++;
}

// ---- strings

static size_t utf8_put(char *out, uint32_t point)
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	size_t n = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, point >>= 6)
		out[i] = (char)(0x80 | (point & 0x3f));
	out[0] = (char)((0xf00u >> n) | point); // 110x…, 1110…, 11110…
	return n;
}

// The UTF-16 unit of "\uXXXX" at `p`.
static bool escaped_unit(const char *p, size_t left, uint32_t *ret)
{
	if (left < 6 || p[0] != '\\' || p[1] != 'u')
		return false;
	uint32_t unit = 0;
	for (int i = 2; i < 6; i++) {
		char c = p[i];
		uint32_t digit = c >= '0' && c <= '9'	? (uint32_t)(c - '0')
				 : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
				 : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
							: 16;
		if (digit == 16)
			return false;
		unit = unit << 4 | digit;
	}
	*ret = unit;
	return true;
}

static bool is_high_surrogate(uint32_t unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}
static bool is_low_surrogate(uint32_t unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

// What JSON can say and no text of ours can hold: U+0000, and half of a pair.
static bool is_no_text(uint32_t unit)
{
	return unit == 0 || is_high_surrogate(unit) || is_low_surrogate(unit);
}

static int scan_unicode_escape(struct scanner *s)
{
	uint32_t unit;
	if (!escaped_unit(s->text + s->at, s->len - s->at, &unit))
		return fail_at(s, s->at, "invalid \\u escape");
	s->at += 6;
	return 0;
}

static int scan_escape(struct scanner *s)
{
	int c = byte_at(s, s->at + 1);
	if (c == 'u')
		return scan_unicode_escape(s);
	if (c <= 0 || !strchr("\"\\/bfnrt", c))
		return fail_at(s, s->at, "invalid escape");
	s->at += 2;
	return 0;
}

static int scan_character(struct scanner *s)
{
	uint32_t code;
	if ((unsigned char)s->text[s->at] < 0x20)
		return fail_here(s, "control character in a string");
	size_t n = utf8_decode(s->text + s->at, s->len - s->at, &code);
	if (!n)
		return fail_at(s, s->at, "invalid UTF-8");
	s->at += n;
	return 0;
}

static int scan_string(struct scanner *s)
{
	size_t opened = s->at++;
	for (int c = peek(s); c != '"'; c = peek(s)) {
		if (c < 0)
			return fail_at(s, opened, "unterminated string");
		int r = c == '\\' ? scan_escape(s) : scan_character(s);
		if (r < 0)
			return r;
	}
	s->at++;
	return 0;
}

static char unescape_short(char c)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *found = strchr(from, c);
	return found ? to[found - from] : c; // '"', '\\' and '/' stand for themselves
}

// One escape of a scanned string at `p`; what it stands for goes to `out`, which may be `p`.
static size_t unescape_one(const char *p, size_t left, char *out, size_t *ret_written)
{
	uint32_t unit, low = 0;
	if (!escaped_unit(p, left, &unit)) {
		*out = unescape_short(p[1]);
		*ret_written = 1;
		return 2;
	}
	bool pair = is_high_surrogate(unit) && escaped_unit(p + 6, left - 6, &low) &&
		    is_low_surrogate(low);
	if (pair)
		unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	else if (is_no_text(unit))
		unit = 0xfffd;
	*ret_written = utf8_put(out, unit);
	return pair ? 12 : 6;
}

// The value of the string between `start` and `end`, which include its quotes. Every escape is
// longer than what it stands for, so it is done in place.
static struct secret unescape(const struct json_doc *doc, uint32_t start, uint32_t end)
{
	struct secret s = {0};
	secret_set(&s, doc->text + start + 1, end - start - 2);
	char *first = memchr(s.text, '\\', s.len);
	if (!first)
		return s;
	size_t from = (size_t)(first - s.text), to = from;
	while (from < s.len) {
		size_t written = 1;
		if (s.text[from] == '\\')
			from += unescape_one(s.text + from, s.len - from, s.text + to, &written);
		else
			s.text[to] = s.text[from++];
		to += written;
	}
	s.text[to] = '\0';
	s.len = to;
	return s;
}

// ---- numbers and literals

static bool skip_digits(struct scanner *s)
{
	size_t before = s->at;
	for (int c = peek(s); c >= '0' && c <= '9'; c = peek(s))
		s->at++;
	return s->at > before;
}

static int scan_number(struct scanner *s)
{
	if (peek(s) == '-')
		s->at++;
	if (peek(s) == '0')
		s->at++; // and a digit after it is an unexpected character
	else if (!skip_digits(s))
		return fail_here(s, "invalid number");
	if (peek(s) == '.') {
		s->at++;
		if (!skip_digits(s))
			return fail_here(s, "invalid number");
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->at++;
		if (peek(s) == '+' || peek(s) == '-')
			s->at++;
		if (!skip_digits(s))
			return fail_here(s, "invalid number");
	}
	return 0;
}

static int scan_literal(struct scanner *s, enum json_type *ret_type)
{
	static const struct {
		const char *text;
		enum json_type type;
	} literals[] = {{"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};

	for (size_t i = 0; i < ARRAY_SIZE(literals); i++) {
		size_t n = strlen(literals[i].text);
		if (s->len - s->at < n || memcmp(s->text + s->at, literals[i].text, n) != 0)
			continue;
		s->at += n;
		*ret_type = literals[i].type;
		return 0;
	}
	return fail_here(s, "unexpected character");
}

// ---- equal keys

struct member_key {
	const char *text; // unescaped: in the document, or in `unescaped`
	size_t len;
	uint32_t offset;
	struct secret unescaped;
};

struct member_keys {
	struct member_key *list;
	size_t n;
};

static void member_keys_free(struct member_keys *keys)
{
	for (size_t i = 0; i < keys->n; i++)
		secret_free(&keys->list[i].unescaped);
	free(keys->list);
}

static void collect_key(struct member_keys *keys, const struct json_doc *doc, uint32_t node)
{
	const struct json_node *member = &doc->nodes[node];
	struct member_key *key = array_add(&keys->list, &keys->n);
	key->offset = member->key_start;
	key->text = doc->text + member->key_start + 1;
	key->len = member->key_end - member->key_start - 2;
	if (!memchr(key->text, '\\', key->len))
		return;
	key->unescaped = unescape(doc, member->key_start, member->key_end);
	key->text = key->unescaped.text;
	key->len = key->unescaped.len;
}

static int compare_key_text(const struct member_key *a, const struct member_key *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->text, b->text, a->len);
}

static int compare_keys(const void *left, const void *right)
{
	const struct member_key *a = left, *b = right;
	int order = compare_key_text(a, b);
	return order ? order : a->offset < b->offset ? -1 : a->offset > b->offset;
}

// JavaScript takes the last of two equal keys, cJSON the first (facts: durability D.2): no edit
// could be right for both.
static int check_keys(struct scanner *s, uint32_t object)
{
	uint32_t first = s->doc.nodes[object].first;
	if (!first || !s->doc.nodes[first].next)
		return 0;
	_cleanup_(member_keys_free) struct member_keys keys = {0};
	json_for_each (&s->doc, child, object)
		collect_key(&keys, &s->doc, child);
	qsort(keys.list, keys.n, sizeof(*keys.list), compare_keys);
	size_t repeated = SIZE_MAX;
	for (size_t i = 1; i < keys.n; i++)
		if (compare_key_text(&keys.list[i - 1], &keys.list[i]) == 0 &&
		    keys.list[i].offset < repeated)
			repeated = keys.list[i].offset;
	return repeated == SIZE_MAX ? 0 : fail_at(s, repeated, "duplicate key");
}

// ---- structure

static struct json_node *innermost(struct scanner *s)
{
	return s->depth ? &s->doc.nodes[s->stack[s->depth - 1].node] : NULL;
}

static uint32_t add_node(struct scanner *s, size_t key_start, size_t key_end)
{
	uint32_t index = (uint32_t)s->doc.n;
	struct json_node *node = array_add(&s->doc.nodes, &s->doc.n);
	node->start = (uint32_t)s->at;
	node->key_start = (uint32_t)key_start;
	node->key_end = (uint32_t)key_end;
	if (!s->depth)
		return index;
	struct frame *parent = &s->stack[s->depth - 1];
	if (parent->last)
		s->doc.nodes[parent->last].next = index;
	else
		s->doc.nodes[parent->node].first = index;
	parent->last = index;
	return index;
}

static int scan_key(struct scanner *s, size_t *ret_start, size_t *ret_end)
{
	skip_space(s);
	if (peek(s) != '"')
		return fail_here(s, "expected a key");
	size_t start = s->at;
	int r = scan_string(s);
	if (r < 0)
		return r;
	size_t end = s->at;
	skip_space(s);
	if (peek(s) != ':')
		return fail_here(s, "expected ':'");
	s->at++;
	*ret_start = start;
	*ret_end = end;
	return 0;
}

static int scan_scalar(struct scanner *s, enum json_type *ret_type)
{
	int c = peek(s);
	if (c == '"') {
		*ret_type = JSON_STRING;
		return scan_string(s);
	}
	if (c == '-' || (c >= '0' && c <= '9')) {
		*ret_type = JSON_NUMBER;
		return scan_number(s);
	}
	return scan_literal(s, ret_type);
}

static int open_container(struct scanner *s, uint32_t node)
{
	if (s->depth == JSON_DEPTH_MAX)
		return fail_at(s, s->at, "nested too deeply");
	s->doc.nodes[node].type = peek(s) == '{' ? JSON_OBJECT : JSON_ARRAY;
	s->stack[s->depth++] = (struct frame){.node = node};
	s->at++;
	return 0;
}

// A member, an element or the root: a scalar to its end, an object or array to its opening bracket.
static int scan_item(struct scanner *s)
{
	size_t key_start = 0, key_end = 0;
	const struct json_node *parent = innermost(s);
	if (parent && parent->type == JSON_OBJECT) {
		int r = scan_key(s, &key_start, &key_end);
		if (r < 0)
			return r;
	}
	skip_space(s);
	if (s->doc.n == JSON_NODES_MAX)
		return fail_at(s, s->at, "too many values");
	uint32_t node = add_node(s, key_start, key_end);
	if (peek(s) == '{' || peek(s) == '[')
		return open_container(s, node);
	enum json_type type;
	int r = scan_scalar(s, &type);
	if (r < 0)
		return r;
	s->doc.nodes[node].type = type;
	s->doc.nodes[node].end = (uint32_t)s->at;
	return 0;
}

static char closing_bracket(struct scanner *s)
{
	return innermost(s)->type == JSON_OBJECT ? '}' : ']';
}

static int close_container(struct scanner *s)
{
	struct json_node *node = innermost(s);
	if (node->type == JSON_OBJECT) {
		int r = check_keys(s, s->stack[s->depth - 1].node);
		if (r < 0)
			return r;
	}
	node->end = (uint32_t)++s->at;
	s->depth--;
	return 0;
}

// Behind an item: close what closes here. 1 if a comma promises another item, 0 at the end of the
// root.
static int scan_separator(struct scanner *s)
{
	while (s->depth) {
		skip_space(s);
		if (peek(s) == ',') {
			s->at++;
			return 1;
		}
		if (peek(s) != closing_bracket(s))
			return fail_here(s, "unexpected character");
		int r = close_container(s);
		if (r < 0)
			return r;
	}
	return 0;
}

// Has a bracket just been opened that has something in it?
static bool opened_for_items(struct scanner *s, unsigned depth_before)
{
	if (s->depth == depth_before)
		return false;
	skip_space(s);
	return peek(s) != closing_bracket(s);
}

static int scan_items(struct scanner *s)
{
	int more = 1;
	while (more) {
		unsigned depth = s->depth;
		int r = scan_item(s);
		if (r < 0)
			return r;
		if (opened_for_items(s, depth))
			continue;
		// An empty container meets its bracket here, and no comma can come first.
		more = scan_separator(s);
		if (more < 0)
			return more;
	}
	skip_space(s);
	return s->at == s->len ? 0 : fail_here(s, "unexpected text after the document");
}

static struct json_error place_error(const struct scanner *s)
{
	struct json_error error = {.what = s->what, .offset = s->what_at, .line = 1, .column = 1};
	for (size_t i = 0; i < s->what_at; i++, error.column++)
		if (s->text[i] == '\n') {
			error.line++;
			error.column = 0;
		}
	return error;
}

int json_scan(const char *text, size_t len, struct json_doc *ret, struct json_error *ret_error)
{
	if (len > JSON_SCAN_MAX)
		return -EFBIG;
	struct scanner s = {.text = text, .len = len, .doc = {.text = text, .len = len}};
	bool bom = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
	bool utf16 = len >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2));
	skip_space(&s);
	int r = bom		? fail_at(&s, 0, JSON_ERROR_BOM)
		: utf16		? fail_at(&s, 0, JSON_ERROR_UTF16)
		: s.at == s.len ? fail_at(&s, s.at, JSON_ERROR_EMPTY)
				: scan_items(&s);
	if (r < 0) {
		json_doc_free(&s.doc);
		*ret_error = place_error(&s);
		return r;
	}
	*ret = s.doc;
	return 0;
}

void json_doc_free(struct json_doc *doc)
{
	free(doc->nodes);
	*doc = (struct json_doc){0};
}

// ---- walking

static bool key_equals(const struct json_doc *doc, uint32_t node, const char *key, size_t len)
{
	const struct json_node *member = &doc->nodes[node];
	const char *raw = doc->text + member->key_start + 1;
	size_t raw_len = member->key_end - member->key_start - 2;
	if (!memchr(raw, '\\', raw_len))
		return raw_len == len && memcmp(raw, key, len) == 0;
	_cleanup_secret_ struct secret plain = json_key(doc, node);
	return plain.len == len && memcmp(plain.text, key, len) == 0;
}

uint32_t json_member(const struct json_doc *doc, uint32_t object, const char *key)
{
	if (doc->nodes[object].type != JSON_OBJECT)
		return 0;
	size_t len = strlen(key);
	json_for_each (doc, child, object)
		if (key_equals(doc, child, key, len))
			return child;
	return 0;
}

size_t json_count(const struct json_doc *doc, uint32_t parent)
{
	size_t n = 0;
	json_for_each (doc, child, parent)
		n++;
	return n;
}

struct secret json_key(const struct json_doc *doc, uint32_t node)
{
	const struct json_node *member = &doc->nodes[node];
	if (!member->key_end)
		return (struct secret){0};
	return unescape(doc, member->key_start, member->key_end);
}

bool json_key_is_text(const struct json_doc *doc, uint32_t node)
{
	const char *end = doc->text + doc->nodes[node].key_end;
	const char *p = doc->text + doc->nodes[node].key_start;

	while ((p = memchr(p, '\\', (size_t)(end - p)))) {
		char out[4];
		uint32_t unit;
		size_t written, n = unescape_one(p, (size_t)(end - p), out, &written);
		if (n == 6 && escaped_unit(p, n, &unit) && is_no_text(unit))
			return false;
		p += n;
	}
	return true;
}

struct secret json_node_string(const struct json_doc *doc, uint32_t node)
{
	const struct json_node *string = &doc->nodes[node];
	if (string->type != JSON_STRING)
		return (struct secret){0};
	return unescape(doc, string->start, string->end);
}

// As JavaScript reads it: 1e400 is infinite. The C locale's decimal point is certain, nothing calls
// setlocale.
bool json_node_number(const struct json_doc *doc, uint32_t node, double *ret)
{
	const struct json_node *number = &doc->nodes[node];
	if (number->type != JSON_NUMBER)
		return false;
	_cleanup_secret_ struct secret digits = {0};
	secret_set(&digits, doc->text + number->start, number->end - number->start);
	*ret = strtod(digits.text, NULL);
	return true;
}
