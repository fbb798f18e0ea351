#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The first run notes what it has never seen, and no more: it looks as often for sixty agents that each have a login of their
# own under one profile id, which all have one lock of OpenClaw's, as for one; and a lock that somebody holds there keeps
# nobody from being noted, since nothing is sent or written.
# shellcheck disable=SC2154 # set by lib.sh
. "$(dirname "$0")/many.sh" || exit 1

start_scripted
for n in 1 60; do
	fresh
	"$PYTHON" "$TESTS/bench/world.py" "$STATE" $((n - 1)) 1 18000 own || die "world"
	before=$(find "$STATE/agents" -type f -exec sha256sum {} + | sort)
	if [ "$n" = 60 ]; then
		mkdir -p "$STATE/locks/oauth-refresh"
		lock=$STATE/locks/oauth-refresh/sha256-$(printf 'xai\0xai:p0000' | sha256sum | cut -c1-64).lock
		printf '{"pid": %d, "createdAt": "%s"}' $$ "$(date -u +%FT%T.000Z)" >"$lock"
	fi
	began=$SECONDS
	keeper refresh -v -j
	took=$((SECONDS - began))
	expect_status 0
	expect_posts 0
	expect_field .summary.unchanged "$n"
	expect_eq "logins that the ledger knows, of $n" "$(find "$LEDGER/accounts" -name '*.json' | wc -l)" "$n"
	expect_at_most "looks, $n logins" "$(cost looks)" $((3 + 2 * (took / 10))) # after ten seconds it looks again
	expect_eq "the stores, $n logins" "$(find "$STATE/agents" -type f -exec sha256sum {} + | sort)" "$before"
	keeper preview -j
	expect_status 0
	expect_field '[.accounts[].decision] | unique | join(" ")' none
done
