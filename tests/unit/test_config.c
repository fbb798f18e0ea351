// SPDX-License-Identifier: MIT
//
// The configuration: what is accepted arrives in the struct, and everything else is refused with
// the file, the line, the setting and what to do about it. A setting that is ignored silently is
// the failure this file is against.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/config.h"
#include "temporary.h"

static char *directory; // a fresh one, HOME and XDG_CONFIG_HOME at once

static char *in_directory(const char *name)
{
	return path_join(directory, name);
}

static char *write_file(const char *name, const char *text, mode_t mode)
{
	char *path = in_directory(name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

// "@" in a text stands for the directory.
static char *expand(const char *text)
{
	char *expanded = xstrdup(text);

	for (char *at; (at = strchr(expanded, '@'));) {
		char *longer;

		if (string_starts(at, "@include")) // the only other use of the sign
			break;
		longer = xasprintf("%.*s%s%s", (int)(at - expanded), expanded, directory, at + 1);
		free(expanded);
		expanded = longer;
	}
	return expanded;
}

static int load_text(const char *text, struct config *ret, char **ret_error)
{
	_cleanup_free_ char *expanded = expand(text);
	_cleanup_free_ char *path = write_file("test.conf", expanded, 0644);

	return config_load(path, ret, ret_error);
}

static void load(const char *text, struct config *ret)
{
	_cleanup_free_ char *error = NULL;

	if (load_text(text, ret, &error) < 0)
		fail_msg("%s", error);
}

// ---- accepted

static void test_no_file(void **state)
{
	_cleanup_(config_free) struct config config = {0};
	char *error = NULL;
	size_t n;

	(void)state;
	if (access("/etc/oauth-keepalive/oauth-keepalive.conf", F_OK) == 0)
		skip();
	assert_int_equal(config_load(NULL, &config, &error), 0);
	provider_presets(&n);
	assert_null(config.file);
	assert_int_equal(config.n_providers, n);
	assert_int_equal(config.timer_period_s, 300);
	assert_int_equal(config.timer_jitter_s, 60);
	assert_true(config.fence_recover);
	assert_int_equal(config.connect_timeout_s, 10);
	assert_int_equal(config.deadline_s, 60);
	assert_int_equal(config.margin.seconds, 0);
	assert_int_equal(config.margin.percent, 0);
	assert_non_null(config_provider(&config, "xai"));
	assert_null(config_provider(&config, "corp"));
}

static void test_default_file(void **state)
{
	_cleanup_(config_free) struct config config = {0};
	_cleanup_free_ char *below = in_directory("oauth-keepalive"), *path = NULL, *error = NULL;

	(void)state;
	assert_int_equal(mkdir(below, 0700), 0);
	path = write_file("oauth-keepalive/oauth-keepalive.conf", "margin = \"2h\";", 0644);
	assert_int_equal(config_load(NULL, &config, &error), 0);
	assert_string_equal(config.file, path);
	assert_int_equal(config.margin.seconds, 7200);
}

static void test_all_settings(void **state)
{
	_cleanup_(config_free) struct config config = {0};
	_cleanup_free_ char *ca = write_file("ca.pem", "x", 0644),
			    *secret = write_file("secret", "x", 0600);
	_cleanup_free_ char *state_dir = in_directory("openclaw"),
			    *store = in_directory("x/auth-profiles.json");
	const struct provider *corp;

	(void)state;
	load("state_dir = \"~/openclaw\"; ledger_dir = \"$HOME\"; margin = \"33%\";\n"
	     "timer_period = \"10m\"; timer_jitter = \"0s\"; fence = \"report\";\n"
	     "http = { connect_timeout = \"5s\"; deadline = \"30s\"; ca_file = \"@/ca.pem\";"
	     " proxy = \"http://127.0.0.1:3128\"; };\n"
	     "providers = ( { name = \"corp\"; token_url = \"https://login.corp.example/t\"; "
	     "client_id = \"agents\";\n"
	     "  client_secret_file = \"~/secret\"; encoding = \"json\"; scope = \"openid\"; \n"
	     "  headers = ( \"X-Client: agents\", \"Authorization: Basic RkFLRQ==\" ); rotates = "
	     "false;\n"
	     "  reuse_window = \"10s\"; lifetime = \"1h\"; grant_lifetime = \"30d\"; margin = "
	     "\"50%\";\n"
	     "  login_command = \"corp-login\"; } );\n"
	     "stores = ( { path = \"~/x/auth-profiles.json\"; }, { path = \"/y\"; format = "
	     "\"openclaw-json\";"
	     " role = \"external\"; refresh_token = \"\"; } );\n"
	     "exclude = ( \"anthropic:claude-cli\", \"personal:*\" );\n"
	     "hooks = { }; metrics_file = \"\"; cluster = { };\n",
	     &config);
	assert_string_equal(config.state_dir, state_dir);
	assert_string_equal(config.ledger_dir, directory);
	assert_int_equal(config.margin.percent, 33);
	assert_int_equal(config.timer_period_s, 600);
	assert_int_equal(config.timer_jitter_s, 0);
	assert_false(config.fence_recover);
	assert_int_equal(config.connect_timeout_s, 5);
	assert_int_equal(config.deadline_s, 30);
	assert_string_equal(config.ca_file, ca);
	assert_string_equal(config.proxy, "http://127.0.0.1:3128");
	assert_int_equal(config.n_stores, 2);
	assert_string_equal(config.stores[0].path, store);
	assert_int_equal(config.stores[0].role, ROLE_AGENT);
	assert_int_equal(config.stores[1].role, ROLE_EXTERNAL);

	corp = config_provider(&config, "corp");
	assert_string_equal(corp->family, "corp");
	assert_string_equal(corp->token_url, "https://login.corp.example/t");
	assert_string_equal(corp->client_id, "agents");
	assert_string_equal(corp->client_secret_file, secret);
	assert_int_equal(corp->encoding, ENCODING_JSON);
	assert_string_equal(corp->scope, "openid");
	assert_string_equal(corp->headers[0], "X-Client: agents");
	assert_string_equal(corp->headers[1], "Authorization: Basic RkFLRQ==");
	assert_null(corp->headers[2]);
	assert_false(corp->rotates);
	assert_int_equal(corp->reuse_window_s, 10);
	assert_int_equal(corp->lifetime_s, 3600);
	assert_int_equal(corp->grant_lifetime_s, 30 * DAY_S);
	assert_int_equal(corp->margin.percent, 50);
	assert_string_equal(corp->login_command, "corp-login");
}

static void test_empty_text_is_no_setting(void **state)
{
	_cleanup_(config_free) struct config config = {0};

	(void)state;
	load("state_dir = \"\"; ledger_dir = \"\"; http = { ca_file = \"\"; proxy = \"\"; };"
	     "providers = ( { name = \"openai\"; scope = \"\"; client_secret_file = \"\"; "
	     "token_url = \"\"; } );",
	     &config);
	assert_null(config.state_dir);
	assert_null(config.ledger_dir);
	assert_null(config.ca_file);
	assert_null(config.proxy);
	assert_null(config_provider(&config, "openai")->scope);
	assert_string_equal(config_provider(&config, "openai")->token_url,
			    provider_preset("openai")->token_url);
}

// A short deadline brings the default connect timeout down with it.
static void test_short_deadline(void **state)
{
	_cleanup_(config_free) struct config config = {0};

	(void)state;
	load("http = { deadline = \"3s\"; };", &config);
	assert_int_equal(config.deadline_s, 3);
	assert_int_equal(config.connect_timeout_s, 3);
}

static void test_provider_overrides(void **state)
{
	_cleanup_(config_free) struct config config = {0};
	const struct provider *xai, *corp, *qwen, *anthropic;

	(void)state;
	load("providers = ( { name = \"xai\"; token_url = \"http://127.0.0.1:8080/t\"; margin = "
	     "\"2h\"; },\n"
	     "{ name = \"corp\"; discovery_url = "
	     "\"https://Login.corp.example/.well-known/openid-configuration\";"
	     " client_id = \"agents\"; },\n"
	     "{ name = \"qwen-portal\"; token_url = \"https://qwen.example/t\"; client_id = \"q\"; "
	     "},\n"
	     "{ name = \"anthropic\"; headers = [ \"X-A: b\" ]; discovery_url = "
	     "\"https://c.example/d\"; } );",
	     &config);
	xai = config_provider(&config, "xai");
	assert_string_equal(xai->token_url, "http://127.0.0.1:8080/t");
	assert_null(xai->discovery_url);
	assert_int_equal(xai->margin.seconds, 7200);
	assert_string_equal(xai->client_id, provider_preset("xai")->client_id);
	assert_int_equal(xai->lifetime_s, provider_preset("xai")->lifetime_s);
	assert_null(provider_preset("xai")->token_url); // the preset itself is untouched

	corp = config_provider(&config, "corp");
	assert_string_equal(corp->endpoint_domain, "login.corp.example");
	assert_true(corp->rotates);
	assert_int_equal(corp->encoding, ENCODING_FORM);
	assert_string_equal(corp->login_command, "openclaw models auth login --provider corp");

	qwen = config_provider(&config, "qwen-portal");
	assert_null(provider_obstacle(qwen, NULL));

	anthropic = config_provider(&config, "anthropic");
	assert_null(anthropic->token_url);
	assert_string_equal(anthropic->headers[0],
			    "Accept: application/json"); // the preset's stay …
	assert_string_equal(anthropic->headers[1], "X-A: b");
	assert_null(anthropic->headers[2]);
}

static void test_header_override(void **state)
{
	_cleanup_(config_free) struct config config = {0};
	const struct provider *xai;

	(void)state;
	load("providers = ( { name = \"xai\"; headers = ( \"accept: */*\" ); } );", &config);
	xai = config_provider(&config, "xai");
	assert_string_equal(xai->headers[0], "accept: */*"); // … but for those named anew
	assert_null(xai->headers[1]);
}

static void test_excludes(void **state)
{
	_cleanup_(config_free) struct config config = {0};

	(void)state;
	load("exclude = ( \"anthropic:claude-cli\", \"personal:*\", \"xai/*\" );", &config);
	assert_true(config_excludes(&config, "anthropic", "anthropic:claude-cli"));
	assert_true(config_excludes(&config, "openai", "personal:me@example.com"));
	assert_true(config_excludes(&config, "xai", "xai:default"));
	assert_false(config_excludes(&config, "anthropic", "anthropic:default"));
	assert_false(config_excludes(&config, "xai2", "xai:default"));
}

static void test_margins(void **state)
{
	static const struct {
		const char *text;
		int result;
		int64_t seconds;
		int percent;
	} cases[] = {
		{"1%", 0, 0, 1},
		{"90%", 0, 0, 90},
		{"2h", 0, 7200, 0},
		{"1h30m", 0, 5400, 0},
		{"0%", -ERANGE, 0, 0},
		{"91%", -ERANGE, 0, 0},
		{"4294967329%", -ERANGE, 0, 0},
		{"0s", -ERANGE, 0, 0},
		{"0", -ERANGE, 0, 0},
		{"33", -EINVAL, 0, 0},
		{"%", -EINVAL, 0, 0},
		{"33.3%", -EINVAL, 0, 0},
		{"-5%", -EINVAL, 0, 0},
		{"33%%", -EINVAL, 0, 0},
		{"", -EINVAL, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct margin margin = {0};

		if (margin_parse(cases[i].text, &margin) != cases[i].result ||
		    margin.seconds != cases[i].seconds || margin.percent != cases[i].percent)
			fail_msg("%s", cases[i].text);
	}
}

static void test_include(void **state)
{
	_cleanup_(config_free) struct config config = {0};
	_cleanup_free_ char *error = NULL;

	(void)state;
	free(write_file("more.conf", "margin = \"1h\";\nbad = 1;\n", 0644));
	assert_int_equal(
		load_text("fence = \"report\";\n@include \"more.conf\"\n", &config, &error),
		-EINVAL);
	assert_non_null(strstr(error, "more.conf:2: `bad`: unknown setting"));
	free(write_file("more.conf", "margin = \"1h\";\n", 0644));
	load("fence = \"report\";\n@include \"more.conf\"\n", &config);
	assert_int_equal(config.margin.seconds, 3600);
}

// What looks like an @include, a string or a comment and stands within another is none.
static void test_include_places(void **state)
{
	static const char *const texts[] = {
		"/* a\n@include \"nowhere\"\n*/ margin = \"1h\"; // \" and /*",
		"# \"\nmargin = \"1h\"; # the last line, without a newline",
		"// /*\nmargin = \"1h\";\r\n#",
		"ledger_dir = \"/a\n@include \\\"nowhere\\\" /* # \"; margin = \"1h\";",
		"@include \"more.conf\" # \" a remark\n",
		"\t@include\t\"more.conf\" exclude = ();",
	};

	(void)state;
	free(write_file("more.conf", "margin = \"1h\"; # no newline, and a \"", 0644));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(config_free) struct config config = {0};
		_cleanup_free_ char *error = NULL;

		// A string with a line break is one to libconfig; it is the setting that wants none.
		if (load_text(texts[i], &config, &error) < 0)
			assert_non_null(strstr(error, "contains a control character"));
		else
			assert_int_equal(config.margin.seconds, 3600);
	}
}

// Each setting is named where it stands, before, in and behind what is included.
static void test_include_lines(void **state)
{
	static const char *const texts[][2] = {
		{"\nbad = 1;\n@include \"more.conf\"\n", "test.conf:2: `bad`"},
		{"@include \"more.conf\"\n\nbad = 1;\n", "test.conf:3: `bad`"},
		{"@include \"more.conf\" bad = 1;\n", "test.conf:1: `bad`"},
		{"\n\n@include \"deeper.conf\"\n", "worse.conf:2: `bad`"},
	};

	(void)state;
	free(write_file("more.conf", "# one\n\nmargin = \"1h\";", 0644));
	free(write_file("deeper.conf", "# one\n@include \"more.conf\"\n@include \"worse.conf\"",
			0644));
	free(write_file("worse.conf", "\nbad = 1;", 0644));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *error = NULL;
		struct config config;

		assert_int_equal(load_text(texts[i][0], &config, &error), -EINVAL);
		if (!strstr(error, texts[i][1]))
			fail_msg("%s\n\tnot %s", error, texts[i][1]);
	}
}

// ---- refused

#define ENTRY(settings) "\nproviders = ( { name = \"corp\"; " settings " } );"
#define STORE(format, account, more)                                                               \
	"stores = ( { path = \"/x\"; format = \"" format "\"; account = \"" account "\"; " more    \
	" } );"
#define CORP(settings) ENTRY("token_url = \"https://corp.example/t\"; client_id = \"c\"; " settings)

static const struct {
	const char *text;
	const char *error; // after "<file>:"
} refused[] = {
	// unknown settings, at every level
	{"margins = \"2h\";", "1: `margins`: unknown setting (did you mean `margin`?); known here: "
			      "state_dir, ledger_dir, margin"},
	{"Margin = \"2h\";", "1: `Margin`: unknown setting"},
	{"http = {\n tls = true; };",
	 "2: `http.tls`: unknown setting; known here: connect_timeout"},
	{CORP("tokenurl = \"x\";"), "2: `providers[0].tokenurl`: unknown setting (did you mean "
				    "`token_url`?); known here: name, token_url"},
	{"stores = ( { path = \"/x\"; paths = \"/y\"; } );",
	 "1: `stores[0].paths`: unknown setting"},
	// wrong types: what libconfig wraps around or drops silently
	{"timer_period = 300;",
	 "1: `timer_period`: must be a string; write a duration in quotes, such as \"90s\""},
	{"timer_period = 3000000000;", "1: `timer_period`: must be a string"},
	{"timer_period = 5000000000L;", "1: `timer_period`: must be a string"},
	{"timer_period = 1.5;", "1: `timer_period`: must be a string"},
	{"timer_period = true;", "1: `timer_period`: must be a string"},
	{"timer_period = ( \"5m\" );", "1: `timer_period`: must be a string"},
	{"margin = 33;",
	 "1: `margin`: must be a string; write it in quotes, such as \"2h\" or \"33%\""},
	{"state_dir = 7;", "1: `state_dir`: must be a string; write it as text in quotes"},
	{"fence = true;", "1: `fence`: must be a string"},
	{"http = \"x\";", "1: `http`: must be a group; write { … }"},
	{"http = ( );", "1: `http`: must be a group"},
	{"providers = { name = \"xai\"; };", "1: `providers`: must be a list of groups"},
	{"providers = [ \"xai\" ];", "1: `providers`: must be a list of groups"},
	{"providers = ( \"xai\" );", "1: `providers[0]`: must be a group"},
	{"stores = ( \"/x\" );", "1: `stores[0]`: must be a group"},
	{"stores = \"/x\";", "1: `stores`: must be a list of groups"},
	{"exclude = \"x\";", "1: `exclude`: must be a list"},
	{"exclude = ( \"a\",\n 7 );", "2: `exclude[1]`: must be a string"},
	{"exclude = ( \"\" );", "1: `exclude[0]`: is empty"},
	{CORP("rotates = \"false\";"),
	 "2: `providers[0].rotates`: must be true or false; write it without quotes"},
	{CORP("rotates = 0;"), "2: `providers[0].rotates`: must be true or false"},
	{CORP("client_id = 7;") /* a duplicate, too */, "2: duplicate setting name"},
	{ENTRY("client_id = 7;"), "2: `providers[0].client_id`: must be a string"},
	// out of range
	{"margin = \"95%\";", "1: `margin`: is out of range; write a duration"},
	{"margin = \"0s\";", "1: `margin`: is out of range"},
	{"margin = \"soon\";", "1: `margin`: is not a margin; write"},
	{"margin = \"\";", "1: `margin`: is not a margin"},
	{"timer_period = \"5\";", "1: `timer_period`: is not a duration; write \"90s\""},
	{"timer_period = \"0s\";",
	 "1: `timer_period`: is out of range; write a duration from \"1s\" to \"1d\""},
	{"timer_period = \"2d\";", "1: `timer_period`: is out of range"},
	{"http = { deadline = \"61s\"; };",
	 "1: `http.deadline`: is out of range; write a duration from \"1s\" to \"1m\""},
	{"http = { deadline = \"0s\"; };", "1: `http.deadline`: is out of range"},
	{"http = { deadline = \"5s\";\n connect_timeout = \"6s\"; };",
	 "2: `http.connect_timeout`: is longer than http.deadline; shorten it"},
	{CORP("reuse_window = \"2d\";"), "2: `providers[0].reuse_window`: is out of range"},
	// words
	{"fence = \"ignore\";",
	 "1: `fence`: is not one of the possible words; write one of: \"recover\" \"report\""},
	{CORP("encoding = \"xml\";"),
	 "2: `providers[0].encoding`: is not one of the possible words"},
	{"stores = ( { path = \"/x\"; role = \"shared\"; } );",
	 "1: `stores[0].role`: is not one of the possible words"},
	// other programs' files
	{"stores = ( { path = \"/x\"; format = \"emacs\"; } );",
	 "1: `stores[0].format`: is not a known format; write one of: \"openclaw-json\" "
	 "\"codex-cli\""},
	{"stores = ( { path = \"/x\"; format = \"openclaw-sqlite\"; } );",
	 "1: `stores[0].format`: is not a known format"},
	{"stores = ( { path = \"/x\"; format = \"codex-cli\"; } );",
	 "1: `stores[0]`: does not say whose login the file holds; add `account`"},
	{STORE("codex-cli", "default", ""), "1: `stores[0].account`: is no account"},
	{STORE("codex-cli", "xai:", ""), "1: `stores[0].account`: is no account"},
	{STORE("codex-cli", "xai:x", "role = \"agent\";"),
	 "1: `stores[0].role`: is not for another program's file"},
	{STORE("codex-cli", "xai:x", "refresh_token = \"hide\";"),
	 "1: `stores[0].refresh_token`: is not one of the possible words; write one of: "
	 "\"share\" \"withhold\""},
	{STORE("qwen-code", "x:x", "refresh_token = \"withhold\";"),
	 "1: `stores[0].refresh_token`: cannot be withheld in this format"},
	{STORE("codex-cli", "xai:x", "entry = \"openai\";"),
	 "1: `stores[0].entry`: is not for a file with one login"},
	{STORE("pi", "corp:x", ""), "1: `stores[0].account`: is of a provider whose entry in this "
				    "format is not known here; add `entry`"},
	{STORE("codex-cli", "xai:x", "fields = { access = \"/a\"; refresh = \"/r\"; };"),
	 "1: `stores[0].format`: is built in"},
	{STORE("plain", "xai:x", ""), "1: `stores[0]`: does not say where its tokens are"},
	{STORE("plain", "xai:x", "fields = { access = \"a\"; refresh = \"/r\"; };"),
	 "1: `stores[0].fields.access`: is not a JSON pointer"},
	{STORE("plain", "xai:x",
	       "fields = { access = \"/a\"; refresh = \"/r\"; expires = \"/e\"; };"),
	 "1: `stores[0].fields`: has one of `expires` and `expires_as` without the other"},
	{STORE("plain", "xai:x",
	       "fields = { access = \"/a\"; refresh = \"/r\"; }; refresh_token = \"withhold\";"),
	 "1: `stores[0].refresh_token`: cannot be withheld in this format; add `withheld_as`"},
	{"stores = ( { path = \"/x\"; refresh_token = \"withhold\"; } );",
	 "1: `stores[0].refresh_token`: is for another program's file"},
	{"stores = ( { path = \"/x\"; account = \"a:b\"; } );",
	 "1: `stores[0].account`: is for another program's file"},
	{"stores = ( { role = \"agent\"; } );", "1: `stores[0]`: has no path; add `path`"},
	// paths and files
	{"state_dir = \"openclaw\";",
	 "1: `state_dir`: is not an absolute path; start it with \"/\" or \"~/\""},
	{"state_dir = \"~other/x\";", "1: `state_dir`: is not an absolute path"},
	{"state_dir = \"/x\\n/y\";", "1: `state_dir`: contains a control character"},
	{"http = { ca_file = \"/nonexistent/ca.pem\"; };",
	 "1: `http.ca_file`: /nonexistent/ca.pem: No such file or directory; name a file"},
	{"http = { ca_file = \"@\"; };", "is not a regular file"},
	{CORP("client_secret_file = \"@/none\";"), "No such file or directory"},
	{CORP("client_secret_file = \"@/fifo\";"), "is not a regular file"},
	{CORP("client_secret_file = \"@/open\";"),
	 "open is open to group or others (mode 0640); chmod 600 "},
	{"http = { proxy = \"127.0.0.1:3128\"; };", "1: `http.proxy`: is not a proxy's URL"},
	// providers
	{"providers = ( { client_id = \"x\"; } );", "1: `providers[0]`: has no name; add `name`"},
	{"providers = ( { name = \"a b\"; } );",
	 "1: `providers[0].name`: is not a provider's name"},
	{"providers = ( { name = \"xai\"; },\n { name = \"xai\"; } );",
	 "2: `providers[1].name`: names a provider for the second time; put both entries into one"},
	{ENTRY("client_id = \"c\";"),
	 "2: `providers[0]`: is no built-in provider and has no endpoint"},
	{ENTRY("token_url = \"https://corp.example/t\";"),
	 "2: `providers[0]`: has no client id; add `client_id`"},
	{ENTRY("token_url = \"https://corp.example/t\"; client_id = \"\";"),
	 "2: `providers[0]`: has no client id"},
	{CORP("discovery_url = \"https://corp.example/d\";"),
	 "2: `providers[0].discovery_url`: stands beside token_url"},
	{ENTRY("token_url = \"http://corp.example/t\"; client_id = \"c\";"),
	 "2: `providers[0].token_url`: is not a URL that a token may be sent to; write "
	 "https://HOST/PATH"},
	{ENTRY("discovery_url = \"http://corp.example/t\"; client_id = \"c\";"),
	 "2: `providers[0].discovery_url`: is not"},
	{CORP("headers = \"X: y\";"),
	 "2: `providers[0].headers`: must be a list of at most 32 headers"},
	{CORP("headers = ( 7 );"), "2: `providers[0].headers[0]`: must be a string"},
	{CORP("headers = ( \"X y\" );"),
	 "2: `providers[0].headers[0]`: is not a header; write \"Name: value\""},
	{CORP("headers = ( \"X y: z\" );"), "`providers[0].headers[0]`: is not a header"},
	{CORP("headers = ( \": z\" );"), "`providers[0].headers[0]`: is not a header"},
	{CORP("headers = ( \"X:\" );"), "`providers[0].headers[0]`: has no value"},
	{CORP("headers = ( \"X: y\\r\\nHost: z\" );"),
	 "`providers[0].headers[0]`: contains a control character"},
	{CORP("headers = ( \"X: \\xe4\" );"),
	 "`providers[0].headers[0]`: has a byte that is not ASCII"},
	{CORP("headers = ( \"host: z\" );"),
	 "`providers[0].headers[0]`: sets a header that the program sets itself"},
	{CORP("headers = ( \"Content-Length: 1\" );"), "`providers[0].headers[0]`: sets a header"},
	{CORP("headers = ( \"Transfer-Encoding: chunked\" );"),
	 "`providers[0].headers[0]`: sets a header"},
	{CORP("headers = ( \"X: y\", \"Content-Type: text/plain\" );"),
	 "`providers[0].headers[1]`: sets a header"},
	// secrets
	{CORP("client_secret = \"FAKE-SECRET\";"),
	 "2: `providers[0].client_secret`: a secret is never written in the configuration; save it "
	 "in a file only you "
	 "can read and name that as `client_secret_file`"},
	{CORP("refresh_token = \"FAKE-SECRET\";"),
	 "2: `providers[0].refresh_token`: a secret is never written"},
	// not there yet: an ignored setting would be a lie
	{"\nhooks = {\n failed = 7; };", "3: `hooks.failed`: must be a string"},
	{"hooks = { timeout = \"61s\"; };", "1: `hooks.timeout`: "},
	{"hooks = { reloaded = \"x\"; };", "1: `hooks.reloaded`: "},
	{"metrics_file = \"x\";", "1: `metrics_file`: is not an absolute path"},
	{"cluster = { password = \"FAKE-SECRET\"; };",
	 "1: `cluster.password`: a secret is never written"},
	{"cluster = \"x\";", "1: `cluster`: must be a group"},
	// syntax
	{"margin = \"2h\";\nfence = ;\n",
	 "2: syntax error; a duration stands in quotes (\"2h\"), no comma behind the last element; "
	 "see oauth-keepalive.conf(5)"},
	{"margin = \"2h\";\nmargin = \"3h\";\n",
	 "2: duplicate setting name; see oauth-keepalive.conf(5)"},
	{"margin = \"2h\";\nfence", "2: syntax error"},
	{"margin = \"2h\";\n/* exclude = ( \"a\" );\nfence = \"report\";\n",
	 "2: a comment begins here and never ends"},
	{"margin = \"2h\";\nledger_dir = \"/x;\n", "2: a string begins here and never ends"},
	{"margin = \"2h\";\n@include \"nowhere.conf\"\n", "2: @include: "},
	{"@include \"nowhere.conf\"\n", "nowhere.conf: No such file or directory"},
	// what is no text of ours is neither waited for nor handed to libconfig's scanner
	{"@include \"fifo\"\n", "fifo is not a regular file"},
	{"@include \"/dev/zero\"\n", "zero is not a regular file"},
	{"@include \".\"\n", "is not a regular file"},
	{"# deeper\n@include \"test.conf\"\n", "2: includes files more than 10 deep"},
	{"  @include \"a\\\\b\"\n", "1: the name in @include has a backslash, or no end"},
	{"\n@include \"a\nb\"\n", "2: the name in @include has"},
	{"@include \"open\" @include \"fifo\"\n", "fifo is not a regular file"},
	{"margin = \"2h\"; @include \"open\"\n", "1: syntax error"},
};

static void test_other_programs(void **state)
{
	_cleanup_(config_free) struct config config = {0};
	const struct config_store *s;

	(void)state;
	load("stores = ( { path = \"/a\"; format = \"codex-cli\"; account = "
	     "\"openai-codex:default\"; },"
	     "{ path = \"/b\"; format = \"gemini-cli\"; account = \"Google-Gemini-CLI/me.x:y\"; },"
	     "{ path = \"/c\"; format = \"pi\"; account = \"corp:x\"; entry = \"corp\";"
	     " refresh_token = \"share\"; },"
	     "{ path = \"/d\"; format = \"plain\"; account = \"corp:a/b\"; refresh_token = "
	     "\"withhold\"; withheld_as = \"remove\"; lock_file = \"/d.lock\"; margin = \"20m\";"
	     " fields = { access = \"/t/a\"; refresh = \"/t/r\"; expires = \"/t/e\"; expires_as = "
	     "\"s\"; }; } );",
	     &config);
	assert_int_equal(config.n_stores, 4);
	s = config.stores;
	assert_string_equal(s[0].format->name, "codex-cli");
	assert_string_equal(s[0].provider, "openai-codex");
	assert_string_equal(s[0].profile, "openai-codex:default");
	assert_int_equal(s[0].role, ROLE_EXTERNAL);
	assert_true(s[0].withhold); // as its format does
	assert_string_equal(s[1].provider, "google-gemini-cli");
	assert_string_equal(s[1].profile, "me.x:y");
	assert_false(s[1].withhold);
	assert_string_equal(s[2].entry, "corp");
	assert_false(s[2].withhold);
	assert_string_equal(s[3].profile, "corp:a/b");
	assert_ptr_equal(s[3].format, &s[3].plain);
	assert_string_equal(s[3].format->refresh, "/t/r");
	assert_int_equal(s[3].format->time, TIME_S);
	assert_int_equal(s[3].format->withhold, WITHHOLD_REMOVE);
	assert_string_equal(s[3].format->locks[0].name, "/d.lock");
	assert_int_equal(s[3].format->margin_s, 1200);
	assert_true(s[3].withhold);
}

static void test_refused(void **state)
{
	_cleanup_free_ char *fifo = in_directory("fifo");

	(void)state;
	free(write_file("open", "", 0640));
	assert_int_equal(mkfifo(fifo, 0600), 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct config config = {.n_owned = 7};
		_cleanup_free_ char *error = NULL, *file = in_directory("test.conf:");

		if (load_text(refused[i].text, &config, &error) != -EINVAL)
			fail_msg("accepted: %s", refused[i].text);
		if (!string_starts(error, file) || !strstr(error, refused[i].error) ||
		    (refused[i].error[0] <= '9' &&
		     !string_starts(error + strlen(file), refused[i].error)))
			fail_msg("%s\n\tsays %s\n\tnot  %s", refused[i].text, error,
				 refused[i].error);
		assert_null(strstr(error, "FAKE-SECRET"));
		assert_int_equal(config.n_owned, 7); // results only on success
	}
}

// expand() would turn the "@" of user info into the directory.
static void test_user_info_is_refused(void **state)
{
	static const char *const texts[] = {
		"http = { proxy = \"http://u:p\\x40proxy.example:80\"; };",
		"providers = ( { name = \"xai\"; token_url = \"https://u\\x40evil.example/t\"; } "
		");",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct config config;
		_cleanup_free_ char *error = NULL;

		assert_int_equal(load_text(texts[i], &config, &error), -EINVAL);
		assert_non_null(strstr(error, "without user info"));
		assert_null(strstr(error, "evil"));
	}
}

// The configuration, what it includes, and what it names: `loose` is made so that somebody else could
// write it, and each time that is said, with a command that puts it right.
static void test_untrusted_files(void **state)
{
	_cleanup_free_ char *loose = in_directory("loose"), *inside = in_directory("loose/inside");
	const char *const texts[] = {
		"@include \"loose/inside\"\n", "http = { ca_file = \"@/loose/inside\"; };",
		CORP("client_secret_file = \"@/loose/inside\";"),
		NULL, // the configuration itself
	};
	const struct {
		const char *path;
		mode_t closed, open;
	} ways[] = {{inside, 0600, 0602},
		    {loose, 0755, 0777},
		    {inside, 0600, 0620},
		    {loose, 0755, 0775}};

	(void)state;
	assert_int_equal(mkdir(loose, 0755), 0);
	free(write_file("loose/inside", "", 0600));
	for (size_t i = 0; i < ARRAY_SIZE(ways) * ARRAY_SIZE(texts); i++) {
		const char *text = texts[i % ARRAY_SIZE(texts)];
		const char *path = ways[i / ARRAY_SIZE(texts)].path;
		_cleanup_free_ char *error = NULL, *quoted = shell_quoted(path),
				    *remedy = xasprintf("; chmod go-w %s", quoted);
		struct config config;

		if (i >= 2 * ARRAY_SIZE(texts) && chown(path, (uid_t)-1, 4242) < 0)
			skip(); // only root can give a file to a group that is not his
		assert_int_equal(chmod(path, ways[i / ARRAY_SIZE(texts)].open), 0);
		assert_int_equal(text ? load_text(text, &config, &error)
				      : config_load(inside, &config, &error),
				 -EINVAL);
		if (!strstr(error, "is writable by group or others") || !string_ends(error, remedy))
			fail_msg("%s\n\tnot %s", error, remedy);
		assert_int_equal(chmod(path, ways[i / ARRAY_SIZE(texts)].closed), 0);
		assert_int_equal(chown(path, (uid_t)-1, getegid()), 0);
		text ? load(text, &config) : (void)config_load(inside, &config, &error);
		config_free(&config);
	}
}

static void test_unusable_files(void **state)
{
	struct config config;
	_cleanup_free_ char *path = write_file("another's.conf", "", 0644);
	_cleanup_free_ char *missing = in_directory("missing.conf"), *error = NULL, *error2 = NULL,
			    *error3 = NULL;

	(void)state;
	assert_int_equal(config_load(missing, &config, &error), -ENOENT);
	assert_non_null(strstr(error, "missing.conf: No such file or directory"));
	assert_int_equal(config_load(directory, &config, &error2), -EINVAL);
	assert_non_null(strstr(error2, "is not a regular file"));
	if (geteuid() == 0) { // only root can give a file away
		assert_int_equal(chown(path, 4242, 4242), 0);
		assert_int_equal(config_load(path, &config, &error3), -EINVAL);
		assert_non_null(strstr(error3, "is owned by uid 4242"));
	}
}

// A broken default file is an error, not a reason to go on without one.
static void test_broken_default_file(void **state)
{
	_cleanup_free_ char *below = in_directory("oauth-keepalive"), *error = NULL;
	struct config config;

	(void)state;
	assert_int_equal(mkdir(below, 0700), 0);
	free(write_file("oauth-keepalive/oauth-keepalive.conf", "nonsense", 0644));
	assert_int_equal(config_load(NULL, &config, &error), -EINVAL);
	assert_non_null(strstr(error, "oauth-keepalive.conf:1: syntax error"));
}

// ---- around each test

static int enter(void **state)
{
	(void)state;
	directory = temporary_directory("test-config");
	return setenv("HOME", directory, 1) | setenv("XDG_CONFIG_HOME", directory, 1);
}

static int leave(void **state)
{
	(void)state;
	return remove_tree(directory);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_file),
		TEST(test_default_file),
		TEST(test_all_settings),
		TEST(test_empty_text_is_no_setting),
		TEST(test_short_deadline),
		TEST(test_provider_overrides),
		TEST(test_header_override),
		TEST(test_excludes),
		TEST(test_margins),
		TEST(test_include),
		TEST(test_include_places),
		TEST(test_include_lines),
		TEST(test_other_programs),
		TEST(test_refused),
		TEST(test_user_info_is_refused),
		TEST(test_untrusted_files),
		TEST(test_unusable_files),
		TEST(test_broken_default_file),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
