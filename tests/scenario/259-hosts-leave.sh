#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `leave`: a host that leaves the cluster keeps nothing that it could spend, in no store and not in its ledger; the others go
# on with the login. What only this host has, or has sent without an answer, is not thrown away: then it is refused.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

keeper leave
expect_status 2
expect_match "$err" 'no cluster to leave'

start_etcd
start_oidc
mint alice left=5h email=a@example.org
mint bob left=5h email=b@example.org
new_host a
write_store main xai:default=alice xai:bob=bob
keeper refresh
expect_status 0
new_host b
key='{"type": "api_key", "provider": "xai", "key": "FAKE-API-KEY-OF-NOBODY"}'
write_store "main work" xai:default=alice xai:bob=bob "xai:key=$key"
keeper refresh
expect_status 0
on_host a
keeper refresh --force xai:default
expect_status 0
on_host b

# Its answer is lost with all who waited for it: whether the token is spent, nobody knows.
asked() { [ "$(posts)" -gt "$before" ]; }
before=$(posts)
hold_answer
keeper_command refresh --force xai:bob
"${COMMAND[@]}" >"$out" 2>"$err" </dev/null &
killed=$!
wait_until asked
for pid in $(couriers); do kill -KILL "$pid"; done
kill -KILL $killed
wait $killed 2>/dev/null
release_answer
keeper leave -j
expect_status 3
expect_field '.accounts[] | select(.profile == "xai:bob").error.code' leave_refused
expect_eq "bob's token in main" "$(jq -r '.profiles["xai:bob"].refresh | length > 0' "$(store main)")" true

# What is the others', too, has gone: nothing of any generation of it is left on this host.
expect_field '.accounts[] | select(.profile == "xai:default").reason' 'logged out on this host; the other hosts keep it'
"$PYTHON" - "$HOME" "$T/logins" <<'END' || fail "a token of alice's is left"
import glob, json, os, sys
tokens = {json.load(open(path))["refresh"].encode() for path in glob.glob(f"{sys.argv[2]}/alice*.json")}
left = [os.path.join(folder, name) for folder, _, names in os.walk(sys.argv[1]) for name in names
        if any(token in open(os.path.join(folder, name), "rb").read() for token in tokens)]
assert tokens
sys.exit(f"# {left}" if left else 0)
END
for agent in main work; do
	expect_eq "alice in $agent" "$(jq -r '.profiles["xai:default"] | "\(.access)|\(.refresh)|\(.email)"' "$(store $agent)")" "||a@example.org"
done
# … and nothing else has changed.
expect_eq "what stands beside it" "$(jq -c '.profiles["xai:key"]' "$(store main)")" "$(jq -c . <<<"$key")"

# A run, and OpenClaw, find a login that was logged out; it does not come back.
before=$(posts)
keeper refresh --force xai:default
keeper refresh
expect_eq "alice in main" "$(jq -r '.profiles["xai:default"].refresh' "$(store main)")" ""
expect_eq "token requests for it" "$(posts)" "$before"
on_host a
keeper refresh --force xai:default
expect_status 0
expect_eq "alice is alive" "$(control state | jq .accounts.alice.alive)" true

# The cluster is away: refused. The rest leaves once it is settled, and then the others hear no more of this host.
login_again() { # a person logs in, since bob's answer was lost
	mint bob left=5h email=b@example.org
	jq --slurpfile new "$T/logins/bob.json" '.profiles["xai:bob"] = $new[0]' "$(store main)" >"$T/new"
	cat "$T/new" >"$(store main)"
}
on_host b
login_again
kill -KILL "${ETCD_PIDS[0]}"
keeper leave -j
expect_status 1
expect_field '.accounts[] | select(.profile == "xai:bob").error.code' cluster_unreachable
run_member 0
etcds_came_up 1 || fail "etcd does not come up again"
keeper leave -j
expect_status 3
expect_match "$out" 'has sent its token'
keeper refresh xai:bob
expect_status 0
login_again
keeper leave -j
expect_status 3
expect_match "$out" 'do not have it yet'
keeper refresh xai:bob
expect_status 0
keeper leave -j
expect_status 0
expect_field '[.problems[] | select(.code == "cluster_left").fix | contains("rm ")] | unique | join(" ")' true
expect_eq "hosts in the cluster" "$(etcd_keys | grep -c /hosts/)" 1
on_host a
keeper status -j
expect_field '[.accounts[].cluster.hosts[].host] | unique | join(" ")' a
keeper refresh
expect_status 0
expect_no_secrets
