// SPDX-License-Identifier: MIT
//
// What doctor --probe has heard: under each account what its provider's API said, and how the token endpoints are reached.
#include "base/clock.h"
#include "report/report.h"

const char *report_probe_result(const struct probe *probe)
{
	if (!probe->url)
		return "not_probed";
	if (!probe->answered)
		return "unreachable";
	if (!probe->account)
		return probe->answer.kind == PROBE_EDGE ? "edge" : "reachable";
	return probe_kind_name(probe->answer.kind);
}

char *report_probe_remark(const struct probe *probe)
{
	const struct probe_answer *answer = &probe->answer;

	if (!probe->url)
		return xstrdup(probe->why);
	if (!probe->answered)
		return xasprintf("%s%s%s", probe->code, probe->text && *probe->text ? ": " : "",
				 probe->text ? probe->text : "");
	if (answer->code[0] && !string_starts(answer->code, "http_"))
		return xasprintf("HTTP %d %s%s%s", answer->status, answer->code,
				 answer->said[0] ? ": " : "", answer->said);
	return xasprintf("HTTP %d%s%s", answer->status, answer->said[0] ? ": " : "", answer->said);
}

static const struct probe *probe_of(const struct report *report, const struct account *a)
{
	return report->probes ? probes_find(report->probes, a) : NULL;
}

int64_t report_alive_ms(const struct report *report, const struct account *a)
{
	const struct probe *probe = probe_of(report, a);
	bool alive = probe && probe->answered && probe->answer.kind == PROBE_ALIVE;

	return alive ? probe->at_ms : report_proven_ms(a);
}

static void print_probe(const struct probe *probe, FILE *out)
{
	_cleanup_free_ char *remark = report_probe_remark(probe);
	_cleanup_free_ char *safe = string_printable(remark, 300);
	_cleanup_free_ char *url = probe->url ? string_printable(probe->url, 300) : NULL;
	_cleanup_free_ char *name =
		string_printable(probe->account ? probe->account->record.profile : "endpoint", 120);
	_cleanup_free_ char *result = xstrdup(report_probe_result(probe));

	for (char *c = result; *c; c++)
		if (*c == '_')
			*c = ' ';
	fprintf(out, "%-26s %-14s %s%s%s\n", name, result, url ? url : "", url ? ": " : "", safe);
}

void report_probes_text(const struct report *report, FILE *out)
{
	for (size_t i = 0; i < report->probes->n; i++)
		print_probe(&report->probes->list[i], out);
}

static void put_printable(cJSON *object, const char *name, const char *text)
{
	_cleanup_free_ char *safe = text ? string_printable(text, 4096) : NULL;

	json_put_text(object, name, safe);
}

static void put_probe(cJSON *o, const struct probe *probe)
{
	const struct probe_answer *answer = &probe->answer;
	_cleanup_free_ char *remark = report_probe_remark(probe);
	_cleanup_free_ char *retry_at =
		probe->answered && answer->retry_after_s > 0
			? time_format(probe->at_ms + answer->retry_after_s * SECOND_MS)
			: NULL;

	put_printable(o, "url", probe->url);
	json_put_text(o, "result", report_probe_result(probe));
	if (probe->answered)
		json_put_integer(o, "http_status", answer->status);
	else
		cJSON_AddNullToObject(o, "http_status");
	put_printable(o, "message", remark);
	json_put_text(o, "retry_at", retry_at);
}

void report_probe_json(const struct report *report, const struct account *a, cJSON *object)
{
	const struct probe *probe = probe_of(report, a);

	if (probe)
		put_probe(cJSON_AddObjectToObject(object, "probe"), probe);
	else
		cJSON_AddNullToObject(object, "probe");
}

void report_endpoints_json(const struct report *report, cJSON *document)
{
	cJSON *list, *o;

	if (!report->probes) {
		cJSON_AddNullToObject(document, "endpoints");
		return;
	}
	list = cJSON_AddArrayToObject(document, "endpoints");
	for (size_t i = 0; i < report->probes->n; i++) {
		if (report->probes->list[i].account)
			continue;
		cJSON_AddItemToArray(list, o = cJSON_CreateObject());
		put_probe(o, &report->probes->list[i]);
	}
}
