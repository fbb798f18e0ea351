#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# 4 processes of OpenClaw count usage in the stores (a statistic, and a field of another profile in the same file),
# while we rotate the token ROUNDS times: no count is lost, no token either.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
OTHER=xai:key
UPDATES=$((ROUNDS * 5))

# save N: each of 4 processes updates N times, two of them the same store. saved: $failed, $lost and $where of them.
save() {
	local i
	for i in 0 1 2 3; do ask $i save-usage "profile=$P" "other=$OTHER" "times=$1" "pause=${PAUSE:-40}"; done
}

saved() {
	local i agent
	declare -A expected=([main]=0 [a]=0 [b]=0)

	failed=0 lost=0 where=
	for i in 0 1 2 3; do
		answer $i >"$T/saved"
		agent=${WORKERS[i]##* }
		expected[$agent]=$((expected[$agent] + $(jq .saved "$T/saved")))
		failed=$((failed + $(jq .failed "$T/saved")))
	done
	for agent in main a b; do
		count_lost "profiles of $agent" $((expected[$agent] -
			$(jq -r ".profiles[\"$OTHER\"].displayName | tonumber" "$(store "$agent")")))
		count_lost "state of $agent" $((expected[$agent] -
			$(jq ".usageStats[\"$P\"].errorCount" "$(dirname "$(store "$agent")")/auth-state.json")))
	done
}

count_lost() {
	lost=$((lost + $2))
	[ "$2" = 0 ] || where+=" $1: $2"
}

begin() {
	P=anthropic:$1
	mint "$1" left=-5m provider=anthropic
	write_store "main a b" "$P=$1" "$OTHER={\"type\": \"api_key\", \"provider\": \"xai\", \"key\": \"FAKE-KEY-1\", \"displayName\": \"0\"}"
	save "$UPDATES"
}

write_store "main a b"
start_workers main main a b

# Without us, for comparison.
begin alone
saved
tally "usage saved, without us" "$lost counts lost and $failed updates refused of $((UPDATES * 8))$where"

reset_posts
begin beside
reverted=0 unfinished=0
for ((round = 1; round <= ROUNDS; round++)); do
	keeper refresh -j --force
	expect_status 0 1 # 1: a store stayed locked, its copy comes with the next run
	[ "$status" = 0 ] || unfinished=$((unfinished + 1))
	[ "$(store_token main "$P")" = "$(server_token beside)" ] || reverted=$((reverted + 1))
done
saved
stop_workers
keeper refresh -j
expect_status 0
expect_posts "$ROUNDS"
expect_live beside "$P" main a b
tally "usage saved, with us" "$lost counts lost and $failed updates refused of $((UPDATES * 8)), beside $ROUNDS rotations; $reverted undone, $unfinished finished later$where"
expect_eq "updates refused" "$failed" 0
# main is shared by two processes of OpenClaw, whose own lock is at work there; the others by one and us.
if lock_is_sound; then
	expect_eq "counts lost" "$lost" 0
	expect_eq "our tokens undone in main" "$reverted" 0
else
	[[ $where != *" of a"* && $where != *" of b"* ]] || fail "counts are lost where one OpenClaw and we write:$where"
fi
