#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A member of etcd is cut off from the others, with a host that speaks to it: the leader, the one that the sender speaks to, or
# just a minority; and the leader is killed. Nothing is sent that the majority does not know of, nor twice; an answer that cannot
# be told waits where it is, and who stands with the majority goes on.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"
have_etcd || skip "etcd is not installed (Debian: etcd-server, etcd-client)"
[ "$(id -u)" = 0 ] && unshare --net true 2>/dev/null || skip "no network namespaces here"

TUNNEL=$TESTS/cluster/tunnel.py
# tunnel WAY DIR PORT… (in the first member's namespace: inside WAY DIR PORT…); its process is then $linked.
links=0
tunnel() {
	local ready=$T/link$((links += 1)) line
	serve "${INSIDE[@]}" "$PYTHON" "$TUNNEL" "$@"
	linked=${SERVERS[-1]}
}
inside() {
	local INSIDE=(nsenter -t "$space" -n)
	tunnel "$@"
}
INSIDE=()

# The first member lives in a namespace of its own: its peers reach it, and it them, over links that can be cut; hosts always do.
start_cut_etcd() {
	local ports peers i
	unshare --net sleep infinity &
	space=$!
	SERVERS+=("$space")
	moved() { [ "$(readlink "/proc/$space/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
	wait_until moved
	read -r -a ports <<<"$(free_ports 6)"
	for i in 0 1 2; do peers+="${peers:+,}m$i=http://127.0.0.1:${ports[2 * i]}"; done
	peer=${ports[0]} others=("${ports[2]}" "${ports[4]}")
	inside in "$T/others" "${others[@]}"
	inside out "$T/peer" "$peer"
	inside out "$T/client" "${ports[1]}"
	tunnel in "$T/client" "${ports[1]}"
	connect
	for i in 0 1 2; do
		ETCD_URLS[i]=http://127.0.0.1:${ports[2 * i + 1]}
		ETCD_ARGS[i]="--name m$i --data-dir $T/etcd$i --listen-peer-urls http://127.0.0.1:${ports[2 * i]}
			--initial-advertise-peer-urls http://127.0.0.1:${ports[2 * i]} --listen-client-urls ${ETCD_URLS[i]}
			--advertise-client-urls ${ETCD_URLS[i]} --initial-cluster $peers"
	done
	# shellcheck disable=SC2086
	nsenter -t "$space" -n etcd ${ETCD_ARGS[0]} --log-level error >"$T/etcd0.log" 2>&1 &
	ETCD_PIDS[0]=$!
	SERVERS+=($!)
	run_member 1
	run_member 2
	etcds_came_up 3 || skip "the members do not come up: $(tail -1 "$T"/etcd*.log)"
}
connect() {
	tunnel out "$T/others" "${others[@]}" && cuts=("$linked")
	tunnel in "$T/peer" "$peer" && cuts+=("$linked")
}
part() { for pid in "${cuts[@]}"; do { end_process "$pid" && wait "$pid"; } 2>/dev/null; done; }
heal() {
	connect
	wait_until etcd_is_up 0
}

etcdctl3() { ETCDCTL_API=3 etcdctl --endpoints "$(IFS=, && echo "${ETCD_URLS[*]}")" "$@"; }
# lead N: that member becomes the leader.
leads() { ETCDCTL_API=3 etcdctl --endpoints "${ETCD_URLS[$1]}" endpoint status -w json | jq -e '.[0].Status | .leader == .header.member_id' >/dev/null; }
lead() {
	leads "$1" || etcdctl3 move-leader "$(etcdctl3 member list | awk -F', ' -v name="m$1" '$3 == name { print $1 }')" >/dev/null
	wait_until leads "$1"
}
# members N…: those that the next host speaks to.
members() {
	local n
	ENDPOINTS=
	for n in "$@"; do ENDPOINTS+="${ENDPOINTS:+, }\"${ETCD_URLS[$n]}\""; done
}

# begin NAME: a, which speaks to the members named, and b, which speaks to the others; the login is due on both.
begin() {
	CLUSTER="prefix = \"/$1/\";"
	mint "$1" left=30m email=a@example.org
	members 1 2
	new_host b
	write_store main "xai:default=$1"
	members "${@:2}"
	new_host a
	write_store main "xai:default=$1"
}
host_a() { members "$@" && on_host a; }
host_b() { members 1 2 && on_host b; }
asked() { [ "$(posts)" -gt "$POSTS_BEFORE" ]; }
# send_and COMMAND…: a sends, and that happens while its answer is on its way.
send_and() {
	hold_answer
	start_keeper refresh -j
	wait_until asked
	"$@"
	release_answer
	wait_keepers
}
kill_member() { { kill -KILL "${ETCD_PIDS[$1]}" && wait "${ETCD_PIDS[$1]}"; } 2>/dev/null; }

start_cut_etcd
start_oidc

# ---- the leader is cut off, to which the sender speaks: the others elect one, and the sender finds them
lead 0
begin leader 0 1 2
send_and part
expect_eq "exit status with the leader cut off" "$statuses" 0
host_b
keeper refresh
expect_status 0
expect_generation leader main
expect_posts 1
heal

# ---- the sender is cut off with its member: it keeps the answer; as long as its hold stands nobody else sends
begin sender 0
send_and part
expect_eq "exit status of a sender that is cut off" "$statuses" 1
expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' 'refreshed cluster_unreachable'
expect_generation sender main
host_b
keeper refresh --force -j
expect_match "$out" 'a is (at|refreshing) it'
expect_posts 1
heal
host_a 0
keeper refresh
expect_status 0
host_b
keeper refresh
expect_status 0
expect_generation sender main
expect_posts 1

# ---- a minority, and nobody had begun: nothing is sent there; the majority goes on
begin minority 0
part
keeper refresh -j
expect_status 1
expect_field '.accounts[0].error.code' cluster_unreachable
expect_posts 0
host_b
keeper refresh
expect_status 0
expect_posts 1
heal
host_a 0
keeper refresh
expect_status 0
expect_generation minority main
expect_posts 1

# ---- the leader is killed while the answer is on its way; the sender speaks to it, or to another
for first in 1 2; do
	lead 1
	begin killed$first $first 0
	send_and kill_member 1
	expect_eq "exit status with the leader killed" "$statuses" 0
	run_member 1
	wait_until etcd_is_up 1
	host_b
	keeper refresh
	expect_status 0
	expect_generation killed$first main
	expect_posts 1
done
expect_eq "sends of one token" "$(control state | jq '[.tokens[]] | max')" 1
part
rm -rf "$T/others" "$T/peer" "$T/client" # sockets cannot be searched for secrets
expect_no_secrets
