#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# make demo-cluster: three hosts with one login, three members of etcd, and a strict OAuth server (a refresh token that is used
# twice ends the login), all on this machine and in a scratch directory. Touches nothing of yours.
. "$(dirname "$0")/../scenario/lib.sh" || exit 1
. "$TESTS/scenario/cluster.sh"
trap 'echo; echo "interrupted"; exit 1' INT
have_etcd || { echo "it takes etcd (on Debian: apt-get install etcd-server etcd-client)" && exit 1; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] && bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
bold=${bold:-} dim=${dim:-} plain=${plain:-}

say() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
show() {
	on_host "$1"
	printf '%s%s$ oauth-keepalive %s%s\n' "$dim" "$1" "${*:2}" "$plain"
	keeper "${@:2}"
	cat "$out" "$err" | sed "s|$HOME|~|g"
	[ "$status" = 0 ] || echo "(exit status $status)"
}
server_says() {
	printf 'server: %s token requests so far; the login is %s\n' "$(posts)" \
		"$(control state | jq -r '.accounts.alice | if .alive then "alive" else "revoked" end')"
}
asked() { [ "$(posts)" -gt "$before" ]; }

start_etcd 3
start_oidc
mint alice left=30m email=alice@example.org
for host in ada bob cyd; do
	new_host "$host"
	write_store "main work" xai:default=alice
done

say "Three hosts share an xAI login that is about to end. One of them refreshes it;
the others take the new one from etcd."
for host in ada bob cyd; do show "$host" refresh; done
server_says

say "What etcd was given: sealed values under names that say nothing."
etcd_keys

say "All three refresh at once, three times each. One sends."
before=$(posts)
for host in ada bob cyd; do on_host "$host" && due; done
for host in ada bob cyd; do
	on_host "$host"
	for _ in 1 2 3; do start_keeper refresh --wait 1m; done
done
wait_keepers
echo "exit statuses: $statuses"
server_says

say "ada sends, and the member of etcd that it talks to is killed before the answer
comes. The commit goes to another one."
on_host ada
before=$(posts)
hold_answer
start_keeper refresh --force
wait_until asked
{ kill -KILL "${ETCD_PIDS[0]}" && wait "${ETCD_PIDS[0]}"; } 2>/dev/null
release_answer
wait_keepers
echo "exit status: $statuses"
show bob refresh
server_says

say "ada sends, and is killed with all that it started, before the answer comes. Nobody
knows whether the token is spent: as long as ada's hold stands, nobody sends it."
on_host ada
before=$(posts)
hold_answer
keeper_command refresh --force
"${COMMAND[@]}" >"$out" 2>"$err" </dev/null &
killed=$!
wait_until asked
for pid in $(couriers); do kill -KILL "$pid"; done
{ kill -KILL $killed && wait $killed; } 2>/dev/null
release_answer
show bob refresh --force
show bob status xai:default
server_says

say "When the hold has run out (15 minutes at least; here it is cut short), the token is
still not sent until the access token is about to end, for its answer may be on ada."
for kind in holds locks; do
	ETCDCTL_API=3 etcdctl --endpoints "${ETCD_URLS[1]}" del --prefix "/oauth-keepalive/$kind/" >/dev/null
done
show cyd refresh --force

say "A person logs in again on cyd; the other hosts follow."
on_host cyd
mint alice left=6h email=alice@example.org
write_store main xai:default=alice
for host in cyd ada bob; do show "$host" refresh; done
server_says
