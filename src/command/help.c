// SPDX-License-Identifier: MIT
//
// What --help says: of the program, and of each command. The manual says more.
#include <stdio.h>

#include "command/command.h"

static const struct page {
	const char *command, *operands, *text;
} pages[] = {
	{"refresh", "[ACCOUNT...]",
	 "Take over newer logins found in a store, refresh each login that is due, and\n"
	 "write the result to every copy. The timer runs this command.\n\n"
	 "      --force          refresh even if nothing is due, or a failure before says\n"
	 "                       to wait; but never send a token that may be spent\n"
	 "      --last-try       if the answer to a token was lost, send it once more; if\n"
	 "                       it was spent, the login ends\n"
	 "      --at WHEN        refresh what would be due by then: +10m, 02:30, RFC 3339\n"
	 "      --wait DURATION  how long to wait for a lock (10s); 0 does not wait\n"
	 "      --dry-run        the same as preview\n\n"
	 "Before a restart of OpenClaw:\n"
	 "  oauth-keepalive refresh --at +10m\n"},
	{"watch", "[ACCOUNT...]",
	 "With a cluster: wait for what other hosts write there, and do what refresh does\n"
	 "as soon as there is something new, until a signal ends it. The timer still has\n"
	 "to run: this command knows nothing of what becomes due.\n"},
	{"preview", "[ACCOUNT...]",
	 "Show what refresh would do, store by store and hook by hook. Nothing is locked\n"
	 "or written, and the network is not used.\n\n"
	 "      --at WHEN        what it would do then: +2h, 02:30, RFC 3339\n"
	 "      --check          end with exit status 5 if there is anything to do\n"
	 "      --force, --last-try\n"
	 "                       what refresh would do with these options\n"},
	{"status", "[ACCOUNT...]",
	 "Show every login, the most urgent first: the time left (| marks where it is\n"
	 "refreshed), how many of its copies are current, when it is due, who refreshed\n"
	 "it. The first line sums up; what needs attention stands below the table, with\n"
	 "its remedy. With ACCOUNT or -v everything is shown about each login.\n\n"
	 "      --watch          show it again every two seconds, until q is pressed\n"},
	{"doctor", "[ACCOUNT...]",
	 "Check everything without using the network or changing anything: the problems\n"
	 "that status shows, copies that have fallen behind, API keys beside logins,\n"
	 "stores in git, locks whose holder has died, the timer. Each finding says where\n"
	 "it is, why it matters, and which command mends it. Exit status: 3 with an error,\n"
	 "1 with warnings only, 0 if nothing is wrong.\n\n"
	 "      --probe          ask the providers: is each token endpoint reached, and\n"
	 "                       does each access token still work? Spends no token\n"},
	{"sync", "[ACCOUNT...]",
	 "Write the newest login that is known to every copy, without the network.\n\n"
	 "      --adopt STORE    make the login in this store (a path, or an agent) the\n"
	 "                       live one; the login that it replaces is kept\n"
	 "      --follow STORE   replace the login in this store by the live one; `all`\n"
	 "                       means every copy that is diverged or unproven\n"
	 "      --force          do it even if it looks like a mistake\n"
	 "      --wait DURATION  how long to wait for a lock (10s)\n"
	 "      --dry-run        only show what would be done\n\n"
	 "The copy of agent coder is the right one:\n"
	 "  oauth-keepalive sync --adopt coder xai:default\n"},
	{"restore", "[ID]",
	 "List the logins that were replaced in a store during the last 30 days. With an\n"
	 "ID (four digits are enough), make that login the live one again.\n\n"
	 "      --wait DURATION  how long to wait for a lock (10s)\n"
	 "      --dry-run        only show what would be done\n"},
	{"forget", "ACCOUNT...",
	 "Remove a login that no store holds any more from the ledger, the program's own\n"
	 "record. It still remembers which tokens were sent.\n\n"
	 "      --force          forget it even if a store holds it\n"},
	{"leave", "[ACCOUNT...]",
	 "Take this host out of its cluster: the logins that it shares with other hosts\n"
	 "are logged out in every store here, and removed from the ledger with all that\n"
	 "was displaced of them. The other hosts go on with them. Refused while the\n"
	 "outcome of a refresh by this host is not known to them.\n"},
	{"log", "[ACCOUNT...]",
	 "Show what happened, newest last: refreshes, newer logins and the stores they\n"
	 "came from, failures, and what a person decided.\n\n"
	 "  -n, --number N       show only the last N\n"
	 "      --since WHEN     2h (ago), 02:30, 2030-11-20, RFC 3339\n"},
	{"config", "[SETTING...]",
	 "Show each setting that is in force, and where it comes from: a file and line,\n"
	 "the environment, an option, or the default. SETTING may be a section: http.\n"
	 "No setting contains a secret.\n"},
	{"providers", "[PROVIDER...]",
	 "Show what is in force for each provider: where its tokens are sent, as which\n"
	 "client, how long they live, and its margin; each is built in, or shown with the\n"
	 "line of the configuration that sets it. With -v, also show what is not set.\n"},
	{"token", "ACCOUNT",
	 "Print the access token of one account, and nothing else, on standard output;\n"
	 "never the refresh token, and never to a terminal. If something is wrong, nothing\n"
	 "is printed, and standard error says why.\n\n"
	 "      --min-life DURATION\n"
	 "                       refresh first if less than that is left (10m)\n"
	 "      --wait DURATION  how long to wait for a lock (10s); 0 does not wait\n\n"
	 "In a script, without showing it in an argument list:\n"
	 "  printf 'Authorization: Bearer %s' \"$(oauth-keepalive token xai:default)\" |\n"
	 "    curl -H @- https://api.x.ai/v1/models\n"},
	{"export", "ACCOUNT",
	 "Print one login as a document on standard output, but not to a terminal, for the\n"
	 "import command of another host. This host goes on refreshing the login, and the\n"
	 "other one follows: it only writes what it is sent to its copies.\n\n"
	 "      --release        give the login away: this host stops refreshing it,\n"
	 "                       and the host that imports it does so\n"
	 "      --follow         the default\n"
	 "      --wait DURATION  how long to wait for a lock (10s); 0 does not wait\n\n"
	 "To another machine, without an argument or a file that holds tokens:\n"
	 "  oauth-keepalive export --release xai:default | ssh HOST oauth-keepalive import\n"
	 "If the pipe breaks, nobody owns the login: oauth-keepalive own takes it back.\n"},
	{"import", "",
	 "Read a login that another host exported from standard input, and write it to\n"
	 "every copy of the account that the same person has in OpenClaw here. It is\n"
	 "refused if it is older than what this host has, or would replace a login that\n"
	 "was made here.\n\n"
	 "      --force          replace a login that was made here (restore undoes it)\n"
	 "      --wait DURATION  how long to wait for a lock (10s); 0 does not wait\n"
	 "      --dry-run        only show what would be done\n"},
	{"hook-test", "EVENT [ACCOUNT]",
	 "Run the hook that is configured for EVENT (refreshed, adopted, needs_login,\n"
	 "failed or recovered) now, as if that had happened, and say how it ended.\n"},
	{"own", "[ACCOUNT...]",
	 "Take over a ledger that came from another machine; with ACCOUNT, become owner\n"
	 "of a login that this host follows or has released. Be sure that the other\n"
	 "machine no longer refreshes it: both would spend the same tokens.\n\n"
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
	       "show this text; help COMMAND, or COMMAND --help, tells more");
	printf("\nOptions:\n"
	       "  -c, --config FILE    default: ~/.config/oauth-keepalive/oauth-keepalive.conf,\n"
	       "                       then /etc/oauth-keepalive/oauth-keepalive.conf\n"
	       "      --state-dir DIR  OpenClaw's state directory (~/.openclaw)\n"
	       "      --ledger-dir DIR the program's own record (~/.local/state/oauth-keepalive)\n"
	       "  -j, --json           one JSON document on standard output\n"
	       "  -v, --verbose        more detail      -q, --quiet    problems and changes\n"
	       "  -h, --help           this text        -V, --version  version\n\n"
	       "ACCOUNT is a profile id, provider/profile-id, or a shell pattern; an e-mail\n"
	       "address; or the name of an agent or a provider. Without it, all are meant.\n"
	       "Exit status: 0 done, 1 failed but will be tried again, 2 usage or configuration,\n"
	       "3 a person is needed, 4 busy, 5 there is something to do (preview --check).\n");
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
	printf("For the options of every command see oauth-keepalive --help; the manual is\n"
	       "man oauth-keepalive.\n");
}
