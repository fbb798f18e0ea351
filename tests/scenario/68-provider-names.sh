#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A provider's name is compared as OpenClaw compares it (trimmed, in lower case): it is the same login however a store spells
# it, its locks are those of both spellings, and what stands in the store stays as it is spelt.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
sleep infinity &
live=$!
SERVERS+=("$live")
spelt() { jq -c --arg p "$2" '.provider = $p' "$T/logins/$1.json"; } # LOGIN PROVIDER
lock_of() { echo "$STATE/locks/oauth-refresh/sha256-$(printf '%s\0xai:default' "$1" | sha256sum | cut -c1-64).lock"; }
provider_in() { jq -c '.profiles["xai:default"].provider' "$(store "$1")"; }

# Main and an agent spell it in two ways: one account, one request, each store as it was spelt.
mint alice left=30m
write_store main xai:default="$(spelt alice "XAI")"
write_store a xai:default="$(spelt alice " xAi ")"
write_store b xai:default=alice
keeper preview -j
expect_field '.accounts | length' 1
expect_field '.problems | length' 0

# A lock under either name, from whatever version, is respected.
(umask 077 && mkdir -p "$STATE/locks/oauth-refresh")
for name in XAI " xAi " xai; do
	printf '{"pid": %d, "createdAt": "%s"}\n' "$live" "$(date -u +%FT%T.000Z)" >"$(lock_of "$name")"
	keeper refresh -j --wait 0
	expect_status 4
	expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "busy lock_busy"
	expect_posts 0
	rm "$(lock_of "$name")"
done
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice main a b
expect_eq "as it is spelt" "$(provider_in main) $(provider_in a) $(provider_in b)" '"XAI" " xAi " "xai"'
expect_eq "locks left" "$(find "$STATE/locks/oauth-refresh" -type f | wc -l)" 0
keeper refresh -j
expect_field '.accounts[0].outcome' unchanged

# The configuration may spell it as it likes, but only once; and an exclusion excludes every spelling.
fresh
mint bob left=5m provider=corp
write_store main corp:default="$(spelt bob Corp)"
PROVIDERS="{ name = \"CORP\"; token_url = \"$TOKEN_URL\"; client_id = \"x\"; }"
keeper preview -j
expect_field '.accounts[0] | "\(.provider) \(.decision)"' "corp refresh"
CONFIG='exclude = ( "CORP/corp:*" );'
keeper preview -j
expect_field '.accounts[0].decision' skip
CONFIG=
PROVIDERS="{ name = \"CORP\"; token_url = \"$TOKEN_URL\"; client_id = \"x\"; }, { name = \"corp\"; client_id = \"y\"; }"
keeper preview
expect_status 2
expect_match "$err" "for the second time"
expect_no_secrets
