// SPDX-License-Identifier: MIT
//
// Strict JSON with byte spans, and splicing.
//
// A store is never printed anew: cJSON would change one JavaScript number in six, cut strings at \u0000 and find
// the first of two equal keys where JavaScript takes the last (shared facts: durability D). So the text is
// scanned strictly, the spans of the values to change are found, new literals are put in their place, and every
// other byte stays what it was.
//
//	json_scan(text, len, &doc, &error)      grammar, UTF-8, duplicate keys, depth; a flat array of nodes
//	n = json_member(&doc, 0, "profiles")    walk
//	json_edit_string(&edits, …)             collect
//	json_splice(&doc, &edits, &result)      apply, scan again, compare
//
// What JavaScript writes where it cut a text in the middle of a character ("\ud83d"), and \u0000, are read as U+FFFD, as
// everywhere (json/foreign.c), and stay what they are. No token may hold that, and no name by which we ask for anything.
//
// Refused, with the place: anything RFC 8259 refuses; a BOM; a NUL byte;
// overlong or otherwise invalid UTF-8; two equal keys in one object (after unescaping); more than 1000 levels;
// more than JSON_SCAN_MAX bytes, or JSON_NODES_MAX values (a node has 28 bytes, the shortest value two: what a store
// costs in memory must not be a hundred times its size).
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include "base/secret.h"

#define JSON_SCAN_MAX  (5u << 20)
#define JSON_NODES_MAX (1u << 18)
#define JSON_DEPTH_MAX 1000

enum json_type { JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

struct json_node {
	enum json_type type;
	uint32_t start, end;         // of the value, in bytes; a string includes its quotes
	uint32_t key_start, key_end; // of the member's key with its quotes; 0,0 in arrays and for the root
	uint32_t next;               // the next sibling, 0 for none
	uint32_t first;              // the first child, 0 for none
};

struct json_doc {
	const char *text; // borrowed: must outlive the document
	size_t len;
	struct json_node *nodes; // [0] is the root
	size_t n;
};

#define JSON_ERROR_BOM	 "byte order mark"
#define JSON_ERROR_UTF16 "UTF-16 text"
#define JSON_ERROR_EMPTY "nothing in it"
struct json_error {
	const char *what; // a literal: "unexpected character", "duplicate key", …
	size_t offset, line, column; // line and column from 1, column in bytes
};

// 0; -EBADMSG with ret_error; -EFBIG. The document is freed by json_doc_free.
int json_scan(const char *text, size_t len, struct json_doc *ret, struct json_error *ret_error);
void json_doc_free(struct json_doc *doc);

// Indices of nodes; 0 stands for "none" (the root is nobody's child). Keys are compared unescaped.
uint32_t json_member(const struct json_doc *doc, uint32_t object, const char *key);
#define json_for_each(doc, child, parent)                                                          \
	for (uint32_t child = (doc)->nodes[parent].first; child; child = (doc)->nodes[child].next)
size_t json_count(const struct json_doc *doc, uint32_t parent);              // its children
struct secret json_key(const struct json_doc *doc, uint32_t node);          // unescaped
bool json_key_is_text(const struct json_doc *doc, uint32_t node);           // false: there is a U+FFFD that was none
struct secret json_node_string(const struct json_doc *doc, uint32_t node);  // unescaped; unset if no string
bool json_node_number(const struct json_doc *doc, uint32_t node, double *ret); // false if no number

// Changes to one document. Spans of two edits must not overlap.
struct json_edit {
	uint32_t start, end;     // bytes replaced; equal to insert
	struct secret replacement; // JSON text
	uint32_t value_at;       // where in it the value starts (a new member's key comes first)
	bool removes;            // it is a member that goes: nothing must read back
	enum json_type type;     // as what the value must read back,
	struct secret value;     // and a string as which
	double number;           // … a number
};
struct json_edits {
	struct json_edit *list;
	size_t n;
};
void json_edits_free(struct json_edits *edits);
// Replace a value by a string (an unset one: by `null`) or a number. Unicode above 0x1f goes in as it is, as
// JSON.stringify writes. Node 0 and an `object` that is none make an edit that json_splice refuses, so that a
// member not found cannot overwrite a document.
void json_edit_string(struct json_edits *edits, const struct json_doc *doc, uint32_t node,
		      const struct secret *value);
void json_edit_integer(struct json_edits *edits, const struct json_doc *doc, uint32_t node, int64_t value);
// Remove a member of an object, with its comma.
void json_edit_remove(struct json_edits *edits, const struct json_doc *doc, uint32_t object, const char *key);
// Add a member after the last member of an object, in the spacing its last member has: the
// bytes between the comma before it (or the brace) and its key are repeated, and those between key and value. In
// an empty object there is none.
void json_edit_add_string(struct json_edits *edits, const struct json_doc *doc, uint32_t object, const char *key,
			  const struct secret *value);
void json_edit_add_integer(struct json_edits *edits, const struct json_doc *doc, uint32_t object, const char *key,
			   int64_t value);

// Apply. The result is scanned again and compared: outside the edits every byte is the same, and each edited
// value reads back as given. -EBADMSG if not (a defect, or overlapping edits): then nothing must be written.
int json_splice(const struct json_doc *doc, const struct json_edits *edits, struct secret *ret);

#endif
