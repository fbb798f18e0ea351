#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The network goes while OpenClaw would refresh: refreshed early by us, nothing happens; else 2026.9.4 and later fence
# the login off and lose it, and our last resort brings it back.
. "$(dirname "$0")/sqlite.sh" || exit 1

P=anthropic:default
start_oidc
begin() { # a migrated install; alice, known to the ledger
	fresh
	mint alice left=5d lifetime=10d provider=anthropic
	write_store main $P=alice
	migrated
	main=$(main_database)
	CUT=
}

# Early: when the network goes there is nothing to refresh.
begin
keeper refresh --force -j
expect_status 0
CUT=yes
openclaw refresh profile=$P
expect_eq "a token without a network" "$(saw .ok)" true
expect_eq "fences" "$(fences)" 0
expect_eq "alice" "$(store_token "$main" $P)" "$(server_token alice)"

# Late: OpenClaw finds it expired.
expire
openclaw refresh profile=$P
expect_eq "a token" "$(saw .ok)" false
if is_later_than 2026.9.4; then
	expect_eq "fences" "$(fences)" 1
	expect_eq "the refresh token is gone" "$([ "$(store_token "$main" $P)" = "$(server_token alice)" ] && echo no)" ""
	CUT=
	openclaw refresh profile=$P
	expect_eq "OpenClaw does not come back by itself" "$(saw .ok)" false
	reset_posts
	keeper preview -j
	expect_field '.accounts[0].decision' refresh
	keeper refresh -j
	expect_status 0
	expect_posts 1
	expect_field '.accounts[0].outcome' refreshed
	expect_field '[.problems[].code] | index("gateway_notice") != null' true
else
	expect_eq "fences" "$(fences)" 0
	CUT=
	reset_posts
	keeper refresh --force -j
	expect_status 0
	expect_posts 1
fi
expect_eq "fences" "$(fences)" 0
expect_eq "alice" "$(store_token "$main" $P)" "$(server_token alice)"
openclaw refresh profile=$P
expect_eq "OpenClaw works again" "$(saw .ok)" true
expect_eq "and sends nothing" "$(saw '.sent | length')" 0
expect_intact

# Its refresh is in flight: we wait for it, and adopt what comes.
mint alice left=-1m lifetime=10d provider=anthropic
document "$main" | jq -c --slurpfile login "$T/logins/alice.json" ".profiles[\"$P\"] += \$login[0]" | put_document "$main"
reset_posts
control delay '{"answers": 1, "ms": 4000}' >/dev/null
locked_or_fenced() { [ "$(fences)" -gt 0 ] || find "$STATE/locks/oauth-refresh" -name '*.lock' 2>/dev/null | grep -q .; }
start_openclaw refreshing refresh profile=$P
for _ in {1..300}; do
	locked_or_fenced && break
	sleep 0.05
done
keeper refresh --wait 20s -j
expect_status 0
wait_openclaw refreshing
expect_eq "OpenClaw's refresh" "$(jq .ok "$T/refreshing")" true
expect_posts 1
expect_eq "alice" "$(store_token "$main" $P)" "$(server_token alice)"
expect_eq "alice's grant is alive" "$(control state | jq '.accounts.alice.alive')" true
expect_no_secrets
