#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What docs/containers.md says of PID namespaces: in one that is shared, OpenClaw's lock is respected; in another one, its
# holder is not seen, and the token would be used by both.
. "$(dirname "$0")/lib.sh" || exit 1

unshare --pid --fork --mount-proc true 2>/dev/null || skip "PID namespaces cannot be made here"
start_scripted
fake alice left=10m
write_store "main a" xai:default=alice
locks=$STATE/locks/oauth-refresh
(umask 077 && mkdir -p "$STATE/locks" "$locks")
lock=$locks/sha256-$(printf 'xai\0xai:default' | sha256sum | cut -c1-64).lock

# OpenClaw's container: the process that holds the lock is far from the numbers that a new namespace has.
cat >"$T/openclaw" <<'END'
i=0
while [ $i -lt 300 ]; do /bin/true; i=$((i + 1)); done
sleep 600 &
printf '{\n  "pid": %d,\n  "createdAt": "%s"\n}\n' $! "$(date -u +%Y-%m-%dT%H:%M:%S.000Z)" >"$1.new"
mv "$1.new" "$1"
"${@:2}"
echo $? >"$T/shared"
kill $!
END
export T
keeper_command refresh --wait 0
unshare --pid --fork --kill-child --mount-proc bash "$T/openclaw" "$lock" "${COMMAND[@]}" >"$out" 2>"$err"
expect_eq "exit status in the shared namespace" "$(cat "$T/shared")" 4
expect_posts 0
[ -e "$lock" ] || fail "the lock was taken from its holder"

# The same lock, its holder alive in the first container, seen from another one.
answers "{\"body\": $(tokens alice-2)}"
unshare --pid --fork --kill-child --mount-proc bash "$T/openclaw" "$lock" sleep 120 >/dev/null 2>&1 &
first=$!
wait_until test "$lock" -nt "$out"
UNDER=(unshare --pid --fork --kill-child --mount-proc)
keeper refresh --wait 0
UNDER=()
kill -KILL "$first" # unshare waits through TERM
wait "$first" 2>/dev/null
expect_status 0
expect_posts 1
expect_no_secrets
