// SPDX-License-Identifier: MIT
//
// The JSON document, schema_version 1 (docs/schema.json). Unknown is null, never left out.
#include <unistd.h>

#include "base/clock.h"
#include "json/json.h"
#include "report/hooks.h"
#include "report/settings.h"
#include "report/report.h"

static void put_time(cJSON *object, const char *name, int64_t ms)
{
	_cleanup_free_ char *text = time_format(ms);

	json_put_text(object, name, text);
}

static void put_seconds(cJSON *object, const char *name, int64_t seconds, bool known)
{
	if (known)
		json_put_integer(object, name, seconds);
	else
		cJSON_AddNullToObject(object, name);
}

static void put_printable(cJSON *object, const char *name, const char *text)
{
	_cleanup_free_ char *safe = text ? string_printable(text, 4096) : NULL;

	json_put_text(object, name, safe);
}

static void put_identity(cJSON *object, const struct identity *identity)
{
	cJSON *o = cJSON_AddObjectToObject(object, "identity");

	put_printable(o, "account_id", identity->account_id);
	put_printable(o, "user_id", identity->user_id);
	put_printable(o, "email", identity->email);
}

static void put_error(cJSON *object, const struct result *result)
{
	cJSON *o;

	if (!result || !result->error_code[0]) {
		cJSON_AddNullToObject(object, "error");
		return;
	}
	o = cJSON_AddObjectToObject(object, "error");
	json_put_text(o, "code", result->error_code);
	put_printable(o, "message", result->error_message);
	put_seconds(o, "http_status", result->error_status, result->error_status > 0);
	put_time(o, "retry_at", result->retry_at_ms);
}

static void put_copy(cJSON *copies, const struct report *report, const struct account *a,
		     const struct result *result, const struct member *m)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddItemToArray(copies, o);
	put_printable(o, "store", m->store->path);
	json_put_text(o, "format", store_format_name(m->store));
	json_put_text(o, "role", store_role_name(m->store->role));
	put_printable(o, "agent", m->store->agent);
	json_put_text(o, "state", copy_state_name(report_copy_state(report, a, result, m)));
	cJSON_AddBoolToObject(o, "written", report_copy_written(result, m));
	cJSON_AddBoolToObject(o, "planned", report_copy_planned(report, a, result, m));
}

static void put_displaced(cJSON *object, const struct result *result)
{
	cJSON *list = cJSON_AddArrayToObject(object, "displaced");

	for (size_t i = 0; i < result->n_displaced; i++) {
		cJSON *o = cJSON_CreateObject();
		cJSON_AddItemToArray(list, o);
		json_put_text(o, "generation", result->displaced[i].id);
		put_printable(o, "store", result->displaced[i].store);
		_cleanup_free_ char *undo =
			xasprintf("oauth-keepalive restore %s", result->displaced[i].id);
		json_put_text(o, "undo", undo);
	}
}

static void put_hook(cJSON *object, const struct report *report, const struct account *a,
		     const struct result *result)
{
	enum hook_event event = hook_planned(report, a, result);
	cJSON *o;

	if (event == HOOK_EVENTS) {
		cJSON_AddNullToObject(object, "hook");
		return;
	}
	o = cJSON_AddObjectToObject(object, "hook");
	json_put_text(o, "event", hook_event_name(event));
	put_printable(o, "command", report->config->hooks.commands[event]);
}

static void put_ownership(cJSON *object, const struct custody *custody)
{
	bool follows = custody->ownership == OWNERSHIP_FOLLOWS;

	json_put_text(object, "ownership", ownership_name(custody->ownership));
	put_time(object, "ownership_since", custody->since_ms);
	put_printable(object, "owner", follows ? custody->host : NULL);
	put_time(object, "owner_heard_at", follows ? custody->heard_ms : 0);
}

static void put_account(cJSON *accounts, const struct report *report, const struct account *a,
			const struct result *result)
{
	const struct generation *live = &a->verdict.record.live;
	bool live_known = !fingerprint_empty(live->fingerprint);
	int64_t expires_ms = shown_expiry_ms(&a->verdict.schedule);
	struct process_id holder = report_lock_holder(report, a);
	cJSON *o = cJSON_CreateObject(), *copies;

	cJSON_AddItemToArray(accounts, o);
	json_put_text(o, "id", a->record.key[0] ? a->record.key : NULL);
	put_printable(o, "state_dir", a->record.state_dir);
	put_printable(o, "provider", a->record.provider);
	put_printable(o, "profile", a->record.profile);
	put_identity(o, &a->verdict.record.identity);
	json_put_text(o, "decision", decision_name(result->decision));
	put_printable(o, "reason", result->reason);
	json_put_text(o, "outcome", outcome_name(result->outcome));
	put_time(o, "expires_at", expires_ms);
	put_seconds(o, "remaining_s", (expires_ms - report->now_ms) / SECOND_MS, expires_ms != 0);
	put_seconds(o, "lifetime_s", a->verdict.schedule.lifetime_s,
		    a->verdict.schedule.lifetime_s != 0);
	put_seconds(o, "margin_s", a->verdict.schedule.margin_s, a->verdict.schedule.margin_s != 0);
	_cleanup_free_ char *generation =
		live_known ? xstrndup(live->fingerprint.hex, FINGERPRINT_SHOWN) : NULL;
	json_put_text(o, "generation", generation);
	put_seconds(o, "number", a->verdict.record.number, live_known);
	put_time(o, "due_at", report_due_ms(a));
	put_time(o, "next_try_at", report_next_try_ms(a));
	put_time(o, "refreshed_at", a->verdict.record.refreshed_ms);
	put_time(o, "last_proven_at", report_alive_ms(report, a));
	put_printable(o, "adopted_from",
		      a->verdict.record.live.answered ? NULL : a->verdict.record.adopted_from);
	put_printable(o, "login_command", a->provider ? a->provider->login_command : NULL);
	put_time(o, "login_seen_at", a->verdict.record.first_seen_ms);
	put_time(o, "grant_expires_at", a->verdict.record.grant_expires_ms);
	put_seconds(o, "lock_holder", holder.pid, holder.pid > 0);
	put_ownership(o, &a->verdict.custody);
	report_cluster_account_json(report, a, o);
	put_error(o, result);
	put_displaced(o, result);
	put_hook(o, report, a, result);
	report_probe_json(report, a, o);
	copies = cJSON_AddArrayToObject(o, "copies");
	for (size_t i = 0; i < a->n_members; i++)
		put_copy(copies, report, a, result, &a->members[i]);
}

static void put_problems(cJSON *document, const struct problems *problems)
{
	static const char *const severities[] = {
		[SEVERITY_INFO] = "info",
		[SEVERITY_WARNING] = "warning",
		[SEVERITY_ERROR] = "error",
	};
	cJSON *list = cJSON_AddArrayToObject(document, "problems");

	for (size_t i = 0; i < problems->n; i++) {
		const struct problem *p = &problems->list[i];
		cJSON *o = cJSON_CreateObject();
		cJSON_AddItemToArray(list, o);
		json_put_text(o, "severity", severities[p->severity]);
		json_put_text(o, "code", p->code);
		put_printable(o, "store", p->store);
		put_printable(o, "profile", p->profile);
		put_printable(o, "message", p->message);
		put_printable(o, "fix", p->fix);
	}
}

static void put_summary(cJSON *document, const struct cycle *cycle)
{
	static const enum outcome counted[] = {
		OUTCOME_REFRESHED, OUTCOME_ADOPTED, OUTCOME_MIRRORED, OUTCOME_RECOVERED,
		OUTCOME_UNCHANGED, OUTCOME_FAILED,  OUTCOME_BUSY,     OUTCOME_NEEDS_LOGIN,
		OUTCOME_HELD,	   OUTCOME_SKIPPED, OUTCOME_PLANNED,
	};
	cJSON *o = cJSON_AddObjectToObject(document, "summary");
	int64_t written = 0;

	json_put_integer(o, "accounts", (int64_t)cycle->results.n);
	for (size_t k = 0; k < ARRAY_SIZE(counted); k++) {
		int64_t n = 0;
		for (size_t i = 0; i < cycle->results.n; i++)
			n += cycle->results.list[i].outcome == counted[k];
		json_put_integer(o, outcome_name(counted[k]), n);
	}
	for (size_t i = 0; i < cycle->results.n; i++)
		written += (int64_t)cycle->results.list[i].n_written;
	json_put_integer(o, "copies_written", written);
}

static void put_last_run(cJSON *document, const struct report *report)
{
	enum run_by by;
	const struct last_run *run = report_last_run(report, &by);
	cJSON *o;

	if (!run) {
		cJSON_AddNullToObject(document, "last_run");
		return;
	}
	o = cJSON_AddObjectToObject(document, "last_run");
	put_time(o, "time", run->at_ms);
	json_put_text(o, "by", run_by_name(by));
	json_put_integer(o, "exit_code", run->exit_code);
}

// Of the first state directory that tells.
static const char *openclaw_version(const struct stores *stores)
{
	for (size_t i = 0; i < stores->n_dirs; i++)
		if (stores->dirs[i]->version)
			return stores->dirs[i]->version;
	return NULL;
}

// Which program looked at what, for whoever collects the documents of many machines.
static void put_where(cJSON *document, const struct report *report)
{
	const struct stores *stores = &report->cycle->now.stores;
	char host[65] = "";
	cJSON *dirs;

	gethostname(host, sizeof(host) - 1);
	json_put_text(document, "version", VERSION);
	put_printable(document, "host", host);
	dirs = cJSON_AddArrayToObject(document, "state_dirs");
	for (size_t i = 0; i < stores->n_dirs; i++) {
		_cleanup_free_ char *safe = string_printable(stores->dirs[i]->path, 4096);
		cJSON_AddItemToArray(dirs, cJSON_CreateString(safe));
	}
	put_printable(document, "openclaw_version", openclaw_version(stores));
	put_printable(document, "ledger_dir", report->ledger->directory);
	put_printable(document, "config", report->config->file);
	put_last_run(document, report);
	report_endpoints_json(report, document);
	report_cluster_json(report, document);
}

void report_json(const struct report *report, FILE *out)
{
	_cleanup_json_ cJSON *document = cJSON_CreateObject();
	_cleanup_secret_ struct secret text = {0};
	cJSON *accounts;

	json_put_integer(document, "schema_version", 1);
	json_put_text(document, "command", report->command);
	cJSON_AddBoolToObject(document, "dry_run", report->dry_run);
	put_time(document, "time", report->now_ms);
	put_where(document, report);
	accounts = cJSON_AddArrayToObject(document, "accounts");
	for (size_t i = 0; i < report->cycle->now.n_accounts; i++) {
		const struct account *a = report->cycle->now.accounts[i];
		const struct result *result = results_find(&report->cycle->results, a->record.key);
		if (result)
			put_account(accounts, report, a, result);
	}
	if (report->kept)
		report_kept_json(report, document);
	if (report->events)
		report_events_json(report, document);
	if (report->shown)
		report_shown_json(report, document);
	put_problems(document, &report->cycle->now.problems);
	put_summary(document, report->cycle);
	json_put_integer(document, "exit_code", report_exit_status(report));
	text = json_print(document, true);
	fwrite(text.text, 1, text.len, out);
	fputc('\n', out);
}
