#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What `doctor --fix` has migrated, three profiles and three agents: preview, refresh and status agree with OpenClaw's
# own view, and after a refresh OpenClaw uses the new tokens and sends nothing itself.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
mint alice left=5d lifetime=10d provider=anthropic
mint bob left=5d lifetime=10d provider=xai
mint carol left=5d lifetime=10d provider=openai-codex jwt=yes
mint dave left=5d lifetime=10d provider=anthropic
write_store main anthropic:default=alice xai:default=bob openai-codex:default=carol
write_store work anthropic:default=dave # logged in for itself
write_store ops anthropic:default=alice
migrated
main=$(main_database)
access_of() { document "$1" | fingerprint_of --arg p "$2" '.profiles[$p].access'; }
# An imported copy of main's login may have been left out: then the agent reads it through.
holds() { document "$1" 2>/dev/null | jq -e --arg p "$2" '.profiles[$p]' >/dev/null; }
theirs='[.auth.oauth.profiles[] | select(.type == "oauth") | .profileId] | sort | join(" ")'
ours='[.accounts[] | select(.copies[].role | IN("shared", "main")) | .profile] | unique | join(" ")'

everything >"$T/before"
keeper preview -j
expect_status 0
expect_eq "files after a preview" "$(everything)" "$(cat "$T/before")"
cli models status --json --agent main || fail "models status ended with $?" "$(cat "$T/cli.err")"
expect_eq "profiles" "$(field "$ours")" "$(jq -r "$theirs" "$cli_out")"
expect_field '[.accounts[].outcome] | unique | inside(["planned", "unchanged"])' true
expect_posts 0

keeper refresh --force -j
expect_status 0
expect_posts 4
expect_eq "alice" "$(store_token "$main" anthropic:default)" "$(server_token alice)"
expect_eq "bob" "$(store_token "$main" xai:default)" "$(server_token bob)"
expect_eq "carol" "$(store_token "$main" openai:default)" "$(server_token carol)"
expect_eq "dave" "$(store_token work anthropic:default)" "$(server_token dave)"
! holds ops anthropic:default || expect_eq "alice in ops" "$(store_token ops anthropic:default)" "$(server_token alice)"

keeper status -j
expect_status 0
for agent in main work ops; do
	openclaw read agent=$agent
	cli models status --json --agent $agent || fail "models status ended with $?" "$(cat "$T/cli.err")"
	for profile in anthropic:default xai:default openai:default; do
		holder=$main
		[ $agent.$profile = work.anthropic:default ] && holder=work
		expect_eq "$agent sees $profile" "$(saw ".profiles[\"$profile\"].refresh")" "$(store_token $holder $profile)"
		expires=$(document $holder | jq ".profiles[\"$profile\"].expires")
		expect_eq "$agent, expiry of $profile" \
			"$(jq ".auth.oauth.profiles[] | select(.profileId == \"$profile\") | .expiresAt" "$cli_out")" "$expires"
		# Providers' `expires` may be up to 5 minutes early; ours is the true one, in whole seconds.
		role=$([ $holder = work ] && echo agent || echo "$main")
		skew=$(($(field ".accounts[] | select(.profile == \"$profile\" and .copies[0].role == \"$role\") | .expires_at | fromdate") - expires / 1000))
		[ $skew -ge -1 ] && [ $skew -le 301 ] || fail "expiry of $profile: we say $skew s later"
	done
	openclaw refresh profile=anthropic:default agent=$agent
	holder=$main
	[ $agent = work ] && holder=work
	expect_eq "$agent uses the new token" "$(saw .access)" "$(access_of $holder anthropic:default)"
	expect_eq "$agent sends nothing" "$(saw '.sent | length')" 0
done
expect_posts 4

# What OpenClaw refreshes itself is adopted, and goes on from there.
mint alice left=-1m lifetime=10d provider=anthropic
document "$main" | jq -c --slurpfile login "$T/logins/alice.json" '.profiles["anthropic:default"] += $login[0]' | put_document "$main"
openclaw refresh profile=anthropic:default
expect_eq "OpenClaw's own refresh" "$(saw '"\(.ok) \(.sent | length)"')" "true 1"
expect_posts 5
keeper refresh -j
expect_status 0
expect_posts 5
keeper refresh --force -j anthropic:default
expect_status 0
expect_eq "alice" "$(store_token "$main" anthropic:default)" "$(server_token alice)"
expect_eq "alice's grant is alive" "$(control state | jq '.accounts.alice.alive')" true
expect_intact
expect_no_secrets
