#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What codex gets by default is the access token alone, in the spelling with which it never asks for another one.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc
mint alice provider=openai-codex jwt=yes lifetime=10d left=9d
write_store "main a" $ID=alice
write_codex alice
follow codex-cli "$CODEX" $ID
keeper preview -j
expect_eq "its state" "$(copy_state)" pending
keeper refresh -j
expect_status 0
expect_posts 0
withheld='["chatgptAuthTokens",""]'
expect_eq "what codex holds" "$(jq -c '[.auth_mode, .tokens.refresh_token]' "$CODEX")" "$withheld"
expect_eq "its access token" "$(codex_access)" "$(main_access)"
keeper refresh -j
expect_field '.accounts[0].outcome' unchanged
expect_eq "its state" "$(copy_state)" withheld

# Each new access token follows.
due
keeper refresh -j
expect_status 0
expect_posts 1
expect_eq "what codex holds" "$(jq -c '[.auth_mode, .tokens.refresh_token]' "$CODEX")" "$withheld"
expect_eq "its access token" "$(codex_access)" "$(main_access)"
expect_eq "main's refresh token in codex" \
	"$(jq -r '.profiles["openai-codex:default"].refresh' "$(store main)" | grep -cFf - "$CODEX")" 0
expect_no_secrets

# Somebody logs in with it: that is the newest login, which all others get, and it loses its refresh token here.
mint alice provider=openai-codex jwt=yes lifetime=10d left=10d
write_codex alice
keeper refresh -j
expect_status 0
expect_field '.accounts[0].outcome' adopted
expect_eq "alice's token in a" "$(store_token a $ID)" "$(server_token alice)"
expect_eq "what codex holds" "$(jq -c '[.auth_mode, .tokens.refresh_token]' "$CODEX")" "$withheld"
expect_eq "alice's grant" "$(control state | jq .accounts.alice.alive)" true

# Shared again, since the configuration says so.
STORES=
follow codex-cli "$CODEX" $ID 'refresh_token = "share";'
keeper refresh -j
expect_status 0
expect_eq "alice's token in codex" "$(codex_token)" "$(server_token alice)"
expect_eq "its mode" "$(jq -r .auth_mode "$CODEX")" chatgpt

# An access token of somebody else's, without a refresh token: foreign.
mint bob provider=openai-codex jwt=yes lifetime=10d left=9d
jq '.accountId = "acct-bob"' "$T/logins/bob.json" >"$T/logins/b.json"
write_codex b
jq -j '.tokens.refresh_token = ""' "$CODEX" >"$T/codex"
cat "$T/codex" >"$CODEX"
before=$(sum "$CODEX")
due
keeper refresh -j
expect_status 0
expect_eq "its state" "$(copy_state)" foreign
expect_untouched "$CODEX" "$before"
