#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login of ours in another program's file is noticed without a word in the configuration, read only, and the line shown
# makes it follow; after a reuse it is named as the likely cause, and its login is taken over.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc
mint alice provider=openai-codex jwt=yes lifetime=10d left=9d
write_store main $ID=alice
write_codex alice
before=$(sum "$CODEX")
noticed() { field '[.problems[] | select(.code == "shared_elsewhere") | .store] | join(" ")'; }
keeper status -j
expect_eq "noticed" "$(noticed)" "$CODEX"
keeper refresh -j
expect_status 0
expect_eq "noticed" "$(noticed)" "$CODEX"
expect_untouched "$CODEX" "$before"

# The line, pasted.
CONFIG=$(field '.problems[] | select(.code == "shared_elsewhere") | .fix')
keeper refresh -j
expect_status 0
expect_eq "noticed" "$(noticed)" ""
expect_eq "its state" "$(copy_state)" withheld
expect_no_secrets

# Files of several logins: the entry that has it. And a directory of files.
fresh_programs
mint bob
write_store main xai:default=bob
mkdir -p "$HOME/.pi/agent" "$HOME/.cli-proxy-api"
jq '{groq: {type: "api_key", key: "FAKE"}, "my-xai": {type: "oauth", access, refresh, expires}}' \
	"$T/logins/bob.json" >"$HOME/.pi/agent/auth.json"
jq '{type: "xai", access_token: .access, refresh_token: .refresh}' "$T/logins/bob.json" >"$HOME/.cli-proxy-api/xai-bob.json"
keeper status -j
expect_eq "noticed" "$(noticed)" "$HOME/.pi/agent/auth.json $HOME/.cli-proxy-api/xai-bob.json"
expect_match "$out" 'entry = ..my-xai..;'

# Pasted, it means the same whatever the names are.
fresh_programs
mint odd provider=openai-codex jwt=yes lifetime=10d left=9d
where=$HOME/$'a b"c\\d\u00e9\u200b'
write_store main 'openai-codex:o"d\d d'=odd
write_codex odd "$where/auth.json"
CODEX_HOME=$where keeper status -j
CONFIG=$(field '.problems[] | select(.code == "shared_elsewhere") | .fix')
keeper refresh -j
expect_status 0
expect_eq "noticed" "$(noticed)" ""
expect_eq "its state" "$(copy_state)" withheld
CONFIG=

# Moved by a variable; what is no store below the state directory; not what is one, nor what others hold.
fresh_programs
mint carol
mint dave
write_store "main a" xai:default=carol
write_store "$STATE/credentials/auth-profiles.json" xai:default=carol
write_store "$STATE/workspace/copy/auth-profiles.json" xai:default=carol
write_store "$STATE/old/auth-profiles.json" xai:default=dave
mkdir -p "$HOME/elsewhere" "$HOME/.grok"
jq '{access_token: .access, refresh_token: .refresh}' "$T/logins/carol.json" >"$HOME/elsewhere/oauth_creds.json"
echo '{"broken' >"$HOME/.grok/auth.json"
QWEN_HOME=$HOME/elsewhere keeper status -j
expect_status 0
expect_eq "noticed" "$(noticed | tr ' ' '\n' | sort)" \
	"$(printf '%s\n' "$HOME/elsewhere/oauth_creds.json" "$STATE/credentials/auth-profiles.json" "$STATE/workspace/copy/auth-profiles.json" | sort)"

# Codex refreshed behind us, and our token is refused: it is named, and named in `stores` it saves the login.
fresh_programs
mint erin provider=openai-codex jwt=yes lifetime=10d left=1d
write_store main $ID=erin
keeper status -j
peer erin
write_codex erin
start_scripted
answers '{"status": 400, "body": {"error": {"code": "refresh_token_reused"}}}'
keeper refresh -j
expect_status 3
expect_field '.accounts[0].outcome' needs_login
expect_match "$out" 'has a login of the same person as openai-codex:default, whose own token was spent'
CONFIG=$(field '.problems[] | select(.code == "shared_elsewhere") | .fix')
keeper refresh -j
expect_status 0
expect_field '.accounts[0].outcome' adopted
expect_eq "erin's token in main" "$(store_token main $ID)" "$(login_token erin)"
