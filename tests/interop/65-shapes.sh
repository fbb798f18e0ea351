#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Databases that this OpenClaw made, then changed as a later release might: a newer user_version and what it adds are
# served; a renamed or missing column and a missing table are declined with a reason, and nothing is spent or written.
. "$(dirname "$0")/sqlite.sh" || exit 1

P=anthropic:default
start_oidc
mint alice left=2h lifetime=10d provider=anthropic
write_store "main work" $P=alice
migrated
main=$(main_database)
file=$(database "$main")
case $main in
shared) table=config_machine_state value=value_json time=updated_at_ms ;;
main) table=auth_profile_store value=store_json time=updated_at ;;
esac
mv "$STATE" "$T/migrated"

# By OpenClaw's SQLite: the system's may not know all that its schema needs.
sql_of_openclaw() {
	"$CACHE/node" --no-warnings -e 'const { DatabaseSync } = require("node:sqlite");
		const database = new DatabaseSync(process.argv[1]);
		for (const statement of process.argv.slice(2)) {
			for (const row of database.prepare(statement).all()) console.log(Object.values(row).join("|"));
		}' "$@" || die "SQLite of OpenClaw: ${*:2}"
}

# change STATEMENT…: the main database as OpenClaw made it, but for that. Every case has a login of its own.
n=0
change() {
	n=$((n + 1))
	rm -rf "$STATE" "$LEDGER"
	cp -a "$T/migrated" "$STATE"
	mint "case$n" left=2h lifetime=10d provider=anthropic email=alice@example.com
	document "$main" | jq -c --arg p $P --slurpfile login "$T/logins/case$n.json" '.profiles[$p] += $login[0]' | put_document "$main"
	[ $# = 0 ] || sql_of_openclaw "$file" "$@"
	reset_posts
}

serves() { # STATEMENT…
	change "$@"
	keeper preview -j
	expect_field '[.problems[] | select(.severity == "error")] | length' 0
	keeper refresh --force -j
	expect_status 0
	expect_posts 1
	expect_eq "$*: the login" "$(store_token "$main" $P)" "$(server_token "case$n")"
	expect_intact
	served=$((served + 1))
}

declines() { # STATEMENT…
	local before
	change "$@"
	before=$(sum "$file")
	keeper preview -j
	expect_status 3
	keeper refresh --force -j
	expect_status 3
	expect_posts 0
	expect_eq "$*: bytes" "$(sum "$file")" "$before"
	expect_field '[.problems[] | select(.code == "store_wrong_shape") | .store] | unique | join(" ")' "$file"
	expect_field '[.problems[] | select(.code == "store_wrong_shape") | .message, .fix | length > 10] | all' true
	declined=$((declined + 1))
}

served=0 declined=0
serves
version=$(sql_of_openclaw "$file" "PRAGMA user_version")
serves "PRAGMA user_version = $((version + 1))"
serves "PRAGMA user_version = 4711" "ALTER TABLE $table ADD COLUMN revision INTEGER"
serves "CREATE TABLE auth_profile_rows (id TEXT PRIMARY KEY, credential_json TEXT)"
declines "ALTER TABLE $table RENAME COLUMN $value TO document"
declines "ALTER TABLE $table RENAME COLUMN $time TO changed_at"
declines "ALTER TABLE $table DROP COLUMN $time"
if [ "$main" = shared ]; then
	declines "DROP TABLE $table"
else # an agent's database has other things in it, too, and without the table it has no credentials
	change "DROP TABLE $table"
	before=$(sum "$file")
	keeper refresh --force -j
	expect_status 0 3 # 2026.7 leaves JSON in agents, which is retired
	expect_posts 0
	expect_eq "bytes" "$(sum "$file")" "$before"
	expect_field '[.accounts[] | select(.copies[].role == "main")] | length' 0
	expect_field '[.accounts[] | select(.outcome != "held" or .error.code != "main_store")] | length' 0
fi
tally "shapes of $main, user_version $version" "$served served, $declined declined"
expect_no_secrets
