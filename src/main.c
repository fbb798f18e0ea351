// SPDX-License-Identifier: MIT
//
// oauth-keepalive: the table of commands, the options, dispatch. See oauth-keepalive(1).
#include <sys/resource.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include <sqlite3.h>

#include "json/json.h"
#include "base/closest.h"
#include "base/log.h"
#include "base/secret.h"
#include "command/command.h"
#include "courier/client.h"
#include "store/openclaw_sqlite.h"

static const struct command commands[] = {
	{"refresh", "refresh what is due, once, and write it to every copy",
	 OPTION_FORCE | OPTION_AT | OPTION_WAIT | OPTION_DRY_RUN | OPTION_LAST_TRY,
	 command_refresh},
	{"watch", "with a cluster: refresh whenever another host has written something there", 0,
	 command_watch},
	{"preview", "show what refresh would do, without doing anything",
	 OPTION_AT | OPTION_CHECK | OPTION_FORCE | OPTION_LAST_TRY, command_preview},
	{"status", "show every account and its copies", OPTION_WATCH, command_status},
	{"doctor", "check everything, and say what is wrong and how to mend it", OPTION_PROBE,
	 command_doctor},
	{"sync", "bring every copy up to date, without the network",
	 OPTION_WAIT | OPTION_DRY_RUN | OPTION_ADOPT | OPTION_FORCE | OPTION_FOLLOW, command_sync},
	{"restore", "list the logins that were displaced; with an ID, bring one back",
	 OPTION_WAIT | OPTION_DRY_RUN, command_restore},
	{"forget", "remove from the ledger a login that no store holds any more", OPTION_FORCE,
	 command_forget},
	{"leave", "with a cluster: log this host out of the logins that it shares", 0,
	 command_leave},
	{"log", "show what happened, newest last", OPTION_SINCE | OPTION_NUMBER, command_log},
	{"config", "show the settings in force, and where they come from", 0, command_config},
	{"providers", "show the same for each provider: endpoint, client, margin", 0,
	 command_providers},
	{"token", "print only the access token of an account, for scripts",
	 OPTION_WAIT | OPTION_MIN_LIFE, command_token},
	{"export", "print one login as a document, for another host's import",
	 OPTION_RELEASE | OPTION_FOLLOW | OPTION_WAIT, command_export},
	{"import", "take a login that another host exported, from standard input",
	 OPTION_WAIT | OPTION_FORCE | OPTION_DRY_RUN, command_import},
	{"hook-test", "run a hook now: refreshed, needs_login, failed or recovered", 0,
	 command_hook_test},
	{"own", "take over a ledger of another machine, or a login of another host", OPTION_WAIT,
	 command_own},
};

enum {
	LONG_STATE_DIR = 256,
	LONG_LEDGER_DIR,
	LONG_OPTION, // + the bit number of its OPTION_…
	LONG_FORCE = LONG_OPTION,
	LONG_AT,
	LONG_WAIT,
	LONG_DRY_RUN,
	LONG_CHECK,
	LONG_WATCH,
	LONG_ADOPT,
	LONG_FOLLOW,
	LONG_SINCE,
	LONG_NUMBER,
	LONG_LAST_TRY,
	LONG_MIN_LIFE,
	LONG_PROBE,
	LONG_RELEASE,
};

static struct option options[] = {
	{"config", required_argument, NULL, 'c'},
	{"state-dir", required_argument, NULL, LONG_STATE_DIR},
	{"ledger-dir", required_argument, NULL, LONG_LEDGER_DIR},
	{"json", no_argument, NULL, 'j'},
	{"verbose", no_argument, NULL, 'v'},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{"force", no_argument, NULL, LONG_FORCE},
	{"at", required_argument, NULL, LONG_AT},
	{"wait", required_argument, NULL, LONG_WAIT},
	{"dry-run", no_argument, NULL, LONG_DRY_RUN},
	{"check", no_argument, NULL, LONG_CHECK},
	{"watch", no_argument, NULL, LONG_WATCH},
	{"adopt", required_argument, NULL, LONG_ADOPT},
	{"follow", required_argument, NULL, LONG_FOLLOW},
	{"since", required_argument, NULL, LONG_SINCE},
	{"number", required_argument, NULL, LONG_NUMBER},
	{"last-try", no_argument, NULL, LONG_LAST_TRY},
	{"min-life", required_argument, NULL, LONG_MIN_LIFE},
	{"probe", no_argument, NULL, LONG_PROBE},
	{"release", no_argument, NULL, LONG_RELEASE},
	{0},
};

// Nobody has read what did not go out.
static int finish_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return STATUS_DONE;
	log_error("standard output: %s", strerror(errno));
	return STATUS_FAILED;
}

static int show_help(const struct command *which)
{
	help_show(commands, ARRAY_SIZE(commands), which);
	return finish_output();
}

static int show_version(bool verbose)
{
	_cleanup_free_ char *courier = NULL, *missing = NULL;

	courier_program(&courier, &missing);
	printf("oauth-keepalive " VERSION "\n");
	if (verbose)
		printf("SQLite %s (%s), cJSON %s, %s\n", sqlite3_libversion(),
		       openclaw_sqlite_is_sound(sqlite3_libversion_number())
			       ? "without the WAL-reset bug"
			       : "has the WAL-reset bug; it takes a checkpoint, and this program "
				 "makes none",
		       cJSON_Version(), courier ? courier : missing);
	return finish_output();
}

// `closest`: what else could have been meant, if that is known; NULL.
static int usage_error(const char *what, const char *name, const struct closest *closest)
{
	_cleanup_free_ char *safe = name ? string_printable(name, 80) : NULL;
	_cleanup_free_ char *meant = closest ? closest_said(closest) : xstrdup("");

	log_error("%s%s%s%s (try --help)", what, safe ? ": " : "", safe ? safe : "", meant);
	return STATUS_USAGE;
}

static int unknown_option(const char *word)
{
	size_t n = string_starts(word, "--") ? strcspn(word, "=") : 0;
	_cleanup_free_ char *name = xstrndup(word, n);
	_cleanup_names_ struct names all = {0};
	struct closest closest = {.wanted = name};

	for (size_t i = 0; n > 0 && options[i].name; i++) {
		*array_add(&all.list, &all.n) = xasprintf("--%s", options[i].name);
		closest_try(&closest, all.list[i]);
	}
	return usage_error("unknown option", word, &closest);
}

static int unknown_command(const char *name)
{
	struct closest closest = {.wanted = name};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		closest_try(&closest, commands[i].name);
	return usage_error("unknown command", name, &closest);
}

static int foreign_option(const struct invocation *i)
{
	unsigned int foreign = i->given & ~i->command->options;

	for (size_t k = 0; options[k].name; k++)
		if (options[k].val >= LONG_OPTION && foreign & 1u << (options[k].val - LONG_OPTION))
			log_error("%s takes no --%s (try --help)", i->command->name,
				  options[k].name);
	return STATUS_USAGE;
}

// Options of some verbs that have a value, and where it goes. Of a decision there is one; of the others the last one counts.
static const struct {
	int option;
	size_t offset;
	bool once;
} valued[] = {
	{LONG_AT, offsetof(struct invocation, at)},
	{LONG_WAIT, offsetof(struct invocation, wait)},
	{LONG_ADOPT, offsetof(struct invocation, adopt), true},
	{LONG_FOLLOW, offsetof(struct invocation, follow), true},
	{LONG_SINCE, offsetof(struct invocation, since)},
	{LONG_NUMBER, offsetof(struct invocation, number)},
	{LONG_MIN_LIFE, offsetof(struct invocation, min_life)},
};

static void take_value(struct invocation *i, int option)
{
	for (size_t k = 0; k < ARRAY_SIZE(valued); k++) {
		const char **value = (const char **)((char *)i + valued[k].offset);
		if (option != valued[k].option)
			continue;
		i->twice |= valued[k].once && *value && !string_equal(*value, optarg);
		*value = optarg;
	}
}

static bool take_option(struct invocation *i, int option, bool *ret_help, bool *ret_version)
{
	switch (option) {
	case 'c':
		i->config = optarg;
		break;
	case LONG_STATE_DIR:
		i->state_dir = optarg;
		break;
	case LONG_LEDGER_DIR:
		i->ledger_dir = optarg;
		break;
	case 'j':
		i->json = true;
		break;
	case 'v':
		i->verbose = true;
		break;
	case 'q':
		i->quiet = true;
		break;
	case 'h':
		*ret_help = true;
		break;
	case 'V':
		*ret_version = true;
		break;
	default:
		if (option < LONG_OPTION)
			return false;
		i->given |= 1u << (option - LONG_OPTION);
		take_value(i, option);
	}
	return true;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (string_equal(commands[i].name, name))
			return &commands[i];
	return NULL;
}

// What a parent may have left behind: too few descriptors for many accounts, and a SIGCHLD that is ignored, with which a
// courier that ends cannot be told from one that never was.
static void set_process_up(void)
{
	struct rlimit files;

	signal(SIGCHLD, SIG_DFL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

// `sync --follow STORE`, but `export --follow`: which of them it is, the first word says that is no option.
static void set_options_up(int argc, char **argv)
{
	while (getopt_long(argc, argv, "+:c:n:jvqhV", options, NULL) != -1)
		;
	if (optind < argc && string_equal(argv[optind], "export"))
		for (size_t i = 0; options[i].name; i++)
			if (options[i].val == LONG_FOLLOW)
				options[i].has_arg = no_argument;
	optind = 0; // glibc: from the start again
}

int main(int argc, char **argv)
{
	struct invocation invocation = {0};
	bool help = false, version = false;
	int option;

	secret_harden_process();
	json_wipe_memory();
	set_process_up();
	log_setup("oauth-keepalive", LOG_LEVEL_INFO);
	log_break_lines();
	opterr = 0;
	set_options_up(argc, argv);
	while ((option = getopt_long(argc, argv, ":c:n:jvqhV", options, NULL)) != -1) {
		if (option == 'n')
			option = LONG_NUMBER;
		if (option == ':')
			return usage_error("an option lacks its value", argv[optind - 1], NULL);
		if (option == '?' && optopt && string_starts(argv[optind - 1], "--"))
			return usage_error("an option takes no value", argv[optind - 1], NULL);
		if (option == '?' && optopt && optopt < LONG_OPTION)
			return usage_error("unknown option", (char[]){'-', (char)optopt, '\0'},
					   NULL);
		if (option == '?' || !take_option(&invocation, option, &help, &version))
			return unknown_option(argv[optind - 1]);
		if (optarg && !*optarg) // an unset variable of a script, likely
			return usage_error("an option has an empty value",
					   *argv[optind - 1] ? argv[optind - 1] : argv[optind - 2],
					   NULL);
	}
	log_setup("oauth-keepalive", invocation.verbose ? LOG_LEVEL_DEBUG
				     : invocation.quiet ? LOG_LEVEL_WARNING
							: LOG_LEVEL_INFO);
	if (!invocation.quiet && !invocation.json)
		log_show_progress();
	if (version)
		return show_version(invocation.verbose);
	// "help", "help COMMAND", "COMMAND --help"
	if (optind < argc && string_equal(argv[optind], "help")) {
		help = true;
		optind++;
	}
	if (optind == argc)
		return help ? show_help(NULL) : usage_error("no command", NULL, NULL);
	invocation.command = find_command(argv[optind]);
	if (!invocation.command)
		return unknown_command(argv[optind]);
	if (help)
		return show_help(invocation.command);
	if (invocation.given & ~invocation.command->options)
		return foreign_option(&invocation);
	if (invocation.twice)
		return usage_error("one store at a time", "--adopt, --follow", NULL);
	invocation.accounts = &argv[optind + 1];
	invocation.n_accounts = (size_t)(argc - optind - 1);
	int status = invocation.command->run(&invocation);
	secret_wipe_stack();
	return status;
}
