#!/bin/sh
# SPDX-License-Identifier: MIT
# certificate.sh DIR [NAMES]: a certificate authority (ca.pem) and a certificate of it for 127.0.0.1 and localhost
# (server.pem, server.key; NAMES is another subjectAltName), good for two days. Does nothing if they are there.
set -e
umask 077
mkdir -p "$1"
cd "$1"
[ -s server.pem ] && exit 0
new="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
exec 2>openssl.log
$new -keyout ca.key -out ca.pem -subj "/CN=oauth-keepalive test authority" -addext "keyUsage=critical,keyCertSign"
$new -keyout server.key -out server.new -subj "/CN=localhost" -CA ca.pem -CAkey ca.key \
	-addext "basicConstraints=critical,CA:FALSE" -addext "subjectAltName=${2:-IP:127.0.0.1,DNS:localhost}"
mv server.new server.pem
