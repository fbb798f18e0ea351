#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a person reads is true at a glance: as of when, what is due, what is wrong with the clock, the margin, the disk, and
# with the accounts that were named, no others.
. "$(dirname "$0")/lib.sh" || exit 1

start_scripted
fake alice left=30m
fake bob left=5h provider=openai-codex
fake corp left=5h provider=corp
write_store main xai:default=alice "openai-codex:alice.with.a.long.name@example.com=bob" corp:x=corp

keeper preview --at +3d
expect_match "$out" '^as of 20[0-9-]+ [0-9:]+ [+-][0-9]+ \(in 3d\), if nothing is refreshed until then$'
keeper preview
expect_no_match "$out" '^as of'
keeper sync
expect_match "$out" '^xai:default +due +expires in 2[0-9]m'
expect_match "$out" '^3 accounts: 2 due, 1 skipped'
expect_eq "columns in which the verb begins" "$(grep -E ' due ' "$out" | grep -bo ' due ' | wc -l) $(grep -E ' due ' "$out" |
	while IFS= read -r line; do prefix=${line%% due *}; echo ${#prefix}; done | sort -u | wc -l)" "2 1"

# With accounts named, no other's problems; a login that nobody keeps is said to end, and an error once it has.
keeper status xai:default
expect_no_match "$out" 'not_refreshed'
keeper status
expect_match "$out" 'warning \[not_refreshed\] corp:x: .*; it ends at 20'
expect_status 0
fake corp left=-1h provider=corp
jq --slurpfile c "$T/logins/corp.json" '.profiles["corp:x"] = $c[0]' "$(store main)" >"$T/x" && cat "$T/x" >"$(store main)"
keeper status
expect_match "$out" 'error \[not_refreshed\] corp:x: .*; it ended at 20'
expect_status 3
keeper status xai:default
expect_status 0

# Nothing was to be written: nothing is said to be.
answers "{\"body\": $(tokens a2)}"
keeper refresh xai:default
expect_match "$out" '^xai:default .* refreshed +expires in 5h5[0-9]m; 1 of 1 copies written'
fake alice2 left=365m
write_store main xai:default=alice2
keeper refresh
expect_match "$out" '^xai:default +adopted +expires in 6h[0-4]m; [0-9a-f]+ -> '

# The reason is the true one, and no age is negative.
change_records 'del(.witness_ms) | .updated_ms += 864000000 | .live.at_ms += 864000000'
keeper status -j
expect_field '.accounts[0].error | "\(.code): \(.message[0:57])"' "clock: the system clock is wrong, and nothing is decided by time"
keeper status
expect_no_match "$out" '-[0-9]+[dhms]'

# A margin that cannot be kept, a setting that is not there, a duration without quotes.
fresh
fake dora left=5h
write_store main xai:default=dora
CONFIG='margin = "4m";'
keeper status -j
expect_field '.problems[] | select(.code == "margin_raised") | "\(.severity) \(.message | test("12m is used"))"' "info true"
expect_status 0
CONFIG='margin = "3h";'
keeper status -j
expect_field '[.problems[].code] | index("margin_raised")' null
CONFIG='margin = 2h;'
keeper status
expect_status 2
expect_match "$err" 'keeper.conf:[0-9]+: syntax error; a duration stands in quotes'
CONFIG='margins = "2h";'
keeper status
expect_match "$err" 'known here: '
CONFIG=
if [ -w /dev/full ]; then
	for args in status "status -j" refresh; do
		# shellcheck disable=SC2086
		keeper_command $args
		"${COMMAND[@]}" >/dev/full 2>"$err"
		expect_match "$err" 'standard output: No space left on device'
	done
fi
