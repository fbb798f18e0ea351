#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A clock that the ledger or a server contradicts: it is said (exit status 3), nothing is thrown away by it, and once it is
# right everything goes on by itself, with the expiry put right in every store and no request more than needed.
. "$(dirname "$0")/lib.sh" || exit 1

"${CC:-cc}" -shared -fPIC -o "$T/clock.so" "$TESTS/scenario/clock.c" -ldl 2>"$T/clock.log" || skip "no compiler for the clock"
# The courier gets no environment of ours, so it is started by one that gives it the same clock.
mkdir "$T/build"
cp "$OAUTH_KEEPALIVE" "$T/build/oauth-keepalive"
printf '#!/bin/sh\nLD_PRELOAD=%s TEST_AHEAD=$(cat %s) exec %s "$@"\n' "$T/clock.so" "$T/ahead" "$OAUTH_KEEPALIVE-courier" \
	>"$T/build/oauth-keepalive-courier"
chmod +x "$T/build/oauth-keepalive-courier"
OAUTH_KEEPALIVE=$T/build/oauth-keepalive
clock() {
	echo "$1" >"$T/ahead"
	UNDER=(env LD_PRELOAD="$T/clock.so" TEST_AHEAD="$1")
}
start_oidc
clocks() { jq '[.problems[] | select(.code == "clock")] | length' "$out"; }
kept() { find "$LEDGER/displaced" "$LEDGER/settled" -type f | wc -l; }
expires_in() { echo $(($(jq '.profiles["xai:default"].expires' "$(store "$1")") / 1000 - $(date +%s))); }
within() { [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] || fail "$1: $2, shall be from $3 to $4"; }
clock 17280000
fresh
mint probe left=5h
write_store main xai:default=probe
keeper preview --check
[ "$status" = 5 ] || skip "the clock cannot be moved here"

for ahead in 17280000 86400 -86400; do
	for jwt in yes no; do
		# A login, another that takes its place (so that something is kept), and a refresh.
		clock 0
		fresh
		mint alice left=5h jwt=$jwt
		write_store "main a" xai:default=alice
		keeper refresh -j
		mint alice left=359m jwt=$jwt
		write_store a xai:default=alice
		keeper refresh -j
		due
		keeper refresh -j
		expect_status 0
		expect_posts 1
		before=$(kept)
		[ "$before" -ge 3 ] || fail "something is kept: $before"

		clock $ahead
		for run in 1 2 3; do
			keeper refresh -j
			expect_status 3
			expect_eq "run $run says so" "$(clocks)" 1
			[ "$(kept)" -ge "$before" ] || fail "$ahead, run $run: $(kept) kept, were $before"
		done
		case $ahead in -*) expect_posts 1 ;; *) expect_posts 2 ;; esac

		clock 0
		keeper refresh -j
		expect_status 0
		expect_eq "it is right now" "$(clocks)" 0
		case $ahead in -*) expect_posts 1 ;; *) expect_posts 2 ;; esac
		within "expires in main" "$(expires_in main)" 21000 21700
		within "expires in a" "$(expires_in a)" 21000 21700
		keeper refresh -j
		expect_field '.accounts[0].outcome' unchanged
		due
		keeper refresh -j
		expect_status 0
		expect_field '.accounts[0].outcome' refreshed
		expect_generation alice main a
	done
done

# The first run of all on such a clock.
for ahead in 17280000 -3600; do
	clock $ahead
	fresh
	mint bob left=30m
	write_store "main a" xai:default=bob
	keeper refresh --force -j
	expect_status 3
	expect_posts 1
	clock 0
	keeper refresh -j
	[ $ahead -lt 0 ] || expect_status 0
	due
	keeper refresh --force -j
	expect_status 0
	expect_generation bob main a
done

# A ledger of version 0.1, stamped in the future by a clock that was ahead: its token knows better.
clock 0
fresh
mint carol left=6h jwt=yes
write_store "main a" xai:default=carol
keeper refresh -j
due
keeper refresh -j
change_records 'del(.witness_ms, .previous) | .updated_ms += 17280000000 | .refreshed_ms += 17280000000
	| .live.expires_ms += 17280000000'
keeper refresh -j
expect_status 0
expect_posts 1
within "expires in main" "$(expires_in main)" 21000 21700

# Logged out: its tokens go after a week, but not by a clock that is ahead.
fresh
mint dora left=6h
write_store "main a" xai:default=dora
keeper refresh -j
write_store main xai:z='{"type": "api_key", "provider": "xai", "key": "FAKE-KEY-FAKE-KEY"}'
keeper refresh -j
clock 17280000
for _ in 1 2; do keeper refresh -j; done
[ "$(jq -r '.live.refresh' "$LEDGER"/accounts/*.json)" != null ] || fail "the tokens of the ended login are kept"
expect_no_secrets
