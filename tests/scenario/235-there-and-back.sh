#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A refresh token is taken out of another program's file, and put back, as often as the configuration changes its mind: at
# once, with no request, and what else stands there comes back to what it was.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc
client=b1a00492-073a-47ea-816f-4c329264a828
while IFS='|' read -r format provider filter; do
	fresh_programs
	mint $format provider="$provider" lifetime=6h left=5h jwt=yes
	PROVIDERS="{ name = \"corp\"; token_url = \"$TOKEN_URL\"; client_id = \"agents\"; lifetime = \"6h\"; }"
	write_store main "$provider:default=$format"
	file=$HOME/login.json
	jq --arg client $client "$filter" "$T/logins/$format.json" >"$file"
	for round in 1 2 3; do
		for how in share withhold; do
			STORES=
			follow "$format" "$file" "$provider:default" "refresh_token = \"$how\";"
			keeper sync -j
			expect_status 0
			expect_eq "$format, $how, round $round" "$(copy_state)" "$([ $how = share ] && echo current || echo withheld)"
			has=$(grep -cF -e "$(jq -r .refresh "$T/logins/$format.json")" "$file")
			expect_eq "$format, $how, round $round: it has the token" "$has" "$([ $how = share ] && echo 1 || echo 0)"
			jq -S 'del(.last_refresh)' "$file" >"$T/now.$how"
			[ $round -lt 3 ] || cmp -s "$T/now.$how" "$T/then.$how" || fail "$format, $how, round $round: is another than before" "$(diff "$T/now.$how" "$T/then.$how" | cut -c1-80)"
			mv "$T/now.$how" "$T/then.$how"
		done
	done
done <<-'END'
	codex-cli|openai-codex|{auth_mode: "chatgpt", tokens: {id_token: .access, access_token: .access, refresh_token: .refresh, account_id: .accountId}, last_refresh: "2026-11-28T17:38:13.785827238Z"}
	claude-code|anthropic|{claudeAiOauth: {accessToken: .access, refreshToken: .refresh, expiresAt: .expires, scopes: []}}
	gemini-cli|corp|{access_token: .access, refresh_token: .refresh, expiry_date: .expires}
	kimi-code|corp|{access_token: .access, refresh_token: .refresh, expires_at: (.expires / 1000 | floor), expires_in: 21600}
	grok-cli|xai|{"https://auth.x.ai::\($client)": {key: .access, refresh_token: .refresh, expires_at: (.expires / 1000 | floor | todate), email, oidc_issuer: "https://auth.x.ai", oidc_client_id: $client}}
	opencode|openai-codex|{openai: {type: "oauth", refresh, access, expires, accountId}}
	pi|openai-codex|{"openai-codex": {type: "oauth", access, refresh, expires, accountId}}
	cliproxyapi|anthropic|{access_token: .access, refresh_token: .refresh, expired: (.expires / 1000 | floor | todate), type: "claude"}
END
expect_posts 0
expect_no_secrets
