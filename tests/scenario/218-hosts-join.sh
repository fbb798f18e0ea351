#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A host that comes with a login of its own is asked, never merged by guess: nothing of it is sent or written until a person
# says whose login it shall be, either way, and what gives way is kept. A host that lost its ledger finds its place.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"

start_etcd
start_oidc
mint alice left=5h email=a@example.org
mint other left=10m email=a@example.org
new_host a
write_store main xai:default=alice
keeper refresh
expect_status 0

# Due, and another line of refresh tokens: held, and said what to do.
new_host b
write_store main xai:default=other
before=$(sum "$(store main)")
keeper refresh -j
expect_status 3
expect_field '.accounts[0].error.code' cluster_beside
expect_match "$out" 'sync --follow main'
expect_untouched "$(store main)" "$before"
keeper refresh --force -j
expect_status 3
expect_posts 0

# The cluster's: what stood here is kept for 30 days.
keeper sync --follow main
expect_status 0
expect_generation alice main
keeper restore -j
expect_eq "logins kept" "$(field '.kept | length')" 1
keeper refresh -j
expect_status 0
expect_field '.accounts[0].outcome' unchanged

# A third one makes its own login everybody's.
mint third left=5h email=a@example.org
new_host c
write_store main xai:default=third
keeper refresh -j
expect_status 3
keeper sync --adopt main
expect_status 0
on_host a
keeper refresh -j
expect_status 0
expect_field '.accounts[0].outcome' adopted
expect_generation third main
on_host b
keeper refresh
expect_generation third main

# A person logs in on one host: the others follow without a question.
mint alice left=6h email=a@example.org
write_store main xai:default=alice
keeper refresh
expect_status 0
on_host c
keeper refresh
expect_status 0
expect_generation alice main

# Somebody else's login under the same profile id is nobody's to take, whatever is said.
mint stranger left=10m email=b@example.org
new_host d
write_store main xai:default=stranger
before=$(sum "$(store main)")
keeper refresh -j
expect_status 3
expect_match "$out" "another person's login"
keeper sync --follow main
expect_status 3
keeper sync --adopt main
expect_status 3
expect_untouched "$(store main)" "$before"
keeper refresh
expect_status 3
expect_posts 0

# A host that comes back from a backup without its ledger, with what has been superseded: no question, no send.
on_host a
rm -rf "$LEDGER" "$STATE/locks"
write_store main xai:default=third
keeper refresh -j
expect_status 0
expect_generation alice main
expect_posts 0
expect_no_secrets
