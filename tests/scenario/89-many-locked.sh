#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Locked databases are tried, never waited for one after the other, and nothing is concluded from one that stayed locked.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
mint alice left=30m
agents=$(printf 'a%s ' {1..20})
write_database "shared $agents" xai:default=alice

# hold_all STATEMENT AGENT…: one process has all of them locked.
hold_all() {
	local done=$T/holding${#HELD[@]} files=() agent
	for agent in "${@:2}"; do files+=("$(database "$agent")"); done
	"$PYTHON" - "$done" "$1" "${files[@]}" <<-'END' &
		import os, sqlite3, sys, time
		done, statement, *files = sys.argv[1:]
		held = [sqlite3.connect(file, isolation_level=None) for file in files]
		for database in held:
		    for each in statement.split(";"):
		        database.execute(each)
		open(done, "w").close()
		while os.getppid() > 1:
		    time.sleep(0.1)
	END
	HELD+=($!)
	SERVERS+=($!)
	wait_until test -e "$done"
}
journal() { # MODE AGENT…
	local agent
	for agent in "${@:2}"; do sql "$(database "$agent")" "PRAGMA journal_mode = $1" >/dev/null; done
}
# expect_sleeps N: at most so many, in the run that was traced.
TRACE=nanosleep,clock_nanosleep
# (Whether a run sleeps at all is chance; a program that does is seen to.)
strace -qq -o "$T/trace" -e "trace=$TRACE" sleep 0.001 2>/dev/null && expect_match "$T/trace" nanosleep
expect_sleeps() {
	local n
	n=$(grep -c nanosleep "$T/trace")
	[ "$n" -le "$1" ] || fail "sleeps: $n, shall be $1 at most"
}
busy_stores='[.problems[] | select(.code == "store_busy" and .severity == "warning")] | length'

# Locked against writing: 20 times five seconds, once.
# shellcheck disable=SC2086
hold_all "BEGIN IMMEDIATE" $agents
traced refresh --wait 2s -j
expect_status 1
expect_posts 1
expect_generation alice shared
expect_sleeps 9 # a lock file that was taken is looked at again after a moment
expect_field '.accounts[0].error.code' copies_pending
expect_field '[.accounts[0].copies[] | select(.state == "pending")] | length' 20
release_databases
keeper refresh
expect_status 0
# shellcheck disable=SC2086
expect_generation alice shared $agents

# Locked against reading, which without a log is what a writer does: said, and the others are served.
# shellcheck disable=SC2086
journal DELETE $agents
# shellcheck disable=SC2086
hold_all "BEGIN EXCLUSIVE; UPDATE auth_profile_store SET updated_at = 2" $agents
traced refresh --force --wait 2s -j
expect_status 4
expect_posts 2
expect_generation alice shared
expect_sleeps 15
expect_field "$busy_stores" 20
traced status -j --wait 0
expect_sleeps 0
release_databases
keeper refresh
expect_status 0
expect_posts 2
# shellcheck disable=SC2086
expect_generation alice shared $agents

# main itself: no other copy takes its place, the login has not ended, and it passes. In the first run, too.
journal DELETE shared
for known in yes ""; do
	[ "$known" ] || rm -r "$LEDGER" "$STATE/locks"
	hold_all "BEGIN EXCLUSIVE; UPDATE config_machine_state SET updated_at_ms = 2" shared
	for wait in 0 1s; do
		traced refresh --force --wait $wait -j
		expect_status 4
		expect_posts 2
		expect_field "$busy_stores" 1
		expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "busy store_busy"
		expect_field .summary.copies_written 0
		[ $wait != 0 ] || expect_sleeps 0
	done
	release_databases
	keeper refresh -j
	expect_status 0
	expect_posts 2
	expect_field '.accounts | map(.outcome + " " + .copies[0].role) | join(", ")' "unchanged shared"
done

# With so little time left that no other run may come, it is a failure that names the file, under -q too; and one for a
# person once the login has expired.
for known in 9:1 -3:3; do
	hold_all "BEGIN EXCLUSIVE; UPDATE config_machine_state SET updated_at_ms = 2" shared
	change_records ".live.expires_ms = ((now + ${known%:*} * 60) * 1000 | floor)"
	keeper refresh --wait 0 -j
	expect_status "${known#*:}"
	expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "failed lock_held"
	expect_field ".problems[] | select(.code == \"lock_held\") | .fix" "fuser -v $(database shared) # see who has it open"
	keeper refresh --wait 0 -q
	expect_status "${known#*:}"
	expect_match "$err" "lock_held"
	release_databases
done
expect_posts 2

# A login that nobody knows yet stands in an agent's store, and main cannot be looked at: it may stand there, too.
mint bob left=30m
mint carol left=5h
fresh
write_database shared xai:default=carol
keeper refresh
expect_status 0
write_database b xai:default=bob
journal DELETE shared
hold_all "BEGIN EXCLUSIVE; UPDATE config_machine_state SET updated_at_ms = 2" shared
keeper refresh --wait 0 -j
expect_status 4
expect_posts 0
expect_field '[.accounts[] | select([.copies[].agent] == ["b"]) | "\(.outcome) \(.error.code)"] | join(", ")' "busy store_busy"
release_databases
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation bob b

expect_no_secrets
