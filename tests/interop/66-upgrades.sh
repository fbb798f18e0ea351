#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# From JSON through the releases up to this one, each `doctor --fix` moving or renaming what we keep alive: nothing is
# spent twice, no login is lost on the way, and after each step OpenClaw uses what we refresh.
. "$(dirname "$0")/sqlite.sh" || exit 1

NEWEST=$OPENCLAW
start_oidc
mint alice left=5d lifetime=10d provider=anthropic
mint bob left=5d lifetime=10d provider=xai
mint carol left=5d lifetime=10d provider=openai-codex jwt=yes
mint dave left=5d lifetime=10d provider=anthropic
write_store main anthropic:default=alice xai:default=bob openai-codex:default=carol
write_store work anthropic:default=dave
write_store ops anthropic:default=alice openai-codex:default=carol
keeper refresh --force -j
expect_status 0
expect_posts 4

# sees AGENT PROFILE LOGIN: what this OpenClaw would send as, and it sends no refresh of its own
sees() {
	openclaw read agent="$1"
	expect_eq "$OPENCLAW: $1 sees $2" "$(saw ".profiles[\"$2\"].refresh")" "$(server_token "$3")"
}
steps=
for OPENCLAW in 2026.6.5 2026.7.1 2026.8.1 2026.9.6; do
	[ "$(printf '%s\n' "$OPENCLAW" "$NEWEST" | sort -V | head -1)" = "$OPENCLAW" ] || continue
	ROOT=$CACHE/openclaw-$OPENCLAW/node_modules/openclaw
	[ -d "$ROOT" ] || continue
	rm -f "$STATE/openclaw.json" # it notes which version wrote it
	# Installed, not yet migrated: a run in between sends nothing that the import would then bring back.
	reset_posts
	keeper refresh -j
	expect_posts 0
	# 2026.8.1 and later refuse to go on from a release before without helpers that are not installed here, half-way: what
	# they have left is served where it is.
	half=
	cli doctor --fix --non-interactive || half=yes
	keeper refresh -j
	expect_posts 0
	for name in alice bob carol dave; do
		expect_eq "$OPENCLAW: $name's grant is alive" "$(control state | jq ".accounts.$name.alive")" true
	done
	if [ "$half" ]; then
		keeper refresh --force -j
		expect_status 0
		expect_posts 4
		expect_field '[.accounts[] | select(.outcome != "skipped") | .outcome] | unique | join(" ")' refreshed
		steps="$steps $OPENCLAW (half)"
		continue
	fi
	for _ in 1 2; do
		reset_posts
		keeper refresh --force -j
		expect_status 0
		expect_posts 4
		expect_field '[.problems[] | select(.severity == "error")] | length' 0
		sees main anthropic:default alice
		sees main xai:default bob
		sees main openai:default carol
		sees work anthropic:default dave
		sees ops anthropic:default alice
		sees ops openai:default carol
	done
	openclaw refresh profile=anthropic:default
	expect_eq "$OPENCLAW: it sends nothing" "$(saw '"\(.ok) \(.sent | length)"')" "true 0"
	expect_intact
	steps="$steps $OPENCLAW"
done
expect_eq "tokens that were sent twice" "$(control state | jq '[.tokens[] | select(. > 1)] | length')" 0
tally "upgraded from JSON" "through${steps}"
expect_no_secrets
