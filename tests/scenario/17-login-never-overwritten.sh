#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A person's new login in main is never overwritten, not even by the answer that an earlier run left behind.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=4h
write_store "main a b" xai:default=alice
keeper refresh -j
mint alice
write_store main xai:default=alice
keeper refresh -j
expect_status 0
expect_posts 0
expect_generation alice main a b
expect_eq "main holds the login" "$(store_token main)" "$(login_token alice)"

# The keeper dies while the answer is on its way; the courier saves it.
fresh
mint bob left=30m
write_store "main a b" xai:default=bob
hold_answer
start_keeper refresh -j
keeper_pid=$!
one_post() { [ "$(($(posts) - POSTS_BEFORE))" = 1 ]; }
wait_until one_post
kill -9 "$keeper_pid"
wait_keepers
release_answer
answered() { grep -rqa '^answered ' "$LEDGER/receipts"; }
wait_until answered
lost=$(server_token bob)
stop_couriers
# An hour passes, and bob logs in again.
"$PYTHON" - "$LEDGER"/receipts/* <<'END'
import re, sys
for path in sys.argv[1:]:
    text = open(path, "rb").read()
    hour_ago = re.sub(rb'("received_ms":\s*)(\d+)', lambda m: m[1] + b"%d" % (int(m[2]) - 3600000), text)
    open(path, "wb").write(hour_ago)
END
mint bob
write_store main xai:default=bob
keeper refresh -j
expect_status 0
expect_posts 1
for agent in main a b; do
	expect_eq "$agent holds the new login" "$(store_token $agent)" "$(login_token bob)"
done
kept=$(jq -r '.. | .refresh? // .refresh_token? // empty | strings' "$LEDGER"/displaced/* | while read -r token; do
	printf %s "$token" | sha256sum | cut -c1-12
done)
case $kept in *"$lost"*) ;; *) fail "the late answer is kept in displaced/" "kept: $kept" ;; esac

# Without a login in between, the same answer is what every store gets, with no second POST.
fresh
mint dora left=30m
write_store "main a" xai:default=dora
hold_answer
start_keeper refresh -j
keeper_pid=$!
wait_until one_post
kill -9 "$keeper_pid"
wait_keepers
release_answer
wait_until answered
courier=$(couriers)
[ -d "/proc/${courier:-none}" ] || fail "the courier guards its answer" "couriers: $courier"
keeper refresh -j
expect_status 0
expect_posts 1
expect_field '.accounts[0].outcome' recovered
expect_generation dora main a
wait_until has_ended "${courier:-none}"
