#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A database that cannot be written is found out before the token is spent; one that is locked later gets it later.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
mint alice left=30m
write_database "shared a" xai:default=alice
hold_database "$(database shared)" "BEGIN IMMEDIATE"
keeper refresh --wait 1s -j
expect_status 4
expect_posts 0
expect_field '.accounts[0].error.code' store_busy
release_databases
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice shared a

# A reader hinders nobody, however long it reads.
hold_database "$(database shared)" "BEGIN; SELECT * FROM config_machine_state"
keeper refresh --force -j
expect_status 0
expect_posts 2
expect_generation alice shared a
release_databases

# … but where there is no log, whose COMMIT it would hinder: found out before anything is sent.
sql "$(database shared)" "PRAGMA journal_mode = DELETE" >/dev/null
hold_database "$(database shared)" "BEGIN; SELECT * FROM config_machine_state"
keeper refresh --force --wait 1s -j
expect_status 4
expect_posts 2
expect_field '.accounts[0].error.code' store_busy
release_databases
sql "$(database shared)" "PRAGMA journal_mode = WAL" >/dev/null

# An agent's database is locked while the others are written: the next run delivers it, without a request.
hold_database "$(database a)" "BEGIN IMMEDIATE"
keeper refresh --force -j
expect_status 1
expect_posts 3
expect_generation alice shared
expect_field '.accounts[0].error.code' copies_pending
expect_field '.accounts[0].error.message | contains("agents/a/agent/openclaw-agent.sqlite")' true
expect_field '[.accounts[0].copies[] | select(.state == "pending") | .role] | join(" ")' agent
release_databases
keeper refresh -j
expect_status 0
expect_posts 3
expect_generation alice shared a
expect_sound "$(database shared)" "$(database a)"

# No room for the log.
if [ "$(id -u)" = 0 ]; then
	fresh
	mkdir -p "$STATE/state"
	mount -t tmpfs -o size=2m tmpfs "$STATE/state" 2>/dev/null || exit $((FAILED > 0))
	trap 'umount "$STATE/state"; finish' EXIT
	chmod 700 "$STATE/state"
	mint bob left=30m
	write_database shared xai:default=bob
	keeper refresh -j
	expect_status 1
	expect_posts 0
	expect_field '.accounts[0].error.code' store_not_writable
fi
