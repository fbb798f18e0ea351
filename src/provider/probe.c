// SPDX-License-Identifier: MIT
//
// What an API's answer to a read says of the login behind it. Its status is what counts; of its words only what said.c lets
// pass, and a code that reads like one.
#include <stdio.h>

#include "json/json.h"
#include "provider/provider.h"

const char *probe_kind_name(enum probe_kind kind)
{
	static const char *const names[] = {
		[PROBE_ALIVE] = "alive",	  [PROBE_REFUSED] = "refused",
		[PROBE_PLAN] = "plan_gate",	  [PROBE_PAYMENT] = "payment_required",
		[PROBE_LIMITED] = "rate_limited", [PROBE_EDGE] = "edge",
		[PROBE_UNCLEAR] = "unclear",
	};

	return names[kind];
}

// Providers answer in JSON, also when they refuse; what stands before them answers with a page.
static bool is_json_object(const struct secret *body)
{
	_cleanup_json_ cJSON *json = json_parse_foreign(body->text, body->len);

	return cJSON_IsObject(json);
}

static enum probe_kind classify(const struct http_answer *http)
{
	int status = http->status;

	if (http->challenge)
		return PROBE_EDGE;
	if (status >= 200 && status <= 299)
		return PROBE_ALIVE;
	if (status == 401)
		return PROBE_REFUSED;
	if (status == 402)
		return PROBE_PAYMENT;
	if (status == 403)
		return is_json_object(&http->body) ? PROBE_PLAN : PROBE_EDGE;
	return status == 429 ? PROBE_LIMITED : PROBE_UNCLEAR;
}

void provider_read_probe(const struct provider *provider, const struct http_answer *http,
			 const struct secret *access, struct probe_answer *ret)
{
	struct probe_answer probe = {
		.kind = classify(http),
		.status = http->status,
		.retry_after_s = http->retry_after_s,
	};
	struct answer answer = {0};

	if (probe.kind != PROBE_ALIVE) {
		provider_read_answer(provider, http, 0, &answer);
		snprintf(probe.code, sizeof(probe.code), "%s", answer.code);
		if (!said_shows(answer.said, access))
			memcpy(probe.said, answer.said, sizeof(probe.said));
	}
	answer_free(&answer);
	*ret = probe;
}
