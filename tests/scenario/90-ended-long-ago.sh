#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a person logged out of leaves the ledger in the end: not before half a year, not by a clock that nothing bears out,
# not while a store cannot be read, or main is away.
. "$(dirname "$0")/lib.sh"

start_scripted
fake alice left=5h
fake bob left=5h
n=0
record_of() { grep -l "\"xai:$1\"" "$LEDGER"/accounts/*.json 2>/dev/null | wc -l; }
change() { change_records "if .profile == \"xai:$1\" then $2 else . end"; } # LOGIN JQ
days_ago() { echo "((now - $1 * 86400) * 1000 | floor)"; }
run() { # with something to do
	n=$((n + 1))
	change bob ".live.expires_ms = $(days_ago 0) + 3600000"
	answers "{\"body\": $(tokens "$n")}"
	keeper refresh
	expect_status 0 "$@"
}

write_store "main a" xai:alice=alice xai:bob=bob
keeper refresh
write_store "main a" xai:bob="$(jq -c '.profiles["xai:bob"]' "$(store main)")"
run
expect_eq "a record of the login that ended" "$(record_of alice)" 1

# Its tokens go after a week, the record does not.
change alice ".ended_ms = $(days_ago 8)"
run
expect_no_match "$(grep -l xai:alice "$LEDGER"/accounts/*.json)" FAKE-REFRESH-alice
for days in 8 170; do
	change alice ".ended_ms = $(days_ago $days)"
	run
	expect_eq "its record $days days later" "$(record_of alice)" 1
done
change alice ".ended_ms = $(days_ago 200)"

# A store cannot be read; or no server has said for a month what time it is.
chmod 666 "$(store a)"
run 3
expect_eq "its record while a store cannot be read" "$(record_of alice)" 1
chmod 600 "$(store a)"
change_records ".updated_ms = $(days_ago 30) | .witness_ms = 0 | .live.issued_ms = 0 | .anchor.issued_ms = 0"
run
expect_eq "its record by a clock that nothing bears out" "$(record_of alice)" 1

# main is away, and it may have come back there. (Somebody else's login gives the run something to do.)
fake carol left=10m
mv "$STATE/agents/main" "$T/away"
cp "$(store a)" "$T/a.json"
write_store a xai:carol=carol
answers "{\"body\": $(tokens carol2)}"
keeper refresh
expect_match "$out" 'xai:carol +refreshed'
expect_eq "its record while main is away" "$(record_of alice)" 1
cp "$T/a.json" "$(store a)"
mv "$T/away" "$STATE/agents/main"

change alice ".ended_ms = $(days_ago 200)"
keeper preview
expect_eq "its record in a preview" "$(record_of alice)" 1
run
expect_eq "its record in the end" "$(record_of alice)" 0
expect_eq "the other's" "$(record_of bob)" 1
run
expect_no_secrets
