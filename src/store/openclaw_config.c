// SPDX-License-Identifier: MIT
//
// Read agents.list[].agentDir (facts: openclaw-json-store.md 1). Comments are blanked out, the rest
// must be JSON. The file may hold keys of other services, so its text is a secret.
#include "store/openclaw_config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "json/json.h"

#define CONFIG_MAX   (1u << 20)
#define AGENT_ID_MAX 64

void openclaw_agents_free(struct openclaw_agents *agents)
{
	for (size_t i = 0; i < agents->n; i++) {
		free(agents->list[i].id);
		free(agents->list[i].directory);
	}
	free(agents->list);
	free(agents->version);
	*agents = (struct openclaw_agents){};
}

// OpenClaw's normalizeAgentId: "Code & Review!" -> "code-review"; nothing left -> "main". Whatever stands between two
// characters that are fine becomes one dash, beside those that stood there.
static char *normalise_id(const char *id)
{
	_cleanup_free_ char *text = string_trimmed(id);
	char *out = text, *start = text;
	bool between = false;

	for (const char *p = text; *p; p++) {
		char c = (char)tolower((unsigned char)*p);
		bool fine = strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", c);

		if (fine || !between)
			*out++ = fine ? c : '-';
		between = !fine;
	}
	while (start < out && *start == '-')
		start++;
	while (out > start && out[-1] == '-')
		out--;
	if (out - start > AGENT_ID_MAX)
		out = start + AGENT_ID_MAX;
	return out > start ? xstrndup(start, (size_t)(out - start)) : xstrdup("main");
}

static size_t string_length(const char *text, size_t len)
{
	size_t i = 1;

	while (i < len && text[i] != '"')
		i += text[i] == '\\' && i + 1 < len ? 2 : 1;
	return i < len ? i + 1 : len;
}

static size_t comment_length(const char *text, size_t len)
{
	const char *end;

	if (len < 2 || text[0] != '/')
		return 0;
	if (text[1] == '/') {
		end = memchr(text, '\n', len);
		return end ? (size_t)(end - text) : len;
	}
	if (text[1] != '*')
		return 0;
	end = memmem(text + 2, len - 2, "*/", 2);
	return end ? (size_t)(end - text) + 2 : len;
}

static void blank_comments(char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = text[i] == '"' ? 0 : comment_length(text + i, len - i);

		if (n > 0)
			memset(text + i, ' ', n);
		else
			n = text[i] == '"' ? string_length(text + i, len - i) : 1;
		i += n;
	}
}

static void say_unread(struct problems *problems, enum severity severity, const char *path,
		       const char *what)
{
	_cleanup_free_ char *shown = string_printable(path, PATH_MAX);

	problem_add(problems, severity, "openclaw_config_unread", path, NULL,
		    xasprintf("%s: %s", shown, what),
		    xstrdup("name the files of agents that have an agentDir in `stores` of "
			    "oauth-keepalive.conf"));
}

// 0 and unset if there is no such file.
static int read_text(const char *path, struct secret *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return secret_read(fd, CONFIG_MAX, ret);
}

static char *config_path(const char *state_dir, const char *home)
{
	_cleanup_free_ char *text = environment("OPENCLAW_CONFIG_PATH");
	_cleanup_free_ char *path = path_join(state_dir, "openclaw.json");
	struct stat st;

	if (text)
		return path_expand(text, home);
	if (stat(path, &st) == 0)
		return TAKE_PTR(path);
	return path_join(state_dir, "clawdbot.json");
}

// False if the entry names a directory that cannot be told from here.
static bool take_agent(const cJSON *entry, const char *home, struct openclaw_agents *agents)
{
	const char *id = json_text(entry, "id"), *named = json_text(entry, "agentDir");
	_cleanup_free_ char *text = string_trimmed(named ? named : "");
	_cleanup_free_ char *directory = path_expand(text, home);
	struct openclaw_agent *agent;

	if (string_empty(directory))
		return true;
	if (directory[0] != '/')
		return false;
	agent = array_add(&agents->list, &agents->n);
	agent->id = normalise_id(id ? id : "");
	agent->directory = TAKE_PTR(directory);
	return true;
}

// What could not be understood, or NULL.
static const char *take_agents(const cJSON *root, const char *home, struct openclaw_agents *ret)
{
	const cJSON *agents = json_get(root, "agents"), *list = json_get(agents, "list"), *entry;
	const char *complaint = NULL;
	size_t n = 0;

	cJSON_ArrayForEach (entry, list) {
		if (++n > AGENTS_MAX)
			return "more than 4096 agents; the rest is not looked at";
		if (!take_agent(entry, home, ret))
			complaint = "an agentDir is relative to where OpenClaw was started, which "
				    "is not known here";
	}
	if (json_get(root, "$include") || json_get(agents, "$include"))
		return "`$include` is not followed";
	return complaint;
}

int openclaw_config_read(const char *state_dir, const char *home, char **ret_path, cJSON **ret)
{
	_cleanup_secret_ struct secret text = {};
	int r;

	*ret_path = config_path(state_dir, home);
	*ret = NULL;
	r = read_text(*ret_path, &text);
	if (r < 0 || !text.text)
		return r;
	blank_comments(text.text, text.len);
	*ret = json_parse_foreign(text.text, text.len);
	return *ret ? 0 : -EBADMSG;
}

void openclaw_config_agents(const char *state_dir, const char *home, enum severity severity,
			    struct openclaw_agents *ret, struct problems *problems)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_json_ cJSON *root = NULL;
	const char *complaint = NULL;
	int r = openclaw_config_read(state_dir, home, &path, &root);

	*ret = (struct openclaw_agents){};
	if (r == -EBADMSG)
		complaint = "not JSON (comments are fine, other JSON5 is not understood)";
	else if (r < 0)
		complaint = strerror(-r);
	else if (root) {
		const char *version = json_text(json_get(root, "meta"), "lastTouchedVersion");
		ret->version = version ? xstrdup(version) : NULL;
		complaint = take_agents(root, home, ret);
	}
	if (complaint)
		say_unread(problems, severity, path, complaint);
}
