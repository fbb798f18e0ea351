#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A hook is run however many copies a login has: it is told of as many stores as one variable can hold, and of the number.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=30m
long=$(printf 'x%.0s' {1..200})
agents=main
for i in {1..600}; do agents+=" $long$i"; done # more than 128 KiB of names
write_store "$agents" xai:default=alice
CONFIG="hooks = { refreshed = \"env >$T/env\"; };"
keeper refresh -j
expect_status 0
expect_posts 1
expect_no_match "$err" hook
expect_match "$T/env" '^OAUTH_KEEPALIVE_COPIES=601$'
expect_match "$T/env" "^OAUTH_KEEPALIVE_STORES=$(store main)\$"
grep "^$STATE/agents/x" "$T/env" >"$T/named"
[ "$(wc -l <"$T/named")" -gt 200 ] || fail "it is told of $(wc -l <"$T/named") of them"
expect_no_match "$T/named" 'x[0-9]*/agent/auth-profiles.jso?$' # each of them whole
