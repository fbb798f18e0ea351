#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What was released is for one host. Ten minutes later nobody takes it; and if two have, which neither can see, the command of
# the manual makes the one follow the other, and the token is sent once.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/hosts.sh" || exit 1

login_on a main
like a b
like a c
like a d

export_from a "$T/document" --release
expect_status 0
for minutes in -11 11; do
	jq -c ".made_ms += $minutes * 60000" "$T/document" >"$T/then"
	import_to d "$T/then"
	expect_status 3
	expect_match "$out" "not exported within the last ten minutes"
done
jq -c '.made_ms -= 9 * 60000' "$T/document" >"$T/then"
import_to b "$T/then"
expect_status 0
import_to c "$T/document"
expect_status 0
expect_ownership b ours
expect_ownership c ours

export_from b "$T/document"
import_to c "$T/document"
expect_status 0
expect_ownership b ours
expect_ownership c follows
for host in c b c; do
	on $host
	due
	keeper refresh
done
expect_posts 1
hand b c
expect_status 0
expect_generation alice main
