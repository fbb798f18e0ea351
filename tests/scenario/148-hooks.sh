#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A hook is told of a refresh once, of what is wrong once and again after a day, and once when it is over; in an environment
# that says what happened and holds no token; in a process group of its own, with an end. It runs when the locks are let
# go, its failure changes nothing but a warning, and one that others could write is not run.
. "$(dirname "$0")/lib.sh" || exit 1

TOLD=$T/told
# shellcheck disable=SC2016
HOOK='{ echo "$OAUTH_KEEPALIVE_EVENT $OAUTH_KEEPALIVE_PROVIDER $OAUTH_KEEPALIVE_PROFILE $OAUTH_KEEPALIVE_CODE"; } >>'" $TOLD"
hooks() {
	CONFIG="hooks = { refreshed = \"$1\"; needs_login = \"$1\"; failed = \"$1\"; recovered = \"$1\"; ${2:-} };"
}
quoted() { sed 's/["\\]/\\&/g' <<<"$1"; }
hooks "$(quoted "$HOOK")"
expect_told() { expect_eq "told" "$(cat "$TOLD" 2>/dev/null)" "$1"; }

# ---- a refresh: once; previews name it and run nothing
start_oidc
mint alice left=30m
write_store "main coder" xai:default=alice
keeper preview
expect_match "$out" "then hook +refreshed: "
keeper preview -j
expect_field '.accounts[0].hook.event' refreshed
keeper status
expect_told ""
keeper refresh
expect_status 0
expect_told "refreshed xai xai:default "
for _ in 1 2; do keeper refresh; done
expect_told "refreshed xai xai:default "

# ---- what it is told, and what it is not
# shellcheck disable=SC2016
hooks "$(quoted 'env >'"$T/env; ps -o pgid= -p \$\$ >$T/group; readlink /proc/self/fd/0 >$T/stdin; ls /proc/self/fd >$T/fds; ls $STATE/locks/oauth-refresh/ >$T/locks; echo noise")"
keeper refresh --force -j
expect_status 0
expect_field '.accounts[0].outcome' refreshed
expect_match "$T/env" '^OAUTH_KEEPALIVE_EVENT=refreshed$'
expect_match "$T/env" '^OAUTH_KEEPALIVE_PROFILE=xai:default$'
expect_match "$T/env" '^OAUTH_KEEPALIVE_IDENTITY=alice@example.com$'
expect_match "$T/env" "^OAUTH_KEEPALIVE_GENERATION=$(field '.accounts[0].generation')\$"
expect_match "$T/env" "^OAUTH_KEEPALIVE_EXPIRES_AT=$(field '.accounts[0].expires_at')\$"
expect_match "$T/env" "^OAUTH_KEEPALIVE_STORES=$(store main)\$"
expect_match "$T/env" "^$(store coder)\$"
expect_match "$T/env" '^OAUTH_KEEPALIVE_COPIES=2$'
expect_match "$T/env" "^HOME=$HOME\$"
expect_eq "locks that are still held" "$(grep -c '\.lock$' "$T/locks")" 0
expect_match "$err" noise
expect_eq "standard input" "$(cat "$T/stdin")" /dev/null
[ "$(wc -l <"$T/fds")" -le 4 ] || fail "it has descriptors of ours" "$(cat "$T/fds")"
[ "$(tr -d ' ' <"$T/group")" != "$(ps -o pgid= -p $$ | tr -d ' ')" ] || fail "it is in our process group"
expect_no_secrets "$T/env"

# ---- a failure: once, not every run; a day later again; once when it is over
fresh
rm -f "$TOLD"
hooks "$(quoted "$HOOK")"
start_scripted
fake bob left=30m
write_store main xai:default=bob
answers '{"status": 503, "headers": {"Retry-After": "1"}, "body": {"error": "server_error"}}'
keeper refresh
expect_status 1
expect_told "failed xai xai:default server_error"
answers '{"status": 503, "headers": {"Retry-After": "1"}, "body": {"error": "server_error"}}'
keeper refresh --force
keeper refresh
expect_told "failed xai xai:default server_error"
day_passes() { # since it was told
	jq -c --argjson day 86400000 '.conditions[].told_ms -= $day' "$LEDGER/log/open" >"$T/open"
	cat "$T/open" >"$LEDGER/log/open"
}
day_passes
keeper preview -j
expect_field '.accounts[0].hook.event' failed
keeper refresh
keeper refresh
expect_eq "told again after a day" "$(grep -c failed "$TOLD")" 2
rm "$TOLD"
answers "{\"status\": 200, \"body\": $(tokens 2)}"
keeper refresh --force
expect_status 0
expect_told "$(printf 'recovered xai xai:default server_error\nrefreshed xai xai:default ')"
[ ! -e "$LEDGER/log/open" ] || fail "something is still open" "$(cat "$LEDGER/log/open")"

# ---- the login ends: another event; a new login is the end of it
rm "$TOLD"
answers '{"status": 400, "body": {"error": "invalid_grant"}}'
keeper refresh --force
expect_status 3
keeper refresh
keeper preview
expect_told "needs_login xai xai:default invalid_grant"
fake bob left=5h access=FAKE-ACCESS-new refresh=FAKE-REFRESH-new
write_store main xai:default=bob
keeper refresh
expect_status 0
expect_match "$TOLD" "^recovered xai xai:default invalid_grant"

# ---- what is no account's: a store that cannot be read
rm "$TOLD"
write_store broken xai:default=bob
echo '{' >"$(store broken)"
keeper refresh
keeper refresh
expect_status 3
expect_told "failed   store_unreadable"
rm -r "$STATE/agents/broken"
keeper refresh
expect_match "$TOLD" "^recovered   store_unreadable"

# ---- one that fails, hangs, or is not there: a warning, and tried again, not for ever
rm "$TOLD"
hooks "echo x >>$TOLD; exit 7"
answers "{\"status\": 200, \"body\": $(tokens 3)}"
keeper refresh --force
expect_status 0
expect_match "$err" 'hook `refreshed` failed with exit status 7'
for _ in 1 2 3 4; do keeper refresh -q; done
expect_eq "tries" "$(wc -l <"$TOLD")" 3
expect_eq "what it says then" "$(cat "$err")" ""
hooks "sleep 1000 & echo \$! >$T/pid; sleep 1000" 'timeout = \"1s\";'
CONFIG=${CONFIG//\\\"1s\\\"/\"1s\"}
answers "{\"status\": 200, \"body\": $(tokens 4)}"
before=$SECONDS
keeper refresh --force
expect_status 0
expect_match "$err" 'took longer than 1s'
[ $((SECONDS - before)) -lt 60 ] || fail "it waited for the hook"
gone() { ! kill -0 "$1" 2>/dev/null || grep -q ') Z' "/proc/$1/stat"; }
wait_until gone "$(cat "$T/pid")"

# ---- others could write it: not run, and said
rm -f "$TOLD" "$LEDGER/log/open"
printf '#!/bin/sh\necho ran >>%s\n' "$TOLD" >"$T/hook"
chmod 777 "$T/hook"
hooks "$T/hook"
answers "{\"status\": 200, \"body\": $(tokens 5)}"
keeper refresh --force -j
expect_status 0
expect_told ""
expect_field '[.problems[] | select(.code == "hook_unsafe")] | length > 0' true
chmod 700 "$T/hook"
keeper refresh
expect_told ran

# ---- what cannot be remembered is told all the same: a full disk must not silence its own alarm
rm -f "$TOLD"
hooks "$(quoted "$HOOK")"
mv "$LEDGER/log" "$T/log"
: >"$LEDGER/log"
answers '{"status": 503, "headers": {"Retry-After": "1"}, "body": {"error": "server_error"}}'
keeper refresh --force
expect_status 1
expect_told "failed xai xai:default server_error"
rm "$LEDGER/log"
mv "$T/log" "$LEDGER/log"
keeper refresh
rm -f "$TOLD"

# ---- hook-test
rm -f "$TOLD"
# shellcheck disable=SC2016
hooks "$(quoted 'echo "$OAUTH_KEEPALIVE_EVENT $OAUTH_KEEPALIVE_TEST $OAUTH_KEEPALIVE_PROFILE" >>'"$TOLD")"
keeper hook-test needs_login
expect_status 0
expect_told "needs_login 1 xai:default"
hooks "exit 3"
keeper hook-test refreshed
expect_status 1
keeper hook-test refreshing
expect_status 2
CONFIG=
keeper hook-test refreshed
expect_status 2

# ---- two runs at once tell once
rm -f "$TOLD"
hooks "$(quoted "sleep 0.3; $HOOK")"
write_store broken xai:default=bob
echo '{' >"$(store broken)"
for _ in 1 2 3 4; do start_keeper refresh; done
wait_keepers
expect_told "failed   store_unreadable"
# ---- one that floods its output fills no disk, and is ended like any other; what a sound one says is passed on whole
fresh
start_oidc
mint carol left=3h
write_store main xai:default=carol
hooks "$(quoted 'yes flood')" 'timeout = "1s";'
keeper refresh --force
expect_status 0
[ "$(wc -c <"$err")" -lt 70000 ] || fail "it printed $(wc -c <"$err") bytes"
expect_match "$err" 'the rest of its output is left out'
expect_match "$err" 'was ended: it took longer'
hooks "$(quoted 'echo first; sleep 0.2; echo last >&2; setsid sleep 30 &')"
keeper refresh --force
expect_status 0
expect_match "$err" first
expect_match "$err" last
expect_no_secrets
