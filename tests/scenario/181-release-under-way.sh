#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login whose token may be on its way to the provider is not given away: neither while we refresh it, nor while OpenClaw does,
# nor when an answer was lost. Then nothing is printed, and the login is what it was; afterwards the newest generation goes.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/hosts.sh"

login_on a "main coder"
like a b
hand a b
expect_status 0

# refused STATUS: by `export --release` on a
refused() {
	on a
	keeper export --release xai:default --wait 0s
	expect_status "$1"
	expect_eq "bytes that were printed" "$(stat -c %s "$out")" 0
	expect_eq "whose it is" "$(jq -r '.custody.ownership // "ours"' "$LEDGER"/accounts/*.json)" ours
}

# ---- we refresh it
on a
due
hold_answer
start_keeper refresh
wait_until eval '[ "$(($(posts) - POSTS_BEFORE))" = 1 ]'
refused 4
release_answer
wait_keepers
hand a b
expect_status 0
expect_generation alice main coder

# ---- OpenClaw refreshes it, under its lock: what it got is what is given away
on a
lock="$STATE/locks/oauth-refresh/sha256-$(printf 'xai\0xai:default' | sha256sum | cut -c1-64).lock"
sleep infinity &
holder=$!
SERVERS+=("$holder")
printf '{"pid": %d, "createdAt": "%s"}\n' "$holder" "$(date -u +%FT%T.000Z)" >"$lock"
refused 4
keeper_command export --release xai:default --wait 5m -v
"${COMMAND[@]}" >"$T/document" 2>"$err" </dev/null &
exporter=$!
wait_until grep -qs "waits: .*process $holder" "$err"
next_second
mint alice left=6h email=alice@example.com # a refresh, as far as anybody can see
write_store coder xai:default=alice
rm "$lock"
wait "$exporter"
expect_eq "exit status" $? 0
kill "$holder"
import_to b "$T/document"
expect_status 0
expect_ownership b ours
expect_generation alice main coder
on a
expect_generation alice coder

# ---- and back again; we are killed, and nobody has taken the answer that came, or it was lost
hand b a --release
expect_status 0
killed_after_sending() {
	on a
	due
	reset_posts
	hold_answer
	start_keeper refresh
	wait_until eval '[ "$(($(posts) - POSTS_BEFORE))" = 1 ]'
	{ kill -9 "${STARTED[0]%:*}" && wait "${STARTED[0]%:*}"; } 2>/dev/null
}
killed_after_sending
release_answer
wait_until grep -qs '^answered ' "$LEDGER"/receipts/*
stop_couriers
wait_keepers
refused 3
expect_match "$err" "an answer is still to be delivered"
keeper refresh
expect_status 0
expect_posts 1
expect_generation alice main coder
killed_after_sending
stop_couriers
wait_keepers
release_answer
refused 3
expect_match "$err" "its answer was lost"
keeper export xai:default
expect_status 3
expect_eq "bytes that were printed for a follower" "$(stat -c %s "$out")" 0
expect_posts 1
rm -f "$T/document"
expect_no_secrets
