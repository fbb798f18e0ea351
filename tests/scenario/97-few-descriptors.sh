#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A shortage of descriptors is a failure that passes: nothing is called damaged, nobody is sent to log in, nothing is
# lost. And what else a person would be misled by: no login anywhere, a full output, an option with a value.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=30m
write_store "main a" xai:default=alice
for files in {4..26}; do
	keeper refresh --wait 0
	UNDER=(prlimit "--nofile=$files:$files")
	keeper preview
	keeper refresh -q --wait 0 # idle, or what an earlier one could not do
	UNDER=()
	expect_status 0 1
	expect_no_match "$err" "log in|backup|damaged|cannot be looked at"
	[ "$status" = 0 ] || expect_match "$err" "LimitNOFILE|descriptor|open files"
done
expect_generation alice main a
expect_posts 1
for files in {5..26..3}; do # with something to do
	fresh
	mint "bob$files" left=30m
	write_store "main a" xai:default="bob$files"
	UNDER=(prlimit "--nofile=$files:$files")
	keeper refresh --wait 0
	UNDER=()
	expect_status 0 1
	expect_no_match "$err" "log in|backup|damaged|cannot be looked at"
	keeper refresh
	expect_status 0
	expect_posts 1
	expect_generation "bob$files" main a
done

# A soft limit is no obstacle where the hard one is none, nor is a parent that ignores its children's ends.
fresh
mint carol left=30m
write_store "main a" xai:default=carol
UNDER=(bash -c 'ulimit -Sn 5; trap "" CHLD; exec "$@"' -)
keeper refresh
UNDER=()
expect_status 0
expect_generation carol main a

fresh
rm -r "$STATE"
PROVIDERS='' keeper_command refresh -q
sed -i '/^state_dir/d' "$T/keeper.conf"
"${COMMAND[@]}" >"$out" 2>"$err"
expect_eq "status where nothing is found" $? 0
expect_match "$err" "no OpenClaw state directory"

keeper status --json=1
expect_status 2
expect_match "$err" "takes no value: --json=1"
mkdir -p "$STATE"
if [ -w /dev/full ]; then
	keeper_command status --watch
	timeout 20 "${COMMAND[@]}" >/dev/full 2>"$err"
	expect_eq "status --watch into a full output" $? 1
fi
