#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# No token is spent that could not be saved: full or read-only ledger or main store, no POST.
if [ -z "${IN_NAMESPACE:-}" ]; then
	[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null && exec env IN_NAMESPACE=1 unshare -m bash "$0"
	echo "# skip: needs root and a mount namespace"
	exit 77
fi
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
fill() { dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null; true; }
small() { mkdir -p "$1" && mount -t tmpfs -o "size=512k,mode=700" tmpfs "$1"; }
login() { # NAME: main and one agent have it, due
	mint "$1" left=30m
	write_store "main a" xai:default="$1"
	before=$(sum "$(store main)")
}
nothing_spent() { # WHAT
	keeper refresh -j
	expect_status 1
	expect_eq "with $1: token requests" "$(($(posts) - POSTS_BEFORE))" 0
	expect_untouched "$(store main)" "$before"
	expect_untouched "$(store a)" "$before"
	expect_field '.accounts[0].outcome' failed
}

login alice
small "$LEDGER"
fill "$LEDGER"
nothing_spent "a full ledger"
umount "$LEDGER"

fresh
small "$STATE/agents/main/agent"
login bob
fill "$STATE/agents/main/agent"
nothing_spent "a full main store"
rm "$STATE/agents/main/agent/filler"
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation bob main a
umount "$STATE/agents/main/agent"

fresh
login carol
mount --bind "$STATE/agents/main/agent" "$STATE/agents/main/agent"
mount -o remount,bind,ro "$STATE/agents/main/agent"
nothing_spent "a read-only main store"
umount "$STATE/agents/main/agent"

# An agent's copy that cannot be written is written later, without the network.
fresh
login dora
mount --bind "$STATE/agents/a/agent" "$STATE/agents/a/agent"
mount -o remount,bind,ro "$STATE/agents/a/agent"
keeper refresh -j
expect_status 1
expect_posts 1
expect_generation dora main
umount "$STATE/agents/a/agent"
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation dora main a
