#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The program and we keep each other from sending one token twice: we wait while it refreshes, and it while we do.
. "$(dirname "$0")/lib.sh" || exit 1

start_providers
# shellcheck disable=SC2317 # wait_until calls it
we_sent() { [ "$(posts)" -gt "$before" ]; }

# Codex sends without a lock (40-race), and locks its writes: its logout waits until our answer is saved. Its second lock it
# would wait for no longer than 5 s: we do not hold that while we send.
if [ "$PROGRAM" = codex-cli ]; then
	scene left=9d
	shared
	before=$(posts)
	hold_answer
	start_keeper refresh --force
	wait_until we_sent
	start_drive logout
	wait_until was_refused
	flock -n "$HOME/.codex/auth.json.lock" true || fail "auth.json.lock is held over our request"
	[ -e "$FILE" ] || fail "it did not wait for us"
	release_answer
	wait_keepers
	wait_drive
	expect_eq "exit status" "$statuses" 0
	expect_posts 1
	[ -e "$FILE" ] && fail "it has not logged out"
	expect_eq "main has the answer" "$(store_token main $PROFILE)" "$(server_token $LOGIN)"
	expect_no_secrets
	exit
fi
[ -n "$LOCKS" ] || skip "$PROGRAM holds no lock over its request"
alive() { expect_eq "the grant lives" "$(control state | jq ".accounts.$LOGIN.alive")" true; }

# It sends, and we are busy: its answer is late.
scene left="$(within_margin)s"
shared
keeper sync # whose it is, is known since it stood in both
expect_status 0
hold_answer
start_drive
wait_until was_sent_by_it
keeper refresh -j --force --wait 0
expect_status 4
expect_field '.accounts[0].error.code' lock_busy
expect_posts 1
release_answer
wait_drive
take_over
expect_eq "its token" "$(own_token)" "$(server_token $LOGIN)"
expect_posts 1
alive

# We send, and it comes to our lock, is refused, and sends nothing.
scene left="$(within_margin)s"
shared
before=$(posts)
hold_answer
start_keeper refresh --force
wait_until we_sent
start_drive
wait_until was_refused
expect_eq "its requests while we hold its lock" "$(theirs '.token != null')" 0
release_answer
wait_keepers
expect_eq "exit status" "$statuses" 0
wait_drive
expect_posts 1
alive

# Some wait, some give up after seconds; all of them have our login afterwards.
drive
expect_accepted "after ours"
expect_eq "its requests" "$(theirs '.token != null')" 0
expect_posts 1
expect_eq "locks of ours that are left" "$(find "$HOME" -path "$STATE" -prune -o -path "$LEDGER" -prune -o -name '*.lock' \! -type f -print)" ""
expect_no_secrets
