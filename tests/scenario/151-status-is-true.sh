#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The first line of status is true, and never looks healthy when something is not: a copy that is behind, a store that
# cannot be read, a login that has ended or expired, a timer that has stopped. It all stands on standard output; what is
# not current is listed; and who made the live tokens, when they are due and since when they are proven is said.
. "$(dirname "$0")/lib.sh" || exit 1

expect_first() { # EXTENDED-REGEX
	keeper status
	[[ $(head -n 1 "$out") =~ $1 ]] || fail "the first line of status" "is:    $(head -n 1 "$out")" "shall: $1"
}

# ---- before the first run, after one by hand, after one by the timer
start_oidc
mint alice left=30m
write_store "main coder writer" xai:default=alice
expect_first '^1 login kept, not yet proven by a refresh, due now; no timer has run yet$'
expect_match "$out" '^xai:default  \[==    \| {13}\] (2[0-9]m[0-9]*s?|30m) +3/3 +due +now +- +20[0-9-]+ [0-9:]+ [+-][0-9]{4}  '
keeper refresh
expect_first '^1 login kept, last proven [0-9ms]+ ago, next due in 3h5[0-9]m; no timer has run yet$'
expect_match "$out" '^xai:default  \[======\|={13}\] 5h5[0-9]m +3/3 +fresh +3h5[0-9]m +us [0-9ms]+ ago +20[0-9-]+ [0-9:]+ [+-][0-9]{4}  [0-9a-f]{12}'
expect_no_match "$out" '^    '
keeper status -v
expect_match "$out" '^    generation .*, refreshed by us [0-9ms]+ ago$'
expect_match "$out" '^    due  .*, in 3h5[0-9]m$'
OAUTH_KEEPALIVE_RUN=timer keeper refresh
expect_first '^1 login kept, last proven [0-9ms]+ ago, next due in 3h5[0-9]m; timer ran [0-9ms]+ ago$'
expect_status 0
keeper status -j
expect_field '.last_run.by' timer
expect_field '.last_run.exit_code' 0
expect_field '.accounts[0] | .due_at == .next_try_at and .last_proven_at == .refreshed_at and .adopted_from == null' true
expect_field '.accounts[0] | (.expires_at | fromdate) - (.due_at | fromdate) == .margin_s' true
id=$(field '.accounts[0].id')
keeper status -j "${id:0:8}"
expect_field '.accounts | length' 1

# ---- who made it, when it was not us: then it is not proven either
peer alice
write_store coder xai:default=alice
keeper refresh
expect_first '^1 login kept, not yet proven by a refresh, next due in 3h5[0-9]m;'
expect_match "$out" '^xai:default .* coder [0-9ms]+ ago  '
keeper status xai:default
expect_match "$out" "adopted [0-9ms]+ ago from ~/.openclaw/agents/coder/agent/auth-profiles.json\$"
keeper status -j
expect_field '.accounts[0].adopted_from' "$(store coder)"
expect_field '.accounts[0].last_proven_at' null

# ---- copies that are behind, and stores that cannot be read: counted, listed, and on standard output
write_store writer 'xai:default={"type": "oauth", "provider": "xai", "access": "", "refresh": "", "expires": 0}'
echo '{' >"$(store coder)"
expect_first '^1 login kept, 1 of 2 copies not current, 1 store not read, 1 error \(below\), '
expect_status 3
expect_match "$out" '^xai:default +\[.*\] 5h5[0-9]m +1/2 +fresh '
expect_match "$out" "^    ended .*/writer/"
expect_match "$out" '^error \[store_unreadable\]: .*/coder/'
expect_match "$out" '^1 account: 1 fresh; 1 error$'
expect_eq "standard error" "$(cat "$err")" ""
keeper preview
expect_match "$out" '^error \[store_unreadable\]'
expect_eq "standard error" "$(cat "$err")" ""
write_store "main coder writer" xai:default=alice

# ---- the timer stops, and fails
timer=$LEDGER/log/run.timer
touch -d "2 hours ago" "$timer"
expect_first 'timer ran last 2h[0-9ms]* ago$'
expect_match "$out" '^warning \[timer_silent\]'
expect_status 0
echo '{' >"$(store coder)"
OAUTH_KEEPALIVE_RUN=timer keeper refresh
expect_first 'timer ran [0-9ms]+ ago with exit status 3 \(last succeeded 2h[0-9]*m?[0-9]*s? ago\)$'
rm -r "$STATE/agents/coder"
touch -d "3 hours" "$timer" # the clock was ahead
expect_first '; the last run is dated in the future: a clock was wrong, or is$'

# ---- an end, and an expired one among others
fresh
start_scripted
fake bob left=30m
fake carol left=5h
write_store main xai:bob=bob xai:carol=carol
answers '{"status": 400, "body": {"error": "invalid_grant"}}'
keeper refresh
expect_first '^1 of 2 logins kept, 1 needs a new login, not yet proven'
expect_status 3
fresh
fake dave left=5h
write_store main xai:dave=dave
keeper refresh
jq '.profiles["xai:dave"].expires = 1700000000000' "$(store main)" >"$T/new"
cat "$T/new" >"$(store main)"
rm -r "$LEDGER" "$STATE/locks"
expect_first '^1 login kept, 1 expired, not yet proven by a refresh, due now; no timer'

# ---- nothing at all is not health
fresh
keeper status
expect_no_match "$out" '^[0-9]+ logins? kept'
expect_no_secrets
