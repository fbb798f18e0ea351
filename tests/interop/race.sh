# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Rounds in which everybody wants one expired profile at the same moment: 4 processes of the real OpenClaw (two of the
# main agent, one each of two others) and, beside them or not, 4 of ours, against the strict server, which spends a
# token once and revokes the grant on a replay. A login of its own for each round, so that one revoked grant
# spoils one round.
#
#	race_begin                    the warm processes
#	race alone|beside|early N     $result is what came of it
#	tally_race POLLS                 its cell in the table of `run`
#	race_end
#
# alone: OpenClaw without us. beside: 4 of ours at the same moment. early: one of ours before, as the timer's run
# comes long before the expiry; the token still lives, but OpenClaw would refresh it.
# DEAD_LOCK=1: a killed holder has left its lock; whoever comes must reclaim it.
#
# Afterwards: rounds, one_post, dead (revoked grants), stale (rounds whose stores do not hold what lives), extra
# (requests above one a round), ours_more (of ours above one a round), errors (OpenClaw's processes without a token),
# by_us (rounds with a request of ours), orders (who sent what in the rounds with more than one: U we, O OpenClaw).

race_begin() {
	write_store "main a b" "anthropic:none={\"type\": \"api_key\", \"provider\": \"anthropic\", \"key\": \"FAKE-KEY-0\"}"
	start_workers main main a b
}

# shellcheck disable=SC2034
race() {
	local n=$2 round

	mode=$1
	RACES=$((${RACES:-0} + 1))
	rounds=0 orders= one_post=0 dead=0 stale=0 extra=0 ours_more=0 errors=0 by_us=0
	for ((round = 1; round <= n; round++)); do race_round "$mode-$RACES-$round"; done
	result="$one_post of $rounds rounds with one request, $extra more requests, $dead grants revoked,"
	result+=" $errors OpenClaws without a token, $by_us rounds with a request of ours"
	[ -z "$orders" ] || result+=" (more than one:$orders)"
}

tally_race() {
	echo "# $1, $mode: $result"
	[ -z "${TALLY:-}" ] ||
		echo "$OPENCLAW|$1|$mode|$one_post / $extra / $dead / $errors|$by_us|${orders# }" >>"$TALLY.races"
}

# who_sent BEFORE: the requests since then, in order: each of OpenClaw's is the first one the server saw after it was sent.
who_sent() {
	jq -rn --argjson before "$1" --slurpfile answers "$T/answers" --slurpfile state "$T/state" '
		def ms: (.[0:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber);
		[$state[0].requests[] | select(.path == "/token")][$before:] | map({ms: (.time | ms), who: "U"})
		| reduce ($answers | [.[].sent[].at] | sort[]) as $at
			(.; ([range(length) as $i | select(.[$i].who == "U" and .[$i].ms >= $at) | $i][0] // 0) as $i | .[$i].who = "O")
		| map(.who) | join("")'
}

race_end() { stop_workers; }

# leave_dead_lock PROFILE
leave_dead_lock() {
	local name gone

	true &
	gone=$!
	wait $gone
	name=$(printf '%s\0%s' "${1%%:*}" "$1" | sha256sum | cut -c1-64)
	mkdir -p "$STATE/locks/oauth-refresh"
	printf '{\n  "pid": %d,\n  "createdAt": "%s"\n}' "$gone" "$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)" \
		>"$STATE/locks/oauth-refresh/sha256-$name.lock"
}

# expect_reported PROFILE: OpenClaw's replay ended this login. One try of ours tells, and none follows.
expect_reported() {
	local before

	keeper refresh -j --force "$1"
	expect_status 3
	expect_field ".accounts[] | select(.profile == \"$1\") | .outcome" needs_login
	before=$(posts)
	keeper refresh -j --force "$1"
	expect_status 3
	expect_eq "requests for a login that is over" $(($(posts) - before)) 0
}

race_round() {
	local login=$1 profile=anthropic:$1 at i before sent ours

	mint "$login" left="$([ "$mode" = early ] && echo 4m || echo -5m)" provider=anthropic
	write_store "main a b" "$profile=$login"
	before=$(posts)
	control delay '{"answers": 1, "ms": 60}' >/dev/null
	if [ "$mode" = early ]; then
		keeper refresh -j
		expect_status 0
	fi
	if [ -n "${DEAD_LOCK:-}" ]; then leave_dead_lock "$profile"; fi
	at=$(($(now_ms) + 100))
	for i in 0 1 2 3; do ask $i refresh "profile=$profile" "at=$((at + RANDOM % 60))"; done
	if [ "$mode" = beside ]; then
		sleep "$(printf '0.%03d' $((30 + RANDOM % 110)))" # either may be the first
		for i in 1 2 3 4; do
			start_keeper refresh -j "$profile"
			sleep "0.0$((RANDOM % 3))"
		done
	fi
	: >"$T/answers"
	for i in 0 1 2 3; do answer $i >>"$T/answers"; done
	[ "$mode" = beside ] && wait_keepers
	# What OpenClaw alone leaves behind is its own; where we are, the next timer run comes.
	if [ "$mode" != alone ]; then keeper refresh -j "$profile"; fi

	sent=$(($(posts) - before))
	ours=$((sent - $(jq -s '[.[].sent[]] | length' "$T/answers")))
	rounds=$((rounds + 1))
	errors=$((errors + $(jq -s 'map(select(.ok | not)) | length' "$T/answers")))
	extra=$((extra + sent - 1))
	[ "$sent" = 1 ] && one_post=$((one_post + 1))
	[ "$ours" -ge 1 ] && by_us=$((by_us + 1))
	[ "$ours" -le 1 ] || ours_more=$((ours_more + ours - 1))
	control state >"$T/state"
	[ "$sent" = 1 ] || orders+=" $(who_sent "$before")"
	if [ "$(jq ".accounts[\"$login\"].alive" "$T/state")" != true ]; then
		dead=$((dead + 1))
		[ "$mode" = alone ] || expect_reported "$profile"
		return
	fi
	for i in main a b; do
		# A sub-agent's copy that main shadows is left as it was by OpenClaw itself, from 2026.4.29 on.
		[ "$mode" = alone ] && [ "$i" != main ] && continue
		[ "$(store_token $i "$profile")" = "$(jq -r ".accounts[\"$login\"].generation" "$T/state")" ] && continue
		stale=$((stale + 1))
		break
	done
}
