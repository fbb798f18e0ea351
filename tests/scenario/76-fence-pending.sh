#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A pending fence is a refresh in flight: it is waited for, then busy. One that is ten minutes old by our own first
# sighting was left behind by a crash, and OpenClaw never recovers it: then it counts as failed.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
known() { # new home; the ledger knows alice
	fresh
	mint alice left=5h
	write_database "shared a" xai:default=alice
	keeper refresh -j
	expect_status 0
	expect_posts 0
}
fence_off() { write_database "$1" xai:default="$(fence alice "${@:2}")"; }
# As if the fence had been seen some minutes earlier.
backdate() { change_records ".sightings[].seen_ms -= $1 * 60000"; }

# Young: nothing sent, nothing written, and said once it does not end.
known
fence_off shared pending
fence_off a pending
before=$(document shared)
keeper refresh --wait 1s -j
expect_status 4
expect_posts 0
expect_field '.accounts[0].outcome' busy
expect_eq "the fence" "$(document shared)" "$before"
backdate 2
keeper refresh --wait 0 -j
expect_status 4
expect_posts 0

# It is settled while we wait, first where the login is, then in the peers: the new token is adopted.
cp "$T/logins/alice.json" "$T/logins/old.json"
start_keeper refresh --wait 10m -j
sleep 0.5
peer alice
write_database shared xai:default=alice
sleep 0.5
write_database a xai:default="$(fence old failed)"
wait_keepers
expect_eq "status" "$statuses" 0
expect_posts 0
expect_generation alice shared a

# It crashed between the two: nobody is disturbed until the fence has aged, then it is repaired.
cp "$T/logins/alice.json" "$T/logins/old.json"
peer alice
write_database shared xai:default=alice
write_database a xai:default="$(fence old pending 44444444444444444444444444444444)"
keeper refresh --wait 0 -j
expect_status 4
expect_generation alice shared
backdate 11
keeper refresh --wait 0 -j
expect_status 0
expect_posts 0
expect_generation alice shared a

# Aged: sent as the last resort, and the answer takes its place, in the peers too.
known
fence_off "shared a" pending 11111111111111111111111111111111
keeper refresh --wait 0 -j
expect_status 4
backdate 11
keeper refresh --wait 0 -j
expect_status 0
expect_posts 1
expect_generation alice shared a
expect_field '.accounts[0].outcome' refreshed
expect_field '[.problems[].code] | index("gateway_notice") != null' true

# A later claim starts anew.
known
fence_off shared pending 22222222222222222222222222222222
keeper refresh --wait 0 -j
backdate 11
fence_off shared pending 33333333333333333333333333333333
keeper refresh --wait 0 -j
expect_status 4
expect_posts 0

# It stands there at our first look: waited for, too; then only a person can help, since nobody has its token.
fresh
mint alice left=5h
fence_off shared pending
keeper preview --check -j
expect_field '.accounts[0].outcome' busy
keeper refresh --wait 0 -j
expect_status 4
backdate 11
keeper refresh --wait 0 -j
expect_status 3
expect_posts 0
expect_field '.accounts[0].outcome' needs_login
write_database shared xai:default=alice
keeper refresh -j
expect_status 0
keeper refresh --force -j
expect_status 0
expect_posts 1
expect_generation alice shared
expect_no_secrets
