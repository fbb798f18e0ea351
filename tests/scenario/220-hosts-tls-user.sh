#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# etcd behind TLS, with a certificate of the client's, a user and a password: it works by them, and not without any one of
# them; what is missing is said in words, and nothing is sent then. The password is shown nowhere.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"
command -v openssl >/dev/null || skip "openssl is not installed"

# The server's is for both uses, as the gateway calls etcd with it; the client's has no name, as the gateway wants it.
"$TESTS/server/certificate.sh" "$T/pki"
(
	cd "$T/pki" && umask 077
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout client.key -out client.pem \
		-subj "/O=oauth-keepalive test" -CA ca.pem -CAkey ca.key -addext "basicConstraints=critical,CA:FALSE" \
		-addext "extendedKeyUsage=clientAuth"
) 2>"$T/openssl.log" || die "$(tail -2 "$T/openssl.log")"

ETCD_TLS="$T/pki"
start_etcd
etcdctl3() { ETCDCTL_API=3 etcdctl --endpoints "${ETCD_URLS[0]}" --cacert "$T/pki/ca.pem" --cert "$T/pki/client.pem" --key "$T/pki/client.key" "$@"; }
{
	etcdctl3 user add root:FAKE-root-word
	etcdctl3 user grant-role root root
	etcdctl3 role add keeper
	etcdctl3 role grant-permission keeper --prefix=true readwrite /oauth-keepalive/
	etcdctl3 user add keeper:FAKE-pass-word
	etcdctl3 user grant-role keeper keeper
	etcdctl3 auth enable
} >"$T/etcdctl.log" 2>&1 || die "$(tail -3 "$T/etcdctl.log")"
(umask 077 && echo FAKE-pass-word >"$T/password" && echo FAKE-wrong-word >"$T/wrong")

tls="ca_file = \"$T/pki/ca.pem\";"
client="cert_file = \"$T/pki/client.pem\"; key_file = \"$T/pki/client.key\";"
user="user = \"keeper\"; password_file"

start_oidc
mint alice left=30m email=alice@example.org
CLUSTER="$tls $client $user = \"$T/password\";"
new_host a
write_store main xai:default=alice
keeper refresh
expect_status 0
expect_posts 1
new_host b
write_store main xai:default=alice
keeper refresh -j
expect_status 0
expect_generation alice main
expect_posts 0

# `watch` is let in by the same.
start_keeper watch
watcher=$! watched=$err
on_host a
keeper refresh --force
expect_status 0
has_it() { on_host b && [ "$(store_token main)" = "$(server_token alice)" ]; }
wait_until has_it
kill -TERM "$watcher"
wait_keepers
expect_eq "exit status of watch" "$statuses" 0
expect_no_match "$watched" 'cannot be watched'

# The unit's credentials do for secrets; and a key is replaced.
export CREDENTIALS_DIRECTORY=$T/credentials
mkdir "$CREDENTIALS_DIRECTORY"
cp "$T/password" "$CREDENTIALS_DIRECTORY/word"
mv "$T/seal" "$T/old"
head -c 32 /dev/urandom | base64 >"$T/seal"
chmod 600 "$T/seal" "$T/old"
CLUSTER="$tls $client $user = \"\$CREDENTIALS_DIRECTORY/word\";"
on_host b
keeper refresh -j
expect_status 3
expect_match "$out" 'cluster_unreadable'
for host in b a; do
	CLUSTER="$tls $client $user = \"\$CREDENTIALS_DIRECTORY/word\"; old_seal_key_files = ( \"$T/old\" );"
	on_host "$host"
	[ $host = a ] || keeper preview -j
	[ $host = a ] || expect_match "$out" cluster_old_key
	keeper refresh --force -j
	expect_status 0
	expect_generation alice main
done

# Each is needed.
without() {
	CLUSTER=$1
	new_host c
	write_store main xai:default=bob
	before=$(sum "$(store main)")
	keeper refresh -j
	expect_status 1
	expect_match "$out" 'cluster_unreachable'
	expect_match "$out" "$2"
	expect_untouched "$(store main)" "$before"
	expect_posts 0
}
mint bob left=30m email=bob@example.org
without "$client $user = \"$T/password\";" 'ertificate'
without "$tls $user = \"$T/password\";" '127\.0\.0\.1'
without "$tls $client" 'user name is empty|permission denied'
without "$tls $client $user = \"$T/wrong\";" 'authentication failed|invalid user'
grep -rlF -e FAKE-pass -e FAKE-wrong "$T/runs" && fail "the password was shown"
expect_no_secrets
