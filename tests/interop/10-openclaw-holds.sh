#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# OpenClaw holds its refresh lock or a store lock: we wait, or say busy and who holds it, and send nothing meanwhile.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
P=anthropic:default
setup() {
	fresh
	mint alice left=-5m provider=anthropic
	write_store "main a" $P=alice
}

for lock in "hold-refresh-lock profile=$P" "hold-store-lock agent=main" "hold-store-lock agent=a"; do
	setup
	# shellcheck disable=SC2086
	hold holder $lock "until=$HOME/enough"
	pid=$(answer_of holder .pid)
	lock_file=$(answer_of holder .held)

	keeper refresh -j --wait 0
	expect_status 4
	expect_posts 0
	expect_field '.accounts[0].outcome' busy
	keeper status -j
	case $lock in hold-refresh-lock*) expect_field '.accounts[0].lock_holder' "$pid" ;; esac
	[ -e "$lock_file" ] || fail "$lock: we removed the lock of a living process"

	start_keeper refresh -j -v --wait 5m
	wait_until grep -q "waits: " "$err"
	touch "$HOME/enough"
	wait_keepers
	expect_eq "$lock: status once it is free" "$statuses" 0
	expect_posts 1
	expect_field '.accounts[0].outcome' refreshed
	wait_openclaw holder
	sent=$(date -d "$(control state | jq -r '.requests[-1].time')" +%s%3N)
	[ "$sent" -ge "$(answer_of holder .until_ms)" ] || fail "$lock: we sent while it held the lock"
	expect_live alice $P main a
done

# A holder that was killed leaves its lock: taken at once.
setup
hold killed hold-refresh-lock profile=$P ms=60000
{ kill -9 "$(answer_of killed .pid)" && wait "${BACKGROUND[killed]}"; } 2>/dev/null
keeper refresh -j --wait 0
expect_status 0
expect_posts 1
expect_live alice $P main a

tally_right "it holds, we wait or say busy" "refresh lock, main's and an agent's store lock; a killed holder's is reclaimed"
