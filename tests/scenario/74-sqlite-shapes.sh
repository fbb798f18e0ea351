#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Databases of later releases are served as long as the one table is what it was; any other shape is declined, with a
# reason, and nothing is spent for it.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
n=0
given() { # new home, alice in the shared row and in `a`
	n=$((n + 1))
	fresh
	mint "alice$n" left=30m
	write_database "shared a" xai:default="alice$n"
}
works() {
	keeper refresh -j
	expect_status 0
	expect_posts 1
	expect_generation "alice$n" shared a
}
# declines CODE STORE…: nobody spends or writes anything
declines() {
	local sums
	sums=$(sha256sum "$(database shared)" "$(database a)")
	keeper refresh -j
	expect_status 3
	expect_posts 0
	expect_eq "bytes" "$(sha256sum "$(database shared)" "$(database a)")" "$sums"
	expect_field "[.problems[] | select(.code == \"$1\") | .store] | unique | join(\" \")" "${*:2}"
	expect_field '[.accounts[] | .outcome] | unique | join(" ")' "${outcome:-held}"
	keeper preview
	expect_status 3
}

given
sql "$(database shared)" "PRAGMA user_version = 4711"
sql "$(database a)" "PRAGMA user_version = 4711; ALTER TABLE auth_profile_store ADD COLUMN revision INTEGER;
	CREATE TABLE auth_profile_rows (id TEXT)"
works

# With a shared store that cannot be judged nothing is sent, from an agent's copy neither.
given
sql "$(database shared)" "ALTER TABLE config_machine_state RENAME COLUMN value_json TO value"
declines store_wrong_shape "$(database shared)"
given
sql "$(database shared)" "ALTER TABLE config_machine_state DROP COLUMN updated_at_ms"
declines store_wrong_shape "$(database shared)"
# … and where its table is gone, what an upgrade left in agents/main is not asked in its place.
given
ERA=2026.7.1 write_database main xai:default="alice$n"
sql "$(database shared)" "DROP TABLE config_machine_state"
declines store_wrong_shape "$(database shared)"
given
sql "$(database shared)" "UPDATE config_machine_state SET value_json = '{\"location\":\"cloud\"}' WHERE state_key = 'auth.sharedStore'"
declines store_wrong_shape "$(database shared)"
given
sql "$(database shared)" "UPDATE config_machine_state SET value_json = '{\"profiles\":[]}' WHERE state_key = 'authProfiles.store'"
declines store_wrong_shape "$(database shared)"
given
sql "$(database shared)" "UPDATE config_machine_state SET value_json = '{\"version\":1,\"profiles\":{' WHERE state_key = 'authProfiles.store'"
declines store_unreadable "$(database shared)"
given
head -c 8192 /dev/urandom >"$(database shared)"
declines store_unreadable "$(database shared)"
given
truncate -s 6000 "$(database shared)"
declines store_unreadable "$(database shared)"
given
chmod 666 "$(database shared)"
declines store_unsafe "$(database shared)"

# What can be read and not be updated is found out before anything is sent: a function that the linked SQLite lacks, in
# an index or in a CHECK; a column that is reckoned; two rows of one key.
refuses() {
	keeper refresh -j
	expect_status 1
	expect_posts 0
	expect_field '.accounts[0].error.code' store_not_writable
	expect_match "$out" "the layout of its tables"
}
given
"$PYTHON" - "$(database shared)" <<'END'
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.create_function("newer_function", 1, len, deterministic=True)
database.execute("CREATE INDEX by_length ON config_machine_state(newer_function(value_json))")
database.commit()
END
refuses
given
sql -cmd ".dbconfig defensive off" "$(database shared)" "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql,
	'value_json TEXT NOT NULL', 'value_json TEXT NOT NULL CHECK (newer_function(value_json))') WHERE name = 'config_machine_state'"
refuses
replace_table() { # COLUMNS SELECTED…
	local what sql="CREATE TABLE t ($1) STRICT;"
	for what in "${@:2}"; do sql+="INSERT INTO t SELECT $what FROM config_machine_state;"; done
	sql "$(database shared)" "$sql DROP TABLE config_machine_state; ALTER TABLE t RENAME TO config_machine_state"
}
given
replace_table "state_key TEXT NOT NULL PRIMARY KEY, value_json TEXT NOT NULL, updated_at_us INTEGER,
	updated_at_ms INTEGER GENERATED ALWAYS AS (updated_at_us / 1000) VIRTUAL" "state_key, value_json, updated_at_ms * 1000"
refuses
given
replace_table "state_key TEXT NOT NULL, value_json TEXT NOT NULL, updated_at_ms INTEGER" "*" "*"
refuses

# The same where agents/main is main, of an older release.
given
rm "$(database shared)"*
ERA=2026.7.1 write_database main xai:default="alice$n"
sql "$(database main)" "ALTER TABLE auth_profile_store RENAME COLUMN store_json TO document"
cp "$(database main)" "$(mkdir -p "$STATE/state" && echo "$STATE/state/kept")"
keeper refresh -j
expect_status 3
expect_posts 0
expect_field '[.problems[] | select(.code == "store_wrong_shape") | .store] | join(" ")' "$(database main)"
expect_eq "bytes" "$(sum "$(database main)")" "$(sum "$STATE/state/kept")"

# An agent's that cannot be read stops nobody else.
given
sql "$(database a)" "ALTER TABLE auth_profile_store RENAME COLUMN store_json TO document"
a=$(sum "$(database a)")
keeper refresh -j
expect_status 3
expect_posts 1
expect_generation "alice$n" shared
expect_untouched "$(database a)" "$a"
expect_field '[.problems[] | select(.code == "store_wrong_shape") | .store] | join(" ")' "$(database a)"

# Tables gone altogether: no credentials there, and none are made.
given
sql "$(database a)" "DROP TABLE auth_profile_store"
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation "alice$n" shared
expect_eq "tables" "$(sql "$(database a)" ".tables auth_profile_store")" ""

# What is not ours in a document of ours.
fresh
mint bob left=30m
login() { jq -c "$1" "$T/logins/bob.json"; }
write_database shared xai:cli="$(login '.authFlow = "external-cli"')" \
	xai:ref="$(login '.oauthRef = {source: "openclaw-credentials", provider: "openai-codex", id: "00000000000000000000000000000000"}')" \
	xai:setup="$(login '.setup = {replacement: {id: "x"}}')" \
	personal:1:2="$(login .)" anthropic:claude-cli="$(login '.provider = "anthropic"')" \
	xai:key='{"type":"api_key","provider":"xai","keyRef":{"source":"env","provider":"default","id":"XAI"}}'
before=$(document shared)
keeper refresh -j
expect_status 0
expect_posts 0
expect_eq "document" "$(document shared)" "$before"
expect_field '[.accounts[].outcome] | unique | join(" ")' skipped
