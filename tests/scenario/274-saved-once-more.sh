#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A person's login that is older than the live one is replaced, and that is said, each time it is saved: in a copy, in main,
# and once more. The command shown brings it back. Of a spent token, which no command can bring back, it is not said.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
one() { mint alice left="$1" && mv "$T/logins/alice.json" "$T/logins/$2.json"; }
copies() { if [ "$FORMAT" = json ]; then write_store "$@"; else write_database "$@"; fi; }
said='[.problems[] | select(.code == "login_displaced")]'

for FORMAT in json sqlite; do
	[ $FORMAT = json ] && main=main || main=shared
	fresh
	one 5h live
	one 2h older
	copies "$main a" xai:default=live
	keeper sync -q
	for place in a $main a; do
		copies $place xai:default=older
		keeper refresh -q -j
		expect_status 0
		expect_eq "$FORMAT: said of $place" "$(field "$said | length")" 1
		expect_field "${said}[0].fix" "oauth-keepalive restore $(login_token older)"
		expect_eq "$FORMAT: $place" "$(store_token $place)" "$(login_token live)"
		keeper refresh -q -j
		expect_field "$said | length" 0
	done
	keeper restore "$(login_token older)" -j
	expect_status 0
	expect_eq "$FORMAT: brought back" "$(store_token $main) $(store_token a)" "$(login_token older) $(login_token older)"
	expect_posts 0

	keeper refresh --force -j
	expect_posts 1
	copies a xai:default=older
	keeper refresh -q -j
	expect_status 0
	expect_field "$said | length" 0
	expect_eq "$FORMAT: repaired" "$(store_token a)" "$(store_token $main)"
done
expect_no_secrets
