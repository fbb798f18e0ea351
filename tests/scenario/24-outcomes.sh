#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each bad answer is taken for what it proves: not spent (later), spent perhaps (held, never twice unasked), refused.
. "$(dirname "$0")/lib.sh"

start_scripted
CONFIG='http = { connect_timeout = "2s"; deadline = "2s"; };'
html='<!DOCTYPE html><title>Just a moment...</title>'
oauth_error() { echo "{\"error\": \"$1\", \"error_description\": \"no\"}"; }

# outcome WHAT STATUS OUTCOME ANSWER: one due account meets this answer.
outcome() {
	fresh
	fake "n$ROUND" left=1h
	write_store "main a" xai:default="n$ROUND"
	before=$(sum "$(store main)")
	answers "$4"
	keeper refresh -j
	expect_eq "$1: status, outcome, posts" "$status $(field '.accounts[0].outcome') $(($(posts) - POSTS_BEFORE))" "$2 $3 1"
	if [ "$3" != refreshed ]; then expect_untouched "$(store main)" "$before"; fi
}
# again WHAT STATUS POSTS ARG…: and the next run.
again() {
	keeper refresh -j "${@:4}"
	expect_eq "$1, next run ${*:4}: status, posts in all" "$status $(($(posts) - POSTS_BEFORE))" "$2 $3"
}

# Not spent: it waits as long as it was told to, and force does not.
outcome "429 with Retry-After" 1 failed '{"status": 429, "headers": {"Retry-After": "3600"}}'
expect_field '.accounts[0].error | "\(.http_status) \(.retry_at != null)"' "429 true"
again "429 with Retry-After" 1 1
answers "{\"body\": $(tokens "forced")}"
again "429 with Retry-After" 0 2 --force
expect_eq "store after the forced run" "$(store_token a)" "$(printf FAKE-REFRESH-forced | sha256sum | cut -c1-12)"
outcome "429" 1 failed '{"status": 429}'
again "429" 1 1
outcome "503 with Retry-After" 1 failed '{"status": 503, "headers": {"Retry-After": "60"}}'
outcome "503 with an OAuth error" 1 failed "{\"status\": 503, \"body\": $(oauth_error temporarily_unavailable)}"
outcome "an edge's challenge" 1 failed \
	"{\"status\": 403, \"headers\": {\"cf-mitigated\": \"challenge\", \"Content-Type\": \"text/html\"}, \"body\": \"$html\"}"

# Perhaps spent: held. Force sends once more, and that was the last time.
outcome "500" 3 held '{"status": 500}'
again "500" 3 1
answers '{"status": 500}'
again "500" 3 2 --force
again "500" 3 2 --force
outcome "503 and no word why" 3 held '{"status": 503}'
outcome "408" 3 held '{"status": 408}'
outcome "no answer in time" 3 held '{"delay_ms": 3500}'
outcome "closed without a byte" 3 held '{"cut": "before"}'
outcome "cut in the body" 3 held "{\"body\": $(tokens cut), \"cut\": \"in\"}"
outcome "no JSON" 3 held '{"body": "<html>welcome</html>", "headers": {"Content-Type": "text/html"}}'
outcome "half a JSON" 3 held '{"body": "{\"access_token\": \"FAKE-ACCESS"}'
outcome "compressed, unasked" 3 held "{\"body\": $(tokens gzip), \"gzip\": true}"
outcome "100 MB" 3 held "{\"body\": \"{\", \"size\": 104857600}"
outcome "a trickle beyond the deadline" 3 held "{\"body\": $(tokens trickle), \"trickle_ms\": 100}"
again "a trickle beyond the deadline" 3 1

# An access token about to end is worth the last try.
fresh
fake last left=2m
write_store main xai:default=last
answers '{"status": 500}' "{\"body\": $(tokens after-500)}"
keeper refresh -j
keeper refresh -j
expect_status 0
expect_posts 2
expect_eq "the last try" "$(store_token main)" "$(printf FAKE-REFRESH-after-500 | sha256sum | cut -c1-12)"

# Refused, or dead.
outcome "a redirect, which is not followed" 1 failed '{"status": 307, "headers": {"Location": "/elsewhere"}}'
expect_eq "requests to the redirect's target" "$(control state | jq '[.requests[] | select(.path == "/elsewhere")] | length')" 0
outcome "invalid_client" 1 failed "{\"status\": 401, \"body\": $(oauth_error invalid_client)}"
outcome "200 with an error" 1 failed "{\"body\": $(oauth_error invalid_request)}"
outcome "invalid_grant" 3 needs_login "{\"status\": 400, \"body\": $(oauth_error invalid_grant)}"
again "invalid_grant" 3 1 --force
outcome "refresh_token_reused" 3 needs_login \
	'{"status": 401, "body": {"error": {"message": "used", "type": "invalid_request_error", "code": "refresh_token_reused"}}}'

# Good, in spite of what is missing or unusual.
outcome "no new refresh token" 0 refreshed "{\"body\": $(tokens kept '{"refresh_token": null}')}"
expect_eq "the kept refresh token" "$(store_token a)" "$(login_token "n$ROUND")"
expect_eq "the new access token" "$(jq -r '.profiles["xai:default"].access' "$(store a)")" FAKE-ACCESS-kept
outcome "no expires_in" 0 refreshed "{\"body\": $(tokens no-expiry '{"expires_in": null}')}"
expect_field '.accounts[0].lifetime_s' 21600
long=FAKE-$(head -c 10240 /dev/zero | tr '\0' x)
outcome "tokens of 10 kB" 0 refreshed "{\"body\": $(tokens long "{\"refresh_token\": \"$long\", \"access_token\": \"$long\"}")}"
outcome "answered slowly" 0 refreshed "{\"body\": $(tokens slow), \"delay_ms\": 1000}"
outcome "reset after the whole body" 0 refreshed "{\"body\": $(tokens reset), \"cut\": \"after\"}"

# Nothing was sent: nobody listens. Nothing is held, and the next run may try at once or back off, but not worse.
fresh
fake nobody left=1h
write_store main xai:default=nobody
was=$TOKEN_URL
TOKEN_URL=http://127.0.0.1:1/token
keeper refresh -j
expect_status 1
expect_field '.accounts[0].outcome' failed
expect_eq "receipts left" "$(ls "$LEDGER/receipts" 2>/dev/null)" ""
TOKEN_URL=$was
answers "{\"body\": $(tokens later)}"
keeper refresh -j --force
expect_status 0
expect_no_secrets
