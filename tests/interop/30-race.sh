#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# 4 processes of OpenClaw and 4 of ours want an expired token at once, again and again: one request, and the grant
# lives. The same without us to compare; and refreshed early, as our timer does: then OpenClaw never asks.
. "$(dirname "$0")/lib.sh" || exit 1
. "$INTEROP/race.sh" || exit 1

start_oidc
race_begin

race beside "$ROUNDS"
tally_race "as they are"
expect_eq "requests of ours above one a round" "$ours_more" 0
expect_eq "rounds whose stores hold something else than what lives" "$stale" 0
if lock_is_sound; then
	expect_eq "rounds with one request" "$one_post" "$rounds"
	expect_eq "grants revoked" "$dead" 0
	expect_eq "processes of OpenClaw that got no token" "$errors" 0
fi

race alone "$ROUNDS"
tally_race "as they are"

race early "$ROUNDS"
tally_race "as they are"
expect_eq "rounds with one request" "$one_post" "$rounds"
expect_eq "rounds whose request was ours" "$by_us" "$rounds"
expect_eq "grants revoked" "$dead" 0
expect_eq "processes of OpenClaw that got no token" "$errors" 0
expect_eq "rounds whose stores hold something else than what lives" "$stale" 0
race_end
