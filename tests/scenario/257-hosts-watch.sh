#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `watch` brings what another host has refreshed into this host's stores at once, by an ordinary run, and sends nothing for it;
# through a restart of etcd, a compaction and a revision that is gone; and TERM ends it without leaving anything behind.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

# Without a cluster it says so, in one message.
keeper watch
expect_status 2
expect_eq "lines said without a cluster" "$(wc -l <"$err")" 1
expect_match "$err" 'no cluster'

start_etcd
start_oidc
mint alice left=5h email=a@example.org
new_host b
write_store "main work" xai:default=alice
new_host a
write_store main xai:default=alice
keeper refresh
expect_status 0

# has_generation HOST: its stores are on what the server holds to be live.
has_generation() {
	local live
	live=$(server_token alice)
	on_host "$1"
	[ "$(store_token main)" = "$live" ] && { [ "$1" = a ] || [ "$(store_token work)" = "$live" ]; }
}
# refreshed_elsewhere: a refreshes it, and b has it without being told.
refreshed_elsewhere() {
	on_host a
	keeper refresh --force
	expect_status 0
	wait_until has_generation b
}

on_host b
keeper refresh
every_path() { find "$STATE" ! -type d | sort; }
files=$(every_path)
start_keeper watch
watcher=$!
watched=$err
wait_until has_generation b
before=$(posts)
refreshed_elsewhere
refreshed_elsewhere
expect_eq "token requests of two refreshes" "$(($(posts) - before))" 2
on_host b
keeper log -j
expect_field '[.events[] | select(.by == "watch")] | length > 0' true

# etcd goes, and comes again; meanwhile it is said, once.
kill -KILL "${ETCD_PIDS[0]}"
wait_until grep -q 'cannot be watched' "$watched"
run_member 0
etcds_came_up 1 || fail "etcd does not come up again"
refreshed_elsewhere
expect_eq "how often it was said that etcd is away" "$(grep -c 'cannot be watched' "$watched")" 1
expect_match "$watched" 'watched again'

# What it would begin with is not kept any more: stopped, it misses both the change and the compaction.
stop_process "$watcher"
on_host a
keeper refresh --force
expect_status 0
control_etcd() { curl -sf -o /dev/null -d "$2" "${ETCD_URLS[0]}/v3/kv/$1"; }
revision=$(curl -sf -d '{"key":"AA=="}' "${ETCD_URLS[0]}/v3/kv/range" | jq -r .header.revision)
control_etcd compaction "{\"revision\":\"$revision\"}" || fail "no compaction"
kill -KILL "${ETCD_PIDS[0]}"
run_member 0
etcds_came_up 1 || fail "etcd does not come up again"
kill -CONT "$watcher"
wait_until has_generation b

# In the background it makes no run of its own while nothing changes.
on_host b
ended=$(keeper log -j; field '.events | length')
children() { cat "/proc/$watcher/task/$watcher/children"; }
wait_until test -n "$(children)"
courier=$(children)
kill -TERM "$watcher"
wait_keepers
expect_eq "exit status of a watch that was ended" "$statuses" 0
for pid in $courier; do wait_until has_ended "$pid"; done
expect_eq "files that were not there after an ordinary run" "$(every_path)" "$files"
expect_eq "intents, holds, locks" "$(etcd_keys | grep -cE 'intents|holds|locks')" 0
keeper log -j
expect_field '.events | length' "$ended"
expect_no_secrets
