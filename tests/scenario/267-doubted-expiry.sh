#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An expiry that is further off than such a token lives is not believed: the login is due, and its expiry is said to be
# unknown, not to be now. After the next answer it is known.
. "$(dirname "$0")/lib.sh" || exit 1

start_scripted
PROVIDERS="{ name = \"kimi\"; token_url = \"$TOKEN_URL\"; }"
CONFIG="metrics_file = \"$T/prom\";"
fake alice left=6h provider=kimi email=alice@example.com # kimi's live 15 minutes
write_store "main a" kimi:default=alice
doubt='expiry unknown \(the store says in [56]h[^,]*, but such a token lives 15m\), margin 12m'

keeper preview
expect_match "$out" "would refresh +$doubt"
answers '{"status": 404, "body": {}}'
keeper refresh
expect_status 1
expect_match "$out" "failed +$doubt; last attempt failed \(http_404\)"
expect_no_match "$out" 'expires in|expired'
expect_no_match "$T/prom" '^oauth_keepalive_access_expiry_timestamp_seconds\{'
expect_match "$T/prom" '^oauth_keepalive_due_timestamp_seconds\{'
keeper status
expect_match "$out" '^0 of 1 login kept, 1 failing;'
expect_match "$out" '^    expires +unknown$'
expect_no_match "$out" 'expired|expires in'
keeper status -j
expect_field '.accounts[0] | "\(.expires_at) \(.remaining_s) \(.lifetime_s)"' "null null 900"

answers "{\"body\": $(tokens bob '{"expires_in": 900}')}"
keeper refresh --force
expect_status 0
expect_match "$out" 'expires in [0-9]+m'
expect_match "$T/prom" '^oauth_keepalive_access_expiry_timestamp_seconds\{'
expect_no_secrets
