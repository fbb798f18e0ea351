#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One login, two hosts: one refreshes it, the other follows: it writes what it is sent to all of its copies, sends nothing,
# whatever is due, and says when it has not heard for too long.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.sh"

login_on a "main coder"

# ---- a copy of its stores on another host, told in time that it is not to send
like a b
hand a b
expect_status 0
expect_match "$out" "xai:default"
expect_ownership a ours
expect_ownership b follows
on b
due
keeper refresh --force
expect_posts 0
for args in "refresh" "refresh --last-try" "token xai:default --min-life 3h" "preview"; do
	# shellcheck disable=SC2086
	keeper $args
done
expect_posts 0

# ---- nor is its owner called silent for what a script would like: its token lives shorter, which is said, and no more
change_records '.live.expires_ms = ((now + 5400) * 1000 | floor)' # of a margin of 2 h
keeper token xai:default --min-life 3h
expect_status 1
expect_match "$err" "its token lives for"
expect_no_match "$err" leader_silent
keeper preview --at +2h -j
expect_status 0
expect_posts 0

# ---- the owner refreshes; b gets it, in every copy
on a
due
keeper refresh
expect_status 0
expect_posts 1
hand a b
expect_status 0
expect_generation alice main coder
keeper refresh
expect_status 0
expect_posts 1
keeper log
expect_match "$out" "adopted"

# ---- once more, and what is older: nothing, and a refusal
cp "$T/document" "$T/older"
import_to b "$T/document"
expect_status 0
on a
due
keeper refresh
hand a b
expect_status 0
before=$(sha256sum "$STATE"/agents/*/agent/*.json "$LEDGER"/accounts/*.json)
import_to b "$T/older"
expect_status 3
expect_match "$out" "held .*it is older than what this host has"
expect_eq "files of b" "$(sha256sum "$STATE"/agents/*/agent/*.json "$LEDGER"/accounts/*.json)" "$before"
expect_posts 2
keeper restore # spent tokens are none to be brought back
expect_eq "displaced on b" "$(find "$LEDGER/displaced" -type f 2>/dev/null | wc -l)" 0
