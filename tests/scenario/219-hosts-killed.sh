#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whatever is killed between the first call of a refresh and the last, keeper alone or keeper and couriers: no token is sent
# twice, and both hosts come to the live generation; but for the one moment that nobody can help, when all is killed while
# an answer is on its way: then both hosts know that, and send nothing. EVERY=1 takes each call, not a sample of half a minute.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"
needs_stepper

# is_live NAME: on both hosts. A host that has it says so in its stores.
is_live() {
	local live host
	live=$(server_token "$1")
	for host in a b; do
		on_host "$host"
		[ "$(store_token main)" = "$live" ] || return 1
	done
}

# in_doubt: what was killed had sent it, and no answer was saved.
in_doubt() {
	on_host a
	keeper refresh -j
	expect_posts 1
	expect_match "$out" 'its answer is lost|unknown_outcome|a is refreshing it'
}

no_couriers() { [ -z "$(couriers)" ]; }

start_etcd
start_oidc
two_hosts_due counted
UNDER=("$STEPPER" -o "$T/trace")
keeper refresh
UNDER=()
expect_status 0
calls=$(awk '$1 + 0 > n { n = $1 + 0 } END { print n + 0 }' "$T/trace")
[ "$calls" -gt 50 ] || fail "only $calls calls were counted"

doubtful=0
for whom in keeper both; do
	for ((n = 1; n <= calls; n += ${EVERY:-181})); do
		two_hosts_due "$whom$n"
		UNDER=("$STEPPER" -n "$n" -k "$whom")
		keeper refresh
		UNDER=()
		for host in b a b a; do
			on_host "$host"
			wait_until no_couriers
			keeper refresh
		done
		expect_eq "sends of one token, $whom killed at call $n" "$(control state | jq '[.tokens[]] | max')" 1
		if ! is_live "$whom$n"; then
			expect_eq "who was killed at call $n, with a token that was sent" "$whom" both
			in_doubt
			doubtful=$((doubtful + 1))
		fi
	done
done
echo "# of $calls calls, every ${EVERY:-181}.: $doubtful in doubt"
expect_no_secrets
