#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The courier's sandbox lets through what a machine is set up with: names that only its name service's daemon knows, and
# an authority that is linked into /etc/ssl/certs from elsewhere.
. "$(dirname "$0")/lib.sh" || exit 1

[ "$(id -u)" = 0 ] || skip "only root can lay another /etc over this one"
unshare --mount --propagation private true 2>/dev/null || skip "no mount namespace"

# A name service of our own: it knows one name, and counts who asks for it (glibc's nscd protocol, version 2).
cat >"$T/nscd.py" <<-'END_PYTHON'
	import socket, struct, sys
	path, log = sys.argv[1:]
	server = socket.socket(socket.AF_UNIX)
	server.bind(path)
	server.listen(8)
	while True:
	    peer, _ = server.accept()
	    version, kind, length = struct.unpack("=iii", peer.recv(12, socket.MSG_WAITALL))
	    key = peer.recv(length, socket.MSG_WAITALL).rstrip(b"\0")
	    if kind == 14 and key == b"login.names.test":  # GETAI
	        open(log, "a").write("asked\n")
	        peer.sendall(struct.pack("=iiiiii", 2, 1, 1, 4, len(key) + 1, 0) + bytes([127, 0, 0, 1]) + bytes([2]) + key + b"\0")
	    elif kind == 14:
	        peer.sendall(struct.pack("=iiiiii", 2, 0, 0, 0, 0, 1))
	    peer.close()
END_PYTHON

mkdir -p "$T/run" "$T/certs" "$T/elsewhere"
"$TESTS/server/certificate.sh" "$T/tls" DNS:login.names.test
start_oidc --tls
TOKEN_URL=${TOKEN_URL/127.0.0.1/login.names.test}
mint alice left=30m
write_store "main a" xai:default=alice
printf 'hosts: files dns\n' >"$T/nsswitch.conf"
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >"$T/resolv.conf"
# shellcheck disable=SC2016 # the inner shell's
UNDER=(unshare --mount --propagation private sh -c 'mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf &&
	mount --bind "$0/resolv.conf" /etc/resolv.conf && { [ ! -d "$0/run/nscd" ] || { mount -t tmpfs tmpfs /run &&
	mkdir /run/nscd && mount --bind "$0/run/nscd" /run/nscd; }; } && mount --bind "$0/certs" /etc/ssl/certs && exec "$@"' "$T")

keeper refresh -j # nobody knows the name
expect_status 1
expect_posts 0
expect_field '.accounts[0].error.detail // .accounts[0].error.message | test("resolve")' true

mkdir "$T/run/nscd"
"$PYTHON" "$T/nscd.py" "$T/run/nscd/socket" "$T/asked" &
SERVERS+=($!)
wait_until [ -S "$T/run/nscd/socket" ]
keeper refresh -j --force
expect_status 0
expect_posts 1
expect_generation alice main a
[ -s "$T/asked" ] || fail "the name came from somewhere else"

# Without ca_file: the hashed directory holds a link out of it, as `openssl rehash` makes them.
cp "$CA_FILE" "$T/elsewhere/ours.pem"
CA_FILE=
keeper refresh -j --force # it is not trusted yet
expect_status 1
expect_posts 1
ln -s "$T/elsewhere/ours.pem" "$T/certs/ours.pem"
ln -s ours.pem "$T/certs/$(openssl x509 -hash -noout -in "$T/elsewhere/ours.pem").0"
keeper refresh -j --force
expect_status 0
expect_posts 2
expect_generation alice main a
