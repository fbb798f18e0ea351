#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# How early another program refreshes by itself depends on whose login it is: margin_below_tool is said where it comes before
# us, and not where it does not; kimi's half of the lifetime counts for tokens that say themselves when they end, too.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc
hermes() { jq --arg id "$1" '{version: 1, providers: {($id): {tokens: {access_token: .access, refresh_token: .refresh, expires_in: 7}}}, credential_pool: {}}' "$T/logins/$2.json"; }
flat() { jq '{access_token: .access, refresh_token: .refresh, expired: (.expires / 1000 | floor | todate)}' "$T/logins/$1.json"; }

n=0
while IFS='|' read -r format provider lifetime left margin expected; do
	fresh_programs
	n=$((n + 1))
	mint who$n provider="$provider" lifetime="$lifetime" left="$left" jwt=yes
	write_store main "$provider:default=who$n"
	file=$HOME/login.json
	case $format in hermes-agent) hermes "${provider/#xai/xai-oauth}" who$n ;; *) flat who$n ;; esac >"$file"
	follow "$format" "$file" "$provider:default" 'refresh_token = "share";'
	CONFIG+=" margin = \"$margin\";"
	keeper refresh -j
	expect_status 0
	expect_eq "$format, $provider of $lifetime, margin $margin" "$(field '[.problems[] | select(.code == "margin_below_tool") | .code] | length')" "$expected"
	expect_eq "$format has it" "$(copy_state)" current
done <<-'END'
	hermes-agent|openai-codex|10d|9d|1h|0
	hermes-agent|xai|6h|5h|50m|1
	hermes-agent|xai|6h|5h|2h|0
	hermes-agent|xai|40m|35m|15m|0
	cliproxyapi|xai|6h|5h|2h|0
	cliproxyapi|openai-codex|10d|9d|4d|1
	cliproxyapi|openai-codex|10d|9d|6d|0
	cliproxyapi|anthropic|8h|7h|3h|1
	cliproxyapi|anthropic|8h|7h|5h|0
END

# hermes' own copy of xai's login, and what stands beside the tokens.
fresh_programs
mint xena left=1h
write_store main xai:default=xena
hermes xai-oauth xena >"$HOME/login.json"
follow hermes-agent "$HOME/login.json" xai:default
keeper refresh -j
expect_status 0
expect_posts 1
expect_eq "hermes' token" "$(fingerprint_of <"$HOME/login.json" '.providers["xai-oauth"].tokens.refresh_token')" "$(server_token xena)"
expect_eq "… and its lifetime" "$(jq '.providers["xai-oauth"].tokens.expires_in' "$HOME/login.json")" 21600

# kimi refreshes at half of the lifetime, JWT or not.
for jwt in '' yes; do
	fresh_programs
	mint kim$jwt provider=corp lifetime=1h left=35m ${jwt:+jwt=yes}
	write_store main corp:default=kim$jwt
	PROVIDERS="{ name = \"corp\"; token_url = \"$TOKEN_URL\"; client_id = \"agents\"; lifetime = \"1h\"; margin = \"15m\"; }"
	jq '{access_token: .access, refresh_token: .refresh, expires_at: (.expires / 1000 | floor), expires_in: 3600}' "$T/logins/kim$jwt.json" >"$HOME/kimi.json"
	follow kimi-code "$HOME/kimi.json" corp:default 'refresh_token = "share";'
	keeper refresh -j
	expect_status 0
	expect_posts 1
	expect_field '.accounts[0].margin_s > 1800' true
	expect_eq "kimi's token" "$(fingerprint_of <"$HOME/kimi.json" .refresh_token)" "$(server_token kim$jwt)"
done
expect_no_secrets
