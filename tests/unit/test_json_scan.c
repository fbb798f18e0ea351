// SPDX-License-Identifier: MIT
//
// The scanner against tables and against cJSON as a second opinion; the splice against the rule it
// serves: what was not edited is the same bytes, and what was reads back.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "json/json.h"
#include "json/scan.h"

#define S(literal) (literal), sizeof(literal) - 1

static void append(struct secret *s, const char *text)
{
	secret_append(s, text, strlen(text));
}

static void append_times(struct secret *s, const char *text, size_t n)
{
	while (n--)
		append(s, text);
}

// Scans a copy that ends where the text ends, so that the address sanitizer sees a byte read too
// far.
static int scan_copy(const char *text, size_t len, char **ret_copy, struct json_doc *doc,
		     struct json_error *error)
{
	char *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	*ret_copy = copy;
	return json_scan(len ? copy : copy + 1, len, doc, error);
}

static struct json_doc scanned(const struct secret *text)
{
	struct json_doc doc;
	struct json_error error;
	int r = json_scan(text->text, text->len, &doc, &error);
	if (r < 0)
		print_error("%s at %zu of: %s\n", error.what, error.offset, text->text);
	assert_int_equal(r, 0);
	return doc;
}

static void assert_text(const struct secret *s, const char *expected)
{
	assert_non_null(s->text);
	assert_string_equal(s->text, expected);
	assert_int_equal(s->len, strlen(expected));
}

// ---- a second opinion

// A number longer than cJSON's buffer of 64 is where it differs.
static bool has_long_number(const struct json_doc *doc)
{
	for (size_t i = 0; i < doc->n; i++)
		if (doc->nodes[i].type == JSON_NUMBER &&
		    doc->nodes[i].end - doc->nodes[i].start > 60)
			return true;
	return false;
}

static void assert_same_node(const struct json_doc *doc, uint32_t node, const cJSON *other);

static void assert_same_children(const struct json_doc *doc, uint32_t node, const cJSON *other)
{
	const cJSON *child = other->child;
	json_for_each (doc, mine, node) {
		assert_non_null(child);
		_cleanup_secret_ struct secret key = json_key(doc, mine);
		if (other->type == cJSON_Object)
			assert_text(&key, child->string);
		else
			assert_null(key.text);
		assert_same_node(doc, mine, child);
		child = child->next;
	}
	assert_null(child);
}

static void assert_same_node(const struct json_doc *doc, uint32_t node, const cJSON *other)
{
	static const int types[] = {
		[JSON_OBJECT] = cJSON_Object, [JSON_ARRAY] = cJSON_Array,
		[JSON_STRING] = cJSON_String, [JSON_NUMBER] = cJSON_Number,
		[JSON_TRUE] = cJSON_True,     [JSON_FALSE] = cJSON_False,
		[JSON_NULL] = cJSON_NULL,
	};
	double number;

	assert_int_equal(other->type, types[doc->nodes[node].type]);
	assert_int_equal(json_node_number(doc, node, &number), other->type == cJSON_Number);
	if (other->type == cJSON_Number)
		assert_true(number == other->valuedouble);
	_cleanup_secret_ struct secret string = json_node_string(doc, node);
	if (other->type == cJSON_String)
		assert_text(&string, other->valuestring);
	else
		assert_null(string.text);
	assert_same_children(doc, node, other);
}

static void assert_same_as_cjson(const struct json_doc *doc)
{
	if (has_long_number(doc))
		return;
	_cleanup_secret_ struct secret text = {0};
	secret_set(&text, doc->text, doc->len);
	const char *end;
	// What cJSON refuses or cuts at has a reader of its own.
	cJSON *other = strcasestr(text.text, "\\u0000") || strcasestr(text.text, "\\ud")
			       ? json_parse_foreign(text.text, text.len)
			       : cJSON_ParseWithLengthOpts(text.text, text.len + 1, &end, 1);
	if (!other)
		print_error("cJSON refuses: %s\n", text.text);
	assert_non_null(other);
	assert_same_node(doc, 0, other);
	cJSON_Delete(other);
}

// ---- tables

static const struct {
	const char *text;
	size_t len;
	const char *what;
	size_t offset;
} refused[] = {
	{S(""), JSON_ERROR_EMPTY, 0},
	{S("  \n"), JSON_ERROR_EMPTY, 3},
	{S("\xef\xbb\xbf{}"), "byte order mark", 0},
	{S("\xff\xfe{\0}\0"), JSON_ERROR_UTF16, 0},
	{S("\xfe\xff\0{\0}"), JSON_ERROR_UTF16, 0},
	{S("\xff{}"), "unexpected character", 0},
	{S("\0"), "NUL byte", 0},
	{S("{}\0"), "NUL byte", 2},
	{S("[1\0]"), "NUL byte", 2},
	{S("\"a\0b\""), "NUL byte", 2},
	{S("\"\\ud800\\udc0\""), "invalid \\u escape", 7},
	{S("\"\\ud800"), "unterminated string", 0},
	{S("\"\\u12G4\""), "invalid \\u escape", 1},
	{S("\"\\u123\""), "invalid \\u escape", 1},
	{S("\"\\u 123\""), "invalid \\u escape", 1},
	{S("\"\\u"), "invalid \\u escape", 1},
	{S("\"\\U0041\""), "invalid escape", 1},
	{S("\"\\a\""), "invalid escape", 1},
	{S("\"\\'\""), "invalid escape", 1},
	{S("\"\\\0\""), "invalid escape", 1},
	{S("\"\\\n\""), "invalid escape", 1},
	{S("\"\\"), "invalid escape", 1},
	{S("\"\xc0\xaf\""), "invalid UTF-8", 1}, // overlong '/'
	{S("\"\xc1\xbf\""), "invalid UTF-8", 1},
	{S("\"\xe0\x80\xaf\""), "invalid UTF-8", 1}, // overlong in three
	{S("\"\xe0\x9f\xbf\""), "invalid UTF-8", 1},
	{S("\"\xf0\x80\x80\xaf\""), "invalid UTF-8", 1}, // overlong in four
	{S("\"\xf0\x8f\xbf\xbf\""), "invalid UTF-8", 1},
	{S("\"\xed\xa0\x80\""), "invalid UTF-8", 1}, // CESU-8: U+D800
	{S("\"\xed\xbf\xbf\""), "invalid UTF-8", 1}, // U+DFFF
	{S("\"\xed\xa0\xbd\xed\xb8\x80\""), "invalid UTF-8", 1},
	{S("\"\xf4\x90\x80\x80\""), "invalid UTF-8", 1}, // U+110000
	{S("\"\xf5\x80\x80\x80\""), "invalid UTF-8", 1},
	{S("\"\xff\""), "invalid UTF-8", 1},
	{S("\"\xfe\""), "invalid UTF-8", 1},
	{S("\"\x80\""), "invalid UTF-8", 1},
	{S("\"ab\xc3\""), "invalid UTF-8", 3},
	{S("\"\xc3"), "invalid UTF-8", 1},
	{S("\"\xe2\x82\""), "invalid UTF-8", 1},
	{S("\"\xe2\x28\xa1\""), "invalid UTF-8", 1},
	{S("\"\xf0\x9f\x98\""), "invalid UTF-8", 1},
	{S("\"\xf0\x9f\x98"), "invalid UTF-8", 1},
	{S("\xc3\xa9"), "unexpected character", 0},
	{S("{\"a\":1,\"a\":1}"), "duplicate key", 7},
	{S("{\"a\":1,\"\\u0061\":2}"), "duplicate key", 7},
	{S("{\"\\u0061\":1,\"b\":0,\"a\":2}"), "duplicate key", 18},
	{S("{\"\\/\":1,\"/\":2}"), "duplicate key", 8},
	{S("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}"), "duplicate key", 18},
	{S("{\"\\u00e9\":1,\"\xc3\xa9\":2}"), "duplicate key", 12},
	{S("{\"\":1,\"\":2}"), "duplicate key", 6},
	{S("[{\"z\":{\"q\":1,\"r\":2,\"q\":3}}]"), "duplicate key", 19},
	{S("{\"z\":1,\"b\":2,\"b\":3,\"z\":4,\"b\":5}"), "duplicate key", 13},
	{S("[1,]"), "unexpected character", 3},
	{S("{\"a\":1,}"), "expected a key", 7},
	{S("[,1]"), "unexpected character", 1},
	{S("[1,,2]"), "unexpected character", 3},
	{S("[,]"), "unexpected character", 1},
	{S("{,}"), "expected a key", 1},
	{S("[1 2]"), "unexpected character", 3},
	{S("{\"a\" 1}"), "expected ':'", 5},
	{S("{\"a\":}"), "unexpected character", 5},
	{S("{\"a\"}"), "expected ':'", 4},
	{S("{a:1}"), "expected a key", 1},
	{S("{1:1}"), "expected a key", 1},
	{S("[\"a\":1]"), "unexpected character", 4},
	{S("[1}"), "unexpected character", 2},
	{S("{\"a\":1]"), "unexpected character", 6},
	{S("{]"), "expected a key", 1},
	{S("[}"), "unexpected character", 1},
	{S("]"), "unexpected character", 0},
	{S("// x\n1"), "unexpected character", 0},
	{S("[1/* x */]"), "unexpected character", 2},
	{S("['a']"), "unexpected character", 1},
	{S("{'a':1}"), "expected a key", 1},
	{S("[01]"), "unexpected character", 2},
	{S("[-01]"), "unexpected character", 3},
	{S("[1.]"), "invalid number", 3},
	{S("[.5]"), "unexpected character", 1},
	{S("[-.5]"), "invalid number", 2},
	{S("[+1]"), "unexpected character", 1},
	{S("[-]"), "invalid number", 2},
	{S("[--1]"), "invalid number", 2},
	{S("[1e]"), "invalid number", 3},
	{S("[1e+]"), "invalid number", 4},
	{S("[1.e1]"), "invalid number", 3},
	{S("[0x10]"), "unexpected character", 2},
	{S("[1_000]"), "unexpected character", 2},
	{S("[NaN]"), "unexpected character", 1},
	{S("[Infinity]"), "unexpected character", 1},
	{S("[-Infinity]"), "invalid number", 2},
	{S("-"), "unexpected end", 1},
	{S("1e"), "unexpected end", 2},
	{S("[True]"), "unexpected character", 1},
	{S("[truex]"), "unexpected character", 5},
	{S("[nul]"), "unexpected character", 1},
	{S("tru"), "unexpected character", 0},
	{S("\"a\nb\""), "control character in a string", 2},
	{S("\"\t\""), "control character in a string", 1},
	{S("\"\x1f\""), "control character in a string", 1},
	{S("[\v1]"), "unexpected character", 1},
	{S("[\f1]"), "unexpected character", 1},
	{S("[\xc2\xa0"
	   "1]"),
	 "unexpected character", 1}, // no-break space
	{S("{} x"), "unexpected text after the document", 3},
	{S("1 2"), "unexpected text after the document", 2},
	{S("{}{}"), "unexpected text after the document", 2},
	{S("[]]"), "unexpected text after the document", 2},
	{S("[1],"), "unexpected text after the document", 3},
	{S("\"abc"), "unterminated string", 0},
	{S("{\"abc"), "unterminated string", 1},
	{S("{\"a\":\"bc}"), "unterminated string", 5},
	{S("\"abc\\\""), "unterminated string", 0},
	{S("["), "unexpected end", 1},
	{S("{"), "unexpected end", 1},
	{S("[1"), "unexpected end", 2},
	{S("[1,"), "unexpected end", 3},
	{S("{\"a\""), "unexpected end", 4},
	{S("{\"a\":"), "unexpected end", 5},
	{S("{\"a\":1"), "unexpected end", 6},
	{S("{\"a\":1,"), "unexpected end", 7},
	{S("[[]"), "unexpected end", 3},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct json_doc doc = {.n = 77};
		struct json_error error = {0};
		_cleanup_free_ char *copy = NULL;
		int r = scan_copy(refused[i].text, refused[i].len, &copy, &doc, &error);
		if (r != -EBADMSG || strcmp(error.what, refused[i].what) != 0 ||
		    error.offset != refused[i].offset)
			print_error("row %zu (%s): %d, %s at %zu\n", i, refused[i].text, r,
				    error.what ? error.what : "-", error.offset);
		assert_int_equal(r, -EBADMSG);
		assert_string_equal(error.what, refused[i].what);
		assert_int_equal(error.offset, refused[i].offset);
		assert_int_equal(doc.n, 77); // untouched
	}
}

static void test_error_place(void **state)
{
	(void)state;
	struct json_doc doc;
	struct json_error error;
	assert_int_equal(json_scan(S("{\n\n  \"\xc3\xa9\": x}"), &doc, &error), -EBADMSG);
	assert_int_equal(error.offset, 11);
	assert_int_equal(error.line, 3);
	assert_int_equal(error.column, 9); // bytes: the letter is two
	assert_int_equal(json_scan(S("x"), &doc, &error), -EBADMSG);
	assert_int_equal(error.line, 1);
	assert_int_equal(error.column, 1);
	assert_int_equal(json_scan(S("[\n,"), &doc, &error), -EBADMSG);
	assert_int_equal(error.line, 2);
	assert_int_equal(error.column, 1);
}

static const struct {
	const char *json, *value; // value: of a string, else NULL
	enum json_type type;
} accepted[] = {
	{"{}", NULL, JSON_OBJECT},
	{" { \t\r\n} ", NULL, JSON_OBJECT},
	{"[]", NULL, JSON_ARRAY},
	{"[ ]", NULL, JSON_ARRAY},
	{"[[],{},[[]]]", NULL, JSON_ARRAY},
	{"true", NULL, JSON_TRUE},
	{"false", NULL, JSON_FALSE},
	{" null\n", NULL, JSON_NULL},
	{"0", NULL, JSON_NUMBER},
	{"-0", NULL, JSON_NUMBER},
	{"-0.0e-0", NULL, JSON_NUMBER},
	{"10", NULL, JSON_NUMBER},
	{"1E+3", NULL, JSON_NUMBER},
	{"9007199254740991", NULL, JSON_NUMBER},
	{"1e400", NULL, JSON_NUMBER},
	{"\"\"", "", JSON_STRING},
	{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", JSON_STRING},
	{"\"\\u0041\\u00e9\\u00E9\\u20ac\\uFFFF\"", "A\xc3\xa9\xc3\xa9\xe2\x82\xac\xef\xbf\xbf",
	 JSON_STRING},
	{"\"\\ud83d\\uDE00\\ud800\\udc00\\udbff\\udfff\"",
	 "\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", JSON_STRING},
	{"\"\\u0001\\u007f\\u0080\\u07ff\\u0800\"", "\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80",
	 JSON_STRING},
	{"\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80"
	 "\xf4\x8f\xbf\xbf\"",
	 "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4"
	 "\x8f\xbf\xbf",
	 JSON_STRING},
	{"\"\xef\xbb\xbf\"", "\xef\xbb\xbf", JSON_STRING}, // a BOM only counts at the start
	{"\"a\\u0000b\"",
	 "a\xef\xbf\xbd"
	 "b",
	 JSON_STRING},
	{"\"\\ud800\"", "\xef\xbf\xbd", JSON_STRING},
	{"\"\\uDBFFx\"", "\xef\xbf\xbdx", JSON_STRING},
	{"\"\\ud800\\n\"", "\xef\xbf\xbd\n", JSON_STRING},
	{"\"\\ud800\\u0041\"",
	 "\xef\xbf\xbd"
	 "A",
	 JSON_STRING},
	{"\"\\ud800\\ud800\"", "\xef\xbf\xbd\xef\xbf\xbd", JSON_STRING},
	{"\"\\udc00\"", "\xef\xbf\xbd", JSON_STRING},
	{"\"\\uDFFF\"", "\xef\xbf\xbd", JSON_STRING},
	{"\"\\udc00\\ud800\"", "\xef\xbf\xbd\xef\xbf\xbd", JSON_STRING},
	{"\"\\ud800\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80", JSON_STRING},
	{"{\"a\\u0000\":1,\"\\ud83d\":2}", NULL, JSON_OBJECT},
	{"{\"a\":1,\"A\":2,\"\":3,\"a \":4,\"aa\":5,\"__proto__\":6}", NULL, JSON_OBJECT},
	{"{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}", NULL, JSON_OBJECT},
};

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		struct json_doc doc;
		struct json_error error;
		_cleanup_free_ char *copy = NULL;
		int r = scan_copy(accepted[i].json, strlen(accepted[i].json), &copy, &doc, &error);
		if (r < 0)
			print_error("row %zu (%s): %s at %zu\n", i, accepted[i].json, error.what,
				    error.offset);
		assert_int_equal(r, 0);
		assert_int_equal(doc.nodes[0].type, accepted[i].type);
		_cleanup_secret_ struct secret value = json_node_string(&doc, 0);
		if (accepted[i].value)
			assert_text(&value, accepted[i].value);
		assert_same_as_cjson(&doc);
		json_doc_free(&doc);
	}
}

static int scan_nested(size_t levels, const char *open, const char *close)
{
	_cleanup_secret_ struct secret text = {0};
	append_times(&text, open, levels);
	append(&text, "1");
	append_times(&text, close, levels);
	struct json_doc doc;
	struct json_error error;
	int r = json_scan(text.text, text.len, &doc, &error);
	if (r == 0)
		json_doc_free(&doc);
	else if (r == -EBADMSG)
		assert_string_equal(error.what, "nested too deeply");
	return r;
}

static void test_depth(void **state)
{
	(void)state;
	assert_int_equal(scan_nested(1000, "[", "]"), 0);
	assert_int_equal(scan_nested(1001, "[", "]"), -EBADMSG);
	assert_int_equal(scan_nested(1000, "{\"a\":", "}"), 0);
	assert_int_equal(scan_nested(1001, "{\"a\":", "}"), -EBADMSG);
	assert_int_equal(scan_nested(1000000, "[", "]"), -EBADMSG);
}

static void test_size(void **state)
{
	(void)state;
	_cleanup_free_ char *text = malloc(JSON_SCAN_MAX + 1);
	assert_non_null(text);
	memset(text, ' ', JSON_SCAN_MAX + 1);
	text[0] = '7';
	struct json_doc doc;
	struct json_error error;
	assert_int_equal(json_scan(text, JSON_SCAN_MAX, &doc, &error), 0);
	json_doc_free(&doc);
	assert_int_equal(json_scan(text, JSON_SCAN_MAX + 1, &doc, &error), -EFBIG);

	memset(text, '0', 2 * JSON_NODES_MAX); // [0,0,…]: as many values as may be, with the array
	for (size_t i = 0; i < 2 * JSON_NODES_MAX; i += 2)
		text[i] = ',';
	text[0] = '[';
	text[2 * JSON_NODES_MAX - 2] = ']';
	assert_int_equal(json_scan(text, 2 * JSON_NODES_MAX - 1, &doc, &error), 0);
	assert_int_equal(doc.n, JSON_NODES_MAX);
	assert_int_equal(json_count(&doc, 0), JSON_NODES_MAX - 1);
	json_doc_free(&doc);
	text[2 * JSON_NODES_MAX - 2] = ',';
	text[2 * JSON_NODES_MAX] = ']';
	assert_int_equal(json_scan(text, 2 * JSON_NODES_MAX + 1, &doc, &error), -EBADMSG);
	assert_string_equal(error.what, "too many values");
	assert_int_equal(error.offset, 2 * JSON_NODES_MAX - 1);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Comparing each key with each other would take minutes here.
static void test_many_keys(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret text = {0};
	char member[64];
	append(&text, "{");
	for (int i = 0; i < 250000; i++) {
		snprintf(member, sizeof(member), "\"%s%06d\":0,", i % 7 ? "k" : "\\u006b",
			 i * 7001 % 300007);
		append(&text, member);
	}
	append(&text, "\"k000000 \":0}");
	double before = seconds();
	struct json_doc doc = scanned(&text);
	assert_int_equal(doc.n, 250002);
	json_doc_free(&doc);

	text.text[text.len - 5] =
		'"'; // "k000000 " becomes "k000000", which is the first, written with an escape
	text.text[text.len - 4] = ' ';
	struct json_error error;
	assert_int_equal(json_scan(text.text, text.len, &doc, &error), -EBADMSG);
	assert_string_equal(error.what, "duplicate key");
	assert_int_equal(error.offset, text.len - 13);
	assert_true(seconds() - before < 20);
}

// ---- walking

static void test_walk(void **state)
{
	(void)state;
	_cleanup_secret_ struct secret text = {0};
	append(&text, "{ \"version\": 1, \"pro\\u0066iles\" "
		      ":{\"a:b\":{\"type\":\"oauth\",\"expires\":1.5e3}},"
		      "\"list\":[true,\"x\",[]], \"none\":null}");
	struct json_doc doc = scanned(&text);
	uint32_t profiles = json_member(&doc, 0, "profiles");
	assert_int_not_equal(profiles, 0);
	assert_int_equal(json_member(&doc, 0, "Profiles"), 0);
	assert_int_equal(json_member(&doc, 0, "profile"), 0);
	assert_int_equal(json_member(&doc, 0, "a:b"), 0); // not a child of the root
	_cleanup_secret_ struct secret key = json_key(&doc, profiles);
	assert_text(&key, "profiles");
	uint32_t entry = json_member(&doc, profiles, "a:b");
	_cleanup_secret_ struct secret type =
		json_node_string(&doc, json_member(&doc, entry, "type"));
	assert_text(&type, "oauth");
	double number = 0;
	assert_true(json_node_number(&doc, json_member(&doc, entry, "expires"), &number));
	assert_true(number == 1500);
	assert_false(json_node_number(&doc, entry, &number));
	uint32_t list = json_member(&doc, 0, "list");
	assert_int_equal(json_member(&doc, list, "x"), 0);
	_cleanup_secret_ struct secret none = json_key(&doc, doc.nodes[list].first);
	assert_null(none.text);
	_cleanup_secret_ struct secret no_string = json_node_string(&doc, list);
	assert_null(no_string.text);
	size_t n = 0;
	json_for_each (&doc, child, list)
		n++;
	assert_int_equal(n, 3);
	json_doc_free(&doc);
}

// ---- edits

static int splice_text(const char *before,
		       void (*edit)(struct json_edits *, const struct json_doc *),
		       struct secret *ret)
{
	_cleanup_secret_ struct secret text = {0};
	_cleanup_(json_edits_free) struct json_edits edits = {0};
	append(&text, before);
	_cleanup_(json_doc_free) struct json_doc doc = scanned(&text);
	edit(&edits, &doc);
	return json_splice(&doc, &edits, ret);
}

static void assert_spliced(const char *before,
			   void (*edit)(struct json_edits *, const struct json_doc *),
			   const char *after)
{
	_cleanup_secret_ struct secret result = {0};
	assert_int_equal(splice_text(before, edit, &result), 0);
	assert_text(&result, after);
}

static void assert_splice_refused(const char *before,
				  void (*edit)(struct json_edits *, const struct json_doc *))
{
	struct secret result = {.len = 77};
	assert_int_equal(splice_text(before, edit, &result), -EBADMSG);
	assert_int_equal(result.len, 77); // untouched
	assert_null(result.text);
}

static void edit_a_string(struct json_edits *edits, const struct json_doc *doc, const char *text,
			  size_t len)
{
	_cleanup_secret_ struct secret value = {0};
	if (text)
		secret_set(&value, text, len);
	json_edit_string(edits, doc, json_member(doc, 0, "a"), &value);
}

static void add(struct json_edits *edits, const struct json_doc *doc, uint32_t object,
		const char *key, const char *text)
{
	_cleanup_secret_ struct secret value = {0};
	secret_set_string(&value, text);
	json_edit_add_string(edits, doc, object, key, &value);
}

static void nothing(struct json_edits *edits, const struct json_doc *doc)
{
	(void)edits, (void)doc;
}
static void to_token(struct json_edits *edits, const struct json_doc *doc)
{
	edit_a_string(edits, doc, S("FAKE-REFRESH-1"));
}
static void to_empty(struct json_edits *edits, const struct json_doc *doc)
{
	edit_a_string(edits, doc, S(""));
}
static void to_null(struct json_edits *edits, const struct json_doc *doc)
{
	edit_a_string(edits, doc, NULL, 0);
}
static void to_odd(struct json_edits *edits, const struct json_doc *doc)
{
	edit_a_string(edits, doc,
		      S("\b\t\n\f\r\x01\x1f\"\\/\x7f\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80"));
}
static void to_nul(struct json_edits *edits, const struct json_doc *doc)
{
	edit_a_string(edits, doc, S("a\0b"));
}
static void to_no_utf8(struct json_edits *edits, const struct json_doc *doc)
{
	edit_a_string(edits, doc, S("a\xff"));
}
static void to_max(struct json_edits *edits, const struct json_doc *doc)
{
	json_edit_integer(edits, doc, json_member(doc, 0, "a"), INT64_MAX);
}
static void to_min(struct json_edits *edits, const struct json_doc *doc)
{
	json_edit_integer(edits, doc, json_member(doc, 0, "a"), INT64_MIN);
}
static void twice(struct json_edits *edits, const struct json_doc *doc)
{
	to_token(edits, doc);
	to_max(edits, doc);
}
static void whole_and_part(struct json_edits *edits, const struct json_doc *doc)
{
	json_edit_integer(edits, doc, doc->nodes[json_member(doc, 0, "a")].first, 1);
	to_token(edits, doc);
}
static void root_integer(struct json_edits *edits, const struct json_doc *doc)
{
	json_edit_integer(edits, doc, 0, 1);
}
static void missing_member(struct json_edits *edits, const struct json_doc *doc)
{
	edit_a_string(edits, doc, S("FAKE"));
}
static void add_b(struct json_edits *edits, const struct json_doc *doc)
{
	add(edits, doc, 0, "b", "x");
}
static void add_b_c(struct json_edits *edits, const struct json_doc *doc)
{
	add(edits, doc, 0, "b", "x");
	add(edits, doc, 0, "c\"\n", "y\\");
}
static void add_b_and_edit_a(struct json_edits *edits, const struct json_doc *doc)
{
	add(edits, doc, 0, "b", "x");
	to_max(edits, doc);
}
static void add_a(struct json_edits *edits, const struct json_doc *doc)
{
	add(edits, doc, 0, "a", "x");
}
static void add_to_a(struct json_edits *edits, const struct json_doc *doc)
{
	add(edits, doc, json_member(doc, 0, "a"), "b", "x");
}

static void test_replace(void **state)
{
	(void)state;
	assert_spliced("\n{ \"a\" : 1 }\n", nothing, "\n{ \"a\" : 1 }\n");
	assert_spliced("\n{ \"a\" : 1 }\n", to_token, "\n{ \"a\" : \"FAKE-REFRESH-1\" }\n");
	assert_spliced("{\"a\":{\"deep\":[1,2]},\"z\":1e400}", to_token,
		       "{\"a\":\"FAKE-REFRESH-1\",\"z\":1e400}");
	assert_spliced("{\"a\":\"long, and with \\u00e9\"}", to_empty, "{\"a\":\"\"}");
	assert_spliced("{\"a\":\"x\"}", to_null, "{\"a\":null}");
	assert_spliced("{\"a\":\"x\"}", to_odd,
		       "{\"a\":\"\\b\\t\\n\\f\\r\\u0001\\u001f\\\"\\\\/"
		       "\x7f\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\"}");
	assert_spliced("{\"a\":0.1,\"b\":0.30000000000000004}", to_max,
		       "{\"a\":9223372036854775807,\"b\":0.30000000000000004}");
	assert_spliced("{\"a\":null}", to_min, "{\"a\":-9223372036854775808}");
}

static void test_add(void **state)
{
	(void)state;
	assert_spliced("{\"a\":1}", add_b, "{\"a\":1,\"b\":\"x\"}");
	assert_spliced("{\n  \"z\": 1,\n  \"a\": 1\n}\n", add_b,
		       "{\n  \"z\": 1,\n  \"a\": 1,\n  \"b\": \"x\"\n}\n");
	assert_spliced("{\n  \"z\": {}\n}\n", add_b, "{\n  \"z\": {},\n  \"b\": \"x\"\n}\n");
	assert_spliced("{ \"z\": 0 ,\t\"a\" :\r\n1 }", add_b,
		       "{ \"z\": 0 ,\t\"a\" :\r\n1,\t\"b\" :\r\n\"x\" }");
	assert_spliced("{\"a\": 1}", add_b_c, "{\"a\": 1,\"b\": \"x\",\"c\\\"\\n\": \"y\\\\\"}");
	assert_spliced("{\"z\":0, \"a\":1}", add_b_and_edit_a,
		       "{\"z\":0, \"a\":9223372036854775807, \"b\":\"x\"}");
	assert_spliced("{}", add_b, "{\"b\":\"x\"}");
	assert_spliced("{ }", add_b_c, "{\"b\":\"x\",\"c\\\"\\n\":\"y\\\\\" }");
	assert_spliced("{\"a\":{\"p,\":\"{\"}}", add_to_a, "{\"a\":{\"p,\":\"{\",\"b\":\"x\"}}");
}

static void test_splice_refused(void **state)
{
	(void)state;
	assert_splice_refused("{\"a\":1}", to_nul);
	assert_splice_refused("{\"a\":1}", to_no_utf8);
	assert_splice_refused("{\"a\":1}", twice);
	assert_splice_refused("{\"a\":[1]}", whole_and_part);
	assert_splice_refused("{\"b\":1}", root_integer);
	assert_splice_refused("1", root_integer);
	assert_splice_refused("{\"b\":1}", missing_member);
	assert_splice_refused("{\"a\":1}", add_a);
	assert_splice_refused("{\"\\u0061\":1}", add_a);
	assert_splice_refused("{\"a\":[1]}", add_to_a);
	assert_splice_refused("[1]", add_b);
}

// The comparison behind the splice, with edits made wrong by hand: each leaves a document that
// parses.
static void test_splice_verifies(void **state)
{
	(void)state;
	static const struct {
		const char *old;
		uint32_t start, end;
		const char *replacement;
		uint32_t value_at;
		enum json_type type;
		const char *value;
		double number;
	} wrong[] = {
		{"{\"a\":\"x\"}", 5, 8, "\"y\"", 0, JSON_STRING, "z"},	// other value
		{"{\"a\":\"x\"}", 5, 8, "\"y\"", 0, JSON_NUMBER, NULL}, // other type
		{"{\"a\":\"x\"}", 5, 8, "true", 0, JSON_NUMBER, NULL},
		{"{\"a\":\"x\"}", 5, 8, "\"y\",\"b\":1", 0, JSON_STRING, "y"}, // more than a value
		{"{\"a\":\"x\"}", 6, 7, "y", 0, JSON_STRING, "y"},	       // a part of one
		{"{\"a\":\"x\"}", 5, 8, " \"y\"", 0, JSON_STRING, "y"},	 // not where it is said
		{"{\"a\":\"x\"}", 5, 80, "\"y\"}", 0, JSON_STRING, "y"}, // beyond the end
		{"{\"a\":1}", 5, 6, "17", 0, JSON_NUMBER, NULL, 71},	 // other number
		{"{\"a\":1}", 5, 6, "17", 0, JSON_STRING, "17"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_cleanup_secret_ struct secret text = {0}, result = {0};
		_cleanup_(json_edits_free) struct json_edits edits = {0};
		append(&text, wrong[i].old);
		_cleanup_(json_doc_free) struct json_doc doc = scanned(&text);
		struct json_edit *edit = array_add(&edits.list, &edits.n);
		edit->start = wrong[i].start;
		edit->end = wrong[i].end;
		edit->value_at = wrong[i].value_at;
		edit->type = wrong[i].type;
		append(&edit->replacement, wrong[i].replacement);
		secret_set_string(&edit->value, wrong[i].value);
		edit->number = wrong[i].number;
		assert_int_equal(json_splice(&doc, &edits, &result), -EBADMSG);
	}
}

// ---- properties

static uint64_t random_state;

static uint32_t any(uint32_t n) // splitmix64
{
	uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) % n);
}

#define any_of(table) ((table)[any(ARRAY_SIZE(table))])

static void make_space(struct secret *out)
{
	static const char *const spaces[] = {"", "", "", " ", "\n  ", "\t", "\r\n", " \n\n ", "  "};
	append(out, any_of(spaces));
}

static void make_string_body(struct secret *out)
{
	static const char *const pieces[] = {
		"a",
		"token",
		"FAKE-ACCESS-2",
		",",
		"{",
		"}",
		"[",
		"]",
		":",
		" ",
		"//",
		"\\\\",
		"\\\"",
		"\\n",
		"\\t",
		"\\b",
		"\\/",
		"\\u00e9",
		"\\u0041",
		"\\u001f",
		"\\ud83d\\ude00",
		"\\u2028",
		"\xc3\xa9",
		"\xe2\x82\xac",
		"\xf0\x9f\x98\x80",
		"\x7f",
		"\xe2\x80\xa8",
		"null",
		"1e400",
	};
	for (uint32_t n = any(6); n; n--)
		append(out, any_of(pieces));
}

static void make_scalar(struct secret *out)
{
	static const char *const scalars[] = {
		"0",
		"-0",
		"1",
		"-1.5E+10",
		"9007199254740991",
		"-9007199254740993",
		"0.30000000000000004",
		"6.1000000000000005",
		"1e400",
		"-1e400",
		"1E-400",
		"1.7976931348623157e308",
		"5e-324",
		"1e-7",
		"1783000000000",
		"1783000000000.123",
		"123456789012345678901234567890",
		"true",
		"false",
		"null",
		"10000000000000000000000000000000000000000000000000000000000000000000000.5",
	};
	if (any(2)) {
		append(out, any_of(scalars));
		return;
	}
	append(out, "\"");
	make_string_body(out);
	append(out, "\"");
}

static void make_value(struct secret *out, unsigned depth);

static void make_key(struct secret *out)
{
	static unsigned serial;
	char suffix[16];
	append(out, "\"");
	make_string_body(out);
	snprintf(suffix, sizeof(suffix), "%u\"", serial++);
	append(out, suffix);
	make_space(out);
	append(out, ":");
}

static void make_container(struct secret *out, unsigned depth)
{
	bool object = any(3) != 0;
	append(out, object ? "{" : "[");
	for (uint32_t i = 0, n = any(5); i < n; i++) {
		append(out, i ? "," : "");
		make_space(out);
		if (object)
			make_key(out);
		make_value(out, depth + 1);
	}
	make_space(out);
	append(out, object ? "}" : "]");
}

static void make_value(struct secret *out, unsigned depth)
{
	make_space(out);
	if (depth < 1 || (depth < 6 && any(2)))
		make_container(out, depth);
	else
		make_scalar(out);
	make_space(out);
}

static struct secret make_plain_value(void)
{
	static const char *const pieces[] = {
		"FAKE-REFRESH-",    "x", "\"",	    "\\", "\n",	 "\x01", "\x1f", "\xc3\xa9",
		"\xf0\x9f\x98\x80", "/", "\\u0041", "}",  "\x7f"};
	struct secret value = {0};
	secret_set(&value, "", 0);
	for (uint32_t n = any(8); n; n--)
		append(&value, any_of(pieces));
	return value;
}

struct pick {
	uint32_t node;
	bool string;
	struct secret value;
	int64_t integer;
};

struct picks {
	struct pick *list;
	size_t n;
};

static void picks_free(struct picks *picks)
{
	for (size_t i = 0; i < picks->n; i++)
		secret_free(&picks->list[i].value);
	free(picks->list);
}

static void pick_nodes(struct picks *picks, const struct json_doc *doc)
{
	for (uint32_t i = 1; i < doc->n; i++) {
		enum json_type type = doc->nodes[i].type;
		if ((type != JSON_STRING && type != JSON_NUMBER) || any(3))
			continue;
		struct pick *pick = array_add(&picks->list, &picks->n);
		pick->node = i;
		pick->string = any(2);
		if (pick->string)
			pick->value = make_plain_value();
		else
			pick->integer = (int64_t)any(UINT32_MAX) * (any(2) ? 2097151 : -3);
	}
}

// Collected from the back to the front, to see that they are sorted.
static int splice_picks(const struct json_doc *doc, const struct picks *picks, struct secret *ret)
{
	_cleanup_(json_edits_free) struct json_edits edits = {0};
	for (size_t i = picks->n; i-- > 0;) {
		const struct pick *pick = &picks->list[i];
		if (pick->string)
			json_edit_string(&edits, doc, pick->node, &pick->value);
		else
			json_edit_integer(&edits, doc, pick->node, pick->integer);
	}
	return json_splice(doc, &edits, ret);
}

static void assert_pick_reads_back(const struct json_doc *doc, const struct pick *pick)
{
	if (pick->string) {
		_cleanup_secret_ struct secret value = json_node_string(doc, pick->node);
		assert_true(secret_equal(&value, &pick->value));
		return;
	}
	double number;
	assert_true(json_node_number(doc, pick->node, &number));
	assert_true(number == (double)pick->integer);
}

// A scalar in the place of a scalar: nodes keep their numbers.
static void assert_only_picks_changed(const struct json_doc *old, const struct json_doc *new,
				      const struct picks *picks)
{
	size_t old_at = 0, new_at = 0;
	assert_int_equal(old->n, new->n);
	for (size_t i = 0; i < picks->n; i++) {
		const struct json_node *was = &old->nodes[picks->list[i].node];
		const struct json_node *is = &new->nodes[picks->list[i].node];
		assert_int_equal(was->start - old_at, is->start - new_at);
		assert_memory_equal(old->text + old_at, new->text + new_at, was->start - old_at);
		assert_pick_reads_back(new, &picks->list[i]);
		old_at = was->end;
		new_at = is->end;
	}
	assert_int_equal(old->len - old_at, new->len - new_at);
	assert_memory_equal(old->text + old_at, new->text + new_at, old->len - old_at);
}

static void test_splice_property(void **state)
{
	(void)state;
	random_state = 20261120;
	size_t edited = 0;
	for (int i = 0; i < 3000; i++) {
		_cleanup_secret_ struct secret text = {0}, result = {0}, again = {0};
		_cleanup_(picks_free) struct picks picks = {0};
		make_value(&text, 0);
		_cleanup_(json_doc_free) struct json_doc old = scanned(&text);
		assert_same_as_cjson(&old);
		pick_nodes(&picks, &old);
		edited += picks.n;
		assert_int_equal(splice_picks(&old, &picks, &result), 0);
		_cleanup_(json_doc_free) struct json_doc new = scanned(&result);
		assert_same_as_cjson(&new);
		assert_only_picks_changed(&old, &new, &picks);
		assert_int_equal(splice_picks(&new, &picks, &again), 0);
		assert_true(secret_equal(&result, &again));
	}
	assert_true(edited > 3000);
}

static size_t end_of_last_child(const struct json_doc *doc, uint32_t object)
{
	size_t end = doc->nodes[object].start + 1;
	json_for_each (doc, child, object)
		end = doc->nodes[child].end;
	return end;
}

static void assert_member_added(const struct json_doc *old, uint32_t object)
{
	_cleanup_secret_ struct secret value = make_plain_value(), result = {0};
	_cleanup_(json_edits_free) struct json_edits edits = {0};
	json_edit_add_string(&edits, old, object, "new \"key\"", &value);
	assert_int_equal(json_splice(old, &edits, &result), 0);
	_cleanup_(json_doc_free) struct json_doc new = scanned(&result);
	assert_same_as_cjson(&new);
	assert_int_equal(new.n, old->n + 1);
	_cleanup_secret_ struct secret found =
		json_node_string(&new, json_member(&new, object, "new \"key\""));
	assert_true(secret_equal(&found, &value));
	size_t end = end_of_last_child(old, object);
	assert_memory_equal(old->text, new.text, end);
	assert_memory_equal(old->text + end, new.text + new.len - (old->len - end), old->len - end);
}

static void test_add_property(void **state)
{
	(void)state;
	random_state = 4711;
	size_t added = 0;
	for (int i = 0; i < 1000; i++) {
		_cleanup_secret_ struct secret text = {0};
		make_value(&text, 0);
		_cleanup_(json_doc_free) struct json_doc doc = scanned(&text);
		for (uint32_t node = 0; node < doc.n; node++)
			if (doc.nodes[node].type == JSON_OBJECT && any(2)) {
				assert_member_added(&doc, node);
				added++;
			}
	}
	assert_true(added > 500);
}

static void mutate(struct secret *text)
{
	static const char bytes[] = "\"\\{}[],:0e-. \n\x80\xc3\xed\xf4\xff/ua1";
	for (uint32_t n = 1 + any(3); n && text->len; n--) {
		size_t at = any((uint32_t)text->len);
		switch (any(4)) {
		case 0:
			text->text[at] = (char)(text->text[at] ^ (1 << any(8)));
			break;
		case 1:
			text->text[at] = bytes[any(sizeof(bytes))]; // its NUL too
			break;
		case 2:
			memmove(text->text + at, text->text + at + 1, text->len - at);
			text->len--;
			break;
		default:
			text->len = any(8) ? text->len : at; // now and then, cut
			text->text[text->len] = '\0';
		}
	}
}

static void test_mutation_property(void **state)
{
	(void)state;
	random_state = 99;
	size_t taken = 0, refusals = 0;
	for (int i = 0; i < 30000; i++) {
		_cleanup_secret_ struct secret text = {0};
		_cleanup_free_ char *copy = NULL;
		_cleanup_(json_doc_free) struct json_doc doc = {0};
		struct json_error error = {0};
		make_value(&text, 3);
		mutate(&text);
		if (scan_copy(text.text, text.len, &copy, &doc, &error) < 0) {
			assert_non_null(error.what);
			assert_in_range(error.offset, 0, text.len);
			refusals++;
			continue;
		}
		assert_same_as_cjson(&doc);
		taken++;
	}
	assert_true(taken > 1000);
	assert_true(refusals > 1000);
}

// What stands, the member of the root that goes, what remains.
static const char *const removals[][3] = {
	{"{\"a\":1,\"b\":2,\"c\":3}", "a", "{\"b\":2,\"c\":3}"},
	{"{\"a\":1,\"b\":2,\"c\":3}", "b", "{\"a\":1,\"c\":3}"},
	{"{\"a\":1,\"b\":2,\"c\":3}", "c", "{\"a\":1,\"b\":2}"},
	{"{ \"a\" : {\"x\": [1]} }", "a", "{  }"},
	{"{\n  \"a\": 1,\n  \"b\": \"}\"\n}\n", "b", "{\n  \"a\": 1\n}\n"},
	{"{\n  \"a\": 1,\n  \"b\": 2\n}\n", "a", "{\n  \"b\": 2\n}\n"},
};

static void test_remove(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(removals); i++) {
		_cleanup_(json_edits_free) struct json_edits edits = {0};
		_cleanup_(json_doc_free) struct json_doc doc = {0};
		_cleanup_secret_ struct secret result = {0};
		struct json_error error;

		assert_int_equal(json_scan(removals[i][0], strlen(removals[i][0]), &doc, &error),
				 0);
		json_edit_remove(&edits, &doc, 0, removals[i][1]);
		assert_int_equal(json_splice(&doc, &edits, &result), 0);
		assert_string_equal(result.text, removals[i][2]);
		json_edit_remove(&edits, &doc, 0,
				 "no such member"); // would remove what it must not
		assert_int_equal(json_splice(&doc, &edits, &result), -EBADMSG);
	}
}

// The last one goes, and another comes in its place.
static void test_remove_and_add(void **state)
{
	static const char text[] = "{\"a\": 1, \"b\": 2}";
	_cleanup_(json_edits_free) struct json_edits edits = {0};
	_cleanup_(json_doc_free) struct json_doc doc = {0};
	_cleanup_secret_ struct secret result = {0};
	struct json_error error;

	(void)state;
	assert_int_equal(json_scan(text, strlen(text), &doc, &error), 0);
	json_edit_remove(&edits, &doc, 0, "b");
	json_edit_add_integer(&edits, &doc, 0, "c", 3);
	assert_int_equal(json_splice(&doc, &edits, &result), 0);
	assert_string_equal(result.text, "{\"a\": 1, \"c\": 3}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_remove_and_add),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_error_place),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_splice_refused),
		cmocka_unit_test(test_splice_verifies),
		cmocka_unit_test(test_splice_property),
		cmocka_unit_test(test_add_property),
		cmocka_unit_test(test_mutation_property),
	};
	return cmocka_run_group_tests_name("json_scan", tests, NULL, NULL);
}
