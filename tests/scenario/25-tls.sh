#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# https with the given authority works; a certificate of another one means that nothing is sent.
. "$(dirname "$0")/lib.sh" || exit 1

"$TESTS/server/certificate.sh" "$T/tls" IP:127.0.0.1
start_oidc --tls
mint alice left=30m
write_store "main a" xai:default=alice
right=$CA_FILE

"$TESTS/server/certificate.sh" "$T/other"
for CA_FILE in "$T/other/ca.pem" ""; do
	keeper refresh -j --force
	expect_status 1
	expect_posts 0
	expect_field '.accounts[0].outcome' failed
	expect_eq "receipts left" "$(ls "$LEDGER/receipts" 2>/dev/null)" ""
done

CA_FILE=$right
was=$TOKEN_URL
TOKEN_URL=${was/127.0.0.1/localhost} # the certificate is for the address only
keeper refresh -j --force
expect_status 1
expect_posts 0

TOKEN_URL=$was
keeper refresh -j --force
expect_status 0
expect_posts 1
expect_generation alice main a
