#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# While another host is refreshing a login, what is behind here is written all the same, and it is no failure; and a login that
# becomes due only between a run's two looks is sent with the cluster's lock and intent, as any other.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

start_etcd
start_oidc
mint alice left=5h email=a@example.org
new_host b
write_store "main work" xai:default=alice
keeper refresh
new_host a
write_store main xai:default=alice
keeper refresh
expect_status 0

asked() { [ "$(posts)" -gt "$before" ]; }
before=$(posts)
hold_answer
start_keeper refresh --force
wait_until asked
on_host b
due
touched=$(store work)
jq '.profiles["xai:default"].expires -= 600000' "$touched" >"$T/store" && cat "$T/store" >"$touched"
keeper refresh -j
expect_status 0
expect_match "$out" 'a is (at|refreshing) it'
expect_field '[.accounts[0].copies[].state] | unique | join(" ")' current
release_answer
wait_keepers
expect_eq "exit status" "$statuses" 0
keeper refresh
expect_status 0
expect_generation alice main work
expect_eq "token requests" "$(($(posts) - before))" 1

# The first look finds a copy to write, and nothing to send. Stopped with its lock taken, it finds a newer login in the second,
# which is due.
strace -qq -e trace=execve -o /dev/null true 2>/dev/null || skip "nothing may be traced here"
CLUSTER='prefix = "/second/";'
mint bob left=5h email=b@example.org jwt=yes
new_host c
write_store "main work" xai:default=bob
keeper refresh
expect_status 0
jq '.profiles["xai:default"].expires -= 600000' "$(store work)" >"$T/store" && cat "$T/store" >"$(store work)"
mint bob left=8m lifetime=31m email=b@example.org jwt=yes
before=$(posts)
locks_of_ours() { ls "$STATE"/locks/oauth-refresh/*.lock >/dev/null 2>&1; }
stopped() { grep -q '^State:.*[tT] ' "/proc/$keeper/status" && locks_of_ours; }
UNDER=(strace -f -qq -o "$T/trace" -e "trace=link,linkat" -e "inject=link,linkat:signal=SIGSTOP:when=1")
start_keeper refresh
UNDER=()
traced_keeper() { keeper=$(pgrep -P "${STARTED[0]%%:*}" -x oauth-keepalive) && [ -n "$keeper" ]; }
wait_until traced_keeper
wait_until stopped
write_store main xai:default=bob
hold_answer
kill -CONT "$keeper"
wait_until asked
expect_eq "intents and holds" "$(etcd_keys /second/ | grep -cE 'intents|holds|locks')" 3
release_answer
wait_keepers
expect_eq "exit status" "$statuses" 0
expect_generation bob main work
expect_eq "token requests" "$(($(posts) - before))" 1
expect_no_secrets
