#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A state directory that is gone, in whatever way, is an error (3) for a ledger that knows it, and no usage error; brought
# back, everything goes on. And a ~ that no shell expands counts in an option's path.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
fresh
mint alice left=3h
write_store "main a" xai:default=alice
keeper sync -q
for gone in "" "echo >" "ln -s /nonexistent/x" "ln -s /dev/null"; do
	mv "$STATE" "$STATE.away"
	[ -z "$gone" ] || eval "$gone \"\$STATE\""
	keeper refresh --quiet -j
	expect_status 3
	expect_eq "as '$gone'" "$(field '[.accounts[0].outcome, .problems[].code] | join(" ")')" "held vanished"
	rm -f "$STATE"
	mv "$STATE.away" "$STATE"
	keeper refresh -j
	expect_status 0
	expect_field '.accounts[0].outcome' unchanged
done

# shellcheck disable=SC2088 # as in --state-dir=~/…
{
	keeper --state-dir "~/.openclaw" --ledger-dir "~/ledger" status -j
	expect_status 0
	expect_field '[.state_dirs[0], .ledger_dir] | join(" ")' "$STATE $LEDGER"
	cp "$T/keeper.conf" "$HOME/its.conf"
	keeper --config "~/its.conf" status -j
	expect_status 0
	expect_field .config "$HOME/its.conf"
}
