#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Another person logs in to main while an agent goes on with the login before: where both are due, both are refreshed in
# that run, as its preview says, with one request each; however little it may wait, and by force, too.
# Long: killed at some steps.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
each='[.accounts[] | "\(.identity.email) \(.decision) \(.outcome)"] | sort | join(", ")'
copies() { if [ "$format" = json ]; then write_store "$@"; else write_database "$@"; fi; }
for format in json sqlite; do
	for how in "" "--wait 0" --force; do
		fresh
		mint alice left=5h
		copies "main a b" xai:default=alice
		keeper refresh -j
		expect_status 0
		mint bob left=30m
		copies main xai:default=bob
		due
		# shellcheck disable=SC2086
		keeper preview -j ${how%--wait 0}
		expect_field "$each" "alice@example.com refresh planned, bob@example.com refresh planned"
		# shellcheck disable=SC2086
		keeper refresh -j $how
		expect_status 0
		expect_field "$each" "alice@example.com refresh refreshed, bob@example.com refresh refreshed"
		expect_posts 2
		expect_generation alice a b
		expect_generation bob main
		keeper refresh -j
		expect_field '[.accounts[].outcome] | unique | join(" ")' unchanged
		expect_posts 2
	done
done

# One is refused: the other one's is as good as ever.
fresh
mint alice left=5h
write_store "main a" xai:default=alice
keeper refresh
control revoke '{"account": "alice"}' >/dev/null
mint bob left=30m
write_store main xai:default=bob
due
keeper refresh -j
expect_status 3
expect_posts 2
expect_field "$each" "alice@example.com login needs_login, bob@example.com refresh refreshed"
expect_generation bob main

# Killed at any of its steps: each is spent once, and the next runs finish the rest.
for step in $(kill_steps 24); do
	fresh
	mint alice left=5h
	write_store "main a" xai:default=alice
	keeper sync -q
	mint bob left=30m
	write_store main xai:default=bob
	due
	UNDER=(strace -qq -o /dev/null -e "inject=fsync,fdatasync:signal=KILL:when=$step")
	keeper refresh -j
	UNDER=()
	for _ in 1 2; do keeper refresh -j --wait 1m; done # a courier that is at it is waited for
	expect_status 0
	expect_eq "killed at $step: tokens that were sent twice" "$(control state | jq '[.tokens[] | select(. > 1)] | length')" 0
	expect_generation alice a
	expect_generation bob main
done
expect_no_secrets
