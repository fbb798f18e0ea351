// SPDX-License-Identifier: MIT
//
// Other programs that keep their login where no file is (a keyring, memory, an encrypted file), or that were told to use
// another one than their file's (facts: clis.md 1). There this program neither sees the login nor can serve it: the program
// refreshes by itself, and if it is a login of ours, that ends ours.
#include "doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SETTINGS_MAX (1u << 20)

// What is said of one program. `setting` stands in `file`, beside its credentials; of `values` if it has some; a `variable`
// counts whatever it says, unless it has `values`, too.
static const struct habit {
	const char *format, *command;
	const char *providers; // whose logins it may hold
	const char *file, *table, *setting, *variable, *values;
	const char *log_in; // after the repair
	bool overrides;	    // its file stays, but is not used
} habits[] = {
	{"codex-cli", "codex", "|openai-codex|openai|", "config.toml", "",
	 "cli_auth_credentials_store", NULL, "|keyring|auto|ephemeral|", "codex login", false},
	{"codex-cli", "codex", "|openai-codex|openai|", .variable = "CODEX_ACCESS_TOKEN",
	 .overrides = true},
	{"codex-cli", "codex", "|openai-codex|openai|", .variable = "CODEX_API_KEY",
	 .overrides = true},
	{"claude-code", "claude", "|anthropic|", .variable = "CLAUDE_CODE_OAUTH_TOKEN",
	 .overrides = true},
	{"claude-code", "claude", "|anthropic|",
	 .variable = "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR", .overrides = true},
	{"gemini-cli", "gemini", "|google-gemini-cli|",
	 .variable = "GEMINI_FORCE_ENCRYPTED_FILE_STORAGE", .values = "|true|"},
	{"kimi-code", "kimi", "|kimi|kimi-code|", "../config.toml",
	 "providers.managed:kimi-code.oauth", "storage", NULL, "|keyring|", "kimi login", false},
	{"grok-cli", "grok", "|xai|", "config.toml", "auth", "auth_provider_command",
	 .overrides = true},
	{"grok-cli", "grok", "|xai|", "config.toml", "grok_com_config", "auth_provider_command",
	 .overrides = true},
	{"grok-cli", "grok", "|xai|", .variable = "GROK_AUTH_PROVIDER_COMMAND", .overrides = true},
	{"grok-cli", "grok", "|xai|", .variable = "GROK_AUTH", .overrides = true},
	{"opencode", "opencode", "|openai-codex|openai|anthropic|xai|github-copilot|",
	 .variable = "OPENCODE_AUTH_CONTENT", .overrides = true},
};

static bool is_one_of(const char *list, const char *word)
{
	_cleanup_free_ char *member = xasprintf("|%s|", word);

	return strstr(list, member);
}

// ---- a setting in TOML: as much of it as such settings need

struct setting {
	int line;
	bool goes_on; // perhaps in further lines
	char *key, *value;
};

static void setting_free(struct setting *s)
{
	free(s->key);
	free(s->value);
}

// `[ a."b" ]` and `a . "b"` become "a.b".
static char *bare_name(const char *text, size_t len)
{
	char *name = xcalloc(len + 1, 1), *to = name;

	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r[]\"'", text[i]))
			*to++ = text[i];
	return name;
}

// A string's text, or whatever else stands there.
static char *bare_value(const char *text)
{
	text += strspn(text, " \t");
	bool quoted = *text == '"' || *text == '\'';
	const char quote[] = {quoted ? *text : '#', '\0'};
	_cleanup_free_ char *value = xstrndup(text + quoted, strcspn(text + quoted, quote));

	return string_trimmed(value);
}

static bool may_go_on(const char *value)
{
	value += strspn(value, " \t");
	return *value == '[' || *value == '{' || string_starts(value, "\"\"\"") ||
	       string_starts(value, "'''");
}

// Does a text of several lines begin here, or the one that has begun end?
static bool turns_text(const char *line)
{
	bool turns = false;

	for (; *line; line++)
		if (string_starts(line, "\"\"\"") || string_starts(line, "'''")) {
			turns = !turns;
			line += 2;
		}
	return turns;
}

static bool find_setting(char *text, const char *path, struct setting *ret)
{
	_cleanup_free_ char *table = xstrdup("");
	char *rest = text, *line;
	bool within = false;

	for (int n = 1; (line = strsep(&rest, "\n")); n++) {
		line += strspn(line, " \t");
		bool was_within = within;
		within ^= (within || *line != '#') && turns_text(line);
		if (was_within)
			continue;
		if (*line == '[') {
			free(table);
			table = bare_name(line, strcspn(line, "#"));
		}
		const char *equals = strchr(line, '=');
		if (!equals || strchr("#[", *line))
			continue;
		_cleanup_free_ char *key = bare_name(line, (size_t)(equals - line));
		_cleanup_free_ char *whole = xasprintf("%s%s%s", table, *table ? "." : "", key);
		if (!string_equal(whole, path))
			continue;
		*ret = (struct setting){n, may_go_on(equals + 1), TAKE_PTR(key),
					bare_value(equals + 1)};
		return true;
	}
	return false;
}

static bool read_setting(const char *file, const struct habit *h, struct setting *ret)
{
	_cleanup_free_ char *path = xasprintf("%s%s%s", h->table, *h->table ? "." : "", h->setting);
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_secret_ struct secret text = {0};

	return fd >= 0 && secret_read(fd, SETTINGS_MAX, &text) == 0 && text.len > 0 &&
	       find_setting(text.text, path, ret);
}

// ---- whose business it is

// One of ours that the program may hold: what is configured, or of a provider of its. NULL: none.
static const char *login_at_risk(const struct report *report, const struct habit *h)
{
	const struct observation *now = &report->cycle->now;

	for (size_t i = 0; i < report->config->n_stores; i++) {
		const struct config_store *s = &report->config->stores[i];
		if (s->format && string_equal(s->format->name, h->format))
			return s->profile;
	}
	for (size_t i = 0; i < now->n_accounts; i++)
		if (is_one_of(h->providers, now->accounts[i]->record.provider))
			return now->accounts[i]->record.profile;
	return NULL;
}

// Something that only a program without a login of ours does is worth a note, no more.
static void say(const struct report *report, const struct habit *h, const char *place,
		const char *what, char *fix, struct problems *problems)
{
	const char *login = login_at_risk(report, h);
	enum severity severity = login ? SEVERITY_WARNING : SEVERITY_INFO;

	if (h->overrides)
		problem_add(problems, severity, "login_overridden", place, login,
			    xasprintf("%s: %s does not use the login in its file, so what is kept "
				      "there does not reach it",
				      what, h->command),
			    fix);
	else
		problem_add(problems, severity, "login_out_of_reach", place, login,
			    xasprintf("%s: %s keeps its login where it can be neither seen nor "
				      "served; if that is one of these, %s refreshes it by itself, "
				      "and the tokens here are spent",
				      what, h->command, h->command),
			    fix);
}

// ---- one program

static char *mend_setting(const struct habit *h, const struct setting *setting, const char *file)
{
	_cleanup_free_ char *script =
		h->overrides
			? xasprintf("%d{/%s/s/^/#/}", setting->line, h->setting)
			: xasprintf("%ds/\\(=[^#]*\\)%s/\\1file/", setting->line, setting->value);
	_cleanup_free_ char *word = shell_quoted(script), *where = shell_quoted(file);

	if (h->overrides && setting->goes_on)
		return xasprintf("take `%s`, from line %d on, out of %s", h->setting, setting->line,
				 where);
	return xasprintf("sed -i --follow-symlinks %s %s%s%s", word, where, h->log_in ? " && " : "",
			 h->log_in ? h->log_in : "");
}

static void check_setting(const struct report *report, const struct habit *h, const char *directory,
			  struct problems *problems)
{
	_cleanup_free_ char *base = xstrdup(directory), *file = NULL;
	_cleanup_(setting_free) struct setting setting = {0};
	const char *name = h->file;

	if (string_starts(name, "../")) {
		free(base);
		base = path_dirname(directory);
		name += strlen("../");
	}
	file = path_join(base, name);
	if (!read_setting(file, h, &setting) || (h->values && !is_one_of(h->values, setting.value)))
		return;
	// Where a helper is named its command line is nobody's business.
	_cleanup_free_ char *what = h->overrides
					    ? xasprintf("%s is set", h->setting)
					    : xasprintf("%s is \"%s\"", h->setting, setting.value);
	say(report, h, file, what, mend_setting(h, &setting, file), problems);
}

static void check_variable(const struct report *report, const struct habit *h,
			   struct problems *problems)
{
	_cleanup_free_ char *value = environment(h->variable);

	if (!value || (h->values && !is_one_of(h->values, value)))
		return;
	_cleanup_free_ char *what = xasprintf("%s is set in this environment", h->variable);
	say(report, h, NULL, what, xasprintf("unset %s", h->variable), problems);
}

// gemini-cli takes the login out of its file when it encrypts; what it wrote then stays there.
static void check_encrypted(const struct report *report, const char *credentials,
			    struct problems *problems)
{
	static const struct habit h = {"gemini-cli", "gemini", "|google-gemini-cli|"};
	_cleanup_free_ char *directory = path_dirname(credentials);
	_cleanup_free_ char *encrypted = path_join(directory, "gemini-credentials.json");

	if (access(encrypted, F_OK) == 0 && access(credentials, F_OK) < 0)
		say(report, &h, encrypted,
		    "it holds encrypted logins, and oauth_creds.json is gone",
		    xstrdup("env -u GEMINI_FORCE_ENCRYPTED_FILE_STORAGE gemini # and log in there"),
		    problems);
}

// Where the program's files are: by its variables, and as configured.
static void check_place(const struct report *report, const struct format *format,
			const char *credentials, struct problems *problems)
{
	_cleanup_free_ char *directory = path_dirname(credentials);

	for (size_t i = 0; i < ARRAY_SIZE(habits); i++)
		if (habits[i].setting && string_equal(habits[i].format, format->name))
			check_setting(report, &habits[i], directory, problems);
	if (string_equal(format->name, "gemini-cli"))
		check_encrypted(report, credentials, problems);
}

void doctor_check_programs(const struct report *report, struct problems *problems)
{
	_cleanup_free_ char *home = home_directory();
	size_t n;
	const struct format *formats = format_list(&n);

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *path = format_default_path(&formats[i], home);
		if (path)
			check_place(report, &formats[i], path, problems);
	}
	for (size_t i = 0; i < report->config->n_stores; i++) {
		const struct config_store *s = &report->config->stores[i];
		if (s->format)
			check_place(report, s->format, s->path, problems);
	}
	for (size_t i = 0; i < ARRAY_SIZE(habits); i++)
		if (habits[i].variable)
			check_variable(report, &habits[i], problems);
}
