// SPDX-License-Identifier: MIT
//
// The document that holds OpenClaw's credentials, as a whole: its shape and its profiles; and an edit, which is: find
// each change's profile, compare the refresh token that stands there, collect the edits, one splice for all of them.
//
// The shape is checked strictly, because OpenClaw itself reads a wrong one silently as "no profiles", which looks just
// like bad credentials (facts: openclaw-json-store.md 2).
#include "store/openclaw_profiles.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "json/scan.h"
#include "store/known.h"
#include "store/openclaw_entry.h"
#include "store/trouble.h"
#include "provider/provider.h"

#define PROFILES_MAX 1024

struct document {
	struct json_doc json;
	uint32_t profiles; // node
};

static void document_free(struct document *document)
{
	json_doc_free(&document->json);
}
#define _cleanup_document_ _cleanup_(document_free)

// ---- shape

static bool is_object(const struct json_doc *doc, uint32_t node)
{
	return doc->nodes[node].type == JSON_OBJECT;
}

// Is this `profiles` a wrapper around another one? (A profile of that name has a type.)
static bool wraps_profiles(const struct json_doc *doc, uint32_t profiles)
{
	uint32_t inner = json_member(doc, profiles, "profiles");

	return inner && !json_member(doc, inner, "type") && !json_member(doc, inner, "mode");
}

// What is wrong with it, and as a filter of jq(1) what makes it right; NULL: there is nothing to save in it.
struct wrong_shape {
	char *what, *filter;
};

static void wrong_shape_free(struct wrong_shape *wrong)
{
	free(wrong->what);
	free(wrong->filter);
}
#define _cleanup_wrong_ _cleanup_(wrong_shape_free)

static void too_deep(const struct json_doc *doc, uint32_t wrapper, struct wrong_shape *ret)
{
	_cleanup_secret_ struct secret key = json_key(doc, wrapper);
	_cleanup_free_ char *shown = string_printable(key.text, 64);
	bool plain = key.len && key.len == strspn(key.text, "abcdefghijklmnopqrstuvwxyz"
							    "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");

	ret->what = xasprintf("the profiles are one level too deep, in `%s.profiles`", shown);
	if (plain)
		ret->filter = xasprintf("{version: 1, profiles: .%s.profiles}", key.text);
}

static void no_object(const struct json_doc *doc, uint32_t profiles, struct wrong_shape *ret)
{
	bool array = doc->nodes[profiles].type == JSON_ARRAY;

	ret->what =
		xasprintf("`profiles` is %s, not an object", array ? "an array" : "a plain value");
	if (array)
		ret->filter = xstrdup(".profiles |= (map({(.id // .profileId // "
				      "\"\\(.provider):default\"): .}) | add // {})");
}

// The profiles' node, or 0 with what is wrong.
static uint32_t find_profiles(const struct json_doc *doc, struct wrong_shape *ret)
{
	uint32_t profiles = json_member(doc, 0, "profiles");

	if (!is_object(doc, 0)) {
		ret->what = xstrdup("the document is not an object");
	} else if (profiles && !is_object(doc, profiles)) {
		no_object(doc, profiles, ret);
	} else if (profiles && wraps_profiles(doc, profiles)) {
		too_deep(doc, profiles, ret);
	} else if (!profiles) {
		json_for_each (doc, child, 0)
			if (json_member(doc, child, "profiles")) {
				too_deep(doc, child, ret);
				return 0;
			}
		ret->what = xstrdup("there is no `profiles`");
	} else {
		return profiles;
	}
	return 0;
}

// ---- reading

// What was kept is never written over, also if the line is pasted twice; nor is the store emptied where jq is missing or finds
// something else than it looks for.
static char *mend_shape(const char *path, const struct wrong_shape *wrong)
{
	_cleanup_free_ char *was = xasprintf("%s.wrong-shape", path);
	_cleanup_free_ char *file = shell_quoted(path), *kept = shell_quoted(was);
	_cleanup_free_ char *filter = wrong->filter ? shell_quoted(wrong->filter) : NULL;

	return filter ? xasprintf("jq %s %s >/dev/null && [ ! -e %s ] && cp -p %s %s && jq %s %s "
				  ">%s",
				  filter, file, kept, file, kept, filter, kept, file)
		      : xasprintf("[ ! -e %s ] && mv %s %s && openclaw models auth login", kept,
				  file, kept);
}

static void give_up_on_shape(struct store *store, struct problems *problems,
			     const struct wrong_shape *wrong)
{
	_cleanup_free_ char *fix = mend_shape(store->path, wrong);

	store_give_up(store, problems, "store_wrong_shape",
		      xasprintf(": %s, so OpenClaw reads it as an empty store", wrong->what), fix);
}

// An entry with its key.
static struct copy *read_entry(struct known *known, const struct json_doc *doc, uint32_t node,
			       const struct config *config)
{
	uint32_t start = doc->nodes[node].key_start;
	struct text_hash hash = hash_text(doc->text + start, doc->nodes[node].end - start);
	struct copy *copy = known_entry(known, hash);
	struct entry entry;

	if (copy)
		return copy_ref(copy);
	copy = copy_new();
	entry_read(doc, node, config, copy, &entry);
	known_add_entry(known, hash, copy);
	return copy;
}

void openclaw_profiles_read(struct store *store, struct secret *text, const struct config *config,
			    struct problems *problems)
{
	_cleanup_document_ struct document document = {};
	struct json_error error;
	_cleanup_wrong_ struct wrong_shape wrong = {0};
	int r;

	store->state = STORE_OK;
	if (known_document(store->known, text, store))
		return;
	r = json_scan(text->text, text->len, &document.json, &error);
	if (r == -EBADMSG)
		store_give_up_text(store, problems, &error);
	else if (r < 0)
		store_give_up_error(store, problems, r);
	if (r < 0)
		return;
	document.profiles = find_profiles(&document.json, &wrong);
	if (!document.profiles) {
		give_up_on_shape(store, problems, &wrong);
		return;
	}
	if (json_count(&document.json, document.profiles) > PROFILES_MAX) {
		store_give_up(store, problems, "store_unreadable",
			      xasprintf(": more than %d profiles", PROFILES_MAX),
			      "look at what fills it; nothing is written to the file before");
		return;
	}
	json_for_each (&document.json, child, document.profiles)
		*array_add(&store->copies, &store->n_copies) =
			read_entry(store->known, &document.json, child, config);
	known_add_document(store->known, text, store);
}

// ---- writing

static bool standing_equals(const struct json_doc *doc, uint32_t node, const struct secret *wanted)
{
	_cleanup_secret_ struct secret standing = {};

	if (!wanted || secret_empty(wanted))
		return true;
	if (!node)
		return false;
	standing = json_node_string(doc, node);
	return secret_equal(&standing, wanted);
}

static void edit_token(struct json_edits *edits, const struct json_doc *doc, uint32_t node,
		       const struct secret *wanted)
{
	if (!standing_equals(doc, node, wanted))
		json_edit_string(edits, doc, node, wanted);
}

static bool is_filled(const struct json_doc *doc, uint32_t node)
{
	_cleanup_secret_ struct secret text = {};

	if (!node)
		return false;
	text = json_node_string(doc, node);
	return !secret_empty(&text);
}

static void edit_identity_field(struct json_edits *edits, const struct json_doc *doc,
				const struct entry *entry, enum entry_field field,
				const char *value)
{
	_cleanup_secret_ struct secret text = {};

	if (string_empty(value))
		return;
	secret_set_string(&text, value);
	if (entry->field[field])
		json_edit_string(edits, doc, entry->field[field], &text);
	else
		json_edit_add_string(edits, doc, entry->object, entry_spelling(entry, field),
				     &text);
}

// A copy without identity may receive one; one that has any keeps what it has. The user id is no
// field of OpenClaw's, whose later versions would drop it.
static void edit_identity(struct json_edits *edits, const struct json_doc *doc,
			  const struct entry *entry, const struct identity *identity)
{
	if (!identity || is_filled(doc, entry->field[FIELD_ACCOUNT]) ||
	    is_filled(doc, entry->field[FIELD_USER]) || is_filled(doc, entry->field[FIELD_EMAIL]))
		return;
	edit_identity_field(edits, doc, entry, FIELD_ACCOUNT, identity->account_id);
	edit_identity_field(edits, doc, entry, FIELD_EMAIL, identity->email);
}

// What is not known of the login that comes there is blank: nobody's is better than another's.
static void edit_whole_field(struct json_edits *edits, const struct json_doc *doc,
			     const struct entry *entry, enum entry_field field, const char *value)
{
	uint32_t node = entry->field[field];
	_cleanup_secret_ struct secret standing = {}, wanted = {};

	if (node)
		standing = json_node_string(doc, node);
	secret_set_string(&wanted, value ? value : "");
	if (secret_empty(&standing) ? secret_empty(&wanted) : secret_equal(&standing, &wanted))
		return;
	if (node)
		json_edit_string(edits, doc, node, &wanted);
	else
		json_edit_add_string(edits, doc, entry->object, entry_spelling(entry, field),
				     &wanted);
}

// Another identity's login takes the place of what stands there.
static void edit_whole(struct json_edits *edits, const struct json_doc *doc,
		       const struct entry *entry, const struct store_change *change)
{
	const struct identity *identity = change->identity;
	bool names_user = is_filled(doc, entry->field[FIELD_USER]);

	edit_whole_field(edits, doc, entry, FIELD_ID_TOKEN,
			 change->id_token ? change->id_token->text : NULL);
	edit_whole_field(edits, doc, entry, FIELD_ACCOUNT, identity->account_id);
	edit_whole_field(edits, doc, entry, FIELD_EMAIL, identity->email);
	edit_whole_field(edits, doc, entry, FIELD_USER, names_user ? identity->user_id : NULL);
	edit_whole_field(edits, doc, entry, FIELD_CLIENT, change->client_id);
	entry_edit_about(edits, doc, entry);
}

static bool expires_stands(const struct copy *standing, const struct store_change *change)
{
	const struct provider *provider = provider_preset(change->provider);
	int64_t skew_ms = provider ? provider->store_skew_ms : 0;

	if (change->expires_ms == 0)
		return true;
	return !standing->expires_odd &&
	       store_expires_agree(provider, standing->credential.expires_ms + skew_ms,
				   change->expires_ms, clock_wall_ms());
}

static void edit_expires(struct json_edits *edits, const struct json_doc *doc,
			 const struct entry *entry, const struct store_change *change)
{
	const struct provider *provider = provider_preset(change->provider);

	if (change->expires_ms != 0)
		entry_edit_expires(
			edits, doc, entry,
			store_expires_written(provider, change->expires_ms, clock_wall_ms()));
}

static bool may_overwrite(const struct store_change *change, const struct copy *standing,
			  const struct secret *refresh)
{
	if (standing->kind == COPY_FENCED)
		return change->may_replace_fence &&
		       change->may_replace_fence(&standing->fence, change->arg);
	return change->may_overwrite(fingerprint_of(refresh), change->arg);
}

static void edit_logged_out(struct json_edits *edits, const struct json_doc *doc,
			    const struct entry *entry)
{
	static const enum entry_field tokens[] = {FIELD_ACCESS, FIELD_REFRESH, FIELD_ID_TOKEN};
	static const struct secret nothing = {.text = (char *)""};

	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++)
		if (is_filled(doc, entry->field[tokens[i]]))
			json_edit_string(edits, doc, entry->field[tokens[i]], &nothing);
}

static void edit_live(struct json_edits *edits, const struct json_doc *doc,
		      const struct entry *entry, const struct store_change *change)
{
	edit_token(edits, doc, entry->field[FIELD_REFRESH], change->refresh);
	edit_token(edits, doc, entry->field[FIELD_ACCESS], change->access);
	if (change->whole)
		return edit_whole(edits, doc, entry, change);
	if (is_filled(doc, entry->field[FIELD_ID_TOKEN]))
		edit_token(edits, doc, entry->field[FIELD_ID_TOKEN], change->id_token);
	edit_identity(edits, doc, entry, change->identity);
}

// Compare and swap one credential: its result, and the edits if that is STORE_WRITTEN.
static enum store_result swap(const struct json_doc *doc, const struct entry *entry,
			      const struct copy *standing, const struct store_change *change,
			      struct json_edits *edits)
{
	_cleanup_secret_ struct secret refresh = json_node_string(doc, entry->field[FIELD_REFRESH]);
	_cleanup_(json_edits_free) struct json_edits wanted = {};

	// A fence without its other half: an edit of what is not there would refuse the whole write.
	if (secret_empty(&refresh) || !entry->field[FIELD_ACCESS])
		return STORE_GONE;
	if (change->logs_out)
		edit_logged_out(&wanted, doc, entry);
	else
		edit_live(&wanted, doc, entry, change);
	if (wanted.n == 0 && expires_stands(standing, change))
		return STORE_UNCHANGED;
	if (!may_overwrite(change, standing, &refresh))
		return STORE_CONFLICT;
	edit_expires(&wanted, doc, entry, change);
	for (size_t i = 0; i < wanted.n; i++)
		*array_add(&edits->list, &edits->n) = wanted.list[i];
	free(wanted.list);
	wanted = (struct json_edits){};
	return STORE_WRITTEN;
}

static enum store_result apply_change(const struct document *document,
				      const struct store_change *change, struct json_edits *edits)
{
	const struct json_doc *doc = &document->json;
	uint32_t node = json_member(doc, document->profiles, change->profile);
	enum store_result result = STORE_GONE;
	struct copy standing = {};
	struct entry entry = {};

	if (!node)
		return STORE_GONE;
	entry_read(doc, node, NULL, &standing, &entry); // its true expiry does not matter here
	if ((standing.kind == COPY_OAUTH || standing.kind == COPY_FENCED) &&
	    string_equal(standing.credential.provider, change->provider))
		result = swap(doc, &entry, &standing, change, edits);
	credential_free(&standing.credential);
	free(standing.spelt);
	free(standing.reason);
	return result;
}

int openclaw_profiles_edit(const struct secret *text, struct store_change *changes, size_t n,
			   struct secret *ret)
{
	_cleanup_(json_edits_free) struct json_edits edits = {};
	_cleanup_document_ struct document document = {};
	_cleanup_wrong_ struct wrong_shape wrong = {0};
	struct json_error error;
	int r = json_scan(text->text, text->len, &document.json, &error);

	if (r < 0)
		return -EBADMSG;
	document.profiles = find_profiles(&document.json, &wrong);
	if (!document.profiles)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++)
		changes[i].result = apply_change(&document, &changes[i], &edits);
	if (edits.n > 0)
		return json_splice(&document.json, &edits, ret);
	*ret = (struct secret){};
	return 0;
}
