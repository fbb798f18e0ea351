// SPDX-License-Identifier: MIT
//
// What the network said, as findings: endpoints that are not reached, logins that their provider does not take, a clock that
// is not the servers'.
#include "doctor/doctor.h"

#include "base/clock.h"

#define CLOCK_APART_MS (MINUTE_S * SECOND_MS)

// ---- what is not reached

static const char *proxy_of_shell(void)
{
	static const char *const names[] = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!string_empty(getenv(names[i])))
			return names[i];
	return NULL;
}

static char *mend_connection(const struct report *report, const struct probe *probe)
{
	_cleanup_free_ char *host = url_host(probe->url);
	const char *proxy = report->config->proxy ? NULL : proxy_of_shell();

	if (string_equal(probe->code, "courier"))
		return xstrdup("install both programs again, from one build");
	if (string_equal(probe->code, "tls"))
		return xasprintf("curl -sv https://%s shows whose certificate it is; if it is your "
				 "company's, name its authority (http.ca_file) in "
				 "oauth-keepalive.conf",
				 host);
	if (proxy)
		return xasprintf("this shell has %s, which a unit does not have, and which is not "
				 "used: name "
				 "the proxy (http.proxy) in oauth-keepalive.conf",
				 proxy);
	return string_equal(probe->code, "dns") ? xasprintf("getent hosts %s", host) : NULL;
}

static void say_unreached(const struct report *report, const struct probe *probe,
			  struct problems *problems)
{
	_cleanup_free_ char *remark = report_probe_remark(probe);

	if (probe->answered && probe->answer.kind == PROBE_EDGE)
		problem_add(problems, SEVERITY_WARNING, "endpoint_unreachable", NULL, NULL,
			    xasprintf("%s: Cloudflare answers with a challenge page in its place: "
				      "refreshing will fail from here (%s)",
				      probe->url, remark),
			    xstrdup("use another network or proxy (http.proxy in "
				    "oauth-keepalive.conf)"));
	else if (!probe->answered)
		problem_add(
			problems, SEVERITY_ERROR, "endpoint_unreachable", NULL, NULL,
			xasprintf("%s cannot be reached, so no login of %s can be refreshed now "
				  "(%s)",
				  probe->url, probe->provider->name, remark),
			mend_connection(report, probe));
}

// ---- what a login's provider says to its token

struct finding {
	enum severity severity;
	const char *code, *means;
};

static struct finding finding_of(const struct probe *probe)
{
	static const struct finding findings[] = {
		[PROBE_REFUSED] =
			{SEVERITY_ERROR, "login_refused",
			 "the provider refuses the access token, although it has not expired: it "
			 "was revoked, or somebody else has refreshed the login"},
		[PROBE_PLAN] = {SEVERITY_ERROR, "plan_gate",
				"the login works, but the plan or the organisation does not allow "
				"its use: no refresh and no new login helps; look at the "
				"provider's account page"},
		[PROBE_PAYMENT] = {SEVERITY_ERROR, "payment_required",
				   "the provider demands a payment; at the end of a chain of "
				   "fallbacks that is more often a rate limit than a bill: before "
				   "paying, wait, and look at the chain's last model"},
		[PROBE_LIMITED] = {SEVERITY_WARNING, "rate_limited",
				   "the login works, but its provider limits how often it is used: "
				   "agents fail until that is over"},
	};
	static const struct finding unclear = {
		SEVERITY_WARNING, "probe_unclear",
		"the provider was asked, but it is still not known whether the login works"};
	enum probe_kind kind = probe->answer.kind;

	return probe->answered && kind < ARRAY_SIZE(findings) && findings[kind].code
		       ? findings[kind]
		       : unclear;
}

static char *mend_login(const struct probe *probe)
{
	_cleanup_free_ char *word = shell_quoted(probe->account->record.profile);
	const char *login = probe->provider->login_command;

	if (!probe->answered || probe->answer.kind != PROBE_REFUSED)
		return NULL;
	return xasprintf("oauth-keepalive refresh --force %s%s%s", word,
			 login ? " # and if that is refused, too: " : "", login ? login : "");
}

static void say_login(const struct probe *probe, struct problems *problems)
{
	const char *profile = probe->account->record.profile;
	_cleanup_free_ char *remark = report_probe_remark(probe), *until = NULL;

	if (!probe->url) {
		problem_add(
			problems, SEVERITY_INFO, "not_probed", NULL, profile,
			xasprintf("the provider was not asked whether it works: %s", probe->why),
			NULL);
		return;
	}
	if (probe->answered && probe->answer.kind == PROBE_ALIVE)
		return;
	struct finding finding = finding_of(probe);
	if (probe->answered && probe->answer.retry_after_s > 0)
		until = time_format_local(probe->at_ms + probe->answer.retry_after_s * SECOND_MS);
	problem_add(problems, finding.severity, finding.code, NULL, profile,
		    xasprintf("%s: %s (%s)%s%s", probe->url, finding.means, remark,
			      until ? "; until " : "", until ? until : ""),
		    mend_login(probe));
}

// ---- the clock

// How far ahead of a server's our clock is, by an answer that took its time on the way.
static int64_t clock_ahead_ms(const struct probe *probe)
{
	int64_t ahead_ms = probe->at_ms - probe->date_ms;

	if (ahead_ms > 0)
		ahead_ms = ahead_ms > probe->took_ms ? ahead_ms - probe->took_ms : 0;
	return ahead_ms;
}

// By the server that is nearest to us: one that is wrong by itself is no reason to doubt our clock.
static void say_clock(const struct report *report, struct problems *problems)
{
	const struct probe *nearest = NULL;
	int64_t least_ms = 0;

	for (size_t i = 0; i < report->probes->n; i++) {
		const struct probe *probe = &report->probes->list[i];
		if (!probe->answered || !probe->date_ms)
			continue;
		int64_t ahead_ms = clock_ahead_ms(probe);
		if (!nearest || llabs(ahead_ms) < llabs(least_ms)) {
			nearest = probe;
			least_ms = ahead_ms;
		}
	}
	if (!nearest || llabs(least_ms) < CLOCK_APART_MS)
		return;
	_cleanup_free_ char *host = url_host(nearest->url);
	_cleanup_free_ char *apart = duration_format(llabs(least_ms) / SECOND_MS);
	problem_add(problems, SEVERITY_WARNING, "clock", NULL, NULL,
		    xasprintf("this machine's clock is %s %s %s's: tokens seem to expire %s than "
			      "they do",
			      apart, least_ms > 0 ? "ahead of" : "behind", host,
			      least_ms > 0 ? "earlier" : "later"),
		    xstrdup("timedatectl set-ntp true"));
}

void doctor_check_probes(const struct report *report, struct problems *problems)
{
	const struct probes *probes = report->probes;

	if (!probes)
		return;
	if (probes->trouble)
		problem_add(problems, SEVERITY_ERROR, "courier", NULL, NULL,
			    xasprintf("nothing was probed: %s", probes->trouble),
			    xstrdup("install both programs again, from one build"));
	for (size_t i = 0; i < probes->n && !probes->trouble; i++) {
		if (probes->list[i].account)
			say_login(&probes->list[i], problems);
		else
			say_unreached(report, &probes->list[i], problems);
	}
	say_clock(report, problems);
}
