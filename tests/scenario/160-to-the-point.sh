#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is said is what a person needs then: why a forced try failed, when a held login is sent again, the way back that
# costs no login; and nothing of a courier that is about to end.
. "$(dirname "$0")/lib.sh" || exit 1
start_scripted

known() { # [LEFT]: a fresh home with a login that the ledger knows
	fresh
	fake alice left="${1:-5h}" email=alice@example.com
	write_store "main coder" xai:default=alice
	keeper sync
}

# A forced try that failed: why, though the login is not due. And an edge's page is called one.
known
answers '{"status": 403, "headers": {"cf-mitigated": "challenge"}, "body": "<html>"}'
keeper refresh --force
expect_status 1
expect_match "$out" "failed +expires in 4h.*; the attempt failed \(http_403: a challenge page of Cloudflare's"
known
answers '{"status": 429, "body": ""}'
keeper refresh --force -j
expect_status 1
expect_match <(field '.accounts[0].error.message') 'the attempt failed \(http_429\)'

# An answer that says nothing of the token: the next try is the last one's time, in JSON and in words, and the courier that
# brought it is no finding.
known 90m
answers '{"status": 500, "body": {"error": "server_error"}}'
keeper refresh -j
expect_status 1
expect_field '.problems | map(.code) | join(" ")' ""
keeper status -j
expect_field '.accounts[0] | .next_try_at == .error.retry_at and .next_try_at > .due_at' true
keeper status
expect_match "$out" '^    due .*, in 1h1[0-9]m.* \(waiting after a failure\)$'

# Gone from main for one run, and back: the command that is shown in the account's line takes it on again.
known
cp "$(store main)" "$T/kept"
write_store main
keeper refresh -q
expect_status 3
cp "$T/kept" "$(store main)"
keeper refresh -q
expect_status 3
expect_match "$out" 'which holds the same login again; if that was no logout: `oauth-keepalive sync --adopt main`$'
keeper sync --adopt main
expect_status 0
expect_match "$out" 'fresh'

# An agent's store that was cut: moved away as it is shown, it is no finding any more, and nothing is lost.
known
head -c 60 "$(store main)" >"$(store coder)"
keeper refresh -q -j
expect_status 3
fix=$(field '.problems[] | select(.code == "store_unreadable") | .fix')
[[ $fix =~ "main's logins: mv "(.*) ]] || fail "what is advised: $fix"
eval "mv ${BASH_REMATCH[1]}"
keeper refresh -q
expect_status 0

# A copy of the directory was refreshed: what it spent is no login that could be brought back, and nothing says so.
known 20m
cp -a "$STATE" "$T/copied"
answers "{\"body\": $(tokens 9)}"
keeper --state-dir "$T/copied" refresh
expect_status 0
keeper refresh
expect_status 0
expect_eq "the successor" "$(store_token main)" "$(store_token "$T/copied/agents/main/agent/auth-profiles.json")"
expect_no_match "$out" 'restore'

# Who is meant, as a person writes it; and there may be nothing to restore.
keeper status xai:default@alice@example.com
expect_status 0
keeper log xai:default@alice@example.com
expect_status 0
expect_match "$out" 'alice@example\.com'
known
keeper restore
expect_match "$out" '^no displaced login is kept$'

expect_no_secrets
