#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The shared row is refreshed in place, and so are the agents that hold a copy of it; everything else stays as it is.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
mint alice left=30m
mint carol left=20m
static='{"type":"api_key","provider":"openrouter","key":"FAKE-KEY-000000000001","metadata":{"n":1.50}}'
write_database shared xai:default=alice "openrouter:default=$static"
write_database copy xai:default=alice
write_database own xai:default=carol                    # somebody else under the same profile id
write_database reader "openrouter:default=$static"      # reads xai through from the shared row
mkdir -p "$STATE/agents/nothing/agent"
before=$(document shared | jq -c 'del(.profiles["xai:default"] | .access, .refresh, .expires)')
keys=$(document shared | jq -c '[paths]')
rows="SELECT group_concat(state_key || value_json || updated_at_ms) FROM config_machine_state WHERE state_key != 'authProfiles.store'"
others=$(sql "$(database shared)" "$rows")
start=$(now_ms)

keeper refresh -j
expect_status 0
expect_posts 2
expect_generation alice shared copy
expect_generation carol own
expect_eq "the rest of the document" "$(document shared | jq -c 'del(.profiles["xai:default"] | .access, .refresh, .expires)')" "$before"
expect_eq "its order" "$(document shared | jq -c '[paths]')" "$keys"
expect_eq "other rows" "$(sql "$(database shared)" "$rows")" "$others"
for store in shared copy own; do
	[ "$(updated_at $store)" -ge "$start" ] && [ "$(updated_at $store)" -le "$(now_ms)" ] ||
		fail "updated_at of $store is no time in milliseconds of just now: $(updated_at $store)"
done
expect_eq "who has nothing to change" "$(updated_at reader)" 1
expect_sound "$(database shared)" "$(database copy)" "$(database own)" "$(database reader)"
expect_eq "JSON stores made" "$(find "$STATE" -name '*.json' | wc -l)" 0
expect_field '[.accounts[] | select(.provider == "xai") | .copies[] | "\(.role) \(.format) \(.state)"] | sort | join(", ")' \
	"agent openclaw-sqlite current, agent openclaw-sqlite current, shared openclaw-sqlite current"

# An agent whose copy is a superseded one: repaired without a request. What expires hours later is left.
write_database late xai:default=alice
keeper refresh -j
expect_status 0
expect_posts 2
expect_generation alice shared copy late
expect_field '[.accounts[].outcome] | map(select(. == "mirrored")) | length' 1
keeper refresh -j
expect_field '[.accounts[].outcome] | unique | join(" ")' "skipped unchanged"

# OpenClaw refreshed by itself: adopted, and delivered to the copies.
write_database shared xai:default="$(peer alice >/dev/null && cat "$T/logins/alice.json")" "openrouter:default=$static"
keeper refresh -j
expect_status 0
expect_posts 2
expect_generation alice shared copy late
expect_no_secrets
