// SPDX-License-Identifier: MIT
//
// A document of any bytes, edited anywhere. The first three bytes choose the nodes and the edits,
// the rest is the document. What json_splice returns is compared here once more, without its help.
#include <errno.h>

#include "fuzz.h"
#include "json/scan.h"

static const char *const values[] = {"", "FAKE-REFRESH-2", "with \"quotes\", \\ and \x01",
				     "\xc3\xa9\xf0\x9f\x94\x91"};

static void choose_edits(const uint8_t choice[3], const struct json_doc *doc,
			 struct json_edits *edits)
{
	uint32_t a = (uint32_t)(choice[0] % doc->n), b = (uint32_t)(choice[1] % doc->n);
	_cleanup_secret_ struct secret value = {0};

	secret_set_string(&value, values[choice[2] % ARRAY_SIZE(values)]);
	if (choice[2] & 0x10)
		json_edit_string(edits, doc, a, &value);
	else
		json_edit_integer(edits, doc, a, (int64_t)choice[2] << choice[1] % 50);
	if (choice[2] & 0x20)
		json_edit_add_string(edits, doc, b, "idToken", &value);
	if (choice[2] & 0x40)
		json_edit_string(edits, doc, b, &value);
}

static int compare_starts(const void *left, const void *right)
{
	const struct json_edit *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

// Every byte that is in no edit's span stands in the result, in its order and nothing between.
static void check_rest(const struct json_doc *doc, struct json_edits *edits,
		       const struct secret *result)
{
	size_t from = 0, at = 0;

	qsort(edits->list, edits->n, sizeof(*edits->list), compare_starts);
	for (size_t i = 0; i < edits->n; i++) {
		const struct json_edit *edit = &edits->list[i];
		size_t kept = edit->start - from;

		fuzz_check(at + kept <= result->len &&
			   fuzz_same(doc->text + from, result->text + at, kept));
		at += kept + edit->replacement.len;
		from = edit->end;
	}
	fuzz_check(at <= result->len && result->len - at == doc->len - from);
	fuzz_check(fuzz_same(doc->text + from, result->text + at, doc->len - from));
}

// The same edits of the result's own spans change nothing more.
static void check_idempotent(const uint8_t choice[3], const struct secret *result)
{
	const uint8_t replace_only[3] = {choice[0], choice[1], choice[2] & (uint8_t)~0x60};
	_cleanup_(json_edits_free) struct json_edits edits = {0};
	_cleanup_secret_ struct secret again = {0};
	struct json_error error;
	struct json_doc doc;

	fuzz_check(json_scan(result->text, result->len, &doc, &error) == 0);
	if (!(choice[2] & 0x60)) {
		choose_edits(replace_only, &doc, &edits);
		fuzz_check(choice[0] % doc.n == 0 || json_splice(&doc, &edits, &again) == 0);
		fuzz_check(choice[0] % doc.n == 0 || secret_equal(result, &again));
	}
	json_doc_free(&doc);
}

static void check_nodes(const struct json_doc *doc)
{
	for (uint32_t i = 0; i < doc->n; i++) {
		const struct json_node *node = &doc->nodes[i];
		_cleanup_secret_ struct secret text = json_node_string(doc, i);
		double number;

		fuzz_check(node->start < node->end && node->end <= doc->len);
		fuzz_check(node->key_end <= node->start && (node->next == 0 || node->next > i));
		fuzz_check((text.text != NULL) == (node->type == JSON_STRING));
		fuzz_check(!text.text || strlen(text.text) == text.len);
		fuzz_check(json_node_number(doc, i, &number) == (node->type == JSON_NUMBER));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(json_edits_free) struct json_edits edits = {0};
	_cleanup_secret_ struct secret result = {0}, text = {0};
	struct json_error error = {0};
	struct json_doc doc;

	if (size < 3)
		return 0;
	secret_set(&text, (const char *)data + 3, size - 3);
	int r = json_scan(text.text, text.len, &doc, &error);
	if (r < 0) {
		fuzz_check(r == -EBADMSG && error.what && error.offset <= text.len &&
			   error.line > 0);
		return 0;
	}
	check_nodes(&doc);
	// Choose by a copy with as many nodes as before, so that the same choice means the same
	// node again.
	choose_edits(data, &doc, &edits);
	size_t nodes = doc.n;
	if (json_splice(&doc, &edits, &result) == 0) {
		check_rest(&doc, &edits, &result);
		// A container that was replaced took its children with it: then the numbers mean
		// other nodes.
		uint32_t a = (uint32_t)(data[0] % nodes);
		if (doc.nodes[a].type > JSON_ARRAY || !doc.nodes[a].first)
			check_idempotent(data, &result);
	}
	json_doc_free(&doc);
	return 0;
}
