// SPDX-License-Identifier: MIT
//
// What a cluster rests on: every endpoint, asked for itself, for where one is out the others answer and nobody notices; how
// many members may still fail; and the certificates, which end some day on all hosts at once. (Files that others can read are
// refused with the configuration, and a clock that is not etcd's is said by every look.)
#include "doctor/doctor.h"

#include "base/clock.h"
#include "cluster/etcd.h"
#include "doctor/certificate.h"

#define CERTIFICATE_WARN_S (14 * DAY_S)

// ---- members

// Each once: several endpoints may lead to one.
static void note_member(struct names *members, const struct etcd_member *member)
{
	if (!names_hold(members, member->id))
		*array_add(&members->list, &members->n) = xstrdup(member->id);
}

// "2 of 3 members answer: …"
static char *how_many(size_t n, size_t all)
{
	size_t quorum = all / 2 + 1;

	if (!n || all < n)
		return xstrdup("");
	return xasprintf("; %zu of %zu members answer%s%s", n, all, n == 1 ? "s" : "",
			 n == quorum ? ", and with one less nothing is refreshed on any host" : "");
}

static void say_silent(const char *endpoint, char *why, const char *others,
		       struct problems *problems)
{
	_cleanup_free_ char *host = url_host(endpoint), *word = shell_quoted(host ? host : "?");

	problem_add(problems, SEVERITY_WARNING, "cluster_member", endpoint, NULL,
		    xasprintf("%s%s", why, others),
		    xasprintf("ssh %s sudo systemctl restart etcd # or take it out of `endpoints`",
			      word));
	free(why);
}

static void check_members(const struct config *config, struct problems *problems)
{
	const size_t n = config->cluster.n_endpoints;
	_cleanup_free_ char **troubles = xcalloc(n, sizeof(*troubles));
	_cleanup_names_ struct names members = {0};
	struct etcd etcd = ETCD_NONE;
	size_t n_all = 0;

	etcd.config = config;
	for (size_t i = 0; i < n; i++) {
		struct etcd_member member;
		if (etcd_ask_member(&etcd, i, &member) < 0) {
			troubles[i] = xstrdup(etcd.trouble ? etcd.trouble : "no answer");
			continue;
		}
		note_member(&members, &member);
		n_all = member.n_all > n_all ? member.n_all : n_all;
	}
	etcd_stop(&etcd);
	_cleanup_free_ char *others = how_many(members.n, n_all);
	for (size_t i = 0; i < n; i++)
		if (troubles[i])
			say_silent(config->cluster.endpoints[i], troubles[i], others, problems);
}

// ---- certificates

static void check_certificate(const struct report *report, const char *path, bool authority,
			      struct problems *problems)
{
	const char *whose = authority ? "the authority's certificate" : "the certificate";
	int64_t end_ms;

	if (!path || certificate_end(path, authority, &end_ms) < 0)
		return; // etcd is not reached with that, and why is said
	int64_t left_s = (end_ms - report->now_ms) / SECOND_MS;
	if (left_s > CERTIFICATE_WARN_S)
		return;
	_cleanup_free_ char *word = shell_quoted(path), *at = time_format(end_ms),
			    *left = duration_format(left_s > 0 ? left_s : -left_s);
	problem_add(
		problems, left_s > 0 ? SEVERITY_WARNING : SEVERITY_ERROR, "cluster_certificate",
		path, NULL,
		left_s > 0 ? xasprintf("%s for etcd ends in %s, at %s: from then on this host "
				       "refreshes nothing",
				       whose, left, at)
			   : xasprintf("%s for etcd ended %s ago, at %s: this host cannot "
				       "reach the cluster",
				       whose, left, at),
		xasprintf("openssl x509 -noout -subject -issuer -enddate -in %s # and put a new "
			  "one in its place",
			  word));
}

void doctor_check_cluster(const struct report *report, struct problems *problems)
{
	const struct cluster_settings *settings = &report->config->cluster;

	if (!settings->n_endpoints)
		return;
	check_certificate(report, settings->cert_file, false, problems);
	check_certificate(report, settings->ca_file, true, problems);
	check_members(report->config, problems);
}
