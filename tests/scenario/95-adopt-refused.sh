#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A person's word does not make a spent token good again: `sync --adopt` of it is refused, and the next run repairs the
# copy. Where only its age speaks against it, the word is asked for twice.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=5h jwt=yes
write_store "main a" xai:default=alice
keeper refresh -j
cp "$(store a)" "$T/first"
due
keeper refresh -j
cp "$(store a)" "$T/second"
due
keeper refresh -j
expect_posts 2
refused() { expect_field '[.accounts[] | select(.error.code == "adopt_refused")] | length' "$1"; }

cp "$T/second" "$(store a)"
keeper sync --adopt a -j
expect_status 3
refused 1
keeper sync -j
expect_generation alice main a

# Nobody knows it any more, but it is older than the one before.
change_records '.superseded = [] | .fences = []'
find "$LEDGER/settled" -type f -delete
rm "$LEDGER/spent"
cp "$T/first" "$(store a)"
keeper sync --adopt a -j
expect_status 3
refused 1
expect_generation alice main
keeper sync --adopt a --force -j
refused 0
expect_eq "the token in main" "$(store_token main)" "$(store_token a)"
expect_posts 2
expect_no_secrets
