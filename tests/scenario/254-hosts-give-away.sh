#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login of the cluster's is not given away by one of its hosts, since all of them would go on with it. A host that follows
# one of them by documents follows, also once it has a `cluster` section: it sends nothing there, and tells the others nothing.
# One that is given to a host of the cluster becomes everybody's, or is beside what they have, and a person is asked.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

# export_to FILE [OPTION…], import_from FILE [OPTION…], on this host.
export_to() {
	keeper export xai:default "${@:2}"
	mv "$out" "$1"
	: >"$out"
}
import_from() {
	keeper_command import "${@:2}"
	"${COMMAND[@]}" <"$1" >"$out" 2>"$err"
	status=$?
	echo "$status" >"$T/runs/$RUN.status"
}
alone() { on_host "$1"; CONFIG=; }

start_etcd
start_oidc
mint alice left=5h email=a@example.org
for host in a b; do
	new_host $host
	write_store main xai:default=alice
	keeper refresh
	expect_status 0
done
reset_posts

# ---- given away: refused, and all goes on
on_host a
export_to "$T/document" --release
expect_status 3
expect_eq "bytes printed" "$(stat -c %s "$T/document")" 0
expect_match "$err" "the hosts of a cluster share it"
keeper status -j
expect_field '.accounts[0].ownership' ours
keeper refresh --force
expect_status 0
on_host b
keeper refresh
expect_generation alice main
expect_posts 1

# ---- a follower of a's, without a section, then with one: it sends nothing, and is no host of the cluster's until it is told to
on_host a
export_to "$T/document"
new_host f
alone f
write_store main xai:default=alice
reset_posts
import_from "$T/document"
expect_status 0
expect_generation alice main
for _ in 1 2; do
	keeper refresh --force -j
	expect_status 0
	expect_field '.accounts[0].ownership' follows
	on_host f
done
expect_eq "locks, intents, holds" "$(etcd_keys | grep -cE 'locks|intents|holds')" 0
expect_posts 0
keeper own xai:default
expect_status 0
keeper refresh --force
expect_status 0
expect_posts 1
on_host a
keeper refresh
expect_status 0
expect_generation alice main
expect_posts 1

# ---- given to a host of the cluster, by one outside: another line of refresh tokens, so a person is asked whose it shall be
mint other left=5h email=a@example.org
new_host g
alone g
write_store main xai:default=other
keeper refresh
export_to "$T/document" --release
expect_status 0
on_host b
keeper refresh
reset_posts
import_from "$T/document"
expect_status 3
expect_match "$out" 'login of its own'
import_from "$T/document" --force
expect_status 0
keeper refresh
expect_status 0
for host in b a f; do
	on_host $host
	keeper refresh
	expect_status 0
	expect_generation other main
done
expect_posts 0
alone g
keeper refresh --force -j
expect_field '.accounts[0].ownership' released
expect_posts 0
expect_no_secrets
