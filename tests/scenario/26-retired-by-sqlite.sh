#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# JSON stores that SQLite has replaced are neither spent nor written: their tokens are somebody else's by now.
. "$(dirname "$0")/lib.sh"

start_oidc
database() { # FILE TABLE KEY-COLUMN KEY JSON
	mkdir -p "$(dirname "$1")"
	sqlite3 "$1" "PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS $2 ($3 TEXT NOT NULL PRIMARY KEY,
		${3/key/json} TEXT NOT NULL, updated_at INTEGER NOT NULL); INSERT INTO $2 VALUES ('$4', '$5', 1);" >/dev/null
}
retired() {
	mint alice left=30m
	write_store "main a" xai:default=alice
	before=$(sum "$(store main)")
	every_file >"$T/files"
	keeper refresh -j
	expect_status 3
	expect_posts 0
	expect_untouched "$(store main)" "$before"
	expect_field "[.accounts[].copies[] | select(.store == \"$(store main)\") | .state] | unique | join(\" \")" retired
	expect_eq "files" "$(every_file)" "$(cat "$T/files")"
}
live='{"version":1,"profiles":{"xai:default":{"type":"oauth","provider":"xai"}}}'

database "$STATE/agents/main/agent/openclaw-agent.sqlite" auth_profile_store store_key primary "$live"
retired

fresh
state=$STATE/state/openclaw.sqlite
mkdir -p "$STATE/state"
sqlite3 "$state" "CREATE TABLE config_machine_state (state_key TEXT NOT NULL PRIMARY KEY, value_json TEXT NOT NULL,
	updated_at_ms INTEGER NOT NULL); INSERT INTO config_machine_state VALUES ('auth.sharedStore',
	'{\"location\":\"state-db\"}', 1), ('authProfiles.store', '$live', 1);"
retired

# A database that cannot be judged is taken for one that holds them.
fresh
mkdir -p "$STATE/agents/main/agent"
head -c 8192 /dev/urandom >"$STATE/agents/main/agent/openclaw-agent.sqlite"
retired

# One without credentials retires nothing.
fresh
mkdir -p "$STATE/agents/main/agent"
sqlite3 "$STATE/agents/main/agent/openclaw-agent.sqlite" "CREATE TABLE board (id INTEGER)"
mint bob left=30m
write_store main xai:default=bob
keeper refresh -j
expect_status 0
expect_generation bob main
