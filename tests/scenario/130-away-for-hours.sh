#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The network is away for hours, past the end of the access token: every run tries, spends nothing and says since when, in
# one line; and the first run after it is back refreshes.
. "$(dirname "$0")/lib.sh" || exit 1

"${CC:-cc}" -shared -fPIC -o "$T/clock.so" "$TESTS/scenario/clock.c" -ldl 2>"$T/clock.log" || skip "no compiler for the clock"
start_scripted
server=$TOKEN_URL
fake alice left=30m
write_store "main a" xai:default=alice
before=$(sum "$(store main)")
TOKEN_URL=http://127.0.0.1:1/token
for minutes in 0 5 10 15 20 25 45 90 180 300 600; do
	UNDER=(env LD_PRELOAD="$T/clock.so" TEST_AHEAD=$((minutes * 60)))
	keeper refresh -j
	expect_status 1
	[ "$(field '.accounts[0].error.code')" = connect ] || skip "the clock cannot be moved here"
	message=$(field '.accounts[0].error.message')
	case $message in "nothing was sent: "*) ;; *) fail "after $minutes minutes it does not try" "$message" ;; esac
	since=$(sed -n 's/.*, as since //p' <<<"$message")
	case $minutes in
	0) expect_eq "the first time" "$since" "" ;;
	5) first=$since ;;
	*) expect_eq "since when, after $minutes minutes" "$since" "$first" ;;
	esac
	keeper status -q # … and between two runs
	expect_eq "lines that say so" "$(grep -c 'last attempt failed (connect)' "$out") $(wc -l <"$err")" "1 0"
done
[ $(($(date +%s) - $(date -d "$first" +%s))) -le 300 ] || fail "it says $first"
expect_untouched "$(store main)" "$before"
expect_posts 0
expect_eq "receipts" "$(ls "$LEDGER/receipts")" ""
TOKEN_URL=$server
UNDER=(env LD_PRELOAD="$T/clock.so" TEST_AHEAD=$((605 * 60)))
answers "{\"body\": $(tokens a2)}"
keeper refresh -j
expect_field '.accounts[0].outcome' refreshed
expect_posts 1
expect_field '.accounts[0].error' null
