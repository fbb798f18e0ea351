// SPDX-License-Identifier: MIT
//
// Edits of a scanned document. An edit is a span and the JSON text that takes its place;
// json_splice puts the new document together and then believes nothing of it: it is scanned
// strictly, compared with the old one outside the edits, and every value is found again at its
// place and decoded. What an edit replaces is one whole value, so with the bytes around it
// unchanged the rest of the document cannot mean anything else than before.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "json/scan.h"

static void append_string(struct secret *json, const char *text)
{
	secret_append(json, text, strlen(text));
}

void json_edits_free(struct json_edits *edits)
{
	for (size_t i = 0; i < edits->n; i++) {
		secret_free(&edits->list[i].replacement);
		secret_free(&edits->list[i].value);
	}
	free(edits->list);
	*edits = (struct json_edits){0};
}

// ---- literals

static bool needs_escape(char c)
{
	return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

static void append_escape(struct secret *json, char c)
{
	static const char from[] = "\b\t\n\f\r\"\\", to[] = "btnfr\"\\";
	const char *found = c ? strchr(from, c) : NULL; // strchr would find the terminating NUL
	char escape[7];

	if (found)
		snprintf(escape, sizeof(escape), "\\%c", to[found - from]);
	else
		snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)c);
	append_string(json, escape);
}

// As JSON.stringify writes it. A NUL becomes \u0000 and bytes that are no UTF-8 stay: json_splice
// refuses both.
static void append_literal(struct secret *json, const char *text, size_t len)
{
	append_string(json, "\"");
	for (size_t i = 0, plain; i < len; i += plain) {
		for (plain = 0; i + plain < len && !needs_escape(text[i + plain]); plain++)
			;
		secret_append(json, text + i, plain);
		if (i + plain < len)
			append_escape(json, text[i + plain++]);
	}
	append_string(json, "\"");
}

static void append_integer(struct json_edit *edit, int64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRId64, value);
	edit->value_at = (uint32_t)edit->replacement.len;
	edit->type = JSON_NUMBER;
	edit->number = (double)value;
	append_string(&edit->replacement, digits);
}

static void append_value(struct json_edit *edit, const struct secret *value)
{
	edit->value_at = (uint32_t)edit->replacement.len;
	edit->type = value->text ? JSON_STRING : JSON_NULL;
	secret_copy(&edit->value, value);
	if (value->text)
		append_literal(&edit->replacement, value->text, value->len);
	else
		append_string(&edit->replacement, "null");
}

// ---- collecting

static struct json_edit *add_edit(struct json_edits *edits, size_t start, size_t end)
{
	struct json_edit *edit = array_add(&edits->list, &edits->n);

	edit->start = (uint32_t)start;
	edit->end = (uint32_t)end;
	return edit;
}

// A span that ends before it starts is none: json_splice refuses it.
static struct json_edit *add_refused_edit(struct json_edits *edits)
{
	return add_edit(edits, 1, 0);
}

static struct json_edit *add_replacement(struct json_edits *edits, const struct json_doc *doc,
					 uint32_t node)
{
	if (node == 0)
		return add_refused_edit(edits);
	return add_edit(edits, doc->nodes[node].start, doc->nodes[node].end);
}

void json_edit_string(struct json_edits *edits, const struct json_doc *doc, uint32_t node,
		      const struct secret *value)
{
	append_value(add_replacement(edits, doc, node), value);
}

void json_edit_integer(struct json_edits *edits, const struct json_doc *doc, uint32_t node,
		       int64_t value)
{
	append_integer(add_replacement(edits, doc, node), value);
}

// Up to the next member; the last one from the end of the one before it.
void json_edit_remove(struct json_edits *edits, const struct json_doc *doc, uint32_t object,
		      const char *key)
{
	uint32_t node = json_member(doc, object, key), before = 0;
	struct json_edit *edit;

	if (!node) {
		add_refused_edit(edits);
		return;
	}
	json_for_each (doc, child, object)
		if (doc->nodes[child].next == node)
			before = child;
	if (doc->nodes[node].next)
		edit = add_edit(edits, doc->nodes[node].key_start,
				doc->nodes[doc->nodes[node].next].key_start);
	else
		edit = add_edit(edits, before ? doc->nodes[before].end : doc->nodes[node].key_start,
				doc->nodes[node].end);
	edit->removes = true;
}

static uint32_t last_member(const struct json_doc *doc, uint32_t object)
{
	uint32_t last = 0;

	json_for_each (doc, child, object)
		last = child;
	return last;
}

static bool adds_at(const struct json_edits *edits, size_t offset)
{
	for (size_t i = 0; i < edits->n; i++)
		if (edits->list[i].start == offset && edits->list[i].end == offset)
			return true;
	return false;
}

static struct json_edit *add_first_member(struct json_edits *edits, const struct json_doc *doc,
					  uint32_t object, const char *key)
{
	size_t at = doc->nodes[object].start + 1;
	bool first = !adds_at(edits, at);
	struct json_edit *edit = add_edit(edits, at, at);

	append_string(&edit->replacement, first ? "" : ",");
	append_literal(&edit->replacement, key, strlen(key));
	append_string(&edit->replacement, ":");
	return edit;
}

// Where the white space before a key starts: behind a comma or the brace.
static size_t space_before(const struct json_doc *doc, size_t offset)
{
	while (doc->text[offset - 1] != ',' && doc->text[offset - 1] != '{')
		offset--;
	return offset;
}

// All but the value.
static struct json_edit *add_member(struct json_edits *edits, const struct json_doc *doc,
				    uint32_t object, const char *key)
{
	if (doc->nodes[object].type != JSON_OBJECT)
		return add_refused_edit(edits);
	uint32_t last = last_member(doc, object);
	if (!last)
		return add_first_member(edits, doc, object, key);
	const struct json_node *model = &doc->nodes[last];
	struct json_edit *edit = add_edit(edits, model->end, model->end);
	size_t space = space_before(doc, model->key_start);

	append_string(&edit->replacement, ",");
	secret_append(&edit->replacement, doc->text + space, model->key_start - space);
	append_literal(&edit->replacement, key, strlen(key));
	secret_append(&edit->replacement, doc->text + model->key_end,
		      model->start - model->key_end);
	return edit;
}

void json_edit_add_string(struct json_edits *edits, const struct json_doc *doc, uint32_t object,
			  const char *key, const struct secret *value)
{
	append_value(add_member(edits, doc, object, key), value);
}

void json_edit_add_integer(struct json_edits *edits, const struct json_doc *doc, uint32_t object,
			   const char *key, int64_t value)
{
	append_integer(add_member(edits, doc, object, key), value);
}

// ---- applying

// Pointers to the edits in the order of the text.
struct edit_order {
	const struct json_edit **list;
	size_t n;
};

static void edit_order_free(struct edit_order *order)
{
	free(order->list);
}

// Edits at one place (members added to one object) stay in the order in which they were collected,
// which is that of the array.
static int compare_edits(const void *left, const void *right)
{
	const struct json_edit *a = *(const struct json_edit *const *)left;
	const struct json_edit *b = *(const struct json_edit *const *)right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int order_edits(const struct json_doc *doc, const struct json_edits *edits,
		       struct edit_order *order)
{
	size_t end = 0;

	order->list = xcalloc(edits->n, sizeof(*order->list));
	order->n = edits->n;
	for (size_t i = 0; i < edits->n; i++)
		order->list[i] = &edits->list[i];
	qsort(order->list, order->n, sizeof(*order->list), compare_edits);
	for (size_t i = 0; i < order->n; i++) {
		const struct json_edit *edit = order->list[i];

		if (edit->start < end || edit->end < edit->start || edit->end > doc->len)
			return -EBADMSG;
		end = edit->end;
	}
	return 0;
}

static void apply_edits(const struct json_doc *doc, const struct edit_order *order,
			struct secret *result)
{
	size_t from = 0;

	secret_set(result, "", 0);
	for (size_t i = 0; i < order->n; i++) {
		const struct json_edit *edit = order->list[i];

		secret_append(result, doc->text + from, edit->start - from);
		secret_append(result, edit->replacement.text, edit->replacement.len);
		from = edit->end;
	}
	secret_append(result, doc->text + from, doc->len - from);
}

// The node that starts at `offset`; 0 if none does. Nodes stand in the order of their starts.
static uint32_t node_at(const struct json_doc *doc, size_t offset)
{
	size_t low = 0, high = doc->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (doc->nodes[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	return doc->nodes[low].start == offset ? (uint32_t)low : 0;
}

// Does the value of an edit whose text starts at `at` stand in the new document, and reads back as
// given?
static bool reads_back(const struct json_doc *doc, const struct json_edit *edit, size_t at)
{
	if (edit->removes)
		return true;
	uint32_t node = node_at(doc, at + edit->value_at);
	if (!node || doc->nodes[node].type != edit->type ||
	    doc->nodes[node].end != at + edit->replacement.len)
		return false;
	double number = 0;
	_cleanup_secret_ struct secret value = json_node_string(doc, node);
	json_node_number(doc, node, &number);
	return secret_equal(&value, &edit->value) && number == edit->number;
}

static bool same_bytes(const struct json_doc *before, size_t from, const struct json_doc *after,
		       size_t at, size_t len)
{
	return at <= after->len && len <= after->len - at &&
	       memcmp(before->text + from, after->text + at, len) == 0;
}

static bool verify_edits(const struct json_doc *before, const struct json_doc *after,
			 const struct edit_order *order)
{
	size_t from = 0, at = 0;

	for (size_t i = 0; i < order->n; i++) {
		const struct json_edit *edit = order->list[i];
		size_t kept = edit->start - from;

		if (!same_bytes(before, from, after, at, kept) ||
		    !reads_back(after, edit, at + kept))
			return false;
		at += kept + edit->replacement.len;
		from = edit->end;
	}
	return after->len - at == before->len - from &&
	       same_bytes(before, from, after, at, before->len - from);
}

int json_splice(const struct json_doc *doc, const struct json_edits *edits, struct secret *ret)
{
	_cleanup_(edit_order_free) struct edit_order order = {0};
	_cleanup_(json_doc_free) struct json_doc after = {0};
	_cleanup_secret_ struct secret result = {0};
	struct json_error error;

	int r = order_edits(doc, edits, &order);
	if (r < 0)
		return r;
	apply_edits(doc, &order, &result);
	r = json_scan(result.text, result.len, &after, &error);
	if (r < 0)
		return r;
	if (!verify_edits(doc, &after, &order))
		return -EBADMSG;
	secret_free(ret);
	*ret = secret_take(&result);
	return 0;
}
