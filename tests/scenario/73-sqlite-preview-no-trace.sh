#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# preview and status leave no trace in databases: not a byte, not a time, no -wal, no -shm; whoever has them open.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
mint alice left=30m
write_database "shared a" xai:default=alice
traceless() {
	everything >"$T/before"
	for command in "preview -j" "status -j" "refresh --dry-run -j" "sync --dry-run -j"; do
		# shellcheck disable=SC2086
		traced $command
		expect_status 0
		expect_eq "$1, $command: files" "$(everything)" "$(cat "$T/before")"
		expect_no_traces "$WRITES" "$RENAMES"
		expect_field '[.accounts[].copies[].role] | join(" ")' "shared agent"
	done
	expect_posts 0
}

# Closed in an orderly way: WAL databases without their logs.
expect_eq "logs before" "$(find "$STATE" -name '*-wal' -o -name '*-shm' | wc -l)" 0
traceless "closed"

# A gateway has them open, with a commit that is in the log alone: that is what is shown.
hold_database "$(database shared)" "UPDATE config_machine_state SET value_json = replace(value_json, 'alice@', 'bob@')
	WHERE state_key = 'authProfiles.store'"
hold_database "$(database a)" "UPDATE auth_profile_store SET store_json = replace(store_json, 'alice@', 'bob@')"
traceless "open elsewhere"
expect_field '[.accounts[].identity.email] | index("bob@example.com") != null' true

# … and is in the middle of a transaction.
hold_database "$(database a)" "BEGIN IMMEDIATE; UPDATE auth_profile_store SET store_json = 'x'"
traceless "in a transaction"

# It was killed: the log stays behind, with its index.
release_databases
expect_eq "logs" "$(find "$STATE" -name '*-wal' | wc -l)" 2
traceless "killed"
expect_field '[.accounts[].identity.email] | index("bob@example.com") != null' true

# Without the index the log cannot be read but by writing one: said, not done.
rm "$(database shared)-shm"
everything >"$T/before"
keeper preview -j
expect_status 3
expect_eq "files" "$(everything)" "$(cat "$T/before")"
expect_field '[.problems[].code] | index("store_unreadable") != null' true
keeper refresh -j
expect_status 3
expect_posts 0

# What is looked for is there to be seen where a run does write.
fresh
write_database "shared a" xai:default=alice
traced refresh -j
expect_status 0
expect_traces "$WRITES" "$RENAMES"
