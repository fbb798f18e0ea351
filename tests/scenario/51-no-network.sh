#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# With no network, no route, no resolver or half a host nothing is sent and nothing lost; when it is back, one POST.
if [ -z "${IN_NAMESPACE:-}" ]; then
	[ "$(id -u)" = 0 ] && unshare -mn true 2>/dev/null && exec env IN_NAMESPACE=1 unshare -mn bash "$0"
	echo "# skip: needs root and namespaces"
	exit 77
fi
. "$(dirname "$0")/lib.sh" || exit 1
command -v ip >/dev/null || skip "needs ip(8)"

# Loopback is the world here: a host, its addresses and its resolver are what this test says they are.
ip link set lo up
address=192.0.2.1 # RFC 5737: nobody's
mkdir "$T/etc"
echo "hosts: files dns" >"$T/etc/nsswitch.conf"
resolver() { echo "nameserver $1" >"$T/etc/resolv.conf" && echo "options timeout:1 attempts:1" >>"$T/etc/resolv.conf"; }
hosts() { printf '%s\n' "127.0.0.1 localhost" "$@" >"$T/etc/hosts"; }
resolver 127.0.0.1
hosts
for file in nsswitch.conf resolv.conf hosts; do
	mount --bind "$T/etc/$file" "/etc/$file" || skip "/etc/$file cannot be replaced here"
done
"$TESTS/server/certificate.sh" "$T/tls" DNS:login.example,IP:127.0.0.1
start_scripted --tls
server=$TOKEN_URL port=${TOKEN_URL##*:}
port=${port%/token}
patience() { CONFIG="http = { connect_timeout = \"$1\"; deadline = \"$1\"; ca_file = \"$CA_FILE\"; };"; }

# nothing_sent WHAT CODE URL: a due login, and this endpoint now.
nothing_sent() {
	fresh
	fake "n$ROUND" left=1h
	write_store "main a" xai:default="n$ROUND"
	before=$(sum "$(store main)")
	TOKEN_URL=$3
	patience "$([ "$2" = timeout ] && echo 2s || echo 60s)" # only what is to be waited for in vain is not waited for
	keeper refresh -j
	patience 60s
	expect_eq "$1" "$status $(field '.accounts[0] | "\(.outcome) \(.error.code)"')" "1 failed $2"
	expect_posts 0
	expect_untouched "$(store main)" "$before"
	expect_untouched "$(store a)" "$before"
	expect_eq "$1: receipts left" "$(ls "$LEDGER/receipts")" ""
	expect_eq "$1: locks left" "$(find "$STATE/locks/oauth-refresh" -type f)" ""
	# An access token that still lives is no worse off, and a run that is told to try does so at once.
	TOKEN_URL=$server
	keeper refresh -j
	expect_eq "$1: the next run waits" "$status $(($(posts) - POSTS_BEFORE))" "1 0"
	answers "{\"body\": $(tokens "n$ROUND")}"
	keeper refresh -j --force
	expect_status 0
	expect_posts 1
	expect_eq "$1: the agent's token afterwards" "$(store_token a)" "$(printf 'FAKE-REFRESH-n%s' "$ROUND" | sha256sum | cut -c1-12)"
}

nothing_sent "no route" connect "https://$address/token"
nothing_sent "nobody listens" connect https://127.0.0.1:1/token
nothing_sent "no resolver" dns https://login.example/token

# A neighbour that does not answer, as behind a cable that was pulled.
if ip link add wire type dummy 2>/dev/null; then
	ip address add 192.0.2.2/24 dev wire
	ip link set wire up
	nothing_sent "a host that is down" timeout "https://$address/token"
	ip link delete wire
fi

# A resolver that knows no such name, one that says it has failed, and one that never answers.
"$PYTHON" - >"$T/resolvers" <<'END' &
import socket, threading
def serve(address, code):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 53))
    while True:
        query, peer = s.recvfrom(512)
        if code is not None:  # the question, given back with a result code
            s.sendto(query[:2] + bytes([0x81, 0x80 | code]) + query[4:6] + bytes(6) + query[12:], peer)
for address, code in ("127.0.0.2", 3), ("127.0.0.3", 2), ("127.0.0.4", None):
    threading.Thread(target=serve, args=(address, code)).start()
print("ready", flush=True)
END
SERVERS+=($!)
wait_until test -s "$T/resolvers"
resolver 127.0.0.2
nothing_sent "no such name" dns https://login.example/token
resolver 127.0.0.3
nothing_sent "a resolver that fails" dns https://login.example/token
resolver 127.0.0.4
nothing_sent "a resolver that never answers" dns https://login.example/token

# Two addresses, of which the first is dead: the second gets the one POST.
hosts "192.0.2.1 login.example" "127.0.0.1 login.example"
fresh
fake two left=1h
write_store "main a" xai:default=two
TOKEN_URL=https://login.example:$port/token
answers '{"tokens": {}}'
keeper refresh -j
expect_status 0
expect_posts 1
expect_eq "the agent's token" "$(store_token a)" "$(printf FAKE-REFRESH-new-token | sha256sum | cut -c1-12)"
expect_no_secrets
