#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `sync --follow all` is for copies that go their own way. What OpenClaw has refreshed a moment ago leads: it becomes the
# live login, as with any other run, and the spent token that it came from does not take its place.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=30m
write_store "main a b" xai:default=alice
keeper refresh -j
expect_status 0
expect_posts 1
peer alice
write_store a xai:default=alice
keeper sync --follow all --dry-run -j
expect_field '.accounts[0].decision' adopt
keeper sync --follow all -j
expect_status 0
expect_field '.accounts[0].outcome' adopted
expect_generation alice main a b
due
keeper refresh -j
expect_status 0
expect_posts 2
expect_generation alice main a b

# One that goes its own way, beside it: it follows the new one.
jq -c 'del(.email) + {access: "FAKE-OPAQUE-ACCESS", refresh: "FAKE-OPAQUE-REFRESH"}' "$T/logins/alice.json" >"$T/logins/unproven.json"
peer alice
write_store a xai:default=alice
write_store b xai:default=unproven
keeper sync --follow all -j
expect_status 0
keeper sync --follow all -j
expect_status 0
expect_generation alice main a b
keeper restore -j
expect_field "[.kept[] | select(.id == \"$(login_token unproven)\") | .may_come_back] | @csv" true
expect_no_secrets
