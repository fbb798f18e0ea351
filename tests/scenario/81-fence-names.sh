#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A fence is a copy of the token that its digest names, under whatever name that is known; and one that nobody settles
# holds nobody up for longer than ten minutes.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
C1=11111111111111111111111111111111 C2=22222222222222222222222222222222
known() { # STORES: the ledger knows alice there
	fresh
	mint alice left=5h
	write_database "$1" xai:default=alice
	keeper refresh -j
	expect_status 0
	expect_posts 0
}

# A token is in flight at OpenClaw under a name that we never saw: it is not sent under the one that we know.
fresh
mint alice left=1h
write_database shared xai:default=alice xai:alice="$(fence alice pending $C1 xai:alice)"
keeper refresh --wait 0 -j
expect_status 4
expect_posts 0
expect_field '[.accounts[] | .outcome] | unique | join(" ")' busy
known shared
due
write_database shared xai:default=alice xai:alice="$(fence alice pending $C1 xai:alice)"
keeper refresh --wait 0 -j
expect_status 4
expect_posts 0

# `doctor --fix` renamed a login and, when its refresh failed, fenced it off, before we ever saw the new name.
fresh
mint erin left=4d lifetime=10d provider=openai-codex jwt=yes
write_store main openai-codex:default=erin
keeper refresh -j
expect_status 0
write_database shared openai:default="$(fence erin failed $C1 openai:default openai)"
mv "$(store main)" "$(store main).migrated-2026-11-21T00-00-00.000Z-0"
keeper refresh -j
expect_status 0
expect_posts 1
expect_eq "erin's generation" "$(store_token shared openai:default)" "$(server_token erin)"
keeper refresh --force -j
expect_status 0
expect_posts 2
expect_eq "erin's generation" "$(store_token shared openai:default)" "$(server_token erin)"
# A fence of a token that nobody knows stays one.
fresh
mint frank left=1h
write_database shared xai:default="$(fence frank failed)"
keeper refresh --force -j
expect_status 3
expect_posts 0
expect_field '[.accounts[0].outcome, .accounts[0].copies[0].state, (.problems[] | .code)] | join(" ")' "needs_login fenced copy_fenced"

# Two processes died while they refreshed, each in an agent with a login that we never had.
known shared
mint bob
mint carol
write_database a xai:default="$(fence bob pending $C1)"
write_database b xai:default="$(fence carol pending $C2)"
due
for minutes in 9 1; do
	keeper refresh --wait 0 -j
	expect_status $((minutes == 9 ? 4 : 1)) # for nine minutes: longer than any refresh takes
	expect_posts 0
	change_records ".sightings[].seen_ms -= $minutes * 60000"
done
keeper refresh --wait 0 -j
expect_status 3
expect_posts 1
expect_generation alice shared

# Another person logs in to main, while the agent's login, main's until then, is fenced off there.
known "shared a"
mint bob left=5h
write_database shared xai:default=bob
write_database a xai:default="$(fence alice failed)"
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice a
expect_eq "bob in main" "$(store_token shared)" "$(login_token bob)"
expect_field '[.accounts[] | .outcome] | sort | join(" ")' "refreshed unchanged"

# Refused three times, it is for a person to look.
known shared
write_database shared xai:default="$(fence alice failed)"
start_scripted
for try in 1 2 3 4 5; do
	answers '{"status": 400, "body": "{\"error\": \"invalid_client\"}"}'
	keeper refresh -j
	change_records '.not_before_ms = 0'
	case $try in 1 | 2) expect_status 1 ;; *) expect_status 3 ;; esac
done
expect_eq "requests" "$(posts)" 3
expect_no_secrets
