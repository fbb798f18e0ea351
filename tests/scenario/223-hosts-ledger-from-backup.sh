#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A host whose ledger comes from a backup does not know what it has sent since. The cluster does: an intent that no receipt
# here vouches for counts as sent, also its own. Nothing is sent while its hold stands, then once more at most, and as late
# as may be; with the receipt that goes with it, it is known that nothing left, and it is sent at once.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

start_etcd
start_oidc
intents() { etcd_keys | grep -c intents; }

# begin NAME: a host that has been in the cluster for a while, with a backup of its ledger.
begin() {
	CLUSTER="prefix = \"/$1/\";"
	mint "$1" left=5h email=a@example.org
	new_host a
	write_store main "xai:default=$1"
	keeper refresh
	expect_status 0
	cp -a "$LEDGER" "$HOME/backup"
}
# kill_sender: while the answer is on its way.
asked() { [ "$(posts)" -gt "$POSTS_BEFORE" ]; }
kill_sender() {
	hold_answer
	keeper_command refresh --force
	"${COMMAND[@]}" >"$out" 2>"$err" </dev/null &
	local sender=$!
	wait_until asked
	for pid in $(couriers); do kill -KILL "$pid"; done
	kill -KILL $sender
	wait $sender 2>/dev/null
	release_answer
}
restore() { rm -rf "$LEDGER" && cp -a "$HOME/backup" "$LEDGER"; }

begin alice
kill_sender
expect_eq "intents" "$(intents)" 1
for _ in 1 2; do
	restore
	keeper refresh --force -j
	expect_field '.accounts[0].reason' 'a is refreshing it'
	expect_posts 1
done
for kind in holds locks; do
	ETCDCTL_API=3 etcdctl --endpoints "${ETCD_URLS[0]}" del --prefix "/alice/$kind/" >/dev/null
done
restore
keeper refresh --force -j
expect_status 3
expect_field '.accounts[0].error.code' unknown_outcome
expect_posts 1
expect_eq "intents" "$(intents)" 1

# The last try, and no other, whichever ledger is put back then.
keeper refresh --force --last-try -j
expect_status 3
expect_posts 2
restore
keeper refresh --force --last-try -j
expect_status 3
expect_posts 2

# The receipt is there, and says that nothing left: no question.
[ -x "${STEPPER:=$TESTS/../build/torture/stepper}" ] || skip "no stepper (make build/torture/stepper)"
begin bob
UNDER=("$STEPPER" -o "$T/trace")
keeper refresh --force
expect_status 0
sending=$(awk '$NF == "sending" && $1 > 0 { print $1; exit }' "$T/trace")
[ -n "$sending" ] || skip "the call that says so is not seen here"
begin carol
UNDER=("$STEPPER" -n "$sending" -k both)
keeper refresh --force
UNDER=()
expect_posts 0
expect_eq "intents" "$(intents)" 1
keeper refresh --force
expect_status 0
expect_posts 1
expect_generation carol main
expect_eq "intents" "$(etcd_keys /carol/ | grep -c intents)" 0
expect_no_secrets
