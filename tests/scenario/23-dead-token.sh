#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A dead token asks for a login once, is never sent again, not by force either, and a new login clears it by itself.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=30m
mint bob left=30m
write_store "main a" xai:default=alice xai:bob=bob
control revoke '{"account": "alice"}' >/dev/null
before=$(jq -c '.profiles["xai:default"]' "$(store main)")

keeper refresh -j
expect_status 3
expect_posts 2
expect_field '.accounts[] | select(.profile == "xai:default") | "\(.outcome) \(.error.code)"' "needs_login invalid_grant"
expect_field '.accounts[] | select(.profile == "xai:bob") | .outcome' refreshed
expect_eq "the dead credential" "$(jq -c '.profiles["xai:default"]' "$(store main)")" "$before"
keeper refresh
expect_match "$out" 'login'

for args in "refresh" "refresh --force xai:default" "refresh --at +1h xai:default"; do
	# shellcheck disable=SC2086
	keeper $args -j
	expect_status 3
	expect_posts 2
done
keeper refresh -j xai:bob
expect_status 0

mint alice
write_store main xai:default=alice xai:bob="$(jq -c '.profiles["xai:bob"]' "$(store main)")"
keeper refresh -j
expect_status 0
expect_posts 2
expect_eq "main" "$(store_token main)" "$(login_token alice)"
expect_eq "a" "$(store_token a)" "$(login_token alice)"

# Somebody else was faster: the token is spent, but a copy has what came of it: adopted, no login needed.
fresh
mint carol left=30m
write_store "main a" xai:default=carol
keeper refresh -j --at +1m
expect_generation carol main a
