#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# doctor says of a program that it keeps its login where no file is, or uses another than its file's: a warning where it may
# be one of ours, else a note; and once the command shown was run it is not said any more. Nothing of a secret is shown.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

# What a `fix` calls: a login makes the program's own file.
mkdir "$T/stub"
for program in codex kimi gemini; do
	printf '#!/bin/sh\n[ -z "$GEMINI_FORCE_ENCRYPTED_FILE_STORAGE" ] && touch "$T/%s-asked" "$HOME/.gemini/oauth_creds.json"\n' $program >"$T/stub/$program"
done
chmod +x "$T"/stub/*
PATH=$T/stub:$PATH
export T

start_oidc
echo FAKE-CLIENT >"$T/client"
PROVIDERS="{ name = \"kimi\"; token_url = \"$TOKEN_URL\"; lifetime = \"6h\"; }, { name = \"google-gemini-cli\"; token_url = \"$TOKEN_URL\"; lifetime = \"6h\";
	client_id = \"agents\"; client_secret_file = \"$T/client\"; }"

found() { field "[.problems[] | select(.code == \"login_out_of_reach\" or .code == \"login_overridden\") | \"\(.code) \(.severity)\"] | join(\" \")"; }
# a_case WHAT CODE PROVIDER [FILE [TEXT]]: found with a login of that provider; what it says to do helps, and not more is changed.
a_case() {
	fresh_programs
	mkdir -p "$HOME/.gemini"
	mint who$ROUND provider=$3 left=5h
	write_store "main" $3:default=who$ROUND
	[ $# -lt 4 ] || { mkdir -p "$(dirname "$HOME/$4")" && printf '%s' "${5-}" >"$HOME/$4"; }
	OAUTH_KEEPALIVE_RUN=timer keeper refresh
	keeper doctor -j
	expect_eq "$1" "$(found)" "$2 warning"
	expect_status 1
	expect_eq "$1: where" "$(field '.problems[] | select(.severity == "warning") | .store')" "$([ $# -lt 4 ] && echo null || echo "$HOME/$4")"
	expect_no_match "$out" SECRET
	FIX=$(field '.problems[] | select(.severity == "warning") | .fix')
	eval "$FIX" >"$T/fix.out" 2>&1 || fail "$1: $FIX" "$(cat "$T/fix.out")"
	keeper doctor -j
	expect_eq "$1: after $FIX" "$(found)" ""
	expect_status 0
}

codex='# mine
model = "gpt-5"
notes = """
cli_auth_credentials_store = "auto"
"""
cli_auth_credentials_store = "keyring" # not "file", not keyring
[tools]
cli_auth_credentials_store = "auto"'
a_case "codex in a keyring" login_out_of_reach openai-codex .codex/config.toml "$codex"
expect_eq "codex's settings" "$(cat "$HOME/.codex/config.toml")" "${codex/\"keyring\"/\"file\"}"
expect_eq "who logs in" "$(ls "$T"/*-asked)" "$T/codex-asked"
a_case "codex in whatever there is" login_out_of_reach openai-codex .codex/config.toml "cli_auth_credentials_store='auto'"
a_case "codex in memory" login_out_of_reach openai-codex .codex/config.toml $'\r\n"cli_auth_credentials_store"="ephemeral"\r\n'
a_case "kimi in a keyring" login_out_of_reach kimi .kimi-code/config.toml \
	$'[providers."managed:kimi-code"]\nstorage = "keyring"\n[ providers."managed:kimi-code".oauth ] # x\nstorage = "keyring"\n'
expect_eq "kimi's settings" "$(grep -c '"keyring"' "$HOME/.kimi-code/config.toml")" 1
a_case "a helper of grok's" login_overridden xai .grok/config.toml $'[auth]\nauth_provider_command = "/bin/helper SECRET"\n'
a_case "… elsewhere" login_overridden xai .grok/config.toml $'auth.auth_provider_command = "/bin/helper SECRET"\n'
fresh_programs
mint who$ROUND provider=xai left=5h
write_store main xai:default=who$ROUND
mkdir "$HOME/.grok"
printf '[auth]\nauth_provider_command = [\n  "/bin/helper",\n  "SECRET"\n]\n' >"$HOME/.grok/config.toml"
keeper doctor -j
expect_field '.problems[] | select(.code == "login_overridden") | .fix' \
	"take \`auth_provider_command\`, from line 2 on, out of $HOME/.grok/config.toml"
expect_no_match "$out" SECRET
a_case "gemini encrypted" login_out_of_reach google-gemini-cli .gemini/gemini-credentials.json '{"SECRET": 1}'
export CODEX_ACCESS_TOKEN=SECRET
a_case "codex's variable" login_overridden openai-codex
export CLAUDE_CODE_OAUTH_TOKEN=SECRET
a_case "claude's variable" login_overridden anthropic
export GEMINI_FORCE_ENCRYPTED_FILE_STORAGE=true
a_case "gemini's variable" login_out_of_reach google-gemini-cli
export GROK_AUTH='{"SECRET": 1}'
a_case "grok's variable" login_overridden xai
export OPENCODE_AUTH_CONTENT='{"SECRET": 1}'
a_case "opencode's variable" login_overridden xai

# What is configured, wherever it is; what moves a program moves its settings; of nobody's login it is a note.
fresh_programs
mint who$ROUND provider=openai-codex jwt=yes
write_store main $ID=who$ROUND
write_codex who$ROUND "$HOME/second/auth.json"
echo 'cli_auth_credentials_store = "auto"' | tee "$HOME/second/config.toml" >"$HOME/config.toml"
follow codex-cli "$HOME/second/auth.json" $ID
OAUTH_KEEPALIVE_RUN=timer keeper refresh
keeper doctor -j
expect_eq "beside a store" "$(field '.problems[] | select(.code == "login_out_of_reach") | "\(.store) \(.profile)"')" "$HOME/second/config.toml $ID"
CONFIG=
CODEX_HOME=$HOME keeper doctor -j
expect_eq "by a variable" "$(field '.problems[] | select(.code == "login_out_of_reach") | .store')" "$HOME/config.toml"
fresh_programs
mint who$ROUND
write_store main xai:default=who$ROUND
mkdir "$HOME/.codex"
echo 'cli_auth_credentials_store = "keyring"' >"$HOME/.codex/config.toml"
OAUTH_KEEPALIVE_RUN=timer keeper refresh
keeper doctor -j
expect_eq "of no login of ours" "$(found)" "login_out_of_reach info"
expect_status 0
for text in 'cli_auth_credentials_store = "file"' '# cli_auth_credentials_store = "keyring"' 'mcp_oauth_credentials_store = "keyring"' \
	$'[x]\ncli_auth_credentials_store = "keyring"' '' '=' '[' "$(printf '%0300000d' 0 | tr 0 =)"; do
	printf '%s' "$text" >"$HOME/.codex/config.toml"
	keeper doctor -j
	expect_eq "nothing in ${text:0:60}" "$(found)" ""
	expect_status 0
done
expect_no_secrets
