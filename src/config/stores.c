// SPDX-License-Identifier: MIT
//
// See stores.h.
#include "config/stores.h"

#include <errno.h>

#define OPENCLAW_JSON "openclaw-json"

// One entry while it is read: what must be judged together.
struct entry {
	struct config_store store;
	char *format, *account;
	int refresh_token; // a choice, counted from 1; 0: not said
	int withheld_as, write;
	struct margin margin; // the program's own, of a plain one
	char *lock_file;
	bool has_role, described; // `fields` are there
};

void config_store_free(struct config_store *store)
{
	free(store->path);
	free(store->provider);
	free(store->profile);
	free(store->entry);
}

static void entry_free(struct entry *entry)
{
	config_store_free(&entry->store);
	free(entry->format);
	free(entry->account);
	free(entry->lock_file);
}

// ---- single settings

static int read_role(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		     void *target)
{
	struct entry *entry = target;
	int choice = 0;
	int r = read_choice(reader, setting, rule, &choice);

	entry->has_role = true;
	if (r == 0)
		entry->store.role =
			(enum store_role[]){ROLE_AGENT, ROLE_EXTERNAL, ROLE_MAIN}[choice];
	return r;
}

static int read_choice_from_1(struct reader *reader, config_setting_t *setting,
			      const struct rule *rule, void *target)
{
	const char *text = config_setting_get_string(setting);
	int choice = 0, r;

	if (text && !*text)
		return 0;
	r = read_choice(reader, setting, rule, &choice);
	if (r == 0)
		*(int *)target = choice + 1;
	return r;
}

static int read_time(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		     void *target)
{
	int choice = 0;
	int r = read_choice(reader, setting, rule, &choice);

	if (r == 0)
		*(enum format_time *)target = (enum format_time)choice;
	return r;
}

// Where a token is: a pointer (RFC 6901), so that a forgotten "/" is no other place.
static int read_pointer(struct reader *reader, config_setting_t *setting, const struct rule *rule,
			void *target)
{
	const char *text = setting_text(reader, setting, "write a JSON pointer in quotes");
	int r;

	if (!text)
		return -EINVAL;
	if (*text != '/')
		return reader_fail(reader, setting, "is not a JSON pointer",
				   "start it with \"/\", such as \"/tokens/access_token\"");
	reader->owns = true;
	r = read_text(reader, setting, rule, target);
	reader->owns = false;
	return r;
}

static const char *const times[] = {"ms", "s", "iso", "iso9", "jwt", NULL}; // enum format_time
static const char *const roles[] = {"agent", "external", "main", NULL};
static const char *const refresh_tokens[] = {"share", "withhold", NULL};
static const char *const writes[] = {"replace", "in-place", NULL};
static const char *const withheld[] = {"null", "blank", "remove", NULL}; // enum format_withhold

#define IN_ENTRY(member) offsetof(struct entry, member)

static const struct rule field_rules[] = {
	{"access", read_pointer, IN_ENTRY(store.plain.access)},
	{"refresh", read_pointer, IN_ENTRY(store.plain.refresh)},
	{"id_token", read_pointer, IN_ENTRY(store.plain.id_token)},
	{"account_id", read_pointer, IN_ENTRY(store.plain.account_id)},
	{"user_id", read_pointer, IN_ENTRY(store.plain.user_id)},
	{"email", read_pointer, IN_ENTRY(store.plain.email)},
	{"expires", read_pointer, IN_ENTRY(store.plain.expires)},
	{"expires_as", read_time, IN_ENTRY(store.plain.time), .choices = times},
};

static int read_fields(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		       void *target)
{
	struct entry *entry = target;

	entry->described = true;
	return read_group(reader, setting, rule, entry);
}

static const struct rule store_rules[] = {
	{"path", read_path, IN_ENTRY(store.path)},
	{"format", read_text, IN_ENTRY(format)},
	{"role", read_role, .choices = roles},
	{"write", read_choice_from_1, IN_ENTRY(write), .choices = writes},
	{"account", read_text, IN_ENTRY(account)},
	{"entry", read_text, IN_ENTRY(store.entry)},
	{"refresh_token", read_choice_from_1, IN_ENTRY(refresh_token), .choices = refresh_tokens},
	{"fields", read_fields, .rules = field_rules, .n_rules = ARRAY_SIZE(field_rules)},
	{"withheld_as", read_choice_from_1, IN_ENTRY(withheld_as), .choices = withheld},
	{"lock_file", read_path, IN_ENTRY(lock_file)},
	{"margin", read_margin, IN_ENTRY(margin)},
};

// ---- what no single one can tell

static int fail_at(struct reader *reader, config_setting_t *group, const char *name,
		   const char *what, const char *remedy)
{
	config_setting_t *setting = config_setting_get_member(group, name);

	return reader_fail(reader, setting ? setting : group, what, remedy);
}

static int fail_format(struct reader *reader, config_setting_t *group)
{
	_cleanup_free_ char *known = xstrdup("write one of: \"" OPENCLAW_JSON "\"");
	size_t n;
	const struct format *formats = format_list(&n);

	for (size_t i = 0; i < n; i++) {
		char *longer = xasprintf("%s \"%s\"", known, formats[i].name);
		free(known);
		known = longer;
	}
	return fail_at(reader, group, "format", "is not a known format", known);
}

// "provider:name", as OpenClaw calls a profile, or "provider/profile" where the id says another thing.
static int take_account(struct reader *reader, config_setting_t *group, struct entry *entry)
{
	static const char remedy[] = "write the profile id, such as \"xai:default\", or "
				     "\"PROVIDER/PROFILE\"";
	const char *account = entry->account;
	size_t n = account ? strcspn(account, ":/") : 0;
	_cleanup_free_ char *provider = NULL;

	if (!account)
		return reader_fail(reader, group, "does not say whose login the file holds",
				   "add `account`: the profile id, such as \"xai:default\"");
	if (n == 0 || !account[n] || !account[n + 1])
		return fail_at(reader, group, "account", "is no account", remedy);
	provider = xstrndup(account, n);
	entry->store.provider = string_normalised(provider);
	entry->store.profile = xstrdup(account[n] == '/' ? account + n + 1 : account);
	return 0;
}

// A program whose file is described here.
static int settle_plain(struct reader *reader, config_setting_t *group, struct entry *entry)
{
	const struct format *row = format_find("plain");
	struct format *plain = &entry->store.plain;

	if (entry->store.entry)
		return fail_at(reader, group, "entry", "is not for a format that is described here",
			       "remove it; `fields` are pointers from the document");
	if (!plain->access || !plain->refresh)
		return reader_fail(reader, group, "does not say where its tokens are",
				   "add fields = { access = \"/…\"; refresh = \"/…\"; }");
	if (!plain->expires != (plain->time == TIME_JWT))
		return fail_at(reader, group, "fields",
			       "has one of `expires` and `expires_as` without the other",
			       "write both, or neither if the access token is a JWT that says it");
	plain->name = row->name;
	plain->entry = row->entry;
	plain->shares = true;
	plain->withhold =
		entry->withheld_as ? (enum format_withhold)entry->withheld_as : WITHHOLD_NEVER;
	plain->margin_s = entry->margin.seconds;
	plain->margin_percent = entry->margin.percent;
	plain->raises_margin = true; // whoever writes it down wants us to go first
	if (entry->lock_file)
		plain->locks[0] = (struct format_lock){
			PLACE_NAMED, reader_own(reader, TAKE_PTR(entry->lock_file)),
			FORMAT_LOCK_FLOCK, .refresh = true, .write = true};
	return 0;
}

static int settle_withhold(struct reader *reader, config_setting_t *group, struct entry *entry)
{
	const struct format *format = entry->store.format;

	entry->store.withhold = entry->refresh_token ? entry->refresh_token == 2 : !format->shares;
	if (entry->store.withhold && format->withhold == WITHHOLD_NEVER)
		return fail_at(reader, group, "refresh_token", "cannot be withheld in this format",
			       format != &entry->store.plain
				       ? "the program takes such a file for no login: "
					 "write \"share\""
				       : "add `withheld_as`, or write \"share\"");
	return 0;
}

static int settle_foreign(struct reader *reader, config_setting_t *group, struct entry *entry)
{
	bool plain = string_equal(entry->format, "plain");
	const struct format *format = format_find(entry->format);
	int r;

	if (!format)
		return fail_format(reader, group);
	if (entry->has_role && entry->store.role != ROLE_EXTERNAL)
		return fail_at(reader, group, "role", "is not for another program's file",
			       "remove it");
	if (!plain && (entry->described || entry->withheld_as || entry->lock_file ||
		       entry->margin.seconds || entry->margin.percent))
		return fail_at(reader, group, "format", "is built in",
			       "remove `fields`, `withheld_as`, `lock_file` and `margin`, or write "
			       "\"plain\"");
	if (!plain && entry->store.entry && !format->keys && !format->by_client)
		return fail_at(reader, group, "entry", "is not for a file with one login",
			       "remove it");
	r = plain ? settle_plain(reader, group, entry) : 0;
	entry->store.role = ROLE_EXTERNAL;
	entry->store.format = plain ? &entry->store.plain : format;
	if (r == 0)
		r = take_account(reader, group, entry);
	if (r == 0 && format->keys && !entry->store.entry &&
	    !format_key_of(format, entry->store.provider))
		r = fail_at(reader, group, "account",
			    "is of a provider whose entry in this format is not known here",
			    "add `entry`: the name of its member in the file");
	return r == 0 ? settle_withhold(reader, group, entry) : r;
}

static int settle(struct reader *reader, config_setting_t *group, struct entry *entry)
{
	const struct {
		const char *name;
		bool said;
	} foreign[] = {
		{"account", entry->account},
		{"entry", entry->store.entry},
		{"refresh_token", entry->refresh_token},
		{"fields", entry->described},
		{"withheld_as", entry->withheld_as},
		{"lock_file", entry->lock_file},
		{"margin", entry->margin.seconds || entry->margin.percent},
	};

	if (!entry->store.path)
		return reader_fail(reader, group, "has no path", "add `path`");
	if (entry->format && !string_equal(entry->format, OPENCLAW_JSON))
		return settle_foreign(reader, group, entry);
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if (foreign[i].said)
			return fail_at(reader, group, foreign[i].name,
				       "is for another program's file, and OpenClaw's says it",
				       "remove it, or say which `format` the file has");
	return 0;
}

static int read_store(struct reader *reader, config_setting_t *group)
{
	_cleanup_(entry_free) struct entry entry = {.store.role = ROLE_AGENT,
						    .store.plain.time = TIME_JWT};
	struct config *config = reader->config;
	int r;

	if (!config_setting_is_group(group))
		return reader_fail(reader, group, "must be a group", "write { path = …; }");
	r = read_settings(reader, group, store_rules, ARRAY_SIZE(store_rules), &entry);
	if (r == 0)
		r = settle(reader, group, &entry);
	entry.store.in_place = entry.write == 2;
	if (r == 0) {
		*array_add(&config->stores, &config->n_stores) = entry.store;
		entry.store = (struct config_store){};
	}
	return r;
}

int read_stores(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		void *target)
{
	struct config *config = reader->config;
	int r = 0;

	(void)rule, (void)target;
	if (!config_setting_is_list(setting))
		return reader_fail(reader, setting, "must be a list of groups",
				   "write ( { path = …; }, … )");
	for (int i = 0; r == 0 && i < config_setting_length(setting); i++)
		r = read_store(reader, config_setting_get_elem(setting, (unsigned)i));
	for (size_t i = 0; i < config->n_stores; i++) // their places are final now
		if (config->stores[i].plain.name)
			config->stores[i].format = &config->stores[i].plain;
	return r;
}
