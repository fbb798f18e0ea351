#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Hosts whose clocks are forty minutes fast or slow, beside one that is right: whoever is due sends, once, and all come to
# the live generation. A token whose answer was lost is sent once more by the one whose clock is right, and by no other.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"
"${CC:-cc}" -shared -fPIC -o "$T/clock.so" "$TESTS/scenario/clock.c" -ldl 2>"$T/clock.log" || skip "no compiler for the clock"

declare -A AHEAD=([fast]=2400 [slow]=-2400 [right]=0)
# on_clock HOST ARG…: the program there, by its clock.
on_clock() {
	on_host "$1"
	UNDER=(env LD_PRELOAD="$T/clock.so" TEST_AHEAD="${AHEAD[$1]}")
	keeper "${@:2}"
	UNDER=()
}
all_live() {
	local host
	for host in $hosts $hosts; do on_clock $host refresh; done
	for host in $hosts; do
		on_host $host
		expect_generation alice main
	done
}

start_etcd
start_oidc
hosts="fast slow right"
mint probe
new_host slow
write_store main xai:default=probe
on_clock slow preview -j
if [ "$(field '[.problems[] | select(.code == "clock")] | length')" != 0 ]; then
	not_shown "a clock that is slow: this program was built after the time that it would show"
	hosts="fast right"
fi
mint alice left=5h email=a@example.org
for host in $hosts; do
	new_host $host
	write_store main xai:default=alice
	on_clock $host refresh -j
	expect_status 0
	said=$(field '[.problems[].code] | join(" ")')
	expect_eq "what $host says of its clock" "$said" "$([ $host = right ] || echo cluster_clock)"
done
reset_posts
n=0
for host in $hosts $hosts; do
	on_clock $host refresh --force
	expect_status 0
	expect_posts $((n += 1))
	all_live
	expect_posts $n
done

# The answer is lost with all who waited for it.
asked() { [ "$(posts)" -gt $((POSTS_BEFORE + n)) ]; }
hold_answer
on_host fast
keeper_command refresh --force
env LD_PRELOAD="$T/clock.so" TEST_AHEAD=2400 "${COMMAND[@]}" >"$out" 2>"$err" </dev/null &
killed=$!
wait_until asked
for pid in $(couriers); do kill -KILL "$pid"; done
{ kill -KILL $killed && wait $killed; } 2>/dev/null
release_answer
for _ in held free; do
	for host in $hosts; do on_clock $host refresh --force; done
	expect_posts $((n + 1))
	for kind in holds locks; do
		ETCDCTL_API=3 etcdctl --endpoints "${ETCD_URLS[0]}" del --prefix "/oauth-keepalive/$kind/" >/dev/null
	done
done

# The access token is about to end, by each one's own clock.
for host in $hosts; do
	on_host $host
	change_records ".live.expires_ms = ((now + ${AHEAD[$host]} + 240) * 1000 | floor)"
done
for host in ${hosts%right}; do
	on_clock $host refresh
	expect_posts $((n + 1))
done
on_clock right refresh
expect_posts $((n + 2))

# Out of reach, an expiry that cannot be is no reason to refresh alone: nobody knows that it is about to end.
CLUSTER='prefix = "/second/"; partition = "refresh";'
mint bob left=5h email=b@example.org
new_host alone
AHEAD[alone]=0
write_store main xai:default=bob
keeper refresh
expect_status 0
kill -KILL "${ETCD_PIDS[0]}"
for _ in 1 2; do
	change_records '.live.expires_ms = ((now + 9 * 3600) * 1000 | floor)'
	write_store main xai:default="$(jq '.expires += 4 * 3600000' "$T/logins/bob.json")"
	keeper refresh -j
	expect_status 1
	expect_field '.accounts[0].error.code' cluster_unreachable
	expect_posts 0
done
expect_no_secrets
