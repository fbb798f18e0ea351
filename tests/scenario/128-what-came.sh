#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the provider answered is said as it came, in every run; a token that may be spent is sent once more only as the last
# try, never by --force; and what only a person can settle is a person's at once, in the provider's words.
. "$(dirname "$0")/lib.sh" || exit 1

start_scripted
said='the provider answered HTTP 500 \(server_error\) at 20[0-9:TZ-]+; whether it spent the refresh token is unknown'
error='.accounts[0] | "\(.outcome) \(.error.code) \(.error.http_status)"'

# A server that fails, as every later run says, too; nothing is lost yet, so it is no more than a failure.
fake alice left=2h
write_store "main a" xai:default=alice
answers '{"status": 500, "body": {"error": "server_error"}}'
for command in refresh refresh status preview "refresh --force"; do
	# shellcheck disable=SC2086
	keeper $command -j
	expect_status 1
	expect_field "$error" "failed unknown_outcome 500"
	[[ $(field '.accounts[0].error.message') =~ $said ]] || fail "$command does not say what came" "$(field '.accounts[0].error')"
	expect_eq "when it is tried once more, in minutes before the end" \
		"$(field '.accounts[0] | ((.expires_at | fromdate) - (.error.retry_at | fromdate)) / 60 | floor')" 11
	expect_posts 1
done
expect_field '.accounts[0].error.message | test("not with --force")' true
keeper preview --last-try
expect_match "$out" 'would refresh .*the last try'
expect_posts 1

# The last try is one. Where it brings nothing either, a person hears what came.
answers '{"status": 502, "body": "<html>bad gateway</html>"}'
keeper refresh --last-try -j
expect_status 3
expect_field "$error" "needs_login sent_twice 502"
expect_field '.accounts[0].error.message | test("sent twice.*HTTP 502 at 20")' true
for more in --last-try "--last-try --force"; do
	# shellcheck disable=SC2086
	keeper refresh $more -j
	expect_status 3
	expect_posts 2
done

# Where it brings tokens, all is well again.
fresh
fake bob left=2h
write_store "main a" xai:default=bob
answers '{"status": 503}' "{\"body\": $(tokens b2)}"
keeper refresh -j
expect_status 1
keeper refresh --last-try -j
expect_status 0
expect_field '.accounts[0].outcome' refreshed
expect_posts 2

# Where nothing came there is nothing to be said but when it was sent; and a token that is not in doubt has no last try.
fresh
fake carol left=2h
fake dora left=5h
write_store main xai:default=carol xai:dora=dora
answers '{"cut": "before"}'
keeper refresh -j
expect_status 3
for command in refresh "refresh --force xai:default"; do
	# shellcheck disable=SC2086
	keeper $command -j
	expect_status 3
	expect_field "$error" "held unknown_outcome null"
	expect_field '.accounts[0].error.message | test("sent at 20.*, and its answer was lost")' true
	expect_posts 1
done
answers "{\"body\": $(tokens c2)}"
keeper refresh --last-try -j
expect_status 0
expect_posts 2
expect_field '[.accounts[].outcome] | join(" ")' "refreshed unchanged"

# The plan does not allow it: a person, in the first run. Tried again when the pause is over, with the same token.
fresh
fake erin left=2h
write_store "main a" xai:default=erin
gate='"body": {"type": "error", "error": {"type": "permission_error",
	"message": "OAuth is not allowed for this organization (token FAKE-REFRESH-erin)."}}'
answers "{\"status\": 403, $gate}"
for command in refresh refresh status "refresh -q"; do
	# shellcheck disable=SC2086
	keeper $command
	expect_status 3
	expect_match "$out" 'held .*bars this account \(permission_error, HTTP 403: OAuth is not allowed for this organization \(token …'
	expect_no_match "$out" 'log in with'
	expect_posts 1
done
change_records '.not_before_ms = 1'
answers "{\"status\": 403, $gate}" "{\"body\": $(tokens e2)}"
keeper refresh
expect_status 3
expect_posts 2
change_records '.not_before_ms = 1'
keeper refresh
expect_status 0
expect_posts 3
keeper status -j
expect_field '.accounts[0].error' null

# One login under two names is barred under both, with one request.
fresh
fake gina left=2h
write_store main xai:default=gina xai:two=gina
answers '{"status": 402, "body": {"error": {"type": "billing_error", "message": "The plan has ended."}}}'
for _ in 1 2; do
	keeper refresh -j
	expect_status 3
	expect_field '[.accounts[] | "\(.outcome) \(.error.code) \(.error.http_status)"] | unique | join(", ")' "held billing_error 402"
	expect_posts 1
done
expect_field '[.accounts[].error.message | test("The plan has ended")] | all' true

# A server that gives the token for the code, or in words that could be any, is not quoted.
for status in 400 403 500; do
	fresh
	fake frank left=2h refresh=correcthorsebatterystaple access=FAKE-ACCESS-FRANK
	write_store main xai:default=frank
	for body in '{"error": "correcthorsebatterystaple"}' '{"error": {"code": "FAKE-ACCESS-FRANK", "message": "it is correcthorse, and batterystaple"}}'; do
		answers "{\"status\": $status, \"body\": $body}"
		keeper refresh
		keeper status -j
		change_records '.not_before_ms = 1'
	done
	expect_eq "the code of $status" "$(field '.accounts[0].error | .code | IN("http_\(400, 403)", "unknown_outcome")')" true
done
expect_no_secrets
