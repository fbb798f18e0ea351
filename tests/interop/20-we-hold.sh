#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# We hold: OpenClaw waits for our answer, uses it, and sends nothing, in the main agent and in another one.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
P=anthropic:default
setup() {
	fresh
	mint alice left=-5m provider=anthropic
	write_store "main a" $P=alice
}

# The provider answers late; the token is spent at once.
# shellcheck disable=SC2016 # jq has variables of its own
for agent in main a; do
	setup
	control delay '{"answers": 1, "ms": 2500}' >/dev/null
	start_keeper refresh -j
	wait_until was_sent
	openclaw refresh profile=$P agent=$agent
	expect_eq "$agent: OpenClaw got a token" "$(jq .ok "$said")" true
	expect_eq "$agent: requests of OpenClaw" "$(jq '.sent | length' "$said")" 0
	wait_keepers
	expect_eq "our status" "$statuses" 0
	expect_posts 1
	expect_live alice $P main a
	expect_eq "$agent: it got the access token that we wrote" "$(jq -r .access "$said")" \
		"$(fingerprint_of <"$(store main)" --arg p $P '.profiles[$p].access')"
done

# Our keeper is killed while the answer is on its way: the courier has the lock, OpenClaw waits on; the next run
# brings the answer home.
setup
hold_answer
start_keeper refresh -j
killed=$!
wait_until was_sent
{ kill -9 $killed && wait $killed; } 2>/dev/null
STARTED=()
start_openclaw waiting refresh profile=$P
sleep 1.5
expect_eq "OpenClaw waits" "$(cat "$T/waiting")" ""
release_answer
keeper refresh -j --wait 20s
expect_status 0
expect_field '.accounts[0].outcome' recovered
wait_openclaw waiting
expect_eq "OpenClaw got a token after the kill" "$(jq .ok "$T/waiting")" true
expect_eq "requests of OpenClaw after the kill" "$(jq '.sent | length' "$T/waiting")" 0
expect_posts 1
expect_live alice $P main a

slow=
# Our store lock: held for milliseconds, here for longer. Its update waits, and both are there afterwards.
if strace -qq -e trace=execve -o /dev/null true 2>/dev/null; then
	setup
	openclaw save-usage profile=$P times=1 # the store as this version writes it
	UNDER=(strace -f -qq -o /dev/null -e trace=utimensat -e inject=utimensat:delay_enter=1500000)
	keeper_command refresh -j
	"${UNDER[@]}" "${COMMAND[@]}" >"$out" 2>"$err" </dev/null &
	slow=$!
	wait_until test -e "$(store main).lock"
	openclaw save-usage profile=$P times=1
	expect_eq "its update" "$(jq -c . "$said")" '{"saved":1,"failed":0}'
	wait $slow
	status=$?
	echo $status >"$T/runs/$RUN.status"
	expect_status 0
	openclaw read
	expect_eq "its statistic, counted twice" "$(jq ".usage[\"$P\"].errorCount" "$said")" 2
	expect_live alice $P main a
	expect_posts 1
fi

tally_right "we hold, it waits" "main, an agent, our keeper killed${slow:+, a store lock}; no request of its own"
