# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Other programs' files, for scenarios: as each of them writes its own, with logins of `mint`.
#
#	. "$(dirname "$0")/programs.sh"
#	write_codex alice               ~/.codex/auth.json of that login
#	follow codex-cli "$CODEX" openai-codex:default [SETTING…]      into `stores` of the configuration

export CODEX=$HOME/.codex/auth.json CLAUDE=$HOME/.claude/.credentials.json
ID=openai-codex:default
STORES=

# A fresh home has none of them.
fresh_programs() {
	fresh
	CODEX=$HOME/.codex/auth.json
	CLAUDE=$HOME/.claude/.credentials.json
	STORES=
	CONFIG=
}

# follow FORMAT FILE ACCOUNT [SETTING…]
# shellcheck disable=SC2034 # lib.sh reads it
follow() {
	STORES+="${STORES:+, }{ path = \"$2\"; format = \"$1\"; account = \"$3\"; ${*:4} }"
	CONFIG="stores = ( $STORES );"
}

# write_codex LOGIN [FILE]
write_codex() {
	local file=${2:-$CODEX}
	mkdir -p "$(dirname "$file")"
	jq -j '{auth_mode: "chatgpt", OPENAI_API_KEY: null, tokens: {id_token: .access, access_token: .access,
		refresh_token: .refresh, account_id: .accountId}, last_refresh: "2026-11-28T17:38:13.785827238Z"}' \
		"$T/logins/$1.json" >"$file"
}

# write_claude LOGIN [FILE]: one line, as it writes it.
write_claude() {
	local file=${2:-$CLAUDE}
	mkdir -p "$(dirname "$file")"
	jq -jc --arg who "user-$1" '{claudeAiOauth: {accessToken: .access, refreshToken: .refresh, expiresAt: .expires,
		refreshTokenExpiresAt: (.expires + 2592000000), scopes: ["user:inference"], subscriptionType: "max", accountUuid: $who},
		mcpOAuth: {"s|1": {accessToken: "FAKE-mcp"}}}' "$T/logins/$1.json" >"$file"
}

# Fingerprints of what stands there.
codex_token() { fingerprint_of <"$CODEX" .tokens.refresh_token; }
codex_access() { fingerprint_of <"$CODEX" .tokens.access_token; }
claude_token() { fingerprint_of <"$CLAUDE" .claudeAiOauth.refreshToken; }
claude_access() { fingerprint_of <"$CLAUDE" .claudeAiOauth.accessToken; }
# main_access [PROFILE]
main_access() { fingerprint_of <"$(store main)" --arg p "${1:-$ID}" '.profiles[$p].access'; }

# The state of the external copy in the last document.
copy_state() { field "[.accounts[].copies[] | select(.role == \"external\") | .state] | join(\" \")"; }
problems() { field '[.problems[].code] | join(" ")'; }
