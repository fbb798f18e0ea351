#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One file with logins of several accounts, one shared and one withheld: each follows its own, all at once and under one
# lock, and what is none of ours in it stays.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc
mint alice provider=openai-codex jwt=yes lifetime=10d left=1d
mint bob provider=xai jwt=yes left=30m
mint carol provider=anthropic lifetime=8h left=1h
write_store "main a" $ID=alice xai:default=bob anthropic:default=carol
pi=$HOME/.pi/agent/auth.json
mkdir -p "$(dirname "$pi")"
jq -s '{"openai-codex": .[0], groq: {type: "api_key", key: "FAKE"}, xai: .[1], anthropic: .[2]}
	| map_values(if .refresh then {type: "oauth", access, refresh, expires} else . end)' \
	"$T"/logins/{alice,bob,carol}.json >"$pi"
follow pi "$pi" $ID 'refresh_token = "share";'
follow pi "$pi" xai:default 'refresh_token = "share";'
follow pi "$pi" anthropic:default
others=$(jq -c 'map_values(keys_unsorted) | ., keys_unsorted' "$pi")
keeper refresh -j
expect_status 0
expect_posts 3
entry() { fingerprint_of <"$pi" --arg p "$1" --arg f "$2" '.[$p][$f]'; }
expect_eq "alice's token" "$(entry openai-codex refresh)" "$(server_token alice)"
expect_eq "bob's token" "$(entry xai refresh)" "$(server_token bob)"
expect_eq "carol's refresh token" "$(jq -r .anthropic.refresh "$pi")" ""
expect_eq "carol's access token" "$(entry anthropic access)" "$(main_access anthropic:default)"
expect_eq "members and their order" "$(jq -c 'map_values(keys_unsorted) | ., keys_unsorted' "$pi")" "$others"
expect_eq "the API key" "$(jq -r .groq.key "$pi")" FAKE
expect_eq "its lock" "$(ls -A "$(dirname "$pi")")" auth.json
for who in alice bob carol; do
	expect_eq "$who's grant" "$(control state | jq ".accounts.$who.alive")" true
done
keeper refresh -j
expect_field '[.accounts[].outcome] | unique | join(" ")' unchanged
expect_field '[.accounts[] | {(.profile): (.copies[] | select(.role == "external") | .state)}] | add | tostring' \
	'{"openai-codex:default":"current","xai:default":"current","anthropic:default":"withheld"}'
expect_no_secrets

# Pi has it: of those that pi could refresh nothing is sent; its copy of the third follows later.
mkdir "$pi.lock"
due
keeper refresh -j --wait 0
expect_status 1
expect_posts 4
expect_field '.accounts[] | select(.profile == "anthropic:default") | .outcome' refreshed
rmdir "$pi.lock"
keeper refresh
expect_status 0
expect_posts 6
