// SPDX-License-Identifier: MIT
//
// export: one login as a document on standard output, for another host's import. It goes into a pipe and nowhere else: not
// to a terminal, nor to the journal. Nothing that formats text sees it.
//
// Without --release the ownership stays here, and whoever imports it follows. With it, it is given up before the first byte,
// durably: whatever is killed or cut then, no two hosts send its token; at worst none does, until `own` takes it back.
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "command/command.h"
#include "ledger/handover.h"
#include "report/hooks.h"

// Closed, it was opened as /dev/null before main.
static bool leads_nowhere(int fd)
{
	struct stat null, st;

	return stat("/dev/null", &null) == 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == null.st_rdev;
}

static int check_invocation(const struct invocation *i)
{
	bool both = (i->given & OPTION_RELEASE) && (i->given & OPTION_FOLLOW);

	if (i->n_accounts != 1)
		log_error("export: name one account (oauth-keepalive status shows them)");
	else if (both)
		log_error("export: --release or --follow, one of them");
	else if (i->json)
		log_error("export: what it prints is a document of its own, without --json");
	else if (isatty(STDOUT_FILENO))
		log_error("export: standard output is a terminal, and would show tokens; use it in "
			  "a pipe: oauth-keepalive export ACCOUNT | ssh HOST oauth-keepalive "
			  "import");
	else if (leads_nowhere(STDOUT_FILENO))
		log_error("export: standard output is closed, or /dev/null: nobody would have it");
	else if (*log_journal_prefix(STDOUT_FILENO, LOG_LEVEL_INFO))
		log_error("export: standard output is the journal, and would keep tokens");
	else
		return 0;
	return STATUS_USAGE;
}

static int refuse(const struct account *a, const char *why, int status)
{
	_cleanup_free_ char *profile = string_printable(a->record.profile, 120);
	_cleanup_free_ char *safe = string_printable(why, 600);

	log_error("%s: %s", profile, safe);
	return status;
}

// 0 or -errno.
static int print(const struct account *a, const struct session *session, bool release)
{
	_cleanup_secret_ struct secret text = handover_write(&a->verdict.record, &session->ledger,
							     release, session->policy.now_ms);

	return write_full(STDOUT_FILENO, text.text, text.len);
}

// ---- the ownership stays

static int status_of(const struct account *a)
{
	switch (a->verdict.outcome) {
	case OUTCOME_BUSY:
		return STATUS_BUSY;
	case OUTCOME_HELD:
	case OUTCOME_NEEDS_LOGIN:
	case OUTCOME_SKIPPED:
		return STATUS_PERSON;
	default:
		return 0;
	}
}

// What is known and good, as the last run has left it.
static int export_known(const struct account *a, const struct session *session)
{
	const struct account_record *r = &a->verdict.record;
	const char *no = custody_objection(&a->verdict.custody);
	int status = status_of(a), error;

	if (no)
		return refuse(a, no, STATUS_PERSON);
	if (status)
		return refuse(a, a->verdict.reason ? a->verdict.reason : "it is not kept alive",
			      status);
	if (!a->recorded || secret_empty(&r->live.refresh))
		return refuse(
			a, "the ledger does not know it yet: run `oauth-keepalive refresh` first",
			STATUS_PERSON);
	error = print(a, session, false);
	if (error < 0)
		log_error("standard output: %s", strerror(-error));
	return error < 0 ? STATUS_FAILED : STATUS_DONE;
}

// ---- the ownership goes

static int print_released(const struct account *a, const struct session *session)
{
	_cleanup_free_ char *name = shell_quoted(a->record.profile);
	int r = print(a, session, true);

	if (r >= 0) {
		log_info("%s: released; this host does not refresh it any more", name);
		return STATUS_DONE;
	}
	log_error("%s: it is released, but not all of it was written (%s). Unless the other host "
		  "has imported it, take it back: oauth-keepalive own %s",
		  name, strerror(-r), name);
	return STATUS_FAILED;
}

static int release_locked(const struct session *session, const struct cycle *cycle, const char *key,
			  int status)
{
	const struct account *a = observation_account(&cycle->now, key);
	const struct result *result = results_find(&cycle->results, key);

	if (a && account_is_released(a, &session->policy))
		return print_released(a, session);
	if (!a) {
		log_error("the account is gone");
		return status ? status : STATUS_FAILED;
	}
	return refuse(a,
		      result && result->error_message ? result->error_message
		      : a->verdict.reason	      ? a->verdict.reason
						      : "it was not released",
		      status ? status : STATUS_FAILED);
}

static int release(const struct invocation *invocation, struct session *session, const char *key)
{
	struct cycle cycle = {0};
	unsigned char nonce[16];
	struct choice *choice = &session->policy.choice;

	randombytes_buf(nonce, sizeof(nonce));
	*choice = (struct choice){
		.kind = CHOICE_RELEASE,
		.accounts = &session->selection,
		.why = "released to another host",
	};
	sodium_bin2hex(choice->nonce, sizeof(choice->nonce), nonce, sizeof(nonce));
	session->policy.offline = true;
	int r = cycle_run(&session->config, &session->policy, &session->ledger, &session->selection,
			  session->wait_s, &cycle);
	struct report report = session_report(invocation, session, &cycle, false);
	int status = session_conclude(session, &cycle, &report, false, r);
	if (r >= 0)
		status = release_locked(session, &cycle, key, status);
	signals_let_go(&cycle.signals);
	if (r >= 0)
		report_tell(&report);
	cycle_free(&cycle);
	return status;
}

static int look(struct session *session, const char *name, bool releases, char ret_key[33])
{
	struct cycle cycle = {0};
	int r = cycle_preview(&session->config, &session->policy, &session->ledger,
			      &session->selection, &cycle);
	int status = session_look_failed(session, &cycle, r);
	const struct account *a = status ? NULL : session_find_only(&cycle, name);

	if (!a)
		status = status ? status : STATUS_USAGE;
	else if (!releases)
		status = export_known(a, session);
	else
		memcpy(ret_key, a->record.key, sizeof(a->record.key));
	cycle_free(&cycle);
	return status;
}

int command_export(const struct invocation *invocation)
{
	_cleanup_session_ struct session session = {0};
	bool releases = invocation->given & OPTION_RELEASE;
	char key[33];
	int status = check_invocation(invocation);

	if (status)
		return status;
	signal(SIGPIPE, SIG_IGN); // what was not read is to be said
	status = session_open(invocation, &session);
	if (!status)
		status = look(&session, invocation->accounts[0], releases, key);
	return status || !releases ? status : release(invocation, &session, key);
}
