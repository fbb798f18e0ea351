#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Who else renews a login is counted and named; and a spent token that is put back again and again is one problem, with what
# may have done it and what to do.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=5h
write_store "main a" xai:default=alice
keeper refresh
lock="$STATE/locks/oauth-refresh/sha256-$(printf 'xai\0xai:default' | sha256sum | cut -c1-64).lock"

# One of ours, one by nobody knows whom: nothing to say yet.
due
keeper refresh
mint alice left=359m
write_store a xai:default=alice
keeper refresh -j
expect_field '.accounts[0].outcome' adopted
expect_field '[.problems[].code] | index("foreign_refreshes")' null

# Another, by a process that has OpenClaw's lock while we wait for it.
mint alice left=360m
due
(umask 077 && mkdir -p "$STATE/locks/oauth-refresh")
sleep infinity &
holder=$!
SERVERS+=("$holder")
printf '{"pid": %d, "createdAt": "%s"}\n' "$holder" "$(date -u +%FT%T.000Z)" >"$lock"
start_keeper refresh -j --wait 5m -v
wait_until grep -q "waits: .*process $holder" "$err"
write_store a xai:default=alice
rm "$lock"
wait_keepers
expect_eq "status" "$statuses" 0
expect_field '.accounts[0].outcome' adopted
said='.problems[] | select(.code == "foreign_refreshes") | .message'
expect_field "$said | test(\"^2 of the last 3 refreshes .*: process $holder .sleep. held its refresh lock; by whom the others were made is not known\")" true
keeper status -j
expect_field "$said | test(\"^2 of the last 3 refreshes\")" true
keeper log
expect_match "$out" "adopted .* by process $holder \(sleep\)"
kill "$holder"

# It is over when ours are the last ones.
for _ in 1 2 3 4; do
	due
	keeper refresh
	expect_status 0
done
keeper status -j
expect_field "[.problems[].code] | index(\"foreign_refreshes\")" null
# … and what a person decides is nobody else's doing.
for _ in 1 2; do
	mint alice left=5h
	write_store a xai:default=alice
	keeper sync --adopt a xai:default
	expect_status 0
done
keeper status -j
expect_field "[.problems[].code] | index(\"foreign_refreshes\")" null

# A spent token comes back: put right each time, without a request; the third time it is said, once.
fresh
mint bob left=1h
write_store "main a b" xai:default=bob
cp "$(store main)" "$T/old"
keeper refresh
expect_status 0
reset_posts
for n in 1 2 3 4; do
	cp "$T/old" "$(store a)"
	[ $n = 2 ] && cp "$T/old" "$(store b)"
	keeper refresh -j
	expect_status 0
	expect_eq "after $n times" "$(field '[.problems[] | select(.code == "token_fight")] | length')" "$((n >= 3))"
	keeper refresh -j
	expect_field '[.problems[].code] | index("token_fight")' null
done
expect_posts 0
expect_generation bob main a b
keeper status -j
fight='.problems[] | select(.code == "token_fight")'
expect_field "[$fight] | length" 1
expect_field "$fight | .store" "$(store a)"
expect_field "$fight | .message | test(\"$(fingerprint_of <"$T/old" '.profiles["xai:default"].refresh').*was put back there 4 times\")" true
expect_field "$fight | .fix | test(\"restart the gateway\")" true
keeper log
expect_eq "in the log" "$(grep -c put_back "$out")" 5
expect_no_secrets
