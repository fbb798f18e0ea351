#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Without a `cluster` section nothing of it happens: no connection but the provider's, one courier, none at all when nothing
# is due; and an empty section is none.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=30m
port=${TOKEN_URL#*://*:}
for CONFIG in '' 'cluster = { };'; do
	fresh
	mint alice left=30m
	write_store main xai:default=alice
	traced refresh
	expect_status 0
	expect_traces "$ASKS"
	expect_eq "programs started: itself, one courier" "$(programs_started)" 2
	if strace_sees_paths; then
		grep -o 'connect(.*sin_port=htons([0-9]*)' "$T/trace" | grep -o 'htons([0-9]*' | sort -u >"$T/ports"
		expect_eq "ports" "$(cat "$T/ports")" "htons(${port%%/*}"
	else
		not_shown "whom it connects to: strace sees no addresses here"
	fi
	expect_no_match "$LEDGER"/accounts/* '"cluster"'
	traced refresh
	expect_status 0
	expect_no_traces "$ASKS"
	expect_eq "programs started" "$(programs_started)" 1
done
keeper config
expect_no_match "$out" 'cluster\.'
expect_no_secrets
