#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same where locks break: OpenClaw polls them every 1 to 3 ms, and a killed holder has left its own. What its lock
# lets through it lets through with us and without; of ours at most one request a round, and no store is left behind.
. "$(dirname "$0")/lib.sh" || exit 1
. "$INTEROP/race.sh" || exit 1

start_oidc
POLLS=dense
race_begin
# shellcheck disable=SC2034
DEAD_LOCK=1

race beside "$ROUNDS"
tally_race "dense, dead lock"
expect_eq "requests of ours above one a round" "$ours_more" 0
expect_eq "rounds whose stores hold something else than what lives" "$stale" 0

race alone "$ROUNDS"
tally_race "dense, dead lock"

race early "$ROUNDS"
tally_race "dense, dead lock"
expect_eq "rounds with one request" "$one_post" "$rounds"
expect_eq "grants revoked" "$dead" 0
expect_eq "processes of OpenClaw that got no token" "$errors" 0
race_end
