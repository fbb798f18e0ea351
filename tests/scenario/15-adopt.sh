#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A newer generation in any copy becomes the live one everywhere without a POST, and what it replaces is kept.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=4h
write_store "main a b" xai:default=alice
keeper refresh -j
expect_status 0
old=$(jq -r .refresh "$T/logins/alice.json")

# An agent's runtime refreshed for itself: main and b now hold a dead token (P1).
peer alice
write_store a xai:default=alice
keeper preview -j
expect_field '.accounts[0].decision' adopt
keeper refresh -j
expect_status 0
expect_field '.accounts[0].outcome' adopted
expect_posts 0
expect_generation alice main a b
grep -rqF -- "$old" "$LEDGER/displaced" || fail "the displaced credential is kept"
keeper refresh -j
expect_field '.accounts[0].outcome' unchanged

# The same on the very first run, by the time of issue alone.
fresh
mint bob left=1h
write_store "main a b" xai:default=bob
peer bob
write_store b xai:default=bob
keeper sync -j
expect_status 0
expect_posts 0
expect_generation bob main a b

# A copy that fell back to an older generation is repaired, never refreshed.
fresh
mint carol left=30m
write_store "main a b" xai:default=carol
cp "$(store a)" "$T/old"
keeper refresh -j
expect_posts 1
cp "$T/old" "$(store a)"
cp "$T/old" "$(store main)"
keeper refresh -j
expect_status 0
expect_field '.accounts[0].outcome' mirrored
expect_posts 1
expect_generation carol main a b
