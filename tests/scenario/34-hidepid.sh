#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Where /proc hides what may not be traced (hidepid, ProtectProc=), keeper and courier, which have tokens to hide, still
# know each other: every run refreshes, however busy the machine is. Without any /proc, what is missing is said.
. "$(dirname "$0")/lib.sh" || exit 1

[ "$(id -u)" = 0 ] || skip "only root can mount a /proc of its own"
# As a user who may not trace just anybody, in a mount namespace with such a /proc; the rest is this machine's.
# shellcheck disable=SC2016 # the inner shell's
hidden='mount -t proc -o hidepid=invisible proc /proc && exec setpriv --reuid=4242 --regid=4242 --clear-groups "$@"'
hides() { unshare --mount --propagation private sh -c "$hidden" sh "$@"; }
hides test ! -e /proc/1 2>/dev/null || skip "no mount namespace with another /proc"
setpriv --reuid=4242 --regid=4242 --clear-groups test -x "$OAUTH_KEEPALIVE" || skip "others cannot run the program from there"

start_scripted

# No /proc at all: nothing is known of any process, our own included. It says so, and sends nothing.
fake nobody left=5m
write_store main xai:default=nobody
UNDER=(unshare --mount --propagation private sh -c 'mount -t tmpfs none /proc && exec "$@"' sh)
keeper refresh
UNDER=()
expect_status 1
expect_match "$err" "/proc does not show this process; is it mounted"
expect_posts 0
fresh

umask 022
chmod 755 "$T"
LEDGER=$HOME/ledger
# One processor for all, so that the courier often comes to its end of hiding before the keeper looks.
alone=(taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')")
for _ in 1 2; do
	"${alone[@]}" sh -c 'while :; do :; done' &
	SERVERS+=($!)
done
UNDER=("${alone[@]}" unshare --mount --propagation private sh -c "$hidden" sh)
fake login left=5m
write_store "main a" xai:default=login
chown -R 4242:4242 "$HOME"
chmod -R go-rwx "$HOME"
for round in {1..30}; do
	answers '{"status": 200, "body": '"$(tokens "$round" '{"expires_in": 300}')"'}'
	keeper refresh --force
	[ "$status" = 0 ] || { expect_status 0 && break; }
done
UNDER=()
expect_posts 30
expect_eq "what the last one left in a" "$(jq -r '.profiles["xai:default"].refresh' "$(store a)")" FAKE-REFRESH-30
