#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# With a cluster, metrics and log say which host they are of, by the name that the cluster knows; the metrics say whether it
# was reached, and which version this host has; and status says of every account who has its lock, who is sending it, and how
# far behind each host is.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

# metric NAME LABELS VALUE, of the host that runs now
metric() {
	expect_eq "$1 $2" "$(grep -E "^oauth_keepalive_$1\{[^}]*$2[^}]*\} " "$HOME/metrics.prom" | sed 's/.* //' | paste -sd' ')" "$3"
}
a_host() { # NAME: one that writes metrics
	new_host "$1"
	CLUSTER="}; metrics_file = \"$HOME/metrics.prom\"; http = { deadline = \"60s\";"
	on_host "$1"
}
again() {
	local home=HOST_HOME_$1
	CLUSTER="}; metrics_file = \"${!home}/metrics.prom\"; http = { deadline = \"60s\";"
	on_host "$1"
}

start_etcd
start_oidc
mint alice left=5h email=a@example.org
mint bob left=5h email=b@example.org
a_host one
write_store main xai:default=alice xai:bob=bob
keeper refresh
expect_status 0
a_host two
write_store main xai:default=alice xai:bob=bob
keeper refresh
expect_status 0
metric build_info 'host="two"' 1
metric cluster_reached 'host="two"' 1
metric cluster_version 'profile="xai:default"' 1
again one
keeper refresh --force xai:default
expect_status 0
metric build_info 'host="one"' 1
metric cluster_version 'profile="xai:default"' 2
metric cluster_version 'profile="xai:bob"' 1
keeper log -j
expect_field '[.events[].host] | unique | join(" ")' one

# All accounts, of one that is being sent, too.
asked() { [ "$(posts)" -gt "$before" ]; }
before=$(posts)
hold_answer
start_keeper refresh --force xai:bob
wait_until asked
again two
keeper status -j
views='[.accounts[] | "\(.profile) \(.cluster | "\(.locked_by) \(.intent.host) \(.intent.held)") \([.cluster.hosts[] | "\(.host) \(.behind)"] | sort | join(", "))"] | sort | join("; ")'
expect_field "$views" "xai:bob one one true one 0, two 0; xai:default null null null one 0, two 1"
expect_field '[.accounts[].cluster.hosts[] | .heard_at | length > 0] | unique | join(" ")' true
release_answer
wait_keepers
expect_eq "exit status" "$statuses" 0
keeper refresh
expect_status 0
metric cluster_version 'profile="xai:default"' 2
metric cluster_version 'profile="xai:bob"' 2
keeper log -j
expect_field '[.events[].host] | unique | join(" ")' two
expect_field '[.events[] | select(.event == "adopted").store] | unique | join(" ")' 'the cluster (one)'

# Out of reach.
kill -KILL "${ETCD_PIDS[0]}"
keeper refresh
metric cluster_reached 'host="two"' 0
expect_no_secrets "$HOME/metrics.prom"
