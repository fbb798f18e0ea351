#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login that nothing keeps alive is said so, by what is missing, before it ends at night; one that is excluded is not.
. "$(dirname "$0")/lib.sh" || exit 1

unserved='[.problems[] | select(.code == "not_refreshed") | .profile] | sort | join(" ")'

start_scripted
fake alice left=30m
fake new left=30m provider=newcomer
fake gem left=30m provider=google-gemini-cli
write_store main xai:default=alice newcomer:x=new google-gemini-cli:g=gem
answers '{"body": {"access_token": "FAKE-ACCESS-2", "refresh_token": "FAKE-REFRESH-2", "expires_in": 21600}}'
for verb in preview refresh status; do
	keeper $verb -j
	expect_status 0
	expect_field "$unserved" "google-gemini-cli:g newcomer:x"
done
expect_posts 1
expect_field '[.accounts[] | select(.outcome == "skipped") | .profile] | sort | join(" ")' \
	"google-gemini-cli:g newcomer:x"
keeper refresh
expect_match "$err" 'warning \[not_refreshed\] google-gemini-cli:g: nothing refreshes this login: no client id'
expect_match "$err" 'warning \[not_refreshed\] newcomer:x: nothing refreshes this login: unknown provider'
keeper preview newcomer:x # who asks for it by name is told
expect_match "$out" 'newcomer:x +skipped +unknown provider'

CONFIG='exclude = ( "newcomer:*", "google-gemini-cli:*" );'
keeper refresh -j
expect_status 0
expect_field "$unserved" ""
