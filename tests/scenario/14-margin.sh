#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A third of xAI's six hours is the margin: nothing happens 2 h 1 min before the end, not even a socket; at 1 h 59 it does.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=121m
write_store "main a" xai:default=alice
before=$(sum "$(store main)")
traced refresh -j
expect_status 0
expect_field '.accounts[0] | "\(.decision) \(.outcome) \(.margin_s) \(.lifetime_s)"' "none unchanged 7200 21600"
expect_no_traces "$ASKS"
expect_eq "programs started" "$(programs_started)" 1
expect_untouched "$(store main)" "$before"
expect_posts 0
keeper refresh -q
expect_eq "output with nothing to do" "$(cat "$out" "$err")" ""

fresh
mint bob left=119m
write_store "main a" xai:default=bob
traced refresh -j
expect_traces "$ASKS"
expect_eq "programs started" "$(programs_started)" 2
expect_status 0
expect_field '.accounts[0] | "\(.decision) \(.outcome)"' "refresh refreshed"
expect_field '.accounts[0].remaining_s | . > 21500 and . <= 21600' true
expect_posts 1
expect_generation bob main a

fresh
mint carol left=119m
write_store main xai:default=carol
CONFIG='margin = "1h";'
keeper refresh -j
expect_field '.accounts[0].outcome' unchanged
expect_posts 0

# A provider that keeps its refresh token, and a look ahead beyond the new expiry: one request, and it went well.
start_scripted
for args in "--force" "--at +10h"; do
	fresh
	CONFIG=
	fake dave left=5h
	write_store "main a" xai:default=dave
	answers "{\"body\": $(tokens dave2 '{"refresh_token": null}')}"
	# shellcheck disable=SC2086
	keeper refresh -j $args
	expect_status 0
	expect_posts 1
	expect_field '.accounts[0].outcome' refreshed
	expect_eq "access token in a" "$(jq -r '.profiles["xai:default"].access' "$(store a)")" FAKE-ACCESS-dave2
done
