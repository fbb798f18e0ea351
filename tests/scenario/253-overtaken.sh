#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A run is slow, and another one overtakes it in the middle of its look: its token is sent and settled between the moment when
# the ledger was read and the moment when its mark is looked for. That is no login that somebody has to make again.
. "$(dirname "$0")/lib.sh" || exit 1
strace_sees_paths || skip "strace sees no paths here"

start_oidc
mint alice left=5h
write_store "main work" xai:default=alice
keeper refresh
expect_status 0

# Stopped when it has read the records, as it opens the directory of receipts.
for command in status refresh; do
	due
	UNDER=(strace -qq -o "$T/trace" -P "$LEDGER/receipts" -e "trace=openat" -e "inject=openat:signal=SIGSTOP:when=1")
	start_keeper $command -j
	UNDER=()
	slow=$T/runs/$RUN.out
	stopped() { keeper=$(pgrep -P "${STARTED[0]%%:*}" -x oauth-keepalive) && grep -q '^State:.*[tT] ' "/proc/$keeper/status"; }
	wait_until stopped
	keeper refresh --force
	expect_status 0
	kill -CONT "$keeper"
	wait_keepers
	expect_eq "exit status of $command" "$statuses" 0
	expect_eq "outcome of $command" "$(jq -r '.accounts[0] | "\(.outcome) \(.error.code)"' "$slow")" "unchanged null"
	expect_generation alice main work
done
expect_posts 2
expect_no_secrets
