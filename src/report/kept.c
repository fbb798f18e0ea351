// SPDX-License-Identifier: MIT
//
// What the ledger keeps of logins that were displaced: as a line, and in the document. Never more of one than its
// fingerprint.
#include <stdio.h>

#include "base/clock.h"
#include "report/report.h"

static char *shown_id(const struct keepsake *k)
{
	return xstrndup(displaced_id(&k->credential).hex, FINGERPRINT_SHOWN);
}

static char *time_left(const struct report *report, const struct keepsake *k)
{
	int64_t left_s = (k->credential.expires_ms - report->now_ms) / SECOND_MS;
	_cleanup_free_ char *left = duration_format(left_s);

	if (!k->credential.expires_ms)
		return xstrdup("expiry unknown");
	return left_s > 0 ? xasprintf("%s left", left) : xstrdup("expired");
}

void report_kept_text(const struct report *report, FILE *out)
{
	for (size_t i = 0; i < report->kept->n; i++) {
		const struct keepsake *k = &report->kept->list[i];
		_cleanup_free_ char *id = shown_id(k), *left = time_left(report, k);
		_cleanup_free_ char *at = time_format(k->at_ms), *until = time_format(k->until_ms);
		_cleanup_free_ char *profile = string_printable(k->credential.profile, 120);
		_cleanup_free_ char *who =
			string_printable(identity_label(&k->credential.identity), 60);
		_cleanup_free_ char *why = string_printable(k->why, 300);
		_cleanup_free_ char *store =
			string_printable(k->store ? k->store : "was live", 512);
		fprintf(out, "%s  %s  %s%s%s  %s\n", id, at, profile, *who ? " " : "", who, store);
		fprintf(out, "    %s; %s; kept until %s%s\n", why, left, until,
			k->may_come_back ? "" : "; it was sent, and cannot be restored");
	}
	if (report->quiet || report->barred)
		return;
	if (!report->kept->n)
		fputs("no displaced login is kept\n", out);
	else
		fprintf(out, "%zu login%s kept; oauth-keepalive restore ID brings one back\n",
			report->kept->n, report->kept->n == 1 ? "" : "s");
}

static void put_time(cJSON *object, const char *name, int64_t ms)
{
	_cleanup_free_ char *text = time_format(ms);

	json_put_text(object, name, text);
}

static void put_printable(cJSON *object, const char *name, const char *text)
{
	_cleanup_free_ char *safe = text ? string_printable(text, 4096) : NULL;

	json_put_text(object, name, safe);
}

static void put_kept(cJSON *list, const struct report *report, const struct keepsake *k)
{
	const struct credential *c = &k->credential;
	_cleanup_free_ char *id = shown_id(k);
	cJSON *o = cJSON_CreateObject();

	cJSON_AddItemToArray(list, o);
	json_put_text(o, "id", id);
	put_time(o, "at", k->at_ms);
	put_time(o, "until", k->until_ms);
	json_put_text(o, "account", k->key);
	put_printable(o, "provider", c->provider);
	put_printable(o, "profile", c->profile);
	put_printable(o, "email", c->identity.email);
	put_printable(o, "store", k->store);
	put_printable(o, "why", k->why);
	put_time(o, "expires_at", c->expires_ms);
	if (c->expires_ms)
		json_put_integer(o, "remaining_s", (c->expires_ms - report->now_ms) / SECOND_MS);
	else
		cJSON_AddNullToObject(o, "remaining_s");
	cJSON_AddBoolToObject(o, "may_come_back", k->may_come_back);
}

void report_kept_json(const struct report *report, cJSON *document)
{
	cJSON *list = cJSON_AddArrayToObject(document, "kept");

	for (size_t i = 0; i < report->kept->n; i++)
		put_kept(list, report, &report->kept->list[i]);
}
