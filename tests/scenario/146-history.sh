#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What happened can be asked for later: who ran, what was refreshed, adopted and from where, displaced, what failed and
# with which HTTP status, what a person decided. A failure is one line, however often the timer sees it; a line that was
# torn is passed over; two runs at once lose none; the file is bounded; and no token is in it.
. "$(dirname "$0")/lib.sh" || exit 1

# events JQ-FILTER: how many
events() {
	keeper log -j
	expect_status 0
	field "[.events[] | select($1)] | length"
}
expect_events() { expect_eq "events: $1" "$(events "$1")" "$2"; }

# ---- a refresh by the timer, an adoption by hand, and nothing for a run that finds nothing to do
start_oidc
mint alice left=30m
write_store "main coder" xai:default=alice
before=$(store_token main | cut -c1-12)
OAUTH_KEEPALIVE_RUN=timer keeper refresh
expect_status 0
after=$(store_token main | cut -c1-12)
expect_events ".event == \"refreshed\" and .by == \"timer\" and .from == \"$before\" and .to == \"$after\" and .copies == 2" 1
written=$(sum "$LEDGER/log/events")
for _ in 1 2 3; do OAUTH_KEEPALIVE_RUN=timer keeper refresh; done
expect_untouched "$LEDGER/log/events" "$written"
peer alice
write_store coder xai:default=alice
keeper refresh
expect_events ".event == \"adopted\" and .by == \"hand\" and .from == \"$after\" and .store == \"$(store coder)\"" 1
expect_events '.event == "displaced"' 1
keeper log
expect_match "$out" "timer .*xai:default .*refreshed .*$before -> $after .*2 copies"
expect_match "$out" "adopted .* from $(store coder)"

# ---- what a person decided
mint other left=5h account=alice
mint alice left=5h
write_store writer xai:default=alice
keeper sync --adopt writer xai:default
expect_status 0
expect_events '.command == "sync" and .event == "adopted" and (.message | test("a person chose"))' 1
rm -r "$STATE/agents"
mkdir "$STATE/agents"
write_store main xai:another=other
keeper forget xai:default
expect_status 0 3
expect_events '.event == "forgotten" and .profile == "xai:default"' 1

# ---- selections
keeper log -n 1 -j
expect_field '.events | length' 1
expect_field '.events[0].event' forgotten
keeper log -j xai:nobody
expect_field '.events | length' 0
keeper log -j --since 1h alice@example.com
expect_field '[.events[] | select(.event == "refreshed")] | length' 1
keeper log --since tomorrow
expect_status 2
keeper log -n x
expect_status 2

# ---- failures: one line when it begins, one for each further try, one when it is over
fresh
start_scripted
fake bob left=30m
write_store main xai:default=bob
answers '{"status": 503, "headers": {"Retry-After": "1"}, "body": {"error": "server_error"}}'
keeper refresh
expect_status 1
keeper refresh -q
keeper refresh -q
expect_events '.event == "failed" and .http_status == 503 and .code == "server_error"' 1
answers "{\"status\": 200, \"body\": $(tokens 2)}"
keeper refresh --force
expect_status 0
expect_events '.event == "refreshed"' 1
expect_events '.event == "cleared"' 1

# ---- torn, hostile, of a newer version: passed over, and what comes after it is not lost
printf '{"v":1,"time":"2026-11-20T22:00:00Z","event":"ref' >>"$LEDGER/log/events"
answers "{\"status\": 200, \"body\": $(tokens 3)}"
keeper refresh --force
expect_events '.event == "refreshed"' 2
printf '%s\n' 'not JSON' '{"v":2,"time":"2026-11-20T22:00:00Z","event":"x"}' '[]' '{"v":1,"event":"no time"}' >>"$LEDGER/log/events"
expect_events true 4

# ---- bounded: full, the older half gives way
rm "$LEDGER/log/events"
yes '{"v":1,"time":"2026-11-20T22:00:00Z","event":"filler"}' | head -c 2100000 >"$LEDGER/log/events"
chmod 600 "$LEDGER/log/events"
answers "{\"status\": 200, \"body\": $(tokens 4)}"
keeper refresh --force
[ "$(stat -c %s "$LEDGER/log/events")" -lt 10000 ] || fail "the file grows without bound"
[ -f "$LEDGER/log/events.1" ] || fail "the older half is not kept"
keeper log -n 1 -j
expect_field '.events[0].event' refreshed
truncate -s 9000000 "$LEDGER/log/events.1" # not ours: the other half is still read
keeper log -n 1 -j
expect_status 0
expect_field '.events[0].event' refreshed
expect_match "$err" 'events.1 is too long'

# ---- a log that cannot be written is said, and changes nothing else
unwritten() { field '[.problems[] | select(.code == "history_unwritten") | "\(.severity) \(.store)"] | join(" ")'; }
for file in events open counts; do
	fresh
	fake "$file" left=30m
	write_store main xai:default="$file"
	answers "{\"status\": 200, \"body\": $(tokens "${file}5")}"
	keeper sync -q
	mkdir -p "$LEDGER/log"
	rm -f "$LEDGER/log/$file"
	mkdir "$LEDGER/log/$file" # nobody can write a file there
	CONFIG='hooks = { refreshed = "exit 1"; };'
	keeper refresh -j
	expect_status 0
	expect_field '.accounts[0].outcome' refreshed
	expect_eq "$file" "$(unwritten)" "warning $LEDGER/log"
	rmdir "$LEDGER/log/$file"
	keeper refresh -j
	expect_eq "$file, mended" "$(unwritten)" ""
done
CONFIG=
rm -r "$LEDGER/log"
: >"$LEDGER/log"
answers "{\"status\": 200, \"body\": $(tokens 5)}"
keeper refresh --force -q
expect_status 0
expect_match "$err" '^warning \[history_unwritten\] .*: what this run did cannot be written down: '
keeper status -j
expect_status 0
expect_no_secrets "$LEDGER"/log*
