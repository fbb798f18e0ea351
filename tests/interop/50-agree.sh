#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What we wrote OpenClaw reads, in every agent; `openclaw models status` and our `status` say the same; and what
# OpenClaw refreshed and saved we read and adopt.
. "$(dirname "$0")/lib.sh" || exit 1

# shellcheck disable=SC2016 # jq has variables of its own
start_oidc
A=anthropic:default
O=openai-codex:work@example.com
mint alice left=30m provider=anthropic
mint carol left=30m provider=openai-codex jwt=yes
write_store "main a" $A=alice $O=carol
keeper refresh -j
expect_status 0
expect_posts 2
expect_live alice $A main a
expect_live carol $O main a

for agent in main a; do
	openclaw read agent=$agent
	for profile in $A $O; do
		expect_eq "$agent: OpenClaw reads the refresh token of $profile" \
			"$(jq -r --arg p "$profile" '.profiles[$p].refresh' "$said")" "$(store_token "$agent" "$profile")"
		expect_eq "$agent: and the time" "$(jq --arg p "$profile" '.profiles[$p].expires' "$said")" \
			"$(jq --arg p "$profile" '.profiles[$p].expires' "$(store $agent)")"
		openclaw refresh "profile=$profile" "agent=$agent"
		expect_eq "$agent: OpenClaw takes the access token of $profile" "$(jq -c '[.ok, .sent]' "$said")" '[true,[]]'
		openclaw read agent=$agent
	done
done

# Its status. It believes anthropic's tokens five minutes shorter than they are.
before=$(sum "$(store main)")
cli models status --json || true
expect_untouched "$(store main)" "$before"
keeper status -j
expect_status 0
for profile in $A $O; do
	theirs=$(jq -r --arg p "$profile" '.auth.oauth.profiles[] | select(.profileId == $p) | .expiresAt / 1000 | floor' "$cli_out")
	ours=$(field ".accounts[] | select(.profile == \"$profile\") | .expires_at | fromdate")
	skew=0
	[ "$profile" = "$A" ] && skew=300
	difference=$((${ours:-0} - ${theirs:-0} - skew))
	[ "${difference#-}" -le 2 ] || fail "$profile: they say $theirs, we say $ours (they subtract $skew)"
	expect_eq "$profile: its state" \
		"$(jq -r --arg p "$profile" '.auth.oauth.profiles[] | select(.profileId == $p) | .status' "$cli_out")" \
		"$(field ".accounts[] | select(.profile == \"$profile\") | if .remaining_s > 86400 then \"ok\" else \"expiring\" end")"
done

# The other way round: OpenClaw refreshes, we adopt, and no request is ours.
fresh
mint dora left=-5m provider=anthropic
write_store "main a" $A=dora
for agent in a main; do
	keeper status -j # the ledger knows it, or not
	openclaw refresh profile=$A agent=$agent
	expect_eq "OpenClaw refreshed or found it refreshed" "$(jq .ok "$said")" true
	expect_posts 1
	keeper refresh -j
	expect_status 0
	expect_posts 1
	expect_live dora $A main a
done
tally_right "both read what the other wrote" "2 providers, 2 agents; status agrees"
