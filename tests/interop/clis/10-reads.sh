#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What we write the program reads as its own login: it uses our access token, asks for none itself, and leaves the file be;
# shared, and withheld, where its logout ends nothing either.
. "$(dirname "$0")/lib.sh" || exit 1

start_providers
ways=shared
[ -n "$WITHHOLDS" ] && ways+=" withheld"
for way in $ways; do
	[ $LIFETIME = 10d ] && scene left=9d || scene left=59m
	own=$(skeleton "$FILE")
	$way
	keeper refresh -j --force
	expect_status 0
	expect_posts 1
	[ $way = withheld ] || expect_eq "$way: what else stands there" "$(skeleton "$FILE")" "$own"
	expect_eq "$way: the access token there" "$(own_access)" "$(main_access $PROFILE)"
	before=$(sum "$FILE")
	drive
	expect_accepted "$way"
	expect_eq "$way: refreshes of its own" "$(theirs '.token != null')" 0
	expect_untouched "$FILE" "$before"
	keeper refresh -j
	expect_status 0
	expect_field '.accounts[0].outcome' unchanged
	expect_posts 1
done

# A program that never asks cannot end the grant of all others.
if [ -n "$WITHHOLDS" ]; then
	expect_eq "refresh tokens in the file" "$(grep -cF -e "$(jq -r --arg p $PROFILE '.profiles[$p].refresh' "$(store main)")" "$FILE")" 0
	case $PROGRAM in codex-cli | claude-code)
		drive logout
		expect_eq "revocations" "$(theirs '.revoked != null and .revoked != ""')" 0
		expect_eq "the grant lives" "$(control state | jq ".accounts.$LOGIN.alive")" true
		;;
	esac
fi
expect_no_secrets
