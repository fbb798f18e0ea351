// SPDX-License-Identifier: MIT
//
// log: what happened, a line each for people (local time), an array for programs (UTC).
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "report/report.h"

static void print_part(FILE *out, const char *before, const char *text, const char *after)
{
	_cleanup_free_ char *safe = text ? string_printable(text, 400) : NULL;

	if (safe && *safe)
		fprintf(out, "%s%s%s", before, safe, after);
}

static void print_generations(const struct event *e, FILE *out)
{
	if (e->from && e->to && !string_equal(e->from, e->to))
		fprintf(out, "  %s -> %s", e->from, e->to);
	else if (e->from || e->to)
		fprintf(out, "  %s", e->to ? e->to : e->from);
}

static void print_event(const struct event *e, FILE *out)
{
	_cleanup_free_ char *at = time_format_local(e->at_ms);

	fprintf(out, "%s  %-5s  ", at, e->by ? e->by : "?");
	print_part(out, "", e->profile ? e->profile : "-", "");
	print_part(out, " (", e->identity, ")");
	print_part(out, "  ", e->what, "");
	print_generations(e, out);
	print_part(out, string_equal(e->what, "adopted") ? "  from " : "  ", e->store, "");
	print_part(out, "  by ", e->who, "");
	if (e->copies)
		fprintf(out, "  %lld cop%s written", (long long)e->copies,
			e->copies == 1 ? "y" : "ies");
	if (e->http_status)
		fprintf(out, "  HTTP %lld", (long long)e->http_status);
	print_part(out, "  ", e->code, "");
	print_part(out, ": ", e->message, "");
	fputc('\n', out);
}

void report_events_text(const struct report *report, FILE *out)
{
	for (size_t i = 0; i < report->events->n; i++)
		print_event(&report->events->list[i], out);
	if (!report->events->n && !report->quiet && !report->barred)
		fputs("the log is empty\n", out);
}

static void put_event(cJSON *list, const struct event *e)
{
	_cleanup_free_ char *at = time_format(e->at_ms);
	cJSON *o = cJSON_CreateObject();

	cJSON_AddItemToArray(list, o);
	json_put_text(o, "time", at);
	for (size_t i = 0; i < event_n_texts; i++)
		json_put_text(o, event_text_name(i), event_text(e, i));
	if (e->http_status)
		json_put_integer(o, "http_status", e->http_status);
	else
		cJSON_AddNullToObject(o, "http_status");
	json_put_integer(o, "copies", e->copies);
}

void report_events_json(const struct report *report, cJSON *document)
{
	cJSON *list = cJSON_AddArrayToObject(document, "events");

	for (size_t i = 0; i < report->events->n; i++)
		put_event(list, &report->events->list[i]);
}
