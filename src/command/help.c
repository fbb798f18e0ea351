// SPDX-License-Identifier: MIT
//
// What --help says: of the program, and of each command. The manual says more.
#include <stdio.h>

#include "command/command.h"

static const struct page {
	const char *command, *operands, *text;
} pages[] = {
	{"refresh", "[ACCOUNT...]",
	 "Adopt what is newer, refresh what is due, and bring every copy to the newest\n"
	 "state. What the timer calls.\n\n"
	 "      --force          although it is not due, whatever an earlier failure said\n"
	 "                       about waiting; never a token that may be spent\n"
	 "      --last-try       send a token once more whose last answer was lost: if it\n"
	 "                       was spent, the login ends\n"
	 "      --at WHEN        what would be due by then: +10m, 02:30, RFC 3339\n"
	 "      --wait DURATION  how long to wait for a lock (10s); 0 does not wait\n"
	 "      --dry-run        the same as preview\n\n"
	 "Before a restart of OpenClaw:\n"
	 "  oauth-keepalive refresh --at +10m\n"},
	{"preview", "[ACCOUNT...]",
	 "Show what refresh would do, store by store and hook by hook, by the same code:\n"
	 "no lock, no write, no network.\n\n"
	 "      --at WHEN        as of then: +2h, 02:30, RFC 3339\n"
	 "      --check          exit status 5 if there is anything to do\n"
	 "      --force, --last-try\n"
	 "                       what refresh would do with them\n"},
	{"status", "[ACCOUNT...]",
	 "Show every login, the most urgent first: the time left (| is where its margin\n"
	 "begins), how many of its copies are current, when it is due, who refreshed it.\n"
	 "The first line says what it comes to; what is not fine stands below, with its\n"
	 "remedy. With ACCOUNT or -v all is said of each.\n\n"
	 "      --watch          again every two seconds, until q is pressed\n"},
	{"doctor", "[ACCOUNT...]",
	 "Check everything without the network, and change nothing: what status knows is\n"
	 "wrong, copies that have drifted, API keys beside logins, stores in git, locks of\n"
	 "the dead, the timer. Each with where, why, and the command that mends it. Exit\n"
	 "status 3 with an error, 1 with warnings only, 0 when nothing is wrong.\n\n"
	 "      --probe          ask the network, too: is each token endpoint reached, and\n"
	 "                       does each login's access token still work? Spends nothing\n"},
	{"sync", "[ACCOUNT...]",
	 "Make every copy the newest state that is known, without the network.\n\n"
	 "      --adopt STORE    the login in this store (a path, or an agent) is the live\n"
	 "                       one, exactly that; what it displaces is kept\n"
	 "      --follow STORE   the login in this store gives way to the live one; all:\n"
	 "                       every copy that goes its own way\n"
	 "      --force          although it looks like a mistake\n"
	 "      --wait DURATION  how long to wait for a lock (10s)\n"
	 "      --dry-run        only show it\n\n"
	 "The copy of agent coder is the right one:\n"
	 "  oauth-keepalive sync --adopt coder xai:default\n"},
	{"restore", "[ID]",
	 "List the logins that were displaced within 30 days; with an ID (four digits do),\n"
	 "make that one the live one again.\n\n"
	 "      --wait DURATION  how long to wait for a lock (10s)\n"
	 "      --dry-run        only show it\n"},
	{"forget", "ACCOUNT...",
	 "Drop what the ledger holds of a login that no store shows any more. That its\n"
	 "tokens were sent stays known.\n\n"
	 "      --force          although a store shows it\n"},
	{"log", "[ACCOUNT...]",
	 "Show what happened, newest last: refreshes, adoptions and from where, failures,\n"
	 "what a person decided.\n\n"
	 "  -n, --number N       the last N\n"
	 "      --since WHEN     2h (ago), 02:30, 2030-11-20, RFC 3339\n"},
	{"config", "[SETTING...]",
	 "Show each setting that is in force, and where it comes from: the file and line,\n"
	 "the environment, an option, or nobody (default). SETTING may be a section: http.\n"
	 "No secret is in any of them.\n"},
	{"providers", "[PROVIDER...]",
	 "Show what is in force for each provider: where its tokens are sent, as which\n"
	 "client, how long they live, its margin; and whether it is built in or which line\n"
	 "of the configuration says it. With -v what is not set, too.\n"},
	{"token", "ACCOUNT",
	 "Print the access token of one account, and nothing else, on standard output;\n"
	 "never the refresh token, and not to a terminal. What is wrong is said on\n"
	 "standard error, and then nothing is printed.\n\n"
	 "      --min-life DURATION\n"
	 "                       refresh first if it lives shorter than that (10m)\n"
	 "      --wait DURATION  how long to wait for a lock (10s); 0 does not wait\n\n"
	 "In a script, so that it is in no argument list:\n"
	 "  printf 'Authorization: Bearer %s' \"$(oauth-keepalive token xai:default)\" |\n"
	 "    curl -H @- https://api.x.ai/v1/models\n"},
	{"export", "ACCOUNT",
	 "Print one login as a document on standard output, for another host's import; not\n"
	 "to a terminal. This host goes on refreshing it, and the other one follows: it\n"
	 "writes what it is sent to its copies, and sends nothing.\n\n"
	 "      --release        give it away instead: this host refreshes it no more, and\n"
	 "                       whoever imports it does\n"
	 "      --follow         the default, said aloud\n"
	 "      --wait DURATION  how long to wait for a lock (10s); 0 does not wait\n\n"
	 "To another machine, with nothing in an argument or a file:\n"
	 "  oauth-keepalive export --release xai:default | ssh HOST oauth-keepalive import\n"
	 "If the pipe breaks, the login is nobody's: oauth-keepalive own takes it back.\n"},
	{"import", "",
	 "Take a login that another host exported, from standard input: into the account\n"
	 "of the same person that OpenClaw has here, and into every copy of it. What is\n"
	 "older than what this host has is refused, and so is what would displace a login\n"
	 "that was made here.\n\n"
	 "      --force          displace a login that was made here; restore brings it\n"
	 "                       back\n"
	 "      --wait DURATION  how long to wait for a lock (10s); 0 does not wait\n"
	 "      --dry-run        only show it\n"},
	{"hook-test", "EVENT [ACCOUNT]",
	 "Run the hook that is configured for refreshed, adopted, needs_login, failed or\n"
	 "recovered now, as if that had happened, and say how it ended.\n"},
	{"own", "[ACCOUNT...]",
	 "Take over a ledger that came from another machine; with ACCOUNT, a login that\n"
	 "this host follows, or has released. Be sure that the other one does not keep it\n"
	 "alive any more: both would spend the same tokens.\n\n"
	 "      --wait DURATION  how long to wait for a lock (10s); 0 does not wait\n"},
};

static void show_overview(const struct command *commands, size_t n)
{
	printf("Usage: oauth-keepalive [OPTION...] COMMAND [OPTION...] [ACCOUNT...]\n\n"
	       "Keeps shared OAuth logins alive: refreshes each token once, early, and writes\n"
	       "the result to every store that holds a copy.\n\nCommands:\n");
	for (size_t i = 0; i < n; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	printf("  %-10s %s\n", "help",
	       "this text; help COMMAND, or COMMAND --help, says more of it");
	printf("\nOptions:\n"
	       "  -c, --config FILE    default: ~/.config/oauth-keepalive/oauth-keepalive.conf,\n"
	       "                       then /etc/oauth-keepalive/oauth-keepalive.conf\n"
	       "      --state-dir DIR  OpenClaw's state directory (~/.openclaw)\n"
	       "      --ledger-dir DIR our own record (~/.local/state/oauth-keepalive)\n"
	       "  -j, --json           one JSON document on standard output\n"
	       "  -v, --verbose        more detail      -q, --quiet    problems and changes\n"
	       "  -h, --help           this text        -V, --version  version\n\n"
	       "ACCOUNT is a profile id, provider/profile-id, or a shell pattern; an e-mail\n"
	       "address; the name of an agent or a provider; none is all.\n"
	       "Exit status: 0 done, 1 failed but will be tried again, 2 usage or configuration,\n"
	       "3 a person is needed, 4 busy, 5 work is due (preview --check).\n");
}

void help_show(const struct command *commands, size_t n, const struct command *which)
{
	const struct page *page = NULL;

	for (size_t i = 0; which && i < ARRAY_SIZE(pages); i++)
		if (string_equal(pages[i].command, which->name))
			page = &pages[i];
	if (!which)
		return show_overview(commands, n);
	printf("Usage: oauth-keepalive [OPTION...] %s%s%s%s\n\n%s\n", which->name,
	       which->options ? " [OPTION...]" : "", page && *page->operands ? " " : "",
	       page ? page->operands : "", page ? page->text : which->summary);
	printf("Options that every command takes: oauth-keepalive --help. All of it: man\n"
	       "oauth-keepalive.\n");
}
