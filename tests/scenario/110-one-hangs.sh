#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fifty logins are due at once: all are asked for together, and a provider that hangs on one keeps none of the others waiting.
. "$(dirname "$0")/many.sh" || exit 1

start_scripted
many 50 3
answers '{"tokens": {}, "numbered": true, "held": true}' '{"tokens": {}, "numbered": true, "delay_ms": 200, "repeat": 0}'
start_keeper refresh -v -j
keeper=$!
new_in() { jq '[.profiles[] | select(.refresh | contains("many") | not)] | length' "$(store "$1")"; }
others_are_new() { [ "$(new_in main)" = 49 ] && [ "$(new_in a1)" = 49 ] && [ "$(new_in a2)" = 49 ]; }
wait_until others_are_new
one_is_open() { [ "$(find "$LEDGER/receipts" -type f | wc -l) $(find "$STATE/locks/oauth-refresh" -name '*.lock' | wc -l)" = "1 2" ]; }
wait_until one_is_open # a receipt, and two lock files
kill -0 "$keeper" || fail "the run has ended before the last answer"
control release '{}' >/dev/null
wait_keepers
expect_eq "status" "$statuses" 0
expect_all_new 50 3

# However slow they are: nobody is answered before all have asked.
fresh
many 50 1
answers '{"tokens": {}, "numbered": true, "held": true, "repeat": 0}'
start_keeper refresh -j
some_posts() { [ "$(($(posts) - POSTS_BEFORE))" -ge "$1" ]; }
wait_until some_posts 50
control release '{}' >/dev/null
wait_keepers
expect_eq "status, when all were held" "$statuses" 0
expect_all_new 50 1
expect_no_secrets
