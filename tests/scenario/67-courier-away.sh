#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A courier that is stopped, deaf or in use costs no account more than a wait; and a signal that is ignored stays so.
. "$(dirname "$0")/lib.sh" || exit 1

start_scripted
one_post() { [ "$(($(posts) - POSTS_BEFORE))" = 1 ]; }
lock_of() { echo "$STATE/locks/oauth-refresh/sha256-$(printf 'xai\0%s' "$1" | sha256sum | cut -c1-64).lock"; }
hold_lock() { # PROFILE: by a process that does nothing else
	(umask 077 && mkdir -p "$STATE/locks/oauth-refresh")
	sleep infinity &
	HOLDER=$!
	SERVERS+=("$HOLDER")
	printf '{"pid": %d,  "createdAt": "%s"}\n' "$HOLDER" "$(date -u +%FT%T.000Z)" >"$(lock_of "$1")"
}

# It has no descriptor left for a second request: that one is refused, the first one comes to its end.
fake a left=1h
fake b left=1h
write_store main xai:default=a xai:two=b
hold_lock xai:two
answers "{\"held\": true, \"body\": $(tokens a2)}"
start_keeper refresh -j --wait 10m
keeper_pid=${STARTED[-1]%:*}
wait_until one_post
courier=$(couriers)
last=$(find "/proc/$courier/fd" -mindepth 1 -printf '%f\n' | sort -n | tail -n 1)
prlimit --pid "$courier" --nofile=$((last + 1)):$((last + 1))
rm "$(lock_of xai:two)"
refused() { grep -qs '"error_code":[[:space:]]*"request"' "$LEDGER"/accounts/*.json; }
wait_until refused
release_answer
wait "$keeper_pid"
expect_field '.accounts[] | select(.profile == "xai:default") | .outcome' refreshed
expect_field '.accounts[] | select(.profile == "xai:two") | "\(.outcome) \(.error.code)"' "failed request"
expect_posts 1
kill "$HOLDER"
STARTED=()

# It is stopped while it looks up the token endpoint: nothing was sent, and the run ends.
fresh
one_request() { control state | jq -e '[.requests[] | select(.method == "GET")] | length > 0' >/dev/null; }
CONFIG='http = { connect_timeout = "15s"; deadline = "15s"; };' # time enough to stop it in
PROVIDERS="{ name = \"disc\"; discovery_url = \"$DISCOVERY_URL\"; client_id = \"x\"; }"
fake c left=5m provider=disc
write_store main disc:default=c
answers '{"held": true}'
start_keeper refresh -j
wait_until one_request
courier=$(grep -lE "^PPid:\s+${STARTED[-1]%:*}$" /proc/[0-9]*/status 2>/dev/null | cut -d/ -f3) # no lock file names it yet
stop_process "$courier"
wait_keepers
expect_eq status "$statuses" 1
expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "failed courier"
expect_posts 0
kill -CONT "$courier"
kill -9 "$courier"

# Two people under one profile id have the same lock names: the second waits for the first, however slow, and no longer.
fresh
CONFIG=
PROVIDERS=
fake alice left=1h email=alice@example.com
fake carol left=1h email=carol@example.com
write_store main xai:default=alice
write_store b xai:default=carol
answers "{\"body\": $(tokens n1), \"delay_ms\": 3000}" "{\"body\": $(tokens n2)}"
keeper refresh -j --wait 1s
expect_status 0
expect_posts 2
expect_field '[.accounts[].outcome] | join(" ")' "refreshed refreshed"

# nohup: who ignores a signal is not ended by it.
fresh
CONFIG=
fake dave left=1h
write_store main xai:default=dave
answers "{\"body\": $(tokens d2)}"
hold_lock xai:default
keeper_command refresh -j --wait 10m
(trap '' HUP INT && exec "${COMMAND[@]}" >"$out" 2>"$err" </dev/null) &
keeper_pid=$!
waits() { grep -qs State "/proc/$keeper_pid/status" && [ -e "$LEDGER/accounts" ]; }
wait_until waits
kill -HUP "$keeper_pid"
kill -INT "$keeper_pid"
sleep 0.3
rm "$(lock_of xai:default)"
kill "$HOLDER"
wait "$keeper_pid"
status=$?
expect_status 0
expect_field '.accounts[0].outcome' refreshed
