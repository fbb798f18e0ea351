#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Before a gateway restarts, what would be due in its first minutes is refreshed, once, by the line that is shipped for that.
. "$(dirname "$0")/lib.sh" || exit 1

drop_in=$TESTS/../etc/systemd/openclaw-gateway.conf
line=$(sed -n 's/^ExecStartPre=-oauth-keepalive //p' "$drop_in")
[ -n "$line" ] || die "no ExecStartPre in $drop_in"

start_oidc
mint alice left=125m # five minutes above its margin
write_store "main a b" xai:default=alice
keeper refresh
expect_status 0
expect_posts 0
keeper preview --check
expect_status 0
keeper preview --check --at +10m
expect_status 5
# shellcheck disable=SC2086 # its words
keeper $line
expect_status 0
expect_posts 1
expect_generation alice main a b
keeper preview --check --at +10m
expect_status 0
# shellcheck disable=SC2086
keeper $line
expect_posts 1

# What cannot be done in time keeps no gateway from starting: the line says so to systemd, and ends.
due
control revoke '{"account": "alice"}' >/dev/null
# shellcheck disable=SC2086
keeper $line
expect_status 3
expect_match "$drop_in" '^ExecStartPre=-'
