#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# JSON stores that SQLite has replaced are neither spent nor written: their tokens are somebody else's by now.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
given() {
	mint alice left=30m
	write_store "main a" xai:default=alice
	main=$(sum "$(store main)") a=$(sum "$(store a)")
}
retired() {
	expect_untouched "$(store main)" "$main"
	expect_untouched "$(store a)" "$a"
	expect_field "[.accounts[].copies[] | select(.store | endswith(\".json\")) | .state] | unique | join(\" \")" retired
	expect_field '[.problems[] | select(.code == "store_retired")] | length' 2
}

# The login goes on in the databases.
given
write_database "main a" xai:default=alice
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice "$(database main)" "$(database a)"
retired

fresh
given
write_database shared xai:default=alice
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice shared
retired

# A database that cannot be judged is taken for one that holds them: nothing is sent.
for file in state/openclaw.sqlite agents/main/agent/openclaw-agent.sqlite; do
	fresh
	given
	mkdir -p "$STATE/state"
	head -c 8192 /dev/urandom >"$STATE/$file"
	chmod 600 "$STATE/$file"
	every_file >"$T/files"
	keeper refresh -j
	expect_status 3
	expect_posts 0
	expect_untouched "$(store main)" "$main"
	expect_untouched "$(store a)" "$a"
	expect_field "[.accounts[].copies[] | select(.store == \"$(store main)\") | .state] | unique | join(\" \")" retired
	expect_eq "files" "$(every_file)" "$(cat "$T/files")"
done

# One without credentials retires nothing.
fresh
mkdir -p "$STATE/agents/main/agent"
sqlite3 "$STATE/agents/main/agent/openclaw-agent.sqlite" "CREATE TABLE board (id INTEGER)"
mint bob left=30m
write_store main xai:default=bob
keeper refresh -j
expect_status 0
expect_generation bob "$(store main)"
