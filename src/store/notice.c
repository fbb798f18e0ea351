// SPDX-License-Identifier: MIT
//
// See notice.h.
#include "store/notice.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/mapped_entry.h"
#include "store/trouble.h"

#define PROFILES	"auth-profiles.json"
#define TOKEN_LEAST	16  // what is shorter is no token
#define TOKENS_MAX	256 // of one file
#define FILES_MAX	256 // of one directory
#define SEARCH_LEVELS	2   // below a state directory
#define DIRECTORIES_MAX 256 // … so many

static void noticed_free(struct noticed *n)
{
	free(n->path);
	json_doc_free(&n->doc);
	secret_free(&n->text);
	free(n->tokens);
}

void notices_free(struct notices *notices)
{
	for (size_t i = 0; i < notices->n; i++)
		noticed_free(&notices->list[i]);
	free(notices->list);
	*notices = (struct notices){};
}

// ---- reading

// What others can write is nobody's word.
static bool read_own(const char *path, struct secret *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       secret_read(fd, STORE_TEXT_MAX, ret) == 0;
}

static void note_tokens(struct noticed *n)
{
	for (uint32_t i = 1; i < n->doc.n && n->n_tokens < TOKENS_MAX; i++) {
		_cleanup_secret_ struct secret text = {};

		if (n->doc.nodes[i].type != JSON_STRING ||
		    n->doc.nodes[i].end - n->doc.nodes[i].start < TOKEN_LEAST + 2)
			continue;
		text = json_node_string(&n->doc, i);
		if (token_is_sound(text.text, text.len))
			*array_add(&n->tokens, &n->n_tokens) = fingerprint_of(&text);
	}
}

static bool is_store(const struct stores *stores, const char *path)
{
	_cleanup_free_ char *real = path_real(path);

	for (size_t i = 0; real && i < stores->n; i++)
		if (string_equal(stores->list[i].target, real) ||
		    string_equal(stores->list[i].path, path))
			return true;
	return !real;
}

static void look_at(const struct stores *stores, const char *path, const struct format *format,
		    struct notices *ret)
{
	struct noticed n = {.format = format};
	struct json_error error;

	if (!read_own(path, &n.text) || is_store(stores, path) ||
	    json_scan(n.text.text, n.text.len, &n.doc, &error) < 0) {
		noticed_free(&n);
		return;
	}
	n.path = xstrdup(path);
	note_tokens(&n);
	*array_add(&ret->list, &ret->n) = n;
}

// ---- where

// Each *.json of a directory is a login (cliproxyapi).
static void look_into(const struct stores *stores, const char *path, const struct format *format,
		      struct notices *ret)
{
	_cleanup_directory_ DIR *directory = opendir(path);
	const struct dirent *entry;

	for (size_t i = 0; directory && (entry = readdir(directory)) && i < FILES_MAX; i++) {
		_cleanup_free_ char *file = path_join(path, entry->d_name);
		if (string_ends(entry->d_name, ".json"))
			look_at(stores, file, format, ret);
	}
}

// An old place of OpenClaw's (credentials/), a copy that somebody made. A workspace may hold no end of directories: so many
// are looked into, `left` of them.
static void look_below(const struct stores *stores, const char *path, int levels, size_t *left,
		       struct notices *ret)
{
	_cleanup_free_ char *file = path_join(path, PROFILES);
	_cleanup_directory_ DIR *directory = levels > 0 ? opendir(path) : NULL;
	const struct dirent *entry;

	look_at(stores, file, NULL, ret);
	while (directory && *left && (entry = readdir(directory))) {
		_cleanup_free_ char *below = path_join(path, entry->d_name);
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    !(levels == SEARCH_LEVELS && string_equal(entry->d_name, "agents"))) {
			(*left)--;
			look_below(stores, below, levels - 1, left, ret);
		}
	}
}

void notices_find(const struct stores *stores, struct notices *ret)
{
	_cleanup_free_ char *home = home_directory();
	size_t n;
	const struct format *formats = format_list(&n);

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *path = format_default_path(&formats[i], home);
		if (path && formats[i].many)
			look_into(stores, path, &formats[i], ret);
		else if (path)
			look_at(stores, path, &formats[i], ret);
	}
	for (size_t i = 0; i < stores->n_dirs; i++) {
		size_t left = DIRECTORIES_MAX;
		look_below(stores, stores->dirs[i]->path, SEARCH_LEVELS, &left, ret);
	}
}

// ---- what is there

bool noticed_login(const struct noticed *n, const char *provider, const char *profile,
		   const struct config *config, struct copy **ret)
{
	const struct config_store external = {
		.format = n->format,
		.provider = (char *)provider,
		.profile = (char *)profile,
	};
	struct mapped_entry entry = {};
	struct copy *copy;

	if (!n->format)
		return false;
	copy = copy_new();
	mapped_entry_read(&n->doc, &external, config, copy, &entry);
	mapped_entry_free(&entry);
	copy->external = NULL; // which does not outlive this
	if (copy->kind == COPY_OAUTH) {
		*ret = copy;
		return true;
	}
	copy_unref(copy);
	return false;
}

// The member of the whole document in which the token stands; NULL if that cannot be told.
static char *member_with(const struct noticed *n, struct fingerprint token)
{
	for (uint32_t i = 1; i < n->doc.n; i++) {
		_cleanup_secret_ struct secret text = json_node_string(&n->doc, i);

		if (n->doc.nodes[i].type != JSON_STRING ||
		    !fingerprint_equal(fingerprint_of(&text), token))
			continue;
		json_for_each (&n->doc, child, 0) {
			if (n->doc.nodes[child].start > n->doc.nodes[i].start ||
			    n->doc.nodes[child].end < n->doc.nodes[i].end)
				continue;
			_cleanup_secret_ struct secret key = json_key(&n->doc, child);
			return xstrdup(key.text);
		}
	}
	return NULL;
}

char *noticed_line(const struct noticed *n, const char *provider, const char *profile,
		   struct fingerprint token)
{
	_cleanup_free_ char *path = setting_quoted(n->path), *entry = NULL, *more = NULL;
	size_t of_provider = strlen(provider);
	bool plain_id = strncmp(profile, provider, of_provider) == 0 && profile[of_provider] == ':';

	if (!n->format)
		return xasprintf("stores = ( { path = %s; role = \"external\"; } );", path);
	if (n->format->keys && !*n->format->entry)
		entry = member_with(n, token);
	if (entry && !string_equal(entry, format_key_of(n->format, provider))) {
		_cleanup_free_ char *word = setting_quoted(entry);
		more = xasprintf(" entry = %s;", word);
	}
	_cleanup_free_ char *name =
		plain_id ? xstrdup(profile) : xasprintf("%s/%s", provider, profile);
	_cleanup_free_ char *account = setting_quoted(name);
	return xasprintf("stores = ( { path = %s; format = \"%s\"; account = %s;%s } );", path,
			 n->format->name, account, more ? more : "");
}
