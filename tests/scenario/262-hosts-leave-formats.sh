#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `leave` takes the tokens out of every kind of store: OpenClaw's databases and files, and other programs' files, whether they
# were given the refresh token or not; and nothing else changes in any of them.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"
. "$(dirname "$0")/programs.sh"
command -v sqlite3 >/dev/null || skip "sqlite3 is not installed"
. "$(dirname "$0")/sqlite.sh"

start_etcd
start_oidc
mint alice provider=openai-codex jwt=yes lifetime=10d left=5d
CLUSTER=
new_host a
write_database "main data" $ID=alice
write_store files $ID=alice
write_codex alice "$HOME/shared.json"
write_codex alice "$HOME/withheld.json"
CONFIG+="stores = ( { path = \"$HOME/shared.json\"; format = \"codex-cli\"; account = \"$ID\"; refresh_token = \"share\"; },
	{ path = \"$HOME/withheld.json\"; format = \"codex-cli\"; account = \"$ID\"; } );"
keeper refresh
expect_status 0 3
keeper sync --follow all
expect_status 0
for file in shared withheld; do
	expect_eq "$file holds a login" "$(jq '.tokens.access_token | length > 0' "$HOME/$file.json")" true
	jq 'del(.tokens, .last_refresh)' "$HOME/$file.json" >"$T/$file.before"
done

keeper leave -j
expect_status 0
expect_field '[.accounts[].reason] | unique | join(" ")' 'logged out on this host; the other hosts keep it'
for agent in main data; do
	expect_eq "$agent's database" "$(document $agent | jq -r --arg p $ID '.profiles[$p] | "\(.access)|\(.refresh)|\(.provider)"')" "||openai-codex"
done
expect_eq "the file" "$(jq -r --arg p $ID '.profiles[$p] | "\(.access)|\(.refresh)|\(.provider)"' "$(store files)")" "||openai-codex"
for file in shared withheld; do
	expect_eq "tokens in $file" "$(jq -r '[.tokens | .access_token, .refresh_token, .id_token] | map(select(. != null and . != "")) | length' "$HOME/$file.json")" 0
	expect_eq "the rest of $file" "$(jq 'del(.tokens, .last_refresh)' "$HOME/$file.json")" "$(cat "$T/$file.before")"
done

# What was logged out is nobody's to write.
keeper refresh -j
expect_status 3
expect_posts 0
expect_field '.accounts[0].error.code' logged_out
expect_no_secrets
