#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kimi-code refreshes at half of the lifetime: where it shares a login we go before it, whatever margin is configured.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc
scene() {
	fresh_programs
	mint alice provider=corp lifetime=1h left="$1"
	write_store main corp:default=alice
	PROVIDERS="{ name = \"corp\"; token_url = \"$TOKEN_URL\"; client_id = \"agents\"; lifetime = \"1h\"; margin = \"15m\"; }"
	file=$HOME/.kimi-code/credentials/kimi-code.json
	mkdir -p "$(dirname "$file")"
	jq '{access_token: .access, refresh_token: .refresh, expires_at: (.expires / 1000 | floor), scope: "kimi-code",
		token_type: "Bearer", expires_in: 3600}' "$T/logins/alice.json" >"$file"
}
kimi_token() { fingerprint_of <"$file" .refresh_token; }

# 35 minutes are left, the margin is 15: it would refresh in 5 minutes, so we do now.
scene 35m
keeper preview -j
expect_field '.accounts[0] | "\(.outcome) \(.margin_s)"' "unchanged 900"
follow kimi-code "$file" corp:default 'refresh_token = "share";'
keeper preview -j
expect_field '.accounts[0].margin_s > 1800' true
expect_field '.problems | map(select(.code == "margin_below_tool")) | length' 0
keeper refresh -j
expect_status 0
expect_posts 1
expect_eq "its token" "$(kimi_token)" "$(server_token alice)"
expect_eq "its expires_in" "$(jq .expires_in "$file")" 3600

# A withheld copy refreshes nothing: the margin is what was asked for.
scene 35m
follow kimi-code "$file" corp:default 'refresh_token = "withhold";'
keeper refresh # until then it has its token
expect_posts 1
keeper status -j
expect_field '.accounts[0].margin_s' 900
expect_field '.problems | map(select(.code == "margin_below_tool")) | length' 0
keeper refresh -j --force
expect_status 0
expect_eq "its expiry, so that it never asks" "$(jq .expires_at "$file")" 0
expect_eq "its refresh token" "$(jq -r .refresh_token "$file")" ""

# With a timer of every half an hour the margin is as long as it can be, and that is said.
scene 50m
follow kimi-code "$file" corp:default 'refresh_token = "share";'
CONFIG+=' timer_period = "30m";'
keeper status -j
expect_field '.accounts[0].margin_s' 2880
expect_match "$out" timer_too_slow
expect_no_secrets
