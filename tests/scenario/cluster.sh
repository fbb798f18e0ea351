# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# One login on several hosts, for scenarios: etcd (Debian's, skipped where it is not there), and hosts, each with a home, a
# ledger and a configuration of its own.
#
#	start_etcd [3]                  members; $ENDPOINTS are theirs
#	new_host a                      a host, which is then the one that `keeper`, write_store and expect_… are about
#	on_host a                       … again
#	etcd_keys [PREFIX]              what stands there

ETCD_PIDS=() ETCD_URLS=() ETCD_ARGS=()
ENDPOINTS=
ETCD_TLS= # a directory with ca.pem, server.pem and server.key, client.pem and client.key: then https, for clients alone
CLUSTER= # lines added to the section
SEAL=    # another key file than that of all hosts

have_etcd() { etcd --version && etcdctl version; } >/dev/null 2>&1

free_ports() {
	"$PYTHON" -c 'import socket, sys
s = [socket.socket() for _ in range(int(sys.argv[1]))]
[x.bind(("127.0.0.1", 0)) for x in s]
print(*[x.getsockname()[1] for x in s])' "$1"
}

# shellcheck disable=SC2086
etcd_is_up() { curl -sf --max-time 10 ${ETCD_TLS:+--cacert $ETCD_TLS/ca.pem --cert $ETCD_TLS/client.pem --key $ETCD_TLS/client.key} -o /dev/null -d '{"key":"AA=="}' "${ETCD_URLS[$1]}/v3/kv/range"; }

# run_member N: start it, or start it again with what it had.
run_member() {
	# shellcheck disable=SC2086
	etcd ${ETCD_ARGS[$1]} --log-level error >>"$T/etcd$1.log" 2>&1 &
	ETCD_PIDS[$1]=$!
	SERVERS+=($!)
}

# start_etcd [MEMBERS]: somebody else may take a port between our look and its start, so it may take more than one try.
start_etcd() {
	local n=${1:-1} try i ports peers
	have_etcd || skip "etcd is not installed (Debian: etcd-server, etcd-client)"
	for try in 1 2 3 4 5; do
		read -r -a ports <<<"$(free_ports $((2 * n)))"
		peers=
		ENDPOINTS=
		for ((i = 0; i < n; i++)); do
			peers+="${peers:+,}m$i=http://127.0.0.1:${ports[2 * i]}"
			ETCD_URLS[i]=http${ETCD_TLS:+s}://127.0.0.1:${ports[2 * i + 1]}
			ENDPOINTS+="${ENDPOINTS:+, }\"${ETCD_URLS[i]}\""
		done
		for ((i = 0; i < n; i++)); do
			rm -rf "$T/etcd$i"
			ETCD_ARGS[i]="--name m$i --data-dir $T/etcd$i --listen-peer-urls http://127.0.0.1:${ports[2 * i]}
				--initial-advertise-peer-urls http://127.0.0.1:${ports[2 * i]} --listen-client-urls ${ETCD_URLS[i]}
				--advertise-client-urls ${ETCD_URLS[i]} --initial-cluster $peers --initial-cluster-token t$try
				${ETCD_TLS:+--client-cert-auth --trusted-ca-file $ETCD_TLS/ca.pem --cert-file $ETCD_TLS/server.pem --key-file $ETCD_TLS/server.key}"
			run_member "$i"
		done
		etcds_came_up "$n" && return
	done
	die "etcd does not start: $(tail -3 "$T"/etcd*.log)"
}

etcds_came_up() {
	local i end=$((SECONDS + 60))
	for ((i = 0; i < $1; i++)); do
		until etcd_is_up "$i"; do
			kill -0 "${ETCD_PIDS[$i]}" 2>/dev/null && [ $SECONDS -lt $end ] || return 1
			sleep 0.05
		done
	done
}

etcd_keys() { ETCDCTL_API=3 etcdctl --endpoints "${ETCD_URLS[0]}" get --prefix --keys-only "${1:-/}" | grep .; }

# new_host NAME: as `fresh`, and a member of the cluster.
new_host() {
	fresh
	[ -s "$T/seal" ] || head -c 32 /dev/urandom >"$T/seal"
	eval "HOST_HOME_$1=\$HOME"
	on_host "$1"
}

on_host() {
	local home=HOST_HOME_$1
	export HOME=${!home}
	STATE=$HOME/.openclaw
	LEDGER=$HOME/ledger
	CONFIG_FILE=$HOME/keeper.conf
	CONFIG="cluster = { endpoints = ( $ENDPOINTS ); seal_key_file = \"${SEAL:-$T/seal}\"; host = \"$1\"; $CLUSTER };"
}

# Where a scenario steps from call to call.
needs_stepper() {
	STEPPER=${STEPPER:-$TESTS/../build/torture/stepper}
	[ -x "$STEPPER" ] || skip "no stepper (make build/torture/stepper)"
	strace -qq -e trace=execve -o /dev/null true 2>/dev/null || skip "nothing may be traced here"
}

# two_hosts_due NAME: two hosts with one login that is due on both, in a cluster of their own.
two_hosts_due() {
	CLUSTER="prefix = \"/$1/\"; "
	mint "$1" left=30m email=a@example.org
	new_host b
	write_store main "xai:default=$1"
	new_host a
	write_store "main work" "xai:default=$1"
}
