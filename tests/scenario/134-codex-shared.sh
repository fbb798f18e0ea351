#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One login in OpenClaw and in codex is refreshed once, written to both as each spells it, and whoever rotates it is followed.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc
mint alice provider=openai-codex jwt=yes lifetime=10d left=1d
write_store "main a" $ID=alice
write_codex alice
follow codex-cli "$CODEX" $ID 'refresh_token = "share";'
keeper preview -j
expect_field '.accounts[0].copies | map(select(.role == "external"))[0] | .format, .state, .planned' \
	"$(printf '%s\n' codex-cli current true)"
keeper refresh -j
expect_status 0
expect_posts 1
expect_eq "alice's token in main" "$(store_token main $ID)" "$(server_token alice)"
expect_eq "alice's token in codex" "$(codex_token)" "$(server_token alice)"
expect_eq "its access token" "$(codex_access)" "$(main_access)"
expect_eq "its other members" "$(jq -c '[.auth_mode, .OPENAI_API_KEY, .tokens.account_id, (.tokens | keys_unsorted)]' "$CODEX")" \
	'["chatgpt",null,"acct-alice",["id_token","access_token","refresh_token","account_id"]]'
expect_match "$CODEX" '"last_refresh": "20[0-9-]*T[0-9:]*\.[0-9]{9}Z"'
expect_eq "its last byte" "$(tail -c 1 "$CODEX")" "}"
keeper refresh -j
expect_field '.accounts[0].outcome' unchanged
expect_eq "its state" "$(copy_state)" current
expect_no_secrets

# Codex rotated behind us.
peer alice
write_codex alice
keeper refresh -j
expect_status 0
expect_posts 1
expect_field '.accounts[0].outcome' adopted
expect_eq "alice's token in a" "$(store_token a $ID)" "$(server_token alice)"

# It fell back to an older generation: repaired, nothing sent.
cp "$CODEX" "$T/old"
due
keeper refresh -j
expect_posts 2
cp "$T/old" "$CODEX"
keeper refresh -j
expect_status 0
expect_posts 2
expect_field '.accounts[0].outcome' mirrored
expect_eq "alice's token in codex" "$(codex_token)" "$(server_token alice)"

# Somebody else's login there is foreign: neither written nor sent.
mint bob provider=openai-codex jwt=yes lifetime=10d left=9d
write_codex bob
before=$(sum "$CODEX")
due
keeper refresh -j
expect_status 0
expect_eq "its state" "$(copy_state)" foreign
expect_untouched "$CODEX" "$before"
expect_eq "bob's token" "$(server_token bob)" "$(login_token bob)"

# Logged out, in either way: nothing is put back.
printf '{"auth_mode": "chatgpt", "OPENAI_API_KEY": null, "tokens": null}' >"$CODEX"
before=$(sum "$CODEX")
due
keeper refresh -j
expect_status 0
expect_eq "its state" "$(copy_state)" ended
expect_untouched "$CODEX" "$before"
rm "$CODEX"
due
keeper refresh -j
expect_status 0
[ -e "$CODEX" ] && fail "the file was put back"
expect_match "$out" 'codex-cli is taken for logged out'

# A store that no account of OpenClaw's is named for.
fresh_programs
mint carol provider=openai-codex jwt=yes lifetime=10d left=1d
write_codex carol
mint dave
write_store main xai:default=dave
follow codex-cli "$CODEX" $ID
keeper refresh -j
expect_status 0
expect_field '.accounts[] | select(.provider == "openai-codex") | .outcome' skipped
expect_match "$out" 'no store of OpenClaw.s has this account'
expect_eq "carol's token" "$(server_token carol)" "$(login_token carol)"
