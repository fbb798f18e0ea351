#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A file that is mounted by itself is written where it stands, if the configuration says so (`write = "in-place"`), as the
# problem advises: it stays the same file, in every mount, and whatever is killed over it is mended.
if [ -z "${IN_NAMESPACE:-}" ]; then
	[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null && exec env IN_NAMESPACE=1 unshare -m bash "$0"
	echo "# skip: needs root and a mount namespace"
	exit 77
fi
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
given() { # NAME AGENT: that agent's store is mounted from elsewhere, as into a container
	fresh
	CONFIG=
	mint "$1" left=30m
	write_store "main a" xai:default="$1"
	cp "$(store "$2")" "$HOME/outside.json"
	mount --bind "$HOME/outside.json" "$(store "$2")"
}
as_advised() {
	keeper preview -j
	CONFIG=$(field '.problems[] | select(.code == "store_not_writable") | .fix' | sed 's/.*stands: //; s/ in oauth.*//')
	[ -n "$CONFIG" ] || fail "nothing is advised"
}
left() { find "$STATE/agents" -name '*oauth-keepalive*' | wc -l; }

for agent in main a; do
	given "kept$agent" $agent
	as_advised
	inode=$(stat -c %i "$HOME/outside.json")
	keeper refresh -j
	expect_status 0
	expect_posts 1
	expect_generation "kept$agent" main a "$HOME/outside.json"
	expect_eq "the file outside" "$(stat -c %i "$HOME/outside.json")" "$inode"
	expect_eq "what is left in the directories" "$(left)" 0
	umount "$(store $agent)"
done

# Killed at every call that writes: the file is the old one, the new one, or is mended by the next run. Nothing is sent twice.
strace_sees_paths || skip "strace sees no paths here"
for call in symlinkat write ftruncate fsync unlinkat; do
	for when in 1 2 3; do
		given "k$call$when" main
		as_advised
		UNDER=(strace -qq -o /dev/null -P "$(store main)" -P "$STATE/agents/main/agent" -e "trace=$call" -e "inject=$call:signal=KILL:when=$when")
		keeper refresh -j
		UNDER=()
		stop_couriers
		keeper refresh -j
		expect_status 0 1 3
		keeper refresh -j
		expect_status 0
		expect_eq "$call $when: requests" "$(($(posts) - POSTS_BEFORE))" 1
		expect_generation "k$call$when" main a
		expect_eq "$call $when: what is left" "$(left)" 0
		umount "$(store main)"
	done
done

# Half written, as a full disk or the power leaves it: finished from the text beside it, or, without one, said.
given torn main
as_advised
keeper refresh -j
cp "$(store main)" "$HOME/new"
{ head -c 200 "$HOME/new"; echo '{{{'; } >"$(store main)"
temp=$(store main).999999-1.oauth-keepalive.tmp
digest() { sha256sum "$1" | cut -c1-16; }
cp "$HOME/new" "$temp"
ln -s "999999-1.0000000000000000.$(digest "$temp")" "$(store main).oauth-keepalive.swap"
keeper refresh -j
expect_status 0
cmp -s "$(store main)" "$HOME/new" || fail "what was half written is not finished"
expect_eq "what is left" "$(left)" 0
{ head -c 200 "$HOME/new"; echo '{{{'; } >"$(store main)"
keeper refresh -j
expect_status 3
umount "$(store main)"
expect_no_secrets
