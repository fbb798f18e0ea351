#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Four refreshers beside four writers of the same rows and a checkpointer, over many rounds (ROUNDS=100 for a long run):
# nothing is lost on either side.
# Long: its rounds.
. "$(dirname "$0")/sqlite.sh" || exit 1

ROUNDS=${ROUNDS:-4}
start_oidc
mint alice left=30m
other='{"type":"api_key","provider":"openrouter","key":"FAKE-KEY-000000000001","metadata":{"count":"0","also":"0"}}'
write_database "shared a" xai:default=alice openrouter:default="$other"

# writer FILE TABLE KEY-COLUMN KEY TEXT-COLUMN TIME-COLUMN PATH: counts there until $T/end is there; says how far it came.
# As OpenClaw: read and write in one immediate transaction. One process alone checkpoints, since this SQLite may have
# the WAL-reset bug, and it is we who are tested here.
writer() {
	"$PYTHON" - "$T/end" "$@" <<-'END' >"$T/counted.$4.$(basename "$(dirname "$1")").${!#}" &
		import json, os, sqlite3, sys, time
		end, file, table, key_column, key, text, when, *path = sys.argv[1:]
		database = sqlite3.connect(file, isolation_level=None, timeout=300)
		database.execute("PRAGMA wal_autocheckpoint=0")
		count = 0
		while not os.path.exists(end):
		    database.execute("BEGIN IMMEDIATE")
		    document = json.loads(database.execute(f"SELECT {text} FROM {table} WHERE {key_column} = ?", (key,)).fetchone()[0])
		    inner = document
		    for name in path[:-1]:
		        inner = inner.setdefault(name, {})
		    count = int(inner.get(path[-1], 0)) + 1
		    inner[path[-1]] = str(count)
		    database.execute(f"UPDATE {table} SET {text} = ?, {when} = ? WHERE {key_column} = ?",
		                     (json.dumps(document, separators=(",", ":")), time.time_ns() // 1000000, key))
		    database.execute("COMMIT")
		    if count == 25:
		        open(f"{end}.{os.getpid()}", "w").close()  # under way
		    time.sleep(0.001)
		print(count)
	END
	WRITERS+=($!)
	SERVERS+=($!)
}
checkpointer() {
	"$PYTHON" - "$T/end" "$@" <<-'END' &
		import os, sqlite3, sys, time
		databases = [sqlite3.connect(file, isolation_level=None, timeout=300) for file in sys.argv[2:]]
		while not os.path.exists(sys.argv[1]):
		    for database in databases:
		        database.execute("PRAGMA wal_checkpoint").fetchall()
		    time.sleep(0.003)
	END
	WRITERS+=($!)
	SERVERS+=($!)
}

shared=$(database shared) a=$(database a)
writer "$shared" config_machine_state state_key authProfiles.store value_json updated_at_ms profiles openrouter:default metadata count
writer "$shared" config_machine_state state_key authProfiles.store value_json updated_at_ms profiles openrouter:default metadata also
writer "$shared" config_machine_state state_key authProfiles.state value_json updated_at_ms usageStats xai:default errorCount
writer "$a" auth_profile_store store_key primary store_json updated_at profiles openrouter:default metadata count
checkpointer "$shared" "$a"

under_way() { [ "$(find "$T" -name 'end.*' | wc -l)" = 4 ]; }
wait_until under_way
for ((round = 1; round <= ROUNDS; round++)); do
	for _ in 1 2 3 4; do start_keeper refresh --force --wait 10m -j; done
	wait_keepers
	expect_eq "round $round" "${statuses//1/0}" "0 0 0 0"
	# On a busy machine a writer may have the agent's database locked for as long as we are patient: the copy is left to
	# the next run then, and nothing else.
	for run in $(seq $((RUN - 3)) $RUN); do
		run=$T/runs/$run.out
		expect_eq "round $round" "$(jq -r '[.accounts[].error // empty | "\(.code): \(.message)"] | join(" ")' "$run" |
			sed -E 's/^copies_pending: [^ ]*: it is locked by another process$//')" ""
	done
done
touch "$T/end"
for writer in "${WRITERS[@]}"; do wait "$writer" || fail "a writer ended with $?"; done
keeper refresh
expect_status 0

expect_posts $((4 * ROUNDS))
expect_generation alice shared a
expect_eq "the shared profile's count" "$(document shared | jq -r '.profiles["openrouter:default"].metadata.count')" "$(cat "$T/counted.authProfiles.store.state.count")"
expect_eq "its other count" "$(document shared | jq -r '.profiles["openrouter:default"].metadata.also')" "$(cat "$T/counted.authProfiles.store.state.also")"
expect_eq "the agent profile's count" "$(document a | jq -r '.profiles["openrouter:default"].metadata.count')" "$(cat "$T/counted.primary.agent.count")"
expect_eq "the usage count" \
	"$(sql "$shared" "SELECT json_extract(value_json, '$.usageStats.\"xai:default\".errorCount') FROM config_machine_state WHERE state_key = 'authProfiles.state'")" \
	"$(cat "$T/counted.authProfiles.state.state.errorCount")"
for file in "$T"/counted.*; do
	[ "$(cat "$file")" -gt 20 ] || fail "$(basename "$file") came no further than $(cat "$file")"
done
expect_sound "$shared" "$a"
expect_no_secrets
