#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# However many are due at once: a few are claimed, sent and written together, so that no lock grows old; and TERM is heard.
. "$(dirname "$0")/many.sh" || exit 1

start_scripted
few=256 # descriptors

# Everyone is refreshed once, with few descriptors, and the looks are counted by the dozen, not by the account.
many 100 4
good_answers
UNDER=(prlimit "--nofile=$few:$few")
keeper refresh -v -j
UNDER=()
expect_status 0
expect_all_new 100 4
expect_at_most "looks for 100 logins" "$(cost looks)" 80
expect_at_most "rounds of claims for 100 logins" "$(cost claims)" 20
expect_at_most "milliseconds that a lock was held" "$(cost oldest)" 60000

# TERM: what was sent is finished and said, nothing else begun; the next run does the rest.
fresh
many 150 4
answers '{"tokens": {}, "numbered": true, "held": true, "repeat": 0}'
UNDER=(prlimit "--nofile=$few:$few") # so many are sent, and no more before they are answered
start_keeper refresh -j
UNDER=()
some_posts() { [ "$(($(posts) - POSTS_BEFORE))" -ge "$1" ]; }
wait_until some_posts 16
kill -TERM $!
control release '{}' >/dev/null
wait_keepers
sent=$(($(posts) - POSTS_BEFORE))
expect_eq "ended by the signal" "$statuses" 143
expect_at_most "requests of the run that was told to end" "$sent" 149
expect_field '[.accounts[] | select(.outcome == "refreshed")] | length' "$sent"
expect_eq "receipts left" "$(find "$LEDGER/receipts" -type f ! -name '*.settled')" ""
expect_eq "locks and temp files left" "$(find "$HOME" -name '*.tmp' -o -path '*/oauth-refresh/*.lock' -o -name 'auth-profiles.json.lock')" ""
good=$(jq -r --arg old many '[.profiles[] | select(.refresh | contains($old) | not)] | length' "$(store a1)")
expect_eq "logins that are new in an agent's store" "$good" "$sent"
control release '{}' >/dev/null
start_keeper refresh -j
while kill -0 $! 2>/dev/null; do
	control release '{}' >/dev/null
	sleep 0.05
done
wait_keepers
expect_eq "the run after it" "$statuses" 0
expect_all_new 150 4

# A signal that comes when all is done, and nothing is left to wait for, does not take the report away.
if strace -qq -e inject=getpid:signal=SIGCONT:when=1 -o /dev/null true 2>/dev/null; then
	start_scripted
	for when in count last; do
		fresh
		many 1 2
		good_answers
		inject=()
		[ $when = last ] && inject=(-e "inject=unlink:signal=SIGTERM:when=$(grep -c unlink "$T/trace")")
		UNDER=(strace -qq -o "$T/trace" -e trace=unlink "${inject[@]}")
		keeper refresh -j
		UNDER=()
		expect_field '.accounts[0].outcome' refreshed
	done
	expect_eq "status after the signal" "$status" 143
	expect_eq "temp files left" "$(find "$HOME" -name '*.tmp')" ""
else
	not_shown "a signal when all is done: strace may not inject here"
fi
expect_no_secrets
