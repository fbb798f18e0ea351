#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# While the database that main stands in is away, cannot be read, or is a link whose log is elsewhere, no other copy is
# taken for main: nothing is sent, and no JSON that SQLite replaced is written.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
n=0
given() { # LOGIN-STORES…: alice stands there, and the ledger knows her
	n=$((n + 1))
	fresh
	mint "alice$n" left=5h
	"$@" xai:default="alice$n"
	keeper refresh -j
	expect_status 0
	expect_posts 0
}
held() { # CODE
	keeper refresh --force -j
	expect_status 3
	expect_posts 0
	expect_field '[.accounts[] | .outcome, .error.code] | join(" ")' "held main_store"
	expect_eq "alice's grant is alive" "$(control state | jq ".accounts.alice$n.alive")" true
}
# imported: main's and a's JSON into databases of 2026.7.1, as `doctor --fix` does it
imported() {
	local agent
	for agent in main a; do
		jq -jc . "$(store $agent)" | ERA=2026.7.1 put_document $agent
		mv "$(store $agent)" "$(store $agent).sqlite-import.1.bak"
	done
}
# log_of FILE SQL: another process leaves that in the log, and nothing of it in the database
log_of() {
	hold_database "$@"
	release_databases
}

# The ledger knows main as JSON; imported, main's database is unsafe, or has a log that cannot be read without writing.
given write_store "main a"
imported
chmod 666 "$(database main)"
held
given write_store "main a"
imported
peer "alice$n" # OpenClaw's own refresh, which the log has
write_store "$T/new.json" xai:default="alice$n"
log_of "$(database main)" "UPDATE auth_profile_store SET store_json = '$(jq -c . "$T/new.json")'"
rm "$(database main)-shm"
held

# The shared store is away, as in a restore; is a link to itself; has no row.
given write_database "shared a"
mv "$(database shared)" "$T/away"
held
ln -s openclaw.sqlite "$(database shared)"
held
rm "$(database shared)"
cp "$T/away" "$(database shared)"
chmod 600 "$(database shared)"
sql "$(database shared)" "DELETE FROM config_machine_state WHERE state_key = 'authProfiles.store'"
held

# An agent's own login, which another agent shares: the same.
fresh
mint bob left=5h
mint carol left=30m
write_database shared xai:default=bob
write_database "a b" xai:default=carol
keeper refresh -j
expect_posts 1
expect_generation carol a b
chmod 666 "$(database a)"
keeper refresh --force -j
expect_status 3
expect_posts 2 # bob's
expect_generation carol b

# The state database is a link, and that the main profiles have moved into it stands in its log alone.
fresh
mint dora left=30m
ERA=2026.8.1 write_database "main a" xai:default=dora
mkdir -p "$STATE/state" "$HOME/disk"
schema shared | sql "$HOME/disk/openclaw.sqlite" >/dev/null
ln -s "$HOME/disk/openclaw.sqlite" "$(database shared)"
peer dora
write_store "$T/new.json" xai:default=dora
hold_database "$HOME/disk/openclaw.sqlite" "INSERT INTO config_machine_state VALUES ('auth.sharedStore', '{\"location\":\"state-db\"}', 1);
	INSERT INTO config_machine_state VALUES ('authProfiles.store', '$(jq -c . "$T/new.json")', 1)"
keeper refresh --force -j
expect_status 0
expect_posts 1
expect_generation dora shared main a
release_databases

# An agent's database is, with JSON beside it.
fresh
mint erin left=30m
write_store main xai:default=erin
json=$(sum "$(store main)")
mkdir -p "$HOME/disk"
ERA=2026.7.1 schema main | sql "$HOME/disk/agent.sqlite" >/dev/null
ln -s "$HOME/disk/agent.sqlite" "$(database main)"
peer erin
write_store "$T/new.json" xai:default=erin
hold_database "$HOME/disk/agent.sqlite" "INSERT INTO auth_profile_store VALUES ('primary', '$(jq -c . "$T/new.json")', 1)"
keeper refresh --force -j
expect_status 0
expect_posts 1
expect_generation erin main
expect_untouched "$(store main)" "$json"
expect_no_secrets
