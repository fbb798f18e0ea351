#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# etcd comes back from an older snapshot: hosts that know better put their newer generation there again, and lose nothing; as a
# host that nobody has heard of since may have sent that token, it is sent only when the access token is about to end, or at a
# person's word; once it was, all is as before. (A host that was away all the time cannot know; docs/cluster.md.)
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

snapshot() { rm -f "$T/snapshot" && ETCDCTL_API=3 etcdctl --endpoints "${ETCD_URLS[0]}" snapshot save "$T/snapshot" >/dev/null 2>&1 || die "snapshot"; }

# put_back: the member is killed, and has what it had then.
put_back() {
	local peer=${ETCD_ARGS[0]#*--listen-peer-urls }
	peer=${peer%%[[:space:]]*}
	{ kill -KILL "${ETCD_PIDS[0]}" && wait "${ETCD_PIDS[0]}"; } 2>/dev/null
	rm -rf "$T/etcd0"
	ETCDCTL_API=3 etcdctl snapshot restore "$T/snapshot" --name m0 --data-dir "$T/etcd0" --initial-cluster "m0=$peer" \
		--initial-advertise-peer-urls "$peer" >"$T/restore.log" 2>&1 || die "restore: $(cat "$T/restore.log")"
	run_member 0
	etcds_came_up 1 || die "etcd does not come up from its snapshot"
}
both() {
	local host
	for host in a b; do
		on_host $host
		keeper refresh
		expect_status 0
		expect_generation alice main
	done
}

start_etcd
start_oidc
mint alice left=5h email=a@example.org
for host in b a; do
	new_host $host
	write_store main xai:default=alice
	keeper refresh
	expect_status 0
done
reset_posts
snapshot

# Two generations later.
for _ in 1 2; do
	on_host a
	keeper refresh --force
	expect_status 0
	both
done
expect_posts 2
put_back
keeper status -j
expect_status 0
expect_field '[.accounts[0].cluster.hosts[].behind] | unique | join(" ")' 0
both
keeper refresh --force -j
expect_status 3
expect_field '.accounts[0].error.code' unknown_outcome
expect_posts 2

# It is sent when it has to be, by either; and there is no doubt any more.
on_host b
change_records '.live.expires_ms = ((now + 240) * 1000 | floor)'
keeper refresh
expect_status 0
expect_posts 3
both
keeper refresh --force
expect_status 0
expect_posts 4
both

# In mid-transaction: the snapshot is from before the intent, and etcd comes back with the answer on its way.
snapshot
asked() { [ "$(posts)" -gt $((POSTS_BEFORE + 4)) ]; }
hold_answer
on_host a
start_keeper refresh --force
wait_until asked
put_back
on_host b
keeper refresh
release_answer
wait_keepers
expect_posts 5
both
both
expect_posts 5
expect_eq "sends of one token" "$(control state | jq '[.tokens[]] | max')" 1
expect_no_secrets
