#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# With a cluster, status and preview ask it before they speak: which version it has, who wrote it, who is at it, and how far
# behind each host is. They write nothing there, and say so if it cannot be reached.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

start_etcd
start_oidc
mint alice left=5h email=a@example.org
new_host b
write_store main xai:default=alice
keeper status -j
expect_field '.cluster | [.host, .reached, (.hosts | length)] | map(tostring) | join(" ")' "b true 0"
expect_field '.accounts[0].cluster' null
expect_eq "keys that a status left" "$(etcd_keys | wc -l)" 0
keeper refresh
new_host a
write_store main xai:default=alice
keeper refresh
expect_status 0
on_host b
keeper status -j
expect_field '[.accounts[0].cluster.hosts[] | "\(.host) \(.behind)"] | sort | join(", ")' "a 0, b 0"
expect_field '.accounts[0].cluster | [.number, .by, .locked_by, .intent] | map(tostring) | join(" ")' "1 b null null"

# a has refreshed it: b is behind, would adopt it, and says so in words.
on_host a
keeper refresh --force
expect_status 0
on_host b
keeper status -v
expect_match "$out" 'cluster +version 2, by a$'
expect_match "$out" 'hosts .*b is 1 behind \(heard [0-9a-z]+ ago\)'
keeper preview -j
expect_field '.accounts[0].decision' adopt
keeper doctor
expect_status 0 1
keeper refresh
expect_status 0
keeper status -v
expect_match "$out" 'b is current'

# While a's answer is on its way.
asked() { [ "$(posts)" -gt "$before" ]; }
before=$(posts)
hold_answer
on_host a
start_keeper refresh --force
wait_until asked
on_host b
keeper status -j
expect_field '.accounts[0].cluster | [.locked_by, .intent.host, .intent.sends, .intent.held] | map(tostring) | join(" ")' "a a 1 true"
keeper status -v
expect_match "$out" 'being sent by a at .*; locked by a$'
release_answer
wait_keepers
expect_eq "exit status" "$statuses" 0

# A clock that is not etcd's.
"${CC:-cc}" -shared -fPIC -o "$T/clock.so" "$TESTS/scenario/clock.c" -ldl || die "no compiler for the clock"
for ahead in 600000 -600000; do
	UNDER=(env LD_PRELOAD="$T/clock.so" TEST_AHEAD="$ahead")
	keeper status -j
	expect_match "$out" cluster_clock
done
UNDER=()
keeper status -j
expect_no_match "$out" cluster_clock

# Who asks nobody says so.
keeper forget xai:default -j
expect_match "$out" cluster_not_asked

kill -KILL "${ETCD_PIDS[0]}"
keeper status -j
expect_field '.cluster.reached' false
expect_field '.accounts[0].cluster' null
expect_match "$out" cluster_unreachable
expect_no_secrets
