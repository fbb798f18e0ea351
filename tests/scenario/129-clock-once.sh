#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A clock that was wrong once, ahead or behind, whatever was done meanwhile, bars nothing once it is right; and a server
# whose own clock is wrong ends no login.
. "$(dirname "$0")/lib.sh" || exit 1

"${CC:-cc}" -shared -fPIC -o "$T/clock.so" "$TESTS/scenario/clock.c" -ldl 2>"$T/clock.log" || skip "no compiler for the clock"
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
jwt() { echo "e30.$(base64 -w0 <<<"$1" | tr '/+' '_-' | tr -d =).e30"; }
later() { change_records ".not_before_ms -= $1 * 60000"; } # as if so many minutes had passed
start_scripted
server=$TOKEN_URL
clock 17280000
fake probe left=5h
write_store main xai:default=probe
keeper preview --check
[ "$status" = 5 ] || skip "the clock cannot be moved here"

# While it was ahead nothing could be sent, and that was written down; or a copy was written, and nothing else.
for ahead in 10800 86400 17280000; do
	for meanwhile in failure mirror; do
		clock 0
		fresh
		fake alice left=1h
		write_store "main a" xai:default=alice
		answers "{\"body\": $(tokens "$ahead-1")}"
		keeper refresh -j
		expect_status 0
		clock $ahead
		if [ $meanwhile = failure ]; then
			TOKEN_URL=http://127.0.0.1:1/token
			keeper refresh --force -j
			expect_field '.accounts[0].error.code' connect
			TOKEN_URL=$server
		else
			write_store a xai:default=alice
			keeper sync -j
			expect_eq "the copy is mirrored" "$(store_token a)" "$(store_token main)"
		fi
		clock 0
		keeper status -j
		expect_eq "$meanwhile, $ahead: it bars nothing" "$status $(field '[.problems[] | select(.code == "clock")] | length')" "0 0"
		due
		later 5
		answers "{\"body\": $(tokens "$ahead-2")}"
		keeper refresh -j
		expect_status 0
		expect_field '.accounts[0].outcome' refreshed
		expect_posts 2
		keeper refresh -j
		expect_status 0
	done
done

# A pause that was begun then is no longer than it was.
clock 0
fresh
fake bob left=1h
write_store main xai:default=bob
answers "{\"body\": $(tokens b1)}"
keeper refresh
clock 10800
due
change_records '.live.expires_ms += 10800000'
answers '{"status": 429}'
keeper refresh -j
expect_field '.accounts[0].error.code' http_429
clock 0
due
keeper refresh -j
minutes=$((($(date -d "$(field '.accounts[0].error.retry_at')" +%s) - $(date +%s)) / 60))
[ $minutes -le 15 ] || fail "it waits for $minutes minutes, not for the 15 that it was told to"

# A token of unknown outcome, sent at a time that has yet to come, is in nobody's window: it is not sent again at once.
fresh
fake carol left=5h
write_store main xai:default=carol
keeper refresh
clock 7200
change_records '.live.expires_ms += 7200000'
answers '{"cut": "before"}'
keeper refresh --force -j
expect_posts 1
clock 0
keeper refresh -j
expect_posts 1
expect_field '.accounts[0].error.code' unknown_outcome

# It was behind when the server answered, and is right again: whatever is saved after that bars nothing either.
clock -86400
fresh
fake dora left=1h
write_store "main a" xai:default=dora
answers "{\"body\": $(tokens d1)}"
keeper refresh --force -j
expect_posts 1
clock 0
write_store a xai:default=dora
keeper sync
answers "{\"body\": $(tokens d2)}" # by the old clock it has expired long ago
keeper refresh -j
expect_status 0
expect_posts 2
for _ in 1 2; do
	keeper refresh -j
	expect_status 0
	expect_field '.problems | map(select(.code == "clock")) | length' 0
done
due
answers "{\"body\": $(tokens d3)}"
keeper refresh -j
expect_status 0
expect_posts 3

# A server that is a year ahead or behind, or says no time, or nonsense. A fresh token that says when it was made is
# believed with our own clock against it; without one it is said, and every login is refreshed in time all the same.
for date in '"Fri, 01 Jan 2100 00:00:00 GMT"' '"Mon, 01 Jan 2024 00:00:00 GMT"' null '"soon"' '""'; do
	for kind in jwt opaque; do
		force= # (the token of kind jwt says itself that it is not due)
		[ $kind = jwt ] && force=--force
		clock 0
		fresh
		fake erin left=1h
		write_store "main a" xai:default=erin
		for n in 1 2 3; do
			more={}
			now=$(date +%s) # ("exp" may be reckoned a second or two after "iat")
			[ $kind = jwt ] && more="{\"access_token\": \"$(jwt "{\"iat\":$now,\"exp\":$((now + 21599 + n)),\"n\":$n}")\"}"
			answers "{\"headers\": {\"Date\": $date}, \"body\": $(tokens "e$n" "$more")}"
			due
			keeper refresh -j $force
			expect_field '.accounts[0].outcome' refreshed
			expect_posts $n
			case "$kind $date" in opaque*Jan*) expect_status 3 ;; *) expect_status 0 ;; esac
			keeper refresh -j
			expect_field '.accounts[0].outcome' unchanged
		done
	done
done
expect_no_secrets
