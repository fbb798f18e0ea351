#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# 24 hours in which no name resolves for a quarter of every hour, with a token that lives for one, and a turn of
# OpenClaw's every 5 minutes: alone it comes to refresh without a network sooner or later, and from 2026.9.4 on that is
# the end of the login. With our timer it never has to refresh, and nothing is fenced off.
. "$(dirname "$0")/sqlite.sh" || exit 1

P=anthropic:default
"${CC:-cc}" -shared -fPIC -o "$T/clock.so" "$TESTS/scenario/clock.c" -ldl 2>"$T/clock.log" || skip "no compiler for the clock"
# The courier is started with an empty environment, and reads no files.
mkdir "$T/bin"
cp "$OAUTH_KEEPALIVE" "$T/bin/"
cat >"$T/bin/oauth-keepalive-courier" <<-END
	#!/bin/sh
	read -r ahead other <"$T/clock"
	LD_PRELOAD="$T/clock.so" TEST_AHEAD=\$ahead exec "$(dirname "$OAUTH_KEEPALIVE")/oauth-keepalive-courier"
END
chmod +x "$T/bin/oauth-keepalive-courier"
OAUTH_KEEPALIVE=$T/bin/oauth-keepalive
start_oidc
URL=$TOKEN_URL

# day LOGIN TIMER: a day of turns; the timer runs us before each of them, if it is "timer".
day() {
	local minute network answer
	fresh
	TOKEN_URL=$URL
	mint "$1" left=60m lifetime=60m provider=anthropic
	write_store main $P="$1"
	migrated
	main=$(main_database)
	echo "0 0" >"$T/clock"
	CUT= openclaw_environment
	coproc TURNS { "${ENVIRONMENT[@]}" "$CACHE/node" "$INTEROP/sqlite-driver.mjs" turns profile=$P 2>"$T/turns.err"; }
	local to=${TURNS[1]} from=${TURNS[0]}
	SERVERS+=("$TURNS_PID")
	fenced=0 without=0 ours=0 its=0 until=0 # the minute after the last turn that had a token
	reset_posts
	for ((minute = 0; minute < 24 * 60; minute += 5)); do
		network=on
		((minute % 60 < 30 || minute % 60 >= 45)) || network='cut'
		if [ "$2" = timer ]; then
			echo "$((minute * 60)) 0" >"$T/clock"
			TOKEN_URL=$URL
			[ $network = on ] || TOKEN_URL=https://oauth.invalid/token
			UNDER=(env "LD_PRELOAD=$T/clock.so" "TEST_CLOCK=$T/clock")
			keeper refresh -j
			UNDER=()
		fi
		echo "$((minute * 60000)) $network" >&"$to"
		IFS= read -r -t 100 answer <&"$from" || die "OpenClaw says nothing: $(tail -n 3 "$T/turns.err")"
		[ -z "${DEBUG:-}" ] || echo "$minute $network $answer $(document "$main" | jq -c ".profiles[\"$P\"].expires") $(now_ms)"
		if [ "$(jq .ok <<<"$answer")" = true ]; then until=$((minute + 5)); else without=$((without + 1)); fi
		its=$((its + $(jq .sent <<<"$answer")))
		[ "$(fences)" = 0 ] || fenced=$((fenced + 1))
	done
	eval "exec $to>&-"
	wait "$TURNS_PID"
	TOKEN_URL=$URL
	ours=$(($(posts) - its))
	lost=no
	[ "$(store_token "$main" $P)" = "$(server_token "$1")" ] || lost="yes, after $((until / 60)) h $((until % 60)) min"
	tally "24 hours, the network away for 15 minutes of each, $2" \
		"$without of 288 turns without a token, login lost: $lost (refreshed by OpenClaw $its times, by us $ours)"
}

day alice alone
if is_later_than 2026.9.4; then
	[ "$fenced" -gt 0 ] || fail "OpenClaw alone fenced nothing off"
	expect_eq "alone, the login is lost" "${lost%%,*}" yes
fi
day bob timer
expect_eq "turns that saw a fence" "$fenced" 0
expect_eq "turns without a token" "$without" 0
expect_eq "refreshed by OpenClaw" "$its" 0
expect_eq "with us, the login is lost" "$lost" no
expect_eq "bob's grant is alive" "$(control state | jq '.accounts.bob.alive')" true
expect_intact
expect_no_secrets
