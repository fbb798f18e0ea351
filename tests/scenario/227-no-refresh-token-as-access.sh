#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What stands as an access token and is a refresh token, its own or another account's, is neither sent by a probe
# nor given by `token`.
. "$(dirname "$0")/lib.sh" || exit 1

start_scripted
PROVIDERS="{ name = \"xai\"; token_url = \"$TOKEN_URL\"; probe_url = \"${TOKEN_URL%/*}/read\"; }"

# pasted TOKEN: alice's access token is TOKEN.
pasted() {
	fresh
	fake alice left=5h access="$1"
	fake bob left=5h email=bob@example.com
	write_store main xai:default=alice xai:bob=bob
	OAUTH_KEEPALIVE_RUN=timer keeper refresh
	control control '{"answers": [{"path": "/read", "status": 200, "body": {}}]}' >/dev/null
	reads=$(control state | jq '[.requests[] | select(.path == "/read")] | length')
	keeper doctor --probe -j
	control state | jq -r ".requests | map(select(.path == \"/read\"))[$reads:][].headers.Authorization" >"$T/sent"
	expect_eq "who was asked for ($1)" "$(sort "$T/sent")" "Bearer FAKE-ACCESS-bob"
	keeper token xai:default
	expect_eq "given ($1)" "$(wc -c <"$out")" 0
	expect_status 1
}
pasted FAKE-REFRESH-alice
pasted FAKE-REFRESH-bob

# An access token is asked for and given.
fresh
fake alice left=5h
write_store main xai:default=alice
keeper refresh
keeper token xai:default
expect_status 0
expect_eq "the access token" "$(cat "$out")" FAKE-ACCESS-alice
