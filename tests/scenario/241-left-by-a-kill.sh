#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Drafts of stores hold every login that stands there. What a killed run has left is gone after the next one, also beside a
# login that is held, and to which nothing is written for hours.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
left() { find "$HOME" \( -name '*.tmp' -o -name '*.saved' -o -name '*.swap' \) -printf '%P\n'; }
posted() { [ "$(($(posts) - POSTS_BEFORE))" = 1 ]; }

# killed: alice's token was sent, and nobody knows what came of it.
killed() {
	fresh
	mint alice left=3h
	write_store "main a" xai:default=alice
	keeper sync -q
	hold_answer
	start_keeper refresh --force
	wait_until posted
	end_process "${STARTED[0]%:*}" # and the courier, which would save the answer
	stop_couriers
	wait_keepers
	release_answer
	[ -n "$(left)" ] || fail "nothing was left, so that nothing is shown"
} 2>/dev/null

killed
before=$(left)
keeper preview
expect_eq "after a preview" "$(left)" "$before"
keeper refresh -j
expect_status 3
expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "held unknown_outcome"
expect_eq "left beside a login that is held" "$(left)" ""

# She logs in again: the login is where it was saved, and is written everywhere else.
killed
mint alice left=5h
write_store main xai:default=alice
keeper refresh -j
expect_status 0
expect_generation alice main a
expect_eq "left beside a login that was made anew" "$(left)" ""

# Its ledger is another one's: nothing there is ours to remove.
killed
sed -i 's| .*| /elsewhere|; s/^./f/' "$STATE/locks/oauth-keepalive"
before=$(left)
keeper refresh -j
expect_status 3
expect_eq "left beside a login of another ledger" "$(left)" "$before"
expect_no_secrets
