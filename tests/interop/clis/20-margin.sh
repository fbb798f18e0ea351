#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The program refreshes by itself as early as we say that it does, and no earlier; what it makes of the login is taken over, and
# our next one goes into its file as it spells it.
. "$(dirname "$0")/lib.sh" || exit 1

start_providers
case $MARGIN in -) far=120 ;; *) far=$((MARGIN + 120)) ;; esac

scene left=${far}s
shared
drive
expect_accepted "before its margin"
expect_eq "refreshes before its margin" "$(theirs '.token != null')" 0
keeper status -j
expect_field ".accounts[0].margin_s > ${MARGIN/#-/0}" true # so that it is ours to refresh

scene left="$(within_margin)s"
shared
keeper sync
expect_status 0
before=$(own_token)
drive
expect_eq "refreshes within it, of the token that stood there" "$(theirs ".token == \"$before\"")" 1
expect_eq "refreshes within it" "$(theirs '.token != null')" 1
posts=$(posts)
take_over
expect_eq "requests of ours" "$(posts)" "$posts"
if [ "$PROGRAM" != gemini-cli ]; then
	expect_eq "what lives" "$(own_token)" "$(server_token $LOGIN)"
fi

# Its own bytes, but for the tokens and the times.
own=$(skeleton "$FILE")
keeper refresh -j --force
expect_status 0
expect_eq "what else stands there" "$(skeleton "$FILE")" "$own"
if [ "$PROGRAM" != gemini-cli ]; then
	expect_eq "what lives" "$(own_token)" "$(server_token $LOGIN)"
fi
drive
expect_accepted "after our next one"
expect_eq "refreshes of its own" "$(theirs '.token != null')" 1

expect_no_secrets
