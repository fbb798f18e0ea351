#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A run looks several times, but a store that nobody touches meanwhile is opened and read once. (That one which somebody
# writes meanwhile is read again, be it in the same moment, with the same length and time: tests/unit/test_discover.c.)
# shellcheck disable=SC2154 # set by lib.sh
. "$(dirname "$0")/many.sh" || exit 1

strace_sees_paths || skip "strace sees no paths here"
case $(stat -f -c %T "$T") in
ext2/ext3 | xfs | btrfs | f2fs | tmpfs | overlayfs | zfs) ;;
*) skip "the times of files are not believed on this file system" ;;
esac

start_scripted
good_answers 300
fresh
many 3 3

# Of another login, which is not due.
bystander=$STATE/agents/bystander/agent/auth-profiles.json
mkdir -p "${bystander%/*}"
jq -n --argjson expires "$((($(date +%s) + 18000) * 1000))" '{version: 1, profiles: {"xai:bystander": {type: "oauth",
	provider: "xai", access: "FAKE-ACCESS-bystander", refresh: "FAKE-REFRESH-bystander", expires: $expires,
	email: "bystander@example.com"}}}' >"$bystander"
keeper sync -q
expect_status 0
sleep 0.1

opened() { grep -cE "^[0-9]+ +openat\(.*[/\"]$1/agent/auth-profiles.json\", O_RDONLY" "$T/trace"; }

TRACE=openat traced refresh -v -j
expect_status 0
expect_posts 3
echo "# $(cost looks) looks; opened: the bystander $(opened bystander) times, a copy that is written $(opened a1) times"
[ "$(cost looks)" -ge 4 ] || fail "looks: $(cost looks), so that nothing is shown"
expect_eq "times that a store was opened which nobody touched" "$(opened bystander)" 1
