#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A sender that stands still at any call of a refresh, with its lock there run out meanwhile, and another host that is due, too:
# the token is sent once, by whichever, the sender goes on where that is right, and both come to the live generation.
# EVERY=1 takes each call.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"
needs_stepper

stands() { [ -e "$T/stop" ] || has_ended "${STARTED[0]%%:*}"; }

start_etcd
start_oidc
two_hosts_due counted
UNDER=("$STEPPER" -o "$T/trace")
keeper refresh
UNDER=()
expect_status 0
calls=$(awk '$1 + 0 > n { n = $1 + 0 } END { print n + 0 }' "$T/trace")
[ "$calls" -gt 50 ] || fail "only $calls calls were counted"
sending=$(awk '$NF == "sending" && $1 > 0 { print $1; exit }' "$T/trace") # the intent is there, and nothing has left
[ -n "$sending" ] || skip "the call that says so is not seen here"

stops=0 by_other=0
for n in $(seq 1 "${EVERY:-61}" "$calls") "$sending"; do
	two_hosts_due "stopped$n"
	UNDER=("$STEPPER" -n "$n" -w "$T/stop")
	start_keeper refresh
	UNDER=()
	wait_until stands
	[ -e "$T/stop" ] && stops=$((stops + 1))
	ETCDCTL_API=3 etcdctl --endpoints "${ETCD_URLS[0]}" del --prefix "/stopped$n/locks/" >/dev/null
	on_host b
	keeper refresh
	[ "$(store_token main)" = "$(login_token "stopped$n")" ] || by_other=$((by_other + 1))
	rm -f "$T/stop"
	wait_keepers
	for host in a b a b; do
		on_host "$host"
		keeper refresh
	done
	expect_eq "sends of one token, stopped at call $n" "$(control state | jq '[.tokens[]] | max')" 1
	expect_posts 1
	for host in a b; do
		on_host "$host"
		expect_generation "stopped$n" main
	done
done
echo "# of $calls calls, every ${EVERY:-61}.: stopped at $stops, and at $by_other of them the other host had a new one meanwhile"
[ "$stops" -gt 4 ] && [ "$by_other" -gt 1 ] && [ "$by_other" -lt "$stops" ] || fail "that is not what was to be shown"
expect_no_secrets
