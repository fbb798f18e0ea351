#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# 21 stores share an expired token and 20 processes want it at once: one POST, every store has the new generation.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=-5m
agents="main $(echo agent{1..20})"
write_store "$agents" xai:default=alice

for _ in {1..10}; do
	start_keeper refresh -j --wait 10m
	start_keeper refresh -j --wait 0
done
wait_keepers

n=0
for status in $statuses; do
	n=$((n + 1))
	# Only those that would not wait may say busy: expired or not, who took the lock a moment ago is at work.
	if [ $((n % 2)) = 1 ]; then expect_eq "status of process $n, which waits" "$status" 0; fi
	case $status in 0 | 4) ;; *) fail "status of process $n is $status" "$(cat "$T/runs/$n.err")" ;; esac
done
expect_posts 1
# shellcheck disable=SC2086
expect_generation alice $agents
expect_eq "processes that say they refreshed" \
	"$(jq -s '[.[].accounts[] | select(.outcome == "refreshed")] | length' "$T"/runs/*.out)" 1

keeper refresh -j
expect_status 0
expect_field '.accounts[0].outcome' unchanged
expect_field '.accounts[0].copies | map(.state) | unique | join(" ")' current
expect_posts 1
