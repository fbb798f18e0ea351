#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# make demo: oauth-keepalive at work on a scratch OpenClaw installation, against a strict OAuth server on this
# machine: refresh tokens are used once, and a replay revokes the whole login. Touches nothing of yours.
. "$(dirname "$0")/scenario/lib.sh" || exit 1
trap 'echo; echo "interrupted"; exit 1' INT
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] && bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
bold=${bold:-} dim=${dim:-} plain=${plain:-}

say() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
# Run it in front of the reader, with the scratch home as ~.
show() {
	printf '%s$ oauth-keepalive %s%s\n' "$dim" "$*" "$plain"
	keeper "$@"
	cat "$out" "$err" | sed "s|$HOME|~|g"
	[ "$status" = 0 ] || echo "(exit status $status)"
}
server_says() {
	printf 'server: %s token requests so far; the login is %s\n' "$(posts)" \
		"$(control state | jq -r '.accounts.alice | if .alive then "alive" else "revoked" end')"
}
copies() {
	local file
	for file in main writer coder tester reviewer "$STATE/workspace/auth-profiles.json"; do
		printf '%s %s\n' "$(store_token "$file")" "$file"
	done | awk '{ n[$1]++ } END { for (g in n) printf "generation %s in %d stores\n", g, n[g] }'
}

start_oidc
mint alice left=30m
write_store "main writer coder tester" xai:default=alice
mkdir -p "$STATE/agents/reviewer/agent"
ln -s ../../main/agent/auth-profiles.json "$(store reviewer)"
write_store "$STATE/workspace/auth-profiles.json" xai:default=alice
CONFIG="stores = ( { path = \"$STATE/workspace/auth-profiles.json\"; format = \"openclaw-json\"; role = \"agent\"; } );"

say "Main, four agents (one a symlink to main) and a workspace copy share one
xAI login. 30 minutes of its 6 hours are left. What would be done?"
show preview

say "Do it: one request, then every copy."
show refresh
server_says
copies

say "How do things stand?"
show status

say "Run again, as the timer does every 5 minutes: nothing to do."
show refresh
server_says

say "A new login is about to expire, and ten processes want to refresh it at once."
mint alice left=31m
write_store "main writer coder tester $STATE/workspace/auth-profiles.json" xai:default=alice
for _ in {1..10}; do start_keeper refresh --wait 10m; done
wait_keepers
echo "exit statuses: $statuses"
server_says
copies

say "Without it: two programs send the same refresh token, once each."
jq -j '.profiles["xai:default"].refresh' "$(store main)" >"$T/token"
for _ in 1 2; do
	curl -s -o "$T/reply" -w 'HTTP %{http_code}, ' "$TOKEN_URL" -d grant_type=refresh_token \
		-d client_id=b1a00492-073a-47ea-816f-4c329264a828 --data-urlencode "refresh_token@$T/token"
	jq -r '.error // "new tokens"' "$T/reply"
done
server_says
