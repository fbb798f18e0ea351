#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Thousands of stores into which somebody put a spent token back (a backup, restored): to tell which of them are a fight takes
# little more than to read what the ledger remembers, and the fights that there are among them are told.
# shellcheck disable=SC2154 # set by lib.sh
. "$(dirname "$0")/lib.sh" || exit 1

fake alice left=5h
write_store main xai:default=alice
keeper refresh -q
expect_status 0
key=$(basename "$LEDGER"/accounts/*.json .json)

# remember WHAT: eight thousand events of that name, each of another store; and one store that is met three times.
remember() {
	"$PYTHON" - "$LEDGER/log/events" "$key" "$1" <<-'END'
		import datetime, json, sys
		path, key, what = sys.argv[1:]
		at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
		stores = [f"/nowhere/agents/a{n}/agent/auth-profiles.json" for n in range(8000)]
		stores[10] = stores[4000] = stores[7000]
		with open(path, "w") as file:
		    for store in stores:
		        event = {"v": 1, "time": at, "event": what, "account": key, "from": "0123456789ab", "store": store}
		        file.write(json.dumps(event) + "\n")
	END
}

# The processor's time of the quickest of five, in ms: what else the machine does is in none of them, or in few.
took() {
	local TIMEFORMAT=%U
	for _ in 1 2 3 4 5; do
		{ time "${COMMAND[@]}" >/dev/null 2>&1; } 2>&1
	done | sort -n | awk 'NR == 1 { print $1 * 1000 }'
}

keeper_command status -j
(umask 077 && mkdir -p "$LEDGER/log")
remember noted
read_only=$(took)
remember put_back
judged=$(took)
echo "# $read_only ms to read them, $judged ms to judge them"
[ "$judged" -le $((3 * read_only + 20)) ] || fail "what is remembered is compared with itself"
"${COMMAND[@]}" >"$T/after"
expect_eq "fights" "$(jq -r '[.problems[] | select(.code == "token_fight")] | length' "$T/after")" 1
expect_eq "its store" "$(jq -r '.problems[] | select(.code == "token_fight") | .store' "$T/after")" \
	/nowhere/agents/a7000/agent/auth-profiles.json
