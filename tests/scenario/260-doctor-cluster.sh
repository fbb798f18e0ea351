#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# doctor knows what a cluster rests on before it gives way: a member that is out while the others answer, a certificate that
# is about to end, or has, a key file that others can read. Each with the place and the remedy, and gone when it is mended.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"
command -v openssl >/dev/null || skip "openssl is not installed"

# certificates DAYS: an authority, and the server's and the client's by it.
authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$1" "${@:2}"; }
certificates() {
	local leaf=(-CA ca.pem -CAkey ca.key -addext "basicConstraints=critical,CA:FALSE")
	(
		mkdir -p "$T/pki" && cd "$T/pki" && umask 077
		authority "$1" -keyout ca.key -out ca.pem -subj "/CN=test authority" -addext keyUsage=critical,keyCertSign &&
			authority "$1" -keyout server.key -out server.pem -subj "/CN=localhost" "${leaf[@]}" -addext subjectAltName=IP:127.0.0.1 &&
			authority "$2" -keyout client.key -out client.pem -subj "/O=test" "${leaf[@]}"
	) 2>"$T/openssl.log" || die "$(tail -2 "$T/openssl.log")"
}
client_again() {
	(cd "$T/pki" && umask 077 && authority "$1" -key client.key -out client.pem -subj "/O=test" -CA ca.pem -CAkey ca.key \
		-addext "basicConstraints=critical,CA:FALSE") 2>"$T/openssl.log" || die "$(tail -2 "$T/openssl.log")"
}
found() { field "[.problems[] | select(.code | startswith(\"cluster_\")) | .code] | sort | join(\" \")"; }

certificates 400 30
ETCD_TLS="$T/pki"
start_etcd 3
start_oidc
mint alice left=5h email=a@example.org
CLUSTER="ca_file = \"$T/pki/ca.pem\"; cert_file = \"$T/pki/client.pem\"; key_file = \"$T/pki/client.key\";"
new_host a
write_store main xai:default=alice
keeper refresh
expect_status 0
keeper doctor -j
expect_eq "findings while all is well" "$(found)" ""

# A member is out: the others answer, so that no run notices.
kill -KILL "${ETCD_PIDS[1]}"
keeper refresh --force
expect_status 0
keeper doctor -j
expect_eq "findings with a member out" "$(found)" cluster_member
expect_field '.problems[] | select(.code == "cluster_member").store' "${ETCD_URLS[1]}"
expect_field '.problems[] | select(.code == "cluster_member") | .message | test("2 of 3 members answer, and with one less nothing is refreshed")' true
expect_field '.problems[] | select(.code == "cluster_member") | .fix | test("^ssh 127.0.0.1 sudo systemctl restart etcd")' true
run_member 1
etcds_came_up 3 || fail "the member does not come up again"
keeper doctor -j
expect_eq "findings with all members" "$(found)" ""

# The certificate ends soon; has ended, by the clock of a few days later.
client_again 10
keeper doctor -j
expect_status 1
expect_eq "findings before the end" "$(found)" cluster_certificate
expect_field '.problems[] | select(.code == "cluster_certificate") | [.severity, .store] | join(" ")' "warning $T/pki/client.pem"
expect_field '.problems[] | select(.code == "cluster_certificate") | .message | test("ends in [0-9]+d")' true
"${CC:-cc}" -shared -fPIC -o "$T/clock.so" "$TESTS/scenario/clock.c" -ldl || die "no compiler for the clock"
# shellcheck disable=SC2191
UNDER=(env LD_PRELOAD="$T/clock.so" TEST_AHEAD=$((11 * 86400)) ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0")
keeper doctor -j
UNDER=()
expect_status 3
expect_field '.problems[] | select(.code == "cluster_certificate") | .severity' error
client_again 30
keeper doctor -j
expect_eq "findings with a new certificate" "$(found)" ""

# A key that others can read is refused with the configuration, whatever is asked.
chmod 644 "$T/seal"
keeper doctor
expect_status 2
expect_match "$err" "seal.*chmod 600|seal.*readable|seal.*others"
chmod 600 "$T/seal"
keeper doctor -j
expect_eq "findings with a key of ours alone" "$(found)" ""
expect_no_secrets
