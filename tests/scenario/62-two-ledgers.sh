#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two ledger directories on one state directory: one of them works, the other does nothing and says which one it is.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
first=$LEDGER second=$HOME/second

# At once, and none is there yet: whoever claims the state directory first is the one.
for round in {1..5}; do
	fresh
	first=$LEDGER second=$HOME/second
	mint "r$round" left=30m
	write_store "main a" xai:default="r$round"
	for _ in {1..4}; do
		LEDGER=$first
		start_keeper refresh -j --wait 10m
		LEDGER=$second
		start_keeper refresh -j --wait 10m
	done
	wait_keepers
	expect_posts 1
	expect_generation "r$round" main a
	n=0
	for status in $statuses; do
		n=$((n + 1))
		case $status in 0 | 1 | 3) ;; *) fail "status of process $n in round $round is $status" ;; esac
	done
	expect_eq "processes that refreshed" "$(for run in $(seq $((RUN - 7)) $RUN); do
		jq -r '.accounts[] | select(.outcome == "refreshed") | .outcome' "$T/runs/$run.out"; done | wc -l)" 1
done

# Afterwards: the one that lost holds everything, and names the other.
owner=$(cut -d' ' -f2- "$STATE/locks/oauth-keepalive")
case $owner in "$first") LEDGER=$second ;; *) LEDGER=$first ;; esac
mint late left=30m
write_store "main a" xai:default=late
before=$(sum "$(store main)")
for args in refresh "refresh --force" sync; do
	# shellcheck disable=SC2086
	keeper $args -j
	expect_status 3
	expect_posts 1
	expect_untouched "$(store main)" "$before"
	expect_field '[.problems[] | select(.code == "ledger_conflict") | .fix] | length' 1
	expect_field "[.problems[] | select(.code == \"ledger_conflict\") | .message | contains(\"$owner\")] | first" true
done
LEDGER=$owner
keeper refresh -j
expect_status 0
expect_posts 2
expect_generation late main a

# A copy of a ledger is another ledger, as long as the first one is there: neither knows what the other sends.
cp -a "$owner" "$HOME/copy"
LEDGER=$HOME/copy
mint copied left=30m
write_store "main a" xai:default=copied
keeper refresh -j
expect_status 3
expect_posts 2
expect_field "[.problems[] | select(.code == \"ledger_conflict\") | .message | contains(\"$owner\")] | first" true
mv "$owner" "$owner.away" # it was moved, then
keeper refresh -j
expect_status 0
expect_posts 3
expect_generation copied main a
