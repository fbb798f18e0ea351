#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `forget` drops what the ledger holds of a login that no store shows any more, and nothing that guards: what was sent stays
# known as spent. `own` takes over a ledger that came from another machine, and with it everything it knows.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
secrets_of() { grep -rlF -- "$(jq -r .refresh "$T/logins/$1.json")" "$LEDGER" | wc -l; }
record() { find "$LEDGER/accounts" -name '*.json' | wc -l; }
gone() { write_store "main a" other:x='{"type": "api_key", "provider": "other", "key": "FAKE-KEY-FAKE-KEY"}'; }

# While a store shows it: refused, and nothing is dropped.
mint alice left=5h
write_store "main a" xai:default=alice
keeper refresh -j
keeper forget
expect_status 2
keeper forget xai:default -j
expect_status 3
expect_field '.accounts[0].error.code' forget_refused
expect_match "$out" "still holds it"
expect_eq records "$(record)" 1
keeper forget xai:nobody
expect_status 2

# Gone from everywhere: forgotten, with what was displaced of it. The token that was sent stays spent.
cp "$T/logins/alice.json" "$T/logins/spent.json"
keeper refresh --force -j
expect_posts 1
live=$(store_token main)
mint alice left=359m
write_store a xai:default=alice
keeper sync --adopt a -j
expect_eq "displaced" "$(find "$LEDGER/displaced" -type f | wc -l)" 1
gone
keeper forget alice@example.com -j
expect_status 0
expect_field '.accounts[0].outcome' skipped
expect_match "$out" "forgotten: its record and tokens, and 1 displaced login"
expect_eq records "$(record)" 0
expect_eq "tokens of the live login in the ledger" "$(secrets_of alice)" 0
expect_eq "logins that are kept" "$(find "$LEDGER/displaced" -type f | wc -l)" 0
expect_eq "the token that was live is nowhere" "$(grep -rl "$live" "$LEDGER/accounts" "$LEDGER/displaced" | wc -l)" 0
keeper status -j
expect_field '.accounts | map(select(.profile == "xai:default")) | length' 0
write_store "main a" xai:default=spent
reset_posts
keeper refresh --force -j
expect_status 3
expect_posts 0

# While its refresh is under way: busy, and its receipt stays.
fresh
mint bob left=30m
write_store main xai:default=bob
cp "$T/logins/bob.json" "$T/logins/sent.json"
hold_answer
start_keeper refresh -j
wait_until eval '[ "$(($(posts) - POSTS_BEFORE))" = 1 ]'
keeper forget xai:default -j
expect_status 4
expect_eq "its receipt stays" "$(find "$LEDGER/receipts" -type f | wc -l)" 1
release_answer
wait_keepers
expect_generation bob main

# Killed in the middle, so that the outcome is unknown: settled as spent before it is forgotten, and never sent again.
mint bob left=30m
write_store main xai:default=bob
cp "$T/logins/bob.json" "$T/logins/sent.json"
reset_posts
hold_answer
start_keeper refresh -j
wait_until eval '[ "$(($(posts) - POSTS_BEFORE))" = 1 ]'
kill -9 "${STARTED[0]%:*}"
stop_couriers
wait_keepers
release_answer
gone
keeper forget xai:default -j
expect_status 0
expect_eq "receipts" "$(find "$LEDGER/receipts" -type f | wc -l)" 0
write_store main xai:default=sent
keeper refresh --force -j
expect_status 3
expect_posts 1

# A record that nobody has: nothing to do. An excluded one may be forgotten.
fresh
mint carol left=5h
write_store main xai:default=carol
keeper refresh -j
CONFIG='exclude = ( "xai:default" );'
keeper forget xai:default -j
expect_status 0
expect_eq records "$(record)" 0
keeper forget xai:default -j
expect_status 0
expect_match "$out" "no record of it"
CONFIG=
# … and by --force one that is shown: the next run begins with what stands there.
keeper refresh -j
keeper forget xai:default --force -j
expect_status 0
expect_eq records "$(record)" 0
keeper refresh --force -j
expect_status 0
expect_generation carol main

# The ledger and the state directory were moved here from another machine.
keeper own
expect_status 2
expect_match "$err" "this machine's already"
# (A machine without an id, as a chroot mostly is, cannot tell.)
if grep -qsxE '[0-9a-f]{32}' /etc/machine-id; then
	jq '.machine = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"' "$LEDGER/ledger.json" >"$T/ledger.json"
	cat "$T/ledger.json" >"$LEDGER/ledger.json"
	sed -i 's| .*| /elsewhere/ledger|' "$STATE/locks/oauth-keepalive"
	keeper refresh --force -j
	expect_status 3
	fix=$(field '.problems[] | select(.code == "ledger_unreadable") | .fix | sub("^oauth-keepalive "; "") | sub(" #.*"; "")')
	expect_match "$out" "belongs to another machine"
	reset_posts
	eval "keeper $fix -j" # as it is shown
	expect_status 0
	expect_field '.problems[] | "\(.code) \(.severity)"' "ledger_owned info"
	expect_match "$out" "stop it there"
	expect_match "$STATE/locks/oauth-keepalive" " $LEDGER$"
	keeper refresh --force -j
	expect_status 0
	expect_posts 1
	expect_generation carol main
fi
LEDGER=$HOME/none
keeper own
expect_status 2
expect_match "$err" "no ledger to take over"
expect_no_secrets
