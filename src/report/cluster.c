// SPDX-License-Identifier: MIT
//
// What the cluster says, as it was read in this command: of each account which version stands there, who is at it, and how far
// behind every host is; and which hosts there are.
#include "base/clock.h"
#include "ledger/custody.h"
#include "report/text.h"

static const struct cluster *cluster_of(const struct report *report)
{
	const struct cluster *c = &report->cycle->cluster;

	return c->config && c->reached ? c : NULL;
}

void report_host(const struct report *report, char ret[65])
{
	const char *name = report->config->cluster.host;

	if (name)
		snprintf(ret, 65, "%s", name);
	else
		host_name_ours(ret);
}

// Nobody's clock but etcd's.
static int64_t now_there(const struct cluster *c)
{
	return c->etcd.date_ms ? c->etcd.date_ms : clock_wall_ms();
}

struct view {
	char id[33];
	const struct cluster_account *there;
	const struct cluster_claim *claim;
	const struct cluster_lock *lock;
};

// False: the cluster has no record of it, or none that can be read (which is said as a problem).
static bool look_up(const struct report *report, const struct account *a, struct view *ret)
{
	const struct cluster *c = cluster_of(report);
	struct view view = {0};

	if (!c)
		return false;
	cluster_account_id(c, &a->verdict.record, view.id);
	view.there = cluster_account(c, view.id);
	if (!view.there || view.there->unreadable)
		return false;
	view.claim = cluster_claim(c, view.there->record.live.fingerprint);
	for (size_t i = 0; i < c->n_locks; i++)
		if (string_equal(c->locks[i].id, view.id))
			view.lock = &c->locks[i];
	*ret = view;
	return true;
}

// The version that the host had when it was last heard of; 0: none.
static int64_t seen_by(const struct cluster_host *host, const char *id)
{
	for (size_t i = 0; i < host->n_seen; i++)
		if (string_equal(host->seen[i].id, id))
			return host->seen[i].number;
	return 0;
}

// An etcd that came back from a snapshot is behind the hosts itself.
static int64_t behind(const struct view *view, int64_t seen)
{
	int64_t number = view->there->record.number;

	return number > seen ? number - seen : 0;
}

// ---- JSON

static void put_time(cJSON *object, const char *name, int64_t ms)
{
	_cleanup_free_ char *text = time_format(ms);

	json_put_text(object, name, text);
}

static void put_name(cJSON *object, const char *name, const char *text)
{
	_cleanup_free_ char *safe = text ? string_printable(text, 64) : NULL;

	json_put_text(object, name, safe);
}

static void put_intent(cJSON *object, const struct cluster_claim *claim)
{
	cJSON *o;

	if (!claim || claim->unreadable) {
		cJSON_AddNullToObject(object, "intent");
		return;
	}
	o = cJSON_AddObjectToObject(object, "intent");
	put_name(o, "host", claim->intent.host);
	put_time(o, "at", claim->intent.at_ms);
	json_put_integer(o, "sends", claim->intent.sends);
	cJSON_AddBoolToObject(o, "held", claim->held);
}

void report_cluster_account_json(const struct report *report, const struct account *a,
				 cJSON *object)
{
	const struct cluster *c = cluster_of(report);
	struct view view;
	cJSON *o, *hosts;

	if (!look_up(report, a, &view)) {
		cJSON_AddNullToObject(object, "cluster");
		return;
	}
	const struct cluster_record *record = &view.there->record;
	o = cJSON_AddObjectToObject(object, "cluster");
	json_put_integer(o, "number", record->number);
	put_name(o, "by", record->host);
	put_name(o, "locked_by", view.lock ? view.lock->host : NULL);
	put_intent(o, view.claim);
	hosts = cJSON_AddArrayToObject(o, "hosts");
	for (size_t i = 0; i < c->n_hosts; i++) {
		int64_t seen = seen_by(&c->hosts[i], view.id);
		cJSON *host = cJSON_CreateObject();
		cJSON_AddItemToArray(hosts, host);
		put_name(host, "host", c->hosts[i].name);
		put_time(host, "heard_at", c->hosts[i].at_ms);
		if (seen)
			json_put_integer(host, "behind", behind(&view, seen));
		else
			cJSON_AddNullToObject(host, "behind");
	}
}

void report_cluster_json(const struct report *report, cJSON *document)
{
	const struct cluster *c = &report->cycle->cluster;
	cJSON *o, *hosts;

	if (!c->config) {
		cJSON_AddNullToObject(document, "cluster");
		return;
	}
	o = cJSON_AddObjectToObject(document, "cluster");
	put_name(o, "host", c->name);
	cJSON_AddBoolToObject(o, "reached", c->reached);
	hosts = cJSON_AddArrayToObject(o, "hosts");
	for (size_t i = 0; i < c->n_hosts; i++) {
		cJSON *host = cJSON_CreateObject();
		cJSON_AddItemToArray(hosts, host);
		put_name(host, "host", c->hosts[i].name);
		put_time(host, "heard_at", c->hosts[i].at_ms);
	}
}

// ---- text

static char *heard(const struct cluster *c, const struct cluster_host *host)
{
	int64_t ago_s = (now_there(c) - host->at_ms) / SECOND_MS;

	return duration_format(ago_s > 0 ? ago_s : 0);
}

static void print_hosts(const struct cluster *c, const struct view *view, FILE *out)
{
	const char *separator = "";

	fputs("    hosts       ", out);
	for (size_t i = 0; i < c->n_hosts; i++) {
		int64_t seen = seen_by(&c->hosts[i], view->id);
		_cleanup_free_ char *ago = heard(c, &c->hosts[i]);
		_cleanup_free_ char *name = string_printable(c->hosts[i].name, 64);
		fprintf(out, "%s%s ", separator, name);
		if (!seen)
			fputs("has none", out);
		else if (behind(view, seen))
			fprintf(out, "is %lld behind", (long long)behind(view, seen));
		else
			fputs("is current", out);
		fprintf(out, " (heard %s ago)", ago);
		separator = ", ";
	}
	fputc('\n', out);
}

void report_cluster_account_text(const struct report *report, const struct account *a, FILE *out)
{
	const struct cluster *c = cluster_of(report);
	struct view view;

	if (!look_up(report, a, &view))
		return;
	const struct cluster_intent *intent =
		view.claim && !view.claim->unreadable ? &view.claim->intent : NULL;
	_cleanup_free_ char *by = string_printable(view.there->record.host, 64),
			    *sender = string_printable(intent ? intent->host : "", 64),
			    *locker = string_printable(view.lock ? view.lock->host : "", 64),
			    *at = time_format(intent ? intent->at_ms : 0);
	fprintf(out, "    cluster     version %lld, by %s", (long long)view.there->record.number,
		by);
	if (intent)
		fprintf(out, "; %s by %s at %s",
			view.claim->held ? "being sent" : "sent, no answer", *sender ? sender : "?",
			at ? at : "?");
	if (view.lock)
		fprintf(out, "; locked by %s", locker);
	fputc('\n', out);
	if (c->n_hosts)
		print_hosts(c, &view, out);
}
