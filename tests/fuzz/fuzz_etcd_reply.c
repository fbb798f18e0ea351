// SPDX-License-Identifier: MIT
//
// Any text as a reply of etcd's gateway, and as what was sealed in it: read or refused, whatever it is; and what was read
// as a record says the same when it is written and read again.
#include "cluster/cluster.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	_cleanup_secret_ struct secret plain = {0}, written = {0};
	struct etcd_reply reply;
	struct etcd_entries entries;
	struct cluster_record record, again;
	struct cluster_intent intent;
	struct cluster_host host;
	int64_t number;
	bool more;

	if (etcd_parse_txn(text, size, &reply) == 0)
		etcd_reply_free(&reply);
	if (etcd_parse_range(text, size, &entries, &more) == 0)
		etcd_entries_free(&entries);
	etcd_parse_number(text, size, "ID", &number);
	secret_set(&plain, text, size);
	if (cluster_intent_read(&plain, &intent) == 0)
		cluster_intent_free(&intent);
	if (cluster_host_read(&plain, &host) == 0)
		cluster_host_free(&host);
	if (cluster_record_read(&plain, &record) < 0)
		return 0;
	written = cluster_record_text(&record);
	if (cluster_record_read(&written, &again) < 0 || again.number != record.number ||
	    !secret_equal(&again.live.refresh, &record.live.refresh))
		fuzz_check(false);
	cluster_record_free(&record);
	cluster_record_free(&again);
	return 0;
}
