#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# 64 processes over 8 accounts, refresh against preview, status and sync: one POST an account, and no reader sees half a store.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
names=$(echo p{1..8})
agents="main a b c"
pairs=()
for name in $names; do
	mint "$name" left=30m
	pairs+=("xai:$name=$name")
done
write_store "$agents" "${pairs[@]}"

# A runtime that reads without locks: every read is a whole document, and each credential of one generation.
"$PYTHON" - "$STATE/agents" "$T/stop" <<'END' >"$T/reader" 2>&1 &
import glob, json, os, sys
agents, stop = sys.argv[1:]
paths, reads, seen = glob.glob(f"{agents}/*/agent/auth-profiles.json"), 0, {}
while not os.path.exists(stop):
    open(f"{stop}.not", "w").close()  # under way
    for path in paths:
        for profile, c in json.load(open(path))["profiles"].items():
            reads += 1
            whole = (c["access"], c["expires"])
            if seen.setdefault(c["refresh"], whole) != whole:
                sys.exit(f"{path}: {profile} is of two generations")
print(f"whole {reads}")
END
reader=$!
SERVERS+=("$reader")
wait_until test -e "$T/stop.not"

for i in {1..8}; do
	start_keeper refresh -j --wait 10m
	start_keeper refresh -j --wait 10m "xai:p$i"
	start_keeper refresh -j "xai:p$((9 - i))" --wait 0
	start_keeper refresh -j --wait 1s
	start_keeper preview -j
	start_keeper status -j
	start_keeper sync -j
	start_keeper refresh -j --wait 10m "xai:p[1-$i]"
done
wait_keepers
touch "$T/stop"
wait "$reader"
expect_match "$T/reader" '^whole [1-9][0-9]+$'

unexpected() { fail "status of $(cat "$T/runs/$1.args") is $status" "$(cat "$T/runs/$1.err" "$T/runs/$1.out")"; }
# Who does not wait may leave copies to the others, whose stores these have locked at that moment: it says so.
left_copies() {
	jq -e '[.accounts[] | .error.code // empty] | unique == ["copies_pending"]' "$T/runs/$1.out" >/dev/null || unexpected "$1"
}
n=0
for status in $statuses; do
	n=$((n + 1))
	case $((n % 8)) in
	1 | 2 | 0) expect_eq "status of $(cat "$T/runs/$n.args"), which waits" "$status" 0 ;;
	*) case $status in 0 | 4) ;; 1) left_copies "$n" ;; *) unexpected "$n" ;; esac ;;
	esac
done
expect_eq "processes" "$n" 64
expect_posts 8
expect_eq "most POSTs of one token" "$(control state | jq '[.tokens[]] | max')" 1
for name in $names; do
	for agent in $agents; do
		expect_eq "generation of $name in $agent" "$(store_token "$agent" "xai:$name")" "$(server_token "$name")"
	done
	expect_eq "processes that say they refreshed $name" "$(jq -s --arg p "xai:$name" \
		'[.[].accounts[] | select(.profile == $p and .outcome == "refreshed")] | length' "$T"/runs/*.out)" 1
done
expect_eq "files left" "$(find "$HOME" -name '*.tmp' -o -name '*.reclaim' -o -path '*/oauth-refresh/*.lock' \
	-o -name 'auth-profiles.json.lock')" ""
keeper refresh -j
expect_field '[.accounts[].outcome] | unique | join(" ")' unchanged
expect_posts 8
