#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `token` prints the access token of one account alone, to a script that asks, and to nobody else: refreshed first if it
# would not live long enough and may be refreshed. Otherwise nothing is printed, and the exit status says what is wrong.
. "$(dirname "$0")/lib.sh" || exit 1

# access STORE [PROFILE]: fingerprint of the access token that stands there. printed: of what was printed, with its line
# end; a fingerprint of nothing is expect_nothing's.
access() { jq -r --arg p "${2:-xai:default}" '.profiles[$p].access' "$(store "$1")" | sha256sum; }
expect_printed() { expect_eq "fingerprint of what is printed" "$(sha256sum <"$out")" "$(access "$@")"; }
expect_nothing() { expect_eq "bytes on standard output" "$(stat -c %s "$out")" 0; }
# What was printed by its own wish is no leak: standard error, the ledger's log and hooks stay.
expect_no_leak() {
	find "$T/runs" -name '*.out' -exec truncate -s 0 {} +
	expect_no_secrets "$LEDGER"/log/* "$@"
}

# shellcheck disable=SC2119
start_oidc
mint alice left=5h email=alice@example.com
write_store "main a" xai:default=alice

# ---- long enough: nothing is sent, nothing is written, whether the ledger knows it or not
before=$(every_file | xargs -d '\n' ls -ld --time-style=full-iso)
keeper token xai:default
expect_status 0
expect_printed main
[ -e "$LEDGER" ] && fail "a ledger was made to print a token"
expect_eq "files of the state directory" "$(every_file | xargs -d '\n' ls -ld --time-style=full-iso)" "$before"
keeper refresh
for name in xai:default alice@example.com xai/xai:default 'xai:*' xai a; do
	keeper token "$name" --min-life 4h
	expect_status 0
	expect_printed main
done
expect_posts 0

# ---- too short: refreshed first, everywhere, once; what a hook prints is not in the output
CONFIG='hooks = { refreshed = "echo said by the hook"; };'
due # one hour is left, which is enough for less
keeper token xai:default --min-life 30m
expect_status 0
expect_printed main
expect_posts 0
keeper token xai:default --min-life 2h -v
expect_status 0
expect_posts 1
expect_generation alice main a
expect_printed main
expect_match "$err" "said by the hook"
keeper log
expect_match "$out" "refreshed"
keeper token xai:default --min-life 2h
expect_posts 1

# ---- a race: each prints the one new token
due
for i in 1 2 3 4; do
	start_keeper token xai:default --min-life 3h --wait 60s
	raced[i]=$out
done
wait_keepers
expect_eq "statuses of the race" "$statuses" "0 0 0 0"
expect_posts 2
for out in "${raced[@]}"; do expect_printed main; done

# ---- longer than any token lives: each call would send one in vain
keeper token xai:default --min-life 6h
expect_status 1
expect_nothing
expect_match "$err" "never live that long"
expect_posts 2

# ---- what is no question that has one answer
keeper token
expect_status 2
keeper token xai:default xai:work
expect_status 2
keeper token nobody
expect_status 2
expect_match "$err" "xai:default"
keeper token xai:default --min-life soon
expect_status 2
keeper token xai:default -j
expect_status 2
expect_nothing
expect_no_leak

mint bob left=5h email=bob@example.com
write_store main xai:default=alice xai:work=bob
keeper refresh
keeper token 'xai:*'
expect_status 2
expect_nothing
expect_match "$err" "xai:default .*alice@example.com"
expect_match "$err" "xai:work .*bob@example.com"
id=$(sed -n 's/.*  \([0-9a-f]*\)  .*bob@example.com.*/\1/p' "$err")
keeper token "$id"
expect_status 0
expect_printed main xai:work

# ---- to whom it is not shown
keeper_command token xai:default
script -qec "$(printf '%q ' "${COMMAND[@]}")" "$T/typescript" >/dev/null 2>&1 </dev/null
grep -q "standard output is a terminal" "$T/typescript" || fail "a terminal is not refused" "$(head -c 300 "$T/typescript")"
keeper_command token xai:default
# shellcheck disable=SC2094 # the stream of its own output
JOURNAL_STREAM=$(stat -Lc %d:%i "$T/typescript") "${COMMAND[@]}" >>"$T/typescript" 2>"$err"
expect_eq "status with the journal" $? 2
expect_match "$err" "is the journal"
expect_no_leak "$T/typescript"

# ---- it cannot be had: a back-off is respected, an ended login and an excluded one give nothing
keeper_alone() { keeper token "$@"; expect_nothing; expect_posts "$posts"; }
due
control revoke '{"account": "alice"}' >/dev/null
keeper token xai:default --min-life 2h
expect_status 3
expect_nothing
posts=$(($(posts) - POSTS_BEFORE))
keeper_alone xai:default --min-life 2h
expect_status 3
expect_match "$err" "xai:default: its token lives for"
keeper token xai:default # for an hour it lives all the same, as far as anybody knows
expect_status 0
expect_printed main
change_records '.live.expires_ms = (now * 1000 | floor) - 1000'
keeper_alone xai:default --min-life 0
expect_status 3
CONFIG='exclude = ( "xai:work" );'
keeper_alone xai:work
expect_status 1
CONFIG=

# ---- busy
fresh
mint carol left=30m
write_store main xai:default=carol
hold_answer
start_keeper refresh
# shellcheck disable=SC2317 # by wait_until
was_sent() { [ "$(($(posts) - POSTS_BEFORE))" = 1 ]; }
wait_until was_sent
keeper token xai:default --min-life 1h --wait 0
expect_status 4
expect_nothing
release_answer
wait_keepers
keeper token xai:default --min-life 1h
expect_status 0
expect_printed main
expect_posts 1
expect_no_leak
