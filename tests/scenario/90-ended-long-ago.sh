#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login that no store holds any more leaves the ledger after 30 days, if it is over: a person logged out of it, it is
# dead, or it lives on elsewhere. Not before, not by a clock that nothing bears out, not while a store cannot be read, or main
# is away; and never one that may be alive and has vanished: that is kept until `forget`, which works before, too.
. "$(dirname "$0")/lib.sh" || exit 1

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
for days in 8 29; do
	change alice ".ended_ms = $(days_ago $days)"
	run
	expect_eq "its record $days days later" "$(record_of alice)" 1
done
change alice ".ended_ms = $(days_ago 31)"

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

change alice ".ended_ms = $(days_ago 31)"
keeper preview
expect_eq "its record in a preview" "$(record_of alice)" 1
run
expect_eq "its record in the end" "$(record_of alice)" 0
expect_eq "the other's" "$(record_of bob)" 1
run

# Nothing else to do in that run; dead, and lost from the stores; the same login under another state directory since.
gone() { # WHAT JQ: until then it stays
	change_records "$2"
	keeper refresh
	expect_eq "the record of what $1, 29 days later" "$(record_of alice)" 1
	change_records "if .profile == \"xai:alice\" then .ended_ms = (if .ended_ms > 0 then $(days_ago 31) else 0 end) |
		.updated_ms = $(days_ago 31) else . end"
	keeper refresh
	expect_eq "the record of what $1, 31 days later" "$(record_of alice)" 0
}
fresh
write_store main xai:alice=alice xai:bob=bob
keeper refresh
write_store main xai:bob=bob
keeper refresh
gone "ended, with nothing to do" "if .profile == \"xai:alice\" then .live.refresh = null | .live.access = null | .live.id_token = null |
	.ended_ms = $(days_ago 29) else . end"

fresh
write_store main xai:bob=bob
write_store a xai:alice=alice
keeper refresh
rm -r "$STATE/agents/a"
keeper refresh
expect_status 3 # it has vanished
gone "is dead and has vanished" "if .profile == \"xai:alice\" then .dead_code = \"invalid_grant\" | .updated_ms = $(days_ago 29) else . end"

# (Without `state_dir`, so that the run looks where the ledger knows one, too; nothing is due, so nothing leaves the machine.)
fresh
write_store main xai:alice=alice
keeper refresh
mv "$STATE" "$HOME/moved"
anywhere() { OPENCLAW_STATE_DIR=$HOME/moved "$OAUTH_KEEPALIVE" --ledger-dir "$LEDGER" refresh >"$T/runs/anywhere" 2>&1; }
anywhere
expect_eq "records of the login that moved" "$(record_of alice)" 2
old=$(grep -L "$HOME/moved" "$LEDGER"/accounts/*.json)
jq ".updated_ms = $(days_ago 31)" "$old" >"$T/record" && cat "$T/record" >"$old"
anywhere
expect_eq "$(basename "$old") 31 days later" "$(cat "$old" 2>/dev/null)" ""
expect_eq "records of it then" "$(record_of alice)" 1

# What may be alive stays, however long; `forget` does not wait.
fresh
write_store main xai:bob=bob
write_store a xai:alice=alice
keeper refresh
rm -r "$STATE/agents/a"
change alice ".updated_ms = $(days_ago 300) | .live.at_ms = $(days_ago 300) | .first_seen_ms = $(days_ago 300)"
keeper refresh
expect_status 3
expect_eq "the record of what may be alive" "$(record_of alice)" 1
keeper forget xai:alice
expect_status 0
expect_eq "the record of what was forgotten" "$(record_of alice)" 0
expect_no_secrets
