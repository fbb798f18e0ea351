#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `leave` loses no login that only this host has, also where another host has moved meanwhile, so that neither is published; and
# a login of the cluster's that came back into a store, without a record, does not stay behind as this host's own.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

start_etcd
start_oidc
mint alice left=5h email=a@example.org
new_host a
write_store main xai:default=alice
keeper refresh
expect_status 0
new_host b
write_store main xai:default=alice
keeper refresh
expect_status 0

# Both move: a person logs in here while the cluster is out of reach, and the other host refreshes.
ENDPOINTS='"http://127.0.0.1:1"' on_host b
mint alice left=6h email=a@example.org
write_store main xai:default=alice
own=$(store_token main)
keeper refresh
on_host a
keeper refresh --force
expect_status 0
on_host b
keeper leave -j
expect_status 3
expect_field '.accounts[0].error.code' leave_refused
expect_match "$out" 'would be lost'
expect_eq "the token in main" "$(store_token main)" "$own"
keeper status -j
expect_field '.accounts[0].error.code' cluster_beside

# A person decides; then it leaves, and a gateway that still had the login in its memory writes it once more.
keeper sync --follow main
expect_status 0
cp "$(store main)" "$T/memory"
keeper leave -j
expect_status 0
expect_field '.accounts[0].reason' 'logged out on this host; the other hosts keep it'
cp "$T/memory" "$(store main)"
keeper leave -j
expect_status 0
expect_field '.accounts[0].reason' 'logged out on this host; the other hosts keep it'
expect_eq "the token in main" "$(jq -r '.profiles["xai:default"].refresh' "$(store main)")" ""

# So does one on a host that has never had a run.
new_host c
write_store main xai:default=alice
cp "$T/memory" "$(store main)"
keeper leave -j
expect_status 0
expect_eq "the token in main" "$(jq -r '.profiles["xai:default"].refresh' "$(store main)")" ""

# The others go on.
on_host a
keeper refresh --force
expect_status 0
expect_no_secrets
