#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# From 2026.6.5 to 2026.7, and later if nobody moved them, the main profiles are in agents/main's own database.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
for ERA in 2026.6.5 2026.7.1 2026.8.1 2026.9.6; do
	fresh
	mint "alice$ERA" left=30m
	write_database "main a" xai:default="alice$ERA"
	write_database b
	case $ERA in
	2026.7.1) schema shared | sql "$(mkdir -p "$STATE/state" && database shared)" >/dev/null ;;
	2026.[89]*)
		put_document shared <<<'{"version":1,"profiles":{"xai:default":{"type":"oauth","provider":"xai","access":"a","refresh":"b"}}}'
		sql "$(database shared)" "UPDATE config_machine_state SET value_json = '{\"location\":\"legacy-main\"}'
			WHERE state_key = 'auth.sharedStore'"
		unread=$(document shared)
		;;
	esac
	keeper refresh -j
	expect_status 0
	expect_posts 1
	expect_generation "alice$ERA" main a
	expect_field '.accounts[0].copies | map("\(.role) \(.agent)") | join(", ")' "main main, agent a"
	expect_sound "$(database main)" "$(database a)"
done
expect_eq "a row that nobody reads" "$(document shared)" "$unread"

# `doctor --fix` moves them to the state database: the same login, nothing is sent for it.
document main | put_document shared
sql "$(database shared)" "UPDATE config_machine_state SET value_json = '{\"location\":\"state-db\"}' WHERE state_key = 'auth.sharedStore'"
rm "$(database main)"*
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation "alice$ERA" shared a
expect_field '.accounts[0].copies | map(.role) | join(", ")' "shared, agent"
keeper refresh --force -j
expect_status 0
expect_posts 2
expect_generation "alice$ERA" shared a
