#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The token endpoint is discovered where it is not known, and taken only from where it belongs.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=30m
write_store "main a" xai:default=alice
PROVIDERS="{ name = \"xai\"; discovery_url = \"$DISCOVERY_URL\"; }"
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice main a
expect_eq "discoveries" "$(control state | jq '[.requests[] | select(.method == "GET")] | length')" 1

start_scripted
PROVIDERS="{ name = \"xai\"; discovery_url = \"$DISCOVERY_URL\"; }"
for endpoint in "http://evil.example/token" "https://127.0.0.1.evil.example/token" "https://x.ai@evil.example/token" \
	"file:///etc/passwd" "" "https://x.ai:443\\u0000.evil.example/"; do
	fresh
	fake bob left=30m
	write_store main xai:default=bob
	answers "{\"body\": {\"issuer\": \"x\", \"token_endpoint\": \"$endpoint\"}}"
	keeper refresh -j
	expect_status 1 3
	expect_posts 0
	expect_eq "receipts left" "$(ls "$LEDGER/receipts" 2>/dev/null)" ""
done
fresh
fake carol left=30m
write_store main xai:default=carol
answers '{"status": 500}'
keeper refresh -j
expect_status 1
expect_posts 0
