#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Locks are taken only in a directory that nobody else can write and no link leads to: else nothing is sent.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
refused() { # WHAT: as the lock directory is now
	mint alice left=30m
	write_store "main a" xai:default=alice
	before=$(sum "$(store main)")
	keeper refresh -j
	expect_status 1 3
	expect_eq "with $1: posts" "$(($(posts) - POSTS_BEFORE))" 0
	expect_untouched "$(store main)" "$before"
	expect_eq "with $1: beside the link" "$(ls -A "$HOME/elsewhere" 2>/dev/null)" ""
	expect_field '[.problems[], .accounts[].error | .message? // empty | select(test("locks"))] | length > 0' true
}

mkdir "$HOME/elsewhere"
ln -s "$HOME/elsewhere" "$STATE/locks"
refused "locks a link"

fresh
mkdir -p "$HOME/elsewhere" "$STATE/locks"
ln -s "$HOME/elsewhere" "$STATE/locks/oauth-refresh"
refused "oauth-refresh a link"

fresh
mkdir -p "$STATE/locks/oauth-refresh"
chmod 777 "$STATE/locks/oauth-refresh"
refused "oauth-refresh writable by others"

# A first run, in which there is none yet, makes it; OpenClaw's own modes (0755) are fine.
fresh
mint bob left=30m
write_store main xai:default=bob
keeper refresh
expect_status 0
expect_posts 1
fresh
mkdir -p "$STATE/locks/oauth-refresh"
chmod 755 "$STATE/locks" "$STATE/locks/oauth-refresh"
mint carol left=30m
write_store main xai:default=carol
keeper refresh
expect_status 0
expect_posts 1

# A runtime that lives holds its lock: busy, then served once it is gone.
fresh
mint dora left=30m
write_store main xai:default=dora
mkdir -p "$STATE/locks/oauth-refresh"
lock=$STATE/locks/oauth-refresh/sha256-$(printf 'xai\0xai:default' | sha256sum | cut -c1-64).lock
printf '{\n  "pid": %d,\n  "createdAt": "%s"\n}' $$ "$(date -u +%FT%T.000Z)" >"$lock"
keeper refresh -j --wait 0
expect_status 4
expect_posts 0
expect_field '.accounts[0].outcome' busy
[ -e "$lock" ] || fail "another's lock was removed"
rm -f "$lock"
keeper refresh -j --wait 0
expect_status 0
expect_posts 1
